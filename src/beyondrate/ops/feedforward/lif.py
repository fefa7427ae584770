"""Workers for leaky integrate-and-fire units and for what may follow them."""

from __future__ import annotations

from typing import Any

import numpy as np

from beyondrate.ops.delay.cpu import delay_backward, delay_forward
from beyondrate.ops.delay.custom import split
from beyondrate.ops.feedforward.room import Room, numpy_of, shaped_like
from beyondrate.ops.feedforward.scratch import Array
from beyondrate.ops.feedforward.stages import Delays, Factors, LeakyUnits, LIFUnits
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.lif import SURROGATES
from beyondrate.ops.lif.cpu import leaky_backward, leaky_forward, lif_backward, lif_forward


class LIFWorker:
    """Leaky integrate-and-fire units."""

    def __init__(self, stage: LIFUnits, room: Room) -> None:
        params, self.room = stage.params, room
        self.decay = numpy_of(params.decay)[0]
        self.current_decay = (
            self.decay[:0] if params.current_decay is None else numpy_of(params.current_decay)[0]
        )
        number = self.decay.dtype.type
        self.hard = number(params.reset == "hard")
        self.options = (
            number(not params.detach_reset),
            SURROGATES.index(params.surrogate),
            number(params.slope),
        )
        self.spikes, self.membrane, self.grad = (room.tile(room.n_units) for _ in range(3))
        self.v, self.u, self.grad_v, self.grad_u = (room.samples() for _ in range(4))
        self.per_sample = [room.samples(), room.samples()]

    def begin(self) -> None:
        for grads in self.per_sample:
            grads[:] = 0

    def gradients(self) -> list[Array]:
        return [np.add.reduce(grads) for grads in self.per_sample[: len(self.room.states)]]

    def forward(self, tile: Tile, x: Array) -> Array:
        n, states = tile.n_samples, [self.v, self.u][: len(self.room.states)]
        for state, kept in zip(states, self.room.states, strict=True):
            state[:n] = kept[tile.part, tile.samples]
        spikes, membrane = shaped_like(self.spikes, x), self.room.kept_or_shared(self.membrane, x)
        self.room.kept[tile] = membrane
        decays = self.decay, self.current_decay
        arguments = x, *decays, self.hard, spikes, membrane, self.v, self.u
        lif_forward(*arguments, 0, n)
        if not tile.is_last:
            for state, kept in zip(states, self.room.states, strict=True):
                kept[tile.part + 1, tile.samples] = state[:n]
        return spikes

    def backward(self, tile: Tile, grad: Array) -> Array:
        if tile.is_last:
            self.grad_v[:], self.grad_u[:] = 0, 0
        begin = [kept[tile.part, tile.samples] for kept in self.room.states]
        membrane, out = self.room.kept[tile], shaped_like(self.grad, grad)
        given = grad, membrane, self.decay, self.current_decay, begin[0], begin[-1], self.hard, *self.options
        filled = out, self.grad_v, self.grad_u, *self.per_sample
        arguments: list[Any] = [*given, *filled, 0, tile.n_samples]
        lif_backward(*arguments)
        return out


class LeakyWorker:
    """Units that leak and integrate but never spike."""

    def __init__(self, stage: LeakyUnits, room: Room) -> None:
        self.room, self.decay = room, numpy_of(stage.decay)[0]
        self.membrane, self.grad = room.tile(room.n_units), room.tile(room.n_units)
        self.v, self.grad_v, self.per_sample = (room.samples() for _ in range(3))

    def begin(self) -> None:
        self.per_sample[:] = 0

    def gradients(self) -> list[Array]:
        return [np.add.reduce(self.per_sample)]

    def forward(self, tile: Tile, x: Array) -> Array:
        n, kept = tile.n_samples, self.room.states[0]
        self.v[:n] = kept[tile.part, tile.samples]
        membrane = self.room.kept[tile] = self.room.kept_or_shared(self.membrane, x)
        leaky_forward(x, self.decay, membrane, self.v, 0, n)
        if not tile.is_last:
            kept[tile.part + 1, tile.samples] = self.v[:n]
        return membrane

    def backward(self, tile: Tile, grad: Array) -> Array:
        if tile.is_last:
            self.grad_v[:] = 0
        begin = self.room.states[0][tile.part, tile.samples]
        membrane, out = self.room.kept[tile], shaped_like(self.grad, grad)
        arguments = grad, membrane, self.decay, begin, out, self.grad_v, self.per_sample
        leaky_backward(*arguments, 0, tile.n_samples)
        return out


class DelaysWorker:
    """Axonal delays; their tiles hold whole sequences.

    Synapses right after them keep what arrives, so that it need not be found once more on the way back.
    """

    def __init__(self, stage: Delays, room: Room, *, feeds_synapses: bool) -> None:
        self.split, self.central = split(stage.steps, stage.mode, room.cut.n_steps), stage.mode == "central"
        self.delayed, self.grad = room.tile(room.n_units), room.tile(room.n_units)
        self.per_sample, self.room, self.feeds_synapses = room.samples(), room, feeds_synapses

    def begin(self) -> None:
        self.per_sample[:] = 0

    def gradients(self) -> list[Array]:
        return [np.add.reduce(self.per_sample)]

    def forward(self, tile: Tile, x: Array) -> Array:
        kept, out = self.room.kept, shaped_like(self.delayed, x)
        if not (self.feeds_synapses and tile in kept):
            delay_forward(x, *self.split, 0, out, 0, tile.n_samples)
        kept[tile] = x if self.room.goes_forward_again else x.copy()
        return out

    def backward(self, tile: Tile, grad: Array) -> Array:
        out = shaped_like(self.grad, grad)
        arguments = grad, self.room.kept[tile], *self.split, self.central, 0, out, self.per_sample
        delay_backward(*arguments, 0, tile.n_samples)
        return out


class FactorsWorker:
    """Constant factors on the units of each sample."""

    def __init__(self, stage: Factors, room: Room) -> None:
        self.factors = numpy_of(stage.factors)[0]
        self.scaled, self.grad = room.tile(room.n_units), room.tile(room.n_units)

    def begin(self) -> None:
        pass

    def gradients(self) -> list[Array]:
        return []

    def forward(self, tile: Tile, x: Array) -> Array:
        return np.multiply(x, self.factors[tile.samples, None], out=shaped_like(self.scaled, x))

    def backward(self, tile: Tile, grad: Array) -> Array:
        return np.multiply(grad, self.factors[tile.samples, None], out=shaped_like(self.grad, grad))
