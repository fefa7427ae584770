"""beyondrate variant part|norm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from rich.table import Table

from beyondrate.cli.arguments import Force, In, Out, Seed
from beyondrate.cli.files import input_and_output
from beyondrate.cli.terminal import out_console, progress_shown
from beyondrate.errors import InputError

if TYPE_CHECKING:
    from beyondrate.events import SpikeTrains
    from beyondrate.storage import EventFile
    from beyondrate.variants.selection import Samples

app = typer.Typer(help="Variants of event data with spike counts controlled.", no_args_is_help=True)


def _variant_command(name: Literal["part", "norm"], summary: str) -> None:
    """Make ``beyondrate variant NAME IN OUT``."""

    def make(
        source: In,
        target: Out,
        bin: Annotated[
            float | None, typer.Option(help="Spikes of a unit in one bin of so many seconds count once.")
        ] = None,
        theta: Annotated[int, typer.Option(help="Fewest spikes of a unit in a sample that are enough.")] = 2,
        epsilon: Annotated[
            float, typer.Option(help="Share of samples with too few below which these are dropped.")
        ] = 0.01,
        min_class_share: Annotated[float, typer.Option(help="Smallest share of a class to be left.")] = 0.5,
        split: Annotated[
            str, typer.Option(help="Thresholds from: pooled (all samples), or train (all but the test part).")
        ] = "pooled",
        seed: Seed = 0,
        force: Force = False,
    ) -> None:
        rules = {"bin_s": bin, "theta": theta, "epsilon": epsilon, "min_class_share": min_class_share}
        _variant(name, source, target, rules, split, seed, force)

    app.command(name, help=summary)(make)


def _variant(
    name: Literal["part", "norm"],
    source: str,
    target: Path,
    rules: Mapping[str, Any],
    split: str,
    seed: int,
    force: bool,
) -> None:
    from beyondrate import storage, variants

    path = input_and_output(source, target, force=force)
    with storage.opened(path) as trains, progress_shown() as progress:
        made = variants.stream(
            name,
            trains,
            **rules,
            split=cast("variants.Split", split),  # refused there if it is another word
            train=_not_tested(trains) if split == "train" else None,
            seed=seed,
            progress=progress,
        )
        storage.save(made, target)
    out_console.print(f"{target}: {made}", highlight=False, soft_wrap=True)
    _print_classes(made.meta["variant"])


def _not_tested(trains: SpikeTrains | EventFile) -> Samples:
    """Return which samples are not of the test part that the data name."""
    from beyondrate.datasets.split import named_samples

    tested = named_samples(trains, "test")  # type: ignore[arg-type]  # an open file has all that it looks at
    if not tested.any():
        raise InputError(
            "the data name no test part",
            remedy="give each sample its split (.csv, .npz), or take --split pooled",
        )
    return ~tested


def _print_classes(report: Mapping[str, Any]) -> None:
    parts = {"": report["per_class"], "held out ": report.get("per_class_held_out")}
    shown = {part: lines for part, lines in parts.items() if lines is not None}
    table = Table("class", *(f"{part}{when}" for part in shown for when in ("before", "after")))
    for lines in zip(*shown.values(), strict=True):
        sizes = (str(line[when]) for line in lines for when in ("before", "after"))
        table.add_row(str(lines[0]["class"]), *sizes)
    out_console.print(table, highlight=False, markup=False)


_variant_command(
    "part", "Keep the units and samples that spike often enough, as many samples of every class."
)
_variant_command("norm", "Remove every trace of spike count: each unit spikes equally often in every sample.")
