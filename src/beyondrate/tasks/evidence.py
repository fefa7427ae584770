"""What binned spikes say about when the one meant spike of each channel was due, among Poisson noise."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy import sparse, special

from beyondrate.events import SpikeTrains, dt_in_us


def log_evidence(
    trains: SpikeTrains, *, dt_s: float, due_us: Float64[np.ndarray, "units times"], jitter_us: float
) -> Float64[np.ndarray, "samples units times"]:
    """Return the log-likelihood of each train's binned spikes, for every time at which its spike may be due.

    A train holds one spike at its due time μ plus a normal jitter, clipped to the sample, and any number of
    spikes that are uniform over the sample. Of bins with n_b spikes and width w_b, the meant one lies in b
    with probability p_b(μ), and the others are Poisson, so the likelihood is Σ_b p_b(μ) n_b / w_b times a
    factor without μ, which is left out.

    Args:
        trains: the samples.
        dt_s: width of the bins in seconds.
        due_us: the times μ of each unit in microseconds.
        jitter_us: standard deviation of the jitter in microseconds.

    Example:
        >>> trains = SpikeTrains.from_samples([([4000], [0])], labels=[0], n_units=1, duration_us=10_000)
        >>> due_us = np.array([[3000.0, 5000.0, 7000.0]])
        >>> log = log_evidence(trains, dt_s=0.002, due_us=due_us, jitter_us=500.0)
        >>> int(log[0, 0].argmax())
        1
    """
    dt_us, n_bins = dt_in_us(dt_s), trains.n_steps(dt_s)
    edges = np.minimum(np.arange(n_bins + 1) * dt_us, trains.duration_us).astype(np.float64)
    width = np.diff(edges)
    edges[0], edges[-1] = -np.inf, np.inf  # what falls outside is clipped to the first or last bin

    bin_of_spike = np.minimum(trains.times_us // dt_us, n_bins - 1)
    sample_of_spike = trains.sample_index
    likelihood = np.empty((len(trains), *due_us.shape))
    for unit, due in enumerate(due_us):
        density = np.diff(special.ndtr((edges[:, None] - due) / jitter_us), axis=0) / width[:, None]
        of_unit = np.flatnonzero(trains.units == unit)
        counts = sparse.csr_array(
            (np.ones(len(of_unit)), (sample_of_spike[of_unit], bin_of_spike[of_unit])),
            shape=(len(trains), n_bins),
        )
        likelihood[:, unit] = counts @ density
    with np.errstate(divide="ignore"):  # far from every spike it is 0
        return np.log(likelihood)
