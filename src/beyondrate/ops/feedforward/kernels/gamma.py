"""SpikingGamma: gamma memories, and units that code their value in adaptive sigma-delta spikes."""

from __future__ import annotations

import numpy as np

from beyondrate.ops.addresses import array_at
from beyondrate.ops.feedforward.kernels.views import FIRST, buckets_at, rows_at, samples_at
from beyondrate.ops.feedforward.table import Row, Table
from beyondrate.ops.feedforward.tiles import Tile
from beyondrate.ops.gamma.cpu import Chain, scan_backward, scan_forward
from beyondrate.ops.kernel import kernel, part_of_kernels
from beyondrate.ops.sigma_delta.cpu import encode, encode_backward


@kernel
def gamma_forward(stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """Fill what is read from the memories."""
    stage = stages[s]
    u = rows_at(stage.x, stage.x_moves, scratch, tile, stage.n_out, like)
    x = rows_at(stage.out, stage.out_moves, scratch, tile, stage.n_out, like)
    gain = array_at(stage.gain, (stage.n_buckets, stage.n_out), like)
    bias = array_at(stage.bias, (stage.n_out,), like)
    scan_forward(u, gain, bias, _memory_chain(stage, like), x, FIRST, tile[2])


@kernel
def gamma_backward(stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray) -> None:
    """Fill the gradient of what the memories are fed, and of gain and bias per sample."""
    stage = stages[s]
    n_units, n_buckets = stage.n_out, stage.n_buckets
    grad = rows_at(stage.grad_out, stage.grad_out_moves, scratch, tile, n_units, like)
    u = rows_at(stage.x, stage.x_moves, scratch, tile, n_units, like)
    grad_u = rows_at(stage.grad_x, stage.grad_x_moves, scratch, tile, n_units, like)
    gain, chain = array_at(stage.gain, (n_buckets, n_units), like), _memory_chain(stage, like)
    grad_gain = buckets_at(stage.grad_gain, tile, n_buckets, n_units, like)
    grad_bias = samples_at(stage.grad_bias, tile, n_units, like)
    scan_backward(grad, u, gain, chain, grad_u, grad_gain, grad_bias, FIRST, tile[2])


@kernel
def sigma_delta_forward(
    stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray
) -> None:
    """Fill the spikes, and the flags that walking back needs."""
    stage = stages[s]
    n_units, number = stage.n_out, like.dtype.type
    x = rows_at(stage.x, stage.x_moves, scratch, tile, n_units, like)
    spikes = rows_at(stage.out, stage.out_moves, scratch, tile, n_units, like)
    encode(
        x,
        _code_chain(stage, like),
        number(stage.theta0),
        number(stage.adaptation),
        number(stage.rho),
        number(stage.most_quanta),
        stage.gated != 0,
        _silent_memory(stage, tile, like),
        spikes,
        _flags(stage, tile, scratch),
        FIRST,
        tile[2],
    )


@kernel
def sigma_delta_backward(
    stages: Table, s: int, tile: Tile, scratch: int, again: bool, like: np.ndarray
) -> None:
    """Fill the gradient of what was coded."""
    stage = stages[s]
    grad = rows_at(stage.grad_out, stage.grad_out_moves, scratch, tile, stage.n_out, like)
    grad_x = rows_at(stage.grad_x, stage.grad_x_moves, scratch, tile, stage.n_out, like)
    flags, memory = _flags(stage, tile, scratch), _silent_memory(stage, tile, like)
    encode_backward(grad, flags, _code_chain_back(stage, like), memory, grad_x, FIRST, tile[2])


@part_of_kernels
def _memory_chain(stage: Row, like: np.ndarray) -> Chain:
    """Return what advances the memories."""
    n = stage.n_buckets
    matrix = array_at(stage.matrix, (n, n), like)
    return matrix, *_order(stage.pairs, stage.begin, stage.end, n)


@part_of_kernels
def _code_chain(stage: Row, like: np.ndarray) -> Chain:
    """Return what advances the encoder's memory, and what it estimates in the row below."""
    n = stage.n_buckets + 1
    matrix = array_at(stage.matrix, (n, n), like)
    return matrix, *_order(stage.pairs, stage.begin, stage.end, n)


@part_of_kernels
def _code_chain_back(stage: Row, like: np.ndarray) -> Chain:
    """Return what takes the gradient of the encoder's memory back by a step."""
    n = stage.n_buckets
    matrix = array_at(stage.matrix_back, (n, n + 1), like)
    return matrix, *_order(stage.pairs_back, stage.begin_back, stage.end_back, n)


@part_of_kernels
def _order(pairs: int, begin: int, end: int, n_rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return in which order a chain makes its rows, see ``beyondrate.ops.gamma.cpu``."""
    n = (n_rows + 1) // 2
    return (
        array_at(pairs, (n, 2), np.uint64),
        array_at(begin, (n,), np.uint64),
        array_at(end, (n,), np.uint64),
    )


@part_of_kernels
def _silent_memory(stage: Row, tile: Tile, like: np.ndarray) -> np.ndarray:
    """Return the encoder's memory, in which nothing is yet."""
    n_buckets, n_units = stage.n_buckets, stage.n_out
    state = buckets_at(stage.state, tile, n_buckets, n_units, like)
    for n in range(tile[2]):
        for k in range(n_buckets):
            for j in range(n_units):
                state[n, k, j] = 0
    return state


@part_of_kernels
def _flags(stage: Row, tile: Tile, scratch: int) -> np.ndarray:
    """Return what walking back needs to know of each step."""
    like = array_at(0, (0,), np.uint8)
    return rows_at(stage.flags, stage.flags_moves, scratch, tile, stage.n_out, like)
