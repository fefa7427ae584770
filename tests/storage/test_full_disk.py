"""Formats of others on a full disk: an error, what was there stays, and nothing else is left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_FULL_DISK = """
import os, resource, sys
from pathlib import Path
import numpy as np
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.storage import save

n = 200_000
name, format, n_units = sys.argv[1], sys.argv[2], int(sys.argv[3])
trains = SpikeTrains(np.arange(n), np.zeros(n), [0, n], [0], n_units, n)
if format != "n-mnist":  # whose folder must be new
    save(SpikeTrains([5], [0], [0, 1], [0], n_units, n), name, format=format)
held = {path: path.read_bytes() for path in Path().iterdir()}
for limit in (20_000, 300_000, 900_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        save(trains, name, format=format)
        sys.exit(f"was written beyond the limit of {limit}")
    except InputError as error:
        assert "cannot be written (file too large); choose" in str(error), error
    assert {path: path.read_bytes() for path in Path().iterdir()} == held, os.listdir()
"""


@pytest.mark.parametrize(
    ("name", "format", "n_units"),
    [
        ("a.nwb", "nwb", 3),
        ("a.aedat", "aedat", 32_768),
        ("a.aedat", "aedat2", 32_768),
        ("a", "n-mnist", 2312),
    ],
)
def test_a_full_disk(tmp_path: Path, name: str, format: str, n_units: int) -> None:
    """HDF5 left to itself loses the data silently here, or crashes; so look at the exit status too."""
    if format == "nwb":
        pytest.importorskip("pynwb")
    command = [sys.executable, "-c", _FULL_DISK, name, format, str(n_units)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
