"""The speech experiment: nets trained on whole and norm at one time step, and tested at others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from beyondrate.audit.outcomes import CLEAN, Arm, Test
from beyondrate.audit.train_and_test import keep_network, train_arm
from beyondrate.events import SpikeTrains
from beyondrate.jobs import Tell, read_json, read_result
from beyondrate.recipes import NetworkArm
from beyondrate.reproduce import speech_data
from beyondrate.reproduce.experiment import Experiment, Plan, Request
from beyondrate.reproduce.koopman2026.costs import Measured, spent
from beyondrate.reproduce.koopman2026.speech_arms import ARMS, SpeechArm, build
from beyondrate.reproduce.koopman2026.timing_experiment import OTHER_DT
from beyondrate.reproduce.koopman2026.timing_training import at
from beyondrate.reproduce.speech_data import as_json, data_of, drawn_anew, n_folds, variant_of
from beyondrate.training import predict

SEEDS = {"quick": 1, "paper": 5}
# Norm is drawn anew for every epoch, so that more of them tell more.
EPOCHS = {"quick": {"whole": 4, "norm": 8}, "paper": {"whole": 12, "norm": 20}}
DTS_MS = (10.0, 5.0, 1.0)
TESTED_AT_OTHERS = ("gated", "lif-mixed")  # on whole


@dataclass(frozen=True)
class SpeechJob:
    """One training and its tests.

    Args:
        variant: "whole" or "norm".
        arm: of ARMS.
        dt_ms: time step of the training.
        seed: of the training.
        fold: which group of the data is left out; None where the data are divided in one way.
    """

    variant: str
    arm: str
    dt_ms: float
    seed: int
    fold: int | None = None

    @property
    def key(self) -> str:
        """The job's name, also of the file that keeps its result."""
        name = f"{self.variant}_{self.arm}_{self.dt_ms:g}ms_{self.seed}"
        return name if self.fold is None else f"{name}_fold-{self.fold}"


def make_plan(request: Request) -> Plan:
    """Return everything that decides the experiment's results."""
    preset, data, folds = request.preset, data_of(request), n_folds(request)
    return {
        "preset": preset,
        "data": data.name,
        "data_digest": data.trains.digest,
        "protocol": request.protocol,
        "seeds": list(range(SEEDS[preset]) if request.seeds is None else request.seeds),
        "folds": [None] if folds is None else list(range(folds)),
        "epochs": EPOCHS[preset],
        "dts_ms": list(DTS_MS),
        "arms": {name: _as_json(arm) for name, arm in ARMS.items()},
    }


def _as_json(arm: SpeechArm) -> dict[str, Any]:
    recipe = {} if arm.recipe is None else as_json(arm.recipe)
    choices = [dict(choice) for choice in arm.choices]
    return {
        **recipe,
        "control": arm.control,
        "taus_s": list(arm.taus_s),
        "choices": choices,
        "update_every": arm.update_every,
        "lif_rule": arm.lif_rule,
    }


def jobs(plan: Plan, variant: str, arms: Iterable[str], dts_ms: Sequence[float]) -> list[SpeechJob]:
    """Return the trainings of arms on a variant at time steps, with every seed in every fold."""
    return [
        SpeechJob(variant, arm, dt, seed, fold)
        for seed in plan["seeds"]
        for fold in plan["folds"]
        for dt in dts_ms
        for arm in arms
    ]


def run_job(folder: Path, values: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Train a network; return the classes that it gives to the test samples and what it spends on them."""
    job, plan = SpeechJob(**values), read_json(folder / "plan.json")
    data = variant_of(folder, job.variant, job.fold)
    ready, training = _trained(folder, plan, job, data.train, data.validation, tell)
    keep_network(ready, folder, job.key, plan["data_digest"])
    answered = []
    for name, level in tests_of(plan, job):
        dt_s = level or ready.dt_s
        scores = predict(at(ready.network, dt_s), data.test, dt_s=dt_s, loss=ready.loss)
        answered.append(
            {
                "perturbation": name,
                "level": level,
                "classes": scores.argmax(axis=1).tolist(),
                "spent": spent(ready.network, data.test, dt_s),
            }
        )
    return {"training": training, "tests": answered}


def _trained(
    folder: Path, plan: Plan, job: SpeechJob, train: SpikeTrains, validation: SpikeTrains, tell: Tell
) -> tuple[NetworkArm, dict[str, Any]]:
    """Train an arm once for each of its choices; return the best on validation, and the course of it."""
    arm = ARMS[job.arm]
    anew = arm.recipe is not None and arm.recipe.redraw and job.variant == "norm"
    redraw = drawn_anew(folder, train, job.fold) if anew else None
    candidates = []
    for ready in build(arm, train, dt_s=job.dt_ms / 1000, seed=job.seed):
        if arm.recipe is not None:
            epochs = plan["epochs"][job.variant]
            ready = replace(ready, settings=replace(ready.settings, epochs=epochs, patience=epochs))
        course = train_arm(
            ready,
            train,
            validation,
            job.seed,
            tell,
            redraw,
            lif_rule=arm.lif_rule,
            streams_every=arm.update_every,
        )
        candidates.append((ready, course))
    ready, course = max(candidates, key=lambda candidate: candidate[1]["validation_accuracy"])
    courses = [each for _, each in candidates]
    return ready, {
        **course,
        "validation_accuracies": [each["validation_accuracy"] for each in courses],
        "seconds": round(sum(each["seconds"] for each in courses), 2),
    }


def tests_of(plan: Plan, job: SpeechJob) -> list[Test]:
    """Return what a trained network is tested under: its own time step and, on whole, others."""
    if job.variant != "whole" or job.arm not in TESTED_AT_OTHERS:
        return [CLEAN]
    return [CLEAN, *((OTHER_DT, dt / 1000) for dt in plan["dts_ms"] if dt != job.dt_ms)]


def arm_at(variant: str, arm: str, dt_ms: float = DTS_MS[0]) -> Arm:
    """Return an arm as outcomes know it."""
    return Arm(variant, arm, f"trained at {dt_ms:g} ms")


def measured(folder: Path, done: Sequence[SpeechJob]) -> Measured:
    """Read what finished jobs answered and spent, in the mean over folds."""

    def arm_of(job: SpeechJob) -> Arm:
        return arm_at(job.variant, job.arm, job.dt_ms)

    outcomes = speech_data.outcomes(folder, done, arm_of, lambda job: job.fold)
    by_seed: dict[tuple[Arm, Test], dict[int, list[Mapping[str, float]]]] = {}
    for job in done:
        for test in read_result(folder, job)["tests"]:
            place = arm_of(job), (test["perturbation"], test["level"])
            by_seed.setdefault(place, {}).setdefault(job.seed, []).append(test["spent"])
    return Measured(
        outcomes,
        {place: [_mean(folds) for folds in seeds.values()] for place, seeds in by_seed.items()},
    )


def _mean(entries: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {what: float(np.mean([entry[what] for entry in entries])) for what in entries[0]}


def parameters(folder: Path, job: SpeechJob) -> int:
    """Return how many parameters a finished job trained."""
    found: int = read_result(folder, job)["training"]["parameters"]
    return found


EXPERIMENT = Experiment(
    name="speech",
    work="beyondrate.reproduce.koopman2026.speech_experiment:run_job",
    plan=make_plan,
    prepare=speech_data.prepare,
    takes_data=True,
)
