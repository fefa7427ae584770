"""What perturbations say of one model: how precise the times are that it needs, and what it relies on."""

from __future__ import annotations

import math
from collections.abc import Mapping

from beyondrate.audit.finding import (
    CLAIM_CONFIDENCE,
    CLAIM_LEVEL,
    Finding,
    in_ms,
    loss,
    milliseconds,
    share,
)
from beyondrate.audit.metrics import Interval
from beyondrate.audit.outcomes import CLEAN, Arm, Outcomes, Test

REVERSED = ("reverse", 0.0)
AT_RANDOM_TIMES = ("replace", 1.0)


def model_findings(outcomes: Outcomes, arm: Arm | None) -> list[Finding]:
    """Return what perturbations say of one model: precision, what it relies on, order.

    Precision and reliance are of a dependence on spike times: they are given only where that is claimed.
    """
    if arm is None or outcomes.above_chance(arm) > CLAIM_LEVEL or AT_RANDOM_TIMES not in outcomes.tests(arm):
        return []
    if takes(outcomes, arm, AT_RANDOM_TIMES):
        found = [_precision(outcomes, arm), _reliance(outcomes, arm), _order(outcomes, arm)]
    else:
        found = [_no_precision(outcomes, arm), _order(outcomes, arm)]
    return [finding for finding in found if finding is not None]


def takes(outcomes: Outcomes, arm: Arm, test: Test) -> bool:
    """Tell whether a perturbation takes accuracy from a model for sure, at CLAIM_LEVEL."""
    return outcomes.difference(arm, arm, (CLEAN, test), CLAIM_CONFIDENCE).low > 0


def _precision(outcomes: Outcomes, arm: Arm) -> Finding | None:
    levels = outcomes.levels(arm, "jitter")
    if not levels:
        return None
    interval = outcomes.half_level(arm, "jitter")
    claimed = takes(outcomes, arm, ("jitter", levels[-1]))
    if claimed:
        sentence = (
            f"Jitter of every spike by {milliseconds(interval, levels)} takes half of what {arm.name} knows "
            f"above chance on {arm.variant}."
        )
    else:
        sentence = (
            f"Jitter of every spike by up to {1000 * levels[-1]:g} ms takes nothing from {arm.name} on "
            f"{arm.variant} that can be shown."
        )
    return Finding("precision", "Precision", sentence, in_ms(interval), "ms", claimed)


def _no_precision(outcomes: Outcomes, arm: Arm) -> Finding:
    """Say that there is no precision to give: what jitter does to a code of counts is no matter of times."""
    drop = outcomes.difference(arm, arm, (CLEAN, AT_RANDOM_TIMES))
    sentence = (
        f"No dependence of {arm.name} on spike times can be shown on {arm.variant}, so that no precision can "
        f"be given: with all spikes moved to random times it loses {loss(drop)}."
    )
    return Finding("precision", "Precision", sentence, drop, "points", False)


def _reliance(outcomes: Outcomes, arm: Arm) -> Finding | None:
    """Say what is lost at each rung: locking to the start, relations between units, intervals within them."""
    moved = {"jitter-sample": "whole samples", "jitter-unit": "whole units", "jitter": "single spikes"}
    levels = {name: outcomes.levels(arm, name) for name in moved if outcomes.levels(arm, name)}
    if "jitter-unit" not in levels or "jitter" not in levels:
        return None
    halves = {name: outcomes.half_level(arm, name) for name in levels}
    listed = "; ".join(
        f"{moved[name]} by {milliseconds(half, levels[name])}" for name, half in halves.items()
    )
    strict = {name: outcomes.half_level(arm, name, CLAIM_CONFIDENCE) for name in levels}
    survived = {name: min(half.low, levels[name][-1]) for name, half in strict.items()}
    reading = _reading(strict, survived)
    sentence = (
        f"Half of what {arm.name} knows is gone on moving {listed}: "
        f"{reading or 'which of the relations it uses is not decided'}."
    )
    claimed = reading is not None
    return Finding("reliance", "What the model uses", sentence, in_ms(halves["jitter-unit"]), "ms", claimed)


def _reading(halves: Mapping[str, Interval], survived: Mapping[str, float]) -> str | None:
    """Say what the half levels mean, or None where their intervals leave it open.

    ``survived`` is the jitter that each is known to bear.
    """
    spike, unit, sample = halves["jitter"], halves["jitter-unit"], halves.get("jitter-sample")
    if math.isinf(spike.low):
        largest = f"{1000 * survived['jitter']:g} ms"
        return f"no jitter tested takes half of it, so most of it does not rest on times finer than {largest}"
    if survived["jitter-unit"] > spike.high:
        share = "mostly" if math.isinf(unit.low) else "also"  # mostly: no shift of units takes half
        return f"it relies {share} on intervals within units, which shifts of whole units spare"
    # Twice, for samples with less silence around them than a typical one are moved less than the jitter says.
    if sample is not None and survived["jitter-sample"] > 2 * unit.high:
        return "it relies on relations between units, which shifts of whole samples spare"
    if sample is not None and _costs_as_soon(sample, unit):
        return "it relies on times locked to the sample's start"
    if _costs_as_soon(unit, spike):
        return "it relies on times across units, or since the start, more than on intervals within units"
    return None


def _costs_as_soon(wide: Interval, fine: Interval) -> bool:
    """Tell whether moving more at once takes half at less than twice the jitter, whatever the draw."""
    return math.isfinite(wide.high) and wide.high <= 2 * fine.low


def _order(outcomes: Outcomes, arm: Arm) -> Finding | None:
    if REVERSED not in outcomes.tests(arm):
        return None
    drop = outcomes.difference(arm, arm, (CLEAN, REVERSED))
    claimed = takes(outcomes, arm, REVERSED)
    after = outcomes.accuracy(arm, REVERSED)
    if claimed:
        sentence = (
            f"Played backwards, {arm.name} loses {loss(drop)} on {arm.variant} ({share(after)} left): "
            "the direction of time matters to it."
        )
    else:
        sentence = (
            f"Played backwards, {arm.name} loses nothing that can be shown on {arm.variant}: {loss(drop)}."
        )
    return Finding("order", "Direction of time", sentence, drop, "points", claimed)


def without_times(outcomes: Outcomes, arm: Arm) -> Finding:
    """Say what is left when every spike is moved to a random time and only the counts are kept."""
    drop = outcomes.difference(arm, arm, (CLEAN, AT_RANDOM_TIMES))
    left = outcomes.accuracy(arm, AT_RANDOM_TIMES)
    claimed = takes(outcomes, arm, AT_RANDOM_TIMES)
    sentence = (
        f"With all spikes moved to random times, so that counts alone are left, {arm.name} keeps "
        f"{share(left)}: "
        + ("it depends on when spikes come." if claimed else "no dependence on spike times can be shown.")
    )
    return Finding("without-times", "Without times", sentence, drop, "points", claimed)
