import math

import numpy as np
import pytest
from scipy import stats

from beyondrate.audit.metrics import (
    Resampler,
    accuracy_interval,
    chance_level,
    chance_p_value,
    count_leak,
    difference_interval,
    half_level,
    half_level_interval,
    holm,
)


def answers(accuracy: float, seeds: int, tests: int, rng: np.random.Generator) -> np.ndarray:
    return rng.random((seeds, tests)) < accuracy


def test_the_interval_covers_the_true_accuracy_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(300):
        interval = accuracy_interval(
            answers(0.7, 3, 120, rng), Resampler(120, seed=trial, resamples=300), confidence=0.95
        )
        covered += interval.low <= 0.7 <= interval.high
    # 95 % of 300 with a margin of four standard errors below; the interval is conservative, so no bound above
    assert covered >= 300 * 0.95 - 4 * math.sqrt(300 * 0.95 * 0.05)


def test_a_perfect_score_is_not_certain():
    interval = accuracy_interval(np.ones((5, 40), dtype=bool), Resampler(40))
    assert interval.estimate == interval.high == 1
    assert interval.low == pytest.approx(
        40 / (40 + stats.norm.ppf(0.975) ** 2), abs=1e-9
    )  # Wilson, closed form


def test_differences_are_paired_over_the_samples():
    rng = np.random.default_rng(1)
    first = np.repeat(answers(0.5, 1, 400, rng), 2, axis=0)
    second = first.copy()
    second[:, :20] = ~second[:, :20]
    paired = difference_interval(first, second, Resampler(400))
    unpaired = difference_interval(first, rng.permuted(second, axis=1), Resampler(400))
    assert paired.high - paired.low < 0.6 * (unpaired.high - unpaired.low)


def test_chance_is_the_best_constant_guess():
    assert chance_level(np.array([0, 0, 1, 2])) == 0.5


def test_the_permutation_test_agrees_with_the_binomial_where_that_is_exact():
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(4), 50)
    predictions = rng.integers(0, 4, (1, 200))
    predictions[0, :30] = labels[:30]
    right = int((predictions[0] == labels).sum())
    exact = float(stats.binom.sf(right - 1, 200, 0.25))
    assert 1e-4 < exact < 0.2
    assert chance_p_value(predictions, labels) == pytest.approx(exact, rel=0.35)


def test_random_guesses_are_seldom_significant_and_the_p_value_is_uniform():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 90)
    p_values = []
    for trial in range(200):
        predictions = np.repeat(rng.integers(0, 3, (1, 90)), 2, axis=0)  # two seeds that always agree
        p_values.append(chance_p_value(predictions, labels, seed=trial, permutations=400))
    share = np.mean(np.array(p_values) <= 0.1)
    assert share <= 0.1 + 4 * math.sqrt(0.1 * 0.9 / 200)
    assert min(p_values) > 1e-4


def test_a_constant_guess_is_never_significant_however_unequal_the_classes():
    labels = np.array([0] * 80 + [1] * 20)
    assert chance_p_value(np.zeros((3, 100), dtype=int), labels) == 1.0


def test_holm_against_its_definition():
    p_values = [0.001, 0.2, 0.01, 0.04]
    corrected = holm(p_values)
    ordered = sorted(p_values)
    expected = {}
    largest = 0.0
    for k, p in enumerate(ordered):
        largest = max(largest, (len(ordered) - k) * p)
        expected[p] = min(1.0, largest)
    assert corrected == pytest.approx([expected[p] for p in p_values])


def test_half_level_of_a_known_curve():
    levels = np.geomspace(0.001, 1, 400)
    accuracies = 0.1 + 0.8 / (1 + (levels / 0.02) ** 2)
    assert half_level(levels, accuracies, clean=0.9, chance=0.1) == pytest.approx(0.02, rel=1e-3)
    assert half_level(levels[:50], accuracies[:50], clean=0.9, chance=0.1) == math.inf
    assert half_level(levels[300:], accuracies[300:], clean=0.9, chance=0.1) == 0.0


def test_the_interval_of_the_half_level_holds_the_true_one():
    rng = np.random.default_rng(4)
    levels = [0.005, 0.01, 0.02, 0.04, 0.08]
    perturbed = {x: answers(0.1 + 0.8 / (1 + (x / 0.02) ** 2), 3, 400, rng) for x in levels}
    interval = half_level_interval(answers(0.9, 3, 400, rng), perturbed, 0.1, Resampler(400))
    assert 0.01 < interval.low < 0.02 < interval.high < 0.04


def test_count_leak_is_eta_squared_of_a_one_way_anova():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 4, 200)
    counts = rng.poisson(5, (200, 3)) + np.stack([labels, 3 * (labels == 2), 0 * labels], axis=1)
    counts[:, 2] = 7
    leak = count_leak(counts, labels)
    for unit in (0, 1):
        f_value, _ = stats.f_oneway(*(counts[labels == k, unit] for k in range(4)))
        assert leak[unit] == pytest.approx(3 * f_value / (3 * f_value + 196))
    assert leak[2] == 0
