"""Leaky integrate-and-fire units over time, with surrogate gradients (Yu et al. 2025, Eq. 1).

    u[t] = a u[t-1] + I[t]          (with a current filter; else u = I)
    v[t] = b v⁺[t-1] + u[t],   s[t] = 1 if v[t] >= 1 else 0
    v⁺[t] = v[t] (1 - s[t])  (hard reset)   or   v[t] - s[t]  (soft reset)

The fast version walks through time once forward, keeping only v, and once backward.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from beyondrate.errors import InputError
from beyondrate.ops.backend import Backend, choose_backend
from beyondrate.ops.lif import custom, reference
from beyondrate.ops.lif.parameters import LIFParams, LIFState, Reset
from beyondrate.ops.lif.surrogate import SURROGATES, Surrogate

__all__ = [
    "SURROGATES",
    "LIFParams",
    "LIFState",
    "Reset",
    "Surrogate",
    "initial_state",
    "leaky_integrate",
    "lif",
    "lif_step",
]


def initial_state(like: Float[Tensor, "batch ... unit"], params: LIFParams) -> LIFState:
    """Return the state of units at rest, for currents such as ``like``."""
    return LIFState(_rest(like), None if params.current_decay is None else _rest(like))


def lif(
    current: Float[Tensor, "batch time unit"],
    params: LIFParams,
    state: LIFState | None = None,
    *,
    backend: Backend | None = None,
) -> tuple[Float[Tensor, "batch time unit"], LIFState]:
    """Return the spikes of a sequence and the state after it; ``state`` is the one before it (None: at rest).

    Gradients flow to the current, the decays and the initial state. Running any split of a sequence, handing
    the state on, gives what the whole gives.

    Raises:
        InputError: if the state does not fit the current and the parameters.

    Example:
        >>> import torch
        >>> spikes, state = lif(torch.full((1, 5, 1), 0.6), LIFParams(decay=torch.tensor(0.5)))
        >>> spikes.flatten().tolist()
        [0.0, 0.0, 1.0, 0.0, 0.0]
    """
    state = _state_before(current, params, state)
    if choose_backend("lif", current, backend) == "reference":
        return reference.lif(current, params, state)
    filtered = state.current is not None
    spikes, end_v, end_u, _ = custom.lif(
        current.contiguous(),
        _per_unit(params.decay, current),
        current.new_empty(0) if params.current_decay is None else _per_unit(params.current_decay, current),
        state.membrane,
        state.membrane[:, :0] if state.current is None else state.current,
        params.reset == "soft",
        not params.detach_reset,
        params.surrogate,
        params.slope,
    )
    return spikes, LIFState(end_v, end_u if filtered else None)


def lif_step(
    current: Float[Tensor, "batch unit"], params: LIFParams, state: LIFState | None = None
) -> tuple[Float[Tensor, "batch unit"], LIFState]:
    """Advance by one time step: the mathematics of ``lif`` for a caller that holds the state."""
    return reference.lif_step(current, params, _state_before(current, params, state))


def leaky_integrate(
    current: Float[Tensor, "batch time unit"],
    decay: Float[Tensor, "*unit"],
    state: Float[Tensor, "batch unit"] | None = None,
    *,
    backend: Backend | None = None,
) -> tuple[Float[Tensor, "batch time unit"], Float[Tensor, "batch unit"]]:
    """Return v[t] = b v[t-1] + I[t], the membranes of units that never spike, and the last of them.

    ``state`` is the membrane before the sequence (None: 0).

    Raises:
        InputError: if the state's shape is not that of the current.

    Example:
        >>> import torch
        >>> membrane, state = leaky_integrate(torch.ones(1, 3, 1), torch.tensor(0.5))
        >>> membrane.flatten().tolist(), state.tolist()
        ([1.0, 1.5, 1.75], [[1.75]])
    """
    state = _rest(current) if state is None else state
    _check_shape("membrane", state, current)
    if choose_backend("leaky_integrate", current, backend) == "reference":
        membrane = reference.leaky_integrate(current, decay, state)
    else:
        membrane = custom.leaky_integrate(current.contiguous(), _per_unit(decay, current), state)
    return membrane, membrane[:, -1] if membrane.shape[1] else state


def _rest(current: Float[Tensor, "batch *time unit"]) -> Float[Tensor, "batch unit"]:
    return current.new_zeros(current.shape[0], current.shape[-1])


def _per_unit(
    decay: Float[Tensor, "*unit"], current: Float[Tensor, "batch time unit"]
) -> Float[Tensor, " unit"]:
    return decay.to(current).expand(current.shape[-1])


def _state_before(
    current: Float[Tensor, "batch *time unit"], params: LIFParams, state: LIFState | None
) -> LIFState:
    """Return the state to start from, which fits the current and the parameters."""
    if state is None:
        return initial_state(current, params)
    if (state.current is None) != (params.current_decay is None):
        raise InputError(
            "only one of the state and the parameters has a current filter",
            remedy="give a state that these units returned, or None",
        )
    for name, part in state._asdict().items():
        if part is not None:
            _check_shape(name, part, current)
    return state


def _check_shape(name: str, state: Tensor, current: Float[Tensor, "batch *time unit"]) -> None:
    expected = current.shape[0], current.shape[-1]
    if state.shape != expected:
        raise InputError(
            f"the state's {name} has shape {tuple(state.shape)}", remedy=f"give shape {expected}, or no state"
        )
