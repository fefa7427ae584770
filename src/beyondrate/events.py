"""The one container of event data: spike trains of many samples in flat arrays.

Times are whole microseconds from the sample's start, so nothing is rounded until a network asks for a
time step. Binning starts at 0, drops no spike, and puts a spike at the very end into the last bin.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Int64, Integer

from beyondrate.errors import InputError
from beyondrate.ops.binning import bin_dense, bin_rows

MAX_DURATION_US = int(np.iinfo(np.int32).max)
_FACTS_OF_SAMPLES = frozenset({"split", "files"})  # in meta, one entry a sample
_CHECK_BLOCK = 1 << 22  # spikes checked at a time, so that checking 10^8 spikes needs no second copy


class BinnedSpikes(NamedTuple):
    """Spikes as compressed rows, one row a sample and time step: row = sample * n_steps + step.

    ``units[indptr[row]:indptr[row + 1]]`` are the units that spike in that step; a unit that spikes
    twice within the step is listed twice.
    """

    indptr: Int64[np.ndarray, " rows_plus_1"]
    units: Int32[np.ndarray, " spikes"]
    n_samples: int
    n_steps: int
    n_units: int


@dataclass(frozen=True, eq=False, repr=False)
class SpikeTrains:
    """Spike trains of many samples; immutable, and slicing along the samples makes views.

    Args:
        times_us: spike times in microseconds from the sample's start, int32, ascending in each sample.
        units: the unit of each spike, uint16 or int32, below ``n_units``.
        offsets: sample ``i`` owns spikes ``offsets[i]:offsets[i + 1]``; int64, n_samples + 1 entries.
        labels: class of each sample, int64, not negative.
        n_units: number of units (input channels, neurons).
        duration_us: length of every sample in microseconds; a time outside [0, duration_us] is an error.
        groups: who or what each sample came from (speaker, subject), int64, or None.
        meta: JSON-like facts about the data: "label_names", "group_names", "source", ...; "split" ("train"
            or "test") and "files" have one entry a sample, which follows it through every selection.

    Raises:
        InputError: if the arrays disagree, a time is outside the sample or out of order, or a unit is
            not below ``n_units``.

    Example:
        >>> trains = SpikeTrains.from_samples([([100, 2500], [0, 1]), ([900], [1])], labels=[0, 1],
        ...                                   n_units=2, duration_us=3000)
        >>> trains
        SpikeTrains(2 samples, 3 spikes, 2 units, 3 ms, 2 classes)
        >>> trains.counts().tolist()
        [[1, 1], [0, 1]]
        >>> trains[1:].times_us.tolist()
        [900]
    """

    times_us: Int32[np.ndarray, " spikes"]
    units: Integer[np.ndarray, " spikes"]
    offsets: Int64[np.ndarray, " samples_plus_1"]
    labels: Int64[np.ndarray, " samples"]
    n_units: int
    duration_us: int
    groups: Int64[np.ndarray, " samples"] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._normalise()
        self._check_structure()
        self._check_spikes()

    def _normalise(self) -> None:
        """Bring the arrays to their types (a type that would lose a value is refused) and freeze them."""
        for name in ("n_units", "duration_us"):
            object.__setattr__(self, name, int(exact([getattr(self, name)], np.dtype(np.int64), name)[0]))
        as_type = {
            "times_us": np.dtype(np.int32),
            "units": unit_dtype(self.n_units),
            "offsets": np.dtype(np.int64),
            "labels": np.dtype(np.int64),
            "groups": np.dtype(np.int64),
        }
        for name, dtype in as_type.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _frozen(exact(value, dtype, name)))
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))

    def _check_structure(self) -> None:
        if self.n_units < 1:
            raise InputError(f"n_units is {self.n_units}", remedy="give the number of units, at least 1")
        if not 1 <= self.duration_us <= MAX_DURATION_US:
            raise InputError(
                f"duration_us is {self.duration_us}", remedy=f"give a duration from 1 to {MAX_DURATION_US} µs"
            )
        n_samples = len(self.labels)
        if len(self.offsets) != n_samples + 1:
            raise InputError(
                f"{n_samples} labels but {len(self.offsets)} offsets",
                remedy="offsets need one entry more than labels",
            )
        if self.groups is not None and len(self.groups) != n_samples:
            raise InputError(
                f"{n_samples} labels but {len(self.groups)} groups", remedy="give one group a sample, or none"
            )
        if len(self.times_us) != len(self.units):
            raise InputError(
                f"{len(self.times_us)} times but {len(self.units)} units", remedy="give one unit a spike"
            )
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.times_us):
            raise InputError(
                f"offsets run from {self.offsets[0]} to {self.offsets[-1]} for {len(self.times_us)} spikes",
                remedy="offsets must start at 0 and end at the number of spikes",
            )
        falls = self.offsets[1:] < self.offsets[:-1]
        if falls.any():
            raise InputError(f"offsets fall after sample {np.argmax(falls)}", remedy="offsets must not fall")
        if n_samples and self.labels.min() < 0:
            sample = int(np.argmin(self.labels))
            raise InputError(
                f"sample {sample} has label {self.labels[sample]}", remedy="labels must be 0 or more"
            )
        for fact in _FACTS_OF_SAMPLES & self.meta.keys():
            if len(self.meta[fact]) != n_samples:
                raise InputError(
                    f"{n_samples} labels but {len(self.meta[fact])} entries in meta's {fact}",
                    remedy="give one entry a sample, or none",
                )

    def _check_spikes(self) -> None:
        for start in range(0, len(self.times_us), _CHECK_BLOCK):
            stop = min(start + _CHECK_BLOCK, len(self.times_us))
            times = self.times_us[start:stop]
            units = self.units[start:stop]
            if times.min() < 0 or times.max() > self.duration_us:
                spike = start + int(np.argmax((times < 0) | (times > self.duration_us)))
                raise InputError(
                    f"sample {self._sample_of(spike)} has a spike at {self.times_us[spike]} µs, "
                    f"outside [0, {self.duration_us}]",
                    remedy="set duration_us to cover every spike, or remove the spike",
                )
            if units.min() < 0 or units.max() >= self.n_units:
                spike = start + int(np.argmax((units < 0) | (units >= self.n_units)))
                raise InputError(
                    f"sample {self._sample_of(spike)} has a spike of unit {self.units[spike]}, "
                    f"but n_units is {self.n_units}",
                    remedy="units run from 0 to n_units - 1: raise n_units or mend the unit",
                )
            self._check_order(start, min(stop + 1, len(self.times_us)))

    def _check_order(self, start: int, stop: int) -> None:
        times = self.times_us[start:stop]
        falls = np.flatnonzero(times[1:] < times[:-1]) + start + 1
        within = falls[self.offsets[np.searchsorted(self.offsets, falls)] != falls]
        if len(within):
            spike = int(within[0])
            raise InputError(
                f"sample {self._sample_of(spike)} is not sorted: {self.times_us[spike - 1]} µs "
                f"is followed by {self.times_us[spike]} µs",
                remedy="sort each sample's spikes by time (SpikeTrains.from_samples does)",
            )

    def _sample_of(self, spike: int) -> int:
        return int(np.searchsorted(self.offsets, spike, side="right")) - 1

    @classmethod
    def from_samples(
        cls,
        samples: Sequence[tuple[Any, Any]],
        *,
        labels: Sequence[int] | np.ndarray,
        n_units: int,
        duration_us: int,
        groups: Sequence[int] | np.ndarray | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> SpikeTrains:
        """Build from a list of (times_us, units) pairs, one a sample, in any order of time."""
        times = [exact(sample[0], np.dtype(np.int32), "times_us") for sample in samples]
        units = [exact(sample[1], unit_dtype(n_units), "units") for sample in samples]
        for sample, (t, u) in enumerate(zip(times, units, strict=True)):
            if len(t) != len(u):
                raise InputError(
                    f"sample {sample} has {len(t)} times but {len(u)} units", remedy="give one unit a spike"
                )
        order = [np.argsort(t, kind="stable") for t in times]
        lengths = np.array([len(t) for t in times], dtype=np.int64)
        return cls(
            times_us=_joined([t[o] for t, o in zip(times, order, strict=True)], np.dtype(np.int32)),
            units=_joined([u[o] for u, o in zip(units, order, strict=True)], unit_dtype(n_units)),
            offsets=offsets_from_lengths(lengths),
            labels=np.asarray(labels),
            n_units=n_units,
            duration_us=duration_us,
            groups=None if groups is None else np.asarray(groups),
            meta=meta or {},
        )

    def __repr__(self) -> str:
        facts = summary(self.labels, self.n_spikes, self.n_units, self.duration_us)
        return f"SpikeTrains({facts})"

    def __reduce__(self) -> tuple[type[SpikeTrains], tuple[Any, ...]]:
        arrays = (self.times_us, self.units, self.offsets, self.labels)
        return SpikeTrains, (*arrays, self.n_units, self.duration_us, self.groups, dict(self.meta))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_spikes(self) -> int:
        """Number of spikes of all samples."""
        return len(self.times_us)

    @property
    def n_classes(self) -> int:
        """Number of classes: the named ones, else one more than the largest label."""
        named = self.meta.get("label_names")
        largest = int(self.labels.max()) + 1 if len(self) else 0
        return max(len(named), largest) if named is not None else largest

    @property
    def duration_s(self) -> float:
        """Length of every sample in seconds."""
        return self.duration_us / 1e6

    @property
    def spikes_per_sample(self) -> Int64[np.ndarray, " samples"]:
        """Number of spikes of each sample."""
        return np.diff(self.offsets)

    @property
    def sample_index(self) -> Int32[np.ndarray, " spikes"]:
        """Index of the sample that owns each spike."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.spikes_per_sample)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that an analysis can depend on (meta is left out)."""
        facts = (len(self), self.n_spikes, self.n_units, self.duration_us, self.groups is None)
        sha = hashlib.sha256(repr(facts).encode())
        for array in (self.times_us, self.units, self.offsets, self.labels, self.groups):
            if array is not None:
                sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()

    def __getitem__(self, index: slice | int | Sequence[int] | np.ndarray) -> SpikeTrains:
        """Select samples: a slice of step 1 and an int make views, a list or a mask copies their spikes."""
        if isinstance(index, int | np.integer):
            position = range(len(self))[index]
            return self._view(position, position + 1)
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return self._view(start, max(start, stop))
            return self._gather(np.arange(start, stop, step))
        chosen = np.asarray(index)
        if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iub"):
            raise IndexError("select samples by a number, a slice, a list of numbers, or a mask")
        if chosen.dtype == bool:
            if len(chosen) != len(self):
                raise IndexError(f"a mask of {len(chosen)} entries cannot select from {len(self)} samples")
            return self._gather(np.flatnonzero(chosen))
        return self._gather(np.arange(len(self))[chosen.astype(np.int64)])

    def _view(self, start: int, stop: int) -> SpikeTrains:
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        return self._unchecked(
            times_us=self.times_us[first:last],
            units=self.units[first:last],
            offsets=self.offsets[start : stop + 1] - first,
            labels=self.labels[start:stop],
            groups=None if self.groups is None else self.groups[start:stop],
            meta=meta_of(self.meta, slice(start, stop)),
        )

    def _gather(self, chosen: Int64[np.ndarray, " chosen"]) -> SpikeTrains:
        spikes, offsets = self.spikes_of(chosen)
        return self._unchecked(
            times_us=self.times_us[spikes],
            units=self.units[spikes],
            offsets=offsets,
            labels=self.labels[chosen],
            groups=None if self.groups is None else self.groups[chosen],
            meta=meta_of(self.meta, chosen),
        )

    def _unchecked(self, **changed: Any) -> SpikeTrains:  # noqa: ANN401
        """Return these trains with other arrays or another meta that are known to be valid."""
        new = object.__new__(SpikeTrains)
        for name in ("times_us", "units", "offsets", "labels", "groups"):
            value = changed.get(name, getattr(self, name))
            object.__setattr__(new, name, None if value is None else _frozen(value))
        for name in ("n_units", "duration_us"):
            object.__setattr__(new, name, getattr(self, name))
        object.__setattr__(new, "meta", MappingProxyType(dict(changed.get("meta", self.meta))))
        return new

    def spikes_of(
        self, samples: Int64[np.ndarray, " chosen"]
    ) -> tuple[Int64[np.ndarray, " spikes"], Int64[np.ndarray, " chosen_plus_1"]]:
        """Return the spike indices of the given samples, one sample after another, and their offsets."""
        lengths = self.spikes_per_sample[samples]
        offsets = offsets_from_lengths(lengths)
        spikes = np.arange(offsets[-1], dtype=np.int64)
        spikes += np.repeat(self.offsets[samples] - offsets[:-1], lengths)
        return spikes, offsets

    def with_spikes(
        self,
        times_us: np.ndarray,
        units: np.ndarray,
        offsets: Int64[np.ndarray, " samples_plus_1"],
        *,
        checked: bool = True,
    ) -> SpikeTrains:
        """Return the same samples with other spikes, which are checked unless they are known to be valid."""
        if checked:
            return replace(self, times_us=times_us, units=units, offsets=offsets)
        return self._unchecked(times_us=times_us, units=units, offsets=offsets)

    def with_meta(self, **facts: Any) -> SpikeTrains:  # noqa: ANN401
        """Return the same trains with facts added to (or replaced in) their meta."""
        new = self._unchecked(meta={**self.meta, **facts})
        new._check_structure()
        return new

    def counts(self) -> Int32[np.ndarray, "samples units"]:
        """Return the number of spikes of every sample and unit."""
        flat = self.sample_index.astype(np.int64) * self.n_units + self.units
        counts = np.bincount(flat, minlength=len(self) * self.n_units)
        return counts.astype(np.int32).reshape(len(self), self.n_units)

    def n_steps(self, dt_s: float) -> int:
        """Return the number of bins of ``dt_s`` seconds that cover a sample."""
        return -(-self.duration_us // dt_in_us(dt_s))

    def binned(self, dt_s: float, samples: Int64[np.ndarray, " chosen"] | None = None) -> BinnedSpikes:
        """Bin the spikes of the given samples (default: all) at ``dt_s`` seconds into compressed rows."""
        n_steps, chosen = self.n_steps(dt_s), self._chosen(samples)
        spikes = self.times_us, self.units, self.offsets
        indptr, units = bin_rows(*spikes, chosen, dt_in_us(dt_s), n_steps)
        return BinnedSpikes(indptr, units, len(chosen), n_steps, self.n_units)

    def dense(
        self, dt_s: float, samples: Int64[np.ndarray, " chosen"] | None = None
    ) -> Float32[np.ndarray, "chosen steps units"]:
        """Bin the given samples (default: all) into an array (sample, time, unit) of spike counts."""
        spikes = self.times_us, self.units, self.offsets
        return bin_dense(*spikes, self._chosen(samples), dt_in_us(dt_s), self.n_steps(dt_s), self.n_units)

    def _chosen(self, samples: Int64[np.ndarray, " chosen"] | None) -> Int64[np.ndarray, " chosen"]:
        everything = np.arange(len(self))
        return everything if samples is None else everything[samples]


def summary(labels: Int64[np.ndarray, " samples"], n_spikes: int, n_units: int, duration_us: int) -> str:
    """Return the sizes of spike trains as people read them.

    >>> summary(np.array([0]), 1200, 1, 1500)
    '1 sample, 1,200 spikes, 1 unit, 1.5 ms, 1 class'
    """
    n_classes = len(np.unique(labels))
    samples, spikes, units = (
        f"{n:,} {what}{'s' * (n != 1)}"
        for n, what in ((len(labels), "sample"), (n_spikes, "spike"), (n_units, "unit"))
    )
    classes = f"{n_classes:,} class{'es' * (n_classes != 1)}"
    return f"{samples}, {spikes}, {units}, {duration_us / 1000:g} ms, {classes}"


def dt_in_us(dt_s: float, name: str = "dt") -> int:
    """Return a time step, or what else ``name`` says, in whole microseconds.

    Raises:
        InputError: if the step is not a whole, positive number of microseconds.
    """
    dt_us = round(dt_s * 1e6) if math.isfinite(dt_s) else 0
    if not 1 <= dt_us <= MAX_DURATION_US or abs(dt_s * 1e6 - dt_us) > 1e-6 * dt_us:
        raise InputError(
            f"{name} is {dt_s} s",
            remedy="give a positive whole number of microseconds, such as 0.001 (seconds)",
        )
    return dt_us


def unit_dtype(n_units: int) -> np.dtype[Any]:
    """Return the type that unit indices are kept in: uint16 where it suffices, else int32."""
    return np.dtype(np.uint16) if n_units <= 1 << 16 else np.dtype(np.int32)


def offsets_from_lengths(lengths: np.ndarray) -> Int64[np.ndarray, " n_plus_1"]:
    """Return where each of a row of consecutive pieces starts, and where the last one ends.

    >>> offsets_from_lengths(np.array([2, 0, 3])).tolist()
    [0, 2, 2, 5]
    """
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def meta_of(meta: Mapping[str, Any], samples: slice | Int64[np.ndarray, " chosen"]) -> Mapping[str, Any]:
    """Return meta with the facts that have one entry a sample narrowed to the given samples.

    >>> meta_of({"source": "a lab", "split": ["train", "test", "train"]}, slice(1, 3))
    {'source': 'a lab', 'split': ['test', 'train']}
    """
    facts = {name: meta[name] for name in _FACTS_OF_SAMPLES & meta.keys()}
    if isinstance(samples, slice):
        return {**meta, **{name: entries[samples] for name, entries in facts.items()}}
    chosen = samples.tolist()
    return {**meta, **{name: [entries[sample] for sample in chosen] for name, entries in facts.items()}}


def exact(value: Any, dtype: np.dtype[Any], name: str) -> np.ndarray:  # noqa: ANN401
    """Convert to an integer type, refusing a value that the type cannot hold exactly."""
    array = np.asarray(value)
    if array.ndim != 1:
        raise InputError(f"{name} has {array.ndim} dimensions", remedy=f"give {name} as a flat array")
    if array.dtype == dtype:
        return array
    if array.size and array.dtype.kind not in "iufb":
        raise InputError(f"{name} holds {array.dtype}", remedy=f"give {name} as whole numbers")
    with np.errstate(invalid="ignore"):  # what does not fit is found by the comparison
        converted = array.astype(dtype)
    wrong = converted != array
    if wrong.any():
        limits = np.iinfo(dtype)
        raise InputError(
            f"{name} holds {array[np.argmax(wrong)]}",
            remedy=f"give {name} as whole numbers in {limits.min}..{limits.max}",
        )
    return converted


def _joined(arrays: Sequence[np.ndarray], dtype: np.dtype[Any]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=dtype)


def _frozen(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
