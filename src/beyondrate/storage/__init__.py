"""Event data in files: ours, SHD's layout, .npz, recordings of others; files appear whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.storage import aedat, atomic, csv_spikes, h5, nmnist, npz, nwb, shd
from beyondrate.storage.atomic import atomic_folder, atomic_path
from beyondrate.storage.guards import ENCODE, EVENT_FILE, EVENT_FILES, SOUNDS, check_file, reading
from beyondrate.storage.seconds import on_float16_grid
from beyondrate.storage.stream import EventFile, EventStream, Facts, as_stream

__all__ = [
    "EventFile",
    "EventStream",
    "Facts",
    "atomic_path",
    "check_writable",
    "files_of",
    "load",
    "on_float16_grid",
    "opened",
    "save",
]

_Reader = Callable[[Path, slice | None], SpikeTrains]
_READER_OF_SUFFIX: dict[str, _Reader] = {".csv": csv_spikes.read, ".nwb": nwb.read}
_FORMAT_OF_SUFFIX = {
    ".h5": "h5",
    ".hdf5": "h5",
    ".npz": "npz",
    ".csv": "csv",
    ".aedat": "aedat",
    ".nwb": "nwb",
}
_FORMATS = ("h5", "shd", "npz", "csv", "n-mnist", "aedat", "aedat2", "nwb")
_SUFFIX_AS = {"shd": "h5", "aedat2": "aedat"}  # formats with the suffix of another
_FOLDERS = ("n-mnist",)  # formats of many files
_AEDAT = {"aedat": "3.1", "aedat2": "2.0"}  # versions
_WRITERS = {"npz": npz, "csv": csv_spikes, "n-mnist": nmnist, "nwb": nwb}


def load(path: str | Path, *, samples: slice | None = None) -> SpikeTrains:
    """Read spike trains from a file: our HDF5, SHD's HDF5 layout, .npz, or a recording of others.

    What others record: AEDAT (`beyondrate.storage.aedat`), a .csv (`beyondrate.storage.csv_spikes`), NWB
    (`beyondrate.storage.nwb`), and the folder of N-MNIST (`beyondrate.storage.nmnist`). Files are told apart
    by what they hold, but for .csv and .nwb.

    Args:
        path: the file or folder.
        samples: give only these samples, as ``load(path)[samples]`` would; the spikes of the others are not
            read where the format allows it (HDF5 that this package wrote).

    Raises:
        InputError: if there is no such file, it is damaged, or it holds no valid spike trains; the message
            names the file, the value found and the remedy.

    Example:
        >>> import tempfile
        >>> trains = SpikeTrains.from_samples([([100, 2500], [0, 1]), ([900], [1])], labels=[0, 1],
        ...                                   n_units=2, duration_us=3000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(trains, f"{folder}/events.h5")
        ...     print(load(f"{folder}/events.h5"))
        ...     print(load(f"{folder}/events.h5", samples=slice(1, 2)).times_us)
        SpikeTrains(2 samples, 3 spikes, 2 units, 3 ms, 2 classes)
        [900]
    """
    path = Path(path)
    if path.is_dir():
        folder = nmnist.opened(path)
        return folder[np.arange(len(folder))[samples if samples is not None else slice(None)]]
    if read := _reader(path):
        return read(path, samples)
    with reading(path, EVENT_FILE), _hdf5(path) as file:
        return h5.read(file, samples) if _is_ours(file) else shd.read(file, samples)


@contextmanager
def opened(path: str | Path) -> Iterator[SpikeTrains | EventFile]:
    """Open event data whose spikes may be too many for memory.

    HDF5 and N-MNIST are read as samples are asked for, other files as a whole.

    Raises:
        InputError: as `load` does, here or when samples are asked for.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> trains = SpikeTrains.from_samples([([100, 2500], [0, 1]), ([900], [1])], labels=[0, 1],
        ...                                   n_units=2, duration_us=3000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(trains, f"{folder}/events.h5")
        ...     with opened(f"{folder}/events.h5") as file:
        ...         print(repr(file), file[np.array([1])].times_us)
        EventFile(2 samples, 3 spikes, 2 units, 3 ms, 2 classes) [900]
    """
    path = Path(path)
    if path.is_dir():
        yield nmnist.opened(path)
        return
    if read := _reader(path):
        yield read(path, None)
        return
    with reading(path, EVENT_FILE):
        file = _hdf5(path)
    with file:
        with reading(path, EVENT_FILE):
            events = h5.opened(file) if _is_ours(file) else shd.opened(file)
        yield events


def _reader(path: Path) -> _Reader | None:
    """Return what reads a file that is always read as a whole; None for HDF5 and what is unknown."""
    check_file(path)
    if path.suffix.lower() in SOUNDS:
        raise InputError("is sound", remedy=ENCODE, file=path)
    try:
        with path.open("rb") as stream:
            head = stream.read(len(aedat.MAGIC))
    except OSError as error:
        raise InputError(
            f"cannot be opened ({error.strerror})", remedy="check its permissions", file=path
        ) from error
    if head.startswith(b"PK"):
        return npz.read
    if head == aedat.MAGIC:
        return aedat.read
    return _READER_OF_SUFFIX.get(path.suffix.lower())


def _hdf5(path: Path) -> h5py.File:
    if not h5py.is_hdf5(path):
        raise InputError("is neither HDF5 nor .npz, AEDAT, .csv or .nwb", remedy=EVENT_FILES)
    return h5py.File(path, "r")


def _is_ours(file: h5py.File) -> bool:
    """Tell whether an open HDF5 file is ours or has SHD's layout.

    Raises:
        InputError: if it is neither.
    """
    ours = h5.is_ours(file)
    if not ours and not shd.is_shd(file):
        held = ", ".join(list(file)[:8]) or "nothing"
        raise InputError(f"is HDF5 but no event file (it holds {held})", remedy=EVENT_FILES)
    return ours


def save(
    trains: SpikeTrains | EventStream,
    path: str | Path,
    *,
    format: str | None = None,
    time_dtype: str = "float32",
) -> None:
    """Write spike trains to a file, which appears whole or not at all.

    Args:
        trains: what to write; a stream is written block by block as "h5", and joined for the other formats.
        path: the file; one that exists is replaced once the new one is complete. Of N-MNIST a folder, new or
            empty.
        format: "h5" (ours), "shd" (SHD's HDF5 layout), "npz", "csv" (`beyondrate.storage.csv_spikes`),
            "aedat" or "aedat2" (versions 3.1 and 2.0, with a file of labels; `beyondrate.storage.aedat`),
            "n-mnist" (`beyondrate.storage.nmnist`) or "nwb" (`beyondrate.storage.nwb`); default by suffix
            (.h5, .hdf5: ours; .npz; .csv; .aedat; .nwb).
        time_dtype: type of the seconds in SHD's layout: float32, float64 or float16; see
            `beyondrate.storage.shd.write`.

    Raises:
        InputError: if the format is unknown or cannot hold these spike trains, or the folder is missing,
            full, or not to be written to.
        MissingExtraError: if NWB is to be written, and pynwb is not installed.
    """
    chosen = _format(path, format)
    if chosen == "h5":
        with atomic_path(path) as temporary:
            h5.write(as_stream(trains) if isinstance(trains, SpikeTrains) else trains, temporary)
        return
    whole = trains.joined() if isinstance(trains, EventStream) else trains
    if chosen in _AEDAT:
        aedat.save(whole, Path(path), _AEDAT[chosen])
        return
    with atomic_folder(path) if chosen in _FOLDERS else atomic_path(path) as temporary:
        if chosen == "shd":
            shd.write(whole, temporary, time_dtype)
        else:
            _WRITERS[chosen].write(whole, temporary)


def check_writable(path: str | Path, *, format: str | None = None) -> str:
    """Return the format that `save` would write, or refuse the path before the work that makes what is saved.

    Raises:
        InputError: as `save` does, as far as can be told without the data.
    """
    chosen = _format(path, format)
    if chosen == "nwb":
        nwb.check_installed()
    if chosen in _FOLDERS:
        atomic.check_target_folder(path)
    else:
        atomic.check_target(path)
    return chosen


def files_of(path: Path, format: str | None = None) -> list[Path]:
    """Return the files that event data at a path are: of AEDAT the recording and its labels.

    >>> [file.name for file in files_of(Path("arm.aedat"))]
    ['arm.aedat', 'arm_labels.csv']
    """
    is_aedat = (format or _FORMAT_OF_SUFFIX.get(path.suffix.lower())) in _AEDAT
    return [path, aedat.labels_path(path)] if is_aedat else [path]


def _format(path: str | Path, format: str | None) -> str:
    chosen = format or _FORMAT_OF_SUFFIX.get(Path(path).suffix.lower())
    if chosen not in _FORMATS:
        what = f"format {format!r}" if format else f"suffix {Path(path).suffix!r}"
        raise InputError(
            f"{what} is unknown",
            remedy=f"end it in {', '.join(_FORMAT_OF_SUFFIX)}, or give a format: {', '.join(_FORMATS)}",
            file=path,
        )
    of_suffix = _FORMAT_OF_SUFFIX.get(Path(path).suffix.lower(), chosen)
    if _SUFFIX_AS.get(chosen, chosen) != _SUFFIX_AS.get(of_suffix, of_suffix):
        raise InputError(
            f"format {chosen!r} does not go with the suffix {Path(path).suffix!r}",
            remedy="give the name another suffix, or leave the format out",
            file=path,
        )
    return chosen
