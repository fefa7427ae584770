"""The speech experiment of Yu et al. 2025: nets trained on whole, part and norm, tested when disturbed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from beyondrate import perturb
from beyondrate.audit.outcomes import Arm, Outcomes, Test
from beyondrate.audit.plan import perturbation_seed
from beyondrate.audit.train_and_test import answers_under, keep_network, scorer, train_arm
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.jobs import Tell, read_json, read_result
from beyondrate.nn.spiking_gamma import Rule
from beyondrate.recipes import DEFAULT_TAU_S, NetworkArm, Recipe, gamma_arm, rate_arm, spiking_arm
from beyondrate.reproduce import speech_data
from beyondrate.reproduce.experiment import Experiment, Plan, Request
from beyondrate.reproduce.speech_data import PUBLISHED_BINS, as_json, data_of, drawn_anew, variant_of
from beyondrate.reproduce.speech_recipes import BEST_RECIPES, MIXED_TAU_S
from beyondrate.reproduce.yu2025.speech_arms import RECIPES, TUNED_AS

DT_S = 0.01
TUNING_VARIANT = "norm"
TESTS: dict[str, dict[str, tuple[float, ...]]] = {
    "quick": {
        "jitter": (0.005, 0.01, 0.025, 0.05, 0.1),
        "jitter-unit": (0.005, 0.01, 0.025, 0.05, 0.1),
        "delete": (0.1, 0.25, 0.5, 0.75, 0.9),
        "reverse": (0.0,),
    },
    "paper": {
        "jitter": (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.2),
        "jitter-unit": (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.2),
        "delete": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        "reverse": (0.0,),
    },
}
TAU_GRID_S = {"quick": (0.03, 0.1, 0.3), "paper": (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)}
SEEDS = {"quick": 2, "paper": 5}


@dataclass(frozen=True)
class SpeechJob:
    """One training, on clean samples or on disturbed ones, and its tests.

    Args:
        variant: "whole", "part" or "norm".
        model: "rate" or a name of the recipes.
        control: "none", "tau-0.1" (a try for τ), "tau-tuned", "frozen" or "learned"; of gamma the rule.
        seed: of the training.
        disturbed_by: the perturbation of the training and validation samples; "none" for clean ones.
        level: its level.
        all_tests: test under every perturbation of the plan; else on samples as trained on.
    """

    variant: str
    model: str
    control: str
    seed: int
    disturbed_by: str = "none"
    level: float = 0.0
    all_tests: bool = True

    @property
    def key(self) -> str:
        """The job's name, also of the file that keeps its result."""
        disturbed = "" if self.disturbed_by == "none" else f"_{self.disturbed_by}-{self.level:g}"
        return f"{self.variant}_{self.model}_{self.control}_{self.seed}{disturbed}"


def make_plan(request: Request) -> Plan:
    """Return everything that decides the experiment's results."""
    preset, data = request.preset, data_of(request)
    if request.protocol == "one-group-out":
        raise InputError(
            "yu2025's figures leave out no single group", remedy="give protocol held-out or yu2025"
        )
    return {
        "preset": preset,
        "data": data.name,
        "data_digest": data.trains.digest,
        "protocol": request.protocol,
        "dt_s": DT_S if request.protocol == "held-out" else round(data.trains.duration_s / PUBLISHED_BINS, 6),
        "seeds": list(range(SEEDS[preset]) if request.seeds is None else request.seeds),
        "tests": [["none", 0.0], *([name, x] for name, levels in TESTS[preset].items() for x in levels)],
        "tau_grid_s": list(TAU_GRID_S[preset]),
        "recipes": {name: as_json(recipe) for name, recipe in RECIPES.items()},
    }


def tuning_jobs(plan: Plan, models: Sequence[str]) -> list[SpeechJob]:
    """Return the trainings that choose τ on validation, for each network that is tuned."""
    names = dict.fromkeys(TUNED_AS[model] for model in models)
    return [
        SpeechJob(TUNING_VARIANT, name, f"tau-{tau:g}", plan["seeds"][0], all_tests=False)
        for name in names
        for tau in plan["tau_grid_s"]
    ]


