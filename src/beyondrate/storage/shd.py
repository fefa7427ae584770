"""The HDF5 layout of the Heidelberg data sets, SHD and SSC (Cramer et al., IEEE TNNLS 33, 2022).

``spikes/times`` (variable-length float, seconds), ``spikes/units`` (variable-length integers), ``labels``,
``extra/speaker``, ``extra/keys`` (names of the classes), ``extra/meta_info`` (facts on the speakers). The
published files hold float16 seconds, a grid of up to 1 ms. The layout carries no checksum of the spikes, so
damage to them can go unnoticed: compare a download with its published hash.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, exact, meta_of, offsets_from_lengths
from beyondrate.storage.guards import (
    DAMAGED,
    complete,
    enclosing,
    fixed_text,
    hdf5_dataset,
    hdf5_object,
    json_text,
)
from beyondrate.storage.heap import VariableLength
from beyondrate.storage.seconds import FLOAT16_GRID, all_on_float16_grid, microseconds, on_float16_grid
from beyondrate.storage.stream import EventFile, Samples
from beyondrate.storage.whole import new_hdf5

_SAMPLES_AT_A_TIME = 256
_EXACT_UP_TO_US = {"float16": None, "float32": 16_000_000, "float64": None}


def write(trains: SpikeTrains, path: Path, time_dtype: str = "float32") -> None:
    """Write spike trains to ``path`` in SHD's layout (not atomic: `beyondrate.storage.save` is).

    Args:
        trains: what to write. n_units, duration_us and meta go into the dataset ``beyondrate``, which
            other readers of the layout pass over.
        path: where to.
        time_dtype: float32 (exact to the microsecond up to 16 s), float64, or float16 as the published
            files (steps of up to 1 ms within a second, the damage that this package measures).

    Raises:
        InputError: if the type is another one, or float32 would move spikes to other microseconds.
    """
    if time_dtype not in _EXACT_UP_TO_US:
        raise InputError(f"time_dtype is {time_dtype!r}", remedy="give float32, float64 or float16")
    exact_up_to_us = _EXACT_UP_TO_US[time_dtype]
    if exact_up_to_us is not None and trains.duration_us > exact_up_to_us:
        raise InputError(
            f"float32 seconds are not exact to the microsecond in samples of {trains.duration_s:g} s",
            remedy='give time_dtype="float64"',
        )
    header = {"n_units": trains.n_units, "duration_us": trains.duration_us, "meta": trains.meta}
    with new_hdf5(path) as file:
        file["beyondrate"] = np.array([json_text(header).encode()])
        shape = (len(trains),)
        times = file.create_dataset("spikes/times", shape, h5py.vlen_dtype(np.dtype(time_dtype)))
        units = file.create_dataset("spikes/units", shape, h5py.vlen_dtype(trains.units.dtype))
        for sample in range(len(trains)):
            one = trains[sample]
            times[sample] = _in_seconds(one, time_dtype)
            units[sample] = one.units
        file["labels"] = _smallest(trains.labels)
        if trains.groups is not None:
            file["extra/speaker"] = _smallest(trains.groups)
        if trains.meta.get("label_names"):
            file["extra/keys"] = np.array([str(name).encode() for name in trains.meta["label_names"]])


def is_shd(file: h5py.File) -> bool:
    """Tell whether an open HDF5 file has SHD's layout."""
    return {"spikes", "labels"} <= set(file)  # the names alone: a link is not followed


def read(file: h5py.File, samples: slice | None = None) -> SpikeTrains:
    """Read an open file in SHD's layout, or only the given samples of it.

    Times are widened to float64 before any arithmetic and rounded to the microsecond; a sample whose spikes
    are out of order is sorted, since the layout does not promise an order. n_units and duration_us, which
    the published files lack, are derived from the spikes, and meta["derived"] says so; a float16 grid is
    named by meta["time_grid"].
    """
    layout = _Layout(file)
    if samples is not None and not layout.tells_size:
        return read(file)[samples]  # what the file does not tell is derived from all of its samples
    chosen = range(len(layout.labels))[samples if samples is not None else slice(None)]
    numbers = np.arange(*enclosing(chosen))
    spikes = layout.spikes(numbers)
    n_units, duration_us, derived = complete(layout.header, spikes.times_us, spikes.units)
    meta = layout.meta(on_float16_grid(spikes.times_us), derived)
    return layout.trains(numbers, spikes, n_units, duration_us, meta)[:: chosen.step]


