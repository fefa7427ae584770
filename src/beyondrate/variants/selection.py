"""Which samples and units part and norm keep, decided on the spike counts alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int32, Int64

from beyondrate.errors import InputError

Samples = Bool[np.ndarray, " samples"]


@dataclass(frozen=True)
class Rules:
    """What a unit must have, and what may be dropped for it; see ``beyondrate.variants.part``."""

    theta: int
    fewest: int
    epsilon: float
    min_class_share: float

    def __post_init__(self) -> None:
        for name, n_spikes in (("theta", self.theta), ("fewest", self.fewest)):
            if n_spikes < 1 or n_spikes != int(n_spikes):
                raise InputError(f"{name} is {n_spikes}", remedy="give a whole number of spikes, 1 or more")
        if not 0 <= self.epsilon <= 1:
            raise InputError(f"epsilon is {self.epsilon}", remedy="give a share of the samples, from 0 to 1")
        if not 0 < self.min_class_share <= 1:
            raise InputError(
                f"min_class_share is {self.min_class_share}", remedy="give a share above 0, at most 1"
            )


@dataclass(frozen=True, eq=False)
class Selection:
    """The samples and units that are kept.

    Attributes:
        samples: numbers of the kept samples in their new order, training samples first.
        units: numbers of the kept units, ascending.
        c_min: the smallest count of each kept unit over the kept training samples.
        n_train: number of kept training samples.
        per_class: by class, what happened to the training samples.
        per_class_held_out: the same for the held-out samples; None if there are none.
    """

    samples: Int64[np.ndarray, " kept_samples"]
    units: Int64[np.ndarray, " kept_units"]
    c_min: Int64[np.ndarray, " kept_units"]
    n_train: int
    per_class: list[dict[str, Any]]
    per_class_held_out: list[dict[str, Any]] | None

    def report(self) -> dict[str, Any]:
        """Return all of it in lists and numbers, ready for JSON."""
        held_out = {} if self.per_class_held_out is None else {"per_class_held_out": self.per_class_held_out}
        return {
            "n_train": self.n_train,
            "per_class": self.per_class,
            **held_out,
            "kept_samples": self.samples.tolist(),
            "kept_units": self.units.tolist(),
            "c_min": self.c_min.tolist(),
        }


def select(
    counts: Int32[np.ndarray, "samples units"],
    labels: Int64[np.ndarray, " samples"],
    inside: Samples,
    rules: Rules,
    rng: np.random.Generator,
    label_names: Sequence[str] | None,
) -> Selection:
    """Choose samples and units; every threshold comes from the samples ``inside`` (the training samples).

    Raises:
        InputError: if no unit is left, or the held-out samples of a class are all lost.
    """
    names, classes = _classes(labels, inside, label_names)
    low = counts < rules.theta
    low[~inside] = False
    rich = inside & ~_dropped(low, classes, inside, rules)
    poorest = np.min(counts, axis=0, where=rich[:, None], initial=np.iinfo(np.int32).max)
    units = np.flatnonzero(poorest >= rules.fewest)
    if not len(units):
        raise _no_unit(low.sum(axis=0).min() / inside.sum(), int(rich.sum()), rules)
    kept = _balanced(rich, classes, rng)
    c_min = np.min(counts, axis=0, where=kept[:, None], initial=np.iinfo(np.int32).max)[units]
    samples = rng.permutation(np.flatnonzero(kept))
    n_train = len(samples)
    per_class, per_class_held_out = _per_class(names, classes, inside, rich, kept), None
    if not inside.all():
        rich = ~inside & (counts[:, units] >= c_min).all(axis=1)
        lost = np.setdiff1d(np.arange(len(names)), classes[rich])
        if len(lost):
            raise InputError(
                f"class {names[lost[0]]} has no held-out sample with the spikes that norm needs",
                remedy="hold out more samples, lower theta, or take split='pooled'",
            )
        samples = np.concatenate([samples, rng.permutation(np.flatnonzero(rich))])
        per_class_held_out = _per_class(names, classes, ~inside, rich, rich)
    return Selection(samples, units, c_min.astype(np.int64), n_train, per_class, per_class_held_out)


def _classes(
    labels: Int64[np.ndarray, " samples"], inside: Samples, label_names: Sequence[str] | None
) -> tuple[list[str], Int64[np.ndarray, " samples"]]:
    """Return the names of the classes of the training samples, and the class of every sample among them."""
    present = np.unique(labels[inside])
    unknown = np.setdiff1d(labels, present)
    if len(unknown):
        raise InputError(
            f"no training sample has the label {unknown[0]} of some held-out ones",
            remedy="mark samples of every class as training samples",
        )
    names = [str(label) if label_names is None else str(label_names[label]) for label in present]
    return names, np.searchsorted(present, labels)


def _dropped(
    low: Bool[np.ndarray, "samples units"],
    classes: Int64[np.ndarray, " samples"],
    inside: Samples,
    rules: Rules,
) -> Samples:
    """Return the samples that are dropped to keep units which are low in only a few samples (Eqs. 6, 7)."""
    n_low = low.sum(axis=0)
    original = np.bincount(classes[inside])
    size = original
    dropped = np.zeros(len(classes), dtype=np.bool_)
    for unit in np.argsort(n_low, kind="stable"):  # ascending (|M_i|, i)
        if n_low[unit] / inside.sum() >= rules.epsilon:
            break
        newly = np.flatnonzero(low[:, unit] & ~dropped)
        left = size - np.bincount(classes[newly], minlength=len(size))
        if (left / original >= rules.min_class_share).all():
            dropped[newly] = True
            size = left
    return dropped


def _no_unit(smallest_share: float, n_remaining: int, rules: Rules) -> InputError:
    worth_dropping = smallest_share < rules.epsilon
    return InputError(
        f"no unit has {rules.fewest} spikes or more in each of the {n_remaining} samples that remain "
        f"(the best unit has fewer in {smallest_share:.2%} of all samples)",
        remedy="lower theta, merge units that lie together, or "
        + ("lower min_class_share" if worth_dropping else f"raise epsilon above {smallest_share:.4f}"),
    )


def _balanced(samples: Samples, classes: Int64[np.ndarray, " samples"], rng: np.random.Generator) -> Samples:
    """Return as many random samples of each class as the smallest class has."""
    smallest = np.bincount(classes[samples]).min()
    kept = np.zeros_like(samples)
    for class_ in np.unique(classes):
        members = np.flatnonzero(samples & (classes == class_))
        kept[rng.choice(members, smallest, replace=False)] = True
    return kept


def _per_class(
    names: list[str], classes: Int64[np.ndarray, " samples"], before: Samples, rich: Samples, after: Samples
) -> list[dict[str, Any]]:
    """Return how many samples of each class there were, were dropped by each step, and are left."""
    sizes = [
        np.bincount(classes[samples], minlength=len(names)).tolist() for samples in (before, rich, after)
    ]
    return [
        {
            "class": name,
            "before": n_before,
            "dropped_filter": n_before - n_rich,
            "dropped_balance": n_rich - n_after,
            "after": n_after,
        }
        for name, n_before, n_rich, n_after in zip(names, *sizes, strict=True)
    ]
