"""beyondrate perturb replace|jitter|jitter-unit|delete|reverse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beyondrate.cli.arguments import Force, In, Out, Seed
from beyondrate.cli.files import input_and_output
from beyondrate.cli.terminal import out_console
from beyondrate.perturb import PERTURBATIONS

app = typer.Typer(help="Perturb spike trains, exactly and seeded.", no_args_is_help=True)

Level = Annotated[float, typer.Option(help="A fraction from 0 to 1; seconds for the jitters.")]


def _perturb_command(name: str, summary: str, level_unit: str | None) -> None:
    """Make ``beyondrate perturb NAME IN OUT`` for one entry of the registry."""

    def with_level(
        source: In,
        target: Out,
        level: Level,
        seed: Seed = 0,
        force: Force = False,
    ) -> None:
        _perturb(name, source, target, level, seed, force)

    def without_level(source: In, target: Out, force: Force = False) -> None:
        _perturb(name, source, target, None, 0, force)

    app.command(name, help=summary)(without_level if level_unit is None else with_level)


def _perturb(name: str, source: str, target: Path, level: float | None, seed: int, force: bool) -> None:
    from beyondrate import perturb, storage

    path = input_and_output(source, target, force=force)
    trains = perturb.apply(storage.load(path), name, level, seed)
    storage.save(trains, target)
    out_console.print(f"{target}: {trains!r}", highlight=False)


for _entry in PERTURBATIONS.values():
    _perturb_command(_entry.name, _entry.summary, _entry.level_unit)
