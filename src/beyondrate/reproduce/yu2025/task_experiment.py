"""The task experiment of Yu et al. 2025: networks and observers on synthetic tasks, at levels of mixing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from beyondrate.audit.outcomes import CLEAN, Answers, Arm, Outcomes
from beyondrate.audit.train_and_test import keep_network
from beyondrate.jobs import Tell, read_json, read_result
from beyondrate.reproduce.experiment import Experiment, Plan, Request
from beyondrate.reproduce.yu2025 import observers
from beyondrate.reproduce.yu2025.observers import OBSERVERS
from beyondrate.reproduce.yu2025.task_nets import TASK_NETS, Delays, Size, held_out_set, train, training_sets
from beyondrate.training import predict

SEEDS = {"quick": 2, "paper": 5}
MOST_SEEDS = {"coincidence": {"quick": 2, "paper": 10}}  # "every one of ten seeds"
LEVELS = {
    "quick": (0.0, 0.25, 0.5, 0.75, 1.0),
    "paper": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
}
RETRAINED = {"quick": (0.5, 1.0), "paper": (0.2, 0.4, 0.6, 0.8, 1.0)}


@dataclass(frozen=True)
class TaskJob:
    """One training on a task.

    Args:
        task: of TASK_NETS.
        model: an observer, or the network's delays ("none", "frozen", "learned").
        seed: of samples, weights and delays.
        level: of the training samples; at 0 the network is tested at every level, else at its own.
    """

    task: str
    model: str
    seed: int
    level: float = 0.0

    @property
    def key(self) -> str:
        """The job's name, also of the file that keeps its result."""
        return f"{self.task}_{self.model}_{self.seed}_{self.level:g}"


def make_plan(request: Request) -> Plan:
    """Return everything that decides the experiment's results."""
    preset = request.preset
    asked = None if request.seeds is None else list(request.seeds)
    return {
        "preset": preset,
        "seeds": {task: asked or list(range(_n_seeds(task, preset))) for task in TASK_NETS},
        "levels": list(LEVELS[preset]),
        "retrained": list(RETRAINED[preset]),
        "sizes": {task: asdict(net.sizes[preset]) for task, net in TASK_NETS.items()},
        "settings": {task: repr(net.settings) for task, net in TASK_NETS.items()},
    }


def _n_seeds(task: str, preset: str) -> int:
    return MOST_SEEDS.get(task, SEEDS)[preset]


def prepare(folder: Path, plan: Plan, request: Request) -> None:
    """Prepare nothing: every job draws its own samples."""


def run_job(folder: Path, values: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Train a network or an observer, and return the classes that it gives to the test samples."""
    job, plan = TaskJob(**values), read_json(folder / "plan.json")
    size = Size(**plan["sizes"][job.task])
    levels = plan["levels"] if job.level == 0 else [job.level]
    tests = {level: held_out_set(job.task, level, size=size) for level in levels}

    def told(done: int, total: int, what: str) -> None:
        tell(0.9 * done / total, what)

    if job.model in OBSERVERS:
        training, validation = training_sets(job.task, job.level, job.seed, size=size)
        test = tests[job.level]
        found = observers.answers(job.model, training, validation, test, seed=job.seed, progress=told)
        return _result({job.level: found}, {job.level: test.labels})
    delays = cast("Delays", job.model)
    trained = train(job.task, job.level, job.seed, size=size, delays=delays, progress=told)
    arm = trained.arm
    keep_network(arm, folder, job.key, f"task {job.task}, seed {job.seed}")
    answers = {
        level: predict(arm.network, trains, dt_s=arm.dt_s, loss=arm.loss).argmax(axis=1)
        for level, trains in tests.items()
    }
    return {
        **_result(answers, {level: trains.labels for level, trains in tests.items()}),
        "validation_accuracy": trained.validation_accuracy,
        "seconds": round(trained.seconds, 2),
        "parameters": sum(p.numel() for p in arm.network.parameters() if p.requires_grad),
    }


def _result(answers: dict[float, np.ndarray], labels: dict[float, np.ndarray]) -> dict[str, Any]:
    return {
        "tests": [
            {"level": level, "classes": classes.tolist(), "labels": labels[level].tolist()}
            for level, classes in answers.items()
        ]
    }


def variant(task: str, level: float) -> str:
    """Return the name of a task at a level: what a variant is for the audit's outcomes."""
    return f"{task} {level:g}"


def jobs(plan: Plan, task: str, models: Sequence[str], retrained: Sequence[str] = ()) -> list[TaskJob]:
    """Return the trainings on a task: of all models on clean samples, and of some at each level."""
    seeds = plan["seeds"][task]
    clean = [TaskJob(task, model, seed) for seed in seeds for model in models]
    at_levels = [
        TaskJob(task, model, seed, level)
        for seed in seeds
        for level in plan["retrained"]
        for model in retrained
    ]
    return [*clean, *at_levels]


def outcomes(folder: Path, jobs: Sequence[TaskJob]) -> Outcomes:
    """Return what networks answered: trained clean (zero-shot), or at the tested level (retrained)."""
    answers, labels = [], {}
    for job in jobs:
        result = read_result(folder, job)
        for test in result["tests"]:
            at = variant(job.task, test["level"])
            labels[at] = np.array(test["labels"])
            arm = Arm(at, job.model, "zero-shot" if job.level == 0 else "retrained")
            found = {CLEAN: np.array(test["classes"], dtype=np.int32)}
            answers.append(Answers(arm, job.seed, result.get("validation_accuracy"), found))
    return Outcomes(answers, labels)


EXPERIMENT = Experiment(
    name="tasks",
    work="beyondrate.reproduce.yu2025.task_experiment:run_job",
    plan=make_plan,
    prepare=prepare,
    takes_data=False,
)
