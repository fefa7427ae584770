"""One colour, dash and symbol for each model in every figure; safe for the colour-blind (Okabe & Ito)."""

from __future__ import annotations

from dataclasses import dataclass

# Of the figures and of everything on the page that is not running text.
FONT = (
    '-apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, "Liberation Sans", sans-serif'
)

# Figures are drawn in LIGHT; the page exchanges each colour for its namesake in DARK.
LIGHT = {
    "paper": "#ffffff",
    "ink": "#1b1f24",
    "muted": "#5b6470",
    "faint": "#b4bbc3",
    "grid": "#e9ecef",
    "panel": "#f6f7f9",
    "link": "#0b5cad",
    "rate": "#cc4e00",
    "probe": "#a5508c",
    "lif": "#0072b2",
    "delay": "#008463",
    "gamma": "#6f3b8f",
    "own": "#8f6b00",
    "other": "#4a4f9e",
}
DARK = {
    "paper": "#14171a",
    "ink": "#e8eaed",
    "muted": "#a0a8b2",
    "faint": "#59616b",
    "grid": "#2a2f35",
    "panel": "#1c2024",
    "link": "#7db7f2",
    "rate": "#ff8a45",
    "probe": "#dd92c5",
    "lif": "#58b0ee",
    "delay": "#35c79c",
    "gamma": "#c39be0",
    "own": "#e3bb45",
    "other": "#a3a7f0",
}


@dataclass(frozen=True)
class Series:
    """How one model under one control looks and is called."""

    model: str
    control: str
    label: str
    colour: str
    dash: str = "solid"
    symbol: str = "circle"


KNOWN = (
    Series("rate", "none", "rate (counts only)", LIGHT["rate"], symbol="diamond"),
    Series("probe", "best", "linear probe", LIGHT["probe"], symbol="triangle-up"),
    Series("lif", "none", "LIF", LIGHT["lif"]),
    Series("lif", "tau-tuned", "LIF, τ tuned", LIGHT["lif"], "dash", "circle-open"),
    Series("lif", "scrambled", "LIF on scrambled spikes", LIGHT["lif"], "dot", "x-thin-open"),
    Series("lif-delay", "frozen", "LIF + frozen delays", LIGHT["delay"], "dash", "square-open"),
    Series("lif-delay", "learned", "LIF + learned delays", LIGHT["delay"], symbol="square"),
    Series("lif-delay", "scrambled", "LIF + delays, scrambled", LIGHT["delay"], "dot", "x-thin-open"),
    Series("gamma", "none", "SpikingGamma", LIGHT["gamma"], symbol="star"),
    Series("gamma", "scrambled", "SpikingGamma, scrambled", LIGHT["gamma"], "dot", "x-thin-open"),
)

OTHERS = (("own", "hexagon"), ("other", "star"), ("muted", "pentagon"))

# The four arms that every figure about delays shows side by side.
DELAY_CONTROLS = (
    ("lif", "none", "none"),
    ("lif", "tau-tuned", "τ tuned"),
    ("lif-delay", "frozen", "frozen"),
    ("lif-delay", "learned", "learned"),
)


@dataclass(frozen=True)
class VariantStyle:
    """How a variant looks where variants share a panel."""

    colour: str
    dash: str
    symbol: str


VARIANTS = {
    "whole": VariantStyle(LIGHT["ink"], "solid", "circle"),
    "part": VariantStyle(LIGHT["muted"], "dash", "square-open"),
    "norm": VariantStyle(LIGHT["probe"], "solid", "diamond"),
}


def variant_style(name: str) -> VariantStyle:
    """Return how a variant looks."""
    return VARIANTS.get(name, VARIANTS["whole"])
