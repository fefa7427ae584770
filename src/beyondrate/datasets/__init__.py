"""Named data sets, and data at a path: where they come from and how they are split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beyondrate import storage
from beyondrate.datasets import dvs_gesture, heidelberg, published_norm, spoken_digits
from beyondrate.datasets.camera import clips, pooled
from beyondrate.datasets.neo_view import from_neo, from_neo_epoch, to_neo
from beyondrate.datasets.tonic_view import apply_tonic, from_tonic, to_tonic
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.progress import Progress, silent

if TYPE_CHECKING:
    from beyondrate.datasets.torch_view import TorchDataset, collate_rows

__all__ = [
    "DATA_SETS",
    "DataSet",
    "TorchDataset",
    "apply_tonic",
    "clips",
    "collate_rows",
    "from_neo",
    "from_neo_epoch",
    "from_tonic",
    "get",
    "load",
    "pooled",
    "to_neo",
    "to_tonic",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in ("TorchDataset", "collate_rows"):  # torch takes a second to load
        from beyondrate.datasets import torch_view

        return getattr(torch_view, name)
    raise AttributeError(f"module 'beyondrate.datasets' has no attribute {name!r}")


@dataclass(frozen=True)
class DataSet:
    """A data set that can be asked for by name.

    Args:
        name: as typed.
        summary: one line for ``beyondrate data list``.
        make_file: returns its file in the cache, made first if it is missing; takes the folder or file that
            holds the published originals (None downloads them), and is told how far it is.
    """

    name: str
    summary: str
    make_file: Callable[[Path | None, Progress], Path]


def _spoken_digits(size: str) -> Callable[[Path | None, Progress], Path]:
    def make_file(source: Path | None, progress: Progress) -> Path:
        if source is not None:
            raise InputError("spoken digits are made on this machine", remedy="leave out --from", file=source)
        path = spoken_digits.file_path(size)
        if not path.exists():
            spoken_digits.build(size, progress=progress)
        return path

    return make_file


DATA_SETS: Mapping[str, DataSet] = {
    data_set.name: data_set
    for data_set in (
        DataSet(
            "spoken-digits",
            "digits 0-9 in English and German, synthesised and encoded on this machine (speech extra)",
            _spoken_digits("standard"),
        ),
        DataSet(
            "spoken-digits-mini", "a few takes of the same, for trying things out", _spoken_digits("mini")
        ),
        DataSet("spoken-digits-full", "the same with about 10,000 takes", _spoken_digits("full")),
        DataSet(
            "shd",
            "Spiking Heidelberg Digits: 10,420 spoken digits of 12 speakers (download, or --from)",
            partial(heidelberg.make_file, "shd"),
        ),
        DataSet(
            "ssc",
            "Spiking Speech Commands: about 105,000 words of 35 classes (download, or --from; large)",
            partial(heidelberg.make_file, "ssc"),
        ),
        DataSet(
            "shd-norm",
            "SHD with equal spike counts as published in 2025, in bins (download, or --from)",
            partial(published_norm.make_file, "shd-norm"),
        ),
        DataSet(
            "ssc-norm",
            "SSC with equal spike counts as published in 2025, in bins (download, or --from)",
            partial(published_norm.make_file, "ssc-norm"),
        ),
        DataSet(
            "dvs-gesture",
            "DVS128 Gesture: 11 gestures of 29 subjects, an event camera (download, or --from; large)",
            dvs_gesture.make_file,
        ),
    )
}


def get(name: str, source: str | Path | None = None, progress: Progress = silent) -> Path:
    """Return the file of a named data set in the cache, made or downloaded first if it is missing.

    Args:
        name: a name of DATA_SETS.
        source: a file or folder that holds the published files, where there is no network for a download.
        progress: told how far it is.

    Raises:
        InputError: if there is no such data set, or it can be neither made nor downloaded.
    """
    if name not in DATA_SETS:
        raise InputError(f"{name} is no data set", remedy=f"choose from {', '.join(DATA_SETS)}")
    return DATA_SETS[name].make_file(None if source is None else Path(source), progress)


def load(data: str | Path, progress: Progress = silent) -> SpikeTrains:
    """Load a data set by its name, or events from a file.

    Args:
        data: a name of DATA_SETS, or a path of what `beyondrate.storage.load` reads (.h5, .npz, ...).
        progress: told how far a data set is that has to be made first.

    Raises:
        InputError: if it is neither, or the file cannot be used, or its trials were read without a class
            (`beyondrate.storage.load` does that).
    """
    if str(data) in DATA_SETS:
        return storage.load(get(str(data), progress=progress))
    if Path(data).suffix or Path(data).exists():
        trains = storage.load(data)
        _check_trials(trains, data)
        return trains
    raise InputError(
        f"{data!s} is neither a data set nor a file",
        remedy=f"choose from {', '.join(DATA_SETS)}, or give the path of an event file: .h5, .npz, .csv, ...",
    )


def _check_trials(trains: SpikeTrains, path: str | Path) -> None:
    """Refuse trials of which no column was chosen as the class: they are all of one."""
    columns = trains.meta.get("trial_columns")
    if columns is not None and trains.n_classes < 2:
        raise InputError(
            f"holds {len(trains):,} trials, all of one class: which column is the class was not said",
            remedy="choose it, beyondrate data import SESSION.nwb OUT.h5 --trials COLUMN, "
            f"from {', '.join(columns) or 'none'}",
            file=path,
        )
