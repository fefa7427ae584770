"""Event data as a table of text: one row a spike, comma-separated, the first line names the columns.

Columns, in any order: ``time_us`` (whole microseconds) or ``time_s`` (seconds), both from the sample's
start; ``unit`` (a whole number from 0); ``sample`` (a number or a name); optional ``label``, ``group``
(numbers or names) and ``split`` ("train", "valid", "test"), the same in all rows of a sample. Rows may be in
any order. Samples come in the order of their numbers, or of their names if not all are numbers; names of
labels and groups become label_names and group_names in meta. A row without time and unit makes a sample known
that may have no spikes. Optional ``n_units`` and ``duration_us`` are the same in all rows; where they are
missing they are derived from the spikes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, exact, offsets_from_lengths
from beyondrate.storage.csv_table import (
    FACTS,
    TIMES,
    Columns,
    SampleColumns,
    all_numbers,
    blocks,
    numbers,
    opened,
)
from beyondrate.storage.guards import complete
from beyondrate.storage.seconds import microseconds

_SIZES = ("n_units", "duration_us")


def read(path: Path, samples: slice | None = None) -> SpikeTrains:
    """Read a table of spikes.

    Raises:
        InputError: if a column is missing or unknown, a field is no number where one is needed, a row is
            incomplete, a sample has two labels, or the file does not end with a line break.
    """
    with opened(path, "a table of events") as lines:
        trains = _trains(blocks(lines, ("unit", "sample", *TIMES), (*FACTS, *_SIZES)))
    return trains if samples is None else trains[samples]


def write(trains: SpikeTrains, path: Path) -> None:
    """Write spike trains to ``path`` as a table (not atomic: `beyondrate.storage.save` is).

    Kept are all spikes, samples (those without spikes too), labels, groups and meta's split. Names of labels
    and groups are kept if each is used and they are in the order of the alphabet; else the numbers are
    written. The rest of meta is not kept.

    Raises:
        InputError: if there is no sample.
    """
    if not len(trains):
        raise InputError("a table cannot hold data without samples", remedy="write an .h5 or .npz file")
    derived = complete({}, trains.times_us, trains.units)
    sizes = {
        name: getattr(trains, name)
        for name, value in zip(_SIZES, derived, strict=False)
        if value != getattr(trains, name)
    }
    facts = {"label": _names(trains.labels, trains.meta.get("label_names"))}
    if trains.groups is not None:
        facts["group"] = _names(trains.groups, trains.meta.get("group_names"))
    if "split" in trains.meta:
        facts["split"] = [{0: "train", 1: "test"}.get(part, part) for part in trains.meta["split"]]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["time_us", "unit", "sample", *facts, *sizes])
        for sample in range(len(trains)):
            of_sample = (sample, *(values[sample] for values in facts.values()), *sizes.values())
            first, last = trains.offsets[sample : sample + 2]
            times, units = trains.times_us[first:last].tolist(), trains.units[first:last].tolist()
            spikes: Sequence[tuple[object, object]] = list(zip(times, units, strict=True)) or [("", "")]
            table.writerows((*spike, *of_sample) for spike in spikes)


def _names(values: Int64[np.ndarray, " samples"], names: Sequence[object] | None) -> list[str]:
    """Return the values' names if reading them gives the same values and names, else the numbers."""
    told = [str(name) for name in names or ()]
    can_be_read = (
        told == sorted({name.strip() for name in told} - {""})
        and not all_numbers(told)
        and np.array_equal(np.unique(values), np.arange(len(told)))
    )
    return [told[value] if can_be_read else str(value) for value in values.tolist()]


class _Spikes(NamedTuple):
    """The rows of a table: times, units, and the sample of each, numbered as they first appear."""

    times_us: Int32[np.ndarray, " spikes"]
    units: Int32[np.ndarray, " spikes"]
    owners: Int64[np.ndarray, " spikes"]


def _trains(table: Iterable[Columns]) -> SpikeTrains:
    seen = SampleColumns()
    sizes: dict[str, int] = {}
    blocks_of_spikes = [_spikes(columns, seen, sizes) for columns in table]
    if not blocks_of_spikes:
        raise InputError("has no spike", remedy="give one row a spike")
    spikes = _Spikes(*(np.concatenate(arrays) for arrays in zip(*blocks_of_spikes, strict=True)))
    samples = seen.samples()
    owners = samples.place[spikes.owners]
    n_units, duration_us, derived = complete(sizes, spikes.times_us, spikes.units)
    in_time = np.lexsort((spikes.times_us, owners))
    return SpikeTrains(
        times_us=spikes.times_us[in_time],
        units=spikes.units[in_time],
        offsets=offsets_from_lengths(np.bincount(owners, minlength=len(samples.labels))),
        labels=samples.labels,
        groups=samples.groups,
        n_units=n_units,
        duration_us=duration_us,
        meta={**samples.meta, **derived},
    )


def _spikes(columns: Columns, seen: SampleColumns, sizes: dict[str, int]) -> _Spikes:
    """Return the spikes of some rows, and note what the rows tell of samples and sizes."""
    owners = seen.owners(columns)
    for name in set(_SIZES) & columns.keys():
        for value in dict.fromkeys(columns[name]):
            size = int(exact(numbers([value], name), np.dtype(np.int64), name)[0])
            if sizes.setdefault(name, size) != size:
                raise InputError(
                    f"has {name} {sizes[name]} and {size}", remedy=f"give the same {name} in all rows"
                )
    time = next(name for name in TIMES if name in columns)
    is_spike = [bool(t.strip() or u.strip()) for t, u in zip(columns[time], columns["unit"], strict=True)]
    times, units = (numbers(list(compress(columns[name], is_spike)), name) for name in (time, "unit"))
    times_us = microseconds(times, time) if time == "time_s" else exact(times, np.dtype(np.int32), time)
    return _Spikes(times_us, exact(units, np.dtype(np.int32), "unit"), owners[np.array(is_spike)])
