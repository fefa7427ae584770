"""An experiment: trainings and tests that are done once and that one or more figures are drawn from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from beyondrate.datasets import split
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.jobs import Job, Pool, read_json, write_json
from beyondrate.progress import Progress
from beyondrate.reproduce.figure import Reproduction

Preset = Literal["quick", "paper"]
PRESETS: tuple[Preset, ...] = ("quick", "paper")
Protocol = Literal[split.Protocol, "one-group-out"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


@dataclass(frozen=True)
class Data:
    """The data that a figure is made of: their name as typed, and the samples."""

    name: str
    trains: SpikeTrains


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Args:
        preset: "quick" or "paper".
        seeds: which seeds; None for the preset's.
        data: the data, for experiments that are about data; None for those that make their own.
        protocol: "held-out" and "yu2025" of ``make_split``, or "one-group-out".
    """

    preset: Preset
    seeds: tuple[int, ...] | None = None
    data: Data | None = None
    protocol: Protocol = "held-out"


Plan = Mapping[str, Any]  # plain values, ready for JSON: all that decides an experiment's results


@dataclass(frozen=True)
class Experiment:
    """How an experiment is planned, prepared and carried out.

    Args:
        name: of its folder.
        work: what does one of its jobs, as "module:function".
        plan: makes the plan of a request.
        prepare: writes what the jobs read into the folder; called only for what is not there yet.
        takes_data: whether it is about the user's data.
        data: the data sets that it is about, by preference: the first that is already here.
    """

    name: str
    work: str
    plan: Callable[[Request], Plan]
    prepare: Callable[[Path, Plan, Request], None]
    takes_data: bool
    data: Sequence[str] = ("shd", "ssc", "spoken-digits")


@dataclass(frozen=True)
class Figure:
    """A figure or table that can be made again by its name.

    Args:
        name: as typed, such as "yu2025/fig5".
        shows: one line for the list.
        experiment: where its measurements come from.
        stages: the jobs that it needs, each stage after the one before.
        draw: reads the finished jobs and makes the figure.
    """

    name: str
    shows: str
    experiment: Experiment
    stages: Callable[[Plan], Sequence[Sequence[Job]]]
    draw: Callable[[Path, Plan], Reproduction]


def carry_out(
    figure: Figure, request: Request, out: Path, n_workers: int, progress: Progress, *, resume: bool = False
) -> Reproduction:
    """Do what of a figure's experiment is not done yet, and draw the figure.

    The experiment's folder is named by everything that decides its results, so that figures of one paper
    share their trainings and nothing of another plan is ever mixed in.

    Raises:
        InputError: with ``resume``, if only runs of other settings were begun there.
    """
    plan = figure.experiment.plan(request)
    folder = out / f"{figure.experiment.name}-{_digest(plan)}"
    if (folder / "plan.json").is_file():
        _same(folder, plan)
    elif resume and any(out.glob(f"{figure.experiment.name}-*/plan.json")):
        raise InputError(
            f"holds no run of {figure.name} with these settings",
            remedy="give those that it was begun with, or leave --resume out",
            file=out,
        )
    else:
        write_json(folder / "plan.json", plan)
    figure.experiment.prepare(folder, plan, request)
    stages = figure.stages(plan)
    with Pool(folder, figure.experiment.work, n_workers) as pool:
        pool.run(stages, progress)
    return figure.draw(folder, plan)


def _digest(plan: Plan) -> str:
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:10]


def _same(folder: Path, plan: Plan) -> None:
    if read_json(folder / "plan.json") != json.loads(json.dumps(plan)):
        raise InputError(
            "holds another plan under this name", remedy="give another folder", file=folder / "plan.json"
        )
