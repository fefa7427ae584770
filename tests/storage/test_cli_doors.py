"""beyondrate data: every door by its command."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from beyondrate import datasets
from beyondrate.cli import app
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.signals import reconstruct
from beyondrate.storage import load, save


def run(*words: object) -> str:
    done = CliRunner().invoke(app, ["data", *map(str, words)])
    if isinstance(done.exception, InputError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def example() -> SpikeTrains:
    rng = np.random.default_rng(0)
    samples = [(rng.integers(0, 90_001, n), rng.integers(0, 30, n)) for n in rng.integers(10, 90, 24)]
    return SpikeTrains.from_samples(
        samples,
        labels=np.arange(24) % 3,
        n_units=30,
        duration_us=90_000,
        meta={"label_names": ["go", "stop", "wait"], "split": ["train"] * 16 + ["test"] * 8},
    )


def test_info_shows_facts_and_rasters(tmp_path: Path) -> None:
    save(example(), tmp_path / "x.h5")
    shown = run("info", tmp_path / "x.h5", "--raster", tmp_path / "x.png")
    assert "24 samples of 90 ms" in shown and "split: 16 train, 8 test" in shown
    assert "go: 8 samples" in shown and "AUC of the count" in shown
    assert "29 ┤" in shown and shown.count("┤") == 4
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match=r"suffix '\.txt' is no picture's; give \.png"):
        run("info", tmp_path / "x.h5", "--raster", tmp_path / "x.txt")
    with pytest.raises(InputError, match="create the folder first"):
        run("info", tmp_path / "nothing-is-read.h5", "--raster", tmp_path / "none" / "x.png")


def test_info_reads_what_import_reads(tmp_path: Path) -> None:
    trains = example()
    for name in ("x.csv", "x.npz"):
        save(trains, tmp_path / name)
        assert "24 samples of 90 ms" in run("info", tmp_path / name)
    save(trains, tmp_path / "shd.h5", format="shd")
    assert "24 samples of 90 ms" in run("info", tmp_path / "shd.h5")
    folder = tmp_path / "nmnist" / "3"
    folder.mkdir(parents=True)
    (folder / "a.bin").write_bytes(bytes([1, 2, 0x80, 0, 9]))
    assert "1 samples of 1 ms" in run("info", tmp_path / "nmnist")
    empty = SpikeTrains([], [], [0, 0], [0], 3, 10)
    save(empty, tmp_path / "empty.h5")
    assert "1 of 1 samples have no spikes" in run("info", tmp_path / "empty.h5")


def test_tables_go_out_and_come_back(tmp_path: Path) -> None:
    trains = example()
    save(trains, tmp_path / "x.h5")
    assert "written as csv" in run("export", tmp_path / "x.h5", tmp_path / "x.csv")
    run("import", tmp_path / "x.csv", tmp_path / "y.h5")
    assert load(tmp_path / "y.h5").digest == trains.digest
    assert "written as shd" in run("export", tmp_path / "x.h5", tmp_path / "z.h5")


def values(path: Path) -> np.ndarray:
    t = np.arange(400) / 200
    x = np.stack([np.sin(7 * t), 20 * np.cos(3 * t)], axis=1)
    rows = [f"{a:.6f},{b:.6f}" for a, b in x]
    path.write_text("\n".join(["left,right", *rows, ""]))
    return np.round(x, 6)


def test_values_over_time(tmp_path: Path) -> None:
    x = values(tmp_path / "x.csv")
    shown = run("import", tmp_path / "x.csv", tmp_path / "x.h5", "--threshold", "0.1,2", "--rate", 200)
    assert "4 units" in shown and "left" in shown and "error" in shown
    coded = load(tmp_path / "x.h5")
    assert np.abs(reconstruct(coded, start=x[:1])[0] - x).max(axis=0) == pytest.approx([0.1, 2], rel=0.1)
    run(
        "import", tmp_path / "x.csv", tmp_path / "y.npz", "--threshold", 0.1, "--rate", 200,
        "--encoder", "sigma-delta", "--tau", 0.05,
    )  # fmt: skip
    assert (np.abs(reconstruct(load(tmp_path / "y.npz"))[0] - x) < 0.1001).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--threshold", "0.1"], "x.csv: has the columns no time, and no rate is given"),
        (["--threshold", "a", "--rate", "200"], "threshold is 'a'"),
        (["--threshold", "0", "--rate", "200"], "x.csv: threshold is .*; give a positive step"),
        (["--threshold", "1,2,3", "--rate", "200"], "x.csv: there are 3 thresholds for 2 channels"),
        (["--threshold", "1", "--rate", "200", "--encoder", "rate"], "encoder is 'rate'; choose from level"),
        (["--threshold", "1", "--rate", "200", "--tau", "1"], "level-crossing has no time constant"),
        (
            ["--threshold", "1", "--rate", "9", "--encoder", "sigma-delta"],
            "sigma-delta needs a time constant",
        ),
        (["--rate", "200"], "x.csv: --rate and --tau are of values over time; give --threshold too"),
        (["--trials", "side"], "x.csv: has no trials to choose a column of; leave out --trials"),
        (["--group", "day"], "x.csv: has no trials to choose a column of; leave out --trials and --group"),
        ([], "x.csv: has a column 'left'; rename it"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, words: list[str], message: str) -> None:
    values(tmp_path / "x.csv")
    with pytest.raises(InputError, match=message):
        run("import", tmp_path / "x.csv", tmp_path / "x.h5", *words)
    assert not (tmp_path / "x.h5").exists()


def test_arrays_of_values(tmp_path: Path) -> None:
    x = values(tmp_path / "x.csv")
    np.savez(tmp_path / "x.npz", values=np.stack([x, -x]), labels=["a", "b"], channels=["left", "right"])
    shown = run("import", tmp_path / "x.npz", tmp_path / "x.h5", "--threshold", "0.1,2", "--rate", 200)
    assert "2 samples" in shown and "4 units" in shown and "right" in shown
    run("import", tmp_path / "x.csv", tmp_path / "y.h5", "--threshold", "0.1,2", "--rate", 200)
    coded, alone = load(tmp_path / "x.h5"), load(tmp_path / "y.h5")
    assert coded[0].times_us.tolist() == alone.times_us.tolist()
    assert (coded.labels.tolist(), coded.meta["label_names"]) == ([0, 1], ["a", "b"])


@pytest.mark.parametrize("name", ["x.aedat", "x.nwb"])
def test_recordings_go_out_and_come_back(tmp_path: Path, name: str) -> None:
    if name == "x.nwb":
        pytest.importorskip("pynwb")
    some = [([0, 5, 80_000], [7, 30_000, 7]), ([], []), ([9], [3])]
    trains = SpikeTrains.from_samples(some, labels=[1, 0, 2], n_units=2 * 128 * 128, duration_us=90_000)
    save(trains, tmp_path / "x.h5")
    assert f"written as {name[2:]}" in run("export", tmp_path / "x.h5", tmp_path / name)
    options = ["--trials", "label"] if name == "x.nwb" else []
    run("import", tmp_path / name, tmp_path / "y.h5", *options)
    assert load(tmp_path / "y.h5").digest == trains.digest


def test_trials_of_a_recording(tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    from test_nwb import session

    path = session(tmp_path / "a.nwb")
    assert "3 samples" in run("import", path, tmp_path / "a.h5", "--trials", "side")
    assert load(tmp_path / "a.h5").meta["label_names"] == ["left", "right"]
    run("import", path, tmp_path / "b.h5", "--trials", "side", "--group", "angle")
    assert load(tmp_path / "b.h5").meta["group_names"] == ["-45.0", "90.0"]
    shown = run("info", path)
    assert "--trials makes one of the trials' columns the class: angle, correct, side" in shown
    assert "left: 2 samples" in run("info", path, "--trials", "side")


def test_trials_without_a_class_are_told_of_when_imported_and_refused_where_classes_matter(
    tmp_path: Path,
) -> None:
    pytest.importorskip("pynwb")
    from test_nwb import session

    path, out = session(tmp_path / "a.nwb"), tmp_path / "a.h5"
    told = "Warning: all samples are of one class. --trials makes .* the class: angle, correct, side"
    for options in ([], ["--group", "angle"]):
        assert re.search(told, run("import", path, out, *options, "--force"))
        for data in (path, out):
            with pytest.raises(
                InputError, match=r"3 trials, all of one class.*--trials COLUMN, from angle, c"
            ):
                datasets.load(data)
    assert "Warning" not in run("import", path, out, "--trials", "side", "--force")
    assert datasets.load(out).n_classes == 2


def test_a_session_without_trials_is_told_of_too(tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    from test_nwb import session

    with h5py.File(session(tmp_path / "a.nwb"), "r+") as file:
        del file["intervals"]
    shown = run("import", tmp_path / "a.nwb", tmp_path / "a.h5")
    assert "Warning: all samples are of one class.\n" in shown
