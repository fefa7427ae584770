"""The synthetic tasks as experiments: their samples at each level, their networks, and how these are trained.

The ISI and coincidence networks are those of Sec. 2 of the paper (v1). The polychrony and temporal-order
tasks are ours, and so is their network: relays, which fire at every spike of one input, whose delays (none,
frozen, or learned) decide what arrives together at the units that they excite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch

from beyondrate import perturb, tasks
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.nn import LastStep, SpikeRows, SpikingNet, coincidence_net, initialise_from_data, isi_net
from beyondrate.progress import Progress, silent
from beyondrate.recipes import INITIALISATION_SAMPLES, NetworkArm
from beyondrate.training import TrainingSettings, fit

Delays = Literal["none", "frozen", "learned"]
TASK_DT_S = 0.001  # the grid on which the paper's tasks lie, also of the spikes that replace others
RELAY_DT_S = 0.005
RELAYS, DETECTORS = 100, 100
_TEST_SEED = 10**9  # training and validation samples have seeds 2 k and 2 k + 1


@dataclass(frozen=True)
class Size:
    """How much to train and to test with."""

    n_train: int
    n_validation: int
    n_test: int
    epochs: int


@dataclass(frozen=True)
class TaskNet:
    """One task with its network.

    Args:
        generate: draws ``n`` samples at a level, from a seed.
        build: makes the untrained network from delays, training samples and a generator.
        dt_s: time step in seconds.
        delays: the kinds of delays that it can have.
        settings: how it is trained; the epochs are the Size's.
        sizes: the Size of each preset.
    """

    generate: Callable[[int, int, float], SpikeTrains]
    build: Callable[[Delays, SpikeTrains, torch.Generator], SpikingNet]
    dt_s: float
    delays: tuple[Delays, ...]
    settings: TrainingSettings
    sizes: Mapping[str, Size]


class Trained(NamedTuple):
    """A trained network, and the accuracy on the validation samples that chose its epoch."""

    arm: NetworkArm
    validation_accuracy: float
    seconds: float


def relay_net(
    train: SpikeTrains, *, delays: Delays, longest_delay_s: float, generator: torch.Generator
) -> SpikingNet:
    """Return relays with axonal delays, detectors of what arrives together, and outputs that sum.

    A relay has a weight far above threshold from one input, h mod n_units, and N(0, 0.05) from all; delays
    begin at U(0, longest_delay_s). Weights are scaled on the training samples, never on their labels.

    Args:
        train: the training samples.
        delays: "none", "frozen" (random) or "learned".
        longest_delay_s: of the initial delays, in seconds.
        generator: draws weights and delays.
    """
    net = SpikingNet(
        train.n_units,
        train.n_classes,
        dt_s=RELAY_DT_S,
        hidden=(RELAYS, DETECTORS),
        tau_s=0.01,
        delays=None if delays == "none" else delays,
        delay_range_s=(0.0, longest_delay_s),
        max_delay_s=train.duration_s - RELAY_DT_S,
        readout="sum",
        bias=False,
        generator=generator,
    )
    weight = net.hidden_layers[0].linear.weight.detach()
    weight.normal_(0, 0.05, generator=generator)
    relay = torch.arange(RELAYS)
    weight[relay, relay % train.n_units] += 1.5
    first = np.arange(min(INITIALISATION_SAMPLES, len(train)))
    initialise_from_data(net, SpikeRows.from_binned(train.binned(RELAY_DT_S, first)), membrane_spread=0.5)
    return net


def _generate_replaced(generate: Callable[..., SpikeTrains], n: int, seed: int, level: float) -> SpikeTrains:
    trains = generate(n, seed=seed)
    return perturb.replace(trains, level, np.random.default_rng([seed, 1]), dt_s=TASK_DT_S)


_RELAY_SETTINGS = TrainingSettings(batch_size=32, learning_rate=1e-2)
TASK_NETS: Mapping[str, TaskNet] = {
    "isi": TaskNet(
        generate=lambda n, seed, level: _generate_replaced(tasks.isi.generate, n, seed, level),
        build=lambda delays, train, generator: isi_net(slope=100.0, generator=generator),
        dt_s=TASK_DT_S,
        delays=("none",),
        settings=TrainingSettings(batch_size=32, learning_rate=1e-2, learning_rates={"log_tau": 2e-2}),
        sizes={"quick": Size(2000, 500, 1000, 6), "paper": Size(4000, 500, 5000, 10)},
    ),
    "coincidence": TaskNet(
        generate=lambda n, seed, level: tasks.coincidence.generate(n, seed=seed, mixing=level),
        build=lambda delays, train, generator: coincidence_net(generator=generator),
        dt_s=TASK_DT_S,
        delays=("none",),
        settings=TrainingSettings(  # at 1e-2 some seeds stay behind when trained at λ of 0.4 and more
            batch_size=32, learning_rate=2e-2, learning_rates={"readout_linear.weight": 5e-2}
        ),
        sizes={"quick": Size(2000, 500, 2000, 12), "paper": Size(4000, 500, 5000, 12)},
    ),
    "polychrony": TaskNet(
        generate=lambda n, seed, level: _generate_replaced(tasks.polychrony.generate, n, seed, level),
        build=lambda delays, train, generator: relay_net(
            train, delays=delays, longest_delay_s=0.1, generator=generator
        ),
        dt_s=RELAY_DT_S,
        delays=("none", "frozen", "learned"),
        settings=_RELAY_SETTINGS,
        sizes={"quick": Size(2000, 500, 1000, 10), "paper": Size(4000, 500, 5000, 10)},
    ),
    "temporal-order": TaskNet(
        generate=lambda n, seed, level: _generate_replaced(tasks.temporal_order.generate, n, seed, level),
        build=lambda delays, train, generator: relay_net(
            train, delays=delays, longest_delay_s=0.05, generator=generator
        ),
        dt_s=RELAY_DT_S,
        delays=("none", "frozen", "learned"),
        settings=_RELAY_SETTINGS,
        sizes={"quick": Size(1000, 500, 1000, 6), "paper": Size(2000, 500, 5000, 10)},
    ),
}


def task_net(task: str) -> TaskNet:
    """Return a task of TASK_NETS.

    Raises:
        InputError: if there is none of this name.
    """
    if task not in TASK_NETS:
        raise InputError(f"unknown task {task!r}", remedy=f"choose from {', '.join(TASK_NETS)}")
    return TASK_NETS[task]


def training_sets(task: str, level: float, seed: int, *, size: Size) -> tuple[SpikeTrains, SpikeTrains]:
    """Return a seed's own training and validation samples at a level."""
    generate = task_net(task).generate
    return generate(size.n_train, 2 * seed, level), generate(size.n_validation, 2 * seed + 1, level)


