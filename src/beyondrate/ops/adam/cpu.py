"""Adam with clipped gradients in numba: a table says where each parameter and its moments are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from beyondrate.errors import InputError
from beyondrate.ops.addresses import array_at
from beyondrate.ops.kernel import kernel
from beyondrate.ops.lanes import load, total, width, zeros

if TYPE_CHECKING:
    from beyondrate.ops.adam import ParameterGroup

_BETA_MEAN, _BETA_SQUARE, _EPSILON = 0.9, 0.999, 1e-8
_ROUNDING = 1e-6  # beside the norm, as torch clips
_VALUE, _GRADIENT, _MEAN, _SQUARE, _SIZE = range(5)  # columns of ``places``
_RATE, _DECAY, _ROOT = range(3)  # and of ``numbers``


class KernelAdam:
    """Adam whose update is one call of a kernel for the norm, and one for the parameters."""

    def __init__(self, groups: Sequence[ParameterGroup], clip: float) -> None:
        self._clip = clip
        self._parameters = [parameter for group in groups for parameter in group.parameters]
        self._moments = [torch.zeros(2, p.numel(), dtype=p.dtype) for p in self._parameters]
        self._n_updates = np.zeros(len(self._parameters))
        learning = [(group.learning_rate, group.weight_decay) for group in groups for _ in group.parameters]
        self._rates, self._decays = np.array(learning).T
        self._places = np.array([[0, 0, *_places_of(moments), moments.shape[1]] for moments in self._moments])
        self._like = np.empty(0, self._moments[0].numpy().dtype)

    def update(self, factor: float = 1.0) -> float:
        """Move by the gradients and return their norm."""
        self._check()
        gradients = [None if p.grad is None else p.grad.contiguous() for p in self._parameters]
        there = np.array([gradient is not None for gradient in gradients])
        for place, parameter, gradient in zip(self._places, self._parameters, gradients, strict=True):
            place[_VALUE] = parameter.data_ptr()
            place[_GRADIENT] = 0 if gradient is None else gradient.data_ptr()
        places = self._places[there]
        norm = math.sqrt(sum_of_squares(places, self._like))
        if math.isfinite(norm):
            self._n_updates += there
            numbers = self._numbers(factor)[there]
            change(places, numbers, min(1.0, self._clip / (norm + _ROUNDING)), self._like)
            changed = [p for p in self._parameters if p.grad is not None]
            torch.autograd.graph.increment_version(changed)
        return norm

    def _check(self) -> None:
        """Refuse parameters that are not what they were: the kernel sees addresses only."""
        for parameter, moments in zip(self._parameters, self._moments, strict=True):
            same = parameter.dtype == moments.dtype and parameter.device == moments.device
            if not (same and parameter.numel() == moments.shape[1] and parameter.is_contiguous()):
                raise InputError(
                    f"a parameter is of {parameter.dtype} and shape {tuple(parameter.shape)} now",
                    remedy="make the optimiser after the last change of the network",
                )

    def _numbers(self, factor: float) -> np.ndarray:
        """Return each parameter's rate, decay, and the root that its squares' mean is divided by."""
        n_updates = np.maximum(self._n_updates, 1)
        rates = factor * self._rates / (1 - _BETA_MEAN**n_updates)
        return np.stack([rates, self._decays, np.sqrt(1 - _BETA_SQUARE**n_updates)], axis=1)


def _places_of(moments: Tensor) -> tuple[int, int]:
    """Return where the gradient's mean and the mean of its squares are."""
    mean, square = moments
    return mean.data_ptr(), square.data_ptr()


@kernel
def sum_of_squares(places: np.ndarray, like: np.ndarray) -> float:
    """Return the square of the norm of all gradients."""
    squares = 0.0
    for p in range(len(places)):
        gradient = array_at(places[p, _GRADIENT], (places[p, _SIZE],), like)
        subtotal = zeros(like)
        for i in range(0, len(gradient), width(like)):
            g = load(gradient, i, len(gradient) - i)
            subtotal += g * g
        squares += np.float64(total(subtotal))
    return squares


@kernel
def change(places: np.ndarray, numbers: np.ndarray, shrink: float, like: np.ndarray) -> None:
    """Change each parameter by Adam's rule, for gradients made smaller by a factor."""
    number = like.dtype.type
    beta_mean, beta_square, epsilon = number(_BETA_MEAN), number(_BETA_SQUARE), number(_EPSILON)
    rest_mean, rest_square, shrink = number(1 - _BETA_MEAN), number(1 - _BETA_SQUARE), number(shrink)
    for p in range(len(places)):
        rate, decay, root = number(numbers[p, _RATE]), number(numbers[p, _DECAY]), number(numbers[p, _ROOT])
        n = places[p, _SIZE]
        value = array_at(places[p, _VALUE], (n,), like)
        gradient = array_at(places[p, _GRADIENT], (n,), like)
        mean = array_at(places[p, _MEAN], (n,), like)
        square = array_at(places[p, _SQUARE], (n,), like)
        for i in range(n):
            g = shrink * gradient[i] + decay * value[i]
            mean[i] = beta_mean * mean[i] + rest_mean * g
            square[i] = beta_square * square[i] + rest_square * g * g
            value[i] -= rate * mean[i] / (np.sqrt(square[i]) / root + epsilon)
