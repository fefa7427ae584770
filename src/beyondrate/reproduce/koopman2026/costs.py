"""What a trained network spends on a sample, spikes and operations: counted, and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from beyondrate.audit.outcomes import CLEAN, Arm
from beyondrate.events import SpikeTrains
from beyondrate.nn import ConvSpikingNet, CountMLP, SpikeRows, SpikingGammaNet, SpikingNet
from beyondrate.nn.operations import operations
from beyondrate.reproduce.figure import Panel, Series
from beyondrate.reproduce.koopman2026.timing_experiment import Measured
from beyondrate.reproduce.koopman2026.timing_training import at

COUNTED = 64  # samples that spikes and operations are counted on


def spent(network: nn.Module, trains: SpikeTrains, dt_s: float) -> dict[str, float]:
    """Return the means over samples of what a network spends on one.

    "spikes" and "quanta" of a hidden unit (a graded spike is worth its quanta, the binary spikes that it
    stands for), "a_second" its quanta a second; "synaptic" and "state" operations, see
    ``beyondrate.nn.operations``. Those of an MLP are its multiply-adds.

    Example:
        >>> trains = SpikeTrains.from_samples([([1000, 2000], [0, 1])], labels=[0], n_units=2,
        ...                                   duration_us=10_000)
        >>> net = SpikingNet(2, 3, dt_s=0.001, hidden=(4,), generator=torch.Generator().manual_seed(0))
        >>> spent(net, trains, 0.001)
        {'spikes': 0.0, 'quanta': 0.0, 'a_second': 0.0, 'synaptic': 8.0, 'state': 70.0}
    """
    if isinstance(network, CountMLP):
        weights = sum(layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Linear))
        return {"synaptic": float(weights), "state": 0.0}
    net = at(network, dt_s)
    if not isinstance(net, SpikingNet | SpikingGammaNet | ConvSpikingNet):
        raise TypeError(f"the spikes of {type(network).__name__} cannot be counted")
    n_samples = min(COUNTED, len(trains))
    rows = SpikeRows.from_binned(trains.binned(dt_s, np.arange(n_samples)))
    with torch.no_grad():
        heights = net.hidden_spikes(rows)
        worth = net.hidden_quanta(rows) if isinstance(net, SpikingGammaNet) else heights
    n_units = sum(h.shape[-1] for h in heights)
    quanta = sum(float(n.sum()) for n in worth) / n_units / n_samples
    return {
        "spikes": sum(float((h > 0).sum()) for h in heights) / n_units / n_samples,
        "quanta": quanta,
        "a_second": quanta / trains.duration_s,
        **operations(net, rows)._asdict(),
    }


def cost_panels(found: Measured, arms: Mapping[Arm, str]) -> list[Panel]:
    """Return panels of spikes a unit a second, and of operations a sample, of arms and their names."""

    def mean(what: str, divisor: float = 1.0) -> list[float]:
        return [found.mean_spent(arm, what) / divisor for arm in arms if what in found.spent[arm, CLEAN][0]]

    spiking = [name for arm, name in arms.items() if "a_second" in found.spent[arm, CLEAN][0]]
    return [
        Panel(
            title="spikes",
            kind="bars",
            y_label="spikes a unit a second (quanta)",
            groups=spiking,
            series=[Series("spikes", list(range(len(spiking))), mean("a_second"))],
        ),
        Panel(
            title="operations",
            kind="bars",
            y_label="thousands a sample",
            groups=list(arms.values()),
            series=[
                Series(shown, list(range(len(arms))), mean(what, 1000))
                for what, shown in (("synaptic", "for spikes"), ("state", "for units' states"))
            ],
        ),
    ]


def rows_with_cost(found: Measured) -> list[dict[str, Any]]:
    """Return the lines of results.csv, with spikes and operations."""
    rows = found.rows()
    for row in rows:
        place = Arm(row["variant"], row["model"], row["control"]), (row["perturbation"], row["level"])
        for what in ("a_second", "synaptic", "state"):
            row[what] = found.mean_spent(place[0], what, place[1]) if what in found.spent[place][0] else None
    return rows
