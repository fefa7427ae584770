"""What the figures of the timing experiment share: curves, claims and notes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from beyondrate.audit.metrics import Interval
from beyondrate.audit.outcomes import Arm, Test
from beyondrate.reproduce.claims import percent, points, with_interval
from beyondrate.reproduce.experiment import Plan
from beyondrate.reproduce.figure import NORMAL_95, Claim, Holds, Series
from beyondrate.reproduce.koopman2026.published import NO_NUMBERS, OURS
from beyondrate.reproduce.koopman2026.timing_experiment import Measured

ENOUGH_SEEDS = 5


def spent(
    measured: Measured, name: str, places: Sequence[tuple[Arm, Test]], x: Sequence[float] | None = None
) -> Series:
    """Return the quanta a unit and sample of arms under tests, with single seeds."""
    return Series(
        name=name,
        x=list(range(len(places))) if x is None else list(x),
        y=[measured.mean_spent(arm, "quanta", test) for arm, test in places],
        seeds=[[entry["quanta"] for entry in measured.spent[place]] for place in places],
    )


def reaches(measured: Measured, sentence: str, arm: Arm, least: float, source: str = OURS) -> Claim:
    """Judge whether an arm's mean accuracy is at least so much; below it, the interval may leave it open."""
    found = measured.outcomes.accuracy(arm)
    seeds = measured.outcomes.correct(arm).mean(axis=1)
    said = f"{with_interval(found)}, worst of {len(seeds)} seeds {percent(float(seeds.min()))}"
    if found.estimate >= least:
        return Claim(sentence, source, "holds", said)
    return Claim(sentence, source, "not decided" if found.high >= least else "does not hold", said)


def same_nets(
    measured: Measured,
    sentence: str,
    arm: Arm,
    tests: tuple[Test, Test],
    margin: float,
    source: str = OURS,
) -> Claim:
    """Judge whether the same trained networks are as accurate under two tests, within ``margin``.

    The 95 % interval is of the differences of single samples and seeds, since both are the same in the tests.
    """
    first, second = (measured.outcomes.correct(arm, test).astype(np.float64) for test in tests)
    change = first - second
    variance = change.mean(axis=0).var() / change.shape[1] + change.mean(axis=1).var() / len(change)
    mean, half = float(change.mean()), NORMAL_95 * float(np.sqrt(variance))
    difference = Interval(mean, mean - half, mean + half)
    if max(-difference.low, difference.high) <= margin:
        return Claim(sentence, source, "holds", points(difference))
    apart = difference.low > margin or difference.high < -margin
    return Claim(sentence, source, "does not hold" if apart else "not decided", points(difference))


def not_below(
    measured: Measured, sentence: str, first: Arm, second: Arm, margin: float, source: str = OURS
) -> Claim:
    """Judge whether the first arm is at most ``margin`` less accurate than the second, by the interval."""
    difference = measured.outcomes.difference(first, second)
    holds: Holds = "not decided"
    if difference.low >= -margin:
        holds = "holds"
    elif difference.high < -margin:
        holds = "does not hold"
    return Claim(sentence, source, holds, points(difference))


def notes(plan: Plan, *more: str) -> list[str]:
    """Return what a reader must know of seeds and samples, and whose the numbers are."""
    n_seeds = len(plan["seeds"])
    few = (
        " Fewer than five seeds are a look, not a result: --preset paper has five."
        if n_seeds < ENOUGH_SEEDS
        else ""
    )
    return [
        f"{n_seeds} seeds, each with its own training samples, seen once; all are tested on the same "
        f"{plan['test']:,}.{few}",
        *more,
        NO_NUMBERS,
    ]
