"""The encoder as a whole: tonotopy, causality, and spikes that depend on nothing but sound and seed."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.audio import Encoder, encoder
from beyondrate.audio.membrane import characteristic_hz, places
from beyondrate.audio.parallel import in_threads
from beyondrate.errors import InputError

RATE_HZ = 16_000


def tone(frequency_hz, seconds=0.3):
    return np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)


def speechlike(seed, seconds=0.7):
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE_HZ)
    return np.convolve(rng.standard_normal(n), np.hanning(20), mode="same") * (1 + tone(4, seconds))


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_spikes_are_sorted_typed_and_within_the_sound():
    times_us, units = Encoder(100).encode(speechlike(0), RATE_HZ, stream=0)
    assert times_us.dtype == np.int32
    assert units.dtype == np.uint16
    assert (np.diff(times_us) >= 0).all()
    assert times_us.min() >= 0
    assert times_us.max() <= 700_000
    assert units.max() < 100
    assert len(times_us) > 300


def test_a_tone_drives_the_channels_tuned_to_it():
    encoder = Encoder(140)
    frequencies = [250, 1000, 4000]
    units = [np.median(encoder.encode(tone(f), RATE_HZ, stream=0)[1]) for f in frequencies]
    tuned = [np.argmin(np.abs(characteristic_hz(places(140)) - f)) for f in frequencies]
    np.testing.assert_allclose(units, tuned, atol=15)


def test_channels_lock_to_the_phase_of_a_low_tone():
    times_us, units = Encoder(140).encode(tone(250), RATE_HZ, stream=0)
    turns = np.exp(2j * np.pi * 250 * times_us / 1e6)
    counts = np.bincount(units, minlength=140)
    driven = counts > 15
    strength = (
        np.abs(np.bincount(units, turns.real, 140) + 1j * np.bincount(units, turns.imag, 140))[driven]
        / counts[driven]
    )
    assert driven.sum() > 5
    assert strength.mean() > 0.7


def test_nothing_is_evoked_before_the_sound_begins():
    sound = np.concatenate([np.zeros(RATE_HZ // 5), tone(300, 0.2)])
    causal, backwards = (
        Encoder(140, membrane=kind).encode(sound, RATE_HZ, stream=0)[0] for kind in ("causal", "heidelberg")
    )
    just_before = [np.sum((times > 170_000) & (times < 200_000)) for times in (causal, backwards)]
    silent = np.sum((causal > 50_000) & (causal < 80_000))
    assert just_before[0] <= silent + 4 * np.sqrt(silent + 1)
    assert just_before[1] > 3 * just_before[0] + 20


@settings(max_examples=8, deadline=None, derandomize=True)
@given(cuts=st.lists(st.integers(0, 11_200), max_size=6), rate_hz=st.sampled_from([8000, 16_000, 22_050]))
def test_a_stream_in_any_blocks_gives_the_spikes_of_the_whole(cuts, rate_hz):
    encoder = Encoder(20, level=None, ramp_s=0.0, rate_hz=12_000)
    sound = speechlike(1).astype(np.float32)
    whole = encoder.encode(sound, rate_hz, stream=4)
    passage = encoder.stream(rate_hz, stream=4)
    parts = [passage.push(block) for block in np.split(sound, sorted(cuts))] + [passage.finish()]
    assert equal(whole, [np.concatenate(column) for column in zip(*parts, strict=True)])
    assert len(whole[0]) > 50


@pytest.mark.parametrize(("level", "ramp_s"), [(0.3, 0.03), (None, 0.5)])
def test_a_sound_in_blocks_gives_the_spikes_of_the_whole(monkeypatch, level, ramp_s):
    """Level and ramps too, which need to know the end before the beginning is encoded."""
    monkeypatch.setattr(encoder, "BLOCK", 3000)
    cochlea, sound = Encoder(20, level=level, ramp_s=ramp_s, rate_hz=12_000), speechlike(1)
    whole = cochlea.encode(sound, RATE_HZ, stream=4)
    blocks = np.split(sound, range(3000, len(sound), 3000))
    parts = list(cochlea.encode_blocks(lambda: iter(blocks), RATE_HZ, stream=4))
    assert equal(whole, [np.concatenate(column) for column in zip(*parts, strict=True)])
    monkeypatch.undo()
    in_one_block = cochlea.encode(sound, RATE_HZ, stream=4)
    assert abs(len(in_one_block[0]) - len(whole[0])) <= 2  # the level differs in its last bit, if at all
    assert len(whole[0]) > 50


def test_memory_does_not_grow_with_the_length_of_a_sound():
    cochlea, block = Encoder(20, rate_hz=12_000), speechlike(0)

    def peak(n_blocks):
        tracemalloc.start()
        n_spikes = sum(
            len(times_us)
            for times_us, _ in cochlea.encode_blocks(lambda: (block for _ in range(n_blocks)), 8000, stream=0)
        )
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found, n_spikes

    peak(2)  # the filters are made once
    (short, few), (long, many) = peak(4), peak(40)
    assert many > 8 * few > 1000
    assert long < 1.05 * short


def test_the_range_of_frequencies_can_be_narrowed():
    tuned_to = Encoder(50, low_hz=200, high_hz=4000).characteristic_hz()
    np.testing.assert_allclose(tuned_to[[0, -1]], [4000, 200])
    assert (np.diff(tuned_to) < 0).all()
    assert Encoder(50, high_hz=4000).characteristic_hz()[-1] == Encoder(50).characteristic_hz()[-1]
    units = Encoder(50, low_hz=200, high_hz=4000).encode(tone(1000), RATE_HZ, stream=0)[1]
    assert abs(np.median(units) - np.argmin(np.abs(tuned_to - 1000))) < 6
    assert Encoder(50).settings.keys() < Encoder(50, low_hz=200).settings.keys()


def test_a_stream_refuses_a_block_and_goes_on():
    passages = [Encoder(20, level=None, rate_hz=12_000).stream(RATE_HZ, stream=0) for _ in range(2)]
    for bad in (np.array([0.0, np.inf]), np.zeros((3, 2))):
        with pytest.raises(InputError):
            passages[0].push(bad)
    sound = speechlike(0).astype(np.float32)
    whole = [[p.push(sound), p.finish()] for p in passages]
    assert all(map(equal, *whole))
    assert len(whole[0][0][0]) > 50


def test_a_long_stream_keeps_its_memory_and_gives_spikes_as_it_goes():
    passage = Encoder(20, level=None, rate_hz=12_000).stream(RATE_HZ, stream=0)
    block = speechlike(2, 0.5).astype(np.float32)
    given_so_far = [len(passage.push(block)[0]) for _ in range(20)]
    assert sum(given_so_far) > 500
    assert len(passage._pending) < RATE_HZ


def test_spikes_depend_on_seed_and_stream_but_not_on_threads():
    encoder = Encoder(70)
    sounds = [speechlike(i, 0.4) for i in range(6)]

    def encode(i):
        return encoder.encode(sounds[i], RATE_HZ, stream=i)

    one = list(in_threads(encode, range(6), 1))
    assert all(map(equal, one, in_threads(encode, range(6), 4)))
    assert not equal(one[0], encoder.encode(sounds[0], RATE_HZ, stream=1))
    assert not equal(one[0], Encoder(70, seed=1).encode(sounds[0], RATE_HZ, stream=0))


def test_level_makes_loudness_irrelevant():
    encoder = Encoder(70)
    sound = speechlike(3)
    loud, quiet = (encoder.encode(sound * gain, RATE_HZ, stream=0) for gain in (64.0, 1 / 64))
    assert equal(loud, quiet)
    as_is = [len(Encoder(70, level=None).encode(sound * g, RATE_HZ, stream=0)[0]) for g in (0.003, 0.3)]
    assert as_is[1] > 1.3 * as_is[0]


def test_half_the_internal_rate_gives_about_the_same_spikes():
    counts = {}
    for rate_hz in (12_000, 24_000):
        units = [Encoder(140, rate_hz=rate_hz).encode(speechlike(i), RATE_HZ, stream=i)[1] for i in range(6)]
        counts[rate_hz] = np.bincount(np.concatenate(units), minlength=140)
    assert counts[12_000].sum() == pytest.approx(counts[24_000].sum(), rel=0.15)
    assert np.corrcoef(counts[12_000], counts[24_000])[0, 1] > 0.95


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_channels": 1}, "n_channels is 1"),
        ({"rate_hz": 4000}, "4000 Hz"),
        ({"low_hz": 0}, "from 0 to"),
        ({"low_hz": 100}, "110 to 22507 Hz"),
        ({"high_hz": 23_000}, "110 to 22507 Hz"),
        ({"low_hz": 500, "high_hz": 500}, "from 500 to 500 Hz"),
        ({"high_hz": float("nan")}, "nan Hz"),
        ({"membrane": "fast"}, "'fast'"),
        ({"level": 0.0}, "level is 0.0"),
        ({"ramp_s": -1.0}, "ramp_s is -1.0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        Encoder(**options)


@pytest.mark.parametrize(
    ("sound", "rate_hz", "said"),
    [
        (np.zeros(100), RATE_HZ, "silent"),
        (np.zeros(0), RATE_HZ, "empty"),
        (np.ones((100, 2)), RATE_HZ, "shape"),
        (np.array([1.0, np.nan]), RATE_HZ, "not finite"),
        (np.ones(100), 0, "0 Hz"),
        (np.ones(100), 16_000.5, "16000.5 Hz"),
        (np.ones(2_200_000), 1000, "2200 s"),
    ],
)
def test_sounds_that_cannot_be_encoded_are_refused(sound, rate_hz, said):
    with pytest.raises(InputError, match=said):
        Encoder(10).encode(sound, rate_hz, stream=0)
