"""Event data in files: our own format, SHD's layout and .npz; every file appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import h5py

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.storage import atomic, h5, npz, shd
from beyondrate.storage.atomic import atomic_path
from beyondrate.storage.guards import EVENT_FILES, reading
from beyondrate.storage.seconds import on_float16_grid

__all__ = ["atomic_path", "check_writable", "load", "on_float16_grid", "save"]

_FORMAT_OF_SUFFIX = {".h5": "h5", ".hdf5": "h5", ".npz": "npz"}


def load(path: str | Path, *, samples: slice | None = None) -> SpikeTrains:
    """Read spike trains from a file: our HDF5, SHD's HDF5 layout, or .npz, told apart by what it holds.

    Args:
        path: the file.
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
    if not path.exists():
        raise InputError("no such file", remedy="check the path", file=path)
    if not path.is_file():
        raise InputError("is no file", remedy="give the event file itself (.h5 or .npz)", file=path)
    try:
        with path.open("rb") as stream:
            start = stream.read(2)
    except OSError as error:
        raise InputError(
            f"cannot be opened ({error.strerror})", remedy="check its permissions", file=path
        ) from error
    if start == b"PK":
        return npz.read(path, samples)
    with reading(path, "an event file"):
        if not h5py.is_hdf5(path):
            raise InputError("is neither HDF5 nor .npz", remedy=EVENT_FILES)
        with h5py.File(path, "r") as file:
            if h5.is_ours(file):
                return h5.read(file, samples)
            if shd.is_shd(file):
                return shd.read(file, samples)
            held = ", ".join(list(file)[:8]) or "nothing"
            raise InputError(f"is HDF5 but no event file (it holds {held})", remedy=EVENT_FILES)


def save(
    trains: SpikeTrains, path: str | Path, *, format: str | None = None, time_dtype: str = "float32"
) -> None:
    """Write spike trains to a file, which appears whole or not at all.

    Args:
        trains: what to write.
        path: the file; one that exists is replaced once the new one is complete.
        format: "h5" (ours), "shd" (SHD's HDF5 layout) or "npz"; default by suffix (.h5, .hdf5: ours; .npz).
        time_dtype: type of the seconds in SHD's layout: float32, float64 or float16; see
            `beyondrate.storage.shd.write`.

    Raises:
        InputError: if the format is unknown, or the folder is missing, full, or not to be written to.
    """
    chosen = _format(path, format)
    with atomic_path(path) as temporary:
        if chosen == "h5":
            h5.write(trains, temporary)
        elif chosen == "shd":
            shd.write(trains, temporary, time_dtype)
        else:
            npz.write(trains, temporary)


def check_writable(path: str | Path, *, format: str | None = None) -> None:
    """Refuse a path that `save` could not write to, before the work that makes what is to be saved.

    Raises:
        InputError: as `save` does, as far as can be told without the data.
    """
    _format(path, format)
    atomic.check_target(path)


def _format(path: str | Path, format: str | None) -> str:
    chosen = format or _FORMAT_OF_SUFFIX.get(Path(path).suffix.lower())
    if chosen not in ("h5", "shd", "npz"):
        what = f"format {format!r}" if format else f"suffix {Path(path).suffix!r}"
        raise InputError(
            f"{what} is unknown",
            remedy="give a path that ends in .h5 or .npz, or format h5, shd or npz",
            file=path,
        )
    return chosen
