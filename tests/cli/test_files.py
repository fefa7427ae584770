"""What commands read and write: names of data sets, and never over a file unless told to."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io.wavfile
from typer.testing import CliRunner

import beyondrate as br
from beyondrate import datasets
from beyondrate.cli import app


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [*map(str, words)])
    if isinstance(done.exception, br.InputError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def trains() -> br.SpikeTrains:
    rng = np.random.default_rng(0)
    samples = [(rng.integers(0, 90_001, 60), np.arange(60) % 5) for _ in range(24)]
    return br.SpikeTrains.from_samples(samples, labels=np.arange(24) % 3, n_units=5, duration_us=90_000)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    br.save(trains(), tmp_path / "in.h5")
    return tmp_path / "in.h5"


COMMANDS = {
    "perturb": (("perturb", "delete"), ("--level", "0.9")),
    "perturb without a level": (("perturb", "reverse"), ()),
    "part": (("variant", "part"), ()),
    "norm": (("variant", "norm"), ()),
    "import": (("data", "import"), ()),
    "export": (("data", "export"), ()),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("way", ["the same name", "another way", "soft link", "hard link"])
def test_what_is_read_is_never_replaced(source: Path, command: str, way: str):
    before, link = source.read_bytes(), source.with_name("link.h5")
    out = {"the same name": source, "another way": source.parent / ".." / source.parent.name / "in.h5"}
    if way == "soft link":
        link.symlink_to(source)
    elif way == "hard link":
        os.link(source, link)
    words, options = COMMANDS[command]
    for force in ((), ("--force",)):
        with pytest.raises(br.InputError, match="is what is read"):
            run(*words, source, out.get(way, link), *options, *force)
    assert source.read_bytes() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_there_is_replaced_only_if_forced(source: Path, command: str):
    out, (words, options) = source.with_name("out.h5"), COMMANDS[command]
    out.write_text("precious")
    with pytest.raises(br.InputError, match=r"out\.h5: is there already; .* or --force"):
        run(*words, source, out, *options)
    assert out.read_text() == "precious"
    run(*words, source, out, *options, "--force")
    assert br.load(out).duration_us == 90_000


def test_values_and_labels_beside_a_recording_are_not_replaced_either(tmp_path: Path):
    (tmp_path / "x.csv").write_text("left\n" + "0\n1\n" * 20)
    (tmp_path / "y.h5").write_text("precious")
    values = ("data", "import", tmp_path / "x.csv", tmp_path / "y.h5", "--threshold", 0.1, "--rate", 100)
    with pytest.raises(br.InputError, match=r"y\.h5: is there already"):
        run(*values)
    run(*values, "--force")
    camera = br.SpikeTrains.from_samples(
        [([5], [7]), ([9], [3])], labels=[0, 1], n_units=2 * 128 * 128, duration_us=1000
    )
    br.save(camera, tmp_path / "in.h5")
    (tmp_path / "arm_labels.csv").write_text("precious")
    with pytest.raises(br.InputError, match=r"arm_labels\.csv: is there already"):
        run("data", "export", tmp_path / "in.h5", tmp_path / "arm.aedat")
    assert (tmp_path / "arm_labels.csv").read_text() == "precious"
    run("data", "export", tmp_path / "in.h5", tmp_path / "arm.aedat", "--force")
    with pytest.raises(br.InputError, match=r"arm_labels\.csv: is what is read"):
        run("data", "import", tmp_path / "arm.aedat", tmp_path / "arm_labels.csv", "--force")


def test_encode_replaces_nothing_unasked_and_still_goes_on(tmp_path: Path):
    for name, hz in (("low_ann", 300), ("high_ann", 2500)):
        sound = (2e4 * np.sin(2 * np.pi * hz * np.arange(800) / 8000)).astype(np.int16)
        scipy.io.wavfile.write(tmp_path / f"{name}.wav", 8000, sound)
    table = tmp_path / "labels.csv"
    table.write_text("file,label\nlow_ann.wav,low\nhigh_ann.wav,high\n")
    out = tmp_path / "words.h5"
    out.write_text("precious")
    small = ("--channels", 16, "--rate", 12000, "--labels")
    words = ("encode", tmp_path, *small, "{label}_{speaker}", "--out", out)
    for resume in ((), ("--resume",)):
        with pytest.raises(br.InputError, match="is there already"):
            run(*words, *resume)
    assert out.read_text() == "precious"
    with pytest.raises(br.InputError, match=r"labels\.csv: is what is read"):
        run("encode", tmp_path, *small, table, "--out", table, "--force")
    (tmp_path / "words.h5.parts").mkdir()  # a run with --force was stopped
    run(*words, "--resume")
    assert br.load(out).meta["label_names"] == ["high", "low"]
    run(*words, "--force")


def test_names_of_data_sets_are_taken_wherever_files_are(source: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[str] = []

    def make_file(origin: Path | None, progress: object) -> Path:
        made.append("tiny")
        return source

    tiny = datasets.DataSet("tiny", "for this test", make_file)
    monkeypatch.setattr(datasets, "DATA_SETS", {"tiny": tiny})
    assert "24 samples of 90 ms" in run("data", "info", "tiny")
    out = source.with_name("out.npz")
    run("perturb", "reverse", "tiny", out)
    assert br.load(out).digest == br.perturb.reverse(trains()).digest
    run("variant", "norm", "tiny", out, "--force")
    assert br.load(out).digest == br.variants.norm(trains()).digest
    run("data", "export", "tiny", out, "--force")
    assert br.load(out).digest == trains().digest
    made.clear()
    with pytest.raises(br.InputError, match="is there already"):
        run("variant", "norm", "tiny", out)
    assert not made  # refused before the data set is made
    with pytest.raises(br.InputError, match="is what is read"):
        run("variant", "norm", "tiny", source, "--force")
