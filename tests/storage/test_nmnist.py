"""N-MNIST: folders of small files of the published format."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from test_damage import damaged
from typer.testing import CliRunner

from beyondrate.cli import app
from beyondrate.errors import InputError
from beyondrate.storage import EventFile, load, opened


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
