"""What the figures of the timing experiment share: curves, claims and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from beyondrate.audit.metrics import change_interval
from beyondrate.audit.outcomes import CLEAN, Arm, Test
from beyondrate.jobs import read_result
from beyondrate.reproduce.claims import more_accurate, percent, points, with_interval
from beyondrate.reproduce.experiment import Plan
from beyondrate.reproduce.figure import Claim, Holds, Panel, Series
from beyondrate.reproduce.koopman2026.costs import Measured, cost_series
from beyondrate.reproduce.koopman2026.published import NO_NUMBERS, OURS
from beyondrate.reproduce.koopman2026.timing_arms import ARMS
from beyondrate.reproduce.koopman2026.timing_experiment import TimingJob, arm_at, chosen, tries_of
from beyondrate.reproduce.series import accuracy_series

ENOUGH_SEEDS = 5
COSTS = {  # what of ``costs.spent`` is drawn, and its axis
    "quanta_per_s": "spikes a unit and second",
    "synaptic": "synaptic operations a sample",
    "state": "state operations a sample",
}
COUNTED = (
    "A spike of n quanta counts as n spikes, and as one event. Synaptic operations are events times fan-out, "
    "state operations the multiply-adds of every unit at every step."
)


def accuracy_bars(
    measured: Measured, title: str, variant: str, names: Sequence[str], best: Mapping[float, float]
) -> Panel:
    """Return the accuracies of arms at the time steps that they were trained at.

    ``best`` has the best possible accuracy at each of these time steps, in ms: "best" in the picture.
    """
    return Panel(
        title=title,
        kind="bars",
        x_label="time step, and the best possible accuracy",
        y_label="test accuracy",
        groups=[f"{dt:g} ms\nbest {100 * ceiling:.0f} %" for dt, ceiling in best.items()],
        series=[
            accuracy_series(
                measured.outcomes, ARMS[name].shown, [(arm_at(variant, name, dt), CLEAN) for dt in best]
            )
            for name in names
        ],
        references={"chance": measured.outcomes.chance(variant)},
    )


def cost_bars(
    measured: Measured,
    title: str,
    variant: str,
    names: Sequence[str],
    dts_ms: Sequence[float],
    costs: Sequence[str] = tuple(COSTS),
) -> list[Panel]:
    """Return a panel for each of the costs: what arms spend at the time steps that they were trained at."""
    return [
        Panel(
            title=title,
            kind="bars",
            y_label=COSTS[what],
            groups=[f"{dt:g} ms" for dt in dts_ms],
            series=[
                cost_series(
                    measured, ARMS[name].shown, [(arm_at(variant, name, dt), CLEAN) for dt in dts_ms], what
                )
                for name in names
            ],
        )
        for what in costs
    ]


def spikes_curve(measured: Measured, name: str, arms: Sequence[Arm], what: str) -> Series:
    """Return the accuracy of arms against the spikes that they spend, counted as ``what`` says."""
    by_spikes = sorted((measured.mean_spent(arm, what), arm) for arm in arms)
    intervals = [measured.outcomes.accuracy(arm) for _, arm in by_spikes]
    return Series(
        name=name,
        x=[spikes for spikes, _ in by_spikes],
        y=[interval.estimate for interval in intervals],
        low=[interval.low for interval in intervals],
        high=[interval.high for interval in intervals],
        seeds=[measured.outcomes.correct(arm, CLEAN).mean(axis=1).tolist() for _, arm in by_spikes],
    )


def claims_for_gamma(measured: Measured, goals: Sequence[tuple[str, str, float, float]]) -> list[Claim]:
    """Judge whether gated and spatial reach their goals, and surpass a LIF net there.

    A goal is a task's name in the claim, its variant, the time step in ms, and the least accuracy.
    """
    held = [  # all goals reached first: the draws of each interval go on from those of the one before
        (arm_at(variant, name, dt), f"{task} at {dt:g} ms: {ARMS[name].shown}", least)
        for task, variant, dt, least in goals
        for name in ("gated", "spatial")
    ]
    reached = [
        _reaches(measured, f"{said}: the mean of the seeds is {100 * least:.0f} % or more.", arm, least)
        for arm, said, least in held
    ]
    surpassed = [
        more_accurate(
            measured.outcomes,
            f"{said} surpasses a LIF net of the same size.",
            OURS,
            arm,
            arm._replace(model="lif"),
            n_claims=len(held),
        )
        for arm, said, _ in held
    ]
    return [*reached, *surpassed]


def _reaches(measured: Measured, sentence: str, arm: Arm, least: float) -> Claim:
    """Say whether the mean accuracy of the seeds is at least so much: what was measured, no inference."""
    found = measured.outcomes.accuracy(arm)
    seeds = measured.outcomes.correct(arm).mean(axis=1)
    said = f"{with_interval(found)}, worst of {len(seeds)} seeds {percent(float(seeds.min()))}"
    return Claim(sentence, OURS, "holds" if found.estimate >= least else "does not hold", said)


def same_nets(
    measured: Measured,
    sentence: str,
    arm: Arm,
    tests: tuple[Test, Test],
    margin: float,
    source: str = OURS,
) -> Claim:
    """Judge whether the same trained networks are as accurate under two tests, within ``margin``.

    The 95 % interval is of the differences of single samples and seeds, since both are the same in the tests.
    """
    first, second = (measured.outcomes.correct(arm, test).astype(np.float64) for test in tests)
    difference = change_interval(first - second)
    if max(-difference.low, difference.high) <= margin:
        return Claim(sentence, source, "holds", points(difference))
    apart = difference.low > margin or difference.high < -margin
    return Claim(sentence, source, "does not hold" if apart else "not decided", points(difference))


def not_below(
    measured: Measured, sentence: str, first: Arm, second: Arm, margin: float, source: str = OURS
) -> Claim:
    """Judge whether the first arm is at most ``margin`` less accurate than the second, by the interval."""
    difference = measured.outcomes.difference(first, second)
    holds: Holds = "not decided"
    if difference.low >= -margin:
        holds = "holds"
    elif difference.high < -margin:
        holds = "does not hold"
    return Claim(sentence, source, holds, points(difference))


def tries_notes(folder: Path, plan: Plan, trainings: Sequence[TimingJob]) -> list[str]:
    """Return the table of tries that chose rates and time constants: a line for every arm that was tried."""
    lines: dict[str, list[str]] = {}
    for job in dict.fromkeys(tries_of(training) for training in trainings):
        tries = read_result(folder, job)["tries"]
        accuracies = [one["validation_accuracy"] for one in tries]
        taken = chosen(folder, job)
        said_taken = ", ".join([f"{taken.rate:g}", *(f"{n} {v:.3g}" for n, v in taken.network.items())])
        if taken.rate == max(ARMS[job.arm].rates):
            said_taken += ", the highest rate tried: a higher one may be better"
        shown = " ".join(f"{100 * accuracy:.0f}" for accuracy in accuracies)
        lines.setdefault(job.arm, []).append(f"{job.task} at {job.dt_ms:g} ms: {shown} (taken: {said_taken})")
    updates = ", ".join(f"{task} {n}" for task, n in plan["tries"].items())
    said = [
        "Every arm's learning rate and time constant (τ of LIF, T of the gamma memory) were chosen by nine "
        "tries at each task and time step, on samples that no other training or test sees, with fewer "
        f"updates ({updates}): of those within a standard error of the best the first, which is the default. "
        "(The very best had at times a memory too short for the longest delays, seen at other time steps of "
        "the test.) Arms that differ by one thing take what the arm they differ from takes. The rates to try "
        "were themselves moved after looks at validation: those of LIF, of e-prop, OTTT and of spatial "
        "updates every 8 steps, where the best had been the last of its row; gated's were not.",
    ]
    for arm, found in lines.items():
        tried = ARMS[arm]
        rates = ", ".join(f"{rate:g}" for rate in tried.rates)
        choices = " | ".join(", ".join(f"{n} {v:.3g}" for n, v in each.items()) for each in tried.choices)
        kinds = f"for each of {choices} the rates {rates}" if choices else f"rates {rates}"
        said.append(f"Tries of {tried.shown}, % right in validation; {kinds}. " + "; ".join(found) + ".")
    return said


def notes(plan: Plan, *more: str) -> list[str]:
    """Return what a reader must know of seeds and samples, and whose the numbers are."""
    n_seeds = len(plan["seeds"])
    few = (
        " Fewer than five seeds are a look, not a result: --preset paper has five."
        if n_seeds < ENOUGH_SEEDS
        else ""
    )
    return [
        f"{n_seeds} seeds, each with its own training samples, seen once; all are tested on the same "
        f"{plan['test']:,}.{few}",
        *more,
        NO_NUMBERS,
    ]