def held_out_set(task: str, level: float, *, size: Size) -> SpikeTrains:
    """Return the test samples of a level: the same for every seed, with the same labels at every level."""
    return task_net(task).generate(size.n_test, _TEST_SEED, level)


def make_arm(task: str, train: SpikeTrains, *, seed: int, size: Size, delays: Delays = "none") -> NetworkArm:
    """Build a task's network, ready to be trained on these samples.

    Args:
        task: of TASK_NETS.
        train: the training samples.
        seed: of weights and delays.
        size: how long to train.
        delays: of the task's ``delays``.

    Raises:
        InputError: if the task is unknown, or its network has no such delays.
    """
    net = task_net(task)
    if delays not in net.delays:
        raise InputError(
            f"the network of {task} has no delays {delays!r}", remedy=f"choose from {', '.join(net.delays)}"
        )
    network = net.build(delays, train, torch.Generator().manual_seed(seed))
    settings = replace(net.settings, epochs=size.epochs, patience=size.epochs)
    return NetworkArm(network, net.dt_s, LastStep(), settings)


def train(
    task: str,
    level: float,
    seed: int,
    *,
    size: Size,
    delays: Delays = "none",
    progress: Progress = silent,
) -> Trained:
    """Train a task's network on samples of a level.

    Args:
        task: of TASK_NETS.
        level: of the training and validation samples.
        seed: of samples, weights, delays and the samples' order.
        size: how much to train with.
        delays: of the task's ``delays``.
        progress: told after each epoch.

    Raises:
        InputError: if the task is unknown, or its network has no such delays.

    Example:
        >>> from beyondrate.training import predict
        >>> trained = train("coincidence", 0.0, 0, size=Size(64, 32, 32, epochs=1))
        >>> test = held_out_set("coincidence", 0.5, size=Size(64, 32, 32, epochs=1))
        >>> predict(trained.arm.network, test, dt_s=trained.arm.dt_s, loss=trained.arm.loss).shape
        (32, 3)
    """
    training, validation = training_sets(task, level, seed, size=size)
    arm = make_arm(task, training, seed=seed, size=size, delays=delays)
    course = fit(
        arm.network,
        training,
        validation,
        dt_s=arm.dt_s,
        loss=arm.loss,
        settings=arm.settings,
        seed=seed,
        progress=progress,
    )
    return Trained(arm, course.validation_accuracy, course.seconds)
