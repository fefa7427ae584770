"""Echo-localisation: distance and azimuth, told by two heads of one network."""

from __future__ import annotations

from pathlib import Path

from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Reproduction
from beyondrate.reproduce.koopman2026 import timing_experiment
from beyondrate.reproduce.koopman2026.timing_arms import ARMS
from beyondrate.reproduce.koopman2026.timing_experiment import (
    TimingJob,
    ceiling_jobs,
    ceilings,
    jobs,
    measured,
    stages_of,
    variants_of,
)
from beyondrate.reproduce.koopman2026.timing_figures import (
    COUNTED,
    accuracy_bars,
    claims_for_gamma,
    cost_bars,
    notes,
    tries_notes,
)

TASK = "echo"
COMPARED = ("gated", "spatial", "lif")
DTS_MS = {"quick": (1.0,), "paper": (10.0, 5.0, 1.0)}
LEAST = {"echo: distance": 0.90, "echo: azimuth": 0.99}  # at 1 ms


def stages(plan: Plan) -> list[list[TimingJob]]:
    """Return the tries, then the trainings, and the ceilings."""
    dts_ms = DTS_MS[plan["preset"]]
    return stages_of(jobs(plan, TASK, COMPARED, dts_ms), ceiling_jobs(plan, TASK, dts_ms))


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    trainings = [job for job in stages(plan)[1] if job.arm in ARMS]
    found = measured(folder, trainings)
    dts_ms = DTS_MS[plan["preset"]]
    best = {dt: ceilings(folder, TASK, dt) for dt in dts_ms}
    variants = variants_of(TASK)
    panels = [
        accuracy_bars(found, variant, variant, COMPARED, {dt: best[dt][variant] for dt in dts_ms})
        for variant in variants
    ]
    panels += cost_bars(found, "both heads", variants[0], COMPARED, dts_ms)
    return Reproduction(
        figure="koopman2026/echo",
        title="Echo-localisation: how far away, and on which side",
        panels=panels,
        claims=claims_for_gamma(found, [(variant, variant, 1.0, least) for variant, least in LEAST.items()]),
        rows=found.rows(),
        notes=notes(
            plan,
            f"Best possible: exact Bayes rules on {plan['simulated']:,} simulated samples.",
            COUNTED,
            *tries_notes(folder, plan, trainings),
        ),
    )


FIGURE = Figure(
    name="koopman2026/echo",
    shows="echo-localisation: distance and azimuth from two heads, against LIF",
    experiment=timing_experiment.EXPERIMENT,
    stages=stages,
    draw=draw,
)
