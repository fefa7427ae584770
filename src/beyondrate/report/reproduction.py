"""A reproduced figure, or a training, as pictures and a page with the numbers and claims beside them."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beyondrate.errors import InputError
from beyondrate.report.palette import DARK, FONT, LIGHT
from beyondrate.storage import atomic_path

if TYPE_CHECKING:
    from markupsafe import Markup


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
    _write(results, folder)


def write_training(results: Mapping[str, Any], folder: str | Path) -> None:
    """Write figure.png, figure.svg and report.html of a trained network: the course of its training.

    Args:
        results: as in its results.json.
        folder: where to; made if needed.

    Raises:
        InputError: the results are not those of a training.
    """
    if results.get("kind") != "training":
        raise InputError(
            f"results of kind {results.get('kind')!r} are no training", remedy="pass the results of train"
        )
    course, settings = results["course"], results["settings"]
    held_out, test = (
        next(r for r in results["rows"] if r["split"] == part) for part in ("validation", "test")
    )
    loss = _panel("loss", {"training": course["train_loss"], "validation": course["validation_loss"]})
    accuracy = _panel("validation accuracy", {"validation": course["validation_accuracy"]})
    page = {
        "figure": "training",
        "title": results["title"],
        "panels": [loss, {**accuracy, "references": {"chance": held_out["chance"]}}],
        "claims": [],
        "comparisons": [],
        "notes": [
            f"Test accuracy {100 * test['accuracy']:.1f} % (95 % interval over {test['n_test']:,} samples "
            f"{100 * test['low']:.1f} to {100 * test['high']:.1f}), chance {100 * test['chance']:.1f} %.",
            results["protocol"],
            f"The weights kept are those of epoch {course['best_epoch'] + 1}, the best on validation.",
        ],
        "record": {**settings, **{name: results[name] for name in ("command", "created", "versions")}},
    }
    _write(page, folder)


def _panel(title: str, curves: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return a panel of curves over epochs, as ``paper_figure`` draws it."""
    series = [
        {"name": name, "x": list(range(1, len(y) + 1)), "y": y, "low": None, "high": None, "seeds": None}
        for name, y in curves.items()
    ]
    return {
        "title": title,
        "kind": "lines",
        "x_label": "epoch",
        "y_label": title,
        "series": series,
        "references": {},
        "groups": (),
        "grid": (),
        "extent": None,
        "logarithmic": False,
    }


def _write(results: Mapping[str, Any], folder: str | Path) -> None:
    from beyondrate.report.paper_figure import draw, save_pictures

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    save_pictures(draw(results["panels"], results["title"]), target)
    page = _render(results, (target / "figure.png").read_bytes())
    with atomic_path(target / "report.html") as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def _render(results: Mapping[str, Any], picture: bytes) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from beyondrate.report.paper_words import caption

    environment = Environment(
        loader=PackageLoader("beyondrate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    return environment.get_template("reproduction.html.j2").render(
        **results,
        caption=caption(results["panels"]),
        picture=base64.b64encode(picture).decode(),
        font=FONT,
        light=LIGHT,
        dark=DARK,
    )


def _code(text: str) -> Markup:
    """Return text as HTML in which names between backticks are code.

    >>> _code("`a < b` holds")
    Markup('<code>a &lt; b</code> holds')
    """
    from markupsafe import Markup, escape

    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))
