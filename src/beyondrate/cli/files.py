"""What a command reads and writes: data by name or path, and never over what is there unless told to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from beyondrate.cli.terminal import progress_shown
from beyondrate.errors import InputError

PICTURES = (".png", ".pdf", ".svg")  # suffixes


def input_file(data: str) -> Path:
    """Return the path of IN: of a data set's name its file in the cache, made or fetched first."""
    from beyondrate import datasets

    if data not in datasets.DATA_SETS:
        return Path(data)
    with progress_shown("A download goes on where it stopped.") as progress:
        return datasets.get(data, progress=progress)


def input_and_output(source: str, target: Path, *, force: bool, format: str | None = None) -> Path:
    """Return the path of IN, once it is sure that OUT may be written.

    Raises:
        InputError: as `check_output` does.
    """
    check_output(target, [Path(source)], force=force, format=format)
    path = input_file(source)
    check_output(target, [path], force=force, format=format)  # a name's file is known only now
    return path


def check_output(target: Path, sources: Iterable[Path], *, force: bool, format: str | None = None) -> str:
    """Return the format that OUT will have, or refuse it before any work.

    Args:
        target: OUT.
        sources: all that is read; OUT may be none of it, whatever links there are.
        force: replace an OUT that exists.
        format: what OUT is written as; default by its suffix.

    Raises:
        InputError: if OUT cannot be written, is IN, or exists without ``force``.
    """
    from beyondrate import storage

    chosen = storage.check_writable(target, format=format)
    there = [path for path in storage.files_of(target, chosen) if path.is_file()]
    if not there:
        return chosen
    read = [path for source in sources for path in storage.files_of(source) if path.exists()]
    for path in there:
        if any(path.samefile(other) for other in read):
            raise InputError("is what is read", remedy="give OUT another name", file=path)
        if not force:
            raise InputError("is there already", remedy="give OUT another name, or --force", file=path)
    return chosen


def check_picture(path: Path) -> None:
    """Refuse a picture that cannot be written, before the work that it shows.

    Raises:
        InputError: if its suffix is no picture's, or its folder cannot be written to.
    """
    from beyondrate.storage.atomic import check_target

    if path.suffix.lower() not in PICTURES:
        raise InputError(
            f"suffix {path.suffix!r} is no picture's", remedy=f"give {', '.join(PICTURES)}", file=path
        )
    check_target(path)
