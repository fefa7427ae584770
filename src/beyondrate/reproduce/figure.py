"""A figure that was made again: what is drawn, what the paper says, and what of it holds here."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from beyondrate import storage
from beyondrate.audit.metrics import Interval
from beyondrate.jobs import write_json

Holds = Literal["holds", "does not hold", "not decided"]
NORMAL_95 = 1.96  # half the width of a 95 % interval, in standard errors


@dataclass(frozen=True)
class Series:
    """One curve, one set of bars or dots, or the spikes of one raster.

    Args:
        name: as in the legend.
        x: places on the horizontal axis; for bars the number of the group.
        y: heights.
        low, high: ends of the 95 % intervals, where there are any.
        seeds: for each x the figures of the single seeds, where there are any.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    seeds: Sequence[Sequence[float]] | None = None


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Args:
        title: above it.
        kind: "lines", "bars" (groups of them), "raster" (x in ms, y a unit) or "map" (classes on a grid).
        x_label, y_label: of its axes.
        series: what is drawn.
        references: named horizontal lines, such as chance and ceilings.
        groups: names of the groups of bars.
        grid: of a map, the class at each (y, x).
        extent: of a map, the first and last x and y.
        logarithmic: draw x on a logarithmic axis.
    """

    title: str
    kind: Literal["lines", "bars", "raster", "map"]
    x_label: str = ""
    y_label: str = ""
    series: Sequence[Series] = ()
    references: Mapping[str, float] = field(default_factory=dict)
    groups: Sequence[str] = ()
    grid: Sequence[Sequence[int]] = ()
    extent: tuple[float, float, float, float] | None = None
    logarithmic: bool = False


@dataclass(frozen=True)
class Published:
    """A number that a paper prints, with where it stands and how it was obtained."""

    quantity: str
    value: float
    source: str
    protocol: str


@dataclass(frozen=True)
class Comparison:
    """A published number beside ours.

    Args:
        published: the paper's.
        ours: ours with its 95 % interval, or None where it was not measured.
        same_data: whether both are of the same data; a difference between different data says nothing.
        note: what differs otherwise.
    """

    published: Published
    ours: Interval | None
    same_data: bool
    note: str = ""

    @property
    def difference_in_errors(self) -> float | None:
        """Ours less theirs in standard errors of ours; None where the data differ or nothing was measured."""
        if self.ours is None or not self.same_data:
            return None
        error = (self.ours.high - self.ours.low) / (2 * NORMAL_95)
        if error == 0:
            return None
        return round((self.ours.estimate - self.published.value) / error, 1) + 0.0  # never "-0.0"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, or of ours, and whether our measurement bears it out."""

    sentence: str
    source: str
    holds: Holds
    measured: str


@dataclass(frozen=True)
class Reproduction:
    """A figure made again, with everything that a reader needs to judge it.

    Args:
        figure: its name, such as "yu2025/fig5".
        title: says which figure, of which data.
        panels: what is drawn.
        comparisons: the published numbers beside ours.
        claims: what of the paper holds here.
        rows: the measurements one by one, for results.csv.
        notes: what a reader must know beside them.
        record: command, versions, seeds, settings.
    """

    figure: str
    title: str
    panels: Sequence[Panel]
    comparisons: Sequence[Comparison] = ()
    claims: Sequence[Claim] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()
    record: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON-like values, as in results.json."""
        value = asdict(self)
        for written, comparison in zip(value["comparisons"], self.comparisons, strict=True):
            written["ours"] = None if comparison.ours is None else comparison.ours._asdict()
            written["difference_in_errors"] = comparison.difference_in_errors
        return {"kind": "reproduction", **value}

    def save(self, folder: Path) -> None:
        """Write results.csv and results.json into a folder, which is made if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        with storage.atomic_path(folder / "results.csv") as aside:
            aside.write_text(_csv(self.rows), encoding="utf-8")
        write_json(folder / "results.json", self.as_json())


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
