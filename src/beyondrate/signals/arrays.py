"""Values over time in numpy's .npz: one array of all samples.

``values`` (sample, time, channel) or (sample, time), numbers; ``labels`` and ``groups`` (numbers from 0, or
names), ``split`` ("train", "valid", "test") with one entry a sample; ``channels``, their names; ``rate_hz``.
All but ``values`` may be missing. Arrays of pickled objects are never opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from beyondrate.errors import InputError
from beyondrate.events import exact
from beyondrate.signals.tables import SignalTable
from beyondrate.storage.guards import check_file, reading
from beyondrate.storage.npz import numbered, read_arrays, split_of

_OPTIONAL = ("labels", "groups", "split", "channels", "rate_hz")


def read_arrays_of_values(path: str | Path, rate_hz: float | None = None) -> SignalTable:
    """Read values over time from an .npz.

    Args:
        path: the file.
        rate_hz: samples a second, where the file does not hold it.

    Raises:
        InputError: if an array is missing, unknown, of the wrong shape, or not what it claims to be, a value
            is not finite, or the rate is told neither by the file nor by ``rate_hz`` (or by both).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/touch.npz", values=np.zeros((5, 100, 12)), labels=list("aabba"))
        ...     touches = read_arrays_of_values(f"{folder}/touch.npz", rate_hz=40)
        >>> len(touches.signals), touches.signals[0].shape, touches.labels, touches.meta
        (5, (100, 12), array([0, 0, 1, 1, 0]), {'label_names': ['a', 'b']})
    """
    path = Path(path)
    check_file(path)
    with reading(path, "an .npz of values over time"):
        arrays = read_arrays(path, ("values",), _OPTIONAL, flat=False)
        values = _values(arrays.pop("values"))
        n_samples, _, n_channels = values.shape
        channels = _texts(arrays.pop("channels"), n_channels, "channels") if "channels" in arrays else None
        meta: dict[str, Any] = {}
        numbers: dict[str, np.ndarray] = {}
        for name, names in (("labels", "label_names"), ("groups", "group_names")):
            if name in arrays:
                found = _one_each(arrays[name], n_samples, name)
                if found.dtype.kind in "US":
                    meta[names], found = numbered(found)
                numbers[name] = exact(found, np.dtype(np.int64), name)
        if "split" in arrays:
            meta["split"] = split_of(arrays["split"], n_samples)
        return SignalTable(
            list(values),
            _rate(arrays.get("rate_hz"), rate_hz),
            channels or [str(channel) for channel in range(n_channels)],
            numbers.get("labels", np.zeros(n_samples, np.int64)),
            numbers.get("groups"),
            meta,
        )


def _values(found: np.ndarray) -> Float64[np.ndarray, "sample time channel"]:
    """Return the values of all samples, refusing what is no number."""
    if found.ndim not in (2, 3) or 0 in found.shape:
        raise InputError(f"values has shape {found.shape}", remedy="give values as (sample, time, channel)")
    if found.dtype.kind not in "iuf":
        raise InputError(f"values holds {found.dtype}", remedy="give values as numbers")
    values = found.reshape(*found.shape[:2], -1).astype(np.float64)
    if not np.isfinite(values).all():
        sample, time, channel = np.argwhere(~np.isfinite(values))[0].tolist()
        raise InputError(
            f"sample {sample} has {values[sample, time, channel]} at time {time} in channel {channel}",
            remedy="fill gaps, or leave the sample out",
        )
    return values


def _one_each(found: np.ndarray, n: int, name: str) -> np.ndarray:
    if found.shape != (n,):
        raise InputError(f"{name} has shape {found.shape}", remedy=f"give {n}, one each, in a flat array")
    return found


def _texts(found: np.ndarray, n: int, name: str) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in _one_each(found, n, name).tolist()]


def _rate(found: np.ndarray | None, given: float | None) -> float:
    if (found is None) == (given is None):
        told = "no rate" if found is None else "a rate, and another"
        raise InputError(f"{told} is given", remedy="give one: an array rate_hz in the file, or the rate")
    rate_hz = np.asarray(given if found is None else found)
    if rate_hz.size != 1 or rate_hz.dtype.kind not in "iuf":
        raise InputError(f"rate_hz has shape {rate_hz.shape}", remedy="give rate_hz as one number")
    return float(rate_hz.reshape(()))
