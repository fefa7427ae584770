"""Carry out benchmarks and keep what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from beyondrate.bench.machine import record, threads_set
from beyondrate.bench.memory import peak_memory
from beyondrate.bench.networks import PEERS
from beyondrate.bench.timing import in_turns
from beyondrate.bench.work import Work, works
from beyondrate.errors import InputError
from beyondrate.jobs import write_json
from beyondrate.ops.backend import chosen_so_far
from beyondrate.progress import Progress, silent
from beyondrate.storage.atomic import check_target

NAMES = tuple(works(()))
AGAINST = (*PEERS, "tonic")
ROUNDS = 15
STEPS = ("step", "step-1000", "step-speech")  # whose memory is measured too


def bench(
    work: Sequence[str] = NAMES,
    *,
    against: Sequence[str] = (),
    rounds: int = ROUNDS,
    threads: int | None = None,
    memory: bool = True,
    out: str | Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Time the hot work, and beside it the same work in other frameworks, in this process.

    Args:
        work: names of NAMES.
        against: names of AGAINST: frameworks that are installed.
        rounds: how often each is timed, in turns; medians and quartiles are given.
        threads: threads of torch and of the kernels; default: as torch is set.
        memory: measure the training steps' peak memory too, each in a process of its own.
        out: JSON file to keep the result in.
        progress: told after each round.

    Returns:
        "rows", one for each way to do each work (work, way, seconds, quartiles, processor seconds, ratio to
        the first way, memory in bytes), "explain", what each operation ran on, and "record".

    Raises:
        InputError: if a name is unknown, a peer is not installed, or the file cannot be written.

    Example:
        >>> result = bench(["jitter"], rounds=1, memory=False)  # doctest: +SKIP
        >>> [row["way"] for row in result["rows"]]  # doctest: +SKIP
        ['beyondrate']
    """
    _check(work, against, rounds)
    if out is not None:
        check_target(out)
    rows = []
    with threads_set(threads) as n_threads:
        for name in work:
            rows += _rows(name, works(against)[name](), rounds, progress)
    for row in rows:
        if memory and row["work"] in STEPS:
            row["memory_bytes"] = peak_memory(row["work"], row["way"], against, n_threads)
    result = {
        "rows": rows,
        "explain": chosen_so_far(),
        "record": {"rounds": rounds, "threads": n_threads, **record()},
    }
    if out is not None:
        write_json(Path(out), result)
    return result


def _check(work: Sequence[str], against: Sequence[str], rounds: int) -> None:
    for name in work:
        if name not in NAMES:
            raise InputError(f"unknown work {name!r}", remedy=f"choose from {', '.join(NAMES)}")
    if rounds < 1:
        raise InputError(f"rounds is {rounds}", remedy="give 1 or more")
    for name in against:
        if name not in AGAINST:
            raise InputError(f"unknown peer {name!r}", remedy=f"choose from {', '.join(AGAINST)}")
        if find_spec(name) is None:
            raise InputError(
                f"{name} is not installed", remedy=f"pip install {name}, or leave it out of --against"
            )


def _rows(name: str, work: Work, rounds: int, progress: Progress) -> list[dict[str, Any]]:
    def told(done: int, total: int, what: str) -> None:
        progress(done, total, f"{name}: {what}")

    timings = in_turns({way: make() for way, make in work.ways.items()}, rounds, told)
    first = next(iter(timings.values()))
    return [
        {
            "work": name,
            "what": work.what,
            "way": way,
            "median_s": timing.median_s,
            "quartiles_s": list(timing.quartiles_s),
            "median_cpu_s": timing.median_cpu_s,
            "times_the_first": timing.median_s / first.median_s,
            "facts": dict(work.facts),
        }
        for way, timing in timings.items()
    ]
