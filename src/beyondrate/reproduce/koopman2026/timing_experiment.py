"""The timing experiment: networks trained on timing tasks at one time step and tested at others."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from beyondrate import tasks
from beyondrate.audit.outcomes import CLEAN, Answers, Arm, Outcomes, Test
from beyondrate.audit.train_and_test import keep_network
from beyondrate.jobs import Tell, read_json, read_result
from beyondrate.reproduce.experiment import Experiment, Plan, Request
from beyondrate.reproduce.koopman2026 import timing_arms, timing_training
from beyondrate.reproduce.koopman2026.costs import Measured, spent
from beyondrate.reproduce.koopman2026.timing_arms import ARMS, BATCH, Try
from beyondrate.reproduce.koopman2026.timing_tasks import (
    N_AZIMUTHS,
    TEST_SEED,
    TIMING_TASKS,
    on_grid,
    timing_task,
)

SEEDS = {"quick": 2, "paper": 5}
UPDATES = {
    "quick": {"delay": 500, "fine": 250, "echo": 500},
    "paper": {"delay": 1000, "fine": 500, "echo": 1000},
}
TRY_UPDATES = {  # of each try of a rate and a time constant
    "quick": {"delay": 100, "fine": 50, "echo": 100},
    "paper": {"delay": 200, "fine": 100, "echo": 200},
}
N_VALIDATION = {"quick": 300, "paper": 1000}
N_TEST = {"quick": 1000, "paper": 4000}
N_SIMULATED = {"quick": 200, "paper": 2000}  # for ceilings that have no closed form

DTS_MS = (10.0, 5.0, 1.0)
FINER_DTS_MS = (0.5, 0.1)
SAME_EVENTS = "dt, events on the training grid"
OTHER_DT = "dt"  # both are named with a time step in seconds as their level
TESTED_FINER = ("gated", "theta-1", "cascade", "binary", "lif")  # on the delay task, trained at 5 ms
CEILING = "ceiling"
TRIES = 10**8
N_COUNTED = 256  # samples that spikes and operations are counted on


@dataclass(frozen=True)
class TimingJob:
    """One training, with its tests; the tries that choose an arm's rate; or a task's ceilings at a time step.

    Args:
        task: of TIMING_TASKS.
        arm: of ARMS, or CEILING.
        dt_ms: time step of the training, or of the ceilings.
        seed: of samples and weights; TRIES for the tries, whose samples no other job sees.
    """

    task: str
    arm: str
    dt_ms: float
    seed: int = 0

    @property
    def key(self) -> str:
        """The job's name, also of the file that keeps its result."""
        seed = "tries" if self.seed == TRIES else self.seed
        return f"{self.task}_{self.arm}_{self.dt_ms:g}ms_{seed}"


def make_plan(request: Request) -> Plan:
    """Return everything that decides the experiment's results."""
    preset = request.preset
    return {
        "preset": preset,
        "seeds": list(range(SEEDS[preset]) if request.seeds is None else request.seeds),
        "updates": UPDATES[preset],
        "validation": N_VALIDATION[preset],
        "test": N_TEST[preset],
        "simulated": N_SIMULATED[preset],
        "dts_ms": list(DTS_MS),
        "finer_dts_ms": list(FINER_DTS_MS),
        "hidden": timing_arms.HIDDEN,
        "arms": {name: repr(arm) for name, arm in ARMS.items()},
        "tested_finer": list(TESTED_FINER),
        "tries": TRY_UPDATES[preset],
        "taken": "first within a standard error",
        "warm_up": timing_arms.WARM_UP,
        "memory_s": {name: task.memory_s for name, task in TIMING_TASKS.items()},
    }


def prepare(folder: Path, plan: Plan, request: Request) -> None:
    """Prepare nothing: every job draws its own samples."""


