"""Arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Seed = Annotated[int, typer.Option(help="Seed of every random choice.", min=0)]
In = Annotated[Path, typer.Argument(metavar="IN", help="Event file, .h5 or .npz.")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="Event file to write, .h5 or .npz.")]
DataName = Annotated[
    str, typer.Argument(help="A data set's name (beyondrate data list), or an .h5 or .npz file.")
]
PICTURES = (".png", ".pdf", ".svg")  # suffixes


def names(text: str) -> list[str]:
    """Return the names in a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
