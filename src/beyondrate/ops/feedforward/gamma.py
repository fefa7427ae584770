"""Workers for SpikingGamma: gamma memories that synapses feed, and units that code their value in spikes.

They keep what walking back needs, because going forward through them once more would cost more than that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from beyondrate.ops.feedforward.room import Room, numpy_of, shaped_like
from beyondrate.ops.feedforward.scratch import Array
from beyondrate.ops.feedforward.stages import GammaMemories, SigmaDeltaUnits
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.gamma.cpu import chain_of, scan_backward, scan_forward
from beyondrate.ops.sigma_delta.cpu import encode, encode_backward
from beyondrate.ops.sigma_delta.custom import backward_matrix, forward_matrix


class GammaWorker:
    """Gamma memories, read with gains; synapses right before them leave their sums in place."""

    def __init__(self, stage: GammaMemories, room: Room, *, after_synapses: bool) -> None:
        self.gain, self.bias = numpy_of(stage.gain, stage.bias)
        self.chain = chain_of(numpy_of(stage.transition)[0].astype(room.dtype))
        self.x, self.grad, self.kept = room.tile(room.n_units), room.tile(room.n_units), room.kept
        self.after_synapses = after_synapses
        self.per_sample = room.samples(*stage.gain.shape), room.samples()
        self.grads: list[Array] = []

    def begin(self) -> None:
        self.grads = [np.zeros(grads.shape[1:], grads.dtype) for grads in self.per_sample]

    def gradients(self) -> list[Array]:
        return self.grads

    def forward(self, tile: Tile, x: Array) -> Array:
        self.kept[tile] = x if self.after_synapses else x.copy()
        out = shaped_like(self.x, x)
        scan_forward(x, self.gain, self.bias, self.chain, out, 0, tile.n_samples)
        return out

    def backward(self, tile: Tile, grad: Array) -> Array:
        out, n = shaped_like(self.grad, grad), tile.n_samples
        scan_backward(grad, self.kept[tile], self.gain, self.chain, out, *self.per_sample, 0, n)
        for total, found in zip(self.grads, self.per_sample, strict=True):
            total += np.add.reduce(found[:n])
        return out


class SigmaDeltaWorker:
    """Units that code their value in adaptive sigma-delta spikes."""

    def __init__(self, stage: SigmaDeltaUnits, room: Room) -> None:
        params, use_sum = stage.params, stage.params.code == "sum"
        made = (make(stage.transition, use_sum) for make in (forward_matrix, backward_matrix))
        self.chain, self.chain_back = (chain_of(numpy_of(matrix)[0].astype(room.dtype)) for matrix in made)
        self.spikes, self.grad, self.kept = room.tile(room.n_units), room.tile(room.n_units), room.kept
        numbers = params.theta0, params.adaptation, params.rho, params.most_quanta
        self.options = *(self.grad.dtype.type(number) for number in numbers), stage.gated
        self.memory = room.samples(len(stage.transition), room.n_units)

    def begin(self) -> None:
        pass

    def gradients(self) -> list[Array]:
        return []

    def forward(self, tile: Tile, x: Array) -> Array:
        flags, spikes = np.empty(x.shape, np.uint8), shaped_like(self.spikes, x)
        self.memory[:] = 0
        filled = self.memory, spikes, flags
        arguments: list[Any] = [x, self.chain, *self.options, *filled, 0, tile.n_samples]
        encode(*arguments)
        self.kept[tile] = flags
        return spikes

    def backward(self, tile: Tile, grad: Array) -> Array:
        out = shaped_like(self.grad, grad)
        self.memory[:] = 0
        encode_backward(grad, self.kept[tile], self.chain_back, self.memory, out, 0, tile.n_samples)
        return out
