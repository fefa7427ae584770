"""Through tonic's arrays and back: nothing is lost on the way, and what its transforms lose is said."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import beyondrate as br
from beyondrate.datasets import apply_tonic, from_tonic, to_tonic
from beyondrate.datasets.tonic_view import TRANSFORM_EFFECTS
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains

tonic = pytest.importorskip("tonic")
from tonic import transforms  # noqa: E402


def camera(n_samples: int = 8, seed: int = 0, n_events: int = 300) -> SpikeTrains:
    rng = np.random.default_rng(seed)
    samples = [
        (rng.integers(500, 50_001, n), rng.integers(0, 2 * 6 * 9, n))
        for n in rng.integers(n_events, 2 * n_events, n_samples)
    ]
    samples[1] = ([], [])
    return SpikeTrains.from_samples(
        samples,
        labels=np.arange(n_samples) % 3,
        n_units=2 * 6 * 9,
        duration_us=50_000,
        meta={"shape": [2, 6, 9]},
    )


def test_there_and_back() -> None:
    trains = camera()
    view = to_tonic(trains)
    assert (len(view), view.sensor_size, view.ordering) == (8, (9, 6, 2), ("t", "x", "y", "p"))
    found = from_tonic(view, duration_us=50_000)
    assert found.digest == trains.digest
    assert found.meta["shape"] == [2, 6, 9]
    events, label = view[5]
    one = trains[5]
    at = np.stack([events["p"], events["y"], events["x"]])
    np.testing.assert_array_equal(np.ravel_multi_index(at, (2, 6, 9)), one.units)
    assert label == one.labels[0]


def test_units_without_a_shape_are_columns() -> None:
    trains = br.tasks.temporal_order.generate(20, seed=0)
    view = to_tonic(trains)
    assert view.sensor_size == (trains.n_units, 1, 1)
    assert from_tonic(view, duration_us=trains.duration_us).digest == trains.digest


def test_tonic_s_own_bins_and_slices_take_them() -> None:
    """Frames of the whole length hold every spike, and are the package's own raster."""
    trains = camera()
    view = to_tonic(trains)
    frames = tonic.slicers.slice_events_by_time(view[0][0], 50_001, start_time=0, end_time=50_001)
    assert len(frames[0]) == trains[0].n_spikes
    whole = transforms.ToFrame(view.sensor_size, event_count=trains[0].n_spikes)(view[0][0])
    np.testing.assert_array_equal(whole[0].ravel(), trains[0].dense(0.05)[0, 0])
    in_time = transforms.ToFrame(view.sensor_size, n_time_bins=1)(view[0][0])
    assert trains[0].n_spikes - in_time.sum() == 1  # it drops the very last spike


def heidelberg(times: object, units: object, dtype: object = int) -> np.ndarray:
    """Events as tonic's SHD gives them: one polarity, called 1."""
    return tonic.io.make_structured_array(
        np.asarray(times), np.asarray(units), 1, dtype=np.dtype([("t", dtype), ("x", int), ("p", int)])
    )


def test_its_heidelberg_layout_with_names_as_targets() -> None:
    class Digits:
        sensor_size = (700, 1, 1)

        def __len__(self) -> int:
            return 3

        def __getitem__(self, k: int) -> tuple[np.ndarray, Any]:
            return heidelberg([100 * k, 1200 + k], [699, k]), np.array("zwei" if k else "eins")

    trains = from_tonic(Digits())
    assert trains.times_us.tolist() == [0, 1200, 100, 1201, 200, 1202]
    assert trains.units.tolist() == [699, 0, 699, 1, 699, 2]
    assert (trains.n_units, trains.duration_us, trains.labels.tolist()) == (700, 2000, [0, 1, 1])
    assert trains.meta["label_names"] == ["eins", "zwei"]
    assert trains.meta["derived"] == ["duration_us"]


SHD = (700, 1, 1)


