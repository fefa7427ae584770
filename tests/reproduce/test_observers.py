import numpy as np
import pytest

from beyondrate import tasks
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.reproduce.yu2025.observers import OBSERVERS, answers, seen_by

FEW = 300


def accuracy(observer, parts):
    return float((answers(observer, *parts, seed=0) == parts[2].labels).mean())


def test_events_are_counted_by_kind():
    trains = SpikeTrains.from_samples(
        [([1000, 2500, 12_000, 15_000], [0, 1, 0, 2]), ([5000, 5000], [1, 2])],
        labels=[1, 0],
        n_units=3,
        duration_us=20_000,
    )
    assert seen_by("count", trains) is trains
    pairs = seen_by("zero-lag", trains).counts()  # (0, 1), (0, 2), (1, 2)
    assert pairs.tolist() == [[1, 1, 0], [0, 0, 1]]
    intervals = seen_by("ISI", trains)
    by_unit = intervals.counts().reshape(2, 3, -1)
    assert by_unit.sum(axis=2).tolist() == [[1, 0, 0], [0, 0, 0]]
    assert by_unit[0, 0].argmax() == 7  # 8 √2 ms < 11 ms <= 16 ms is the eighth class but one
    assert intervals.labels.tolist() == [1, 0]
    with pytest.raises(InputError, match="unknown observer 'rate'"):
        seen_by("rate", trains)


@pytest.mark.parametrize(
    ("observer", "make"),
    [
        ("ISI", lambda n, seed: tasks.isi.generate(n, seed=seed, n_rates=1)),
        ("zero-lag", lambda n, seed: tasks.coincidence.generate(n, seed=seed, group_size=12, n_windows=6)),
        ("count", lambda n, seed: tasks.isi.generate(n, seed=seed)),
    ],
)
def test_an_observer_tells_what_it_sees(observer, make):
    parts = make(3 * FEW, 0), make(FEW, 1), make(FEW, 2)
    assert accuracy(observer, parts) > {"ISI": 0.9, "zero-lag": 0.8, "count": 0.65}[observer]


@pytest.mark.parametrize("observer", OBSERVERS)
def test_an_observer_tells_nothing_of_what_it_cannot_see(observer):
    parts = [tasks.polychrony.generate(n, seed=seed) for seed, n in enumerate((FEW, FEW, 2 * FEW))]
    assert accuracy(observer, parts) == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / (2 * FEW)))
