"""What one job does: train an arm once, or fit a probe, and test it under every perturbation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from beyondrate import perturb
from beyondrate.audit.arms import build_arm
from beyondrate.audit.folder import RunFolder
from beyondrate.audit.kinds import probe_kinds
from beyondrate.audit.linear_probe import decoding_curve
from beyondrate.audit.outcomes import CLEAN, Test
from beyondrate.audit.plan import Job, Plan, perturbation_seed
from beyondrate.audit.train_and_test import Scorer, answers_under, keep_network, scorer, train_arm
from beyondrate.events import SpikeTrains
from beyondrate.jobs import Tell
from beyondrate.recipes import DEFAULT_TAU_S

WORK = "beyondrate.audit.jobs:run_job"
_folder = lru_cache(maxsize=1)(RunFolder)  # a worker reads each variant once


def run_job(path: Path, values: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Do a job of the run in a folder and return its result."""
    job = Job(**values)
    work = {"probe": _probe, "kinds": _kinds}.get(job.model, _network)
    return work(_folder(path), job, tell)


def chosen_tau_s(folder: RunFolder) -> float:
    """Return the τ that did best on validation among the finished tuning jobs; the default takes part."""
    plan = folder.plan
    scores = {
        float(job.control.removeprefix("tau-")): folder.result(job)["training"]["validation_accuracy"]
        for job in plan.tuning_jobs()
    }
    return max(scores, key=lambda tau: (scores[tau], -tau)) if scores else DEFAULT_TAU_S


def _network(folder: RunFolder, job: Job, tell: Tell) -> dict[str, Any]:
    plan, data = folder.plan, folder.variants.read(job.variant)
    train, validation, test = data.train, data.validation, data.test
    if job.control == "scrambled":
        train, validation, test = (
            perturb.replace(part, 1.0, _rng(job, ("replace", float(i))))
            for i, part in enumerate((train, validation, test))
        )
    arm = build_arm(job, plan, train, _tau_s(folder, job))
    training = train_arm(arm, train, validation, job.seed, tell)
    if job.control.startswith("tau-") and job.control != "tau-tuned":  # only validation may choose τ
        return {"training": training}
    keep_network(arm, folder.path, job.key, plan.data_digest)
    tests = [CLEAN] if job.control == "scrambled" else plan.tests
    answer = _answer(plan, job, training["validation_accuracy"], scorer(arm), test, tests, tell)
    return {"training": training, "answers": [answer]}


def _probe(folder: RunFolder, job: Job, tell: Tell) -> dict[str, Any]:
    """Fit the linear probe at every bin width; the width that validation prefers meets the perturbations."""
    plan, data = folder.plan, folder.variants.read(job.variant)
    probes = decoding_curve(data.train, data.validation, seed=plan.seed)
    best = max((p for p in probes if p.n_bins > 1), key=lambda p: p.validation_accuracy)
    answers = []
    for probe in probes:
        for seed in plan.seeds if probe is best else plan.seeds[:1]:
            tests = plan.tests if probe is best else [CLEAN]
            seeded = Job(job.variant, job.model, f"bins-{probe.n_bins}", seed)
            answers.append(
                _answer(plan, seeded, probe.validation_accuracy, probe.scores, data.test, tests, tell)
            )
    return {"answers": answers}


def _kinds(folder: RunFolder, job: Job, tell: Tell) -> dict[str, Any]:
    data = folder.variants.read(job.variant)
    found = probe_kinds(data.train, data.validation, data.test)
    return {
        "kinds": [
            {
                "kind": kind.kind,
                "settings": kind.settings,
                "validation_accuracy": kind.validation_accuracy,
                "classes": kind.predictions.tolist(),
                "classes_from_profile": kind.from_profile.tolist(),
                "confounded": kind.confounded,
            }
            for kind in found
        ]
    }


def _answer(
    plan: Plan,
    job: Job,
    validation_accuracy: float,
    score: Scorer,
    test: SpikeTrains,
    tests: Sequence[Test],
    tell: Tell,
) -> dict[str, Any]:
    return {
        "control": job.control,
        "seed": job.seed,
        "validation_accuracy": validation_accuracy,
        "tests": answers_under(
            score, test, tests, lambda under: _rng(job, under), tell, rounding="stochastic"
        ),
    }


def _tau_s(folder: RunFolder, job: Job) -> float:
    if job.model == "lif-delay" or job.control == "tau-tuned":
        return chosen_tau_s(folder)
    if job.control.startswith("tau-"):
        return float(job.control.removeprefix("tau-"))
    return DEFAULT_TAU_S


def _rng(job: Job, test: Test) -> np.random.Generator:
    return np.random.default_rng(perturbation_seed(job.variant, *test, job.seed))
