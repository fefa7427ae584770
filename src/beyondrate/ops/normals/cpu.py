"""PCG64 (XSL-RR 128/64, O'Neill, HMC-CS-2014-0905, 2014) and the ziggurat method in numba, in one loop.

Everything is uint64: numba would make a float of an int64 and a uint64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from beyondrate.ops.kernel import kernel
from beyondrate.ops.normals.ziggurat import R, tables

_INSIDE, _WIDTH, _HEIGHT = tables()
_MULTIPLIER_HIGH, _MULTIPLIER_LOW = np.uint64(2549297995355413924), np.uint64(4865540595714422341)
_1, _8, _9, _11, _58, _63, _64 = (np.uint64(bits) for bits in (1, 8, 9, 11, 58, 63, 64))
_MANTISSA, _LAYER = np.uint64((1 << 52) - 1), np.uint64(255)


@kernel
def draw_normals(state: np.ndarray, sigma: float, normals: np.ndarray) -> None:
    """Fill ``normals`` and advance the generator: high and low half of its state, then of its step."""
    high, low, high_step, low_step = state
    n_drawn = np.uint64(0)
    while n_drawn < len(normals):
        high, low = _next(high, low, high_step, low_step)
        bits = _output(high, low)
        layer = bits & _LAYER
        mantissa = (bits >> _9) & _MANTISSA
        x = np.float64(np.int64(mantissa)) * _WIDTH[layer]
        x = -x if (bits >> _8) & _1 else x
        accepted = mantissa < _INSIDE[layer]
        if not accepted:  # one in ninety
            accepted, x, high, low = _at_the_edge(layer, mantissa, x, high, low, high_step, low_step)
        normals[n_drawn] = sigma * x
        n_drawn += np.uint64(accepted)
    state[0], state[1] = high, low


@kernel
def _at_the_edge(
    layer: np.uint64,
    mantissa: np.uint64,
    x: float,
    high: np.uint64,
    low: np.uint64,
    high_step: np.uint64,
    low_step: np.uint64,
) -> tuple[bool, float, np.uint64, np.uint64]:
    """Accept or reject a number beside the curve, or draw one of the tail (Marsaglia, 1964)."""
    if layer > 0:
        high, low = _next(high, low, high_step, low_step)
        below, above = _HEIGHT[layer], _HEIGHT[layer - _1]
        accepted = (above - below) * _uniform(high, low) + below < math.exp(-0.5 * x * x)
        return accepted, x, high, low
    while True:
        high, low = _next(high, low, high_step, low_step)
        beyond = -(1.0 / R) * math.log1p(-_uniform(high, low))
        high, low = _next(high, low, high_step, low_step)
        if -2.0 * math.log1p(-_uniform(high, low)) > beyond * beyond:
            return True, -(R + beyond) if (mantissa >> _8) & _1 else R + beyond, high, low


@njit(inline="always")
def _next(
    high: np.uint64, low: np.uint64, high_step: np.uint64, low_step: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Return state * multiplier + step, modulo 2^128."""
    product = low * _MULTIPLIER_LOW
    new_low = product + low_step
    carry = np.uint64(new_low < product)
    from_low = _high_product(low, _MULTIPLIER_LOW) + low * _MULTIPLIER_HIGH + high_step + carry
    return high * _MULTIPLIER_LOW + from_low, new_low


@njit(inline="always")
def _output(high: np.uint64, low: np.uint64) -> np.uint64:
    mixed, turn = high ^ low, high >> _58
    return (mixed >> turn) | (mixed << ((_64 - turn) & _63))


@njit(inline="always")
def _uniform(high: np.uint64, low: np.uint64) -> float:
    return np.float64(_output(high, low) >> _11) * 2.0**-53


def _upper_half(typing_context: Any, a: Any, b: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Multiply two uint64 and return the upper half of the product: one instruction, which numpy lacks."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        word = arguments[0].type
        double = type(word)(128)
        a, b = (builder.zext(argument, double) for argument in arguments)
        return builder.trunc(builder.lshr(builder.mul(a, b), double(64)), word)

    return types.uint64(types.uint64, types.uint64), generate


_high_product: Any = intrinsic(_upper_half)
