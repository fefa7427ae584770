"""Synthetic timing tasks whose classes are known to be in the timing, with what an ideal observer reaches.

Each task has ``generate(n_samples, *, seed, ...)``, which returns SpikeTrains with all parameters in
``meta["task"]``, and ``ceilings(...)``, the accuracy of ideal observers that read only part of the spikes or
all of them; where the time step decides what can be read, it takes ``dt_s``.

Example:
    >>> from beyondrate import tasks
    >>> trains = tasks.isi.generate(8, seed=0)
    >>> trains.n_units, trains.meta["task"]["name"], tasks.isi.ceilings()["rate"]
    (10, 'isi', 0.75)
"""

from beyondrate.tasks import (
    coincidence,
    delay,
    echo,
    isi,
    jittered_patterns,
    polychrony,
    temporal_order,
)
from beyondrate.tasks.raster import Raster, rasters

__all__ = [
    "Raster",
    "coincidence",
    "delay",
    "echo",
    "isi",
    "jittered_patterns",
    "polychrony",
    "rasters",
    "temporal_order",
]
