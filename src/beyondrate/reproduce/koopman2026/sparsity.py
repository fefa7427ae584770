"""Accuracy against the spikes that a unit spends, as the threshold rises."""

from __future__ import annotations

from pathlib import Path

from beyondrate.audit.outcomes import Arm
from beyondrate.reproduce.claims import percent, with_interval
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Holds, Panel, Reproduction
from beyondrate.reproduce.koopman2026 import timing_experiment
from beyondrate.reproduce.koopman2026.costs import Measured
from beyondrate.reproduce.koopman2026.published import OURS
from beyondrate.reproduce.koopman2026.timing_arms import ARMS
from beyondrate.reproduce.koopman2026.timing_experiment import (
    TimingJob,
    arm_at,
    ceiling_jobs,
    ceilings,
    jobs,
    measured,
    stages_of,
)
from beyondrate.reproduce.koopman2026.timing_figures import notes, spikes_curve, tries_notes

TASK, DT_MS = "delay", 5.0
GRADED = ("gated", "theta-0.3", "theta-0.6", "theta-1", "theta-2")
BINARY = ("binary", "theta-0.3-binary", "theta-1-binary")
FEW, LEAST = 2.0, 0.90  # spikes a unit and sample, and the accuracy to be kept with them


def stages(plan: Plan) -> list[list[TimingJob]]:
    """Return the tries, then the trainings at every threshold, and the ceiling."""
    trainings = jobs(plan, TASK, (*GRADED, *BINARY, "lif"), [DT_MS])
    return stages_of(trainings, ceiling_jobs(plan, TASK, [DT_MS]))


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    trainings = [job for job in stages(plan)[1] if job.arm in ARMS]
    found = measured(folder, trainings)
    curves = {
        "graded spikes, each worth its quanta": (GRADED, "quanta"),
        "graded spikes, each worth one": (GRADED, "spikes"),
        "one spike a step": (BINARY, "spikes"),
        "LIF, τ tuned, BPTT": (("lif",), "spikes"),
    }
    panel = Panel(
        title="accuracy and spikes",
        kind="lines",
        x_label="spikes a unit and sample",
        y_label="test accuracy",
        series=[
            spikes_curve(found, name, [_arm(arm) for arm in arms], what)
            for name, (arms, what) in curves.items()
        ],
        references={
            "best possible": ceilings(folder, TASK, DT_MS)[TASK],
            "chance": found.outcomes.chance(TASK),
        },
        logarithmic=True,
    )
    return Reproduction(
        figure="koopman2026/sparsity",
        title=f"How few spikes suffice: delays 10 ms apart, time step {DT_MS:g} ms",
        panels=[panel],
        claims=_claims(found),
        rows=found.rows(),
        notes=notes(
            plan,
            "Points of a curve: " + "; ".join(ARMS[name].shown for name in GRADED) + ".",
            *tries_notes(folder, plan, trainings),
        ),
    )


def _arm(name: str) -> Arm:
    return arm_at(TASK, name, DT_MS)


def _claims(found: Measured) -> list[Claim]:
    return [
        _few(found, "graded spikes, each counted as its quanta", GRADED),
        _few(found, "binary spikes", BINARY),
    ]


def _few(found: Measured, kind: str, arms: tuple[str, ...]) -> Claim:
    """Judge whether any arm keeps the accuracy with few spikes; show the best of those with few."""
    sparse = [_arm(name) for name in arms if found.mean_spent(_arm(name)) <= FEW]
    sentence = f"{100 * LEAST:.0f} % or more with at most {FEW:g} spikes a unit ({kind})."
    if not sparse:
        least = min(found.mean_spent(_arm(name)) for name in arms)
        return Claim(sentence, OURS, "does not hold", f"none has so few; the fewest are {least:.1f}")
    best = max(sparse, key=lambda arm: found.outcomes.accuracy(arm).estimate)
    accuracy = found.outcomes.accuracy(best)
    holds: Holds = "holds" if accuracy.estimate >= LEAST else "does not hold"
    if holds == "does not hold" and accuracy.high >= LEAST:
        holds = "not decided"
    worst = percent(float(found.outcomes.correct(best).mean(axis=1).min()))
    said = f"{with_interval(accuracy)}, worst seed {worst}, with {found.mean_spent(best):.1f} spikes a unit"
    return Claim(sentence, OURS, holds, f"{said} ({ARMS[best.model].shown})")


FIGURE = Figure(
    name="koopman2026/sparsity",
    shows="accuracy against spikes a unit, as thresholds rise and spikes are binary",
    experiment=timing_experiment.EXPERIMENT,
    stages=stages,
    draw=draw,
)
