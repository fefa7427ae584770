"""Softmaxes averaged over time in numba: the steps of a class side by side, for classes are often few."""

from __future__ import annotations

import math

import numpy as np

from beyondrate.ops.kernel import kernel
from beyondrate.ops.lanes import load, store, total, where, width, zeros

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
    n_steps, n_classes = output.shape[1:]
    panel = np.zeros((n_classes, width(output)), output.dtype)
    for n in range(start, stop):
        own = np.uint64(labels[n])
        sum_own = output.dtype.type(0)
        for first in range(0, n_steps, width(output)):
            n_there = min(n_steps - first, width(output))
            _softmax(output, n, first, n_there, panel)
            for i in range(n_there):
                t = first + i
                for j in range(n_classes):
                    probability[n, t, j] = panel[j, i]
                share[n, t] = panel[own, i]
                sum_own += panel[own, i]
        if sum_own > _ENOUGH:
            value[n] = math.log(sum_own / n_steps)
        else:
            value[n] = _share_by_logs(output, n, own, share) - math.log(n_steps)
            sum_own = output.dtype.type(1)
        for t in range(np.uint64(n_steps)):
            share[n, t] /= sum_own


@kernel
def mean(output: np.ndarray, probability: np.ndarray, start: int, stop: int) -> None:
    """Fill the mean ``probability`` of each class over all steps, for the samples start..stop."""
    n_steps, n_classes = output.shape[1:]
    panel = np.zeros((n_classes, width(output)), output.dtype)
    for n in range(start, stop):
        for j in range(n_classes):
            probability[n, j] = 0
        for first in range(0, n_steps, width(output)):
            n_there = min(n_steps - first, width(output))
            _softmax(output, n, first, n_there, panel)
            for j in range(n_classes):
                probability[n, j] += total(load(panel, (j, 0), n_there))
        for j in range(n_classes):
            probability[n, j] /= n_steps


@kernel
def _softmax(output: np.ndarray, n: int, first: int, n_steps: int, panel: np.ndarray) -> None:
    """Fill the probabilities of some steps, those of a class side by side."""
    n_classes, n_lanes = panel.shape
    for i in range(n_steps):
        for j in range(n_classes):
            panel[j, i] = output[n, first + i, j]
    top = load(panel, (0, 0), n_lanes)
    for j in range(1, n_classes):
        x = load(panel, (j, 0), n_lanes)
        top = where(x > top, x, top)
    norm = zeros(output)
    for j in range(n_classes):
        e = np.exp(load(panel, (j, 0), n_lanes) - top)
        store(panel, (j, 0), n_lanes, e)
        norm += e
    for j in range(n_classes):
        store(panel, (j, 0), n_lanes, load(panel, (j, 0), n_lanes) / norm)


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
