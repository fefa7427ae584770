"""Leaky integrate-and-fire units, units that leak and never spike, and what may follow them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from beyondrate.ops.delay.custom import split
from beyondrate.ops.feedforward.kernels.delays import delays_backward, delays_forward
from beyondrate.ops.feedforward.kernels.factors import factors_backward, factors_forward
from beyondrate.ops.feedforward.kernels.lif import (
    fed_lif_units_forward,
    leaky_units_backward,
    leaky_units_forward,
    lif_units_backward,
    lif_units_forward,
)
from beyondrate.ops.feedforward.room import Room
from beyondrate.ops.feedforward.stages import Delays, Factors, LeakyUnits, LIFUnits
from beyondrate.ops.feedforward.table import Record
from beyondrate.ops.lif import SURROGATES


class LIFRecord(Record):
    """Leaky integrate-and-fire units; ``fed``: they sum what the synapses before them list."""

    def __init__(self, stage: LIFUnits, room: Room, *, fed: bool) -> None:
        params, n_units = stage.params, len(stage.params.decay)
        super().__init__(
            room.numpy_dtype,
            fed_lif_units_forward if fed else lif_units_forward,
            lif_units_backward,
            filtered=params.current_decay is not None,
            surrogate=SURROGATES.index(params.surrogate),
            hard=params.reset == "hard",
            through_reset=not params.detach_reset,
            slope=params.slope,
        )
        self.n_units, self.grad_decays = n_units, list[Tensor]()
        states = {"v": "decay", "u": "current_decay"}
        self.states = dict(list(states.items())[: len(stage.tensors())])  # without a filter there is no u
        for decay, (state, name) in zip(stage.tensors(), self.states.items(), strict=True):
            self.point_to(**{name: room.given(decay), state: room.at_seams(n_units)})
        self.put(membrane=room.rows(n_units))

    def prepare_gradients(self, room: Room) -> None:
        self.grad_decays = [room.of_samples(self.n_units) for _ in self.states]
        for grad_decay, (state, name) in zip(self.grad_decays, self.states.items(), strict=True):
            self.point_to(**{f"grad_{name}": grad_decay, f"grad_{state}": room.of_samples(self.n_units)})

    def gradients(self) -> list[Tensor]:
        return [_sum(grads) for grads in self.grad_decays]


class LeakyRecord(Record):
    """Units that leak and integrate but never spike."""

    def __init__(self, stage: LeakyUnits, room: Room) -> None:
        super().__init__(room.numpy_dtype, leaky_units_forward, leaky_units_backward)
        self.n_units = n_units = len(stage.decay)
        self.point_to(decay=room.given(stage.decay))
        self.point_to(v=room.at_seams(n_units))

    def prepare_gradients(self, room: Room) -> None:
        self.grad_decay = room.of_samples(self.n_units)
        self.point_to(grad_decay=self.grad_decay, grad_v=room.of_samples(self.n_units))

    def gradients(self) -> list[Tensor]:
        return [_sum(self.grad_decay)]


class DelaysRecord(Record):
    """Axonal delays; ``feeds_synapses``: what arrives is listed, and need not be found once more."""

    def __init__(self, stage: Delays, room: Room, *, feeds_synapses: bool) -> None:
        super().__init__(
            room.numpy_dtype,
            delays_forward,
            delays_backward,
            central=stage.mode == "central",
            is_listed=feeds_synapses,
        )
        steps, fraction = split(stage.steps, stage.mode, room.cut.n_steps)
        self.n_units = len(steps)
        self.point_to(steps=steps, fraction=np.ascontiguousarray(fraction, room.numpy_dtype))

    def prepare_gradients(self, room: Room) -> None:
        self.grad_steps = room.of_samples(self.n_units)
        self.point_to(grad_steps=self.grad_steps)

    def gradients(self) -> list[Tensor]:
        return [_sum(self.grad_steps)]


class FactorsRecord(Record):
    """Constant factors on the units of each sample."""

    def __init__(self, stage: Factors, room: Room) -> None:
        super().__init__(room.numpy_dtype, factors_forward, factors_backward)
        self.point_to(factors=room.given(stage.factors))


def _sum(per_sample: Tensor) -> Tensor:
    """Return the sum over samples."""
    return torch.from_numpy(np.add.reduce(per_sample.numpy()))
