"""What makes it work: adaptive threshold, loss at every step, gamma memory; and a temporal code beside it."""

from __future__ import annotations

from pathlib import Path

from beyondrate.audit.outcomes import Arm
from beyondrate.reproduce.claims import more_accurate
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Reproduction
from beyondrate.reproduce.koopman2026 import timing_experiment
from beyondrate.reproduce.koopman2026.costs import Measured
from beyondrate.reproduce.koopman2026.published import OURS, PAPER
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
from beyondrate.reproduce.koopman2026.timing_figures import (
    accuracy_bars,
    cost_bars,
    not_below,
    notes,
    tries_notes,
)

TASK, DT_MS = "delay", 5.0
SPIKING = ("gated", "fixed-threshold", "gated-end", "spatial", "spatial-end", "exponential")
COMPARED = (*SPIKING, "first-spike", "latency")
MARGIN = 0.02
N_COMPARED = 3  # pairs of arms of which one is to be the more accurate


def stages(plan: Plan) -> list[list[TimingJob]]:
    """Return the tries, then the trainings with one thing changed, and the ceiling."""
    return stages_of(jobs(plan, TASK, COMPARED, [DT_MS]), ceiling_jobs(plan, TASK, [DT_MS]))


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    trainings = [job for job in stages(plan)[1] if job.arm in ARMS]
    found = measured(folder, trainings)
    best = {DT_MS: ceilings(folder, TASK, DT_MS)[TASK]}
    return Reproduction(
        figure="koopman2026/ablation",
        title=f"One thing changed: delays 10 ms apart, time step {DT_MS:g} ms",
        panels=[
            accuracy_bars(found, "accuracy", TASK, COMPARED, best),
            *cost_bars(found, "spikes", TASK, (*SPIKING, "first-spike"), [DT_MS], ["quanta_per_s"]),
        ],
        claims=_claims(found),
        rows=found.rows(),
        notes=notes(
            plan,
            "Temporal codes: units that integrate without leak and fire once, solved in closed form (Mostafa "
            "2018); and an MLP that is told the bin of each input's first spike, which is what a network "
            "without any dynamics makes of exact times.",
            *tries_notes(folder, plan, trainings),
        ),
    )


def _arm(name: str) -> Arm:
    return arm_at(TASK, name, DT_MS)


def _claims(found: Measured) -> list[Claim]:
    outcomes = found.outcomes
    saved = [found.mean_spent(_arm(name)) for name in ("gated", "fixed-threshold")]
    fixed = not_below(
        found,
        "Without adaptation of the threshold accuracy stays, within 2 points.",
        _arm("fixed-threshold"),
        _arm("gated"),
        MARGIN,
    )
    fewer = Claim(
        "The adaptive threshold saves spikes.",
        PAPER,
        "holds" if saved[0] < saved[1] else "does not hold",
        f"{saved[0]:.1f} against {saved[1]:.1f} quanta a unit and sample",
    )
    return [
        fixed,
        fewer,
        more_accurate(
            outcomes,
            "Rule spatial needs the loss at every step.",
            OURS,
            _arm("spatial"),
            _arm("spatial-end"),
            n_claims=N_COMPARED,
        ),
        not_below(
            found,
            "Rule gated does not: with a loss at the end it is as accurate, within 2 points.",
            _arm("gated-end"),
            _arm("gated"),
            MARGIN,
        ),
        more_accurate(
            outcomes,
            "The gamma memory surpasses one exponential.",
            PAPER,
            _arm("gated"),
            _arm("exponential"),
            n_claims=N_COMPARED,
        ),
        more_accurate(
            outcomes,
            "It surpasses units that fire once.",
            OURS,
            _arm("gated"),
            _arm("first-spike"),
            n_claims=N_COMPARED,
        ),
        not_below(
            found,
            "It is no worse than an MLP on first-spike times, within 2 points.",
            _arm("gated"),
            _arm("latency"),
            MARGIN,
        ),
    ]


FIGURE = Figure(
    name="koopman2026/ablation",
    shows="adaptive threshold, loss at the end, one exponential for a memory, a code of first spikes",
    experiment=timing_experiment.EXPERIMENT,
    stages=stages,
    draw=draw,
)
