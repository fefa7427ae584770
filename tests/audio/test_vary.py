"""What each variation does to a sound, measured on the result."""

import numpy as np
import pytest

from beyondrate.audio import vary

RATE_HZ = 22_050


def tone(frequency_hz, seconds=0.5):
    return np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)


def peak_hz(sound):
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 17))
    return spectrum.argmax() * RATE_HZ / (1 << 17)


def test_trimming_takes_quiet_ends_only():
    sound = np.concatenate([np.full(50, 1e-4), [1.0], np.zeros(100), [0.5], np.full(70, 1e-4)])
    assert len(vary.trimmed(sound)) == 102
    assert len(vary.trimmed(np.zeros(10))) == 0


def test_a_faster_tape_is_shorter_and_higher():
    sound = vary.warped(tone(500), 1.25, 0.0, RATE_HZ, np.random.default_rng(0))
    assert len(sound) == pytest.approx(0.4 * RATE_HZ, abs=1)
    assert peak_hz(sound) == pytest.approx(625, rel=1e-3)


def test_a_sound_that_is_too_long_is_played_faster():
    sound = vary.warped(tone(500), 0.5, 0.1, RATE_HZ // 2, np.random.default_rng(0))
    assert len(sound) == RATE_HZ // 2


def test_warping_bends_time_within_and_keeps_length_and_ends():
    ramp = np.linspace(0, 1, RATE_HZ // 2)
    bends = []
    for seed in range(50):
        warped = vary.warped(ramp, 1.0, 0.2, RATE_HZ, np.random.default_rng(seed))
        assert len(warped) == len(ramp)
        assert (np.diff(warped) > 0).all()
        np.testing.assert_allclose(warped[[0, -1]], [0, 1], atol=1e-3)
        bends.append(warped[len(warped) // 2] - 0.5)
    assert 0.01 < np.std(bends) < 0.2


def test_tilt_has_the_slope_asked_for():
    gains = [np.std(vary.tilted(tone(f), RATE_HZ, 3.0)) / np.std(tone(f)) for f in (500, 1000, 4000)]
    np.testing.assert_allclose(20 * np.log10(gains), [-3, 0, 6], atol=0.2)


def test_the_room_adds_an_echo_of_the_energy_asked_for():
    click = np.zeros(100)
    click[0] = 1.0
    heard = vary.in_room(click, RATE_HZ, 0.02, 10.0, np.random.default_rng(0))
    assert heard[0] == pytest.approx(1.0, abs=0.1)
    echo = heard.copy()
    echo[0] -= 1
    assert 10 * np.log10(np.sum(echo**2)) == pytest.approx(-10, abs=0.01)
    energy = [np.sum(echo[int(a * RATE_HZ) : int((a + 0.02) * RATE_HZ)] ** 2) for a in (0, 0.02)]
    assert energy[1] / energy[0] == pytest.approx(np.exp(-2), rel=0.5)


def test_noise_has_unit_power_below_its_cutoff():
    noise = vary.noise(1 << 16, RATE_HZ, 1000.0, np.random.default_rng(0))
    assert np.mean(noise**2) == pytest.approx(1.0)
    power = np.abs(np.fft.rfft(noise)) ** 2
    frequency = np.fft.rfftfreq(1 << 16, 1 / RATE_HZ)
    low, high = (power[(frequency > f) & (frequency < 1.2 * f)].mean() for f in (100, 4000))
    assert 10 * np.log10(low / high) == pytest.approx(26.2, abs=1.5)
