"""beyondrate reproduce."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.table import Table

from beyondrate.cli.terminal import KEPT, out_console, progress_shown

if TYPE_CHECKING:
    from beyondrate.reproduce.experiment import Preset, Protocol
    from beyondrate.reproduce.figure import Reproduction


def reproduce(
    figure: Annotated[str, typer.Argument(help='A figure, such as yu2025/fig5; "list" names them all.')],
    data: Annotated[
        str | None,
        typer.Option(help="A data set's name, or a path: .h5, .npz, .csv, ... (shd if here, else ours)."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="quick (minutes, a look) or paper (five seeds or more).")
    ] = "quick",
    seeds: Annotated[int | None, typer.Option(help="Trainings of each net (the preset's).", min=1)] = None,
    protocol: Annotated[
        str,
        typer.Option(help="held-out (speakers apart), yu2025 (as that paper's code does), one-group-out."),
    ] = "held-out",
    out: Annotated[Path | None, typer.Option(help="Folder for a paper's figures (runs/PAPER).")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes side by side (one a processor).", min=0)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run; refused if only others were begun in OUT.")
    ] = False,
) -> None:
    """Make a paper's figure again: picture, table, and what of the paper holds here."""
    import beyondrate as br
    from beyondrate.reproduce.run import FIGURES

    if figure == "list":
        table = Table("figure", "what it shows")
        for entry in FIGURES.values():
            table.add_row(entry.name, entry.shows)
        out_console.print(table)
        return
    paper, _, name = figure.partition("/")
    folder = (out or Path("runs") / paper) / name
    with progress_shown(KEPT) as progress:
        made = br.reproduce(
            figure,
            data=data,
            preset=cast("Preset", preset),  # refused there if it is another word
            seeds=seeds,
            protocol=cast("Protocol", protocol),
            out=folder.parent,
            workers=workers,
            resume=resume,
            command="beyondrate " + " ".join(sys.argv[1:]),
            progress=progress,
        )
    br.write_reproduction(made.as_json(), folder)
    _print_reproduction(made)
    out_console.print(f"\nFigure: {folder / 'report.html'}, figure.png, figure.svg", highlight=False)


def _print_reproduction(made: Reproduction) -> None:
    out_console.print(made.title, style="bold", highlight=False, markup=False)
    if made.claims:
        table = Table("claim", "here", "measured")
        for claim in made.claims:
            table.add_row(claim.sentence, claim.holds, claim.measured)
        out_console.print(table, highlight=False, markup=False)
    if made.comparisons:
        table = Table("quantity", "published", "ours", "difference / error")
        for row in made.comparisons:
            ours, errors = row.ours, row.difference_in_errors
            table.add_row(
                row.published.quantity,
                f"{row.published.value:.4g}",
                "–" if ours is None else f"{ours.estimate:.4g} ({ours.low:.4g} to {ours.high:.4g})",
                f"{errors:+.1f}" if errors is not None else "" if row.same_data else "other data",
            )
        out_console.print(table, highlight=False, markup=False)
    for note in made.notes:
        out_console.print(note, style="dim", highlight=False, markup=False)
