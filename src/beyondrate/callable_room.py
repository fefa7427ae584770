"""Rooms that answer when called, so that ``br.audit(data)`` and ``beyondrate.audit.metrics`` can both be."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    _answer: tuple[str, str]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Call the function that the room answers with."""
        module, name = self._answer
        return getattr(import_module(module), name)(*args, **kwargs)


def answers_with(room: str, module: str, name: str) -> None:
    """Let a room, when it is called, call a function of one of its modules, imported only then."""
    module_object = sys.modules[room]
    module_object.__class__ = _Room
    module_object._answer = (module, name)  # type: ignore[attr-defined]
