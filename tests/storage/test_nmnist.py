"""N-MNIST: folders of small files of the published format."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_damage import damaged
from typer.testing import CliRunner

from beyondrate.cli import app
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.storage import EventFile, load, opened, save
from beyondrate.storage.stream import as_stream


def write(path: Path, t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray) -> None:
    """Write events as N-MNIST is published."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255]
    path.write_bytes(np.stack(columns, axis=1).astype(np.uint8).tobytes())


def events(rng: np.random.Generator, n: int, last_us: int = 336_040) -> list[np.ndarray]:
    t = np.sort(rng.integers(0, last_us, n))
    t[-1] = last_us
    return [t, rng.integers(0, 34, n), rng.integers(0, 34, n), rng.integers(0, 2, n)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Train and Test, two digits each."""
    rng = np.random.default_rng(0)
    for part, digits in {"Train": (0, 7, 7), "Test": (3,)}.items():
        for number, digit in enumerate(digits):
            write(tmp_path / part / str(digit) / f"{number:05d}.bin", *events(rng, 40 + number))
    (tmp_path / "Train" / "readme.txt").write_text("not looked at")
    return tmp_path


def test_every_event_of_every_file(folder: Path) -> None:
    rng = np.random.default_rng(0)
    made = [events(rng, n) for n in (40, 41, 42, 40)]
    trains = load(folder)
    assert trains.labels.tolist() == [0, 7, 7, 3]
    assert trains.meta["split"] == ["train"] * 3 + ["test"]
    assert trains.meta["files"] == [
        "Train/0/00000.bin",
        "Train/7/00001.bin",
        "Train/7/00002.bin",
        "Test/3/00000.bin",
    ]
    assert (trains.n_units, trains.meta["shape"], trains.duration_us) == (2312, [2, 34, 34], 337_000)
    for sample, (t, x, y, p) in enumerate(made):
        np.testing.assert_array_equal(trains[sample].times_us, t)
        np.testing.assert_array_equal(trains[sample].units, np.ravel_multi_index((p, y, x), (2, 34, 34)))


def test_one_part_alone_tells_no_split(folder: Path) -> None:
    trains = load(folder / "Train")
    assert "split" not in trains.meta
    assert trains.labels.tolist() == [0, 7, 7]
    assert load(folder / "Train", samples=slice(2, 0, -1)).digest == trains[[2, 1]].digest


def test_importing_reads_files_as_they_are_needed(folder: Path, tmp_path: Path) -> None:
    with opened(folder) as file:
        assert isinstance(file, EventFile)
        assert file[np.array([3, 0])].digest == load(folder)[[3, 0]].digest
    done = CliRunner().invoke(app, ["data", "import", str(folder), str(tmp_path / "out.h5")])
    assert done.exit_code == 0, done.output
    assert "4 samples, 163 spikes, 2,312 units, 337 ms, 3 classes" in done.stdout
    assert load(tmp_path / "out.h5").digest == load(folder).digest
    assert dict(load(tmp_path / "out.h5").meta) == dict(load(folder).meta)


def test_recordings_as_published(real_data: Path, tmp_path: Path) -> None:
    with np.load(real_data / "nmnist_small" / "nmnist_small.npz") as held:
        data = {name: held[name] for name in held}
    for sample in range(20):
        some = slice(*data["offsets"][sample : sample + 2])
        columns = [data[name][some].astype(np.int64) for name in ("t_us", "x", "y", "p")]
        write(tmp_path / str(data["label"][sample]) / f"{sample:05d}.bin", *columns)
    trains = load(tmp_path)
    assert trains.n_spikes == data["offsets"][20]
    assert sorted(trains.labels.tolist()) == sorted(data["label"][:20].tolist())
    assert trains.counts().sum() == trains.n_spikes > 20_000
    save(trains, tmp_path / "again", format="n-mnist")
    assert load(tmp_path / "again").digest == trains.digest
    for sample, name in enumerate(trains.meta["files"]):
        again = tmp_path / "again" / str(trains.labels[sample]) / f"{sample:05d}.bin"
        assert again.read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "3/00000.bin has 0 bytes, not one or more events of 5"),
        (bytes(11), "3/00000.bin has 11 bytes"),
        (bytes([34, 0, 0, 0, 0]), "3/00000.bin: event 0 is at column 34, row 0 with polarity 0, outside"),
        (bytes([0, 240, 0, 0, 0]), "3/00000.bin: event 0 is at column 0, row 240"),
        (
            bytes([0, 0, 0, 1, 0, 0, 0, 0, 0, 255]),
            "3/00000.bin: time goes backwards from 256 to 255 µs at event 1",
        ),
    ],
)
def test_a_damaged_file_is_named(folder: Path, content: bytes, message: str) -> None:
    (folder / "Test" / "3" / "00000.bin").write_bytes(content)
    with pytest.raises(InputError, match=f"Test/{message}") as caught:
        load(folder)
    assert str(folder) in str(caught.value)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "0").mkdir()
    with pytest.raises(InputError, match="is no file; give the event file itself, or N-MNIST's folder"):
        load(tmp_path)


def test_random_damage(folder: Path) -> None:
    path = folder / "Train" / "7" / "00001.bin"
    trains = load(folder)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    outcomes: Counter[str] = Counter()
    for attempt in range(300):
        path.write_bytes(damaged(whole, np.random.default_rng([attempt, 3])).tobytes())
        try:
            found = load(folder)
        except InputError as error:
            assert str(folder) in str(error) and "00001.bin" in str(error)
            outcomes["refused"] += 1
        else:
            others = [0, 2, 3]
            np.testing.assert_array_equal(found[others].units, trains[others].units)
            outcomes["same" if found.digest == trains.digest else "changed"] += 1
    assert outcomes["refused"] > 150, outcomes


def made(samples: list[list[tuple[int, int, int, int]]], labels: list[int], **facts: object) -> SpikeTrains:
    """Spike trains of events (time, x, y, polarity), as long as they are when they are read."""
    last = max(event[0] for events in samples for event in events)
    pairs = [([e[0] for e in events], [(e[3] * 34 + e[2]) * 34 + e[1] for e in events]) for events in samples]
    meta = {"shape": [2, 34, 34], **facts}
    duration_us = max(1000, -(-last // 1000) * 1000)
    return SpikeTrains.from_samples(pairs, labels=labels, n_units=2312, duration_us=duration_us, meta=meta)


def test_what_is_written_byte_for_byte(tmp_path: Path) -> None:
    trains = made(
        [[(5, 33, 0, 1)], [(0, 1, 2, 0), (2**23 - 1, 0, 33, 1)], [(256, 3, 4, 0)]],
        [7, 7, 0],
        split=["train", "test", "train"],
    )
    save(trains, tmp_path / "digits", format="n-mnist")
    files = {path.relative_to(tmp_path / "digits").as_posix(): path.read_bytes()
             for path in (tmp_path / "digits").rglob("*") if path.is_file()}  # fmt: skip
    assert files == {
        "Train/7/00000.bin": bytes([33, 0, 0x80, 0, 5]),
        "Test/7/00001.bin": bytes([1, 2, 0, 0, 0, 0, 33, 0xFF, 0xFF, 0xFF]),
        "Train/0/00002.bin": bytes([3, 4, 0, 1, 0]),
    }
    again = load(tmp_path / "digits")
    assert again.digest == trains[[2, 0, 1]].digest  # by part and label
    assert again.meta["split"] == ["train", "train", "test"]
    assert [path.name for path in tmp_path.iterdir()] == ["digits"]


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 2**23 - 1), *[st.integers(0, 33)] * 2, st.integers(0, 1)),
            min_size=1,
            max_size=20,
        ),
        min_size=1,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, samples: list[list[tuple[int, int, int, int]]], rng
) -> None:
    labels = sorted(rng.choices(range(12), k=len(samples)))
    trains = made(samples, labels)
    folder = tmp_path_factory.mktemp("digits")  # empty folders are taken
    save(as_stream(trains), folder, format="n-mnist")
    assert load(folder).digest == trains.digest
    with opened(folder) as file:
        assert file[np.arange(len(trains))].digest == trains.digest


def test_tonic_reads_what_is_written(tmp_path: Path) -> None:
    tonic_io = pytest.importorskip("tonic.io")
    rng = np.random.default_rng(1)
    some = [list(zip(*(column.tolist() for column in events(rng, 50)), strict=True)) for _ in range(2)]
    trains = made(some, [1, 2])
    save(trains, tmp_path / "x", format="n-mnist")
    dtype = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
    for sample, place in enumerate(("1/00000.bin", "2/00001.bin")):
        found = tonic_io.read_mnist_file(str(tmp_path / "x" / place), dtype=dtype)
        assert sorted(zip(*(found[n].tolist() for n in "txyp"), strict=True)) == sorted(some[sample])


GOOD = made([[(5, 1, 2, 1)], [(9, 3, 4, 0)]], [0, 1])


@pytest.mark.parametrize(
    ("trains", "message"),
    [
        (replace(GOOD, n_units=2313, meta={}), "of 34 × 34 pixels and two polarities, not of 2313 units"),
        (replace(GOOD, meta={"shape": [34, 34, 2]}), r"2312 units of the shape \[34, 34, 2\]; write an .h5"),
        (replace(GOOD, groups=np.array([0, 1])), "N-MNIST cannot hold groups"),
        (replace(GOOD, meta={"split": ["train", "valid"]}), "N-MNIST cannot hold the part 'valid'"),
        (GOOD[:0], "N-MNIST cannot hold data without samples"),
        (
            SpikeTrains.from_samples([([1], [0]), ([], [])], labels=[0, 0], n_units=2312, duration_us=9),
            "N-MNIST cannot hold sample 1, which has no spike; leave out the 1 silent",
        ),
        (
            SpikeTrains.from_samples([([1], [0]), ([2**23], [0])], labels=[0, 0], n_units=2312,
                                     duration_us=2**24),
            "holds times up to 8388607 µs, sample 1 has 8388608 µs",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(tmp_path: Path, trains: SpikeTrains, message: str) -> None:
    with pytest.raises(InputError, match=message):
        save(trains, tmp_path / "x", format="n-mnist")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "kept.txt").write_text("kept")
    for place in ("x", "x/kept.txt"):
        with pytest.raises(InputError, match=f"{place}: is there already; give a new folder"):
            save(GOOD, tmp_path / place, format="n-mnist")
    with pytest.raises(InputError, match=r"cannot be written \(no such file"):
        save(GOOD, tmp_path / "no" / "x", format="n-mnist")
    assert [path.name for path in tmp_path.rglob("*")] == ["x", "kept.txt"]


def test_export_writes_a_folder(tmp_path: Path) -> None:
    save(GOOD, tmp_path / "a.h5")
    done = CliRunner().invoke(
        app, ["data", "export", str(tmp_path / "a.h5"), str(tmp_path / "x"), "--format", "n-mnist"]
    )
    assert done.exit_code == 0, done.output
    assert "x: written as n-mnist" in done.stdout
    assert load(tmp_path / "x").digest == GOOD.digest
    refused = CliRunner().invoke(app, ["data", "export", str(tmp_path / "a.h5"), str(tmp_path / "y")])
    assert "suffix '' is unknown" in str(refused.exception)
