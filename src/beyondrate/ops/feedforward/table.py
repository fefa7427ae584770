"""The table that tells kernels of a network's stages: a row each, of addresses, sizes and options.

Compiled code takes no classes of ours, and for a tuple of arrays it would be compiled anew for each number
of layers. A table of one type serves all networks; a column that a kind of stage has no use for is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from torch import Tensor

from beyondrate.ops.addresses import address_of
from beyondrate.ops.feedforward.tiles import Tile

if TYPE_CHECKING:
    from beyondrate.ops.feedforward.room import Room

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
_EMPTY = dict.fromkeys(ROW.names or (), 0)

Table: TypeAlias = Any  # of kernels: an array of rows, whose columns are their attributes
Row: TypeAlias = Any
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
    """What the table says of a stage; keeps alive what it says the address of.

    Args:
        dtype: type of the numbers.
        forward: the kernel that does to a tile what the stage does.
        backward: the kernel that takes a tile's gradient back.
        columns: numbers to write down.
    """

    def __init__(self, dtype: np.dtype[Any], forward: Any, backward: Any, **columns: float) -> None:  # noqa: ANN401
        kernels = {"forward": _address(forward, dtype), "backward": _address(backward, dtype)}
        self.columns: dict[str, float] = {**_EMPTY, **kernels, **columns}
        self._alive: dict[str, Any] = {}

    def put(self, **places: Place) -> None:
        """Write down places."""
        for name, place in places.items():
            self.columns[name], self.columns[f"{name}_moves"] = place

    def point_to(self, **arrays: Tensor | np.ndarray[Any, Any]) -> None:
        """Write down where contiguous arrays are."""
        for name, array in arrays.items():
            self.columns[name] = array.data_ptr() if isinstance(array, Tensor) else array.ctypes.data
        self._alive |= arrays

    def prepare_gradients(self, room: Room) -> None:
        """Have new room for what walking back sums: there may be more than one way back."""

    def begin(self, lane: int) -> None:
        """Begin a lane on the way back: what it sums is 0."""

    def gradients(self) -> list[Tensor]:
        """Return the gradients of the stage's tensors, once the kernels have been back."""
        return []


def table_of(records: Sequence[Record]) -> np.ndarray[Any, Any]:
    """Return the table of some stages: their columns in its order, and no more."""
    return np.array([tuple(record.columns.values()) for record in records], ROW)


@cache
def _address(kernel: Any, dtype: np.dtype[Any]) -> int:  # noqa: ANN401
    """Return where the kernel of a stage is."""
    return address_of(kernel, np.zeros(1, ROW), 0, _NO_TILE, 0, False, np.empty(0, dtype))
