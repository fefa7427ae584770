"""Intervals and tests: every figure of an audit comes with both, over seeds and over test samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer, Shaped
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 2000
PERMUTATIONS = 20_000
ENOUGH_GROUPS = (
    8  # from as many on, intervals are over groups: of fewer, too little is known of how they differ
)
_HELD = 1 << 20  # numbers of permutations that are held at a time
_PLAINLY_CHANCE = 50  # permutations as high as the observed accuracy that settle the matter


class Interval(NamedTuple):
    """An estimate with the ends of its confidence interval."""

    estimate: float
    low: float
    high: float


class HeldOut:
    """The test samples: how much each counts, and which of them are independent.

    Args:
        labels: true class of each.
        groups: who or what each came from (speaker, subject); None if they all came on their own.
        balanced: whether all classes count alike, so that an accuracy is the mean over the classes of the
            share that is right (balanced accuracy); else all samples count alike.

    Attributes:
        shares: how much each sample counts; they add up to 1.
        chance: the accuracy of the best constant guess.

    Example:
        >>> held_out = HeldOut(np.array([0, 0, 0, 1]), balanced=True)
        >>> held_out.chance, held_out.shares.round(3).tolist()
        (0.5, [0.167, 0.167, 0.167, 0.5])
    """

    def __init__(
        self,
        labels: Integer[np.ndarray, " tests"],
        groups: Shaped[np.ndarray, " tests"] | None = None,
        *,
        balanced: bool = False,
    ) -> None:
        self.labels = labels
        each = np.arange(len(labels))
        self.groups = each if groups is None else np.unique(groups, return_inverse=True)[1]
        self.has_groups = groups is not None
        sizes = np.bincount(labels)
        self.class_shares = np.full(len(sizes), 1 / len(labels))
        if balanced:
            np.divide(1 / np.count_nonzero(sizes), sizes, out=self.class_shares, where=sizes > 0)
        self.shares = self.class_shares[labels]
        self.chance = float((self.class_shares * sizes).max())

    @property
    def one_class_groups(self) -> int:
        """How many groups there are, if each has one class only; else 0."""
        pairs = np.unique(np.stack([self.groups, self.labels]), axis=1)
        n_groups = int(self.groups.max()) + 1
        return n_groups if self.has_groups and 1 < n_groups == pairs.shape[1] else 0

    @property
    def effective_groups(self) -> float:
        """How many groups of one size would say as much: (Σ n)² / Σ n² (Kish 1965), n what each counts."""
        return float(1 / (np.bincount(self.groups, self.shares) ** 2).sum())

    @property
    def units(self) -> Int64[np.ndarray, " tests"]:
        """Which independent unit each sample belongs to: its group, or itself where groups are few."""
        return self.groups if self.effective_groups >= ENOUGH_GROUPS else np.arange(len(self.labels))


class Resampler:
    """The same resampled test samples for every arm of one variant, so that differences are paired.

    Seeds are drawn anew for each arm, test samples (or their groups) once for all arms: a hierarchical
    bootstrap. What n draws of n scatter less than n new ones would, by √((n - 1) / n), is made up for.

    Args:
        held_out: the test samples.
        seed: of the resampling.
        resamples: number of bootstrap draws.
    """

    def __init__(self, held_out: HeldOut, *, seed: int = 0, resamples: int = RESAMPLES) -> None:
        self.held_out = held_out
        self.rng = np.random.default_rng([seed, len(held_out.labels)])
        units = held_out.units
        self.n_units = int(units.max()) + 1
        weights = self._draws(self.n_units, resamples)[:, units] * held_out.shares
        self.weights = weights / weights.sum(axis=1, keepdims=True)

    def mean(self, correct: Bool[np.ndarray, "seeds tests"]) -> float:
        """Return the mean accuracy of the seeds."""
        return float(np.average(correct.mean(axis=0), weights=self.held_out.shares))

    def accuracies(self, correct: Bool[np.ndarray, "seeds tests"]) -> Float64[np.ndarray, " resamples"]:
        """Return the accuracy of each bootstrap draw."""
        seeds = self._draws(len(correct), len(self.weights)) / len(correct)
        return np.einsum("rs,st,rt->r", seeds, correct.astype(np.float64), self.weights, optimize=True)

    def ends(
        self,
        estimate: float,
        draws: Float64[np.ndarray, " resamples"],
        arms: Sequence[Bool[np.ndarray, "seeds tests"]],
        confidence: float,
    ) -> tuple[float, float]:
        """Return the ends of an interval: the draws' quantiles, as much farther out as Student's t is.

        The expanded percentile interval (Hesterberg, The American Statistician 69, 2015): few seeds say
        little of how much seeds differ. The degrees of freedom are Welch's, of the seeds of the arms that the
        estimate is made of, and of the test samples.
        """
        of_seeds = [(self._seed_variance(arm), len(arm) - 1) for arm in arms if len(arm) > 1]
        total = float(draws.var())
        of_tests = max(0.0, total - sum(variance for variance, _ in of_seeds)), self.n_units - 1
        terms = [(variance, free) for variance, free in (*of_seeds, of_tests) if variance > 0 and free > 0]
        if not terms:
            return estimate, estimate
        at = (1 + confidence) / 2
        farther = float(stats.t.ppf(at, _welch(terms)) / stats.norm.ppf(at))
        low, high = quantile_interval(draws, confidence)
        return estimate + farther * (low - estimate), estimate + farther * (high - estimate)

    def _seed_variance(self, correct: Bool[np.ndarray, "seeds tests"]) -> float:
        return float((correct @ self.held_out.shares).var(ddof=1)) / len(correct)

    def _draws(self, n: int, resamples: int) -> Float64[np.ndarray, "resamples n"]:
        """Return how often each of n is drawn, the scatter about once made that of n new ones."""
        times = self.rng.multinomial(n, np.full(n, 1 / n), size=resamples)
        return 1 + (times - 1) * math.sqrt(n / max(1, n - 1))


def accuracy_interval(
    correct: Bool[np.ndarray, "seeds tests"], resampler: Resampler, confidence: float = CONFIDENCE
) -> Interval:
    """Return the mean accuracy with its interval over seeds and test samples.

    The interval is the wider of the hierarchical bootstrap and Wilson's score interval at the number of
    test samples: the bootstrap of a perfect score would otherwise claim to be certain.

    >>> correct = np.ones((2, 50), dtype=bool)
    >>> interval = accuracy_interval(correct, Resampler(HeldOut(np.zeros(50, dtype=int))))
    >>> interval.estimate, round(interval.low, 2), interval.high
    (1.0, 0.93, 1.0)
    """
    mean = resampler.mean(correct)
    low, high = resampler.ends(mean, resampler.accuracies(correct), [correct], confidence)
    n_alike = 1 / float((resampler.held_out.shares**2).sum())
    wilson = _wilson(mean, n_alike, confidence)
    return Interval(mean, max(0.0, min(low, wilson[0])), min(1.0, max(high, wilson[1])))


def difference_interval(
    first: Bool[np.ndarray, "seeds tests"],
    second: Bool[np.ndarray, "other_seeds tests"],
    resampler: Resampler,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return how much more accurate the first arm is, paired over the test samples.

    Where no test sample is told apart by the arms, the bootstrap would be certain: the interval is then that
    of a share of which nothing was seen, by Wilson's score.
    """
    draws = resampler.accuracies(first) - resampler.accuracies(second)
    difference = resampler.mean(first) - resampler.mean(second)
    low, high = resampler.ends(difference, draws, [first, second], confidence)
    if np.ptp(draws) < 1e-9:
        unseen = _unseen(first.shape[1], confidence)
        low, high = max(-1.0, difference - unseen), min(1.0, difference + unseen)
    return Interval(difference, low, high)


