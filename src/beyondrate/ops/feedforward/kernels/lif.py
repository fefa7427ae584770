"""Leaky integrate-and-fire units, and units that leak and never spike."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.addresses import array_at
from beyondrate.ops.feedforward.kernels.synapses import lists, weights
from beyondrate.ops.feedforward.kernels.views import FIRST, rows_at, samples_at, seam_at
from beyondrate.ops.feedforward.table import Row, Table
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.kernel import kernel, part_of_kernels
from beyondrate.ops.lanes import flushed, load, store, where, width
from beyondrate.ops.lif.cpu import after_reset, leaky_backward, leaky_forward, lif_backward, lif_forward
from beyondrate.ops.sparse_linear.cpu import sum_of_row


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
def fed_lif_units_forward(
    stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray
) -> None:
    """Do the same with currents that are left to be summed here, which so never leave registers."""
    stage, synapses, number = stages[s], stages[s - 1], like.dtype.type
    spikes = rows_at(stage.out, stage.out_moves, scratch, tile, stage.n_out, like)
    membrane = rows_at(stage.membrane, stage.membrane_moves, scratch, tile, stage.n_out, like)
    v = _carried_over(stage.v, stage, tile, like)
    u = _carried_over(stage.u, stage, tile, like) if stage.filtered else v
    given = *lists(synapses, tile, scratch, like), *weights(synapses, like), *_decays(stage, like)
    _sum_and_fire(*given, number(stage.hard), spikes, membrane, v, u)


@kernel
def _sum_and_fire(
    indptr: np.ndarray,
    units: np.ndarray,
    values: np.ndarray,
    weight_t: np.ndarray,
    bias: np.ndarray,
    decay: np.ndarray,
    current_decay: np.ndarray,
    hard: float,
    spikes: np.ndarray,
    membrane: np.ndarray,
    state_v: np.ndarray,
    state_u: np.ndarray,
) -> None:
    """Do what ``sum_weights`` does and then ``lif_forward``."""
    zero, one = spikes.dtype.type(0), spikes.dtype.type(1)
    n_steps, n_units = spikes.shape[1:]
    filtered = len(current_decay) > 0
    for n in range(len(spikes)):
        for j in range(0, n_units, width(spikes)):
            left = n_units - j
            b, after = load(decay, j, left), load(state_v, (n, j), left)
            a, u = (load(current_decay, j, left), load(state_u, (n, j), left)) if filtered else (b, after)
            for t in range(n_steps):
                inflow = sum_of_row(indptr, units, values, weight_t, bias, n * n_steps + t, j, left)
                if filtered:
                    u = flushed(a * u + inflow)
                    inflow = u
                v = flushed(b * after + inflow)
                store(membrane, (n, t, j), left, v)
                store(spikes, (n, t, j), left, where(v >= one, one, zero))
                after = after_reset(v, one, hard)
            store(state_v, (n, j), left, after)
            if filtered:
                store(state_u, (n, j), left, u)


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
