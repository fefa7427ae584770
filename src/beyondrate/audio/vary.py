"""Ways in which two recordings of the same word differ: tempo, vocal tract, tilt, room, noise."""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.signal
from jaxtyping import Float64

Sound = Float64[np.ndarray, "_"]


def trimmed(sound: Sound, below: float = 0.01) -> Sound:
    """Return the sound without its ends that stay below a fraction of its peak.

    >>> trimmed(np.array([0.0, 0.5, 0.0, -1.0, 0.001])).tolist()
    [0.5, 0.0, -1.0]
    """
    loud = np.flatnonzero(np.abs(sound) > below * np.abs(sound).max(initial=0))
    return sound[loud[0] : loud[-1] + 1] if len(loud) else sound[:0]


def warped(sound: Sound, speed: float, depth: float, n_longest: int, rng: np.random.Generator) -> Sound:
    """Play the sound like a tape whose speed wanders: pitch, formants and tempo move together.

    Args:
        sound: the sound.
        speed: mean speed; above 1 the sound gets shorter and its formants higher (a shorter vocal tract).
        depth: standard deviation of the logarithm of the speed, which wanders over some 5 points.
        n_longest: a sound that would get longer than so many samples is played faster, to fit.
        rng: draws how the speed wanders.
    """
    log_speed = depth * rng.standard_normal(5)
    per_sample = np.exp(-np.interp(np.linspace(0, 4, len(sound)), np.arange(5), log_speed))
    elapsed = np.concatenate([[0.0], np.cumsum(per_sample)[:-1]]) / per_sample.mean()
    n_out = min(max(2, round(len(sound) / speed)), n_longest)
    position = np.interp(np.linspace(0, elapsed[-1], n_out), elapsed, np.arange(len(sound)))
    return scipy.ndimage.map_coordinates(sound, position[None], order=3, mode="nearest")


def tilted(sound: Sound, rate_hz: int, db_per_octave: float) -> Sound:
    """Tilt the spectrum about 1 kHz: a darker voice or microphone below 0, a brighter one above."""
    spectrum = scipy.fft.rfft(sound)
    octaves = np.log2(np.maximum(scipy.fft.rfftfreq(len(sound), 1 / rate_hz), 50.0) / 1000.0)
    return scipy.fft.irfft(spectrum * 10 ** (db_per_octave * octaves / 20), n=len(sound))


def in_room(sound: Sound, rate_hz: int, decay_s: float, below_db: float, rng: np.random.Generator) -> Sound:
    """Add the echoes of a small room: noise that decays by e in ``decay_s``, ``below_db`` under the sound."""
    n = round(6 * decay_s * rate_hz)
    echo = rng.standard_normal(n) * np.exp(-np.arange(n) / (decay_s * rate_hz))
    echo *= 10 ** (-below_db / 20) / np.sqrt(np.sum(echo**2))
    reverberant = scipy.signal.oaconvolve(sound, echo)
    reverberant[: len(sound)] += sound
    return reverberant


def noise(n_samples: int, rate_hz: int, cutoff_hz: float, rng: np.random.Generator) -> Sound:
    """Return Gaussian noise of unit power that falls by 12 dB an octave above ``cutoff_hz``."""
    white = scipy.fft.rfft(rng.standard_normal(n_samples))
    coloured = white / (1 + (scipy.fft.rfftfreq(n_samples, 1 / rate_hz) / cutoff_hz) ** 2)
    sound = scipy.fft.irfft(coloured, n=n_samples)
    return sound / np.sqrt(np.mean(sound**2))