def change_interval(change: Float64[np.ndarray, "seeds tests"], confidence: float = CONFIDENCE) -> Interval:
    """Return the mean change of the same nets on the same samples under two tests, with its interval.

    ``change`` is +1, 0 or -1 for each seed and sample. Of the seeds and of the samples the scatter of their
    means is added; Student's t has Welch's degrees of freedom.

    >>> [round(x, 3) for x in change_interval(np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]))]
    [0.125, -0.438, 0.688]
    """
    terms = [(float(means.var(ddof=1)) / len(means), len(means) - 1) for means in _means(change)]
    terms = [(variance, free) for variance, free in terms if variance > 0]
    mean = float(change.mean())
    if not terms:
        unseen = _unseen(change.shape[1], confidence)
        return Interval(mean, mean - unseen, mean + unseen)
    reach = math.sqrt(sum(v for v, _ in terms)) * float(stats.t.ppf((1 + confidence) / 2, _welch(terms)))
    return Interval(mean, mean - reach, mean + reach)


def _means(change: Float64[np.ndarray, "seeds tests"]) -> list[Float64[np.ndarray, " means"]]:
    """Return the means of seeds and of samples, where there are several."""
    return [means for means in (change.mean(axis=1), change.mean(axis=0)) if len(means) > 1]


