"""The commands: parsing and printing only."""

from __future__ import annotations

import glob
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from beyondrate.errors import InputError, MissingExtraError
from beyondrate.perturb import PERTURBATIONS
from beyondrate.progress import Progress

if TYPE_CHECKING:
    from beyondrate.audit.plan import Normalise
    from beyondrate.datasets.split import Protocol
    from beyondrate.reproduce.experiment import Preset
    from beyondrate.reproduce.figure import Reproduction

app = typer.Typer(
    help="Audit event data and models for how much of their accuracy is spike timing and how much is rate.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
data_app = typer.Typer(help="Event data: named sets, files and what is in them.", no_args_is_help=True)
variant_app = typer.Typer(help="Variants of event data with spike counts controlled.", no_args_is_help=True)
perturb_app = typer.Typer(help="Perturb spike trains, exactly and seeded.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(variant_app, name="variant")
app.add_typer(perturb_app, name="perturb")

out_console = Console()
err_console = Console(stderr=True)
STOPPED = 130  # exit status after Ctrl-C
KEPT = "What is finished is kept; --resume goes on."
PLAIN_SECONDS = 10  # between two lines of progress where the output is no terminal

Bin = Annotated[float | None, typer.Option(help="Spikes of a unit in one bin of so many seconds count once.")]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.", min=0)]
In = Annotated[Path, typer.Argument(metavar="IN", help="Event file, .h5 or .npz.")]
Level = Annotated[float, typer.Option(help="A fraction from 0 to 1; seconds for the jitters.")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="Event file to write, .h5 or .npz.")]


def main() -> None:
    """Run the command line; exit status 0 is done, 2 bad input or usage, 130 stopped by the user."""
    try:
        app()
    except (InputError, MissingExtraError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}; choose another place")
    except KeyboardInterrupt:
        sys.exit(STOPPED)


def _fail(message: str) -> None:
    err_console.print(
        f"beyondrate: {message}", style="bold red", highlight=False, markup=False, soft_wrap=True
    )
    sys.exit(2)


@contextmanager
def _progress(when_stopped: str = "Nothing was written.") -> Iterator[Progress]:
    """Show how far long work is and the time left: a bar in a terminal, else a line now and then.

    Ctrl-C inside ends the program, saying what is left of the work.
    """
    try:
        if err_console.is_terminal:
            with _bar() as show:
                yield show
        else:
            yield _PlainProgress()
    except KeyboardInterrupt:
        err_console.print("\nStopped. " + when_stopped)
        raise typer.Exit(STOPPED) from None


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = [
        BarColumn(bar_width=28),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    ]
    with RichProgress(*columns, console=err_console, transient=True) as bars:
        task = bars.add_task("", total=None)
        seen_total = 0

        def show(done: int, total: int, what: str) -> None:
            nonlocal seen_total
            if total != seen_total:  # another piece of work has begun
                bars.reset(task)
                seen_total = total
            bars.update(task, completed=done, total=total, description=what[:60])

        yield show


class _PlainProgress:
    def __init__(self) -> None:
        self.started = self.last = time.monotonic()
        self.total = 0

    def __call__(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if total != self.total:
            self.started, self.last, self.total = now, now, total
        if done < total and now - self.last < PLAIN_SECONDS:
            return
        self.last = now
        left = (now - self.started) * (total - done) / max(done, 1)
        err_console.print(
            f"{100 * done // max(total, 1):3d} %  {left:.0f} s left  {what}", highlight=False, markup=False
        )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@app.command()
def audit(
    data: Annotated[
        str, typer.Argument(help="A data set's name (beyondrate data list), or an .h5 or .npz file.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for results.csv, results.json, report.html (runs/DATA).")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="quick (minutes), standard (5 seeds) or full (10 seeds).")
    ] = "quick",
    models: Annotated[str, typer.Option(help="What to train.")] = "probe,rate,lif,lif-delay",
    variants: Annotated[str, typer.Option(help="Which variants of the data.")] = "whole,part,norm",
    seeds: Annotated[int | None, typer.Option(help="Trainings of each net (the preset's).", min=1)] = None,
    dt: Annotated[float, typer.Option(help="Time step of the networks in seconds.")] = 0.01,
    normalise: Annotated[str, typer.Option(help="norm's thresholds from: train or pooled.")] = "train",
    epochs: Annotated[
        int | None, typer.Option(help="Most epochs of a training (the model's).", min=1)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes side by side (one a processor).", min=0)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what OUT already holds.")] = False,
    seed: Seed = 0,
) -> None:
    """Say how much of the recognisability of DATA is rate and how much timing, which kind, how precise."""
    import beyondrate as br

    out = out or Path("runs") / Path(data).stem
    with _progress(KEPT) as progress:
        result = br.audit(
            data,
            models=_names(models),
            preset=preset,
            variants=_names(variants),
            seeds=seeds,
            dt_s=dt,
            normalise=cast("Normalise", normalise),  # the plan refuses other words
            seed=seed,
            epochs=epochs,
            out=out,
            resume=resume,
            workers=workers,
            command="beyondrate " + " ".join(sys.argv[1:]),
            progress=progress,
        )
    br.write_report(result.report, out / "report.html")
    _print_verdict(result.verdict.as_json())
    out_console.print(f"\nReport: {out / 'report.html'}", highlight=False)


