"""Which inputs reach which outputs of a synapse: all of them, or those under a convolution's kernel.

A wiring applies weights to units at every step; outputs of one channel share bias and bucket weights. Weights
of more channels give more outputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from beyondrate.errors import InputError
from beyondrate.ops.sparse_linear import SpikeRows, sparse_linear, spike_linear

Spikes = SpikeRows | Float[Tensor, "batch time unit"]


@dataclass(frozen=True)
class Dense:
    """Every input reaches every output."""

    n_in: int
    n_out: int

    @property
    def channels(self) -> int:
        """Output channels: each output is one."""
        return self.n_out

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """(out, in)."""
        return self.n_out, self.n_in

    def apply(self, x: Spikes, weight: Tensor) -> Float[Tensor, "batch time out"]:
        """Map spikes, skipping the silent units."""
        if isinstance(x, SpikeRows):
            return sparse_linear(x, weight)
        return spike_linear(x, weight)

    def apply_dense(
        self, x: Float[Tensor, "batch bucket unit"], weight: Tensor
    ) -> Float[Tensor, "batch bucket out"]:
        """Map values that are mostly not 0."""
        return functional.linear(x, weight)


class Conv(NamedTuple):
    """A convolutional layer: output channels, side of the square kernel, stride; padded by half a kernel."""

    channels: int
    kernel: int = 3
    stride: int = 1


@dataclass(frozen=True)
class Conv2d:
    """Units are pixels (channel, row, column), flattened; a kernel slides over them."""

    in_shape: tuple[int, int, int]
    conv: Conv

    @property
    def channels(self) -> int:
        """Output channels."""
        return self.conv.channels

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of the output."""
        kernel, stride = self.conv.kernel, self.conv.stride
        rows, columns = ((side + 2 * (kernel // 2) - kernel) // stride + 1 for side in self.in_shape[1:])
        return self.channels, rows, columns

    @property
    def n_out(self) -> int:
        """Output units."""
        return math.prod(self.out_shape)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """(out channel, in channel, row, column)."""
        return self.channels, self.in_shape[0], self.conv.kernel, self.conv.kernel

    def apply(self, x: Spikes, weight: Tensor) -> Float[Tensor, "batch time out"]:
        """Convolve every step of every sample."""
        return self.apply_dense(x.dense().to(weight) if isinstance(x, SpikeRows) else x, weight)

    def apply_dense(
        self, x: Float[Tensor, "batch bucket unit"], weight: Tensor
    ) -> Float[Tensor, "batch bucket out"]:
        """Convolve every bucket of every sample."""
        frames = x.reshape(-1, *self.in_shape)
        out = functional.conv2d(frames, weight, stride=self.conv.stride, padding=self.conv.kernel // 2)
        return out.reshape(x.shape[0], x.shape[1], math.prod(out.shape[1:]))


Wiring = Dense | Conv2d


def wirings_of(
    n_units: int, n_classes: int, hidden: Sequence[int | Conv], input_shape: tuple[int, int, int] | None
) -> list[Wiring]:
    """Return the wiring of each hidden layer and of the readout.

    Raises:
        InputError: if there is no layer, a size is below 1, or the shape is not that of the units.
    """
    if not hidden or any((size if isinstance(size, int) else min(size)) < 1 for size in hidden):
        raise InputError(f"hidden is {hidden}", remedy="give the size of one hidden layer or more")
    if input_shape is not None and math.prod(input_shape) != n_units:
        raise InputError(f"input_shape is {tuple(input_shape)}", remedy=f"give one of {n_units} units")
    shape = None if input_shape is None else (input_shape[0], input_shape[1], input_shape[2])
    wirings: list[Wiring] = []
    n_in = n_units
    for size in [*hidden, n_classes]:
        if isinstance(size, int):
            wirings.append(Dense(n_in, size))
            shape = None
        elif shape is None:
            raise InputError(
                "a Conv layer has no rows and columns to read",
                remedy="give input_shape, and Conv layers first",
            )
        else:
            conv = Conv2d(shape, size)
            wirings.append(conv)
            shape = conv.out_shape
        n_in = wirings[-1].n_out
    return wirings
