"""DVS128 Gesture: 11 hand and arm gestures of 29 subjects under five lights, seen by an event camera.

Two forms: the original, recordings in AEDAT 3.1 with labelled intervals and lists of those to train and to
test on; and numpy arrays cut from them, x, y, polarity and milliseconds, one file a recording and class
(where a class was recorded twice, one of the two). A sample is a labelled interval;
`beyondrate.datasets.clips` cuts it further.

Source: Amir et al., "A Low Power, Fully Event-Based Gesture Recognition System", CVPR 2017.
"""

from __future__ import annotations

import io
import re
import tarfile
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from beyondrate.datasets.originals import Original, Provided, converted
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, exact, offsets_from_lengths
from beyondrate.progress import Progress, silent
from beyondrate.storage import EventStream
from beyondrate.storage.aedat import DVS128, parse
from beyondrate.storage.camera import intervals
from beyondrate.storage.guards import DAMAGED, reading
from beyondrate.storage.seconds import microseconds

CLASSES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter-clockwise",
    "left arm clockwise",
    "left arm counter-clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other gestures",
)
N_SUBJECTS = 29
# The host's addresses do not name the files: what follows # stays here and is not sent.
NUMPY_FORM = (
    Original(
        "ibmGestureTrain.tar",
        ["https://figshare.com/ndownloader/files/38022171#/ibmGestureTrain.tar.gz"],
        {"ibmGestureTrain.tar.gz": "3a8f0d4120a166bac7591f77409cb105"},
    ),
    Original(
        "ibmGestureTest.tar",
        ["https://figshare.com/ndownloader/files/38020584#/ibmGestureTest.tar.gz"],
        {"ibmGestureTest.tar.gz": "56070e45dadaa85fff82e0fbfbc06de5"},
    ),
)
ORIGINAL_FORM = Original(
    "DvsGesture.tar",
    ["https://ibm.ent.box.com/s/3hiq58ww1pbbjrinh367ykfdf60xsfm8#/DvsGesture.tar.gz"],
    {"DvsGesture.tar.gz": "8a5c71fb11e24e5ca5b11866ca6c00a1"},
)
_PARTS = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
_SUBJECT = re.compile(r"user(\d+)_")

_Files = Mapping[str, Callable[[], bytes]]
_Events = tuple[np.ndarray, np.ndarray]


class _Sample(NamedTuple):
    """A sample of a recording: its name, class and length (None: until its last event)."""

    name: str
    label: int
    length_us: int | None


class _Recording(NamedTuple):
    """A recording: of whom, in which part, its samples, and how their times and units are read."""

    subject: int
    part: str
    samples: list[_Sample]
    read: Callable[[], list[_Events]]


def make_file(source: Path | None = None, progress: Progress = silent) -> Path:
    """Return the file of DVS128 Gesture in the cache, made from the published files if need be.

    Groups are the subjects, ``meta["split"]`` is as published (subjects 24 to 29 test), ``meta["files"]``
    names recording and interval, ``meta["accuracy"]`` says what an accuracy on it counts.

    Args:
        source: what holds the published files: DvsGesture.tar.gz or its unpacked folder, or the two archives
            of numpy arrays; None downloads the latter.
        progress: told what is being done.

    Raises:
        InputError: if a file is missing, cannot be downloaded, or is not what was published.
    """

    def convert(at_hand: Sequence[Provided], open_files: ExitStack, progress: Progress) -> EventStream:
        recordings = _recordings([provided.path for provided in at_hand], open_files)
        return _stream(recordings, [provided.facts for provided in at_hand], progress)

    return converted("dvs-gesture", _form(source), convert, source, progress)


def _form(source: Path | None) -> Sequence[Original]:
    """Return which of the published files are to be looked for."""
    if source is not None:
        if source.name.startswith(ORIGINAL_FORM.name) or any(source.glob(ORIGINAL_FORM.name + "*")):
            return [ORIGINAL_FORM]
        if (source / _PARTS["train"]).is_file():
            return [Original(name, ORIGINAL_FORM.urls) for name in _PARTS.values()]
    return NUMPY_FORM


