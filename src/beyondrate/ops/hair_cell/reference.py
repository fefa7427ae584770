"""The hair cell and the bushy cell, one step after another, in plain numpy."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64, Int32, Integer, UInt32

from beyondrate.ops.hair_cell import Constants, State

HIGHEST_PROBABILITY = np.float32(0.999)


def fire(
    velocity: Float32[np.ndarray, "channels steps"],
    state: State,
    keys: UInt32[np.ndarray, "channels 2"],
    first_step: int,
    constants: Constants,
) -> tuple[Int32[np.ndarray, " spikes"], Int32[np.ndarray, " spikes"]]:
    """Return (step, channel) of every spike; ``state`` moves on to the end of the stretch."""
    spikes = []
    for i, speed in enumerate(velocity.T):
        step = first_step + i
        probability = _release_probability(speed, state, constants)
        released = _draw_releases(probability, state, keys, step, constants)
        spikes.append(np.flatnonzero(_bushy_cell(released, state, constants)))
    steps = np.repeat(np.arange(len(spikes)), [len(found) for found in spikes])
    return steps.astype(np.int32), np.concatenate([np.zeros(0, np.int32), *spikes]).astype(np.int32)


def release_probability(
    velocity: Float32[np.ndarray, "channels steps"], state: State, constants: Constants
) -> Float32[np.ndarray, "channels steps"]:
    """Return the probability that a fibre is excited in each step."""
    return np.stack([_release_probability(speed, state, constants) for speed in velocity.T], axis=1)


def _release_probability(
    speed: Float32[np.ndarray, " channels"], state: State, k: Constants
) -> Float32[np.ndarray, " channels"]:
    """One Euler step of Meddis' reservoirs: q' = y(1 - q) - kq + xw, c' = kq - (l + r)c, w' = rc - xw."""
    drive = np.maximum(speed + k.offset, np.float32(0))
    flow = k.leave * drive / (drive + k.half) * state.store
    recovered = k.reprocess * state.reprocessing
    returned = k.recover * state.cleft
    state.store[:] = state.store + (k.refill * (np.float32(1) - state.store) - flow + recovered)
    state.cleft[:] = state.cleft + (flow - k.loss_and_return * state.cleft)
    state.reprocessing[:] = state.reprocessing + (returned - recovered)
    # Below 9 kHz, (l + r) dt > 1, a step can overshoot to a cleft content below 0.
    return np.clip(k.release * state.cleft, np.float32(0), HIGHEST_PROBABILITY)


def _draw_releases(
    probability: Float32[np.ndarray, " channels"],
    state: State,
    keys: UInt32[np.ndarray, "channels 2"],
    step: int,
    k: Constants,
) -> Integer[np.ndarray, " channels"]:
    """Draw how many fibres are excited; a fibre that was within the dead time is blocked."""
    state.released[:, step % k.dead_steps] = 0
    free = k.n_fibres - state.released.sum(axis=1)
    released = binomial(uniform(keys, step), free, probability.astype(np.float64))
    state.released[:, step % k.dead_steps] = released
    return released


def _bushy_cell(released: Integer[np.ndarray, " channels"], state: State, k: Constants) -> np.ndarray:
    """One exact step of a leaky integrate-and-fire cell with an exponentially decaying synapse."""
    state.synapse[:] = state.synapse * k.synapse_decay + k.weight * released.astype(np.float32)
    membrane = state.membrane * k.membrane_decay + state.synapse
    membrane[state.refractory > 0] = 0
    fired = membrane > 1
    state.membrane[:] = np.where(fired, 0, membrane)
    state.refractory[:] = np.where(fired, k.refractory_steps, np.maximum(state.refractory - 1, 0))
    return fired


def binomial(
    uniform: Float64[np.ndarray, " channels"],
    n: Integer[np.ndarray, " channels"],
    probability: Float64[np.ndarray, " channels"],
) -> Integer[np.ndarray, " channels"]:
    """Return binomial draws by inversion: the smallest k whose cumulated probability exceeds the uniform."""
    term = np.ones_like(probability)
    for _ in range(int(n.max(initial=0)).bit_length() - 1, -1, -1):
        bit = (n >> _) & 1
        term = term * term * np.where(bit == 1, 1 - probability, 1.0)
    odds = probability / (1 - probability)
    cumulated = term.copy()
    drawn = np.zeros_like(n)
    while True:
        more = (uniform >= cumulated) & (drawn < n)
        if not more.any():
            return drawn
        term = np.where(more, term * odds * (n - drawn) / (drawn + 1), term)
        cumulated = np.where(more, cumulated + term, cumulated)
        drawn += more


def uniform(keys: UInt32[np.ndarray, "channels 2"], step: int) -> Float64[np.ndarray, " channels"]:
    """Return a number in (0, 1) for each channel, a hash of the channel's key and the step's number."""
    counter = np.full(len(keys), step & 0xFFFFFFFF, dtype=np.uint32)
    return (_mixed(_mixed(counter + keys[:, 0]) ^ keys[:, 1]) + 0.5) * 2.0**-32


def _mixed(word: UInt32[np.ndarray, " channels"]) -> UInt32[np.ndarray, " channels"]:
    """Scramble 32 bits: two rounds of xor-shift and odd multiplication, a bijection that avalanches."""
    word = (word ^ (word >> 16)) * np.uint32(0x7FEB352D)
    word = (word ^ (word >> 15)) * np.uint32(0x846CA68B)
    return word ^ (word >> 16)
