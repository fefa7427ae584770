"""Rasters of encoded sounds: every spike a dot, time across, the channels' frequencies upwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from beyondrate.events import SpikeTrains
from beyondrate.storage import EventFile, atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 6
"""Samples in a picture."""
_COLUMNS = 3
_FEW_UNITS = 100
_TICKS_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
_INK, _MUTED = "#1b1f24", "#5b6470"
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _MUTED,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelcolor": _MUTED,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "text.color": _INK,
}


def draw_rasters(
    trains: SpikeTrains | EventFile, tuned_to_hz: Float64[np.ndarray, " channels"] | None, path: str | Path
) -> None:
    """Draw one sample of each of the first six classes into a picture, whose kind is that of the suffix.

    Args:
        trains: encoded sounds, in memory or an open file of them.
        tuned_to_hz: the frequency of each channel, falling, from `Encoder.characteristic_hz`; None where
            units are no channels of a cochlea.
        path: the picture, .png, .pdf or .svg.

    Raises:
        InputError: if the picture cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chosen = np.sort(np.unique(trains.labels, return_index=True)[1][:MOST])
    shown = trains[chosen]
    n_columns = min(_COLUMNS, len(shown))
    n_rows = math.ceil(len(shown) / n_columns)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(1.2 + 3.2 * n_columns, 0.6 + 2.8 * n_rows), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
        for panel, axis in enumerate(axes.flat):
            if panel >= len(shown):
                axis.remove()
                continue
            one = shown[panel]
            _draw(axis, one)
            axis.set_title(_title(one))
        last_us = int(shown.times_us.max(initial=1000))
        axes[0, 0].set(xlim=(0, last_us / 1000), ylim=(trains.n_units - 0.5, -0.5))
        if tuned_to_hz is None:
            axes[0, 0].yaxis.get_major_locator().set_params(integer=True)
            units = f"units 0 (top) to {trains.n_units - 1}"
        else:
            ticks = [hz for hz in _TICKS_HZ if tuned_to_hz[-1] <= hz <= tuned_to_hz[0]]
            places = np.interp(ticks, tuned_to_hz[::-1], np.arange(len(tuned_to_hz))[::-1])
            axes[0, 0].set_yticks(places, [f"{hz / 1000:g} kHz" for hz in ticks])
            units = f"frequency of channels 0 (top) to {trains.n_units - 1}"
        figure.supxlabel("time in ms", color=_MUTED, fontsize=9)
        figure.supylabel(units, color=_MUTED, fontsize=9)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=150)


def _draw(axis: Axes, one: SpikeTrains) -> None:
    """Draw each spike: a dot, or an upright line where units are few."""
    times_ms, units = one.times_us / 1000, one.units.astype(np.float64)
    if one.n_units > _FEW_UNITS:
        axis.plot(times_ms, units, ".", ms=1.4, mew=0, color=_INK, rasterized=True)
    else:
        axis.vlines(times_ms, units - 0.4, units + 0.4, color=_INK, linewidth=0.7)


def _title(one: SpikeTrains) -> str:
    label = int(one.labels[0])
    names: Sequence[str] = one.meta.get("label_names") or ()
    word = names[label] if label < len(names) else f"class {label}"
    file = one.meta.get("files", ("",))[0]
    return f"{word}   {file}   {one.n_spikes:,} spikes"
