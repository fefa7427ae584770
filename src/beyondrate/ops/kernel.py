"""How every numba kernel is compiled: without the interpreter's lock, and once for all processes to come."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.extending import intrinsic

_Function = TypeVar("_Function", bound=Callable[..., object])


def kernel(function: _Function) -> _Function:
    """Return the function as machine code: from the cache, unless its file or a source of ops/ has changed.

    Numba looks at the file that a function is in only; what the function calls is compiled into it from other
    files too.
    """
    compiled: Any = njit(cache=True, nogil=True, error_model="numpy")(function)
    file = compiled._cache._cache_file
    file._source_stamp = file._source_stamp, _stamp_of_sources()
    return compiled


def part_of_kernels(function: _Function) -> _Function:
    """Return the function as part of each kernel that calls it: for what costs less than a call.

    Functions of vectors have to be parts: a cache that names a class of ours could not be read without it.
    """
    return njit(inline="always")(function)  # type: ignore[return-value]


def emitted(function: Callable[..., object]) -> Callable[..., Any]:
    """Return a function of kernels from one that takes types and returns a signature and what emits it."""
    return intrinsic(function)


@cache
def _stamp_of_sources() -> tuple[int, int]:
    """Return when the newest source of an operation was written, and the size of all."""
    sources = [source.stat() for source in Path(__file__).parent.rglob("*.py")]
    return max(source.st_mtime_ns for source in sources), sum(source.st_size for source in sources)
