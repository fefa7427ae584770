"""The stages of a feed-forward network one after the other, each over the whole batch."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from beyondrate.ops.backend import Backend
from beyondrate.ops.delay import delay
from beyondrate.ops.feedforward.stages import (
    Delays,
    GammaMemories,
    LeakyUnits,
    LIFUnits,
    SigmaDeltaUnits,
    Stage,
    Synapses,
)
from beyondrate.ops.gamma import gamma_scan
from beyondrate.ops.lif import leaky_integrate, lif
from beyondrate.ops.sigma_delta import sigma_delta
from beyondrate.ops.sparse_linear import SpikeRows, sparse_linear, spike_linear


def feedforward(
    rows: SpikeRows, first: Synapses, others: Sequence[Stage], backend: Backend | None
) -> Float[Tensor, "batch time out"]:
    """Return what the last stage gives over time; ``backend`` is that of each operation."""
    x = sparse_linear(rows, *first.taken_in(), backend=backend)
    for stage in others:
        x = _through(stage, x, backend)
    return x


def _through(
    stage: Stage, x: Float[Tensor, "batch time unit"], backend: Backend | None
) -> Float[Tensor, "batch time out"]:
    if isinstance(stage, Synapses):
        return spike_linear(x, *stage.taken_in(), backend=backend)
    if isinstance(stage, LIFUnits):
        return lif(x, stage.params(x.shape[2]), backend=backend)[0]
    if isinstance(stage, LeakyUnits):
        decay = x.new_ones(()) if stage.leak is None else stage.leak.decay(x.shape[2])
        return leaky_integrate(x, decay, backend=backend)[0]
    if isinstance(stage, Delays):
        return delay(x, stage.steps, mode=stage.mode, backend=backend)[0]
    if isinstance(stage, GammaMemories):
        return gamma_scan(x, stage.gain, stage.transition, stage.bias, backend=backend)
    if isinstance(stage, SigmaDeltaUnits):
        return sigma_delta(x, stage.transition, stage.params, gated=stage.gated, backend=backend)[0]
    return x * stage.factors[:, None]
