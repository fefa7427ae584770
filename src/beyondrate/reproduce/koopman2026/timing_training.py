"""Training and testing on the timing tasks: one pass over fresh samples, per trial or online."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from jaxtyping import Int64
from torch import nn

from beyondrate.events import SpikeTrains
from beyondrate.nn import FirstSpikeNet, SpikeRows, SpikingGammaNet, SpikingNet, operations
from beyondrate.nn.first_spike import NEVER
from beyondrate.recipes import NetworkArm
from beyondrate.reproduce.koopman2026.timing_arms import TimingArm, Try, build, seen
from beyondrate.reproduce.koopman2026.timing_tasks import TimingTask
from beyondrate.training import fit, predict

_COUNTED = 256  # samples that spikes and operations are counted on


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


def spent(network: nn.Module, trains: SpikeTrains, dt_s: float) -> dict[str, float]:
    """Return what a network spends on a sample, where it has spikes.

    What ``spikes_per_unit`` tells, the "quanta_per_s" a unit and second, and the operations of
    ``beyondrate.nn.operations``, "synaptic" and "state", of all units together.
    """
    found = spikes_per_unit(network, trains, dt_s)
    if found:
        found["quanta_per_s"] = found["quanta"] / (trains.duration_us / 1e6)
    if isinstance(network, SpikingGammaNet | SpikingNet):
        found |= operations(at(network, dt_s), _counted(trains, dt_s))._asdict()  # type: ignore[arg-type]
    return found


@torch.no_grad()
def spikes_per_unit(network: nn.Module, trains: SpikeTrains, dt_s: float) -> dict[str, float]:
    """Return how many spikes a hidden unit sends in a sample, and how many quanta these are worth.

    A spike of n quanta is one spike where spikes are graded, and n where they are binary.
    """
    rows, net = _counted(trains, dt_s), at(network, dt_s)
    if isinstance(net, FirstSpikeNet):
        quanta = spikes = [(z < NEVER)[:, None].float() for z in net.spike_times(rows)[1:-1]]
    elif isinstance(net, SpikingGammaNet | SpikingNet):
        spikes = net.hidden_spikes(rows)
        quanta = net.hidden_quanta(rows) if isinstance(net, SpikingGammaNet) else spikes
    else:
        return {}
    return {
        "spikes": float(np.mean([float((h > 0).sum(1).float().mean()) for h in spikes])),
        "quanta": float(np.mean([float(h.sum(1).mean()) for h in quanta])),
    }


def _counted(trains: SpikeTrains, dt_s: float) -> SpikeRows:
    return SpikeRows.from_binned(trains.binned(dt_s, np.arange(min(_COUNTED, len(trains)))))


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
