"""What an event camera sees: events of pixels that have become brighter (ON) or darker (OFF).

The units of spike trains are (polarity, row, column), flattened in this order: polarity 0 is OFF and 1 is
ON, row 0 is at the top, column 0 at the left. ``meta["shape"]`` is [2, rows, columns]. A sample that was cut
from a recording is named in ``meta["files"]`` as FILE@START-END, microseconds of the camera's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int32, Int64, Integer

from beyondrate.errors import InputError
from beyondrate.events import MAX_DURATION_US, SpikeTrains, exact
from beyondrate.storage.csv_table import blocks, numbers
from beyondrate.storage.guards import DAMAGED, reading

INTERVAL_COLUMNS = ("class", "startTime_usec", "endTime_usec")


class Sensor(NamedTuple):
    """The size of an event camera in pixels."""

    rows: int
    columns: int

    @property
    def n_units(self) -> int:
        """Number of units: two a pixel."""
        return 2 * self.rows * self.columns

    @property
    def shape(self) -> list[int]:
        """Channels, rows and columns, as in meta["shape"]."""
        return [2, self.rows, self.columns]

    def units(
        self,
        x: Integer[np.ndarray, " events"],
        y: Integer[np.ndarray, " events"],
        polarity: Integer[np.ndarray, " events"],
    ) -> Int32[np.ndarray, " events"]:
        """Return the unit of each event of column x, row y and polarity 0 or 1.

        Raises:
            InputError: if an event lies outside the sensor.

        Example:
            >>> Sensor(rows=2, columns=3).units(np.array([2, 0]), np.array([1, 0]), np.array([0, 1])).tolist()
            [5, 6]
        """
        x, y, polarity = (np.asarray(values).astype(np.int32) for values in (x, y, polarity))
        outside = (x < 0) | (x >= self.columns) | (y < 0) | (y >= self.rows) | (polarity >> 1 != 0)
        if outside.any():
            event = int(np.argmax(outside))
            raise InputError(
                f"event {event} is at column {x[event]}, row {y[event]} with polarity {polarity[event]}, "
                f"outside a sensor of {self.columns} × {self.rows} pixels and two polarities",
                remedy=DAMAGED,
            )
        return (polarity * self.rows + y) * self.columns + x

    def places(self, units: Integer[np.ndarray, " events"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return column, row and polarity of each unit, int64.

        >>> [some.tolist() for some in Sensor(rows=2, columns=3).places(np.array([5, 6]))]
        [[2, 0], [1, 0], [0, 1]]
        """
        pixel, x = np.divmod(units.astype(np.int64), self.columns)
        polarity, y = np.divmod(pixel, self.rows)
        return x, y, polarity


class Interval(NamedTuple):
    """A labelled part of a recording: events at ``start_us`` and later, but before ``end_us``."""

    label: int
    start_us: int
    end_us: int

    @property
    def length_us(self) -> int:
        """Its length in microseconds."""
        return self.end_us - self.start_us

    def name(self, file: str) -> str:
        """Return the name that the sample has in meta["files"]."""
        return f"{file}@{self.start_us}-{self.end_us}"


