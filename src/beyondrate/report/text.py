"""Numbers in words, and the terms that the page explains."""

from __future__ import annotations

import html
import math
from typing import NamedTuple

MINUS = "\N{MINUS SIGN}"
NO_NUMBER = "–"


class Perturbation(NamedTuple):
    """What a perturbation and its level are called where a figure has little room."""

    title: str
    level: str


PERTURBATIONS = {
    "replace": Perturbation("Replaced at random", "spikes replaced"),
    "jitter": Perturbation("Each spike jittered", "jitter σ"),
    "jitter-unit": Perturbation("Each unit jittered", "jitter σ"),
    "jitter-sample": Perturbation("Each sample jittered", "jitter σ"),
    "delete": Perturbation("Deleted", "spikes deleted"),
    "reverse": Perturbation("Reversed", "direction of time"),
}

PROPERTIES = {
    "count": "how many spikes each unit fires",
    "ISI": "the intervals between a unit's spikes",
    "onset": "when each unit fires first",
    "order": "which unit fires before which",
    "synchrony": "the lags between the spikes of two units",
}

VARIANTS = {
    "whole": "The data as recorded.",
    "part": "Units that hardly fire, and samples without enough spikes, are left out and the classes made "
    "equally large. Counts still differ between samples; part is the fair comparison for norm.",
    "norm": "Part, with spikes removed at random until every unit fires the same number of times in every "
    "sample: accuracy above chance on norm does not come from spike counts.",
}

MODELS = {
    "rate": "A perceptron with two hidden layers that sees nothing but each unit's spike count.",
    "linear probe": "A linear classifier on spike counts in time bins. Beside the other models stands the "
    "bin width that did best on validation samples.",
    "LIF": "A network of leaky integrate-and-fire neurons trained with surrogate gradients.",
    "LIF, τ tuned": "The same with its membrane time constant chosen on validation samples.",
    "LIF on scrambled spikes": "The same trained and tested on spikes moved to random times: what the "
    "network makes of counts alone.",
    "LIF + frozen delays": "The same with random axonal delays that are not trained.",
    "LIF + learned delays": "The same with axonal delays that are trained.",
    "LIF + delays, scrambled": "The net with frozen delays on spikes moved to random times.",
    "SpikingGamma": "A network whose units read each spike through a chain of smoothed delays, trained "
    "without surrogate gradients.",
    "SpikingGamma, scrambled": "The same on spikes moved to random times.",
}

KINDS = {
    "onset": "when each unit fires since the sample's start",
    "ISI": "the intervals between a unit's own spikes",
    "synchrony": "which units fire at the same time",
    "order": "which unit fires before which",
    "lag": "by how much one unit follows another",
}


def finite(value: object) -> float | None:
    """Return a number as float, or None if it is missing, infinite or not a number.

    >>> finite(0.5), finite(None), finite(float("nan"))
    (0.5, None, None)
    """
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    return None


def plain(text: object, longest: int = 60) -> str:
    """Return text that plotly shows letter by letter: it would read tags and links in a label otherwise.

    >>> plain("<b>seven</b>")
    '&lt;b&gt;seven&lt;/b&gt;'
    """
    words = " ".join(str(text).split())
    if len(words) > longest:
        words = words[: longest - 1] + "…"
    return html.escape(words, quote=False)


def percent(value: object, digits: int = 0) -> str:
    """Return a share as a percentage.

    >>> percent(0.583), percent(None)
    ('58 %', '–')
    """
    number = finite(value)
    return NO_NUMBER if number is None else f"{_signed(number * 100, digits)} %"


def duration_ms(value: object) -> str:
    """Return milliseconds with three digits that matter, as seconds from 1000 on.

    >>> duration_ms(12.0), duration_ms(2.5), duration_ms(1200)
    ('12 ms', '2.5 ms', '1.2 s')
    """
    number = finite(value)
    if number is None:
        return NO_NUMBER
    return f"{significant(number / 1000)} s" if number >= 1000 else f"{significant(number)} ms"


def significant(number: float) -> str:
    """Return three digits that matter, without an exponent.

    >>> significant(0.12345), significant(1234.5), significant(25.0)
    ('0.123', '1234', '25')
    """
    if number == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(number))))
    text = f"{number:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", MINUS)


def quantity(value: object, unit: str | None, tested: tuple[float, float] | None = None) -> str:
    """Return a finding's number in its unit; accuracies and points come as shares of 1.

    Args:
        value: the number; for "ms", 0 means below the levels tested, and None above them.
        unit: "accuracy", "points", "ms" or None.
        tested: the smallest and the largest level tested, in milliseconds.

    >>> quantity(0.58, "accuracy"), quantity(0.123, "points"), quantity(None, "ms", tested=(5, 200))
    ('58 %', '+12 points', '> 200 ms')
    """
    number = finite(value)
    if unit == "ms" and tested and not number:
        return f"> {duration_ms(tested[1])}" if number is None else f"< {duration_ms(tested[0])}"
    if number is None:
        return NO_NUMBER
    if unit == "accuracy":
        return percent(number)
    if unit == "points":
        return f"{'+' if number * 100 >= 0.5 else ''}{_signed(number * 100, 0)} points"
    return f"{significant(number)} {unit}" if unit else significant(number)


def interval(low: object, high: object, unit: str | None, tested: tuple[float, float] | None = None) -> str:
    """Return an interval in the unit of its estimate, or nothing where there is none.

    >>> interval(0.53, 0.62, "accuracy"), interval(-0.02, 0.05, "points"), interval(None, None, "accuracy")
    ('53 to 62 %', '−2 to +5 points', '')
    """
    first, last = quantity(low, unit, tested), quantity(high, unit, tested)
    if first == last == NO_NUMBER:
        return ""
    ending = {"accuracy": " %", "points": " points", "ms": " ms"}.get(unit or "", "")
    return f"{first.removesuffix(ending)} to {last}"


def count(value: object) -> str:
    """Return a number of things with thousands apart, in millions from ten million on.

    >>> count(1920), count(13_000_000), count(None)
    ('1,920', '13.0 million', '–')
    """
    number = finite(value)
    if number is None:
        return NO_NUMBER
    return f"{number / 1e6:.1f} million" if number >= 1e7 else f"{number:,.0f}"


def clock(seconds: object) -> str:
    """Return a duration as people say it.

    >>> clock(231.4), clock(3900), clock(4.25)
    ('3 min 51 s', '1 h 5 min', '4.2 s')
    """
    number = finite(seconds)
    if number is None:
        return NO_NUMBER
    if number < 60:
        return f"{number:.1f} s"
    minutes = round(number) // 60
    return (
        f"{minutes} min {round(number) % 60} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
    )


def p_value(value: object) -> str:
    """Return a p-value in powers of ten where it is small.

    >>> p_value(0.03), p_value(2.4e-9)
    ('p = 0.03', 'p = 2.4·10⁻⁹')
    """
    number = finite(value)
    if number is None:
        return ""
    if number >= 0.001:
        return f"p = {significant(number)}"
    if number <= 0:
        return "p < 10⁻³⁰⁰"
    exponent = math.floor(math.log10(number))
    digits = str(-exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"p = {number / 10**exponent:.1f}·10⁻{digits}"


def _signed(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return text.replace("-", MINUS)
