"""beyondrate variant part|norm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from beyondrate.cli.arguments import Force, In, Out, Seed
from beyondrate.cli.files import input_and_output
from beyondrate.cli.terminal import out_console, progress_shown

app = typer.Typer(help="Variants of event data with spike counts controlled.", no_args_is_help=True)

Bin = Annotated[float | None, typer.Option(help="Spikes of a unit in one bin of so many seconds count once.")]


@app.command("part")
def variant_part(source: In, target: Out, bin: Bin = None, seed: Seed = 0, force: Force = False) -> None:
    """Keep the units and samples that spike often enough, and as many samples of every class."""
    _variant("part", source, target, bin, seed, force)


@app.command("norm")
def variant_norm(source: In, target: Out, bin: Bin = None, seed: Seed = 0, force: Force = False) -> None:
    """Remove every trace of spike count: each unit spikes equally often in every sample."""
    _variant("norm", source, target, bin, seed, force)


def _variant(
    name: Literal["part", "norm"], source: str, target: Path, bin_s: float | None, seed: int, force: bool
) -> None:
    from beyondrate import storage, variants

    path = input_and_output(source, target, force=force)
    with storage.opened(path) as trains, progress_shown() as progress:
        made = variants.stream(name, trains, bin_s=bin_s, seed=seed, progress=progress)
        storage.save(made, target)
    out_console.print(f"{target}: {made}", highlight=False, soft_wrap=True)
    table = Table("class", "before", "after")
    for line in made.meta["variant"]["per_class"]:
        table.add_row(str(line["class"]), str(line["before"]), str(line["after"]))
    out_console.print(table)
