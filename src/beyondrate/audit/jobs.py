"""What one job does: train an arm once, or fit a probe, and test it under every perturbation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from beyondrate import perturb
from beyondrate.audit.arms import DEFAULT_TAU_S, NetworkArm, build_arm
from beyondrate.audit.folder import RunFolder
from beyondrate.audit.kinds import probe_kinds
from beyondrate.audit.linear_probe import decoding_curve
from beyondrate.audit.outcomes import CLEAN, Test
from beyondrate.audit.plan import Job, Plan
from beyondrate.events import SpikeTrains
from beyondrate.nn import SpikingNet
from beyondrate.training import fit, predict, save_checkpoint
from beyondrate.training.inputs import BinnedInput

Scorer = Callable[[SpikeTrains], Float[np.ndarray, "samples classes"]]
TRAINING_SHARE = 0.7  # of a job's time, for its progress


@runtime_checkable
class Tell(Protocol):
    """Called with the share of a job that is done, and a word on it."""

    def __call__(self, share: float, what: str) -> None: ...  # noqa: D102


def run_job(folder: RunFolder, job: Job, tell: Tell) -> None:
    """Do a job and keep its result in the folder."""
    work = {"probe": _probe, "kinds": _kinds}.get(job.model, _network)
    folder.write_result(job, work(folder, job, tell))


def chosen_tau_s(folder: RunFolder) -> float:
    """Return the τ that did best on validation among the finished tuning jobs; the default takes part."""
    plan = folder.plan
    scores = {
        float(job.control.removeprefix("tau-")): folder.result(job)["training"]["validation_accuracy"]
        for job in plan.tuning_jobs()
    }
    return max(scores, key=lambda tau: (scores[tau], -tau)) if scores else DEFAULT_TAU_S


def _network(folder: RunFolder, job: Job, tell: Tell) -> dict[str, Any]:
    plan, data = folder.plan, folder.variant(job.variant)
    train, validation, test = data.train, data.validation, data.test
    if job.control == "scrambled":
        train, validation, test = (
            perturb.replace(part, 1.0, _rng(plan, job, ("replace", float(i))))
            for i, part in enumerate((train, validation, test))
        )
    arm = build_arm(job, plan, train, _tau_s(folder, job))

    def told(done: int, total: int, what: str) -> None:
        tell(TRAINING_SHARE * done / total, what)

    course = fit(
        arm.network,
        train,
        validation,
        dt_s=arm.dt_s,
        loss=arm.loss,
        settings=arm.settings,
        seed=job.seed,
        progress=told,
    )
    training = {
        "epochs": course.epochs,
        "best_epoch": course.best_epoch,
        "validation_accuracy": course.validation_accuracy,
        "seconds": round(course.seconds, 2),
        "parameters": sum(p.numel() for p in arm.network.parameters() if p.requires_grad),
        "spikes_per_unit": _spikes_per_unit(arm, validation),
    }
    if job.control.startswith("tau-") and job.control != "tau-tuned":  # only validation may choose τ
        return {"training": training}
    save_checkpoint(
        arm.network, folder.checkpoint_path(job), facts={"dt_s": arm.dt_s, "data": plan.data_digest}
    )

    def score(trains: SpikeTrains) -> Float[np.ndarray, "samples classes"]:
        return predict(arm.network, trains, dt_s=arm.dt_s, loss=arm.loss)

    tests = [CLEAN] if job.control == "scrambled" else plan.tests
    answer = _answer(plan, job, job.control, course.validation_accuracy, score, test, tests, tell)
    return {"training": training, "answers": [answer]}


def _probe(folder: RunFolder, job: Job, tell: Tell) -> dict[str, Any]:
    """Fit the linear probe at every bin width; the width that validation prefers meets the perturbations."""
    plan, data = folder.plan, folder.variant(job.variant)
    probes = decoding_curve(data.train, data.validation, seed=plan.seed)
    best = max((p for p in probes if p.n_bins > 1), key=lambda p: p.validation_accuracy)
    answers = []
    for probe in probes:
        for seed in plan.seeds if probe is best else plan.seeds[:1]:
            tests = plan.tests if probe is best else [CLEAN]
            seeded = Job(job.variant, job.model, f"bins-{probe.n_bins}", seed)
            answers.append(
                _answer(
                    plan,
                    seeded,
                    seeded.control,
                    probe.validation_accuracy,
                    probe.scores,
                    data.test,
                    tests,
                    tell,
                )
            )
    return {"answers": answers}


def _kinds(folder: RunFolder, job: Job, tell: Tell) -> dict[str, Any]:
    data = folder.variant(job.variant)
    found = probe_kinds(data.train, data.validation, data.test)
    return {
        "kinds": [
            {
                "kind": kind.kind,
                "settings": kind.settings,
                "validation_accuracy": kind.validation_accuracy,
                "classes": kind.predictions.tolist(),
                "correct_from_profile": kind.correct_from_profile.tolist(),
            }
            for kind in found
        ]
    }


def _answer(
    plan: Plan,
    job: Job,
    control: str,
    validation_accuracy: float,
    score: Scorer,
    test: SpikeTrains,
    tests: list[Test],
    tell: Tell,
) -> dict[str, Any]:
    """Return the classes that a trained model gives to the test samples, clean and perturbed."""
    answered = []
    for done, (name, level) in enumerate(tests):
        heard = test if name == "none" else perturb.apply(test, name, level, _rng(plan, job, (name, level)))
        classes = score(heard).argmax(axis=1)
        answered.append({"perturbation": name, "level": level, "classes": classes.tolist()})
        tell(TRAINING_SHARE + (1 - TRAINING_SHARE) * (done + 1) / len(tests), "testing")
    return {
        "control": control,
        "seed": job.seed,
        "validation_accuracy": validation_accuracy,
        "tests": answered,
    }


def _tau_s(folder: RunFolder, job: Job) -> float:
    if job.control in ("tau-tuned", "frozen", "learned"):
        return chosen_tau_s(folder)
    if job.control.startswith("tau-"):
        return float(job.control.removeprefix("tau-"))
    return DEFAULT_TAU_S


def _spikes_per_unit(arm: NetworkArm, trains: SpikeTrains) -> float | None:
    """Return the mean number of spikes of a hidden unit in a sample."""
    if not isinstance(arm.network, SpikingNet):
        return None
    inputs = BinnedInput(trains, arm.dt_s, as_rows=True, device=next(arm.network.parameters()).device)
    with torch.no_grad():
        spikes = arm.network.hidden_spikes(inputs.batch(np.arange(min(256, len(trains)))))
    return round(float(sum(s.sum() for s in spikes) / sum(s[:, 0].numel() for s in spikes)), 3)


def _rng(plan: Plan, job: Job, test: Test) -> np.random.Generator:
    return np.random.default_rng(plan.perturbation_seed(job.variant, *test, job.seed))
