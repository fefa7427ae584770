"""The temporal-order task: A before B, or B before A, at a lag that says nothing.

Yu, Sun and Goodman (arXiv 2507.16043) name temporal order as future work; the task is ours. One class is
the other with the two halves of the units exchanged, and each half alone fires uniformly over the sample:
counts, times, intervals within a unit, coincidences and the lags without their sign are the same in both.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.tasks.assemble import US_PER_MS, assemble, check_whole


def generate(
    n_samples: int,
    *,
    seed: int,
    n_couples: int = 5,
    n_pairs: int = 5,
    min_lag_ms: int = 2,
    max_lag_ms: int = 30,
    duration_ms: int = 1000,
) -> SpikeTrains:
    """Draw samples in which unit c and unit n_couples + c fire in pairs, the first half ahead or behind.

    Each spike of the leading unit is followed by one of its partner after a lag that is uniform between
    the limits. Leading spikes are uniform over the sample; a pair that runs over its end goes on at its
    start. Times are whole microseconds.

    Args:
        n_samples: number of samples.
        seed: of the samples.
        n_couples: number of couples of units (A, B).
        n_pairs: spikes of each unit.
        min_lag_ms: shortest lag.
        max_lag_ms: longest lag, below half of the duration.
        duration_ms: length of a sample.

    Raises:
        InputError: if a number is not whole and positive, or the lags do not fit.

    Example:
        >>> trains = generate(40, seed=0)
        >>> trains
        SpikeTrains(40 samples, 2,000 spikes, 10 units, 1000 ms, 2 classes)
    """
    check_whole(n_couples=n_couples, n_pairs=n_pairs, duration_ms=duration_ms, min_lag_ms=min_lag_ms)
    check_whole(0, n_samples=n_samples)
    if not min_lag_ms <= max_lag_ms < duration_ms / 2:
        raise InputError(
            f"lags run from {min_lag_ms} to {max_lag_ms} ms in {duration_ms} ms",
            remedy="give a longest lag between the shortest one and half of the duration",
        )
    duration_us = duration_ms * US_PER_MS
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n_samples)
    shape = (n_samples, n_couples, n_pairs)
    leading = rng.integers(0, duration_us, shape)
    lag = rng.integers(min_lag_ms * US_PER_MS, max_lag_ms * US_PER_MS + 1, shape)
    following = (leading + lag) % duration_us
    sample, couple, _ = np.indices(shape)
    a_leads = labels[sample] == 0
    return assemble(
        np.concatenate([sample.ravel(), sample.ravel()]),
        np.concatenate([couple.ravel(), n_couples + couple.ravel()]),
        np.concatenate(
            [np.where(a_leads, leading, following).ravel(), np.where(a_leads, following, leading).ravel()]
        ),
        labels=labels,
        label_names=["A before B", "B before A"],
        n_units=2 * n_couples,
        duration_ms=duration_ms,
        task={
            "name": "temporal order",
            "seed": seed,
            "n_couples": n_couples,
            "n_pairs": n_pairs,
            "min_lag_ms": min_lag_ms,
            "max_lag_ms": max_lag_ms,
            "duration_ms": duration_ms,
        },
    )


class Correlogram(NamedTuple):
    """How often B fires after A: per spike of A and bin of lags, of each class; the bins' middles in ms."""

    lag_ms: Float64[np.ndarray, " bins"]
    spikes: Float64[np.ndarray, "classes bins"]


def correlogram(trains: SpikeTrains, *, within_ms: int = 50, bin_ms: int = 2) -> Correlogram:
    """Return the cross-correlogram of the couples of samples that ``generate`` made, by class.

    That of one class is the other's mirror image.

    Args:
        trains: the samples, of which every class has one or more.
        within_ms: longest lag, a multiple of the bins' width.
        bin_ms: width of the bins.

    Example:
        >>> lag_ms, spikes = correlogram(generate(200, seed=0))
        >>> lag_ms[spikes[0].argmax()] > 0 > lag_ms[spikes[1].argmax()]
        np.True_
    """
    lag = _lags_us(trains)
    lag = np.where(lag > trains.duration_us // 2, lag - trains.duration_us, lag) / US_PER_MS
    edges = np.arange(-within_ms, within_ms + bin_ms, bin_ms)
    spikes = np.empty((2, len(edges) - 1))
    for label in range(2):
        of_class = lag[trains.labels == label]
        n_leading = of_class.size / of_class.shape[-1]
        spikes[label] = np.histogram(of_class, edges)[0] / n_leading
    return Correlogram((edges[:-1] + edges[1:]) / 2, spikes)


def ceilings(
    *,
    n_couples: int = 5,
    n_pairs: int = 5,
    min_lag_ms: int = 2,
    max_lag_ms: int = 30,
    duration_ms: int = 1000,
    n_simulated: int = 2000,
    seed: int = 0,
) -> dict[str, float]:
    """Return the accuracy of rules that read the counts or coincidences (exact) and everything (simulated).

    Which spikes make a pair is not told: a class is as likely as the product, over the couples, of the
    number of ways to pair the spikes so that all lags lie within the limits.

    Raises:
        InputError: if n_pairs is above 6, where the pairings are too many to go through.

    Example:
        >>> ceilings(n_simulated=200)
        {'rate': 0.5, 'zero-lag': 0.5, 'full': 1.0}
    """
    if n_pairs > 6:
        raise InputError(f"n_pairs is {n_pairs}", remedy="give at most 6")
    trains = generate(
        n_simulated,
        seed=seed,
        n_couples=n_couples,
        n_pairs=n_pairs,
        min_lag_ms=min_lag_ms,
        max_lag_ms=max_lag_ms,
        duration_ms=duration_ms,
    )
    lag = _lags_us(trains)
    shortest, longest = min_lag_ms * US_PER_MS, max_lag_ms * US_PER_MS
    a_leads = (lag >= shortest) & (lag <= longest)
    lag = (-lag) % trains.duration_us
    b_leads = (lag >= shortest) & (lag <= longest)
    likelihood = np.stack([_log_pairings(a_leads), _log_pairings(b_leads)], axis=1)
    ties = likelihood[:, 0] == likelihood[:, 1]
    right = np.where(ties, 0.5, likelihood.argmax(axis=1) == trains.labels)
    return {"rate": 0.5, "zero-lag": 0.5, "full": float(right.mean())}


def _lags_us(trains: SpikeTrains) -> Int64[np.ndarray, "samples couples pairs pairs"]:
    """Return the time from every spike of A to every one of its partner B, round the circle."""
    n_couples, n_pairs = trains.meta["task"]["n_couples"], trains.meta["task"]["n_pairs"]
    by_unit = np.lexsort((trains.units, trains.sample_index))
    times = trains.times_us[by_unit].astype(np.int64).reshape(len(trains), 2, n_couples, n_pairs)
    return (times[:, 1, :, None, :] - times[:, 0, :, :, None]) % trains.duration_us


def _log_pairings(
    fits: Bool[np.ndarray, "samples couples pairs pairs"],
) -> Float64[np.ndarray, " samples"]:
    """Return the log of the number of ways to pair all spikes so that every pair fits (a permanent)."""
    n_pairs = fits.shape[-1]
    rows = np.arange(n_pairs)
    ways = np.zeros(fits.shape[:2], dtype=np.int64)
    for columns in itertools.permutations(range(n_pairs)):
        ways += fits[:, :, rows, columns].all(axis=2)
    with np.errstate(divide="ignore"):
        return np.log(ways).sum(axis=1)
