"""What the Triton kernels share: lanes, one a unit of a sample, and how a kernel is started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def lanes(
    n_lanes: tl.tensor, n_steps: tl.tensor, n_units: tl.tensor, BLOCK: tl.constexpr
) -> tuple[tl.tensor, ...]:
    """Return the lanes of this program, which of them exist, their units and where their first step lies."""
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    unit = lane % n_units
    return lane, lane < n_lanes, unit, (lane - unit) * n_steps + unit


def over_units(
    kernel: Any,  # noqa: ANN401
    shape: Sequence[int],
    given: Sequence[Tensor],
    filled: Sequence[Tensor],
    *,
    block: int = 128,
    **numbers: Any,  # noqa: ANN401
) -> None:
    """Run ``kernel`` with a lane for each unit of each sample of sequences (batch, time, unit).

    It gets ``n_lanes``, ``n_steps``, ``n_units`` and the lanes of a program, ``BLOCK``, too.
    """
    n_samples, n_steps, n_units = shape
    numbers |= {"n_lanes": n_samples * n_units, "n_steps": n_steps, "n_units": n_units, "BLOCK": block}
    on_grid(kernel, (-(-n_samples * n_units // block),), given, filled, **numbers)


def on_grid(
    kernel: Any,  # noqa: ANN401
    grid: tuple[int, ...],
    given: Sequence[Tensor],
    filled: Sequence[Tensor],
    **numbers: Any,  # noqa: ANN401
) -> None:
    """Run as many programs of ``kernel`` as ``grid`` says, if any, on the device of ``given``.

    The kernel gets the tensors in order, those ``given`` in contiguous form; those to be ``filled`` have it.
    """
    if all(grid):
        with torch.cuda.device_of(given[0]):
            _start(kernel, grid, (*(tensor.detach().contiguous() for tensor in given), *filled), numbers)


def empty_like(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return tensors to be filled, of these shapes and types."""
    return tuple(torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in tensors)


def _start(
    kernel: Any,  # noqa: ANN401
    grid: tuple[int, ...],
    tensors: tuple[Tensor, ...],
    numbers: dict[str, Any],
) -> None:
    """Start a kernel that rounds each product before it adds it, as the reference does."""
    kernel[grid](*tensors, **numbers, enable_fp_fusion=False)
