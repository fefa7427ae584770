"""What is saved is what is loaded, in every format, whole or in part."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.storage import load, on_float16_grid, save

FORMATS = {"h5": ".h5", "shd": ".h5", "npz": ".npz"}
few = settings(max_examples=25, deadline=None, derandomize=True)


@st.composite
def spike_trains(draw: st.DrawFn) -> SpikeTrains:
    n_units = draw(st.sampled_from([1, 7, 1 << 16, 100_000]))
    duration_us = draw(st.sampled_from([1, 1000, 1_200_000, 16_000_000]))
    samples = draw(
        st.lists(
            st.lists(st.tuples(st.integers(0, duration_us), st.integers(0, n_units - 1)), max_size=9),
            max_size=7,
        )
    )
    n = len(samples)
    return SpikeTrains.from_samples(
        [([t for t, _ in sample], [u for _, u in sample]) for sample in samples],
        labels=draw(st.lists(st.integers(0, 70_000), min_size=n, max_size=n)),
        groups=draw(st.none() | st.lists(st.integers(-3, 70_000), min_size=n, max_size=n)),
        n_units=n_units,
        duration_us=duration_us,
        meta={
            "label_names": ["null", "fünf", "六"],
            "split": ["test"] * n,
            "nested": {"π": [1, 2.5, None, True, "𝄞"]},
            **draw(st.sampled_from([{}, {"source": "a" * 70_000}])),
        },
    )


def assert_same(found: SpikeTrains, expected: SpikeTrains) -> None:
    for name in ("times_us", "units", "offsets", "labels", "groups"):
        a, b = getattr(found, name), getattr(expected, name)
        assert (a is None) == (b is None), name
        if a is not None:
            assert a.dtype == b.dtype, name
            np.testing.assert_array_equal(a, b, err_msg=name)
    assert (found.n_units, found.duration_us) == (expected.n_units, expected.duration_us)
    assert json.dumps(dict(found.meta), sort_keys=True) == json.dumps(dict(expected.meta), sort_keys=True)


@few
@given(spike_trains(), st.sampled_from(list(FORMATS)), st.data())
def test_what_is_saved_is_what_is_loaded(trains: SpikeTrains, format: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"events{FORMATS[format]}"
        save(trains, path, format=format)
        assert_same(load(path), trains)
        part = data.draw(st.slices(len(trains)))
        assert_same(load(path, samples=part), trains[part])
        assert [p.name for p in Path(folder).iterdir()] == [path.name]


def example(n_samples: int = 30, *, duration_us: int = 1_200_000) -> SpikeTrains:
    rng = np.random.default_rng(3)
    return SpikeTrains.from_samples(
        [
            (rng.integers(0, duration_us + 1, n), rng.integers(0, 700, n))
            for n in rng.integers(0, 60, n_samples)
        ],
        labels=rng.integers(0, 4, n_samples),
        groups=rng.integers(0, 3, n_samples),
        n_units=700,
        duration_us=duration_us,
    )


def test_samples_of_equal_length_and_one_sample_alone_in_shd_layout(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    equal = SpikeTrains.from_samples(
        [(rng.integers(0, 1000, 5), rng.integers(0, 9, 5)) for _ in range(300)],
        labels=np.zeros(300, int),
        n_units=9,
        duration_us=1000,
    )
    for trains in (equal, equal[:1], equal[:257]):
        save(trains, tmp_path / "e.h5", format="shd")
        assert_same(load(tmp_path / "e.h5"), trains)


def test_numpy_values_in_meta_become_plain(tmp_path: Path) -> None:
    trains = example().with_meta(a=np.arange(3), b=np.float32(0.5), c=(1, 2), d={"e": np.int64(4)})
    for format, suffix in FORMATS.items():
        save(trains, tmp_path / f"x{suffix}", format=format)
        meta = load(tmp_path / f"x{suffix}").meta
        assert {k: meta[k] for k in "abcd"} == {"a": [0, 1, 2], "b": 0.5, "c": [1, 2], "d": {"e": 4}}


def test_meta_that_json_cannot_hold_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    for format, suffix in FORMATS.items():
        with pytest.raises(InputError, match="meta holds what JSON cannot"):
            save(example().with_meta(x=object()), tmp_path / f"x{suffix}", format=format)
    assert not list(tmp_path.iterdir())


def test_the_content_tells_the_format_whatever_the_suffix(tmp_path: Path) -> None:
    trains = example()
    for format in FORMATS:
        save(trains, tmp_path / "events.dat", format=format)
        assert_same(load(tmp_path / "events.dat"), trains)
    save(trains, tmp_path / "EVENTS.H5")
    assert_same(load(str(tmp_path / "EVENTS.H5")), trains)


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.txt: suffix '\.txt' is unknown; end it in \.h5"):
        save(example(), tmp_path / "x.txt")
    with pytest.raises(InputError, match="format 'text' is unknown"):
        save(example(), tmp_path / "x.h5", format="text")
    with pytest.raises(InputError, match="time_dtype is 'int32'"):
        save(example(), tmp_path / "x.h5", format="shd", time_dtype="int32")
    assert not list(tmp_path.iterdir())


def test_every_microsecond_survives_float32_up_to_16_seconds(tmp_path: Path) -> None:
    late = np.unique(np.concatenate([np.random.default_rng(0).integers(0, 16_000_001, 20_000), [16_000_000]]))
    arrays = (late, np.zeros(len(late)), [0, len(late)], [0], 1)
    trains = SpikeTrains(*arrays, 16_000_000)
    save(trains, tmp_path / "x.h5", format="shd")
    np.testing.assert_array_equal(load(tmp_path / "x.h5").times_us, late)
    longer = SpikeTrains(*arrays, 16_000_001)
    with pytest.raises(InputError, match="float32 seconds are not exact"):
        save(longer, tmp_path / "y.h5", format="shd")
    save(longer, tmp_path / "y.h5", format="shd", time_dtype="float64")
    assert_same(load(tmp_path / "y.h5"), longer)


def test_float16_loses_what_the_grid_loses_and_no_more(tmp_path: Path) -> None:
    trains = example(200)
    save(trains, tmp_path / "x.h5", format="shd", time_dtype="float16")
    found = load(tmp_path / "x.h5")
    assert (found.n_spikes, found.duration_us, found.n_units) == (trains.n_spikes, 1_200_000, 700)
    moved = np.abs(found.times_us.astype(int) - trains.times_us)
    assert 0 < moved.max() <= 977  # half a step (488 µs), a whole one where the end is in the way
    assert moved[trains.times_us < 250_000].max() <= 62
    assert np.percentile(moved, 99) <= 489
    assert "977 µs at 1.2 s" in found.meta["time_grid"]
    assert on_float16_grid(found.times_us)
    assert not on_float16_grid(trains.times_us)
    save(found, tmp_path / "y.h5")
    assert load(tmp_path / "y.h5").meta["time_grid"] == found.meta["time_grid"]


def test_a_spike_at_the_end_stays_inside_its_sample_in_float16(tmp_path: Path) -> None:
    trains = SpikeTrains([1_199_900, 1_200_000], [0, 0], [0, 2], [0], 1, 1_200_000)  # float16(1.2) is 1.2002
    save(trains, tmp_path / "x.h5", format="shd", time_dtype="float16")
    found = load(tmp_path / "x.h5")
    assert found.duration_us == 1_200_000
    assert found.times_us.tolist() == [1_199_219, 1_199_219]
