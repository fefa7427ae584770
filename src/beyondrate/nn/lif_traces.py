"""E-prop and OTTT: gradients of LIF networks forward in time, the online baselines of SpikingGamma.

For a weight from input i to unit j, in a network without recurrence and with the reset left out of gradients:

    ε_ji[t] = b (1 - s_j[t-1]) ε_ji[t-1] + x_i[t]    (hard reset; with a soft one without the bracket)
    e_ji[t] = ψ_j[t] ε_ji[t]                         (ψ: surrogate derivative of the spike)
    y_k[t]  = κ y_k[t-1] + (1 - κ) (Σ_j w_kj s_j[t] + b_k)

"eprop" (Bellec et al., Nat. Commun. 11:3625, 2020): Σ_t L_j[t] F_κ(e_ji)[t], where F_κ filters as the readout
does and L_j[t] = Σ_k w_kj ∂E[t]/∂y_k is the learning signal, with symmetric feedback: the weights of the
readout. With one hidden layer that is the gradient of BPTT, exactly.

"ottt" (Xiao et al., "Online training through time for spiking neural networks", NeurIPS 2022): the trace
belongs to the input, a_i[t] = b a_i[t-1] + x_i[t], without reset, and the error is that of this step alone:
Σ_t (1 - κ) L_j[t] ψ_j[t] a_i[t]. The readout's own weights learn from their input's trace as in e-prop.

Two things here are ours: in deeper networks e-prop's learning signal of a lower layer is that of the upper
one through its weights and ψ of this step, as OTTT's is (the paper has one layer); and time constants learn
too, by the traces that follow from the same equations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from beyondrate.errors import InputError
from beyondrate.nn.networks import SpikingLayer, SpikingNet
from beyondrate.nn.readout import LeakyReadout
from beyondrate.ops.leak import decay_of, decay_slope
from beyondrate.ops.lif.surrogate import surrogate_derivative

LIFRule = Literal["eprop", "ottt"]
LIF_RULES: tuple[str, ...] = get_args(LIFRule)


class LIFTraces:
    """Steps a network of LIF layers through time and keeps up what its parameters need to learn.

    The memory is that of two copies of the parameters a sample ("eprop"), or of the units ("ottt", where τ
    is one for the layer), however long the stream.

    Args:
        net: LIF layers without delays and current filters, with a leaky readout and a detached reset.
        rule: "eprop" or "ottt".

    Raises:
        InputError: if the rule is unknown or the network has what it has no traces for.

    Example:
        >>> net = SpikingNet(2, 3, dt_s=0.005, hidden=(4,), generator=torch.Generator().manual_seed(0))
        >>> traces = LIFTraces(net, "eprop")
        >>> for _ in range(20):
        ...     out = traces.step(torch.ones(1, 2))
        >>> out.square().sum().backward()
        >>> traces.add_gradients()
        >>> net.hidden_layers[0].linear.weight.grad.shape
        torch.Size([4, 2])
    """

    def __init__(self, net: SpikingNet, rule: LIFRule) -> None:
        if rule not in LIF_RULES:
            raise InputError(f"rule is {rule!r}", remedy=f"give one of {', '.join(LIF_RULES)}")
        config = net.config
        for what, there in (
            ("delays", config["delays"] is not None),
            ("a current filter", config["tau_syn_s"] is not None),
            (f"the readout {config['readout']!r}", config["readout"] != "leaky"),
            ("the reset in its gradient", not config["detach_reset"]),
        ):
            if there:
                raise InputError(f"rule {rule!r} has no traces for {what}", remedy="train whole samples")
        self.net = net
        self.rule = rule
        self.reset()

    def reset(self) -> None:
        """Forget, before a new trial."""
        self._hidden = [_HiddenTraces(layer, self.rule) for layer in self.net.hidden_layers]
        self._readout = _ReadoutTraces(self.net.readout)  # type: ignore[arg-type]
        self._out: Tensor | None = None

    @torch.no_grad()
    def step(self, x: Float[Tensor, "batch unit"]) -> Float[Tensor, "batch class"]:
        """Return the outputs of one time step, for a loss whose backward pass ends there."""
        kappa = self._readout.decay()
        signal = x
        for traces in self._hidden:
            signal = traces.step(signal, kappa)
        linear = self.net.readout_linear
        out = self._readout.step(signal, functional.linear(signal, linear.weight, linear.bias))
        self._out = out.detach().clone().requires_grad_()
        return self._out

    @torch.no_grad()
    def add_gradients(self) -> None:
        """Add the gradient of this step's loss, after its backward pass, to every parameter's ``grad``."""
        if self._out is None or self._out.grad is None:
            return
        error, linear = self._out.grad, self.net.readout_linear
        self._readout.add_gradients(error, linear.weight, linear.bias)
        signal = error @ linear.weight
        if self.rule == "ottt":
            signal = signal * (1 - self._readout.decay())
        for traces in reversed(self._hidden):
            signal = traces.add_gradients(signal)


class _HiddenTraces:
    """The state of a hidden layer, and its traces: of its inputs (the last one is 1, for biases) and of τ."""

    def __init__(self, layer: SpikingLayer, rule: LIFRule) -> None:
        self.layer = layer
        self.rule = rule
        self.state: _HiddenState | None = None

    def step(self, x: Tensor, kappa: Tensor) -> Tensor:
        """Return what the layer sends, and bring the traces to this time step."""
        lif, linear = self.layer.lif, self.layer.linear
        params = lif.params()
        current = functional.linear(x, linear.weight, linear.bias)
        before = self.state or _HiddenState.at_rest(self.layer, current)
        membrane = params.decay * before.after + current
        spikes = (membrane >= 1).to(membrane)
        slope = surrogate_derivative(membrane - 1, params.surrogate, params.slope)

        leak = params.decay.expand(1, lif.n_units) if lif.log_tau.dim() else params.decay.expand(1, 1)
        if self.rule == "eprop" and lif.reset == "hard":
            leak = leak * (1 - before.spikes)
        inputs = leak[:, :, None] * before.inputs + torch.cat([x, x.new_ones(len(x), 1)], 1)[:, None]
        tau = leak * before.tau + decay_slope(lif.log_tau, lif.dt_s) * before.after
        filtered = before.filtered
        if self.rule == "eprop":
            new = slope[:, :, None] * inputs, slope * tau
            filtered = [kappa * old + (1 - kappa) * each for old, each in zip(filtered, new, strict=True)]
        after = membrane * (1 - spikes) if lif.reset == "hard" else membrane - spikes
        self.state = _HiddenState(after, spikes, slope, inputs, tau, filtered, before.kept)
        return spikes * before.kept

    def add_gradients(self, signal: Tensor) -> Tensor:
        """Add the gradients that a learning signal gives, and return the signal of the layer below."""
        if self.state is None:
            return signal
        state, linear = self.state, self.layer.linear
        signal = signal * state.kept
        error = signal * state.slope
        if self.rule == "eprop":
            weights = torch.einsum("bj,bji->ji", signal, state.filtered[0])
            tau = signal * state.filtered[1]
        else:
            weights = torch.einsum("bj,bji->ji", error, state.inputs)
            tau = error * state.tau
        _add(linear.weight, weights[:, :-1])
        _add(linear.bias, weights[:, -1])
        _add(self.layer.lif.log_tau, tau)
        return error @ linear.weight


@dataclass(frozen=True)
class _HiddenState:
    """Membranes after reset, spikes, ψ, the traces ε of inputs and τ, e filtered, and dropout's factors."""

    after: Tensor
    spikes: Tensor
    slope: Tensor
    inputs: Tensor
    tau: Tensor
    filtered: list[Tensor]
    kept: Tensor

    @classmethod
    def at_rest(cls, layer: SpikingLayer, current: Tensor) -> _HiddenState:
        """Return the state before a trial, with dropout drawn."""
        rest, empty = torch.zeros_like(current), current.new_zeros(())
        return cls(rest, rest, rest, empty, empty, [empty, empty], layer.dropout(torch.ones_like(current)))


