"""Files appear whole or not at all: written to a temporary name beside the target, then moved into place."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from beyondrate.errors import InputError

_REMEDIES = {
    errno.ENOSPC: "free some space there or choose another folder",
    errno.EDQUOT: "free some of your quota there or choose another folder",
    errno.EFBIG: "choose a folder that allows files of this size",
    errno.EROFS: "choose a folder that you may write to",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.ENOENT: "create the folder first or choose another one",
    errno.ENOTDIR: "choose a folder that exists",
    errno.ENAMETOOLONG: "choose a shorter name",
}


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path``; move it to ``path`` when the block ends well.

    The file is flushed to the disk before it is moved. If the block raises anything, the temporary
    file is removed and a file that was at ``path`` stays as it was. The temporary name has the suffix
    of ``path``, so writers that choose a format by suffix work.

    Raises:
        InputError: if the folder is missing, cannot be written to, or is full.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_path(Path(folder) / "notes.txt") as temporary:
        ...         _ = temporary.write_text("written whole")
        ...     print((Path(folder) / "notes.txt").read_text(), len(os.listdir(folder)))
        written whole 1
    """
    target = _target(path)
    temporary = _beside(target)
    with _telling_why_not_written(path):
        try:
            _create(temporary)
            yield temporary
            _flush(temporary)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        with suppress(OSError):  # the file is in place; some file systems cannot flush a folder
            _flush(target.parent)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; move it to ``path`` when the block ends well.

    All is flushed to the disk before the folder is moved. If the block raises anything, the temporary folder
    is removed.

    Raises:
        InputError: if ``path`` is there and no empty folder, or its own folder is missing, cannot be written
            to, or is full.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_folder(Path(folder) / "digits") as temporary:
        ...         _ = (temporary / "0.bin").write_bytes(b"written whole")
        ...     print(os.listdir(folder), os.listdir(Path(folder) / "digits"))
        ['digits'] ['0.bin']
    """
    target = _target_folder(path)
    temporary = _beside(target)
    with _telling_why_not_written(path):
        try:
            temporary.mkdir()
            yield temporary
            os.sync()  # one call for tens of thousands of small files
            temporary.replace(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def check_target(path: str | Path) -> None:
    """Refuse a path that cannot be written to, before the work whose result would go there.

    Raises:
        InputError: if it is a folder, or its folder is missing or cannot be written to.
    """
    temporary = _beside(_target(path))
    with _telling_why_not_written(path):
        _create(temporary)
        temporary.unlink()


def check_target_folder(path: str | Path) -> None:
    """Refuse a folder that cannot be written, before the work whose result would go there.

    Raises:
        InputError: if it is there and not empty, or its own folder is missing or cannot be written to.
    """
    temporary = _beside(_target_folder(path))
    with _telling_why_not_written(path):
        temporary.mkdir()
        temporary.rmdir()


def check_folder(path: str | Path) -> None:
    """Refuse a folder that no files can be put into, there or to be made, before the work that makes them.

    Raises:
        InputError: if it, or the nearest folder above it that is there, is no folder or cannot be written to.
    """
    folder = Path(path)
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise InputError("is no folder", remedy="give a folder", file=nearest)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError("cannot be written to", remedy="choose a folder that you may write to", file=nearest)


def _target(path: str | Path) -> Path:
    """Return the file that a path means: where it is a link, the file that is linked to."""
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        raise InputError("is a folder or a device", remedy="give the name of a file to write", file=path)
    return target


def _target_folder(path: str | Path) -> Path:
    """Return the folder that a path means, new or empty: one that holds files cannot be replaced at once."""
    target = Path(path).resolve()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise InputError("is there already", remedy="give a new folder, or an empty one", file=path)
    return target


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.stem[:100]}.{secrets.token_hex(6)}{target.suffix[:20]}")


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # honours the user's umask


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _telling_why_not_written(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        reason = os.strerror(error.errno).lower()
        raise InputError(f"cannot be written ({reason})", remedy=_REMEDIES[error.errno], file=path) from error