def opened(file: h5py.File) -> EventFile:
    """Return an open file in SHD's layout as one whose samples are read when asked for.

    What the file does not tell (see `read`) is derived in one pass over all spikes, and another one tells
    whether times that are no float16 lie on its grid.
    """
    layout = _Layout(file)
    last_us = last_unit = np.zeros(1, np.int64)
    if not layout.tells_size:
        for block in layout.blocks():
            last_us = np.append(last_us, block.times_us).max(keepdims=True)
            last_unit = np.append(last_unit, block.units).max(keepdims=True)
    n_units, duration_us, derived = complete(layout.header, last_us, last_unit)
    on_grid = layout.is_float16 or all_on_float16_grid(block.times_us for block in layout.blocks())
    meta = layout.meta(on_grid, derived)
    return EventFile(
        path=Path(file.filename),
        read=lambda samples: layout.trains(samples, layout.spikes(samples), n_units, duration_us, meta),
        offsets=offsets_from_lengths(layout.times.lengths),
        labels=layout.labels,
        groups=layout.groups,
        n_units=n_units,
        duration_us=duration_us,
        meta=meta,
    )


class _Spikes(NamedTuple):
    times_us: np.ndarray
    units: np.ndarray
    offsets: np.ndarray


class _Layout:
    """What an open file in SHD's layout tells of its samples, and where their spikes are."""

    def __init__(self, file: h5py.File) -> None:
        self.labels = _integers(file, "labels")
        self.groups = _integers(file, "extra/speaker") if hdf5_object(file, "extra/speaker") else None
        if self.groups is not None and len(self.groups) != len(self.labels):
            raise InputError(f"has {len(self.labels)} labels but {len(self.groups)} speakers", remedy=DAMAGED)
        has_header = hdf5_object(file, "beyondrate") is not None
        self.header: dict[str, Any] = json.loads(fixed_text(file, "beyondrate")) if has_header else {}
        self.tells_size = {"n_units", "duration_us"} <= self.header.keys()
        self.extra = _extra_facts(file)
        self.times = _entries(file, "spikes/times", "f", len(self.labels))
        self.units = _entries(file, "spikes/units", "iu", len(self.labels))
        self.is_float16 = self.times.element == np.float16
        differ = self.times.lengths != self.units.lengths
        if differ.any():
            sample = int(np.argmax(differ))
            raise InputError(
                f"sample {sample} has {self.times.lengths[sample]} times "
                f"but {self.units.lengths[sample]} units",
                remedy=DAMAGED,
            )

    def spikes(self, samples: Samples) -> _Spikes:
        """Return the spikes of some samples, sorted by time in each."""
        offsets = offsets_from_lengths(self.times.lengths[samples])
        unit_type = np.dtype(np.uint16 if self.units.element == np.uint16 else np.int32)
        found = _Spikes(np.empty(offsets[-1], np.int32), np.empty(offsets[-1], unit_type), offsets)
        for start in range(0, len(samples), _SAMPLES_AT_A_TIME):
            some = samples[start : start + _SAMPLES_AT_A_TIME]
            place = slice(offsets[start], offsets[start + len(some)])
            found.times_us[place] = microseconds(self.times.read(some), "spikes/times")
            found.units[place] = exact(self.units.read(some), unit_type, "spikes/units")
        _sort_within_samples(*found)
        return found

    def blocks(self) -> Iterator[_Spikes]:
        """Yield the spikes of all samples, some at a time."""
        for start in range(0, len(self.labels), _SAMPLES_AT_A_TIME):
            yield self.spikes(np.arange(start, min(start + _SAMPLES_AT_A_TIME, len(self.labels))))

    def meta(self, on_float16_grid: bool, derived: dict[str, Any]) -> dict[str, Any]:
        """Return what the file tells of all samples together, and what was found out."""
        grid = {"time_grid": FLOAT16_GRID} if self.is_float16 or on_float16_grid else {}
        return {**self.extra, **self.header.get("meta", {}), **grid, **derived}

    def trains(
        self, samples: Samples, spikes: _Spikes, n_units: int, duration_us: int, meta: dict[str, Any]
    ) -> SpikeTrains:
        """Return some samples with their spikes."""
        return SpikeTrains(
            *spikes,
            labels=self.labels[samples],
            groups=None if self.groups is None else self.groups[samples],
            n_units=n_units,
            duration_us=duration_us,
            meta=meta_of(meta, samples),
        )


