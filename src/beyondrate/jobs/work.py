"""Doing one job, in whichever process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from beyondrate.jobs.results import write_result


@runtime_checkable
class Tell(Protocol):
    """Called with the share of a job that is done, and a word on it."""

    def __call__(self, share: float, what: str) -> None: ...  # noqa: D102


Work = Callable[[Path, dict[str, Any], Tell], Mapping[str, Any]]


def do(work: str, folder: Path, key: str, job: dict[str, Any], tell: Tell) -> None:
    """Do a job and keep its result in the folder."""
    module, _, name = work.partition(":")
    function: Work = getattr(import_module(module), name)
    write_result(folder, key, function(folder, job, tell))
