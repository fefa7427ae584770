"""The compact networks of Yu et al. 2025, Sec. 2, with the initial weights from which they train well."""

from __future__ import annotations

from typing import Any

import torch

from beyondrate.nn.networks import SpikingNet


def isi_net(
    n_units: int = 10,
    n_classes: int = 2,
    *,
    dt_s: float = 1e-3,
    n_hidden: int = 100,
    tau_s: float = 0.02,
    slope: float = 5.0,
    generator: torch.Generator | None = None,
) -> SpikingNet:
    """Return the network of the inter-spike-interval task (Sec. 2.1): one layer, one τ, outputs that sum.

    Hidden unit h hears input h mod n_units with a weight of U(0.5, 1), so that one spike leaves it below
    the threshold and two that are close bring it above; N(0, 0.05) is added to every weight. Train it with
    ``LastStep``.

    Args:
        n_units: input units.
        n_classes: classes.
        dt_s: time step in seconds.
        n_hidden: hidden units.
        tau_s: initial membrane time constant in seconds.
        slope: of the surrogate.
        generator: draws the weights.

    Example:
        >>> net = isi_net()
        >>> net(torch.zeros(4, 1000, 10)).shape, net.n_parameters
        (torch.Size([4, 1000, 2]), 1201)
    """
    net = _one_layer(n_units, n_classes, n_hidden, dt_s=dt_s, tau_s=tau_s, slope=slope, generator=generator)
    weight = net.hidden_layers[0].linear.weight.detach()
    weight.normal_(0, 0.05, generator=generator)
    h = torch.arange(n_hidden)
    weight[h, h % n_units] += torch.empty(n_hidden).uniform_(0.5, 1, generator=generator)
    return net


def coincidence_net(
    n_units: int = 60,
    n_classes: int = 3,
    *,
    dt_s: float = 1e-3,
    n_hidden: int = 3,
    tau_s: float = 0.005,
    slope: float = 5.0,
    generator: torch.Generator | None = None,
) -> SpikingNet:
    """Return the network of the coincidence task (Sec. 2.2): three spiking units, one τ, outputs that sum.

    The initial weights are N(0.08, 0.03) from the inputs and N(0, 0.5) to the outputs. Train it with
    ``LastStep``.

    Args:
        n_units: input units.
        n_classes: classes.
        dt_s: time step in seconds.
        n_hidden: hidden units.
        tau_s: initial membrane time constant in seconds.
        slope: of the surrogate.
        generator: draws the weights.

    Example:
        >>> net = coincidence_net()
        >>> net(torch.zeros(4, 200, 60)).shape, net.n_parameters
        (torch.Size([4, 200, 3]), 190)
    """
    net = _one_layer(n_units, n_classes, n_hidden, dt_s=dt_s, tau_s=tau_s, slope=slope, generator=generator)
    net.hidden_layers[0].linear.weight.detach().normal_(0.08, 0.03, generator=generator)
    net.readout_linear.weight.detach().normal_(0, 0.5, generator=generator)
    return net


def _one_layer(n_units: int, n_classes: int, n_hidden: int, **options: Any) -> SpikingNet:  # noqa: ANN401
    return SpikingNet(n_units, n_classes, hidden=(n_hidden,), readout="sum", bias=False, **options)
