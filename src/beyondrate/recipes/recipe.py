"""How a network is built and trained: its recipe, and the network made ready for given data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from beyondrate.events import SpikeTrains
from beyondrate.nn import CountMLP, Loss, SpikingGammaNet, SpikingNet, initialise_from_data
from beyondrate.nn.spiking_gamma import Rule
from beyondrate.training import TrainingSettings
from beyondrate.training.inputs import BinnedInput
from beyondrate.training.loop import CrossEntropy

DEFAULT_TAU_S = 0.1  # where training starts: τ is learned
INITIALISATION_SAMPLES = 128
RATE_SETTINGS = TrainingSettings(epochs=60, batch_size=32, learning_rate=1e-3, weight_decay=1e-4, patience=10)


@dataclass(frozen=True)
class Recipe:
    """How a spiking network is built and trained.

    Args:
        network: arguments of ``SpikingNet`` or ``SpikingGammaNet`` other than sizes and time step.
        loss: what it minimises.
        settings: how long and how fast it is trained.
        delay_rate: learning rate of the delays, in time steps an update.
        redraw: draw norm's training samples anew from part's for every epoch.
    """

    network: Mapping[str, Any]
    loss: Loss
    settings: TrainingSettings
    delay_rate: float = 0.1
    redraw: bool = False

    def with_network(self, **changes: Any) -> Recipe:  # noqa: ANN401
        """Return the recipe with other arguments of the network."""
        return replace(self, network={**self.network, **changes})


@dataclass(frozen=True)
class NetworkArm:
    """A network ready to be trained: how it is fed, what it minimises, how long it may take."""

    network: nn.Module
    dt_s: float
    loss: Loss
    settings: TrainingSettings


def rate_arm(train: SpikeTrains, *, seed: int) -> NetworkArm:
    """Build the network on spike counts, its weights drawn by the seed, its inputs scaled by the samples."""
    generator = torch.Generator().manual_seed(seed)
    network = CountMLP(train.n_units, train.n_classes, generator=generator)
    network.fit_scaling(torch.from_numpy(train.counts()).float())
    return NetworkArm(network, train.duration_s, CrossEntropy(), RATE_SETTINGS)


def spiking_arm(
    recipe: Recipe, control: str, train: SpikeTrains, *, dt_s: float, tau_s: float, seed: int
) -> NetworkArm:
    """Build a spiking network; with the same seed every control starts from the same weights.

    Args:
        recipe: what it is; its delays are cut to what the samples' duration leaves room for.
        control: "frozen" and "learned" have delays; all else has none.
        train: the training samples; they set the scale of the weights, never the labels.
        dt_s: time step in seconds.
        tau_s: initial membrane time constant in seconds.
        seed: of weights and delays.
    """
    generator = torch.Generator().manual_seed(seed)
    longest_s = (train.n_steps(dt_s) - 1) * dt_s
    low_s, high_s = recipe.network["delay_range_s"]
    high_s = min(high_s, longest_s / 2)
    synaptic = recipe.network.get("delay_kind") == "synaptic"  # its cost grows with the longest delay
    network = SpikingNet(
        train.n_units,
        train.n_classes,
        **{
            **recipe.network,
            "dt_s": dt_s,
            "tau_s": tau_s,
            "delays": control if control in ("frozen", "learned") else None,
            "delay_range_s": (low_s, high_s),
            "max_delay_s": high_s if synaptic else longest_s,
        },
        generator=generator,
    )
    inputs = BinnedInput(train, dt_s, as_rows=True, device=torch.device("cpu"))
    chosen = torch.randperm(len(train), generator=generator)[:INITIALISATION_SAMPLES].numpy()
    initialise_from_data(network, inputs.batch(chosen))
    settings = recipe.settings
    if control == "learned":
        rates = {**settings.learning_rates, "delay_steps": recipe.delay_rate}
        settings = replace(settings, learning_rates=rates)
    return NetworkArm(network, dt_s, recipe.loss, settings)


def gamma_arm(recipe: Recipe, rule: Rule, train: SpikeTrains, *, dt_s: float, seed: int) -> NetworkArm:
    """Build a SpikingGamma network.

    Args:
        recipe: what it is.
        rule: how errors pass its spikes: "gated", "full", "spatial" or "eligibility".
        train: the training samples.
        dt_s: time step in seconds.
        seed: of the weights.
    """
    network = SpikingGammaNet(
        train.n_units,
        train.n_classes,
        **{**recipe.network, "rule": rule, "dt_s": dt_s},
        generator=torch.Generator().manual_seed(seed),
    )
    return NetworkArm(network, dt_s, recipe.loss, recipe.settings)
