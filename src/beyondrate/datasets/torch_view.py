"""Spike trains as a data set of torch, for people who have a training loop of their own.

It is loaded when first asked for, since torch takes a second: ``br.datasets.TorchDataset``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.utils.data import Dataset

from beyondrate.events import BinnedSpikes, SpikeTrains
from beyondrate.ops.sparse_linear import SpikeRows
from beyondrate.ops.thin import first_in_bin, kept_offsets

Sample = tuple[SpikeRows | Float32[Tensor, "time unit"], int]


class TorchDataset(Dataset[Sample]):
    """Samples binned at ``dt_s`` as ``beyondrate``'s own networks see them: bins from 0, every spike in one.

    Each sample has the same number of steps, so that torch's own collation makes batches
    (batch, time, unit) of it. Worker processes and pickling work.

    Args:
        trains: the samples.
        dt_s: time step in seconds.
        rows: give the spikes as `SpikeRows`, which ``br.nn`` reads without a dense raster ever being made;
            needs ``collate_fn=collate_rows`` in a DataLoader. Else rasters (time, unit) of counts, float32.
        merge: count at most one spike of a unit in a step; this alone merges spikes, and only if it is asked
            for.

    Raises:
        InputError: if ``dt_s`` is no whole, positive number of microseconds.

    Example:
        >>> trains = SpikeTrains.from_samples([([100, 1700, 3000], [0, 1, 1]), ([900], [1])], labels=[0, 1],
        ...                                   n_units=2, duration_us=3000)
        >>> data = TorchDataset(trains, dt_s=0.001)
        >>> data[0]
        (tensor([[1., 0.],
                [0., 1.],
                [0., 1.]]), 0)
        >>> rasters, labels = next(iter(torch.utils.data.DataLoader(data, batch_size=2)))
        >>> rasters.shape, labels.tolist()
        (torch.Size([2, 3, 2]), [0, 1])
    """

    def __init__(self, trains: SpikeTrains, dt_s: float, *, rows: bool = False, merge: bool = False) -> None:
        self.trains = trains
        self.dt_s = dt_s
        self.rows = rows
        self.merge = merge
        self.n_steps = trains.n_steps(dt_s)

    def __len__(self) -> int:
        return len(self.trains)

    def __getitem__(self, index: int) -> Sample:
        """Return a sample and its label."""
        one = self.trains[index]
        binned = one.binned(self.dt_s)
        found = SpikeRows.from_binned(_merged(binned) if self.merge else binned)
        return found if self.rows else found.dense()[0], int(one.labels[0])


def collate_rows(samples: Sequence[tuple[SpikeRows, int]]) -> tuple[SpikeRows, Int64[Tensor, " batch"]]:
    """Make one batch of samples of a `TorchDataset` with ``rows=True``.

    Example:
        >>> trains = SpikeTrains.from_samples([([100, 1700], [0, 1]), ([900], [1])], labels=[0, 1],
        ...                                   n_units=2, duration_us=3000)
        >>> data = TorchDataset(trains, dt_s=0.001, rows=True)
        >>> loader = torch.utils.data.DataLoader(data, batch_size=2, collate_fn=collate_rows)
        >>> spikes, labels = next(iter(loader))
        >>> spikes.dense().shape, labels.tolist()
        (torch.Size([2, 3, 2]), [0, 1])
    """
    rows = [row for row, _ in samples]
    lengths = torch.cat([row.indptr.diff() for row in rows])
    indptr = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    units = torch.cat([row.units for row in rows])
    batch = SpikeRows(indptr, units, sum(row.n_samples for row in rows), rows[0].n_steps, rows[0].n_units)
    return batch, torch.tensor([label for _, label in samples])


def _merged(binned: BinnedSpikes) -> BinnedSpikes:
    """Return the rows with each unit at most once in each."""
    row = np.repeat(np.arange(len(binned.indptr) - 1), np.diff(binned.indptr))
    keep = first_in_bin(binned.units, np.array([0, len(row)]), row, binned.n_units)
    return binned._replace(indptr=kept_offsets(binned.indptr, keep), units=binned.units[keep])