def _in_seconds(trains: SpikeTrains, time_dtype: str) -> np.ndarray:
    """Return times in seconds; one that rounding would move past the sample's end takes the step before."""
    times_s = (trains.times_us / 1e6).astype(time_dtype)
    beyond = microseconds(times_s) > trains.duration_us
    times_s[beyond] = np.nextafter(times_s[beyond], times_s.dtype.type(0))
    return times_s


def _smallest(values: np.ndarray) -> np.ndarray:
    """Return the values as uint16, the type of the published files, where it can hold them."""
    fits = not len(values) or (values.min() >= 0 and values.max() <= np.iinfo(np.uint16).max)
    return values.astype(np.uint16) if fits else values


def _integers(file: h5py.File, name: str) -> np.ndarray:
    dataset = hdf5_dataset(file, name)
    if dataset.dtype.kind not in "iu":
        raise InputError(f"{name} holds {dataset.dtype}, not whole numbers", remedy=DAMAGED)
    return exact(dataset[:], np.dtype(np.int64), name)


def _entries(file: h5py.File, name: str, kinds: str, n_samples: int) -> VariableLength:
    dataset = hdf5_dataset(file, name)
    kind = h5py.check_vlen_dtype(dataset.dtype)
    if kind is None or np.dtype(kind).kind not in kinds:
        raise InputError(f"{name} holds {dataset.dtype}, not arrays of the right type", remedy=DAMAGED)
    if len(dataset) != n_samples:
        raise InputError(f"has {n_samples} labels but {len(dataset)} entries in {name}", remedy=DAMAGED)
    return VariableLength(dataset)


def _sort_within_samples(times_us: np.ndarray, units: np.ndarray, offsets: np.ndarray) -> None:
    for sample in range(len(offsets) - 1):
        times = times_us[offsets[sample] : offsets[sample + 1]]
        if np.any(times[1:] < times[:-1]):
            order = np.argsort(times, kind="stable")
            times[:] = times[order]
            numbers = units[offsets[sample] : offsets[sample + 1]]
            numbers[:] = numbers[order]


def _extra_facts(file: h5py.File) -> dict[str, Any]:
    """Return the names of the classes and the facts on the speakers, as far as the file tells."""
    facts: dict[str, Any] = {}
    if hdf5_object(file, "extra/keys"):
        facts["label_names"] = _plain_list(file, "extra/keys")
    if isinstance(extra := hdf5_object(file, "extra/meta_info"), h5py.Group):
        info = facts["speaker_info"] = {}
        for name in extra:
            with suppress(InputError):  # a courtesy: what is no flat array is left out
                info[name] = _plain_list(file, f"extra/meta_info/{name}")
    return facts


def _plain_list(file: h5py.File, name: str) -> list[Any]:
    dataset = hdf5_dataset(file, name)
    if h5py.check_string_dtype(dataset.dtype) and dataset.dtype.kind == "O":
        names = VariableLength(dataset)
        return [names.read(np.array([entry])).tobytes().decode() for entry in range(len(dataset))]
    if dataset.dtype.kind not in "iufS":
        raise InputError(f"{name} holds {dataset.dtype}, not numbers or strings", remedy=DAMAGED)
    return [value.decode() if isinstance(value, bytes) else value for value in dataset[:].tolist()]
