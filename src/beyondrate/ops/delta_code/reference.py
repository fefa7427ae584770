"""Delta codes in plain Python: every whole microsecond is looked at."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float64, Int64


def encode(
    values: Float64[np.ndarray, " samples"], step_us: float, theta: float, tau_us: float, start: float
) -> tuple[Int64[np.ndarray, " events"], Bool[np.ndarray, " events"]]:
    """Return times and directions of the events of a signal."""
    times, ups = [], []
    estimate, since = start, 0
    for time in range(math.floor((len(values) - 1) * step_us) + 1):
        sample = min(int(time / step_us), max(len(values) - 2, 0))
        slope = (values[sample + 1] - values[sample]) / step_us if len(values) > 1 else 0.0
        x = values[sample] + slope * (time - sample * step_us)
        before = estimate * math.exp((since - time) / tau_us)
        steps = math.floor(abs(x - before) / theta)
        if steps:
            times += [time] * steps
            ups += [x > before] * steps
            estimate, since = before + math.copysign(steps * theta, x - before), time
    return np.array(times, np.int64), np.array(ups, np.bool_)
