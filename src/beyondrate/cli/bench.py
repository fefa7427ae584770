"""beyondrate bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from beyondrate.cli.arguments import names
from beyondrate.cli.terminal import out_console, progress_shown


def bench(
    against: Annotated[
        str, typer.Option(help="Peers to time beside it, if installed: snntorch,spikingjelly,norse,tonic.")
    ] = "",
    work: Annotated[str, typer.Option(help="Which work; all of it if not given.")] = "",
    rounds: Annotated[int, typer.Option(help="How often each is timed, in turns.", min=1)] = 15,
    threads: Annotated[int | None, typer.Option(help="Threads (as many as torch takes).", min=1)] = None,
    memory: Annotated[bool, typer.Option(help="Measure the training steps' memory too.")] = True,
    explain: Annotated[bool, typer.Option("--explain", help="Say which code each operation ran on.")] = False,
    out: Annotated[Path | None, typer.Option(help="JSON file to keep the result in.")] = None,
) -> None:
    """Time the hot work, alone or beside other frameworks, in one process and in turns."""
    import beyondrate as br
    from beyondrate.bench.run import NAMES

    with progress_shown() as progress:
        result = br.bench(
            names(work) or NAMES,
            against=names(against),
            rounds=rounds,
            threads=threads,
            memory=memory,
            out=out,
            progress=progress,
        )
    _print_rows(result["rows"])
    if explain:
        for operation, backends in result["explain"].items():
            out_console.print(f"{operation}: {', '.join(backends)}", highlight=False)


def _print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table("work", "way", "median ms", "quartiles", "× the first", "memory MB")
    for before, row in zip([None, *rows], rows, strict=False):
        new = before is None or before["work"] != row["work"]
        low, high = row["quartiles_s"]
        table.add_row(
            row["work"] if new else "",
            row["way"],
            f"{1e3 * row['median_s']:.1f}",
            f"{1e3 * low:.1f} to {1e3 * high:.1f}",
            f"{row['times_the_first']:.2f}",
            f"{row['memory_bytes'] / 1e6:,.0f}" if "memory_bytes" in row else "",
        )
    out_console.print(table, highlight=False, markup=False)
