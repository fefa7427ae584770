"""Against what the published encoder makes of real recordings (the folder named by BEYONDRATE_TEST_DATA)."""

import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from beyondrate.audio import Encoder
from beyondrate.audio.membrane import places, transfer
from beyondrate.ops import hair_cell
from beyondrate.ops.hair_cell import reference

DATA = os.environ.get("BEYONDRATE_TEST_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="BEYONDRATE_TEST_DATA is not set")


def recorded(name):
    with np.load(Path(DATA) / "cochlea_reference" / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def test_membrane_on_the_references_own_grid():
    """Its frequency axis runs from 1 Hz to 24 kHz, and what lies above 12 kHz is folded by a short inverse.

    The file keeps the sound in single precision; that limits the agreement.
    """
    clip = recorded("clip012_70ch")
    spectrum = np.fft.rfft(clip["audio"].astype(np.float64))
    gain = transfer(np.linspace(1, 24_000, len(spectrum)), places(70))
    found = np.fft.ifft(gain * spectrum, axis=1).real
    largest = np.abs(clip["membrane_velocity"]).max(axis=1)
    assert (np.abs(found - clip["membrane_velocity"]).max(axis=1) < 1e-5 * largest).all()


def test_release_probability_of_the_references_velocity():
    clip = recorded("clip012_70ch")
    constants = hair_cell.constants_at(24_000)
    state = hair_cell.resting_state(70, constants)
    velocity = clip["membrane_velocity"].astype(np.float32)
    found = reference.release_probability(velocity, state, constants)
    largest = clip["release_probability"].max()
    assert np.abs(found - clip["release_probability"]).max() < 1e-5 * largest


def spikes_of(name, seeds):
    clip = recorded(name)
    encoders = [
        Encoder(70, membrane="heidelberg", level=None, ramp_s=0.0, seed=seed) for seed in range(seeds)
    ]
    encoded = [e.encode(clip["audio"], int(clip["rate_hz"]), stream=0) for e in encoders]
    theirs = [clip[key] for key in ("spikes_seed0", "spikes_seed1")]
    return [(t / 1e6, u) for t, u in encoded], [(s[0], s[1].astype(int)) for s in theirs]


def count_correlation(one, other):
    return np.corrcoef(*(np.bincount(units, minlength=70) for _, units in (one, other)))[0, 1]


def histogram_correlation(one, other):
    edges = np.arange(0, 0.65, 0.02)
    return np.corrcoef(*(np.histogram(times, edges)[0] for times, _ in (one, other)))[0, 1]


def van_rossum(one, other, tau_s=0.01):
    """Distance of the trains, each spike followed by a decaying exponential, relative to their size."""
    traces = []
    for times, units in (one, other):
        a_ms = np.histogram2d(units, times, bins=(np.arange(71), np.arange(0, 0.701, 0.001)))[0]
        traces.append(signal.lfilter([1], [1, -np.exp(-0.001 / tau_s)], a_ms, axis=1))
    size = np.sqrt(np.mean([np.sum(trace**2) for trace in traces]))
    return np.sqrt(np.sum((traces[0] - traces[1]) ** 2)) / size


@pytest.mark.parametrize("name", ["0_george_3_70ch", "3_jackson_7_70ch"])
def test_spikes_differ_from_the_references_as_its_own_seeds_do(name):
    ours, theirs = spikes_of(name, seeds=8)
    total = np.mean([len(times) for times, _ in ours])
    assert total == pytest.approx(np.mean([len(times) for times, _ in theirs]), rel=0.08)
    for similarity in (count_correlation, histogram_correlation):
        between = np.mean([similarity(a, b) for a, b in product(ours, theirs)])
        assert between > similarity(*theirs) - 0.03
        assert between > 0.85
    between = np.mean([van_rossum(a, b) for a, b in product(ours, theirs)])
    assert between < 1.05 * van_rossum(*theirs)
