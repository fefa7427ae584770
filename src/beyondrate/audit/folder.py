"""The folder of an audit: its plan, the data of each variant, finished jobs and trained networks."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from beyondrate.audit.plan import Job, Plan
from beyondrate.audit.variant_store import VariantStore
from beyondrate.jobs import read_json, read_result, write_json


class RunFolder:
    """Reads and writes the files of a run; every one appears whole or not at all.

    Args:
        path: the folder; made when something is first written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.variants = VariantStore(path / "data")

    @property
    def asked_for(self) -> Plan:
        """The plan as the user asked for it."""
        return Plan.from_json(read_json(self.path / "plan.json"))

    @cached_property
    def plan(self) -> Plan:
        """The plan that the run follows: without the variants that could not be made of the data."""
        plan, left_out = self.asked_for, self.variants.left_out()
        return replace(plan, variants=tuple(name for name in plan.variants if name not in left_out))

    def write_plan(self, plan: Plan) -> None:
        """Keep the plan; jobs may be run from now on."""
        write_json(self.path / "plan.json", plan.as_json())

    def holds_plan(self) -> bool:
        """Tell whether a run was begun here."""
        return (self.path / "plan.json").is_file()

    def result(self, job: Job) -> dict[str, Any]:
        """Return what a finished job found."""
        return read_result(self.path, job)
