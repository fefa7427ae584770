"""Damaged files: refused with their name, or read as they were; never another error, and no endless loop."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.storage import load, save


def example() -> SpikeTrains:
    rng = np.random.default_rng(0)
    return SpikeTrains.from_samples(
        [(rng.integers(0, 1001, n), rng.integers(0, 50, n)) for n in rng.integers(0, 30, 20)],
        labels=rng.integers(0, 4, 20),
        groups=rng.integers(0, 5, 20),
        n_units=50,
        duration_us=1000,
        meta={"label_names": ["a", "b", "ç", "d"], "split": ["train"] * 20},
    )


def damaged(data: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Damage a file as disks, transfers and editors do."""
    data = data.copy()
    place, other = rng.integers(len(data), size=2)
    length = int(rng.integers(1, 200))
    kind = rng.integers(6)
    if kind == 0:  # one bit
        data[place] ^= np.uint8(1 << rng.integers(8))
    elif kind == 1:  # some bytes
        places = rng.integers(len(data), size=rng.integers(1, 8))
        data[places] = rng.choice(np.array([0, 1, 127, 128, 255], np.uint8), len(places))
    elif kind == 2:
        data = data[:place]
    elif kind == 3:
        data = np.insert(data, place, rng.integers(0, 256, length).astype(np.uint8))
    elif kind == 4:
        data[place : place + length] = 0
    else:  # a block from elsewhere
        length = min(length, len(data) - max(place, other))
        data[place : place + length] = data[other : other + length].copy()
    return data


@pytest.mark.parametrize(("format", "n_tries"), [("h5", 1000), ("npz", 1000), ("shd", 500)])
def test_random_damage(tmp_path: Path, format: str, n_tries: int) -> None:
    trains = example()
    path = tmp_path / f"events.{format}"
    save(trains, path, format=format)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    facts = json.dumps(dict(trains.meta))
    outcomes: Counter[str] = Counter()
    for attempt in range(n_tries):
        path.write_bytes(damaged(whole, np.random.default_rng([attempt, 1])).tobytes())
        try:
            found = load(path)
        except InputError as error:
            assert str(path) in str(error)
            outcomes["refused"] += 1
        else:
            is_same = found.digest == trains.digest and json.dumps(dict(found.meta)) == facts
            outcomes["same" if is_same else "changed"] += 1
    assert outcomes["refused"] > n_tries / 2
    if format != "shd":  # the layout has no checksum, so that damage to its spikes can go unnoticed
        assert outcomes["changed"] == 0


def test_single_bits_of_our_file(tmp_path: Path) -> None:
    trains = SpikeTrains([5, 7], [0, 1], [0, 2], [1], 2, 10)
    path = tmp_path / "events.h5"
    save(trains, path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    n_refused = 0
    for place in rng.choice(np.flatnonzero(whole), 300, replace=False):
        data = whole.copy()
        data[place] ^= np.uint8(1 << rng.integers(8))
        path.write_bytes(data.tobytes())
        try:
            assert load(path).digest == trains.digest
        except InputError:
            n_refused += 1
    assert n_refused > 250
