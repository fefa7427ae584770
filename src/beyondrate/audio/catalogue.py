"""Which recordings there are, and what they say: labels and groups from file names or from a table."""

from __future__ import annotations

import csv
import glob
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from beyondrate.audio.sounds import SUFFIXES, require_readable
from beyondrate.errors import InputError

GROUP_FIELDS = ("speaker", "group")
"""Fields of names, columns of tables, that become the samples' group where no other is asked for."""


@dataclass(frozen=True)
class Recording:
    """A sound file, the name by which its samples and its noise are known, and what is said in it."""

    path: Path
    name: str
    label: str
    group: str | None


def sound_paths(sources: Sequence[str | Path]) -> list[Path]:
    """Return the files that are meant by files, folders (searched to the bottom) and patterns with * or ?.

    Raises:
        InputError: if one of them means no file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("b.wav", "a.wav", "notes.txt"):
        ...         (Path(folder) / name).touch()
        ...     [path.name for path in sound_paths([folder, f"{folder}/a.*"])]
        ['a.wav', 'b.wav']
    """
    found: set[Path] = set()
    for source in sources:
        path = Path(source)
        if path.is_dir():
            here = [p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.name[0] != "."]
            kind = f"holds no sound file ({', '.join(SUFFIXES)})"
        elif path.exists():
            here = [path]
        else:
            here = [Path(name) for name in glob.glob(str(source), recursive=True)]  # noqa: PTH207 (folders too)
            kind = "no file matches"
        if not here:
            raise InputError(kind, remedy="check the path; quote a pattern", file=source)
        found.update(here)
    return sorted(found)


def catalogue(paths: Sequence[str | Path], labels: str, group: str | None = None) -> list[Recording]:
    """Return what is said in each file, sorted by path; every file is looked at, none is decoded.

    Args:
        paths: the sound files.
        labels: how the files' names are built, such as "{label}_{speaker}_{take}", without the suffix; with
            a "/" the folder counts too: "{label}/{speaker}_nohash_{take}". Or the path of a table, a .csv
            with the columns file and label: a row for each file, under its name, with as many of its
            folders as tell it apart.
        group: the field or column that groups the samples; default: "speaker" or "group", if there is one.

    Raises:
        InputError: if a file is missing or of no known kind, names and pattern or files and table do not
            fit, or all files have the same label.
        MissingExtraError: if a file is not wav and the extra ``audio`` is not installed.
    """
    if not paths:
        raise InputError("no sound files", remedy="check the folder or the pattern of the paths")
    ordered = sorted(Path(path) for path in paths)
    if "{" in labels:
        recordings = _by_names(ordered, labels, group)
    else:
        recordings = _by_table(ordered, Path(labels), group)
    for recording in recordings:
        require_readable(recording.path)
    name, times = Counter(recording.name for recording in recordings).most_common(1)[0]
    if times > 1:
        raise InputError(
            f"{times} files are named {name!r}",
            remedy="give each file once, or a pattern or table with the folder that tells them apart",
        )
    require_two_classes([recording.label for recording in recordings], {})
    return recordings


def require_two_classes(labels: Sequence[str], failed: dict[str, str]) -> None:
    """Refuse labels of fewer than two classes; ``failed`` says which recordings are missing, and why."""
    distinct = sorted(set(labels))
    if len(distinct) < 2:
        name, reason = next(iter(failed.items()), ("", ""))
        raise InputError(
            f"the files have {len(distinct)} of the two classes that are needed "
            f"({', '.join(distinct) or 'none'})"
            + (f", {len(failed)} could not be encoded ({name}: {reason})" if failed else ""),
            remedy="give files of two classes or more",
        )


def _by_names(paths: list[Path], pattern: str, group: str | None) -> list[Recording]:
    expression, fields, depth = _expression(pattern)
    by = _group_field(fields, group, f"the pattern {pattern!r}")
    recordings = []
    for path in paths:
        name = "/".join(path.with_suffix("").parts[-depth:])
        match = expression.fullmatch(name)
        if match is None:
            raise InputError(
                f"the name {name!r} does not fit the pattern {pattern!r}",
                remedy="give a pattern that fits every file, or leave the file out",
                file=path,
            )
        recordings.append(Recording(path, name, match["label"], match[by] if by else None))
    return recordings