@dataclass(frozen=True, eq=False)
class Recording:
    """The events of one recording.

    Args:
        times_us: of each event, on the camera's clock; ascending.
        units: of each event, see `Sensor.units`.
        sensor: size of the camera.

    Raises:
        InputError: if time goes backwards.
    """

    times_us: Int64[np.ndarray, " events"]
    units: Int32[np.ndarray, " events"]
    sensor: Sensor

    def __post_init__(self) -> None:
        check_order(self.times_us)

    def between(
        self, start_us: int, end_us: int
    ) -> tuple[Int64[np.ndarray, " events"], Int32[np.ndarray, " events"]]:
        """Return times from ``start_us`` on, and units, of the events from then until before ``end_us``."""
        first, stop = np.searchsorted(self.times_us, (start_us, end_us))
        return self.times_us[first:stop] - start_us, self.units[first:stop]

    def whole(self, name: str) -> SpikeTrains:
        """Return the recording as one sample, labelled 0, that starts with its first event.

        Raises:
            InputError: if it has no event, or lasts too long.
        """
        if not len(self.times_us):
            raise InputError("has no event of a pixel", remedy=DAMAGED)
        first, last = int(self.times_us[0]), int(self.times_us[-1])
        if last - first > MAX_DURATION_US:
            raise InputError(
                f"lasts {(last - first) / 1e6:g} s", remedy="give a file of labelled intervals beside it"
            )
        end = min(first + max(1000, -(-(last - first) // 1000) * 1000), first + MAX_DURATION_US)
        times, units = self.between(first, last + 1)
        interval = Interval(0, first, end)
        return self._trains([interval], [(times, units)], [interval.name(name)], {"derived": ["duration_us"]})

    def labelled(self, name: str, intervals: Sequence[Interval]) -> SpikeTrains:
        """Return its labelled intervals as samples, empty ones too; an event is in all that hold its time."""
        events = [self.between(interval.start_us, interval.end_us) for interval in intervals]
        return self._trains(intervals, events, [interval.name(name) for interval in intervals], {})

    def _trains(
        self,
        intervals: Sequence[Interval],
        events: Sequence[tuple[np.ndarray, np.ndarray]],
        names: list[str],
        facts: dict[str, Any],
    ) -> SpikeTrains:
        return SpikeTrains.from_samples(
            events,
            labels=[interval.label for interval in intervals],
            n_units=self.sensor.n_units,
            duration_us=max(interval.length_us for interval in intervals),
            meta={"shape": self.sensor.shape, "files": names, **facts},
        )


def sensor_of(trains: SpikeTrains, known: Sequence[Sensor], format: str) -> Sensor:
    """Return which of the sensors ``known`` to a format saw the spike trains.

    Raises:
        InputError: if none did, or there is what no format of cameras holds: groups, or no sample.
    """
    remedy = "write an .h5, .npz or .csv file"
    if not len(trains):
        raise InputError(f"{format} cannot hold data without samples", remedy=remedy)
    if trains.groups is not None:
        raise InputError(f"{format} cannot hold groups", remedy=f"{remedy}, or leave the groups out")
    shape = trains.meta.get("shape")
    for sensor in known:
        if trains.n_units == sensor.n_units and (shape is None or list(shape) == sensor.shape):
            return sensor
    sizes = " or ".join(f"{sensor.columns} × {sensor.rows}" for sensor in known)
    raise InputError(
        f"{format} holds events of {sizes} pixels and two polarities, not of {trains.n_units} units"
        + (f" of the shape {shape}" if shape is not None else ""),
        remedy=remedy,
    )


def check_order(times_us: Integer[np.ndarray, " events"]) -> None:
    """Refuse times that go backwards.

    >>> check_order(np.array([3, 3, 2]))
    Traceback (most recent call last):
    beyondrate.errors.InputError: time goes backwards from 3 to 2 µs at event 2; the file is damaged or \
incomplete: copy, download or write it again
    """
    falls = np.flatnonzero(times_us[1:] < times_us[:-1])
    if len(falls):
        event = int(falls[0]) + 1
        raise InputError(
            f"time goes backwards from {times_us[event - 1]} to {times_us[event]} µs at event {event}",
            remedy=DAMAGED,
        )


def read_intervals(path: Path) -> list[Interval]:
    """Read the labelled intervals of a recording from a file, see `intervals`."""
    with reading(path, "a table of labelled intervals"):
        return intervals(path.read_bytes())


def intervals(table: bytes) -> list[Interval]:
    """Return labelled intervals from a table with the columns of DVS128 Gesture.

    Raises:
        InputError: if it is not such a table, has no row, or an interval ends before it starts.

    Example:
        >>> intervals(b"class,startTime_usec,endTime_usec\\n1,80048239,85092709\\n")
        [Interval(label=1, start_us=80048239, end_us=85092709)]
    """
    found = [
        Interval(*(int(value) for value in row))
        for columns in blocks(table.decode("utf-8-sig").splitlines(), INTERVAL_COLUMNS)
        for row in zip(
            *(exact(numbers(columns[name], name), np.dtype(np.int64), name) for name in INTERVAL_COLUMNS),
            strict=True,
        )
    ]
    if not found:
        raise InputError("has no interval", remedy="give one row an interval")
    for interval in found:
        if not 0 < interval.length_us <= MAX_DURATION_US:
            raise InputError(
                f"has an interval from {interval.start_us} to {interval.end_us} µs",
                remedy=f"an interval ends after it starts, and at most {MAX_DURATION_US} µs later",
            )
    return found
