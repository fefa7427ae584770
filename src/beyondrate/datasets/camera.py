"""What recordings of event cameras need before a network sees them: coarser pixels, clips of one length."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int64

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, dt_in_us, meta_of, offsets_from_lengths, unit_dtype

_INTERVAL = re.compile(r"(.*)@(\d+)-(\d+)")  # a name in meta["files"], see beyondrate.storage.camera


def pooled(trains: SpikeTrains, factor: int) -> SpikeTrains:
    """Merge squares of pixels into one pixel each; every event is kept, at its time.

    The last row and column are of smaller pixels where the factor does not divide the sensor.

    Args:
        trains: from an event camera, with [channels, rows, columns] as meta["shape"].
        factor: pixels along a side of the squares.

    Raises:
        InputError: if the trains tell no shape, or the factor is below 1.

    Example:
        >>> trains = SpikeTrains.from_samples([([10, 20], [5, 16 + 10])], labels=[0], n_units=32,
        ...                                   duration_us=1000, meta={"shape": [2, 4, 4]})
        >>> coarse = pooled(trains, 2)
        >>> coarse.meta["shape"], coarse.units.tolist()
        ([2, 2, 2], [0, 7])
    """
    shape = trains.meta.get("shape")
    if shape is None or len(shape) != 3 or int(np.prod(shape)) != trains.n_units:
        raise InputError(
            f"meta's shape is {shape} for {trains.n_units} units",
            remedy="give recordings of an event camera, with [channels, rows, columns] as shape",
        )
    if factor < 1:
        raise InputError(f"factor is {factor}", remedy="give how many pixels along a side are merged, from 1")
    channels, rows, columns = shape
    coarse = (channels, -(-rows // factor), -(-columns // factor))
    channel, row, column = np.unravel_index(np.arange(trains.n_units), shape)
    unit_of = np.ravel_multi_index((channel, row // factor, column // factor), coarse)
    n_units = int(np.prod(coarse))
    return replace(
        trains,
        units=unit_of.astype(unit_dtype(n_units))[trains.units],
        n_units=n_units,
        meta={**trains.meta, "shape": list(coarse)},
    )


def clips(trains: SpikeTrains, clip_s: float) -> SpikeTrains:
    """Cut samples into clips of one length: samples with the label, the group and the part of their whole.

    A sample lasts as long as the interval that meta["files"] names, else until its last spike. What is left
    after its last whole clip is not used; meta["clips"] counts these spikes, and the samples too short for
    one clip. An accuracy on clips is not one on whole recordings: meta["accuracy"] says which it is.

    Args:
        trains: samples of any lengths.
        clip_s: length of a clip in seconds.

    Raises:
        InputError: if the length is no whole number of microseconds, or no sample is that long.

    Example:
        >>> trains = SpikeTrains.from_samples([([100, 1500, 2100], [0, 1, 0]), ([1200], [1])], labels=[3, 4],
        ...                                   n_units=2, duration_us=3000)
        >>> made = clips(trains, 0.001)
        >>> made.labels.tolist(), made.offsets.tolist(), made.times_us.tolist()
        ([3, 3, 4], [0, 1, 2, 2], [100, 500])
    """
    clip_us = dt_in_us(clip_s, "clip")
    n_clips = _lengths(trains) // clip_us
    if not n_clips.any():
        raise InputError(f"no sample is {clip_s:g} s long", remedy="give a shorter clip")
    owner = trains.sample_index
    clip = trains.times_us // clip_us
    is_kept = clip < n_clips[owner]
    first = offsets_from_lengths(n_clips)
    whole = np.repeat(np.arange(len(trains)), n_clips)
    place = np.arange(len(whole)) - first[whole]
    spikes = np.bincount(first[owner[is_kept]] + clip[is_kept], minlength=len(whole))
    labels = trains.labels[whole]
    meta: dict[str, Any] = {
        **meta_of(trains.meta, whole),
        "accuracy": f"of clips of {clip_s:g} s, {len(np.unique(labels))} classes",
        "clips": {
            "clip_us": clip_us,
            "spikes_left_out": int(np.count_nonzero(~is_kept)),
            "samples_left_out": int(np.count_nonzero(n_clips == 0)),
        },
    }
    if "files" in meta:
        meta["files"] = [_clip_name(*of, clip_us) for of in zip(meta["files"], place.tolist(), strict=True)]
    return SpikeTrains(
        times_us=(trains.times_us - clip * np.int32(clip_us))[is_kept],
        units=trains.units[is_kept],
        offsets=offsets_from_lengths(spikes),
        labels=labels,
        groups=None if trains.groups is None else trains.groups[whole],
        n_units=trains.n_units,
        duration_us=clip_us,
        meta=meta,
    )


def _lengths(trains: SpikeTrains) -> Int64[np.ndarray, " samples"]:
    """Return how long each sample lasts in microseconds."""
    lengths = np.zeros(len(trains), np.int64)
    has_spikes = trains.spikes_per_sample > 0
    lengths[has_spikes] = trains.times_us[trains.offsets[1:][has_spikes] - 1]
    for sample, name in enumerate(trains.meta.get("files", ())):
        if interval := _INTERVAL.fullmatch(str(name)):
            lengths[sample] = int(interval[3]) - int(interval[2])
    return lengths


def _clip_name(name: str, place: int, clip_us: int) -> str:
    interval = _INTERVAL.fullmatch(name)
    file, start = (interval[1], int(interval[2])) if interval else (name, 0)
    return f"{file}@{start + place * clip_us}-{start + (place + 1) * clip_us}"
