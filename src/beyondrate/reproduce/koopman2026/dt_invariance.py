"""A network that was trained at one time step, tested at others."""

from __future__ import annotations

from pathlib import Path

from beyondrate.audit.outcomes import CLEAN, Arm, Test
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Panel, Reproduction
from beyondrate.reproduce.koopman2026 import timing_experiment
from beyondrate.reproduce.koopman2026.costs import Measured, cost_series
from beyondrate.reproduce.koopman2026.timing_arms import ARMS
from beyondrate.reproduce.koopman2026.timing_experiment import (
    OTHER_DT,
    SAME_EVENTS,
    TESTED_FINER,
    TimingJob,
    arm_at,
    jobs,
    measured,
    stages_of,
)
from beyondrate.reproduce.koopman2026.timing_figures import (
    COSTS,
    COUNTED,
    notes,
    same_nets,
    tries_notes,
)
from beyondrate.reproduce.series import accuracy_series

TASK, TRAINED_MS = "delay", 5.0
MARGIN = 0.02


def stages(plan: Plan) -> list[list[TimingJob]]:
    """Return the tries, then the trainings at 5 ms."""
    return stages_of(jobs(plan, TASK, TESTED_FINER, [TRAINED_MS]))


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    trainings = stages(plan)[1]
    found = measured(folder, trainings)
    return Reproduction(
        figure="koopman2026/dt-invariance",
        title=f"Trained at {TRAINED_MS:g} ms, tested at other time steps",
        panels=[
            _panel(found, "same events: moved to the training grid", SAME_EVENTS),
            _panel(found, "events where they are", OTHER_DT),
            *(_panel(found, "the same events", SAME_EVENTS, what) for what in COSTS),
        ],
        claims=_claims(found),
        rows=found.rows(),
        notes=notes(
            plan,
            "Events are the same at another time step where they lie on the training grid; where they stay "
            "in place, a finer step also tells more of them than the network was trained with.",
            "The LIF net's offset currents and readout are rescaled with the time step, so that membranes "
            "below threshold do not depend on it.",
            COUNTED,
            *tries_notes(folder, plan, trainings),
        ),
    )


def _arm(name: str) -> Arm:
    return arm_at(TASK, name, TRAINED_MS)


def _tests(found: Measured, arm: Arm, kind: str) -> list[tuple[float, Test]]:
    """Return time steps in ms and the tests at them, from coarse to fine."""
    tests = [(1000 * test[1], test) for test in found.outcomes.tests(arm) if test[0] == kind]
    if kind == OTHER_DT:
        tests.append((TRAINED_MS, CLEAN))
    return sorted(tests, reverse=True)


def _panel(found: Measured, title: str, kind: str, what: str | None = None) -> Panel:
    """Return the accuracies at every time step of the test, or what of COSTS the networks spend there."""
    series = []
    for arm in TESTED_FINER:
        tests = _tests(found, _arm(arm), kind)
        points = [(_arm(arm), test) for _, test in tests]
        name, x = ARMS[arm].shown, [dt_ms for dt_ms, _ in tests]
        if what is None:
            series.append(accuracy_series(found.outcomes, name, points, x))
        else:
            series.append(cost_series(found, name, points, what, x))
    return Panel(
        title=title,
        kind="lines",
        x_label="time step of the test (ms)",
        y_label="test accuracy" if what is None else COSTS[what],
        series=series,
        references={"chance": found.outcomes.chance(TASK)} if what is None else {},
        logarithmic=True,
    )


def _claims(found: Measured) -> list[Claim]:
    claims = []
    for name in TESTED_FINER:
        arm = _arm(name)
        tests = _tests(found, arm, SAME_EVENTS)
        trained = tests[0][1]
        steps = [
            same_nets(
                found,
                f"{ARMS[name].shown}: at {dt_ms:g} ms, on the same events, within 2 points of "
                f"{TRAINED_MS:g} ms.",
                arm,
                (test, trained),
                MARGIN,
            )
            for dt_ms, test in tests[1:]
        ]
        claims += steps if name == "gated" else steps[-1:]
    return claims


FIGURE = Figure(
    name="koopman2026/dt-invariance",
    shows="trained at 5 ms, tested at 10 to 0.1 ms, beside one-step cascade, one spike a step, and LIF",
    experiment=timing_experiment.EXPERIMENT,
    stages=stages,
    draw=draw,
)
