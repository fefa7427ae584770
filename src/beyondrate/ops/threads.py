"""Run a kernel over pieces of its work on as many threads as torch is set to use.

Kernels release the interpreter lock and write disjoint parts of their outputs, so that the result does
not depend on the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import torch

_SMALLEST_WORK = 1 << 15  # elements below which handing work to another thread costs more than it gains


def in_pieces(kernel: Callable[[int, int], None], n_items: int, work_per_item: int) -> None:
    """Call ``kernel(start, stop)`` over consecutive pieces that cover ``range(n_items)``, in parallel."""
    enough = n_items * work_per_item // _SMALLEST_WORK
    n_pieces = max(1, min(torch.get_num_threads(), n_items, enough))
    edges = [n_items * piece // n_pieces for piece in range(n_pieces + 1)]
    others = [_pool(os.getpid()).submit(kernel, *edge) for edge in pairwise(edges[1:])]
    kernel(edges[0], edges[1])
    for other in others:
        other.result()


@cache
def _pool(process_id: int) -> ThreadPoolExecutor:
    """Return this process's helper threads (a forked child has none of its parent's and needs its own)."""
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="beyondrate")
