"""The kernels as torch custom operations, so that autograd, torch.compile and export see them.

An operation runs numba's kernel on the CPU and Triton's on a CUDA device.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from beyondrate.ops.backend import register_triton
from beyondrate.ops.threads import in_pieces


@torch.library.custom_op("beyondrate::delay", mutates_args=(), device_types="cpu")
def delay(x: Tensor, delays: Tensor, mode: str, n_past: int) -> Tensor:
    """Return (batch, time, unit): ``x`` without its first ``n_past`` steps, each unit delayed."""
    from beyondrate.ops.delay import cpu

    y = x.new_empty(x.shape[0], x.shape[1] - n_past, x.shape[2])
    arguments = *_numpy(x), *split(delays, mode, x.shape[1]), n_past, *_numpy(y)
    in_pieces(partial(cpu.delay_forward, *arguments), len(x), x[0:1].numel())
    return y


@torch.library.custom_op("beyondrate::delay_backward", mutates_args=(), device_types="cpu")
def _delay_backward(
    grad_y: Tensor, x: Tensor, delays: Tensor, mode: str, n_past: int
) -> tuple[Tensor, Tensor]:
    from beyondrate.ops.delay import cpu

    grad_x, grad_delay = torch.empty_like(x), x.new_zeros(x.shape[0], x.shape[2])
    parts = split(delays, mode, x.shape[1])
    arguments = *_numpy(grad_y, x), *parts, mode == "central", n_past, *_numpy(grad_x, grad_delay)
    in_pieces(partial(cpu.delay_backward, *arguments), len(x), x[0:1].numel())
    return grad_x, torch.from_numpy(grad_delay.numpy().sum(axis=0))


def split(delays: Tensor, mode: str, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return whole steps (cut where they silence all), and what is left of a step."""
    values = delays.detach().numpy()
    k = np.minimum(np.floor(values + 0.5 if mode == "central" else values), n_steps + 1)
    return k.astype(np.uint64), values - k if mode == "linear" else np.zeros_like(values)


def _numpy(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


@delay.register_fake
def _(x: Tensor, delays: Tensor, mode: str, n_past: int) -> Tensor:
    return x.new_empty(x.shape[0], x.shape[1] - n_past, x.shape[2])


@_delay_backward.register_fake
def _(grad_y: Tensor, x: Tensor, delays: Tensor, mode: str, n_past: int) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), torch.empty_like(delays)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401
    x, delays, *ctx.options = inputs
    ctx.save_for_backward(x, delays)


def _gradient(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
    grad_x, grad_delays = _delay_backward(grad_y, *ctx.saved_tensors, *ctx.options)
    return grad_x, grad_delays, None, None


delay.register_autograd(_gradient, setup_context=_save)
register_triton(delay, __package__, "delay")
register_triton(_delay_backward, __package__, "delay_backward")