def _recordings(paths: list[Path], open_files: ExitStack) -> list[_Recording]:
    if paths[0].suffix != ".tar":
        folder = paths[0].parent
        return _original_recordings(folder, {path.name: path.read_bytes for path in folder.iterdir()})
    archives = {Path(path.name): _listed(path, open_files) for path in paths}  # the path may be a passing one
    if len(archives) == 1:
        ((place, files),) = archives.items()
        return _original_recordings(place, {PurePosixPath(name).name: read for name, read in files.items()})
    return [
        recording
        for part, (place, files) in zip(_PARTS, archives.items(), strict=True)
        for recording in _numpy_recordings(place, part, files)
    ]


def _listed(archive: Path, open_files: ExitStack) -> _Files:
    """Return the files of an archive by name, to be read from it; nothing is written."""
    with reading(Path(archive.name), "an archive"), _unpacking():
        members = open_files.enter_context(tarfile.TarFile(archive))
        found = list(members)
        end = max((member.offset_data + member.size for member in found), default=0)
        with archive.open("rb") as file:
            file.seek(-(-end // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE)
            rest = file.read(1 << 20)
        # tarfile takes a damaged entry for the end, which is of zeros
        if not rest or rest.strip(b"\0") or any(member.issparse() for member in found):
            raise InputError(f"cannot be unpacked after {len(found)} entries", remedy=DAMAGED)
        return {member.name: partial(_content, members, member) for member in found if member.isreg()}


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    with _unpacking():
        stream = archive.extractfile(member)
        return stream.read() if stream else b""


@contextmanager
def _unpacking() -> Iterator[None]:
    try:
        yield
    except tarfile.TarError as error:
        raise InputError(f"cannot be unpacked ({error})", remedy=DAMAGED) from error


def _original_recordings(place: Path, files: _Files) -> list[_Recording]:
    """Return the recordings in AEDAT 3.1 that the lists name."""
    recordings = []
    for part, list_name in _PARTS.items():
        with reading(place / list_name, "a list of recordings"):
            names = _found(files, list_name)().decode().split()
        recordings += [_original_recording(place, files, name, part) for name in names]
    return recordings


def _found(files: _Files, name: str) -> Callable[[], bytes]:
    if name not in files:
        raise InputError("is missing", remedy="give the whole data set as published")
    return files[name]


def _original_recording(place: Path, files: _Files, name: str, part: str) -> _Recording:
    labels_name = f"{PurePosixPath(name).stem}_labels.csv"
    with reading(place / labels_name, "a table of labelled intervals"):
        labelled = intervals(_found(files, labels_name)())

    def read() -> list[_Events]:
        with reading(place / name, "an AEDAT recording"):
            recording = parse(_found(files, name)())
            if recording.sensor != DVS128:
                raise InputError(f"has {recording.sensor}", remedy="give the published recording")
            return [recording.between(interval.start_us, interval.end_us) for interval in labelled]

    samples = [_Sample(interval.name(name), interval.label - 1, interval.length_us) for interval in labelled]
    return _Recording(_subject(place, name), part, samples, read)


def _numpy_recordings(place: Path, part: str, files: _Files) -> list[_Recording]:
    """Return the recordings of an archive of arrays: a folder each, a file CLASS.npy a sample."""
    classes: dict[str, dict[int, Callable[[], bytes]]] = {}
    for name, events in files.items():
        path = PurePosixPath(name)
        if path.suffix == ".npy" and path.stem.isdecimal():
            classes.setdefault(path.parent.name, {})[int(path.stem)] = events
    if not classes:
        raise InputError("has no arrays of events", remedy="give the published archive", file=place)
    return [_numpy_recording(place, part, name, classes[name]) for name in sorted(classes)]


def _numpy_recording(
    place: Path, part: str, name: str, events: Mapping[int, Callable[[], bytes]]
) -> _Recording:
    samples = [_Sample(f"{name}/{label}.npy", label, None) for label in sorted(events)]

    def read() -> list[_Events]:
        return [_numpy_events(place / sample.name, events[sample.label]) for sample in samples]

    return _Recording(_subject(place, name), part, samples, read)


def _numpy_events(path: Path, events: Callable[[], bytes]) -> _Events:
    """Return times and units from rows of x, y, polarity and milliseconds; their order is not relied on."""
    with reading(path, "an array of events"):
        rows = _array(events())
        if rows.ndim != 2 or rows.shape[1] != 4 or rows.dtype.kind not in "iuf":
            raise InputError(
                f"holds {rows.dtype} of shape {rows.shape}, not rows of 4 numbers", remedy=DAMAGED
            )
        x, y, polarity = (exact(rows[:, k], np.dtype(np.int32), name) for k, name in enumerate("xyp"))
        with np.errstate(invalid="ignore"):  # what is no time is refused
            times_us = microseconds(rows[:, 3].astype(np.float64) / 1e3, "time in seconds")
        order = np.argsort(times_us, kind="stable")
        return times_us[order], DVS128.units(x, y, polarity)[order]


def _array(data: bytes) -> np.ndarray:
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except tokenize.TokenError as error:
        raise ValueError(str(error)) from error


def _subject(place: Path, name: str) -> int:
    match = _SUBJECT.match(name)
    if not match or not 1 <= int(match[1]) <= N_SUBJECTS:
        raise InputError(
            f"has a recording {name[:80]!r}",
            remedy=f"recordings are of user01_… to user{N_SUBJECTS}_…",
            file=place,
        )
    return int(match[1]) - 1


def _stream(recordings: list[_Recording], originals: list[dict[str, str]], progress: Progress) -> EventStream:
    """Return the samples of all recordings, which are read twice: to count events, and to pass them on."""
    samples = [sample for recording in recordings for sample in recording.samples]
    labels = np.array([sample.label for sample in samples], np.int64)
    if set(labels.tolist()) != set(range(len(CLASSES))):
        raise InputError(
            f"the classes found are {sorted(set(labels.tolist()))}, counted from 0",
            remedy=f"give the whole data set, of {len(CLASSES)} classes",
        )
    counts, lengths = [], []
    for done, recording in enumerate(recordings):
        for sample, (times_us, _) in zip(recording.samples, recording.read(), strict=True):
            counts.append(len(times_us))
            lengths.append(sample.length_us or int(times_us.max(initial=0)) + 1)
        progress(done + 1, len(recordings), "counting events")
    facts: dict[str, Any] = {
        "groups": np.repeat([r.subject for r in recordings], [len(r.samples) for r in recordings]),
        "n_units": DVS128.n_units,
        "duration_us": max(lengths),
        "meta": {
            "source": "DVS128 Gesture (Amir et al. 2017)",
            "label_names": list(CLASSES),
            "group_names": [f"user{subject + 1:02d}" for subject in range(N_SUBJECTS)],
            "shape": DVS128.shape,
            "split": [recording.part for recording in recordings for _ in recording.samples],
            "files": [sample.name for sample in samples],
            "accuracy": f"of whole labelled intervals, {len(CLASSES)} classes",
            "originals": originals,
        },
    }
    return EventStream(
        offsets=offsets_from_lengths(np.array(counts)),
        labels=labels,
        **facts,
        blocks=_blocks(recordings, facts["duration_us"], progress),
    )


def _blocks(recordings: list[_Recording], duration_us: int, progress: Progress) -> Iterator[SpikeTrains]:
    for done, recording in enumerate(recordings):
        yield SpikeTrains.from_samples(
            recording.read(),
            labels=[sample.label for sample in recording.samples],
            n_units=DVS128.n_units,
            duration_us=duration_us,
        )
        progress(done + 1, len(recordings), "converting recordings")
