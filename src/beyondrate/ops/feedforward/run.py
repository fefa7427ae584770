"""One batch on its way through a feed-forward network and back, lane by lane."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from beyondrate.ops.feedforward.gamma import GammaRecord, SigmaDeltaRecord
from beyondrate.ops.feedforward.kernels.tile import tile_backward, tile_forward
from beyondrate.ops.feedforward.lif import DelaysRecord, FactorsRecord, LeakyRecord, LIFRecord
from beyondrate.ops.feedforward.room import SCRATCH, Room, places
from beyondrate.ops.feedforward.stages import (
    Delays,
    Factors,
    GammaMemories,
    LeakyUnits,
    LIFUnits,
    SigmaDeltaUnits,
    Stage,
    Synapses,
    splits_time,
)
from beyondrate.ops.feedforward.synapses import SynapsesRecord
from beyondrate.ops.feedforward.table import Place, Record, table_of
from beyondrate.ops.feedforward.tiles import Cut
from beyondrate.ops.sparse_linear import SpikeRows
from beyondrate.ops.threads import in_pieces

_MOST_KEPT = 1 << 25  # bytes of states, which then lie in the last-level cache, or near it


class Run:
    """One batch on its way through a network and, if it ``comes_back``, through it again for gradients."""

    def __init__(self, rows: SpikeRows, stages: Sequence[Stage], *, comes_back: bool) -> None:
        cut = Cut(rows.n_samples, rows.n_steps, splits_time(stages))
        sizes = [rows.n_units]
        for stage in stages:
            sizes.append(len(stage.weight) if isinstance(stage, Synapses) else sizes[-1])
        dtype = stages[0].tensors()[0].dtype
        with_gamma = any(isinstance(stage, GammaMemories | SigmaDeltaUnits) for stage in stages)
        goes_again = not with_gamma and _bytes_of_states(stages, sizes, cut, dtype) > _MOST_KEPT
        self.room = Room(cut, dtype, comes_back=comes_back, goes_again=goes_again)
        self.n_out, self.reads_out = sizes[-1], isinstance(stages[-1], LeakyUnits) and not goes_again
        self.out_again = self.room.scratch(self.room.rows_in_tile * self.n_out if goes_again else 0)
        found = places(stages, sizes, self.room)
        before, after = (None, *stages[:-1]), (*stages[1:], None)
        around = zip(stages, before, after, pairwise(sizes), found, strict=True)
        self.records = []
        for stage, previous, following, (n_in, n_out), its_places in around:
            record = self._record(rows, stage, previous, following, n_out)
            record.put(**its_places)
            record.columns |= {"n_in": n_in, "n_out": n_out, "n_samples": cut.n_samples}
            self.records.append(record)
        self.like = np.empty(0, self.room.numpy_dtype)
        self.work = rows.n_steps * sum(sizes[1:]) * rows.n_samples // cut.n_lanes

    def forward(self) -> Tensor:
        """Return what the last stage gives, and keep what walking back needs."""
        cut, dtype = self.room.cut, self.room.dtype
        out = torch.empty(cut.n_samples, cut.n_steps, self.n_out, dtype=dtype)
        self.records[-1].put(out=Place(out.data_ptr(), moves=True))
        table = table_of(self.records)

        def lanes(first: int, stop: int) -> None:
            rest = SCRATCH.address(self.room.n_scratch), False, self.like
            for lane in range(first, stop):
                for tiles in cut.groups(lane):
                    for tile in tiles:
                        tile_forward(table, tile, *rest)

        in_pieces(lanes, cut.n_lanes, self.work)
        return out

    def backward(self, grad: Tensor, out: Tensor | None = None) -> list[Tensor]:
        """Return the gradients of the stages' tensors; if it ``reads_out``, the output has to be given."""
        if self.room.goes_again:
            self.records[-1].put(out=self.out_again)  # and not where the caller may have changed it
        elif out is not None:
            self.records[-1].put(out=Place(out.data_ptr(), moves=True))
        for record in self.records:
            record.prepare_gradients(self.room)
        self.records[-1].point_to(grad_out=self.room.given(grad))
        table, cut = table_of(self.records), self.room.cut

        def lanes(first: int, stop: int) -> None:
            scratch = SCRATCH.address(self.room.n_scratch)
            for lane in range(first, stop):
                for record in self.records:
                    record.begin(lane)
                for tiles in cut.groups(lane):
                    for tile in reversed(tiles):
                        if self.room.goes_again:
                            tile_forward(table, tile, scratch, True, self.like)
                        tile_backward(table, tile, scratch, False, self.like)

        in_pieces(lanes, cut.n_lanes, self.work)
        return [gradient for record in self.records for gradient in record.gradients()]

    def _record(
        self, rows: SpikeRows, stage: Stage, before: Stage | None, after: Stage | None, n_units: int
    ) -> Record:
        if isinstance(stage, Synapses):
            given, binary = (rows if before is None else None), isinstance(before, LIFUnits)
            feeds_lif = isinstance(after, LIFUnits)
            return SynapsesRecord(stage, self.room, given, binary=binary, feeds_lif=feeds_lif)
        if isinstance(stage, LIFUnits):
            return LIFRecord(stage, self.room, fed=isinstance(before, Synapses))
        if isinstance(stage, LeakyUnits):
            return LeakyRecord(stage, self.room)
        if isinstance(stage, Delays):
            return DelaysRecord(stage, self.room, feeds_synapses=isinstance(after, Synapses))
        if isinstance(stage, Factors):
            return FactorsRecord(stage, self.room)
        if isinstance(stage, GammaMemories):
            return GammaRecord(stage, self.room)
        return SigmaDeltaRecord(stage, self.room, n_units)


def _bytes_of_states(stages: Sequence[Stage], sizes: Sequence[int], cut: Cut, dtype: torch.dtype) -> int:
    """Return what the states of all units at all times take, which going forward once more can spare."""
    with_states = LIFUnits, LeakyUnits, Delays
    n_units = sum(
        size for stage, size in zip(stages, sizes[1:], strict=True) if isinstance(stage, with_states)
    )
    return cut.n_samples * cut.n_steps * n_units * dtype.itemsize
