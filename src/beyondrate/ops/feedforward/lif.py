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
from beyondrate.ops.feedforward.table import Array, Record, Row
from beyondrate.ops.leak import Leak
from beyondrate.ops.lif import SURROGATES
from beyondrate.ops.sparse_linear import SpikeRows


class LIFRecord(Record):
    """Leaky integrate-and-fire units; ``fed``: they sum what the synapses before them list."""

    def __init__(self, row: Row, stage: LIFUnits, room: Room, n_units: int, *, fed: bool) -> None:
        super().__init__(
            row,
            room.numpy_dtype,
            fed_lif_units_forward if fed else lif_units_forward,
            lif_units_backward,
            filtered=stage.current_leak is not None,
            surrogate=SURROGATES.index(stage.surrogate),
            hard=stage.reset == "hard",
            through_reset=not stage.detach_reset,
            slope=stage.slope,
        )
        states = ("v", "decay"), ("u", "current_decay")
        used = states[: len(stage.leaks())]  # without a filter there is no u
        self.leaks = [_LeakOfUnits(self, room, n_units, *names) for names in used]
        self.put(membrane=room.rows(n_units))

    def bring(self, stage: LIFUnits, rows: SpikeRows) -> None:
        for mine, leak in zip(self.leaks, stage.leaks(), strict=True):
            mine.bring(leak)

    def begin_back(self) -> None:
        for leak in self.leaks:
            leak.begin_back()

    def gradients(self, stage: object) -> list[Tensor]:
        return [leak.gradient() for leak in self.leaks]


class LeakyRecord(Record):
    """Units that integrate but never spike."""

    def __init__(self, row: Row, room: Room, n_units: int) -> None:
        super().__init__(row, room.numpy_dtype, leaky_units_forward, leaky_units_backward)
        self.leak = _LeakOfUnits(self, room, n_units, "v", "decay")

    def bring(self, stage: LeakyUnits, rows: SpikeRows) -> None:
        if stage.leak is not None:
            self.leak.bring(stage.leak)

    def begin_back(self) -> None:
        self.leak.begin_back()

    def gradients(self, stage: LeakyUnits) -> list[Tensor]:
        return [] if stage.leak is None else [self.leak.gradient()]


class DelaysRecord(Record):
    """Axonal delays; ``feeds_synapses``: what arrives is listed, and need not be found once more."""

    def __init__(self, row: Row, stage: Delays, room: Room, n_units: int, *, feeds_synapses: bool) -> None:
        super().__init__(
            row,
            room.numpy_dtype,
            delays_forward,
            delays_backward,
            central=stage.mode == "central",
            is_listed=feeds_synapses,
        )
        self.room, self.grad_steps = room, room.of_samples(n_units)
        self.own(grad_steps=self.grad_steps)

    def bring(self, stage: Delays, rows: SpikeRows) -> None:
        steps, fraction = split(stage.steps, stage.mode, rows.n_steps)
        self.point_to(steps=steps, fraction=np.ascontiguousarray(fraction, self.room.numpy_dtype))

    def begin_back(self) -> None:
        self.grad_steps.zero_()

    def gradients(self, stage: object) -> list[Tensor]:
        return [_sum(self.grad_steps)]


class FactorsRecord(Record):
    """Constant factors on the units of each sample."""

    def __init__(self, row: Row, room: Room) -> None:
        super().__init__(row, room.numpy_dtype, factors_forward, factors_backward)
        self.room = room

    def bring(self, stage: Factors, rows: SpikeRows) -> None:
        self.point_to(factors=self.room.given(stage.factors))


class _LeakOfUnits:
    """One decay a unit (1 without a leak), the states that it acts on, and what walking back sums."""

    def __init__(self, record: Record, room: Room, n_units: int, state: str, decay: str) -> None:
        self.decay = np.ones(n_units, room.numpy_dtype)
        self.grad_decay, self.grad_state = room.of_samples(n_units), room.of_samples(n_units)
        of_decay: dict[str, Array] = {decay: self.decay, f"grad_{decay}": self.grad_decay}
        of_state: dict[str, Array] = {state: room.at_seams(n_units), f"grad_{state}": self.grad_state}
        record.own(**of_decay, **of_state)

    def bring(self, leak: Leak) -> None:
        """Take over the present time constants."""
        self.decay[:], self.decay_slope = leak.values()

    def begin_back(self) -> None:
        """Set what walking back sums to 0."""
        self.grad_decay.zero_()
        self.grad_state.zero_()

    def gradient(self) -> Tensor:
        """Return the gradient of log τ."""
        of_units = np.add.reduce(self.grad_decay.numpy())
        of_decay = of_units if self.decay_slope.ndim else of_units.sum()
        return torch.from_numpy(np.asarray(of_decay * self.decay_slope, of_units.dtype))


def _sum(per_sample: Tensor) -> Tensor:
    """Return the sum over samples."""
    return torch.from_numpy(np.add.reduce(per_sample.numpy()))
