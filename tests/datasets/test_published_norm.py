"""The published norms from small files of their two formats."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from beyondrate import datasets
from beyondrate.datasets import originals, published_norm
from beyondrate.datasets.download import read_small
from beyondrate.datasets.split import make_split
from beyondrate.errors import InputError

N_SAMPLES, N_UNITS, N_COLUMNS, N_CLASSES = 600, 6, 100, 4


def rasters(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A norm: each unit has its own number of spikes, the same in every sample; column 0 is empty."""
    rng = np.random.default_rng(seed)
    x = np.zeros((N_SAMPLES, N_UNITS, N_COLUMNS), np.uint8)
    for sample in x:
        for unit, row in enumerate(sample):
            row[rng.choice(np.arange(1, N_COLUMNS), unit + 1, replace=False)] = 1
    return x, rng.permutation(np.arange(N_SAMPLES) % N_CLASSES).astype(np.uint8)


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEYONDRATE_DATA", str(tmp_path / "cache"))
    for name, published in published_norm.PUBLISHED.items():
        sizes = {"n_samples": N_SAMPLES, "n_units": N_UNITS, "n_classes": N_CLASSES}
        monkeypatch.setitem(published_norm.PUBLISHED, name, replace(published, **sizes))


def write(path: Path, form: str, x: np.ndarray, y: np.ndarray) -> Path:
    if form == "v5":
        savemat(path, {"X": x, "Y": y})  # labels become a row
    elif form == "v5 packed":
        savemat(path, {"X": x, "Y": y[:, None]}, do_compression=True)
    else:
        with h5py.File(path, "w", userblock_size=512 if form == "v7.3" else 0) as file:
            if form == "v7.3":  # as MATLAB writes HDF5: the axes in reverse
                file.create_dataset("X", data=x.T, compression="gzip", chunks=(100, 2, 64))
                file["Y"] = y[None].astype(np.float64)
            else:
                file.create_dataset("X", data=x, compression="gzip", chunks=(300, 3, 10))
                file.create_dataset("Y", data=y, compression="gzip")
    return path


@pytest.mark.parametrize(
    ("name", "form"),
    [("shd-norm", "v5"), ("shd-norm", "v5 packed"), ("shd-norm", "v7.3"), ("ssc-norm", "h5")],
)
def test_every_spike_comes_back_from_every_format(tmp_path: Path, name: str, form: str) -> None:
    x, y = rasters()
    source = write(tmp_path / published_norm.PUBLISHED[name].file_name, form, x, y)
    assert datasets.get(name, source) == tmp_path / "cache" / f"{name}.h5"
    trains = datasets.load(name)
    np.testing.assert_array_equal(trains.dense(0.01), x.transpose(0, 2, 1))
    np.testing.assert_array_equal(trains.labels, y)
    assert (trains.duration_us, trains.groups) == (1_000_000, None)
    assert "14.1 ms by the authors' script" in trains.meta["time_grid"]
    (fact,) = trains.meta["originals"]
    assert fact["md5"] == hashlib.md5(source.read_bytes()).hexdigest()
    assert fact["check"].startswith("not compared: no published hash is at hand")
    assert len(make_split(trains, seed=0, protocol="yu2025").train) == 360


def changed(what: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = rasters()
    if what == "samples":
        return x[:-1], y[:-1]
    if what == "labels":
        return x, y[:-1]
    if what == "classes":
        y[0] = (y[0] + 1) % N_CLASSES
    elif what == "counts":
        x[7, 2, np.argmax(x[7, 2])] = 0
    elif what == "values":
        x[7, 2, np.argmax(x[7, 2])] = 2
    elif what == "dimensions":
        return x[0], y
    return x, y


@pytest.mark.parametrize("form", ["v5", "h5"])
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("samples", r"X is \(599, 6, 100\) with 599 labels, not \(600, 6, 100\)"),
        ("labels", r"X is \(600, 6, 100\) with 599 labels"),
        ("classes", "Y has 4 classes of 149 to 151 samples"),
        ("counts", "unit 2 has 2 to 3 spikes, so X is no norm"),
        ("values", "X holds other values than 0 and 1"),
        ("dimensions", "holds no rasters X of three dimensions"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, form: str, what: str, message: str) -> None:
    name = {"v5": "shd-norm", "h5": "ssc-norm"}[form]
    source = tmp_path / published_norm.PUBLISHED[name].file_name
    x, y = changed(what)
    if form == "v5":
        savemat(source, {"X": x, "Y": y})
    else:
        with h5py.File(source, "w") as file:
            file["X"], file["Y"] = x, y
    with pytest.raises(InputError, match=f"{source.name}: {message}"):
        datasets.get(name, source)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no MATLAB file at all" * 100])
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "shd_norm.mat"
    source.write_bytes(content)
    with pytest.raises(InputError, match=r"shd_norm.mat: cannot be read as the published norm"):
        datasets.get("shd-norm", source)


def served(monkeypatch: pytest.MonkeyPatch, file: Path, record: bytes) -> list[str | None]:
    """Serve the file and Zenodo's record; return the hashes that are asked for."""
    hashes: list[str | None] = []

    def fetch(urls: list[str], target: Path, *, md5: str | None, progress: object) -> None:
        assert urls[0] == f"https://zenodo.org/records/16153275/files/{target.name}"
        hashes.append(md5)
        shutil.copy(file, target)

    monkeypatch.setattr(originals, "fetch", fetch)
    monkeypatch.setattr(published_norm, "read_small", lambda url: record)
    return hashes


def test_a_download_is_compared_with_the_hash_in_zenodo_s_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "shd_norm.mat", "v5", *rasters())
    md5 = hashlib.md5(file.read_bytes()).hexdigest()
    record = {
        "files": [{"key": "ssc_norm.h5", "checksum": "md5:0"}, {"key": file.name, "checksum": f"md5:{md5}"}]
    }
    hashes = served(monkeypatch, file, json.dumps(record).encode())
    (fact,) = datasets.load("shd-norm").meta["originals"]
    assert hashes == [md5]
    assert fact == {"name": file.name, "md5": md5, "check": "as published"}


@pytest.mark.parametrize(
    "record", [b"<html>", b"[]", b'{"files": []}', b'{"files": [{"key": "shd_norm.mat"}]}']
)
def test_a_record_without_a_hash_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: bytes
) -> None:
    file = write(tmp_path / "shd_norm.mat", "v5", *rasters())
    hashes = served(monkeypatch, file, record)
    (fact,) = datasets.load("shd-norm").meta["originals"]
    assert hashes == [None]
    assert fact["check"].startswith("not compared")


def test_a_record_that_cannot_be_reached_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "shd_norm.mat", "v5", *rasters())
    served(monkeypatch, file, b"")
    monkeypatch.setattr(published_norm, "RECORD_API", "https://127.0.0.1:9/record")
    monkeypatch.setattr(published_norm, "read_small", read_small)
    (fact,) = datasets.load("shd-norm").meta["originals"]
    assert fact["check"].startswith("not compared")
