"""A folder of recordings to spike trains."""

import errno
import shutil
import tempfile
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io.wavfile

from beyondrate import storage
from beyondrate.audio import Encoder, corpus, parts, sounds
from beyondrate.audio.corpus import encode_files, encode_to_file
from beyondrate.errors import InputError, MissingExtraError

RATE_HZ = 8000
PATTERN = "{label}_{speaker}_{take}"


@pytest.fixture
def encoder():
    return Encoder(20, rate_hz=12_000)


def tone(frequency_hz, seconds=0.2, rate_hz=RATE_HZ):
    return np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def write(path, sound, rate_hz=RATE_HZ):
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.wavfile.write(path, rate_hz, (sound * 20_000).astype(np.int16))
    return path


@pytest.fixture
def folder(tmp_path):
    for label, speaker, take in [("10", "ann", 0), ("9", "ann", 1), ("9", "bob", 0), ("word", "bob", 7)]:
        write(tmp_path / f"{label}_{speaker}_{take}.wav", tone(200 * (1 + take), 0.1 + 0.05 * take))
    return tmp_path


def test_names_become_labels_groups_and_files(folder, encoder):
    told = []
    trains = encode_files(
        list(folder.iterdir()), PATTERN, encoder=encoder, progress=lambda *facts: told.append(facts)
    )
    assert trains.meta["label_names"] == ["9", "10", "word"]
    assert trains.meta["group_names"] == ["ann", "bob"]
    assert trains.meta["files"] == ["10_ann_0", "9_ann_1", "9_bob_0", "word_bob_7"]
    assert trains.labels.tolist() == [1, 0, 0, 2]
    assert trains.groups.tolist() == [0, 0, 1, 1]
    assert trains.meta["failed"] == {}
    assert trains.duration_us == 450_000
    assert (trains.spikes_per_sample > 0).all()
    assert [done for done, _, _ in told] == [1, 2, 3, 4]
    assert {total for _, total, _ in told} == {4}


def test_spikes_depend_neither_on_threads_nor_on_the_other_files(folder, encoder):
    paths = sorted(folder.iterdir())
    one = encode_files(paths, PATTERN, encoder=encoder, workers=1)
    four = encode_files(paths[::-1], PATTERN, encoder=encoder, workers=4)
    assert one.digest == four.digest
    fewer = encode_files(paths[:2], PATTERN, encoder=encoder)
    np.testing.assert_array_equal(fewer.times_us, one[:2].times_us)
    assert fewer.n_spikes > 0


def test_the_folder_can_be_the_label(tmp_path, encoder):
    for label in ("left", "right"):
        for speaker in ("a", "b"):
            write(tmp_path / label / f"{speaker}_nohash_0.wav", tone(300))
    trains = encode_files(
        sorted(tmp_path.glob("*/*.wav")), "{label}/{speaker}_nohash_{take}", encoder=encoder
    )
    assert trains.meta["label_names"] == ["left", "right"]
    assert trains.groups.tolist() == [0, 1, 0, 1]
    without_speaker = encode_files(sorted(tmp_path.glob("*/*.wav")), "{label}/{name}", encoder=encoder)
    assert without_speaker.groups is None


def test_flac_without_the_extra_is_refused_before_work(tmp_path, encoder, monkeypatch):
    write(tmp_path / "1_a_0.wav", tone(300))
    (tmp_path / "2_a_0.flac").write_bytes(b"fLaC")
    monkeypatch.setattr(sounds.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"beyondrate\[audio\]"):
        encode_files(list(tmp_path.iterdir()), PATTERN, encoder=encoder)


