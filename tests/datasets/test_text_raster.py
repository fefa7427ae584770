"""Rasters of characters hold what was there."""

from __future__ import annotations

import numpy as np

from beyondrate.datasets.text_raster import text_raster
from beyondrate.events import SpikeTrains


def dots(text: str) -> np.ndarray:
    """The dots of a raster, (down, across)."""
    lines = [
        line.split("┤")[-1].split("│")[-2] if "┤" in line else line.split("│")[1]
        for line in text.split("\n")[1:-1]
    ]
    cells = np.array([[ord(c) - 0x2800 if c != " " else 0 for c in line] for line in lines])
    bits = np.array([[0, 3], [1, 4], [2, 5], [6, 7]])
    return (cells[:, None, :, None] >> bits[None, :, None, :] & 1).reshape(4 * len(cells), -1)


def test_every_spike_is_a_dot_and_every_dot_a_spike() -> None:
    rng = np.random.default_rng(0)
    for n_units, duration_us in ((1, 1), (7, 1000), (700, 1_400_000), (100_000, 2**31 - 1)):
        times = np.append(rng.integers(0, duration_us + 1, 60), [0, duration_us])
        units = np.append(rng.integers(0, n_units, 60), [0, n_units - 1])
        trains = SpikeTrains.from_samples(
            [(times, units)], labels=[1], n_units=n_units, duration_us=duration_us
        )
        expected = np.zeros((20, 60), int)
        expected[units * 20 // n_units, times * 60 // (duration_us + 1)] = 1
        np.testing.assert_array_equal(dots(text_raster(trains, columns=30, rows=5)), expected)


def test_it_says_what_is_shown() -> None:
    trains = SpikeTrains([5], [699], [0, 1], [1], 700, 1500, meta={"label_names": ["go", "stop"]})
    lines = text_raster(trains).split("\n")
    assert lines[0] == "stop, 1 spikes"
    assert lines[1].startswith("   0 ┤") and lines[-2].startswith(" 699 ┤")
    assert lines[-1].endswith("1.5 ms")
    assert {len(line) for line in lines[1:-1]} == {71}
    few = text_raster(SpikeTrains([5], [2], [0, 1], [1], 3, 1500)).split("\n")
    assert (len(few), few[1][:6]) == (3, " 0-2 ┤")
