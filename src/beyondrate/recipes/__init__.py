"""How each model is built and trained, made ready for given data: what audits, figures and commands share."""

from beyondrate.recipes.models import GAMMA, LIF
from beyondrate.recipes.recipe import (
    DEFAULT_TAU_S,
    INITIALISATION_SAMPLES,
    NetworkArm,
    Recipe,
    gamma_arm,
    rate_arm,
    spiking_arm,
)

__all__ = [
    "DEFAULT_TAU_S",
    "GAMMA",
    "INITIALISATION_SAMPLES",
    "LIF",
    "NetworkArm",
    "Recipe",
    "gamma_arm",
    "rate_arm",
    "spiking_arm",
]
