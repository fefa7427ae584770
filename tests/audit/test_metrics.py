import math

import numpy as np
import pytest
from scipy import stats

from beyondrate.audit.metrics import (
    HeldOut,
    Resampler,
    accuracy_interval,
    chance_p_value,
    count_leak,
    difference_interval,
    exchange_p_value,
    half_level,
    half_level_interval,
    holm,
)


def answers(accuracy: float, seeds: int, tests: int, rng: np.random.Generator) -> np.ndarray:
    return rng.random((seeds, tests)) < accuracy


def independent(n_tests: int, **options: int) -> Resampler:
    return Resampler(HeldOut(np.zeros(n_tests, dtype=int)), **options)


def test_the_interval_covers_the_true_accuracy_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(300):
        interval = accuracy_interval(
            answers(0.7, 3, 120, rng), independent(120, seed=trial, resamples=300), confidence=0.95
        )
        covered += interval.low <= 0.7 <= interval.high
    # 95 % of 300 with a margin of four standard errors below; the interval is conservative, so no bound above
    assert covered >= 300 * 0.95 - 4 * math.sqrt(300 * 0.95 * 0.05)


def test_a_perfect_score_is_not_certain():
    interval = accuracy_interval(np.ones((5, 40), dtype=bool), independent(40))
    assert interval.estimate == interval.high == 1
    assert interval.low == pytest.approx(
        40 / (40 + stats.norm.ppf(0.975) ** 2), abs=1e-9
    )  # Wilson, closed form


def test_differences_are_paired_over_the_samples():
    rng = np.random.default_rng(1)
    first = np.repeat(answers(0.5, 1, 400, rng), 2, axis=0)
    second = first.copy()
    second[:, :20] = ~second[:, :20]
    paired = difference_interval(first, second, independent(400))
    unpaired = difference_interval(first, rng.permuted(second, axis=1), independent(400))
    assert paired.high - paired.low < 0.6 * (unpaired.high - unpaired.low)


@pytest.mark.parametrize("n_seeds", [2, 5])
def test_few_seeds_that_differ_seldom_make_equal_arms_different(n_seeds):
    rng = np.random.default_rng(6)
    confidence, trials, n_tests = 0.98, 300, 1000
    held_out = HeldOut(np.zeros(n_tests, dtype=int))
    found = 0
    for trial in range(trials):
        arms = [rng.random((n_seeds, n_tests)) < rng.normal(0.7, 0.05, (n_seeds, 1)) for _ in range(2)]
        interval = difference_interval(*arms, Resampler(held_out, seed=trial, resamples=400), confidence)
        found += not interval.low <= 0 <= interval.high
    # without Student's t and the seeds' scatter made up for, five seeds are wrong in 9 % and two in 30 %
    assert found <= trials * 0.02 + 4 * math.sqrt(trials * 0.02 * 0.98)


def test_arms_that_no_sample_tells_apart_may_differ_by_what_was_not_seen():
    same = np.ones((1, 100), dtype=bool)
    interval = difference_interval(same, same, independent(100))
    unseen = stats.norm.ppf(0.975) ** 2 / (100 + stats.norm.ppf(0.975) ** 2)  # Wilson's end at 0 of 100
    assert interval == pytest.approx((0, -unseen, unseen))


def test_a_constant_guess_is_right_by_chance():
    labels = np.array([0, 0, 1, 2])
    assert HeldOut(labels).chance == 0.5
    assert HeldOut(labels, balanced=True).chance == pytest.approx(1 / 3)


def test_balanced_accuracy_is_the_mean_over_the_classes():
    labels = np.array([3] * 9 + [7])
    right = np.array([[True] * 9 + [False]])
    assert independent(10).mean(right) == pytest.approx(0.9)
    assert Resampler(HeldOut(labels, balanced=True)).mean(right) == pytest.approx(0.5)


def test_where_groups_are_many_the_interval_is_over_groups():
    rng = np.random.default_rng(7)
    covered, widths = 0, []
    for trial in range(300):
        groups = np.repeat(np.arange(12), 20)
        right = rng.random((1, 240)) < rng.normal(0.6, 0.15, 12).clip(0, 1)[groups]
        held_out = HeldOut(np.zeros(240, dtype=int), groups)
        assert held_out.effective_groups == pytest.approx(12)
        over_groups = accuracy_interval(right, Resampler(held_out, seed=trial, resamples=300))
        covered += over_groups.low <= 0.6 <= over_groups.high
        alone = accuracy_interval(right, independent(240, seed=trial, resamples=300))
        widths.append((over_groups.high - over_groups.low) / (alone.high - alone.low))
    assert covered >= 300 * 0.93 - 4 * math.sqrt(300 * 0.93 * 0.07)
    assert np.median(widths) > 1.3


