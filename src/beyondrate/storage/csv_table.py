"""Event data as a table of text: one row a spike, comma-separated, the first line names the columns.

Columns, in any order: ``time_us`` (whole microseconds) or ``time_s`` (seconds), both from the sample's
start; ``unit`` (a whole number from 0); ``sample`` (a number or a name); optional ``label`` and ``group``
(numbers or names, the same in all rows of a sample). Rows may be in any order. Samples come in the order of
their numbers, or of their names if not all are numbers; names of labels and groups become label_names and
group_names in meta. A sample without spikes has no row and does not exist; n_units and duration_us are
derived from the spikes.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int32, Int64

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, exact, offsets_from_lengths
from beyondrate.storage.guards import DAMAGED, complete, reading
from beyondrate.storage.seconds import microseconds

_ROWS_AT_A_TIME = 1 << 16
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WHOLE = re.compile(r"[0-9]{1,18}")
_NEEDED = ("unit", "sample")
_TIMES = ("time_us", "time_s")
_OPTIONAL = ("label", "group")

Columns = dict[str, tuple[str, ...]]


def read(path: Path, samples: slice | None = None) -> SpikeTrains:
    """Read a table of spikes.

    Raises:
        InputError: if a column is missing or unknown, a field is no number where one is needed, a row is
            incomplete, a sample has two labels, or the file does not end with a line break.
    """
    with reading(path, "a table of events"):
        _check_end(path)
        with path.open(encoding="utf-8-sig", newline="") as lines:
            trains = _trains(blocks(lines, (*_NEEDED, *_TIMES), _OPTIONAL))
    return trains if samples is None else trains[samples]


def _check_end(path: Path) -> None:
    """Refuse a table whose last line may be cut: no other trace would be left of that."""
    with path.open("rb") as file:
        if file.seek(0, 2):
            file.seek(-1, 2)
            if file.read() not in (b"\n", b"\r"):
                raise InputError(
                    "ends within a line", remedy="if it is whole, end its last line with a break"
                )


def blocks(lines: Iterable[str], known: Collection[str], optional: Collection[str] = ()) -> Iterator[Columns]:
    """Yield a table's columns, by name, some rows at a time; the first line names the columns.

    ``time_us`` and ``time_s`` exclude each other, all other ``known`` columns are needed.

    >>> list(blocks(["unit,sample,time_us", "3,a,100", "0,b,70"], ("sample", "unit", "time_us")))
    [{'unit': ('3', '0'), 'sample': ('a', 'b'), 'time_us': ('100', '70')}]
    """
    rows = filter(None, csv.reader(lines, strict=True))  # without empty lines
    n_rows = 0
    try:
        names = [name.strip() for name in next(rows, [])]
        _check_names(names, known, optional)
        while some := list(itertools.islice(rows, _ROWS_AT_A_TIME)):
            for place, row in enumerate(some):
                if len(row) != len(names):
                    raise InputError(
                        f"row {n_rows + place + 1} has {len(row)} fields, the first line names {len(names)}",
                        remedy=DAMAGED,
                    )
            n_rows += len(some)
            yield dict(zip(names, zip(*some, strict=True), strict=True))
    except csv.Error as error:
        raise InputError(f"cannot be read after row {n_rows} ({error})", remedy=DAMAGED) from error


def _check_names(names: list[str], known: Collection[str], optional: Collection[str]) -> None:
    found = ", ".join(names)[:200] or "none"
    for name in names:
        if name not in known and name not in optional:
            raise InputError(
                f"has a column {name[:80]!r}", remedy=f"rename it; known are {', '.join([*known, *optional])}"
            )
        if names.count(name) > 1:
            raise InputError(f"has the column {name!r} twice", remedy="remove one of them")
    for name in known:
        if name not in names and name not in _TIMES:
            raise InputError(f"has no column {name!r}", remedy=f"add it; found: {found}")
    if set(known) & set(_TIMES) and (len(set(names) & set(_TIMES)) != 1):
        raise InputError(
            "has both time_us and time_s" if "time_us" in names else "has neither time_us nor time_s",
            remedy="give one: time_us (microseconds) or time_s (seconds)",
        )


def numbers(fields: Sequence[str], name: str) -> Float64[np.ndarray, " rows"]:
    """Return the fields of a column as numbers.

    Raises:
        InputError: if one is no plain decimal number.
    """
    for field in fields:
        if not _NUMBER.fullmatch(field.strip()):
            raise InputError(f"has {field[:80]!r} in column {name}", remedy="give a number")
    return np.array([float(field) for field in fields])


class _Spikes(NamedTuple):
    """The rows of a table: times, units, and the sample of each, numbered as they first appear."""

    times_us: Int32[np.ndarray, " spikes"]
    units: Int32[np.ndarray, " spikes"]
    owners: Int64[np.ndarray, " spikes"]


def _trains(table: Iterable[Columns]) -> SpikeTrains:
    spikes, names, facts = _gathered(table)
    order = np.argsort(_numbered(names)[0], kind="stable")
    owners = np.argsort(order)[spikes.owners]
    meta: dict[str, Any] = {}
    numbered = {}
    for fact, values in facts.items():
        given, distinct = _numbered(values)
        numbered[fact] = given[order] if values else None
        if distinct is not None:
            meta[f"{fact}_names"] = distinct
    n_units, duration_us, derived = complete({}, spikes.times_us, spikes.units)
    in_time = np.lexsort((spikes.times_us, owners))
    return SpikeTrains(
        times_us=spikes.times_us[in_time],
        units=spikes.units[in_time],
        offsets=offsets_from_lengths(np.bincount(owners, minlength=len(names))),
        labels=np.zeros(len(names), np.int64) if numbered["label"] is None else numbered["label"],
        groups=numbered["group"],
        n_units=n_units,
        duration_us=duration_us,
        meta={**meta, **derived},
    )


def _gathered(table: Iterable[Columns]) -> tuple[_Spikes, list[str], dict[str, list[str]]]:
    """Return the spikes, the samples' names, and their labels and groups as far as there are such columns."""
    spikes: list[_Spikes] = []
    samples: dict[str, int] = {}
    facts: dict[str, dict[int, str]] = {fact: {} for fact in _OPTIONAL}
    for columns in table:
        if "time_s" in columns:
            times_us = microseconds(numbers(columns["time_s"], "time_s"), "time_s")
        else:
            times_us = exact(numbers(columns["time_us"], "time_us"), np.dtype(np.int32), "time_us")
        units = exact(numbers(columns["unit"], "unit"), np.dtype(np.int32), "unit")
        names = [name.strip() for name in columns["sample"]]
        owners = [samples.setdefault(name, len(samples)) for name in names]
        spikes.append(_Spikes(times_us, units, np.array(owners, np.int64)))
        for fact in facts.keys() & columns.keys():
            _collect(facts[fact], owners, names, columns[fact], fact)
    if not samples or "" in samples:
        problem = "has a row without sample" if samples else "has no spike"
        raise InputError(problem, remedy="give one row a spike")
    joined = _Spikes(*(np.concatenate(arrays) for arrays in zip(*spikes, strict=True)))
    return joined, list(samples), {fact: list(values.values()) for fact, values in facts.items()}


def _collect(
    found: dict[int, str], owners: Sequence[int], names: Sequence[str], values: Sequence[str], fact: str
) -> None:
    """Note the one value of each sample in a column."""
    for owner, name, value in zip(owners, names, values, strict=True):
        value = value.strip()
        if not value:
            raise InputError(
                f"sample {name[:80]!r} has a row without {fact}", remedy=f"give one {fact} a sample"
            )
        if found.setdefault(owner, value) != value:
            raise InputError(
                f"sample {name[:80]!r} has the {fact}s {found[owner][:80]!r} and {value[:80]!r}",
                remedy=f"give one {fact} a sample",
            )


def _numbered(names: list[str]) -> tuple[Int64[np.ndarray, " names"], list[str] | None]:
    """Return whole numbers as they are; else each name's place in the alphabet, and the distinct names."""
    if all(_WHOLE.fullmatch(name) for name in names):
        return np.array([int(name) for name in names], np.int64), None
    distinct = sorted(set(names))
    place = {name: number for number, name in enumerate(distinct)}
    return np.array([place[name] for name in names], np.int64), distinct
