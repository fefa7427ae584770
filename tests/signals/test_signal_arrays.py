"""Arrays of values over time: what people export from numpy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beyondrate.errors import InputError
from beyondrate.signals import read_arrays_of_values

VALUES = np.arange(24.0).reshape(2, 4, 3)


class Trap:
    """Tells whether a pickle was opened."""

    opened = False

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return setattr, (Trap, "opened", True)


def held(folder: Path, **arrays: Any) -> Path:
    path = folder / "x.npz"
    np.savez(path, **{"values": VALUES, "rate_hz": 40, **arrays})
    return path


def test_arrays_of_everything(tmp_path: Path) -> None:
    path = held(
        tmp_path,
        labels=["stop", "go"],
        groups=[3, 1],
        split=["train", "test"],
        channels=np.array([b"thumb", b"index", b"palm"]),
    )
    found = read_arrays_of_values(path)
    np.testing.assert_array_equal(found.signals, VALUES)
    assert (found.rate_hz, found.channels) == (40.0, ["thumb", "index", "palm"])
    assert (found.labels.tolist(), found.groups.tolist()) == ([1, 0], [3, 1])
    assert found.meta == {"label_names": ["go", "stop"], "split": ["train", "test"]}


@pytest.mark.parametrize(
    "values",
    [np.asfortranarray(VALUES), VALUES.astype(">f4"), VALUES.astype(np.int16), VALUES.astype(np.float16)],
)
def test_every_kind_of_number(tmp_path: Path, values: np.ndarray) -> None:
    np.savez(tmp_path / "x.npz", values=values)
    found = read_arrays_of_values(tmp_path / "x.npz", 7)
    np.testing.assert_array_equal(found.signals, VALUES)
    assert (found.rate_hz, found.channels, found.labels.tolist()) == (7, ["0", "1", "2"], [0, 0])
    assert found.groups is None


def test_one_channel_needs_no_axis(tmp_path: Path) -> None:
    found = read_arrays_of_values(held(tmp_path, values=VALUES[:, :, 0]))
    assert [signal.tolist() for signal in found.signals] == [[[0], [3], [6], [9]], [[12], [15], [18], [21]]]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"values": np.zeros(3)}, r"values has shape \(3,\); give values as \(sample, time, channel\)"),
        ({"values": np.zeros((2, 0, 3))}, r"values has shape \(2, 0, 3\)"),
        ({"values": np.array([["a"]])}, "values holds <U1; give values as numbers"),
        ({"values": np.array([[1, np.nan]])}, "sample 0 has nan at time 1 in channel 0; fill gaps"),
        ({"values": np.array([[Trap()]])}, "values.npy holds Python objects; save plain arrays"),
        ({"labels": [1]}, r"labels has shape \(1,\); give 2, one each"),
        ({"labels": [0.5, 1]}, "labels holds 0.5"),
        ({"labels": np.array([Trap(), 1])}, "labels.npy holds Python objects"),
        ({"groups": [[1, 2]]}, r"groups has shape \(1, 2\)"),
        ({"channels": ["a"]}, r"channels has shape \(1,\); give 3, one each"),
        ({"split": ["train", "dev"]}, "sample 1 is in split 'dev'; choose from train, valid, test"),
        ({"rate_hz": [1, 2]}, r"rate_hz has shape \(2,\); give rate_hz as one number"),
        ({"speed": 3}, "has an array 'speed'; remove or rename it; known are values, labels"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_arrays_of_values(held(tmp_path, **arrays))
    assert "x.npz" in str(caught.value)
    assert not Trap.opened


def test_random_damage(tmp_path: Path) -> None:
    path = held(tmp_path, labels=["stop", "go"], groups=[3, 1])
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    outcomes: Counter[str] = Counter()
    for attempt in range(300):
        rng = np.random.default_rng([attempt, 5])
        content = (
            whole[: rng.integers(len(whole) // 2, len(whole))].copy() if attempt % 3 == 0 else whole.copy()
        )
        content[rng.integers(0, len(content), rng.integers(1, 4))] = rng.integers(0, 256)
        path.write_bytes(content.tobytes())
        try:
            found = read_arrays_of_values(path)
        except InputError as error:
            assert str(path) in str(error)
            outcomes["refused"] += 1
        else:
            np.testing.assert_array_equal(found.signals, VALUES)
            assert (found.rate_hz, found.labels.tolist(), found.groups.tolist()) == (40, [1, 0], [3, 1])
            outcomes["same"] += 1
    assert outcomes["refused"] > 150 and outcomes["same"] > 10, outcomes


def test_the_rate_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x.npz: a rate, and another is given; give one"):
        read_arrays_of_values(held(tmp_path), rate_hz=40)
    np.savez(tmp_path / "x.npz", values=VALUES)
    with pytest.raises(InputError, match="no rate is given"):
        read_arrays_of_values(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", labels=[1])
    with pytest.raises(InputError, match="has no array 'values'; add it; found: labels"):
        read_arrays_of_values(tmp_path / "x.npz")
    (tmp_path / "x.npz").write_bytes(b"PK and no more")
    with pytest.raises(InputError, match=r"x\.npz: cannot be read as an .npz of values over time"):
        read_arrays_of_values(tmp_path / "x.npz")
    with pytest.raises(InputError, match="no such file"):
        read_arrays_of_values(tmp_path / "y.npz")
