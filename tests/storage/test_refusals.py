"""Files that are not what they claim to be are refused in one sentence: file, what was found, remedy."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.storage import check_writable, load, save


@pytest.fixture
def path(tmp_path: Path) -> Path:
    trains = SpikeTrains([5, 7, 3], [0, 4, 1], [0, 2, 3], [1, 0], 5, 1000, groups=[0, 1])
    save(trains, tmp_path / "events.h5")
    return tmp_path / "events.h5"


def refused(path: Path, message: str, **how: object) -> str:
    with pytest.raises(InputError, match=message) as caught:
        load(path, **how)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_is_no_event_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.h5", "no such file; check the path")
    refused(tmp_path, "is no file; give the event file itself")
    for suffix in ("h5", "npz", "csv", "nwb", "aedat"):
        (tmp_path / f"empty.{suffix}").touch()
        refused(tmp_path / f"empty.{suffix}", "is empty; the file is damaged or incomplete")
    (tmp_path / "text.h5").write_text("time,unit\n1,2\n")
    refused(tmp_path / "text.h5", "is neither HDF5 nor .npz")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("../outside", "x")
    refused(tmp_path / "x.npz", "has an array '../outside'")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["weights"] = np.zeros(3)
    refused(tmp_path / "other.h5", r"is HDF5 but no event file \(it holds weights\); give an event file")


def test_sound_is_to_be_encoded(tmp_path: Path) -> None:
    (tmp_path / "speech" / "ann").mkdir(parents=True)
    (tmp_path / "speech" / "ann" / "one.WAV").write_bytes(b"RIFF")
    refused(tmp_path / "speech" / "ann" / "one.WAV", "is sound; turn it into spikes: beyondrate encode")
    refused(tmp_path / "speech", "holds sound; turn it into spikes: beyondrate encode")


@pytest.mark.parametrize(
    ("name", "format"),
    [("x.npz", "h5"), ("x.H5", "npz"), ("x.hdf5", "csv"), ("x.csv", "shd"), ("x.h5", "aedat2")],
)
def test_a_format_that_is_not_of_the_suffix_is_not_written(path: Path, name: str, format: str) -> None:
    out = path.with_name(name)
    for write in (lambda: check_writable(out, format=format), lambda: save(load(path), out, format=format)):
        with pytest.raises(InputError, match=f"format '{format}' does not go with the suffix"):
            write()
    assert not out.exists()
    assert [check_writable(path, format=format) for format in ("h5", "shd", None)] == ["h5", "shd", "h5"]
    assert check_writable(path.with_suffix(".aedat"), format="aedat2") == "aedat2"


def rewrite(path: Path, change: Callable[[h5py.File], None]) -> Path:
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def rewritten_header(path: Path, **facts: object) -> Path:
    """Change facts in the header and give it the right checksum again."""

    def change(file: h5py.File) -> None:
        header = {**json.loads(bytes(file["header"][0]).split(b" ", 1)[1]), **facts}
        text = json.dumps(header).encode()
        del file["header"]
        file["header"] = np.array([hashlib.sha256(text).hexdigest().encode() + b" " + text])

    return rewrite(path, change)


def replaced(path: Path, name: str, values: np.ndarray) -> Path:
    """Replace an array together with its checksum, as a program that is wrong would write it."""
    digest = hashlib.sha256(values.tobytes()).hexdigest()
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = values
        known = json.loads(bytes(file["header"][0]).split(b" ", 1)[1])["sha256"]
    return rewritten_header(path, sha256={**known, name: digest})


def test_another_version(path: Path) -> None:
    refused(rewritten_header(path, version=2), "is beyondrate-events version 2, not .* version 1; .*update")


def test_changed_spikes_are_found_by_their_hash_and_both_hashes_named(path: Path) -> None:
    expected = hashlib.sha256(np.array([5, 7, 3], np.int32).tobytes()).hexdigest()
    found = hashlib.sha256(np.array([5, 8, 3], np.int32).tobytes()).hexdigest()
    rewrite(path, lambda file: file["times_us"].write_direct(np.array([5, 8, 3], np.int32)))
    refused(path, f"times_us has SHA-256 {found} but {expected} was recorded; the file is damaged")


@pytest.mark.parametrize("name", ["units", "offsets", "labels", "groups"])
def test_every_array_is_hashed(path: Path, name: str) -> None:
    rewrite(path, lambda file: file[name].write_direct(file[name][:] + file[name].dtype.type(1)))
    refused(path, f"{name} has SHA-256")


def test_a_changed_header(path: Path) -> None:
    def change(file: h5py.File) -> None:
        text = bytes(file["header"][0])
        file["header"][0] = text.replace(b'"n_units": 5', b'"n_units": 6')

    refused(rewrite(path, change), "the header has SHA-256 .* was recorded")


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("times_us", np.array([7, 5, 3], np.int32), "sample 0 is not sorted"),
        ("times_us", np.array([-5, 5, 3], np.int32), "sample 0 has a spike at -5 µs"),
        ("times_us", np.array([5, 7], np.int32), "2 times but 3 units"),
        ("times_us", np.array([5, 7, 3.0]), "times_us holds float64, not int32"),
        ("units", np.array([0, 5, 1], np.uint16), "spike of unit 5, but n_units is 5"),
        ("offsets", np.array([0, 2]), "2 labels but 2 offsets"),
        ("offsets", np.array([0, 4, 3]), "offsets fall after sample 1"),
        ("labels", np.array([0]), "1 labels but 3 offsets"),
        ("labels", np.array([[0, 1]]), "labels is no flat array"),
        ("groups", np.array([0]), "2 labels but 1 groups"),
    ],
)
def test_arrays_that_disagree(path: Path, name: str, values: np.ndarray, message: str) -> None:
    refused(replaced(path, name, values), message)


def test_facts_of_the_wrong_type(path: Path) -> None:
    refused(rewritten_header(path, n_units="5"), "n_units holds <U1")
    refused(rewritten_header(path, n_units=5, duration_us=0), "duration_us is 0")
    refused(rewritten_header(path, duration_us=1000, meta=[1]), "cannot be read as an event file")


def test_missing_pieces(path: Path) -> None:
    def drop(name: str) -> Callable[[h5py.File], None]:
        return lambda file: file.__delitem__(name)

    refused(rewrite(path, drop("units")), "has no dataset units")
    refused(rewrite(path, drop("groups")), "has no dataset groups")
    refused(rewrite(path, drop("header")), "is HDF5 but no event file")


def test_links_are_not_followed(path: Path, tmp_path: Path) -> None:
    save(load(path), tmp_path / "elsewhere.h5")

    def link(kind: object) -> Callable[[h5py.File], None]:
        def change(file: h5py.File) -> None:
            del file["units"]
            file["units"] = kind

        return change

    refused(rewrite(path, link(h5py.ExternalLink("elsewhere.h5", "units"))), "units is a link; copy what")
    refused(rewrite(path, link(h5py.SoftLink("/times_us"))), "units is a link")
    with h5py.File(tmp_path / "shd.h5", "w") as file:
        file["spikes"] = h5py.ExternalLink("elsewhere.h5", "/")
        file["labels"] = np.zeros(2, int)
    refused(tmp_path / "shd.h5", "spikes/times is a link")


def test_data_kept_in_other_files(path: Path, tmp_path: Path) -> None:
    def external(file: h5py.File) -> None:
        del file["units"]
        file.create_dataset("units", (3,), np.uint16, external=[(str(tmp_path / "raw"), 0, 6)])

    (tmp_path / "raw").write_bytes(bytes(6))
    refused(rewrite(path, external), "units keeps its data in another file")

    def virtual(file: h5py.File) -> None:
        del file["units"]
        layout = h5py.VirtualLayout((3,), np.uint16)
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "units", (3,))
        file.create_virtual_dataset("units", layout)

    refused(rewrite(path, virtual), "units keeps its data in another file")


@pytest.mark.parametrize(
    "options", [{}, {"chunks": (1 << 20,)}, {"chunks": (1 << 20,), "compression": "gzip"}], ids=str
)
def test_a_claimed_size_is_not_believed(path: Path, options: dict) -> None:
    def absurd(file: h5py.File) -> None:
        del file["times_us"]
        file.create_dataset("times_us", (10**13,), np.int32, **options)

    rewrite(path, absurd)
    tracemalloc.start()
    refused(path, "times_us claims 40000000000000 bytes but 0 are stored")
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_a_damaged_length_in_shd_layout_is_not_believed(path: Path) -> None:
    save(load(path), path, format="shd")
    with h5py.File(path) as file:
        place = file["spikes/times"].id.get_offset()
    data = bytearray(path.read_bytes())
    assert struct.unpack_from("<I", data, place) == (2,)  # spikes of the first sample
    struct.pack_into("<I", data, place, 2**31)
    path.write_bytes(data)
    refused(path, "entry 0 of /spikes/times claims 2147483648 values, but 8 bytes are stored")


def test_a_damaged_heap_is_no_endless_loop(path: Path) -> None:
    save(load(path), path, format="shd")
    data = path.read_bytes()
    start = data.index(b"GCOL")
    path.write_bytes(data[: start + 16] + bytes(4000) + data[start + 4016 :])
    refused(path, "entry 0 of /spikes/.* claims 2 values, but 0 bytes are stored")
    size = struct.pack("<Q", 2**40)
    path.write_bytes(data[: start + 8] + size + data[start + 16 :])
    refused(path, f"has a damaged heap at byte {start}")


def test_samples_that_share_their_spikes_cannot_multiply_a_file(path: Path) -> None:
    n = 5000
    trains = SpikeTrains(
        np.arange(2 * n), np.zeros(2 * n, int), [0, n, *[2 * n] * (n - 1)], np.zeros(n, int), 1, 2 * n
    )
    save(trains, path, format="shd")
    with h5py.File(path, "r+") as file:
        places = [file[f"spikes/{name}"].id.get_offset() for name in ("times", "units")]
    data = bytearray(path.read_bytes())
    for place in places:  # all samples point to the spikes of the first one
        data[place : place + 16 * n] = data[place : place + 16] * n
    path.write_bytes(data)
    refused(path, "spikes/times claims more than the .* bytes of the file")


@pytest.mark.parametrize("format", ["h5", "shd", "npz"])
def test_truncated_files(path: Path, format: str) -> None:
    trains, path = load(path), path.with_suffix(".dat")
    save(trains, path, format=format)
    data = path.read_bytes()
    for length in {*range(1, len(data) - 1, len(data) // 60), len(data) - 1}:
        path.write_bytes(data[:length])
        refused(path, ".")


def archive_with(path: Path, name: str, content: bytes, **how: object) -> Path:
    """An npz in which one member is replaced by given bytes, with right checksums."""
    buffer = io.BytesIO()
    np.savez(buffer, times_us=[5, 7, 3], units=[0, 4, 1], offsets=[0, 2, 3], labels=[1, 0])
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w", **how) as target:
        for member in source.namelist():
            target.writestr(member, content if member == name else source.read(member))
    return path


def npy(shape: str, body: bytes, descr: str = "'<i8'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body


def test_npz_whose_headers_lie(tmp_path: Path) -> None:
    x = tmp_path / "x.npz"
    two = bytes(16)
    assert load(archive_with(x, "labels.npy", npy("(2,)", two))).labels.tolist() == [0, 0]
    refused(archive_with(x, "labels.npy", npy("(10**15,)", two)), "cannot be read as an .npz")
    refused(archive_with(x, "labels.npy", npy("(1000000000000000,)", two)), "claims shape .* holds 16 bytes")
    refused(archive_with(x, "labels.npy", npy("(2,)", two, "'|O'")), "labels.npy holds Python objects")
    refused(archive_with(x, "labels.npy", npy("(" * 5000 + ")" * 5000, two)), "cannot be read as an .npz")
    refused(archive_with(x, "labels.npy", b"PK"), "cannot be read as an .npz")
    refused(archive_with(x, "labels.npy", b"\x93NUMPY\x09\x00"), "labels.npy is .npy version")


def test_zip_bombs(tmp_path: Path) -> None:
    bomb = npy(f"({10**7},)", bytes(8 * 10**7))
    path = archive_with(tmp_path / "x.npz", "labels.npy", bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    tracemalloc.start()
    refused(path, "labels.npy claims 80000128 bytes, the file has .*; save it without compression")
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_well_packed_but_honest_npz(tmp_path: Path) -> None:
    n = 10**6
    np.savez_compressed(
        tmp_path / "x.npz", times_us=np.zeros(n, int), units=np.zeros(n, int), offsets=[0, n], labels=[0]
    )
    assert (tmp_path / "x.npz").stat().st_size < n / 50
    assert load(tmp_path / "x.npz").n_spikes == n


def test_an_npz_that_lists_fewer_arrays_than_it_records(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, times_us=[1], units=[0], offsets=[0, 1], labels=[0], groups=[3])
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"PK\x01\x02"))  # the last but one of the directory
    following = data.rindex(b"PK\x05\x06") - data.rindex(b"PK\x01\x02")
    data[entry + 32 : entry + 34] = struct.pack("<H", following)  # the last one, groups, becomes its comment
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive:
        assert "groups.npy" not in archive.namelist()
    refused(path, "lists 4 arrays but records 5")
