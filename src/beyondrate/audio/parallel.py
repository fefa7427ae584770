"""Many sounds at once: threads suffice, since transforms and kernels run outside the interpreter's lock."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4
"""Items a thread that are begun or done while the oldest result is still to come: results wait in memory."""


def in_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None = None,
    stopping: threading.Event | None = None,
) -> Generator[Result]:
    """Yield ``function(item)`` for each item in order, computed by ``workers`` threads (default: one a core).

    What has not begun is dropped when the function raises or the consumer stops, Ctrl-C included; then
    ``stopping`` is set, for a function that takes long to look at.
    """
    n_threads = workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(n_threads)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) == AHEAD * n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        if stopping is not None:
            stopping.set()
        pool.shutdown(wait=True, cancel_futures=True)
