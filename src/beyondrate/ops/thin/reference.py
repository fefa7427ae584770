"""Thinning in plain numpy, one train after another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, Integer


def draw_subset(
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    quota: Int64[np.ndarray, "samples units"],
    draws: Float64[np.ndarray, " spikes"],
) -> Bool[np.ndarray, " spikes"]:
    """Mark ``quota[sample, unit]`` spikes of each train by selection sampling."""
    keep = np.zeros(len(units), dtype=np.bool_)
    for sample, unit, train in _trains(units, offsets):
        wanted = quota[sample, unit]
        for left, spike in zip(range(len(train), 0, -1), train, strict=True):
            keep[spike] = draws[spike] * left < wanted
            wanted -= keep[spike]
    return keep


def first_in_bin(
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    bins: Integer[np.ndarray, " spikes"],
) -> Bool[np.ndarray, " spikes"]:
    """Mark the first spike of each train in each bin."""
    keep = np.zeros(len(units), dtype=np.bool_)
    for _, _, train in _trains(units, offsets):
        keep[train[np.unique(bins[train], return_index=True)[1]]] = True
    return keep


def kept_spikes(
    times_us: Int32[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    offsets: Int64[np.ndarray, " samples_plus_1"],
    keep: Bool[np.ndarray, " spikes"],
) -> tuple[Int32[np.ndarray, " kept"], Integer[np.ndarray, " kept"], Int64[np.ndarray, " samples_plus_1"]]:
    """Return times, units and offsets of the marked spikes."""
    counts = [np.count_nonzero(keep[start:stop]) for start, stop in itertools.pairwise(offsets)]
    return times_us[keep], units[keep], np.append(0, np.cumsum(counts)).astype(np.int64)


def _trains(
    units: Integer[np.ndarray, " spikes"], offsets: Int64[np.ndarray, " samples_plus_1"]
) -> Iterator[tuple[int, int, Int64[np.ndarray, " train"]]]:
    """Yield sample, unit and spike indices of every train that has a spike."""
    for sample, (start, stop) in enumerate(itertools.pairwise(offsets)):
        for unit in np.unique(units[start:stop]):
            yield sample, int(unit), start + np.flatnonzero(units[start:stop] == unit)
