"""How long work tells its caller how far it is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Called as ``progress(done, total, what)`` whenever a piece of long work is finished."""

    def __call__(self, done: int, total: int, what: str) -> None:  # noqa: D102
        ...


def silent(done: int, total: int, what: str) -> None:
    """Tell nobody."""
