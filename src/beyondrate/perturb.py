"""Perturbations: what does an accuracy lose when one kind of timing is taken away and the rest is kept?

Each works on events, in whole microseconds, and states what it preserves for certain:

- count: the number of spikes of every unit in every sample.
- ISI: the multiset of inter-spike intervals of every unit in every sample (of the trains that no clip at an
  edge of the sample has touched).
- onset: the time of the first spike of every unit in every sample.
- order: the sequence of units in which a sample's spikes come (spikes of one microsecond in order of unit).
- synchrony: in every sample, for every two units, the multiset of lags |t - t'| between their spikes.

Every function takes a seed or a generator, leaves its input as it is, returns the same samples with sorted
spikes, changes nothing at level 0, and adds what it did to the list ``meta["history"]``.

Source: Yu, Sun, Goodman, "Beyond Rate Coding" (arXiv 2507.16043), Eqs. 3 and 10-14; the shift of whole
samples is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, dt_in_us
from beyondrate.ops.free_bins import Bins, TrainTimes, add_in_free_bins, part_collisions
from beyondrate.ops.normals import draw_normals
from beyondrate.ops.retime import BLOCK_SPIKES, Block, mirrored, retime, shifted
from beyondrate.ops.thin import draw_subset, kept_spikes

Property = Literal["count", "ISI", "onset", "order", "synchrony"]
Rounding = Literal["floor", "stochastic"]
Seed = int | np.random.Generator
ENOUGH_SPIKES = 100_000  # they tell the share that is clipped to a tenth of a percent


def replace(
    trains: SpikeTrains,
    level: float,
    seed: Seed,
    *,
    rounding: Rounding = "floor",
    dt_s: float | None = None,
) -> SpikeTrains:
    """Take a fraction of each unit's spikes away and put as many back at random times (Eq. 3).

    Of a train of n spikes, floor(level * n) random ones go, and as many new ones come, each uniform over the
    bins that hold no other spike of the train. A bin that a spike has left is free again: at level 1 the new
    times therefore say nothing about the old ones. Bins are microseconds unless ``dt_s`` names wider
    ones (for data that were binned before); a spike's place within its wider bin is uniform.

    Args:
        trains: what to perturb.
        level: fraction of spikes replaced, 0 to 1.
        seed: seed or generator.
        rounding: "floor" as printed in the paper, which changes no train of fewer than 1 / level spikes;
            "stochastic" rounds level * n up or down at random so that the mean is right.
        dt_s: width of the bins in seconds; None means one microsecond.

    Raises:
        InputError: if the level or rounding is not one of these, or a train has more spikes than bins.

    Example:
        >>> trains = SpikeTrains.from_samples([([100, 200, 300], [0, 0, 1])], labels=[0], n_units=2,
        ...                                   duration_us=1000)
        >>> replace(trains, 1.0, seed=0).counts().tolist()
        [[2, 1]]
    """
    _check_fraction(level, "replace")
    if rounding not in ("floor", "stochastic"):
        raise InputError(f"rounding is {rounding!r}", remedy='give "floor" or "stochastic"')
    bins = _bins(trains, dt_s)
    rng = np.random.default_rng(seed)

    def new_times(block: Block) -> TrainTimes:
        counts = _spike_counts(trains, block, bins)
        wanted = level * counts
        # 0.29 * 100 is 28.999999999999996: a rounding error of the product must not cost a spike.
        n_new = np.floor(wanted + (1e-9 if rounding == "floor" else rng.random(len(counts)))).astype(np.int64)
        quota = (counts - n_new).reshape(-1, trains.n_units)
        keep = draw_subset(block.units, block.offsets, quota, rng.random(len(block.units)))
        stay, go = np.flatnonzero(keep), np.flatnonzero(~keep)  # several times faster to index with
        kept = TrainTimes(block.train[stay], block.time[stay])
        new = add_in_free_bins(kept, block.train[go], bins, rng)
        return TrainTimes(np.concatenate([kept.train, new.train]), np.concatenate([kept.time, new.time]))

    changed = trains if level == 0 else _retimed(trains, new_times)
    return _recorded(changed, "replace", level, seed, rounding=rounding, dt_s=dt_s)


def jitter(
    trains: SpikeTrains,
    sigma_s: float,
    seed: Seed,
    *,
    collisions: Literal["keep", "nearest_free"] = "keep",
    dt_s: float | None = None,
) -> SpikeTrains:
    """Shift every spike by its own Gaussian time, clipped to the sample: t' = clip(t + δ, 0, T) (Eq. 10).

    Args:
        trains: what to perturb.
        sigma_s: standard deviation of the shift in seconds, at most the samples' duration.
        seed: seed or generator.
        collisions: "keep" leaves spikes of one unit that meet as they are; "nearest_free" leaves the
            first spike of a unit in each bin and moves every other by whole bins to the free bin nearest to
            it (at random where two are equally near), for nets that see at most one spike a bin.
        dt_s: width of the bins of "nearest_free" in seconds; None means one microsecond.

    Raises:
        InputError: if sigma is out of range, an option is not one of these, or a train has more
            spikes than bins.

    Example:
        >>> trains = SpikeTrains.from_samples([([500, 500], [0, 1])], labels=[0], n_units=2, duration_us=1000)
        >>> jitter(trains, 0.0001, seed=0).times_us.tolist()
        [487, 513]
    """
    _check_sigma(sigma_s, trains, "jitter")
    if collisions not in ("keep", "nearest_free"):
        raise InputError(f"collisions is {collisions!r}", remedy='give "keep" or "nearest_free"')
    if collisions == "keep" and dt_s is not None:
        raise InputError(f"dt is {dt_s} s with collisions='keep'", remedy="give dt_s only with nearest_free")
    bins = _bins(trains, dt_s)
    rng = np.random.default_rng(seed)

    def new_times(block: Block) -> TrainTimes:
        _spike_counts(trains, block, bins)
        time = block.time + draw_normals(rng, sigma_s * 1e6, len(block.time))
        return part_collisions(TrainTimes(block.train, _clipped(time, trains.duration_us)), bins, rng)

    if sigma_s == 0:
        changed = trains
    elif collisions == "keep":
        changed = _shifted(trains, sigma_s, rng, of="spike")
    else:
        changed = _retimed(trains, new_times)
    return _recorded(changed, "jitter", sigma_s, seed, collisions=collisions, dt_s=dt_s)


def jitter_unit(trains: SpikeTrains, sigma_s: float, seed: Seed) -> SpikeTrains:
    """Shift all spikes of a unit in a sample by one Gaussian time, each clipped to the sample.

    Keeps the intervals within each train and takes away how trains lie to each other.

    Raises:
        InputError: if sigma is negative or longer than the samples.

    Example:
        >>> trains = SpikeTrains.from_samples([([500, 600, 600], [0, 0, 1])], labels=[0], n_units=2,
        ...                                   duration_us=1000)
        >>> shifted = jitter_unit(trains, 0.0001, seed=0)
        >>> shifted.times_us.tolist(), shifted.units.tolist()
        ([513, 587, 613], [0, 1, 0])
    """
    _check_sigma(sigma_s, trains, "jitter-unit")
    changed = trains if sigma_s == 0 else _shifted(trains, sigma_s, np.random.default_rng(seed), of="train")
    return _recorded(changed, "jitter-unit", sigma_s, seed)


def clipped_share(trains: SpikeTrains, sigma_s: float) -> float:
    """Return the share of the spikes that ``jitter`` or ``jitter_unit`` clips at the edges, on average.

    The mean over spikes of P(t + δ < 0) + P(t + δ > T); it grows with sigma. Of more than ENOUGH_SPIKES
    spikes so many are taken at random, the same ones each time. Clipped spikes pile up at the two edges: a
    jitter that clips many of them does more than blur their times.

    Args:
        trains: what would be perturbed.
        sigma_s: standard deviation of the shift in seconds, above 0.

    Example:
        >>> trains = SpikeTrains.from_samples([([100, 500], [0, 0])], labels=[0], n_units=1, duration_us=1000)
        >>> round(clipped_share(trains, 0.0001), 3)  # P(δ < -σ) / 2
        0.079
    """
    from scipy.special import ndtr

    if not trains.n_spikes:
        return 0.0
    time = trains.times_us
    if len(time) > ENOUGH_SPIKES:
        time = np.random.default_rng(0).choice(time, ENOUGH_SPIKES)
    sigma_us = sigma_s * 1e6
    return float((ndtr(-time / sigma_us) + ndtr((time - trains.duration_us) / sigma_us)).mean())


def jitter_sample(trains: SpikeTrains, sigma_s: float, seed: Seed) -> SpikeTrains:
    """Shift each sample as a whole by one Gaussian time: it loses its locking to the start, nothing else.

    To keep every relation between the spikes, the shift is drawn from the part of the Gaussian that leaves
    all of them inside [0, duration] (a truncated normal distribution; clipping the shift instead would
    pile samples up at the edges). A sample that fills its duration therefore hardly moves; the wider
    sigma_s, the closer the shift comes to uniform over the room there is. Ours.

    Raises:
        InputError: if sigma is negative or longer than the samples.

    Example:
        >>> trains = SpikeTrains.from_samples([([500, 600], [0, 1])], labels=[0], n_units=2, duration_us=1000)
        >>> jitter_sample(trains, 0.0001, seed=0).times_us.tolist()
        [535, 635]
    """
    from scipy.special import ndtr, ndtri  # a fifth of a second to import

    _check_sigma(sigma_s, trains, "jitter-sample")
    shift = np.zeros(len(trains), dtype=np.int32)
    filled = trains.spikes_per_sample > 0
    if sigma_s > 0 and filled.any():
        sigma_us = sigma_s * 1e6
        earliest = -trains.times_us[trains.offsets[:-1][filled]]
        latest = trains.duration_us - trains.times_us[trains.offsets[1:][filled] - 1]
        quantile = np.random.default_rng(seed).uniform(ndtr(earliest / sigma_us), ndtr(latest / sigma_us))
        shift[filled] = np.rint(np.clip(sigma_us * ndtri(quantile), earliest, latest))
    times_us = trains.times_us + np.repeat(shift, trains.spikes_per_sample)
    changed = trains.with_spikes(times_us, trains.units, trains.offsets)
    return _recorded(changed, "jitter-sample", sigma_s, seed)


def delete(trains: SpikeTrains, level: float, seed: Seed) -> SpikeTrains:
    """Delete each spike with probability ``level``, independently.

    Raises:
        InputError: if the level is not a fraction.

    Example:
        >>> trains = SpikeTrains.from_samples([(range(8), [0] * 8)], labels=[0], n_units=1, duration_us=10)
        >>> delete(trains, 0.5, seed=0).times_us.tolist()
        [0, 4, 5, 6, 7]
    """
    _check_fraction(level, "delete")
    rng = np.random.default_rng(seed)
    keep = np.ones(trains.n_spikes, dtype=np.bool_)
    if level > 0:
        for start in range(0, len(keep), BLOCK_SPIKES):
            block = keep[start : start + BLOCK_SPIKES]
            block[:] = rng.random(len(block)) >= level
    changed = trains.with_spikes(*kept_spikes(trains.times_us, trains.units, trains.offsets, keep))
    return _recorded(changed, "delete", level, seed)


def reverse(trains: SpikeTrains) -> SpikeTrains:
    """Reverse time inside each sample's active window: t' = t_first + t_last - t, all units (Eq. 14).

    Twice reversed is as before, to the byte. An empty sample stays as it is.

    Example:
        >>> trains = SpikeTrains.from_samples([([100, 400, 500], [0, 1, 2])], labels=[0], n_units=3,
        ...                                   duration_us=1000)
        >>> reversed_trains = reverse(trains)
        >>> reversed_trains.times_us.tolist(), reversed_trains.units.tolist()
        ([100, 200, 500], [2, 1, 0])
    """
    times_us, units = mirrored(trains.times_us, trains.units, trains.offsets)
    changed = trains.with_spikes(times_us, units, trains.offsets, checked=False)
    return _recorded(changed, "reverse", None, None)


@dataclass(frozen=True)
class Perturbation:
    """A perturbation as the command line and the audit know it.

    Attributes:
        name: its name on the command line.
        function: what does it: ``function(trains, level, seed)``, or ``function(trains)`` without a level.
        level_unit: what its level is: a "fraction" of the spikes, seconds ("s"), or None if it has no level.
        preserves: what it keeps for certain (see the module's text).
        summary: what it does and what that takes away, in one sentence.
    """

    name: str
    function: Callable[..., SpikeTrains]
    level_unit: Literal["fraction", "s"] | None
    preserves: frozenset[Property]
    summary: str


_ALL = (
    Perturbation(
        "replace",
        replace,
        "fraction",
        frozenset({"count"}),
        "Moves a fraction of each unit's spikes to random times: counts stay, timing goes.",
    ),
    Perturbation(
        "jitter",
        jitter,
        "s",
        frozenset({"count"}),
        "Shifts every spike by its own Gaussian time: all timing finer than the jitter goes.",
    ),
    Perturbation(
        "jitter-unit",
        jitter_unit,
        "s",
        frozenset({"count", "ISI"}),
        "Shifts each unit's train as a whole: intervals within a unit stay, timing across units goes.",
    ),
    Perturbation(
        "jitter-sample",
        jitter_sample,
        "s",
        frozenset({"count", "ISI", "order", "synchrony"}),
        "Shifts each sample as a whole: only the locking to the sample's start goes.",
    ),
    Perturbation(
        "delete",
        delete,
        "fraction",
        frozenset(),
        "Deletes each spike with the same probability: counts thin out, and timing with them.",
    ),
    Perturbation(
        "reverse",
        reverse,
        None,
        frozenset({"count", "ISI", "synchrony"}),
        "Reverses time inside each sample's active window: counts, intervals and lags stay, order goes.",
    ),
)
PERTURBATIONS: Mapping[str, Perturbation] = MappingProxyType({entry.name: entry for entry in _ALL})


def apply(
    trains: SpikeTrains, name: str, level: float | None, seed: Seed, *, rounding: Rounding = "floor"
) -> SpikeTrains:
    """Perturb by the name that the command line uses, with the defaults of the function behind it.

    A perturbation without a level takes None or 0. ``rounding`` is that of ``replace``; no other rounds.

    Raises:
        InputError: if there is no such perturbation, or the level is missing or out of range.

    Example:
        >>> trains = SpikeTrains.from_samples([([100], [0])], labels=[0], n_units=1, duration_us=1000)
        >>> apply(trains, "jitter-unit", 0.0005, seed=0).meta["history"]
        [{'perturbation': 'jitter-unit', 'level': 0.0005, 'seed': 0}]
    """
    if name not in PERTURBATIONS:
        raise InputError(
            f"there is no perturbation {name!r}", remedy=f"take one of {', '.join(PERTURBATIONS)}"
        )
    perturbation = PERTURBATIONS[name]
    if perturbation.level_unit is None:
        if level:
            raise InputError(f"{name} has no level, but {level} was given", remedy="leave the level out")
        return perturbation.function(trains)
    if level is None:
        unit = {"fraction": "a fraction from 0 to 1", "s": "seconds"}[perturbation.level_unit]
        raise InputError(f"{name} needs a level", remedy=f"give {unit}")
    if name == "replace":
        return replace(trains, level, seed, rounding=rounding)
    return perturbation.function(trains, level, seed)


def _retimed(trains: SpikeTrains, new_times: Callable[[Block], TrainTimes]) -> SpikeTrains:
    spikes = trains.times_us, trains.units, trains.offsets
    times_us, units = retime(*spikes, trains.n_units, trains.duration_us, new_times)
    return trains.with_spikes(times_us, units, trains.offsets, checked=False)


def _shifted(
    trains: SpikeTrains, sigma_s: float, rng: np.random.Generator, of: Literal["spike", "train"]
) -> SpikeTrains:
    spikes = trains.times_us, trains.units, trains.offsets
    draw = partial(draw_normals, rng, sigma_s * 1e6)
    times_us, units = shifted(*spikes, trains.n_units, trains.duration_us, draw, of)
    return trains.with_spikes(times_us, units, trains.offsets, checked=False)


def _clipped(time: Float64[np.ndarray, " spikes"], duration_us: int) -> Int64[np.ndarray, " spikes"]:
    return np.rint(np.clip(time, 0, duration_us)).astype(np.int64)


def _bins(trains: SpikeTrains, dt_s: float | None) -> Bins:
    return Bins(1 if dt_s is None else dt_in_us(dt_s), trains.duration_us)


def _spike_counts(trains: SpikeTrains, block: Block, bins: Bins) -> Int64[np.ndarray, " trains"]:
    """Count the spikes of every train of the block, and refuse a train with more spikes than bins."""
    counts = np.bincount(block.train, minlength=block.n_trains)
    fullest = int(counts.argmax())
    if counts[fullest] > bins.n_bins:
        sample, unit = divmod(fullest, trains.n_units)
        raise InputError(
            f"unit {unit} of sample {block.first_sample + sample} has {counts[fullest]} spikes, "
            f"but there are only {bins.n_bins} bins of {bins.width_us} µs for one spike each",
            remedy="give a smaller dt_s, or longer samples",
        )
    return counts


def _check_fraction(level: float, name: str) -> None:
    if not 0 <= level <= 1:
        raise InputError(f"the level of {name} is {level}", remedy="give a fraction from 0 to 1")


def _check_sigma(sigma_s: float, trains: SpikeTrains, name: str) -> None:
    if not 0 <= sigma_s <= trains.duration_s:
        raise InputError(
            f"the sigma of {name} is {sigma_s} s, outside the samples' 0 to {trains.duration_s:g} s",
            remedy="give seconds, such as 0.005 for 5 ms",
        )


def _recorded(
    trains: SpikeTrains, name: str, level: float | None, seed: Seed | None, **options: str | float | None
) -> SpikeTrains:
    """Return the trains with what was done to them at the end of their history; a generator has no seed."""
    record = {
        "perturbation": name,
        "level": None if level is None else float(level),
        "seed": None if seed is None or isinstance(seed, np.random.Generator) else int(seed),
        **options,
    }
    return trains.with_meta(history=[*trains.meta.get("history", []), record])
