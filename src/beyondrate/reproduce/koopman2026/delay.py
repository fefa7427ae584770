"""Delay detection, coarse and fine, trained and tested at three time steps, against a LIF net with BPTT."""

from __future__ import annotations

from pathlib import Path

from beyondrate.audit.outcomes import CLEAN, Test
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Panel, Reproduction
from beyondrate.reproduce.koopman2026 import timing_experiment
from beyondrate.reproduce.koopman2026.costs import Measured
from beyondrate.reproduce.koopman2026.timing_arms import ARMS
from beyondrate.reproduce.koopman2026.timing_experiment import (
    DTS_MS,
    OTHER_DT,
    TimingJob,
    arm_at,
    ceiling_jobs,
    ceilings,
    jobs,
    measured,
    stages_of,
)
from beyondrate.reproduce.koopman2026.timing_figures import (
    COUNTED,
    accuracy_bars,
    claims_for_gamma,
    cost_bars,
    notes,
    tries_notes,
)
from beyondrate.reproduce.series import accuracy_series

TITLES = {"delay": "delays 10 ms apart", "fine": "delays 3 ms apart"}
COMPARED = {
    "quick": ("gated", "spatial", "lif"),
    "paper": ("gated", "spatial", "full", "lif"),
}
LEAST = (  # task, time step in ms, accuracy that gated and spatial are to reach
    ("delay", 5.0, 0.90),
    ("delay", 1.0, 0.97),
    ("fine", 1.0, 0.99),
)


def stages(plan: Plan) -> list[list[TimingJob]]:
    """Return the tries, then the trainings on both tasks, and the ceilings."""
    trainings = [job for task in TITLES for job in jobs(plan, task, COMPARED[plan["preset"]], DTS_MS)]
    return stages_of(trainings, [job for task in TITLES for job in ceiling_jobs(plan, task, DTS_MS)])


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    trainings = [job for job in stages(plan)[1] if job.arm in ARMS]
    found = measured(folder, trainings)
    names = COMPARED[plan["preset"]]
    best = {task: {dt: ceilings(folder, task, dt)[task] for dt in DTS_MS} for task in TITLES}
    panels = [
        accuracy_bars(found, f"{title}, tested as trained", task, names, best[task])
        for task, title in TITLES.items()
    ]
    panels += [_crossed(found, task, name) for task in TITLES for name in ("gated", "lif")]
    for task, title in TITLES.items():
        panels += cost_bars(found, title, task, names, DTS_MS)
    return Reproduction(
        figure="koopman2026/delay",
        title="Which delay? Accuracy and spikes at three time steps",
        panels=panels,
        claims=claims_for_gamma(found, [(TITLES[task], task, dt, least) for task, dt, least in LEAST]),
        rows=found.rows(),
        notes=notes(
            plan,
            "Best possible with bins of 10, 5 and 1 ms: "
            + "; ".join(
                f"{title} " + ", ".join(f"{100 * best[task][dt]:.1f} %" for dt in DTS_MS)
                for task, title in TITLES.items()
            )
            + ".",
            "With one hidden layer the rule eligibility gives the gradient of full.",
            COUNTED,
            *tries_notes(folder, plan, trainings),
        ),
    )


def _crossed(found: Measured, task: str, name: str) -> Panel:
    def test(trained_ms: float, tested_ms: float) -> Test:
        return CLEAN if tested_ms == trained_ms else (OTHER_DT, tested_ms / 1000)

    return Panel(
        title=f"{TITLES[task]}: {ARMS[name].shown}",
        kind="lines",
        x_label="time step of the test (ms)",
        y_label="test accuracy",
        series=[
            accuracy_series(
                found.outcomes,
                f"trained at {trained:g} ms",
                [(arm_at(task, name, trained), test(trained, tested)) for tested in DTS_MS],
                list(DTS_MS),
            )
            for trained in DTS_MS
        ],
        references={"chance": found.outcomes.chance(task)},
        logarithmic=True,
    )


FIGURE = Figure(
    name="koopman2026/delay",
    shows="delay detection, coarse and fine, at time steps of 10, 5 and 1 ms, against LIF",
    experiment=timing_experiment.EXPERIMENT,
    stages=stages,
    draw=draw,
)
