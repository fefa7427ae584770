"""Synthetic timing tasks whose classes are known to be in the timing, with what an ideal observer reaches.

Each task has ``generate(n_samples, *, seed, ...)``, which returns SpikeTrains with all parameters in
``meta["task"]``, and ``ceilings(...)``, the accuracy of ideal observers that read only part of the spikes or
all of them.

Example:
    >>> from beyondrate import tasks
    >>> trains = tasks.isi.generate(8, seed=0)
    >>> trains.n_units, trains.meta["task"]["name"], tasks.isi.ceilings()["rate"]
    (10, 'isi', 0.75)
"""

from beyondrate.tasks import coincidence, isi, polychrony, temporal_order

__all__ = ["coincidence", "isi", "polychrony", "temporal_order"]
