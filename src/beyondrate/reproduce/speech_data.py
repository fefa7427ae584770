"""What speech experiments share: whole, part and norm of the data, each divided, and what was answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Int64

from beyondrate import variants
from beyondrate.audit.outcomes import Answers, Arm, Outcomes, Test
from beyondrate.audit.plan import VARIANTS
from beyondrate.audit.prepare import prepare as prepare_variant
from beyondrate.audit.prepare import variant_facts
from beyondrate.audit.variant_store import VariantData, VariantStore
from beyondrate.datasets.split import Split, make_split, one_group_out
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.jobs import Job, read_result
from beyondrate.recipes import Recipe
from beyondrate.reproduce.experiment import Data, Plan, Request
from beyondrate.variants.redraw import redraw

PUBLISHED_BINS = 99  # of a sample in the published script
SSC_CLASSES = 35
SPLIT_SEED = 0


@runtime_checkable
class VariantJob(Job, Protocol):
    """A job that trains a network on a variant of the data."""

    @property
    def variant(self) -> str: ...  # noqa: D102

    @property
    def seed(self) -> int: ...  # noqa: D102


def data_of(request: Request) -> Data:
    """Return the data that the user gave.

    Raises:
        InputError: if there are none.
    """
    if request.data is None:
        raise InputError("no data are given", remedy="name a data set with --data")
    return request.data


def as_json(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain values, for the plan."""
    values = {"network": dict(recipe.network), "loss": repr(recipe.loss), "settings": repr(recipe.settings)}
    return {**values, "delay_rate": recipe.delay_rate, "redraw": recipe.redraw}


def prepare(folder: Path, plan: Plan, request: Request) -> None:
    """Make whole, part and norm, each divided into training, validation and test samples, in every fold."""
    if request.data is None:
        return
    trains = request.data.trains
    folds = one_group_out(trains) if request.protocol == "one-group-out" else [None]
    for number, split in enumerate(folds):
        store = VariantStore(_place(folder, None if split is None else number))
        for name in VARIANTS:
            if not store.has(name):
                data, facts, used = _made(trains, name, request, split)
                store.write(name, data, {**facts, "split": used.protocol})


def n_folds(request: Request) -> int | None:
    """Return in how many ways the samples are divided; None where it is one way."""
    if request.protocol != "one-group-out":
        return None
    return len(one_group_out(data_of(request).trains))


def _place(folder: Path, fold: int | None) -> Path:
    return folder / "data" if fold is None else folder / "data" / f"fold-{fold}"


def _made(
    trains: SpikeTrains, name: str, request: Request, split: Split | None
) -> tuple[VariantData, dict[str, Any], Split]:
    if request.protocol == "yu2025":
        return _as_published(trains, name)
    if split is not None:  # one set for all folds: a group alone may lack what the others' thresholds ask for
        return *prepare_variant(trains, split, name, normalise="pooled", seed=SPLIT_SEED), split
    split = make_split(trains, seed=SPLIT_SEED)
    return *prepare_variant(trains, split, name, normalise="train", seed=SPLIT_SEED), split


def _as_published(trains: SpikeTrains, name: str) -> tuple[VariantData, dict[str, Any], Split]:
    """Take thresholds from binary rasters of all samples, then divide the shuffled samples by number.

    The rules are those of the published script where it differs from Eqs. 6-9: ε inclusive (2 % for SSC), no
    class rule, units with one spike or more.
    """
    if name == "whole":
        made = trains[np.random.default_rng(SPLIT_SEED).permutation(len(trains))]
    else:
        make = variants.part if name == "part" else variants.norm
        made = make(
            trains,
            bin_s=round(trains.duration_s / PUBLISHED_BINS, 6),
            epsilon=float(np.nextafter(0.02 if trains.n_classes == SSC_CLASSES else 0.01, 1)),
            min_class_share=1e-9,
            fewest=1,
            seed=SPLIT_SEED,
        )
    split = make_split(made, seed=SPLIT_SEED, protocol="yu2025")
    indices = {"train": split.train, "validation": split.validation, "test": split.test}
    return VariantData(made, indices), variant_facts(made, indices), split


