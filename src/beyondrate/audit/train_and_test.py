"""Train one arm, and ask a trained one for the classes of the test samples, clean and perturbed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from beyondrate import perturb
from beyondrate.audit.outcomes import Test
from beyondrate.events import SpikeTrains
from beyondrate.jobs import Tell
from beyondrate.nn import SpikingGammaNet, SpikingNet
from beyondrate.nn.lif_traces import LIFRule
from beyondrate.recipes import NetworkArm
from beyondrate.training import fit, predict, save_checkpoint
from beyondrate.training.inputs import BinnedInput
from beyondrate.training.streams import fit_on_streams

Scorer = Callable[[SpikeTrains], Float[np.ndarray, "samples classes"]]
TRAINING_SHARE = 0.7  # of a job's time, for its progress


def train_arm(
    arm: NetworkArm,
    train: SpikeTrains,
    validation: SpikeTrains,
    seed: int,
    tell: Tell,
    redraw: Callable[[np.random.Generator], SpikeTrains] | None = None,
    *,
    lif_rule: LIFRule | None = None,
    streams_every: int | None = None,
) -> dict[str, Any]:
    """Train an arm in place and return the course of it as JSON-like values.

    ``redraw`` and ``lif_rule`` are as in ``fit``; with ``streams_every`` a SpikingGamma network learns online
    on streams, with an update after so many steps.
    """

    def told(done: int, total: int, what: str) -> None:
        tell(TRAINING_SHARE * done / total, what)

    net = arm.network
    how: dict[str, Any] = {
        "dt_s": arm.dt_s,
        "settings": arm.settings,
        "seed": seed,
        "redraw": redraw,
        "progress": told,
    }
    if streams_every is not None and isinstance(net, SpikingGammaNet):
        course = fit_on_streams(net, train, validation, update_every=streams_every, **how)
    else:
        course = fit(net, train, validation, loss=arm.loss, lif_rule=lif_rule, **how)
    return {
        "epochs": course.epochs,
        "best_epoch": course.best_epoch,
        "validation_accuracy": course.validation_accuracy,
        "seconds": round(course.seconds, 2),
        "parameters": sum(p.numel() for p in arm.network.parameters() if p.requires_grad),
        "spikes_per_unit": _spikes_per_unit(arm, validation),
    }


def scorer(arm: NetworkArm) -> Scorer:
    """Return what gives the class scores of samples: the arm's network as it is now."""
    return lambda trains: predict(arm.network, trains, dt_s=arm.dt_s, loss=arm.loss)


def answers_under(
    score: Scorer,
    test: SpikeTrains,
    tests: Sequence[Test],
    rng_of: Callable[[Test], np.random.Generator],
    tell: Tell,
    *,
    rounding: perturb.Rounding,
) -> list[dict[str, Any]]:
    """Return the classes that a trained model gives to the test samples under each perturbation.

    ``rounding`` is that of replacement: "floor" is the papers', "stochastic" replaces what the level says.
    """
    answered = []
    for done, (name, level) in enumerate(tests):
        heard = test
        if name != "none":
            heard = perturb.apply(test, name, level, rng_of((name, level)), rounding=rounding)
        classes = score(heard).argmax(axis=1)
        answered.append({"perturbation": name, "level": level, "classes": classes.tolist()})
        tell(TRAINING_SHARE + (1 - TRAINING_SHARE) * (done + 1) / len(tests), "testing")
    return answered


def keep_network(arm: NetworkArm, folder: Path, key: str, data_digest: str) -> None:
    """Write the trained network into the run's folder of checkpoints."""
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    facts = {"dt_s": arm.dt_s, "data": data_digest}
    save_checkpoint(arm.network, checkpoints / f"{key}.safetensors", facts=facts)


def _spikes_per_unit(arm: NetworkArm, trains: SpikeTrains) -> float | None:
    """Return the mean number of spikes of a hidden unit in a sample."""
    if not isinstance(arm.network, SpikingNet):
        return None
    inputs = BinnedInput(trains, arm.dt_s, as_rows=True, device=next(arm.network.parameters()).device)
    with torch.no_grad():
        spikes = arm.network.hidden_spikes(inputs.batch(np.arange(min(256, len(trains)))))
    return round(float(sum(s.sum() for s in spikes) / sum(s[:, 0].numel() for s in spikes)), 3)
