"""Training and testing on the timing tasks: one pass over fresh samples, per trial or online."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from jaxtyping import Int64
from torch import nn

from beyondrate.events import SpikeTrains
from beyondrate.nn import SpikingGammaNet, SpikingNet
from beyondrate.recipes import NetworkArm
from beyondrate.reproduce.koopman2026.timing_arms import TimingArm, Try, build, seen
from beyondrate.reproduce.koopman2026.timing_tasks import TimingTask
from beyondrate.training import fit, predict


def train(
    arm: TimingArm,
    task: TimingTask,
    training: SpikeTrains,
    validation: SpikeTrains,
    *,
    dt_s: float,
    seed: int,
    choice: Try | None = None,
) -> tuple[NetworkArm, float]:
    """Train a network of an arm; return it with its accuracy on the validation samples.

    Args:
        arm: of ARMS.
        task: of TIMING_TASKS.
        training: fresh samples, each seen once.
        validation: samples that the accuracy is of.
        dt_s: time step in seconds.
        seed: of weights and the order of the samples.
        choice: one of the arm's tries; None: the first.

    Example:
        >>> from beyondrate.reproduce.koopman2026.timing_arms import ARMS
        >>> from beyondrate.reproduce.koopman2026.timing_tasks import timing_task
        >>> task = timing_task("delay")
        >>> parts = task.generate(64, 0), task.generate(32, 1)
        >>> trained, accuracy = train(ARMS["gated"], task, *parts, dt_s=0.005, seed=0)
        >>> trained.network.n_parameters, 0 <= accuracy <= 1
        (1288, True)
    """
    ready = build(arm, task, training, choice or arm.tries[0], dt_s=dt_s, seed=seed)
    with warnings.catch_warnings():
        if arm.at_the_end:  # that rule "spatial" hardly sees it is what the figure shows
            warnings.filterwarnings("ignore", message="a loss at the last step only")
        course = fit(
            ready.network,
            seen(arm, training, dt_s),
            seen(arm, validation, dt_s),
            dt_s=dt_s,
            loss=ready.loss,
            settings=ready.settings,
            seed=seed,
            update_every=arm.update_every,
            lif_rule=arm.lif_rule,
        )
    return ready, course.validation_accuracy


def answers(ready: NetworkArm, arm: TimingArm, test: SpikeTrains, dt_s: float) -> Int64[np.ndarray, " tests"]:
    """Return the classes that a trained network gives to samples at a time step."""
    scores = predict(at(ready.network, dt_s), seen(arm, test, dt_s), dt_s=dt_s, loss=ready.loss)
    return scores.argmax(axis=1)


def at(net: nn.Module, dt_s: float) -> nn.Module:
    """Return a network with the same weights for another time step.

    In a LIF net the offset currents and the readout's weights are rescaled so that membranes below
    threshold are those of the same events and the same constant current.
    """
    if isinstance(net, SpikingGammaNet):
        return net.at(dt_s)
    if not isinstance(net, SpikingNet):
        return net
    other = SpikingNet.from_config({**net.config, "dt_s": dt_s})
    weights = net.state_dict()
    before_s = net.config["dt_s"]
    for index, layer in enumerate(net.hidden_layers):
        name = f"hidden_layers.{index}.linear.bias"
        weights[name] = weights[name] * _left(layer.lif.tau_s, dt_s) / _left(layer.lif.tau_s, before_s)
    readout_s = weights["readout.log_tau"].exp()
    weights["readout_linear.weight"] = (
        weights["readout_linear.weight"] * _left(readout_s, before_s) / _left(readout_s, dt_s)
    )
    other.load_state_dict(weights)
    return other.eval()


def _left(tau_s: torch.Tensor, dt_s: float) -> torch.Tensor:
    """Return 1 - exp(-dt/τ)."""
    return -torch.expm1(-dt_s / tau_s)