def test_few_or_unequal_groups_are_few():
    labels = np.zeros(100, dtype=int)
    sizes = [45, 45, 2, 2, 2, 2, 2]
    unequal = HeldOut(labels, np.repeat(np.arange(7), sizes))
    assert unequal.effective_groups == pytest.approx(100**2 / sum(n**2 for n in sizes))
    assert unequal.units.tolist() == list(range(100))


def test_the_permutation_test_agrees_with_the_binomial_where_that_is_exact():
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(4), 50)
    predictions = rng.integers(0, 4, (1, 200))
    predictions[0, :30] = labels[:30]
    right = int((predictions[0] == labels).sum())
    exact = float(stats.binom.sf(right - 1, 200, 0.25))
    assert 1e-4 < exact < 0.2
    assert chance_p_value(predictions, HeldOut(labels)) == pytest.approx(exact, rel=0.35)


def test_random_guesses_are_seldom_significant_and_the_p_value_is_uniform():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 90)
    p_values = []
    for trial in range(200):
        predictions = np.repeat(rng.integers(0, 3, (1, 90)), 2, axis=0)  # two seeds that always agree
        p_values.append(chance_p_value(predictions, HeldOut(labels), seed=trial, permutations=400))
    share = np.mean(np.array(p_values) <= 0.1)
    assert share <= 0.1 + 4 * math.sqrt(0.1 * 0.9 / 200)
    assert min(p_values) > 1e-4


def test_a_constant_guess_is_never_significant_however_unequal_the_classes():
    labels = np.array([0] * 80 + [1] * 20)
    for balanced in (False, True):
        assert chance_p_value(np.zeros((3, 100), dtype=int), HeldOut(labels, balanced=balanced)) == 1.0


def test_to_know_the_group_is_not_to_know_the_class():
    rng = np.random.default_rng(8)
    groups = np.repeat(np.arange(6), 30)
    favourite = groups % 3  # each speaker says one word more often, and the model knows speakers only
    labels = np.where(rng.random(180) < 0.6, favourite, rng.integers(0, 3, 180))
    predictions = favourite[None]
    assert chance_p_value(predictions, HeldOut(labels)) < 0.001
    assert chance_p_value(predictions, HeldOut(labels, groups)) > 0.05
    assert chance_p_value(labels[None], HeldOut(labels, groups)) < 0.001


def test_few_subjects_of_one_class_each_can_show_nothing_and_many_can():
    for n_subjects, claimed in ((2, False), (4, False), (10, False), (16, True)):
        groups = np.repeat(np.arange(n_subjects), 25)
        labels = groups % 2
        p_value = chance_p_value(labels[None], HeldOut(labels, groups))
        exact = 1 / math.comb(n_subjects, n_subjects // 2)  # arrangements of the subjects' classes
        assert p_value == pytest.approx(exact, rel=0.5, abs=3e-4)
        assert (p_value <= 0.001) == claimed


def test_the_exchange_of_arms_agrees_with_the_sign_test():
    first, second = np.ones((1, 50), dtype=bool), np.ones((1, 50), dtype=bool)
    second[0, :9] = False
    first[0, 9:11] = False
    exact = float(stats.binom.sf(8, 11, 0.5))  # 9 or more of the 11 samples that tell the arms apart
    assert exchange_p_value(first, second, HeldOut(np.zeros(50, dtype=int))) == pytest.approx(exact, rel=0.2)


def test_few_groups_cannot_be_exchanged_for_a_claim():
    groups = np.repeat(np.arange(9), 20)
    first, second = np.ones((1, 180), dtype=bool), np.zeros((1, 180), dtype=bool)
    p_value = exchange_p_value(first, second, HeldOut(np.zeros(180, dtype=int), groups))
    assert p_value == pytest.approx(2**-9, rel=0.4)


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
    interval = half_level_interval(answers(0.9, 3, 400, rng), perturbed, 0.1, independent(400))
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
