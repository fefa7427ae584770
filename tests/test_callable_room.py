"""Rooms that answer when called say of themselves what their function says."""

import importlib
import inspect
import pydoc

import pytest

import beyondrate as br


@pytest.mark.parametrize(
    ("name", "place"), [("audit", "audit.run"), ("bench", "bench.run"), ("reproduce", "reproduce.run")]
)
def test_help_and_inspect_show_the_function(name, place):
    room, function = getattr(br, name), getattr(importlib.import_module(f"beyondrate.{place}"), name)
    assert inspect.ismodule(room) and not inspect.ismodule(function)
    assert inspect.signature(room) == inspect.signature(function)
    assert inspect.unwrap(room) is function
    shown = pydoc.render_doc(room, renderer=pydoc.plaintext)
    head, _, rest = shown.partition("PACKAGE CONTENTS")
    assert rest  # what the room holds comes after the function
    assert f"{name}(" in head and "Args:" in head and "Raises:" in head
    for parameter in inspect.signature(function).parameters:
        assert f"{parameter}: " in head