def test_broken_files_are_left_out_and_named(folder, encoder):
    whole = (folder / "9_ann_1.wav").read_bytes()
    (folder / "9_cut_0.wav").write_bytes(whole[: len(whole) // 2])
    (folder / "9_text_0.wav").write_text("not a sound")
    (folder / "9_empty_0.wav").write_bytes(b"")
    write(folder / "9_silent_0.wav", np.zeros(800))
    write(folder / "9_nothing_0.wav", np.zeros(0))
    trains = encode_files(list(folder.iterdir()), PATTERN, encoder=encoder)
    assert len(trains) == 4
    assert sorted(trains.meta["failed"]) == ["9_cut_0", "9_empty_0", "9_nothing_0", "9_silent_0", "9_text_0"]
    assert "silent" in trains.meta["failed"]["9_silent_0"]
    assert "no sound" in trains.meta["failed"]["9_nothing_0"]


def test_a_file_that_vanishes_is_left_out_but_a_full_disk_stops_the_work(folder, encoder, monkeypatch):
    def vanish(recording, *rest):
        if recording.name == "9_bob_0":
            recording.path.unlink()
        return encoded(recording, *rest)

    encoded = corpus._encoded
    monkeypatch.setattr(corpus, "_encoded", vanish)
    trains = encode_files(sorted(folder.iterdir()), PATTERN, encoder=encoder)
    assert trains.meta["failed"] == {"9_bob_0": "cannot be read (No such file or directory)"}

    class Full(tempfile.SpooledTemporaryFile):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(corpus.tempfile, "SpooledTemporaryFile", Full)
    with pytest.raises(OSError, match="No space"):
        encode_files(sorted(folder.iterdir()), PATTERN, encoder=encoder)


def refuse_work(*args):
    raise AssertionError("work began")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{label}-{speaker}-{take}", "does not fit"),
        ("{digit}_{speaker}_{take}", "label"),
        ("{label}_{label}_{take}", "label"),
        ("{label}{speaker}_{take}", "nothing between"),
    ],
)
def test_patterns_that_do_not_fit_are_refused_before_work(folder, encoder, monkeypatch, pattern, said):
    monkeypatch.setattr(corpus, "_encoded", refuse_work)
    with pytest.raises(InputError, match=said):
        encode_files(list(folder.iterdir()), pattern, encoder=encoder)


def test_files_that_cannot_do_are_refused_before_work(folder, encoder, monkeypatch):
    monkeypatch.setattr(corpus, "_encoded", refuse_work)
    paths = list(folder.iterdir())
    for chosen, said in [
        ([], "no sound files"),
        ([*paths, folder / "9_ann_9.wav"], "no such file"),
        ([*paths, folder / "9_ann_9.txt"], "no kind of sound"),
        ([folder / "9_ann_1.wav"], "1 of the two classes"),
        ([*paths, paths[0]], "2 files are named"),
    ]:
        with pytest.raises(InputError, match=said):
            encode_files(chosen, PATTERN, encoder=encoder)


def test_failures_that_leave_one_class_are_told_and_leave_nothing(tmp_path, encoder):
    write(tmp_path / "1_a_0.wav", tone(300))
    (tmp_path / "2_a_0.wav").write_text("not a sound")
    paths = list(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"1 of the two classes.*2_a_0"):
        encode_files(paths, PATTERN, encoder=encoder)
    with pytest.raises(InputError, match=r"1 of the two classes.*2_a_0"):
        encode_to_file(paths, PATTERN, tmp_path / "words.h5", encoder=encoder)
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def parts_of(out):
    return out.with_name(out.name + ".parts")


class Stop:
    """Progress that presses Ctrl-C after so many recordings."""

    def __init__(self, after):
        self.after = after

    def __call__(self, done, total, what):
        if done == self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("suffix", ["h5", "npz"])
def test_a_file_holds_what_memory_would(folder, tmp_path, encoder, suffix):
    paths = sorted(folder.glob("*.wav"))
    write(folder / "9_silent_0.wav", np.zeros(800))
    paths.append(folder / "9_silent_0.wav")
    out = tmp_path / f"words.{suffix}"
    facts = encode_to_file(paths, PATTERN, out, encoder=encoder)
    there, here = storage.load(out), encode_files(paths, PATTERN, encoder=encoder)
    assert there.digest == here.digest
    assert dict(there.meta) == dict(here.meta) == dict(facts.meta)
    assert (len(facts), facts.n_spikes) == (4, here.n_spikes)
    assert not parts_of(out).exists()


@pytest.mark.parametrize("longest_s", [0.5, 16.5])  # beyond 16 s, float32 seconds are too coarse
def test_shds_layout_can_be_asked_for(folder, tmp_path, encoder, longest_s):
    paths = [*sorted(folder.glob("*.wav")), write(folder / "9_bob_5.wav", tone(300, longest_s))]
    encode_to_file(paths, PATTERN, tmp_path / "words.h5", encoder=encoder, format="shd")
    there, here = storage.load(tmp_path / "words.h5"), encode_files(paths, PATTERN, encoder=encoder)
    np.testing.assert_array_equal(there.units, here.units)
    assert np.abs(there.times_us - here.times_us).max() <= 1


