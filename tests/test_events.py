from __future__ import annotations

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate import events
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, dt_in_us, exact, meta_of, offsets_from_lengths

few = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def spike_trains(draw: st.DrawFn) -> SpikeTrains:
    n_units = draw(st.integers(1, 6))
    duration_us = draw(st.integers(1, 5000))
    samples = draw(
        st.lists(
            st.lists(st.tuples(st.integers(0, duration_us), st.integers(0, n_units - 1)), max_size=12),
            max_size=7,
        )
    )
    n = len(samples)
    return SpikeTrains.from_samples(
        [([t for t, _ in sample], [u for _, u in sample]) for sample in samples],
        labels=draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)),
        groups=draw(st.none() | st.lists(st.integers(-2, 5), min_size=n, max_size=n)),
        n_units=n_units,
        duration_us=duration_us,
        meta={"split": [str(k) for k in range(n)], "source": "drawn"},
    )


def as_lists(trains: SpikeTrains) -> list[tuple]:
    """Everything that belongs to each sample, as plain lists: the model that selections are compared with."""
    return [
        (
            trains.times_us[trains.offsets[k] : trains.offsets[k + 1]].tolist(),
            trains.units[trains.offsets[k] : trains.offsets[k + 1]].tolist(),
            int(trains.labels[k]),
            None if trains.groups is None else int(trains.groups[k]),
            trains.meta["split"][k],
        )
        for k in range(len(trains))
    ]


def good() -> dict:
    return {
        "times_us": np.array([5, 5, 30, 0, 100], np.int32),
        "units": np.array([2, 0, 1, 0, 2], np.uint16),
        "offsets": np.array([0, 3, 3, 5]),
        "labels": np.array([0, 1, 1]),
        "n_units": 3,
        "duration_us": 100,
        "groups": np.array([7, 7, 8]),
    }


