"""The most memory that one way to do some work needs: measured in a process of its own.

python -m beyondrate.bench.memory WORK WAY PEERS THREADS    # prints bytes above what was there before
"""

from __future__ import annotations

import ctypes
import platform
import resource
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch

_RUNS = 2  # the second holds what the first allocated for good, such as the optimiser's moments


def peak_memory(work: str, way: str, against: Sequence[str], n_threads: int) -> int:
    """Return the bytes by which the resident memory of a fresh process grows at most."""
    told = subprocess.run(
        [sys.executable, "-m", "beyondrate.bench.memory", work, way, ",".join(against), str(n_threads)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(told.stdout.split()[-1])


def _measure(work: str, way: str, against: Sequence[str]) -> int:
    from beyondrate.bench.work import works

    run = works(against)[work]().ways[way]()
    before = _forget_the_most()
    for _ in range(_RUNS):
        run()
    return _most_so_far() - before


def _forget_the_most() -> int:
    """Let the most begin anew from what is in use now, where the system can; return it."""
    if platform.system() == "Linux":
        with suppress(OSError, AttributeError):  # another library than GNU's
            ctypes.CDLL("libc.so.6").malloc_trim(0)  # else freed memory, used again, would not count
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # man 5 proc
    return _most_so_far()


def _most_so_far() -> int:
    if platform.system() == "Linux":
        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if platform.system() == "Darwin" else most * 1024


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[4]))
    print(_measure(sys.argv[1], sys.argv[2], [name for name in sys.argv[3].split(",") if name]))
