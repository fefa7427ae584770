"""Echo-localisation: distance and azimuth, told by two heads of one network."""

from __future__ import annotations

from pathlib import Path

from beyondrate.audit.outcomes import CLEAN
from beyondrate.reproduce.claims import more_accurate
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Panel, Reproduction
from beyondrate.reproduce.koopman2026 import timing_experiment
from beyondrate.reproduce.koopman2026.published import OURS
from beyondrate.reproduce.koopman2026.timing_arms import ARMS
from beyondrate.reproduce.koopman2026.timing_experiment import (
    Measured,
    TimingJob,
    arm_at,
    ceiling_jobs,
    ceilings,
    jobs,
    measured,
    variants_of,
)
from beyondrate.reproduce.koopman2026.timing_figures import notes, reaches, spent
from beyondrate.reproduce.series import accuracy_series

TASK = "echo"
COMPARED = ("gated", "spatial", "lif")
DTS_MS = {"quick": (1.0,), "paper": (10.0, 5.0, 1.0)}
LEAST = {"echo: distance": 0.90, "echo: azimuth": 0.99}  # at 1 ms


def stages(plan: Plan) -> list[list[TimingJob]]:
    """Return the trainings, and the ceilings."""
    dts_ms = DTS_MS[plan["preset"]]
    return [[*jobs(plan, TASK, COMPARED, dts_ms), *ceiling_jobs(plan, TASK, dts_ms)]]


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    found = measured(folder, [job for job in stages(plan)[0] if job.arm in ARMS])
    dts_ms = DTS_MS[plan["preset"]]
    best = {dt: ceilings(folder, TASK, dt) for dt in dts_ms}
    panels = [
        Panel(
            title=variant,
            kind="bars",
            y_label="test accuracy",
            groups=[f"{dt:g} ms, best possible {100 * best[dt][variant]:.0f} %" for dt in dts_ms],
            series=[
                accuracy_series(
                    found.outcomes, ARMS[name].shown, [(arm_at(variant, name, dt), CLEAN) for dt in dts_ms]
                )
                for name in COMPARED
            ],
            references={"chance": found.outcomes.chance(variant)},
        )
        for variant in variants_of(TASK)
    ]
    first = variants_of(TASK)[0]
    panels.append(
        Panel(
            title="spikes",
            kind="bars",
            y_label="spikes a unit and sample",
            groups=[f"{dt:g} ms" for dt in dts_ms],
            series=[
                spent(found, ARMS[name].shown, [(arm_at(first, name, dt), CLEAN) for dt in dts_ms])
                for name in COMPARED
            ],
        )
    )
    return Reproduction(
        figure="koopman2026/echo",
        title="Echo-localisation: how far away, and on which side",
        panels=panels,
        claims=_claims(found),
        rows=found.rows(),
        notes=notes(
            plan,
            f"Best possible: exact Bayes rules on {plan['simulated']:,} simulated samples.",
            "A spike of n quanta counts as n spikes.",
        ),
    )


def _claims(found: Measured) -> list[Claim]:
    reached = [
        reaches(
            found,
            f"{variant} at 1 ms: {ARMS[name].shown} is right in {100 * least:.0f} % or more.",
            arm_at(variant, name, 1.0),
            least,
        )
        for variant, least in LEAST.items()
        for name in ("gated", "spatial")
    ]
    surpassed = [
        more_accurate(
            found.outcomes,
            f"{variant} at 1 ms: {ARMS[name].shown} surpasses a LIF net of the same size.",
            OURS,
            arm_at(variant, name, 1.0),
            arm_at(variant, "lif", 1.0),
        )
        for variant in LEAST
        for name in ("gated", "spatial")
    ]
    return [*reached, *surpassed]


FIGURE = Figure(
    name="koopman2026/echo",
    shows="echo-localisation: distance and azimuth from two heads, against LIF",
    experiment=timing_experiment.EXPERIMENT,
    stages=stages,
    draw=draw,
)
