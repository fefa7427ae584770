"""Samples as rasters: the arrays that a plot of spikes needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from beyondrate.events import SpikeTrains


class Raster(NamedTuple):
    """One sample's spikes: the class's name, and the time in milliseconds and the unit of each spike."""

    title: str
    times_ms: Float64[np.ndarray, " spikes"]
    units: Int64[np.ndarray, " spikes"]


def rasters(trains: SpikeTrains, samples: Sequence[int] | None = None) -> list[Raster]:
    """Return the rasters of the given samples, by default of the first sample of every class.

    Example:
        >>> from beyondrate.tasks import coincidence
        >>> shown = rasters(coincidence.generate(50, seed=0))
        >>> [raster.title for raster in shown]
        ['group 0 is odd', 'group 1 is odd', 'group 2 is odd']
        >>> shown[0].times_ms.shape == shown[0].units.shape
        True
    """
    if samples is None:
        samples = np.unique(trains.labels, return_index=True)[1].tolist()
    names = trains.meta.get("label_names")
    shown = []
    for sample in samples:
        one = trains[sample]
        label = int(one.labels[0])
        title = names[label] if names else f"class {label}"
        shown.append(Raster(title, one.times_us / 1000, one.units.astype(np.int64)))
    return shown
