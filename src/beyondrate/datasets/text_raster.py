"""A sample as a raster of characters, for a look in a terminal."""

from __future__ import annotations

import numpy as np

from beyondrate.datasets.split import class_name
from beyondrate.events import SpikeTrains

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # of a Braille character


def text_raster(sample: SpikeTrains, *, columns: int = 64, rows: int | None = None) -> str:
    """Draw one sample: time across, unit 0 at the top; a dot is one spike or more.

    Args:
        sample: trains of one sample.
        columns, rows: characters; each has two dots across and four down. Rows default to 8 at most.

    Example:
        >>> ramp = SpikeTrains.from_samples([(range(0, 1000, 50), range(20))], labels=[0], n_units=20,
        ...                                 duration_us=1000)
        >>> print(text_raster(ramp, columns=10, rows=5))
        0, 20 spikes
           0 ┤⠣⡀        │
             │ ⠈⠢⡀      │
             │   ⠈⠢⡀    │
             │     ⠈⠢⡀  │
          19 ┤       ⠈⠢⡀│
             0      1 ms
    """
    rows = rows or min(8, -(-sample.n_units // 4))
    across = sample.times_us.astype(np.int64) * 2 * columns // (sample.duration_us + 1)
    down = sample.units.astype(np.int64) * 4 * rows // sample.n_units
    cells = np.zeros((rows, columns), np.int64)
    np.bitwise_or.at(cells, (down // 4, across // 2), _DOTS[down % 4, across % 2])
    last = str(sample.n_units - 1)
    names = {0: "0", rows - 1: last} if rows > 1 else {0: f"0-{last}"}
    width = max(4, *map(len, names.values()))
    lines = [f"{class_name(sample, int(sample.labels[0]))}, {sample.n_spikes:,} spikes"]
    for row, of_row in enumerate(cells.tolist()):
        mark = "┤" if row in names else "│"
        drawn = "".join(chr(0x2800 + cell) if cell else " " for cell in of_row)
        lines.append(f"{names.get(row, ''):>{width}} {mark}{drawn}│")
    end = f"{sample.duration_us / 1000:g} ms"
    lines.append(f"{'':>{width}} 0{end:>{columns}}")
    return "\n".join(lines)
