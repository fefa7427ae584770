"""Linear maps of spikes: the weights of the units that spike are gathered and summed, zeros are skipped.

``sparse_linear`` takes input events as compressed rows (batch × time); no dense raster is ever made and
there is no gradient for the events. ``spike_linear`` takes a mostly-zero tensor, such as the spikes of a
hidden layer, and passes the gradient on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32, Int64
from torch import Tensor

from beyondrate.errors import InputError
from beyondrate.ops.backend import Backend, choose_backend
from beyondrate.ops.sparse_linear import custom, reference

__all__ = ["SpikeRows", "sparse_linear", "spike_linear"]


@runtime_checkable
class BinnedRows(Protocol):
    """What ``SpikeRows.from_binned`` needs: numpy arrays of compressed rows and their sizes."""

    @property
    def indptr(self) -> Int64[np.ndarray, " rows_plus_1"]: ...
    @property
    def units(self) -> Int32[np.ndarray, " spikes"]: ...
    @property
    def n_samples(self) -> int: ...
    @property
    def n_steps(self) -> int: ...
    @property
    def n_units(self) -> int: ...


@dataclass(frozen=True, eq=False)
class SpikeRows:
    """Binned spikes of a batch as compressed rows: row = sample * n_steps + step.

    ``units[indptr[row]:indptr[row + 1]]`` are the units that spike in that step; a unit that spikes twice is
    listed twice.

    Raises:
        InputError: if the arrays disagree or a unit is out of range.

    Example:
        >>> rows = SpikeRows(torch.tensor([0, 1, 3]), torch.tensor([2, 0, 0], dtype=torch.int32), 1, 2, 3)
        >>> rows.dense().tolist()
        [[[0.0, 0.0, 1.0], [2.0, 0.0, 0.0]]]
    """

    indptr: Int64[Tensor, " rows_plus_1"]
    units: Int32[Tensor, " spikes"]
    n_samples: int
    n_steps: int
    n_units: int

    def __post_init__(self) -> None:
        if self.device.type == "cpu":  # elsewhere a look at the values would wait for the device
            self._check()

    def _check(self) -> None:
        indptr, units = self.indptr.numpy(), self.units.numpy()  # whose operations cost less to call
        n_rows, n_spikes = self.n_samples * self.n_steps, len(units)
        if len(indptr) != n_rows + 1 or indptr[0] != 0 or indptr[-1] != n_spikes:
            raise InputError(
                f"indptr has {len(indptr)} entries for {n_rows} rows and {n_spikes} spikes",
                remedy="give one entry a row and one more, from 0 to the number of spikes",
            )
        if (indptr[1:] < indptr[:-1]).any():
            raise InputError("indptr falls", remedy="give the row edges in ascending order")
        if n_spikes and not 0 <= units.min() <= units.max() < self.n_units:
            raise InputError(
                f"units run from {units.min()} to {units.max()}",
                remedy=f"give units from 0 to {self.n_units - 1}",
            )

    @classmethod
    def from_binned(cls, binned: BinnedRows) -> SpikeRows:
        """Wrap the numpy arrays of binned spikes (``SpikeTrains.binned``) without copying them."""
        indptr, units = torch.from_numpy(binned.indptr), torch.from_numpy(binned.units)
        return cls(indptr, units, binned.n_samples, binned.n_steps, binned.n_units)

    @property
    def device(self) -> torch.device:
        """Where the spikes are kept."""
        return self.units.device

    def to(self, device: torch.device | str) -> SpikeRows:
        """Return the same spikes on another device."""
        return SpikeRows(
            self.indptr.to(device), self.units.to(device), self.n_samples, self.n_steps, self.n_units
        )

    def counts(self) -> Float32[Tensor, "batch unit"]:
        """Return the number of spikes of every sample and unit."""
        per_sample = self.indptr[:: self.n_steps].diff()
        sample = torch.repeat_interleave(torch.arange(self.n_samples, device=self.device), per_sample)
        return self._histogram(sample, self.n_samples)

    def dense(self) -> Float32[Tensor, "batch time unit"]:
        """Return the spike counts as a dense tensor."""
        n_rows = self.n_samples * self.n_steps
        row = torch.repeat_interleave(torch.arange(n_rows, device=self.device), self.indptr.diff())
        return self._histogram(row, n_rows).reshape(self.n_samples, self.n_steps, self.n_units)

    def _histogram(self, row: Int64[Tensor, " spikes"], n_rows: int) -> Float32[Tensor, "rows unit"]:
        flat = torch.bincount(row * self.n_units + self.units, minlength=n_rows * self.n_units)
        return flat.to(torch.float32).reshape(n_rows, self.n_units)


def sparse_linear(
    rows: SpikeRows,
    weight: Float[Tensor, "out unit"],
    bias: Float[Tensor, " out"] | None = None,
    *,
    backend: Backend | None = None,
) -> Float[Tensor, "batch time out"]:
    """Return ``rows.dense() @ weight.T + bias`` without making the dense tensor.

    Raises:
        InputError: if the weight does not have one column a unit, or the bias one entry a row of the weight.

    Example:
        >>> rows = SpikeRows(torch.tensor([0, 1, 3]), torch.tensor([2, 0, 0], dtype=torch.int32), 1, 2, 3)
        >>> sparse_linear(rows, torch.tensor([[1.0, 10.0, 100.0]])).tolist()
        [[[100.0], [2.0]]]
    """
    _check_sizes(rows.n_units, weight, bias)
    if choose_backend("sparse_linear", weight, backend) == "reference":
        out = reference.sparse_linear(rows.indptr, rows.units, weight, bias)
    else:
        out = custom.sparse_linear(rows.indptr, rows.units, weight, bias)
    return out.reshape(rows.n_samples, rows.n_steps, len(weight))


def spike_linear(
    x: Float[Tensor, "*batch unit"],
    weight: Float[Tensor, "out unit"],
    bias: Float[Tensor, " out"] | None = None,
    *,
    backend: Backend | None = None,
) -> Float[Tensor, "*batch out"]:
    """Return ``x @ weight.T + bias``, skipping the zeros of ``x`` where they are many enough.

    Gives the gradients of ``x``, ``weight`` and ``bias``.

    Raises:
        InputError: as ``sparse_linear`` does.
    """
    _check_sizes(x.shape[-1], weight, bias)
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    if choose_backend("spike_linear", x, backend) == "reference":
        out = torch.nn.functional.linear(rows, weight, bias)
    else:
        out = custom.spike_linear(rows, weight, bias)[0]
    return out.reshape(*x.shape[:-1], len(weight))


def _check_sizes(n_units: int, weight: Float[Tensor, "out unit"], bias: Float[Tensor, " out"] | None) -> None:
    if weight.shape[1] != n_units:
        raise InputError(
            f"weight has {weight.shape[1]} columns for spikes of {n_units} units",
            remedy="give one column a unit",
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise InputError(f"bias has shape {tuple(bias.shape)}", remedy=f"give shape {(len(weight),)}")
