"""Files that other programs wrote: SHD's layout as the field has it, and npz exports."""

from __future__ import annotations

import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from beyondrate.errors import InputError
from beyondrate.storage import load, save

TIMES = [[0.1, 0.3, 0.6, 1.2], [], [0.0279, 0.5]]
UNITS = [[699, 3, 3, 0], [], [5, 12]]


def published(path: Path, *, times: list = TIMES, dtype: type = np.float16, **options: object) -> Path:
    """Write a small file as SHD's publishers did, by another road than the package's own writer."""
    n = len(times)
    with h5py.File(path, "w") as file:
        for name, entries, kind in (("times", times, dtype), ("units", UNITS, np.uint16)):
            dataset = file.create_dataset(f"spikes/{name}", (n,), h5py.vlen_dtype(np.dtype(kind)), **options)
            for k, entry in enumerate(entries):
                dataset[k] = np.array(entry, kind)
        file["labels"] = np.array([19, 0, 3], np.uint16)
        file["extra/speaker"] = np.array([4, 4, 11], np.uint16)
        file["extra/keys"] = np.array([b"zero", b"one", b"two", b"three"] + [b"x"] * 16)
        file["extra/meta_info/age"] = np.array([30, 41])
        file["extra/meta_info/gender"] = np.array([b"f", b"m"])
        file["extra/meta_info/table"] = np.zeros((2, 2))
    return path


def test_shd_as_published(tmp_path: Path) -> None:
    trains = load(published(tmp_path / "shd_test.h5"))
    widened = np.float64(np.float16([0.1, 0.3, 0.6, 1.2, 0.0279, 0.5]))
    np.testing.assert_array_equal(trains.times_us, np.rint(widened * 1e6).astype(int))
    assert trains.units.tolist() == [699, 3, 3, 0, 5, 12]
    assert trains.offsets.tolist() == [0, 4, 4, 6]
    assert trains.labels.tolist() == [19, 0, 3]
    assert trains.groups.tolist() == [4, 4, 11]
    assert (trains.n_units, trains.duration_us) == (700, 1201_000)  # derived, to the millisecond above
    assert trains.meta["derived"] == ["n_units", "duration_us"]
    assert trains.meta["label_names"][:4] == ["zero", "one", "two", "three"]
    assert trains.meta["speaker_info"] == {"age": [30, 41], "gender": ["f", "m"]}
    assert trains.meta["time_grid"].startswith("float16 seconds: 61 µs at 0.1 s")


def test_parts_of_a_published_file_have_the_facts_of_the_whole(tmp_path: Path) -> None:
    path = published(tmp_path / "shd.h5")
    part = load(path, samples=slice(1, 3))
    assert part.digest == load(path)[1:3].digest
    assert part.n_units == 700


@pytest.mark.parametrize(
    "options", [{"chunks": (2,)}, {"chunks": (2,), "compression": "gzip"}, {"maxshape": (None,)}]
)
def test_shd_in_chunks(tmp_path: Path, options: dict) -> None:
    plain = load(published(tmp_path / "plain.h5"))
    assert load(published(tmp_path / "chunks.h5", **options)).digest == plain.digest


def test_entries_that_were_shuffled_and_deflated(tmp_path: Path) -> None:
    plain = load(published(tmp_path / "plain.h5"))
    path = published(tmp_path / "shuffled.h5", chunks=(3,), compression="gzip", shuffle=True)
    with h5py.File(path, "r+") as file:  # this HDF5 leaves shuffling out; older ones do not
        dataset = file["spikes/times"].id
        _, packed = dataset.read_direct_chunk((0,))
        entries = np.frombuffer(zlib.decompress(packed), np.uint8)
        shuffled = entries.reshape(-1, 16).T.tobytes()
        dataset.write_direct_chunk((0,), zlib.compress(shuffled), filter_mask=0)
    assert load(path).digest == plain.digest


def test_an_unknown_packing_is_named(tmp_path: Path) -> None:
    path = published(tmp_path / "lzf.h5", chunks=(3,), compression="lzf")
    with pytest.raises(InputError, match="packed by HDF5 filter 32000; unpack it"):
        load(path)


