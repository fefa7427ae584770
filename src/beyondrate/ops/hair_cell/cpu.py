"""The hair cell and the bushy cell compiled for the CPU: the reference's arithmetic, LANES channels abreast.

Loops over LANES have a fixed length and no branch, so they become vector code. Copies are loops too: numba
takes seconds to compile an assignment of arrays.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from beyondrate.ops.hair_cell import Constants, State
from beyondrate.ops.hair_cell.reference import HIGHEST_PROBABILITY
from beyondrate.ops.kernel import kernel

LANES = 64
TILE = 64  # steps whose velocity is turned from (channel, step) to (step, lane) at a time
ZERO, ONE = np.float32(0), np.float32(1)


@kernel
def fire(
    velocity: np.ndarray,
    state: State,
    keys: np.ndarray,
    first_step: int,
    k: Constants,
    steps: np.ndarray,
    channels: np.ndarray,
) -> int:
    """Write (step, channel) of every spike, return how many; ``state`` moves on to the stretch's end."""
    n_channels, n_steps = velocity.shape
    n_spikes = 0
    for group in range(0, n_channels, LANES):
        lanes = min(LANES, n_channels - group)
        end = group + lanes
        store = _lanes(state.store[group:end])
        cleft = _lanes(state.cleft[group:end])
        reprocessing = _lanes(state.reprocessing[group:end])
        synapse = _lanes(state.synapse[group:end])
        membrane = _lanes(state.membrane[group:end])
        refractory = _lanes(state.refractory[group:end])
        key0, key1 = _lanes(keys[group:end, 0]), _lanes(keys[group:end, 1])
        released = np.zeros((k.dead_steps, LANES), np.int32)
        free = np.full(LANES, k.n_fibres, np.int32)
        for slot in range(k.dead_steps):
            for j in range(lanes):
                released[slot, j] = state.released[group + j, slot]
                free[j] -= released[slot, j]
        probability = np.empty(LANES, np.float32)
        word = np.empty(LANES, np.uint32)
        fired = np.empty(LANES, np.bool_)
        tile = np.zeros((TILE, LANES), np.float32)

        for start in range(0, n_steps, TILE):
            size = min(TILE, n_steps - start)
            for j in range(lanes):
                for i in range(size):
                    tile[i, j] = velocity[group + j, start + i]
            for i in range(size):
                step = first_step + start + i
                now = released[step % k.dead_steps]
                _hair_cell(tile[i], store, cleft, reprocessing, probability, k)
                _random_words(step, key0, key1, word)
                _draw_releases(word, probability, free, now)
                if _bushy_cell(now, synapse, membrane, refractory, fired, k):
                    for j in range(lanes):
                        if fired[j]:
                            steps[n_spikes] = start + i
                            channels[n_spikes] = group + j
                            n_spikes += 1

        _put_back(store, state.store[group:end])
        _put_back(cleft, state.cleft[group:end])
        _put_back(reprocessing, state.reprocessing[group:end])
        _put_back(synapse, state.synapse[group:end])
        _put_back(membrane, state.membrane[group:end])
        _put_back(refractory, state.refractory[group:end])
        for slot in range(k.dead_steps):
            for j in range(lanes):
                state.released[group + j, slot] = released[slot, j]
    return n_spikes


@njit(error_model="numpy")
def _lanes(values: np.ndarray) -> np.ndarray:
    """Copy at most LANES values; the lanes that are left stay 0 and never fire."""
    lanes = np.zeros(LANES, values.dtype)
    for j in range(len(values)):
        lanes[j] = values[j]
    return lanes


@njit(error_model="numpy")
def _put_back(lanes: np.ndarray, values: np.ndarray) -> None:
    for j in range(len(values)):
        values[j] = lanes[j]


@njit(inline="always", error_model="numpy")
def _hair_cell(
    speed: np.ndarray,
    store: np.ndarray,
    cleft: np.ndarray,
    reprocessing: np.ndarray,
    probability: np.ndarray,
    k: Constants,
) -> None:
    for j in range(LANES):
        drive = speed[j] + k.offset
        drive = drive if drive > ZERO else ZERO
        flow = k.leave * drive / (drive + k.half) * store[j]
        recovered = k.reprocess * reprocessing[j]
        returned = k.recover * cleft[j]
        store[j] = store[j] + (k.refill * (ONE - store[j]) - flow + recovered)
        cleft[j] = cleft[j] + (flow - k.loss_and_return * cleft[j])
        reprocessing[j] = reprocessing[j] + (returned - recovered)
    for j in range(LANES):
        p = k.release * cleft[j]
        probability[j] = ZERO if p < ZERO else HIGHEST_PROBABILITY if p > HIGHEST_PROBABILITY else p


