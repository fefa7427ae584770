"""A feed-forward spiking network in one operation, tile by tile.

Between the layers of a network lie arrays of (sample, step, unit) that are far larger than a cache: layer
by layer, most time goes into writing them to memory and fetching them again. Here a tile of a few samples
runs through all layers before the next one begins, and what lies between the layers never leaves the
cache. For the way back the states of small batches are kept; of larger ones only the spikes are, and the
states at the seams of long sequences: walking back through a tile then begins with going forward through it
once more.

The mathematics and the kernels are those of ``sparse_linear``, ``lif``, ``delay``, ``gamma`` and
``sigma_delta``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from beyondrate.errors import InputError
from beyondrate.ops.backend import Backend, choose_backend
from beyondrate.ops.feedforward import reference
from beyondrate.ops.feedforward.check import check_stages
from beyondrate.ops.feedforward.stages import (
    Delays,
    Factors,
    GammaMemories,
    LeakyUnits,
    LIFUnits,
    SigmaDeltaUnits,
    Stage,
    Synapses,
    splits_time,
)
from beyondrate.ops.sparse_linear import SpikeRows

__all__ = [
    "Delays",
    "Factors",
    "GammaMemories",
    "LIFUnits",
    "LeakyUnits",
    "SigmaDeltaUnits",
    "Stage",
    "Synapses",
    "feedforward",
]

_MOST_STEPS = 1 << 12  # of a sequence that cannot be cut: longer ones would not stay in any cache


def feedforward(
    rows: SpikeRows, stages: Sequence[Stage], *, backend: Backend | None = None
) -> Float[Tensor, "batch time out"]:
    """Return what the last stage gives over time for input spikes; the first stage is synapses.

    Gradients flow to all tensors of the stages but factors; there is no second derivative of the tiles.
    Whatever is not on the CPU, is traced by a compiler, or is too long to be kept whole where it has to be,
    runs stage by stage.

    Raises:
        InputError: if the first stage is not synapses, a tensor has not one entry for each unit that
            reaches it, a delay is none, or the backend cannot take these tensors.

    Example:
        >>> from beyondrate.ops.leak import Leak
        >>> rows = SpikeRows(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 0], dtype=torch.int32), 1, 3, 1)
        >>> weight, leak = torch.tensor([[0.7]], requires_grad=True), Leak(torch.tensor(0.0), dt_s=0.1)
        >>> out = feedforward(rows, [Synapses(weight), LIFUnits(leak), Synapses(weight)])
        >>> [round(x, 3) for x in out.detach().flatten().tolist()]
        [0.0, 0.7, 0.0]
    """
    if not stages or not isinstance(stages[0], Synapses):
        raise InputError("a network's first stage is not synapses", remedy="begin with the input's synapses")
    check_stages(rows, stages)
    weight = stages[0].weight
    elsewhere = torch.compiler.is_compiling() or weight.device.type != "cpu"
    too_long = rows.n_steps > _MOST_STEPS and not splits_time(stages)
    if elsewhere or too_long or choose_backend("feedforward", weight, backend) != "cpu":
        return reference.feedforward(rows, stages[0], stages[1:], backend)
    tensors = [tensor for stage in stages for tensor in stage.tensors()]
    comes_back = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    out: Tensor = _Feedforward.apply(rows, stages, comes_back, *tensors)
    return out


class _Feedforward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        rows: SpikeRows,
        stages: Sequence[Stage],
        comes_back: bool,
        *tensors: Tensor,
    ) -> Tensor:
        from beyondrate.ops.feedforward.run import Lease

        ctx.stages, ctx.lease = stages, Lease(rows, stages, comes_back=comes_back)
        run = ctx.lease.run
        out = run.forward(rows, stages)
        ctx.save_for_backward(*tensors, *([out] if run.reads_out else []))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        saved, run = ctx.saved_tensors, ctx.lease.run  # refuses tensors that have changed since
        return None, None, None, *run.backward(ctx.stages, grad, saved[-1] if run.reads_out else None)
