"""Normally distributed numbers: those that a numpy Generator would draw, to the bit, several times sooner.

``np.random.default_rng`` draws with PCG64 and the ziggurat method. The same two, compiled in one loop and
without a branch for the sign (a processor guesses it wrongly half of the time), take a quarter of the time.
Should a numpy draw otherwise one day, or a mathematical library round otherwise, numpy draws itself.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float64

from beyondrate.errors import InputError
from beyondrate.ops.normals import reference

__all__ = ["draw_normals"]


def draw_normals(rng: np.random.Generator, sigma: float, n: int) -> Float64[np.ndarray, " n"]:
    """Return what ``rng.normal(0, sigma, n)`` would, and leave the generator as that would.

    A generator with another source than PCG64 draws them itself.

    Raises:
        InputError: if ``sigma`` is negative or not a number.

    Example:
        >>> ours, theirs = np.random.default_rng(0), np.random.default_rng(0)
        >>> bool((draw_normals(ours, 2.5, 1000) == theirs.normal(0, 2.5, 1000)).all())
        True
        >>> ours.random() == theirs.random()
        True
    """
    if not sigma >= 0:
        raise InputError(f"sigma is {sigma}", remedy="give 0 or more")
    if type(rng.bit_generator) is not np.random.PCG64 or not _agrees():
        return reference.draw_normals(rng, sigma, n)
    return _drawn(rng.bit_generator, sigma, n)


@cache
def _agrees() -> bool:
    """Whether this machine's numpy draws the same: seen once, in enough numbers to meet every branch."""
    expected = reference.draw_normals(np.random.default_rng(0), 1.0, 1 << 15)
    return np.array_equal(_drawn(np.random.PCG64(0), 1.0, len(expected)), expected)


def _drawn(source: np.random.PCG64, sigma: float, n: int) -> Float64[np.ndarray, " n"]:
    from beyondrate.ops.normals import cpu

    normals = np.empty(n)
    with source.lock:
        state = source.state
        pcg = state["state"]
        numbers = pcg["state"], pcg["inc"]
        halves = np.array([half for number in numbers for half in divmod(number, 1 << 64)], np.uint64)
        cpu.draw_normals(halves, sigma, normals)
        pcg["state"] = int(halves[0]) << 64 | int(halves[1])
        source.state = state
    return normals
