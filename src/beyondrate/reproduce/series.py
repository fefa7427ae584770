"""Accuracies as the points of a curve or the bars of a group, with intervals and single seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from beyondrate.audit.outcomes import Arm, Outcomes, Test
from beyondrate.reproduce.figure import Series


def accuracy_series(
    outcomes: Outcomes,
    name: str,
    arms_and_tests: Iterable[tuple[Arm, Test]],
    x: Sequence[float] | None = None,
) -> Series:
    """Return the accuracies of arms under tests, with intervals and single seeds."""
    points = list(arms_and_tests)
    intervals = [outcomes.accuracy(arm, test) for arm, test in points]
    return Series(
        name=name,
        x=list(range(len(points))) if x is None else list(x),
        y=[interval.estimate for interval in intervals],
        low=[interval.low for interval in intervals],
        high=[interval.high for interval in intervals],
        seeds=[outcomes.correct(arm, test).mean(axis=1).tolist() for arm, test in points],
    )
