"""The inter-spike-interval task: the class needs both the number of spike pairs and the interval within them.

After Yu, Sun and Goodman (arXiv 2507.16043), Sec. 2.1 and Eq. 2; the grid of rates and intervals and the
class boundary, which the paper leaves open, are ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.tasks.assemble import US_PER_MS, assemble, check_whole


def generate(
    n_samples: int,
    *,
    seed: int,
    n_units: int = 10,
    duration_ms: int = 1000,
    n_rates: int = 20,
    min_pairs: int = 5,
    n_intervals: int = 40,
    min_interval_ms: int = 1,
) -> SpikeTrains:
    """Draw samples whose every unit fires pairs of spikes, as many and as far apart as the sample says.

    With i of ``n_rates`` and j of ``n_intervals`` drawn uniformly, each unit fires ``min_pairs + i`` pairs
    of interval ``min_interval_ms + j`` ms; the class is 1 if (i + ½) / n_rates + (j + ½) / n_intervals > 1.
    Pairs do not overlap, and each unit's placement is uniform over all that do not. Spikes lie on whole
    milliseconds. With n_rates=1 the counts are constant and the interval alone is the class.

    Args:
        n_samples: number of samples.
        seed: of the samples.
        n_units: number of units.
        duration_ms: length of a sample.
        n_rates: number of different numbers of pairs.
        min_pairs: the least of them.
        n_intervals: number of different intervals.
        min_interval_ms: the shortest of them.

    Raises:
        InputError: if a number is not whole and positive, or the most and widest pairs do not fit.

    Example:
        >>> trains = generate(100, seed=0)
        >>> trains
        SpikeTrains(100 samples, 29,400 spikes, 10 units, 1000 ms, 2 classes)
    """
    check_whole(
        n_units=n_units,
        duration_ms=duration_ms,
        n_rates=n_rates,
        min_pairs=min_pairs,
        n_intervals=n_intervals,
        min_interval_ms=min_interval_ms,
    )
    check_whole(0, n_samples=n_samples)
    most_pairs, longest = min_pairs + n_rates - 1, min_interval_ms + n_intervals - 1
    if most_pairs * (longest + 1) > duration_ms:
        raise InputError(
            f"{most_pairs} pairs of {longest} ms do not fit into {duration_ms} ms",
            remedy=f"give a duration of at least {most_pairs * (longest + 1)} ms",
        )
    rng = np.random.default_rng(seed)
    i, j = rng.integers(0, n_rates, n_samples), rng.integers(0, n_intervals, n_samples)

    n_pairs = np.repeat(min_pairs + i, n_units)  # of each train: one unit in one sample
    interval = np.repeat(min_interval_ms + j, n_units)
    slots = _distinct(duration_ms - n_pairs * interval, n_pairs, rng)
    rank = np.arange(slots.shape[1])
    first = slots + rank * interval[:, None]
    used = rank < n_pairs[:, None]
    train = np.nonzero(used)[0]
    first_ms = first[used]
    times_ms = np.concatenate([first_ms, first_ms + interval[train]])
    train = np.concatenate([train, train])
    return assemble(
        train // n_units,
        train % n_units,
        times_ms * US_PER_MS,
        labels=_label(i, j, n_rates, n_intervals).astype(np.int64),
        label_names=["low", "high"],
        n_units=n_units,
        duration_ms=duration_ms,
        task={
            "name": "isi",
            "seed": seed,
            "n_units": n_units,
            "duration_ms": duration_ms,
            "n_rates": n_rates,
            "min_pairs": min_pairs,
            "n_intervals": n_intervals,
            "min_interval_ms": min_interval_ms,
        },
    )


class ClassMap(NamedTuple):
    """The class of every number of pairs (rows) and interval in milliseconds (columns)."""

    pairs: Int64[np.ndarray, " rates"]
    interval_ms: Int64[np.ndarray, " intervals"]
    label: Int64[np.ndarray, "rates intervals"]


def class_map(
    *, n_rates: int = 20, min_pairs: int = 5, n_intervals: int = 40, min_interval_ms: int = 1
) -> ClassMap:
    """Return where the classes lie: what the paper's Fig. 1 shows as a boundary between rates and intervals.

    >>> pairs, interval_ms, label = class_map()
    >>> pairs[0], pairs[-1], interval_ms[0], interval_ms[-1], label[0, 0], label[-1, -1]
    (np.int64(5), np.int64(24), np.int64(1), np.int64(40), np.int64(0), np.int64(1))
    """
    i, j = np.indices((n_rates, n_intervals))
    label = _label(i, j, n_rates, n_intervals).astype(np.int64)
    return ClassMap(min_pairs + np.arange(n_rates), min_interval_ms + np.arange(n_intervals), label)


def ceilings(*, n_rates: int = 20, n_intervals: int = 40) -> dict[str, float]:
    """Return the accuracy of the best rule that reads the rate, the interval, or both, by enumeration.

    >>> ceilings()
    {'rate': 0.75, 'isi': 0.75, 'full': 1.0}
    """
    label = class_map(n_rates=n_rates, n_intervals=n_intervals).label
    high_by_rate, high_by_interval = label.sum(axis=1), label.sum(axis=0)
    return {
        "rate": float(np.maximum(high_by_rate, n_intervals - high_by_rate).sum() / label.size),
        "isi": float(np.maximum(high_by_interval, n_rates - high_by_interval).sum() / label.size),
        "full": 1.0,
    }


def _label(
    i: Int64[np.ndarray, "*shape"], j: Int64[np.ndarray, "*shape"], n_rates: int, n_intervals: int
) -> Bool[np.ndarray, "*shape"]:
    """Return (i + ½) / n_rates + (j + ½) / n_intervals > 1, in whole numbers so that nothing is rounded."""
    return (2 * i + 1) * n_intervals + (2 * j + 1) * n_rates > 2 * n_rates * n_intervals


def _distinct(
    n_slots: Int64[np.ndarray, " trains"], n_chosen: Int64[np.ndarray, " trains"], rng: np.random.Generator
) -> Int64[np.ndarray, "trains most"]:
    """Return for each train n_chosen distinct slots of n_slots, ascending, every subset equally likely.

    Floyd's algorithm (Bentley and Floyd, CACM 1987) for all trains at once. What is not used stands last.
    """
    most = int(n_chosen.max(initial=0))
    unused = int(n_slots.max(initial=0))
    chosen = np.full((len(n_slots), most), unused, dtype=np.int64)
    for k in range(most):
        live = n_chosen > k
        last = (n_slots - n_chosen + k)[live]
        slot = rng.integers(0, last + 1)
        taken = (chosen[live, :k] == slot[:, None]).any(axis=1)
        chosen[live, k] = np.where(taken, last, slot)
    return np.sort(chosen, axis=1)
