"""Spike-sorted recordings as NWB's own library writes them."""

from __future__ import annotations

import datetime
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_damage import damaged

from beyondrate.errors import InputError, MissingExtraError
from beyondrate.events import SpikeTrains
from beyondrate.storage import check_writable, load, nwb, save

pynwb = pytest.importorskip("pynwb")

TRIALS = [(0.5, 1.5, "left", 90.0, True), (1.5, 2.0, "right", -45.0, False), (1.75, 3.0, "left", 90.0, True)]


def units(seed: int = 0) -> list[np.ndarray]:
    """Spikes from -1 s to 4 s, some exactly at the edges of trials; the second unit never spikes."""
    rng = np.random.default_rng(seed)
    times = [np.sort(rng.integers(-1_000_000, 4_000_000, n)) / 1e6 for n in (60, 0, 80)]
    times[0] = np.sort(np.concatenate([times[0], [0.5, 1.5, 1.5, 2.0, 3.0]]))
    return times


def session(path: Path, *, trials: list[tuple] = TRIALS, times: list[np.ndarray] | None = None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about its own
        file = pynwb.NWBFile("a session", "id", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
        for name in ("side", "angle", "correct"):
            file.add_trial_column(name, "what was shown")
        for start, stop, side, angle, correct in trials:
            file.add_trial(start_time=start, stop_time=stop, side=side, angle=angle, correct=correct)
        for k, some in enumerate(units() if times is None else times):
            file.add_unit(spike_times=some, id=10 + k)
        with pynwb.NWBHDF5IO(path, "w") as io:
            io.write(file)
    return path


def test_trials_are_samples_that_hold_their_start_and_not_their_end(tmp_path: Path) -> None:
    trains = nwb.read(session(tmp_path / "a.nwb"), label="side")
    for sample, (start, stop, *_) in enumerate(TRIALS):
        one = trains[sample]
        for unit, times in enumerate(units()):
            expected = [t - start for t in times if start <= t < stop]
            np.testing.assert_array_equal(one.times_us[one.units == unit], np.rint(1e6 * np.array(expected)))
    assert (trains.labels.tolist(), trains.meta["label_names"]) == ([0, 1, 0], ["left", "right"])
    assert (trains.n_units, trains.duration_us) == (3, 1_250_000)
    assert trains.meta["unit_ids"] == [10, 11, 12]
    assert trains.meta["files"] == ["a.nwb@500000-1500000", "a.nwb@1500000-2000000", "a.nwb@1750000-3000000"]
    everything = np.concatenate(units())
    outside = sum(not any(start <= t < stop for start, stop, *_ in TRIALS) for t in everything)
    assert trains.meta["spikes_outside_trials"] == outside > 20
    assert trains.n_spikes > 60


def test_any_column_can_be_the_label(tmp_path: Path) -> None:
    path = session(tmp_path / "a.nwb")
    by_angle = nwb.read(path, label="angle")
    assert (by_angle.labels.tolist(), by_angle.meta["label_names"]) == ([1, 0, 1], ["-45.0", "90.0"])
    by_answer = nwb.read(path, label="correct")
    assert (by_answer.labels.tolist(), by_answer.meta["label_names"]) == ([1, 0, 1], ["False", "True"])
    without = load(path)
    assert without.labels.tolist() == [0, 0, 0]
    assert without.meta["trial_columns"] == ["angle", "correct", "side"]
    assert load(path, samples=slice(1, 2)).digest == without[1:2].digest
    with pytest.raises(
        InputError, match=r"a.nwb: has no column 'stim' of trials; choose from angle, correct"
    ):
        nwb.read(path, label="stim")


def rewrite(path: Path, change: Callable[[h5py.File], None]) -> Path:
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def put(name: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        if value is not None:
            file[name] = value

    return change


def test_a_session_without_trials_is_one_sample(tmp_path: Path) -> None:
    path = rewrite(session(tmp_path / "a.nwb"), put("intervals/trials", None))
    trains = load(path)
    everything = np.rint(1e6 * np.sort(np.concatenate(units()))).astype(int)
    np.testing.assert_array_equal(trains.times_us, everything - everything[0])
    assert trains.meta["spikes_outside_trials"] == 0
    with pytest.raises(InputError, match="has no table of trials; leave out label and group"):
        nwb.read(path, label="side")
    late = session(tmp_path / "b.nwb", times=[np.array([0.0, 4000.0])])
    with pytest.raises(InputError, match="has no table of trials, and lasts 4000 s; add trials"):
        load(rewrite(late, put("intervals/trials", None)))


def test_packed_recordings(tmp_path: Path) -> None:
    def pack(file: h5py.File) -> None:
        times = file["units/spike_times"][:]
        del file["units/spike_times"]
        file.create_dataset("units/spike_times", data=times, chunks=(50,), compression="gzip", shuffle=True)

    plain = session(tmp_path / "a.nwb")
    expected = load(plain).digest
    assert load(rewrite(plain, pack)).digest == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("units", None), "has no units with spike times; give a recording that is spike-sorted"),
        (put("units/spike_times", np.array([1.0, 0.5])), "has an index of units that does not fit"),
        (put("units/spike_times", np.full(145, np.nan)), "unit 10 holds the time nan s"),
        (put("units/spike_times", np.full(145, 1e300)), "unit 10 holds the time 1e.300 s"),
        (put("units/spike_times", np.arange(145)), "spike_times holds int64, not seconds"),
        (put("units/spike_times", -np.arange(145.0)), "unit 10: time goes backwards from 0 to -1000000 µs"),
        (put("units/spike_times_index", np.array([65, 60, 145])), "has an index of units that does not fit"),
        (put("units/id", np.arange(2)), "does not fit 2 units and 145 spikes"),
        (put("units/spike_times_index", None), "has no dataset units/spike_times_index"),
        (put("intervals/trials/stop_time", np.array([1.0, 2.0])), "has 3 starts of trials but 2 stops"),
        (put("intervals/trials/stop_time", np.array([1.0, 1.5, 3])), "trial 1 lasts from 1500000 to 1500000"),
        (put("intervals/trials/start_time", np.array([1.0, np.nan, 3])), "start holds the time nan"),
        (put("intervals/trials/side", np.array([1, 2])), "has 3 trials but 2 of side"),
        (put("intervals/trials/side", np.array([1, np.nan, 3])), "side holds values that are not finite"),
        (put("intervals/trials/side", h5py.SoftLink("/units/id")), "has no column 'side'"),
        (put("units/spike_times", h5py.SoftLink("/units/id")), "units/spike_times is a link; copy what"),
        (put("units", h5py.ExternalLink("other.nwb", "/units")), "spike_times is a link"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, change: Callable[[h5py.File], None], message: str) -> None:
    path = rewrite(session(tmp_path / "a.nwb"), change)
    with pytest.raises(InputError, match=message) as caught:
        nwb.read(path, label="side")
    assert str(path) in str(caught.value)


def test_a_claimed_size_is_not_believed(tmp_path: Path) -> None:
    def absurd(file: h5py.File) -> None:
        del file["units/spike_times"]
        file.create_dataset("units/spike_times", (2**62,), np.float64, chunks=(1 << 20,))

    with pytest.raises(InputError, match=r"spike_times claims .* bytes but 0 are stored"):
        load(rewrite(session(tmp_path / "a.nwb"), absurd))


def test_what_is_no_nwb(tmp_path: Path) -> None:
    (tmp_path / "x.nwb").write_text("time,unit\n")
    with pytest.raises(InputError, match=r"x.nwb: is no HDF5; give NWB 2"):
        load(tmp_path / "x.nwb")
    whole = session(tmp_path / "a.nwb").read_bytes()
    for length in range(0, len(whole), len(whole) // 20):
        (tmp_path / "x.nwb").write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"x\.nwb"):
            load(tmp_path / "x.nwb")


def small(path: Path) -> Path:
    """The tables that are read, without the specification that fills most of a file."""
    full = session(path.with_name("full.nwb"))
    with h5py.File(full) as source, h5py.File(path, "w") as file:
        for name in ("units", "intervals"):
            source.copy(name, file, expand_refs=False)
    return path


def fuzz(path: Path, attempts: range) -> Counter[str]:
    """Damage a file again and again: it is refused with its name, or read; what is read may have changed."""
    path = small(path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    expected = nwb.read(path, label="side").digest
    outcomes: Counter[str] = Counter()
    for attempt in attempts:
        path.write_bytes(damaged(whole, np.random.default_rng([attempt, 7])).tobytes())
        try:
            found = nwb.read(path, label="side")
        except InputError as error:
            assert str(path) in str(error)
            outcomes["refused"] += 1
        else:
            outcomes["same" if found.digest == expected else "changed"] += 1
    return outcomes


def test_random_damage(tmp_path: Path) -> None:
    outcomes = fuzz(tmp_path / "x.nwb", range(300))
    assert outcomes["refused"] > 100, outcomes  # the format has no checksum: times may change unnoticed


def test_a_column_can_be_the_group(tmp_path: Path) -> None:
    trains = nwb.read(session(tmp_path / "a.nwb"), label="side", group="angle")
    assert trains.groups is not None
    assert (trains.groups.tolist(), trains.meta["group_names"]) == ([1, 0, 1], ["-45.0", "90.0"])
    assert trains.meta["label_names"] == ["left", "right"]
    with pytest.raises(InputError, match="has no column 'day' of trials"):
        nwb.read(tmp_path / "a.nwb", group="day")


def written() -> SpikeTrains:
    """Three samples of 3 units, the second silent; unit 1 never spikes, and a spike is at the very end."""
    return SpikeTrains.from_samples(
        [([0, 25, 1999], [2, 0, 2]), ([], []), ([7, 2000], [0, 2])],
        labels=[1, 0, 1],
        n_units=3,
        duration_us=2000,
        groups=[5, 5, 9],
        meta={
            "label_names": ["stop", "go"],
            "unit_ids": [12, 10, 11],
            "split": ["train", "train", "test"],
        },
    )


def test_nwbs_own_library_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.nwb"
    save(written(), path)
    assert pynwb.validate(path=str(path)) == []
    with pynwb.NWBHDF5IO(path, "r") as io:
        file = io.read()
        table = file.trials.to_dataframe()
        assert file.units.id[:].tolist() == [12, 10, 11]
        assert file.units.resolution == 1e-6
        found = [file.units["spike_times"][unit].tolist() for unit in range(3)]
        assert file.identifier == written().digest
    assert table.columns.tolist() == ["start_time", "stop_time", "label", "label_name", "group", "split"]
    assert table["start_time"].tolist() == [0, 1.002001, 2.004002]
    assert table["stop_time"].tolist() == [0.002001, 1.004002, 2.006003]
    assert table["label_name"].tolist() == ["go", "stop", "go"]
    assert table["split"].tolist() == ["train", "train", "test"]
    assert found == [[0.000025, 2.004009], [], [0, 0.001999, 2.006002]]


def test_labels_groups_and_ids_read_back(tmp_path: Path) -> None:
    save(written(), tmp_path / "a.nwb")
    found = nwb.read(tmp_path / "a.nwb", label="label", group="group")
    assert found.duration_us == 2001  # a trial does not hold its end
    assert replace(found, duration_us=2000).digest == written().digest
    assert found.meta["unit_ids"] == [12, 10, 11]
    assert found.meta["spikes_outside_trials"] == 0
    named = nwb.read(tmp_path / "a.nwb", label="label_name")
    assert (named.labels.tolist(), named.meta["label_names"]) == ([0, 1, 0], ["go", "stop"])
    for others in (["a", "b", "c"], [4, 4, 5], [[1], 2, 3], [2**70, 1, 0], [1, 2]):
        save(replace(written(), meta={"unit_ids": others}, groups=None), tmp_path / "b.nwb")
        assert load(tmp_path / "b.nwb").meta["unit_ids"] == [0, 1, 2]
    assert load(tmp_path / "b.nwb").meta["trial_columns"] == ["label"]


@given(
    st.integers(1, 10**9),
    st.lists(
        st.tuples(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), max_size=20), st.integers(0, 9)),
        min_size=1,
        max_size=5,
    ),
)
@settings(max_examples=8, deadline=None, derandomize=True)
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, duration_us: int, samples: list
) -> None:
    spikes = [sorted((round(t * duration_us), unit) for t, unit in some) for some, _ in samples]
    trains = SpikeTrains.from_samples(
        [([t for t, _ in some], [unit for _, unit in some]) for some in spikes],
        labels=[label for _, label in samples],
        n_units=5,
        duration_us=duration_us,
    )
    path = tmp_path_factory.mktemp("written") / "a.nwb"
    save(trains, path)
    found = nwb.read(path, label="label")
    assert found.duration_us == duration_us + bool((trains.times_us == duration_us).any())
    assert replace(found, duration_us=duration_us).digest == trains.digest


def test_what_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="NWB cannot hold data without samples"):
        save(written()[:0], tmp_path / "a.nwb")
    longest = 2**31 - 1
    many = SpikeTrains([], [], np.zeros(4_300_001), np.zeros(4_300_000), 1, longest)
    with pytest.raises(InputError, match=r"4300000 samples one after another last 9.* s; write some at a"):
        save(many, tmp_path / "a.nwb")
    monkeypatch.setitem(sys.modules, "pynwb", None)
    for refuse in (lambda: save(written(), tmp_path / "a.nwb"), lambda: check_writable(tmp_path / "a.nwb")):
        with pytest.raises(MissingExtraError, match=r'writing NWB needs an extra; pip install "beyondrate'):
            refuse()
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nope\.nwb: no such file; check the path"):
        nwb.read(str(tmp_path / "nope.nwb"))
    with pytest.raises(InputError, match="is no file"):
        nwb.read(tmp_path)
