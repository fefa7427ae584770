"""The Spiking Heidelberg Digits and the Spiking Speech Commands as published.

Spoken digits (English and German, 20 classes, 12 speakers) and one-word commands (35 classes) that a model of
the inner ear turned into spikes of 700 channels. Source: Cramer, Stradmann, Schemmel, Zenke, "The Heidelberg
Spiking Data Sets for the Systematic Evaluation of Spiking Neural Networks", IEEE TNNLS 33, 2022.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from beyondrate import storage
from beyondrate.datasets.originals import Original, Provided, converted
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, offsets_from_lengths
from beyondrate.progress import Progress, silent
from beyondrate.storage import EventFile, EventStream

N_CHANNELS = 700
DURATION_US = 1_400_000  # what analyses of these data take; longer if a spike comes later
HOSTS = ("https://zenkelab.org/datasets/", "https://compneuro.net/datasets/")


@dataclass(frozen=True)
class _Published:
    """A data set of this family: its number of classes, and the file of each part."""

    n_classes: int
    parts: dict[str, Original]


def _original(name: str, **md5: str) -> Original:
    """Return a file that both hosts serve zipped, with the hashes of its ``packed`` and ``unpacked`` form."""
    packed = f"{name}.zip"
    names = {"packed": packed, "unpacked": name}
    return Original(
        name, [host + packed for host in HOSTS], {names[form]: value for form, value in md5.items()}
    )


PUBLISHED = {
    "shd": _Published(
        20,
        {
            "train": _original(
                "shd_train.h5",
                packed="f3252aeb598ac776c1b526422d90eecb",
                unpacked="8e9877c85f29a28dd353ea6a54402667",
            ),
            "test": _original(
                "shd_test.h5",
                packed="1503a5064faa34311c398fb0a1ed0a6f",
                unpacked="207ad1295a0ab611e22d1734989c254e",
            ),
        },
    ),
    "ssc": _Published(
        35,
        {
            "train": _original("ssc_train.h5", packed="d102be95e7144fcc0553d1f45ba94170"),
            "valid": _original("ssc_valid.h5", packed="b4eee3516a4a90dd0c71a6ac23a8ae43"),
            "test": _original("ssc_test.h5", packed="a35ff1e9cffdd02a20eb850c17c37748"),
        },
    ),
}


def make_file(name: str, source: Path | None = None, progress: Progress = silent) -> Path:
    """Return the file of "shd" or "ssc" in the cache, made from the published files if need be.

    The parts follow one another as in ``meta["split"]`` ("train", "valid", "test" of each sample); groups are
    the speakers, ``meta["originals"]`` tells the published files' hashes and how they were checked.

    Args:
        name: "shd" or "ssc".
        source: a file or folder that holds the published files, as they are or packed; None downloads them.
        progress: told what is being done.

    Raises:
        InputError: if a file is missing, cannot be downloaded, or is not what was published.
    """
    published = PUBLISHED[name]

    def convert(at_hand: Sequence[Provided], open_files: ExitStack, progress: Progress) -> EventStream:
        files = []
        for provided in at_hand:
            events = open_files.enter_context(storage.opened(provided.path))
            files.append(_checked(events, provided.path, published.n_classes))
        return _joined(list(published.parts), files, [provided.facts for provided in at_hand], progress)

    return converted(name, list(published.parts.values()), convert, source, progress)


def _checked(events: SpikeTrains | EventFile, path: Path, n_classes: int) -> EventFile:
    """Refuse what is no file of the data set, whatever its hash."""
    names = events.meta.get("label_names", ())
    problem = None
    if not isinstance(events, EventFile) or events.groups is None:
        problem = "names no speakers"
    elif len(names) != n_classes or len(np.unique(events.labels)) != n_classes:
        problem = (
            f"has {len(np.unique(events.labels))} classes and {len(names)} names of them, not {n_classes}"
        )
    elif events.n_units > N_CHANNELS:
        problem = f"has {events.n_units} channels, not {N_CHANNELS}"
    if problem is not None:
        raise InputError(problem, remedy="give the published file", file=path)
    return cast("EventFile", events)


def _joined(
    parts: list[str], files: list[EventFile], originals: list[dict[str, str]], progress: Progress
) -> EventStream:
    """Return the samples of all parts, one part after another."""
    told = {key: fact for key, fact in files[0].meta.items() if key != "derived"}
    return EventStream(
        offsets=offsets_from_lengths(np.concatenate([file.spikes_per_sample for file in files])),
        labels=np.concatenate([file.labels for file in files]),
        groups=np.concatenate([file.groups for file in files if file.groups is not None]),
        n_units=N_CHANNELS,
        duration_us=max(DURATION_US, *(file.duration_us for file in files)),
        meta={
            **told,
            "source": "Heidelberg spiking data sets (Cramer et al. 2022)",
            "split": [part for part, file in zip(parts, files, strict=True) for _ in range(len(file))],
            "originals": originals,
        },
        blocks=_blocks(files, progress),
    )


def _blocks(files: list[EventFile], progress: Progress) -> Iterator[SpikeTrains]:
    n_samples = sum(len(file) for file in files)
    n_done = 0
    for file in files:
        for block in file.stream():
            yield block
            n_done += len(block)
            progress(n_done, n_samples, "converting samples")