def test_times_that_are_not_sorted_are_sorted_with_their_units(tmp_path: Path) -> None:
    trains = load(
        published(tmp_path / "u.h5", times=[[0.6, 0.3, 1.2, 0.1], [], [0.5, 0.25]], dtype=np.float32)
    )
    assert trains.times_us.tolist() == [100_000, 300_000, 600_000, 1_200_000, 250_000, 500_000]
    assert trains.units.tolist() == [0, 3, 699, 3, 12, 5]
    assert "time_grid" not in trains.meta


def test_float16_values_in_a_float32_file_are_found_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 1.2, 40)).astype(np.float16).astype(np.float32)
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("spikes/times", (1,), h5py.vlen_dtype(np.float32))[0] = times
        file.create_dataset("spikes/units", (1,), h5py.vlen_dtype(np.int64))[0] = np.arange(40)
        file["labels"] = [0]
        file["extra/keys"] = ["only", "names of", "variable length: ü"]
    trains = load(path)
    assert trains.meta["time_grid"].startswith("float16 seconds")
    assert trains.meta["label_names"] == ["only", "names of", "variable length: ü"]
    assert trains.units.dtype == np.uint16


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([[0.1, np.nan, 0.6, 1.2], [], [0, 0.5]], "spikes/times holds nan"),
        ([[0.1, np.inf, 0.6, 1.2], [], [0, 0.5]], "spikes/times holds inf"),
        ([[-0.1, 0.3, 0.6, 1.2], [], [0, 0.5]], "spikes/times holds -0.1"),
        ([[0.1, 0.3, 0.6, 3000], [], [0, 0.5]], "spikes/times holds 3000.0"),
        ([[0.1, 0.3], [], [0, 0.5]], "sample 0 has 2 times but 4 units"),
    ],
)
def test_times_that_are_none(tmp_path: Path, times: list, message: str) -> None:
    with pytest.raises(InputError, match=f"bad.h5: {message}"):
        load(published(tmp_path / "bad.h5", times=times, dtype=np.float32))


def test_shd_with_wrong_pieces(tmp_path: Path) -> None:
    def refused(message: str, change: object) -> None:
        path = published(tmp_path / "wrong.h5")
        with h5py.File(path, "r+") as file:
            change(file)
        with pytest.raises(InputError, match=message):
            load(path)

    def replace(name: str, value: object) -> object:
        def change(file: h5py.File) -> None:
            del file[name]
            if value is not None:
                file[name] = value

        return change

    refused("has 4 labels but 3 speakers", replace("labels", np.arange(4)))
    refused("labels holds float64", replace("labels", np.zeros(3)))
    refused("labels holds -1|label -1", replace("labels", np.array([0, -1, 2])))
    refused("has 3 labels but 2 speakers", replace("extra/speaker", np.arange(2)))
    refused("has no dataset spikes/units", replace("spikes/units", None))
    refused("spikes/times holds int64, not arrays", replace("spikes/times", np.arange(3)))
    refused("is HDF5 but no event file", replace("labels", None))


def npz(path: Path, *, compressed: bool = False, drop: tuple = (), **change: object) -> Path:
    arrays = {
        "times_us": np.array([5, 7, 3]),
        "units": np.array([0, 4, 1], np.uint8),
        "offsets": np.array([0, 2, 3], np.int32),
        "labels": np.array([1, 0]),
        **change,
    }
    (np.savez_compressed if compressed else np.savez)(
        path, **{name: value for name, value in arrays.items() if name not in drop}
    )
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_a_plain_npz(tmp_path: Path, compressed: bool) -> None:
    trains = load(npz(tmp_path / "x.npz", compressed=compressed))
    assert trains.times_us.tolist() == [5, 7, 3]
    assert trains.units.tolist() == [0, 4, 1]
    assert (trains.n_units, trains.duration_us, trains.groups) == (5, 1000, None)
    assert trains.meta["derived"] == ["n_units", "duration_us"]


