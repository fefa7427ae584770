"""Making a figure again: look it up, take the data that there are, do what is not done yet, draw."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from beyondrate import datasets
from beyondrate.audit.run import versions
from beyondrate.datasets.cache import cache_folder
from beyondrate.errors import InputError
from beyondrate.jobs import default_workers
from beyondrate.progress import Progress, silent
from beyondrate.reproduce import koopman2026, yu2025
from beyondrate.reproduce.experiment import (
    PRESETS,
    PROTOCOLS,
    Data,
    Figure,
    Preset,
    Protocol,
    Request,
    carry_out,
)
from beyondrate.reproduce.figure import Reproduction

FIGURES: Mapping[str, Figure] = {figure.name: figure for figure in (*yu2025.FIGURES, *koopman2026.FIGURES)}
MADE_HERE = "spoken-digits"  # in place of data that must be fetched


def reproduce(
    figure: str,
    *,
    data: str | Path | None = None,
    preset: Preset = "quick",
    seeds: int | Sequence[int] | None = None,
    protocol: Protocol = "held-out",
    out: str | Path | None = None,
    workers: int | None = None,
    resume: bool = False,
    command: str | None = None,
    progress: Progress = silent,
) -> Reproduction:
    """Make a paper's figure again, with the published numbers and what holds of them beside it.

    What is already done in the folder is not done again, if everything that decides it is the same:
    a run that was stopped goes on, and figures of one paper share their trainings.

    Args:
        figure: a name of FIGURES, such as "yu2025/fig5".
        data: a data set's name or a path, for figures that are about data; default: those of the
            paper where they are already here, else ours.
        preset: "quick" (minutes, a look) or "paper" (five seeds or more).
        seeds: how many seeds, or which ones; default: the preset's.
        protocol: "held-out" keeps speakers apart; "yu2025" divides the samples as the paper's code does, with
            its flaws; "one-group-out" leaves out each speaker once, for koopman2026's speech figures.
        out: folder of the paper's figures; default runs/ and the paper's name.
        workers: processes side by side; default one a processor; 0 runs in this process.
        resume: refuse to begin anew where only runs of other settings were begun.
        command: how it was started, for the record.
        progress: told how far it is.

    Raises:
        InputError: if a name is unknown, or the data cannot make the figure; nothing was trained then.

    Example:
        >>> import beyondrate as br
        >>> made = br.reproduce("yu2025/fig3", data="spoken-digits-mini")  # doctest: +SKIP
        >>> [claim.holds for claim in made.claims]  # doctest: +SKIP
        ['holds', 'holds']
    """
    started = time.monotonic()
    wanted = _known(figure, preset, protocol)
    if data is not None and not wanted.experiment.takes_data:
        raise InputError(f"{figure} makes its own samples", remedy="leave --data out")
    paper = figure.partition("/")[0]
    folder = Path("runs") / paper if out is None else Path(out)
    request = Request(
        preset=preset,
        seeds=tuple(range(seeds)) if isinstance(seeds, int) else None if seeds is None else tuple(seeds),
        data=_data(data, wanted.experiment.data, progress) if wanted.experiment.takes_data else None,
        protocol=protocol,
    )
    n_workers = default_workers() if workers is None else workers
    made = carry_out(wanted, request, folder, n_workers, progress, resume=resume)
    record = {
        "command": command or f"br.reproduce({figure!r}, preset={preset!r})",
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round(time.monotonic() - started, 3),
        "preset": preset,
        "versions": versions(),
        **made.record,
    }
    made = replace(made, record=record)
    made.save(folder / figure.partition("/")[2])
    return made


def _known(figure: str, preset: str, protocol: str) -> Figure:
    for what, name, known in (
        ("figure", figure, tuple(FIGURES)),
        ("preset", preset, PRESETS),
        ("protocol", protocol, PROTOCOLS),
    ):
        if name not in known:
            raise InputError(f"unknown {what} {name!r}", remedy=f"choose from {', '.join(known)}")
    return FIGURES[figure]


def _data(data: str | Path | None, known: Sequence[str], progress: Progress) -> Data:
    name = str(data) if data is not None else _at_hand(known)
    trains = datasets.load(name, progress)
    return Data(name if name in datasets.DATA_SETS else Path(name).stem, trains)


def _at_hand(known: Sequence[str]) -> str:
    here = [name for name in known if (cache_folder() / f"{name}.h5").is_file()]
    if here or MADE_HERE in known:
        return here[0] if here else MADE_HERE
    raise InputError(
        f"{' and '.join(known)} is not here",
        remedy=f"fetch it with `beyondrate data get {known[0]}`, or give other data with --data",
    )
