"""The benchmark of scaling: what it measures and leaves out, its figure and its page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from beyondrate.bench.networks import Size


@pytest.fixture(scope="module")
def scaling(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("scaling")


def small(**changes: object) -> Size:
    return Size(**{"batch": 2, "n_steps": 8, "n_units": 11, "hidden": (8, 6), "density": 0.3} | changes)


def sweeps(scaling: ModuleType) -> dict:
    ways = ("beyondrate", "snntorch", "dense products")
    return {
        "batch": scaling.Sweep("Batch", "samples", (2, 4), lambda n: small(batch=n), ways),
        "threads": scaling.Sweep("Threads", "threads", (1, 2), lambda _: small(), ways),
        "steps": scaling.Sweep("Duration", "time steps", (5,), lambda n: small(n_steps=n), ways),
        "long": scaling.Sweep("Long", "time steps", (5, 10), lambda n: small(n_steps=n), ("beyondrate",)),
    }


def test_every_way_is_timed_at_every_value_drawn_and_told(scaling: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("snntorch")
    result = scaling.measure(sweeps(scaling), against=["snntorch"], rounds=2, threads=1)
    timed = {(row["sweep"], row["value"], row["way"]) for row in result["rows"]}
    ways = ("beyondrate", "snntorch", "dense products")
    two = {(name, value, way) for name, value in [("batch", 2), ("batch", 4)] for way in ways}
    assert two | {("long", 5, "beyondrate"), ("long", 10, "beyondrate")} <= timed
    assert len(timed) == len(result["rows"]) == 3 * (2 + 2 + 1) + 2
    assert all(row["quartiles_s"][0] <= row["median_s"] <= row["quartiles_s"][1] for row in result["rows"])
    assert not result["left_out"] and result["record"]["threads"] == 1

    scaling.draw(json.loads(json.dumps(result)), tmp_path / "figures" / "scaling.png")
    assert (tmp_path / "figures" / "scaling.png").read_bytes()[:4] == b"\x89PNG"
    page = scaling.page(result)
    assert "## Threads" in page and "beyondrate, batch 2" in page
    ours, peer = (
        next(row["median_s"] for row in result["rows"] if (row["way"], row["value"]) == (way, 4))
        for way in ("beyondrate", "snntorch")
    )
    line = next(line for line in page.splitlines() if line.startswith("| 4 |"))
    assert line.endswith(f"| {peer / ours:.1f} |")


def test_what_takes_a_peer_too_long_or_too_much_memory_is_left_out_and_said(scaling: ModuleType) -> None:
    sweep = scaling.Sweep(
        "Batch", "samples", (1, 1000), lambda n: small(batch=n), ("beyondrate", "dense products")
    )
    result = scaling.measure({"batch": sweep}, against=[], rounds=1, threads=1, most_s=1e-4)
    assert {row["value"] for row in result["rows"] if row["way"] == "beyondrate"} == {1, 1000}
    (left,) = result["left_out"]
    assert (left["value"], left["way"]) == (1000, "dense products") and "a step" in left["why"]
    assert f"Left out: dense products at 1000 samples, {left['why']}." in scaling.page(result)
    assert "GB" in scaling.too_much("norse", Size(n_steps=10_000), None, 20.0)
    assert not scaling.too_much("beyondrate", Size(n_steps=10_000), None, 20.0)


def test_seconds_are_foretold_in_proportion_to_the_products(scaling: ModuleType) -> None:
    before = small(), 3.0
    assert scaling.n_products(small()) == 2 * 8 * (11 * 8 + 8 * 6 + 6 * 20)
    assert not scaling.too_much("norse", small(batch=4), before, 6.1)
    assert "up to 6 s" in scaling.too_much("norse", small(batch=4), before, 5.9)
