"""Normally distributed numbers, as numpy draws them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64


def draw_normals(rng: np.random.Generator, sigma: float, n: int) -> Float64[np.ndarray, " n"]:
    """Return ``n`` normal numbers of mean 0 and standard deviation ``sigma``."""
    return rng.normal(0.0, sigma, n)
