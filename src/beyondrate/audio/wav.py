"""WAV files in blocks: whole-number samples of 8 to 32 bits and floats, of any length (RIFF and RF64).

The reader keeps nothing of the file in memory but the block that is asked for. A file whose sound is shorter
than its header claims is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Float64

from beyondrate.errors import InputError

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_KINDS = {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)}
_MEND = "check that it is a whole sound file"


class WavHeader(NamedTuple):
    """What a WAV file says of its sound, and where in the file that is."""

    rate_hz: int
    n_channels: int
    code: int
    bits: int
    start: int
    n_frames: int

    @property
    def frame_size(self) -> int:
        """Bytes of one sample of all channels."""
        return self.n_channels * self.bits // 8


def read_header(path: Path) -> WavHeader:
    """Return what a WAV file says of its sound.

    Raises:
        InputError: if it is no WAV file, ends early, or its samples are of a kind that is not read.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            raise InputError("is no WAV file", remedy=_MEND, file=path)
        sizes, form = b"", b""
        while len(head := stream.read(8)) == 8:
            name, length = head[:4], int.from_bytes(head[4:], "little")
            if name == b"data":
                if length == 0xFFFFFFFF and sizes:  # RF64 tells the true length in a chunk of its own
                    length = int.from_bytes(sizes[8:16], "little")
                return _header(form, stream.tell(), length, size, path)
            start = stream.tell()
            if name == b"fmt ":
                form = stream.read(min(length, 40))
            elif name == b"ds64":
                sizes = stream.read(min(length, 16))
            stream.seek(start + length + length % 2)
    raise InputError("ends before its sound begins", remedy=_MEND, file=path)


def _header(form: bytes, start: int, length: int, size: int, path: Path) -> WavHeader:
    if len(form) < 16:
        raise InputError("does not say how its sound is stored", remedy=_MEND, file=path)
    code, n_channels, rate_hz, _, frame_size, bits = struct.unpack_from("<HHIIHH", form)
    if code == _EXTENSIBLE and len(form) >= 26:
        code = int.from_bytes(form[24:26], "little")
    if (code, bits) not in _KINDS or n_channels == 0 or frame_size != n_channels * bits // 8:
        raise InputError(
            f"holds {n_channels} channels of {bits}-bit samples of kind {code}",
            remedy="convert it to 16-bit PCM or to FLAC",
            file=path,
        )
    if start + length > size or length % frame_size:
        raise InputError(
            f"claims {length} bytes of sound, {size - start} are left in the file", remedy=_MEND, file=path
        )
    return WavHeader(rate_hz, n_channels, code, bits, start, length // frame_size)


def read_frames(path: Path, header: WavHeader, n: int) -> Iterator[Float64[np.ndarray, "frames channels"]]:
    """Yield the sound, ``n`` frames at a time, full scale at 1."""
    with path.open("rb") as stream:
        stream.seek(header.start)
        for first in range(0, header.n_frames, n):
            yield _frames(stream, header, min(n, header.n_frames - first))


def _frames(stream: BinaryIO, header: WavHeader, n: int) -> Float64[np.ndarray, "frames channels"]:
    raw = np.frombuffer(stream.read(n * header.frame_size), np.uint8)
    if header.code == _FLOAT:
        samples = raw.view(f"<f{header.bits // 8}").astype(np.float64)
    elif header.bits == 8:
        samples = (raw - 128.0) / 128
    elif header.bits == 24:  # the upper three bytes of 32
        wide = np.zeros((raw.size // 3, 4), np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        samples = wide.view("<i4")[:, 0] / 2.0**31
    else:
        samples = raw.view(f"<i{header.bits // 8}") / 2.0 ** (header.bits - 1)
    return samples.reshape(-1, header.n_channels)
