"""From a task's spikes in any order to SpikeTrains."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int64, Integer

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, offsets_from_lengths

US_PER_MS = 1000


def assemble(
    sample: Integer[np.ndarray, " spikes"],
    units: Integer[np.ndarray, " spikes"],
    times_us: Int64[np.ndarray, " spikes"],
    *,
    labels: Int64[np.ndarray, " samples"],
    label_names: list[str],
    n_units: int,
    duration_ms: int,
    task: dict[str, Any],
) -> SpikeTrains:
    """Sort spikes by sample and time; simultaneous spikes stand in the order of their units."""
    duration_us = duration_ms * US_PER_MS
    key = (sample.astype(np.int64) * (duration_us + 1) + times_us) * n_units + units
    key.sort()
    key, units = np.divmod(key, n_units)
    return SpikeTrains(
        times_us=key % (duration_us + 1),
        units=units,
        offsets=offsets_from_lengths(np.bincount(sample, minlength=len(labels))),
        labels=labels,
        n_units=n_units,
        duration_us=duration_us,
        meta={"source": f"task {task['name']}", "label_names": label_names, "task": task},
    )


class Noise(NamedTuple):
    """Spikes that mean nothing: the sample, unit and time in microseconds of each."""

    sample: Int64[np.ndarray, " spikes"]
    unit: Int64[np.ndarray, " spikes"]
    time_us: Int64[np.ndarray, " spikes"]


def poisson_noise(
    n_samples: int, n_units: int, rate_hz: float, duration_us: int, rng: np.random.Generator
) -> Noise:
    """Draw Poisson spikes of ``rate_hz`` in every unit of every sample, uniform over the duration.

    Raises:
        InputError: if the rate is negative.
    """
    if not rate_hz >= 0:
        raise InputError(f"noise_hz is {rate_hz}", remedy="give 0 or a positive rate")
    n_spikes = rng.poisson(rate_hz * duration_us / 1e6, n_samples * n_units)
    train = np.repeat(np.arange(n_samples * n_units), n_spikes)
    return Noise(train // n_units, train % n_units, rng.integers(0, duration_us + 1, len(train)))


def check_whole(smallest: int = 1, **values: int) -> None:
    """Refuse a parameter that is not a whole number of at least ``smallest``.

    Raises:
        InputError: naming the parameter.
    """
    for name, value in values.items():
        if not isinstance(value, int | np.integer) or value < smallest:
            raise InputError(f"{name} is {value!r}", remedy=f"give a whole number of at least {smallest}")
