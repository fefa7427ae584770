"""The verdict's words follow from the outcomes, checked on answers that are made up."""

import math

import numpy as np
import pytest

from beyondrate.audit.finding import loss, points
from beyondrate.audit.kind_findings import kind_origin
from beyondrate.audit.metrics import Interval
from beyondrate.audit.outcomes import CLEAN, Answers, Arm, Outcomes
from beyondrate.audit.verdict import Verdict, judge, judge_models

N_TEST = 400
LABELS = np.arange(N_TEST) % 4
JITTERS = (0.005, 0.01, 0.02, 0.04, 0.08)


def answers(arm: Arm, seed: int, accuracies: dict[tuple[str, float], float]) -> Answers:
    rng = np.random.default_rng([seed, len(arm.control)])
    predictions = {}
    for test, accuracy in accuracies.items():
        right = rng.random(N_TEST) < accuracy
        predictions[test] = np.where(right, LABELS, (LABELS + rng.integers(1, 4, N_TEST)) % 4)
    return Answers(arm, seed, accuracies[CLEAN], predictions)


def model_tests(clean: float, **halves: float) -> dict[tuple[str, float], float]:
    """Accuracies that fall to half of what is above chance at the given jitters, and on reversal."""
    tests = {CLEAN: clean, ("reverse", 0.0): halves.pop("reverse", clean), ("replace", 1.0): 0.25}
    for name, half in halves.items():
        for level in JITTERS:
            kept = 1 / (1 + (level / half) ** 4)
            tests[name.replace("_", "-"), level] = 0.25 + (clean - 0.25) * kept
    return tests


def verdict_of(*arms: tuple[Arm, dict[tuple[str, float], float]], kinds: tuple[dict, ...] = ()) -> Verdict:
    labels = {arm.variant: LABELS for arm, _ in arms}
    return judge(Outcomes([answers(arm, s, t) for arm, t in arms for s in range(5)], labels), kinds)


def timed(variant: str = "norm", clean: float = 0.8, **halves: float) -> tuple[Arm, dict]:
    return Arm(variant, "lif"), model_tests(clean, **{"jitter": 0.02, "jitter_unit": 0.02, **halves})


def test_the_precision_is_the_jitter_that_takes_half():
    finding = verdict_of(timed(jitter=0.02))["precision"]
    assert finding.unit == "ms"
    assert 15 < finding.interval.low < 20 < finding.interval.high < 27


@pytest.mark.parametrize(
    ("halves", "words"),
    [
        ({"jitter": 0.01, "jitter_unit": 10.0, "jitter_sample": 10.0}, "mostly on intervals within units"),
        ({"jitter": 0.02, "jitter_unit": 0.04, "jitter_sample": 10.0}, "also on intervals within units"),
        ({"jitter": 0.01, "jitter_unit": 0.01, "jitter_sample": 10.0}, "relations between units"),
        ({"jitter": 0.02, "jitter_unit": 0.02, "jitter_sample": 0.02}, "locked to the sample's start"),
        ({"jitter": 0.02, "jitter_unit": 0.02, "jitter_sample": 0.04}, "across units, or since the start"),
        ({"jitter": 0.02, "jitter_unit": 0.02}, "across units, or since the start"),
        (
            {"jitter": 10.0, "jitter_unit": 10.0, "jitter_sample": 10.0},
            "does not rest on times finer than 80 ms",
        ),
    ],
)
def test_what_the_model_uses_is_read_off_the_ladder_of_jitters(halves: dict[str, float], words: str):
    finding = verdict_of(timed(**halves))["reliance"]
    assert words in finding.sentence and finding.claimed


def test_what_the_intervals_leave_open_is_not_decided():
    """At the last level some draws have lost half and others have not, of units as of spikes."""
    arm, tests = timed(jitter=0.08, jitter_unit=0.08, jitter_sample=0.08)
    finding = verdict_of((arm, tests))["reliance"]
    assert math.isinf(finding.interval.high) and not math.isinf(finding.interval.low)
    assert "which of the relations it uses is not decided" in finding.sentence and not finding.claimed


def test_a_model_that_needs_no_times_has_no_precision_whatever_jitter_does_to_it():
    arm, tests = timed(jitter=0.01, jitter_unit=0.01, jitter_sample=10.0)
    verdict = verdict_of((arm, tests | {("replace", 1.0): 0.8}))
    assert not verdict["precision"].claimed
    assert "No dependence of lif on spike times can be shown" in verdict["precision"].sentence
    assert verdict["precision"].unit == "points" and abs(verdict["precision"].interval.estimate) < 0.05
    assert "reliance" not in verdict


def test_a_jitter_that_takes_nothing_gives_no_precision():
    finding = verdict_of(timed(jitter=10.0, jitter_unit=10.0))["precision"]
    assert not finding.claimed
    assert "up to 80 ms takes nothing from lif on norm that can be shown" in finding.sentence
    assert verdict_of(timed(jitter=0.12, jitter_unit=0.12))[
        "precision"
    ].claimed  # less than half, but for sure