@pytest.mark.parametrize(
    "damage", ["none", "half a line", "no line's end", "no line", "lost spikes", "other spikes"]
)
def test_a_stopped_run_goes_on_to_the_same_bytes(folder, tmp_path, encoder, damage):
    paths = sorted(folder.glob("*.wav"))
    (folder / "9_text_0.wav").write_text("not a sound")
    paths.append(folder / "9_text_0.wav")
    whole, out = tmp_path / "whole.h5", tmp_path / "resumed.h5"
    encode_to_file(paths, PATTERN, whole, encoder=encoder)
    with pytest.raises(KeyboardInterrupt):
        encode_to_file(paths, PATTERN, out, encoder=encoder, progress=Stop(3))
    assert not out.exists()
    lines, spikes = parts_of(out) / "done.jsonl", parts_of(out) / "spikes.bin"
    assert len(lines.read_bytes().splitlines()) == 3
    n_left = 2
    if damage == "half a line":
        lines.write_bytes(lines.read_bytes()[:-20])
        n_left = 3
    elif damage == "no line's end":
        lines.write_bytes(lines.read_bytes()[:-1])
        n_left = 3
    elif damage == "no line":
        lines.write_bytes(b"7\n" + lines.read_bytes())
        n_left = 5
    elif damage == "lost spikes":
        spikes.write_bytes(spikes.read_bytes()[:-7])
        n_left = 3
    elif damage == "other spikes":
        spikes.write_bytes(bytes(100) + spikes.read_bytes()[100:])
        n_left = 5
    told = []
    encode_to_file(
        paths, PATTERN, out, encoder=encoder, resume=True, workers=3, progress=lambda *f: told.append(f)
    )
    assert [done for done, _, _ in told] == list(range(6 - n_left, 6))
    assert out.read_bytes() == whole.read_bytes()
    assert not parts_of(out).exists()


def test_a_finished_run_whose_file_could_not_be_written_is_not_lost(folder, tmp_path, encoder, monkeypatch):
    paths, out = sorted(folder.glob("*.wav")), tmp_path / "words.h5"

    def full(*args, **options):
        raise InputError("cannot be written (no space left on device)", remedy="free some space")

    with monkeypatch.context() as broken:
        broken.setattr(corpus.storage, "save", full)
        with pytest.raises(InputError, match="no space"):
            encode_to_file(paths, PATTERN, out, encoder=encoder)
    monkeypatch.setattr(corpus, "_encoded", refuse_work)
    encode_to_file(paths, PATTERN, out, encoder=encoder, resume=True)
    assert len(storage.load(out)) == 4


def stop_after_two(folder, out, encoder, **options):
    with pytest.raises(KeyboardInterrupt):
        encode_to_file(
            sorted(folder.glob("*.wav")), PATTERN, out, encoder=encoder, progress=Stop(2), **options
        )


def test_leftovers_are_refused_unless_they_are_of_the_same_run(folder, tmp_path, encoder, monkeypatch):
    out = tmp_path / "words.h5"
    stop_after_two(folder, out, encoder)
    monkeypatch.setattr(corpus, "_encoded", refuse_work)
    paths = sorted(folder.glob("*.wav"))
    with pytest.raises(InputError, match=r"words.h5.parts: holds what a stopped run.*--resume"):
        encode_to_file(paths, PATTERN, out, encoder=encoder)

    other = Encoder(20, rate_hz=12_000, seed=1, membrane="heidelberg", high_hz=4000)
    for change, said in [
        ({"encoder": other}, "other membrane, range_hz, seed"),
        ({"clip_s": 0.1}, "other clip"),
        ({"labels": "{x}_{label}_{take}"}, "other files and labels"),
        ({"group": "take"}, "other files and labels"),
        ({"paths": paths[1:]}, "other files and labels"),
    ]:
        options = {"paths": paths, "labels": PATTERN, "encoder": encoder, **change}
        with pytest.raises(InputError, match=said):
            encode_to_file(**options, out=out, resume=True)
    write(paths[0], tone(250))
    with pytest.raises(InputError, match="other files and labels"):
        encode_to_file(paths, PATTERN, out, encoder=encoder, resume=True)


def test_two_runs_at_once_and_a_folder_of_others_are_refused(folder, tmp_path, encoder):
    paths, out = sorted(folder.glob("*.wav")), tmp_path / "words.h5"

    def meanwhile(*_):
        encode_to_file(paths, PATTERN, out, encoder=encoder, resume=True)

    with pytest.raises(InputError, match="in use by another run"):
        encode_to_file(paths, PATTERN, out, encoder=encoder, progress=meanwhile)
    shutil.rmtree(parts_of(out))
    parts_of(out).mkdir()
    (parts_of(out) / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match="is in the way"):
        encode_to_file(paths, PATTERN, out, encoder=encoder)
    assert (parts_of(out) / "diary.txt").read_text() == "mine"


