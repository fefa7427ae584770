"""Training and testing on the timing tasks: one pass over fresh samples, per trial or online."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from jaxtyping import Int64
from torch import nn

from beyondrate.events import SpikeTrains
from beyondrate.nn import SpikeRows, SpikingGammaNet, SpikingNet
from beyondrate.recipes import NetworkArm
from beyondrate.reproduce.koopman2026.timing_arms import BATCH, TimingArm, build, seen
from beyondrate.reproduce.koopman2026.timing_tasks import TimingTask
from beyondrate.training import fit, predict
from beyondrate.training.inputs import BinnedInput
from beyondrate.training.loop import evaluate
from beyondrate.training.online import OnlineTrainer

ONLINE_RATE = 1e-3  # of an update after every step; n steps an update take sqrt(n) times as much
_COUNTED = 256  # samples that spikes are counted on


def train(
    arm: TimingArm,
    task: TimingTask,
    training: SpikeTrains,
    validation: SpikeTrains,
    *,
    dt_s: float,
    seed: int,
) -> tuple[NetworkArm, float]:
    """Train a network of an arm; return it with its accuracy on the validation samples.

    Args:
        arm: of ARMS.
        task: of TIMING_TASKS.
        training: fresh samples, each seen once.
        validation: samples that choose among the arm's choices.
        dt_s: time step in seconds.
        seed: of weights and the order of the samples.

    Example:
        >>> from beyondrate.reproduce.koopman2026.timing_arms import ARMS
        >>> from beyondrate.reproduce.koopman2026.timing_tasks import timing_task
        >>> task = timing_task("delay")
        >>> parts = task.generate(64, 0), task.generate(32, 1)
        >>> trained, accuracy = train(ARMS["gated"], task, *parts, dt_s=0.005, seed=0)
        >>> trained.network.n_parameters, 0 <= accuracy <= 1
        (1288, True)
    """
    candidates = []
    for choice in arm.choices:
        ready = build(arm, task, training, choice, dt_s=dt_s, seed=seed)
        candidates.append((ready, _train_one(ready, arm, training, validation, seed)))
    return max(candidates, key=lambda candidate: candidate[1])


def answers(ready: NetworkArm, arm: TimingArm, test: SpikeTrains, dt_s: float) -> Int64[np.ndarray, " tests"]:
    """Return the classes that a trained network gives to samples at a time step."""
    scores = predict(at(ready.network, dt_s), seen(arm, test, dt_s), dt_s=dt_s, loss=ready.loss)
    return scores.argmax(axis=1)


def spikes_per_unit(network: nn.Module, trains: SpikeTrains, dt_s: float) -> dict[str, float]:
    """Return how many spikes a hidden unit sends in a sample, and how many quanta these are worth.

    A spike of n quanta is one spike where spikes are graded, and n where they are binary.
    """
    if not isinstance(network, SpikingGammaNet | SpikingNet):
        return {}
    rows = SpikeRows.from_binned(trains.binned(dt_s, np.arange(min(_COUNTED, len(trains)))))
    net = at(network, dt_s)
    with torch.no_grad():
        spikes = net.hidden_spikes(rows)  # type: ignore[operator]
        quanta = net.hidden_quanta(rows) if isinstance(net, SpikingGammaNet) else spikes
    return {
        "spikes": float(np.mean([float((h > 0).sum(1).float().mean()) for h in spikes])),
        "quanta": float(np.mean([float(h.sum(1).mean()) for h in quanta])),
    }


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


def _train_one(
    ready: NetworkArm, arm: TimingArm, training: SpikeTrains, validation: SpikeTrains, seed: int
) -> float:
    training, validation = (seen(arm, part, ready.dt_s) for part in (training, validation))
    if arm.update_every is not None:
        _train_online(ready, training, arm.update_every)
        return evaluate(ready.network, validation, dt_s=ready.dt_s, loss=ready.loss)[0]
    with warnings.catch_warnings():
        if arm.at_the_end:  # that rule "spatial" hardly sees it is what the figure shows
            warnings.filterwarnings("ignore", message="a loss at the last step only")
        course = fit(
            ready.network,
            training,
            validation,
            dt_s=ready.dt_s,
            loss=ready.loss,
            settings=ready.settings,
            seed=seed,
        )
    return course.validation_accuracy


def _train_online(ready: NetworkArm, training: SpikeTrains, update_every: int) -> None:
    net = ready.network
    if not isinstance(net, SpikingGammaNet):
        raise TypeError("only SpikingGamma networks train online")
    optimiser = torch.optim.Adam(net.parameters(), ONLINE_RATE * math.sqrt(update_every))
    n_updates = len(training) // BATCH * math.ceil(training.n_steps(ready.dt_s) / update_every)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_updates)
    trainer = OnlineTrainer(
        net, optimiser, loss=ready.loss, update_every=update_every, after_update=schedule.step
    )
    inputs = BinnedInput(training, ready.dt_s, as_rows=True, device=torch.device("cpu"))
    labels = torch.from_numpy(np.array(training.labels))
    for start in range(0, len(training) - BATCH + 1, BATCH):
        samples = np.arange(start, start + BATCH)
        trainer.trial(inputs.batch(samples), labels[samples])
