"""Whether a measurement bears a claim out: it holds, it does not, or the seeds and samples do not decide."""

from __future__ import annotations

from beyondrate.audit.metrics import Interval
from beyondrate.audit.outcomes import CLEAN, Arm, Outcomes, Test
from beyondrate.reproduce.figure import Claim, Holds

NEAR_CHANCE = 0.05  # an accuracy whose interval lies within so much of chance is at chance


def more_accurate(
    outcomes: Outcomes,
    sentence: str,
    source: str,
    first: Arm,
    second: Arm,
    tests: tuple[Test, Test] = (CLEAN, CLEAN),
    n_claims: int = 1,
    *,
    second_named_first: bool = False,
) -> Claim:
    """Judge whether the first arm is more accurate than the second, by the paired 95 % interval.

    Of ``n_claims`` that are judged together, all intervals hold at once with 95 % confidence (Bonferroni).
    Where the sentence names the second arm first, as in "falls below", its numbers are written first too.
    """
    difference = outcomes.difference(first, second, tests, confidence=1 - 0.05 / n_claims)
    ours = outcomes.accuracy(first, tests[0]).estimate, outcomes.accuracy(second, tests[1]).estimate
    said = difference
    if second_named_first:
        ours, said = ours[::-1], Interval(-difference.estimate, -difference.high, -difference.low)
    measured = f"{percent(ours[0])} against {percent(ours[1])}, {points(said)}, {_seeds(outcomes, first)}"
    return Claim(sentence, source, _sign(difference), measured)


def at_chance(outcomes: Outcomes, sentence: str, source: str, arm: Arm, test: Test = CLEAN) -> Claim:
    """Judge whether an arm is at chance: decided only where the interval is narrow, or excludes chance."""
    accuracy, chance = outcomes.accuracy(arm, test), outcomes.chance(arm.variant)
    holds: Holds = "not decided"
    if accuracy.low > chance:
        holds = "does not hold"
    elif accuracy.high <= chance + NEAR_CHANCE:
        holds = "holds"
    measured = f"{with_interval(accuracy)}, chance {percent(chance)}, {_seeds(outcomes, arm)}"
    return Claim(sentence, source, holds, measured)


def above_chance(outcomes: Outcomes, sentence: str, source: str, arm: Arm, test: Test = CLEAN) -> Claim:
    """Judge whether an arm is more accurate than chance, by its 95 % interval."""
    accuracy, chance = outcomes.accuracy(arm, test), outcomes.chance(arm.variant)
    holds: Holds = "not decided"
    if accuracy.low > chance:
        holds = "holds"
    elif accuracy.high <= chance + NEAR_CHANCE:
        holds = "does not hold"
    measured = f"{with_interval(accuracy)}, chance {percent(chance)}, {_seeds(outcomes, arm)}"
    return Claim(sentence, source, holds, measured)


def percent(share: float) -> str:
    """Return a share in percent.

    >>> percent(0.4786)
    '47.9 %'
    """
    return f"{100 * share:.1f} %"


def with_interval(value: Interval) -> str:
    """Return an accuracy with its interval.

    >>> with_interval(Interval(0.5, 0.25, 0.75))
    '50.0 % (25.0 to 75.0)'
    """
    return f"{percent(value.estimate)} ({100 * value.low:.1f} to {100 * value.high:.1f})"


def points(difference: Interval) -> str:
    """Return a difference of accuracies in points, with its interval.

    >>> points(Interval(0.05, -0.01, 0.11))
    '+5.0 points (-1.0 to +11.0)'
    """
    estimate, low, high = (100 * value for value in difference)
    return f"{estimate:+.1f} points ({low:+.1f} to {high:+.1f})"


def _sign(difference: Interval) -> Holds:
    if difference.low > 0:
        return "holds"
    return "does not hold" if difference.high < 0 else "not decided"


def _seeds(outcomes: Outcomes, arm: Arm) -> str:
    n = len(outcomes.correct(arm))
    return f"{n} seed{'s' * (n != 1)}"
