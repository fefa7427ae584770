"""Keep freed memory in the process, so that the next training step need not ask the system for it again."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
_MOST = 2**31 - 1


@cache
def reuse_freed_memory() -> bool:
    """Tell the C library to reuse large freed blocks instead of giving them back; say whether it could.

    A training step allocates the same large tensors again and again. By default each is mapped afresh and
    every page of it faults, which costs as much as the arithmetic at a thousand time steps. Afterwards
    the process keeps the memory of its largest step. Holds for the whole process; GNU/Linux only.

    Example:
        >>> reuse_freed_memory() in (True, False)
        True
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _MOST))
