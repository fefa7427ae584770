"""The polychrony task: the class is the lags at which the units fire after one another, and nothing else.

Time-locked but not synchronous firing (Izhikevich, Neural Computation 2006). Ours is how everything but
the lags is kept from telling the class: all classes have the same units, counts and firing order, the
pattern starts anywhere, no two of its spikes are as close as a coincidence, and time runs in a circle, so
that neither a unit's times nor its intervals to background spikes are distributed differently by class.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.tasks.assemble import US_PER_MS, assemble, check_whole


def generate(
    n_samples: int,
    *,
    seed: int,
    pattern_seed: int = 0,
    n_classes: int = 4,
    n_units: int = 10,
    n_background: int = 2,
    min_gap_ms: int = 6,
    max_gap_ms: int = 30,
    duration_ms: int = 1000,
) -> SpikeTrains:
    """Draw samples in which every unit fires once in the class's pattern and some times at random.

    A pattern that runs over the sample's end goes on at its start. Times are whole microseconds.

    Args:
        n_samples: number of samples.
        seed: of the samples.
        pattern_seed: of the classes' patterns; samples of the same task share it.
        n_classes: number of patterns.
        n_units: number of units, at least 2.
        n_background: spikes of each unit besides the pattern's, uniform over the sample.
        min_gap_ms: least time between successive spikes of a pattern.
        max_gap_ms: longest such time.
        duration_ms: length of a sample, at least twice the longest pattern.

    Raises:
        InputError: if a number is not whole and positive, or the pattern is too long for the sample.

    Example:
        >>> trains = generate(50, seed=1)
        >>> trains
        SpikeTrains(50 samples, 1,500 spikes, 10 units, 1000 ms, 4 classes)
        >>> np.unique(trains.counts()).tolist()
        [3]
    """
    check_whole(n_classes=n_classes, min_gap_ms=min_gap_ms, max_gap_ms=max_gap_ms, duration_ms=duration_ms)
    check_whole(2, n_units=n_units)
    check_whole(0, n_samples=n_samples, n_background=n_background)
    if max_gap_ms < min_gap_ms:
        raise InputError(f"max_gap_ms is {max_gap_ms}", remedy=f"give at least min_gap_ms, {min_gap_ms}")
    if 2 * (n_units - 1) * max_gap_ms > duration_ms:
        raise InputError(
            f"a pattern of {n_units - 1} gaps of up to {max_gap_ms} ms is too long for {duration_ms} ms",
            remedy=f"give a duration of at least {2 * (n_units - 1) * max_gap_ms} ms",
        )
    lags_us = patterns_us(pattern_seed, n_classes, n_units, min_gap_ms, max_gap_ms)
    duration_us = duration_ms * US_PER_MS
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    begin = rng.integers(0, duration_us, n_samples)
    in_pattern = (begin[:, None] + lags_us[labels]) % duration_us
    background = rng.integers(0, duration_us, (n_samples, n_units, n_background))
    times = np.concatenate([in_pattern[:, :, None], background], axis=2)
    sample, unit, _ = np.indices(times.shape)
    return assemble(
        sample.ravel(),
        unit.ravel(),
        times.ravel(),
        labels=labels,
        label_names=[f"pattern {pattern}" for pattern in range(n_classes)],
        n_units=n_units,
        duration_ms=duration_ms,
        task={
            "name": "polychrony",
            "seed": seed,
            "pattern_seed": pattern_seed,
            "n_classes": n_classes,
            "n_units": n_units,
            "n_background": n_background,
            "min_gap_ms": min_gap_ms,
            "max_gap_ms": max_gap_ms,
            "duration_ms": duration_ms,
            "lags_us": lags_us.tolist(),
        },
    )


def patterns_us(
    pattern_seed: int, n_classes: int, n_units: int, min_gap_ms: int, max_gap_ms: int
) -> Int64[np.ndarray, "classes units"]:
    """Return when each unit fires after the pattern's begin; the firing order is that of all classes.

    >>> lags = patterns_us(0, 2, 5, 6, 30)
    >>> (lags.argsort(axis=1)[0] == lags.argsort(axis=1)[1]).all()
    np.True_
    """
    rng = np.random.default_rng(pattern_seed)
    order = rng.permutation(n_units)
    gaps = rng.integers(min_gap_ms * US_PER_MS, max_gap_ms * US_PER_MS + 1, (n_classes, n_units))
    gaps[:, 0] = 0
    lags = np.empty_like(gaps)
    lags[:, order] = np.cumsum(gaps, axis=1)
    return lags


def pattern_spikes(trains: SpikeTrains) -> Bool[np.ndarray, " spikes"]:
    """Return which spikes are the pattern's and which background, of samples that ``generate`` made.

    Example:
        >>> trains = generate(20, seed=0)
        >>> pattern_spikes(trains).sum()
        np.int64(200)
    """
    by_unit = np.lexsort((trains.units, trains.sample_index))
    times = trains.times_us[by_unit].astype(np.int64).reshape(len(trains), trains.n_units, -1)
    lags = np.array(trains.meta["task"]["lags_us"])[trains.labels]
    begin = (times[:, 0] - lags[:, :1]) % trains.duration_us  # if this of unit 0's spikes is the pattern's
    expected = (begin[:, None, :] + lags[:, :, None]) % trains.duration_us
    there = times[:, :, :, None] == expected[:, :, None, :]  # (sample, unit, spike, begin)
    right_begin = there.any(axis=2).all(axis=1).argmax(axis=1)
    found = np.take_along_axis(there, right_begin[:, None, None, None], axis=3)[..., 0]
    mask = np.empty(trains.n_spikes, dtype=bool)
    mask[by_unit] = found.ravel()
    return mask


def ceilings(*, n_classes: int = 4) -> dict[str, float]:
    """Return the accuracy of ideal observers, exact by construction.

    Counts, single units' intervals and zero-lag coincidences have the same distribution in all classes; lags
    of whole microseconds are met by chance in no sample.

    >>> ceilings()
    {'rate': 0.25, 'isi': 0.25, 'zero-lag': 0.25, 'full': 1.0}
    """
    return {"rate": 1 / n_classes, "isi": 1 / n_classes, "zero-lag": 1 / n_classes, "full": 1.0}
