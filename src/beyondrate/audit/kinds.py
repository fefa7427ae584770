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
is taken out of it. They are blind in the mean, which is what a linear classifier reads. Many units are
pooled, and then what is taken out is what the counts of each unit foretell (see kind_features).

No kind is blind to what follows from another. Units that fire at set times after the start also fire at set
intervals, lags and order; only the opposite does not hold. So every kind but onset is read a second time from
data of which no more is left than when each unit fires in each class: for ISI its spikes, for the kinds
between units its trains, are exchanged between the samples of a class. What a kind still tells then, it
owes to onset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64

from beyondrate.audit.kind_features import (
    KINDS,
    SETTINGS,
    Correlograms,
    KindFeatures,
    counts_differ,
    kind_features,
    order_correlograms,
)
from beyondrate.audit.linear_probe import check_alike, fit_ridge, stratified_subsample
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, offsets_from_lengths

MAX_TRAIN = 3000
_FEWEST = 0.1  # expected spikes, pairs or intervals below which a feature's variance is not evened out
_MORE_EXCHANGES = 3  # of the training samples, for what order owes to chance
_ROUNDING = 1e-6  # share of a feature's variance below which what counts leave of it is rounding


@dataclass(frozen=True, eq=False)
class KindResult:
    """How well one kind of timing tells the classes of the test samples.

    Args:
        kind: of KINDS.
        settings: name and value of the one of SETTINGS that did best on the validation samples.
        validation_accuracy: what it reached there.
        predictions: class given to each test sample.
        from_profile: class given by a classifier trained and tested on data of which only the profile is left
            (see the module). It can be the better one: samples that differ as a whole, by their speaker's
            tempo for example, are made alike by the exchange.
        confounded: whether counts differ between samples and may show in it; then it is not to be claimed.
    """

    kind: str
    settings: dict[str, int]
    validation_accuracy: float
    predictions: Int64[np.ndarray, " tests"]
    from_profile: Int64[np.ndarray, " tests"]
    confounded: bool


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
        >>> for result in probe_kinds(*parts, kinds=["ISI", "lag"]):
        ...     print(result.kind, (result.predictions == parts[2].labels).mean() > 0.9)
        ISI True
        lag False
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
    confounded = counts_differ(parts)
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
                from_profile=from_profile.predictions,
                confounded=confounded,
            )
        )
    return results


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
    features = kind_features(parts, kind, setting)
    if kind == "order":
        features = _without_lag(features, [order_correlograms(part, setting) for part in chance])
    x, x_val, x_test = _without_counts(features)
    ridge = fit_ridge(x, train.labels, x_val, validation.labels, n_classes)
    return _Reading(setting, ridge.validation_accuracy, ridge.scores(x_test).argmax(axis=1))


def _without_lag(parts: Sequence[KindFeatures], chance: Sequence[Correlograms]) -> list[KindFeatures]:
    """Take out of who leads what follows from there being a lag within the horizon at all.

    Beyond chance, two units have S more pairs of spikes within the horizon, and the first unit leads in
    A = ρS more of them than the second. ρ is taken from all classes together, if A is two standard errors
    from 0. A - ρS differs between classes in which ρ differs, but not if S alone does.
    """
    first = parts[0]
    led = first.values.mean(axis=0) - np.mean([part.antisymmetric.mean(axis=0) for part in chance], axis=0)
    near = first.symmetric.mean(axis=0) - np.mean([part.symmetric.mean(axis=0) for part in chance], axis=0)
    error = first.values.std(axis=0) * np.sqrt((1 + 1 / len(chance)) / len(first.values))
    share = np.zeros_like(led)
    np.divide(led, near, out=share, where=(np.abs(led) > 2 * error) & (near > 0))
    share = share.clip(-1, 1)
    return [
        KindFeatures(
            part.values - share * part.symmetric,
            part.counts,
            part.foretold - share * part.symmetric_foretold,
        )
        for part in parts
    ]


def _without_counts(parts: Sequence[KindFeatures]) -> list[Float32[np.ndarray, "samples features"]]:
    """Take out of each feature's mean and variance what the counts foretell, by regression on the first part.

    What the counts of single units foretell is taken off as it is: slopes of its own for each class of time
    would err differently, and the classes together, which are a count, show it. Then everything is divided
    by the root of what is expected first, so that the variance is even, and one function of the counts after
    another is taken out of the values and of the functions that remain, which is regression on all at once
    (Frisch, Waugh and Lovell).
    """
    columns = []
    for part in parts:
        root = np.sqrt(np.maximum(part.counts[0], _FEWEST))
        columns.append(
            [array / root for array in (np.ones_like(root), *part.counts, part.values - part.foretold)]
        )
    whole = parts[0].values / np.sqrt(np.maximum(parts[0].counts[0], _FEWEST))
    spread = [column.var(axis=0) for column in (*columns[0][:-1], whole)]
    for k in range(len(columns[0]) - 1):
        count = columns[0][k]
        mean = count.mean(axis=0)
        centred = count - mean
        variance = (centred**2).mean(axis=0)
        varies = (variance > 1e-10 * mean**2) & (variance > _ROUNDING * spread[k])
        for m in range(k + 1, len(columns[0])):
            covariance = np.einsum("sic,sic->ic", *np.broadcast_arrays(centred, columns[0][m])) / len(centred)
            slope = np.zeros_like(covariance)
            np.divide(covariance, variance, out=slope, where=varies)
            for column in columns:
                column[m] = column[m] - slope * (column[k] - mean)
    # Counts still show in the rounding that is left of a feature that they foretell exactly.
    left = columns[0][-1].var(axis=0) > _ROUNDING * spread[-1]
    return [(values * left).reshape(len(values), -1) for *_, values in columns]
