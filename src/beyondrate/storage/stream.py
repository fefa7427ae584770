"""Spike trains too many for memory: their facts are at hand, their spikes come a few samples at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, summary, unit_dtype
from beyondrate.ops.blocks import sample_blocks
from beyondrate.storage.guards import EVENT_FILE, reading

Samples = Int64[np.ndarray, " chosen"]
_BLOCK_SPIKES = 1 << 20


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Facts:
    """All of spike trains but the spikes; every field means what it means in `SpikeTrains`."""

    offsets: Int64[np.ndarray, " samples_plus_1"]
    labels: Int64[np.ndarray, " samples"]
    groups: Int64[np.ndarray, " samples"] | None
    n_units: int
    duration_us: int
    meta: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_spikes(self) -> int:
        """Number of spikes of all samples."""
        return int(self.offsets[-1])

    @property
    def spikes_per_sample(self) -> Int64[np.ndarray, " samples"]:
        """Number of spikes of each sample."""
        return np.diff(self.offsets)

    def __str__(self) -> str:
        return summary(self.labels, self.n_spikes, self.n_units, self.duration_us)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class EventFile(Facts):
    """An open event file: ``file[samples]`` reads the samples of these numbers, in their order.

    Args:
        path: of the file.
        read: how their spikes are read.
    """

    path: Path
    read: Callable[[Samples], SpikeTrains]

    def __getitem__(self, samples: Samples) -> SpikeTrains:
        with reading(self.path, EVENT_FILE):
            return self.read(samples)

    def stream(self) -> EventStream:
        """Return all samples in their order, some at a time."""
        blocks = sample_blocks(self.offsets, _BLOCK_SPIKES, max(1, len(self)))
        return EventStream(
            **facts_of(self), blocks=(self[np.arange(block.start, block.stop)] for block in blocks)
        )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class EventStream(Facts):
    """Spike trains in the making: going through it gives all samples in their order, some at a time, once.

    Args:
        blocks: the samples' spikes; labels, groups and meta of a block are not looked at.
    """

    blocks: Iterable[SpikeTrains]

    def __iter__(self) -> Iterator[SpikeTrains]:
        n_taken = 0
        for block in self.blocks:
            n_taken += block.n_spikes
            yield block
        if n_taken != self.n_spikes:
            raise InputError(
                f"the stream has given {n_taken} of {self.n_spikes} spikes",
                remedy="make it anew: it can be taken only once",
            )

    def joined(self) -> SpikeTrains:
        """Take all blocks and return them as one."""
        times_us = np.empty(self.n_spikes, np.int32)
        units = np.empty(self.n_spikes, unit_dtype(self.n_units))
        filled = 0
        for block in self:
            taken = slice(filled, filled + block.n_spikes)
            times_us[taken], units[taken] = block.times_us, block.units
            filled += block.n_spikes
        return SpikeTrains(times_us=times_us, units=units, **facts_of(self))


def facts_of(trains: SpikeTrains | Facts) -> dict[str, Any]:
    """Return the fields of `Facts`."""
    return {field.name: getattr(trains, field.name) for field in fields(Facts)}


def as_stream(trains: SpikeTrains) -> EventStream:
    """Return spike trains in memory as a stream of one block.

    >>> trains = SpikeTrains.from_samples([([100], [0])], labels=[0], n_units=1, duration_us=1000)
    >>> as_stream(trains).joined().digest == trains.digest
    True
    """
    return EventStream(**facts_of(trains), blocks=[trains])


def runs(samples: Samples) -> list[tuple[int, int]]:
    """Return where each run of consecutive numbers starts and ends.

    >>> runs(np.array([4, 5, 6, 2, 9, 10]))
    [(0, 3), (3, 4), (4, 6)]
    """
    if not len(samples):
        return []
    bounds = [0, *(np.flatnonzero(np.diff(samples) != 1) + 1).tolist(), len(samples)]
    return list(itertools.pairwise(bounds))
