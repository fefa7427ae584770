"""The norms of SHD and SSC that Yu, Sun and Goodman published: Zenodo record 16153275.

Binary rasters X (samples, units, 100 columns) and labels Y; ``shd_norm.mat`` is a MATLAB file (v5, or v7.3,
which is HDF5), ``ssc_norm.h5`` HDF5. The paper calls a column 10 ms, and so do we. The authors' script made
it of 1.4 s / 99 = 14.1 ms of recording, and leaves the first column empty.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from jaxtyping import Int64

from beyondrate.datasets.download import read_small
from beyondrate.datasets.originals import Original, Provided, converted
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, offsets_from_lengths
from beyondrate.progress import Progress, silent
from beyondrate.storage import EventStream
from beyondrate.storage.guards import DAMAGED, hdf5_object, reading

RECORD = "https://zenodo.org/records/16153275"
RECORD_API = "https://zenodo.org/api/records/16153275"
COLUMN_US = 10_000
_SAMPLES_AT_A_TIME = 256


@dataclass(frozen=True)
class _Published:
    """A published norm: its file and the shape of X."""

    file_name: str
    n_samples: int
    n_units: int
    n_columns: int
    n_classes: int


PUBLISHED = {
    "shd-norm": _Published("shd_norm.mat", 5460, 224, 100, 20),
    "ssc-norm": _Published("ssc_norm.h5", 40390, 285, 100, 35),
}


class _Rasters(NamedTuple):
    """Labels of all samples, and how the rasters (sample, unit, column) of some are read."""

    labels: Int64[np.ndarray, " samples"]
    shape: tuple[int, ...]
    at_a_time: int  # samples that are read together: those of a chunk of the file, lest it be unpacked often
    read: Callable[[slice], np.ndarray]


def make_file(name: str, source: Path | None = None, progress: Progress = silent) -> Path:
    """Return the file of "shd-norm" or "ssc-norm" in the cache, made from the published one if need be.

    A spike in column k becomes one at k times 10 ms. Speakers are not told by the published files, and the
    samples are in random order. ``meta["originals"]`` tells the file's hash and how it was checked.

    Args:
        name: "shd-norm" or "ssc-norm".
        source: the published file or its folder; None downloads it, and compares it with the hash in Zenodo's
            record.
        progress: told what is being done.

    Raises:
        InputError: if the file is missing, cannot be downloaded, or is not what was published.
    """
    published = PUBLISHED[name]

    def convert(at_hand: Sequence[Provided], open_files: ExitStack, progress: Progress) -> EventStream:
        path, facts = at_hand[0]
        with reading(path, "the published norm"):
            return _stream(_rasters(path, open_files), published, facts, progress)

    urls = [
        f"{RECORD}/files/{published.file_name}",
        f"{RECORD_API}/files/{published.file_name}/content",
    ]
    original = Original(published.file_name, urls, find_md5=_md5_in_record)
    return converted(name, [original], convert, source, progress)


def _md5_in_record(file_name: str) -> str | None:
    """Return the MD5 of a file that Zenodo's record tells.

    None if it tells none or cannot be reached: the file is then checked by its content alone, and the user is
    told so.
    """
    try:
        record = json.loads(read_small(RECORD_API))
        found = {file["key"]: file["checksum"] for file in record["files"]}[file_name]
    except (InputError, ValueError, TypeError, KeyError):
        return None
    kind, _, value = str(found).partition(":")
    return value if kind == "md5" else None


def _rasters(path: Path, open_files: ExitStack) -> _Rasters:
    """Open the file, which tells by its first bytes whether it is HDF5 or an older MATLAB file."""
    if not h5py.is_hdf5(path):
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError

        try:
            held = loadmat(path, variable_names=["X", "Y"])
        except MatReadError as error:
            raise ValueError(str(error)) from error
        x, y = held["X"], held["Y"]
    else:
        file = open_files.enter_context(h5py.File(path, "r"))
        x, y = hdf5_object(file, "X"), hdf5_object(file, "Y")
    if x is None or y is None or x.ndim != 3 or x.dtype.kind not in "uifb":
        raise InputError("holds no rasters X of three dimensions and labels Y", remedy=DAMAGED)
    labels = np.ravel(y[()]).astype(np.int64)
    in_chunk = getattr(x, "chunks", None) or (1, 1, 1)
    if x.shape[0] != len(labels) == x.shape[2]:  # MATLAB writes HDF5 with the axes in reverse
        at_a_time = max(_SAMPLES_AT_A_TIME, in_chunk[2])
        return _Rasters(labels, x.shape[::-1], at_a_time, lambda some: x[:, :, some].transpose(2, 1, 0))
    return _Rasters(labels, x.shape, max(_SAMPLES_AT_A_TIME, in_chunk[0]), lambda some: x[some])


def _stream(
    rasters: _Rasters, published: _Published, facts: dict[str, str], progress: Progress
) -> EventStream:
    """Check that it is a norm of the published shape, and return its spikes."""
    shape = (published.n_samples, published.n_units, published.n_columns)
    if rasters.shape != shape or len(rasters.labels) != shape[0]:
        raise InputError(
            f"X is {rasters.shape} with {len(rasters.labels)} labels, not {shape}",
            remedy="give the published file",
        )
    classes, sizes = np.unique(rasters.labels, return_counts=True)
    if len(classes) != published.n_classes or classes[0] != 0 or sizes.min() != sizes.max():
        raise InputError(
            f"Y has {len(classes)} classes of {sizes.min()} to {sizes.max()} samples",
            remedy=f"give the published file, with {published.n_classes} classes of equal size",
        )
    counts = np.concatenate([_counts(raster) for raster in _slabs(rasters)])
    if (counts != counts[0]).any():
        unit = int(np.argmax((counts != counts[0]).any(axis=0)))
        raise InputError(
            f"unit {unit} has {counts[:, unit].min()} to {counts[:, unit].max()} spikes, so X is no norm",
            remedy="give the published file",
        )
    return EventStream(
        offsets=offsets_from_lengths(counts.sum(axis=1)),
        labels=rasters.labels,
        groups=None,
        n_units=published.n_units,
        duration_us=published.n_columns * COLUMN_US,
        meta={
            "source": "norm as published (Yu, Sun and Goodman 2025, Zenodo record 16153275)",
            "time_grid": "columns of 10 ms by the paper; 1.4 s / 99 = 14.1 ms by the authors' script",
            "originals": [facts],
        },
        blocks=_blocks(rasters, progress),
    )


def _slabs(rasters: _Rasters) -> Iterator[np.ndarray]:
    for start in range(0, len(rasters.labels), rasters.at_a_time):
        yield rasters.read(slice(start, start + rasters.at_a_time))


def _counts(raster: np.ndarray) -> Int64[np.ndarray, "samples units"]:
    if ((raster != 0) & (raster != 1)).any():
        raise InputError("X holds other values than 0 and 1", remedy="give the published file")
    return np.count_nonzero(raster, axis=2)


def _blocks(rasters: _Rasters, progress: Progress) -> Iterator[SpikeTrains]:
    n_done = 0
    for raster in _slabs(rasters):
        sample, column, unit = np.nonzero(raster.transpose(0, 2, 1))  # by sample, then by time
        lengths = np.bincount(sample, minlength=len(raster))
        labels = rasters.labels[n_done : n_done + len(raster)]
        n_done += len(raster)
        yield SpikeTrains(
            times_us=(column * COLUMN_US).astype(np.int32),
            units=unit.astype(np.int32),
            offsets=offsets_from_lengths(lengths),
            labels=labels,
            n_units=raster.shape[1],
            duration_us=raster.shape[2] * COLUMN_US,
        )
        progress(n_done, len(rasters.labels), "converting samples")
