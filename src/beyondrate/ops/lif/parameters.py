"""What a layer of leaky integrate-and-fire units computes with, and what it carries from step to step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

from beyondrate.errors import InputError
from beyondrate.ops.lif.surrogate import SURROGATES, Surrogate

Reset = Literal["hard", "soft"]


@dataclass(frozen=True, eq=False, kw_only=True)
class LIFSettings:
    """How leaky integrate-and-fire units with threshold 1 reset, and what passes for their derivative.

    Args:
        reset: after a spike "hard" sets the membrane to 0, "soft" subtracts the threshold.
        detach_reset: leave the reset out of the gradient.
        surrogate: shape of the surrogate derivative, 1 at the threshold.
        slope: how fast the surrogate falls off; α of Eq. 1 in Yu et al. 2025 (100 there).

    Raises:
        InputError: if a name is unknown.
    """

    reset: Reset = "hard"
    detach_reset: bool = True
    surrogate: Surrogate = "superspike"
    slope: float = 100.0

    def __post_init__(self) -> None:
        if self.reset not in ("hard", "soft"):
            raise InputError(f"reset is {self.reset!r}", remedy='give "hard" or "soft"')
        if self.surrogate not in SURROGATES:
            raise InputError(
                f"surrogate is {self.surrogate!r}", remedy=f"give one of {', '.join(SURROGATES)}"
            )


@dataclass(frozen=True, eq=False)
class LIFParams(LIFSettings):
    """Settings of leaky integrate-and-fire units, and their decays.

    Args:
        decay: b = exp(-dt/τ), a scalar or one a unit; gets a gradient.
        current_decay: a = exp(-dt/τ_syn) of the current filter, a scalar or one a unit; None: no filter.

    Raises:
        InputError: if a name is unknown.
    """

    decay: Float[Tensor, "*unit"]
    current_decay: Float[Tensor, "*unit"] | None = None


class LIFState(NamedTuple):
    """The membrane after reset and, with a current filter, the filtered current."""

    membrane: Float[Tensor, "batch unit"]
    current: Float[Tensor, "batch unit"] | None = None
