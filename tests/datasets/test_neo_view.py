"""Through neo's objects and back, in any physical unit, by trials or by an epoch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from beyondrate.datasets import from_neo, from_neo_epoch, to_neo
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains

neo = pytest.importorskip("neo")


def made(seed: int = 0) -> SpikeTrains:
    """Spikes at both ends, units and a sample that are silent."""
    rng = np.random.default_rng(seed)
    samples = [(rng.integers(0, 90_001, n), rng.integers(0, 4, n)) for n in rng.integers(1, 30, 9)]
    samples[2] = ([], [])
    samples[3] = ([0, 90_000], [0, 3])
    return SpikeTrains.from_samples(
        samples,
        labels=[2, 0, 1] * 3,
        groups=np.arange(9) // 3,
        n_units=6,
        duration_us=90_000,
        meta={"label_names": ["go", "stop", "wait"], "unit_ids": [11, 12, 13, 20, 21, 22]},
    )


def train(times: list, units: str = "ms", t_start: float = 0, t_stop: float = 100, **facts: object) -> object:
    return neo.SpikeTrain(times, units=units, t_start=t_start, t_stop=t_stop, **facts)


@pytest.mark.parametrize("seed", range(5))
def test_there_and_back(seed: int) -> None:
    trains = made(seed)
    block = to_neo(trains)
    found = from_neo(block, groups=trains.groups)
    assert found.digest == trains.digest
    assert found.meta["unit_ids"] == [11, 12, 13, 20, 21, 22]
    assert from_neo(block.segments, label="label_name").meta["label_names"] == ["go", "stop", "wait"]
    segment = block.segments[4]
    assert segment.annotations == {"label": 0, "label_name": "go", "group": 1}
    assert sum(len(one) for one in segment.spiketrains) == trains[4].n_spikes


@pytest.mark.parametrize(("unit", "factor"), [("s", 1e-6), ("ms", 1e-3), ("us", 1.0), ("ns", 1e3)])
def test_physical_units_cannot_be_mixed_up(unit: str, factor: float) -> None:
    times = np.array([200_100, 250_003, 299_999])
    one = train(times * factor, unit, 200_000 * factor, 300_000 * factor)
    trains = from_neo([[one]], labels=[1])
    assert trains.times_us.tolist() == [100, 50_003, 99_999]
    assert (trains.duration_us, trains.meta["files"]) == (100_000, ["trial 0@200000-300000"])


def test_trains_are_matched_by_their_unit() -> None:
    a, b = train([1], unit_id="a"), train([2], unit_id="b")
    trains = from_neo([[a, b], [b], [b, a]], labels=["x", "y", "x"])
    assert trains.meta["unit_ids"] == ["a", "b"]
    assert (trains.units.tolist(), trains.offsets.tolist()) == ([0, 1, 1, 0, 1], [0, 2, 3, 5])
    assert (trains.labels.tolist(), trains.meta["label_names"]) == ([0, 1, 0], ["x", "y"])
    assert from_neo([[train([1]), train([2])]], labels=[0]).meta["unit_ids"] == [0, 1]


def test_an_epoch_cuts_a_recording_as_its_edges_say() -> None:
    rng = np.random.default_rng(3)
    times = [np.concatenate([rng.integers(0, 10**6, 80), [100_000, 300_000, 400_000]]) for _ in range(3)]
    recording = neo.Segment()
    for k, of_unit in enumerate(times):
        recording.spiketrains.append(train(np.sort(of_unit) / 1e3, t_stop=1000, unit_id=k))
    epoch = neo.Epoch(
        times=[0.1, 0.3, 0.25], durations=[0.2, 0.1, 0.3], units="s", labels=np.array(["a", "b", "a"])
    )
    trains = from_neo_epoch(recording, epoch)
    everything = np.concatenate(times)
    inside = np.zeros(len(everything), bool)
    for sample, (start, stop) in enumerate([(100_000, 300_000), (300_000, 400_000), (250_000, 550_000)]):
        one = trains[sample]
        for unit, of_unit in enumerate(times):
            expected = np.sort(of_unit[(of_unit >= start) & (of_unit < stop)]) - start
            np.testing.assert_array_equal(one.times_us[one.units == unit], expected)
        inside |= (everything >= start) & (everything < stop)
    assert trains.meta["spikes_outside_trials"] == np.count_nonzero(~inside) > 50
    assert (trains.labels.tolist(), trains.meta["label_names"]) == ([0, 1, 0], ["a", "b"])
    numbered = from_neo_epoch(recording, epoch, labels=[5, 6, 5])
    assert (numbered.labels.tolist(), numbered.duration_us) == ([5, 6, 5], 300_000)


@pytest.mark.parametrize(
    ("trials", "how", "message"),
    [
        ([], {"labels": []}, "there is no spike train"),
        (
            [[train([1])], [train([1]), train([2])]],
            {"labels": [0, 1]},
            "trials have 1 to 2 spike trains; give",
        ),
        ([[train([1], unit_id=3), train([2], unit_id=3)]], {"labels": [0]}, "trial 0 holds a unit twice"),
        ([[train([1])]], {"labels": [0, 1]}, "1 trials but 2 labels"),
        ([[train([1])]], {}, "trial 0 has no annotation 'label'; give labels="),
        ([[train([1])]] * 2, {"labels": ["go", None]}, "a label is None; give each sample a label"),
        ([[train([1])]] * 2, {"labels": [1.5, float("nan")]}, "a label is nan"),
        ([[train([1], unit_id=["a"])]], {"labels": [0]}, "a unit's name cannot be compared"),
        ([[train([1])]], {"labels": [-1]}, None),
    ],
)
def test_what_cannot_be_is_refused(trials: list, how: dict, message: str | None) -> None:
    if message is None:  # a name like any other
        assert from_neo(trials, **how).meta["label_names"] == ["-1"]
        return
    with pytest.raises(InputError, match=message):
        from_neo(trials, **how)


def test_epochs_that_cannot_be() -> None:
    unit = train([1, 2])
    backwards = neo.Epoch(times=[0.1], durations=[-0.2], units="s", labels=np.array(["a"]))
    with pytest.raises(InputError, match="trial 0 lasts from 100000 to -100000 µs"):
        from_neo_epoch([unit], backwards)
    with pytest.raises(InputError, match="the epoch has 1 intervals but 2 labels"):
        from_neo_epoch([unit], backwards, labels=[1, 2])
    with pytest.raises(InputError, match="there is no spike train"):
        from_neo_epoch([], backwards)
    with pytest.raises(InputError, match="has no trial"):
        from_neo_epoch([unit], neo.Epoch(times=[], durations=[], units="s", labels=np.array([])))


def test_without_neo_the_extra_is_named() -> None:
    code = """
import sys
sys.modules["neo"] = None
import beyondrate as br
try:
    br.datasets.to_neo(br.tasks.temporal_order.generate(6, seed=0))
except br.MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'writing neo objects needs an extra; pip install "beyondrate[neuro]"'


def test_the_package_loads_none_of_the_extras() -> None:
    code = "import sys, beyondrate.datasets; print({'neo', 'pynwb', 'tonic', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
