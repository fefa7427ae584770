"""The small extracts of the events that a report draws: rasters, count distributions, facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from beyondrate import perturb
from beyondrate.audit.metrics import count_leak
from beyondrate.events import SpikeTrains

RASTERS = (
    ("none", 0.0, "as recorded"),
    ("jitter", 0.025, "each spike moved, σ = 25 ms"),
    ("jitter-unit", 0.025, "each unit moved, σ = 25 ms"),
    ("replace", 1.0, "all spikes at random times"),
    ("delete", 0.5, "half of the spikes deleted"),
    ("reverse", 0.0, "played backwards"),
)
MOST_RASTER_SPIKES = 6_000
MOST_SAMPLES_A_CLASS = 60


def label_names(trains: SpikeTrains) -> list[str]:
    """Return the name of each class, its number where it has none."""
    named = trains.meta.get("label_names")
    return [str(name) for name in named] if named else [str(k) for k in range(trains.n_classes)]


def data_facts(trains: SpikeTrains) -> dict[str, Any]:
    """Return what the data are: sizes, classes, groups."""
    return {
        "n_samples": len(trains),
        "n_spikes": trains.n_spikes,
        "n_units": trains.n_units,
        "duration_s": trains.duration_s,
        "n_classes": trains.n_classes,
        "label_names": label_names(trains),
        "n_groups": None if trains.groups is None else len(np.unique(trains.groups)),
    }


def figure_data(variants: Mapping[str, SpikeTrains]) -> dict[str, Any]:
    """Return the rasters of one sample under each perturbation, and each variant's count distributions."""
    first = next(iter(variants))
    return {
        "rasters": _rasters(first, variants[first]),
        "counts": {name: _counts(trains) for name, trains in variants.items()},
    }


def _rasters(variant: str, trains: SpikeTrains) -> dict[str, Any]:
    """Return a sample of middling spike count, thinned to every n-th unit if it is too full to draw."""
    sizes = trains.spikes_per_sample
    middle = int(np.argsort(sizes, kind="stable")[len(sizes) // 2])
    sample = trains[middle]
    every = -(-sample.n_spikes // MOST_RASTER_SPIKES)
    drawn = sample.units % max(1, every) == 0
    sample = sample.with_spikes(
        sample.times_us[drawn], sample.units[drawn], np.array([0, int(drawn.sum())], dtype=np.int64)
    )
    panels = []
    for name, level, title in RASTERS:
        if name.startswith("jitter") and level > trains.duration_s:  # the sample is too short for it
            continue
        shown = sample if name == "none" else perturb.apply(sample, name, level, np.random.default_rng(0))
        panels.append(
            {
                "perturbation": name,
                "level": level,
                "title": title,
                "times_ms": (shown.times_us / 1000).round(2).tolist(),
                "units": shown.units.tolist(),
            }
        )
    return {
        "variant": variant,
        "label": label_names(trains)[int(sample.labels[0])],
        "n_units": trains.n_units,
        "duration_ms": trains.duration_us / 1000,
        "every": every,
        "panels": panels,
    }


def _counts(trains: SpikeTrains) -> dict[str, Any]:
    per_class = [
        trains.spikes_per_sample[trains.labels == k][:MOST_SAMPLES_A_CLASS].tolist()
        for k in range(trains.n_classes)
    ]
    return {
        "classes": label_names(trains),
        "spikes_per_sample": per_class,
        "unit_leak": count_leak(trains.counts(), trains.labels).round(4).tolist(),
    }
