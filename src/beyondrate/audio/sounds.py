"""Sound files in: any rate, integer or float samples, channels averaged."""

from __future__ import annotations

import importlib.util
import threading
import warnings
from pathlib import Path

import numpy as np
import scipy.io.wavfile
from jaxtyping import Float64

from beyondrate.errors import InputError, MissingExtraError

OTHER_SUFFIXES = (".flac", ".ogg", ".mp3", ".aif", ".aiff", ".opus")
_WARNING_FILTERS = threading.Lock()  # catch_warnings is not safe among threads


def require_readable(path: Path) -> None:
    """Check what can be known of a sound file without decoding it.

    Raises:
        InputError: if there is no such file, it cannot be opened, or its suffix is none of a sound file.
        MissingExtraError: if it is not wav and the extra ``audio`` is not installed.
    """
    suffix = path.suffix.lower()
    if suffix != ".wav" and suffix not in OTHER_SUFFIXES:
        raise InputError(
            f"{path.suffix or 'no suffix'} is no kind of sound file that can be read",
            remedy=f"give .wav, {', '.join(OTHER_SUFFIXES)}",
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


def read_sound(path: Path) -> tuple[Float64[np.ndarray, " samples"], int]:
    """Return a file's sound, channels averaged and full scale at 1, and its sampling rate in Hz.

    Raises:
        InputError: if the file is broken or holds no sound.
    """
    try:
        samples, rate_hz = _read_wav(path) if path.suffix.lower() == ".wav" else _read_other(path)
    except InputError:
        raise
    except Exception as error:  # the decoders raise whatever comes
        reason = str(error).strip() or type(error).__name__
        raise InputError(
            f"cannot be decoded ({reason})", remedy="check that it is a whole sound file", file=path
        ) from error
    if len(samples) == 0:
        raise InputError("holds no sound", remedy="drop it or record it again", file=path)
    return (samples if samples.ndim == 1 else samples.mean(axis=1)), rate_hz


def _read_wav(path: Path) -> tuple[np.ndarray, int]:
    with _WARNING_FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.io.wavfile.WavFileWarning)  # chunks that are not sound
        warnings.filterwarnings("error", message="Reached EOF", category=scipy.io.wavfile.WavFileWarning)
        rate_hz, samples = scipy.io.wavfile.read(path)
    if samples.dtype == np.uint8:
        return (samples.astype(np.float64) - 128) / 128, rate_hz
    if samples.dtype.kind == "i":
        return samples / -float(np.iinfo(samples.dtype).min), rate_hz
    return samples.astype(np.float64), rate_hz


def _read_other(path: Path) -> tuple[np.ndarray, int]:
    import soundfile

    return soundfile.read(path, dtype="float64")
