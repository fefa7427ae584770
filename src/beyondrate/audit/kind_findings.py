"""What the kinds of timing say: which tell the classes when read alone, and which follow from onset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from beyondrate.audit.finding import CLAIM_LEVEL, Finding, percent
from beyondrate.audit.metrics import Interval

NEGLIGIBLE_GAIN = 0.05  # in accuracy: a kind that surely tells less beyond onset follows from it
KIND_WORDS = {
    "onset": "time since the sample's start (onset)",
    "ISI": "intervals within a unit (ISI)",
    "synchrony": "coincidences of units (synchrony)",
    "order": "which unit leads (order)",
    "lag": "fixed lags between units (lag)",
}


def kinds_finding(kinds: Sequence[Mapping[str, Any]]) -> Finding | None:
    """Return which kinds of timing tell the classes, each read alone; None if none was read."""
    if not kinds:
        return None
    strongest, *others = sorted(kinds, key=lambda k: (not k["claimed"], -k["accuracy"]))
    claimed = [k for k in (strongest, *others) if k["claimed"]]
    if claimed:
        named = ", ".join(f"{KIND_WORDS[k['kind']]} {percent(k['accuracy'])}" for k in claimed)
        sentences = [
            f"Kinds of timing that tell the classes on {strongest['variant']}, each read alone: {named}.",
            *_origins(claimed),
        ]
    else:
        read = ", ".join(k["kind"] for k in kinds if not k["confounded"])
        sentences = [f"No kind of timing ({read}) alone is shown to tell the classes."] if read else []
    confounded = [k["kind"] for k in kinds if k["confounded"]]
    if confounded:
        sentences.append(
            f"Of {', '.join(confounded)} nothing is claimed: counts differ between these samples and may "
            "show there; norm would make them equal."
        )
    interval = Interval(strongest["accuracy"], strongest["low"], strongest["high"])
    return Finding("kinds", "Kind of timing", " ".join(sentences), interval, "accuracy", bool(claimed))


def _origins(claimed: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say of which kinds what they tell follows from onset, and of which that is open."""
    sentences = []
    follow = [k["kind"] for k in claimed if k["origin"] == "onset"]
    if follow:
        sentences.append(f"What {', '.join(follow)} tell{'s' * (len(follow) == 1)} follows from onset.")
    undecided = [k["kind"] for k in claimed if k["origin"] == "not decided"]
    if undecided:
        told = f"{', '.join(undecided)} tell{'s' * (len(undecided) == 1)}"
        sentences.append(f"Whether what {told} follows from onset is not decided.")
    return sentences


def kind_origin(kind: str, strict: Interval, beyond: Interval, p_profile: float) -> str:
    """Return whether a kind is its "own", follows from "onset", or this is "not decided".

    Args:
        kind: of KINDS.
        strict: how much more it tells than from data of which only counts and profile are left, at
            CLAIM_CONFIDENCE.
        beyond: the same, at 95 %.
        p_profile: p-value of what it tells from those data.

    Example:
        >>> kind_origin("lag", Interval(0.02, -0.05, 0.09), Interval(0.02, -0.02, 0.06), p_profile=1e-4)
        'not decided'
    """
    if kind == "onset" or strict.low > 0:
        return "own"
    follows = p_profile <= CLAIM_LEVEL and beyond.high < NEGLIGIBLE_GAIN
    return "onset" if follows else "not decided"
