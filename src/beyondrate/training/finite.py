"""Whether training still computes with numbers."""

from __future__ import annotations

import math

from beyondrate.errors import InputError


def finite(value: float, what: str) -> float:
    """Return a value of a training that still goes on.

    Raises:
        InputError: if it is not finite.
    """
    if not math.isfinite(value):
        raise InputError(f"the {what} became {value}", remedy="lower learning_rate or the input's rate")
    return value
