"""What every reader checks before it trusts a file, and how a damaged file is refused."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import MAX_DURATION_US

EVENT_FILE = "an event file"  # the kind of file, as readers name it
SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".opus")  # suffixes
ENCODE = "turn it into spikes: beyondrate encode"
EVENT_FILES = "give an event file: ours, SHD's layout, .npz, AEDAT, a folder of N-MNIST, .csv or .nwb"
DAMAGED = "the file is damaged or incomplete: copy, download or write it again"
# All that h5py, HDF5, numpy, zipfile and zlib raise on files that are not what they claim to be.
_READ_ERRORS = (
    OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, EOFError,
    MemoryError, SyntaxError, SystemError, UserWarning, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def check_file(path: Path) -> None:
    """Refuse what cannot be read as any kind of file.

    Raises:
        InputError: if there is no such file, or it is empty, a folder or a device.
    """
    if not path.exists():
        raise InputError("no such file", remedy="check the path", file=path)
    if not path.is_file():
        raise InputError("is no file", remedy="give the event file itself", file=path)
    if not path.stat().st_size:
        raise InputError("is empty", remedy=DAMAGED, file=path)


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn every failure to read ``path`` as a ``kind`` of file into an InputError that names it."""
    try:
        yield
    except InputError as error:
        raise error.in_file(path) from error.__cause__
    except _READ_ERRORS as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(f"cannot be read as {kind} ({reason})", remedy=DAMAGED, file=path) from error


def most_unpacked(stored: int) -> int:
    """Return to how many bytes packed data may unpack: event data pack 2 to 10 times, bombs 1000 times."""
    return max(1 << 26, 100 * stored)


def hdf5_object(file: h5py.File, name: str) -> h5py.Group | h5py.Dataset | None:
    """Return what lies at ``name`` in this very file, or None; no link is ever followed.

    Raises:
        InputError: if a link stands in the way.
    """
    place = file
    for part in name.split("/"):
        link = place.get(part, getlink=True) if isinstance(place, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise InputError(f"{name} is a link", remedy="copy what it points to into the file")
        place = place[part]
    return place


def hdf5_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Return the flat dataset ``name`` if it lies in this very file and can be as large as it claims.

    Raises:
        InputError: if it is missing, a link, stored elsewhere, or claims more than the file can hold.
    """
    dataset = hdf5_object(file, name)
    if dataset is None:
        raise InputError(f"has no dataset {name}", remedy=EVENT_FILES)
    if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1:
        raise InputError(f"{name} is no flat array", remedy=EVENT_FILES)
    if dataset.is_virtual or dataset.external is not None:
        raise InputError(f"{name} keeps its data in another file", remedy="copy the data into the file")
    stored = min(dataset.id.get_storage_size(), Path(file.filename).stat().st_size)
    if dataset.nbytes > (most_unpacked(stored) if dataset.compression else stored):
        raise InputError(f"{name} claims {dataset.nbytes} bytes but {stored} are stored", remedy=DAMAGED)
    return dataset


def fixed_text(file: h5py.File, name: str) -> str:
    """Return the text that the dataset ``name`` holds as one string of fixed length."""
    dataset = hdf5_dataset(file, name)
    if dataset.dtype.kind != "S" or len(dataset) != 1:
        raise InputError(f"{name} holds {dataset.dtype}, not one string", remedy=DAMAGED)
    return bytes(dataset[0]).decode()


def json_text(facts: Mapping[str, Any]) -> str:
    """Write facts (strings, numbers, lists, dicts, numpy arrays) as JSON.

    Raises:
        InputError: if a fact cannot be written as JSON.
    """
    try:
        return json.dumps(dict(facts), default=_plain)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"meta holds what JSON cannot ({error})", remedy="keep strings, numbers, lists and dicts in meta"
        ) from error


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} {value!r}")


def enclosing(chosen: range) -> tuple[int, int]:
    """Return the first sample and one past the last sample of a range, whichever way it runs.

    >>> enclosing(range(5, 1, -2))
    (3, 6)
    """
    return (min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1]) + 1) if chosen else (0, 0)


def complete(
    told: Mapping[str, int], times_us: np.ndarray, units: np.ndarray
) -> tuple[int, int, dict[str, Any]]:
    """Return n_units, duration_us, and for meta which of them the file does not tell.

    What is not told is derived from the spikes: one more than the largest unit, and the last spike rounded up
    to a millisecond.

    >>> complete({"n_units": 5}, np.array([100, 2500]), np.array([0, 1]))
    (5, 3000, {'derived': ['duration_us']})
    """
    last_us = int(times_us.max(initial=0))
    derived = {
        "n_units": int(units.max(initial=0)) + 1,
        "duration_us": min(max(1000, -(-last_us // 1000) * 1000), MAX_DURATION_US),
    }
    missing = [name for name in derived if name not in told]
    n_units, duration_us = (told.get(name, value) for name, value in derived.items())
    return n_units, duration_us, {"derived": missing} if missing else {}
