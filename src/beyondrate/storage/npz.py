"""Event data in numpy's .npz: what people export from their own tools.

Arrays ``times_us`` (or ``times_s``), ``units``, ``offsets``, ``labels``, optional ``groups``, ``split``
("train", "valid" or "test" of each sample), ``n_units``, ``duration_us``, ``meta`` (JSON text). Labels and
groups may be strings, which become label_names and group_names in meta. Arrays of pickled objects are never
opened.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, exact
from beyondrate.storage.csv_table import PARTS
from beyondrate.storage.guards import DAMAGED, complete, json_text, most_unpacked, reading
from beyondrate.storage.seconds import microseconds

_NEEDED = ("units", "offsets", "labels")
_TIMES = ("times_us", "times_s")
_OPTIONAL = ("groups", "split", "n_units", "duration_us", "meta")
_BLOCK = 1 << 20


def write(trains: SpikeTrains, path: Path) -> None:
    """Write spike trains to ``path`` as .npz (not atomic: `beyondrate.storage.save` is)."""
    arrays = {name: getattr(trains, name) for name in ("times_us", "units", "offsets", "labels", "groups")
              if getattr(trains, name) is not None}  # fmt: skip
    with path.open("wb") as file:
        np.savez(
            file,
            **arrays,
            n_units=np.int64(trains.n_units),
            duration_us=np.int64(trains.duration_us),
            meta=np.array(json_text(trains.meta)),
        )


def read(path: Path, samples: slice | None = None) -> SpikeTrains:
    """Read event data from an .npz; n_units and duration_us are derived from the spikes where missing.

    The whole file is read, whichever samples are asked for: its checksums cover whole arrays.
    """
    with reading(path, "an .npz of event data"):
        arrays: dict[str, Any] = read_arrays(path, _NEEDED, (*_TIMES, *_OPTIONAL))
        if ("times_us" in arrays) == ("times_s" in arrays):
            both = "both times_us and times_s" if "times_us" in arrays else "neither times_us nor times_s"
            raise InputError(f"has {both}", remedy="give one: times_us (microseconds) or times_s (seconds)")
        meta: dict[str, Any] = json.loads(str(arrays.pop("meta"))) if "meta" in arrays else {}
        told: dict[str, int] = {
            n: _number(arrays.pop(n), n) for n in ("n_units", "duration_us") if n in arrays
        }
        if "times_s" in arrays:
            arrays["times_us"] = microseconds(_seconds(arrays.pop("times_s")))
        arrays["times_us"] = exact(arrays["times_us"], np.dtype(np.int32), "times_us")
        if arrays["units"].dtype != np.uint16:
            arrays["units"] = exact(arrays["units"], np.dtype(np.int32), "units")
        for name, names in (("labels", "label_names"), ("groups", "group_names")):
            if name in arrays and arrays[name].dtype.kind in "US":
                meta[names], arrays[name] = numbered(arrays[name])
        if "split" in arrays:
            if "split" in meta:
                raise InputError("has a split, and another in meta", remedy="remove one of them")
            meta["split"] = split_of(arrays.pop("split"), len(arrays["labels"]))
        n_units, duration_us, derived = complete(told, arrays["times_us"], arrays["units"])
        trains = SpikeTrains(**arrays, n_units=n_units, duration_us=duration_us, meta={**meta, **derived})
        return trains if samples is None else trains[samples]


def read_arrays(
    path: Path, needed: Collection[str], optional: Collection[str], flat: bool = True
) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz, none of which may hold Python objects.

    Args:
        path: the file.
        needed: names of arrays that must be there.
        optional: names of arrays that may be there; no others may.
        flat: whether arrays of more than one dimension are refused.

    Raises:
        InputError: if an array is missing, unknown, or not what it claims to be.
    """
    with zipfile.ZipFile(path) as archive:
        _check_count(path, archive)
        found = _named_members(archive, needed, optional)
        size = path.stat().st_size
        return {name: _array(archive, member, size, flat) for name, member in found.items()}


