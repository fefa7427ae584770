"""Which kind of timing tells the classes: each kind is read alone, by a linear classifier, without a network.

- onset: in which bin of time since the sample's start a unit fires. Blind to relations between spikes.
- ISI: intervals between successive spikes of one unit, in logarithmic classes. Blind to the time since the
  start and to other units.
- synchrony: pairs of spikes of two units that are closer than a window. Blind to the time since the start, to
  intervals within a unit, to which unit leads, and to lags beyond the window.
- order: pairs in which one unit leads, less those in which the other does, up to a horizon: the antisymmetric
  part of the cross-correlogram. Blind to the time since the start, to intervals within a unit, to
  coincidences, and to how long the lag is; where lags lie on both sides of the horizon, only nearly so.
- lag: pairs of spikes of two units by how far they are apart beyond the coincidences, whichever leads: the
  symmetric part of the cross-correlogram. Blind to the time since the start, to intervals within a unit, to
  coincidences, and to which unit leads.

All are blind to counts: what a sample's counts foretell of a feature, by regression on the training samples,
is taken out of it. They are blind in the mean, which is what a linear classifier reads.

No kind is blind to what follows from another. Units that fire at set times after the start also fire at set
intervals, lags and order; only the opposite does not hold. So every kind but onset is read a second time from
data of which no more is left than when each unit fires in each class: for ISI its spikes, for the kinds
between units its trains, are exchanged between the samples of a class. What a kind still tells then, it
owes to onset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from beyondrate.audit.linear_probe import check_alike, fit_ridge, stratified_subsample
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, offsets_from_lengths
from beyondrate.ops.correlogram import interval_counts, lag_counts

MAX_GROUPS = 48  # more units than this are pooled, each with its neighbours
MAX_TRAIN = 3000
COINCIDENCE_MS = 5  # beyond it two spikes have a lag
_SHORTEST_INTERVAL_US = 500
_N_LAGS = 12
_FEWEST = 0.1  # expected spikes, pairs or intervals below which a feature's variance is not evened out
_MORE_EXCHANGES = 3  # of the training samples, for what order owes to chance
_BLOCK = 128  # samples whose full correlograms are held at a time

SETTINGS: dict[str, tuple[str, tuple[int, ...]]] = {
    "onset": ("n_bins", (5, 10, 20, 50, 100)),
    "ISI": ("classes_an_octave", (1, 2, 4)),
    "synchrony": ("window_ms", (1, 2, 5)),
    "order": ("horizon_ms", (10, 30, 100)),
    "lag": ("class_ms", (2, 5, 10)),
}
KINDS = tuple(SETTINGS)


class KindFeatures(NamedTuple):
    """Features of one kind, and what they are not to be read for.

    Args:
        values: one feature for each item (a unit, or a pair of units) and class of time.
        counts: functions of the samples' counts; the first is what the values are expected to be in
            proportion to, and their variance with them.
        symmetric: for "order", the symmetric part of the correlogram whose antisymmetric part are the
            values; else 0.
    """

    values: Float32[np.ndarray, "samples items classes"]
    counts: tuple[Float32[np.ndarray, "samples items #classes"], ...]
    symmetric: Float32[np.ndarray, "#samples #items #classes"] = np.zeros((1, 1, 1), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class KindResult:
    """How well one kind of timing tells the classes of the test samples.

    Args:
        kind: of KINDS.
        settings: name and value of the one of SETTINGS that did best on the validation samples.
        validation_accuracy: what it reached there.
        predictions: class given to each test sample.
        correct: whether it is the right one.
        correct_from_profile: the same for a classifier trained and tested on data of which only the profile
            is left (see the module). It can be the better one: samples that differ as a whole, by their
            speaker's tempo for example, are made alike by the exchange.
    """

    kind: str
    settings: dict[str, int]
    validation_accuracy: float
    predictions: Int64[np.ndarray, " tests"]
    correct: Bool[np.ndarray, " tests"]
    correct_from_profile: Bool[np.ndarray, " tests"]

    @property
    def accuracy(self) -> float:
        """The share of the test samples that are told right."""
        return float(self.correct.mean())

    @property
    def profile_accuracy(self) -> float:
        """The share that is told right when only counts and profile are left."""
        return float(self.correct_from_profile.mean())


def probe_kinds(
    train: SpikeTrains,
    validation: SpikeTrains,
    test: SpikeTrains,
    *,
    kinds: Sequence[str] = KINDS,
    max_train: int = MAX_TRAIN,
    seed: int = 0,
) -> list[KindResult]:
    """Classify the test samples by each kind of timing alone; settings are chosen on the validation samples.

    Args:
        train: training samples.
        validation: samples that settings and regularisation are chosen on.
        test: samples that the results are about; they enter no choice.
        kinds: of KINDS.
        max_train: most training samples used; more are subsampled, each class in proportion.
        seed: of that subsample and of the exchange of spikes.

    Raises:
        InputError: if a kind is unknown, there are no samples, or units or duration differ between the parts.

    Example:
        >>> from beyondrate.tasks import isi
        >>> parts = [isi.generate(200, seed=seed, n_rates=1) for seed in range(3)]
        >>> [(result.kind, result.accuracy > 0.9) for result in probe_kinds(*parts, kinds=["ISI", "lag"])]
        [('ISI', True), ('lag', False)]
    """
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(f"unknown kind of timing {kind!r}", remedy=f"choose from {', '.join(KINDS)}")
    check_alike(train, validation)
    check_alike(train, test)
    rng = np.random.default_rng(seed)
    parts = [train[stratified_subsample(train.labels, max_train, rng)], validation, test]
    without_intervals = [exchange_spikes(part, rng) for part in parts]
    without_relations = [exchange_trains(part, rng) for part in parts]
    profiles = {"onset": parts, "ISI": without_intervals}
    chance = [without_relations[0], *(exchange_trains(parts[0], rng) for _ in range(_MORE_EXCHANGES))]
    results = []
    for kind in kinds:
        profile = profiles.get(kind, without_relations)
        name, settings = SETTINGS[kind]
        readings = [_read(parts, chance, kind, setting) for setting in settings]
        best = max(readings, key=lambda reading: reading.validation_accuracy)
        from_profile = _read(profile, chance, kind, best.setting)
        results.append(
            KindResult(
                kind=kind,
                settings={name: best.setting},
                validation_accuracy=best.validation_accuracy,
                predictions=best.predictions,
                correct=best.predictions == test.labels,
                correct_from_profile=from_profile.predictions == test.labels,
            )
        )
    return results


def kind_features(trains: SpikeTrains, kind: str, setting: int) -> KindFeatures:
    """Return the features of one kind (see the module) at one of its SETTINGS.

    Example:
        >>> trains = SpikeTrains.from_samples([([1000, 1500, 9000], [0, 1, 0])], labels=[0], n_units=2,
        ...                                   duration_us=10_000)
        >>> kind_features(trains, "onset", 5).values.tolist()
        [[[1.0, 0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0, 0.0]]]
        >>> kind_features(trains, "synchrony", 1).values.tolist()
        [[[1.0]]]
        >>> kind_features(trains, "order", 10).values.tolist()
        [[[0.0]]]
    """
    n_groups = min(trains.n_units, MAX_GROUPS)
    group_of_unit = np.arange(trains.n_units) * n_groups // trains.n_units
    features: KindFeatures = _FEATURES[kind](trains, group_of_unit, setting)
    return features


def exchange_spikes(trains: SpikeTrains, seed: int | np.random.Generator) -> SpikeTrains:
    """Exchange the times of each unit's spikes between the samples of a class, at random.

    Keeps each sample's counts and each class's profile (how many spikes a unit has at each time, summed
    over the class's samples), exactly; intervals, synchrony, order and lags remain only as far as they follow
    from these.

    Example:
        >>> trains = SpikeTrains.from_samples([([1, 5], [0, 0]), ([3], [0]), ([8], [0])], labels=[0, 0, 1],
        ...                                   n_units=1, duration_us=10)
        >>> exchanged = exchange_spikes(trains, seed=0)
        >>> sorted(exchanged[:2].times_us.tolist()), exchanged[2].times_us.tolist()
        ([1, 3, 5], [8])
        >>> exchanged.counts().tolist()
        [[2], [1], [1]]
    """
    rng = np.random.default_rng(seed)
    sample = trains.sample_index
    pool = trains.labels[sample] * trains.n_units + trains.units
    pool = pool.astype(np.min_scalar_type(pool.max(initial=0)))  # two bytes are sorted several times faster
    shuffled = rng.permutation(trains.n_spikes)
    drawn = shuffled[np.argsort(pool[shuffled], kind="stable")]
    times = np.empty_like(trains.times_us)
    times[np.argsort(pool, kind="stable")] = trains.times_us[drawn]
    order = np.lexsort((times, sample))
    return trains.with_spikes(times[order], trains.units[order], trains.offsets)


def exchange_trains(trains: SpikeTrains, seed: int | np.random.Generator) -> SpikeTrains:
    """Exchange each unit's whole spike train between the samples of a class, at random.

    Keeps each train, so the profile, the intervals and the distribution of the counts of each unit in each
    class; synchrony, order and lags between units remain only as far as they follow from the profile.

    Example:
        >>> trains = SpikeTrains.from_samples([([1, 5], [0, 0]), ([3], [0]), ([8], [0])], labels=[0, 0, 1],
        ...                                   n_units=1, duration_us=10)
        >>> exchange_trains(trains, seed=3).times_us.tolist()
        [3, 1, 5, 8]
    """
    rng = np.random.default_rng(seed)
    receiver = np.empty((len(trains), trains.n_units), dtype=np.int32)
    for label in np.unique(trains.labels):
        members = np.flatnonzero(trains.labels == label)
        receiver[members] = rng.permuted(np.tile(members, (trains.n_units, 1)), axis=1).T
    sample = receiver[trains.sample_index, trains.units]
    order = np.lexsort((trains.times_us, sample))
    offsets = offsets_from_lengths(np.bincount(sample, minlength=len(trains)))
    return trains.with_spikes(trains.times_us[order], trains.units[order], offsets)


class _Reading(NamedTuple):
    setting: int
    validation_accuracy: float
    predictions: Int64[np.ndarray, " tests"]


def _read(parts: Sequence[SpikeTrains], chance: Sequence[SpikeTrains], kind: str, setting: int) -> _Reading:
    """Fit to the first part with the second for validation, and return the classes given to the third.

    ``chance`` are exchanges of the first part, which leave only what follows from the profile.
    """
    train, validation, _ = parts
    n_classes = max(train.n_classes, validation.n_classes)
    features = [kind_features(part, kind, setting) for part in parts]
    if kind == "order":
        features = _without_lag(features, [kind_features(part, kind, setting) for part in chance])
    x, x_val, x_test = _without_counts(features)
    ridge = fit_ridge(x, train.labels, x_val, validation.labels, n_classes)
    return _Reading(setting, ridge.validation_accuracy, ridge.scores(x_test).argmax(axis=1))


def _without_lag(parts: Sequence[KindFeatures], chance: Sequence[KindFeatures]) -> list[KindFeatures]:
    """Take out of who leads what follows from there being a lag within the horizon at all.

    Beyond chance, two units have S more pairs of spikes within the horizon, and the first unit leads in
    A = ρS more of them than the second. ρ is taken from all classes together, if A is two standard errors
    from 0. A - ρS differs between classes in which ρ differs, but not if S alone does.
    """
    first = parts[0]
    led = first.values.mean(axis=0) - np.mean([part.values.mean(axis=0) for part in chance], axis=0)
    near = first.symmetric.mean(axis=0) - np.mean([part.symmetric.mean(axis=0) for part in chance], axis=0)
    error = first.values.std(axis=0) * np.sqrt((1 + 1 / len(chance)) / len(first.values))
    share = np.zeros_like(led)
    np.divide(led, near, out=share, where=(np.abs(led) > 2 * error) & (near > 0))
    share = share.clip(-1, 1)
    return [KindFeatures(part.values - share * part.symmetric, part.counts) for part in parts]


def _without_counts(parts: Sequence[KindFeatures]) -> list[Float32[np.ndarray, "samples features"]]:
    """Take out of each feature's mean and variance what the counts foretell, by regression on the first part.

    Everything is divided by the root of what is expected first, so that the variance is even. Then one
    function of the counts after another is taken out of the values and of the functions that remain, which
    is regression on all at once (Frisch, Waugh and Lovell).
    """
    columns = []
    for part in parts:
        root = np.sqrt(np.maximum(part.counts[0], _FEWEST))
        columns.append([array / root for array in (np.ones_like(root), *part.counts, part.values)])
    for k in range(len(columns[0]) - 1):
        count = columns[0][k]
        mean = count.mean(axis=0)
        centred = count - mean
        variance = (centred**2).mean(axis=0)
        for m in range(k + 1, len(columns[0])):
            covariance = np.einsum("sic,sic->ic", *np.broadcast_arrays(centred, columns[0][m])) / len(centred)
            slope = np.zeros_like(covariance)
            np.divide(covariance, variance, out=slope, where=variance > 1e-10 * mean**2)
            for column in columns:
                column[m] = column[m] - slope * (column[k] - mean)
    return [values.reshape(len(values), -1) for *_, values in columns]


def _onset(trains: SpikeTrains, group_of_unit: np.ndarray, n_bins: int) -> KindFeatures:
    n_groups = group_of_unit[-1] + 1
    bins = np.minimum(trains.times_us.astype(np.int64) * n_bins // trains.duration_us, n_bins - 1)
    cell = (trains.sample_index * n_groups + group_of_unit[trains.units]) * n_bins + bins
    counts = np.bincount(cell, minlength=len(trains) * n_groups * n_bins)
    values = counts.reshape(len(trains), n_groups, n_bins).astype(np.float32)
    return KindFeatures(values, (values.sum(axis=2, keepdims=True),))


def _isi(trains: SpikeTrains, group_of_unit: np.ndarray, classes_an_octave: int) -> KindFeatures:
    n_groups = group_of_unit[-1] + 1
    n_octaves = np.log2(trains.duration_us / _SHORTEST_INTERVAL_US)
    exponents = np.arange(np.ceil(n_octaves * classes_an_octave) + 1) / classes_an_octave
    edges_us = np.concatenate([[-1], _SHORTEST_INTERVAL_US * 2**exponents]).astype(np.int64)
    values = interval_counts(
        trains.times_us, trains.units, trains.offsets, group_of_unit, n_groups, edges_us
    ).astype(np.float32)
    counts = trains.counts()
    first_unit = np.searchsorted(group_of_unit, np.arange(n_groups))
    n_spikes = np.add.reduceat(counts, first_unit, axis=1)[:, :, None].astype(np.float32)
    by_chance = _intervals_by_chance(counts, first_unit, edges_us / trains.duration_us)
    return KindFeatures(values, (*by_chance, n_spikes))


def _intervals_by_chance(
    counts: Int32[np.ndarray, "samples units"],
    first_unit: Int64[np.ndarray, " groups"],
    edges: Float64[np.ndarray, " classes_plus_1"],
) -> list[Float32[np.ndarray, "samples groups classes"]]:
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


def _synchrony(trains: SpikeTrains, group_of_unit: np.ndarray, window_ms: int) -> KindFeatures:
    symmetric, _ = _correlograms(trains, group_of_unit, [-1, 1000 * window_ms])
    return KindFeatures(symmetric, (_pairs_of_spikes(trains, group_of_unit),))


def _order(trains: SpikeTrains, group_of_unit: np.ndarray, horizon_ms: int) -> KindFeatures:
    symmetric, antisymmetric = _correlograms(trains, group_of_unit, [0, 1000 * horizon_ms])
    return KindFeatures(antisymmetric, (_pairs_of_spikes(trains, group_of_unit),), symmetric)


def _lag(trains: SpikeTrains, group_of_unit: np.ndarray, width_ms: int) -> KindFeatures:
    edges_us = 1000 * (COINCIDENCE_MS + width_ms * np.arange(_N_LAGS + 1))
    symmetric, _ = _correlograms(trains, group_of_unit, edges_us)
    return KindFeatures(symmetric, (_pairs_of_spikes(trains, group_of_unit),))


_FEATURES: dict[str, Callable[[SpikeTrains, np.ndarray, int], KindFeatures]] = {
    "onset": _onset,
    "ISI": _isi,
    "synchrony": _synchrony,
    "order": _order,
    "lag": _lag,
}


def _correlograms(
    trains: SpikeTrains, group_of_unit: np.ndarray, edges_us: Sequence[int] | np.ndarray
) -> tuple[Float32[np.ndarray, "samples pairs classes"], Float32[np.ndarray, "samples pairs classes"]]:
    """Return the symmetric and the antisymmetric part of the cross-correlogram of every two groups."""
    n_groups = group_of_unit[-1] + 1
    i, j = np.triu_indices(n_groups, k=1)
    symmetric = np.empty((len(trains), len(i), len(edges_us) - 1), dtype=np.float32)
    antisymmetric = np.empty_like(symmetric)
    for start in range(0, len(trains), _BLOCK):
        block = trains[start : start + _BLOCK]
        groups = group_of_unit[block.units]
        counts = lag_counts(block.times_us, groups, block.offsets, n_groups, np.asarray(edges_us))
        i_leads, j_leads = counts[:, i, :, j], counts[:, j, :, i]  # (pairs, samples, classes)
        symmetric[start : start + _BLOCK] = (i_leads + j_leads).swapaxes(0, 1)
        antisymmetric[start : start + _BLOCK] = (i_leads - j_leads).swapaxes(0, 1)
    return symmetric, antisymmetric


def _pairs_of_spikes(
    trains: SpikeTrains, group_of_unit: np.ndarray
) -> Float32[np.ndarray, "samples pairs 1"]:
    """Return how many pairs of spikes there are of every two groups, at any lag."""
    n_groups = group_of_unit[-1] + 1
    first_unit = np.searchsorted(group_of_unit, np.arange(n_groups))
    counts = np.add.reduceat(trains.counts().astype(np.float32), first_unit, axis=1)
    i, j = np.triu_indices(n_groups, k=1)
    return (counts[:, i] * counts[:, j])[:, :, None]