def _welch(terms: Sequence[tuple[float, int]]) -> float:
    """Return the degrees of freedom of a sum of independent variances, each with its own."""
    return sum(variance for variance, _ in terms) ** 2 / sum(v**2 / free for v, free in terms)


def exchange_p_value(
    first: Bool[np.ndarray, "seeds tests"],
    second: Bool[np.ndarray, "other_seeds tests"],
    held_out: HeldOut,
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> float:
    """Return the p-value of the first arm being so much more accurate if the two could be exchanged.

    For each test sample (or group of them) by itself the arms are exchanged or not: a permutation test that
    is exact for these nets, also where few samples tell them apart.

    >>> sure, unsure = np.ones((1, 40), dtype=bool), np.repeat([[True, False]], 20, axis=1)
    >>> held_out = HeldOut(np.zeros(40, dtype=int))
    >>> exchange_p_value(sure, unsure, held_out) < 0.001, exchange_p_value(sure, sure, held_out)
    (True, 1.0)
    """
    each = (first.mean(axis=0) - second.mean(axis=0)) * held_out.shares
    by_unit = np.bincount(held_out.units, each)
    by_unit = by_unit[by_unit != 0]
    rng = np.random.default_rng([seed, len(each)])

    def exchanged(n: int) -> Float64[np.ndarray, " draws"]:
        return (2 * rng.integers(0, 2, (n, len(by_unit))) - 1) @ by_unit

    return _share_as_high(float(by_unit.sum()), exchanged, permutations, len(by_unit))


def quantile_interval(draws: Float64[np.ndarray, " draws"], confidence: float) -> tuple[float, float]:
    """Return the central interval that holds the given share of the draws."""
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def chance_p_value(
    predictions: Integer[np.ndarray, "seeds tests"],
    held_out: HeldOut,
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> float:
    """Return the p-value of an accuracy this high if predictions knew nothing of the labels.

    A permutation test of the mean accuracy of all seeds: exact for unequal classes, and for seeds that are
    not independent because they share the samples. Labels are permuted within each group, so that to know the
    group (the speaker, the subject) is not taken for knowing the class; where no group has more than one
    class, whole groups exchange theirs, and few groups can show nothing. An accuracy that does not exceed
    the best constant guess is never significant, however unevenly the guesses are spread. It stops early
    once the accuracy is plainly within chance (sequential Monte Carlo, Besag and Clifford 1991).
    """
    labels, shares = held_out.labels, held_out.class_shares
    observed = float(np.average((predictions == labels).mean(axis=0), weights=held_out.shares))
    if observed <= held_out.chance:
        return 1.0
    rng = np.random.default_rng([seed, len(labels)])
    n_classes = int(max(labels.max(), predictions.max())) + 1
    votes = np.stack([(predictions == k).mean(axis=0) for k in range(n_classes)])

    def by_chance(n: int) -> Float64[np.ndarray, " draws"]:
        drawn = _permuted(held_out, n, rng)
        return (votes[drawn, np.arange(len(labels))] * shares[drawn]).sum(axis=1)

    return _share_as_high(observed, by_chance, permutations, len(labels))


def _share_as_high(
    observed: float,
    by_chance: Callable[[int], Float64[np.ndarray, " draws"]],
    permutations: int,
    n_permuted: int,
) -> float:
    """Return the share of permutations, the one observed among them, that are as high as it."""
    at_a_time = max(1, _HELD // max(1, n_permuted))
    as_high = drawn = 0
    while drawn < permutations and as_high < _PLAINLY_CHANCE:
        block = by_chance(min(at_a_time, permutations - drawn))
        as_high += int(np.count_nonzero(block >= observed - 1e-12))
        drawn += len(block)
    return (1 + as_high) / (1 + drawn)


def _permuted(held_out: HeldOut, n: int, rng: np.random.Generator) -> Int64[np.ndarray, "draws tests"]:
    """Return labels permuted within groups, or between whole groups where each has one class."""
    labels, groups = held_out.labels, held_out.groups
    if not held_out.has_groups or groups.max() == 0:
        return rng.permuted(np.broadcast_to(labels, (n, len(labels))), axis=1)
    members = np.argsort(groups, kind="stable")
    if held_out.one_class_groups:
        of_group = labels[np.unique(groups, return_index=True)[1]]
        return rng.permuted(np.broadcast_to(of_group, (n, len(of_group))), axis=1)[:, groups]
    within = np.argsort(groups[members] + rng.random((n, len(labels))), axis=1)
    drawn = np.empty((n, len(labels)), labels.dtype)
    drawn[:, members] = labels[members][within]
    return drawn


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm's step-down), in the given order.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    corrected = np.empty(len(p_values))
    largest = 0.0
    for rank, position in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[position]))
        corrected[position] = largest
    return corrected.tolist()


def half_level(levels: Sequence[float], accuracies: Sequence[float], clean: float, chance: float) -> float:
    """Return the level at which half of the above-chance accuracy is gone; inf if none takes that much.

    Interpolated on a logarithmic axis between the two levels that enclose it; 0 if the smallest level
    already takes more than half.

    >>> round(half_level([0.01, 0.1], [0.9, 0.1], clean=0.9, chance=0.1), 4)
    0.0316
    """
    half = chance + (clean - chance) / 2
    if accuracies[0] < half:
        return 0.0
    for i in range(1, len(levels)):
        if accuracies[i] < half:
            before, after = accuracies[i - 1], accuracies[i]
            share = (before - half) / (before - after)
            return math.exp((1 - share) * math.log(levels[i - 1]) + share * math.log(levels[i]))
    return math.inf


def half_level_interval(
    clean: Bool[np.ndarray, "seeds tests"],
    perturbed: Mapping[float, Bool[np.ndarray, "seeds tests"]],
    chance: float,
    resampler: Resampler,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the half level with its interval; an end may be 0 or inf where the levels do not reach."""
    levels = sorted(perturbed)
    means = [resampler.mean(perturbed[level]) for level in levels]
    estimate = half_level(levels, means, resampler.mean(clean), chance)
    clean_draws = resampler.accuracies(clean)
    draws = np.stack([resampler.accuracies(perturbed[x]) for x in levels], axis=1)
    halves = np.sort(
        [half_level(levels, row, top, chance) for row, top in zip(draws.tolist(), clean_draws, strict=True)]
    )
    low = halves[int((1 - confidence) / 2 * (len(halves) - 1))]
    high = halves[math.ceil((1 + confidence) / 2 * (len(halves) - 1))]
    return Interval(estimate, float(low), float(high))


def count_leak(
    counts: Integer[np.ndarray, "samples units"], labels: Int64[np.ndarray, " samples"]
) -> Float64[np.ndarray, " units"]:
    """Return for each unit the share of its count's variance that the class explains (η²), 0 if constant."""
    counts = counts.astype(np.float64)
    centred = counts - counts.mean(axis=0)
    total = (centred**2).sum(axis=0)
    between = np.zeros(counts.shape[1])
    for label in np.unique(labels):
        rows = centred[labels == label]
        between += len(rows) * rows.mean(axis=0) ** 2
    return np.divide(between, total, out=np.zeros_like(total), where=total > 0)


def _unseen(n: int, confidence: float) -> float:
    """Return the largest share that may well not show in so many samples."""
    return _wilson(0.0, float(n), confidence)[1]


def _wilson(share: float, n: float, confidence: float) -> tuple[float, float]:
    z = float(stats.norm.ppf((1 + confidence) / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, middle - reach), min(1.0, middle + reach)
