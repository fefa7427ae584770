"""Tables of text: comma-separated, the first line names the columns, rows belong to samples."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from beyondrate.errors import InputError
from beyondrate.storage.guards import DAMAGED, reading

_ROWS_AT_A_TIME = 1 << 16
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
TIMES = ("time_us", "time_s")
FACTS = ("label", "group", "split")
PARTS = ("train", "valid", "test")

Columns = dict[str, tuple[str, ...]]


@contextmanager
def opened(path: Path, kind: str) -> Iterator[Iterable[str]]:
    """Give the lines of a table; failures name the file.

    Raises:
        InputError: if the file does not end with a line break.
    """
    with reading(path, kind):
        _check_end(path)
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield lines


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
        if name not in names and name not in TIMES:
            raise InputError(f"has no column {name!r}", remedy=f"add it; found: {found}")
    if set(known) & set(TIMES) and (len(set(names) & set(TIMES)) != 1):
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


class Samples(NamedTuple):
    """The samples of a table in their order: of their numbers, or of their names if not all are numbers.

    Args:
        place: of the samples as they first appear, in that order.
        labels: numbers as they are, or places of names in the alphabet; 0 if the table has none.
        groups: likewise; None if the table has none.
        meta: label_names and group_names where they were names, split where the table has it.
    """

    place: Int64[np.ndarray, " samples"]
    labels: Int64[np.ndarray, " samples"]
    groups: Int64[np.ndarray, " samples"] | None
    meta: dict[str, Any]


class SampleColumns:
    """Collects from a table, some rows at a time, what its columns tell of the samples.

    >>> seen = SampleColumns()
    >>> seen.owners({"sample": ("9", "8", "9"), "label": ("go", "stop", "go")}).tolist()
    [0, 1, 0]
    >>> seen.samples().labels.tolist(), seen.samples().meta
    ([1, 0], {'label_names': ['go', 'stop']})
    """

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._facts: dict[str, dict[int, str]] = {fact: {} for fact in FACTS}

    def owners(self, columns: Columns) -> Int64[np.ndarray, " rows"]:
        """Return the sample of each row, numbered as they first appear in the table."""
        names = [name.strip() for name in columns["sample"]]
        if "" in names:
            raise InputError("has a row without sample", remedy="give each row a sample")
        owners = [self._number.setdefault(name, len(self._number)) for name in names]
        for fact in self._facts.keys() & columns.keys():
            _collect(self._facts[fact], owners, names, columns[fact], fact)
        return np.array(owners, np.int64)

    def samples(self) -> Samples:
        """Return the samples of all rows so far."""
        order = np.argsort(_numbered(list(self._number))[0], kind="stable")
        told = {fact: [values[k] for k in order.tolist()] for fact, values in self._facts.items() if values}
        meta: dict[str, Any] = {"split": told["split"]} if "split" in told else {}
        numbers = {fact: _numbered(told[fact]) for fact in ("label", "group") if fact in told}
        meta |= {f"{fact}_names": names for fact, (_, names) in numbers.items() if names is not None}
        labels = numbers["label"][0] if "label" in numbers else np.zeros(len(order), np.int64)
        return Samples(np.argsort(order), labels, numbers["group"][0] if "group" in numbers else None, meta)


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
        if fact == "split" and value not in PARTS:
            raise InputError(
                f"sample {name[:80]!r} is in split {value[:80]!r}", remedy=f"choose from {', '.join(PARTS)}"
            )
        if found.setdefault(owner, value) != value:
            raise InputError(
                f"sample {name[:80]!r} has the {fact}s {found[owner][:80]!r} and {value[:80]!r}",
                remedy=f"give one {fact} a sample",
            )


def all_numbers(names: Iterable[str]) -> bool:
    """Tell whether names are whole numbers, which are then taken as they are."""
    return all(_WHOLE.fullmatch(name) for name in names)


def _numbered(names: list[str]) -> tuple[Int64[np.ndarray, " names"], list[str] | None]:
    """Return whole numbers as they are; else each name's place in the alphabet, and the distinct names."""
    if all_numbers(names):
        return np.array([int(name) for name in names], np.int64), None
    distinct = sorted(set(names))
    place = {name: number for number, name in enumerate(distinct)}
    return np.array([place[name] for name in names], np.int64), distinct
