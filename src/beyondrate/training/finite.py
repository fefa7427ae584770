"""Whether networks and their training still compute with numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from beyondrate.errors import InputError


def finite(value: float, what: str) -> float:
    """Return a value of a training that still goes on.

    Raises:
        InputError: if it is not finite.
    """
    if not math.isfinite(value):
        raise InputError(f"the {what} became {value}", remedy="lower learning_rate or the input's rate")
    return value


def check_weights(weights: Mapping[str, Tensor], file: str | Path | None = None) -> None:
    """Refuse weights that are no numbers: spiking units that add them up would be silent, and look healthy.

    Raises:
        InputError: naming the first of them.
    """
    for name, value in weights.items():
        if value.isnan().any():
            raise InputError(
                f"{name} holds what is no number", remedy="train again, with a lower rate", file=file
            )
