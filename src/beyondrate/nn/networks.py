"""Ready networks: layers of spiking units with or without axonal delays, and a readout."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.errors import InputError
from beyondrate.nn.delay import AxonalDelay
from beyondrate.nn.dropout import UnitDropout
from beyondrate.nn.lif import LIF
from beyondrate.nn.linear import SpikeLinear
from beyondrate.nn.readout import LeakyReadout
from beyondrate.ops.delay import DelayMode
from beyondrate.ops.lif import LIFState, Reset, Surrogate
from beyondrate.ops.sparse_linear import SpikeRows

Delays = Literal["frozen", "learned"]
Readout = Literal["leaky", "spikes"]


class LayerState(NamedTuple):
    """What a hidden layer carries from step to step: its membranes and the spikes still under way."""

    lif: LIFState
    delay: Tensor | None


class SpikingLayer(nn.Module):
    """One hidden layer: weights, leaky integrate-and-fire units, dropout of units, axonal delays."""

    def __init__(
        self, linear: SpikeLinear, lif: LIF, dropout: UnitDropout, delay: AxonalDelay | None = None
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
        spikes, lif_state = self.lif(self.linear(x), state.lif if state else None)
        signal, past = self.transmit(spikes, state.delay if state else None)
        return signal, LayerState(lif_state, past)

    def transmit(
        self, spikes: Float[Tensor, "batch time hidden"], past: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch time hidden"], Tensor | None]:
        """Return what of the layer's spikes arrives at the next layer, and what is still under way."""
        signal = self.dropout(spikes)
        return (signal, None) if self.delay is None else self.delay(signal, past)

    def step(
        self, x: Float[Tensor, "batch unit"], state: LayerState | None = None
    ) -> tuple[Float[Tensor, "batch hidden"], LayerState]:
        """Return what arrives at the next layer in this time step, and the state after it."""
        signal, lif_state = self.lif.step(self.linear(x), state.lif if state else None)
        signal, past = self.dropout(signal), None
        if self.delay is not None:
            signal, past = self.delay.step(signal, state.delay if state else None)
        return signal, LayerState(lif_state, past)


class NetState(NamedTuple):
    """What a network carries from step to step: each hidden layer's state and the readout's."""

    layers: tuple[LayerState, ...]
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
        learn_tau: let log τ have a gradient.
        reset, detach_reset, surrogate, slope: as in ``LIF``.
        delays: axonal delays of the hidden layers' units: None, "frozen" (random) or "learned".
        delay_range_s: the initial delays are drawn from U(low, high) seconds.
        max_delay_s: longest delay in seconds: the duration less one step.
        delay_mode: "linear", "floor" or "central", see ``beyondrate.ops.delay``.
        readout: "leaky" (membranes without threshold) or "spikes" (a LIF layer, for ``Spikemax``).
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
        learn_tau: bool = True,
        reset: Reset = "hard",
        detach_reset: bool = True,
        surrogate: Surrogate = "superspike",
        slope: float = 5.0,
        delays: Delays | None = None,
        delay_range_s: tuple[float, float] = (0.0, 0.3),
        max_delay_s: float | None = None,
        delay_mode: DelayMode = "linear",
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
        if readout not in ("leaky", "spikes"):
            raise InputError(f"readout is {readout!r}", remedy='give "leaky" or "spikes"')
        if not hidden or min(hidden) < 1:
            raise InputError(f"hidden is {hidden}", remedy="give the size of one hidden layer or more")

        def lif(n: int, tau: float) -> LIF:
            return LIF(
                n,
                dt_s=dt_s,
                tau_s=tau,
                tau_syn_s=tau_syn_s,
                per_unit=tau_per_unit,
                learn_tau=learn_tau,
                reset=reset,
                detach_reset=detach_reset,
                surrogate=surrogate,
                slope=slope,
            )

        delay_seed = int(torch.randint(2**62, (), generator=generator))
        delay_generator = torch.Generator().manual_seed(
            delay_seed
        )  # the same weights with delays and without

        def delay(n: int) -> AxonalDelay | None:
            if delays is None:
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
                SpikeLinear(n_in, n_out, bias=bias, generator=generator),
                lif(n_out, tau_s),
                UnitDropout(dropout, generator=generator),
                delay(n_out),
            )
            for n_in, n_out in pairwise(sizes)
        )
        self.readout_linear = SpikeLinear(sizes[-1], n_classes, bias=bias, generator=generator)
        self.readout: LeakyReadout | LIF = (
            LeakyReadout(dt_s=dt_s, tau_s=readout_tau_s, learn_tau=learn_tau)
            if readout == "leaky"
            else lif(n_classes, readout_tau_s)
        )

    @classmethod
    def from_config(cls, config: dict[str, Any], *, generator: torch.Generator | None = None) -> SpikingNet:
        """Build the network that ``config`` describes, with new weights."""
        tuples = {name: tuple(value) for name, value in config.items() if isinstance(value, list)}
        return cls(**{**config, **tuples}, generator=generator)

    @property
    def n_parameters(self) -> int:
        """Number of parameters that training changes."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def forward(self, x: SpikeRows | Float[Tensor, "batch time unit"]) -> Float[Tensor, "batch time class"]:
        """Return the outputs over time for input spikes from a state of rest."""
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
        out, readout_state = self.readout(self.readout_linear(signal), state.readout if state else None)
        return out, NetState(tuple(states), readout_state)

    def step(
        self, x: Float[Tensor, "batch unit"], state: NetState | None = None
    ) -> tuple[Float[Tensor, "batch class"], NetState]:
        """Return the outputs of one time step and the state after it."""
        signal, states = x, []
        for index, layer in enumerate(self.hidden_layers):
            signal, layer_state = layer.step(signal, state.layers[index] if state else None)
            states.append(layer_state)
        current = self.readout_linear(signal)
        out, readout_state = self.readout.step(current, state.readout if state else None)  # type: ignore[arg-type]
        return out, NetState(tuple(states), readout_state)

    def hidden_spikes(
        self, x: SpikeRows | Float[Tensor, "batch time unit"]
    ) -> list[Float[Tensor, "batch time hidden"]]:
        """Return the spikes that each hidden layer fires, before dropout and delays."""
        signal: SpikeRows | Tensor = x
        spikes = []
        for layer in self.hidden_layers:
            spikes.append(layer.lif(layer.linear(signal))[0])
            signal, _ = layer.transmit(spikes[-1])
        return spikes
