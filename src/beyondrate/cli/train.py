"""beyondrate train, and beyondrate test of what was trained."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.table import Table

from beyondrate.cli.arguments import DataName, Seed
from beyondrate.cli.terminal import out_console, progress_shown
from beyondrate.errors import InputError
from beyondrate.perturb import PERTURBATIONS


def train(
    data: DataName,
    out: Annotated[Path, typer.Option(help="Folder for the network and its accuracies.")],
    model: Annotated[str, typer.Option(help="rate, lif, lif-delay or gamma.")] = "lif",
    delays: Annotated[str | None, typer.Option(help="Of lif-delay: learned (default) or frozen.")] = None,
    rule: Annotated[
        str | None,
        typer.Option(help="How it learns; gamma: gated, full, spatial, eligibility; lif: bptt, eprop, ottt."),
    ] = None,
    update_every: Annotated[
        int | None,
        typer.Option(help="Learn online: steps between updates (spatial, eligibility, eprop, ottt).", min=1),
    ] = None,
    dt: Annotated[float | None, typer.Option(help="Time step in seconds (0.01); rate has none.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Most epochs (the model's).", min=1)] = None,
    seed: Seed = 0,
) -> None:
    """Train one network on DATA and keep it, with its accuracy on samples that it has not seen."""
    import beyondrate as br

    with progress_shown() as progress:
        results = br.train(
            data,
            out=out,
            model=cast("Any", model),  # the names are checked there
            delays=cast("Any", delays),
            rule=rule,
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


def test(
    run: Annotated[Path, typer.Argument(help="Folder of a trained network.")],
    data: DataName,
    perturb: Annotated[
        list[str] | None, typer.Option(help="NAME=LEVEL, such as jitter=0.025; may be given several times.")
    ] = None,
    dt: Annotated[float | None, typer.Option(help="Another time step in seconds (gamma).")] = None,
    seed: Seed = 0,
) -> None:
    """Test a trained network on samples that it has not seen, clean or perturbed."""
    import beyondrate as br

    perturbations = _levels(perturb or ())
    with progress_shown() as progress:
        rows = br.test(run, data, perturbations=perturbations, dt_s=dt, seed=seed, progress=progress)
    _print_accuracies(rows)


def _levels(texts: Sequence[str]) -> dict[str, float]:
    levels: dict[str, float] = {}
    for text in texts:
        name, level = _name_and_level(text)
        if name in levels:
            raise InputError(f"{name} is given twice", remedy="test one level of it at a time")
        levels[name] = level
    return levels


def _name_and_level(text: str) -> tuple[str, float]:
    name, _, level = text.partition("=")
    if name not in PERTURBATIONS:
        raise InputError(f"unknown perturbation {name!r}", remedy=f"choose from {', '.join(PERTURBATIONS)}")
    if not level and PERTURBATIONS[name].level_unit is None:
        return name, 0.0
    if not level:
        raise InputError(f"{name} needs a level", remedy=f"give one, such as {name}=0.025")
    try:
        return name, float(level)
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
