"""DVS128 Gesture from small files of both published forms, written here."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import struct
import tarfile
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from beyondrate import datasets
from beyondrate.cli import app
from beyondrate.datasets import dvs_gesture
from beyondrate.datasets.split import make_split
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains

LISTS = {
    "train": ["user01_led.aedat", "user02_lab.aedat", "user03_natural.aedat"],
    "test": ["user24_led.aedat", "user29_lab.aedat"],
}
START_US = 80_000_000
STEP_US = 10_000  # from the start of an interval to that of the next
LENGTH_US = 9_000
OVERLAP_US = 12_000  # length of the ninth interval of the first recording, which reaches into the tenth
EMPTY = 4  # the interval without events of the second recording


def intervals(name: str) -> list[tuple[int, int, int]]:
    """Class, start and end of a recording's intervals: every class once, the arm roll (8) twice."""
    rows = []
    for place, label in enumerate([*range(1, 9), 8, 9, 10, 11]):
        length = OVERLAP_US if (name, place) == ("user01_led.aedat", 8) else LENGTH_US
        rows.append((label, START_US + place * STEP_US, START_US + place * STEP_US + length))
    return rows


def events(name: str) -> np.ndarray:
    """Columns time, x, y, polarity of a recording; also between the intervals, before and after them."""
    rng = np.random.default_rng(list(name.encode()))
    times = np.sort(rng.integers(START_US - 5000, START_US + 12 * STEP_US + 5000, 1500))
    times[:2] = (
        START_US,
        START_US + STEP_US + LENGTH_US,
    )  # the first of an interval, and one just after its end
    times = np.sort(times)
    if name == "user02_lab.aedat":
        times = times[(times - START_US) // STEP_US != EMPTY]
    n = len(times)
    return np.stack([times, *rng.integers(0, 128, (2, n)), rng.integers(0, 2, n)], axis=1)


def aedat(rows: np.ndarray) -> bytes:
    """A recording as the camera's software writes it: packets of several types of events."""
    parts = [b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#Start-Time: 2016\r\n#!END-HEADER\r\n"]
    for place, start in enumerate(range(0, len(rows), 100)):
        some = rows[start : start + 100]
        pairs = np.empty((len(some), 2), "<u4")
        pairs[:, 0] = some[:, 1] << 17 | some[:, 2] << 2 | some[:, 3] << 1 | 1
        pairs[:, 1] = some[:, 0]
        parts.append(struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, *[len(some)] * 3) + pairs.tobytes())
        other, size = [(0, 8), (2, 60), (7, 16)][place % 3]
        parts.append(struct.pack("<hhiiiiii", other, 1, size, 4, 0, 2, 2, 2) + bytes(2 * size))
    return b"".join(parts)


def files_of_the_original() -> dict[str, bytes]:
    held = {"README.txt": b"DVS128 Gesture", "errata.txt": b""}
    for part, names in LISTS.items():
        held[f"trials_to_{part}.txt"] = ("\n".join(names) + "\n\n").encode()
        for name in names:
            held[name] = aedat(events(name))
            table = "".join(f"{label},{start},{end}\n" for label, start, end in intervals(name))
            held[name.replace(".aedat", "_labels.csv")] = (
                b"class,startTime_usec,endTime_usec\n" + table.encode()
            )
    return held


def cut(name: str, start: int, end: int) -> np.ndarray:
    rows = events(name)
    return rows[(rows[:, 0] >= start) & (rows[:, 0] < end)] - [start, 0, 0, 0]


def files_of_arrays(part: str) -> dict[str, bytes]:
    """Arrays x, y, polarity, milliseconds: a folder a recording, a file a class (of two, the latter)."""
    held = {}
    for name in LISTS[part]:
        for label, start, end in intervals(name):
            t, x, y, p = cut(name, start, end).T
            file = io.BytesIO()
            np.save(file, np.stack([x, y, p, t / 1e3], axis=1))
            held[f"{name.removesuffix('.aedat')}/{label - 1}.npy"] = file.getvalue()
    return held


def archive(path: Path, folder: str, held: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as members:
        for name, content in held.items():
            for member_name, data in (
                (name, content),
                (f"{Path(name).parent}/._{Path(name).name}", b"a Mac's"),
            ):
                entry = tarfile.TarInfo(f"{folder}/{member_name}")
                entry.size = len(data)
                members.addfile(entry, io.BytesIO(data))
    return path


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEYONDRATE_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def original(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the original archive, its hash in place of the published one."""
    folder = tmp_path / "original"
    folder.mkdir()
    path = archive(folder / "DvsGesture.tar.gz", "DvsGesture", files_of_the_original())
    monkeypatch.setattr(
        dvs_gesture, "ORIGINAL_FORM", replace(dvs_gesture.ORIGINAL_FORM, md5={path.name: md5(path)})
    )
    return folder


@pytest.fixture
def arrays(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the archives of arrays, their hashes in place of the published ones."""
    folder = tmp_path / "arrays"
    folder.mkdir()
    form = []
    for entry, part in zip(dvs_gesture.NUMPY_FORM, ("train", "test"), strict=True):
        name = entry.name.removesuffix(".tar")
        path = archive(folder / f"{name}.tar.gz", name, files_of_arrays(part))
        form.append(replace(entry, md5={path.name: md5(path)}))
    monkeypatch.setattr(dvs_gesture, "NUMPY_FORM", tuple(form))
    return folder


def check_sample(trains: SpikeTrains, sample: int, expected: np.ndarray) -> None:
    t, x, y, p = expected.T
    np.testing.assert_array_equal(trains[sample].times_us, t)
    np.testing.assert_array_equal(trains[sample].units, np.ravel_multi_index((p, y, x), (2, 128, 128)))


@pytest.mark.parametrize("form", ["archive", "file", "folder"])
def test_the_original(original: Path, cache: Path, tmp_path: Path, form: str) -> None:
    source = original
    if form == "file":
        source = original / "DvsGesture.tar.gz"
    elif form == "folder":
        source = tmp_path / "unpacked"
        source.mkdir()
        for name, content in files_of_the_original().items():
            (source / name).write_bytes(content)
    path = datasets.get("dvs-gesture", source)
    assert list(cache.iterdir()) == [path]
    trains = datasets.load("dvs-gesture")
    names = [name for part in LISTS.values() for name in part]
    wanted = [(name, *row) for name in names for row in intervals(name)]
    assert len(trains) == len(wanted) == 60
    for sample, (name, label, start, end) in enumerate(wanted):
        assert trains.labels[sample] == label - 1
        assert trains.meta["files"][sample] == f"{name}@{start}-{end}"
        check_sample(trains, sample, cut(name, start, end))
    assert trains.spikes_per_sample.min() == 0 == trains.spikes_per_sample[12 + EMPTY]
    assert trains.meta["split"] == ["train"] * 36 + ["test"] * 24
    users = [trains.meta["group_names"][group] for group in trains.groups]
    assert users == [name.split("_")[0] for name, *_ in wanted]
    assert (trains.n_units, trains.meta["shape"], trains.duration_us) == (32_768, [2, 128, 128], OVERLAP_US)
    assert (trains.n_classes, trains.meta["label_names"][7]) == (11, "arm roll")
    assert trains.meta["accuracy"] == "of whole labelled intervals, 11 classes"
    known = "as published" if form != "folder" else "not compared"
    assert {fact["check"].split(":")[0] for fact in trains.meta["originals"]} == {known}


def test_an_event_in_two_intervals_counts_in_both(original: Path) -> None:
    datasets.get("dvs-gesture", original)
    trains = datasets.load("dvs-gesture")
    ninth, tenth = trains[8].times_us, trains[9].times_us
    shared = ninth[ninth >= STEP_US] - STEP_US
    assert len(shared) > 5
    np.testing.assert_array_equal(shared, tenth[: len(shared)])


def test_the_arrays(arrays: Path, cache: Path) -> None:
    datasets.get("dvs-gesture", arrays)
    trains = datasets.load("dvs-gesture")
    by_name = {
        f"{name.removesuffix('.aedat')}/{label - 1}.npy": (part, label - 1, cut(name, start, end))
        for part, names in LISTS.items()
        for name in names
        for label, start, end in intervals(name)
    }
    assert len(trains) == len(by_name) == 55
    for sample, name in enumerate(trains.meta["files"]):
        part, label, expected = by_name[name]
        assert (trains.meta["split"][sample], trains.labels[sample]) == (part, label)
        check_sample(trains, sample, expected)
    assert sorted(set(trains.groups.tolist())) == [0, 1, 2, 23, 28]
    assert {fact["check"] for fact in trains.meta["originals"]} == {"as published"}


def test_the_split_keeps_to_the_published_lists(original: Path) -> None:
    datasets.get("dvs-gesture", original)
    trains = datasets.load("dvs-gesture")
    split = make_split(trains, seed=0)
    assert set(trains.groups[split.test].tolist()) == {23, 28}
    assert not set(trains.groups[split.train].tolist()) & set(trains.groups[split.validation].tolist())


def test_the_command_says_what_an_accuracy_counts(arrays: Path) -> None:
    done = CliRunner().invoke(app, ["data", "get", "dvs-gesture", "--from", str(arrays)])
    assert done.exit_code == 0, done.output
    assert "An accuracy on it is one of whole labelled intervals, 11 classes." in done.stdout.splitlines()
    assert f"ibmGestureTest.tar.gz: MD5 {md5(arrays / 'ibmGestureTest.tar.gz')}, as published" in done.stdout


def test_addresses_to_download_name_the_file_without_sending_its_name() -> None:
    for entry in dvs_gesture.NUMPY_FORM:
        assert entry.urls[0].rsplit("/", 1)[-1] in entry.md5
        request = urllib.request.Request(entry.urls[0])
        assert request.selector.startswith("/ndownloader/files/380") and "ibm" not in request.selector


@pytest.mark.parametrize("clip_us", [3000, 4000, 9500])
def test_clips(original: Path, clip_us: int) -> None:
    datasets.get("dvs-gesture", original)
    trains = datasets.load("dvs-gesture")
    made = datasets.clips(trains, clip_us / 1e6)
    wanted = [
        (name, label - 1, start + k * clip_us)
        for part in LISTS.values()
        for name in part
        for label, start, end in intervals(name)
        for k in range((end - start) // clip_us)
    ]
    assert made.meta["files"] == [f"{name}@{start}-{start + clip_us}" for name, _, start in wanted]
    assert made.labels.tolist() == [label for _, label, _ in wanted]
    assert made.duration_us == clip_us
    for sample, (name, _, start) in enumerate(wanted):
        check_sample(made, sample, cut(name, start, start + clip_us))
    left_out = made.meta["clips"]
    assert made.n_spikes + left_out["spikes_left_out"] == trains.n_spikes
    assert left_out["samples_left_out"] == (59 if clip_us == 9500 else 0)
    n_classes = len(np.unique(made.labels))
    assert made.meta["accuracy"] == f"of clips of {clip_us / 1e6:g} s, {n_classes} classes"
    assert [made.meta["split"].count(part) for part in ("train", "test")] == [
        sum(name in LISTS[part] for name, *_ in wanted) for part in ("train", "test")
    ]
    again = datasets.clips(made, clip_us / 1e6)
    assert (again.digest, again.meta["files"]) == (made.digest, made.meta["files"])


def test_clips_without_known_intervals_end_with_the_last_spike(arrays: Path) -> None:
    datasets.get("dvs-gesture", arrays)
    trains = datasets.load("dvs-gesture")
    made = datasets.clips(trains[[0]], 0.002)
    last = int(trains[0].times_us[-1])
    assert len(made) == last // 2000 >= 3
    assert made.meta["files"][1] == "user01_led/0.npy@2000-4000"
    assert made.n_spikes == np.count_nonzero(trains[0].times_us < len(made) * 2000)
    with pytest.raises(InputError, match="no sample is 5 s long; give a shorter clip"):
        datasets.clips(trains, 5)


@pytest.mark.parametrize(("factor", "side"), [(1, 128), (4, 32), (5, 26), (200, 1)])
def test_pooling_keeps_every_event(arrays: Path, factor: int, side: int) -> None:
    datasets.get("dvs-gesture", arrays)
    trains = datasets.load("dvs-gesture")[:3]
    made = datasets.pooled(trains, factor)
    assert made.meta["shape"] == [2, side, side] and made.n_units == 2 * side * side
    np.testing.assert_array_equal(made.times_us, trains.times_us)
    np.testing.assert_array_equal(made.offsets, trains.offsets)
    p, y, x = np.unravel_index(trains.units, (2, 128, 128))
    np.testing.assert_array_equal(
        made.units, np.ravel_multi_index((p, y // factor, x // factor), (2, side, side))
    )
    assert {k: v for k, v in made.meta.items() if k != "shape"} == {
        k: v for k, v in trains.meta.items() if k != "shape"
    }


def test_pooling_needs_pixels() -> None:
    trains = SpikeTrains.from_samples([([1], [0])], labels=[0], n_units=8, duration_us=10)
    with pytest.raises(InputError, match="meta's shape is None for 8 units"):
        datasets.pooled(trains, 2)
    with pytest.raises(InputError, match="factor is 0"):
        datasets.pooled(trains.with_meta(shape=[2, 2, 2]), 0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("user02_lab.aedat", None, "user02_lab.aedat: is missing; give the whole data set as published"),
        ("user02_lab_labels.csv", None, "user02_lab_labels.csv: is missing"),
        ("trials_to_test.txt", None, "has no trials_to_test.txt"),
        ("user02_lab.aedat", b"#!AER-DAT3.1\r\n", "user02_lab.aedat: has a header without"),
        (
            "user02_lab_labels.csv",
            b"class,startTime_usec,endTime_usec\n3,5,2\n",
            "user02_lab_labels.csv: has an",
        ),
        ("trials_to_test.txt", b"user30_led.aedat", "user30_led_labels.csv: is missing"),
        ("trials_to_test.txt", b"\xff\xfe", "trials_to_test.txt: cannot be read as a list of recordings"),
    ],
)
def test_what_the_original_lacks_is_named(
    cache: Path, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    source = tmp_path / "unpacked"
    source.mkdir()
    for file, held in files_of_the_original().items():
        (source / file).write_bytes(held)
    if content is None:
        (source / name).unlink()
    else:
        (source / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        datasets.get("dvs-gesture", source)
    assert list(cache.iterdir()) == []


def array(rows: list[list[float]], **how: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(rows, **how))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("user01_led/3.npy", array([[1, 2, 1, -0.5]]), "3.npy: time in seconds holds -0.0005"),
        ("user01_led/3.npy", array([[1, 128, 1, 5]]), "3.npy: event 0 is at column 1, row 128"),
        ("user01_led/3.npy", array([[1.5, 12, 1, 5]]), "3.npy: x holds 1.5"),
        ("user01_led/3.npy", array([[1, 12, np.nan, 5]]), "3.npy: p holds nan"),
        ("user01_led/3.npy", array([[1, 2, 3]]), r"3.npy: holds int64 of shape \(1, 3\), not rows of 4"),
        (
            "user01_led/3.npy",
            array([[1, 2, 3, None]], dtype=object),
            "3.npy: cannot be read as an array of events",
        ),
        ("user01_led/3.npy", array([[1, 2, 1, 5]])[:-3], "3.npy: cannot be read as an array of events"),
        ("user01_led/3.npy", b"", "3.npy: cannot be read as an array of events"),
        ("user31_led/3.npy", array([[1, 2, 1, 5]]), "ibmGestureTrain.tar: has a recording 'user31_led'"),
        (
            "user01_led/12.npy",
            array([[1, 2, 1, 5]]),
            r"the classes found are \[0, .*10, 12\], counted from 0",
        ),
    ],
)
def test_arrays_that_cannot_be_are_named(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, message: str
) -> None:
    for entry, part in zip(dvs_gesture.NUMPY_FORM, ("train", "test"), strict=True):
        held = files_of_arrays(part)
        if part == "train":
            held[name] = content
        folder = entry.name.removesuffix(".tar")
        with gzip.open(archive(tmp_path / f"{folder}.tar.gz", folder, held)) as packed:
            (tmp_path / entry.name).write_bytes(packed.read())
        (tmp_path / f"{folder}.tar.gz").unlink()
    with pytest.raises(InputError, match=message):
        datasets.get("dvs-gesture", tmp_path)
    assert list(cache.iterdir()) == []


def test_other_archives_are_refused(original: Path, arrays: Path, tmp_path: Path) -> None:
    path = arrays / "ibmGestureTrain.tar.gz"
    shutil.copy(arrays / "ibmGestureTest.tar.gz", path)
    with pytest.raises(InputError, match=r"ibmGestureTrain.tar.gz: has MD5 .* was published"):
        datasets.get("dvs-gesture", arrays)
    path.unlink()
    with pytest.raises(InputError, match=r"arrays: has no ibmGestureTrain.tar; give a folder that holds"):
        datasets.get("dvs-gesture", arrays)


@pytest.mark.parametrize("damage", ["cut", "entry"])
def test_a_damaged_archive_is_refused(original: Path, damage: str) -> None:
    packed = original / "DvsGesture.tar.gz"
    data = bytearray(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    if damage == "cut":
        data = data[: len(data) // 1024 * 512]
    else:
        data[len(data) // 2 :] = data[len(data) // 2 :].replace(b"DvsGesture/", b"DvsGeStUre/", 1)
    (original / "DvsGesture.tar").write_bytes(data)
    with pytest.raises(InputError, match=r"DvsGesture.tar: cannot be unpacked"):
        datasets.get("dvs-gesture", original)
