"""neo objects made at random: our error, or every spike at its microsecond in its unit."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from beyondrate.datasets import from_neo, from_neo_epoch
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains

neo = pytest.importorskip("neo")

PER_US = {"s": 1e-6, "ms": 1e-3, "us": 1.0}
BAD_TIMES = (np.nan, np.inf, 1e17, -1e17)
UNITS_OF_OTHERS = (3, "3", "a", None, (1, 2), 2.5, True, ["no", "key"], np.int64(3), np.zeros(2))
LABELS_OF_OTHERS = (0, 7, "go", "stop", 1.5, None, -3, True, np.int64(4), np.nan, [1], {"a": 1})
Spike = tuple[int, int, Any]  # trial, microseconds on neo's clock, unit


def some_train(rng: np.random.Generator, unit: Any, is_odd: bool) -> tuple[Any, list[int]]:
    """Return a train with the annotation ``unit`` (Ellipsis: without it), and its times in microseconds."""
    physical = str(rng.choice(list(PER_US)))
    start = int(rng.choice([0, -50_000, 10**9]))
    length = int(rng.choice([1, 1000, 90_000, 3 * 10**9 if is_odd else 90_000]))
    times = rng.integers(start, start + length + 1, rng.integers(0, 12))
    scaled = times * PER_US[physical]
    edges = start * PER_US[physical], (start + length) * PER_US[physical]
    if is_odd and len(times):
        scaled[rng.integers(len(times))] = bad = rng.choice(BAD_TIMES)
        edges = -abs(bad), abs(bad)
    facts = {} if unit is ... else {"unit_id": unit}
    scaled = np.clip(scaled, *edges)  # neo wants times within its own edges, to the last bit
    return neo.SpikeTrain(scaled, units=physical, t_start=edges[0], t_stop=edges[1], **facts), times.tolist()


def some_trials(rng: np.random.Generator) -> tuple[list[list[Any]], list[Spike]]:
    """Return trials of trains, and what they hold; many are sound, some are not."""
    n_units = int(rng.integers(1, 4))
    is_named, is_odd = rng.random() < 0.5, rng.random() < 0.15
    ids = [f"u{unit}" for unit in range(n_units)]
    if is_odd:
        ids = [UNITS_OF_OTHERS[k] for k in rng.integers(len(UNITS_OF_OTHERS), size=n_units)]
    trials, held = [], []
    for trial in range(rng.integers(0, 4)):
        units = (
            rng.permutation(n_units)[: rng.integers(0 if is_odd else 1, n_units + 1)]
            if is_named
            else range(n_units)
        )
        trains = []
        for unit in units:
            train, times = some_train(rng, ids[unit] if is_named else ..., is_odd and rng.random() < 0.3)
            trains.append(train)
            held += [(trial, time, ids[unit] if is_named else int(unit)) for time in times]
        trials.append(trains)
    return trials, held


def some_labels(rng: np.random.Generator, n: int) -> list[Any]:
    if rng.random() < 0.7:
        return rng.integers(0, 3, n).tolist()
    return [LABELS_OF_OTHERS[k] for k in rng.integers(len(LABELS_OF_OTHERS), size=n)]


def spikes_of(trains: SpikeTrains) -> list[Spike]:
    starts = [int(name.split("@")[1].rpartition("-")[0].rstrip("-")) for name in trains.meta["files"]]
    ids = trains.meta["unit_ids"]
    owners, times, units = trains.sample_index.tolist(), trains.times_us.tolist(), trains.units.tolist()
    return [(s, t + starts[s], ids[u]) for s, t, u in zip(owners, times, units, strict=True)]


def test_trials_at_random() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(500):
        rng = np.random.default_rng([seed, 1])
        trials, held = some_trials(rng)
        labels = some_labels(rng, len(trials))
        try:
            found = from_neo(trials, labels=labels)
        except InputError:
            outcomes["refused"] += 1
            continue
        assert Counter(map(repr, spikes_of(found))) == Counter(map(repr, held)), seed
        assert len(found) == len(trials)
        outcomes["read"] += 1
    assert min(outcomes.values()) > 100, outcomes


def test_epochs_at_random() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(500):
        rng = np.random.default_rng([seed, 2])
        is_odd = rng.random() < 0.2
        trains, times = zip(
            *(some_train(rng, unit, is_odd) for unit in range(rng.integers(1, 4))), strict=True
        )
        starts = rng.integers(-10_000, 90_000, rng.integers(0, 4)).astype(float)
        lengths = rng.integers(-1 if is_odd else 1, 50_000, len(starts)).astype(float)
        if is_odd and len(starts) and rng.random() < 0.5:
            starts[0] = rng.choice(BAD_TIMES)
        epoch = neo.Epoch(times=starts, durations=lengths, units="us", labels=np.zeros(len(starts), int))
        try:
            found = from_neo_epoch(list(trains), epoch, labels=some_labels(rng, len(starts)))
        except InputError:
            outcomes["refused"] += 1
            continue
        expected = [
            (trial, time, unit)
            for trial, (start, length) in enumerate(zip(starts, lengths, strict=True))
            for unit, of_unit in enumerate(times)
            for time in of_unit
            if start <= time < start + length
        ]
        assert Counter(spikes_of(found)) == Counter(expected), seed
        outcomes["read" if expected else "read, without spikes"] += 1
    assert min(outcomes.values()) > 50, outcomes
