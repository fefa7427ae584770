"""The lines of an audit's summary that figures compare, by variant, model and control."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from beyondrate.report.palette import KNOWN, LIGHT, OTHERS, VARIANTS, Series
from beyondrate.report.text import duration_ms, finite, plain

Results = Mapping[str, Any]
Entry = Mapping[str, Any]
Key = tuple[str, str, str]


def variants(names: Iterable[str]) -> list[str]:
    """Return the variants that occur, whole first and norm last."""
    found = set(names)
    return [name for name in VARIANTS if name in found] + sorted(found - set(VARIANTS))


def extracts(results: Results) -> Mapping[str, Any]:
    """Return the data that only the report needs: rasters, counts, trainings."""
    found: Mapping[str, Any] = results.get("figures") or {}
    return found


def compared(results: Results, section: str = "summary") -> list[Entry]:
    """Return the lines with a finite accuracy; of the linear probe only one bin width, as control "best".

    That width is, for each variant, the one that the audit tested under perturbations (it chose it on
    validation samples); the finest where there are none or several.
    """
    chosen = _chosen_probes(results)
    kept = []
    for line in results.get(section) or ():
        if finite(line["accuracy"]) is None:
            continue
        if line["model"] != "probe":
            kept.append(line)
        elif line["control"] == chosen.get(line["variant"]):
            kept.append({**line, "control": "best"})
    return kept


def by_key(lines: Iterable[Entry]) -> dict[Key, list[Entry]]:
    """Group lines by variant, model and control."""
    grouped: dict[Key, list[Entry]] = {}
    for line in lines:
        grouped.setdefault((line["variant"], line["model"], line["control"]), []).append(line)
    return grouped


def clean(lines: Iterable[Entry]) -> dict[Key, Entry]:
    """Return the lines without perturbation, one for each variant, model and control."""
    return {key: found[0] for key, found in by_key(s for s in lines if s["perturbation"] == "none").items()}


def series_of(results: Results) -> list[Series]:
    """Return the models and controls of an audit in the order in which every figure shows them."""
    present = dict.fromkeys((str(s["model"]), str(s["control"])) for s in compared(results))
    known = {(series.model, series.control): series for series in KNOWN}
    shown = [series for pair, series in known.items() if pair in present]
    widths = {_probe_width(results, control) for control in _chosen_probes(results).values()}
    width = widths.pop() if len(widths) == 1 else "best bins"
    shown = [replace(s, label=f"{s.label}, {width}") if s.model == "probe" else s for s in shown]
    for i, (model, control) in enumerate(pair for pair in present if pair not in known):
        label = plain(model if control == "none" else f"{model}, {control}", 28)
        colour, symbol = OTHERS[i % len(OTHERS)]
        shown.append(Series(model, control, label, LIGHT[colour], symbol=symbol))
    return shown


def _chosen_probes(results: Results) -> dict[str, str]:
    """Return for each variant the control ("bins-20") of the probe that stands beside the other models."""
    lines = [s for s in results.get("summary") or () if s["model"] == "probe"]
    chosen = {}
    for variant in {s["variant"] for s in lines}:
        own = [s for s in lines if s["variant"] == variant]
        tested = {s["control"] for s in own if s["perturbation"] != "none"} or {s["control"] for s in own}
        chosen[variant] = max(tested, key=_n_bins)
    return chosen


def _probe_width(results: Results, control: str) -> str:
    return f"{duration_ms(results['data']['duration_s'] / _n_bins(control) * 1e3)} bins"


def _n_bins(control: str) -> int:
    return int(control.removeprefix("bins-"))
