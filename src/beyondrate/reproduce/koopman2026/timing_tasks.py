"""The timing tasks of the figures: their samples, how long a memory they ask for, and their ceilings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from beyondrate import tasks
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.nn import Loss

N_DISTANCES, N_AZIMUTHS = 6, 5
TEST_SEED = 10**9  # training and validation samples have seeds 2 k and 2 k + 1


@dataclass(frozen=True)
class TwoHeads:
    """One loss for each of two labels in one: the first outputs are of distances, the others of azimuths.

    The score of a pair is the sum of both scores, so that the best pair is the best of each.

    Example:
        >>> import torch
        >>> from beyondrate.nn import EveryStep
        >>> TwoHeads(EveryStep()).scores(torch.zeros(2, 4, N_DISTANCES + N_AZIMUTHS)).shape
        torch.Size([2, 30])
    """

    each: Loss

    def __call__(
        self, output: Float[Tensor, "batch time class"], labels: Int64[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """Return the sum of the two losses."""
        distances, azimuths = output[..., :N_DISTANCES], output[..., N_DISTANCES:]
        return self.each(distances, labels // N_AZIMUTHS) + self.each(azimuths, labels % N_AZIMUTHS)

    def scores(self, output: Float[Tensor, "batch time class"]) -> Float[Tensor, "batch pair"]:
        """Return the score of every pair of a distance and an azimuth."""
        distances = self.each.scores(output[..., :N_DISTANCES])
        azimuths = self.each.scores(output[..., N_DISTANCES:])
        return (distances[:, :, None] + azimuths[:, None]).flatten(1)


@dataclass(frozen=True)
class TimingTask:
    """One task.

    Args:
        generate: draws ``n`` samples from a seed.
        ceilings: the accuracies of the best rules on bins of dt seconds, by what they name; from dt and a
            number of simulated samples.
        n_outputs: outputs of a network.
        memory_s: T of the gamma memory, the longest delay divided by 10 to 14.
        two_heads: whether the label is a pair, each with outputs of its own.
    """

    generate: Callable[[int, int], SpikeTrains]
    ceilings: Callable[[float, int], Mapping[str, float]]
    n_outputs: int
    memory_s: float
    two_heads: bool = False

    def loss(self, each: Loss) -> Loss:
        """Return the loss of a network's outputs, given that of one head."""
        return TwoHeads(each) if self.two_heads else each


def _delay_task(*, spacing_ms: int, spread_ms: float, duration_ms: int, memory_s: float) -> TimingTask:
    def generate(n: int, seed: int) -> SpikeTrains:
        return tasks.delay.generate(
            n, seed=seed, spacing_ms=spacing_ms, spread_ms=spread_ms, duration_ms=duration_ms
        )

    def ceilings(dt_s: float, n_simulated: int) -> dict[str, float]:
        return {"full": tasks.delay.ceilings(dt_s=dt_s, spacing_ms=spacing_ms, spread_ms=spread_ms)["full"]}

    return TimingTask(generate, ceilings, n_outputs=8, memory_s=memory_s)


def _echo_ceilings(dt_s: float, n_simulated: int) -> dict[str, float]:
    found = tasks.echo.ceilings(dt_s=dt_s, n_simulated=n_simulated)
    return {"distance": found["distance"], "azimuth": found["azimuth"]}


# Durations leave 40 ms or more to answer after the latest spike.
TIMING_TASKS: Mapping[str, TimingTask] = {
    "delay": _delay_task(spacing_ms=10, spread_ms=2.0, duration_ms=160, memory_s=0.005),
    "fine": _delay_task(
        spacing_ms=int(tasks.delay.FINE["spacing_ms"]),
        spread_ms=tasks.delay.FINE["spread_ms"],
        duration_ms=107,
        memory_s=0.002,
    ),
    "echo": TimingTask(
        lambda n, seed: tasks.echo.generate(n, seed=seed),
        _echo_ceilings,
        n_outputs=N_DISTANCES + N_AZIMUTHS,
        memory_s=0.005,
        two_heads=True,
    ),
}


def timing_task(name: str) -> TimingTask:
    """Return a task of TIMING_TASKS.

    Raises:
        InputError: if there is none of this name.
    """
    if name not in TIMING_TASKS:
        raise InputError(f"unknown task {name!r}", remedy=f"choose from {', '.join(TIMING_TASKS)}")
    return TIMING_TASKS[name]


def on_grid(trains: SpikeTrains, dt_s: float) -> SpikeTrains:
    """Return the samples with every spike moved to the begin of its bin: the same events at any finer dt.

    >>> moved = on_grid(tasks.delay.generate(50, seed=0), 0.005)
    >>> set((moved.times_us % 5000).tolist())
    {0}
    """
    step_us = round(dt_s * 1e6)
    last = trains.n_steps(dt_s) - 1  # a spike at the very end is in the last bin
    steps = np.minimum(trains.times_us // step_us, last)
    return trains.with_spikes((steps * step_us).astype(np.int32), trains.units, trains.offsets)
