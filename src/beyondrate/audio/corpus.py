"""A corpus of recordings to spike trains: labels and speakers come from the files' names."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from beyondrate.audio.encoder import Encoder, Spikes
from beyondrate.audio.parallel import in_threads
from beyondrate.audio.sounds import read_sound, require_readable
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.progress import Progress, silent


@dataclass(frozen=True)
class _Recording:
    path: Path
    name: str
    fields: dict[str, str]


@dataclass(frozen=True)
class _Encoded:
    """What became of a recording: its spikes and length, or why it could not be encoded."""

    spikes: Spikes
    duration_s: float
    failure: str = ""


def encode_files(
    paths: Sequence[str | Path],
    label_pattern: str,
    *,
    encoder: Encoder,
    group_field: str = "speaker",
    workers: int | None = None,
    progress: Progress = silent,
) -> SpikeTrains:
    """Encode sound files; their names say what they are.

    Every file is checked before the work starts. A file that then cannot be decoded, or is silent, is left
    out and named in ``meta["failed"]``. A file's noise is drawn from the encoder's seed and the file's
    name, so it does not depend on the other files.

    Args:
        paths: wav files, or with the extra ``audio`` flac, ogg, mp3; any rate, channels are averaged.
        label_pattern: how names are built, such as "{label}_{speaker}_{take}", without the suffix; with a
            "/" the folder counts too: "{label}/{speaker}_nohash_{take}". It must have a {label}.
        encoder: makes the spikes.
        group_field: the field that becomes the samples' group, where the pattern has it.
        workers: threads; default: one a core.
        progress: told after each file.

    Returns:
        One sample a file, in the order of the names, as long as the longest sound. ``meta`` holds
        "label_names", "group_names", "files" (name of each sample), "failed" (name to reason).

    Raises:
        InputError: if a file is missing or does not fit the pattern, or fewer than two classes are left.
        MissingExtraError: if a file is not wav and the extra ``audio`` is not installed.

    Example:
        >>> import tempfile
        >>> from scipy.io import wavfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, hz in (("low_ann", 300), ("high_ann", 2000)):
        ...         tone = np.sin(2 * np.pi * hz * np.arange(1600) / 8000)
        ...         wavfile.write(f"{folder}/{name}.wav", 8000, tone)
        ...     paths = list(Path(folder).glob("*.wav"))
        ...     trains = encode_files(paths, "{label}_{speaker}", encoder=Encoder(20))
        >>> trains.meta["label_names"], trains.meta["files"], trains.duration_us
        (['high', 'low'], ['high_ann', 'low_ann'], 200000)
    """
    recordings = _checked(paths, label_pattern)
    encoded = []
    for result in in_threads(lambda recording: _encode(recording, encoder), recordings, workers):
        encoded.append(result)
        progress(len(encoded), len(recordings), recordings[len(encoded) - 1].name)
    failed = {r.name: e.failure for r, e in zip(recordings, encoded, strict=True) if e.failure}
    kept = [i for i, result in enumerate(encoded) if not result.failure]
    _require_two_classes([recordings[i] for i in kept], failed)

    label_names, labels = _numbered([recordings[i].fields["label"] for i in kept])
    grouped = all(group_field in recordings[i].fields for i in kept)
    group_names, groups = (
        _numbered([recordings[i].fields[group_field] for i in kept]) if grouped else ([], None)
    )
    longest_s = max(encoded[i].duration_s for i in kept)
    return SpikeTrains.from_samples(
        [encoded[i].spikes for i in kept],
        labels=labels,
        groups=groups,
        n_units=encoder.n_channels,
        duration_us=int(np.ceil(longest_s * 1e3)) * 1000,
        meta={
            "source": "recordings through the cochlea encoder of beyondrate",
            "encoder": encoder.settings,
            "label_names": label_names,
            **({"group_names": group_names} if grouped else {}),
            "files": [recordings[i].name for i in kept],
            "failed": failed,
        },
    )


def _checked(paths: Sequence[str | Path], label_pattern: str) -> list[_Recording]:
    """Match every name with the pattern and see that every file can be opened."""
    if not paths:
        raise InputError("no sound files", remedy="check the folder or the pattern of the paths")
    expression, depth = _expression(label_pattern)
    recordings = []
    for path in sorted(Path(path) for path in paths):
        name = "/".join(path.with_suffix("").parts[-depth:])
        match = expression.fullmatch(name)
        if match is None:
            raise InputError(
                f"the name {name!r} does not fit the pattern {label_pattern!r}",
                remedy="give a pattern that fits every file, or leave the file out",
                file=path,
            )
        require_readable(path)
        recordings.append(_Recording(path, name, match.groupdict()))
    name, times = Counter(recording.name for recording in recordings).most_common(1)[0]
    if times > 1:
        raise InputError(
            f"{times} files are named {name!r}",
            remedy="give each file once, or a pattern with the folder that tells them apart",
        )
    _require_two_classes(recordings, {})
    return recordings


def _expression(label_pattern: str) -> tuple[re.Pattern[str], int]:
    """Return the pattern as a regular expression, and how many parts of a path it describes."""
    pieces = re.split(r"\{(\w+)\}", label_pattern)
    literals, fields = pieces[::2], pieces[1::2]
    if "label" not in fields or len(set(fields)) < len(fields):
        raise InputError(
            f"the pattern {label_pattern!r} has fields {fields}",
            remedy='give a pattern with one {label}, such as "{label}_{speaker}_{take}"',
        )
    if any(not literal for literal in literals[1:-1]):
        raise InputError(
            f"the pattern {label_pattern!r} has two fields with nothing between them",
            remedy="separate the fields by what separates them in the names",
        )
    expression = re.escape(literals[0])
    for field, literal in zip(fields, literals[1:], strict=True):
        barred = re.escape(literal[0]) if literal else ""
        expression += f"(?P<{field}>[^/{barred}]+){re.escape(literal)}"
    return re.compile(expression), label_pattern.count("/") + 1


def _require_two_classes(recordings: list[_Recording], failed: dict[str, str]) -> None:
    labels = sorted({recording.fields["label"] for recording in recordings})
    if len(labels) < 2:
        name, reason = next(iter(failed.items()), ("", ""))
        raise InputError(
            f"the files have {len(labels)} of the two classes that are needed ({', '.join(labels) or 'none'})"
            + (f", {len(failed)} could not be encoded ({name}: {reason})" if failed else ""),
            remedy="give files of two classes or more",
        )


def _encode(recording: _Recording, encoder: Encoder) -> _Encoded:
    number = int.from_bytes(hashlib.sha256(recording.name.encode()).digest()[:8], "big")
    try:
        sound, rate_hz = read_sound(recording.path)
        return _Encoded(encoder.encode(sound, rate_hz, stream=number), len(sound) / rate_hz)
    except InputError as error:
        return _Encoded((np.zeros(0, np.int32), np.zeros(0, np.uint16)), 0.0, error.problem)


def _numbered(names: list[str]) -> tuple[list[str], list[int]]:
    """Return the distinct names, numbers in order of size before words, and the place of each name."""
    distinct = sorted(
        set(names), key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)
    )
    place = {name: i for i, name in enumerate(distinct)}
    return distinct, [place[name] for name in names]
