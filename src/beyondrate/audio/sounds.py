"""Sound files in: any rate, whole-number or float samples, channels averaged, a block at a time."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from beyondrate.audio import wav
from beyondrate.audio.encoder import BLOCK
from beyondrate.errors import InputError, MissingExtraError
from beyondrate.storage.guards import SOUNDS

SUFFIXES = SOUNDS
_MEND = "check that it is a whole sound file"


def require_readable(path: Path) -> None:
    """Check what can be known of a sound file without decoding it.

    Raises:
        InputError: if there is no such file, it cannot be opened, or its suffix is none of a sound file.
        MissingExtraError: if it is not wav and the extra ``audio`` is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(
            f"{path.suffix or 'no suffix'} is no kind of sound file that can be read",
            remedy=f"give {', '.join(SUFFIXES)}",
            file=path,
        )
    if not path.is_file():
        raise InputError("no such file", remedy="check the path", file=path)
    try:
        path.open("rb").close()
    except OSError as error:
        raise InputError(
            f"cannot be opened ({error.strerror})", remedy="check its permissions", file=path
        ) from error
    if suffix != ".wav" and importlib.util.find_spec("soundfile") is None:
        raise MissingExtraError(f"reading {suffix} files", "audio")


@dataclass(frozen=True)
class Sound:
    """A sound file: its sampling rate in whole Hz, and its number of samples a channel."""

    path: Path
    rate_hz: int
    n_samples: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.n_samples / self.rate_hz

    def blocks(self) -> Iterator[Float64[np.ndarray, " samples"]]:
        """Yield the sound from its start, channels averaged and full scale at 1, some samples at a time.

        Raises:
            InputError: if the file turns out to be broken.
        """
        n_read = 0
        for frames in self._frames():
            n_read += len(frames)
            yield frames[:, 0] if frames.shape[1] == 1 else frames.mean(axis=1)
        if n_read != self.n_samples:
            raise InputError(f"ends after {n_read} of {self.n_samples} samples", remedy=_MEND, file=self.path)

    def _frames(self) -> Iterator[Float64[np.ndarray, "frames channels"]]:
        with _naming(self.path):
            if self.path.suffix.lower() == ".wav":
                yield from wav.read_frames(self.path, wav.read_header(self.path), BLOCK)
                return
            import soundfile

            with soundfile.SoundFile(self.path) as file:
                while len(frames := file.read(BLOCK, dtype="float64", always_2d=True)):
                    yield frames


def open_sound(path: Path) -> Sound:
    """Return a sound file, its header read.

    Raises:
        InputError: if the file is broken, cannot be read or holds no sound.
    """
    with _naming(path):
        if path.suffix.lower() == ".wav":
            header = wav.read_header(path)
            rate_hz, n_samples = header.rate_hz, header.n_frames
        else:
            rate_hz, n_samples = _other_header(path)
    if n_samples == 0 or rate_hz == 0:
        raise InputError("holds no sound", remedy="drop it or record it again", file=path)
    return Sound(path, rate_hz, n_samples)


def _other_header(path: Path) -> tuple[int, int]:
    import soundfile

    with soundfile.SoundFile(path) as file:
        rate_hz, n_samples = file.samplerate, file.frames
    with path.open("rb") as stream:
        head = stream.read(8)
    # libsndfile cuts what an AIFF file claims down to what is there.
    if head[:4] == b"FORM" and int.from_bytes(head[4:], "big") + 8 > path.stat().st_size:
        raise InputError("ends before its sound does", remedy=_MEND, file=path)
    return rate_hz, n_samples


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in what its decoder raises."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", remedy=_MEND, file=path) from error
    except RuntimeError as error:  # soundfile's, which cannot be named where it is not installed
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise InputError(f"cannot be decoded ({reason})", remedy=_MEND, file=path) from error
