"""The files that a data set was published as: handed over or downloaded, checked, unpacked."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, NamedTuple

from beyondrate import storage
from beyondrate.datasets.cache import made_cache_folder
from beyondrate.datasets.download import fetch, md5_of
from beyondrate.errors import InputError
from beyondrate.progress import Progress
from beyondrate.storage import EventStream, atomic_path

_PACKINGS = (".zip", ".gz")
_MOST_UNPACKED = 50  # times the packed size; the published files unpack to two or three times theirs
_BLOCK = 1 << 20
_BAD_ARCHIVE = (zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Original:
    """A file as it was published.

    Args:
        name: of the unpacked file.
        urls: mirrors, which may serve it packed (.zip, .gz).
        md5: published hashes, by the name of the file or of its packed form.
        find_md5: asks the publisher for the hash of ``name`` before a download; None if it gives none.
    """

    name: str
    urls: Sequence[str]
    md5: Mapping[str, str] = field(default_factory=dict)
    find_md5: Callable[[str], str | None] | None = None


class Provided(NamedTuple):
    """An original at hand, unpacked, and what is known of it: its name, md5 and how that was checked."""

    path: Path
    facts: dict[str, str]


def converted(
    data_set: str,
    originals: Sequence[Original],
    convert: Callable[[Sequence[Provided], ExitStack, Progress], EventStream],
    source: Path | None,
    progress: Progress,
) -> Path:
    """Return our file of a data set in the cache, made from its originals if it is missing or handed over.

    Args:
        data_set: its name, and that of the file.
        originals: what it is made of.
        convert: returns the samples of the originals; what it opens goes on the stack, which is closed once
            the samples are taken.
        source: a file or folder that holds the originals, packed or not; None downloads them.
        progress: told what is being done.

    Raises:
        InputError: if an original is missing, cannot be downloaded, or is another one than published.
    """
    folder = made_cache_folder()
    target = folder / f"{data_set}.h5"
    if target.exists() and source is None:
        return target
    storage.check_writable(target)
    with TemporaryDirectory(dir=folder, prefix=f".{data_set}-") as work, ExitStack() as open_files:
        at_hand = []
        for original in originals:
            packed, facts = (
                _downloaded(original, folder / "downloads", data_set, progress)
                if source is None
                else _handed_over(original, source)
            )
            at_hand.append(Provided(_unpacked(packed, original, Path(work), progress), facts))
        storage.save(convert(at_hand, open_files, progress), target)
    if source is None:
        for original in originals:
            (folder / "downloads" / _served_name(original)).unlink()
    return target


def _served_name(original: Original) -> str:
    return original.urls[0].rsplit("/", 1)[-1]


def _downloaded(
    original: Original, folder: Path, data_set: str, progress: Progress
) -> tuple[Path, dict[str, str]]:
    """Download an original unless an earlier try has it whole; compare its hash with the published one."""
    name = _served_name(original)
    target = folder / name
    try:
        expected = original.find_md5(name) if original.find_md5 else original.md5.get(name)
        if not target.exists():
            folder.mkdir(exist_ok=True)
            fetch(original.urls, target, md5=expected, progress=progress)
    except InputError as error:
        raise InputError(
            error.problem,
            remedy=f"try again, or download {original.urls[0]} elsewhere and hand it over: "
            f"beyondrate data get {data_set} --from FOLDER",
            file=error.file,
        ) from error
    return target, _checked(target, expected)


def _handed_over(original: Original, source: Path) -> tuple[Path, dict[str, str]]:
    """Find an original, packed or not, among what was handed over; compare its hash where one is known."""
    names = [original.name, *(original.name + packing for packing in _PACKINGS)]
    for path in [source] if source.is_file() else [source / name for name in names]:
        if path.name in names and path.is_file():
            return path, _checked(path, original.md5.get(path.name))
    raise InputError(
        f"has no {original.name}" if source.exists() else "no such file or folder",
        remedy=f"give a folder that holds {' or '.join(names)}, from {original.urls[0]}",
        file=source,
    )


def _checked(path: Path, expected: str | None) -> dict[str, str]:
    found = md5_of(path)
    if expected not in (None, found):
        raise InputError(
            f"has MD5 {found}, but {expected} was published",
            remedy="the file is damaged or another one: remove it and download it again",
            file=path,
        )
    how = "as published" if expected else "not compared: no published hash is at hand; shape and content fit"
    return {"name": path.name, "md5": found, "check": how}


def _unpacked(packed: Path, original: Original, work: Path, progress: Progress) -> Path:
    if packed.suffix not in _PACKINGS:
        return packed
    target = work / original.name
    size = packed.stat().st_size
    with (
        packed.open("rb") as archive,
        _unpacking(archive, packed, original.name) as stream,
        atomic_path(target) as temporary,
        temporary.open("wb") as file,
    ):
        while block := stream.read(_BLOCK):
            file.write(block)
            progress(min(archive.tell(), size), size, f"unpacking {packed.name}")
            if file.tell() > _MOST_UNPACKED * max(size, _BLOCK):
                raise InputError("unpacks to far more than it should", remedy="download it again")
    if original.name in original.md5:
        _checked(target, original.md5[original.name])
    return target


@contextmanager
def _unpacking(archive: IO[bytes], packed: Path, name: str) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Open the one file of an archive; the archive's own names are never used as paths."""
    try:
        if packed.suffix == ".gz":
            with gzip.open(archive) as stream:
                yield stream
            return
        with zipfile.ZipFile(archive) as members:
            found = [member for member in members.infolist() if Path(member.filename).name == name]
            if len(found) != 1:
                raise InputError(f"holds {len(found)} files named {name}", remedy="give the published one")
            with members.open(found[0]) as member:
                yield member
    except InputError as error:
        raise error.in_file(packed) from error
    except _BAD_ARCHIVE as error:
        raise InputError(
            f"cannot be unpacked ({error})", remedy="it is damaged: download it again", file=packed
        ) from error
