"""The table that tells kernels of a network's stages: a row each, of addresses, sizes and options.

Compiled code takes no classes of ours, and for a tuple of arrays it would be compiled anew for each number
of layers. A table of one type serves all networks; a column that a kind of stage has no use for is 0.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from torch import Tensor

from beyondrate.ops.addresses import address_of
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.sparse_linear import SpikeRows

_PLACES = "x", "out", "grad_out", "grad_x", "membrane", "flags"
_KERNELS = "forward", "backward"
_SIZES = "n_in", "n_out", "n_samples", "n_buckets", "n_listed"
_ADDRESSES = (
    *("weight", "weight_t", "bias", "panel", "indptr", "units", "values", "grad_weight", "grad_bias"),
    *("decay", "current_decay", "v", "u", "grad_v", "grad_u", "grad_decay", "grad_current_decay"),
    *("steps", "fraction", "grad_steps", "factors", "gain", "grad_gain", "state"),
    *("matrix", "pairs", "begin", "end", "matrix_back", "pairs_back", "begin_back", "end_back"),
)
_OPTIONS = (
    "is_first",
    "lists_move",
    "binary",
    "has_bias",
    "filtered",
    "surrogate",
    "is_listed",
    "central",
    "gated",
)
_NUMBERS = "hard", "through_reset", "slope", "theta0", "adaptation", "rho", "most_quanta"
_WHOLE = *_KERNELS, *_PLACES, *(f"{place}_moves" for place in _PLACES), *_SIZES, *_ADDRESSES, *_OPTIONS
ROW = np.dtype([*((name, np.int64) for name in _WHOLE), *((name, np.float64) for name in _NUMBERS)])

Table: TypeAlias = Any  # of kernels: an array of rows, whose columns are their attributes
Row: TypeAlias = Any
Array: TypeAlias = Tensor | np.ndarray[Any, Any]
_NO_TILE: Tile = 0, 0, 0, 0, True, 0, 0


class Place(NamedTuple):
    """Where rows of numbers lie.

    Args:
        address: of the first row; in the scratch of a thread, from where that begins.
        moves: whether all rows of the batch have room there, so that a tile's are further on. If not, there
            is room for those of a tile, in the scratch.
    """

    address: int
    moves: bool


class Record:
    """What the table says of a stage: all that stays the same from batch to batch, and what one batch brings.

    Args:
        row: the stage's row of the table.
        dtype: type of the numbers.
        forward: the kernel that does to a tile what the stage does.
        backward: the kernel that takes a tile's gradient back.
        columns: numbers to write down.
    """

    def __init__(self, row: Row, dtype: np.dtype[Any], forward: Any, backward: Any, **columns: float) -> None:  # noqa: ANN401
        self.row = row
        self._own: dict[str, Array] = {}
        self._brought: dict[str, Array] = {}
        self.write(forward=_address(forward, dtype), backward=_address(backward, dtype), **columns)

    def write(self, **columns: float) -> None:
        """Write down numbers."""
        for name, number in columns.items():
            self.row[name] = number

    def put(self, **places: Place) -> None:
        """Write down places."""
        for name, (address, moves) in places.items():
            self.row[name], self.row[f"{name}_moves"] = address, moves

    def own(self, **arrays: Array) -> None:
        """Write down where contiguous arrays are that serve all batches."""
        self.write(**{name: _place_of(array) for name, array in arrays.items()})
        self._own |= arrays

    def point_to(self, **arrays: Array) -> None:
        """Write down where contiguous arrays of this batch are."""
        self.write(**{name: _place_of(array) for name, array in arrays.items()})
        self._brought |= arrays

    @property
    def bytes_owned(self) -> int:
        """What the arrays that serve all batches take."""
        return sum(array.nbytes for array in self._own.values())

    def bring(self, stage: Any, rows: SpikeRows) -> None:  # noqa: ANN401
        """Write down what a batch and the present parameters bring."""

    def let_go(self) -> None:
        """Keep nothing of a batch."""
        self._brought.clear()

    def begin_back(self) -> None:
        """Set what walking back sums over the batch to 0: there may be more than one way back."""

    def begin_lane(self, lane: int) -> None:
        """Set what walking back sums over a lane to 0."""

    def gradients(self, stage: Any) -> list[Tensor]:  # noqa: ANN401
        """Return the gradients of the stage's tensors, once the kernels have been back."""
        return []


@cache
def _address(kernel: Any, dtype: np.dtype[Any]) -> int:  # noqa: ANN401
    """Return where the kernel of a stage is."""
    return address_of(kernel, np.zeros(1, ROW), 0, _NO_TILE, 0, False, np.empty(0, dtype))


def _place_of(array: Array) -> int:
    if isinstance(array, Tensor):
        return array.data_ptr()
    place: int = array.__array_interface__["data"][0]
    return place
