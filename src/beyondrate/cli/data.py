"""beyondrate data list|get|info|import|export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from beyondrate.cli.arguments import Force, In, Out, names
from beyondrate.cli.files import check_output, check_picture, input_and_output, input_file
from beyondrate.cli.terminal import err_console, out_console, progress_shown
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains

if TYPE_CHECKING:
    from beyondrate.storage import EventFile

SHOWN = 2  # rasters in the terminal
Trials = Annotated[
    str | None, typer.Option("--trials", help="Of an .nwb: the column of its trials that is the class.")
]

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
def data_info(
    data: In,
    trials: Trials = None,
    raster: Annotated[Path | None, typer.Option(help="Draw some samples: .png, .pdf or .svg.")] = None,
) -> None:
    """Say what is in event data, and what in it would mislead an analysis of timing."""
    from beyondrate.datasets.info import describe
    from beyondrate.datasets.text_raster import text_raster

    if raster is not None:
        check_picture(raster)
    trains = _loaded(input_file(data), trials)
    out_console.print(str(describe(trains)), highlight=False, markup=False)
    if columns := trains.meta.get("trial_columns"):
        known = f"--trials makes one of the trials' columns the class: {', '.join(columns)}"
        out_console.print(known, highlight=False, markup=False)
    spiking = np.flatnonzero(trains.spikes_per_sample)
    firsts = spiking[np.sort(np.unique(trains.labels[spiking], return_index=True)[1])]
    for sample in firsts[:SHOWN].tolist():
        out_console.print(f"\n{text_raster(trains[sample])}", highlight=False, markup=False)
    if raster is not None:
        from beyondrate.audio.picture import draw_rasters

        draw_rasters(trains, None, raster)
        out_console.print(f"\n{raster}: the first sample of some classes", highlight=False, soft_wrap=True)


@app.command("import")
def data_import(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="SHD's HDF5, .npz, .csv, a recording .aedat or .nwb, N-MNIST's folder; with --threshold a "
            ".csv or .npz of values over time.",
        ),
    ],
    target: Out,
    trials: Trials = None,
    threshold: Annotated[
        str | None,
        typer.Option(help="IN holds values: an event a step of this size, such as 0.1, or 0.1,5 by channel."),
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="Of values: level-crossing, or sigma-delta (with --tau).")
    ] = "level-crossing",
    group: Annotated[
        str | None, typer.Option(help="Of an .nwb: the column of its trials that groups samples.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Of values that do not tell their times: in Hz.")] = None,
    tau: Annotated[float | None, typer.Option(help="Of sigma-delta: time constant in seconds.")] = None,
    force: Force = False,
) -> None:
    """Read event data of others and write it as OUT's suffix says.

    A recording NAME.aedat is cut into labelled samples as NAME_labels.csv beside it says. The columns of a
    .csv of spikes are time_us or time_s, unit, sample, and label, group and split if there are any; of values
    they are a column a channel, and the same but for unit. An .npz of values holds values (sample, time,
    channel), and labels, groups, split, channels and rate_hz if there are any.
    """
    from beyondrate import storage

    check_output(target, [source], force=force)
    if threshold is not None:
        _import_values(source, target, encoder, threshold, rate, tau)
        return
    if rate is not None or tau is not None:
        raise InputError(
            "--rate and --tau are of values over time", remedy="give --threshold too", file=source
        )
    if trials is not None or group is not None:
        trains = _loaded(source, trials, group)
        storage.save(trains, target)
        _print_imported(target, trains)
        return
    with storage.opened(source) as found:
        storage.save(found.stream() if isinstance(found, storage.EventFile) else found, target)
        _print_imported(target, found)


def _print_imported(target: Path, found: SpikeTrains | EventFile) -> None:
    """Say what was written, and warn where it is of one class."""
    out_console.print(f"{target}: {found!r}", highlight=False, soft_wrap=True)
    if len(np.unique(found.labels)) < 2:
        columns = ", ".join(found.meta.get("trial_columns", ()))
        remedy = f" --trials makes one of the trials' columns the class: {columns}." if columns else ""
        err_console.print(
            f"Warning: all samples are of one class.{remedy}",
            style="yellow",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _loaded(path: Path, trials: str | None, group: str | None = None) -> SpikeTrains:
    from beyondrate import storage

    if trials is None and group is None:
        return storage.load(path)
    if path.suffix.lower() != ".nwb":
        raise InputError(
            "has no trials to choose a column of", remedy="leave out --trials and --group", file=path
        )
    return storage.nwb.read(path, label=trials, group=group)


def _import_values(
    source: Path, target: Path, encoder: str, threshold: str, rate: float | None, tau: float | None
) -> None:
    """Turn a table of values over time into events, and say how well the events tell the values."""
    from beyondrate import signals, storage

    if encoder not in signals.ENCODERS:
        raise InputError(f"encoder is {encoder!r}", remedy=f"choose from {', '.join(signals.ENCODERS)}")
    if (encoder == "sigma-delta") != (tau is not None):
        raise InputError(
            f"{encoder} {'needs a' if tau is None else 'has no'} time constant",
            remedy="give --encoder sigma-delta and --tau, or neither",
        )
    try:
        thresholds = [float(step) for step in names(threshold)]
    except ValueError:
        raise InputError(
            f"threshold is {threshold!r}", remedy="give a number, or one for each channel"
        ) from None
    read = signals.read_arrays_of_values if source.suffix.lower() == ".npz" else signals.read_table
    table = read(source, rate)
    facts: dict[str, Any] = {
        "labels": table.labels, "groups": table.groups, "channels": table.channels, "meta": table.meta
    }  # fmt: skip
    try:
        if tau is None:
            coded = signals.level_crossing(table.signals, table.rate_hz, thresholds, **facts)
        else:
            coded = signals.sigma_delta(table.signals, table.rate_hz, thresholds, tau, **facts)
    except InputError as error:
        raise error.in_file(source) from None
    storage.save(coded.trains, target)
    out_console.print(f"{target}: {coded.trains!r}", highlight=False, soft_wrap=True)
    shown = Table("channel", "threshold", "error (rms)", "error (largest)")
    told = coded.trains.meta["signal"]["threshold"]
    for row in zip(table.channels, told, coded.rms_error, coded.largest_error, strict=True):
        shown.add_row(row[0], *(f"{value:.3g}" for value in row[1:]))
    out_console.print(shown, highlight=False, markup=False)


@app.command("export")
def data_export(
    source: In,
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="File to write, .h5, .npz, .csv, .aedat or .nwb, or N-MNIST's folder."
        ),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            help="shd (SHD's layout; for .h5), h5 (ours), npz, csv, aedat, nwb (by suffix), aedat2, n-mnist."
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Write event data in a layout that other tools read."""
    from beyondrate import storage

    if format is None and target.suffix.lower() in (".h5", ".hdf5"):
        format = "shd"
    format = storage.check_writable(target, format=format)
    path = input_and_output(source, target, force=force, format=format)
    storage.save(storage.load(path), target, format=format)
    out_console.print(f"{target}: written as {format}", highlight=False, soft_wrap=True)
