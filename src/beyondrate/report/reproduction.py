"""A reproduced figure as a folder of files: pictures, and a page with the numbers and claims beside them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beyondrate.errors import InputError
from beyondrate.report.palette import DARK, FONT, LIGHT
from beyondrate.storage import atomic_path


def write_reproduction(results: Mapping[str, Any], folder: str | Path) -> None:
    """Write figure.png, figure.svg and report.html of a reproduced figure.

    Args:
        results: as in its results.json.
        folder: where to; made if needed.

    Raises:
        InputError: the results are not those of a reproduced figure.
    """
    if results.get("kind") != "reproduction":
        raise InputError(
            f"results of kind {results.get('kind')!r} are no figure", remedy="pass the results of reproduce"
        )
    from beyondrate.report.paper_figure import draw, save_pictures

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    save_pictures(draw(results["panels"], results["title"]), target)
    page = _render(results, (target / "figure.png").read_bytes())
    with atomic_path(target / "report.html") as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def _render(results: Mapping[str, Any], picture: bytes) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("beyondrate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("reproduction.html.j2").render(
        **results,
        picture=base64.b64encode(picture).decode(),
        font=FONT,
        light=LIGHT,
        dark=DARK,
    )
