"""Long recordings cut into samples: one sample a trial, from its start on and until before its end.

And back: samples one after another are one recording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from beyondrate.errors import InputError
from beyondrate.events import MAX_DURATION_US, SpikeTrains, offsets_from_lengths, unit_dtype

_LATEST_US = 2**53  # up to here every microsecond is a float64 of seconds
_GAP_US = 1_000_000  # between samples that are written one after another


class Session(NamedTuple):
    """The spikes of a recording, sorted by time: microseconds of its clock, and units from 0."""

    times_us: Int64[np.ndarray, " spikes"]
    units: Int64[np.ndarray, " spikes"]
    unit_ids: list[Any]


class Trials(NamedTuple):
    """Labelled parts of a recording, on its clock; they may overlap, touch, or hold no spike."""

    starts_us: Int64[np.ndarray, " trials"]
    stops_us: Int64[np.ndarray, " trials"]
    labels: Int64[np.ndarray, " trials"]
    label_names: list[str] | None


def session(times_s: Sequence[Float[np.ndarray, " _"]], unit_ids: Sequence[Any]) -> Session:
    """Return the spikes of units, given one array of ascending seconds a unit.

    Raises:
        InputError: if a unit's times go backwards or are no times.

    Example:
        >>> found = session([np.array([0.1, 0.3]), np.array([0.2])], [7, 9])
        >>> found.times_us.tolist(), found.units.tolist()
        ([100000, 200000, 300000], [0, 1, 0])
    """
    times = [whole_us(some, f"unit {unit}") for some, unit in zip(times_s, unit_ids, strict=True)]
    for some, unit in zip(times, unit_ids, strict=True):
        falls = np.flatnonzero(some[1:] < some[:-1])
        if len(falls):
            raise InputError(
                f"unit {unit}: time goes backwards from {some[falls[0]]} to {some[falls[0] + 1]} µs",
                remedy="sort each unit's spikes by time",
            )
    joined = np.concatenate([np.zeros(0, np.int64), *times])
    units = np.repeat(np.arange(len(times)), [len(some) for some in times])
    order = np.argsort(joined, kind="stable")
    return Session(joined[order], units[order], list(unit_ids))


def whole_us(times_s: Float[np.ndarray, " times"], what: str) -> Int64[np.ndarray, " times"]:
    """Round seconds of a clock (negative ones too) to whole microseconds.

    Raises:
        InputError: if one is not finite, or too large for float64 to tell microseconds.
    """
    times_s = np.asarray(times_s, np.float64)
    bad = ~(np.abs(times_s) <= _LATEST_US / 1e6)
    if bad.any():
        raise InputError(f"{what} holds the time {times_s[np.argmax(bad)]} s", remedy="give finite seconds")
    return np.rint(times_s * 1e6).astype(np.int64)


def numbered(values: Sequence[Any]) -> tuple[Int64[np.ndarray, " values"], list[str] | None]:
    """Return labels: whole numbers from 0 as they are, other values by their place in order, and names.

    Values may be numbers or arrays and tensors of one number.

    Raises:
        InputError: if they are neither all numbers nor all names, or one is missing (None, NaN).

    >>> numbered(["go", "stop", "go"])[1], numbered([3, 1])[0].tolist(), numbered([90.0, -45.0])[1]
    (['go', 'stop'], [3, 1], ['-45.0', '90.0'])
    """
    plain = [value.item() if getattr(value, "shape", None) in ((), (1,)) else value for value in values]
    if all(isinstance(value, int) and not isinstance(value, bool) and value >= 0 for value in plain):
        return np.array(plain, np.int64), None
    for value in plain:
        if value is None or (isinstance(value, float) and value != value):
            raise InputError(f"a label is {value}", remedy="give each sample a label, or leave it out")
    try:
        distinct = sorted(set(plain))
    except TypeError as error:  # arrays, or names and numbers mixed
        raise InputError(
            f"labels are not alike ({error})", remedy="give each sample one number or one name"
        ) from error
    place = {value: number for number, value in enumerate(distinct)}
    return np.array([place[value] for value in plain], np.int64), [str(value) for value in distinct]


def cut(session: Session, trials: Trials, name: str, meta: Mapping[str, Any] | None = None) -> SpikeTrains:
    """Return trials as samples; a spike is in each trial that holds its time, which counts from its start.

    A trial holds its start and not its end. meta["files"] names each as NAME@START-END, "unit_ids" the
    units, and "spikes_outside_trials" counts the spikes that are in none.

    Raises:
        InputError: if a trial ends before it starts or is too long, or there is none.

    Example:
        >>> spikes = session([np.array([0.1, 0.3, 0.5])], ["A1"])
        >>> cut(spikes, Trials(*np.array([[100_000, 300_000], [300_000, 400_000], [0, 1]]), None), "x")
        SpikeTrains(2 samples, 2 spikes, 1 unit, 200 ms, 2 classes)
    """
    lengths = trials.stops_us - trials.starts_us
    if not len(lengths):
        raise InputError("has no trial", remedy="give one interval a trial")
    wrong = (lengths <= 0) | (lengths > MAX_DURATION_US)
    if wrong.any():
        trial = int(np.argmax(wrong))
        raise InputError(
            f"trial {trial} lasts from {trials.starts_us[trial]} to {trials.stops_us[trial]} µs",
            remedy=f"a trial ends after it starts, and at most {MAX_DURATION_US} µs later",
        )
    first = np.searchsorted(session.times_us, trials.starts_us)
    stop = np.searchsorted(session.times_us, trials.stops_us)
    offsets = offsets_from_lengths(stop - first)
    spikes = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], stop - first)
    is_in = np.zeros(len(session.times_us), bool)
    is_in[spikes] = True
    n_units = max(1, len(session.unit_ids))
    bounds = zip(trials.starts_us.tolist(), trials.stops_us.tolist(), strict=True)
    return SpikeTrains(
        times_us=session.times_us[spikes] - np.repeat(trials.starts_us, stop - first),
        units=session.units[spikes].astype(unit_dtype(n_units)),
        offsets=offsets,
        labels=trials.labels,
        n_units=n_units,
        duration_us=int(lengths.max()),
        meta={
            **(meta or {}),
            **({"label_names": trials.label_names} if trials.label_names else {}),
            "files": [f"{name}@{start}-{stop}" for start, stop in bounds],
            "unit_ids": session.unit_ids,
            "spikes_outside_trials": int(np.count_nonzero(~is_in)),
        },
    )


def one_after_another(trains: SpikeTrains) -> tuple[Session, Trials]:
    """Return samples as trials of one recording, a second apart; `cut` gives the same samples back.

    A trial does not hold its end: where a spike lies at the very end of a sample, all trials are a
    microsecond longer than the samples, and so is what `cut` gives.

    Raises:
        InputError: if trials or the recording would last too long.

    Example:
        >>> trains = SpikeTrains.from_samples([([0, 40], [0, 1]), ([5], [1])], labels=[3, 4], n_units=2,
        ...                                   duration_us=50)
        >>> recording, trials = one_after_another(trains)
        >>> recording.times_us.tolist(), trials.starts_us.tolist(), trials.stops_us.tolist()
        ([0, 40, 1000055], [0, 1000050], [50, 1000100])
        >>> cut(recording, trials, "x").digest == trains.digest
        True
    """
    length = trains.duration_us + bool((trains.times_us == trains.duration_us).any())
    if length > MAX_DURATION_US:
        raise InputError(
            f"a spike lies at the very end of samples of {trains.duration_us} µs",
            remedy=f"a trial that holds it lasts more than {MAX_DURATION_US} µs: cut the samples",
        )
    starts = np.arange(len(trains)) * (length + _GAP_US)
    if len(trains) and starts[-1] + length > _LATEST_US:
        raise InputError(
            f"{len(trains)} samples one after another last {(starts[-1] + length) / 1e6:g} s",
            remedy=f"write some at a time, up to {_LATEST_US / 1e6:g} s",
        )
    return (
        Session(
            np.repeat(starts, trains.spikes_per_sample) + trains.times_us,
            trains.units.astype(np.int64),
            list(trains.meta.get("unit_ids", range(trains.n_units))),
        ),
        Trials(starts, starts + length, trains.labels, trains.meta.get("label_names")),
    )
