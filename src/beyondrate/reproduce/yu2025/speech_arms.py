"""The networks that the speech figures compare, each with its controls, and how each is trained."""

from __future__ import annotations

from collections.abc import Mapping

from beyondrate.nn import Spikemax
from beyondrate.recipes import LIF, Recipe
from beyondrate.reproduce.speech_recipes import BEST_RECIPES
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
# Models that share their chosen τ, because they are the same network without delays.
TUNED_AS = {
    name: name.removesuffix("-narrow").removesuffix("-synaptic") for name in (*RECIPES, *BEST_RECIPES)
}
