"""Named data sets, and data at a path: where they come from and how they are split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from beyondrate import storage
from beyondrate.datasets import spoken_digits
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.progress import Progress, silent


@dataclass(frozen=True)
class DataSet:
    """A data set that can be asked for by name.

    Args:
        name: as typed.
        summary: one line for ``beyondrate data list``.
        load: makes or fetches it, telling how far it is.
    """

    name: str
    summary: str
    load: Callable[[Progress], SpikeTrains]


def _spoken_digits(size: str) -> Callable[[Progress], SpikeTrains]:
    return lambda progress: spoken_digits.build(size, progress=progress)


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
    )
}


def load(data: str | Path, progress: Progress = silent) -> SpikeTrains:
    """Load a data set by its name, or events from a file.

    Args:
        data: a name of DATA_SETS, or a path to an .h5 (ours or SHD's layout) or .npz file.
        progress: told how far a data set is that has to be made first.

    Raises:
        InputError: if it is neither, or the file cannot be used.
    """
    if str(data) in DATA_SETS:
        return DATA_SETS[str(data)].load(progress)
    if Path(data).suffix or Path(data).exists():
        return storage.load(data)
    raise InputError(
        f"{data!s} is neither a data set nor a file",
        remedy=f"choose from {', '.join(DATA_SETS)}, or give the path of an .h5 or .npz file",
    )
