"""Spike-sorted recordings in Neurodata Without Borders (NWB 2, HDF5): the table of units, cut into trials.

Read are ``units/spike_times`` with its index and ``units/id``, and of ``intervals/trials`` start_time,
stop_time and the column that is the label. Everything else is passed over: nothing of NWB's own library is
needed, no link is followed, no reference is opened.

Written, with that library (extra ``neuro``), are the samples one after another, a second apart: the table of
units, and trials with the columns label, and label_name, group and split where there are any. All samples are
read back a microsecond longer if a spike lies at the end of one, which a trial does not hold; spikes of one
microsecond are read back in the order of their units.

Source: NWB format specification 2 (Units, TimeIntervals) and HDMF's common schema (DynamicTable).
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float64, Int64

from beyondrate.errors import InputError, MissingExtraError
from beyondrate.events import MAX_DURATION_US, SpikeTrains, exact
from beyondrate.storage.guards import DAMAGED, check_file, hdf5_dataset, hdf5_object, reading
from beyondrate.storage.heap import VariableLength
from beyondrate.storage.trials import Session, Trials, cut, numbered, one_after_another, session, whole_us
from beyondrate.storage.whole import new_hdf5

_TRIALS = "intervals/trials"
_NO_LABELS = ("id", "start_time", "stop_time")
_NO_CLOCK = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)  # a start time must be given


def read(
    path: str | Path, samples: slice | None = None, *, label: str | None = None, group: str | None = None
) -> SpikeTrains:
    """Read a recording: one sample a trial; without a table of trials the whole session is one sample.

    Args:
        path: the file.
        samples: give only these samples.
        label: column of the trials that is the class; None: all are of class 0, and meta["trial_columns"]
            says which columns there are.
        group: column of the trials that tells who or what each came from; None: no groups.

    Raises:
        InputError: if there are no units, no such column, or the file is damaged.

    Example:
        >>> read(Path("session.nwb"), label="stimulus")  # doctest: +SKIP
        SpikeTrains(400 samples, 310,221 spikes, 84 units, 2000 ms, 8 classes)
    """
    path = Path(path)
    check_file(path)
    with reading(path, "an NWB file"):
        if not h5py.is_hdf5(path):
            raise InputError("is no HDF5", remedy="give NWB 2 in HDF5, not Zarr")
        with h5py.File(path, "r") as file:
            trains = _trains(file, label, group)
    return trains if samples is None else trains[samples]


def check_installed() -> Any:  # noqa: ANN401
    """Return NWB's own library, which is needed for writing.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        return import_module("pynwb")
    except ImportError as error:
        raise MissingExtraError("writing NWB", "neuro") from error


def write(trains: SpikeTrains, path: Path) -> None:
    """Write spike trains to ``path`` as a recording with trials (not atomic: `beyondrate.storage.save` is).

    Units keep their numbers in meta["unit_ids"], if they are whole numbers. The file's identifier is the
    digest of the spike trains.

    Raises:
        InputError: if there is no sample, or the recording would last too long.
        MissingExtraError: if pynwb is not installed.
    """
    pynwb = check_installed()
    if not len(trains):
        raise InputError("NWB cannot hold data without samples", remedy="write an .h5 or .npz file")
    recording, trials = one_after_another(trains)
    session_file = pynwb.NWBFile(
        session_description=f"{len(trains)} samples as trials, one after another, written by beyondrate",
        identifier=trains.digest,
        session_start_time=_NO_CLOCK,
        units=_unit_table(recording, trains.n_units),
        trials=_trial_table(trials, trains),
    )
    with new_hdf5(path) as file, pynwb.NWBHDF5IO(file=file, mode="w") as io:
        io.write(session_file)


def _unit_table(recording: Session, n_units: int) -> Any:  # noqa: ANN401
    common = import_module("hdmf.common")
    ids = recording.unit_ids
    are_numbers = all(isinstance(unit, int | np.integer) and abs(int(unit)) < 2**63 for unit in ids)
    if not are_numbers or len(set(ids)) != n_units:
        ids = list(range(n_units))
    by_unit = np.argsort(recording.units, kind="stable")
    ends = np.cumsum(np.bincount(recording.units, minlength=n_units))
    times = common.VectorData(
        name="spike_times", description="seconds", data=recording.times_us[by_unit] / 1e6
    )
    index = common.VectorIndex(name="spike_times_index", data=ends, target=times)
    return import_module("pynwb.misc").Units(
        name="units", description="spike trains", columns=[times, index], id=ids, resolution=1e-6
    )


def _trial_table(trials: Trials, trains: SpikeTrains) -> Any:  # noqa: ANN401
    column = import_module("hdmf.common").VectorData
    columns: dict[str, tuple[str, Any]] = {
        "start_time": ("start of the sample, s", trials.starts_us / 1e6),
        "stop_time": ("end of the sample, s; not in it", trials.stops_us / 1e6),
        "label": ("number of the class", trials.labels),
    }
    if names := trials.label_names:
        told = [str(names[label]) if label < len(names) else str(label) for label in trials.labels.tolist()]
        columns["label_name"] = "name of the class", told
    if trains.groups is not None:
        columns["group"] = "who or what the sample came from", trains.groups
    if "split" in trains.meta:
        columns["split"] = "part of the data", [str(part) for part in trains.meta["split"]]
    return import_module("pynwb.epoch").TimeIntervals(
        name="trials",
        description="one row a sample",
        columns=[column(name=name, description=what, data=data) for name, (what, data) in columns.items()],
    )


def _trains(file: h5py.File, label: str | None, group: str | None) -> SpikeTrains:
    found = _session(file)
    name = Path(file.filename).name
    table = hdf5_object(file, _TRIALS)
    if not isinstance(table, h5py.Group):
        if label is not None or group is not None:
            raise InputError(
                "has no table of trials", remedy="leave out label and group: the session is one sample"
            )
        return cut(found, _whole(found), name, {"derived": ["duration_us"]})
    starts, stops = (whole_us(_seconds(file, f"{_TRIALS}/{edge}_time"), edge) for edge in ("start", "stop"))
    if len(starts) != len(stops):
        raise InputError(f"has {len(starts)} starts of trials but {len(stops)} stops", remedy=DAMAGED)
    columns = _label_columns(table)
    meta: dict[str, Any] = {} if label else {"trial_columns": columns}
    numbers, names = _numbered_column(file, label, columns, len(starts))
    if group is None:
        return cut(found, Trials(starts, stops, numbers, names), name, meta)
    groups, group_names = _numbered_column(file, group, columns, len(starts))
    meta |= {"group_names": group_names} if group_names else {}
    return replace(cut(found, Trials(starts, stops, numbers, names), name, meta), groups=groups)


def _numbered_column(
    file: h5py.File, name: str | None, columns: list[str], n_trials: int
) -> tuple[Int64[np.ndarray, " trials"], list[str] | None]:
    """Return a column of the trials as numbers, and their names; without a column all are 0."""
    if name is None:
        return np.zeros(n_trials, np.int64), None
    if name not in columns:
        raise InputError(
            f"has no column {name!r} of trials", remedy=f"choose from {', '.join(columns) or 'none'}"
        )
    numbers, names = numbered(_values(file, f"{_TRIALS}/{name}"))
    if len(numbers) != n_trials:
        raise InputError(f"has {n_trials} trials but {len(numbers)} of {name}", remedy=DAMAGED)
    return numbers, names


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
