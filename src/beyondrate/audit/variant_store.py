"""The variants of the data in a run's folder, each with the samples that train, validate and test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from beyondrate import storage
from beyondrate.events import SpikeTrains
from beyondrate.jobs import read_json, write_json

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


class VariantStore:
    """Reads and writes variants; each appears whole or not at all.

    Args:
        path: the folder; made when something is first written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read = lru_cache(maxsize=None)(self._read)

    def write(self, name: str, data: VariantData, facts: Mapping[str, Any]) -> None:
        """Keep a variant's events, its parts, and what was kept and dropped in making it."""
        self.path.mkdir(parents=True, exist_ok=True)
        storage.save(data.trains, self.path / f"{name}.h5")
        parts = {part: data.indices[part].tolist() for part in PARTS}
        write_json(self.path / f"{name}.json", {"parts": parts, "facts": dict(facts)})

    def leave_out(self, name: str, reason: str) -> None:
        """Keep why a variant cannot be made of the data."""
        write_json(self.path / f"{name}.json", {"left_out": reason})

    def left_out(self) -> dict[str, str]:
        """Return why each variant that was left out could not be made."""
        found = {path.stem: read_json(path) for path in sorted(self.path.glob("*.json"))}
        return {name: value["left_out"] for name, value in found.items() if "left_out" in value}

    def has(self, name: str) -> bool:
        """Tell whether a variant is complete (its parts are written last), or known to be left out."""
        return (self.path / f"{name}.json").is_file()

    def facts(self, name: str) -> dict[str, Any]:
        """Return what was kept and dropped in making a variant."""
        facts: dict[str, Any] = read_json(self.path / f"{name}.json")["facts"]
        return facts

    def _read(self, name: str) -> VariantData:
        parts = read_json(self.path / f"{name}.json")["parts"]
        trains = storage.load(self.path / f"{name}.h5")
        return VariantData(trains, {part: np.array(parts[part], dtype=np.int64) for part in PARTS})