@njit(inline="always", error_model="numpy")
def _draw_releases(word: np.ndarray, probability: np.ndarray, free: np.ndarray, now: np.ndarray) -> None:
    """Replace the releases that leave the dead time by this step's; ``free`` fibres follow."""
    for j in range(LANES):
        free[j] += now[j]
    for j in range(LANES):
        now[j] = _binomial_to_three(_uniform(word[j]), free[j], probability[j])
    n_three = np.int32(0)
    for j in range(LANES):
        n_three += np.int32(now[j] == 3)
    if n_three:
        for j in range(LANES):
            if now[j] == 3:
                now[j] = _binomial(_uniform(word[j]), free[j], probability[j])
    for j in range(LANES):
        free[j] -= now[j]


@njit(inline="always", error_model="numpy")
def _bushy_cell(
    now: np.ndarray,
    synapse: np.ndarray,
    membrane: np.ndarray,
    refractory: np.ndarray,
    fired: np.ndarray,
    k: Constants,
) -> int:
    """Return how many lanes fire."""
    for j in range(LANES):
        synapse[j] = synapse[j] * k.synapse_decay + k.weight * np.float32(now[j])
        potential = membrane[j] * k.membrane_decay + synapse[j]
        membrane[j] = ZERO if refractory[j] > 0 else potential
    n_fired = 0
    for j in range(LANES):
        fired[j] = membrane[j] > ONE
        n_fired += membrane[j] > ONE
    for j in range(LANES):
        rest = max(refractory[j] - np.int32(1), np.int32(0))
        refractory[j] = np.int32(k.refractory_steps) if fired[j] else rest
        membrane[j] = ZERO if fired[j] else membrane[j]
    return n_fired


@njit(inline="always", error_model="numpy")
def _random_words(
    step: int,
    key0: np.ndarray,
    key1: np.ndarray,
    word: np.ndarray,
) -> None:
    counter = np.uint32(step & 0xFFFFFFFF)
    for j in range(LANES):
        word[j] = _mixed(np.uint32(_mixed(np.uint32(counter + key0[j])) ^ key1[j]))


@njit(error_model="numpy")
def _mixed(word: np.uint32) -> np.uint32:
    word = np.uint32((word ^ (word >> np.uint32(16))) * np.uint32(0x7FEB352D))
    word = np.uint32((word ^ (word >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(word ^ (word >> np.uint32(16)))


@njit(error_model="numpy")
def _uniform(word: np.uint32) -> float:
    return (np.float64(word) + 0.5) * 2.0**-32


@njit(error_model="numpy")
def _none(n: int, stay: float) -> float:
    """stay ** n for n < 64, by squaring."""
    power = stay if n & 32 else 1.0
    power = power * power * (stay if n & 16 else 1.0)
    power = power * power * (stay if n & 8 else 1.0)
    power = power * power * (stay if n & 4 else 1.0)
    power = power * power * (stay if n & 2 else 1.0)
    return power * power * (stay if n & 1 else 1.0)


@njit(error_model="numpy")
def _binomial_to_three(uniform: float, n: int, probability: np.float32) -> np.int32:
    """Return the smaller of a binomial draw and 3, without a branch."""
    p = np.float64(probability)
    stay = 1 - p
    odds = p / stay
    term = _none(n, stay)
    none = term
    term = term * odds * n
    one = none + term
    term = term * odds * (n - 1) / 2
    two = one + term
    return np.int32(uniform >= none) + np.int32(uniform >= one) + np.int32(uniform >= two)


@njit(error_model="numpy")
def _binomial(uniform: float, n: int, probability: np.float32) -> int:
    """Return a binomial draw by inversion."""
    p = np.float64(probability)
    odds = p / (1 - p)
    term = _none(n, 1 - p)
    cumulated = term
    drawn = 0
    while uniform >= cumulated and drawn < n:
        term = term * odds * (n - drawn) / (drawn + 1)
        cumulated += term
        drawn += 1
    return drawn
