"""beyondrate data list|get|info|import|export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from beyondrate.cli.arguments import In, Out
from beyondrate.cli.terminal import out_console, progress_shown

app = typer.Typer(help="Event data: named sets, files and what is in them.", no_args_is_help=True)


@app.command("list")
def data_list() -> None:
    """List the data sets that can be asked for by name."""
    from beyondrate import datasets

    table = Table("name", "what it is")
    for entry in datasets.DATA_SETS.values():
        table.add_row(entry.name, entry.summary)
    out_console.print(table)


@app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="A data set's name.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="File or folder of the published files, packed or not.")
    ] = None,
) -> None:
    """Make or fetch a data set into the cache, and say what it is."""
    from beyondrate import datasets, storage

    with progress_shown("A download goes on where it stopped.") as progress:
        path = datasets.get(name, source, progress)
    with storage.opened(path) as trains:
        out_console.print(f"{path}: {trains}", highlight=False, soft_wrap=True)
        if "accuracy" in trains.meta:
            out_console.print(f"An accuracy on it is one {trains.meta['accuracy']}.", highlight=False)
        for original in trains.meta.get("originals", ()):
            out_console.print(
                "{name}: MD5 {md5}, {check}".format(**original), highlight=False, soft_wrap=True
            )


@app.command("info")
def data_info(path: Annotated[Path, typer.Argument(help="Event file, .h5 or .npz.")]) -> None:
    """Say what is in an event file, and what in it would mislead an analysis of timing."""
    from beyondrate import storage
    from beyondrate.datasets.info import describe

    out_console.print(str(describe(storage.load(path))), highlight=False, markup=False)


@app.command("import")
def data_import(
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="SHD's HDF5, .npz, .csv, a recording .aedat, N-MNIST's folder."),
    ],
    target: Out,
) -> None:
    """Read event data of others and write it as OUT's suffix says.

    A recording NAME.aedat is cut into labelled samples as NAME_labels.csv beside it says. The columns of a
    .csv are time_us or time_s, unit, sample, and label and group if there are any.
    """
    from beyondrate import storage

    storage.check_writable(target)
    with storage.opened(source) as trains:
        storage.save(trains.stream() if isinstance(trains, storage.EventFile) else trains, target)
        out_console.print(f"{target}: {trains!r}", highlight=False, soft_wrap=True)


@app.command("export")
def data_export(
    source: In,
    target: Out,
    format: Annotated[str, typer.Option(help="h5 (ours), shd (SHD's layout) or npz.")] = "shd",
) -> None:
    """Write an event file in a layout that other tools read."""
    from beyondrate import storage

    storage.check_writable(target)
    storage.save(storage.load(source), target, format=format)
    out_console.print(f"{target}: written as {format}", highlight=False)
