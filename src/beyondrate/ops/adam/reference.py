"""Adam with clipped gradients, by torch's own operations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from beyondrate.ops.adam import ParameterGroup


class ReferenceAdam:
    """``torch.optim.Adam`` after ``clip_grad_norm_``."""

    def __init__(self, groups: Sequence[ParameterGroup], clip: float) -> None:
        self._clip = clip
        self._rates = [group.learning_rate for group in groups]
        self._parameters = [parameter for group in groups for parameter in group.parameters]
        self._optimiser = torch.optim.Adam(
            [{"params": group.parameters, "weight_decay": group.weight_decay} for group in groups]
        )

    def update(self, factor: float = 1.0) -> float:
        """Move by the gradients and return their norm."""
        norm = float(nn.utils.clip_grad_norm_(self._parameters, self._clip))
        if math.isfinite(norm):
            for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
                group["lr"] = factor * rate
            self._optimiser.step()
        return norm
