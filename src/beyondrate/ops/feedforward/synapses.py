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
from beyondrate.ops.feedforward.table import Record, Row
from beyondrate.ops.lanes import BYTES
from beyondrate.ops.sparse_linear import SpikeRows
from beyondrate.ops.threads import in_pieces

_CHEAPER = 16  # than a unit's step is adding up a weight's gradients: so many are worth a thread


class SynapsesRecord(Record):
    """Synapses that input spikes reach (``is_first``), or those of a stage, each 1 where they are ``binary``.

    Units that they feed (``feeds_lif``) sum themselves what is only listed here.
    """

    def __init__(
        self, row: Row, stage: Synapses, room: Room, *, is_first: bool, binary: bool, feeds_lif: bool
    ) -> None:
        n_out, n_in = stage.weight.shape
        forward = synapses_list if feeds_lif else synapses_forward
        super().__init__(row, room.numpy_dtype, forward, synapses_backward)
        self.write(is_first=is_first, has_bias=stage.bias is not None)
        self.room, self.is_first = room, is_first
        self.weight_t = torch.empty(n_in, n_out, dtype=room.dtype)
        self.bias = torch.zeros(n_out, dtype=room.dtype)
        self.own(weight_t=self.weight_t, bias=self.bias)
        if room.comes_back:
            shapes = (room.cut.n_lanes, n_in, n_out), (room.cut.n_lanes, n_out)
            weight, bias = (torch.empty(shape, dtype=room.dtype) for shape in shapes)
            self.own(grad_weight=weight, grad_bias=bias)
            self.of_lanes = weight.numpy(), bias.numpy()
        if is_first:
            self.write(lists_move=True)
        else:
            self.write(panel=room.scratch(n_out * BYTES, torch.uint8).address)
            self._make_room_for_lists(room, n_in, binary=binary)

    def _make_room_for_lists(self, room: Room, n_in: int, *, binary: bool) -> None:
        """Have room for all to be active; what is not written to takes no memory."""
        cut, take = room.cut, room.kept if room.comes_back else room.scratch
        n_rows = cut.n_samples * cut.n_steps if room.comes_back else room.rows_in_tile
        n_listed = n_rows * n_in + TOO_MANY * cut.n_lanes
        self.write(
            lists_move=room.comes_back,
            n_listed=n_listed,
            indptr=take(n_rows + cut.n_lanes, torch.int64).address,
            units=take(n_listed, torch.int32).address,
            values=0 if binary else take(n_listed).address,
            binary=binary,
        )

    def bring(self, stage: Synapses, rows: SpikeRows) -> None:
        weight, bias = stage.taken_in()
        self.weight_t.copy_(weight.detach().t())
        if bias is not None:
            self.bias.copy_(bias.detach())
        if self.is_first:
            indptr, units = rows.indptr.to(torch.int64), rows.units.to(torch.int32)
            self.point_to(indptr=indptr.contiguous(), units=units.contiguous())
            self.write(n_listed=len(units))
        else:
            self.point_to(weight=self.room.given(weight))

    def begin_lane(self, lane: int) -> None:
        for grads in self.of_lanes:
            grads[lane] = 0

    def gradients(self, stage: Synapses) -> list[Tensor]:
        of_lanes, bias_of_lanes = self.of_lanes
        _, n_in, n_out = of_lanes.shape
        weight = torch.empty(n_out, n_in, dtype=self.room.dtype)
        view = weight.numpy()

        def some(first: int, stop: int) -> None:
            view[:, first:stop] = np.add.reduce(of_lanes[:, first:stop]).T

        in_pieces(some, n_in, len(of_lanes) * n_out // _CHEAPER)
        return _of_stage(stage, weight, torch.from_numpy(np.add.reduce(bias_of_lanes)))


def _of_stage(stage: Synapses, grad_weight: Tensor, grad_bias: Tensor) -> list[Tensor]:
    """Return the gradients of the stage's tensors for those of what its units take in."""
    of_leak: list[Tensor] = []
    if stage.into is not None:
        of_share = (grad_weight * stage.weight.detach()).sum(1)
        if stage.bias is not None:
            of_share += grad_bias * stage.bias.detach()
        decay, slope = (
            torch.from_numpy(np.asarray(values)).to(grad_weight) for values in stage.into.values()
        )
        of_leak.append(-slope * (of_share if slope.dim() else of_share.sum()))
        grad_weight, grad_bias = (1 - decay[..., None]) * grad_weight, (1 - decay) * grad_bias
    return [grad_weight, *([] if stage.bias is None else [grad_bias]), *of_leak]