@pytest.mark.parametrize(
    ("targets", "labels"),
    [
        ([3, np.int64(1), np.array(3), torch.tensor(1)], [3, 1, 3, 1]),
        ([np.array([2]), 2, 0, 0], [2, 2, 0, 0]),
        ([0.5, 0.25, 0.5, 1], [1, 0, 1, 2]),
        ([-1, -1, 4, 4], [0, 0, 1, 1]),
        ([1, "a", 1, 1], None),
        ([np.arange(3), 1, 1, 1], None),
    ],
)
def test_targets_of_any_kind(targets: list, labels: list | None) -> None:
    samples = [(heidelberg([1], [1]), target) for target in targets]
    if labels is None:
        with pytest.raises(InputError, match=r"labels are not alike .*; give each sample one number"):
            from_tonic(samples, sensor_size=SHD)
    else:
        assert from_tonic(samples, sensor_size=SHD).labels.tolist() == labels


@pytest.mark.parametrize(
    ("events", "size", "message"),
    [
        (heidelberg([5, 4], [0, 0]), SHD, "sample 0: time goes backwards from 5 to 4 µs; mend .* sort=True"),
        (heidelberg([5, 7.5], [0, 0], float), SHD, "sample 0: t holds 7.5; give t as whole numbers"),
        (heidelberg([5, np.nan], [0, 0], float), SHD, "sample 0: t holds nan"),
        (heidelberg([5, 2**31], [0, 0]), SHD, "sample 0: t holds 2147483648"),
        (heidelberg([-5, 7], [0, 0]), SHD, "sample 0 has a spike at -5 µs"),
        (heidelberg([5, 7], [0, 700]), SHD, r"an event has x = 700, outside 0..699; give the sensor_size"),
        (heidelberg([5, 7], [0, -1]), SHD, "an event has x = -1"),
        (heidelberg([5, 7], [0, 1]), None, "the sensor's size is None; give sensor_size"),
        (heidelberg([5, 7], [0, 1]), (700, 1), r"the sensor's size is \(700, 1\)"),
        (np.zeros((3, 2, 4)), SHD, "a ndarray with the fields none, not events; .* dense"),
        (np.zeros(2, [("t", int), ("y", int)]), SHD, "with the fields t, y, not events"),
    ],
)
def test_what_cannot_be_is_refused(events: np.ndarray, size: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_tonic([(events, 0)], sensor_size=size)


@pytest.mark.parametrize(("polarities", "is_refused"), [([0, 1], False), ([1, 2], True), ([-1, 1], True)])
def test_polarities(polarities: list[int], is_refused: bool) -> None:
    events = np.array([(1, 0, 0, polarities[0]), (2, 0, 0, polarities[1])], to_tonic(camera()).dtype)
    if is_refused:
        with pytest.raises(InputError, match=r"an event has p = .*, outside 0\.\.1"):
            from_tonic([(events, 0)], sensor_size=(1, 1, 2))
    else:
        assert from_tonic([(events, 0)], sensor_size=(1, 1, 2)).units.tolist() == [0, 1]
    with pytest.raises(InputError, match="an event has p"):
        from_tonic([(events, 0)], sensor_size=(1, 1, 1))  # one polarity, but two are there


def test_a_transform_that_keeps_everything_changes_nothing_and_is_silent() -> None:
    trains = camera()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flipped = apply_tonic(trains, transforms.RandomFlipLR((9, 6, 2), p=1))
        assert flipped.digest != trains.digest
        assert apply_tonic(flipped, transforms.RandomFlipLR((9, 6, 2), p=1), sort=True).n_spikes > 1000
    np.testing.assert_array_equal(flipped.times_us, trains.times_us)
    np.testing.assert_array_equal(flipped.units % 9, 8 - trains.units % 9)


def test_what_a_transform_loses_is_counted() -> None:
    trains = camera()
    with pytest.warns(UserWarning) as told:
        made = apply_tonic(trains, transforms.DropEvent(p=0.5))
    assert [str(warning.message) for warning in told] == [
        "tonic's DropEvent drops spikes",
        f"DropEvent has dropped {trains.n_spikes - made.n_spikes:,} of {trains.n_spikes:,} spikes",
    ]
    assert made.n_spikes == pytest.approx(trains.n_spikes / 2, rel=0.1)
    assert (made.duration_us, made.labels.tolist()) == (trains.duration_us, trains.labels.tolist())


def test_what_its_time_transforms_do_as_their_warnings_say() -> None:
    """The damage that the warnings name is there, and the package's own transforms are free of it."""
    trains = camera(n_events=200)[2:]
    np.random.seed(0)  # noqa: NPY002 (tonic draws from it)
    with pytest.warns(UserWarning, match="TimeJitter (deletes|has dropped)"):
        jitter = transforms.TimeJitter(std=2000, clip_negative=True)
        with pytest.raises(InputError, match="outside"):  # past the end
            apply_tonic(trains, jitter, sort=True)
        early = trains.with_spikes(trains.times_us // 20, trains.units, trains.offsets)
        assert apply_tonic(early, jitter, sort=True).n_spikes < early.n_spikes
        with pytest.raises(InputError, match="time goes backwards"):
            apply_tonic(early, jitter)
    assert br.perturb.jitter(early, 0.002, seed=0).n_spikes == early.n_spikes
    with pytest.warns(UserWarning, match="ToFrame starts its bins at each sample's first spike"):
        view = to_tonic(trains, transforms.ToFrame((9, 6, 2), time_window=7000))
    kept = sum(int(view[k][0].sum()) for k in range(len(view)))
    assert kept < trains.n_spikes == int(trains.dense(0.007).sum())
    with pytest.warns(UserWarning, match="RandomTimeReversal moves the onset and flips polarities"):
        reversed_ = apply_tonic(trains, transforms.RandomTimeReversal(p=1))
    assert (reversed_.times_us[reversed_.offsets[:-1]] == 0).all()
    assert ((reversed_.units >= 54).sum(), (trains.units < 54).sum()) == ((trains.units < 54).sum(),) * 2


def test_every_transform_that_is_warned_of_exists() -> None:
    assert all(hasattr(transforms, name) for name in TRANSFORM_EFFECTS)
    with pytest.warns(UserWarning) as told:
        to_tonic(camera(), transforms.Compose([transforms.TimeAlignment(), transforms.DropEvent(p=0.1)]))
    assert [str(warning.message).split()[1] for warning in told] == ["TimeAlignment", "DropEvent"]


def test_frames_cannot_come_back() -> None:
    with (
        pytest.warns(UserWarning, match="ToFrame"),
        pytest.raises(InputError, match=r"not events; .* for frames take dense"),
    ):
        apply_tonic(camera(), transforms.ToFrame((9, 6, 2), n_time_bins=3))


@given(st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_mutated_events_are_refused_or_read_as_they_are(data: st.DataObject) -> None:
    """Whatever stands in the arrays: our error, or exactly these events."""
    n = data.draw(st.integers(1, 6))
    kind = data.draw(st.sampled_from([np.int64, np.float64, np.int16, np.uint8]))
    wild = st.integers(-3, 12) | st.sampled_from([2**15 - 1, 2**31 - 1, 2**31, 2**40])
    if kind == np.float64:
        wild |= st.sampled_from([0.5, np.nan, np.inf, -0.0])
    events = np.zeros(n, [("t", kind), ("x", kind), ("y", np.int64), ("p", bool)])
    with np.errstate(all="ignore"):
        events["t"] = np.array(data.draw(st.lists(wild, min_size=n, max_size=n)), float).astype(kind)
        events["x"] = np.array(data.draw(st.lists(wild, min_size=n, max_size=n)), float).astype(kind)
        events["p"] = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    try:
        trains = from_tonic([(events, 1)], sensor_size=(8, 1, 2))
    except InputError:
        return
    np.testing.assert_array_equal(trains.times_us, events["t"])
    np.testing.assert_array_equal(trains.units % 8, events["x"])
    np.testing.assert_array_equal(trains.units >= 8, events["p"])
