"""N-MNIST as published: a folder a digit, a file a sample, five bytes an event.

Byte 0 is x, byte 1 is y (34 × 34 pixels, from the top left), bit 7 of byte 2 the polarity (1 is ON), the
other 23 bits the time in microseconds, the high byte first. A folder holds ``0`` to ``9``, or ``Train`` and
``Test`` (either or both) that do. The label is the folder's name. Files are read as samples are asked for.

Written are events, labels and the parts train and test. Samples come back ordered by part and label; names of
labels and a duration beyond the millisecond after the last event are not kept.

Source: Orchard, Jayawant, Cohen, Thakor, "Converting static image datasets to spiking neuromorphic datasets
using saccades", Frontiers in Neuroscience 9, 2015.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, meta_of, offsets_from_lengths
from beyondrate.storage.camera import Sensor, check_order, sensor_of
from beyondrate.storage.guards import DAMAGED, ENCODE, SOUNDS, complete, reading
from beyondrate.storage.stream import EventFile, Samples

SENSOR = Sensor(34, 34)
_EVENT = 5  # bytes
_PARTS = {"Train": "train", "Test": "test"}
_FOLDERS = {"train": "Train", "test": "Test", 0: "Train", 1: "Test"}
_LATEST = 2**23 - 1  # microseconds


def opened(folder: Path) -> EventFile:
    """Return the samples of a folder, to be read when asked for; sizes and last times are read now.

    Raises:
        InputError: if it is no such folder, or a file is empty or ends within an event.
    """
    with reading(folder, "N-MNIST"):
        files, splits = _files(folder)
        sizes = np.array([file.stat().st_size for file in files])
        for file, size in zip(files, sizes.tolist(), strict=True):
            if size == 0 or size % _EVENT:
                raise InputError(
                    f"{file.relative_to(folder)} has {size} bytes, not one or more events of {_EVENT}",
                    remedy=DAMAGED,
                )
        last_us = np.array([_last_time(file) for file in files])
        n_units, duration_us, derived = complete({"n_units": SENSOR.n_units}, last_us, np.zeros(1, np.int64))
    labels = np.array([int(file.parent.name) for file in files], np.int64)
    names = [file.relative_to(folder).as_posix() for file in files]
    meta = {"shape": SENSOR.shape, "files": names, **({"split": splits} if splits else {}), **derived}

    def read(samples: Samples) -> SpikeTrains:
        return SpikeTrains.from_samples(
            [_events(files[sample], names[sample]) for sample in samples.tolist()],
            labels=labels[samples],
            n_units=n_units,
            duration_us=duration_us,
            meta=meta_of(meta, samples),
        )

    return EventFile(
        path=folder,
        read=read,
        offsets=offsets_from_lengths(sizes // _EVENT),
        labels=labels,
        groups=None,
        n_units=n_units,
        duration_us=duration_us,
        meta=meta,
    )


def write(trains: SpikeTrains, folder: Path) -> None:
    """Write spike trains into an empty folder (not atomic: `beyondrate.storage.save` is).

    Files are named by the number of their sample.

    Raises:
        InputError: if units are not those of 34 × 34 pixels, or there are groups, a part other than train and
            test, a sample without events, or a time beyond 23 bits.
    """
    sensor_of(trains, [SENSOR], "N-MNIST")
    parts = _part_folders(trains)
    silent = np.flatnonzero(trains.spikes_per_sample == 0)
    if len(silent):
        raise InputError(
            f"N-MNIST cannot hold sample {silent[0]}, which has no spike",
            remedy=f"leave out the {len(silent)} silent samples, or write an .h5, .npz or .csv file",
        )
    late = np.flatnonzero(trains.times_us > _LATEST)
    if len(late):
        sample = int(trains.sample_index[late[0]])
        raise InputError(
            f"N-MNIST holds times up to {_LATEST} µs, sample {sample} has {trains.times_us[late[0]]} µs",
            remedy="cut the samples, or write an .h5, .npz or .csv file",
        )
    digits = len(str(len(trains) - 1))
    for sample, (part, label) in enumerate(zip(parts, trains.labels.tolist(), strict=True)):
        of_class = folder / part / str(label)
        of_class.mkdir(parents=True, exist_ok=True)
        spikes = slice(*trains.offsets[sample : sample + 2])
        file = of_class / f"{sample:0{max(5, digits)}d}.bin"
        file.write_bytes(_packed(trains.times_us[spikes], trains.units[spikes]))


def _part_folders(trains: SpikeTrains) -> list[str]:
    """Return the folder of each sample's part: none where the data are not split."""
    split = trains.meta.get("split")
    if split is None:
        return [""] * len(trains)
    for part in split:
        if part not in _FOLDERS:
            raise InputError(
                f"N-MNIST cannot hold the part {part!r}", remedy="write an .h5, .npz or .csv file"
            )
    return [_FOLDERS[part] for part in split]


def _packed(times_us: np.ndarray, units: np.ndarray) -> bytes:
    x, y, polarity = SENSOR.places(units)
    columns = [x, y, polarity << 7 | times_us >> 16, times_us >> 8 & 255, times_us & 255]
    return np.stack(columns, axis=1).astype(np.uint8).tobytes()


def _files(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the files of all samples and, where the folder tells, the part that each belongs to."""
    parts = [name for name in _PARTS if (folder / name).is_dir()]
    files: list[Path] = []
    splits: list[str] = []
    for place in [folder / name for name in parts] or [folder]:
        digits = sorted(
            (d for d in place.iterdir() if d.is_dir() and d.name.isdecimal()), key=lambda d: int(d.name)
        )
        found = [file for digit in digits for file in sorted(digit.glob("*.bin"))]
        files += found
        splits += [_PARTS[place.name]] * len(found) if parts else []
    if not files:
        if any(path.suffix.lower() in SOUNDS for path in folder.rglob("*")):
            raise InputError("holds sound", remedy=ENCODE)
        raise InputError(
            "is no file",
            remedy="give the event file itself, or N-MNIST's folder: 0/*.bin to 9/*.bin, or Train and Test",
        )
    return files, splits


def _last_time(file: Path) -> int:
    with file.open("rb") as stream:
        stream.seek(-_EVENT, 2)
        return int(_times(np.frombuffer(stream.read(), np.uint8).reshape(-1, _EVENT))[0])


def _times(events: np.ndarray) -> np.ndarray:
    return (events[:, 2].astype(np.int32) & 127) << 16 | events[:, 3].astype(np.int32) << 8 | events[:, 4]


def _events(file: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return times and units of the events of one sample."""
    try:
        events = np.fromfile(file, np.uint8).reshape(-1, _EVENT)
        times_us = _times(events)
        check_order(times_us)
        return times_us, SENSOR.units(events[:, 0], events[:, 1], events[:, 2] >> 7)
    except InputError as error:
        raise InputError(f"{name}: {error.problem}", remedy=error.remedy) from error