def _check_count(path: Path, archive: zipfile.ZipFile) -> None:
    """Compare the members found with the number that the archive records; zipfile does not."""
    with path.open("rb") as file:
        file.seek(-22, os.SEEK_END)
        end = file.read()
    recorded = int.from_bytes(end[10:12], "little")
    if not end.startswith(b"PK\x05\x06") or recorded != len(archive.infolist()):
        raise InputError(f"lists {len(archive.infolist())} arrays but records {recorded}", remedy=DAMAGED)


def _named_members(
    archive: zipfile.ZipFile, needed: Collection[str], optional: Collection[str]
) -> dict[str, zipfile.ZipInfo]:
    found = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
    known = (*needed, *optional)
    for name in found:
        if name not in known:
            raise InputError(
                f"has an array {name!r}", remedy=f"remove or rename it; known are {', '.join(known)}"
            )
    for name in needed:
        if name not in found:
            raise InputError(f"has no array {name!r}", remedy=f"add it; found: {', '.join(found) or 'none'}")
    return found


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, size: int, flat: bool) -> np.ndarray:
    """Read one array straight into the memory that it will live in."""
    is_packed = member.compress_type != zipfile.ZIP_STORED
    if member.file_size > (most_unpacked(size) if is_packed else size):
        raise InputError(
            f"{member.filename} claims {member.file_size} bytes, the file has {size}",
            remedy="save it without compression (np.savez) if it is not damaged",
        )
    raw = np.empty(member.file_size, np.uint8)
    with archive.open(member) as stream:
        filled = 0
        while chunk := stream.read(_BLOCK):  # zipfile compares the checksum when it comes to the end
            raw[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
            filled += len(chunk)
        if filled != len(raw):
            raise InputError(f"{member.filename} ends early", remedy=DAMAGED)
    return _parsed(raw, member.filename, flat)


def _parsed(raw: np.ndarray, name: str, flat: bool) -> np.ndarray:
    """Return the array that the bytes of an .npy hold, as a view of them."""
    head = io.BytesIO(raw[: 1 << 16].tobytes())
    version = np.lib.format.read_magic(head)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read_header:
        raise InputError(f"{name} is .npy version {version}", remedy="save it with numpy 2")
    shape, is_fortran, dtype = read_header[version](head)
    if dtype.hasobject:
        raise InputError(f"{name} holds Python objects", remedy="save plain arrays of numbers or strings")
    if flat and len(shape) > 1:
        raise InputError(f"{name} has shape {shape}", remedy="give flat arrays")
    body = raw[head.tell() :]
    if len(body) != math.prod(shape) * dtype.itemsize:
        raise InputError(f"{name} claims shape {shape} but holds {len(body)} bytes", remedy=DAMAGED)
    return (
        body.view(dtype)
        .reshape(shape, order="F" if is_fortran else "C")
        .astype(dtype.newbyteorder("="), copy=False)
    )


def _number(array: np.ndarray, name: str) -> int:
    if array.size != 1:
        raise InputError(f"{name} has {array.size} entries", remedy=f"give {name} as one whole number")
    return int(exact(array.reshape(1), np.dtype(np.int64), name)[0])


def _seconds(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f":
        raise InputError(
            f"times_s holds {array.dtype}", remedy="give seconds as floats, or times_us as integers"
        )
    return array


def split_of(found: np.ndarray, n_samples: int) -> list[str]:
    """Return the part of each sample as an array ``split`` names it: train, valid or test.

    Raises:
        InputError: if it names another, or not one for each sample.

    >>> split_of(np.array(["train", "test"]), 2)
    ['train', 'test']
    """
    if found.shape != (n_samples,):
        raise InputError(f"split has shape {found.shape}", remedy=f"give {n_samples}, one a sample")
    parts = [part.decode() if isinstance(part, bytes) else str(part) for part in found.tolist()]
    for sample, part in enumerate(parts):
        if part not in PARTS:
            raise InputError(
                f"sample {sample} is in split {part[:80]!r}", remedy=f"choose from {', '.join(PARTS)}"
            )
    return parts


def numbered(names: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the distinct names in order and the number of each entry's name.

    >>> numbered(np.array(["go", "stop", "go"]))
    (['go', 'stop'], array([0, 1, 0]))
    """
    distinct, numbers = np.unique(names, return_inverse=True)
    return [n.decode() if isinstance(n, bytes) else n for n in distinct.tolist()], numbers.astype(np.int64)
