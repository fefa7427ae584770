"""Ready networks: layers of spiking units with or without delays, and a readout."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.errors import InputError
from beyondrate.nn.delay import AxonalDelay
from beyondrate.nn.delay_range import warn_of_silence
from beyondrate.nn.dropout import UnitDropout
from beyondrate.nn.lif import LIF
from beyondrate.nn.linear import SpikeLinear
from beyondrate.nn.readout import LeakyReadout, SumReadout
from beyondrate.nn.stages import are_known, is_plain, keeps, lif_stages
from beyondrate.nn.synaptic_delay import SynapticDelayLinear
from beyondrate.ops.delay import DelayMode
from beyondrate.ops.feedforward import feedforward
from beyondrate.ops.lif import LIFState, Reset, Surrogate
from beyondrate.ops.sparse_linear import SpikeRows

Delays = Literal["frozen", "learned"]
DelayKind = Literal["axonal", "synaptic"]
Readout = Literal["leaky", "sum", "spikes"]
READOUTS: tuple[str, ...] = get_args(Readout)


class LayerState(NamedTuple):
    """What a hidden layer carries from step to step: its membranes and the spikes still under way.

    Those are on their way to the layer (synaptic delays) or from it (axonal delays).
    """

    lif: LIFState
    synapses: Tensor | None
    axons: Tensor | None


class SpikingLayer(nn.Module):
    """One hidden layer: weights, leaky integrate-and-fire units, dropout of units, axonal delays."""

    def __init__(
        self,
        linear: SpikeLinear | SynapticDelayLinear,
        lif: LIF,
        dropout: UnitDropout,
        delay: AxonalDelay | None = None,
    ) -> None:
        super().__init__()
        self.linear = linear
        self.lif = lif
        self.dropout = dropout
        self.delay = delay

    def forward(
        self, x: SpikeRows | Float[Tensor, "batch time unit"], state: LayerState | None = None
    ) -> tuple[Float[Tensor, "batch time hidden"], LayerState]:
        """Return what arrives at the next layer, and the state after the sequence."""
        spikes, lif_state, synapses = self.spikes(x, state)
        signal, axons = self.transmit(spikes, state.axons if state else None)
        return signal, LayerState(lif_state, synapses, axons)

    def spikes(
        self, x: SpikeRows | Float[Tensor, "batch time unit"], state: LayerState | None = None
    ) -> tuple[Float[Tensor, "batch time hidden"], LIFState, Tensor | None]:
        """Return the spikes that the layer fires, its membranes, and what is still on its way to it."""
        current, synapses = currents(self.linear, x, state.synapses if state else None)
        spikes, lif_state = self.lif(current, state.lif if state else None)
        return spikes, lif_state, synapses

    def transmit(
        self, spikes: Float[Tensor, "batch time hidden"], past: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch time hidden"], Tensor | None]:
        """Return what of the layer's spikes leaves its axons, and what is still under way."""
        signal = self.dropout(spikes)
        return (signal, None) if self.delay is None else self.delay(signal, past)

    def step(
        self, x: Float[Tensor, "batch unit"], state: LayerState | None = None
    ) -> tuple[Float[Tensor, "batch hidden"], LayerState]:
        """Return what arrives at the next layer in this time step, and the state after it."""
        current, synapses = currents(self.linear, x[:, None], state.synapses if state else None)
        signal, lif_state = self.lif.step(current[:, 0], state.lif if state else None)
        signal, axons = self.dropout(signal), None
        if self.delay is not None:
            signal, axons = self.delay.step(signal, state.axons if state else None)
        return signal, LayerState(lif_state, synapses, axons)


def currents(
    linear: SpikeLinear | SynapticDelayLinear,
    x: SpikeRows | Float[Tensor, "batch time unit"],
    past: Tensor | None = None,
) -> tuple[Float[Tensor, "batch time out"], Tensor | None]:
    """Return the currents of a sequence, and the spikes that synaptic delays still hold back."""
    return linear(x, past) if isinstance(linear, SynapticDelayLinear) else (linear(x), None)


class NetState(NamedTuple):
    """What a network carries from step to step: each hidden layer's state and the readout's."""

    layers: tuple[LayerState, ...]
    synapses: Tensor | None
    readout: Tensor | LIFState


