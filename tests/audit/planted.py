"""Data of which it is known what tells the class."""

import numpy as np

from beyondrate import SpikeTrains
from beyondrate.tasks import coincidence, polychrony, temporal_order

DURATION_US = 500_000


def from_counts(n_samples: int, seed: int) -> SpikeTrains:
    """Half of the units spike more in one class, the other half in the other; times are uniform."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n_samples) % 2)
    rates = np.where((np.arange(12) % 2)[None] == labels[:, None], 9.0, 5.0)
    return _uniform(rng.poisson(rates) + 3, labels, rng)


def from_nothing(n_samples: int, seed: int) -> SpikeTrains:
    """Counts vary from sample to sample but not with the class; times are uniform."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n_samples) % 2)
    return _uniform(rng.poisson(6.0, (n_samples, 12)) + 3, labels, rng)


def from_either_count(n_samples: int, seed: int) -> SpikeTrains:
    """One or the other half of the units spikes more, not both or neither: no linear reading tells it."""
    rng = np.random.default_rng(seed)
    more = rng.integers(0, 2, (n_samples, 2))
    return _uniform(rng.poisson(3 + 9 * np.repeat(more, 5, axis=1)), more[:, 0] ^ more[:, 1], rng)


def from_subjects(n_samples: int, seed: int) -> SpikeTrains:
    """Four subjects with onsets of their own, two of either class: the class itself changes nothing."""
    rng = np.random.default_rng(seed)
    subjects = rng.permutation(np.arange(n_samples) % 4)
    peaks = rng.integers(50_000, 450_000, (4, 8))
    units = np.repeat(np.arange(8), 3)
    times = np.clip(rng.normal(peaks[subjects][:, units], 15_000), 0, DURATION_US).astype(int)
    return SpikeTrains.from_samples(
        [(row, units) for row in times],
        labels=subjects % 2,
        groups=subjects,
        n_units=8,
        duration_us=DURATION_US,
    )


def copied(trains: SpikeTrains, times: int) -> SpikeTrains:
    """Every sample so many times."""
    return trains[np.repeat(np.arange(len(trains)), times)]


def from_counts_and_order(n_samples: int, seed: int) -> SpikeTrains:
    """The order of two units tells the class, and so does the number of spikes of some other units."""
    ordered = temporal_order.generate(n_samples, seed=seed)
    rng = np.random.default_rng([seed, 1])
    samples = []
    for index in range(len(ordered)):
        sample = ordered[index]
        extra = rng.poisson(4 + 2 * int(sample.labels[0]), 4) + 3
        times = rng.integers(0, ordered.duration_us, extra.sum())
        units = np.repeat(ordered.n_units + np.arange(4), extra)
        samples.append((np.concatenate([sample.times_us, times]), np.concatenate([sample.units, units])))
    return SpikeTrains.from_samples(
        samples, labels=ordered.labels, n_units=ordered.n_units + 4, duration_us=ordered.duration_us
    )


def from_onset(n_samples: int, seed: int) -> SpikeTrains:
    """Every unit fires three spikes around a time since the start that depends on the class."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n_samples) % 2)
    peaks = np.random.default_rng(99).integers(100_000, 400_000, (2, 12))
    samples = []
    for label in labels:
        units = np.repeat(np.arange(12), 3)
        times = np.clip(rng.normal(peaks[label][units], 60_000), 0, DURATION_US).astype(int)
        samples.append((times, units))
    return SpikeTrains.from_samples(samples, labels=labels, n_units=12, duration_us=DURATION_US)


def from_intervals(n_samples: int, seed: int) -> SpikeTrains:
    """Each unit fires five pairs of spikes at random times: 4 ms apart in one class, 12 ms in the other."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n_samples) % 2)
    samples = []
    for label in labels:
        units = np.repeat(np.arange(8), 5)
        starts = rng.integers(0, DURATION_US, len(units))
        intervals = rng.normal((4_000, 12_000)[label], 500, len(units)).astype(int)
        times = np.concatenate([starts, starts + intervals]) % DURATION_US  # no edge that onset could see
        samples.append((times, np.concatenate([units, units])))
    return SpikeTrains.from_samples(samples, labels=labels, n_units=8, duration_us=DURATION_US)


def from_synchrony(n_samples: int, seed: int) -> SpikeTrains:
    """Which of three groups of units fires when the others do not."""
    return coincidence.generate(n_samples, seed=seed)


def from_order(n_samples: int, seed: int) -> SpikeTrains:
    """Which of two units leads, by a lag that varies."""
    return temporal_order.generate(n_samples, seed=seed)


def from_lags(n_samples: int, seed: int) -> SpikeTrains:
    """A pattern of fixed lags across units, somewhere in the sample."""
    return polychrony.generate(n_samples, seed=seed)


def _uniform(counts: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> SpikeTrains:
    samples = [
        (rng.integers(0, DURATION_US, row.sum()), np.repeat(np.arange(len(row)), row)) for row in counts
    ]
    return SpikeTrains.from_samples(samples, labels=labels, n_units=counts.shape[1], duration_us=DURATION_US)
