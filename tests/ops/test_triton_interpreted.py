"""The tests marked ``triton`` in Triton's interpreter, which runs the kernels on any machine.

In processes of their own, because Triton must be told before it is imported.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from beyondrate.ops.backend import triton_devices

FOLDER = Path(__file__).parent
MARKED = sorted(
    path.name for path in FOLDER.glob("test_triton_*.py") if "mark.triton\n" in path.read_text("utf-8")
)


@pytest.mark.skipif(not triton_devices(), reason="Triton is not installed")
@pytest.mark.parametrize("name", MARKED)
def test_in_the_interpreter(name):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(FOLDER / name)]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[-1]) >= 4
    assert "skipped" not in done.stdout


def test_every_room_with_triton_kernels_is_tested():
    rooms = {path.parent.name for path in (FOLDER.parents[1] / "src/beyondrate/ops").glob("*/cuda.py")}
    assert {f"test_triton_{room}.py" for room in rooms} == set(MARKED)
