"""Recordings that are already encoded, kept in a folder until all of them are: what a run is resumed from.

The folder holds ``settings.json`` (what decides the spikes), ``spikes.bin`` (records of time and unit, one
recording after another) and ``done.jsonl`` (a line a recording, with the checksum of its spikes). A line is
written after the spikes that it tells of; what a killed run left half-written is dropped.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import offsets_from_lengths
from beyondrate.ops.blocks import sample_blocks
from beyondrate.storage import atomic_path

SPIKE = np.dtype([("time_us", "<i4"), ("unit", "<u2")])
"""How a spike is kept until its file is written; the time counts from its sample's start."""

_BLOCK_SPIKES = 1 << 20
_COPY = 1 << 20


@dataclass(frozen=True)
class Done:
    """What became of a recording: the spikes of each of its samples, or why it could not be encoded."""

    name: str
    n_spikes: tuple[int, ...]
    duration_us: int = 0
    rate_hz: int = 0
    failure: str = ""


class Parts:
    """The folder of finished recordings; one process at a time uses it.

    Args:
        folder: where; it is made if need be.
        settings: what decides the spikes, ready for JSON.
        resume: go on with what the folder holds.

    Raises:
        InputError: if the folder holds recordings of other settings, or any without ``resume``, or another
            process is using it.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, resume: bool = False) -> None:
        self.folder = folder
        self._settings = folder / "settings.json"
        if folder.exists() and not self._settings.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(
                "is in the way of the finished recordings",
                remedy="move it or write another file",
                file=folder,
            )
        folder.mkdir(exist_ok=True)
        self._lines: IO[bytes] = (folder / "done.jsonl").open("a+b")
        self._spikes: IO[bytes] = (folder / "spikes.bin").open("a+b")
        try:
            self._lock()
            self._agree(settings, resume)
            self.done = self._recovered()
        except BaseException:
            self.close()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                "is in use by another run", remedy="wait for it or write another file", file=self.folder
            ) from error

    def _agree(self, settings: Mapping[str, Any], resume: bool) -> None:
        """Keep the settings, or see that the run that is gone on with had the same."""
        now = json.loads(json.dumps(settings))
        if not self._settings.exists():
            with atomic_path(self._settings) as temporary:
                temporary.write_text(json.dumps(now, indent=1), encoding="utf-8")
            return
        try:
            before = dict(json.loads(self._settings.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            before = {}
        differing = sorted(name for name in now.keys() | before if now.get(name) != before.get(name))
        if differing:
            raise InputError(
                f"holds recordings encoded with other {', '.join(differing)}",
                remedy="give the same files and options, or delete the folder",
                file=self.folder,
            )
        if not resume:
            raise InputError(
                "holds what a stopped run has encoded",
                remedy="go on with --resume, or delete the folder",
                file=self.folder,
            )

    def _recovered(self) -> list[Done]:
        """Return what is whole, from the start to the first line or spikes that are not."""
        done = []
        self._lines.seek(0)
        self._spikes.seek(0)
        kept = kept_spikes = 0
        for line in self._lines:
            found, crc32 = _parsed(line)
            length = SPIKE.itemsize * sum(found.n_spikes)
            if _crc32(self._spikes, length) != crc32:
                break
            done.append(found)
            kept, kept_spikes = kept + len(line), kept_spikes + length
        self._lines.truncate(kept)
        self._spikes.truncate(kept_spikes)
        return done

    def add(self, done: Done, spikes: IO[bytes]) -> None:
        """Keep a recording, whose spikes are read from the stream's start."""
        spikes.seek(0)
        crc32 = _crc32(spikes, SPIKE.itemsize * sum(done.n_spikes))
        spikes.seek(0)
        shutil.copyfileobj(spikes, self._spikes, _COPY)
        self._spikes.flush()
        self._lines.write(json.dumps({**asdict(done), "crc32": crc32}).encode() + b"\n")
        self._lines.flush()
        self.done.append(done)

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield samples, some at a time: the slice of all samples that they are, and their spikes."""
        lengths = np.array([n for done in self.done for n in done.n_spikes], np.int64)
        offsets = offsets_from_lengths(lengths)
        self._spikes.seek(0)
        for block in sample_blocks(offsets, _BLOCK_SPIKES, max(1, len(lengths))):
            n_spikes = int(offsets[block.stop] - offsets[block.start])
            yield block, np.frombuffer(self._spikes.read(n_spikes * SPIKE.itemsize), SPIKE)

    def close(self) -> None:
        """Let go of the folder, which stays."""
        self._lines.close()
        self._spikes.close()

    def remove(self) -> None:
        """Let go of the folder and delete it, unless it holds something else."""
        names = (self._settings, self._lines.name, self._spikes.name)
        self.close()
        for name in names:
            Path(name).unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


def _parsed(line: bytes) -> tuple[Done, int]:
    """Return what a line tells, and the checksum of the spikes; one that fits none if the line is damaged."""
    try:
        if not line.endswith(b"\n"):
            raise ValueError(line)
        told = json.loads(line)
        crc32 = told.pop("crc32")
        return Done(**{**told, "n_spikes": tuple(told["n_spikes"])}), crc32
    except (ValueError, TypeError, KeyError, AttributeError):
        return Done("", ()), -2


def _crc32(stream: IO[bytes], length: int) -> int:
    """Return the checksum of the next ``length`` bytes of a stream; -1 if it ends before."""
    crc32, left = 0, length
    while left > 0:
        piece = stream.read(min(left, _COPY))
        if not piece:
            return -1
        crc32, left = zlib.crc32(piece, crc32), left - len(piece)
    return crc32
