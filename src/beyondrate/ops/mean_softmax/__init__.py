"""The softmax of outputs averaged over time, and the loss that its log is, with its gradient."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.autograd.function import once_differentiable

from beyondrate.errors import InputError
from beyondrate.ops.backend import Backend, choose_backend
from beyondrate.ops.mean_softmax import reference
from beyondrate.ops.threads import in_pieces

__all__ = ["mean_softmax", "mean_softmax_loss"]


def mean_softmax_loss(
    output: Float[Tensor, "batch time class"],
    labels: Int64[Tensor, " batch"],
    *,
    backend: Backend | None = None,
) -> Float[Tensor, ""]:
    """Return -log Σ_t p_t / T of the labels on average, p_t being the softmax of the outputs at step t.

    Only the reference has a second derivative; whatever is traced by a compiler runs it.

    Raises:
        InputError: if there is not one label a sample, one is none of the classes (on a GPU torch raises an
            error of its own), or the backend cannot take these tensors.

    Example:
        >>> output = torch.tensor([[[0.0, 0.0], [100.0, 0.0]]])
        >>> mean_softmax_loss(output, torch.tensor([0])).exp()
        tensor(1.3333)
    """
    at_once = output.numel() > 0 and not torch.compiler.is_compiling()
    if not at_once or choose_backend("mean_softmax", output, backend) != "cpu":
        return reference.mean_softmax_loss(output, labels)
    if labels.shape != output.shape[:1]:
        raise InputError(
            f"labels have shape {tuple(labels.shape)}", remedy=f"give {len(output)}, one a sample"
        )
    n_classes = output.shape[2]
    if not 0 <= int(labels.min()) <= int(labels.max()) < n_classes:
        found = f"{int(labels.min())} to {int(labels.max())}"
        raise InputError(f"labels are {found} for {n_classes} classes", remedy="give an output a class")
    loss: Tensor = _MeanSoftmaxLoss.apply(output, labels)
    return loss


def mean_softmax(
    output: Float[Tensor, "batch time class"], *, backend: Backend | None = None
) -> Float[Tensor, "batch class"]:
    """Return Σ_t p_t / T, where p_t is the softmax of the outputs at step t.

    Where a gradient is asked for, the reference runs.

    Raises:
        InputError: if the backend cannot take these tensors.

    Example:
        >>> mean_softmax(torch.tensor([[[0.0, 0.0], [100.0, 0.0]]]))
        tensor([[0.7500, 0.2500]])
    """
    comes_back = torch.is_grad_enabled() and output.requires_grad
    at_once = output.numel() > 0 and not comes_back and not torch.compiler.is_compiling()
    if not at_once or choose_backend("mean_softmax", output, backend) != "cpu":
        return reference.mean_softmax(output)
    from beyondrate.ops.mean_softmax import cpu

    probability = output.new_empty(len(output), output.shape[2])
    views = _numpy(output, probability)
    in_pieces(partial(cpu.mean, *views), len(output), output[0].numel())
    return probability


class _MeanSoftmaxLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, output: Tensor, labels: Tensor) -> Tensor:  # noqa: ANN401
        from beyondrate.ops.mean_softmax import cpu

        probability = torch.empty_like(output, memory_format=torch.contiguous_format)
        share, value = output.new_empty(output.shape[:2]), output.new_empty(len(output))
        views = _numpy(output, labels, probability, share, value)
        in_pieces(partial(cpu.forward, *views), len(output), output[0].numel())
        ctx.save_for_backward(labels, probability, share)
        return torch.from_numpy(np.asarray(-views[-1].mean()))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        from beyondrate.ops.mean_softmax import cpu

        labels, probability, share = ctx.saved_tensors
        grad_output = torch.empty_like(probability)
        of_samples = (-grad / len(labels)).expand(len(labels))
        views = _numpy(of_samples, labels, probability, share, grad_output)
        in_pieces(partial(cpu.backward, *views), len(probability), probability[0].numel())
        return grad_output, None


def _numpy(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]
