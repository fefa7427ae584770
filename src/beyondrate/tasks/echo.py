"""The echo-localisation task: how far away is what sends the echo back, and on which side?

After Koopman, Otte and Bohté (arXiv 2602.01978), who leave the numbers open; they are ours. Emission channels
fire when a call is sent, those of the left and the right ear when its echo arrives: the time between tells
the distance, the time between the ears the azimuth.

A class is a pair, label = distance · n_azimuths + azimuth, so that one label says both and follows the sample
through every selection; ``distance_and_azimuth`` takes it apart for networks with two heads.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64, Int64

from beyondrate.events import SpikeTrains
from beyondrate.tasks.assemble import US_PER_MS, assemble, check_whole, poisson_noise
from beyondrate.tasks.evidence import log_evidence

N_EMISSION, N_EAR = 4, 8  # channels of the call and of each ear
ONSET_MS = (5, 45)
NEAREST_MS, DISTANCE_STEP_MS, DISTANCE_SPREAD_MS = 20, 12, 3.0
AZIMUTH_STEP_MS, AZIMUTH_SPREAD_MS = 4, 0.75
JITTER_MS = 0.3
_MARGIN_MS = 3  # after the last echo, ten standard deviations of the jitter
_GRID_US = 62.5  # of the integrals: divides every length above and is far below the jitter
_BLOCK = 100  # samples whose likelihoods are held at a time


def generate(
    n_samples: int, *, seed: int, n_distances: int = 6, n_azimuths: int = 5, noise_hz: float = 3.0
) -> SpikeTrains:
    """Draw samples in which a call is sent and its echo arrives at the two ears.

    Channels 0-3 fire at the call, uniform over [5, 45) ms, 4-11 (left) and 12-19 (right) at its echo, which
    takes 20 + 12 · distance ± 3 ms and reaches the left ear 4 · (azimuth - middle) ± 0.75 ms before the
    right one, half of it before and half after. Both are uniform within their limits. Every spike has a
    normal jitter of its own of 0.3 ms, and every channel Poisson noise. Times are whole microseconds.

    Args:
        n_samples: number of samples.
        seed: of the samples.
        n_distances: number of distances.
        n_azimuths: number of azimuths.
        noise_hz: rate of each channel's noise.

    Raises:
        InputError: if a number is not whole and positive, or the noise's rate is negative.

    Example:
        >>> trains = generate(500, seed=0)
        >>> trains.n_units, trains.duration_us, trains.n_classes
        (20, 136000, 30)
        >>> trains.meta["label_names"][7]
        'distance 1, azimuth 2'
    """
    check_whole(n_distances=n_distances, n_azimuths=n_azimuths)
    check_whole(0, n_samples=n_samples)
    farthest_ms = NEAREST_MS + (n_distances - 1) * DISTANCE_STEP_MS + DISTANCE_SPREAD_MS
    half_interval_ms = (n_azimuths - 1) * AZIMUTH_STEP_MS / 4 + AZIMUTH_SPREAD_MS / 2
    duration_ms = math.ceil(ONSET_MS[1] + farthest_ms + half_interval_ms + _MARGIN_MS)
    duration_us = duration_ms * US_PER_MS
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_distances * n_azimuths, n_samples)
    distance, azimuth = np.divmod(labels, n_azimuths)
    call_ms = rng.uniform(*ONSET_MS, n_samples)
    echo_ms = call_ms + NEAREST_MS + DISTANCE_STEP_MS * distance
    echo_ms += rng.uniform(-DISTANCE_SPREAD_MS, DISTANCE_SPREAD_MS, n_samples)
    interval_ms = AZIMUTH_STEP_MS * (azimuth - (n_azimuths - 1) / 2)
    interval_ms += rng.uniform(-AZIMUTH_SPREAD_MS, AZIMUTH_SPREAD_MS, n_samples)

    due_ms = np.stack([call_ms, echo_ms - interval_ms / 2, echo_ms + interval_ms / 2], axis=1)
    due_ms = np.repeat(due_ms, [N_EMISSION, N_EAR, N_EAR], axis=1)
    times = np.rint((due_ms + rng.normal(0, JITTER_MS, due_ms.shape)) * US_PER_MS).astype(np.int64)
    sample, unit = np.indices(times.shape)
    n_units = N_EMISSION + 2 * N_EAR
    noise = poisson_noise(n_samples, n_units, noise_hz, duration_us, rng)
    return assemble(
        np.concatenate([sample.ravel(), noise.sample]),
        np.concatenate([unit.ravel(), noise.unit]),
        np.concatenate([np.clip(times, 0, duration_us).ravel(), noise.time_us]),
        labels=labels,
        label_names=[f"distance {d}, azimuth {a}" for d in range(n_distances) for a in range(n_azimuths)],
        n_units=n_units,
        duration_ms=duration_ms,
        task={
            "name": "echo",
            "seed": seed,
            "n_distances": n_distances,
            "n_azimuths": n_azimuths,
            "noise_hz": noise_hz,
            "jitter_ms": JITTER_MS,
            "onset_ms": list(ONSET_MS),
            "distances_ms": [NEAREST_MS + DISTANCE_STEP_MS * d for d in range(n_distances)],
            "distance_spread_ms": DISTANCE_SPREAD_MS,
            "azimuths_ms": [AZIMUTH_STEP_MS * (a - (n_azimuths - 1) / 2) for a in range(n_azimuths)],
            "azimuth_spread_ms": AZIMUTH_SPREAD_MS,
        },
    )


def distance_and_azimuth(
    labels: Int64[np.ndarray, " samples"], *, n_azimuths: int = 5
) -> tuple[Int64[np.ndarray, " samples"], Int64[np.ndarray, " samples"]]:
    """Return the two labels of each sample that its one label stands for.

    >>> distance_and_azimuth(np.array([0, 7, 29]))
    (array([0, 1, 5]), array([0, 2, 4]))
    """
    return labels // n_azimuths, labels % n_azimuths


def ceilings(
    *,
    dt_s: float,
    n_distances: int = 6,
    n_azimuths: int = 5,
    noise_hz: float = 3.0,
    n_simulated: int = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """Return the accuracy of the best rules that read counts ("rate") or bins of ``dt_s``.

    The latter name the distance, the azimuth, or both ("full"). They are the exact Bayes rules, with the
    times of call and echo and between the ears integrated out, on simulated samples; the standard error is
    below 0.5 / √n_simulated.

    Example:
        >>> ceilings(dt_s=0.001, n_simulated=100)
        {'rate': 0.03333333333333333, 'distance': 1.0, 'azimuth': 1.0, 'full': 1.0}
    """
    trains = generate(
        n_simulated, seed=seed, n_distances=n_distances, n_azimuths=n_azimuths, noise_hz=noise_hz
    )
    parts = [trains[start : start + _BLOCK] for start in range(0, n_simulated, _BLOCK)]
    chance = np.concatenate([posterior(part, dt_s=dt_s) for part in parts])
    distance, azimuth = distance_and_azimuth(trains.labels, n_azimuths=n_azimuths)
    chosen = chance.reshape(n_simulated, -1).argmax(axis=1)
    return {
        "rate": 1 / (n_distances * n_azimuths),
        "distance": float((chance.sum(axis=2).argmax(axis=1) == distance).mean()),
        "azimuth": float((chance.sum(axis=1).argmax(axis=1) == azimuth).mean()),
        "full": float((chosen == trains.labels).mean()),
    }


def posterior(trains: SpikeTrains, *, dt_s: float) -> Float64[np.ndarray, "samples distances azimuths"]:
    """Return the probability of every distance and azimuth of samples that ``generate`` made.

    With the likelihoods E of the call at t, L and R of the echo at the two ears, and the echo's mean time s:
    p(d, a) ∝ ∫ ds ∫ dD E(s - D) ∫ dI L(s - I/2) R(s + I/2), over the call's times and the limits of d and a.
    The integrals are sums over a grid of 1/16 ms.

    Args:
        trains: the samples.
        dt_s: width of the bins that the observer sees, in seconds.
    """
    task = trains.meta["task"]
    grid = np.arange(0, trains.duration_us + _GRID_US, _GRID_US)
    due_us = np.broadcast_to(grid, (trains.n_units, len(grid)))
    log = log_evidence(trains, dt_s=dt_s, due_us=due_us, jitter_us=JITTER_MS * US_PER_MS)
    ears = N_EMISSION, N_EMISSION + N_EAR
    call, left, right = (_likelihood(group) for group in np.split(log, ears, axis=1))
    first, last = (edge * US_PER_MS for edge in ONSET_MS)
    call *= 0.5 * ((grid >= first) & (grid < last)) + 0.5 * ((grid > first) & (grid <= last))

    distances_ms, azimuths_ms = task["distances_ms"], task["azimuths_ms"]
    by_distance = np.zeros((len(trains), len(distances_ms), len(grid)))
    for d, centre_ms in enumerate(distances_ms):
        for steps, weight in _trapezoid(centre_ms, DISTANCE_SPREAD_MS, _GRID_US):
            by_distance[:, d] += weight * _later(call, steps)
    by_azimuth = np.zeros((len(trains), len(azimuths_ms), len(grid)))
    for a, centre_ms in enumerate(azimuths_ms):
        for steps, weight in _trapezoid(centre_ms, AZIMUTH_SPREAD_MS, 2 * _GRID_US):  # I/2 in whole steps
            by_azimuth[:, a] += weight * _later(left, steps) * _later(right, -steps)
    probability = np.einsum("nds,nas->nda", by_distance, by_azimuth)
    return probability / probability.sum(axis=(1, 2), keepdims=True)


def _likelihood(
    log_of_units: Float64[np.ndarray, "samples units times"],
) -> Float64[np.ndarray, "samples times"]:
    log = log_of_units.sum(axis=1)
    return np.exp(log - log.max(axis=1, keepdims=True))


def _trapezoid(centre_ms: float, spread_ms: float, step_us: float) -> list[tuple[int, float]]:
    """Return the steps from centre - spread to centre + spread and their weights in the trapezoidal rule."""
    middle, half = round(centre_ms * US_PER_MS / step_us), round(spread_ms * US_PER_MS / step_us)
    return [(middle + k, 0.5 if abs(k) == half else 1.0) for k in range(-half, half + 1)]


def _later(values: Float64[np.ndarray, "samples times"], steps: int) -> Float64[np.ndarray, "samples times"]:
    """Return what stood ``steps`` earlier (later where negative), 0 where that is outside."""
    moved = np.zeros_like(values)
    if steps >= 0:
        moved[:, steps:] = values[:, : values.shape[1] - steps]
    else:
        moved[:, :steps] = values[:, -steps:]
    return moved
