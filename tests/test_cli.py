"""The command line as a user types it: what it prints, what it refuses, what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from planted import from_order

import beyondrate as br

ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def beyondrate(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "beyondrate.cli", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
        env={**os.environ, **ONE_THREAD},
    )


def npz(path: Path, **changed: object) -> Path:
    """Write an event file that is good but for what is changed; None leaves an entry out."""
    arrays = {
        "times_us": np.tile([100, 400, 900], 8),
        "units": np.tile([0, 1, 2], 8),
        "offsets": np.arange(9) * 3,
        "labels": np.arange(8) % 2,
        "n_units": 3,
        "duration_us": 1000,
    }
    np.savez(path, **{name: value for name, value in {**arrays, **changed}.items() if value is not None})
    return path


def events_text(path: Path) -> None:
    path.write_text("time unit\n1 2\n")


def no_event_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["image"] = np.zeros((4, 4))


BAD_FILES = {
    "missing": (lambda p: None, "no such file"),
    "a text": (events_text, "neither HDF5 nor .npz"),
    "other HDF5": (no_event_hdf5, "no event file"),
    "labels": (lambda p: npz(p, labels=np.arange(7) % 2), "7 labels but 9 offsets"),
    "unsorted": (lambda p: npz(p, times_us=np.tile([400, 100, 900], 8)), "not sorted"),
    "negative": (lambda p: npz(p, times_us=np.tile([-5, 400, 900], 8)), "-5 µs"),
    "not a number": (lambda p: npz(p, times_us=None, times_s=np.tile([np.nan, 1, 2], 8)), "nan"),
    "unit": (lambda p: npz(p, units=np.tile([0, 1, 3], 8)), "unit 3"),
    "one class": (lambda p: npz(p, labels=np.zeros(8, dtype=int)), "class"),
    "lonely class": (lambda p: npz(p, labels=np.array([0] * 7 + [1])), "class 1"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_data_is_refused_before_any_work(case: str, tmp_path: Path):
    make, named = BAD_FILES[case]
    source = tmp_path / ("events.h5" if "HDF5" in case or "text" in case else "events.npz")
    make(source)
    before = sorted(tmp_path.iterdir())
    done = beyondrate("audit", source, "--out", tmp_path / "run")
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert named in done.stderr and "; " in done.stderr
    if case not in ("one class", "lonely class"):
        assert str(source) in done.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("audit", "spoken-digit", "--out", "run"), "spoken-digits"),
        (("audit", "spoken-digits-full", "--out", "run", "--models", "lif,cnn"), "cnn"),  # before it is made
        (("audit", "{good}", "--out", "run", "--preset", "fast"), "quick"),
        (("audit", "{good}", "--out", "run", "--dt", "0"), "dt is 0"),
        (("audit", "{good}", "--out", "{good}"), "no folder"),
        (("audit",), "data"),
        (("perturb", "jitter", "{good}", "out.npz", "--level", "-1"), "-1"),
        (("perturb", "replace", "{good}", "out.npz"), "--level"),
        (("perturb", "reverse", "{good}", "missing/out.npz"), "missing"),
        (("perturb", "reverse", "{good}", "out.txt"), "out.txt"),
        (("variant", "norm", "{good}", "out.npz"), "unit"),
        (("encode", "none/*.wav", "--labels", "{label}_{take}", "--out", "w.h5"), "none/*.wav"),
        (("no-such-command",), "no-such-command"),
    ],
)
def test_bad_usage_is_refused_in_one_sentence(words: tuple[str, ...], named: str, tmp_path: Path):
    good = npz(tmp_path / "good.npz")
    done = beyondrate(*(word.replace("{good}", str(good)) for word in words), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert named in done.stderr
    assert sorted(tmp_path.iterdir()) == [good]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_refused(tmp_path: Path):
    good = npz(tmp_path / "good.npz")
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    done = beyondrate("audit", good, "--out", folder / "run")
    assert done.returncode == 2 and str(folder) in done.stderr


def test_perturb_variant_and_data_commands_do_what_python_does(tmp_path: Path):
    trains = from_order(60, 0)
    source = tmp_path / "order.npz"
    br.save(trains, source)
    assert beyondrate("perturb", "jitter", source, tmp_path / "j.h5", "--level", "0.01").returncode == 0
    expected = br.perturb.jitter(trains, 0.01, 0)
    assert br.load(tmp_path / "j.h5").digest == expected.digest != trains.digest
    assert beyondrate("perturb", "reverse", source, tmp_path / "r.h5").returncode == 0
    assert br.load(tmp_path / "r.h5").digest == br.perturb.reverse(trains).digest
    done = beyondrate("variant", "norm", source, tmp_path / "n.h5", "--seed", "3")
    assert done.returncode == 0 and "class" in done.stdout
    assert br.load(tmp_path / "n.h5").digest == br.variants.norm(trains, seed=3).digest
    assert beyondrate("data", "export", source, tmp_path / "shd.h5").returncode == 0
    assert beyondrate("data", "import", tmp_path / "shd.h5", tmp_path / "back.npz").returncode == 0
    back = br.load(tmp_path / "back.npz")
    assert back.units.tolist() == trains.units.tolist()
    assert np.abs(back.times_us - trains.times_us).max() <= 1
    done = beyondrate("data", "info", source)
    assert done.returncode == 0 and "60" in done.stdout
    assert "spoken-digits" in beyondrate("data", "list").stdout


AUDIT = (
    "--models",
    "probe,rate",
    "--variants",
    "whole,norm",
    "--seeds",
    "2",
    "--epochs",
    "4",
    "--workers",
    "1",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with order.npz and a finished audit of it in run/."""
    folder = tmp_path_factory.mktemp("audit")
    br.save(from_order(200, 0), folder / "order.npz")
    done = beyondrate("audit", "order.npz", "--out", "run", *AUDIT, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout and "Timing alone" in done.stdout
    assert "%" in done.stderr and "left" in done.stderr  # progress
    return folder


def test_an_audit_leaves_tables_a_report_and_checkpoints(finished: Path):
    run = finished / "run"
    header, *lines = (run / "results.csv").read_text().splitlines()
    assert header == "variant,model,control,perturbation,level,seed,split,accuracy,n_test,chance"
    results = json.loads((run / "results.json").read_text())
    assert len(lines) == len(results["rows"]) > 50
    assert {row["perturbation"] for row in results["rows"]} >= {"none", "replace", "jitter", "reverse"}
    assert results["command"].startswith("beyondrate audit order.npz")
    assert len(list((run / "checkpoints").glob("*.safetensors"))) == 4
    assert "<html" in (run / "report.html").read_text()[:200]


def test_a_folder_that_holds_a_run_is_refused_without_resume_and_done_at_once_with_it(finished: Path):
    before = (finished / "run" / "results.csv").read_text()
    refused = beyondrate("audit", "order.npz", "--out", "run", *AUDIT, cwd=finished)
    assert refused.returncode == 2 and "--resume" in refused.stderr
    other = beyondrate(
        "audit", "order.npz", "--out", "run", *AUDIT, "--resume", "--dt", "0.005", cwd=finished
    )
    assert other.returncode == 2 and "dt_s" in other.stderr
    again = beyondrate("audit", "order.npz", "--out", "run", *AUDIT, "--resume", cwd=finished)
    assert again.returncode == 0
    assert (finished / "run" / "results.csv").read_text() == before


def test_a_run_that_is_stopped_goes_on_and_ends_as_if_it_had_not_been(finished: Path):
    run = finished / "stopped"
    process = subprocess.Popen(
        [sys.executable, "-m", "beyondrate.cli", "audit", "order.npz", "--out", str(run), *AUDIT],
        cwd=finished,
        env={**os.environ, **ONE_THREAD},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
    )
    deadline = time.monotonic() + 120
    while not list(run.glob("jobs/*.json")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Stopped" in said and "Traceback" not in said
    assert not (run / "results.csv").exists()
    assert not [path for path in run.rglob(".*") if path.is_file()]  # nothing half-written
    done = beyondrate("audit", "order.npz", "--out", "stopped", *AUDIT, "--resume", cwd=finished)
    assert done.returncode == 0, done.stderr
    assert (run / "results.csv").read_text() == (finished / "run" / "results.csv").read_text()
