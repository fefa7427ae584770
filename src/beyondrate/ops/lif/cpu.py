"""Leaky integrate-and-fire units in numba: samples outside, time inside, units vectorised.

Written for the compiler and the memory. A loop over units writes one or two arrays only, because the compiler
vectorises it only if it has few arrays to check for overlap. Rows are indexed and not sliced, because a
slice counts references. The backward pass first sweeps forward over a block of steps, because memory
that is read backwards first is fetched slowly. Numbers below ``_TINY`` become 0, because arithmetic on
denormal numbers is slow on many processors. What is not a number
stays so.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from beyondrate.ops.lif.surrogate import SURROGATES

_TINY = 1e-30
_BLOCK = 1 << 15  # elements of a block of steps that stays in the second-level cache
_SUPERSPIKE, _ATAN, _TRIANGLE, _SIGMOID = (
    SURROGATES.index(name) for name in ("superspike", "atan", "triangle", "sigmoid")
)


@njit(cache=True, nogil=True, error_model="numpy")
def lif_forward(
    current: np.ndarray,
    decay: np.ndarray,
    current_decay: np.ndarray,
    hard: float,
    spikes: np.ndarray,
    membrane: np.ndarray,
    state_v: np.ndarray,
    state_u: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Fill ``spikes`` and ``membrane`` (before reset) and advance the states, for samples start..stop."""
    zero, one, tiny = current.dtype.type(0), current.dtype.type(1), current.dtype.type(_TINY)
    n_steps, n_units = current.shape[1:]
    for n in range(start, stop):
        for t in range(n_steps):
            if len(current_decay) > 0:
                for j in range(n_units):
                    u = current_decay[j] * state_u[n, j] + current[n, t, j]
                    state_u[n, j] = zero if abs(u) <= tiny else u
                for j in range(n_units):
                    v = decay[j] * state_v[n, j] + state_u[n, j]
                    membrane[n, t, j] = zero if abs(v) <= tiny else v
            else:
                for j in range(n_units):
                    v = decay[j] * state_v[n, j] + current[n, t, j]
                    membrane[n, t, j] = zero if abs(v) <= tiny else v
            for j in range(n_units):
                v = membrane[n, t, j]
                s = one if v >= one else zero
                spikes[n, t, j] = s
                state_v[n, j] = v - s * (hard * v + (one - hard))


