"""A folder of recordings to spike trains."""

import importlib.util

import numpy as np
import pytest
import scipy.io.wavfile

from beyondrate.audio import Encoder, corpus, sounds
from beyondrate.audio.corpus import encode_files
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


def test_sample_formats_and_channels_are_read_alike(tmp_path):
    sound = tone(500)
    integers = {"i16": np.int16, "i32": np.int32}
    for name, kind in integers.items():
        scipy.io.wavfile.write(
            tmp_path / f"{name}.wav", RATE_HZ, (sound * 0.9 * np.iinfo(kind).max).astype(kind)
        )
    scipy.io.wavfile.write(tmp_path / "u8.wav", RATE_HZ, (sound * 0.9 * 127 + 128).astype(np.uint8))
    scipy.io.wavfile.write(tmp_path / "f32.wav", RATE_HZ, (sound * 0.9).astype(np.float32))
    stereo = np.stack([sound * 1.8, np.zeros_like(sound)], axis=1).astype(np.float32)
    scipy.io.wavfile.write(tmp_path / "stereo.wav", RATE_HZ, stereo)
    for path in tmp_path.iterdir():
        read, rate_hz = sounds.read_sound(path)
        assert rate_hz == RATE_HZ
        np.testing.assert_allclose(read, sound * 0.9, atol=0.02, err_msg=path.name)


@pytest.mark.skipif(importlib.util.find_spec("soundfile") is None, reason="the extra audio is not installed")
def test_flac_is_read_by_the_audio_extra(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.flac", tone(500) * 0.9, RATE_HZ)
    read, rate_hz = sounds.read_sound(tmp_path / "a.flac")
    assert rate_hz == RATE_HZ
    np.testing.assert_allclose(read, tone(500) * 0.9, atol=1e-3)


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
    monkeypatch.setattr(corpus, "_encode", refuse_work)
    with pytest.raises(InputError, match=said):
        encode_files(list(folder.iterdir()), pattern, encoder=encoder)


def test_files_that_cannot_do_are_refused_before_work(folder, encoder, monkeypatch):
    monkeypatch.setattr(corpus, "_encode", refuse_work)
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


def test_failures_that_leave_one_class_are_told(tmp_path, encoder):
    write(tmp_path / "1_a_0.wav", tone(300))
    (tmp_path / "2_a_0.wav").write_text("not a sound")
    with pytest.raises(InputError, match=r"1 of the two classes.*2_a_0"):
        encode_files(list(tmp_path.iterdir()), PATTERN, encoder=encoder)
