"""Which implementation of an operation runs: chosen here for all of them, and said once in the log."""

from __future__ import annotations

import logging
import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from beyondrate.errors import InputError

Backend = Literal["reference", "cpu", "cuda"]

_FLOATS = torch.float32, torch.float64
_TRITON_TYPES: dict[str, tuple[torch.dtype, ...]] = {
    "lif": _FLOATS,
    "leaky_integrate": _FLOATS,
    "delay": _FLOATS,
    "gamma_scan": _FLOATS,
    "gamma_scan_each": _FLOATS,
    "sigma_delta": _FLOATS,
    "sparse_linear": (torch.bfloat16, *_FLOATS),
}
_log = logging.getLogger("beyondrate")
_told: set[tuple[str, str]] = set()


def choose_backend(operation: str, tensor: Tensor, backend: Backend | None) -> Backend:
    """Return the backend that runs ``operation`` on ``tensor``: the one asked for, or the fastest there is.

    The numba kernels ("cpu") take float32 and float64 on the CPU, the Triton kernels ("cuda") on a CUDA
    device; everything else runs as plain torch ("reference"). The first use of each is logged.

    Raises:
        InputError: if the backend asked for does not exist or cannot take this tensor.

    Example:
        >>> choose_backend("lif", torch.zeros(3), None)
        'cpu'
        >>> choose_backend("lif", torch.zeros(3, dtype=torch.float16), None)
        'reference'
    """
    fitting = _fitting(operation, tensor)
    chosen = backend or fitting
    if chosen not in get_args(Backend):
        raise InputError(f"backend is {chosen!r}", remedy='give "reference", "cpu", "cuda" or None')
    if chosen not in ("reference", fitting):
        raise InputError(
            f"backend {chosen!r} cannot run {operation} on {tensor.dtype} on {tensor.device}",
            remedy=f"give backend {fitting!r} or None here"
            + (", or install Triton" if chosen == "cuda" and not triton_devices() else ""),
        )
    if (operation, chosen) not in _told:
        _told.add((operation, chosen))
        _log.info("%s runs on backend %s (%s, %s)", operation, chosen, tensor.device, tensor.dtype)
    return chosen


def _fitting(operation: str, tensor: Tensor) -> Backend:
    """Return the fastest backend that takes this tensor."""
    if tensor.device.type in triton_devices() and tensor.dtype in _TRITON_TYPES.get(operation, ()):
        return "cuda"
    return "cpu" if tensor.device.type == "cpu" and tensor.dtype in _FLOATS else "reference"


@cache
def triton_devices() -> tuple[str, ...]:
    """Return the devices whose tensors the Triton kernels take: none where Triton is not installed.

    With TRITON_INTERPRET=1 in the environment Triton's interpreter runs them anywhere, slowly; on the CPU
    they then stand in the place of the numba kernels.
    """
    if find_spec("triton") is None:
        return ()
    interpreted = os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "yes", "on", "y")
    return ("cuda", "cpu") if interpreted else ("cuda",)


def register_triton(operation: Any, room: str, function: str) -> None:  # noqa: ANN401
    """Let a function of the module ``cuda`` in the package ``room`` run ``operation`` on Triton's devices.

    The module is imported at the first call.
    """

    def run(*inputs: Any) -> Any:  # noqa: ANN401
        return getattr(import_module(f"{room}.cuda"), function)(*inputs)

    for device in triton_devices():
        operation.register_kernel(device)(run)


def chosen_so_far() -> dict[str, list[str]]:
    """Return the backends that each operation has run on in this process.

    Example:
        >>> _ = choose_backend("lif", torch.zeros(3), None)
        >>> "cpu" in chosen_so_far()["lif"]
        True
    """
    operations = sorted({operation for operation, _ in _told})
    return {name: sorted(chosen for operation, chosen in _told if operation == name) for name in operations}
