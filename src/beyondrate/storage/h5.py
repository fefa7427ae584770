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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, meta_of, offsets_from_lengths, unit_dtype
from beyondrate.storage.guards import DAMAGED, enclosing, fixed_text, hdf5_dataset, json_text
from beyondrate.storage.stream import EventFile, EventStream, Samples, runs
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
_PER_SAMPLE = ("offsets", "labels", "groups")  # the last one is optional


def write(trains: EventStream, path: Path) -> None:
    """Write spike trains to ``path`` as our event file (not atomic: `beyondrate.storage.save` is).

    The file does not depend on how the samples are divided into blocks.

    Raises:
        InputError: if meta holds what JSON cannot.
    """
    header = {
        "format": FORMAT,
        "version": VERSION,
        "n_units": trains.n_units,
        "duration_us": trains.duration_us,
        "meta": trains.meta,
    }
    json_text(header)  # refused before the spikes are written
    per_sample = {name: getattr(trains, name) for name in _PER_SAMPLE if getattr(trains, name) is not None}
    types = {"times_us": np.dtype(np.int32), "units": unit_dtype(trains.n_units)}
    hashes = {name: hashlib.sha256() for name in types}
    with new_hdf5(path) as file:
        datasets = {name: _created(file, name, trains.n_spikes, dtype) for name, dtype in types.items()}
        written = 0
        for piece in _pieces(trains, types):
            for name, array in piece.items():
                datasets[name][written : written + len(array)] = array
                hashes[name].update(array.data)
            written += len(piece["times_us"])
        for name, array in per_sample.items():
            _created(file, name, len(array), array.dtype)[:] = array
        sha256 = {name: found.hexdigest() for name, found in hashes.items()}
        sha256 |= {name: _sha256(array) for name, array in per_sample.items()}
        text = json_text({**header, "sha256": sha256}).encode()
        file["header"] = np.array([f"{hashlib.sha256(text).hexdigest()} ".encode() + text])


def _created(file: h5py.File, name: str, length: int, dtype: np.dtype[Any]) -> h5py.Dataset:
    checked = {"chunks": (min(length, _CHUNK),), "fletcher32": True} if length else {}
    return file.create_dataset(name, (length,), dtype, **checked)


def _pieces(
    blocks: Iterable[SpikeTrains], types: dict[str, np.dtype[Any]]
) -> Iterator[dict[str, np.ndarray]]:
    """Yield times and units of all blocks, as many at a time as a chunk of the file holds."""
    full = {name: np.empty(_CHUNK, dtype) for name, dtype in types.items()}
    filled = 0
    for block in blocks:
        taken = 0
        while taken < block.n_spikes:
            n = min(_CHUNK - filled, block.n_spikes - taken)
            for name, array in full.items():
                array[filled : filled + n] = getattr(block, name)[taken : taken + n]
            filled, taken = filled + n, taken + n
            if filled == _CHUNK:
                yield full
                filled = 0
    yield {name: array[:filled] for name, array in full.items()}


def is_ours(file: h5py.File) -> bool:
    """Tell whether an open HDF5 file is an event file of ours."""
    return {"header", "times_us"} <= set(file)  # the names alone: a link is not followed


def read(file: h5py.File, samples: slice | None = None) -> SpikeTrains:
    """Read an open event file of ours, or only the given samples of it.

    Reading everything checks the SHA-256 of each array; reading some samples checks those of ``offsets``,
    ``labels`` and ``groups``, and HDF5's checksum of every chunk of spikes that is read.
    """
    if samples is None:
        header = _header(file)
        return _trains(header, **_arrays(file, header, *_PER_SAMPLE, "times_us", "units"))
    found = opened(file)
    chosen = range(len(found))[samples]
    return found.read(np.arange(*enclosing(chosen)))[:: chosen.step]


def opened(file: h5py.File) -> EventFile:
    """Return an open event file of ours as one whose samples are read when asked for.

    ``offsets``, ``labels`` and ``groups`` are compared with their SHA-256, and HDF5 compares the checksum of
    every chunk of spikes that is read.
    """
    header = _header(file)
    arrays = _arrays(file, header, *_PER_SAMPLE)
    spikes = {name: _typed(file, name) for name in ("times_us", "units")}
    return EventFile(
        path=Path(file.filename),
        read=lambda samples: _gathered(header, arrays, spikes, samples),
        offsets=arrays["offsets"],
        labels=arrays["labels"],
        groups=arrays.get("groups"),
        n_units=header["n_units"],
        duration_us=header["duration_us"],
        meta=header["meta"],
    )


def _gathered(
    header: dict[str, Any],
    arrays: dict[str, np.ndarray],
    spikes: dict[str, h5py.Dataset],
    samples: Samples,
) -> SpikeTrains:
    starts, stops = arrays["offsets"][samples], arrays["offsets"][samples + 1]
    offsets = offsets_from_lengths(stops - starts)
    found = {name: np.empty(offsets[-1], dataset.dtype) for name, dataset in spikes.items()}
    for first, last in runs(samples):
        if offsets[first] < offsets[last]:
            there, here = np.s_[starts[first] : stops[last - 1]], np.s_[offsets[first] : offsets[last]]
            for name, dataset in spikes.items():
                dataset.read_direct(found[name], there, here)
    per_sample = {name: array[samples] for name, array in arrays.items() if name != "offsets"}
    facts = {**header, "meta": meta_of(header["meta"], samples)}
    return _trains(facts, **found, **per_sample, offsets=offsets)


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


def _arrays(file: h5py.File, header: dict[str, Any], *names: str) -> dict[str, np.ndarray]:
    present = [name for name in names if name != "groups" or name in header["sha256"]]
    return {name: _whole(file, name, header) for name in present}


def _whole(file: h5py.File, name: str, header: dict[str, Any]) -> np.ndarray:
    dataset = _typed(file, name)
    array = np.empty(len(dataset), dataset.dtype)
    if len(array):
        dataset.read_direct(array)
    _compare(name, _sha256(array), header["sha256"][name])
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
