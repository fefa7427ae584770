"""What is in event data, and what in it would mislead an analysis of timing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64

from beyondrate.datasets.copies import BLOCK_SPIKES, blocks, fingerprints
from beyondrate.datasets.split import class_name, named_samples
from beyondrate.events import SpikeTrains
from beyondrate.storage import on_float16_grid

_COARSE_US = 1000  # a grid from here on limits what can be said about timing
_LEAK = 0.1  # share of the variance of the spike count that the class explains
_FEW_SAMPLES = 10


@dataclass(frozen=True)
class Spread:
    """Mean, standard deviation, least and most of something."""

    mean: float
    sd: float
    least: float
    most: float


class Leak(NamedTuple):
    """What one part of the data's own split shares with another.

    Args:
        part, other: the parts, of which ``other`` comes first: a test sample is a copy of a training sample.
        copies: samples of the part whose spikes are those of a sample of the other.
        groups: groups that have samples in both.
    """

    part: str
    other: str
    copies: int
    groups: int


@dataclass(frozen=True)
class Description:
    """Facts about event data; ``str`` of it is the text that people read.

    Args:
        n_samples, n_spikes, n_units, duration_us: as in the spike trains.
        silent_units: units that never spike.
        last_spike_us: time of the very last spike.
        spikes_per_sample: over the samples.
        empty_samples: samples without a spike.
        samples_per_class: number of samples by the name of the class.
        spikes_per_class: mean number of spikes a sample by the name of the class.
        count_auc_per_class: probability that a sample of the class has more spikes than one of another class
            (ties count half): 0.5 if its spike count does not tell it from the others, 0 or 1 if it does.
        count_ratio: largest of these means over the smallest (inf if a class has no spikes).
        count_leak: share of the variance of a sample's spike count that its class explains (epsilon
            squared, Kelley 1935: eta squared less what chance explains): how far counts alone tell classes.
        samples_per_group: number of samples by the name of the group.
        grid_us: the step that all times are multiples of, from the first on; 1 is the finest.
        float16: whether all times are float16 seconds.
        float16_step_us: the distance of neighbouring float16 times at the last spike.
        repeated_spikes: spikes that repeat another one of the same unit at the same microsecond.
        repeated_samples: samples whose spikes are those of an earlier sample.
        first_us_share, last_us_share: share of all spikes that lie at time 0, at the very end of a sample.
        samples_per_part: number of samples by the parts that meta["split"] names; empty if it names none.
        leaks: what each two of these parts share.
        derived: what the file did not tell, so that it was derived from the spikes.
    """

    n_samples: int
    n_spikes: int
    n_units: int
    duration_us: int
    silent_units: int
    last_spike_us: int
    spikes_per_sample: Spread
    empty_samples: int
    samples_per_class: dict[str, int]
    spikes_per_class: dict[str, float]
    count_auc_per_class: dict[str, float]
    count_ratio: float
    count_leak: float
    samples_per_group: dict[str, int]
    grid_us: int
    float16: bool
    float16_step_us: float
    repeated_spikes: int
    repeated_samples: int
    first_us_share: float
    last_us_share: float
    samples_per_part: dict[str, int]
    leaks: tuple[Leak, ...]
    derived: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What would mislead an analysis of timing, one sentence each."""
        return tuple(_warnings(self))

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def describe(trains: SpikeTrains) -> Description:
    """Look at event data as a careful person would before an analysis of timing.

    Example:
        >>> samples = [([1000 * k, 1000 * k + 10_000], [0, 1]) for k in range(1, 31)]
        >>> trains = SpikeTrains.from_samples(samples, labels=[0, 1] * 15, n_units=3, duration_us=50_000)
        >>> facts = describe(trains)
        >>> facts.silent_units, facts.grid_us, facts.count_leak
        (1, 1000, 0.0)
        >>> facts.warnings[0]
        'All times are multiples of 1 ms: nothing can be said about timing finer than that.'
    """
    totals = trains.spikes_per_sample
    classes, class_of = np.unique(trains.labels, return_inverse=True)
    class_sizes = np.bincount(class_of, minlength=len(classes))
    class_means = np.bincount(class_of, weights=totals, minlength=len(classes)) / np.maximum(class_sizes, 1)
    names = [class_name(trains, int(label)) for label in classes]
    pieces = list(blocks(trains))
    heard = np.zeros(trains.n_units, dtype=bool)
    for block in pieces:
        heard[block.units] = True
    prints = fingerprints(trains)
    parts = _parts(trains)
    last_us = int(trains.times_us.max(initial=0))
    n_spikes = max(trains.n_spikes, 1)
    spiking = totals > 0
    return Description(
        n_samples=len(trains),
        n_spikes=trains.n_spikes,
        n_units=trains.n_units,
        duration_us=trains.duration_us,
        silent_units=int(np.count_nonzero(~heard)),
        last_spike_us=last_us,
        spikes_per_sample=_spread(totals),
        empty_samples=int(np.count_nonzero(~spiking)),
        samples_per_class=dict(zip(names, class_sizes.tolist(), strict=True)),
        spikes_per_class=dict(zip(names, class_means.tolist(), strict=True)),
        count_auc_per_class=dict(zip(names, _aucs(totals, class_of), strict=True)),
        count_ratio=_ratio(class_means),
        count_leak=_explained(totals, class_of),
        samples_per_group=_group_sizes(trains),
        grid_us=grid_us(trains.times_us),
        float16=on_float16_grid(trains.times_us),
        float16_step_us=round(float(np.spacing(np.float16(last_us / 1e6))) * 1e6, 1),
        repeated_spikes=sum(_repeated_spikes(block) for block in pieces),
        repeated_samples=int(np.count_nonzero(spiking)) - len(np.unique(prints[spiking])),
        first_us_share=float(np.count_nonzero(trains.times_us == 0)) / n_spikes,
        last_us_share=float(np.count_nonzero(trains.times_us == trains.duration_us)) / n_spikes,
        samples_per_part={part: int(members.sum()) for part, members in parts.items()},
        leaks=tuple(_leaks(trains, parts, prints, spiking)),
        derived=tuple(trains.meta.get("derived", ())),
    )


