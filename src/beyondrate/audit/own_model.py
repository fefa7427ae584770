"""Audit of a model that already exists: nothing is trained, it is tested under every perturbation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from beyondrate import perturb
from beyondrate.audit.figure_data import data_facts, figure_data
from beyondrate.audit.finding import CLAIM_LEVEL
from beyondrate.audit.metrics import CONFIDENCE
from beyondrate.audit.outcomes import CLEAN, Answers, Arm, Outcomes
from beyondrate.audit.plan import jitter_limits_s, levels_left_out, make_plan, perturbation_seed
from beyondrate.audit.result import AuditResult, row_dicts
from beyondrate.audit.verdict import judge_models
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.progress import Progress
from beyondrate.training import predict


def audit_model(
    trains: SpikeTrains,
    models: Mapping[str, Callable[[Tensor], Any]],
    *,
    preset: str,
    dt_s: float,
    seed: int,
    record: Mapping[str, Any],
    progress: Progress,
) -> AuditResult:
    """Test models on the given samples, clean and perturbed, and say what their accuracy rests on.

    Args:
        trains: samples that the models have not been trained on.
        models: callables from (batch, time, unit) float32 counts to (batch, class) scores, by name.
        preset: its levels are used, and its seeds as independent draws of each perturbation.
        dt_s: time step of the models in seconds.
        seed: of the perturbations.
        record: title, command, versions: goes into the result as it is.
        progress: told after each test.

    Raises:
        InputError: if a model's scores are not (batch, class) or not finite.
    """
    plan = make_plan(
        trains.digest, jitter_limits_s(trains), preset=preset, variants=("whole",), dt_s=dt_s, seed=seed
    )
    total = len(models) * len(plan.seeds) * len(plan.tests)
    answers: list[Answers] = []
    for name, model in models.items():
        for draw in plan.seeds:
            predictions = {}
            for test in plan.tests:
                rng = np.random.default_rng(perturbation_seed("whole", *test, draw + seed))
                heard = trains
                if test != CLEAN:
                    heard = perturb.apply(trains, *test, rng, rounding="stochastic")
                predictions[test] = _classes(name, predict(model, heard, dt_s=dt_s), trains)
                done = len(answers) * len(plan.tests) + len(predictions)
                progress(done, total, f"{name} under {test[0]} {test[1]:g}")
            answers.append(Answers(Arm("whole", name), draw, None, predictions))
    outcomes = Outcomes(
        answers, {"whole": np.asarray(trains.labels)}, {"whole": trains.groups}, balanced=True, seed=seed
    )
    verdict = judge_models(outcomes)
    report = {
        **record,
        "hashes": {"data": trains.digest},
        "data": data_facts(trains),
        "protocol": {
            "preset": preset,
            "split": "all samples given are test samples; nothing was trained",
            "seeds": list(plan.seeds),
            "dt_s": dt_s,
            "models": list(models),
            "confidence": CONFIDENCE,
            "claim_level": CLAIM_LEVEL,
            "notes": ["Seeds are independent draws of each perturbation.", *levels_left_out(plan)],
        },
        "rows": row_dicts(outcomes.rows()),
        "summary": outcomes.summary(),
        "verdict": verdict.as_json(),
        "figures": figure_data({"whole": trains}),
    }
    return AuditResult(outcomes.rows(), verdict, report)


def _classes(name: str, scores: np.ndarray, trains: SpikeTrains) -> np.ndarray:
    if scores.ndim != 2 or scores.shape[1] < trains.n_classes:
        raise InputError(
            f"model {name!r} gives scores of shape {scores.shape} for {len(trains)} samples of "
            f"{trains.n_classes} classes",
            remedy="return one score a class: (batch, class)",
        )
    if not np.isfinite(scores).all():
        raise InputError(f"model {name!r} gives scores that are not finite", remedy="mend the model")
    return scores.argmax(axis=1).astype(np.int32)
