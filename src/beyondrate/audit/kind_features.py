"""What each kind of timing is read from, and what the counts of spikes foretell of it.

Where there are many units, neighbours are pooled. What counts foretell of a pool is what they foretell of
its units together: a pool with an early and a late unit fires early where the early one spikes more. When
each unit spikes, and how often each two spike at which lag, is taken from the training samples of all
classes together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, Num

from beyondrate.events import SpikeTrains
from beyondrate.ops.correlogram import interval_counts, lag_counts

MAX_POOLS = 48  # more units than this are pooled, each with its neighbours
MAX_PAIRED_UNITS = 1024  # of more pooled units it is not found out what each two of them have
COINCIDENCE_MS = 5  # beyond it two spikes have a lag
_SHORTEST_INTERVAL_US = 500
_N_LAGS = 12
_BLOCK = 128  # samples whose full correlograms are held at a time
_N_PIECES = 8  # of the training samples, whose correlograms of single units are summed on threads

SETTINGS: dict[str, tuple[str, tuple[int, ...]]] = {
    "onset": ("n_bins", (5, 10, 20, 50, 100)),
    "ISI": ("classes_an_octave", (1, 2, 4)),
    "synchrony": ("window_ms", (1, 2, 5)),
    "order": ("horizon_ms", (10, 30, 100)),
    "lag": ("class_ms", (2, 5, 10)),
}
KINDS = tuple(SETTINGS)


NOTHING = np.zeros((1, 1, 1), dtype=np.float32)


class KindFeatures(NamedTuple):
    """Features of one kind, and what they are not to be read for.

    Args:
        values: one feature for each item (a pool of units, or a pair of pools) and class of time.
        counts: functions of the samples' counts; the first is what the values are expected to be in
            proportion to, and their variance with them.
        foretold: what the counts of the single units foretell of the values where the units of pools differ;
            else 0, for then it is in proportion to ``counts``.
        symmetric: for "order", the symmetric part of the correlogram whose antisymmetric part are the
            values; else 0.
        symmetric_foretold: what the counts of the single units foretell of it.
    """

    values: Float32[np.ndarray, "samples items classes"]
    counts: tuple[Float32[np.ndarray, "samples items #classes"], ...]
    foretold: Float32[np.ndarray, "#samples #items #classes"] = NOTHING
    symmetric: Float32[np.ndarray, "#samples #items #classes"] = NOTHING
    symmetric_foretold: Float32[np.ndarray, "#samples #items #classes"] = NOTHING


class Correlograms(NamedTuple):
    """Pairs of spikes of every two pools by lag: all of them, and those the first leads less the others."""

    symmetric: Float32[np.ndarray, "samples pairs classes"]
    antisymmetric: Float32[np.ndarray, "samples pairs classes"]


def kind_features(parts: Sequence[SpikeTrains], kind: str, setting: int) -> list[KindFeatures]:
    """Return the features of one kind at one of its SETTINGS, for each part.

    Args:
        parts: samples of one data set; the first are those that it is learned from what counts foretell.
        kind: of KINDS.
        setting: one of the kind's SETTINGS.

    Example:
        >>> trains = SpikeTrains.from_samples([([1000, 1500, 9000], [0, 1, 0])], labels=[0], n_units=2,
        ...                                   duration_us=10_000)
        >>> kind_features([trains], "onset", 5)[0].values.tolist()
        [[[1.0, 0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0, 0.0]]]
        >>> kind_features([trains], "synchrony", 1)[0].values.tolist()
        [[[1.0]]]
        >>> kind_features([trains], "order", 10)[0].values.tolist()
        [[[0.0]]]
    """
    features: list[KindFeatures] = _FEATURES[kind](parts, setting)
    return features


def order_correlograms(trains: SpikeTrains, horizon_ms: int) -> Correlograms:
    """Return the pairs of spikes that "order" is read from, without what counts foretell of them."""
    return _correlograms(trains, _order_edges_us(horizon_ms))


def counts_differ(parts: Sequence[SpikeTrains]) -> bool:
    """Return whether a unit spikes more often in one sample than in another.

    Counts may then show in every kind: what they foretell is taken out in the mean, but the scatter about
    it, and how intervals follow from counts, differ with them.
    """
    counts = [part.counts() for part in parts]
    return any((of_part != counts[0][:1]).any() for of_part in counts)


def pools_mix(parts: Sequence[SpikeTrains]) -> bool:
    """Return whether units are pooled whose counts differ, so that one has a larger share in some samples."""
    return parts[0].n_units > MAX_POOLS and counts_differ(parts)


# Of single units -----------------------------------------------------------------------------------------


def _onset(parts: Sequence[SpikeTrains], n_bins: int) -> list[KindFeatures]:
    pool_of_unit = _pool_of_unit(parts[0].n_units)
    n_pools = int(pool_of_unit[-1]) + 1

    def in_bins(trains: SpikeTrains, rows: np.ndarray, n_rows: int) -> Float32[np.ndarray, "rows bins"]:
        bins = np.minimum(trains.times_us.astype(np.int64) * n_bins // trains.duration_us, n_bins - 1)
        counts = np.bincount(rows * n_bins + bins, minlength=n_rows * n_bins)
        return counts.reshape(n_rows, n_bins).astype(np.float32)

    of_units = in_bins(parts[0], parts[0].units.astype(np.int64), parts[0].n_units)
    profile = _ratio(of_units, of_units.sum(axis=1, keepdims=True))
    mixed = pools_mix(parts)
    features = []
    for part in parts:
        rows = part.sample_index.astype(np.int64) * n_pools + pool_of_unit[part.units]
        values = in_bins(part, rows, len(part) * n_pools).reshape(len(part), n_pools, n_bins)
        foretold = _spikes_foretold(part, profile) if mixed else NOTHING
        features.append(KindFeatures(values, (values.sum(axis=2, keepdims=True),), foretold))
    return features


def _spikes_foretold(
    trains: SpikeTrains, profile: Float32[np.ndarray, "units bins"]
) -> Float32[np.ndarray, "samples pools bins"]:
    """Return how many spikes the pools would have in each bin if each unit kept to its profile."""
    counts, first_unit = trains.counts().astype(np.float32), _pools(trains.n_units)
    blocks = np.array_split(counts[:, :, None], np.arange(_BLOCK, len(counts), _BLOCK))
    return np.concatenate([np.add.reduceat(block * profile, first_unit, axis=1) for block in blocks])


def _isi(parts: Sequence[SpikeTrains], classes_an_octave: int) -> list[KindFeatures]:
    n_octaves = np.log2(parts[0].duration_us / _SHORTEST_INTERVAL_US)
    exponents = np.arange(np.ceil(n_octaves * classes_an_octave) + 1) / classes_an_octave
    edges_us = np.concatenate([[-1], _SHORTEST_INTERVAL_US * 2**exponents]).astype(np.int64)
    pool_of_unit = _pool_of_unit(parts[0].n_units)
    first_unit = _pools(parts[0].n_units)
    features = []
    for part in parts:
        values = interval_counts(
            part.times_us, part.units, part.offsets, pool_of_unit, len(first_unit), edges_us
        ).astype(np.float32)
        counts = part.counts()
        n_spikes = np.add.reduceat(counts, first_unit, axis=1)[:, :, None].astype(np.float32)
        by_chance = _intervals_by_chance(counts, first_unit, edges_us / part.duration_us)
        features.append(KindFeatures(values, (*by_chance, n_spikes)))
    return features


def _intervals_by_chance(
    counts: Int32[np.ndarray, "samples units"],
    first_unit: Int64[np.ndarray, " pools"],
    edges: Float64[np.ndarray, " classes_plus_1"],
) -> list[Float32[np.ndarray, "samples pools classes"]]:
    """Return how many intervals of each class (edges in sample lengths) spikes at random times would have.

    Of n spikes anywhere in the sample, and anywhere in a half and a quarter of it, of which other
    profiles are taken to be mixtures: n - 1 intervals, each longer than x with probability (1 - x)ⁿ.
    """
    n = np.arange(counts.max(initial=0) + 1)[:, None]
    expected = []
    for squeeze in (1, 2, 4):
        longer = (1 - np.clip(squeeze * edges, 0, 1)) ** n
        of_count = (np.maximum(n - 1, 0) * (longer[:, :-1] - longer[:, 1:])).astype(np.float32)
        blocks = np.array_split(counts, np.arange(_BLOCK, len(counts), _BLOCK))
        expected.append(np.concatenate([np.add.reduceat(of_count[b], first_unit, axis=1) for b in blocks]))
    return expected


# Of two units --------------------------------------------------------------------------------------------


def _synchrony(parts: Sequence[SpikeTrains], window_ms: int) -> list[KindFeatures]:
    return _near(parts, np.array([-1, 1000 * window_ms]))


def _lag(parts: Sequence[SpikeTrains], width_ms: int) -> list[KindFeatures]:
    return _near(parts, 1000 * (COINCIDENCE_MS + width_ms * np.arange(_N_LAGS + 1)))


def _near(parts: Sequence[SpikeTrains], edges_us: Int64[np.ndarray, " edges"]) -> list[KindFeatures]:
    """Return the pairs of spikes of every two pools by their lag, whichever leads."""
    return [
        KindFeatures(_correlograms(part, edges_us).symmetric, (_pairs_of_spikes(part),), foretold.symmetric)
        for part, foretold in zip(parts, _pairs_foretold(parts, edges_us), strict=True)
    ]


def _order(parts: Sequence[SpikeTrains], horizon_ms: int) -> list[KindFeatures]:
    features = []
    for part, foretold in zip(parts, _pairs_foretold(parts, _order_edges_us(horizon_ms)), strict=True):
        near, led = order_correlograms(part, horizon_ms)
        counts = (_pairs_of_spikes(part),)
        features.append(KindFeatures(led, counts, foretold.antisymmetric, near, foretold.symmetric))
    return features


_FEATURES: dict[str, Callable[[Sequence[SpikeTrains], int], list[KindFeatures]]] = {
    "onset": _onset,
    "ISI": _isi,
    "synchrony": _synchrony,
    "order": _order,
    "lag": _lag,
}


def _order_edges_us(horizon_ms: int) -> Int64[np.ndarray, " edges"]:
    return np.array([0, 1000 * horizon_ms])


def _correlograms(trains: SpikeTrains, edges_us: Int64[np.ndarray, " edges"]) -> Correlograms:
    pool_of_unit = _pool_of_unit(trains.n_units)
    n_pools = int(pool_of_unit[-1]) + 1
    i, j = np.triu_indices(n_pools, k=1)
    symmetric = np.empty((len(trains), len(i), len(edges_us) - 1), dtype=np.float32)
    antisymmetric = np.empty_like(symmetric)
    for start in range(0, len(trains), _BLOCK):
        block = trains[start : start + _BLOCK]
        counts = lag_counts(block.times_us, pool_of_unit[block.units], block.offsets, n_pools, edges_us)
        i_leads, j_leads = counts[:, i, :, j], counts[:, j, :, i]  # (pairs, samples, classes)
        symmetric[start : start + _BLOCK] = (i_leads + j_leads).swapaxes(0, 1)
        antisymmetric[start : start + _BLOCK] = (i_leads - j_leads).swapaxes(0, 1)
    return Correlograms(symmetric, antisymmetric)


def _pairs_foretold(
    parts: Sequence[SpikeTrains], edges_us: Int64[np.ndarray, " edges"]
) -> list[Correlograms]:
    """Return what the counts of the units foretell of the correlograms of each part.

    Two units have pairs of spikes in proportion to the product of their counts: as many as in the first part.
    """
    train, n_units = parts[0], parts[0].n_units
    if n_units > MAX_PAIRED_UNITS or not pools_mix(parts):
        return [Correlograms(NOTHING, NOTHING)] * len(parts)
    times_us, offsets = _end_to_end(train, int(edges_us[-1]), _N_PIECES)
    found = lag_counts(times_us, train.units, offsets, n_units, edges_us).sum(axis=0, dtype=np.int64)
    counts = train.counts().astype(np.float64)
    leads = _ratio(found.swapaxes(1, 2), (counts.T @ counts)[:, :, None])  # (leader, follower, classes)
    follows = leads.swapaxes(0, 1)
    return [
        Correlograms(_pairs_added_up(part, leads + follows), _pairs_added_up(part, leads - follows))
        for part in parts
    ]


def _pairs_added_up(
    trains: SpikeTrains, weights: Float32[np.ndarray, "units units classes"]
) -> Float32[np.ndarray, "samples pairs classes"]:
    """Return the pairs of spikes of every two units, at any lag, weighted and added up for two pools."""
    first_unit = _pools(trains.n_units)
    all_counts = trains.counts().astype(np.float32)
    blocks = []
    for counts in np.array_split(all_counts, np.arange(_BLOCK, len(trains), _BLOCK)):
        of_pairs = []
        for pool in range(len(first_unit) - 1):
            start, stop = first_unit[pool : pool + 2]
            pairs = np.tensordot(counts[:, start:stop], weights[start:stop, stop:], 1)
            pairs *= counts[:, stop:, None]
            of_pairs.append(np.add.reduceat(pairs, first_unit[pool + 1 :] - stop, axis=1))
        blocks.append(np.concatenate(of_pairs, axis=1))
    return np.concatenate(blocks)


def _pairs_of_spikes(trains: SpikeTrains) -> Float32[np.ndarray, "samples pairs 1"]:
    """Return how many pairs of spikes there are of every two pools, at any lag."""
    first_unit = _pools(trains.n_units)
    counts = np.add.reduceat(trains.counts().astype(np.float32), first_unit, axis=1)
    i, j = np.triu_indices(len(first_unit), k=1)
    return (counts[:, i] * counts[:, j])[:, :, None]


# Pools of units ------------------------------------------------------------------------------------------


def _pools(n_units: int) -> Int64[np.ndarray, " pools"]:
    """Return the first unit of each pool of neighbours; a pool ends where the next begins."""
    pool_of_unit = _pool_of_unit(n_units)
    return np.searchsorted(pool_of_unit, np.arange(pool_of_unit[-1] + 1))


def _pool_of_unit(n_units: int) -> Int64[np.ndarray, " units"]:
    return np.arange(n_units) * min(n_units, MAX_POOLS) // n_units


def _ratio(found: Num[np.ndarray, "*any"], expected: Num[np.ndarray, "*#any"]) -> Float32[np.ndarray, "*any"]:
    return np.divide(found, expected, out=np.zeros(found.shape), where=expected > 0).astype(np.float32)


def _end_to_end(
    trains: SpikeTrains, longest_us: int, n_pieces: int
) -> tuple[Int64[np.ndarray, " spikes"], Int64[np.ndarray, " pieces_plus_1"]]:
    """Return times and offsets as of few long samples; spikes of different samples are not within longest."""
    times_us = trains.times_us + trains.sample_index * np.int64(trains.duration_us + longest_us + 1)
    return times_us, trains.offsets[np.arange(n_pieces + 1) * len(trains) // n_pieces]
