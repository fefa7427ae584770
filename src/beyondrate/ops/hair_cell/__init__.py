"""From basilar membrane velocity to spikes: inner hair cell, 40 nerve fibres, one bushy cell a channel.

The hair cell is the reservoir model of Meddis, JASA 79 (1986) and 83 (1988), by explicit Euler steps; the
bushy cell is that of Cramer et al., IEEE TNNLS 33 (2022). The fibres of a channel are exchangeable, so one
``Binomial(fibres that are not blocked, p)`` draw a step is exact in distribution, and since all synapses
decay alike they are one scalar.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, UInt32

from beyondrate.errors import InputError

MIN_RATE_HZ = 8000
"""Euler steps of the hair cell overshoot more and more below this rate, and diverge where (l + r) dt > 2."""


TAU_MEMBRANE_S, TAU_SYNAPSE_S = 1e-3, 0.5e-3  # of the bushy cell


class Constants(NamedTuple):
    """The constants of one time step; rates of Meddis (1986, 1988) times dt.

    ``leave`` is the share of the store's free transmitter that leaves it at full permeability (g dt),
    ``refill`` y dt, ``loss_and_return`` (l + r) dt, ``recover`` r dt, ``reprocess`` x dt,
    ``release`` h dt. ``offset`` A and ``half`` B shape the permeability (s + A) / (s + A + B).
    """

    offset: np.float32
    half: np.float32
    leave: np.float32
    refill: np.float32
    loss_and_return: np.float32
    recover: np.float32
    reprocess: np.float32
    release: np.float32
    n_fibres: int
    dead_steps: int
    weight: np.float32
    synapse_decay: np.float32
    membrane_decay: np.float32
    refractory_steps: int


class State(NamedTuple):
    """What a channel carries from one step to the next; every function here updates it in place."""

    store: Float32[np.ndarray, " channels"]
    cleft: Float32[np.ndarray, " channels"]
    reprocessing: Float32[np.ndarray, " channels"]
    released: Int32[np.ndarray, "channels dead_steps"]
    synapse: Float32[np.ndarray, " channels"]
    membrane: Float32[np.ndarray, " channels"]
    refractory: Int32[np.ndarray, " channels"]

    def channels(self, chosen: slice) -> State:
        """Return a view on the state of some channels."""
        return State(*(array[chosen] for array in self))


def constants_at(rate_hz: int, n_fibres: int = 40) -> Constants:
    """Return the constants of one step at ``rate_hz`` steps a second.

    Raises:
        InputError: below 8 kHz, or for other than 1 to 63 fibres.

    >>> round(float(constants_at(24_000).release), 4)
    2.0833
    """
    if rate_hz < MIN_RATE_HZ:
        raise InputError(
            f"at an internal rate of {rate_hz} Hz the hair cell's Euler steps are not stable",
            remedy=f"use {MIN_RATE_HZ} Hz or more, such as 12000 or 24000",
        )
    if not 1 <= n_fibres < 64:
        raise InputError(f"n_fibres is {n_fibres}", remedy="give each channel 1 to 63 fibres")
    dt = 1 / rate_hz
    return Constants(
        offset=np.float32(5.0),
        half=np.float32(300.0),
        leave=np.float32(2000.0 * dt),
        refill=np.float32(5.05 * dt),
        loss_and_return=np.float32((2500.0 + 6580.0) * dt),
        recover=np.float32(6580.0 * dt),
        reprocess=np.float32(66.3 * dt),
        release=np.float32(50000.0 * dt),
        n_fibres=n_fibres,
        dead_steps=round(1e-3 * rate_hz),
        weight=np.float32(_weight(dt, n_fibres)),
        synapse_decay=np.float32(math.exp(-dt / TAU_SYNAPSE_S)),
        membrane_decay=np.float32(math.exp(-dt / TAU_MEMBRANE_S)),
        refractory_steps=round(1e-3 * rate_hz),
    )


def _weight(dt: float, n_fibres: int) -> float:
    """Return the step of the synapse at a release: 13000 dt / n_fibres at 24 kHz, the published rate.

    At other rates it is chosen so that the same releases a second give the same mean potential, which is
    releases a step * weight / ((1 - e^{-dt/τm}) (1 - e^{-dt/τs})).
    """

    def gain(dt: float) -> float:
        return dt / (math.expm1(-dt / TAU_MEMBRANE_S) * math.expm1(-dt / TAU_SYNAPSE_S))

    dt_published = 1 / 24_000
    return 13000.0 / n_fibres * dt_published * gain(dt_published) / gain(dt)


def resting_state(n_channels: int, constants: Constants) -> State:
    """Return the state after a long silence: the fixed point of the hair cell, and a quiet bushy cell."""
    k = constants
    flow = k.leave * k.offset / (k.offset + k.half)
    lost = k.loss_and_return - k.recover
    cleft = k.refill * flow / (k.refill * k.loss_and_return + flow * lost)
    values = (k.loss_and_return / flow * cleft, cleft, k.recover / k.reprocess * cleft)
    store, cleft_, reprocessing = (np.full(n_channels, value, dtype=np.float32) for value in values)
    return State(
        store,
        cleft_,
        reprocessing,
        np.zeros((n_channels, k.dead_steps), dtype=np.int32),
        np.zeros(n_channels, dtype=np.float32),
        np.zeros(n_channels, dtype=np.float32),
        np.zeros(n_channels, dtype=np.int32),
    )


def channel_keys(seed: int, stream: int, n_channels: int) -> UInt32[np.ndarray, "channels 2"]:
    """Return the 64 random bits that name each channel's noise, from the seed and the number of the file."""
    sequence = np.random.SeedSequence([seed, stream])
    return sequence.generate_state(2 * n_channels, np.uint32).reshape(n_channels, 2)


def fire(
    velocity: Float32[np.ndarray, "channels steps"],
    state: State,
    keys: UInt32[np.ndarray, "channels 2"],
    first_step: int,
    constants: Constants,
    *,
    backend: Literal["numba", "reference"] = "numba",
) -> tuple[Int32[np.ndarray, " spikes"], Int32[np.ndarray, " spikes"]]:
    """Run the channels over a stretch of membrane velocity and return their spikes.

    Args:
        velocity: velocity of the basilar membrane, (channel, step).
        state: the channels' state before the stretch; afterwards the state at its end.
        keys: from :func:`channel_keys`; a draw depends on the channel's key and the step's number only.
        first_step: number of the stretch's first step since the sound began.
        constants: from :func:`constants_at`.
        backend: "numba", or "reference" for the same arithmetic in plain numpy.

    Returns:
        (step, channel) of every spike, steps counted from the stretch's start, sorted by step and channel.
    """
    if backend == "reference":
        from beyondrate.ops.hair_cell import reference

        return reference.fire(velocity, state, keys, first_step, constants)
    from beyondrate.ops.hair_cell import cpu

    n_channels, n_steps = velocity.shape
    most = n_channels * (n_steps // (constants.refractory_steps + 1) + 1)
    steps, channels = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int32)
    n_spikes = cpu.fire(velocity, state, keys, first_step, constants, steps, channels)
    order = np.lexsort((channels[:n_spikes], steps[:n_spikes]))
    return steps[order], channels[order]