@njit(cache=True, nogil=True, error_model="numpy")
def lif_backward(
    grad_spikes: np.ndarray,
    membrane: np.ndarray,
    decay: np.ndarray,
    current_decay: np.ndarray,
    state_v: np.ndarray,
    state_u: np.ndarray,
    hard: float,
    through_reset: float,
    surrogate: int,
    slope: float,
    grad_current: np.ndarray,
    grad_v: np.ndarray,
    grad_u: np.ndarray,
    grad_decay: np.ndarray,
    grad_current_decay: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Walk back through time for samples start..stop, filling ``grad_current``.

    ``state_v`` and ``state_u`` are the initial states; ``grad_v`` and ``grad_u`` come with the gradients of
    the final states and leave with those of the initial ones. The decays' gradients are per sample and unit.
    ``hard`` and ``through_reset`` are 1 or 0.
    """
    zero, one, tiny = membrane.dtype.type(0), membrane.dtype.type(1), membrane.dtype.type(_TINY)
    n_steps, n_units = membrane.shape[1:]
    slopes, before = np.empty(n_units, membrane.dtype), np.empty(n_units, membrane.dtype)
    reset_slopes = np.zeros(n_units, membrane.dtype)
    block = max(1, _BLOCK // max(1, n_units))
    for n in range(start, stop):
        for t in range(n_steps - 1, -1, -1):
            if t == n_steps - 1 or (t + 1) % block == 0:
                first = t - t % block
                _through_spikes(
                    grad_spikes, membrane, n, first, t + 1, surrogate, slope, slopes, grad_current
                )
            if through_reset == one:
                _surrogate_derivative(membrane, n, t, surrogate, slope, reset_slopes)
            for j in range(n_units):
                v = membrane[n, t, j]
                s = one if v >= one else zero
                kept = (one - hard * s) - reset_slopes[j] * (hard * v + (one - hard))
                g = grad_v[n, j] * kept + grad_current[n, t, j]
                grad_current[n, t, j] = zero if abs(g) <= tiny else g
            _membrane_before(membrane, state_v, n, t, hard, before)
            for j in range(n_units):
                grad_decay[n, j] += grad_current[n, t, j] * before[j]
                grad_v[n, j] = decay[j] * grad_current[n, t, j]
            if len(current_decay) > 0:
                if t < n_steps - 1:
                    for j in range(n_units):
                        u = membrane[n, t, j] - decay[j] * before[j]
                        grad_current_decay[n, j] += grad_current[n, t + 1, j] * u
                for j in range(n_units):
                    g = grad_current[n, t, j] + grad_u[n, j]
                    grad_current[n, t, j] = g
                    grad_u[n, j] = zero if abs(g) <= tiny else current_decay[j] * g
        if len(current_decay) > 0 and n_steps > 0:
            for j in range(n_units):
                grad_current_decay[n, j] += grad_current[n, 0, j] * state_u[n, j]


@njit(cache=True, nogil=True, error_model="numpy")
def _through_spikes(
    grad_spikes: np.ndarray,
    membrane: np.ndarray,
    n: int,
    first: int,
    stop: int,
    surrogate: int,
    slope: float,
    slopes: np.ndarray,
    grad_membrane: np.ndarray,
) -> None:
    """Fill the part of the membranes' gradient that comes through the spikes, for the steps first..stop."""
    for t in range(first, stop):
        _surrogate_derivative(membrane, n, t, surrogate, slope, slopes)
        for j in range(len(slopes)):
            grad_membrane[n, t, j] = grad_spikes[n, t, j] * slopes[j]


@njit(cache=True, nogil=True, error_model="numpy")
def _membrane_before(
    membrane: np.ndarray, state_v: np.ndarray, n: int, t: int, hard: float, before: np.ndarray
) -> None:
    """Fill the membranes after the reset of the step before t."""
    zero, one = membrane.dtype.type(0), membrane.dtype.type(1)
    if t == 0:
        for j in range(len(before)):
            before[j] = state_v[n, j]
    else:
        for j in range(len(before)):
            v = membrane[n, t - 1, j]
            s = one if v >= one else zero
            before[j] = v - s * (hard * v + (one - hard))


@njit(cache=True, nogil=True, error_model="numpy")
def _surrogate_derivative(
    membrane: np.ndarray, n: int, t: int, surrogate: int, slope: float, out: np.ndarray
) -> None:
    """Fill ``out`` with the surrogate of d spike / d membrane."""
    zero, one, four = membrane.dtype.type(0), membrane.dtype.type(1), membrane.dtype.type(4)
    if surrogate == _SUPERSPIKE:
        for j in range(len(out)):
            z = slope * abs(membrane[n, t, j] - one) + one
            out[j] = one / (z * z)
    elif surrogate == _ATAN:
        for j in range(len(out)):
            z = slope * (membrane[n, t, j] - one)
            out[j] = one / (z * z + one)
    elif surrogate == _TRIANGLE:
        for j in range(len(out)):
            out[j] = max(one - slope * abs(membrane[n, t, j] - one), zero)
    elif surrogate == _SIGMOID:
        for j in range(len(out)):
            e = np.exp(-slope * abs(membrane[n, t, j] - one))
            out[j] = four * e / ((one + e) * (one + e))


@njit(cache=True, nogil=True, error_model="numpy")
def leaky_forward(
    current: np.ndarray, decay: np.ndarray, membrane: np.ndarray, state: np.ndarray, start: int, stop: int
) -> None:
    """Fill ``membrane`` of units that never spike and advance the state, for samples start..stop."""
    zero, tiny = current.dtype.type(0), current.dtype.type(_TINY)
    n_steps, n_units = current.shape[1:]
    for n in range(start, stop):
        for t in range(n_steps):
            for j in range(n_units):
                v = decay[j] * state[n, j] + current[n, t, j]
                state[n, j] = zero if abs(v) <= tiny else v
            for j in range(n_units):
                membrane[n, t, j] = state[n, j]


@njit(cache=True, nogil=True, error_model="numpy")
def leaky_backward(
    grad_membrane: np.ndarray,
    membrane: np.ndarray,
    decay: np.ndarray,
    state: np.ndarray,
    grad_current: np.ndarray,
    grad_state: np.ndarray,
    grad_decay: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Walk back through time; the gradients of the states and of the decay are per sample and unit."""
    zero, tiny = membrane.dtype.type(0), membrane.dtype.type(_TINY)
    n_steps, n_units = membrane.shape[1:]
    for n in range(start, stop):
        for t in range(n_steps - 1, -1, -1):
            for j in range(n_units):
                g = grad_membrane[n, t, j] + grad_state[n, j]
                grad_current[n, t, j] = zero if abs(g) <= tiny else g
            for j in range(n_units):
                before = membrane[n, t - 1, j] if t > 0 else state[n, j]
                grad_decay[n, j] += grad_current[n, t, j] * before
            for j in range(n_units):
                grad_state[n, j] = decay[j] * grad_current[n, t, j]
