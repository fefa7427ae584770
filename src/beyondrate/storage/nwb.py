"""Spike-sorted recordings in Neurodata Without Borders (NWB 2, HDF5): the table of units, cut into trials.

Read are ``units/spike_times`` with its index and ``units/id``, and of ``intervals/trials`` start_time,
stop_time and the column that is the label. Everything else is passed over: nothing of NWB's own library is
needed, no link is followed, no reference is opened.

Source: NWB format specification 2 (Units, TimeIntervals) and HDMF's common schema (DynamicTable).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float64

from beyondrate.errors import InputError
from beyondrate.events import MAX_DURATION_US, SpikeTrains, exact
from beyondrate.storage.guards import DAMAGED, hdf5_dataset, hdf5_object, reading
from beyondrate.storage.heap import VariableLength
from beyondrate.storage.trials import Session, Trials, cut, numbered, session, whole_us

_TRIALS = "intervals/trials"
_NO_LABELS = ("id", "start_time", "stop_time")


def read(path: Path, samples: slice | None = None, *, label: str | None = None) -> SpikeTrains:
    """Read a recording: one sample a trial; without a table of trials the whole session is one sample.

    Args:
        path: the file.
        samples: give only these samples.
        label: column of the trials that is the class; None: all are of class 0, and meta["trial_columns"]
            says which columns there are.

    Raises:
        InputError: if there are no units, no such column, or the file is damaged.

    Example:
        >>> read(Path("session.nwb"), label="stimulus")  # doctest: +SKIP
        SpikeTrains(400 samples, 310,221 spikes, 84 units, 2000 ms, 8 classes)
    """
    with reading(path, "an NWB file"):
        if not h5py.is_hdf5(path):
            raise InputError("is no HDF5", remedy="give NWB 2 in HDF5, not Zarr")
        with h5py.File(path, "r") as file:
            trains = _trains(file, label)
    return trains if samples is None else trains[samples]


def _trains(file: h5py.File, label: str | None) -> SpikeTrains:
    found = _session(file)
    name = Path(file.filename).name
    table = hdf5_object(file, _TRIALS)
    if not isinstance(table, h5py.Group):
        if label is not None:
            raise InputError(
                "has no table of trials", remedy="leave out the label: the session is one sample"
            )
        return cut(found, _whole(found), name, {"derived": ["duration_us"]})
    starts, stops = (whole_us(_seconds(file, f"{_TRIALS}/{edge}_time"), edge) for edge in ("start", "stop"))
    if len(starts) != len(stops):
        raise InputError(f"has {len(starts)} starts of trials but {len(stops)} stops", remedy=DAMAGED)
    columns = _label_columns(table)
    if label is None:
        labels: tuple[np.ndarray, list[str] | None] = np.zeros(len(starts), np.int64), None
    elif label not in columns:
        raise InputError(
            f"has no column {label!r} of trials", remedy=f"choose from {', '.join(columns) or 'none'}"
        )
    else:
        labels = numbered(_values(file, f"{_TRIALS}/{label}"))
        if len(labels[0]) != len(starts):
            raise InputError(f"has {len(starts)} trials but {len(labels[0])} of {label}", remedy=DAMAGED)
    return cut(found, Trials(starts, stops, *labels), name, {} if label else {"trial_columns": columns})


def _session(file: h5py.File) -> Session:
    if hdf5_object(file, "units/spike_times") is None:
        raise InputError("has no units with spike times", remedy="give a recording that is spike-sorted")
    times_s = _seconds(file, "units/spike_times")
    ends = _integers(file, "units/spike_times_index")
    ids = _integers(file, "units/id").tolist()
    bounds = np.concatenate([[0], ends])
    if len(ends) != len(ids) or (np.diff(bounds) < 0).any() or bounds[-1] != len(times_s):
        raise InputError(
            f"has an index of units that does not fit {len(ids)} units and {len(times_s)} spikes",
            remedy=DAMAGED,
        )
    return session(np.split(times_s, ends[:-1]) if ids else [], ids)


def _whole(found: Session) -> Trials:
    """Return the whole session as one trial, from its first spike to the millisecond after its last."""
    if not len(found.times_us):
        raise InputError("has neither trials nor spikes", remedy="give a recording with one of them")
    first, last = int(found.times_us[0]), int(found.times_us[-1])
    if last + 1 - first > MAX_DURATION_US:
        raise InputError(
            f"has no table of trials, and lasts {(last - first) / 1e6:g} s",
            remedy="add trials (NWBFile.add_trial) that cut it",
        )
    end = min(first + -(-(last + 1 - first) // 1000) * 1000, first + MAX_DURATION_US)
    return Trials(np.array([first]), np.array([end]), np.zeros(1, np.int64), None)


def _label_columns(group: h5py.Group) -> list[str]:
    """Return the columns of the trials that could be labels: one number or text a trial."""
    columns = []
    for name in group:
        is_own = isinstance(group.get(name, getlink=True), h5py.HardLink)
        has_one_value = is_own and getattr(group[name], "ndim", 0) == 1 and f"{name}_index" not in group
        if has_one_value and name not in _NO_LABELS and not name.endswith("_index"):
            columns.append(name)
    return columns


def _seconds(file: h5py.File, name: str) -> Float64[np.ndarray, " times"]:
    dataset = hdf5_dataset(file, name)
    if dataset.dtype.kind != "f":
        raise InputError(f"{name} holds {dataset.dtype}, not seconds", remedy=DAMAGED)
    return dataset[:].astype(np.float64)


def _integers(file: h5py.File, name: str) -> np.ndarray:
    dataset = hdf5_dataset(file, name)
    if dataset.dtype.kind not in "iu":
        raise InputError(f"{name} holds {dataset.dtype}, not whole numbers", remedy=DAMAGED)
    return exact(dataset[:], np.dtype(np.int64), name)


def _values(file: h5py.File, name: str) -> list[Any]:
    """Return a column's values: numbers, truth values or texts."""
    dataset = hdf5_dataset(file, name)
    if h5py.check_string_dtype(dataset.dtype) and dataset.dtype.kind == "O":
        texts = VariableLength(dataset)
        return [texts.read(np.array([row])).tobytes().decode() for row in range(len(dataset))]
    if dataset.dtype.kind not in "iufbS":
        raise InputError(f"{name} holds {dataset.dtype}, no labels", remedy="choose another column")
    values = dataset[:]
    if dataset.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputError(f"{name} holds values that are not finite", remedy="choose another column")
    return [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]
