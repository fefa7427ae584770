"""Spike trains from and to tonic's data sets: structured arrays of events (t, x, y, p), one a sample.

Units are (polarity, row, column), flattened, as everywhere in this package, and meta["shape"] is the sensor's
[polarities, rows, columns]; tonic's sensor_size is the same turned round, (columns, rows, polarities). None
of this needs tonic itself: an object that gives (events, target) is a data set of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, exact, unit_dtype
from beyondrate.storage.guards import complete
from beyondrate.storage.trials import numbered

Transform = Callable[[np.ndarray], Any]
SensorSize = tuple[int, int, int]

TRANSFORM_EFFECTS = MappingProxyType(
    {
        "ToFrame": "starts its bins at each sample's first spike and drops the last partial window, or the "
        "last spike (n_time_bins); "
        "SpikeTrains.dense and TorchDataset start at 0 and drop none",
        "TimeJitter": "deletes spikes that it moves before 0 (clip_negative), cuts times down to whole "
        "microseconds and does not stop at the sample's end; perturb.jitter keeps every spike",
        "RandomTimeReversal": "moves the onset and flips polarities; perturb.reverse does neither",
        "Downsample": "merges pixels into one unit, and time steps if time_factor is below 1",
        "EventDownsampling": "merges pixels and drops spikes",
        "MergePolarities": "merges ON and OFF",
        "ToImage": "merges all times",
        "ToVoxelGrid": "merges spikes into bins",
        "ToBinaRep": "merges spikes into bins of at most one",
        "TimeAlignment": "takes the onset away",
        "TimeSkew": "stretches time",
        "SpatialJitter": "moves spikes to other units, and drops them at the border (clip_outliers)",
        "UniformNoise": "adds spikes",
        **dict.fromkeys(
            (
                "CenterCrop", "CropTime", "Decimation", "Denoise", "DropEvent", "DropEventByArea",
                "DropEventByTime", "DropPixel", "EventDrop", "RandomCrop", "RandomDropPixel",
                "RefractoryPeriod",
            ),
            "drops spikes",
        ),
    }
)  # fmt: skip
"""What tonic's transforms do to spikes and their timing, by their names (tonic 1.7)."""