def test_a_ladder_that_was_not_climbed_far_enough_claims_no_relations():
    arm, tests = timed(jitter=0.05, jitter_unit=0.05)
    tests["jitter-sample", 0.01] = 0.8  # samples were moved by 10 ms at most, and it stood that
    sentence = verdict_of((arm, tests))["reliance"].sentence
    assert "relations between units" not in sentence
    assert "whole samples by more than 10 ms" in sentence


def test_reversal_is_claimed_only_where_it_costs():
    assert verdict_of(timed(reverse=0.4))["order"].claimed
    assert not verdict_of(timed(reverse=0.8))["order"].claimed


def test_delays_and_their_learning_are_judged_apart():
    verdict = verdict_of(
        (Arm("norm", "lif", "tau-tuned"), model_tests(0.5)),
        (Arm("norm", "lif-delay", "frozen"), model_tests(0.7)),
        (Arm("norm", "lif-delay", "learned"), model_tests(0.7)),
    )
    assert verdict["delays"].claimed and "help" in verdict["delays"].sentence
    assert not verdict["delay-learning"].claimed


def test_a_model_at_chance_has_no_precision_and_no_timing_is_claimed():
    verdict = verdict_of(timed(clean=0.25), (Arm("norm", "rate"), {CLEAN: 0.25}))
    assert not verdict["timing"].claimed
    assert "precision" not in verdict and "order" not in verdict


def test_the_gain_on_whole_is_against_the_best_reader_of_counts():
    verdict = verdict_of(
        timed("whole", 0.7),
        (Arm("whole", "rate"), {CLEAN: 0.4}),
        (Arm("whole", "lif", "scrambled"), {CLEAN: 0.6}),
    )
    assert verdict["whole-gain"].claimed
    assert verdict["whole-gain"].interval.estimate == pytest.approx(0.1, abs=0.04)
    assert "scrambled" in verdict["whole-gain"].sentence


def test_a_net_gains_nothing_over_a_linear_reading_of_counts():
    probe = Arm("whole", "probe", "bins-10"), model_tests(0.5)
    linear_counts = Arm("whole", "probe", "bins-1"), {CLEAN: 0.5}
    verdict = verdict_of(timed("whole", 0.9), probe, linear_counts)
    assert not verdict["whole-gain"].claimed
    assert "probe (bins-10) against probe (bins-1)" in verdict["whole-gain"].sentence
    assert "read linearly" in verdict["rate"].sentence and "was not tried" in verdict["rate"].sentence
    assert verdict.headline == (
        f"Spike counts alone, read linearly, reach {100 * verdict['rate'].interval.estimate:.0f} %."
    )
    assert "whole-gain" not in verdict_of(timed("whole", 0.9), linear_counts)


def test_a_linear_reading_of_times_that_counts_surpass_adds_nothing_to_them():
    verdict = verdict_of(
        (Arm("whole", "probe", "bins-10"), model_tests(0.7)),
        (Arm("whole", "probe", "bins-1"), {CLEAN: 0.5}),
        (Arm("whole", "rate"), {CLEAN: 0.8}),
    )
    assert not verdict["whole-gain"].claimed
    assert verdict["whole-gain"].interval.estimate < 0
    assert "Over a linear reading of counts it gains +2" in verdict["whole-gain"].sentence
    assert "linear" not in verdict["rate"].sentence


def test_a_gain_where_norm_shows_no_timing_does_not_contradict_itself():
    verdict = verdict_of(
        timed("norm", 0.25),
        timed("whole", 0.6),
        (Arm("whole", "rate"), {CLEAN: 0.25}),
    )
    assert verdict["whole-gain"].claimed and not verdict["timing"].claimed and not verdict["rate"].claimed
    assert verdict.headline.startswith(
        "With all spike counts made equal, no accuracy above chance is shown. "
        "That spike counts tell the classes is not shown. On the data as they are, times tell +"
    )
    assert verdict.headline.endswith("more than counts.")


def test_what_ties_test_to_training_samples_comes_first():
    arm, tests = timed()
    outcomes = Outcomes([answers(arm, 0, tests)], {"norm": LABELS})
    verdict = judge(outcomes, warnings=["a limit"], leaks=["a leak"])
    assert verdict.warnings[:2] == ("a leak", "a limit")
    assert "Not all test samples are independent of the training samples" in verdict.headline
    assert "independent" not in judge(outcomes, warnings=["a limit"]).headline


@pytest.mark.parametrize(("off", "on"), [(0.004, "0"), (-0.004, "0"), (-0.006, "−1"), (0.006, "+1")])
def test_points_are_whole_and_nothing_has_no_sign(off: float, on: str):
    assert points(Interval(off, -0.2, 0.2)) == f"{on} points (−20 to +20)"
    assert loss(Interval(off, -0.2, 0.2)) == f"{on.removeprefix('+')} points (−20 to 20)"


def kind_line(kind: str, accuracy: float, **facts: object) -> dict:
    line = {"variant": "norm", "low": accuracy - 0.1, "high": accuracy + 0.1, "validation_accuracy": accuracy}
    return {**line, "kind": kind, "accuracy": accuracy, "claimed": True, "confounded": False, **facts}