class SpikingNet(nn.Module):
    """A feed-forward network of leaky integrate-and-fire layers (Yu et al. 2025, Fig. 4).

    Args:
        n_units: input units.
        n_classes: classes.
        dt_s: time step in seconds.
        hidden: sizes of the hidden layers.
        tau_s: initial membrane time constant in seconds.
        tau_syn_s: initial time constant of the current filter in seconds; None: no filter.
        tau_per_unit: learn one τ a unit instead of one a layer.
        tau_spread: with one τ a unit: draw the hidden layers' log-uniformly from tau_s / tau_spread to
            tau_s * tau_spread.
        learn_tau: let log τ have a gradient.
        reset, detach_reset, surrogate, slope: as in ``LIF``.
        delays: delays of the hidden layers' spikes: None, "frozen" (random) or "learned".
        delay_kind: "axonal" (one a unit) or "synaptic" (one a connection, see ``SynapticDelayLinear``).
        delay_range_s: the initial delays are drawn from U(low, high) seconds.
        max_delay_s: longest delay in seconds, at most the duration less one step; None: no limit (axonal), or
            the upper end of the range (synaptic).
        delay_mode: of axonal delays: "linear", "floor" or "central", see ``beyondrate.ops.delay``.
        delay_sigma_s: of learned synaptic delays: the kernel's width before annealing, in seconds; None: half
            of the longest delay.
        readout: "leaky" (membranes without threshold), "sum" (membranes without leak and threshold, for
            ``LastStep``) or "spikes" (a LIF layer, for ``Spikemax``).
        readout_tau_s: initial time constant of the readout in seconds.
        dropout: share of hidden units that training silences.
        bias: learn an offset current for each unit.
        generator: draws the initial weights and delays.

    Raises:
        InputError: if a setting is unknown or out of range.

    Example:
        >>> net = SpikingNet(700, 20, dt_s=0.01, delays="learned", delay_range_s=(0.0, 0.3))
        >>> net(torch.zeros(4, 100, 700)).shape
        torch.Size([4, 100, 20])
        >>> net.config["delays"], SpikingNet.from_config(net.config).n_parameters == net.n_parameters
        ('learned', True)
    """

    takes_spike_rows = True

    def __init__(
        self,
        n_units: int,
        n_classes: int,
        *,
        dt_s: float,
        hidden: tuple[int, ...] = (128, 128),
        tau_s: float = 0.1,
        tau_syn_s: float | None = None,
        tau_per_unit: bool = False,
        tau_spread: float = 1.0,
        learn_tau: bool = True,
        reset: Reset = "hard",
        detach_reset: bool = True,
        surrogate: Surrogate = "superspike",
        slope: float = 5.0,
        delays: Delays | None = None,
        delay_kind: DelayKind = "axonal",
        delay_range_s: tuple[float, float] = (0.0, 0.3),
        max_delay_s: float | None = None,
        delay_mode: DelayMode = "linear",
        delay_sigma_s: float | None = None,
        readout: Readout = "leaky",
        readout_tau_s: float = 0.1,
        dropout: float = 0.0,
        bias: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in locals().items()
            if name not in ("self", "generator", "__class__")
        }
        if delays not in (None, "frozen", "learned"):
            raise InputError(f"delays is {delays!r}", remedy='give None, "frozen" or "learned"')
        if delay_kind not in ("axonal", "synaptic"):
            raise InputError(f"delay_kind is {delay_kind!r}", remedy='give "axonal" or "synaptic"')
        if readout not in READOUTS:
            raise InputError(f"readout is {readout!r}", remedy=f"give one of {', '.join(READOUTS)}")
        if not hidden or min(hidden) < 1:
            raise InputError(f"hidden is {hidden}", remedy="give the size of one hidden layer or more")

        def lif(n: int, tau: float, spread: float = 1.0) -> LIF:
            return LIF(
                n,
                dt_s=dt_s,
                tau_s=tau,
                tau_syn_s=tau_syn_s,
                per_unit=tau_per_unit,
                tau_spread=spread,
                learn_tau=learn_tau,
                reset=reset,
                detach_reset=detach_reset,
                surrogate=surrogate,
                slope=slope,
                generator=generator,
            )

        # a generator of their own, so that the weights are the same with delays and without
        delay_generator = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))

        def linear(n_in: int, n_out: int, *, delayed: bool = True) -> SpikeLinear | SynapticDelayLinear:
            plain = SpikeLinear(n_in, n_out, bias=bias, generator=generator)
            if not delayed or delays is None or delay_kind == "axonal":
                return plain
            synaptic = SynapticDelayLinear(
                n_in,
                n_out,
                dt_s=dt_s,
                delay_range_s=delay_range_s,
                max_delay_s=max_delay_s,
                initial_sigma_s=delay_sigma_s,
                learned=delays == "learned",
                bias=bias,
                generator=delay_generator,
            )
            synaptic.weight = plain.weight
            return synaptic

        def delay(n: int) -> AxonalDelay | None:
            if delays is None or delay_kind == "synaptic":
                return None
            return AxonalDelay(
                n,
                dt_s=dt_s,
                delay_range_s=delay_range_s,
                max_delay_s=max_delay_s,
                learned=delays == "learned",
                mode=delay_mode,
                generator=delay_generator,
            )

        sizes = [n_units, *hidden]
        self.hidden_layers: Sequence[SpikingLayer] = nn.ModuleList(  # type: ignore[assignment]
            SpikingLayer(
                linear(n_in, n_out, delayed=index > 0),
                lif(n_out, tau_s, tau_spread),
                UnitDropout(dropout, generator=generator),
                delay(n_out),
            )
            for index, (n_in, n_out) in enumerate(pairwise(sizes))
        )
        self.readout_linear = linear(sizes[-1], n_classes)
        self.readout: LeakyReadout | SumReadout | LIF
        if readout == "leaky":
            self.readout = LeakyReadout(dt_s=dt_s, tau_s=readout_tau_s, learn_tau=learn_tau)
        else:
            self.readout = SumReadout() if readout == "sum" else lif(n_classes, readout_tau_s)
        self._warned = False

    @classmethod
    def from_config(cls, config: dict[str, Any], *, generator: torch.Generator | None = None) -> SpikingNet:
        """Build the network that ``config`` describes, with new weights."""
        tuples = {name: tuple(value) for name, value in config.items() if isinstance(value, list)}
        return cls(**{**config, **tuples}, generator=generator)

    @property
    def n_parameters(self) -> int:
        """Number of parameters that training changes."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    @property
    def runs_in_stages(self) -> bool:
        """Whether input spikes run through all layers in one operation, ``beyondrate.ops.feedforward``."""
        if not keeps(self, SpikingNet, "sequence"):
            return False
        if not all(type(layer) is SpikingLayer and is_plain(layer) for layer in self.hidden_layers):
            return False
        parts = [part for layer in self.hidden_layers for part in layer.children()]
        return are_known([*parts, self.readout_linear, self.readout])

    def forward(self, x: SpikeRows | Float[Tensor, "batch time unit"]) -> Float[Tensor, "batch time class"]:
        """Return the outputs over time for input spikes from a state of rest.

        Warns, once a network, of delays that are as long as the input.
        """
        if not self._warned:
            n_steps = x.n_steps if isinstance(x, SpikeRows) else x.shape[1]
            delays = [m for m in self.modules() if isinstance(m, AxonalDelay | SynapticDelayLinear)]
            told = any(warn_of_silence(m.delay_steps, n_steps, m.dt_s) for m in delays)
            self._warned = told or not delays
        if isinstance(x, SpikeRows) and self.runs_in_stages:
            return feedforward(x, lif_stages(self, x))
        return self.sequence(x)[0]

    def sequence(
        self, x: SpikeRows | Float[Tensor, "batch time unit"], state: NetState | None = None
    ) -> tuple[Float[Tensor, "batch time class"], NetState]:
        """Return the outputs of a piece of a sequence and the state after it."""
        signal: SpikeRows | Tensor = x
        states = []
        for index, layer in enumerate(self.hidden_layers):
            signal, layer_state = layer(signal, state.layers[index] if state else None)
            states.append(layer_state)
        current, synapses = currents(self.readout_linear, signal, state.synapses if state else None)
        out, readout_state = self.readout(current, state.readout if state else None)
        return out, NetState(tuple(states), synapses, readout_state)

    def step(
        self, x: Float[Tensor, "batch unit"], state: NetState | None = None
    ) -> tuple[Float[Tensor, "batch class"], NetState]:
        """Return the outputs of one time step and the state after it."""
        signal, states = x, []
        for index, layer in enumerate(self.hidden_layers):
            signal, layer_state = layer.step(signal, state.layers[index] if state else None)
            states.append(layer_state)
        current, synapses = currents(self.readout_linear, signal[:, None], state.synapses if state else None)
        before = state.readout if state else None
        out, readout_state = self.readout.step(current[:, 0], before)  # type: ignore[arg-type]
        return out, NetState(tuple(states), synapses, readout_state)

    def hidden_spikes(
        self, x: SpikeRows | Float[Tensor, "batch time unit"]
    ) -> list[Float[Tensor, "batch time hidden"]]:
        """Return the spikes that each hidden layer fires, before dropout and delays."""
        signal: SpikeRows | Tensor = x
        spikes = []
        for layer in self.hidden_layers:
            spikes.append(layer.spikes(signal)[0])
            signal, _ = layer.transmit(spikes[-1])
        return spikes
