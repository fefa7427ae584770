"""Rooms that answer when called, so that ``br.audit(data)`` and ``beyondrate.audit.metrics`` can both be."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    _answer: tuple[str, str]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return self.__wrapped__(*args, **kwargs)

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function that the room answers with, where inspect looks for it."""
        module, name = self._answer
        answer: Callable[..., Any] = getattr(import_module(module), name)
        return answer

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.__wrapped__)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        """The function's signature and text, which help() then shows first."""
        answer = self.__wrapped__
        return f"{answer.__name__}{self.__signature__}\n\n{inspect.getdoc(answer)}"


def answers_with(room: str, module: str, name: str) -> None:
    """Let a room, when it is called, call a function of one of its modules, imported only then."""
    module_object = sys.modules[room]
    module_object.__class__ = _Room
    module_object._answer = (module, name)  # type: ignore[attr-defined]
