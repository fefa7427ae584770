"""The result of an audit: its tables and its verdict, from Python and as files."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from beyondrate import storage
from beyondrate.audit.outcomes import Row
from beyondrate.audit.verdict import Verdict
from beyondrate.jobs import write_json


@dataclass(frozen=True)
class AuditResult:
    """What an audit found.

    Args:
        rows: one line a variant, model, control, perturbation, level and seed, as in results.csv.
        verdict: headline, findings with intervals, warnings.
        report: everything that results.json and the HTML page hold.
    """

    rows: Sequence[Row]
    verdict: Verdict
    report: Mapping[str, Any]

    @property
    def summary(self) -> list[dict[str, Any]]:
        """Mean accuracy over seeds with its interval, one line an arm and test."""
        lines: list[dict[str, Any]] = self.report["summary"]
        return lines

    def __str__(self) -> str:
        lines = [self.verdict.headline, ""]
        lines += [f"{finding.title}: {finding.sentence}" for finding in self.verdict.findings]
        lines += [f"Warning: {warning}" for warning in self.verdict.warnings]
        return "\n".join(lines)

    def save(self, folder: str | Path) -> None:
        """Write results.csv and results.json into a folder, which is made if needed."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        table = rows_as_csv(self.rows)
        with storage.atomic_path(target / "results.csv") as aside:
            aside.write_text(table, encoding="utf-8")
        hashes = {**self.report["hashes"], "results.csv": hashlib.sha256(table.encode()).hexdigest()}
        write_json(target / "results.json", {**self.report, "hashes": hashes})


def row_dicts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows as dictionaries, in the order of the columns of results.csv."""
    return [asdict(row) for row in rows]


def rows_as_csv(rows: Sequence[Row]) -> str:
    """Return rows as CSV text with a header line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(row_dicts(rows))
    return text.getvalue()
