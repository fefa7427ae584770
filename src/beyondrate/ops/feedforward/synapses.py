"""Workers for synapses: each active unit of a row adds its weights."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.feedforward.cpu import back_through_synapses, through_synapses
from beyondrate.ops.feedforward.room import Room, numpy_of, rows_of
from beyondrate.ops.feedforward.scratch import SCRATCH, Array, aligned, aligned_zeros
from beyondrate.ops.feedforward.stages import Synapses
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.sparse_linear.cpu import sum_weights


class _Synapses:
    """Sums the weights of the units that are active in each row; ``keeps``: the next stage needs the sums."""

    def __init__(self, stage: Synapses, room: Room, *, keeps: bool) -> None:
        self.weight, self.weight_t = numpy_of(stage.weight, stage.weight.t())
        self.n_units, self.has_bias = room.n_units, stage.bias is not None
        self.bias = np.zeros(room.n_units, room.dtype) if stage.bias is None else numpy_of(stage.bias)[0]
        self.current, self.keeps = room.tile(0 if keeps else room.n_units), keeps
        self.grad_weight_t, self.grad_bias = self.weight_t[:0], self.bias[:0]

    def begin(self) -> None:
        self.grad_weight_t = aligned_zeros(self.weight_t.shape, self.bias.dtype)
        self.grad_bias = aligned_zeros((self.n_units if self.has_bias else 0,), self.bias.dtype)

    def gradients(self) -> list[Array]:
        return [self.grad_weight_t.T, self.grad_bias][: 1 + self.has_bias]

    def room_for_sums(self, tile: Tile) -> Array:
        """Return room for the sums of a tile's rows."""
        if self.keeps:
            return aligned((tile.n_samples * tile.n_steps, self.n_units), self.bias.dtype)
        return rows_of(self.current, tile, self.n_units)

    def sum(self, tile: Tile, indptr: Array, units: Array, values: Array) -> Array:
        """Return the currents that active units give."""
        out = self.room_for_sums(tile)
        sum_weights(indptr, units, values, self.weight_t, self.bias, out, 0, len(out))
        return out.reshape(tile.n_samples, tile.n_steps, self.n_units)

    def back(self, grad: Array, spikes: tuple[Array, Array, Array], grad_in: Array) -> None:
        """Add to the gradients of weight and bias, and fill that of the units, where there is room for it."""
        filled = self.grad_weight_t, self.grad_bias, grad_in
        back_through_synapses(*spikes, grad.reshape(-1, self.n_units), self.weight, *filled)


class InputSynapses(_Synapses):
    """Synapses that input spikes reach; they need no gradient."""

    def __init__(self, stage: Synapses, room: Room, indptr: Array, units: Array, *, keeps: bool) -> None:
        super().__init__(stage, room, keeps=keeps)
        self.n_steps, self.indptr, self.units = room.cut.n_steps, indptr, units
        self.no_room = np.zeros((0, 0), self.bias.dtype)

    def forward(self, tile: Tile, x: Array) -> Array:
        return self.sum(tile, *self._spikes(tile))

    def backward(self, tile: Tile, grad: Array) -> Array:
        self.back(grad, self._spikes(tile), self.no_room)
        return self.no_room

    def _spikes(self, tile: Tile) -> tuple[Array, Array, Array]:
        first = tile.first_sample * self.n_steps + tile.first_step
        indptr = self.indptr[first : first + tile.n_samples * tile.n_steps + 1]
        return indptr, self.units, self.bias[:0]


class SpikeSynapses(_Synapses):
    """Synapses that spikes of a hidden stage reach, each 1 where they are ``binary``."""

    def __init__(self, stage: Synapses, room: Room, *, keeps: bool, binary: bool) -> None:
        super().__init__(stage, room, keeps=keeps)
        self.n_in, self.kept, self.grad = room.n_in, room.kept, room.tile(room.n_in)
        self.units = SCRATCH.take(len(self.grad) + 4, np.dtype(np.int32))
        self.values = room.tile(0 if binary else room.n_in)

    def forward(self, tile: Tile, x: Array) -> Array:
        if tile in self.kept:
            return self.sum(tile, *self.kept[tile])
        out, indptr = self.room_for_sums(tile), np.zeros(tile.n_samples * tile.n_steps + 1, np.int64)
        spikes = indptr, self.units, self.values
        through_synapses(x.reshape(-1, self.n_in), *spikes, self.weight_t, self.bias, out)
        self.kept[tile] = indptr, self.units[: indptr[-1]].copy(), self.values[: indptr[-1]].copy()
        return out.reshape(tile.n_samples, tile.n_steps, self.n_units)

    def backward(self, tile: Tile, grad: Array) -> Array:
        out = rows_of(self.grad, tile, self.n_in)
        self.back(grad, self.kept[tile], out)
        return out.reshape(tile.n_samples, tile.n_steps, self.n_in)