def _print_verdict(verdict: dict[str, object]) -> None:
    out_console.print(str(verdict["headline"]), style="bold", highlight=False, markup=False)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    findings: list[dict[str, object]] = verdict["findings"]  # type: ignore[assignment]
    for finding in findings:
        mark = "●" if finding["claimed"] else "○"
        table.add_row(f"{mark} {finding['title']}", str(finding["sentence"]))
    out_console.print()
    out_console.print(table, highlight=False, markup=False)
    warnings: list[str] = verdict["warnings"]  # type: ignore[assignment]
    for warning in warnings:
        out_console.print(f"Warning: {warning}", style="yellow", highlight=False, markup=False)
    out_console.print("● supported by the data at p < 0.001   ○ not shown", style="dim")


@app.command()
def encode(
    files: Annotated[str, typer.Argument(help='Audio files, as a quoted pattern: "speech/*.wav".')],
    labels: Annotated[str, typer.Option(help='What file names say: "{label}_{speaker}_{take}".')],
    out: Annotated[Path, typer.Option(help="Event file to write, .h5 or .npz.")],
    group: Annotated[str, typer.Option(help="The field of the names that groups the samples.")] = "speaker",
    channels: Annotated[int, typer.Option(help="Cochlea channels.", min=2)] = 700,
    membrane: Annotated[str, typer.Option(help="causal, or heidelberg (reversed in time).")] = "causal",
    workers: Annotated[int | None, typer.Option(help="Files side by side (one a processor).", min=1)] = None,
    seed: Seed = 0,
) -> None:
    """Turn sound into spikes: a cochlea with hair cells and bushy cells, causal and seeded."""
    from beyondrate import storage
    from beyondrate.audio.corpus import encode_files
    from beyondrate.audio.encoder import Encoder

    paths = sorted(Path(name) for name in glob.glob(files, recursive=True))  # noqa: PTH207 (patterns with folders)
    if not paths:
        raise InputError("no file matches", remedy="check the pattern, and quote it", file=files)
    storage.check_writable(out)
    encoder = Encoder(n_channels=channels, membrane=membrane, seed=seed)
    with _progress() as progress:
        trains = encode_files(
            paths, labels, encoder=encoder, group_field=group, workers=workers, progress=progress
        )
    storage.save(trains, out)
    out_console.print(f"{out}: {trains!r}", highlight=False)
    for name, reason in trains.meta.get("failed", {}).items():
        err_console.print(f"left out {name}: {reason}", style="yellow", highlight=False, markup=False)


@variant_app.command("part")
def variant_part(source: In, target: Out, bin: Bin = None, seed: Seed = 0) -> None:
    """Keep the units and samples that spike often enough, and as many samples of every class."""
    _variant("part", source, target, bin, seed)


