"""An audit's results as one self-contained HTML page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beyondrate import perturb
from beyondrate.errors import InputError
from beyondrate.report import text
from beyondrate.report.entries import Results, extracts, variants
from beyondrate.report.palette import DARK, FONT, LIGHT
from beyondrate.storage import atomic_path

if TYPE_CHECKING:
    import plotly.graph_objects as go


def figures(results: Results, *, narrow: bool = False) -> dict[str, go.Figure]:
    """Return every figure that the results have data for, as plotly figures by name.

    Args:
        results: an audit's results, as in results.json.
        narrow: lay the same panels out for a screen below about 560 pixels.

    Returns:
        Of "accuracy", "delays", "perturbations", "decoding-curve", "kinds", "rasters", "counts" and
        "leak" those that can be drawn; traces are the same in both layouts.
    """
    from beyondrate.report import accuracies, curves, spikes

    drawn = {
        "accuracy": accuracies.accuracy(results, narrow),
        "delays": accuracies.delays(results, narrow),
        "perturbations": curves.perturbations(results, narrow),
        "decoding-curve": curves.decoding_curve(results, narrow),
        "kinds": accuracies.kinds(results, narrow),
        "rasters": spikes.rasters(results, narrow),
        "counts": spikes.counts(results, narrow),
        "leak": spikes.leak(results, narrow),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def write_report(results: Results, path: str | Path) -> None:
    """Write an audit's results as one HTML page that needs no network.

    Args:
        results: as in results.json; parts that an audit does not have may be missing.
        path: the file to write; it appears when it is complete.

    Raises:
        InputError: the results are not those of an audit.
    """
    if results.get("kind") != "audit":
        raise InputError(
            f"results of kind {results.get('kind')!r} have no report", remedy="pass the results of an audit"
        )
    page = _render(results)
    with atomic_path(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def _render(results: Results) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("beyondrate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {
        "separators": (",", ":"),
        "allow_nan": False,
        "sort_keys": True,
    }
    for name in ("percent", "duration_ms", "quantity", "interval", "count", "clock", "p_value"):
        environment.filters[name] = getattr(text, name)
    return environment.get_template("report.html.j2").render(
        title=results.get("title", "audit"),
        command=results.get("command"),
        created=results.get("created"),
        seconds=results.get("seconds"),
        versions=results.get("versions") or {},
        hashes=results.get("hashes") or {},
        data=results.get("data") or {},
        protocol=results.get("protocol") or {},
        verdict=results.get("verdict") or {},
        variants=_variants(results),
        perturbations=perturb.PERTURBATIONS,
        tested=_jitters_tested(results),
        clean=[s for s in results.get("summary") or () if s["perturbation"] == "none"],
        training=extracts(results).get("training") or (),
        raster=extracts(results).get("rasters") or {},
        profiled=any("from_profile" in kind for kind in results.get("kinds") or ()),
        figures=_embedded(results),
        text=text,
        font=FONT,
        light=LIGHT,
        dark=DARK,
        dark_of={colour: DARK[name] for name, colour in LIGHT.items()},
        plotly=Markup(get_plotlyjs()),
    )


def _variants(results: Results) -> dict[str, Mapping[str, Any]]:
    """Return each variant's sizes together with the report of how it was made."""
    found = results.get("variants") or {}
    return {name: {**found[name], **(found[name].get("report") or {})} for name in variants(found)}


def _jitters_tested(results: Results) -> tuple[float, float] | None:
    """Return the smallest and the largest jitter of spikes tested, in milliseconds; units had the same."""
    levels = [s["level"] * 1e3 for s in results.get("summary") or () if s["perturbation"] == "jitter"]
    return (min(levels), max(levels)) if levels else None


def _embedded(results: Results) -> dict[str, dict[str, Any]]:
    """Return each figure's data and layout, and what differs in the layout for narrow screens."""
    narrow = figures(results, narrow=True)
    embedded = {}
    for name, figure in figures(results).items():
        wide, slim = _as_json(figure), _as_json(narrow[name])
        differing = {key: value for key, value in slim["layout"].items() if value != wide["layout"].get(key)}
        embedded[name] = {**wide, "narrow": differing}
    return embedded


def _as_json(figure: go.Figure) -> dict[str, Any]:
    """Return a figure as plain JSON values: plotly writes NaN as null."""
    plain: dict[str, Any] = json.loads(figure.to_json())
    return plain
