"""beyondrate audit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.table import Table

from beyondrate.cli.arguments import DataName, Seed, names
from beyondrate.cli.terminal import KEPT, out_console, progress_shown

if TYPE_CHECKING:
    from beyondrate.audit.plan import Normalise


def audit(
    data: DataName,
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
    with progress_shown(KEPT) as progress:
        result = br.audit(
            data,
            models=names(models),
            preset=preset,
            variants=names(variants),
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
