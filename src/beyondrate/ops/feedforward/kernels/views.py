"""What kernels see of a tile: its rows, its samples, its seams, where the table says that they are."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.addresses import array_at
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.kernel import part_of_kernels

FIRST: int = np.int64(0)  # type: ignore[assignment]  # for a plain 0 kernels would be compiled once more


@part_of_kernels
def rows_at(address: int, moves: int, scratch: int, tile: Tile, n_units: int, like: np.ndarray) -> np.ndarray:
    """Return the rows of a tile, (sample, step, unit), in a place."""
    _, _, n, row, _, n_steps, _ = tile
    first = address + row * n_units * like.itemsize if moves else address + scratch
    return array_at(first, (n, n_steps, n_units), like)


@part_of_kernels
def samples_at(address: int, tile: Tile, n_units: int, like: np.ndarray) -> np.ndarray:
    """Return what there is one of for each of a tile's samples and units."""
    _, sample, n, _, _, _, _ = tile
    return array_at(address + sample * n_units * like.itemsize, (n, n_units), like)


@part_of_kernels
def seam_at(
    address: int, part: int, n_samples: int, tile: Tile, n_units: int, like: np.ndarray
) -> np.ndarray:
    """Return the state with which a tile's samples begin a piece of their sequence."""
    return samples_at(address + part * n_samples * n_units * like.itemsize, tile, n_units, like)


@part_of_kernels
def flat_rows_at(
    address: int, moves: int, scratch: int, tile: Tile, n_units: int, like: np.ndarray
) -> np.ndarray:
    """Return the rows of a tile, (row, unit), in a place."""
    _, _, n, row, _, n_steps, _ = tile
    first = address + row * n_units * like.itemsize if moves else address + scratch
    return array_at(first, (n * n_steps, n_units), like)


@part_of_kernels
def buckets_at(address: int, tile: Tile, n_buckets: int, n_units: int, like: np.ndarray) -> np.ndarray:
    """Return what there is one of for each of a tile's samples, buckets and units."""
    _, sample, n, _, _, _, _ = tile
    return array_at(address + sample * n_buckets * n_units * like.itemsize, (n, n_buckets, n_units), like)
