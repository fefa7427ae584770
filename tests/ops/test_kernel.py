"""The cache of kernels: it serves later processes, and never what was compiled from older sources."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import beyondrate

PROGRAM = """
import numpy as np
from beyondrate.ops.sparse_linear.cpu import add_rows
total = np.zeros(3)
add_rows(np.ones((2, 3)), total, 0, 2)
assert total.tolist() == [2, 2, 2]
print(sum(add_rows.stats.cache_hits.values()), sum(add_rows.stats.cache_misses.values()))
"""


OWN = """
from beyondrate.ops.kernel import kernel

@kernel
def more(x):
    return x + {}

print(more(1), sum(more.stats.cache_hits.values()))
"""


def test_a_kernel_of_the_users_own_is_compiled_anew_when_it_has_changed(tmp_path):
    def printed(number):
        program = tmp_path / "own.py"
        if not program.exists() or f"x + {number}\n" not in program.read_text():
            program.write_text(OWN.format(number))
        run = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
        return run.stdout.split()

    assert printed(1) == ["2", "0"]
    assert printed(1) == ["2", "1"]
    assert printed(20) == ["21", "0"]


def test_a_kernel_is_compiled_anew_when_what_it_calls_has_changed(tmp_path):
    shutil.copytree(Path(beyondrate.__file__).parent, tmp_path / "beyondrate")
    places = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def hits_and_misses():
        command = [sys.executable, "-c", PROGRAM]
        run = subprocess.run(
            command, env={**os.environ, **places}, capture_output=True, text=True, check=True
        )
        return run.stdout.split()

    assert hits_and_misses() == ["0", "1"]
    assert hits_and_misses() == ["1", "0"]
    with (tmp_path / "beyondrate" / "ops" / "lanes.py").open("a") as lanes:
        lanes.write("# changed\n")
    assert hits_and_misses() == ["0", "1"]