def jobs(plan: Plan, task: str, arms: Iterable[str], dts_ms: Sequence[float]) -> list[TimingJob]:
    """Return the trainings of arms on a task at time steps, with every seed."""
    return [TimingJob(task, arm, dt, seed) for seed in plan["seeds"] for dt in dts_ms for arm in arms]


def stages_of(trainings: Sequence[TimingJob], ceilings: Sequence[TimingJob] = ()) -> list[list[TimingJob]]:
    """Return the tries that the trainings need, then these themselves and the ceilings."""
    return [list(dict.fromkeys(tries_of(job) for job in trainings)), [*trainings, *ceilings]]


def tries_of(training: TimingJob) -> TimingJob:
    """Return the tries that choose a training's rate and time constant."""
    return replace(training, arm=ARMS[training.arm].tuned_with or training.arm, seed=TRIES)


def ceiling_jobs(plan: Plan, task: str, dts_ms: Sequence[float]) -> list[TimingJob]:
    """Return the jobs that compute a task's ceilings."""
    return [TimingJob(task, CEILING, dt) for dt in dts_ms]


def run_job(folder: Path, values: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Train a network, and return the classes that it gives to the test samples; or compute ceilings."""
    job, plan = TimingJob(**values), read_json(folder / "plan.json")
    task, dt_s = timing_task(job.task), job.dt_ms / 1000
    if job.arm == CEILING:
        return {"ceilings": dict(task.ceilings(dt_s, plan["simulated"]))}
    arm = ARMS[job.arm]
    if job.seed == TRIES:
        return {"tries": _try_all(job, plan, tell)}
    started = time.perf_counter()
    choice = chosen(folder, job)
    training = task.generate(BATCH * plan["updates"][job.task], 2 * job.seed)
    validation = task.generate(plan["validation"], 2 * job.seed + 1)
    ready, accuracy = timing_training.train(
        arm, task, training, validation, dt_s=dt_s, seed=job.seed, choice=choice
    )
    seconds = time.perf_counter() - started
    tell(0.7, "testing")
    keep_network(ready, folder, job.key, f"task {job.task}, seed {job.seed}")
    test = task.generate(plan["test"], TEST_SEED)
    answered = []
    for name, level in tests_of(plan, job):
        shown = on_grid(test, dt_s) if name == SAME_EVENTS else test
        at_s = level or dt_s
        classes = timing_training.answers(ready, arm, shown, at_s)
        cost = {}
        if arm.model != "latency":  # an MLP, whose multiply-adds are of no time step
            cost = spent(ready.network, shown, at_s, n_samples=N_COUNTED, rate="quanta_per_s")
        answered.append({"perturbation": name, "level": level, "classes": classes.tolist(), "spent": cost})
    return {
        "tests": answered,
        "labels": test.labels.tolist(),
        "validation_accuracy": accuracy,
        "seconds": round(seconds, 2),
        "parameters": sum(p.numel() for p in ready.network.parameters() if p.requires_grad),
    }


def _try_all(job: TimingJob, plan: Plan, tell: Tell) -> list[dict[str, Any]]:
    """Train an arm with each of its tries for a while; return what each of them reaches in validation."""
    arm, task = ARMS[job.arm], timing_task(job.task)
    training = task.generate(BATCH * plan["tries"][job.task], TRIES)
    validation = task.generate(plan["validation"], TRIES + 1)
    tried = []
    for number, choice in enumerate(arm.tries):
        _, accuracy = timing_training.train(
            arm, task, training, validation, dt_s=job.dt_ms / 1000, seed=TRIES, choice=choice
        )
        tried.append({**choice._asdict(), "validation_accuracy": accuracy})
        tell((number + 1) / len(arm.tries), f"rate {choice.rate:g}")
    return tried


def chosen(folder: Path, training: TimingJob) -> Try:
    """Return the first of the tries that are as good as the best, by its standard error.

    The first are the defaults. The very best of nine is chosen by chance where several reach the ceiling, and
    then at times a memory too short for the longest delays, which shows at other time steps only.
    """
    tries = read_result(folder, tries_of(training))["tries"]
    n_samples = read_json(folder / "plan.json")["validation"]
    best = max(one["validation_accuracy"] for one in tries)
    enough = best - math.sqrt(best * (1 - best) / n_samples)
    taken = next(one for one in tries if one["validation_accuracy"] >= enough)
    return Try(taken["rate"], taken["network"])


def tests_of(plan: Plan, job: TimingJob) -> list[Test]:
    """Return what a trained network is tested under: its own time step, and others."""
    if ARMS[job.arm].model in ("latency", "first-spike"):  # a sample's bins, not a stream of them
        return [CLEAN]
    others = [dt for dt in plan["dts_ms"] if dt != job.dt_ms]
    if job.task != "delay" or job.dt_ms != 5 or job.arm not in TESTED_FINER:
        return [CLEAN, *((OTHER_DT, dt / 1000) for dt in others)]
    others += plan["finer_dts_ms"]
    finer = [dt for dt in [job.dt_ms, *others] if dt <= job.dt_ms]  # coarser bins would merge events
    return [
        CLEAN,
        *((OTHER_DT, dt / 1000) for dt in others),
        *((SAME_EVENTS, dt / 1000) for dt in finer),
    ]


def variants_of(task: str) -> list[str]:
    """Return what a task asks for: its name, or what each of its heads is to tell.

    >>> variants_of("delay"), variants_of("echo")
    (['delay'], ['echo: distance', 'echo: azimuth'])
    """
    return [f"{task}: {what}" for what in ("distance", "azimuth")] if timing_task(task).two_heads else [task]


def arm_at(variant: str, arm: str, dt_ms: float) -> Arm:
    """Return an arm as outcomes know it."""
    return Arm(variant, arm, f"trained at {dt_ms:g} ms")


def measured(folder: Path, jobs: Iterable[TimingJob]) -> Measured:
    """Read what finished jobs answered."""
    answers: list[Answers] = []
    labels: dict[str, Int64[np.ndarray, " tests"]] = {}
    cost: dict[tuple[Arm, Test], list[Mapping[str, float]]] = {}
    for job in jobs:
        result = read_result(folder, job)
        truth = _parts(job.task, result["labels"])
        found: dict[str, dict[Test, np.ndarray]] = {variant: {} for variant in truth}
        for test in result["tests"]:
            under: Test = (test["perturbation"], test["level"])
            for variant, classes in _parts(job.task, test["classes"]).items():
                found[variant][under] = classes.astype(np.int32)
                cost.setdefault((arm_at(variant, job.arm, job.dt_ms), under), []).append(test["spent"])
        for variant, predictions in found.items():
            labels[variant] = truth[variant]
            arm = arm_at(variant, job.arm, job.dt_ms)
            answers.append(Answers(arm, job.seed, result["validation_accuracy"], predictions))
    return Measured(Outcomes(answers, labels), cost)


def ceilings(folder: Path, task: str, dt_ms: float) -> dict[str, float]:
    """Return a task's ceilings at a time step, by variant."""
    found = read_result(folder, TimingJob(task, CEILING, dt_ms))["ceilings"].values()
    return dict(zip(variants_of(task), found, strict=True))


def _parts(task: str, classes: Sequence[int]) -> dict[str, Int64[np.ndarray, " tests"]]:
    """Return the classes of each of a task's variants."""
    whole = np.array(classes)
    if not timing_task(task).two_heads:
        return {task: whole}
    parts = tasks.echo.distance_and_azimuth(whole, n_azimuths=N_AZIMUTHS)
    return dict(zip(variants_of(task), parts, strict=True))


EXPERIMENT = Experiment(
    name="timing",
    work="beyondrate.reproduce.koopman2026.timing_experiment:run_job",
    plan=make_plan,
    prepare=prepare,
    takes_data=False,
)
