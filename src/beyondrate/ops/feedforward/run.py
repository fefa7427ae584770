"""One batch on its way through a feed-forward network and back, lane by lane and tile by tile."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from beyondrate.ops.feedforward.gamma import GammaWorker, SigmaDeltaWorker
from beyondrate.ops.feedforward.lif import DelaysWorker, FactorsWorker, LeakyWorker, LIFWorker
from beyondrate.ops.feedforward.room import Room, Worker, numpy_of
from beyondrate.ops.feedforward.scratch import SCRATCH, aligned, aligned_zeros
from beyondrate.ops.feedforward.stages import (
    Delays,
    Factors,
    GammaMemories,
    LeakyUnits,
    LIFUnits,
    Stage,
    Synapses,
    splits_time,
)
from beyondrate.ops.feedforward.synapses import InputSynapses, SpikeSynapses
from beyondrate.ops.feedforward.tiles import Cut, Tile
from beyondrate.ops.sparse_linear import SpikeRows
from beyondrate.ops.threads import in_pieces

_MOST_KEPT = 1 << 25  # bytes of states, which then lie in the last-level cache, or near it


class Run:
    """One batch on its way through a network and, if it ``comes_back``, through it again for gradients."""

    def __init__(self, rows: SpikeRows, stages: Sequence[Stage], *, comes_back: bool) -> None:
        self.stages, self.comes_back = stages, comes_back
        self.dtype = numpy_of(stages[0].tensors()[0])[0].dtype
        self.indptr, self.units = rows.indptr.numpy(), rows.units.numpy()
        self.cut = Cut(rows.n_samples, rows.n_steps, splits_time(stages))
        self.sizes = [rows.n_units]
        for stage in stages:
            self.sizes.append(len(stage.weight) if isinstance(stage, Synapses) else self.sizes[-1])
        self.goes_forward_again = self._bytes_of_states() > _MOST_KEPT
        self.kept: list[dict[Tile, Any]] = [{} for _ in stages]
        self.states = [
            [
                aligned_zeros((self.cut.n_parts, rows.n_samples, size), self.dtype)
                for _ in range(_n_states(stage))
            ]
            for stage, size in zip(stages, self.sizes[1:], strict=True)
        ]
        self.of_thread = threading.local()
        self.work = rows.n_steps * sum(self.sizes[1:]) * rows.n_samples // self.cut.n_lanes

    def forward(self) -> Tensor:
        """Return what the last stage gives, and keep the states at the seams."""
        out = aligned((self.cut.n_samples, self.cut.n_steps, self.sizes[-1]), self.dtype)

        def lanes(first: int, stop: int) -> None:
            workers = self._workers()
            for lane in range(first, stop):
                for tiles in self.cut.groups(lane):
                    for tile in tiles:
                        out[tile.samples, tile.steps] = _through(workers, tile)
                        if not self.comes_back:
                            self._forget(tile)

        in_pieces(lanes, self.cut.n_lanes, self.work, begin_together=True)
        return torch.from_numpy(out)

    def backward(self, grad_out: Tensor) -> list[Tensor]:
        """Return the gradients of the stages' tensors."""
        grads = grad_out.detach().contiguous().numpy()
        by_lane: list[list[np.ndarray]] = [[] for _ in range(self.cut.n_lanes)]

        def lanes(first: int, stop: int) -> None:
            workers = self._workers()
            for lane in range(first, stop):
                for worker in workers:
                    worker.begin()
                for tiles in self.cut.groups(lane):
                    for tile in reversed(tiles):
                        if self.goes_forward_again:
                            _through(workers, tile)
                        grad = np.ascontiguousarray(grads[tile.samples, tile.steps])
                        for worker in reversed(workers):
                            grad = worker.backward(tile, grad)
                by_lane[lane] = [grad for worker in workers for grad in worker.gradients()]

        in_pieces(lanes, self.cut.n_lanes, self.work, begin_together=True)
        return [torch.from_numpy(reduce(np.add, of_lanes)) for of_lanes in zip(*by_lane, strict=True)]

    def _bytes_of_states(self) -> int:
        """Return what the states of all units at all times take, which going forward once more can spare."""
        with_states = LIFUnits, LeakyUnits, Delays
        n_units = sum(
            size
            for stage, size in zip(self.stages, self.sizes[1:], strict=True)
            if isinstance(stage, with_states)
        )
        return self.cut.n_samples * self.cut.n_steps * n_units * self.dtype.itemsize

    def _forget(self, tile: Tile) -> None:
        for kept in self.kept:
            kept.pop(tile, None)

    def _workers(self) -> list[Worker]:
        """Return this thread's workers, one a stage: those of the way forward serve the way back too."""
        if not hasattr(self.of_thread, "workers"):
            self.of_thread.workers = self._new_workers()
        workers: list[Worker] = self.of_thread.workers
        return workers

    def _new_workers(self) -> list[Worker]:
        SCRATCH.begin()
        before, after = (None, *self.stages[:-1]), (*self.stages[1:], None)
        rooms = (
            Room(self.cut, *sizes, states, kept, self.goes_forward_again or not self.comes_back, self.dtype)
            for sizes, states, kept in zip(pairwise(self.sizes), self.states, self.kept, strict=True)
        )
        return [self._worker(*each) for each in zip(self.stages, before, after, rooms, strict=True)]

    def _worker(self, stage: Stage, before: Stage | None, after: Stage | None, room: Room) -> Worker:
        if isinstance(stage, Synapses):
            keeps = isinstance(after, GammaMemories)
            if before is None:
                return InputSynapses(stage, room, self.indptr, self.units, keeps=keeps)
            return SpikeSynapses(stage, room, keeps=keeps, binary=isinstance(before, LIFUnits))
        if isinstance(stage, LIFUnits):
            return LIFWorker(stage, room)
        if isinstance(stage, LeakyUnits):
            return LeakyWorker(stage, room)
        if isinstance(stage, Delays):
            return DelaysWorker(stage, room, feeds_synapses=isinstance(after, Synapses))
        if isinstance(stage, Factors):
            return FactorsWorker(stage, room)
        if isinstance(stage, GammaMemories):
            return GammaWorker(stage, room, after_synapses=isinstance(before, Synapses))
        return SigmaDeltaWorker(stage, room)


def _through(workers: Sequence[Worker], tile: Tile) -> np.ndarray:
    """Return what the last stage makes of a tile."""
    x = np.empty(0)  # the first reads the input's spikes
    for worker in workers:
        x = worker.forward(tile, x)
    return x


def _n_states(stage: Stage) -> int:
    """Return how many numbers each of a stage's units carries over a seam of the sequence."""
    if isinstance(stage, LIFUnits):
        return 1 if stage.params.current_decay is None else 2
    return int(isinstance(stage, LeakyUnits))
