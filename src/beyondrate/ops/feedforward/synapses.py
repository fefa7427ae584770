"""Synapses: each active unit of a row adds its weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from beyondrate.ops.feedforward.kernels.synapses import (
    TOO_MANY,
    synapses_backward,
    synapses_forward,
    synapses_list,
)
from beyondrate.ops.feedforward.room import Room
from beyondrate.ops.feedforward.stages import Synapses
from beyondrate.ops.feedforward.table import Record
from beyondrate.ops.lanes import BYTES
from beyondrate.ops.sparse_linear import SpikeRows


class SynapsesRecord(Record):
    """Synapses that input spikes reach, ``rows``, or those of a stage, each 1 where they are ``binary``.

    Units that they feed (``feeds_lif``) sum themselves what is only listed here.
    """

    def __init__(
        self, stage: Synapses, room: Room, rows: SpikeRows | None, *, binary: bool, feeds_lif: bool
    ) -> None:
        n_out, n_in = self.shape = stage.weight.shape
        forward = synapses_list if feeds_lif else synapses_forward
        super().__init__(room.numpy_dtype, forward, synapses_backward)
        self.columns |= {"is_first": rows is not None, "has_bias": stage.bias is not None}
        weight = room.given(stage.weight)
        bias = torch.zeros(n_out, dtype=room.dtype) if stage.bias is None else room.given(stage.bias)
        self.point_to(weight=weight, weight_t=weight.t().contiguous(), bias=bias)
        if rows is None:
            self.columns["panel"] = room.scratch(n_out * BYTES, torch.uint8).address
            self._make_room_for_lists(room, n_in, binary=binary)
        else:
            indptr, units = rows.indptr.to(torch.int64), rows.units.to(torch.int32)
            self.point_to(indptr=indptr.contiguous(), units=units.contiguous())
            self.columns |= {"lists_move": True, "n_listed": len(units)}

    def _make_room_for_lists(self, room: Room, n_in: int, *, binary: bool) -> None:
        """Have room for all to be active; what is not written to takes no memory."""
        cut, take = room.cut, room.kept if room.comes_back else room.scratch
        n_rows = cut.n_samples * cut.n_steps if room.comes_back else room.rows_in_tile
        n_listed = n_rows * n_in + TOO_MANY * cut.n_lanes
        self.columns |= {"lists_move": room.comes_back, "n_listed": n_listed}
        self.columns["indptr"] = take(n_rows + cut.n_lanes, torch.int64).address
        self.columns["units"] = take(n_listed, torch.int32).address
        self.columns["values"] = 0 if binary else take(n_listed).address
        self.columns["binary"] = binary

    def prepare_gradients(self, room: Room) -> None:
        n_out, n_in = self.shape
        shapes = (room.cut.n_lanes, n_in, n_out), (room.cut.n_lanes, n_out)
        weight, bias = (torch.empty(shape, dtype=room.dtype) for shape in shapes)
        self.point_to(grad_weight=weight, grad_bias=bias)
        self.of_lanes = weight.numpy(), bias.numpy()

    def begin(self, lane: int) -> None:
        for grads in self.of_lanes:
            grads[lane] = 0

    def gradients(self) -> list[Tensor]:
        weight, bias = (torch.from_numpy(np.add.reduce(grads)) for grads in self.of_lanes)
        return [weight.t(), bias] if self.columns["has_bias"] else [weight.t()]
