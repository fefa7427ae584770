"""Batches on their way through a feed-forward network and back, lane by lane."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from threading import Lock

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
    kind_of,
    splits_time,
)
from beyondrate.ops.feedforward.synapses import SynapsesRecord
from beyondrate.ops.feedforward.table import ROW, Place, Record, Row
from beyondrate.ops.feedforward.tiles import Cut
from beyondrate.ops.sparse_linear import SpikeRows
from beyondrate.ops.threads import in_pieces

_MOST_KEPT = 1 << 25  # bytes of states, which then lie in the last-level cache, or near it
_MOST_FREE, _MOST_BYTES_FREE = 16, 1 << 28  # of runs that wait; of their lists few pages are ever touched


class Run:
    """The way of a batch through a network and, if it ``comes_back``, through it again for gradients.

    A run serves one batch after the other whose shape and stages are of its ``kind``.
    """

    def __init__(self, rows: SpikeRows, stages: Sequence[Stage], *, comes_back: bool) -> None:
        cut = Cut(rows.n_samples, rows.n_steps, splits_time(stages))
        sizes = [rows.n_units]
        for stage in stages:
            sizes.append(len(stage.weight) if isinstance(stage, Synapses) else sizes[-1])
        dtype = _dtype_of(stages)
        with_gamma = any(isinstance(stage, GammaMemories | SigmaDeltaUnits) for stage in stages)
        goes_again = not with_gamma and _bytes_of_states(stages, sizes, cut, dtype) > _MOST_KEPT
        self.room = Room(cut, dtype, comes_back=comes_back, goes_again=goes_again)
        self.n_out, self.reads_out = sizes[-1], isinstance(stages[-1], LeakyUnits) and not goes_again
        self.out_again = self.room.scratch(self.room.rows_in_tile * self.n_out if goes_again else 0)
        found = places(stages, sizes, self.room)
        before, after = (None, *stages[:-1]), (*stages[1:], None)
        self.table = np.zeros(len(stages), ROW)
        around = zip(self.table, stages, before, after, pairwise(sizes), found, strict=True)
        self.records = []
        for row, stage, previous, following, (n_in, n_out), its_places in around:
            record = self._record(row, stage, previous, following, n_out)
            record.put(**its_places)
            record.write(n_in=n_in, n_out=n_out, n_samples=cut.n_samples)
            self.records.append(record)
        self.bytes_held = self.room.bytes_kept + sum(record.bytes_owned for record in self.records)
        self.like = np.empty(0, self.room.numpy_dtype)
        self._walking_back = Lock()
        self.work = rows.n_steps * sum(sizes[1:]) * rows.n_samples // cut.n_lanes

    def forward(self, rows: SpikeRows, stages: Sequence[Stage]) -> Tensor:
        """Return what the last stage gives, and keep what walking back needs."""
        cut, dtype = self.room.cut, self.room.dtype
        for record, stage in zip(self.records, stages, strict=True):
            record.bring(stage, rows)
        out = torch.empty(cut.n_samples, cut.n_steps, self.n_out, dtype=dtype)
        self.records[-1].put(out=Place(out.data_ptr(), moves=True))

        def lanes(first: int, stop: int) -> None:
            rest = SCRATCH.address(self.room.n_scratch), False, self.like
            for lane in range(first, stop):
                for tiles in cut.groups(lane):
                    for tile in tiles:
                        tile_forward(self.table, tile, *rest)

        in_pieces(lanes, cut.n_lanes, self.work)
        return out

    def backward(self, stages: Sequence[Stage], grad: Tensor, out: Tensor | None = None) -> list[Tensor]:
        """Return the gradients of the stages' tensors; if it ``reads_out``, the output has to be given."""
        with self._walking_back:  # threads that share a graph take turns
            return self._backward(stages, grad, out)

    def _backward(self, stages: Sequence[Stage], grad: Tensor, out: Tensor | None) -> list[Tensor]:
        cut = self.room.cut
        if self.room.goes_again:
            self.records[-1].put(out=self.out_again)  # and not where the caller may have changed it
        elif out is not None:
            self.records[-1].put(out=Place(out.data_ptr(), moves=True))
        for record in self.records:
            record.begin_back()
        self.records[-1].point_to(grad_out=self.room.given(grad))

        def lanes(first: int, stop: int) -> None:
            scratch = SCRATCH.address(self.room.n_scratch)
            for lane in range(first, stop):
                for record in self.records:
                    record.begin_lane(lane)
                for tiles in cut.groups(lane):
                    for tile in reversed(tiles):
                        if self.room.goes_again:
                            tile_forward(self.table, tile, scratch, True, self.like)
                        tile_backward(self.table, tile, scratch, False, self.like)

        in_pieces(lanes, cut.n_lanes, self.work)
        pairs = zip(self.records, stages, strict=True)
        return [gradient for record, stage in pairs for gradient in record.gradients(stage)]

    def let_go(self) -> None:
        """Keep nothing of a batch."""
        for record in self.records:
            record.let_go()

    def _record(
        self, row: Row, stage: Stage, before: Stage | None, after: Stage | None, n_units: int
    ) -> Record:
        if isinstance(stage, Synapses):
            binary, feeds_lif = isinstance(before, LIFUnits), isinstance(after, LIFUnits)
            is_first = before is None
            return SynapsesRecord(
                row, stage, self.room, is_first=is_first, binary=binary, feeds_lif=feeds_lif
            )
        if isinstance(stage, LIFUnits):
            return LIFRecord(row, stage, self.room, n_units, fed=isinstance(before, Synapses))
        if isinstance(stage, LeakyUnits):
            return LeakyRecord(row, self.room, n_units)
        if isinstance(stage, Delays):
            return DelaysRecord(row, stage, self.room, n_units, feeds_synapses=isinstance(after, Synapses))
        if isinstance(stage, Factors):
            return FactorsRecord(row, self.room)
        if isinstance(stage, GammaMemories):
            return GammaRecord(row, stage, self.room)
        return SigmaDeltaRecord(row, stage, self.room, n_units)


