"""HDF5 that points elsewhere, or claims to be what it cannot be: refused by each reader, at no cost."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from test_damage import example

from beyondrate.errors import InputError
from beyondrate.storage import load, opened, save

READERS = {
    "ours": ("x.h5", "times_us", "labels"),
    "shd": ("x.h5", "spikes/times", "labels"),
    "nwb": ("x.nwb", "units/spike_times", "intervals/trials/stop_time"),
}


def written(folder: Path, reader: str) -> Path:
    """A small sound file of each layout; NWB's with the tables that are read and no others."""
    path = folder / READERS[reader][0]
    if reader != "nwb":
        save(example(), path, format="h5" if reader == "ours" else "shd")
        return path
    with h5py.File(path, "w") as file:
        file["units/id"] = np.arange(2)
        file["units/spike_times"] = np.array([0.1, 0.2, 0.05])
        file["units/spike_times_index"] = np.array([2, 3], np.uint8)
        file["intervals/trials/start_time"] = np.array([0.0, 0.1])
        file["intervals/trials/stop_time"] = np.array([0.1, 0.2])
    return path


def link(kind: object) -> Callable[[h5py.File, str], None]:
    def change(file: h5py.File, name: str) -> None:
        file[name] = kind

    return change


def shaped(shape: tuple[int, ...], **how: object) -> Callable[[h5py.File, str], None]:
    def change(file: h5py.File, name: str) -> None:
        file.create_dataset(name, shape, np.float64, **how)

    return change


def elsewhere(file: h5py.File, name: str) -> None:
    file.create_dataset(name, (3,), np.float64, external=[("/etc/passwd", 0, 24)])


def virtual(file: h5py.File, name: str) -> None:
    layout = h5py.VirtualLayout((3,), np.float64)
    layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
    file.create_virtual_dataset(name, layout)


def references(file: h5py.File, name: str) -> None:
    file.create_dataset(name, (3,), h5py.ref_dtype)


TRAPS: dict[str, Callable[[h5py.File, str], None]] = {
    "external link": link(h5py.ExternalLink("/etc/passwd", "/")),
    "soft link": link(h5py.SoftLink("/labels")),
    "link in a circle": link(h5py.SoftLink("/spikes/times")),
    "link to nothing": link(h5py.SoftLink("/nowhere")),
    "data elsewhere": elsewhere,
    "virtual": virtual,
    "2^62": shaped((2**62,), chunks=(1 << 20,)),
    "2^63 - 1": shaped((2**63 - 1,), chunks=(1 << 20,)),
    "2^63 - 1 packed": shaped((2**63 - 1,), chunks=(1 << 20,), compression="gzip"),
    "2^62 bytes": shaped((2**59,)),
    "of no dimension": shaped(()),
    "of two dimensions": shaped((3, 2)),
    "a group": lambda file, name: file.create_group(name),
    "a type": lambda file, name: file.__setitem__(name, np.dtype("f8")),
    "records": lambda file, name: file.__setitem__(name, np.zeros(3, [("a", "f8")])),
    "references": references,
    "texts": lambda file, name: file.__setitem__(name, ["a", "b"]),
}


@pytest.mark.parametrize("which", [1, 2], ids=["spikes", "per sample"])
@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("reader", READERS)
def test_traps(tmp_path: Path, reader: str, trap: str, which: int) -> None:
    path = written(tmp_path, reader)
    assert len(load(path)) > 0
    name = str(READERS[reader][which])
    with h5py.File(path, "r+") as file:
        del file[name]
        TRAPS[trap](file, name)
    started = time.process_time()
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError) as caught, opened(path) as events:
        _ = events[np.arange(2)]
    assert str(path) in str(caught.value)
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()
    assert time.process_time() - started < 2


@pytest.mark.parametrize("reader", READERS)
def test_a_wrong_beginning(tmp_path: Path, reader: str) -> None:
    path = written(tmp_path, reader)
    data = path.read_bytes()
    for start in (b"\x89HDG", b"PK\x03\x04", b"#!AER-DAT", b""):
        path.write_bytes(start + data[4:])
        with pytest.raises(InputError, match=path.name):
            load(path)
