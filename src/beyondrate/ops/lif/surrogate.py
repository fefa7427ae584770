"""Surrogate derivatives of the spike: 1 at the threshold, and the slope sets how fast they fall off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

Surrogate = Literal["superspike", "atan", "triangle", "sigmoid"]
SURROGATES: tuple[str, ...] = get_args(Surrogate)

_DERIVATIVES: dict[str, Callable[[Tensor], Tensor]] = {
    "superspike": lambda z: 1 / (z.abs() + 1) ** 2,  # Eq. 1 of Yu et al. 2025
    "atan": lambda z: 1 / (z * z + 1),
    "triangle": lambda z: (1 - z.abs()).clamp(min=0),
    "sigmoid": lambda z: 4 * torch.sigmoid(z) * torch.sigmoid(-z),
}


def surrogate_derivative(x: Tensor, surrogate: Surrogate, slope: float) -> Tensor:
    """Return the surrogate of d spike / d x, where x is the membrane minus the threshold."""
    return _DERIVATIVES[surrogate](slope * x)