def test_every_claimed_kind_is_named_with_where_it_comes_from():
    kinds = (
        kind_line("onset", 0.6, origin="own"),
        kind_line("order", 0.65, origin="onset"),
        kind_line("lag", 0.5, origin="not decided"),
        kind_line("ISI", 0.3, origin="not decided", claimed=False),
    )
    finding = verdict_of(timed(), kinds=kinds)["kinds"]
    named, follows, undecided = finding.sentence.removesuffix(".").split(". ")
    positions = [named.index(words) for words in ("(order) 65 %", "(onset) 60 %", "(lag) 50 %")]
    assert positions == sorted(positions)
    assert "ISI" not in finding.sentence
    assert follows == "What order tells follows from onset"
    assert undecided == "Whether what lag tells follows from onset is not decided"
    assert finding.claimed and finding.interval.estimate == 0.65


@pytest.mark.parametrize("origin", ["own", "onset", "not decided"])
def test_no_kind_is_said_to_tell_only_where_none_is_claimed(origin: str):
    claimed = verdict_of(timed(), kinds=(kind_line("synchrony", 0.8, origin=origin),))["kinds"]
    assert claimed.claimed and "coincidences of units (synchrony) 80 %" in claimed.sentence
    assert "No kind" not in claimed.sentence
    not_claimed = kind_line("synchrony", 0.8, origin=origin, claimed=False)
    finding = verdict_of(timed(), kinds=(not_claimed,))["kinds"]
    assert not finding.claimed and finding.sentence.startswith("No kind of timing (synchrony) alone")


def test_kinds_in_which_counts_may_show_are_named_as_such():
    confounded = kind_line("ISI", 0.9, origin="own", claimed=False, confounded=True)
    other = kind_line("onset", 0.3, origin="own", claimed=False)
    sentence = verdict_of(timed(), kinds=(confounded, other))["kinds"].sentence
    assert "No kind of timing (onset)" in sentence
    assert "Of ISI nothing is claimed: counts differ" in sentence


NOTHING_MORE = Interval(0.01, -0.02, 0.04)
SOMETHING_MORE = Interval(0.2, 0.1, 0.3)
OPEN = Interval(0.04, -0.02, 0.1)


@pytest.mark.parametrize(
    ("kind", "strict", "beyond", "p_profile", "origin"),
    [
        ("order", SOMETHING_MORE, SOMETHING_MORE, 1e-4, "own"),
        ("order", OPEN, NOTHING_MORE, 1e-4, "onset"),
        ("order", OPEN, NOTHING_MORE, 0.2, "not decided"),
        ("order", OPEN, OPEN, 1e-4, "not decided"),
        ("onset", NOTHING_MORE, NOTHING_MORE, 1e-4, "own"),
    ],
)
def test_a_kind_follows_from_onset_only_where_that_is_shown(kind, strict, beyond, p_profile, origin):
    assert kind_origin(kind, strict, beyond, p_profile) == origin


@pytest.mark.parametrize(
    ("counts", "claimed", "warned"),
    [(0.6, ("ISI",), True), (0.25, ("ISI",), False), (0.6, ("ISI", "lag"), False), (0.6, ("lag",), False)],
)
def test_intervals_alone_on_norm_may_be_the_former_rate_if_there_was_one(counts, claimed, warned):
    kinds = tuple(kind_line(kind, 0.7, origin="own", claimed=kind in claimed) for kind in ("ISI", "lag"))
    verdict = verdict_of(timed(), (Arm("whole", "rate"), {CLEAN: counts}), kinds=kinds)
    assert verdict["rate"].claimed == (counts == 0.6)
    assert any("former rate" in warning for warning in verdict.warnings) == warned


def test_a_model_that_was_given_is_judged_by_what_it_keeps_without_times():
    outcomes = Outcomes(
        [answers(Arm("whole", "mine"), s, model_tests(0.8, jitter=0.02, jitter_unit=0.02)) for s in range(2)],
        {"whole": LABELS},
    )
    verdict = judge_models(outcomes)
    assert verdict["clean"].claimed and verdict["without-times"].claimed
    assert "it depends on when spikes come" in verdict.headline


def test_json_holds_no_infinity():
    found = verdict_of(timed(jitter=10.0, jitter_unit=10.0)).as_json()
    numbers = [x for f in found["findings"] for x in (f["estimate"], f["low"], f["high"]) if x is not None]
    assert numbers and all(math.isfinite(x) for x in numbers)
    assert isinstance(verdict_of(timed())["precision"].interval, Interval)


def test_few_seeds_claim_only_what_every_pair_of_them_shows():
    frozen, learned = Arm("norm", "lif-delay", "frozen"), Arm("norm", "lif-delay", "learned")

    def learning_is_claimed(*accuracies: float) -> bool:
        made = [answers(frozen, s, {CLEAN: 0.5}) for s in range(3)]
        made += [answers(learned, s, {CLEAN: a}) for s, a in enumerate(accuracies)]
        return judge(Outcomes(made, {"norm": LABELS}))["delay-learning"].claimed

    assert learning_is_claimed(0.8, 0.8, 0.8)
    assert not learning_is_claimed(0.8, 0.8, 0.5)
