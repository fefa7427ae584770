"""The same two-layer LIF network in this package and in its peers, each written the fastest way it offers.

Every peer gets a dense raster, maps all steps by one product a layer and walks through time in its own
neuron: for snnTorch and norse that is faster than the loop over steps around the whole network that their
tutorials show. Membranes leak with τ = 100 ms, reset to zero, and the readout's mean membrane is scored.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from beyondrate.nn import SpikingNet

DT_S, TAU_S = 0.01, 0.1
SLOPE = 5.0


@dataclass(frozen=True)
class Size:
    """How large a network and its batch are; ``density`` is the share of input bins that hold a spike."""

    batch: int = 128
    n_steps: int = 100
    n_units: int = 700
    hidden: tuple[int, ...] = (128, 128)
    n_classes: int = 20
    density: float = 0.02


def ours(size: Size, **settings: Any) -> SpikingNet:  # noqa: ANN401
    """Return this package's network."""
    return SpikingNet(
        size.n_units,
        size.n_classes,
        dt_s=DT_S,
        tau_s=TAU_S,
        readout_tau_s=TAU_S,
        slope=SLOPE,
        hidden=size.hidden,
        generator=torch.Generator().manual_seed(0),
        **settings,
    )


class _Layered(nn.Module):
    """Linear maps, each followed by a framework's units; they see (time, batch, unit)."""

    def __init__(self, size: Size, units: Callable[[bool], nn.Module]) -> None:
        super().__init__()
        sizes = [size.n_units, *size.hidden, size.n_classes]
        self.maps = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.units = nn.ModuleList(units(index < len(size.hidden)) for index in range(len(sizes) - 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the readout's membranes."""
        signal = x.transpose(0, 1)
        for linear, units in zip(self.maps, self.units, strict=True):
            signal = units(linear(signal))
        return signal.transpose(0, 1)


class _Stepwise(nn.Module):
    """Units of a framework that advance one step a call, over a whole sequence."""

    def __init__(
        self,
        unit: nn.Module,
        *,
        spiking: bool,
        at_rest: Callable[[Tensor], Any],
        membrane: Callable[[Any], Tensor],
    ) -> None:
        super().__init__()
        self.unit = unit
        self.spiking = spiking
        self.at_rest = at_rest
        self.membrane = membrane

    def forward(self, current: Tensor) -> Tensor:
        """Return the spikes, or the membranes of units that do not spike."""
        state, out = self.at_rest(current[0]), []
        for step in current:
            spikes, state = self.unit(step, state)
            out.append(spikes if self.spiking else self.membrane(state))
        return torch.stack(out)


def snntorch(size: Size) -> nn.Module:
    """Return the network of ``snntorch.Leaky`` units."""
    import snntorch
    from snntorch import surrogate

    def units(spiking: bool) -> nn.Module:
        unit = snntorch.Leaky(
            beta=math.exp(-DT_S / TAU_S),
            spike_grad=surrogate.fast_sigmoid(SLOPE),
            reset_mechanism="zero" if spiking else "none",
        )
        return _Stepwise(unit, spiking=spiking, at_rest=torch.zeros_like, membrane=lambda state: state)

    return _Layered(size, units)


def spikingjelly(size: Size) -> nn.Module:
    """Return the network of ``LIFNode`` units in multi-step mode."""
    from spikingjelly.activation_based import functional, neuron, surrogate

    class Membranes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.node = neuron.LIFNode(
                tau=1 / (1 - math.exp(-DT_S / TAU_S)),
                decay_input=False,
                v_threshold=float("inf"),
                step_mode="m",
                store_v_seq=True,
            )

        def forward(self, current: Tensor) -> Tensor:
            self.node(current)
            return self.node.v_seq

    def units(spiking: bool) -> nn.Module:
        if not spiking:
            return Membranes()
        return neuron.LIFNode(
            tau=1 / (1 - math.exp(-DT_S / TAU_S)),
            decay_input=False,
            surrogate_function=surrogate.ATan(),
            detach_reset=True,
            step_mode="m",
        )

    network = _Layered(size, units)
    network.register_forward_hook(lambda module, *_: functional.reset_net(module))
    return network


def norse(size: Size) -> nn.Module:
    """Return the network of ``LIFBoxCell`` units, which have no current filter; the readout's never spike."""
    import norse.torch as norse_torch

    inverse = torch.tensor((1 - math.exp(-DT_S / TAU_S)) / DT_S)

    def units(spiking: bool) -> nn.Module:
        cell = norse_torch.LIFBoxCell(
            norse_torch.LIFBoxParameters(
                tau_mem_inv=inverse,
                v_th=torch.tensor(1.0 if spiking else float("inf")),
                alpha=torch.tensor(SLOPE),
            ),
            dt=DT_S,
        )
        return _Stepwise(cell, spiking=spiking, at_rest=lambda _: None, membrane=lambda state: state.v)

    return _Layered(size, units)


PEERS: dict[str, Callable[[Size], nn.Module]] = {
    "snntorch": snntorch,
    "spikingjelly": spikingjelly,
    "norse": norse,
}
