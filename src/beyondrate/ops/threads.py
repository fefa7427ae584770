"""Run a kernel over pieces of its work on as many threads as torch is set to use, or would by default.

Kernels release the interpreter lock and write disjoint parts of their outputs, so that the result does
not depend on the number of threads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import pairwise
from queue import SimpleQueue
from threading import Lock
from typing import TypeVar

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")
# the kernels' number of threads, where it is not torch's
_reserved: ContextVar[int | None] = ContextVar("reserved", default=None)
_lock = Lock()
_of_torch: list[int] = []  # what torch's number of threads was, once for each thread that has made it 1
_SMALLEST_WORK = 1 << 15  # elements below which handing work to another thread costs more than it gains


def in_pieces(kernel: Callable[[int, int], None], n_items: int, work_per_item: int) -> None:
    """Call ``kernel(start, stop)`` over consecutive pieces that cover ``range(n_items)``, in parallel."""
    enough = n_items * work_per_item // _SMALLEST_WORK
    n_pieces = min(_n_threads(), n_items, enough)
    if n_pieces <= 1:
        kernel(0, n_items)
        return
    edges = [n_items * piece // n_pieces for piece in range(n_pieces + 1)]
    running = [_pool(os.getpid()).submit(kernel, *edge) for edge in pairwise(edges[1:])]
    try:
        kernel(edges[0], edges[1])
    finally:
        wait(running)  # what they write to may be gone once this returns, by Ctrl-C too
    for piece in running:
        piece.result()


def in_turn(first: Callable[[_Item], _Made], then: Callable[[_Made], None], items: Sequence[_Item]) -> None:
    """Call ``then(first(item))`` for all items: ``first`` in their order on this thread, ``then`` on any.

    For work that begins with something that has an order, such as drawing random numbers. Few results wait
    at a time, so that memory does not grow with the number of items. Kernels that either calls stay on their
    thread: helpers that wait for ``first`` might be all that there are.
    """
    n_helpers = max(0, min(_n_threads(), len(items)) - 1)
    waiting: SimpleQueue[_Made | None] = SimpleQueue()

    def finish() -> None:
        while (made := waiting.get()) is not None:
            then(made)

    helpers = [_pool(os.getpid()).submit(finish) for _ in range(n_helpers)]
    with _kernels_on(1):
        try:
            for item in items:
                made = first(item)
                if waiting.qsize() < 2 * n_helpers:
                    waiting.put(made)
                else:
                    then(made)
        finally:
            for _ in range(n_helpers + 1):
                waiting.put(None)
        finish()
    for helper in helpers:
        helper.result()


@contextmanager
def kernels_first() -> Iterator[None]:
    """Leave the processors to the kernels: meanwhile torch's own operations run on one thread.

    Its other threads, OpenMP's, would spin for milliseconds after each operation, on the processors that the
    kernels' threads need; that costs more than they gain where the kernels do most of the work. Threads may
    do so side by side: what the first of them found is what torch has again after each.
    """
    import torch

    if _reserved.get() is not None:  # inside another, which has done so
        yield
        return
    with _lock:
        found = torch.get_num_threads()  # asked in any case: a thread's first question sets its number too
        n_threads = _of_torch[0] if _of_torch else found
        _of_torch.append(n_threads)
        torch.set_num_threads(1)
    try:
        with _kernels_on(n_threads):
            yield
    finally:
        with _lock:
            torch.set_num_threads(_of_torch.pop())


@contextmanager
def _kernels_on(n_threads: int) -> Iterator[None]:
    """Let kernels that this thread calls run on so many threads."""
    before = _reserved.set(n_threads)
    try:
        yield
    finally:
        _reserved.reset(before)


def _n_threads() -> int:
    reserved = _reserved.get()
    if reserved is not None:
        return reserved
    if "torch" in sys.modules:  # not imported here, because events are often worked on without it
        return int(sys.modules["torch"].get_num_threads())
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(wanted) if wanted.isdecimal() else os.cpu_count() or 1)


@cache
def _pool(process_id: int) -> ThreadPoolExecutor:
    """Return this process's helper threads (a forked child has none of its parent's and needs its own).

    Kernels that a helper calls stay on it: were all to wait for others, none would be left to wait for.
    """
    return ThreadPoolExecutor(
        max_workers=os.cpu_count() or 1,
        thread_name_prefix="beyondrate",
        initializer=_reserved.set,
        initargs=(1,),
    )
