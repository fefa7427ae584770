"""Values to events and back: the error is what is promised, and what it is said to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate import perturb
from beyondrate.errors import InputError
from beyondrate.signals import CodedSignals, level_crossing, reconstruct, sigma_delta
from beyondrate.storage import load, save


def heart(n_samples: int = 4, rate_hz: float = 360.0, seconds: float = 2.0) -> list[np.ndarray]:
    """Two leads in millivolt: P, QRS and T waves as bumps, a wandering baseline, a little noise."""
    signals = []
    for seed in range(n_samples):
        rng = np.random.default_rng(seed)
        t = np.arange(int(seconds * rate_hz) + 17 * seed) / rate_hz
        beat = (t * (1.1 + 0.1 * seed)) % 1.0
        waves = [
            (0.2, 0.025, 0.15),
            (0.37, 0.008, -0.1),
            (0.4, 0.011, 1.2),
            (0.43, 0.009, -0.2),
            (0.65, 0.04, 0.3),
        ]
        lead = sum(a * np.exp(-0.5 * ((beat - centre) / width) ** 2) for centre, width, a in waves)
        drift = 0.2 * np.sin(2 * np.pi * 0.3 * t + seed)
        noise = rng.normal(0, 0.01, (2, len(t)))
        signals.append(np.stack([lead + drift, -0.6 * lead + drift], axis=1) + noise.T)
    return signals


def errors(coded: CodedSignals, signals: list[np.ndarray], rate_hz: float) -> list[np.ndarray]:
    """x - x̂ at the samples of each signal, by the public reconstruction."""
    found = reconstruct(coded.trains, start=coded.start)
    return [signal - found[k, : len(signal)] for k, signal in enumerate(signals)]


@pytest.mark.parametrize("encoder", ["level-crossing", "sigma-delta"])
@pytest.mark.parametrize("threshold", [0.02, 0.1, [0.05, 0.2]])
def test_the_error_is_bounded_and_told(encoder: str, threshold: object) -> None:
    signals, rate_hz = heart(), 360.0
    if encoder == "level-crossing":
        coded = level_crossing(signals, rate_hz, threshold, labels=[0, 1, 0, 1])
    else:
        coded = sigma_delta(signals, rate_hz, threshold, 0.1, labels=[0, 1, 0, 1])
    thresholds = np.broadcast_to(threshold, 2)
    found = errors(coded, signals, rate_hz)
    largest = np.max([np.abs(error).max(axis=0) for error in found], axis=0)
    rms = np.sqrt(np.mean(np.concatenate(found) ** 2, axis=0))
    np.testing.assert_allclose(coded.largest_error, largest, rtol=1e-9)
    np.testing.assert_allclose(coded.rms_error, rms, rtol=1e-9)
    slope = np.max([np.abs(np.diff(signal, axis=0)).max(axis=0) for signal in signals], axis=0) * rate_hz
    np.testing.assert_allclose(coded.error_bound, thresholds + slope * 1e-6)
    assert (largest < coded.error_bound).all()
    assert (largest > 0.5 * thresholds).all()  # the bound is no idle one
    told = coded.trains.meta["signal"]
    assert (told["encoder"], told["rate_hz"], told["threshold"]) == (encoder, rate_hz, list(thresholds))
    np.testing.assert_array_equal(told["largest_error"], coded.largest_error)
    assert coded.trains.n_spikes > 100
    assert (coded.trains.units < 2).any() and (coded.trains.units >= 2).any()  # OFF and ON


@given(
    st.lists(st.lists(st.floats(-50, 50), min_size=1, max_size=15), min_size=1, max_size=3),
    st.sampled_from([0.5, 40.0, 999.0, 44_100.0, 1e6]),
    st.floats(0.3, 30),
)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_any_signal_at_any_rate(values: list[list[float]], rate_hz: float, threshold: float) -> None:
    signals = [np.array(some)[:, None] for some in values]
    labels = [0] * len(signals)
    coded = [
        level_crossing(signals, rate_hz, threshold, labels=labels),
        level_crossing(signals, rate_hz, threshold, labels=labels, start=0.0),
        sigma_delta(signals, rate_hz, threshold, 3 / rate_hz, labels=labels),
    ]
    for one in coded:
        error = np.concatenate(errors(one, signals, rate_hz))
        assert np.abs(error).max() <= one.error_bound[0] * (1 + 1e-9)
        assert one.trains.duration_us >= (max(map(len, signals)) - 1) * 1e6 / rate_hz - 1


def test_a_constant_is_silent_or_held() -> None:
    signals = np.full((2, 4001, 1), 3.0)
    assert level_crossing(signals, 1000, 0.1, labels=[0, 0]).trains.n_spikes == 0
    assert level_crossing(signals, 1000, 0.5, labels=[0, 0], start=0.0).trains.times_us.tolist() == [0] * 12
    held = sigma_delta(signals, 1000, 0.1, 0.05, labels=[0, 0]).trains
    late = held.times_us > 500_000
    assert np.count_nonzero(late) / 2 / 3.5 == pytest.approx(3.0 / (0.1 * 0.05), rel=0.05)


def test_events_stand_between_the_samples() -> None:
    """A ramp of 1 a second, sampled twice a second, crosses each tenth on the microsecond."""
    coded = level_crossing(np.array([[[0.0], [0.5], [1.0]]]), 2, 0.125, labels=[0])
    assert coded.trains.times_us.tolist() == [125_000 * k for k in range(1, 9)]


def test_files_and_perturbations_keep_what_reconstruction_needs(tmp_path: Path) -> None:
    signals = heart()
    coded = level_crossing(signals, 360, 0.05, labels=[0, 1, 0, 1], start=0.0, channels=["I", "II"])
    save(coded.trains, tmp_path / "ecg.h5")
    found = load(tmp_path / "ecg.h5")
    np.testing.assert_array_equal(reconstruct(found), reconstruct(coded.trains))
    assert found.meta["signal"]["channels"] == ["I", "II"]
    jittered = reconstruct(perturb.jitter(found, 0.01, seed=0))
    assert np.abs(jittered - reconstruct(found)).max() > 0.1
    at_s = np.array([0.0, 0.5, 0.500001, 1.0])
    whole = reconstruct(found, np.arange(1_000_001) / 1e6)
    np.testing.assert_allclose(reconstruct(found, at_s), whole[:, [0, 500_000, 500_001, 1_000_000]])


def test_braille_letters(real_data: Path) -> None:
    """Twelve taxels read 40 times a second as whole numbers from 0 to 255, of 1,350 touches."""
    letters = np.load(real_data / "braille" / "braille_taxels.npz")
    signals = [taxel[:n] for taxel, n in zip(letters["taxel"], letters["length"], strict=True)]
    labels = np.unique(letters["letter"], return_inverse=True)[1]
    for threshold, most_rms in ((4, 2.0), (16, 8.0)):
        coded = level_crossing(signals, 40, threshold, labels=labels, groups=letters["repetition"])
        assert (coded.largest_error < threshold).all()  # the samples stand at whole microseconds
        assert coded.rms_error.max() < most_rms
        assert (len(coded.trains), coded.trains.n_units) == (1350, 24)
    assert coded.trains.n_spikes > 5000


@pytest.mark.parametrize(
    ("signals", "how", "message"),
    [
        (
            [np.zeros((5, 2)), np.zeros((5, 3))],
            {},
            r"sample 1 has shape \(5, 3\) of float64, not \(time, 2\)",
        ),
        ([np.zeros(5)], {}, r"sample 0 has shape \(5,\)"),
        ([np.zeros((0, 2))], {}, r"sample 0 has shape \(0, 2\)"),
        ([np.array([[1.0, np.nan]])], {}, "sample 0 holds nan at value 0 of channel 1; fill the gap"),
        ([np.zeros((5, 2))], {"rate_hz": 0}, "rate_hz is 0"),
        ([np.zeros((5, 2))], {"rate_hz": 2e6}, "rate_hz is 2000000"),
        ([np.zeros((5, 2))], {"threshold": 0}, "threshold is 0"),
        ([np.zeros((5, 2))], {"threshold": [1, 1, 1]}, "there are 3 thresholds for 2 channels"),
        ([np.zeros((5, 2))], {"threshold": np.nan}, "threshold is nan"),
        ([np.array([[0.0], [1e9]])], {"threshold": 1e-6}, r"would give up to .* events; raise the threshold"),
        ([np.zeros((5, 2))], {"rate_hz": 1e-3}, "sample 0 lasts 5000 s; cut it"),
        ([np.zeros((5, 2))], {"start": np.inf}, "start is inf"),
        ([np.zeros((5, 2))], {"channels": ["a"]}, "1 names for 2 channels"),
        ([np.array([["a"]])], {}, "sample 0 has shape"),
    ],
)
def test_what_cannot_be_is_refused(signals: list, how: dict, message: str) -> None:
    arguments = {"rate_hz": 100, "threshold": 0.1, "labels": [0] * len(signals), **how}
    with pytest.raises(InputError, match=message):
        level_crossing(signals, **arguments)


def test_what_cannot_be_reconstructed() -> None:
    signals = heart(1)
    with pytest.raises(InputError, match="tau_s is 0"):
        sigma_delta(signals, 360, 0.1, 0.0, labels=[0])
    coded = level_crossing(signals, 360, 0.1, labels=[0])
    with pytest.raises(
        InputError, match="coded from their first values, which events do not tell; give start="
    ):
        reconstruct(coded.trains)
    change = reconstruct(coded.trains, start=0.0) + coded.start[:, None]
    np.testing.assert_allclose(change, reconstruct(coded.trains, start=coded.start))
    with pytest.raises(InputError, match="meta does not tell"):
        reconstruct(coded.trains.with_meta(signal=None))
