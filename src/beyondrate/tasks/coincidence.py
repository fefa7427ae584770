"""The coincidence task: two of three groups of units fire together, the third apart; which one is the class.

After Yu, Sun and Goodman (arXiv 2507.16043), Sec. 2.2 and Eq. 5. Ours is how the counts are kept from telling
the class: every group is on in half of the windows, and its total is the same number in every sample.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy import stats

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.tasks.assemble import US_PER_MS, assemble, check_whole

N_GROUPS = 3
WINDOW_MS = 10
OFFSETS_MS = (2, 3, 4, 5, 6)
MEAN_ON, MEAN_OFF, MEAN_ALIKE = 12.0, 2.0, 5.0  # spikes of a group in a window


def generate(
    n_samples: int,
    *,
    seed: int,
    mixing: float = 0.0,
    group_size: int = 20,
    n_windows: int = 20,
) -> SpikeTrains:
    """Draw samples in which the odd group is off when the other two are on, and on when they are off.

    In a window a group that is on fires 12 of its units on average, one that is off 2; ``mixing`` (λ)
    moves both towards 5, where nothing tells the class. Each spike falls 2 to 6 ms after its window's
    start. In half of the windows, at random, the pair is on; so every group is on in half of them.

    Args:
        n_samples: number of samples.
        seed: of the samples.
        mixing: λ of Eq. 5, from 0 (clear) to 1 (the class cannot be told).
        group_size: units in each of the three groups, at least 12.
        n_windows: number of windows of 10 ms, even.

    Raises:
        InputError: if a number is not whole and positive, n_windows is odd, or mixing is outside [0, 1].

    Example:
        >>> trains = generate(100, seed=0)
        >>> totals = trains.counts().reshape(100, 3, 20).sum(axis=2)
        >>> totals.min(), totals.max()
        (np.int64(140), np.int64(140))
    """
    check_whole(n_windows=n_windows)
    check_whole(12, group_size=group_size)
    check_whole(0, n_samples=n_samples)
    if n_windows % 2:
        raise InputError(f"n_windows is {n_windows}", remedy="give an even number")
    mean_on, mean_off = mean_spikes(mixing)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, N_GROUPS, n_samples)
    on = _groups_on(labels, n_windows, rng)
    n_firing = rng.binomial(group_size, np.where(on, mean_on, mean_off) / group_size)
    total = round(n_windows / 2 * (mean_on + mean_off))
    _bring_to_total(n_firing.reshape(-1, n_windows), total, group_size, rng)

    rank = rng.random((n_samples, N_GROUPS, n_windows, group_size)).argsort(axis=-1)
    sample, group, window, member = np.nonzero(rank < n_firing[..., None])
    offset = rng.choice(OFFSETS_MS, size=len(sample))
    return assemble(
        sample,
        group * group_size + member,
        (window * WINDOW_MS + offset) * US_PER_MS,
        labels=labels,
        label_names=[f"group {group} is odd" for group in range(N_GROUPS)],
        n_units=N_GROUPS * group_size,
        duration_ms=n_windows * WINDOW_MS,
        task={
            "name": "coincidence",
            "seed": seed,
            "mixing": mixing,
            "group_size": group_size,
            "n_windows": n_windows,
            "window_ms": WINDOW_MS,
            "offsets_ms": list(OFFSETS_MS),
            "mean_on": mean_on,
            "mean_off": mean_off,
        },
    )


def mean_spikes(mixing: float) -> tuple[float, float]:
    """Return the mean spikes in a window of a group that is on and of one that is off (Eq. 5).

    Raises:
        InputError: if mixing is outside [0, 1].

    Example:
        >>> mean_spikes(0.0), mean_spikes(0.5), mean_spikes(1.0)
        ((12.0, 2.0), (8.5, 3.5), (5.0, 5.0))
    """
    if not 0 <= mixing <= 1:
        raise InputError(f"mixing is {mixing}", remedy="give a number from 0 to 1")
    return (
        (1 - mixing) * MEAN_ON + mixing * MEAN_ALIKE,
        (1 - mixing) * MEAN_OFF + mixing * MEAN_ALIKE,
    )


def spikes_by_window(trains: SpikeTrains) -> Int64[np.ndarray, "samples groups windows"]:
    """Return how many spikes each group fires in each window of samples that ``generate`` made.

    >>> spikes_by_window(generate(100, seed=0)).sum(axis=2).max()
    np.int64(140)
    """
    group_size, n_windows = trains.meta["task"]["group_size"], trains.meta["task"]["n_windows"]
    cell = (trains.sample_index.astype(np.int64) * N_GROUPS + trains.units // group_size) * n_windows
    cell += trains.times_us // (WINDOW_MS * US_PER_MS)
    counts = np.bincount(cell, minlength=len(trains) * N_GROUPS * n_windows)
    return counts.reshape(len(trains), N_GROUPS, n_windows)


def ceilings(
    *,
    mixing: float = 0.0,
    group_size: int = 20,
    n_windows: int = 20,
    n_simulated: int = 20_000,
    seed: int = 0,
) -> dict[str, float]:
    """Return the accuracy of a rule that reads counts (exact) and of one that reads everything (simulated).

    The full observer takes the class of the largest likelihood of how many units of each group fire in each
    window; that half of the windows are flipped and that the totals are fixed it does not use.

    >>> ceilings(n_simulated=1000)
    {'rate': 0.3333333333333333, 'full': 1.0}
    """
    trains = generate(n_simulated, seed=seed, mixing=mixing, group_size=group_size, n_windows=n_windows)
    n_firing = spikes_by_window(trains)
    mean_on, mean_off = mean_spikes(mixing)
    log_on = stats.binom.logpmf(n_firing, group_size, mean_on / group_size)
    log_off = stats.binom.logpmf(n_firing, group_size, mean_off / group_size)
    likelihood = np.stack([_log_likelihood(log_on, log_off, odd) for odd in range(N_GROUPS)], axis=1)
    ties = likelihood >= likelihood.max(axis=1, keepdims=True) - 1e-9
    right = ties[np.arange(n_simulated), trains.labels] / ties.sum(axis=1)
    return {"rate": 1 / N_GROUPS, "full": float(right.mean())}


def _groups_on(
    labels: Int64[np.ndarray, " samples"], n_windows: int, rng: np.random.Generator
) -> Bool[np.ndarray, "samples groups windows"]:
    """Return when each group is on: the pair in a random half of the windows, the odd group in the others."""
    pair_is_on = np.tile(np.arange(n_windows) < n_windows // 2, (len(labels), 1))
    rng.permuted(pair_is_on, axis=1, out=pair_is_on)
    is_odd = labels[:, None] == np.arange(N_GROUPS)
    return pair_is_on[:, None, :] != is_odd[:, :, None]


def _bring_to_total(
    n_firing: Int64[np.ndarray, "rows windows"], total: int, most: int, rng: np.random.Generator
) -> None:
    """Add or take single spikes in random windows until every row sums to ``total``, in place."""
    missing = total - n_firing.sum(axis=1)
    while (rows := np.flatnonzero(missing)).size:
        windows = rng.integers(0, n_firing.shape[1], len(rows))
        step = np.sign(missing[rows])
        changed = n_firing[rows, windows] + step
        fits = (changed >= 0) & (changed <= most)
        n_firing[rows[fits], windows[fits]] = changed[fits]
        missing[rows[fits]] -= step[fits]


def _log_likelihood(
    log_on: Float64[np.ndarray, "samples groups windows"],
    log_off: Float64[np.ndarray, "samples groups windows"],
    odd: int,
) -> Float64[np.ndarray, " samples"]:
    pair = [group for group in range(N_GROUPS) if group != odd]
    pair_on = log_on[:, pair].sum(axis=1) + log_off[:, odd]
    odd_on = log_off[:, pair].sum(axis=1) + log_on[:, odd]
    return np.logaddexp(pair_on, odd_on).sum(axis=1)
