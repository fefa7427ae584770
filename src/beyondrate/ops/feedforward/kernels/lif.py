"""Leaky integrate-and-fire units, and units that leak and never spike."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.addresses import array_at
from beyondrate.ops.feedforward.kernels.views import FIRST, rows_at, samples_at, seam_at
from beyondrate.ops.feedforward.table import Row, Table
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.kernel import kernel, part_of_kernels
from beyondrate.ops.lif.cpu import leaky_backward, leaky_forward, lif_backward, lif_forward


@kernel
def lif_units_forward(stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """Fill spikes and membranes, and leave the state at the next seam."""
    stage = stages[s]
    n_units, number, n = stage.n_out, like.dtype.type, tile[2]
    current = rows_at(stage.x, stage.x_moves, scratch, tile, n_units, like)
    spikes = rows_at(stage.out, stage.out_moves, scratch, tile, n_units, like)
    membrane = rows_at(stage.membrane, stage.membrane_moves, scratch, tile, n_units, like)
    decay, current_decay = _decays(stage, like)
    v = _carried_over(stage.v, stage, tile, like)
    u = _carried_over(stage.u, stage, tile, like) if stage.filtered else v
    lif_forward(current, decay, current_decay, number(stage.hard), spikes, membrane, v, u, FIRST, n)


@kernel
def lif_units_backward(
    stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray
) -> None:
    """Fill the gradient of the currents, and add to those of the decays."""
    stage = stages[s]
    n_units, number, n, part = stage.n_out, like.dtype.type, tile[2], tile[6]
    grad_spikes = rows_at(stage.grad_out, stage.grad_out_moves, scratch, tile, n_units, like)
    grad_current = rows_at(stage.grad_x, stage.grad_x_moves, scratch, tile, n_units, like)
    membrane = rows_at(stage.membrane, stage.membrane_moves, scratch, tile, n_units, like)
    decay, current_decay = _decays(stage, like)
    v = seam_at(stage.v, part, stage.n_samples, tile, n_units, like)
    grad_v = samples_at(stage.grad_v, tile, n_units, like)
    grad_decay = samples_at(stage.grad_decay, tile, n_units, like)
    u, grad_u, grad_current_decay = v, grad_v, grad_decay
    if stage.filtered:
        u = seam_at(stage.u, part, stage.n_samples, tile, n_units, like)
        grad_u = samples_at(stage.grad_u, tile, n_units, like)
        grad_current_decay = samples_at(stage.grad_current_decay, tile, n_units, like)
    lif_backward(
        grad_spikes,
        membrane,
        decay,
        current_decay,
        v,
        u,
        number(stage.hard),
        number(stage.through_reset),
        stage.surrogate,
        number(stage.slope),
        grad_current,
        grad_v,
        grad_u,
        grad_decay,
        grad_current_decay,
        FIRST,
        n,
    )


@kernel
def leaky_units_forward(
    stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray
) -> None:
    """Fill the membranes, and leave the state at the next seam."""
    stage = stages[s]
    current = rows_at(stage.x, stage.x_moves, scratch, tile, stage.n_out, like)
    membrane = rows_at(stage.out, stage.out_moves, scratch, tile, stage.n_out, like)
    v = _carried_over(stage.v, stage, tile, like)
    leaky_forward(current, _decays(stage, like)[0], membrane, v, FIRST, tile[2])


@kernel
def leaky_units_backward(
    stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray
) -> None:
    """Fill the gradient of the currents, and add to that of the decay."""
    stage = stages[s]
    n_units = stage.n_out
    grad = rows_at(stage.grad_out, stage.grad_out_moves, scratch, tile, n_units, like)
    membrane = rows_at(stage.out, stage.out_moves, scratch, tile, n_units, like)
    grad_current = rows_at(stage.grad_x, stage.grad_x_moves, scratch, tile, n_units, like)
    v = seam_at(stage.v, tile[6], stage.n_samples, tile, n_units, like)
    grad_v = samples_at(stage.grad_v, tile, n_units, like)
    grad_decay = samples_at(stage.grad_decay, tile, n_units, like)
    leaky_backward(
        grad, membrane, _decays(stage, like)[0], v, grad_current, grad_v, grad_decay, FIRST, tile[2]
    )


@part_of_kernels
def _decays(stage: Row, like: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the decays of membranes and of currents, if these are filtered."""
    n_filtered = stage.n_out if stage.filtered else 0
    return array_at(stage.decay, (stage.n_out,), like), array_at(stage.current_decay, (n_filtered,), like)


@part_of_kernels
def _carried_over(states: int, stage: Row, tile: Tile, like: np.ndarray) -> np.ndarray:
    """Return the state at the next seam, which is that of this one as yet."""
    state = seam_at(states, tile[6] + 1, stage.n_samples, tile, stage.n_out, like)
    before = seam_at(states, tile[6], stage.n_samples, tile, stage.n_out, like)
    for n in range(tile[2]):
        for j in range(stage.n_out):
            state[n, j] = before[n, j]
    return state
