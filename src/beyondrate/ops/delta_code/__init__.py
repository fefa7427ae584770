"""Delta codes: an estimate follows a signal, and each step of ±θ that the estimate takes is an event.

    e(t) = x(t) - x̂(t),   an event of sign(e) at the first whole microsecond with |e| >= θ,
    x̂ += sign(e) θ (as often as it takes),   between events dx̂/dt = -x̂/τ

With τ = ∞ it is send-on-delta, or level crossing (Miskowicz, Sensors 6, 2006); with a finite τ it is
asynchronous sigma-delta modulation, what a leaky unit with an adaptive reset does (Yoon, IEEE TNNLS 28,
2017). x is the straight line between the samples. Because the estimate moves at the very times that are
kept, nothing accumulates: |e| < θ at every whole microsecond, for the events as they are stored.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

__all__ = ["Code", "decode", "encode"]


class Code(NamedTuple):
    """The events of one signal: whole microseconds, ascending, and which of them are steps up."""

    times_us: Int64[np.ndarray, " events"]
    is_up: Bool[np.ndarray, " events"]


def encode(
    values: Float64[np.ndarray, " samples"],
    step_us: float,
    theta: float,
    tau_us: float,
    start: float,
    *,
    backend: Literal["numba", "reference"] = "numba",
) -> Code:
    """Return the events of a signal sampled every ``step_us`` microseconds, from 0 on.

    Args:
        values: the samples, finite.
        step_us: time between samples in microseconds, 1 or more.
        theta: size of a step, positive.
        tau_us: time constant of the estimate's decay to 0 in microseconds; infinite for none.
        start: the estimate at time 0.
        backend: "numba", or "reference" for the same in plain Python, a microsecond at a time.

    Example:
        >>> code = encode(np.array([0.0, 1.0, 0.0]), 1024.0, 0.375, np.inf, 0.0)
        >>> code.times_us.tolist(), code.is_up.tolist()
        ([384, 768, 1664, 2048], [True, True, False, False])
    """
    if backend == "reference":
        from beyondrate.ops.delta_code import reference

        return Code(*reference.encode(values, step_us, theta, tau_us, start))
    from beyondrate.ops.delta_code import cpu

    nowhere = np.empty(0, np.int64), np.empty(0, np.bool_)
    n_events = cpu.encode(values, step_us, theta, tau_us, start, *nowhere)  # counts them
    code = Code(np.empty(n_events, np.int64), np.empty(n_events, np.bool_))
    cpu.encode(values, step_us, theta, tau_us, start, *code)
    return code


def decode(
    code: Code, at_us: Float64[np.ndarray, " times"], theta: float, tau_us: float, start: float
) -> Float64[np.ndarray, " times"]:
    """Return the estimate at ascending times in microseconds; an event counts from its own time on.

    Example:
        >>> code = Code(np.array([384, 768, 1664]), np.array([True, True, False]))
        >>> decode(code, np.array([0.0, 384.0, 1024.0, 2048.0]), 0.375, np.inf, 0.0).tolist()
        [0.0, 0.375, 0.75, 0.375]
    """
    from beyondrate.ops.delta_code import cpu

    estimate = np.empty(len(at_us))
    cpu.decode(*code, at_us, theta, tau_us, start, estimate)
    return estimate
