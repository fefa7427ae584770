"""Many sounds at once: threads suffice, since transforms and kernels run outside the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int | None = None
) -> Iterator[Result]:
    """Yield ``function(item)`` for each item in order, computed by ``workers`` threads (default: one a core).

    What has not begun is dropped when the function raises or the consumer stops, Ctrl-C included.
    """
    pool = ThreadPoolExecutor(workers or os.cpu_count() or 1)
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
