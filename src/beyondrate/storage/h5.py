"""Our event file: flat HDF5 arrays with a checksum a chunk and a SHA-256 an array.

Layout, version 1 (HDF5 1.10 or newer, whose own structures carry checksums too):

- datasets ``times_us`` int32, ``units`` uint16 or int32, ``offsets``, ``labels``, optional ``groups`` int64,
  uncompressed (compression halves the file and costs five times the time), with HDF5's fletcher32;
- dataset ``header``, one string of fixed length: the SHA-256 of what follows it, a space, and JSON of format,
  version, n_units, duration_us, meta, and each array's SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, meta_of
from beyondrate.storage.guards import DAMAGED, enclosing, fixed_text, hdf5_dataset, json_text
from beyondrate.storage.whole import new_hdf5

FORMAT = "beyondrate-events"
VERSION = 1
_CHUNK = 1 << 18  # entries; measured: smaller and larger chunks read more slowly
_TYPES = {
    "times_us": ("int32",),
    "units": ("uint16", "int32"),
    "offsets": ("int64",),
    "labels": ("int64",),
    "groups": ("int64",),
}


def write(trains: SpikeTrains, path: Path) -> None:
    """Write spike trains to ``path`` as our event file (not atomic: `beyondrate.storage.save` is)."""
    arrays = {name: getattr(trains, name) for name in _TYPES if getattr(trains, name) is not None}
    header = json_text(
        {
            "format": FORMAT,
            "version": VERSION,
            "n_units": trains.n_units,
            "duration_us": trains.duration_us,
            "meta": trains.meta,
            "sha256": {name: _sha256(array) for name, array in arrays.items()},
        }
    ).encode()
    with new_hdf5(path) as file:
        file["header"] = np.array([f"{hashlib.sha256(header).hexdigest()} ".encode() + header])
        for name, array in arrays.items():
            checked = {"chunks": (min(len(array), _CHUNK),), "fletcher32": True} if len(array) else {}
            file.create_dataset(name, data=array, **checked)


def is_ours(file: h5py.File) -> bool:
    """Tell whether an open HDF5 file is an event file of ours."""
    return {"header", "times_us"} <= set(file)  # the names alone: a link is not followed


def read(file: h5py.File, samples: slice | None = None) -> SpikeTrains:
    """Read an open event file of ours, or only the given samples of it.

    Reading everything checks the SHA-256 of each array; reading some samples checks those of ``offsets``,
    ``labels`` and ``groups``, and HDF5's checksum of every chunk of spikes that is read.
    """
    header = _header(file)
    arrays = {name: _whole(file, name, header) for name in ("offsets", "labels", "groups")
              if name in header["sha256"]}  # fmt: skip
    if samples is None:
        spikes = {name: _whole(file, name, header) for name in ("times_us", "units")}
        return _trains(header, **spikes, **arrays)
    chosen = range(len(arrays["labels"]))[samples]
    first, last = enclosing(chosen)
    offsets = arrays["offsets"][first : last + 1]
    spikes = {name: _part(file, name, int(offsets[0]), int(offsets[-1])) for name in ("times_us", "units")}
    per_sample = {name: array[first:last] for name, array in arrays.items() if name != "offsets"}
    header["meta"] = meta_of(header["meta"], slice(first, last))
    trains = _trains(header, **spikes, offsets=offsets - offsets[0], **per_sample)
    return trains[:: chosen.step]


def _header(file: h5py.File) -> dict[str, Any]:
    recorded, text = fixed_text(file, "header").split(" ", 1)
    _compare("the header", hashlib.sha256(text.encode()).hexdigest(), recorded)
    header: dict[str, Any] = json.loads(text)
    if header.get("format") != FORMAT or header.get("version") != VERSION:
        raise InputError(
            f"is {header.get('format')} version {header.get('version')}, not {FORMAT} version {VERSION}",
            remedy="read it with the version of beyondrate that wrote it, or update beyondrate",
        )
    return header


def _trains(header: dict[str, Any], **arrays: np.ndarray) -> SpikeTrains:
    return SpikeTrains(
        **arrays, n_units=header["n_units"], duration_us=header["duration_us"], meta=header["meta"]
    )


def _whole(file: h5py.File, name: str, header: dict[str, Any]) -> np.ndarray:
    dataset = _typed(file, name)
    array = _part(file, name, 0, len(dataset))
    _compare(name, _sha256(array), header["sha256"][name])
    return array


def _part(file: h5py.File, name: str, first: int, last: int) -> np.ndarray:
    dataset = _typed(file, name)
    array = np.empty(last - first, dataset.dtype)
    if len(array):
        dataset.read_direct(array, source_sel=np.s_[first:last])
    return array


def _typed(file: h5py.File, name: str) -> h5py.Dataset:
    dataset = hdf5_dataset(file, name)
    if str(dataset.dtype) not in _TYPES[name]:
        raise InputError(f"{name} holds {dataset.dtype}, not {' or '.join(_TYPES[name])}", remedy=DAMAGED)
    return dataset


def _sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _compare(what: str, found: str, recorded: str) -> None:
    if found != recorded:
        raise InputError(f"{what} has SHA-256 {found} but {recorded} was recorded", remedy=DAMAGED)
