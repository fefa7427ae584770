"""Whole, part and norm: the same recordings with the spike counts taken away step by step.

- whole: the data as they are.
- part: samples and units with enough spikes, equally many samples of each class; every spike of theirs.
- norm: part's samples and units, where every unit has the same number of spikes in every sample: spikes are
  left out at random until each train has as many as the poorest train of its unit. Counts say nothing
  any more; what a model still gets right on norm, it gets from timing.

Source: Yu, Sun, Goodman, "Beyond Rate Coding" (arXiv 2507.16043), Eqs. 6-9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Literal

import numpy as np
from jaxtyping import Int32, Int64

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, dt_in_us, meta_of, offsets_from_lengths
from beyondrate.ops.blocks import sample_blocks
from beyondrate.ops.thin import draw_subset, first_in_bin, kept_offsets
from beyondrate.progress import Progress, silent
from beyondrate.storage import EventFile, EventStream
from beyondrate.variants.certify import Certificate, certificate
from beyondrate.variants.selection import Rules, Samples, Selection, select

__all__ = ["Certificate", "certificate", "norm", "part", "stream"]

Split = Literal["pooled", "train"]
Seed = int | np.random.Generator
Source = SpikeTrains | EventFile

_BLOCK_SPIKES = 1 << 20
_BLOCK_TRAINS = 1 << 20


def part(
    trains: Source,
    *,
    theta: int = 2,
    fewest: int | None = None,
    epsilon: float = 0.01,
    min_class_share: float = 0.5,
    bin_s: float | None = None,
    split: Split = "pooled",
    train: Samples | None = None,
    seed: Seed = 0,
) -> SpikeTrains:
    """Select samples and units with enough spikes, equally many samples of each class, in random order.

    1. A train is low if it has fewer than ``theta`` spikes. Units that are low in a share of the samples
       below ``epsilon`` are visited, those low in the fewest samples first; each has the samples dropped in
       which it is low, unless that would leave a class below ``min_class_share`` of its size.
    2. The units with ``fewest`` spikes or more in each remaining sample are kept, and numbered 0, 1, ...
    3. Each class is drawn down to the size of the smallest, and the samples are shuffled.

    With the same data, arguments and integer seed, ``part`` and ``norm`` hold the same samples and units
    in the same order: sample i of norm is a subset of sample i of part.

    Args:
        trains: the whole data, in memory or an open file of them (`beyondrate.storage.opened`).
        theta: fewest spikes of a train that is not low.
        fewest: fewest spikes of a kept unit in each sample; ``theta`` as in the paper's Eq. 8 by default. The
            script that made the published sets keeps every unit that always spikes: 1.
        epsilon: share of low samples below which a unit is worth dropping samples for.
        min_class_share: smallest share of each class that must remain.
        bin_s: if given, spikes of a train in one bin of so many seconds count once: only the first stays. The
            published sets are made from such binary rasters.
        split: "pooled" takes all samples for every step, as published. "train" takes the samples marked by
            ``train`` for every step; of the others it keeps all that have the spikes which norm needs (the
            smallest count of each unit over the training samples): nothing learns from the sizes of their
            classes, and a test wants every sample. The result holds the training samples first,
            meta["variant"]["n_train"] of them.
        train: for split="train", which samples are training samples.
        seed: seed or generator of the draws.

    Returns:
        The selected samples; meta["variant"] reports, ready for JSON, the arguments, kept_units and
        kept_samples (their numbers in ``trains``), c_min (spikes a train of norm, by unit) and how many
        samples of each class were there before, dropped by the filter and by the balancing, and after
        (per_class; with split="train" of the training samples, and per_class_held_out of the others).

    Raises:
        InputError: if an argument is out of range, no unit is left, or a class is lost.

    Example:
        >>> trains = SpikeTrains.from_samples(
        ...     [(range(5), [0, 0, 1, 1, 1]), (range(6), [0, 0, 0, 1, 1, 2])],
        ...     labels=[0, 1], n_units=3, duration_us=10)
        >>> part(trains).counts().tolist()
        [[2, 3], [3, 2]]
    """
    return stream(
        "part",
        trains,
        theta=theta,
        fewest=fewest,
        epsilon=epsilon,
        min_class_share=min_class_share,
        bin_s=bin_s,
        split=split,
        train=train,
        seed=seed,
    ).joined()


def norm(
    trains: Source,
    *,
    theta: int = 2,
    fewest: int | None = None,
    epsilon: float = 0.01,
    min_class_share: float = 0.5,
    bin_s: float | None = None,
    split: Split = "pooled",
    train: Samples | None = None,
    seed: Seed = 0,
) -> SpikeTrains:
    """Take the count information away: ``part``, each train drawn down to the poorest of its unit.

    Which of a train's spikes stay is random, every choice equally likely. See ``part`` for the arguments,
    the report and the errors, and ``certificate`` for a check of the result.

    Example:
        >>> trains = SpikeTrains.from_samples(
        ...     [(range(5), [0, 0, 1, 1, 1]), (range(6), [0, 0, 0, 1, 1, 2])],
        ...     labels=[0, 1], n_units=3, duration_us=10)
        >>> norm(trains).counts().tolist()
        [[2, 2], [2, 2]]
        >>> certificate(norm(trains), part(trains)).holds
        True
    """
    return stream(
        "norm",
        trains,
        theta=theta,
        fewest=fewest,
        epsilon=epsilon,
        min_class_share=min_class_share,
        bin_s=bin_s,
        split=split,
        train=train,
        seed=seed,
    ).joined()


def stream(
    name: Literal["part", "norm"],
    trains: Source,
    *,
    theta: int = 2,
    fewest: int | None = None,
    epsilon: float = 0.01,
    min_class_share: float = 0.5,
    bin_s: float | None = None,
    split: Split = "pooled",
    train: Samples | None = None,
    seed: Seed = 0,
    progress: Progress = silent,
) -> EventStream:
    """Make ``part`` or ``norm`` a few samples at a time, from data that are too many for memory.

    The counts are taken at once, and the spikes as the stream is read: two passes over the data, beside which
    memory holds one count for each sample and unit. See ``part`` for the other arguments, the report and the
    errors.

    Args:
        name: "part" or "norm".
        trains: the whole data; an open file must stay open until the stream is read.
        progress: told how many samples are counted and then written.

    Example:
        >>> import tempfile
        >>> from beyondrate import storage
        >>> trains = SpikeTrains.from_samples(
        ...     [(range(5), [0, 0, 1, 1, 1]), (range(6), [0, 0, 0, 1, 1, 2])],
        ...     labels=[0, 1], n_units=3, duration_us=10)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     storage.save(trains, f"{folder}/whole.h5")
        ...     with storage.opened(f"{folder}/whole.h5") as file:
        ...         storage.save(stream("norm", file), f"{folder}/norm.h5")
        ...     print(storage.load(f"{folder}/norm.h5").digest == norm(trains).digest)
        True
    """
    rules = Rules(theta, theta if fewest is None else fewest, epsilon, min_class_share)
    if bin_s is not None:
        dt_in_us(bin_s, "bin")  # refuses a bad width before the spikes are counted
    inside = _training_samples(trains, split, train)
    rng = np.random.default_rng(seed)
    counts = _counts(trains, bin_s, progress)
    selection = select(counts, trains.labels, inside, rules, rng, trains.meta.get("label_names"))
    report = {
        "name": name,
        **asdict(rules),
        "bin_s": bin_s,
        "split": "pooled" if inside.all() else "train",
        "seed": None if isinstance(seed, np.random.Generator) else int(seed),
        **selection.report(),
    }
    if name == "norm":
        lengths = np.full(len(selection.samples), selection.c_min.sum())
    else:
        lengths = np.array([counts[sample, selection.units].sum() for sample in selection.samples])
    return EventStream(
        offsets=offsets_from_lengths(lengths),
        labels=trains.labels[selection.samples],
        groups=None if trains.groups is None else trains.groups[selection.samples],
        n_units=len(selection.units),
        duration_us=trains.duration_us,
        meta={**meta_of(trains.meta, selection.samples), "variant": report},
        blocks=_selected(trains, selection, bin_s, rng if name == "norm" else None, progress),
    )


def _training_samples(trains: Source, split: Split, train: Samples | None) -> Samples:
    """Return the samples that every threshold is taken from: all of them if pooled."""
    if not len(trains):
        raise InputError("there are no samples", remedy="give data with at least one sample a class")
    if split not in ("pooled", "train"):
        raise InputError(f"split is {split!r}", remedy='give "pooled" or "train"')
    if split == "pooled":
        if train is not None:
            raise InputError(
                "train is given with split='pooled'", remedy="leave it out, or take split='train'"
            )
        return np.ones(len(trains), dtype=np.bool_)
    mask = np.asarray(train)
    if mask.dtype != np.bool_ or mask.shape != (len(trains),):
        raise InputError(
            f"train is {mask.dtype} of shape {mask.shape} for {len(trains)} samples",
            remedy="give True or False for each sample",
        )
    if mask.all() or not mask.any():
        raise InputError(
            f"train marks {mask.sum()} of {len(mask)} samples",
            remedy="mark some and leave others out, or take split='pooled'",
        )
    return mask


def _counts(trains: Source, bin_s: float | None, progress: Progress) -> Int32[np.ndarray, "samples units"]:
    counts = np.empty((len(trains), trains.n_units), dtype=np.int32)
    start = 0
    for block in _blocks(trains, np.arange(len(trains)), bin_s):
        counts[start : start + len(block)] = block.counts()
        start += len(block)
        progress(start, len(trains), "counting spikes")
    return counts


def _selected(
    trains: Source,
    selection: Selection,
    bin_s: float | None,
    draw: np.random.Generator | None,
    progress: Progress,
) -> Iterator[SpikeTrains]:
    """Yield the selected samples and units block by block; with ``draw``, c_min spikes of each train."""
    number = np.full(trains.n_units, -1, dtype=np.int32)
    number[selection.units] = np.arange(len(selection.units))
    quota = np.zeros(trains.n_units, dtype=np.int64)
    quota[selection.units] = selection.c_min
    n_done = 0
    for block in _blocks(trains, selection.samples, bin_s):
        if draw is None:
            keep = number[block.units] >= 0
        else:
            quotas, draws = np.tile(quota, (len(block), 1)), draw.random(block.n_spikes)
            keep = draw_subset(block.units, block.offsets, quotas, draws)
        yield SpikeTrains(
            times_us=block.times_us[keep],
            units=number[block.units[keep]],
            offsets=kept_offsets(block.offsets, keep),
            labels=block.labels,
            n_units=len(selection.units),
            duration_us=block.duration_us,
        )
        n_done += len(block)
        progress(n_done, len(selection.samples), "writing samples")


def _blocks(
    trains: Source, samples: Int64[np.ndarray, " chosen"], bin_s: float | None
) -> Iterator[SpikeTrains]:
    """Yield the chosen samples, some at a time; given bins, with one spike of a train in each."""
    offsets = offsets_from_lengths(trains.spikes_per_sample[samples])
    for chosen in sample_blocks(offsets, _BLOCK_SPIKES, max(1, _BLOCK_TRAINS // trains.n_units)):
        block = trains[samples[chosen]]
        if bin_s is not None:
            bins = np.minimum(block.times_us // dt_in_us(bin_s), block.n_steps(bin_s) - 1)
            keep = first_in_bin(block.units, block.offsets, bins, block.n_units)
            kept = kept_offsets(block.offsets, keep)
            block = block.with_spikes(block.times_us[keep], block.units[keep], kept)
        yield block
