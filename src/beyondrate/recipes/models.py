"""The recipes of the models that can be asked for by name."""

from __future__ import annotations

from beyondrate.nn import EveryStep, MeanSoftmax
from beyondrate.recipes.recipe import Recipe
from beyondrate.training import TrainingSettings

LIF = Recipe(
    network={"slope": 5.0, "delay_range_s": (0.0, 0.3)},  # the wide end of the controls of delays
    loss=MeanSoftmax(),
    settings=TrainingSettings(epochs=20, batch_size=32, learning_rate=1e-2, patience=8),
)
GAMMA = Recipe(
    network={"memory_s": 0.024, "input_gain": 3.0, "dropout": 0.2},
    loss=EveryStep(),
    settings=TrainingSettings(epochs=12, batch_size=32, learning_rate=1e-2, patience=8),
)
