"""Event files that stay where they are: the same facts and samples as in memory, a few at a time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from beyondrate import storage
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.storage import EventFile, h5, load, opened, save, stream


def example(n_samples: int = 40, *, groups: bool = True) -> SpikeTrains:
    rng = np.random.default_rng(3)
    return SpikeTrains.from_samples(
        [
            (rng.integers(0, 1_000_001, n), rng.integers(0, 50, n))
            for n in rng.choice([0, 1, 30, 80], n_samples)
        ],
        labels=rng.integers(0, 4, n_samples),
        groups=rng.integers(0, 3, n_samples) if groups else None,
        n_units=50,
        duration_us=1_000_000,
        meta={"label_names": ["a", "b", "c", "d"], "split": ["train", "test"] * (n_samples // 2)},
    )


def assert_same(found: SpikeTrains, expected: SpikeTrains) -> None:
    assert found.digest == expected.digest
    assert found.units.dtype == expected.units.dtype
    assert json.dumps(dict(found.meta)) == json.dumps(dict(expected.meta))


@pytest.mark.parametrize("groups", [True, False])
@pytest.mark.parametrize("format", ["h5", "shd", "npz"])
def test_an_open_file_gives_what_load_gives(tmp_path: Path, format: str, groups: bool) -> None:
    path = tmp_path / f"events.{format}"
    save(example(groups=groups), path, format=format)
    whole = load(path)
    with opened(path) as file:
        assert isinstance(file, EventFile) == (format != "npz")
        for chosen in ([], [7], [3, 4, 5, 6], [39, 0, 7, 8, 2], [5, 5, 6, 5], list(range(40))):
            assert_same(file[np.array(chosen, np.int64)], whole[chosen])
        assert (len(file), file.n_spikes, file.n_units) == (len(whole), whole.n_spikes, whole.n_units)
        np.testing.assert_array_equal(file.spikes_per_sample, whole.spikes_per_sample)
        if isinstance(file, EventFile):
            assert f"EventFile({file})" == repr(file) == repr(whole).replace("SpikeTrains", "EventFile")
            assert_same(file.stream().joined(), whole)


@pytest.mark.parametrize("block", [1, 100, 1 << 20])
@pytest.mark.parametrize("chunk", [64, 1 << 18])
def test_a_file_does_not_depend_on_the_blocks_it_was_written_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, chunk: int
) -> None:
    monkeypatch.setattr(h5, "_CHUNK", chunk)
    monkeypatch.setattr(stream, "_BLOCK_SPIKES", block)
    whole = example()
    save(whole, tmp_path / "at_once.h5")
    with opened(tmp_path / "at_once.h5") as file:
        save(file.stream(), tmp_path / "in_blocks.h5")
        save(file.stream(), tmp_path / "other.npz")
        save(file.stream(), tmp_path / "other.shd", format="shd")
    assert (tmp_path / "at_once.h5").read_bytes() == (tmp_path / "in_blocks.h5").read_bytes()
    for name in ("in_blocks.h5", "other.npz", "other.shd"):
        assert_same(load(tmp_path / name), whole)


def test_what_a_published_file_does_not_tell_is_derived_from_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    save(example(), path, format="shd", time_dtype="float16")
    with storage.h5py.File(path, "a") as file:
        del file["beyondrate"]
    whole = load(path)
    with opened(path) as events:
        assert (events.n_units, events.duration_us) == (whole.n_units, whole.duration_us)
        assert json.dumps(dict(events.meta)) == json.dumps(dict(whole.meta))
        assert events.meta["derived"] == ["n_units", "duration_us"] and "time_grid" in events.meta
        assert_same(events[np.arange(40)], whole)


def test_float16_times_in_a_float32_file_are_found_out(tmp_path: Path) -> None:
    save(example(), tmp_path / "fine.h5", format="shd")
    save(example(), tmp_path / "coarse.h5", format="shd", time_dtype="float16")
    save(load(tmp_path / "coarse.h5"), tmp_path / "wide.h5", format="shd")
    found = {}
    for name in ("fine", "wide"):
        with opened(tmp_path / f"{name}.h5") as events:
            found[name] = "time_grid" in events.meta
        assert found[name] == ("time_grid" in load(tmp_path / f"{name}.h5").meta)
    assert found == {"fine": False, "wide": True}


@pytest.mark.parametrize("name", ["missing.h5", "text.h5", "other.h5", ""])
def test_what_is_no_event_file_is_refused_as_by_load(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.h5").write_text("no events")
    with storage.h5py.File(tmp_path / "other.h5", "w") as file:
        file["image"] = np.zeros((4, 4))
    messages = []
    for read in (load, lambda path: opened(path).__enter__()):
        with pytest.raises(InputError) as caught:
            read(tmp_path / name)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_an_error_of_the_one_who_reads_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    save(example(), tmp_path / "events.h5")
    with pytest.raises(ValueError, match=r"^mine$"), opened(tmp_path / "events.h5"):
        raise ValueError("mine")


@pytest.mark.parametrize("suffix", [".h5", ".npz"])
def test_a_stream_that_was_taken_is_not_taken_again(tmp_path: Path, suffix: str) -> None:
    save(example(), tmp_path / "events.h5")
    with opened(tmp_path / "events.h5") as events:
        once = events.stream()
        save(once, tmp_path / f"first{suffix}")
        with pytest.raises(InputError, match=r"has given 0 of .* make it anew"):
            save(once, tmp_path / f"second{suffix}")
    assert not (tmp_path / f"second{suffix}").exists()