def test_clips_are_pieces_of_one_passage_through_the_cochlea(folder, encoder):
    paths = [write(folder / f"{i}_long_0.wav", tone(300 * i, 0.55 + 0.2 * i)) for i in (1, 2)]
    paths.append(write(folder / "3_short_0.wav", tone(300, 0.1)))
    whole = encode_files(paths, PATTERN, encoder=encoder)
    clips = encode_files(paths, PATTERN, encoder=encoder, clip_s=0.25)
    assert clips.meta["files"][:4] == [
        "1_long_0@0-250000",
        "1_long_0@250000-500000",
        "1_long_0@500000-750000",
        "2_long_0@0-250000",
    ]
    assert clips.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert clips.meta["group_names"] == ["long"]  # the speaker, where the names tell one
    alone = encode_files(paths, "{label}_{take}_{x}", encoder=encoder, clip_s=0.25)
    assert alone.groups.tolist() == clips.labels.tolist()  # else the recording
    assert clips.duration_us == 250_000
    assert "less than one clip" in clips.meta["failed"]["3_short_0"]
    for sample, n_clips in ((0, 3), (1, 3)):
        own = clips[sample * 3 : sample * 3 + n_clips]
        joined = own.times_us + 250_000 * np.repeat(np.arange(n_clips), own.spikes_per_sample)
        expected = whole[sample]
        used = expected.times_us < 750_000
        assert used.sum() > 50
        np.testing.assert_array_equal(joined, expected.times_us[used])
        np.testing.assert_array_equal(own.units, expected.units[used])


def test_channels_that_hear_nothing_are_told(folder, encoder):
    paths = sorted(folder.glob("*.wav"))
    write(paths[0], tone(300), 44_100)
    (warning,) = encode_files(paths, PATTERN, encoder=encoder).meta["warnings"]
    idle = int((encoder.characteristic_hz() > 4000).sum())
    assert idle > 3
    assert "3 of 4 recordings are sampled at 8,000 Hz and hold nothing above 4,000 Hz" in warning
    assert f"channels 0 to {idle - 1}, {idle} of 20" in warning
    narrow = Encoder(20, rate_hz=12_000, high_hz=4000)
    assert encode_files(paths, PATTERN, encoder=narrow).meta["warnings"] == []


def test_memory_does_not_grow_with_a_recordings_spikes(folder, encoder, monkeypatch):
    """A recording whose spikes wait on the disk gives the same."""
    paths = sorted(folder.glob("*.wav"))
    in_memory = encode_files(paths, PATTERN, encoder=encoder)
    monkeypatch.setattr(corpus, "_IN_MEMORY", 100)
    monkeypatch.setattr(sounds, "BLOCK", 500)
    monkeypatch.setattr(parts, "_BLOCK_SPIKES", 50)
    assert encode_files(paths, PATTERN, encoder=encoder).digest == in_memory.digest


def test_a_long_recording_tells_how_far_it_is_and_stops_on_the_way(folder, encoder, monkeypatch):
    monkeypatch.setattr(sounds, "BLOCK", 400)
    monkeypatch.setattr(corpus, "BLOCK", 400)
    paths, told = sorted(folder.glob("*.wav")), []
    encode_files(paths, PATTERN, encoder=encoder, workers=1, progress=lambda *facts: told.append(facts))
    assert (0, 4, "10_ann_0: 0 of 0 s") in told
    assert sum(total == 4 and ": " in what for _, total, what in told) > 8

    class Stopping:
        def set(self):
            pass

        def is_set(self):
            return True

    told.clear()
    monkeypatch.setattr(corpus, "threading", SimpleNamespace(Event=Stopping))
    with pytest.raises(corpus._StoppedError):
        encode_files(paths, PATTERN, encoder=encoder, progress=lambda *facts: told.append(facts))
    assert told == []


def test_a_recording_too_long_for_a_sample_is_left_out_and_told_how_to_cut(folder, encoder, monkeypatch):
    monkeypatch.setattr(corpus, "MAX_DURATION_US", 300_000)
    trains = encode_files(sorted(folder.glob("*.wav")), PATTERN, encoder=encoder)
    assert trains.meta["failed"].keys() == {"word_bob_7"}
    assert "cut it into clips" in trains.meta["failed"]["word_bob_7"]
