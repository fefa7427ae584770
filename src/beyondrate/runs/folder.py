"""The folder of one trained network: its weights, its table of accuracies, and how all of it was obtained."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer

from beyondrate import storage
from beyondrate.audit.metrics import HeldOut, Resampler, accuracy_interval
from beyondrate.audit.outcomes import Row, Test
from beyondrate.errors import InputError
from beyondrate.jobs import read_json, write_json
from beyondrate.storage.atomic import check_folder

CHECKPOINT = "network.safetensors"


def check_new(folder: Path) -> None:
    """Refuse a folder that holds something or cannot be written to, before any work.

    Raises:
        InputError: if it is not empty, no folder, or not to be written to.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("is not an empty folder", remedy="give a new folder for the run", file=folder)
    check_folder(folder)


def read_results(folder: Path) -> dict[str, Any]:
    """Return results.json of a trained network.

    Raises:
        InputError: if the folder holds none.
    """
    if not (folder / "results.json").is_file():
        raise InputError("holds no trained network", remedy="give the folder that train wrote", file=folder)
    results: dict[str, Any] = read_json(folder / "results.json")
    if results.get("kind") != "training":
        raise InputError("holds another kind of run", remedy="give the folder that train wrote", file=folder)
    return results


def write_results(folder: Path, results: Mapping[str, Any]) -> None:
    """Write results.json, and its rows as results.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: row[name] for name in writer.fieldnames} for row in results["rows"])
    with storage.atomic_path(folder / "results.csv") as aside:
        aside.write_text(text.getvalue(), encoding="utf-8")
    hashes = {**results["hashes"], "results.csv": hashlib.sha256(text.getvalue().encode()).hexdigest()}
    write_json(folder / "results.json", {**results, "hashes": hashes})


def row(
    model: str,
    control: str,
    test: Test,
    seed: int,
    split: str,
    predicted: Integer[np.ndarray, " tests"],
    labels: Integer[np.ndarray, " tests"],
) -> dict[str, Any]:
    """Return a line of results.csv, with the 95 % interval of its accuracy over the samples."""
    correct = np.asarray(predicted == labels)[None]
    held_out = HeldOut(labels)
    interval = accuracy_interval(correct, Resampler(held_out))
    line = Row("given", model, control, *test, seed, split, interval.estimate, len(labels), held_out.chance)
    return {**asdict(line), "low": interval.low, "high": interval.high}
