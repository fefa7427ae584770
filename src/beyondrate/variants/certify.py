"""The certificate of a norm: what must be true of it, checked on its spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains


@dataclass(frozen=True)
class Certificate:
    """What must be true of a norm.

    Attributes:
        counts_identical: every unit has the same number of spikes in every sample.
        spikes_are_a_subset: it holds part's samples and units, and no spike that part lacks.
        classes_equal: equally many samples of each class (with split="train", of the training samples).
        no_class_below_half: the filter has left at least half of every class (before the balancing; of the
            training samples, where the thresholds come from those).
        violations: a sentence for each of these that is not true.
    """

    counts_identical: bool
    spikes_are_a_subset: bool
    classes_equal: bool
    no_class_below_half: bool
    violations: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether all of it is true."""
        return not self.violations


def certificate(normed: SpikeTrains, parted: SpikeTrains) -> Certificate:
    """Check a norm against the part of the same data.

    Raises:
        InputError: if they are not a norm and a part.
    """
    for trains, name in ((normed, "norm"), (parted, "part")):
        found = trains.meta.get("variant", {}).get("name", "whole")
        if found != name:
            raise InputError(f"{found} is given as {name}", remedy="give norm(data), then part(data)")
    found_wrong = {
        "counts_identical": _differing_counts(normed),
        "spikes_are_a_subset": _foreign_spikes(normed, parted),
        "classes_equal": _unequal_classes(normed),
        "no_class_below_half": _halved_classes(normed),
    }
    return Certificate(
        **{name: sentence is None for name, sentence in found_wrong.items()},
        violations=tuple(sentence for sentence in found_wrong.values() if sentence is not None),
    )


def _differing_counts(normed: SpikeTrains) -> str | None:
    counts = normed.counts()
    fewest, most = counts.min(axis=0), counts.max(axis=0)
    differing = np.flatnonzero(fewest != most)
    if not len(differing):
        return None
    unit = differing[0]
    return (
        f"{len(differing)} of {normed.n_units} units do not have the same count in every sample: "
        f"unit {unit} has {fewest[unit]} to {most[unit]} spikes"
    )


def _foreign_spikes(normed: SpikeTrains, parted: SpikeTrains) -> str | None:
    """Look for each spike of a sample of norm in part's sample; of several alike, for as many."""
    for what in ("kept_samples", "kept_units"):
        if normed.meta["variant"][what] != parted.meta["variant"][what]:
            return f"norm and part do not hold the same {what.removeprefix('kept_')} in the same order"
    for sample in range(len(normed)):
        ours, theirs = (
            np.sort(trains.times_us.astype(np.int64) * trains.n_units + trains.units)
            for trains in (normed[sample], parted[sample])
        )
        # The k-th of equal spikes of norm must meet the k-th of equal spikes of part.
        rank = np.arange(len(ours)) - np.searchsorted(ours, ours)
        place = np.searchsorted(theirs, ours) + rank
        beyond_the_last = np.full(len(ours) + 1, -1)
        foreign = np.append(theirs, beyond_the_last)[place] != ours
        if foreign.any():
            time, unit = divmod(int(ours[foreign][0]), normed.n_units)
            return f"the spike of unit {unit} at {time} µs in sample {sample} of norm is not in part"
    return None


def _unequal_classes(normed: SpikeTrains) -> str | None:
    n_train = normed.meta["variant"]["n_train"]
    sizes = np.unique(normed.labels[:n_train], return_counts=True)[1]
    if sizes.min() != sizes.max():
        return f"the classes have {sizes.min()} to {sizes.max()} training samples"
    return None


def _halved_classes(normed: SpikeTrains) -> str | None:
    for row in normed.meta["variant"]["per_class"]:
        dropped, before = row["dropped_filter"], row["before"]
        if dropped > before / 2:
            return f"the filter has dropped {dropped} of the {before} samples of class {row['class']}"
    return None
