"""The command beyondrate encode, as typed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.io.wavfile
from typer.testing import CliRunner

from beyondrate import storage
from beyondrate.cli import app
from beyondrate.errors import InputError

RATE_HZ = 8000
SMALL = ("--channels", "24", "--rate", "12000")
LABELS = ("--labels", "{label}_{speaker}_{take}")


def write(path, hz, seconds=0.3):
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    scipy.io.wavfile.write(path, RATE_HZ, (2e4 * np.sin(2 * np.pi * hz * time)).astype(np.int16))


@pytest.fixture
def speech(tmp_path):
    folder = tmp_path / "speech"
    folder.mkdir()
    for take in range(4):
        for label, hz in (("low", 300), ("high", 2500)):
            write(folder / f"{label}_ann_{take}.wav", hz + 10 * take)
    return folder


def encode(*words):
    done = CliRunner().invoke(app, ["encode", *map(str, words)], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_pattern_folder_and_list_give_the_same_file(speech, tmp_path):
    outs = [tmp_path / f"{i}.h5" for i in range(3)]
    sources = [[f"{speech}/*.wav"], [speech], sorted(speech.iterdir())]
    for out, source in zip(outs, sources, strict=True):
        done = encode(*source, *LABELS, "--out", out, *SMALL)
        assert done.exit_code == 0
        assert f"{out}: 8 samples" in done.stdout.replace("\n", "")
    one, *others = [out.read_bytes() for out in outs]
    assert all(other == one for other in others)
    trains = storage.load(outs[0])
    assert trains.meta["label_names"] == ["high", "low"]
    assert trains.meta["encoder"]["n_channels"] == 24


def test_every_option_reaches_the_encoder(speech, tmp_path):
    out = tmp_path / "words.h5"
    options = "--low 200 --high 3500 --membrane heidelberg --level 0.1 --ramp 0.01 --fibres 20 --seed 7"
    done = encode(speech, *LABELS, "--group", "take", "--out", out, *SMALL, *options.split())
    assert done.exit_code == 0
    trains = storage.load(out)
    assert trains.meta["encoder"] == {
        "n_channels": 24,
        "range_hz": [200.0, 3500.0],
        "rate_hz": 12_000,
        "membrane": "heidelberg",
        "level": 0.1,
        "ramp_s": 0.01,
        "n_fibres": 20,
        "seed": 7,
        "version": 1,
    }
    assert trains.meta["group_names"] == ["0", "1", "2", "3"]
    assert "Warning" not in done.stderr


def test_a_table_gives_labels_and_a_picture_is_drawn(speech, tmp_path):
    rows = [f"{path.name},{path.name[0]},{path.name[-5]}" for path in speech.iterdir()]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label,group", *rows]) + "\n")
    out, picture = tmp_path / "words.h5", tmp_path / "words.png"
    options = ("--labels", tmp_path / "labels.csv", "--out", out, "--format", "shd", "--raster", picture)
    done = encode(speech, *options, *SMALL)
    assert done.exit_code == 0
    trains = storage.load(out)
    assert trains.meta["label_names"] == ["h", "l"]
    assert sorted(trains.groups) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 10_000


def test_what_is_left_out_and_what_hears_nothing_are_told(speech, tmp_path):
    for i in range(30):
        (speech / f"low_bob_{i}.wav").write_text("not a sound")
    done = encode(speech, *LABELS, "--out", tmp_path / "words.h5", *SMALL)
    assert done.exit_code == 0
    told = " ".join(done.stderr.split())
    assert "nothing above 4,000 Hz: channels 0 to 7, 8 of 24" in told
    assert "low_bob_0 │ is no WAV file" in told
    assert done.stderr.count("is no WAV file") == 20
    assert "30 recordings were left out, 10 of them not listed here" in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--raster": "words.txt"}, "no picture's"),
        ({"--raster": "nowhere/words.png"}, "nowhere/words.png"),
        ({"--out": "words.txt"}, "words.txt"),
        ({"--format": "wav"}, "aedat"),
        ({"--low": "4000", "--high": "400"}, "from 4000.0 to 400.0 Hz"),
        ({"--high": "30000"}, "110 to 22507 Hz"),
        ({"--rate": "4000"}, "4000 Hz"),
        ({"--clip": "0"}, "clip is 0.0 s; give a positive"),
        ({"--clip": "-1"}, "clip is -1.0 s"),
        ({"--group": "age"}, "no 'age'"),
    ],
)
def test_what_cannot_be_is_refused_before_work_and_leaves_nothing(
    speech, tmp_path, monkeypatch, change, said
):
    monkeypatch.chdir(tmp_path)
    options = {"--labels": LABELS[1], "--out": "words.h5", **change}
    with pytest.raises(InputError, match=said):
        encode(speech, *(word for pair in options.items() for word in pair))
    assert list(tmp_path.iterdir()) == [speech]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_stopped_goes_on_to_the_same_bytes(tmp_path, stop):
    for i in range(6):
        write(tmp_path / f"{('low', 'high')[i % 2]}_ann_{i}.wav", 200 + 50 * i)
    write(tmp_path / "low_last_0.wav", 500, 40.0)  # there is time to stop it
    words = ["--channels", "150", "--workers", "1", *LABELS]
    assert encode(tmp_path, *words, "--out", tmp_path / "whole.h5").exit_code == 0

    out = tmp_path / "stopped.h5"
    lines = tmp_path / "stopped.h5.parts" / "done.jsonl"
    command = [sys.executable, "-m", "beyondrate.cli", "encode", tmp_path, *words, "--out", out]
    running = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
    )
    while not (lines.exists() and lines.read_bytes().count(b"\n") >= 3):
        time.sleep(0.002)
        assert running.poll() is None
    running.send_signal(stop)
    said = running.communicate()[1].decode()
    assert running.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL)
    if stop == signal.SIGINT:
        assert "What is finished is kept; --resume goes on." in said
    assert not out.exists()
    assert lines.read_bytes().count(b"\n") < 7

    with pytest.raises(InputError, match="--resume"):
        encode(tmp_path, *words, "--out", out)
    assert encode(tmp_path, *words, "--out", out, "--resume").exit_code == 0
    assert out.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.suffix != ".wav") == [".h5", ".h5"]
