"""SHD and SSC from small files of the published format, handed over in every form and served."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from beyondrate import datasets, storage
from beyondrate.cli import app
from beyondrate.datasets import heidelberg, originals
from beyondrate.datasets.info import describe
from beyondrate.datasets.split import make_split
from beyondrate.errors import InputError

PARTS = {"shd": ("train", "test"), "ssc": ("train", "valid", "test")}
N_CLASSES = {"shd": 20, "ssc": 35}


def write_part(path: Path, n_classes: int, n_samples: int, seed: int, **changed: np.ndarray) -> None:
    """Write a file as the Heidelberg data sets are published: no header, float16 times, uint16 units."""
    rng = np.random.default_rng(seed)
    arrays = {
        "labels": (np.arange(n_samples) % n_classes).astype(np.uint16),
        "extra/speaker": (np.arange(n_samples) // n_classes).astype(np.uint16),
        "extra/keys": np.array([f"word {k}".encode() for k in range(n_classes)]),
        **changed,
    }
    last = arrays.pop("last", 699)
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (n_samples,), h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (n_samples,), h5py.vlen_dtype(np.uint16))
        for sample in range(n_samples):
            n = int(rng.integers(5, 40))
            times[sample] = np.sort(rng.random(n)).astype(np.float16)
            units[sample] = np.append(rng.integers(0, 700, n - 1), last)
        for name, array in arrays.items():
            if array is not None:
                file[name] = array


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEYONDRATE_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def published(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of small files as they are served, zipped, and their hashes in place of the published ones."""
    folder = tmp_path / "served"
    folder.mkdir()
    for name, parts in PARTS.items():
        made = {}
        for seed, part in enumerate(parts):
            original = heidelberg.PUBLISHED[name].parts[part]
            path = folder / original.name
            write_part(path, N_CLASSES[name], 70 + 10 * seed, seed)
            packed = path.with_name(path.name + ".zip")
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(path, f"datasets/{path.name}")
            hashes = {file: md5(folder / file) for file in original.md5}
            made[part] = replace(original, md5=hashes, urls=[f"https://127.0.0.1:9/{packed.name}"])
        entry = replace(heidelberg.PUBLISHED[name], parts=made)
        monkeypatch.setitem(heidelberg.PUBLISHED, name, entry)
    return folder


def handed_over(published: Path, tmp_path: Path, form: str) -> Path:
    folder = tmp_path / "given"
    folder.mkdir()
    for path in published.glob("*.h5"):
        if form == ".h5":
            shutil.copy(path, folder)
        elif form == ".zip":
            shutil.copy(path.with_name(path.name + ".zip"), folder)
        else:
            with gzip.open(folder / f"{path.name}.gz", "wb") as file:
                file.write(path.read_bytes())
    return folder


@pytest.mark.parametrize("form", [".h5", ".zip", ".gz"])
@pytest.mark.parametrize("name", ["shd", "ssc"])
def test_the_published_files_in_every_form(
    published: Path, cache: Path, tmp_path: Path, name: str, form: str
) -> None:
    path = datasets.get(name, handed_over(published, tmp_path, form))
    assert path == cache / f"{name}.h5"
    assert list(cache.iterdir()) == [path]
    trains = datasets.load(name)
    expected = [storage.load(published / f"{name}_{part}.h5") for part in PARTS[name]]
    np.testing.assert_array_equal(trains.times_us, np.concatenate([part.times_us for part in expected]))
    np.testing.assert_array_equal(trains.units, np.concatenate([part.units for part in expected]))
    np.testing.assert_array_equal(trains.labels, np.concatenate([part.labels for part in expected]))
    np.testing.assert_array_equal(trains.groups, np.concatenate([part.groups for part in expected]))
    np.testing.assert_array_equal(
        trains.spikes_per_sample, np.concatenate([part.spikes_per_sample for part in expected])
    )
    assert (trains.n_units, trains.duration_us) == (700, 1_400_000)
    assert trains.meta["label_names"] == [f"word {k}" for k in range(N_CLASSES[name])]
    assert trains.meta["split"] == [
        part for part, file in zip(PARTS[name], expected, strict=True) for _ in range(len(file))
    ]
    facts = trains.meta["originals"]
    suffix = "" if form == ".h5" else form
    assert [fact["name"] for fact in facts] == [f"{name}_{part}.h5{suffix}" for part in PARTS[name]]
    known = form == ".zip" or (name == "shd" and form == ".h5")
    assert {fact["check"].split(":")[0] for fact in facts} == {"as published" if known else "not compared"}
    assert any("float16" in warning for warning in describe(trains).warnings)


def test_the_split_is_understood(published: Path) -> None:
    datasets.get("ssc", published)
    split = make_split(datasets.load("ssc"), seed=0)
    assert (len(split.train), len(split.validation), len(split.test)) == (70, 80, 90)
    datasets.get("shd", published)
    trains = datasets.load("shd")
    split = make_split(trains, seed=0)
    assert split.test.tolist() == list(range(70, 150))
    assert not set(trains.groups[split.train]) & set(trains.groups[split.validation])