_store = lru_cache(maxsize=1)(VariantStore)  # a worker reads each variant once


def variant_of(folder: Path, name: str, fold: int | None = None) -> VariantData:
    """Return a variant of an experiment's data."""
    return _store(_place(folder, fold)).read(name)


def facts_of(folder: Path, name: str, fold: int | None = None) -> dict[str, Any]:
    """Return what was kept and dropped in making a variant."""
    return VariantStore(_place(folder, fold)).facts(name)


def drawn_anew(
    folder: Path, train: SpikeTrains, fold: int | None = None
) -> Callable[[np.random.Generator], SpikeTrains]:
    """Return what draws norm's training samples anew from part's."""
    part = variant_of(folder, "part", fold).train
    return lambda rng: redraw(train, part, rng)


J = TypeVar("J", bound=VariantJob)


def one_way(job: VariantJob) -> None:
    """Return no fold: the samples are divided in one way."""


def outcomes(
    folder: Path,
    jobs: Sequence[J],
    arm_of: Callable[[J], Arm],
    fold_of: Callable[[J], int | None] = one_way,
) -> Outcomes:
    """Return what the networks of finished jobs answered; jobs of one arm and seed are put together.

    Where there are folds, the test samples are those of all of them, one fold after another.
    """
    folds = sorted({fold_of(job) for job in jobs}, key=lambda fold: fold or 0)
    labels = {
        name: np.concatenate([variant_of(folder, name, fold).test.labels for fold in folds])
        for name in {job.variant for job in jobs}
    }
    groups = {name: _groups_of(folder, name, folds) for name in labels}
    predictions: dict[tuple[Arm, int], dict[Test, list[np.ndarray]]] = {}
    validation: dict[tuple[Arm, int], list[float]] = {}
    for job in sorted(jobs, key=lambda job: fold_of(job) or 0):
        result = read_result(folder, job)
        key = arm_of(job), job.seed
        for test in result["tests"]:
            found = predictions.setdefault(key, {}).setdefault((test["perturbation"], test["level"]), [])
            found.append(np.array(test["classes"], dtype=np.int32))
        validation.setdefault(key, []).append(result["training"]["validation_accuracy"])
    answers = [
        Answers(*key, float(np.mean(validation[key])), {t: np.concatenate(c) for t, c in found.items()})
        for key, found in predictions.items()
    ]
    return Outcomes(answers, labels, groups)


def _groups_of(folder: Path, variant: str, folds: Sequence[int | None]) -> Int64[np.ndarray, " tests"] | None:
    """Return who or what the test samples of all folds came from, where that is known."""
    of_folds = [variant_of(folder, variant, fold).test.groups for fold in folds]
    known = [groups for groups in of_folds if groups is not None]
    return np.concatenate(known) if len(known) == len(of_folds) else None


def title(figure: str, plan: Plan, papers: Sequence[str] = ("SHD", "SSC")) -> str:
    """Return a figure's title, which says what data it is of."""
    of = f"{figure}, on {plan['data']}"
    return of if plan["data"].upper() in papers else f"{of} (the paper: {' and '.join(papers)})"


def protocol_notes(plan: Plan, split: str) -> list[str]:
    """Return what a reader must know of how samples were divided and how many seeds there are."""
    seeds = len(plan["seeds"])
    few = " Fewer than five seeds are a look, not a result: --preset paper has five." if seeds < 5 else ""
    pooled = "Part and norm take their thresholds from the counts of all samples, as published."
    notes = [f"{split} {seeds} seeds.{few}", f"Time step {1000 * plan['dt_s']:g} ms."]
    return notes if plan.get("protocol") != "one-group-out" else [*notes, pooled]
