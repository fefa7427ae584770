"""SpikingGamma: gamma memories that synapses feed, and units that code their value in spikes.

They keep what walking back needs, because going forward through them once more would cost more than that.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from beyondrate.ops.feedforward.kernels.gamma import (
    gamma_backward,
    gamma_forward,
    sigma_delta_backward,
    sigma_delta_forward,
)
from beyondrate.ops.feedforward.room import Room
from beyondrate.ops.feedforward.stages import GammaMemories, SigmaDeltaUnits
from beyondrate.ops.feedforward.table import Record, Row
from beyondrate.ops.gamma.cpu import Chain, chain_of
from beyondrate.ops.sigma_delta.custom import backward_matrix, forward_matrix
from beyondrate.ops.sparse_linear import SpikeRows

_CHAIN = "matrix", "pairs", "begin", "end"


class GammaRecord(Record):
    """Gamma memories, read with gains."""

    def __init__(self, row: Row, stage: GammaMemories, room: Room) -> None:
        n_buckets, n_units = stage.gain.shape
        super().__init__(row, room.numpy_dtype, gamma_forward, gamma_backward, n_buckets=n_buckets)
        self.room, self.transition = room, b""
        self.per_sample = room.of_samples(n_buckets, n_units), room.of_samples(n_units)
        self.own(grad_gain=self.per_sample[0], grad_bias=self.per_sample[1])

    def bring(self, stage: GammaMemories, rows: SpikeRows) -> None:
        transition = self.room.given(stage.transition).numpy()
        if transition.tobytes() != self.transition:
            self.own(**dict(zip(_CHAIN, chain_of(transition), strict=True)))
            self.transition = transition.tobytes()
        self.point_to(gain=self.room.given(stage.gain), bias=self.room.given(stage.bias))

    def gradients(self, stage: object) -> list[Tensor]:
        return [torch.from_numpy(np.add.reduce(g.numpy())) for g in self.per_sample]


class SigmaDeltaRecord(Record):
    """Units that code their value in adaptive sigma-delta spikes."""

    def __init__(self, row: Row, stage: SigmaDeltaUnits, room: Room, n_units: int) -> None:
        params, n_buckets = stage.params, len(stage.transition)
        super().__init__(
            row,
            room.numpy_dtype,
            sigma_delta_forward,
            sigma_delta_backward,
            n_buckets=n_buckets,
            theta0=params.theta0,
            adaptation=params.adaptation,
            rho=params.rho,
            most_quanta=params.most_quanta,
            gated=stage.gated,
        )
        self.room, self.transition = room, b""
        self.own(state=room.of_samples(n_buckets, n_units))
        self.put(flags=room.rows(n_units, torch.uint8))

    def bring(self, stage: SigmaDeltaUnits, rows: SpikeRows) -> None:
        transition = self.room.given(stage.transition).numpy()
        if transition.tobytes() != self.transition:
            numbers, use_sum = transition.tobytes(), stage.params.code == "sum"
            chains = _chains_of_code(numbers, len(transition), transition.dtype, use_sum)
            for suffix, chain in zip(("", "_back"), chains, strict=True):
                self.own(**{f"{name}{suffix}": part for name, part in zip(_CHAIN, chain, strict=True)})
            self.transition = numbers


@lru_cache(maxsize=16)
def _chains_of_code(
    transition: bytes, n_buckets: int, dtype: np.dtype[Any], use_sum: bool
) -> tuple[Chain, Chain]:
    """Return what advances an encoder's memory and what takes its gradient back: the same for every batch."""
    matrix = torch.from_numpy(np.frombuffer(transition, dtype).reshape(n_buckets, n_buckets).copy())
    forth, back = forward_matrix(matrix, use_sum), backward_matrix(matrix, use_sum)
    return chain_of(forth.contiguous().numpy()), chain_of(back.contiguous().numpy())
