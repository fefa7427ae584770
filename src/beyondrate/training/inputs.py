"""From spike trains to what a network takes: sparse rows for ours, a dense tensor for any other."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from beyondrate.events import SpikeTrains, dt_in_us
from beyondrate.ops.sparse_linear import SpikeRows


class BinnedInput:
    """Spike trains from which batches, binned at ``dt_s`` seconds, are taken by sample index.

    Args:
        trains: the samples.
        dt_s: time step in seconds.
        as_rows: give batches as SpikeRows; else as float32 tensors (batch, time, unit) of counts.
        device: where the batches go.

    Raises:
        InputError: if the time step is not a whole, positive number of microseconds.
    """

    def __init__(self, trains: SpikeTrains, dt_s: float, *, as_rows: bool, device: torch.device) -> None:
        dt_in_us(dt_s)
        self.trains = trains
        self.dt_s = dt_s
        self.as_rows = as_rows
        self.device = device

    def batch(self, samples: np.ndarray) -> SpikeRows | Float32[Tensor, "batch time unit"]:
        """Return the given samples as one batch."""
        chosen = np.asarray(samples, dtype=np.int64)
        if not self.as_rows and self.device.type == "cpu":
            return torch.from_numpy(self.trains.dense(self.dt_s, chosen))
        rows = SpikeRows.from_binned(self.trains.binned(self.dt_s, chosen))
        if self.device.type != "cpu":
            rows = rows.to(self.device)  # far smaller than a dense tensor
        return rows if self.as_rows else rows.dense()


def takes_spike_rows(model: object) -> bool:
    """Tell whether a network reads sparse rows itself; any other is given a dense tensor."""
    return bool(getattr(model, "takes_spike_rows", False))