def grid_us(times_us: Int32[np.ndarray, " spikes"]) -> int:
    """Return the greatest step that all times are multiples of, from the first on; 1 if they are few.

    >>> grid_us(np.arange(5, 1000, 10, dtype=np.int32))
    10
    """
    if len(times_us) < 20:  # too few to rule out chance
        return 1
    step = 0
    first = times_us.min()
    for start in range(0, len(times_us), BLOCK_SPIKES):
        step = int(np.gcd(step, np.gcd.reduce(times_us[start : start + BLOCK_SPIKES] - first)))
        if step == 1:
            break
    return max(step, 1)


def _spread(values: Int64[np.ndarray, " samples"]) -> Spread:
    if not len(values):
        return Spread(0.0, 0.0, 0.0, 0.0)
    return Spread(float(values.mean()), float(values.std()), float(values.min()), float(values.max()))


def _ratio(means: np.ndarray) -> float:
    if not len(means) or means.max() == 0:
        return 1.0
    return float(means.max() / means.min()) if means.min() > 0 else float("inf")


def _explained(values: Int64[np.ndarray, " samples"], class_of: Int64[np.ndarray, " samples"]) -> float:
    """Return epsilon squared: what of the variance the class explains, less what chance explains."""
    n_samples, n_classes = len(values), len(np.unique(class_of))
    if n_samples <= n_classes or values.min() == values.max():
        return 0.0
    means = np.bincount(class_of, weights=values) / np.bincount(class_of)
    within = np.sum((values - means[class_of]) ** 2) / (n_samples - n_classes)
    return max(0.0, float(1 - within / np.var(values, ddof=1)))


def _aucs(values: Int64[np.ndarray, " samples"], class_of: Int64[np.ndarray, " samples"]) -> list[float]:
    """Return the area under the ROC curve of each class against all others: Mann and Whitney's U / (n m)."""
    from scipy.stats import rankdata  # scipy.stats takes half a second to load

    ranks, sizes = rankdata(values), np.bincount(class_of)
    above = np.bincount(class_of, weights=ranks) - sizes * (sizes + 1) / 2
    pairs = sizes * (len(values) - sizes)
    return [float(u / n) if n else 0.5 for u, n in zip(above, pairs, strict=True)]


def _group_sizes(trains: SpikeTrains) -> dict[str, int]:
    if trains.groups is None:
        return {}
    groups, sizes = np.unique(trains.groups, return_counts=True)
    names = trains.meta.get("group_names", ())
    told = [str(names[group]) if 0 <= group < len(names) else str(group) for group in groups]
    return dict(zip(told, sizes.tolist(), strict=True))


def _parts(trains: SpikeTrains) -> dict[str, np.ndarray]:
    """Return which samples belong to each part that the data name, if they name more than one."""
    members = {part: named_samples(trains, part) for part in ("train", "valid", "test")}
    found = {part: of_part for part, of_part in members.items() if of_part.any()}
    return found if len(found) > 1 else {}


def _leaks(
    trains: SpikeTrains, parts: dict[str, np.ndarray], prints: np.ndarray, spiking: np.ndarray
) -> Iterator[Leak]:
    for (other, of_other), (part, of_part) in itertools.combinations(parts.items(), 2):
        copies = np.isin(prints[of_part & spiking], prints[of_other & spiking]).sum()
        groups = trains.groups
        shared = () if groups is None else np.intersect1d(groups[of_part], groups[of_other])
        yield Leak(part, other, int(copies), len(shared))


