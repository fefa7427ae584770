"""Time several ways to do the same work, in turns, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from beyondrate.progress import Progress, silent

Run = Callable[[], object]
FEWEST_ROUNDS = 3  # that give a median and quartiles
REST_S = 0.02  # before each turn: OpenMP's threads of the one before spin for a while
LONG_S = 0.3  # a run so long starts no faster after another of its kind
WARM_UP_S = 0.1  # of shorter ones: by then processors are awake and the caches hold what they need


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


def in_turns(
    runs: Mapping[str, Run], rounds: int, progress: Progress = silent, *, at_most_s: float = math.inf
) -> dict[str, Timing]:
    """Time each run once a round, after one round that is not counted, in which kernels compile.

    What takes less than LONG_S runs untimed for WARM_UP_S in its turn, at least once, before the run that
    counts: in training, too, a step follows many, and finds its weights in the cache. After FEWEST_ROUNDS
    no other round begins when ``at_most_s`` seconds by the clock are over.

    Example:
        >>> timings = in_turns({"nothing": lambda: None}, rounds=3)
        >>> len(timings["nothing"].wall_s)
        3
    """
    wall: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    took_s = dict.fromkeys(runs, math.inf)
    started = time.perf_counter()
    for done in range(rounds + 1):
        if done > FEWEST_ROUNDS and time.perf_counter() - started > at_most_s:
            break
        for index, (name, run) in enumerate(runs.items(), start=1):
            time.sleep(REST_S)
            for _ in range(_n_untimed(took_s[name])):
                run()
            wall_before, cpu_before = time.perf_counter(), time.process_time()
            run()
            wall_s, cpu_s = time.perf_counter() - wall_before, time.process_time() - cpu_before
            took_s[name] = wall_s
            if done > 0:
                wall[name].append(wall_s)
                cpu[name].append(cpu_s)
            progress(done * len(runs) + index, (rounds + 1) * len(runs), name)
    return {name: Timing(wall[name], cpu[name]) for name in runs}


def _n_untimed(took_s: float) -> int:
    """Return how often work that took so long is to run before it is timed."""
    return max(1, math.ceil(WARM_UP_S / took_s)) if took_s < LONG_S else 0
