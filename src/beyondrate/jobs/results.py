"""The results of finished jobs, one JSON file each, in a run's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from beyondrate import storage
from beyondrate.errors import InputError


@runtime_checkable
class Job(Protocol):
    """One piece of work: a frozen dataclass of plain values."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def key(self) -> str:
        """The job's name, also of the file that keeps its result."""


def has_result(folder: Path, job: Job) -> bool:
    """Tell whether a job is finished."""
    return _path(folder, job.key).is_file()


def read_result(folder: Path, job: Job) -> dict[str, Any]:
    """Return what a finished job found.

    Raises:
        InputError: if it is not finished, or its file is not JSON.
    """
    found: dict[str, Any] = read_json(_path(folder, job.key))
    return found


def write_result(folder: Path, key: str, result: Mapping[str, Any]) -> None:
    """Keep what a job found: it is finished from now on."""
    write_json(_path(folder, key), result)


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


def _path(folder: Path, key: str) -> Path:
    return folder / "jobs" / f"{key}.json"
