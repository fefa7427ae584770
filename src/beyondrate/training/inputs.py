"""From spike trains to what a network takes: sparse rows for ours, a dense tensor for any other."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from beyondrate.events import SpikeTrains
from beyondrate.ops.sparse_linear import SpikeRows


class BinnedInput:
    """Spike trains binned once at ``dt_s`` seconds, from which batches are taken by sample index.

    Args:
        trains: the samples.
        dt_s: time step in seconds.
        as_rows: give batches as SpikeRows; else as float32 tensors (batch, time, unit) of counts.
        device: where the batches go.
    """

    def __init__(self, trains: SpikeTrains, dt_s: float, *, as_rows: bool, device: torch.device) -> None:
        self.binned = trains.binned(dt_s)
        self.as_rows = as_rows
        self.device = device

    def batch(self, samples: np.ndarray) -> SpikeRows | Float32[Tensor, "batch time unit"]:
        """Return the given samples as one batch."""
        binned = self.binned.take(np.asarray(samples, dtype=np.int64))
        rows = SpikeRows.from_binned(binned).to(self.device)
        return rows if self.as_rows else rows.dense()


def takes_spike_rows(model: object) -> bool:
    """Tell whether a network reads sparse rows itself; any other is given a dense tensor."""
    return bool(getattr(model, "takes_spike_rows", False))
