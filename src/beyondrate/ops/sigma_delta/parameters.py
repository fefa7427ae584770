"""How a unit codes its value in spikes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from beyondrate.errors import InputError

Code = Literal["sum", "first"]
CODES: tuple[str, ...] = get_args(Code)


@dataclass(frozen=True)
class SigmaDeltaParams:
    """Parameters of the adaptive encoder.

    Args:
        theta0: threshold θ0 of a unit whose estimate is 0: the size of a spike.
        mf: how much the threshold grows with the estimate, θ = θ0 + mf ŷ; None: θ0, as the paper has it.
        rho: a spike comes when the error reaches ρθ: 1 is the paper's rule, 0.5 has no bias.
        n_max: most quanta θ that a step's spike may be worth; None: any number, 1: binary spikes.
        code: what of the buckets estimates the value: "sum" of all, or the "first".

    Raises:
        InputError: if a value is out of range.
    """

    theta0: float = 0.1
    mf: float | None = None
    rho: float = 1.0
    n_max: int | None = None
    code: Code = "sum"

    def __post_init__(self) -> None:
        if not self.theta0 > 0:
            raise InputError(f"theta0 is {self.theta0}", remedy="give a positive theta0")
        if self.mf is not None and not self.mf >= 0:
            raise InputError(f"mf is {self.mf}", remedy="give an mf of 0 or more")
        if not 0 < self.rho <= 1:
            raise InputError(f"rho is {self.rho}", remedy="give a rho above 0 and up to 1")
        if self.n_max is not None and self.n_max < 1:
            raise InputError(f"n_max is {self.n_max}", remedy="give 1 quantum or more, or None")
        if self.code not in CODES:
            raise InputError(f"code is {self.code!r}", remedy=f"give one of {', '.join(CODES)}")

    @property
    def adaptation(self) -> float:
        """The growth of the threshold with the estimate, mf or its default."""
        return self.theta0 if self.mf is None else self.mf

    @property
    def most_quanta(self) -> float:
        """The most quanta of one spike, as a number."""
        return math.inf if self.n_max is None else float(self.n_max)