def test_what_an_npz_tells_is_not_derived(tmp_path: Path) -> None:
    trains = load(npz(tmp_path / "x.npz", n_units=9, duration_us=np.array([50]), groups=[3, 3]))
    assert (trains.n_units, trains.duration_us, trains.groups.tolist()) == (9, 50, [3, 3])
    assert "derived" not in trains.meta


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_seconds_in_an_npz(tmp_path: Path, dtype: object) -> None:
    seconds = np.array([0.1, 1.2, 0.000_25], dtype)
    trains = load(npz(tmp_path / "x.npz", times_s=seconds, drop=("times_us",)))
    np.testing.assert_array_equal(trains.times_us, np.rint(seconds.astype(np.float64) * 1e6))
    assert trains.duration_us == (1_201_000 if dtype == np.float16 else 1_200_000)


def test_an_array_names_the_part_of_each_sample(tmp_path: Path) -> None:
    for names in (["train", "test"], [b"train", b"test"]):
        assert load(npz(tmp_path / "x.npz", split=names)).meta["split"] == ["train", "test"]
    trains = load(tmp_path / "x.npz")
    save(trains, tmp_path / "again.npz")
    assert load(tmp_path / "again.npz").meta["split"] == ["train", "test"]


def test_names_become_numbers(tmp_path: Path) -> None:
    names = {"labels": np.array(["öl", "air"]), "groups": np.array([b"ann", b"ann"])}
    trains = load(npz(tmp_path / "x.npz", **names))
    assert trains.labels.tolist() == [1, 0]
    assert trains.meta["label_names"] == ["air", "öl"]
    assert trains.groups.tolist() == [0, 0]
    assert trains.meta["group_names"] == ["ann"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times_us": [7, 5, 3]}, "sample 0 is not sorted: 7 µs is followed by 5 µs; sort"),
        ({"times_us": [-5, 7, 3]}, "spike at -5 µs"),
        ({"times_us": [5, np.nan, 3]}, "times_us holds nan"),
        ({"times_us": [5, 7.5, 3]}, "times_us holds 7.5"),
        ({"times_us": [5, 7, 3], "times_s": [1.0, 1, 1]}, "both times_us and times_s"),
        ({"drop": ("times_us",)}, "neither times_us nor times_s"),
        ({"drop": ("times_us",), "times_s": np.array([1, 2, 3])}, "times_s holds int64"),
        ({"drop": ("times_us",), "times_s": np.array([1, -2.0, 3])}, "times_s holds -2.0"),
        ({"drop": ("labels",)}, "has no array 'labels'; add it; found: times_us, units, offsets"),
        ({"group": [1, 1]}, "has an array 'group'; remove or rename it; known are .*groups"),
        ({"units": [0, 4, -1]}, "units holds -1"),
        ({"units": [0, 4, 1], "n_units": 4}, "spike of unit 4, but n_units is 4"),
        ({"n_units": [4, 5]}, "n_units has 2 entries"),
        ({"n_units": 4.5}, "n_units holds 4.5"),
        ({"duration_us": 6}, r"spike at 7 µs, outside \[0, 6\]"),
        ({"offsets": [0, 2, 4]}, "offsets run from 0 to 4 for 3 spikes"),
        ({"offsets": [0, 2]}, "2 labels but 2 offsets"),
        ({"labels": [0]}, "1 labels but 3 offsets"),
        ({"groups": [0]}, "2 labels but 1 groups"),
        ({"labels": [[0, 1]]}, r"labels.npy has shape \(1, 2\)"),
        ({"labels": np.array([0, None])}, "labels.npy holds Python objects"),
        ({"meta": "{"}, "cannot be read as an .npz of event data"),
        ({"split": ["train", "dev"]}, "sample 1 is in split 'dev'; choose from train, valid, test"),
        ({"split": ["train"]}, r"split has shape \(1,\); give 2, one a sample"),
        ({"split": ["test"] * 2, "meta": '{"split": [0, 0]}'}, "has a split, and another in meta"),
        ({"meta": "[1]"}, "cannot be read as an .npz of event data"),
    ],
)
def test_bad_npz_is_refused_with_the_file_and_the_value(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(InputError, match=f"x.npz: .*{message}"):
        load(npz(tmp_path / "x.npz", **change))


def test_pickled_objects_are_never_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "sprung",)

    with pytest.raises(InputError, match="Python objects"):
        load(npz(tmp_path / "x.npz", labels=np.array([Trap(), Trap()])))
    assert not (tmp_path / "sprung").exists()
