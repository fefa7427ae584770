"""Sound files of every kind, read in blocks: what is decoded, and what is refused by name."""

import struct

import numpy as np
import pytest
import scipy.io.wavfile

from beyondrate.audio import sounds
from beyondrate.audio.sounds import open_sound
from beyondrate.errors import InputError

RATE_HZ = 22_050


def tone(seconds=0.3, rate_hz=RATE_HZ, hz=440.0):
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    return 0.5 * np.sin(2 * np.pi * hz * time) * np.minimum(1, time / 0.02)


def whole(path):
    sound = open_sound(path)
    samples = np.concatenate(list(sound.blocks()))
    assert len(samples) == sound.n_samples
    return samples, sound.rate_hz


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_wav_samples_of_every_type_are_those_of_scipy(tmp_path, monkeypatch, kind, n_channels):
    monkeypatch.setattr(sounds, "BLOCK", 1000)  # several blocks, the last one shorter
    made = np.stack([tone(), 0.5 * tone(hz=700)][:n_channels], axis=1)
    scale, offset = (np.iinfo(kind).max, 128 * (kind == np.uint8)) if np.dtype(kind).kind in "iu" else (1, 0)
    stored = (made * (scale - offset) + offset).astype(kind)
    scipy.io.wavfile.write(tmp_path / "a.wav", RATE_HZ, stored if n_channels == 2 else stored[:, 0])
    rate_hz, read = scipy.io.wavfile.read(tmp_path / "a.wav")
    full = {"u": 128.0, "i": -float(np.iinfo(kind).min) if scale > 1 else 1, "f": 1.0}[read.dtype.kind]
    expected = (read.astype(float).reshape(-1, n_channels) - offset) / full
    found, found_rate = whole(tmp_path / "a.wav")
    assert found_rate == rate_hz == RATE_HZ
    np.testing.assert_array_equal(found, expected.mean(axis=1))
    np.testing.assert_allclose(found, made.mean(axis=1), atol=0.02)


@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("bits", ["PCM_24", "PCM_16", "FLOAT"])
def test_wav_of_other_writers(tmp_path, form, bits):
    soundfile = pytest.importorskip("soundfile", reason="the extra audio is not installed")
    soundfile.write(tmp_path / "a.wav", tone(), 48_000, subtype=bits, format=form)
    np.testing.assert_array_equal(whole(tmp_path / "a.wav")[0], soundfile.read(tmp_path / "a.wav")[0])


@pytest.mark.parametrize(("suffix", "near"), [("flac", 1e-4), ("ogg", 0.03), ("mp3", 0.03), ("aiff", 1e-4)])
@pytest.mark.parametrize(("rate_hz", "n_channels"), [(44_100, 2), (16_000, 1)])
def test_files_of_the_audio_extra(tmp_path, suffix, near, rate_hz, n_channels):
    soundfile = pytest.importorskip("soundfile", reason="the extra audio is not installed")
    made = tone(0.5, rate_hz)
    soundfile.write(tmp_path / f"a.{suffix}", np.stack([made] * n_channels, axis=1), rate_hz)
    found, found_rate = whole(tmp_path / f"a.{suffix}")
    assert (found_rate, len(found)) == (rate_hz, len(made))
    assert np.sqrt(np.mean((found - made) ** 2)) < near * np.sqrt(np.mean(made**2))


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "aiff"])
@pytest.mark.parametrize("kept", [0.9, 0.5, 0.02])
def test_a_cut_file_is_refused(tmp_path, suffix, kept):
    soundfile = pytest.importorskip("soundfile", reason="the extra audio is not installed")
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(1.0), RATE_HZ)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(InputError, match=r"a\.\w+: (cannot be decoded|ends|holds no sound)"):
        whole(path)


def wav_bytes(form=(1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16), claimed=None, data=bytes(100), before=b""):
    chunk = b"fmt " + struct.pack("<I", 16) + struct.pack("<HHIIHH", *form) if form else b""
    head = before + chunk + b"data" + struct.pack("<I", len(data) if claimed is None else claimed)
    return b"RIFF" + struct.pack("<I", 4 + len(head) + len(data)) + b"WAVE" + head + data


def test_chunks_that_are_not_sound_are_passed_over(tmp_path):
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    (tmp_path / "a.wav").write_bytes(wav_bytes(before=odd, data=struct.pack("<3h", 1, -2, 3)))
    np.testing.assert_array_equal(whole(tmp_path / "a.wav")[0] * 2**15, [1, -2, 3])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no WAV file"),
        (b"RIFX" + wav_bytes()[4:], "no WAV file"),
        (wav_bytes()[:30], "before its sound begins"),
        (wav_bytes(form=None), "does not say how"),
        (wav_bytes(claimed=102), "claims 102 bytes of sound, 100 are left"),
        (wav_bytes(claimed=0xFFFFFFFF), "claims 4294967295 bytes"),
        (wav_bytes(claimed=99), "claims 99 bytes"),
        (wav_bytes(form=(7, 1, RATE_HZ, RATE_HZ, 1, 8)), "8-bit samples of kind 7"),
        (wav_bytes(form=(1, 0, RATE_HZ, 0, 0, 16)), "0 channels"),
        (wav_bytes(form=(1, 1, RATE_HZ, 0, 4, 16)), "1 channels of 16-bit"),
        (wav_bytes(data=b""), "no sound"),
        (wav_bytes(form=(1, 1, 0, 0, 2, 16)), "no sound"),
    ],
)
def test_broken_wav_files_are_refused_by_name(tmp_path, content, said):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        whole(tmp_path / "a.wav")
    assert "a.wav" in str(caught.value)


def test_a_mutated_wav_file_is_read_or_refused_but_nothing_else(tmp_path):
    rng = np.random.default_rng(0)
    good = bytearray(wav_bytes(data=rng.bytes(400)))
    n_refused = 0
    for _ in range(2000):
        bad = good.copy()
        for place in rng.integers(0, 60, rng.integers(1, 4)):
            bad[place] = rng.integers(256)
        (tmp_path / "a.wav").write_bytes(bad[: rng.integers(1, 500)])
        try:
            samples, rate_hz = whole(tmp_path / "a.wav")
            assert rate_hz > 0 and len(samples) <= 400
        except InputError:
            n_refused += 1
    assert 500 < n_refused < 2000
