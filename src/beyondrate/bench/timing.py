"""Time several ways to do the same work, in turns, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from beyondrate.progress import Progress, silent

Run = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds that each round of some work took.

    Args:
        wall_s: by the clock.
        cpu_s: of all threads of the process.
    """

    wall_s: Sequence[float]
    cpu_s: Sequence[float]

    @property
    def median_s(self) -> float:
        """Median seconds by the clock."""
        return float(np.median(self.wall_s))

    @property
    def quartiles_s(self) -> tuple[float, float]:
        """First and third quartile of the seconds by the clock."""
        low, high = np.quantile(self.wall_s, (0.25, 0.75))
        return float(low), float(high)

    @property
    def median_cpu_s(self) -> float:
        """Median seconds of processor time."""
        return float(np.median(self.cpu_s))


def in_turns(runs: Mapping[str, Run], rounds: int, progress: Progress = silent) -> dict[str, Timing]:
    """Time each run once a round, after one round that is not counted, in which kernels compile.

    Example:
        >>> timings = in_turns({"nothing": lambda: None}, rounds=3)
        >>> len(timings["nothing"].wall_s)
        3
    """
    wall: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    total = (rounds + 1) * len(runs)
    for done in range(total):
        name = list(runs)[done % len(runs)]
        wall_before, cpu_before = time.perf_counter(), time.process_time()
        runs[name]()
        wall_s, cpu_s = time.perf_counter() - wall_before, time.process_time() - cpu_before
        if done >= len(runs):
            wall[name].append(wall_s)
            cpu[name].append(cpu_s)
        progress(done + 1, total, name)
    return {name: Timing(wall[name], cpu[name]) for name in runs}
