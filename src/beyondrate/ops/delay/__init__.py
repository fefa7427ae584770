"""Axonal delays: each unit's spikes arrive later by its own, fractional number of steps.

    y[t] = (1 - φ) x[t - k] + φ x[t - k - 1],   d = k + φ >= 0

Modes differ in the forward value and in the gradient of the delay:
"linear" interpolates as above, and its gradient is exact;
"floor" (SLAYER) delays by k whole steps and takes the gradient of "linear" at φ = 0;
"central" rounds d and takes the central difference (y[t-1] - y[t+1]) / 2.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from beyondrate.errors import InputError
from beyondrate.ops.backend import Backend, choose_backend
from beyondrate.ops.delay import custom, reference

__all__ = ["DELAY_MODES", "DelayMode", "check_delays", "delay", "delay_step", "initial_history"]

DelayMode = Literal["linear", "floor", "central"]
DELAY_MODES: tuple[str, ...] = get_args(DelayMode)

History = Float[Tensor, "batch past unit"]

_MOST_STEPS = 1 << 31


def initial_history(like: Float[Tensor, "batch ... unit"], delays: Float[Tensor, " unit"]) -> History:
    """Return a silent past that is long enough for these delays, for inputs such as ``like``."""
    _check_steps(delays)
    return like.new_zeros(like.shape[0], _steps_to_keep(delays), like.shape[-1])


def _steps_to_keep(delays: Float[Tensor, " unit"]) -> int:
    return int(delays.detach().max()) + 2 if delays.numel() else 0


def delay(
    x: Float[Tensor, "batch time unit"],
    delays: Float[Tensor, " unit"],
    history: History | None = None,
    *,
    mode: DelayMode = "linear",
    backend: Backend | None = None,
) -> tuple[Float[Tensor, "batch time unit"], History]:
    """Delay a sequence and return it with the history that the next piece of the sequence needs.

    Args:
        x: the sequence.
        delays: delay of each unit in steps, 0 or more; gets a gradient, and so does ``x``.
        history: the inputs before ``x``, from ``initial_history`` or from the piece before; None: silence.
        mode: "linear", "floor" or "central", as this module's head explains.
        backend: "reference", "cpu", "cuda", or None for the fastest that takes ``x``.

    Raises:
        InputError: if the mode is unknown, there is not one delay a unit, or a delay is negative, not a
            number or beyond all bounds.

    Example:
        >>> y, _ = delay(torch.tensor([[[1.0], [0.0], [0.0], [0.0]]]), torch.tensor([1.25]))
        >>> y.flatten().tolist()
        [0.0, 0.75, 0.25, 0.0]
    """
    check_delays(delays, mode)
    _check_units(delays, x)
    n_past = 0
    if history is not None:
        n_past = history.shape[1]
        x = torch.cat([history, x], dim=1)
    next_history = _last_steps(x, max(n_past, _steps_to_keep(delays)))
    if choose_backend("delay", x, backend) == "reference":
        return reference.delay(x, delays, mode, n_past), next_history
    return custom.delay(x.contiguous(), delays, mode, n_past), next_history


def delay_step(
    x: Float[Tensor, "batch unit"],
    delays: Float[Tensor, " unit"],
    history: History,
    *,
    mode: DelayMode = "linear",
) -> tuple[Float[Tensor, "batch unit"], History]:
    """Advance by one time step: the mathematics of ``delay`` for a caller that holds the history."""
    check_delays(delays, mode)
    _check_units(delays, x)
    past_and_now = torch.cat([history, x[:, None]], dim=1)
    return reference.delay(past_and_now, delays, mode, history.shape[1])[:, 0], past_and_now[:, 1:]


def _last_steps(x: Float[Tensor, "batch time unit"], n_steps: int) -> History:
    """Return the last steps of ``x``, after silence if it is too short."""
    missing = n_steps - x.shape[1]
    if missing > 0:
        return torch.nn.functional.pad(x, (0, 0, missing, 0))
    return x[:, x.shape[1] - n_steps :]


def check_delays(delays: Float[Tensor, " unit"], mode: str) -> None:
    """Refuse what is no delay: kernels would read beyond the ends of the sequence.

    Raises:
        InputError: as ``delay`` does.
    """
    if mode not in DELAY_MODES:
        raise InputError(f"delay mode is {mode!r}", remedy=f"give one of {', '.join(DELAY_MODES)}")
    _check_steps(delays)


def _check_steps(delays: Float[Tensor, " unit"]) -> None:
    if not delays.numel():
        return
    shortest, longest = torch.stack(delays.detach().aminmax()).tolist()  # one look, for which a GPU waits
    if not (shortest >= 0 and longest < _MOST_STEPS):  # nor where one is not a number
        wrong = longest if shortest >= 0 else shortest
        raise InputError(
            f"a delay is {wrong:g} steps", remedy=f"give delays of 0 or more, and less than {_MOST_STEPS}"
        )


def _check_units(delays: Float[Tensor, " unit"], x: Float[Tensor, "batch *time unit"]) -> None:
    if delays.shape != x.shape[-1:]:
        raise InputError(f"delays have shape {tuple(delays.shape)}", remedy=f"give shape {(x.shape[-1],)}")
