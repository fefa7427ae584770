"""The nets that read norm best, of both papers: what they are and how they are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from beyondrate.nn import MeanMembrane
from beyondrate.recipes import GAMMA, LIF, Recipe

# Of twelve tries a net (benchmarks/tune_best_norm.py), the best on validation. All have a current filter of
# 10 ms, and norm is drawn anew for every epoch.
_BEST = replace(
    LIF.with_network(hidden=(256, 256), tau_syn_s=0.01),
    loss=MeanMembrane(),
    settings=replace(LIF.settings, epochs=40, patience=40, learning_rate=1e-2),
    redraw=True,
)


def _mixed(learning_rate: float, tau_spread: float) -> Recipe:
    wide = _BEST.with_network(hidden=(320, 320), tau_per_unit=True, tau_spread=tau_spread)
    return replace(wide, settings=replace(_BEST.settings, learning_rate=learning_rate))


def _gamma(learning_rate: float, **network: Any) -> Recipe:  # noqa: ANN401
    settings = replace(GAMMA.settings, epochs=40, patience=40, learning_rate=learning_rate)
    return replace(GAMMA.with_network(**network), settings=settings, redraw=True)


_GATED = _gamma(5e-3, hidden=(256, 256))
BEST_RECIPES: Mapping[str, Recipe] = {
    "lif-one-tau": _BEST,
    "lif-mixed": _mixed(2e-2, 30**0.5),
    "lif-mixed-frozen": _mixed(4e-2, 10**0.5),
    "lif-mixed-learned": _mixed(2e-2, 10**0.5),
    "gamma-spatial": _gamma(1e-2, memory_s=0.012),
    "gamma-gated": _GATED,
    "gamma-one-draw": replace(_GATED, redraw=False),
}
# The middle of the range of time constants: 10 to 300 ms without delays, 10 to 100 ms with them.
MIXED_TAU_S = {"lif-mixed": 0.003**0.5, "lif-mixed-frozen": 0.001**0.5, "lif-mixed-learned": 0.001**0.5}
