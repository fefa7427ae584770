"""The log of a softmax averaged over time in numba: the classes of a step side by side."""

from __future__ import annotations

import math

import numpy as np

from beyondrate.ops.kernel import kernel
from beyondrate.ops.lanes import first_lanes, largest, load, store, total, where, width

_ENOUGH = 1e-30  # a sum of probabilities so large has all its digits


@kernel
def forward(
    output: np.ndarray,
    labels: np.ndarray,
    probability: np.ndarray,
    share: np.ndarray,
    value: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill ``value`` with log Σ_t p_t / T of the labels of samples start..stop, and what its gradient needs:

    the ``probability`` of each class at each step, and the steps' ``share`` in Σ_t p_t of the label.
    """
    n_steps = output.shape[1]
    for n in range(start, stop):
        own = np.uint64(labels[n])
        sum_own = output.dtype.type(0)
        for t in range(np.uint64(n_steps)):
            _softmax(output, n, t, probability)
            share[n, t] = probability[n, t, own]
            sum_own += share[n, t]
        if sum_own > _ENOUGH:
            value[n] = math.log(sum_own / n_steps)
        else:
            value[n] = _share_by_logs(output, n, own, share) - math.log(n_steps)
            sum_own = output.dtype.type(1)
        for t in range(np.uint64(n_steps)):
            share[n, t] /= sum_own


@kernel
def _softmax(output: np.ndarray, n: int, t: int, probability: np.ndarray) -> None:
    """Fill the probabilities of a step."""
    zero, lowest = output.dtype.type(0), output.dtype.type(-np.inf)
    n_classes, n_lanes = output.shape[2], width(output)
    top = lowest
    for j in range(0, n_classes, n_lanes):
        there = first_lanes(n_classes - j, output)
        top = max(top, largest(where(there, load(output, (n, t, j), n_classes - j), lowest)))
    norm = zero
    for j in range(0, n_classes, n_lanes):
        there = first_lanes(n_classes - j, output)
        e = where(there, np.exp(load(output, (n, t, j), n_classes - j) - top), zero)
        store(probability, (n, t, j), n_classes - j, e)
        norm += total(e)
    for j in range(0, n_classes, n_lanes):
        e = load(probability, (n, t, j), n_classes - j)
        store(probability, (n, t, j), n_classes - j, e / norm)


@kernel
def _share_by_logs(output: np.ndarray, n: int, own: np.uint64, share: np.ndarray) -> float:
    """Fill the steps' shares in Σ_t p_t and return its log: for probabilities that are too small as such."""
    n_steps, n_classes = output.shape[1:]
    log_p = np.zeros(n_steps)
    for t in range(n_steps):
        largest_output = -np.inf
        for j in range(n_classes):
            largest_output = max(largest_output, output[n, t, j])
        norm = 0.0
        for j in range(n_classes):
            norm += math.exp(output[n, t, j] - largest_output)
        log_p[t] = output[n, t, own] - largest_output - math.log(norm)
    sum_own = 0.0
    for t in range(n_steps):
        sum_own += math.exp(log_p[t] - log_p.max())
    for t in range(n_steps):
        share[n, t] = math.exp(log_p[t] - log_p.max()) / sum_own
    return log_p.max() + math.log(sum_own)


@kernel
def backward(
    grad: np.ndarray,
    labels: np.ndarray,
    probability: np.ndarray,
    share: np.ndarray,
    grad_output: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill the outputs' gradient: that of a step's softmax, weighted with its share in Σ_t p_t."""
    n_steps, n_classes = probability.shape[1:]
    for n in range(start, stop):
        own = np.uint64(labels[n])
        for t in range(np.uint64(n_steps)):
            weight = grad[n] * share[n, t]
            for j in range(0, n_classes, width(grad)):
                p = load(probability, (n, t, j), n_classes - j)
                store(grad_output, (n, t, j), n_classes - j, -weight * p)
            grad_output[n, t, own] += weight
