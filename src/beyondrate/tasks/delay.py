"""The delay-detection task: how much later does the second channel fire than the first?

After Koopman, Otte and Bohté (arXiv 2602.01978), who leave the numbers open; they are ours: the onset is
uniform over [5, 45) ms, and class c of 8 is a delay uniform over 10 c ± 2 ms. The fine task (``FINE``) has
delays of 3 c ± 0.5 ms. Classes do not overlap, so a perfect clock tells them apart; bins as wide as the
delays do not, and ``ceilings`` says by how much.
"""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, dt_in_us
from beyondrate.tasks.assemble import US_PER_MS, assemble, check_whole

ONSET_MS = (5, 45)
FINE = MappingProxyType({"spacing_ms": 3, "spread_ms": 0.5})


def generate(
    n_samples: int,
    *,
    seed: int,
    spacing_ms: int = 10,
    spread_ms: float = 2.0,
    n_classes: int = 8,
    duration_ms: int = 160,
) -> SpikeTrains:
    """Draw samples of two channels that fire once each, the second ``spacing_ms`` · class later or about so.

    The first channel fires uniformly over [5, 45) ms, the second after a delay that is uniform over
    spacing_ms · class ± spread_ms (of class 0 it may be first). Times are whole microseconds.

    Args:
        n_samples: number of samples.
        seed: of the samples.
        spacing_ms: distance between the delays of neighbouring classes.
        spread_ms: most that a delay departs from its class's, below half the spacing and at most 5 ms.
        n_classes: number of classes.
        duration_ms: length of a sample; the default leaves 43 ms to answer after the latest spike.

    Raises:
        InputError: if a number is out of range, or the longest delay does not fit.

    Example:
        >>> trains = generate(100, seed=0)
        >>> trains
        SpikeTrains(100 samples, 200 spikes, 2 units, 160 ms, 8 classes)
        >>> generate(100, seed=0, **FINE).meta["task"]["spacing_ms"]
        3
    """
    check_whole(0, n_samples=n_samples)
    check_whole(spacing_ms=spacing_ms, n_classes=n_classes, duration_ms=duration_ms)
    spread_us = _spread_us(spacing_ms, spread_ms)
    latest_us = (ONSET_MS[1] + (n_classes - 1) * spacing_ms) * US_PER_MS + spread_us
    if latest_us > duration_ms * US_PER_MS:
        raise InputError(
            f"delays of up to {(n_classes - 1) * spacing_ms} ms do not fit into {duration_ms} ms",
            remedy=f"give a duration of at least {math.ceil(latest_us / US_PER_MS)} ms",
        )
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    onset = rng.integers(ONSET_MS[0] * US_PER_MS, ONSET_MS[1] * US_PER_MS, n_samples)
    delay = labels * spacing_ms * US_PER_MS + rng.integers(-spread_us, spread_us + 1, n_samples)
    return assemble(
        np.tile(np.arange(n_samples), 2),
        np.repeat([0, 1], n_samples),
        np.concatenate([onset, onset + delay]),
        labels=labels,
        label_names=[f"{spacing_ms * c} ms" for c in range(n_classes)],
        n_units=2,
        duration_ms=duration_ms,
        task={
            "name": "delay",
            "seed": seed,
            "onset_ms": list(ONSET_MS),
            "spacing_ms": spacing_ms,
            "spread_ms": spread_ms,
            "n_classes": n_classes,
            "duration_ms": duration_ms,
        },
    )


def ceilings(
    *, dt_s: float, spacing_ms: int = 10, spread_ms: float = 2.0, n_classes: int = 8
) -> dict[str, float]:
    """Return the accuracy of the best rule that reads counts, and of the best that reads bins of ``dt_s``.

    Exact: for every class and pair of bins, all pairs of microseconds that fall into them are counted, and
    the rule takes the class that has most. Bins start at 0, as everywhere; that the onset's first or last
    bin may be cut by [5, 45) ms is known to the rule and used.

    Args:
        dt_s: width of the bins in seconds; below 100 µs only where classes are two bins or more apart.
        spacing_ms, spread_ms, n_classes: as in ``generate``.

    Raises:
        InputError: if a number is out of range.

    Example:
        >>> {dt_ms: round(ceilings(dt_s=dt_ms / 1000)["full"], 3) for dt_ms in (10, 5, 1)}
        {10: 0.912, 5: 0.912, 1: 1.0}
        >>> {dt_ms: round(ceilings(dt_s=dt_ms / 1000, **FINE)["full"], 3) for dt_ms in (10, 5, 1)}
        {10: 0.368, 5: 0.566, 1: 1.0}
    """
    check_whole(spacing_ms=spacing_ms, n_classes=n_classes)
    spread_us, dt_us = _spread_us(spacing_ms, spread_ms), dt_in_us(dt_s)
    if spacing_ms * US_PER_MS - 2 * spread_us >= 2 * dt_us:  # no lag of whole bins is of two classes
        return {"rate": 1 / n_classes, "full": 1.0}
    if dt_us < 100:
        raise InputError(f"dt_s is {dt_s}", remedy="give 0.0001 or more, or a smaller spread_ms")
    first_us, last_us = (edge * US_PER_MS for edge in ONSET_MS)
    bins = np.arange(first_us // dt_us, -(-last_us // dt_us))
    begin = np.maximum(bins * dt_us, first_us)[:, None]  # of the onsets in each bin
    end = np.minimum((bins + 1) * dt_us, last_us)[:, None]
    spread = np.arange(-spread_us, spread_us + 1)

    most_behind = -(-spread_us // dt_us)  # in bins
    n_lags = most_behind + ((n_classes - 1) * spacing_ms * US_PER_MS + spread_us) // dt_us + 3
    n_ways = np.zeros((n_classes, len(bins), n_lags), dtype=np.int64)
    rows = np.broadcast_to(np.arange(len(bins))[:, None], (len(bins), len(spread)))
    for label in range(n_classes):
        delay = label * spacing_ms * US_PER_MS + spread
        # Of one bin's onsets plus one delay, the first ones fall `lag` bins later, the others one more.
        lag = (begin + delay) // dt_us - bins[:, None]
        turn = np.clip((bins[:, None] + lag + 1) * dt_us - delay, begin, end)
        np.add.at(n_ways[label], (rows, most_behind + lag), turn - begin)
        np.add.at(n_ways[label], (rows, most_behind + lag + 1), end - turn)
    return {"rate": 1 / n_classes, "full": float(n_ways.max(axis=0).sum() / n_ways.sum())}


def _spread_us(spacing_ms: int, spread_ms: float) -> int:
    if not 0 <= spread_ms < min(spacing_ms / 2, ONSET_MS[0]):
        raise InputError(
            f"spread_ms is {spread_ms} at a spacing of {spacing_ms} ms",
            remedy=f"give less than half the spacing and less than {ONSET_MS[0]} ms",
        )
    return round(spread_ms * US_PER_MS)