class _ReadoutTraces:
    """The readout's membranes y, and how they change with its weights, biases and τ."""

    def __init__(self, readout: LeakyReadout) -> None:
        self.readout = readout
        self.out: Tensor | None = None
        self.inputs = self.tau = torch.zeros(())

    def decay(self) -> Tensor:
        """Return κ."""
        return decay_of(self.readout.log_tau, self.readout.dt_s)

    def step(self, x: Tensor, current: Tensor) -> Tensor:
        """Return the outputs and bring the traces to this time step."""
        kappa = self.decay()
        before = torch.zeros_like(current) if self.out is None else self.out
        self.inputs = kappa * self.inputs + (1 - kappa) * torch.cat([x, x.new_ones(len(x), 1)], 1)
        slope = decay_slope(self.readout.log_tau, self.readout.dt_s)
        self.tau = kappa * self.tau + slope * (before - current)
        self.out = kappa * before + (1 - kappa) * current
        return self.out

    def add_gradients(self, error: Tensor, weight: Tensor, bias: Tensor | None) -> None:
        """Add the gradients that the errors of the outputs give."""
        weights = error.T @ self.inputs
        _add(weight, weights[:, :-1])
        _add(bias, weights[:, -1])
        _add(self.readout.log_tau, error * self.tau)


def _add(parameter: Tensor | None, gradient: Tensor) -> None:
    """Add to a parameter's ``grad``, summed over the axes that it does not have."""
    if parameter is None or not parameter.requires_grad:
        return
    gradient = gradient.sum_to_size(parameter.shape)
    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
