"""One update of all parameters by Adam, their gradient clipped: in one pass instead of dozens of operations.

An optimiser that is told of a small network's tensors one by one, from Python, spends most of its time on
telling them apart, and so does the clipping before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from beyondrate.errors import InputError
from beyondrate.ops.adam.reference import ReferenceAdam
from beyondrate.ops.backend import Backend, choose_backend

__all__ = ["Adam", "ParameterGroup", "adam"]

_OTHER = 'give backend "reference" or None'


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that learn alike.

    Args:
        parameters: tensors that have a gradient; those without are left as they are.
        learning_rate: how far an update moves them, at most.
        weight_decay: how much of a parameter is added to its gradient.
    """

    parameters: Sequence[Tensor]
    learning_rate: float
    weight_decay: float = 0.0


@runtime_checkable
class Adam(Protocol):
    """Changes parameters."""

    def update(self, factor: float = 1.0) -> float:
        """Move by the gradients, at ``factor`` times the learning rates; return the norm before clipping.

        Nothing moves if the norm is not finite.

        Raises:
            InputError: if a parameter is no longer of the size or type that it was made for.
        """
        ...


def adam(groups: Sequence[ParameterGroup], *, clip: float, backend: Backend | None = None) -> Adam:
    """Return Adam (Kingma and Ba, 2015; β 0.9 and 0.999, ε 1e-8) for gradients of a norm of at most ``clip``.

    The norm is that of all gradients together (Pascanu et al., 2013). Parameters that the kernel cannot take,
    such as those of several types or on a GPU, change by torch's own optimiser.

    Raises:
        InputError: if there are no parameters, one is there twice, or the backend cannot take them.

    Example:
        >>> import torch
        >>> weight = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> learning = adam([ParameterGroup([weight], learning_rate=0.1)], clip=1.0)
        >>> weight.square().sum().backward()
        >>> round(learning.update(), 3), [round(x, 3) for x in weight.tolist()]
        (4.472, [0.9, 1.9])
    """
    parameters = [parameter for group in groups for parameter in group.parameters]
    if not parameters:
        raise InputError("there is nothing to learn", remedy="give parameters")
    if len(set(map(id, parameters))) < len(parameters):
        raise InputError("a parameter is there twice", remedy="give each in one group")
    first = parameters[0]
    alike = all(p.dtype == first.dtype and p.device == first.device and p.is_contiguous() for p in parameters)
    if backend == "cpu" and not alike:
        raise InputError("the parameters are of several types or places, or not contiguous", remedy=_OTHER)
    if choose_backend("adam", first, backend if alike else "reference") != "cpu":
        return ReferenceAdam(groups, clip)
    from beyondrate.ops.adam.cpu import KernelAdam

    return KernelAdam(groups, clip)
