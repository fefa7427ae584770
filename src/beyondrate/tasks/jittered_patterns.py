"""The jittered-patterns task: which of ten spatio-temporal patterns is it, shifted, jittered and in noise?

After Koopman, Otte and Bohté (arXiv 2602.01978), who leave the numbers open; they are ours. Every class has
one spike a channel, so only where the spikes lie relative to one another tells the class.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Int64

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.tasks.assemble import US_PER_MS, assemble, check_whole, poisson_noise
from beyondrate.tasks.evidence import log_evidence


def generate(
    n_samples: int,
    *,
    seed: int,
    pattern_seed: int = 0,
    n_classes: int = 10,
    n_units: int = 8,
    pattern_ms: int = 80,
    shift_ms: int = 30,
    jitter_ms: float = 4.0,
    noise_hz: float = 2.0,
) -> SpikeTrains:
    """Draw samples that hold their class's pattern, moved as a whole, each spike jittered, and noise.

    A pattern is one spike a channel, each uniform over ``pattern_ms``. A sample moves it by a time that is
    uniform over ``shift_ms`` and every spike by a normal time of its own. Before and after there is room
    for five standard deviations of the jitter; the one spike in millions beyond is clipped.

    Args:
        n_samples: number of samples.
        seed: of the samples.
        pattern_seed: of the classes' patterns; samples of the same task share it.
        n_classes: number of patterns.
        n_units: number of channels.
        pattern_ms: length of the patterns.
        shift_ms: most that a pattern is moved.
        jitter_ms: standard deviation of each spike's jitter.
        noise_hz: rate of each channel's Poisson noise.

    Raises:
        InputError: if a number is out of range.

    Example:
        >>> trains = generate(50, seed=0, noise_hz=0)
        >>> trains
        SpikeTrains(50 samples, 400 spikes, 8 units, 150 ms, 10 classes)
    """
    check_whole(n_classes=n_classes, n_units=n_units, pattern_ms=pattern_ms)
    check_whole(0, n_samples=n_samples, shift_ms=shift_ms)
    if not jitter_ms > 0:
        raise InputError(f"jitter_ms is {jitter_ms}", remedy="give a positive number")
    margin_ms = math.ceil(5 * jitter_ms)
    duration_ms = pattern_ms + shift_ms + 2 * margin_ms
    duration_us = duration_ms * US_PER_MS
    patterns = patterns_us(pattern_seed, n_classes, n_units, pattern_ms)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    begin = margin_ms * US_PER_MS + rng.integers(0, shift_ms * US_PER_MS + 1, n_samples)
    jitter = np.rint(rng.normal(0, jitter_ms * US_PER_MS, (n_samples, n_units))).astype(np.int64)
    times = np.clip(begin[:, None] + patterns[labels] + jitter, 0, duration_us)
    sample, unit = np.indices(times.shape)
    noise = poisson_noise(n_samples, n_units, noise_hz, duration_us, rng)
    return assemble(
        np.concatenate([sample.ravel(), noise.sample]),
        np.concatenate([unit.ravel(), noise.unit]),
        np.concatenate([times.ravel(), noise.time_us]),
        labels=labels,
        label_names=[f"pattern {pattern}" for pattern in range(n_classes)],
        n_units=n_units,
        duration_ms=duration_ms,
        task={
            "name": "jittered patterns",
            "seed": seed,
            "pattern_seed": pattern_seed,
            "n_classes": n_classes,
            "n_units": n_units,
            "pattern_ms": pattern_ms,
            "shift_ms": shift_ms,
            "jitter_ms": jitter_ms,
            "noise_hz": noise_hz,
            "begin_ms": margin_ms,
            "patterns_us": patterns.tolist(),
        },
    )


def patterns_us(
    pattern_seed: int, n_classes: int, n_units: int, pattern_ms: int
) -> Int64[np.ndarray, "classes units"]:
    """Return when each channel fires after the pattern's begin.

    >>> patterns_us(0, 10, 8, 80).shape
    (10, 8)
    """
    rng = np.random.default_rng(pattern_seed)
    return rng.integers(0, pattern_ms * US_PER_MS, (n_classes, n_units))


def ceilings(
    *,
    dt_s: float,
    pattern_seed: int = 0,
    n_classes: int = 10,
    n_units: int = 8,
    pattern_ms: int = 80,
    shift_ms: int = 30,
    jitter_ms: float = 4.0,
    noise_hz: float = 2.0,
    n_simulated: int = 2000,
    seed: int = 0,
) -> dict[str, float]:
    """Return the accuracy of the best rule that reads counts, and of the best that reads bins of ``dt_s``.

    The first is exact. The second is the exact Bayes rule, the likelihood of each pattern integrated over its
    shift, on simulated samples; its standard error is below 0.5 / √n_simulated.

    Example:
        >>> ceilings(dt_s=0.001, n_simulated=200)
        {'rate': 0.1, 'full': 1.0}
    """
    trains = generate(
        n_simulated,
        seed=seed,
        pattern_seed=pattern_seed,
        n_classes=n_classes,
        n_units=n_units,
        pattern_ms=pattern_ms,
        shift_ms=shift_ms,
        jitter_ms=jitter_ms,
        noise_hz=noise_hz,
    )
    facts = trains.meta["task"]
    jitter_us = jitter_ms * US_PER_MS
    # All channels together narrow the shift down to jitter / √n_units: two steps of the integral to that.
    n_shifts = 1 + math.ceil(2 * math.sqrt(n_units) * shift_ms / jitter_ms)
    shifts = facts["begin_ms"] * US_PER_MS + np.linspace(0, shift_ms * US_PER_MS, n_shifts)
    log_weight = np.zeros(n_shifts)
    log_weight[[0, -1]] = math.log(0.5)  # the trapezoidal rule
    posterior = np.empty((n_simulated, n_classes))
    for label, pattern in enumerate(np.array(facts["patterns_us"])):
        due_us = pattern[:, None] + shifts
        log = log_evidence(trains, dt_s=dt_s, due_us=due_us, jitter_us=jitter_us).sum(axis=1)
        posterior[:, label] = np.logaddexp.reduce(log + log_weight, axis=1)
    return {"rate": 1 / n_classes, "full": float((posterior.argmax(axis=1) == trains.labels).mean())}