@variant_app.command("norm")
def variant_norm(source: In, target: Out, bin: Bin = None, seed: Seed = 0) -> None:
    """Remove every trace of spike count: each unit spikes equally often in every sample."""
    _variant("norm", source, target, bin, seed)


def _variant(
    name: Literal["part", "norm"], source: Path, target: Path, bin_s: float | None, seed: int
) -> None:
    from beyondrate import storage, variants

    storage.check_writable(target)
    with storage.opened(source) as trains, _progress() as progress:
        made = variants.stream(name, trains, bin_s=bin_s, seed=seed, progress=progress)
        storage.save(made, target)
    out_console.print(f"{target}: {made}", highlight=False, soft_wrap=True)
    table = Table("class", "before", "after")
    for line in made.meta["variant"]["per_class"]:
        table.add_row(str(line["class"]), str(line["before"]), str(line["after"]))
    out_console.print(table)


def _perturb_command(name: str, summary: str, level_unit: str | None) -> None:
    """Make ``beyondrate perturb NAME IN OUT`` for one entry of the registry."""

    def with_level(
        source: In,
        target: Out,
        level: Level,
        seed: Seed = 0,
    ) -> None:
        _perturb(name, source, target, level, seed)

    def without_level(source: In, target: Out) -> None:
        _perturb(name, source, target, None, 0)

    perturb_app.command(name, help=summary)(without_level if level_unit is None else with_level)


def _perturb(name: str, source: Path, target: Path, level: float | None, seed: int) -> None:
    from beyondrate import perturb, storage

    storage.check_writable(target)
    trains = perturb.apply(storage.load(source), name, level, seed)
    storage.save(trains, target)
    out_console.print(f"{target}: {trains!r}", highlight=False)


for _entry in PERTURBATIONS.values():
    _perturb_command(_entry.name, _entry.summary, _entry.level_unit)


@data_app.command("list")
def data_list() -> None:
    """List the data sets that can be asked for by name."""
    from beyondrate import datasets

    table = Table("name", "what it is")
    for entry in datasets.DATA_SETS.values():
        table.add_row(entry.name, entry.summary)
    out_console.print(table)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="A data set's name.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="File or folder of the published files, packed or not.")
    ] = None,
) -> None:
    """Make or fetch a data set into the cache, and say what it is."""
    from beyondrate import datasets, storage

    with _progress("A download goes on where it stopped.") as progress:
        path = datasets.get(name, source, progress)
    with storage.opened(path) as trains:
        out_console.print(f"{path}: {trains}", highlight=False, soft_wrap=True)
        if "accuracy" in trains.meta:
            out_console.print(f"An accuracy on it is one {trains.meta['accuracy']}.", highlight=False)
        for original in trains.meta.get("originals", ()):
            out_console.print(
                "{name}: MD5 {md5}, {check}".format(**original), highlight=False, soft_wrap=True
            )


@data_app.command("info")
def data_info(path: Annotated[Path, typer.Argument(help="Event file, .h5 or .npz.")]) -> None:
    """Say what is in an event file, and what in it would mislead an analysis of timing."""
    from beyondrate import storage
    from beyondrate.datasets.info import describe

    out_console.print(str(describe(storage.load(path))), highlight=False, markup=False)


@data_app.command("import")
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


@data_app.command("export")
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


