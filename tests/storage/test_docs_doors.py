"""What docs/doors.md shows runs, in the order that it is shown in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_nwb import session

DOORS = (Path(__file__).parents[2] / "docs" / "doors.md").read_text(encoding="utf-8")


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session(tmp_path / "session.nwb")
    found = re.findall(r"```python\n(.*?)```", DOORS, flags=re.DOTALL)
    assert len(found) == 8
    names: dict[str, object] = {}
    for example in found:
        exec(example, names)
    assert len(names["again"]) == 3


def test_every_transform_that_is_warned_of_is_in_the_table() -> None:
    from beyondrate.datasets.tonic_view import TRANSFORM_EFFECTS

    assert all(f"`{name}`" in DOORS for name in TRANSFORM_EFFECTS)