def _expression(pattern: str) -> tuple[re.Pattern[str], list[str], int]:
    """Return the pattern as a regular expression, its fields, and how many parts of a path it describes."""
    pieces = re.split(r"\{(\w+)\}", pattern)
    literals, fields = pieces[::2], pieces[1::2]
    if "label" not in fields or len(set(fields)) < len(fields):
        raise InputError(
            f"the pattern {pattern!r} has fields {fields}",
            remedy='give a pattern with one {label}, such as "{label}_{speaker}_{take}", or a .csv',
        )
    if any(not literal for literal in literals[1:-1]):
        raise InputError(
            f"the pattern {pattern!r} has two fields with nothing between them",
            remedy="separate the fields by what separates them in the names",
        )
    expression = re.escape(literals[0])
    for field, literal in zip(fields, literals[1:], strict=True):
        barred = re.escape(literal[0]) if literal else ""
        expression += f"(?P<{field}>[^/{barred}]+){re.escape(literal)}"
    return re.compile(expression), fields, pattern.count("/") + 1


def _group_field(fields: Sequence[str], asked: str | None, where: str) -> str | None:
    if asked is not None and asked not in fields:
        raise InputError(f"{where} has no {asked!r}", remedy=f"group by one of {', '.join(fields)}")
    return asked or next((name for name in GROUP_FIELDS if name in fields), None)


def _by_table(paths: list[Path], table: Path, group: str | None) -> list[Recording]:
    rows, by = _rows(table, group)
    depths = sorted({len(file.parts) for file in rows}, reverse=True)
    recordings, found = [], set()
    for path in paths:
        parts = path.absolute().parts
        file = next((tail for n in depths if (tail := Path(*parts[-n:])) in rows), None)
        if file is None:
            raise InputError(f"has no row for {path}", remedy="add one, or leave the file out", file=table)
        found.add(file)
        row = rows[file]
        name = file.with_suffix("").as_posix()
        recordings.append(Recording(path, name, row["label"], row[by] if by else None))
    unknown = next((file for file in rows if file not in found), None)
    if unknown is not None:
        raise InputError(
            f"names {unknown.as_posix()}, which is not among the {len(paths)} files",
            remedy="give that file too, or remove the row",
            file=table,
        )
    return recordings


def _rows(table: Path, group: str | None) -> tuple[dict[Path, dict[str, str]], str | None]:
    """Return the rows of a table by the file that they name, and the column that groups them."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restval="", strict=True)
            columns = list(reader.fieldnames or ())
            read = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise InputError(
            f"cannot be opened ({error.strerror})",
            remedy='give a .csv, or a pattern such as "{label}_{speaker}_{take}"',
            file=table,
        ) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(
            f"is no table ({error})", remedy="save it as comma-separated UTF-8", file=table
        ) from error
    missing = [name for name in ("file", "label") if name not in columns]
    if missing:
        raise InputError(
            f"has no column {' or '.join(missing)} (it has {', '.join(columns) or 'none'})",
            remedy="name the columns in the first line: file,label,group",
            file=table,
        )
    if len(set(columns)) < len(columns):
        raise InputError("has two columns of one name", remedy="rename one of them", file=table)
    by = _group_field(columns, group, str(table))
    rows: dict[Path, dict[str, str]] = {}
    for line, row in read:
        empty = next((name for name in ("file", "label", by) if name and not row[name].strip()), None)
        if empty or None in row:
            raise InputError(
                f"line {line} has {'no ' + empty if empty else 'more cells than columns'}",
                remedy="mend that line",
                file=table,
            )
        file = Path(row["file"].strip())
        if file in rows:
            raise InputError(f"names {file.as_posix()} twice (line {line})", remedy="keep one", file=table)
        rows[file] = {name: value.strip() for name, value in row.items()}
    return rows, by
