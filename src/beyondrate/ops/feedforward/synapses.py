"""Workers for synapses: each active unit of a row adds its weights."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.feedforward.cpu import product
from beyondrate.ops.feedforward.room import Room, numpy_of, rows_of
from beyondrate.ops.feedforward.scratch import SCRATCH, Array, aligned, aligned_zeros
from beyondrate.ops.feedforward.stages import Synapses
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.sparse_linear.cpu import (
    add_rows,
    add_weight_gradient,
    list_active,
    sum_weights,
    take_values,
)


class _Synapses:
    """Sums the weights of the units that are active in each row; ``keeps``: the next stage needs the sums."""

    def __init__(self, stage: Synapses, room: Room, *, keeps: bool) -> None:
        self.weight, weight_t = numpy_of(stage.weight, stage.weight.t())
        self.weight_t, self.n_units = weight_t, room.n_units
        self.bias = np.zeros(room.n_units, weight_t.dtype) if stage.bias is None else numpy_of(stage.bias)[0]
        self.current, self.keeps = room.tile(0 if keeps else room.n_units), keeps
        self.has_bias = stage.bias is not None
        self.grad_weight_t, self.grad_bias = weight_t[:0], self.bias[:0]

    def begin(self) -> None:
        self.grad_weight_t, self.grad_bias = (
            aligned_zeros(x.shape, x.dtype) for x in (self.weight_t, self.bias)
        )

    def gradients(self) -> list[Array]:
        return [self.grad_weight_t.T, self.grad_bias][: 1 + self.has_bias]

    def sum(self, tile: Tile, indptr: Array, units: Array, values: Array) -> Array:
        """Return the currents that active units give."""
        if self.keeps:
            out = aligned((tile.n_samples * tile.n_steps, self.n_units), self.current.dtype)
        else:
            out = rows_of(self.current, tile, self.n_units)
        sum_weights(indptr, units, values, self.weight_t, self.bias, out, 0, len(out))
        return out.reshape(tile.n_samples, tile.n_steps, self.n_units)

    def add(self, grad: Array, indptr: Array, units: Array, values: Array) -> Array:
        """Add to the gradients of weight and bias; return the gradient of each row's currents."""
        rows = grad.reshape(-1, self.n_units)
        add_weight_gradient(indptr, units, values, rows, self.grad_weight_t, 0, len(rows))
        if self.has_bias:
            add_rows(rows, self.grad_bias, 0, len(rows))
        return rows


class InputSynapses(_Synapses):
    """Synapses that input spikes reach; they need no gradient."""

    def __init__(self, stage: Synapses, room: Room, indptr: Array, units: Array, *, keeps: bool) -> None:
        super().__init__(stage, room, keeps=keeps)
        self.n_steps, self.indptr, self.units = room.cut.n_steps, indptr, units

    def forward(self, tile: Tile, x: Array) -> Array:
        return self.sum(tile, *self._spikes(tile))

    def backward(self, tile: Tile, grad: Array) -> Array:
        return self.add(grad, *self._spikes(tile))

    def _spikes(self, tile: Tile) -> tuple[Array, Array, Array]:
        first = tile.first_sample * self.n_steps + tile.first_step
        indptr = self.indptr[first : first + tile.n_samples * tile.n_steps + 1]
        return indptr, self.units, self.bias[:0]


class SpikeSynapses(_Synapses):
    """Synapses that spikes of a hidden stage reach, each 1 where they are ``binary``."""

    def __init__(self, stage: Synapses, room: Room, *, keeps: bool, binary: bool) -> None:
        super().__init__(stage, room, keeps=keeps)
        self.n_in, self.kept, self.grad = room.n_in, room.kept, room.tile(room.n_in)
        self.binary, self.units = binary, SCRATCH.take(len(self.grad) + 4, np.dtype(np.int32))

    def forward(self, tile: Tile, x: Array) -> Array:
        if tile not in self.kept:
            self.kept[tile] = self._list(x.reshape(-1, self.n_in))
        return self.sum(tile, *self.kept[tile])

    def _list(self, rows: Array) -> tuple[Array, Array, Array]:
        indptr = np.zeros(len(rows) + 1, np.int64)
        list_active(rows, indptr, self.units)
        units = self.units[: indptr[-1]].copy()
        values = np.empty(0 if self.binary else len(units), rows.dtype)
        if not self.binary:
            take_values(rows, indptr, units, values)
        return indptr, units, values

    def backward(self, tile: Tile, grad: Array) -> Array:
        rows = self.add(grad, *self.kept[tile])
        out = rows_of(self.grad, tile, self.n_in)
        product(rows, self.weight, out)
        return out.reshape(tile.n_samples, tile.n_steps, self.n_in)