def _repeated_spikes(block: SpikeTrains) -> int:
    """Count the spikes that repeat another one of the same sample, unit and microsecond."""
    sample = block.sample_index
    same = (block.times_us[1:] == block.times_us[:-1]) & (sample[1:] == sample[:-1])
    moment = np.concatenate([[0], np.cumsum(~same)])
    shared = np.zeros(len(moment), dtype=bool)  # spikes that are not alone in their moment
    shared[1:] |= same
    shared[:-1] |= same
    spike = moment[shared[: block.n_spikes]] * block.n_units + block.units[shared[: block.n_spikes]]
    spike.sort()
    return int(np.count_nonzero(spike[1:] == spike[:-1]))


def _warnings(facts: Description) -> Iterator[str]:
    step_us = facts.float16_step_us if facts.float16 else facts.grid_us
    if facts.float16:
        yield (
            f"All times are float16 seconds, in steps of up to {_ms(step_us)} "
            f"(at {facts.last_spike_us / 1e6:.2g} s): nothing can be said about timing finer than that."
        )
    elif step_us >= _COARSE_US:
        yield f"All times are multiples of {_ms(step_us)}: nothing can be said about timing finer than that."
    if facts.count_leak >= _LEAK:
        least, most = min(facts.spikes_per_class.values()), max(facts.spikes_per_class.values())
        yield (
            f"Spike counts leak the class: it explains {facts.count_leak:.0%} of the variance of the number "
            f"of spikes (class means {least:,.0f} to {most:,.0f}), so accuracy on these data as they are is "
            "partly rate."
        )
    few = [name for name, size in facts.samples_per_class.items() if size < _FEW_SAMPLES]
    if few:
        n_classes = len(facts.samples_per_class)
        yield f"{len(few)} of {n_classes} classes have fewer than {_FEW_SAMPLES} samples."
    if facts.empty_samples:
        yield f"{facts.empty_samples:,} of {facts.n_samples:,} samples have no spikes."
    if facts.repeated_spikes > facts.n_spikes / 1000:
        yield f"{facts.repeated_spikes:,} spikes repeat another one of the same unit at the same microsecond."
    if facts.repeated_samples:
        yield f"{facts.repeated_samples:,} samples are copies of an earlier one."
    for leak in facts.leaks:
        if leak.copies:
            size = facts.samples_per_part[leak.part]
            yield f"{leak.copies:,} of {size:,} {leak.part} samples are copies of {leak.other} samples."
        if leak.groups:
            n_groups = len(facts.samples_per_group)
            yield f"{leak.groups} of {n_groups} groups are in both the {leak.part} and the {leak.other} part."
    for share, where in (
        (facts.first_us_share, "at time 0"),
        (facts.last_us_share, "at the end of a sample"),
    ):
        if share > max(0.001, 5 * step_us / facts.duration_us):
            yield f"{share:.1%} of all spikes lie exactly {where}: times may have been clipped there."


def _lines(facts: Description) -> Iterator[str]:
    spikes = facts.spikes_per_sample
    yield f"{facts.n_samples:,} samples of {_ms(facts.duration_us)}, {facts.n_spikes:,} spikes"
    yield f"units: {facts.n_units:,} ({facts.silent_units:,} never spike)"
    spread = f"{spikes.mean:,.1f} ± {spikes.sd:,.1f} ({spikes.least:,.0f} to {spikes.most:,.0f})"
    yield f"spikes a sample: {spread}"
    yield f"last spike: {_ms(facts.last_spike_us)}"
    yield f"time grid: {'float16 seconds' if facts.float16 else _ms(facts.grid_us)}"
    yield f"classes: {len(facts.samples_per_class)}"
    for name, size in facts.samples_per_class.items():
        mean, auc = facts.spikes_per_class[name], facts.count_auc_per_class[name]
        yield f"  {name}: {size:,} samples, {mean:,.1f} spikes on average, AUC of the count {auc:.2f}"
    yield (
        f"counts: class means max/min {facts.count_ratio:.2f}; "
        f"the class explains {facts.count_leak:.0%} of their variance"
    )
    if facts.samples_per_group:
        sizes = facts.samples_per_group.values()
        yield f"groups: {len(sizes)}, of {min(sizes):,} to {max(sizes):,} samples"
    if facts.samples_per_part:
        sizes_of_parts = (f"{size:,} {part}" for part, size in facts.samples_per_part.items())
        yield f"split: {', '.join(sizes_of_parts)}"
    if facts.derived:
        yield f"not in the file, derived from the spikes: {', '.join(facts.derived)}"
    yield from (f"warning: {warning}" for warning in facts.warnings)


def _ms(us: float | int) -> str:
    return f"{us / 1000:g} ms" if us >= 1000 else f"{us:g} µs"
