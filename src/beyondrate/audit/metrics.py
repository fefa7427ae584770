"""Intervals and tests: every figure of an audit comes with both, over seeds and over test samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 2000
PERMUTATIONS = 20_000
_BLOCK = 1_000  # permutations held at a time
_PLAINLY_CHANCE = 50  # permutations as high as the observed accuracy that settle the matter


class Interval(NamedTuple):
    """An estimate with the ends of its confidence interval."""

    estimate: float
    low: float
    high: float


class Resampler:
    """The same resampled test samples for every arm of one variant, so that differences are paired.

    Seeds are drawn anew for each arm, test samples once for all arms (hierarchical bootstrap).

    Args:
        n_test: number of test samples.
        seed: of the resampling.
        resamples: number of bootstrap draws.
    """

    def __init__(self, n_test: int, *, seed: int = 0, resamples: int = RESAMPLES) -> None:
        self.rng = np.random.default_rng([seed, n_test])
        self.weights = self.rng.multinomial(n_test, np.full(n_test, 1 / n_test), size=resamples) / n_test

    def accuracies(self, correct: Bool[np.ndarray, "seeds tests"]) -> Float64[np.ndarray, " resamples"]:
        """Return the accuracy of each bootstrap draw."""
        n_seeds = len(correct)
        seeds = self.rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=len(self.weights)) / n_seeds
        return np.einsum("rs,st,rt->r", seeds, correct.astype(np.float64), self.weights, optimize=True)


def accuracy_interval(
    correct: Bool[np.ndarray, "seeds tests"], resampler: Resampler, confidence: float = CONFIDENCE
) -> Interval:
    """Return the mean accuracy with its interval over seeds and test samples.

    The interval is the wider of the hierarchical bootstrap and Wilson's score interval at the number of
    test samples: the bootstrap of a perfect score would otherwise claim to be certain.

    >>> correct = np.ones((2, 50), dtype=bool)
    >>> interval = accuracy_interval(correct, Resampler(50))
    >>> interval.estimate, round(interval.low, 2), interval.high
    (1.0, 0.93, 1.0)
    """
    mean = float(correct.mean())
    low, high = quantile_interval(resampler.accuracies(correct), confidence)
    wilson = _wilson(mean, correct.shape[1], confidence)
    return Interval(mean, min(low, wilson[0]), min(1.0, max(high, wilson[1])))


def difference_interval(
    first: Bool[np.ndarray, "seeds tests"],
    second: Bool[np.ndarray, "other_seeds tests"],
    resampler: Resampler,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return how much more accurate the first arm is, paired over the test samples."""
    draws = resampler.accuracies(first) - resampler.accuracies(second)
    low, high = quantile_interval(draws, confidence)
    return Interval(float(first.mean() - second.mean()), low, high)


def quantile_interval(draws: Float64[np.ndarray, " draws"], confidence: float) -> tuple[float, float]:
    """Return the central interval that holds the given share of the draws."""
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def chance_level(labels: Int64[np.ndarray, " tests"]) -> float:
    """Return the accuracy of the best constant guess: the share of the largest class."""
    return float(np.bincount(labels).max() / len(labels))


def chance_p_value(
    predictions: Integer[np.ndarray, "seeds tests"],
    labels: Int64[np.ndarray, " tests"],
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> float:
    """Return the p-value of an accuracy this high if predictions knew nothing of the labels.

    A permutation test over the test samples of the mean accuracy of all seeds: exact for unequal
    classes, and for seeds that are not independent because they share the samples. An accuracy that does not
    exceed the best constant guess is never significant, however unevenly the guesses are spread. It stops
    early once the accuracy is plainly within chance (sequential Monte Carlo, Besag and Clifford 1991).
    """
    observed = float((predictions == labels).mean())
    if observed <= chance_level(labels):
        return 1.0
    rng = np.random.default_rng([seed, len(labels)])
    n_classes = int(max(labels.max(), predictions.max())) + 1
    votes = np.stack([(predictions == k).mean(axis=0) for k in range(n_classes)])
    as_high = drawn = 0
    while drawn < permutations and as_high < _PLAINLY_CHANCE:
        block = np.broadcast_to(labels, (min(_BLOCK, permutations - drawn), len(labels)))
        by_chance = votes[rng.permuted(block, axis=1), np.arange(len(labels))].mean(axis=1)
        as_high += int(np.count_nonzero(by_chance >= observed - 1e-12))
        drawn += len(block)
    return (1 + as_high) / (1 + drawn)


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
    estimate = half_level(levels, [float(perturbed[x].mean()) for x in levels], float(clean.mean()), chance)
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


def _wilson(share: float, n: int, confidence: float) -> tuple[float, float]:
    z = float(stats.norm.ppf((1 + confidence) / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, middle - reach), min(1.0, middle + reach)