BAD = {
    "a time past the end": ({"duration_us": 99}, r"sample 2 has a spike at 100 µs, outside \[0, 99\]"),
    "a negative time": ({"times_us": [-1, 5, 30, 0, 100]}, "sample 0 has a spike at -1 µs"),
    "NaN": ({"times_us": [np.nan, 5, 30, 0, 100]}, "times_us holds nan"),
    "infinity": ({"times_us": [5, 5, 30, 0, np.inf]}, "times_us holds inf"),
    "half a microsecond": ({"times_us": [5, 5.5, 30, 0, 100]}, "times_us holds 5.5"),
    "a time too large for int32": ({"times_us": [5, 5, 30, 0, 2**31]}, "times_us holds 2147483648"),
    "unsorted": ({"times_us": [5, 31, 30, 0, 100]}, "sample 0 is not sorted: 31 µs is followed by 30 µs"),
    "a unit too many": ({"n_units": 2}, "sample 0 has a spike of unit 2, but n_units is 2"),
    "a negative unit": ({"units": [-1, 0, 1, 0, 2]}, "units holds -1"),
    "a unit that would wrap": ({"units": [65536, 0, 1, 0, 2]}, "units holds 65536"),
    "strings": ({"units": ["a", "b", "c", "d", "e"]}, "units holds <U1"),
    "objects": ({"labels": np.array([0, 1, None])}, "labels holds object"),
    "two dimensions": ({"labels": [[0, 1, 1]]}, "labels has 2 dimensions"),
    "too few labels": ({"labels": [0, 1]}, "2 labels but 4 offsets"),
    "too many groups": ({"groups": [1, 2, 3, 4]}, "3 labels but 4 groups"),
    "too few units": ({"units": [0, 1]}, "5 times but 2 units"),
    "offsets from 1": ({"offsets": [1, 3, 3, 5]}, "offsets run from 1 to 5 for 5 spikes"),
    "offsets too far": ({"offsets": [0, 3, 3, 6]}, "offsets run from 0 to 6 for 5 spikes"),
    "falling offsets": ({"offsets": [0, 4, 3, 5]}, "offsets fall after sample 1"),
    "offsets whose differences overflow": ({"offsets": [0, 2**63 - 1, -2, 5]}, "offsets fall after sample 1"),
    "no offsets": ({"offsets": []}, "3 labels but 0 offsets"),
    "a negative label": ({"labels": [0, -3, 1]}, "sample 1 has label -3"),
    "no units": ({"n_units": 0}, "n_units is 0"),
    "a fraction of a unit": ({"n_units": 3.5}, "n_units holds 3.5"),
    "n_units as text": ({"n_units": "3"}, "n_units holds <U1"),
    "no duration": ({"duration_us": 0}, "duration_us is 0"),
    "NaN duration": ({"duration_us": float("nan")}, "duration_us holds nan"),
    "a duration beyond int32": ({"duration_us": 2**31}, "duration_us is 2147483648"),
    "split of another length": ({"meta": {"split": ["train"]}}, "3 labels but 1 entries in meta's split"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_with_the_value(change: dict, message: str) -> None:
    SpikeTrains(**good())
    with pytest.raises(InputError, match=message):
        SpikeTrains(**{**good(), **change})


@few
@given(st.data())
def test_order_is_checked_across_blocks(data: st.DataObject) -> None:
    times = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=12))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(times)), max_size=4)))
    offsets = [0, *cuts, len(times)]
    is_sorted = all(times[a:b] == sorted(times[a:b]) for a, b in pairwise(offsets))
    block = data.draw(st.integers(1, 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "_CHECK_BLOCK", block)
        arrays = (times, [0] * len(times), offsets, [0] * (len(offsets) - 1), 1, 3)
        if is_sorted:
            assert SpikeTrains(*arrays).n_spikes == len(times)
        else:
            with pytest.raises(InputError, match="not sorted"):
                SpikeTrains(*arrays)


def test_arrays_are_taken_without_a_copy_and_cannot_be_written() -> None:
    arrays = good()
    trains = SpikeTrains(**arrays)
    for name in ("times_us", "units", "offsets", "labels", "groups"):
        assert np.shares_memory(getattr(trains, name), arrays[name])
        with pytest.raises(ValueError, match="read-only"):
            getattr(trains, name)[0] = 1
    with pytest.raises(TypeError):
        trains.meta["x"] = 1  # type: ignore[index]
    with pytest.raises(AttributeError):
        trains.n_units = 5  # type: ignore[misc]


def test_unit_type_follows_the_number_of_units() -> None:
    for n_units, dtype in ((1 << 16, np.uint16), ((1 << 16) + 1, np.int32)):
        trains = SpikeTrains(**{**good(), "units": [2, 0, 1, 0, n_units - 1], "n_units": n_units})
        assert trains.units.dtype == dtype
        assert trains.units[-1] == n_units - 1


def test_from_samples_sorts_by_time_and_keeps_units_with_their_times() -> None:
    trains = SpikeTrains.from_samples(
        [([30, 5, 5], [0, 2, 1]), ([], [])], labels=[0, 1], n_units=3, duration_us=30
    )
    assert trains.times_us.tolist() == [5, 5, 30]
    assert trains.units.tolist() == [2, 1, 0]
    assert trains.offsets.tolist() == [0, 3, 3]


def test_from_samples_refuses_samples_whose_mismatches_cancel() -> None:
    with pytest.raises(InputError, match="sample 0 has 1 times but 2 units"):
        SpikeTrains.from_samples([([1], [0, 0]), ([1, 2], [0])], labels=[0, 1], n_units=1, duration_us=9)


def test_no_samples_at_all() -> None:
    trains = SpikeTrains.from_samples([], labels=[], n_units=2, duration_us=1000)
    assert (len(trains), trains.n_spikes, trains.n_classes) == (0, 0, 0)
    assert trains.counts().shape == (0, 2)
    assert trains.dense(1e-3).shape == (0, 1, 2)
    assert len(trains[[]]) == len(trains[:5]) == 0
    assert len(trains.digest) == 64


@few
@given(spike_trains(), st.data())
def test_selections_agree_with_lists(trains: SpikeTrains, data: st.DataObject) -> None:
    model = as_lists(trains)
    n = len(trains)
    chosen = data.draw(st.slices(n))
    assert as_lists(trains[chosen]) == model[chosen]
    if n:
        index = data.draw(st.integers(-n, n - 1))
        assert as_lists(trains[index]) == [model[index]]
        picks = data.draw(st.lists(st.integers(-n, n - 1), max_size=9))
        assert as_lists(trains[picks]) == as_lists(trains[np.array(picks, int)]) == [model[k] for k in picks]
    mask = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    assert as_lists(trains[np.array(mask, bool)]) == [m for m, keep in zip(model, mask, strict=True) if keep]
    assert [as_lists(one)[0] for one in trains] == model


def test_slices_are_views_and_selections_stay_valid() -> None:
    trains = SpikeTrains(**good())
    assert np.shares_memory(trains[1:].times_us, trains.times_us)
    assert np.shares_memory(trains[2].units, trains.units)
    again = trains[[2, 0]]
    SpikeTrains(  # passes every check
        again.times_us, again.units, again.offsets, again.labels, again.n_units, again.duration_us
    )


@pytest.mark.parametrize("index", [3, -4, [0, 3], [0.5], [[0]], "a", [True, False], np.array(1)])
def test_what_selects_no_sample_is_an_index_error(index: object) -> None:
    with pytest.raises(IndexError):
        SpikeTrains(**good())[index]  # type: ignore[index]


def test_facts_of_samples_follow_them_and_others_stay() -> None:
    meta = {"split": ["a", "b", "c"], "files": ["x", "y", "z"], "source": "s"}
    trains = SpikeTrains(**good(), meta=meta)
    assert dict(trains[[2, 0]].meta) == {"split": ["c", "a"], "files": ["z", "x"], "source": "s"}
    assert dict(trains[1:].meta) == {"split": ["b", "c"], "files": ["y", "z"], "source": "s"}
    assert meta_of({"source": "s"}, slice(1)) == {"source": "s"}
    with pytest.raises(InputError, match="entries in meta's split"):
        trains.with_meta(split=["a"])
    assert trains.with_meta(source="t").meta["source"] == "t"
    assert trains.meta["source"] == "s"


@few
@given(spike_trains(), st.integers(1, 700))
def test_binning_agrees_with_a_loop(trains: SpikeTrains, dt_us: int) -> None:
    dt_s = dt_us / 1e6
    n_steps = -(-trains.duration_us // dt_us)
    expected = np.zeros((len(trains), n_steps, trains.n_units))
    for k, (times, units, *_) in enumerate(as_lists(trains)):
        for t, u in zip(times, units, strict=True):
            expected[k, min(t // dt_us, n_steps - 1), u] += 1
    assert trains.n_steps(dt_s) == n_steps
    np.testing.assert_array_equal(trains.dense(dt_s), expected)
    np.testing.assert_array_equal(trains.counts(), expected.sum(axis=1))
    assert expected.sum() == trains.n_spikes


@few
@given(spike_trains(), st.data())
def test_binned_rows_of_some_samples(trains: SpikeTrains, data: st.DataObject) -> None:
    n = len(trains)
    chosen = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=6)) if n else [], np.int64)
    whole = trains.binned(1e-4)
    part = trains.binned(1e-4, chosen)
    assert part.n_samples == len(chosen)
    for position, sample in enumerate(chosen):
        for step in range(whole.n_steps):
            row, whole_row = position * whole.n_steps + step, sample * whole.n_steps + step
            assert (
                part.units[part.indptr[row] : part.indptr[row + 1]].tolist()
                == whole.units[whole.indptr[whole_row] : whole.indptr[whole_row + 1]].tolist()
            )


def test_a_step_longer_than_the_sample_makes_one_bin() -> None:
    trains = SpikeTrains(**good())
    assert trains.dense(2000.0).shape == (3, 1, 3)
    assert trains.dense(2000.0).sum() == 5


@pytest.mark.parametrize("dt_s", [0.0, -0.001, 1e-7, 1.5e-6, float("nan"), float("inf"), 1e9])
def test_steps_that_are_no_whole_microseconds_are_refused(dt_s: float) -> None:
    with pytest.raises(InputError, match="dt is"):
        dt_in_us(dt_s)


@few
@given(st.integers(1, 2**31 - 1))
def test_every_whole_microsecond_is_a_step(us: int) -> None:
    assert dt_in_us(us / 1e6) == us


def test_digest_tells_apart_all_that_an_analysis_depends_on() -> None:
    trains = SpikeTrains(**good())
    changes = [
        {"times_us": [5, 5, 31, 0, 100]},
        {"units": [2, 1, 1, 0, 2]},
        {"offsets": [0, 3, 4, 5]},
        {"labels": [0, 1, 0]},
        {"n_units": 4},
        {"duration_us": 101},
        {"groups": [7, 8, 8]},
        {"groups": None},
    ]
    digests = {SpikeTrains(**{**good(), **change}).digest for change in changes}
    assert len(digests | {trains.digest}) == len(changes) + 1
    assert SpikeTrains(**good(), meta={"source": "elsewhere"}).digest == trains.digest
    assert trains[1:].digest == trains[[1, 2]].digest != trains.digest


@few
@given(spike_trains())
def test_pickling_and_copying_keep_everything(trains: SpikeTrains) -> None:
    for again in (pickle.loads(pickle.dumps(trains)), copy.deepcopy(trains)):
        assert again.digest == trains.digest
        assert dict(again.meta) == dict(trains.meta)
        assert not again.times_us.flags.writeable


def test_number_of_classes() -> None:
    trains = SpikeTrains(**good())
    assert trains.n_classes == 2
    assert trains.with_meta(label_names=["a", "b", "c"]).n_classes == 3
    assert trains[:1].n_classes == 1


def test_with_spikes_checks_the_new_ones() -> None:
    trains = SpikeTrains(**good(), meta={"source": "s"})
    other = trains.with_spikes(np.array([1], np.int32), np.array([2], np.uint16), np.array([0, 0, 0, 1]))
    assert (other.n_spikes, other.meta["source"], other.groups.tolist()) == (1, "s", [7, 7, 8])
    with pytest.raises(InputError, match="outside"):
        trains.with_spikes(np.array([101]), np.array([0]), np.array([0, 1, 1, 1]))


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([2.0**63], np.int64),
        (np.array([2**63], np.uint64), np.int64),
        ([-1], np.uint16),
        ([1 << 40], np.int32),
        ([0.5], np.int32),
        ([1 + 0j], np.int32),
    ],
)
def test_exact_refuses_what_the_type_cannot_hold(values: object, dtype: type) -> None:
    with pytest.raises(InputError, match="x holds"):
        exact(values, np.dtype(dtype), "x")


def test_exact_keeps_whole_numbers_of_any_type() -> None:
    for values in ([0, 7], [0.0, 7.0], np.array([0, 7], np.uint8), np.array([0, 7], np.float16)):
        assert exact(values, np.dtype(np.int32), "x").tolist() == [0, 7]
    assert exact([], np.dtype(np.int32), "x").dtype == np.int32


def test_offsets_from_lengths() -> None:
    assert offsets_from_lengths(np.array([], np.int64)).tolist() == [0]
    assert offsets_from_lengths(np.array([3, 0, 1])).tolist() == [0, 3, 3, 4]