@app.command()
def train(
    data: Annotated[str, typer.Argument(help="A data set's name, or an .h5 or .npz file.")],
    out: Annotated[Path, typer.Option(help="Folder for the network and its accuracies.")],
    model: Annotated[str, typer.Option(help="rate, lif, lif-delay or gamma.")] = "lif",
    delays: Annotated[str, typer.Option(help="Of lif-delay: learned or frozen.")] = "learned",
    rule: Annotated[str, typer.Option(help="Of gamma: gated, full, spatial or eligibility.")] = "gated",
    update_every: Annotated[
        int | None,
        typer.Option(help="Learn online: steps between updates (spatial, eligibility).", min=1),
    ] = None,
    dt: Annotated[float, typer.Option(help="Time step in seconds.")] = 0.01,
    epochs: Annotated[int | None, typer.Option(help="Most epochs (the model's).", min=1)] = None,
    seed: Seed = 0,
) -> None:
    """Train one network on DATA and keep it, with its accuracy on samples that it has not seen."""
    import beyondrate as br

    with _progress() as progress:
        results = br.train(
            data,
            out=out,
            model=cast("Any", model),  # the names are checked there
            delays=cast("Any", delays),
            rule=cast("Any", rule),
            update_every=update_every,
            dt_s=dt,
            seed=seed,
            epochs=epochs,
            command="beyondrate " + " ".join(sys.argv[1:]),
            progress=progress,
        )
    br.write_training(results, out)
    _print_accuracies(results["rows"])
    out_console.print(
        f"Network: {out / 'network.safetensors'}, report: {out / 'report.html'}", highlight=False
    )


@app.command()
def test(
    run: Annotated[Path, typer.Argument(help="Folder of a trained network.")],
    data: Annotated[str, typer.Argument(help="A data set's name, or an .h5 or .npz file.")],
    perturb: Annotated[
        list[str] | None, typer.Option(help="NAME=LEVEL, such as jitter=0.025; may be given several times.")
    ] = None,
    dt: Annotated[float | None, typer.Option(help="Another time step in seconds (gamma).")] = None,
    seed: Seed = 0,
) -> None:
    """Test a trained network on samples that it has not seen, clean or perturbed."""
    import beyondrate as br

    perturbations = dict(_name_and_level(text) for text in perturb or ())
    with _progress() as progress:
        rows = br.test(run, data, perturbations=perturbations, dt_s=dt, seed=seed, progress=progress)
    _print_accuracies(rows)


def _name_and_level(text: str) -> tuple[str, float]:
    name, _, level = text.partition("=")
    if name not in PERTURBATIONS:
        raise InputError(f"unknown perturbation {name!r}", remedy=f"choose from {', '.join(PERTURBATIONS)}")
    try:
        return name, float(level or 0)
    except ValueError:
        raise InputError(f"{level!r} is no level", remedy="give a number, such as jitter=0.025") from None


def _print_accuracies(rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table("samples", "perturbation", "accuracy", "95 % interval", "chance")
    for row in rows:
        name = row["perturbation"]
        table.add_row(
            f"{row['n_test']:,} ({row['split']})",
            name if name in ("none", "reverse") else f"{name} {row['level']:g}",
            f"{100 * row['accuracy']:.1f} %",
            f"{100 * row['low']:.1f} to {100 * row['high']:.1f}",
            f"{100 * row['chance']:.1f} %",
        )
    out_console.print(table, highlight=False, markup=False)


@app.command()
def reproduce(
    figure: Annotated[str, typer.Argument(help='A figure, such as yu2025/fig5; "list" names them all.')],
    data: Annotated[
        str | None, typer.Option(help="A data set's name, or an .h5 or .npz file (shd if here, else ours).")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="quick (minutes, a look) or paper (five seeds or more).")
    ] = "quick",
    seeds: Annotated[int | None, typer.Option(help="Trainings of each net (the preset's).", min=1)] = None,
    protocol: Annotated[
        str, typer.Option(help="held-out (speakers apart), or yu2025 (divided as the paper's code does).")
    ] = "held-out",
    out: Annotated[Path | None, typer.Option(help="Folder for a paper's figures (runs/PAPER).")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes side by side (one a processor).", min=0)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on; it always does: nothing is done twice.")
    ] = True,
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
    with _progress(KEPT) as progress:
        made = br.reproduce(
            figure,
            data=data,
            preset=cast("Preset", preset),  # refused there if it is another word
            seeds=seeds,
            protocol=cast("Protocol", protocol),
            out=folder.parent,
            workers=workers,
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


if __name__ == "__main__":
    main()