@runtime_checkable
class EventSamples(Protocol):
    """What is needed of a tonic data set: its length, and (events, target) of a sample."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> tuple[np.ndarray, Any]: ...


class TonicView:
    """Spike trains as a data set of tonic: ``view[i]`` is (events, label), events being (t, x, y, p).

    Args:
        trains: the samples; with [polarities, rows, columns] or [polarities, columns] as meta["shape"] units
            become pixels, else x is the unit and p is 0.
        transform: applied to the events of a sample when it is asked for.
    """

    dtype = np.dtype([("t", np.int64), ("x", np.int64), ("y", np.int64), ("p", np.int64)])
    ordering = dtype.names

    def __init__(self, trains: SpikeTrains, transform: Transform | None = None) -> None:
        self.trains = trains
        self.transform = transform
        self.shape = _shape(trains)

    @property
    def sensor_size(self) -> SensorSize:
        """Columns, rows, polarities."""
        polarities, rows, columns = self.shape
        return columns, rows, polarities

    def __len__(self) -> int:
        return len(self.trains)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """Return the events of a sample, transformed, and its label."""
        one = self.trains[index]
        events = np.empty(one.n_spikes, self.dtype)
        events["t"] = one.times_us
        events["p"], events["y"], events["x"] = np.unravel_index(one.units.astype(np.int64), self.shape)
        return (self.transform(events) if self.transform else events), int(one.labels[0])


def to_tonic(trains: SpikeTrains, transform: Transform | None = None) -> TonicView:
    """Return spike trains as tonic's data sets are, and warn of transforms that change spikes or timing.

    Warns:
        UserWarning: for each transform in `TRANSFORM_EFFECTS`, saying what it does.

    Example:
        >>> trains = SpikeTrains.from_samples([([10, 20], [5, 26])], labels=[3], n_units=32,
        ...                                   duration_us=1000, meta={"shape": [2, 4, 4]})
        >>> events, label = to_tonic(trains)[0]
        >>> events["t"].tolist(), events["x"].tolist(), events["y"].tolist(), events["p"].tolist(), label
        ([10, 20], [1, 2], [1, 2], [0, 1], 3)
    """
    _warn_of(transform)
    return TonicView(trains, transform)


def from_tonic(
    dataset: EventSamples | Sequence[tuple[np.ndarray, Any]],
    *,
    sensor_size: SensorSize | None = None,
    duration_us: int | None = None,
    sort: bool = False,
) -> SpikeTrains:
    """Read all samples of a tonic data set; every event becomes a spike at its time, in microseconds.

    Args:
        dataset: gives (events, target); events have the fields t, x, and y and p if there are any.
        sensor_size: (columns, rows, polarities); default: what the data set says.
        duration_us: length of a sample; default: the last spike rounded up to a millisecond.
        sort: put a sample's events in order; else times that go backwards are refused, as damage.

    Raises:
        InputError: if events are no structured arrays, a time goes backwards or is no whole microsecond, or
            an address is outside the sensor; it names the sample.

    Example:
        >>> events = np.array([(10, 1, 1), (20, 2, 1)], dtype=[("t", int), ("x", int), ("p", int)])
        >>> from_tonic([(events, "yes")], sensor_size=(700, 1, 1))
        SpikeTrains(1 sample, 2 spikes, 700 units, 1 ms, 1 class)
    """
    size = sensor_size or getattr(dataset, "sensor_size", None)
    if size is None or len(size) != 3 or not all(isinstance(n, int | np.integer) and n > 0 for n in size):
        raise InputError(
            f"the sensor's size is {size}", remedy="give sensor_size=(columns, rows, polarities)"
        )
    columns, rows, polarities = (int(n) for n in size)
    n_units = polarities * rows * columns
    samples, targets = [], []
    for sample in range(len(dataset)):
        events, target = dataset[sample]
        try:
            samples.append(_spikes(events, (polarities, rows, columns), sort))
        except InputError as error:
            raise InputError(f"sample {sample}: {error.problem}", remedy=error.remedy) from error
        targets.append(target)
    labels, names = numbered(targets)
    last_us = np.array([times.max(initial=0) for times, _ in samples], np.int64)
    told = {"n_units": n_units, **({} if duration_us is None else {"duration_us": duration_us})}
    _, length_us, derived = complete(told, last_us, np.zeros(1, np.int64))
    return SpikeTrains.from_samples(
        samples,
        labels=labels,
        n_units=n_units,
        duration_us=length_us,
        meta={
            "shape": [polarities, rows, columns],
            **({"label_names": names} if names else {}),
            **derived,
        },
    )


def apply_tonic(trains: SpikeTrains, transform: Transform, *, sort: bool = False) -> SpikeTrains:
    """Send every sample through a tonic transform and come back, telling what it has cost.

    Labels, groups, length and meta stay; the number of units too, so that cropped pixels are silent ones.
    Most of tonic's transforms draw from numpy's global state: ``numpy.random.seed`` makes them repeatable.

    Args:
        trains: the samples.
        transform: from tonic.transforms, from events to events.
        sort: put each sample's events in order afterwards, which tonic's TimeJitter does not do itself.

    Warns:
        UserWarning: if the transform is in `TRANSFORM_EFFECTS`, or the number of spikes has changed.

    Raises:
        InputError: if it gives no events (but frames), or events that are no spikes of these samples: before
            0, after their end, outside the sensor, backwards in time.

    Example:
        >>> trains = SpikeTrains.from_samples([([10, 20], [0, 1])], labels=[3], n_units=2, duration_us=1000)
        >>> apply_tonic(trains, lambda events: events[::-1], sort=True).digest == trains.digest
        True
    """
    _warn_of(transform)
    view = TonicView(trains, transform)
    made = from_tonic(view, sensor_size=view.sensor_size, duration_us=trains.duration_us, sort=sort)
    if made.n_spikes != trains.n_spikes:
        done = "dropped" if made.n_spikes < trains.n_spikes else "added"
        warnings.warn(
            f"{_name(transform)} has {done} {abs(made.n_spikes - trains.n_spikes):,} "
            f"of {trains.n_spikes:,} spikes",
            stacklevel=2,
        )
    return trains.with_spikes(made.times_us, made.units, made.offsets)


def _shape(trains: SpikeTrains) -> tuple[int, int, int]:
    """Return polarities, rows and columns."""
    told = [int(n) for n in trains.meta.get("shape", ())]
    if len(told) == 2:
        told = [told[0], 1, told[1]]
    if len(told) != 3 or int(np.prod(told)) != trains.n_units:
        return 1, 1, trains.n_units
    return told[0], told[1], told[2]


def _spikes(events: Any, shape: tuple[int, int, int], sort: bool) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN401
    """Return times and units of one sample's events."""
    names = getattr(getattr(events, "dtype", None), "names", None) or ()
    if not {"t", "x"} <= set(names):
        raise InputError(
            f"a {type(events).__name__} with the fields {', '.join(names) or 'none'}, not events",
            remedy="give structured arrays with t and x; for frames take dense(dt_s) or TorchDataset",
        )
    times = exact(events["t"], np.dtype(np.int32), "t")
    falls = np.flatnonzero(times[1:] < times[:-1])
    if len(falls) and not sort:
        raise InputError(
            f"time goes backwards from {times[falls[0]]} to {times[falls[0] + 1]} µs",
            remedy="mend the events, or give sort=True if their order means nothing",
        )
    axes = [("p", shape[0]), ("y", shape[1]), ("x", shape[2])]
    unit = np.zeros(len(times), np.int64)
    for name, size in axes:
        value = exact(events[name], np.dtype(np.int64), name) if name in names else np.zeros_like(unit)
        if name == "p" and size == 1 and len(np.unique(value)) <= 1:
            value = np.zeros_like(unit)  # tonic writes 1 where there is one polarity only
        outside = (value < 0) | (value >= size)
        if outside.any():
            raise InputError(
                f"an event has {name} = {value[np.argmax(outside)]}, outside 0..{size - 1}",
                remedy="give the sensor_size that the events are of",
            )
        unit = unit * size + value
    return times, unit.astype(unit_dtype(int(np.prod(shape))))


def _warn_of(transform: Transform | None) -> None:
    for one in getattr(transform, "transforms", [transform]):
        if effect := TRANSFORM_EFFECTS.get(_name(one)):
            warnings.warn(f"tonic's {_name(one)} {effect}", stacklevel=3)


def _name(transform: object) -> str:
    return getattr(transform, "__name__", type(transform).__name__)
