"""What trained networks answered, and the spikes and operations that they spent on it: counted, and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from beyondrate.audit.outcomes import CLEAN, Arm, Outcomes, Test
from beyondrate.events import SpikeTrains
from beyondrate.nn import ConvSpikingNet, CountMLP, FirstSpikeNet, SpikeRows, SpikingGammaNet, SpikingNet
from beyondrate.nn.first_spike import NEVER
from beyondrate.nn.operations import operations
from beyondrate.reproduce.figure import Panel, Series
from beyondrate.reproduce.koopman2026.timing_training import at

COLUMNS = {  # of results.csv, by what of ``spent`` they show
    "spikes": "spikes_per_unit",
    "quanta": "quanta_per_unit",
    "quanta_per_s": "quanta_per_unit_s",  # as finished jobs on timing tasks call it
    "a_second": "quanta_per_unit_s",  # as those on speech and gestures do
    "synaptic": "synaptic_operations",
    "state": "state_operations",
}


def spent(
    network: nn.Module, trains: SpikeTrains, dt_s: float, *, n_samples: int = 64, rate: str = "a_second"
) -> dict[str, float]:
    """Return the means over the first ``n_samples`` of what a network spends on one.

    "spikes" and "quanta" of a hidden unit (a graded spike is worth its quanta, the binary spikes that it
    stands for), by the name of ``rate`` its quanta a second; "synaptic" and "state" operations, see
    ``beyondrate.nn.operations``. Those of an MLP are its multiply-adds; a net that fires once has none.

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
    net, n_samples = at(network, dt_s), min(n_samples, len(trains))
    rows = SpikeRows.from_binned(trains.binned(dt_s, np.arange(n_samples)))
    with torch.no_grad():
        if isinstance(net, FirstSpikeNet):
            heights = worth = [(times < NEVER)[:, None].float() for times in net.spike_times(rows)[1:-1]]
        elif isinstance(net, SpikingNet | SpikingGammaNet | ConvSpikingNet):
            heights = net.hidden_spikes(rows)
            worth = net.hidden_quanta(rows) if isinstance(net, SpikingGammaNet) else heights
        else:
            raise TypeError(f"the spikes of {type(network).__name__} cannot be counted")
    n_units = sum(h.shape[-1] for h in heights)
    quanta = sum(float(n.sum()) for n in worth) / n_units / n_samples
    return {
        "spikes": sum(float((h > 0).sum()) for h in heights) / n_units / n_samples,
        "quanta": quanta,
        rate: quanta / trains.duration_s,
        **({} if isinstance(net, FirstSpikeNet) else operations(net, rows)._asdict()),
    }


@dataclass(frozen=True)
class Measured:
    """What the trained networks answered, and what they spent on it.

    Args:
        outcomes: the answers.
        spent: what ``spent`` returns, by arm and test, one entry a seed.
    """

    outcomes: Outcomes
    spent: Mapping[tuple[Arm, Test], Sequence[Mapping[str, float]]]

    def mean_spent(self, arm: Arm, what: str = "quanta", test: Test = CLEAN) -> float:
        """Return the mean over seeds of what ``spent`` calls so."""
        return float(np.mean([entry[what] for entry in self.spent[arm, test]]))

    def rows(self) -> list[dict[str, Any]]:
        """Return the lines of results.csv: those of outcomes, with COLUMNS."""
        rows = self.outcomes.row_dicts()
        seen: dict[tuple[Arm, Test], int] = {}
        for row in rows:
            place = Arm(row["variant"], row["model"], row["control"]), (row["perturbation"], row["level"])
            seed = seen[place] = seen.get(place, -1) + 1
            row.update(dict.fromkeys(COLUMNS.values()))
            row.update({COLUMNS[what]: value for what, value in self.spent[place][seed].items()})
        return rows


def cost_series(
    measured: Measured,
    name: str,
    places: Sequence[tuple[Arm, Test]],
    what: str,
    x: Sequence[float] | None = None,
    unit: float = 1.0,
) -> Series:
    """Return what arms spend under tests, in units of so much, with single seeds."""
    return Series(
        name=name,
        x=list(range(len(places))) if x is None else list(x),
        y=[measured.mean_spent(arm, what, test) / unit for arm, test in places],
        seeds=[[entry[what] / unit for entry in measured.spent[place]] for place in places],
    )


def cost_panels(measured: Measured, arms: Mapping[Arm, str]) -> list[Panel]:
    """Return panels of spikes a unit a second, and of operations a sample, of arms and their names."""
    places = [(arm, CLEAN) for arm in arms]
    spiking = [place for place in places if "a_second" in measured.spent[place][0]]
    return [
        Panel(
            title="spikes",
            kind="bars",
            y_label="spikes a unit a second (quanta)",
            groups=[arms[arm] for arm, _ in spiking],
            series=[cost_series(measured, "spikes", spiking, "a_second")],
        ),
        Panel(
            title="operations",
            kind="bars",
            y_label="thousands a sample",
            groups=list(arms.values()),
            series=[
                cost_series(measured, shown, places, what, unit=1000)
                for what, shown in (("synaptic", "for spikes"), ("state", "for units' states"))
            ],
        ),
    ]
