"""A finding: one answer of an audit, when it is claimed, and the words that its numbers are put in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from beyondrate.audit.metrics import Interval

CLAIM_LEVEL = 0.001
CLAIM_CONFIDENCE = 1 - 2 * CLAIM_LEVEL  # two-sided interval whose lower end is passed once in 1/CLAIM_LEVEL


@dataclass(frozen=True)
class Finding:
    """One answer of the audit.

    Args:
        key: what it is about: rate, timing, whole-gain, precision, kinds, reliance, order, delays, ...
        title: two or three words.
        sentence: the answer, complete in itself.
        interval: the estimate with its 95 % interval, or None where there is no number.
        unit: of the estimate: "accuracy", "points" (differences of accuracy) or "ms".
        claimed: whether the data support it at CLAIM_LEVEL.
    """

    key: str
    title: str
    sentence: str
    interval: Interval | None
    unit: str | None
    claimed: bool

    def as_json(self) -> dict[str, Any]:
        """Return JSON-like values; an end that the levels do not reach is None."""
        numbers = [None if not math.isfinite(x) else x for x in self.interval or (math.inf,) * 3]
        return {
            "key": self.key,
            "title": self.title,
            "sentence": self.sentence,
            **dict(zip(("estimate", "low", "high"), numbers, strict=True)),
            "unit": self.unit,
            "claimed": self.claimed,
        }


def percent(share: float) -> str:
    """Word a share in whole percent."""
    return f"{100 * share:.0f} %"


def share(interval: Interval) -> str:
    """Word a share with its interval."""
    return f"{percent(interval.estimate)} ({100 * interval.low:.0f}–{100 * interval.high:.0f})"


def points(interval: Interval) -> str:
    """Word a difference of shares with its interval, gains with a plus.

    >>> points(Interval(0.031, -0.004, 0.07))
    '+3 points (0 to +7)'
    """
    estimate, low, high = ("+" * (round(100 * value) > 0) + in_points(value) for value in interval)
    return f"{estimate} points ({low} to {high})"


def loss(drop: Interval) -> str:
    """Word how much less a share is, with its interval."""
    estimate, low, high = map(in_points, drop)
    return f"{estimate} points ({low} to {high})"


def in_points(difference: float) -> str:
    """Word a difference of shares in whole points; nothing has no sign."""
    return f"{round(100 * difference)}".replace("-", "−")


def milliseconds(interval: Interval, levels: Sequence[float]) -> str:
    """Word a level with its interval; beyond the levels tested it is only known to be more, or less."""
    smallest, largest = 1000 * levels[0], 1000 * levels[-1]

    def word(value: float) -> str:
        if math.isinf(value):
            return f"more than {largest:g}"
        return f"less than {smallest:g}" if value == 0 else f"{1000 * value:.3g}"

    if interval.low == interval.high:
        return f"{word(interval.estimate)} ms"
    return f"{word(interval.estimate)} ms ({word(interval.low)} to {word(interval.high)})"


def in_ms(interval: Interval) -> Interval:
    """Return an interval of seconds in milliseconds."""
    return Interval(*(1000 * value for value in interval))
