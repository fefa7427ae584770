"""The tables of the ziggurat that numpy draws normal numbers with, to the last bit.

256 layers of one area cover the upper half of exp(-x²/2); layer 0 is the lowest, with the tail beyond R
(Marsaglia and Tsang, Journal of Statistical Software 5(8), 2000; here with 52-bit numbers).
"""

from __future__ import annotations

import math
from decimal import Context, Decimal

import numpy as np
from jaxtyping import Float64, UInt64

R = 3.6541528853610088  # the right edge of the lowest layer, where the tail begins
_AREA = 0.0049286732339746519
_LAYERS = 256
# The exponential that numpy's tables were made with was one unit in the last place off at this layer.
_ROUNDED_UP = 38


def tables() -> tuple[
    UInt64[np.ndarray, " layers"], Float64[np.ndarray, " layers"], Float64[np.ndarray, " layers"]
]:
    """Return each layer's largest number that is accepted at once, its width over 2^52, and its height.

    exp and log are rounded correctly, which no system's library promises: the tables are the same on all.
    """
    precise = Context(prec=25)
    edge, height = np.zeros(_LAYERS), np.ones(_LAYERS)
    edge[-1] = R
    for layer in range(_LAYERS - 1, 0, -1):
        height[layer] = precise.exp(Decimal(float(-0.5 * edge[layer] * edge[layer])))
        if layer == _ROUNDED_UP:
            height[layer] = math.nextafter(height[layer], 1.0)
        if layer > 1:
            above = height[layer] + _AREA / edge[layer]
            edge[layer - 1] = math.sqrt(-2.0 * float(precise.ln(Decimal(float(above)))))
    inside = np.append(R * height[-1] / _AREA, edge[:-1] / edge[1:])  # what of a layer lies under the next
    edge[0] = _AREA / height[-1]
    return np.rint(inside * 2.0**52).astype(np.uint64), edge * 2.0**-52, height
