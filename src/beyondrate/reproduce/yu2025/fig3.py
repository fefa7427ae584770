"""Fig. 3: one recording as whole, part and norm, and what of its spike counts is left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from beyondrate import variants
from beyondrate.audit.metrics import Interval
from beyondrate.audit.plan import VARIANTS
from beyondrate.audit.variant_store import VariantStore
from beyondrate.events import SpikeTrains
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Comparison, Panel, Published, Reproduction, Series
from beyondrate.reproduce.speech_data import title
from beyondrate.reproduce.yu2025 import published, speech
from beyondrate.reproduce.yu2025.speech import SpeechJob

CLASSES_SHOWN = 4
SOURCE = f"{published.V1}, Fig. 3 and Sec. 3.1"


def stages(plan: Plan) -> list[list[SpeechJob]]:
    """Return no jobs: the figure is of the data alone."""
    return []


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the variants and make the figure."""
    store = VariantStore(folder / "data")
    made = {name: store.read(name).trains for name in VARIANTS}
    sample = int(np.asarray(made["norm"].meta["variant"]["kept_samples"])[0])
    rasters = [
        _raster(name, made[name][_position(made[name], sample)], made["whole"].meta.get("label_names"))
        for name in VARIANTS
    ]
    return Reproduction(
        figure="yu2025/fig3",
        title=title("Fig. 3: from whole to part to norm", plan),
        panels=[*rasters, *(_profiles(name, made[name]) for name in VARIANTS)],
        comparisons=_comparisons(made["norm"], plan),
        claims=_claims(made),
        rows=[row for name in VARIANTS for row in _rows(name, made[name])],
        notes=[store.facts("norm")["split"], _dropped(made["norm"])],
    )


def _position(trains: SpikeTrains, sample: int) -> slice:
    """Return where a sample of the whole data stands in a variant."""
    kept = trains.meta.get("variant", {}).get("kept_samples")
    place = sample if kept is None else kept.index(sample)
    return slice(place, place + 1)


def _raster(name: str, one: SpikeTrains, label_names: Sequence[str] | None) -> Panel:
    label = int(one.labels[0])
    word = str(label) if not label_names else label_names[label]
    return Panel(
        title=f'{name}: "{word}", {one.n_spikes:,} spikes',
        kind="raster",
        x_label="time (ms)",
        y_label="unit",
        series=[Series(name, (one.times_us / 1000).tolist(), one.units.tolist())],
        extent=(0.0, one.duration_us / 1000, 0.0, float(one.n_units)),
    )


def _profiles(name: str, trains: SpikeTrains) -> Panel:
    """Return the mean spike count of every unit, a curve for each of some classes."""
    counts = trains.counts()
    names = trains.meta.get("label_names") or [str(k) for k in range(trains.n_classes)]
    shown = np.unique(trains.labels)[:CLASSES_SHOWN]
    return Panel(
        title=f"{name}: spikes of each unit, by class",
        kind="lines",
        x_label="unit",
        y_label="mean spikes a sample",
        series=[
            Series(names[k], list(range(trains.n_units)), counts[trains.labels == k].mean(axis=0).tolist())
            for k in shown
        ],
    )


def _rows(name: str, trains: SpikeTrains) -> list[dict[str, object]]:
    sizes = np.bincount(trains.labels)
    return [
        {
            "variant": name,
            "samples": len(trains),
            "units": trains.n_units,
            "spikes": trains.n_spikes,
            "classes": trains.n_classes,
            "smallest_class": int(sizes[sizes > 0].min()),
            "largest_class": int(sizes.max()),
        }
    ]


def _comparisons(norm: SpikeTrains, plan: Plan) -> list[Comparison]:
    if plan["data"] not in published.NORM_SIZES:
        return []
    ours = (len(norm), norm.n_units)
    return [
        Comparison(
            Published(f"{what} of norm", float(theirs), SOURCE, "the published file"),
            Interval(float(mine), float(mine), float(mine)),
            same_data=plan["protocol"] == "yu2025",
            note="" if plan["protocol"] == "yu2025" else "ours takes thresholds from the training part only",
        )
        for what, theirs, mine in zip(
            ("samples", "units"), published.NORM_SIZES[plan["data"]][:2], ours, strict=True
        )
    ]


def _claims(made: dict[str, SpikeTrains]) -> list[Claim]:
    norm = made["norm"]
    spread = int((norm.counts() != norm.counts()[0]).any(axis=0).sum())
    equal = variants.certificate(norm, made["part"])
    return [
        Claim(
            "On norm every unit fires equally often in every sample.",
            SOURCE,
            "holds" if spread == 0 else "does not hold",
            f"{norm.n_units - spread} of {norm.n_units} units do, over {len(norm):,} samples",
        ),
        Claim(
            "Norm's spikes are a subset of part's.",
            SOURCE,
            "holds" if equal.spikes_are_a_subset else "does not hold",
            f"{norm.n_spikes:,} of {made['part'].n_spikes:,} spikes, each compared",
        ),
    ]


def _dropped(norm: SpikeTrains) -> str:
    report = norm.meta["variant"]
    before = sum(line["before"] for line in report["per_class"])
    after = sum(line["after"] for line in report["per_class"])
    return (
        f"Of {before:,} training samples {after:,} are kept: the others miss spikes of a kept unit, or were "
        f"left out to make classes equal. θ = {report['theta']}, ε = {report['epsilon']}."
    )


FIGURE = Figure(
    name="yu2025/fig3",
    shows="one recording as whole, part and norm, and the counts that are left",
    experiment=speech.EXPERIMENT,
    stages=stages,
    draw=draw,
)
