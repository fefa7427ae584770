"""Arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Seed = Annotated[int, typer.Option(help="Seed of every random choice.", min=0)]
_DATA = "a data set's name (beyondrate data list), or a path: .h5, .npz, .csv or whatever data import reads."
In = Annotated[str, typer.Argument(metavar="IN", help=f"Event data: {_DATA}")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="Event file to write, .h5, .npz or .csv.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an OUT that is there already.")]
DataName = Annotated[str, typer.Argument(help=f"Event data: {_DATA}")]


def names(text: str) -> list[str]:
    """Return the names in a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
