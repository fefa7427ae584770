"""Observers that see only a part of what spikes tell: counts, single units' intervals, or coincidences.

Each is the count MLP on events of its own kind: a unit's spikes, its intervals of one class of length, or the
coincidences of two units. So all have the same power, and what tells them apart is what they see.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Int64, Integer

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, offsets_from_lengths
from beyondrate.ops.correlogram import interval_counts, lag_counts
from beyondrate.progress import Progress, silent
from beyondrate.recipes import rate_arm
from beyondrate.training import fit, predict

Observer = Literal["count", "ISI", "zero-lag"]
OBSERVERS: tuple[Observer, ...] = get_args(Observer)
COINCIDENCE_US = 5000
_SHORTEST_US, _CLASSES_AN_OCTAVE = 1000, 2


def seen_by(observer: Observer, trains: SpikeTrains) -> SpikeTrains:
    """Return the events that an observer sees, one unit a kind of event; when they happened it does not see.

    - count: the spikes themselves.
    - ISI: the intervals between a unit's successive spikes, in two classes of length an octave.
    - zero-lag: the pairs of spikes of two units that are at most 5 ms apart.

    Raises:
        InputError: if there is no such observer.

    Example:
        >>> trains = SpikeTrains.from_samples([([1000, 4000, 9000], [0, 1, 0])], labels=[0], n_units=2,
        ...                                   duration_us=10_000)
        >>> [int(seen_by(observer, trains).n_spikes) for observer in OBSERVERS]
        [3, 1, 2]
    """
    if observer not in OBSERVERS:
        raise InputError(f"unknown observer {observer!r}", remedy=f"choose from {', '.join(OBSERVERS)}")
    if observer == "count":
        return trains
    return _as_events(_intervals(trains) if observer == "ISI" else _coincidences(trains), trains)


def answers(
    observer: Observer,
    train: SpikeTrains,
    validation: SpikeTrains,
    test: SpikeTrains,
    *,
    seed: int,
    progress: Progress = silent,
) -> Int64[np.ndarray, " tests"]:
    """Train an observer and return the classes that it gives to the test samples.

    Args:
        observer: of OBSERVERS.
        train: training samples.
        validation: samples that choose the epoch.
        test: samples to classify.
        seed: of the MLP's weights and the order of the samples.
        progress: told after each epoch.

    Raises:
        InputError: if there is no such observer.
    """
    train, validation, test = (seen_by(observer, part) for part in (train, validation, test))
    arm = rate_arm(train, seed=seed)
    fit(
        arm.network,
        train,
        validation,
        dt_s=arm.dt_s,
        loss=arm.loss,
        settings=arm.settings,
        seed=seed,
        progress=progress,
    )
    return predict(arm.network, test, dt_s=arm.dt_s, loss=arm.loss).argmax(axis=1)


def _intervals(trains: SpikeTrains) -> Integer[np.ndarray, "samples kinds"]:
    n_octaves = np.log2(trains.duration_us / _SHORTEST_US)
    exponents = np.arange(np.ceil(n_octaves * _CLASSES_AN_OCTAVE) + 1) / _CLASSES_AN_OCTAVE
    edges_us = np.concatenate([[-1], _SHORTEST_US * 2**exponents]).astype(np.int64)
    units = np.arange(trains.n_units)
    counts = interval_counts(trains.times_us, trains.units, trains.offsets, units, trains.n_units, edges_us)
    return counts.reshape(len(trains), -1)


def _coincidences(trains: SpikeTrains) -> Integer[np.ndarray, "samples kinds"]:
    edges_us = np.array([-1, COINCIDENCE_US])
    pairs = lag_counts(trains.times_us, trains.units, trains.offsets, trains.n_units, edges_us)[:, :, 0]
    i, j = np.triu_indices(trains.n_units, k=1)
    return pairs[:, i, j] + pairs[:, j, i]


def _as_events(counts: Integer[np.ndarray, "samples kinds"], trains: SpikeTrains) -> SpikeTrains:
    """Return samples with as many spikes of each unit, all at time 0, and the labels of ``trains``."""
    n_samples, n_kinds = counts.shape
    return SpikeTrains(
        times_us=np.zeros(counts.sum(), dtype=np.int32),
        units=np.repeat(np.tile(np.arange(n_kinds), n_samples), counts.ravel()),
        offsets=offsets_from_lengths(counts.sum(axis=1)),
        labels=trains.labels,
        n_units=n_kinds,
        duration_us=trains.duration_us,
        meta=trains.meta,
    )