class Lease:
    """A run for one batch, left to the next one of its kind when this is gone.

    Making a run and its table takes a good part of a small network's step, and new pages of memory cost
    more than filling old ones. Autograd lets a lease go with the graph that needs it. What a dictionary does
    at once needs no lock, which this might want from within itself where garbage is collected.
    """

    def __init__(self, rows: SpikeRows, stages: Sequence[Stage], *, comes_back: bool) -> None:
        size = rows.n_samples, rows.n_steps, rows.n_units
        self._kind = size, comes_back, _dtype_of(stages), *map(kind_of, stages)
        waiting: Run | None = _FREE.pop(self._kind, None)
        with torch.inference_mode(False):  # else a later batch could not write to what it owns
            self.run = Run(rows, stages, comes_back=comes_back) if waiting is None else waiting

    def __del__(self) -> None:
        """Leave the run, and let go of those that have waited longest if they are too many."""
        run = vars(self).get("run")  # there is none if it could not be made
        if run is None or run.bytes_held > _MOST_BYTES_FREE:
            return
        run.let_go()
        _FREE.pop(self._kind, None)
        _FREE[self._kind] = run
        for kind in list(_FREE):  # a copy, for other threads do this too
            waiting = list(_FREE.values())
            if len(waiting) <= _MOST_FREE and sum(run.bytes_held for run in waiting) <= _MOST_BYTES_FREE:
                break
            _FREE.pop(kind, None)


_FREE: dict[tuple[object, ...], Run] = {}  # the longest-waiting first


def _dtype_of(stages: Sequence[Stage]) -> torch.dtype:
    return stages[0].tensors()[0].dtype


def _bytes_of_states(stages: Sequence[Stage], sizes: Sequence[int], cut: Cut, dtype: torch.dtype) -> int:
    """Return what the states of all units at all times take, which going forward once more can spare."""
    with_states = LIFUnits, LeakyUnits, Delays
    n_units = sum(
        size for stage, size in zip(stages, sizes[1:], strict=True) if isinstance(stage, with_states)
    )
    return cut.n_samples * cut.n_steps * n_units * dtype.itemsize
