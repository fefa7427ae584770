"""Spike trains from and to neo, the object model of electrophysiology in Python (extra ``neuro``).

Trials are neo's segments, or the intervals of an epoch in a continuous recording; units are its spike trains.
Times go through quantities, so that seconds, milliseconds and samples cannot be mixed up, and are rounded to
whole microseconds from the trial's start.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Int64

from beyondrate.errors import InputError, MissingExtraError
from beyondrate.events import SpikeTrains
from beyondrate.storage.trials import Trials, cut, numbered, session, whole_us

Block: TypeAlias = Any  # neo.Block: neo may not be there
_UNIT = "unit_id"  # the annotation that tells a spike train's unit


def from_neo(
    data: Block | Sequence[Any],
    *,
    labels: Sequence[Any] | None = None,
    label: str = "label",
    groups: Sequence[int] | np.ndarray | None = None,
) -> SpikeTrains:
    """Read trials: a block, its segments, or a list of neo.SpikeTrain for each trial.

    Trains of different trials are of the same unit if they share the annotation "unit_id", or where not all
    have it, if they have the same place in the trial. A trial lasts from its earliest t_start to its latest
    t_stop, and times count from there; meta["unit_ids"] names the units.

    Args:
        data: the trials.
        labels: class of each trial, numbers or names.
        label: the annotation of the segments that is the class, where there are no ``labels``.
        groups: who or what each trial came from.

    Raises:
        InputError: if trials differ in their number of unnamed units, hold a unit twice, or have no label.

    Example:
        >>> import neo
        >>> trial = [neo.SpikeTrain([12.5, 80], units="ms", t_stop=100)]
        >>> from_neo([trial, trial], labels=["go", "stop"])
        SpikeTrains(2 samples, 4 spikes, 1 unit, 100 ms, 2 classes)
    """
    trials = list(getattr(data, "segments", data))
    trains = [list(getattr(trial, "spiketrains", trial)) for trial in trials]
    places, ids = _units(trains)
    samples, bounds = [], []
    for trial, of_trial in enumerate(trains):
        start = min((_us(train.t_start, trial)[0] for train in of_trial), default=0)
        stop = max((_us(train.t_stop, trial)[0] for train in of_trial), default=1)
        times = [_us(train.times, trial) - start for train in of_trial]
        units = np.repeat(places[trial], [len(some) for some in times]).astype(np.int64)
        samples.append((np.concatenate([np.zeros(0, np.int64), *times]), units))
        bounds.append((int(start), int(stop)))
    numbers, names = numbered(_labels(trials, labels, label))
    return SpikeTrains.from_samples(
        samples,
        labels=numbers,
        n_units=len(ids),
        duration_us=max(stop - start for start, stop in bounds),
        groups=groups,
        meta={
            "files": [f"trial {trial}@{start}-{stop}" for trial, (start, stop) in enumerate(bounds)],
            "unit_ids": ids,
            **({"label_names": names} if names else {}),
        },
    )


def from_neo_epoch(recording: Any, epoch: Any, *, labels: Sequence[Any] | None = None) -> SpikeTrains:  # noqa: ANN401
    """Cut a continuous recording into the intervals of an epoch, one sample each.

    An interval holds its start and not its end; a spike is in each interval that holds it, and
    meta["spikes_outside_trials"] counts those in none.

    Args:
        recording: a neo.Segment, or its list of neo.SpikeTrain, one a unit.
        epoch: a neo.Epoch; its labels are the classes.
        labels: class of each interval instead.

    Raises:
        InputError: if there is no interval, one has no length, or labels and intervals differ in number.

    Example:
        >>> import neo
        >>> unit = neo.SpikeTrain([0.1, 0.3, 0.5], units="s", t_stop=1)
        >>> epoch = neo.Epoch(times=[0.1, 0.3], durations=[0.2, 0.1], labels=["go", "stop"], units="s")
        >>> trains = from_neo_epoch([unit], epoch)
        >>> trains.times_us.tolist(), trains.offsets.tolist(), trains.meta["spikes_outside_trials"]
        ([0, 0], [0, 1, 2], 1)
    """
    trains = list(getattr(recording, "spiketrains", recording))
    _, ids = _units([trains])
    seconds = [np.sort(train.times.rescale("s").magnitude) for train in trains]
    classes = list(epoch.labels if labels is None else labels)
    starts = _us(epoch.times, "epoch")
    if len(classes) != len(starts):
        raise InputError(
            f"the epoch has {len(starts)} intervals but {len(classes)} labels", remedy="give one label each"
        )
    stops = whole_us((epoch.times + epoch.durations).rescale("s").magnitude, "the epoch")
    numbers, names = numbered(classes)
    return cut(session(seconds, ids), Trials(starts, stops, numbers, names), "epoch")


def to_neo(trains: SpikeTrains) -> Block:
    """Return a block with a segment a sample and a neo.SpikeTrain a unit, those without spikes too.

    Segments carry the annotations label, label_name and group, trains the annotation unit_id; `from_neo`
    gives the same spikes, labels (with ``label="label"``) and units back.

    Raises:
        MissingExtraError: if neo is not installed.

    Example:
        >>> trains = SpikeTrains.from_samples([([100, 900], [0, 1])], labels=[3], n_units=2, duration_us=1000)
        >>> to_neo(trains).segments[0].spiketrains[1].times
        array([900.]) * us
    """
    try:
        neo = import_module("neo")
    except ImportError as error:
        raise MissingExtraError("writing neo objects", "neuro") from error
    ids = list(trains.meta.get("unit_ids", range(trains.n_units)))
    names = trains.meta.get("label_names", ())
    block = neo.Block(name="beyondrate")
    for sample in range(len(trains)):
        one, number = trains[sample], int(trains.labels[sample])
        facts: dict[str, Any] = {"label": number}
        if number < len(names):
            facts["label_name"] = str(names[number])
        if trains.groups is not None:
            facts["group"] = int(trains.groups[sample])
        segment = neo.Segment(name=f"sample {sample}", index=sample, **facts)
        order = np.argsort(one.units, kind="stable")
        bounds = np.searchsorted(one.units[order], np.arange(trains.n_units + 1))
        times = one.times_us[order].astype(np.float64)
        for unit in range(trains.n_units):
            of_unit = times[bounds[unit] : bounds[unit + 1]]
            train = neo.SpikeTrain(of_unit, units="us", t_stop=trains.duration_us, unit_id=ids[unit])
            segment.spiketrains.append(train)
        block.segments.append(segment)
    return block


def _us(times: Any, trial: int | str) -> Int64[np.ndarray, " times"]:  # noqa: ANN401
    """Return a quantity in whole microseconds."""
    return whole_us(np.atleast_1d(times.rescale("s").magnitude), f"trial {trial}")


def _units(trains: Sequence[Sequence[Any]]) -> tuple[list[list[int]], list[Any]]:
    """Return the unit of each train of each trial, and the units' names."""
    if not any(trains):
        raise InputError("there is no spike train", remedy="give a block with segments, or lists of trains")
    if all(_UNIT in train.annotations for trial in trains for train in trial):
        named = [[train.annotations[_UNIT] for train in trial] for trial in trains]
        try:
            ids = list(dict.fromkeys(unit for trial in named for unit in trial))
        except TypeError as error:
            raise InputError(
                f"a unit's name cannot be compared ({error})",
                remedy=f"give each train one number or one name: train.annotate({_UNIT}=...)",
            ) from error
    else:
        sizes = [len(trial) for trial in trains]
        if len(set(sizes)) > 1:
            raise InputError(
                f"trials have {min(sizes)} to {max(sizes)} spike trains",
                remedy=f"give every train its unit: train.annotate({_UNIT}=...)",
            )
        named, ids = [list(range(size)) for size in sizes], list(range(sizes[0]))
    for trial, units in enumerate(named):
        if len(set(units)) < len(units):
            raise InputError(f"trial {trial} holds a unit twice", remedy="give one spike train a unit")
    place = {unit: number for number, unit in enumerate(ids)}
    return [[place[unit] for unit in units] for units in named], ids


def _labels(trials: Sequence[Any], labels: Sequence[Any] | None, label: str) -> list[Any]:
    if labels is None:
        labels = [getattr(trial, "annotations", {}).get(label) for trial in trials]
        if None in labels:
            raise InputError(
                f"trial {labels.index(None)} has no annotation {label!r}",
                remedy="give labels=, or the name of another annotation",
            )
    if len(labels) != len(trials):
        raise InputError(f"{len(trials)} trials but {len(labels)} labels", remedy="give one label a trial")
    return list(labels)
