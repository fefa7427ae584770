"""Dropout of whole units, with its own random generator."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.errors import InputError


class UnitDropout(nn.Module):
    """In training silence a random share of the units, for all of a sample's time, and scale up the others.

    The generator's state is part of ``state_dict``, so that a run that goes on from a checkpoint
    draws what the uninterrupted run would have drawn.

    Args:
        share: share of units to leave out, 0 <= share < 1.
        generator: gives the seed of this module's own generator.

    Raises:
        InputError: if the share is outside [0, 1).

    Example:
        >>> dropout = UnitDropout(0.5, generator=torch.Generator().manual_seed(1))
        >>> dropout(torch.ones(1, 2, 4)).tolist()
        [[[2.0, 0.0, 2.0, 2.0], [2.0, 0.0, 2.0, 2.0]]]
    """

    def __init__(self, share: float, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise InputError(f"dropout is {share}", remedy="give a share from 0 to below 1")
        self.share = share
        seed = int(torch.randint(2**62, (), generator=generator))
        self._generator = torch.Generator().manual_seed(seed)

    def forward(self, x: Float[Tensor, "batch *time unit"]) -> Float[Tensor, "batch *time unit"]:
        """Return ``x`` with units silenced in training, unchanged otherwise."""
        if not self.training or self.share == 0:
            return x
        shape = (x.shape[0], *(1,) * (x.dim() - 2), x.shape[-1])
        kept = torch.rand(shape, generator=self._generator) >= self.share
        return x * (kept.to(x) / (1 - self.share))

    def get_extra_state(self) -> Tensor:
        """Return the generator's state."""
        return self._generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        """Take up a generator's state."""
        self._generator.set_state(state.cpu())