def test_once_made_the_originals_are_not_needed(published: Path) -> None:
    datasets.get("shd", published)
    before = datasets.load("shd").digest
    shutil.rmtree(published)
    assert datasets.load("shd").digest == before


def test_downloads_are_checked_unpacked_and_removed(
    published: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []

    def fetch(urls: list[str], target: Path, *, md5: str | None, progress: object) -> None:
        fetched.append((urls[0], md5))
        shutil.copy(published / target.name, target)

    monkeypatch.setattr(originals, "fetch", fetch)
    datasets.get("shd")
    assert fetched == [
        (f"https://127.0.0.1:9/{name}.zip", md5(published / f"{name}.zip"))
        for name in ("shd_train.h5", "shd_test.h5")
    ]
    assert {fact["check"] for fact in datasets.load("shd").meta["originals"]} == {"as published"}
    assert list((cache / "downloads").iterdir()) == []


def test_without_a_network_the_way_out_is_told(published: Path, cache: Path) -> None:
    with pytest.raises(InputError) as caught:
        datasets.load("shd")
    said = str(caught.value)
    assert "shd_train.h5.zip: cannot be downloaded (127.0.0.1:9: " in said
    assert "download https://127.0.0.1:9/shd_train.h5.zip elsewhere" in said
    assert "beyondrate data get shd --from FOLDER" in said
    assert not list(cache.glob("*.h5"))


def test_another_file_is_refused_with_both_hashes(published: Path, cache: Path) -> None:
    path = published / "shd_test.h5"
    expected = md5(path)
    with path.open("ab") as file:
        file.write(b"!")
    with pytest.raises(InputError, match=f"shd_test.h5: has MD5 {md5(path)}, but {expected} was published"):
        datasets.get("shd", published)
    assert list(cache.iterdir()) == []


def test_the_unpacked_file_is_compared_too(published: Path) -> None:
    path = published / "shd_train.h5"
    for given in published.glob("shd_train.h5*"):
        given.rename(published / f"old.{given.name}")
    with gzip.open(f"{path}.gz", "wb") as file:
        file.write((published / "old.shd_train.h5").read_bytes() + b"!")
    with pytest.raises(InputError, match=r"has MD5 .* was published"):
        datasets.get("shd", published)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"extra/keys": np.array([b"a", b"b"])}, "has 35 classes and 2 names of them, not 35"),
        ({"labels": np.zeros(70, np.uint16)}, "has 1 classes and 35 names of them, not 35"),
        ({"extra/speaker": None}, "names no speakers"),
        ({"last": 700}, "has 701 channels, not 700"),
    ],
)
def test_what_has_no_hash_is_refused_by_its_content(
    published: Path, cache: Path, changed: dict, message: str
) -> None:
    write_part(published / "ssc_train.h5", 35, 70, 0, **changed)
    with pytest.raises(InputError, match=f"ssc_train.h5: {message}"):
        datasets.get("ssc", published)
    assert list(cache.iterdir()) == []


def test_what_is_missing_is_named(published: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"given: no such file or folder; .* ssc_train.h5.zip"):
        datasets.get("ssc", tmp_path / "given")
    for path in published.glob("ssc_valid*"):
        path.unlink()
    with pytest.raises(InputError, match=r"has no ssc_valid\.h5; give a folder that holds ssc_valid\.h5 or"):
        datasets.get("ssc", published)


def test_archives_that_are_no_archives_or_hold_something_else(published: Path) -> None:
    packed = published / "ssc_train.h5.gz"
    for path in published.glob("ssc_train*"):
        path.unlink()
    packed.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"ssc_train.h5.gz: cannot be unpacked"):
        datasets.get("ssc", published)
    packed.write_bytes(gzip.compress(bytes(60 << 20)))
    with pytest.raises(InputError, match="unpacks to far more than it should"):
        datasets.get("ssc", published)
    packed.unlink()
    entry = heidelberg.PUBLISHED["ssc"]
    unknown = {part: replace(original, md5={}) for part, original in entry.parts.items()}
    heidelberg.PUBLISHED["ssc"] = replace(entry, parts=unknown)
    with zipfile.ZipFile(published / "ssc_train.h5.zip", "w") as archive:
        archive.writestr("../../readme.txt", "nothing here")
    with pytest.raises(InputError, match=r"holds 0 files named ssc_train\.h5"):
        datasets.get("ssc", published)


def test_what_is_made_here_takes_no_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="made on this machine; leave out --from"):
        datasets.get("spoken-digits", tmp_path)
    with pytest.raises(InputError, match="shdd is no data set; choose from"):
        datasets.get("shdd")


def test_the_command_says_what_it_got_and_how_it_was_checked(published: Path, cache: Path) -> None:
    done = CliRunner().invoke(app, ["data", "get", "ssc", "--from", str(published)])
    assert done.exit_code == 0, done.output
    first, *others = done.stdout.splitlines()
    assert first.startswith(f"{cache / 'ssc.h5'}: 240 samples, ") and first.endswith("35 classes")
    assert len(others) == 3
    path = published / "ssc_train.h5"
    assert (
        others[0]
        == f"ssc_train.h5: MD5 {md5(path)}, not compared: no published hash is at hand; shape and content fit"
    )
