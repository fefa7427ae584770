"""The machine that something is timed on: its threads, its processor, and the versions of what runs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("beyondrate", "torch", "numpy", "numba", "snntorch", "spikingjelly", "norse", "tonic")


@contextmanager
def threads_set(n_threads: int | None) -> Iterator[int]:
    """Let torch and the kernels take so many threads meanwhile (None: as many as before); yield how many."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def record() -> dict[str, Any]:
    """Return the time, the processor and the versions, to keep beside what was measured."""
    return {
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "processor": f"{_processor()}, {os.cpu_count()} processors",
        "versions": _versions(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
