"""A convolutional network of leaky integrate-and-fire units, for event cameras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from beyondrate.errors import InputError
from beyondrate.nn.gamma_wiring import Conv, Wiring, wirings_of
from beyondrate.nn.lif import LIF
from beyondrate.nn.readout import LeakyReadout
from beyondrate.ops.lif import leaky_integrate
from beyondrate.ops.sparse_linear import SpikeRows


class ConvSpikingNet(nn.Module):
    """Layers of convolutions or of linear maps, each with LIF units, and a leaky readout.

    Args:
        n_units: input units.
        n_classes: classes.
        dt_s: time step in seconds.
        hidden: the hidden layers: a number of units, or a ``Conv``.
        input_shape: (channels, rows, columns) of the input units, for ``Conv`` layers.
        tau_s: initial membrane time constant in seconds, learned for each layer.
        slope: of the surrogate derivative.
        generator: draws the initial weights.

    Raises:
        InputError: if the shape is not that of the units, or a setting is out of range.

    Example:
        >>> net = ConvSpikingNet(2 * 34 * 34, 10, dt_s=0.01, hidden=[Conv(8, 5, 2), Conv(16, 3, 2)],
        ...                      input_shape=(2, 34, 34))
        >>> net(torch.zeros(4, 30, 2 * 34 * 34)).shape, [layer.n_units for layer in net.units]
        (torch.Size([4, 30, 10]), [2312, 1296])
    """

    takes_spike_rows = True

    def __init__(
        self,
        n_units: int,
        n_classes: int,
        *,
        dt_s: float,
        hidden: Sequence[int | Conv],
        input_shape: tuple[int, int, int] | None = None,
        tau_s: float = 0.1,
        slope: float = 5.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        hidden = [size if isinstance(size, int) else Conv(*size) for size in hidden]
        self.config: dict[str, Any] = {
            "n_units": n_units,
            "n_classes": n_classes,
            "dt_s": dt_s,
            "hidden": [size if isinstance(size, int) else list(size) for size in hidden],
            "input_shape": None if input_shape is None else list(input_shape),
            "tau_s": tau_s,
            "slope": slope,
        }
        self.wirings: list[Wiring] = wirings_of(n_units, n_classes, hidden, input_shape)
        self.weights = nn.ParameterList(_initial(wiring, generator) for wiring in self.wirings)
        self.biases = nn.ParameterList(torch.zeros(wiring.channels) for wiring in self.wirings)
        self.units: Sequence[LIF] = nn.ModuleList(  # type: ignore[assignment]
            LIF(wiring.n_out, dt_s=dt_s, tau_s=tau_s, slope=slope) for wiring in self.wirings[:-1]
        )
        self.readout = LeakyReadout(dt_s=dt_s)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], *, generator: torch.Generator | None = None
    ) -> ConvSpikingNet:
        """Build the network that ``config`` describes, with new weights."""
        return cls(**config, generator=generator)

    @property
    def n_parameters(self) -> int:
        """Number of parameters that training changes."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def forward(self, x: SpikeRows | Float[Tensor, "batch time unit"]) -> Float[Tensor, "batch time class"]:
        """Return the outputs over time for input spikes from a state of rest."""
        out, _ = self.readout(self._current(len(self.units), [x, *self.hidden_spikes(x)][-1]))
        return out

    def hidden_spikes(
        self, x: SpikeRows | Float[Tensor, "batch time unit"]
    ) -> list[Float[Tensor, "batch time _"]]:
        """Return the spikes that each hidden layer fires."""
        spikes: list[Tensor] = []
        for layer, lif in enumerate(self.units):
            spikes.append(lif(self._current(layer, spikes[-1] if spikes else x))[0])
        return spikes

    @torch.no_grad()
    def initialise_from_data(self, batch: SpikeRows | Float[Tensor, "batch time unit"]) -> None:
        """Scale the hidden layers' weights so that membranes without reset have a root mean square of 1.

        Raises:
            InputError: if a layer gets no input from this batch.
        """
        signal: SpikeRows | Tensor = batch
        for layer, lif in enumerate(self.units):
            membrane, _ = leaky_integrate(self._current(layer, signal), lif.params().decay)
            spread = membrane.square().mean().sqrt()
            if not spread > 0:
                raise InputError(
                    f"hidden layer {layer + 1} gets no input from this batch", remedy="give spikes"
                )
            self.weights[layer].div_(spread)
            signal, _ = lif(self._current(layer, signal))

    def _current(
        self, layer: int, x: SpikeRows | Float[Tensor, "batch time unit"]
    ) -> Float[Tensor, "batch time out"]:
        wiring = self.wirings[layer]
        bias = self.biases[layer]
        out = wiring.apply(x, self.weights[layer])
        return out + bias.repeat_interleave(wiring.n_out // wiring.channels)


def _initial(wiring: Wiring, generator: torch.Generator | None) -> Tensor:
    bound = 1 / math.sqrt(math.prod(wiring.weight_shape[1:]))
    return torch.empty(wiring.weight_shape).uniform_(-bound, bound, generator=generator)