def run_job(folder: Path, values: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Train a network as a job says, and return the classes that it gives to the test samples."""
    job, plan = SpeechJob(**values), read_json(folder / "plan.json")
    data = variant_of(folder, job.variant)
    trained_under: Test = (job.disturbed_by, job.level)
    train, validation = data.train, data.validation
    if job.disturbed_by != "none":
        train, validation = (
            perturb.apply(part, *trained_under, np.random.default_rng([job.seed, i]))
            for i, part in enumerate((train, validation))
        )
    arm = _arm(folder, plan, job, train)
    training = train_arm(arm, train, validation, job.seed, tell, _redraw(folder, job, train))
    if job.control.startswith("tau-") and job.control != "tau-tuned":  # only validation may choose τ
        return {"training": training}
    keep_network(arm, folder, job.key, plan["data_digest"])
    tests = [(name, level) for name, level in plan["tests"]] if job.all_tests else [trained_under]
    answered = answers_under(
        scorer(arm), data.test, tests, lambda test: _rng(job, test), tell, rounding="floor"
    )
    return {"training": training, "tests": answered}


def _redraw(
    folder: Path, job: SpeechJob, train: SpikeTrains
) -> Callable[[np.random.Generator], SpikeTrains] | None:
    """Return what draws norm's training samples anew, where the recipe says so."""
    if job.variant != "norm" or job.model == "rate" or not _recipe(job).redraw:
        return None
    return drawn_anew(folder, train)


def _arm(folder: Path, plan: Plan, job: SpeechJob, train: SpikeTrains) -> NetworkArm:
    if job.model == "rate":
        return rate_arm(train, seed=job.seed)
    recipe = _recipe(job)
    if job.model.startswith("gamma"):
        return gamma_arm(recipe, cast("Rule", job.control), train, dt_s=plan["dt_s"], seed=job.seed)
    tau_s = _tau_s(folder, plan, job)
    return spiking_arm(recipe, job.control, train, dt_s=plan["dt_s"], tau_s=tau_s, seed=job.seed)


def _recipe(job: SpeechJob) -> Recipe:
    return {**RECIPES, **BEST_RECIPES}[job.model]


def _tau_s(folder: Path, plan: Plan, job: SpeechJob) -> float:
    if job.model in MIXED_TAU_S:
        return MIXED_TAU_S[job.model]
    if job.control in ("tau-tuned", "frozen", "learned") and job.model != "spikemax":
        return chosen_tau_s(folder, plan, job.model)
    return float(job.control.removeprefix("tau-")) if job.control.startswith("tau-") else DEFAULT_TAU_S


def chosen_tau_s(folder: Path, plan: Plan, model: str) -> float:
    """Return the τ that did best on validation; nets with delays take the one of their net without."""
    scores = {
        float(job.control.removeprefix("tau-")): read_result(folder, job)["training"]["validation_accuracy"]
        for job in tuning_jobs(plan, [model])
    }
    return max(scores, key=lambda tau: (scores[tau], -tau))


def _rng(job: SpeechJob, test: Test) -> np.random.Generator:
    """Return the generator of a perturbation: the same for every model, so that they face the same spikes."""
    return np.random.default_rng(perturbation_seed(job.variant, *test, job.seed))


def outcomes(folder: Path, plan: Plan, jobs: Sequence[SpeechJob]) -> Outcomes:
    """Return what the networks of finished jobs answered; trained on disturbed samples: "retrained"."""
    return speech_data.outcomes(folder, jobs, _arm_answered)


def _arm_answered(job: SpeechJob) -> Arm:
    control = job.control if job.disturbed_by == "none" else f"{job.control}, retrained"
    return Arm(job.variant, job.model, control)


EXPERIMENT = Experiment(
    name="speech",
    work="beyondrate.reproduce.yu2025.speech:run_job",
    plan=make_plan,
    prepare=speech_data.prepare,
    takes_data=True,
)
