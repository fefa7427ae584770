"""Values over time as a table of text: one row an instant, comma-separated, the first line names the columns.

``sample`` (a number or a name; without it the table is one sample), optional ``label``, ``group`` and
``split`` as in a table of spikes, ``time_s`` or ``time_us`` (then steps must be equal, and give the sampling
rate); every other column is a channel. Rows of a sample stand in the order of time.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from beyondrate.errors import InputError
from beyondrate.storage.csv_table import FACTS, TIMES, SampleColumns, blocks, numbers, opened
from beyondrate.storage.guards import check_file

_NO_CHANNELS = ("sample", *FACTS, *TIMES)
_UNEQUAL = 0.01  # of a step: how far steps may differ


class SignalTable(NamedTuple):
    """Signals of samples, ready for an encoder; labels, groups and meta as in `SpikeTrains`."""

    signals: list[Float64[np.ndarray, "_ channel"]]
    rate_hz: float
    channels: list[str]
    labels: Int64[np.ndarray, " samples"]
    groups: Int64[np.ndarray, " samples"] | None
    meta: dict[str, Any]


def read_table(path: str | Path, rate_hz: float | None = None) -> SignalTable:
    """Read values over time from a .csv.

    Args:
        path: the file.
        rate_hz: samples a second, where the table has no column of times.

    Raises:
        InputError: if a value is no number, times are not in equal steps, the rate is told neither by the
            table nor by ``rate_hz`` (or by both), or the file does not end with a line break.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "touch.csv"
        ...     _ = path.write_text("sample,label,left,right\\n1,a,0.5,0\\n1,a,0.7,0\\n2,b,0,1\\n")
        ...     table = read_table(path, rate_hz=40)
        >>> table.channels, [signal.tolist() for signal in table.signals]
        (['left', 'right'], [[[0.5, 0.0], [0.7, 0.0]], [[0.0, 1.0]]])
    """
    path = Path(path)
    check_file(path)
    with opened(path, "a table of signals") as lines:
        first, *_ = [*csv.reader([next(iter(lines), "")]), []]
    names = [name.strip() for name in first]
    channels = [name for name in names if name not in _NO_CHANNELS]
    times = [name for name in TIMES if name in names]
    with opened(path, "a table of signals") as lines:
        _check(channels, times, rate_hz)
        values, times_s, owners, seen = _gathered(lines, channels, times)
        samples = seen.samples()
        owners = samples.place[owners]
        order = np.argsort(owners, kind="stable")
        cuts = np.cumsum(np.bincount(owners))[:-1]
        if times:
            rate_hz = _rate(np.split(times_s[order], cuts))
    signals = np.split(values[order], cuts)
    return SignalTable(signals, float(rate_hz or 0), channels, samples.labels, samples.groups, samples.meta)


def _check(channels: list[str], times: list[str], rate_hz: float | None) -> None:
    if not channels or "" in channels:
        raise InputError(
            "has no channel" if not channels else "has a column without a name",
            remedy=f"give each channel a column with a name other than {', '.join(_NO_CHANNELS)}",
        )
    if (len(times) == 1) == (rate_hz is not None) or len(times) > 1:
        told = (
            ", ".join(times) or "no time",
            "no rate" if rate_hz is None else f"{rate_hz:g} samples a second",
        )
        raise InputError(
            f"has the columns {told[0]}, and {told[1]} is given",
            remedy="give one: a column time_s or time_us, or the sampling rate",
        )


def _gathered(
    lines: Iterable[str], channels: list[str], times: list[str]
) -> tuple[Float64[np.ndarray, "rows channel"], Float64[np.ndarray, " _"], np.ndarray, SampleColumns]:
    seen = SampleColumns()
    values, times_s, owners = [], [], []
    for columns in blocks(lines, (*channels, *times), ("sample", *FACTS)):
        n_rows = len(columns[channels[0]])
        values.append(np.stack([numbers(columns[name], name) for name in channels], axis=1))
        owners.append(seen.owners({"sample": ("0",) * n_rows, **columns}))
        for name in times:
            times_s.append(numbers(columns[name], name) * (1.0 if name == "time_s" else 1e-6))
    if not values:
        raise InputError("has no value", remedy="give one row an instant")
    return np.concatenate(values), np.concatenate([np.zeros(0), *times_s]), np.concatenate(owners), seen


def _rate(times_s: list[Float64[np.ndarray, " _"]]) -> float:
    """Return samples a second of samples whose times are in equal steps."""
    steps = np.concatenate([np.diff(times) for times in times_s])
    if not len(steps):
        raise InputError("has one row a sample", remedy="give the sampling rate instead of times")
    step = float(np.median(steps))
    far = np.abs(steps - step) > _UNEQUAL * abs(step)
    if not step > 0 or far.any():
        raise InputError(
            f"has times that are {steps[np.argmax(far)]:g} s apart, others {step:g} s",
            remedy="put rows in order and resample to equal steps, or leave times out and give the rate",
        )
    return float(f"{1 / np.mean(steps):.9g}")  # what is beyond is rounding of the times
