"""The networks that the speech figures compare, each with its controls, and how each is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from beyondrate.nn import MeanMembrane, Spikemax
from beyondrate.recipes import GAMMA, LIF, Recipe
from beyondrate.training import TrainingSettings

NARROW_S = (0.0, 0.01)  # delays of up to one step, as SLAYER begins
FILTER_S = 0.03  # three steps

# Fig. 4 of the paper: two layers of 128, Spikemax on the counts of spiking outputs, delays as SLAYER learns
# them. The slope of Eq. 1, α = 100, does not train two layers; 10 does.
SPIKEMAX = Recipe(
    network={"readout": "spikes", "slope": 10.0, "delay_mode": "floor", "delay_range_s": NARROW_S},
    loss=Spikemax(),
    settings=TrainingSettings(epochs=30, batch_size=32, learning_rate=5e-3, patience=10),
)
RECIPES: Mapping[str, Recipe] = {
    "spikemax": SPIKEMAX,
    "lif": LIF,
    "lif-narrow": LIF.with_network(delay_range_s=NARROW_S),
    "lif-synaptic": LIF.with_network(delay_kind="synaptic"),
    "lif-filter": LIF.with_network(tau_syn_s=FILTER_S),
    "lif-filter-narrow": LIF.with_network(tau_syn_s=FILTER_S, delay_range_s=NARROW_S),
    "lif-filter-synaptic": LIF.with_network(tau_syn_s=FILTER_S, delay_kind="synaptic"),
}
# What reads norm best, chosen on validation: twice as many units, a current filter of 10 ms, time constants
# of single units between 10 and 300 ms, a higher learning rate, and norm drawn anew for every epoch.
_BEST = replace(
    LIF.with_network(hidden=(256, 256), tau_per_unit=True, tau_syn_s=0.01),
    loss=MeanMembrane(),
    settings=replace(LIF.settings, epochs=40, patience=40, learning_rate=2e-2),
    redraw=True,
)
_ANEW = replace(GAMMA, settings=replace(GAMMA.settings, epochs=40, patience=40), redraw=True)
BEST_RECIPES: Mapping[str, Recipe] = {
    "lif-best": _BEST.with_network(tau_spread=30**0.5),
    "lif-one-tau": _BEST.with_network(tau_per_unit=False),
    "gamma": GAMMA,
    "gamma-best": _ANEW,
}
MIXED_TAU_S = 0.003**0.5  # the middle of the range
# Models that share their chosen τ, because they are the same network without delays.
TUNED_AS = {
    name: name.removesuffix("-narrow").removesuffix("-synaptic") for name in (*RECIPES, *BEST_RECIPES)
}


def as_json(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain values, for the plan."""
    values = {"network": dict(recipe.network), "loss": repr(recipe.loss), "settings": repr(recipe.settings)}
    return {**values, "delay_rate": recipe.delay_rate, "redraw": recipe.redraw}
