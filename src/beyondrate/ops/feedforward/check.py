"""Whether the stages of a network fit each other and their input: kernels look at no size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from beyondrate.errors import InputError
from beyondrate.ops.delay import check_delays
from beyondrate.ops.feedforward.stages import (
    Delays,
    Factors,
    GammaMemories,
    LeakyUnits,
    LIFUnits,
    SigmaDeltaUnits,
    Stage,
    Synapses,
)
from beyondrate.ops.sparse_linear import SpikeRows

_Expected = Iterator[tuple[str, Tensor | None, tuple[int, ...]]]


def check_stages(rows: SpikeRows, stages: Sequence[Stage]) -> None:
    """Refuse stages that do not fit.

    Raises:
        InputError: if a tensor has not one entry for each unit that reaches it, or a delay is none.
    """
    n_units = rows.n_units
    for stage in stages:
        if isinstance(stage, Synapses):
            if stage.weight.shape[1] != n_units:
                raise InputError(
                    f"weight has {stage.weight.shape[1]} columns for spikes of {n_units} units",
                    remedy="give one column a unit",
                )
            n_units = len(stage.weight)
        elif isinstance(stage, Delays):
            check_delays(stage.steps, stage.mode)
        for name, tensor, shape in _expected(stage, rows.n_samples, n_units):
            if tensor is not None and tensor.shape != shape:
                raise InputError(
                    f"{name} has shape {tuple(tensor.shape)} for {n_units} units",
                    remedy=f"give shape {shape}",
                )


def _expected(stage: Stage, n_samples: int, n_units: int) -> _Expected:
    """Yield the name, the tensor and the shape that it has to have, for the tensors of a stage."""
    if isinstance(stage, Synapses | LIFUnits | LeakyUnits):
        for leak in stage.leaks():
            yield "log_tau", leak.log_tau, (n_units,) if leak.log_tau.dim() else ()
    if isinstance(stage, Synapses):
        yield "bias", stage.bias, (n_units,)
    elif isinstance(stage, Delays):
        yield "steps", stage.steps, (n_units,)
    elif isinstance(stage, Factors):
        yield "factors", stage.factors, (n_samples, n_units)
    elif isinstance(stage, GammaMemories | SigmaDeltaUnits):
        n_buckets = len(stage.transition)
        yield "transition", stage.transition, (n_buckets, n_buckets)
        if isinstance(stage, GammaMemories):
            yield "gain", stage.gain, (n_buckets, n_units)
            yield "bias", stage.bias, (n_units,)
