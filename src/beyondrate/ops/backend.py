"""Which implementation of an operation runs: chosen here for all of them, and said once in the log."""

from __future__ import annotations

import logging
from typing import Literal

import torch
from torch import Tensor

from beyondrate.errors import InputError

Backend = Literal["reference", "cpu"]

_KERNEL_TYPES = (torch.float32, torch.float64)
_log = logging.getLogger("beyondrate")
_told: set[tuple[str, str]] = set()


def choose_backend(operation: str, tensor: Tensor, backend: Backend | None) -> Backend:
    """Return the backend that runs ``operation`` on ``tensor``: the one asked for, or the fastest there is.

    The numba kernels ("cpu") take float32 and float64 on the CPU; everything else runs as plain torch
    ("reference"). The first use of each is logged.

    Raises:
        InputError: if the backend asked for does not exist or cannot take this tensor.

    Example:
        >>> choose_backend("lif", torch.zeros(3), None)
        'cpu'
        >>> choose_backend("lif", torch.zeros(3, dtype=torch.float16), None)
        'reference'
    """
    fits = tensor.device.type == "cpu" and tensor.dtype in _KERNEL_TYPES
    chosen: Backend = backend or ("cpu" if fits else "reference")
    if chosen not in ("reference", "cpu"):
        raise InputError(f"backend is {chosen!r}", remedy='give "reference", "cpu" or None')
    if chosen == "cpu" and not fits:
        raise InputError(
            f"backend 'cpu' cannot run {operation} on {tensor.dtype} on {tensor.device}",
            remedy="give float32 or float64 on the CPU, or backend=None",
        )
    if (operation, chosen) not in _told:
        _told.add((operation, chosen))
        _log.info("%s runs on backend %s (%s, %s)", operation, chosen, tensor.device, tensor.dtype)
    return chosen


def chosen_so_far() -> dict[str, list[str]]:
    """Return the backends that each operation has run on in this process.

    Example:
        >>> _ = choose_backend("lif", torch.zeros(3), None)
        >>> "cpu" in chosen_so_far()["lif"]
        True
    """
    operations = sorted({operation for operation, _ in _told})
    return {name: sorted(chosen for operation, chosen in _told if operation == name) for name in operations}
