"""The folder of a run: its plan, the data of each variant, and one file a finished job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from beyondrate import storage
from beyondrate.audit.plan import Job, Plan
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class VariantData:
    """One variant of the data and which of its samples train, validate and test."""

    trains: SpikeTrains
    indices: Mapping[str, Int64[np.ndarray, " chosen"]]

    @cached_property
    def train(self) -> SpikeTrains:
        """Samples to learn from."""
        return self.trains[self.indices["train"]]

    @cached_property
    def validation(self) -> SpikeTrains:
        """Samples that choose: the epoch, τ, bin widths, regularisation."""
        return self.trains[self.indices["validation"]]

    @cached_property
    def test(self) -> SpikeTrains:
        """Samples that are looked at once."""
        return self.trains[self.indices["test"]]


class RunFolder:
    """Reads and writes the files of a run; every one appears whole or not at all.

    Args:
        path: the folder; made when something is first written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.variant = lru_cache(maxsize=None)(self._read_variant)

    @property
    def asked_for(self) -> Plan:
        """The plan as the user asked for it."""
        return Plan.from_json(read_json(self.path / "plan.json"))

    @cached_property
    def plan(self) -> Plan:
        """The plan that the run follows: without the variants that could not be made of the data."""
        plan = self.asked_for
        return replace(plan, variants=tuple(name for name in plan.variants if name not in self.left_out()))

    def write_plan(self, plan: Plan) -> None:
        """Keep the plan; jobs may be run from now on."""
        write_json(self.path / "plan.json", plan.as_json())

    def holds_plan(self) -> bool:
        """Tell whether a run was begun here."""
        return (self.path / "plan.json").is_file()

    def write_variant(self, name: str, data: VariantData, facts: Mapping[str, Any]) -> None:
        """Keep a variant's events, its parts, and what was kept and dropped in making it."""
        folder = self.path / "data"
        folder.mkdir(parents=True, exist_ok=True)
        storage.save(data.trains, folder / f"{name}.h5")
        parts = {part: data.indices[part].tolist() for part in PARTS}
        write_json(folder / f"{name}.json", {"parts": parts, "facts": dict(facts)})

    def leave_out_variant(self, name: str, reason: str) -> None:
        """Keep why a variant cannot be made of the data."""
        write_json(self.path / "data" / f"{name}.json", {"left_out": reason})

    def left_out(self) -> dict[str, str]:
        """Return why each variant that was left out could not be made."""
        found = {path.stem: read_json(path) for path in sorted((self.path / "data").glob("*.json"))}
        return {name: value["left_out"] for name, value in found.items() if "left_out" in value}

    def has_variant(self, name: str) -> bool:
        """Tell whether a variant is complete (its parts are written last), or known to be left out."""
        return (self.path / "data" / f"{name}.json").is_file()

    def variant_facts(self, name: str) -> dict[str, Any]:
        """Return what was kept and dropped in making a variant."""
        facts: dict[str, Any] = read_json(self.path / "data" / f"{name}.json")["facts"]
        return facts

    def _read_variant(self, name: str) -> VariantData:
        parts = read_json(self.path / "data" / f"{name}.json")["parts"]
        trains = storage.load(self.path / "data" / f"{name}.h5")
        return VariantData(trains, {part: np.array(parts[part], dtype=np.int64) for part in PARTS})

    def _result_path(self, job: Job) -> Path:
        return self.path / "jobs" / f"{job.key}.json"

    def has_result(self, job: Job) -> bool:
        """Tell whether a job is finished."""
        return self._result_path(job).is_file()

    def result(self, job: Job) -> dict[str, Any]:
        """Return what a finished job found."""
        found: dict[str, Any] = read_json(self._result_path(job))
        return found

    def write_result(self, job: Job, result: Mapping[str, Any]) -> None:
        """Keep what a job found: it is finished from now on."""
        write_json(self._result_path(job), result)

    def checkpoint_path(self, job: Job) -> Path:
        """Return where a job keeps its trained network."""
        folder = self.path / "checkpoints"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{job.key}.safetensors"


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON to a file that appears whole or not at all; NaN and infinity are refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with storage.atomic_path(path) as aside:
        aside.write_text(json.dumps(value, allow_nan=False, indent=1, ensure_ascii=False), encoding="utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401
    """Read a JSON file that this run wrote.

    Raises:
        InputError: if it is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot be read ({error})", remedy="start the run again in another folder", file=path
        ) from error
