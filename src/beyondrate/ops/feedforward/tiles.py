"""How a batch is cut: lanes of samples that run side by side, and tiles of rows that stay in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

_ROWS = 1600  # of a tile: with 128 units, each of its arrays fills most of a second-level cache
_MOST_LANES = 32


class Tile(NamedTuple):
    """All steps of some samples, or some steps of one sample: rows that follow each other.

    Args:
        first_sample, last_sample: which samples; the last is not one of them.
        first_step, last_step: which steps; the last is not one of them.
        part: the how-manieth piece of the sequence it is.
        is_last: whether the sequence ends with it.
    """

    first_sample: int
    last_sample: int
    first_step: int
    last_step: int
    part: int
    is_last: bool

    @property
    def samples(self) -> slice:
        """Which samples."""
        return slice(self.first_sample, self.last_sample)

    @property
    def steps(self) -> slice:
        """Which steps."""
        return slice(self.first_step, self.last_step)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.last_sample - self.first_sample

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return self.last_step - self.first_step


@dataclass(frozen=True)
class Cut:
    """A batch in lanes and tiles; how depends on its size only, so that threads change no bit.

    Args:
        n_samples: samples of the batch.
        n_steps: steps of a sample.
        splits_time: whether a long sequence may be cut into pieces.
    """

    n_samples: int
    n_steps: int
    splits_time: bool

    @property
    def n_lanes(self) -> int:
        """Number of lanes: each sums its own gradients."""
        return max(1, min(self.n_samples, _MOST_LANES, self.n_samples * self.n_steps // _ROWS))

    @property
    def n_parts(self) -> int:
        """Number of pieces of a sequence."""
        return max(1, -(-self.n_steps // _ROWS)) if self.splits_time else 1

    @property
    def samples_in_tile(self) -> int:
        """Most samples of a tile."""
        return max(1, min(self.n_samples, _ROWS // max(1, self.n_steps)))

    @property
    def steps_in_tile(self) -> int:
        """Most steps of a tile."""
        return -(-self.n_steps // self.n_parts)

    def groups(self, lane: int) -> Iterator[list[Tile]]:
        """Yield the groups of samples of a lane: the tiles of each in the order of time."""
        first, stop = (self.n_samples * edge // self.n_lanes for edge in (lane, lane + 1))
        for start in range(first, stop, self.samples_in_tile):
            samples = start, min(start + self.samples_in_tile, stop)
            edges = [self.n_steps * part // self.n_parts for part in range(self.n_parts + 1)]
            yield [
                Tile(*samples, *steps, part, part + 1 == self.n_parts)
                for part, steps in enumerate(pairwise(edges))
            ]
