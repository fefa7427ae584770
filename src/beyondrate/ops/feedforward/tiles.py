"""How a batch is cut: lanes of samples that run side by side, and tiles of rows that stay in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

_ROWS = 1600  # of a tile: with 128 units, each of its arrays fills most of a second-level cache
_MOST_LANES = 32


# All steps of some samples, or some steps of one sample: rows that follow each other. A tile is: its lane;
# its first sample, and how many; its first row, and whether the lane begins with it; how many steps; and
# which piece of the sequence they are. (A plain tuple, because kernels that are kept could not be read
# without a class of ours.)
Tile: TypeAlias = tuple[int, int, int, int, bool, int, int]


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
        steps = [self.n_steps * part // self.n_parts for part in range(self.n_parts + 1)]
        for sample in range(first, stop, self.samples_in_tile):
            n, begins = min(self.samples_in_tile, stop - sample), sample == first
            yield [
                (lane, sample, n, sample * self.n_steps + begin, begins and part == 0, end - begin, part)
                for part, (begin, end) in enumerate(pairwise(steps))
            ]
