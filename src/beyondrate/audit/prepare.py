"""From the data to its variants, each with the samples that train, validate and test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int64

from beyondrate import variants
from beyondrate.audit.metrics import HeldOut
from beyondrate.audit.plan import Normalise
from beyondrate.audit.variant_store import PARTS, VariantData
from beyondrate.datasets.split import Split
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains

SMALLEST_PART = 2  # samples a part must hold


def prepare(
    trains: SpikeTrains, split: Split, variant: str, *, normalise: Normalise, seed: int
) -> tuple[VariantData, dict[str, Any]]:
    """Make one variant, carry the split over to its samples, and say what was kept and dropped.

    Args:
        trains: the whole data.
        split: which samples train, validate and test.
        variant: "whole", "part" or "norm".
        normalise: whether thresholds are taken from the training part only, or from all samples.
        seed: of the variant's draws.

    Raises:
        InputError: if the data cannot make the variant, or too little of a part is left.
    """
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    if variant == "whole":
        made, indices = trains, parts
    else:
        held_in = np.zeros(len(trains), dtype=bool)
        held_in[np.concatenate([split.train, split.validation])] = True
        make = variants.part if variant == "part" else variants.norm
        made = make(trains, split=normalise, train=held_in if normalise == "train" else None, seed=seed)
        kept = np.asarray(made.meta["variant"]["kept_samples"])
        indices = {name: np.flatnonzero(np.isin(kept, chosen)) for name, chosen in parts.items()}
    _check(made, indices, variant)
    return VariantData(made, indices), variant_facts(made, indices)


def _check(made: SpikeTrains, indices: Mapping[str, Int64[np.ndarray, " chosen"]], variant: str) -> None:
    for name in PARTS:
        left = indices[name]
        n_classes = len(np.unique(made.labels[left]))
        if len(left) < SMALLEST_PART or n_classes < 2:
            raise InputError(
                f"{variant} leaves {len(left)} {name} samples of {n_classes} class{'es' * (n_classes != 1)}",
                remedy="give more samples, or audit without this variant (--variants whole)",
            )


def variant_facts(made: SpikeTrains, indices: Mapping[str, Int64[np.ndarray, " chosen"]]) -> dict[str, Any]:
    """Return a variant's sizes, chance level and class names, and the report of how it was made."""
    names = made.meta.get("label_names") or [str(k) for k in range(made.n_classes)]
    report = made.meta.get("variant", {})
    return {
        **{f"n_{name}": len(indices[name]) for name in PARTS},
        "n_units": made.n_units,
        "n_spikes": made.n_spikes,
        "chance": HeldOut(made.labels[indices["test"]], balanced=True).chance,
        "label_names": list(names),
        "report": {key: value for key, value in report.items() if not key.startswith("kept_")},
    }
