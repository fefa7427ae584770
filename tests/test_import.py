"""Importing the package: what it must not bring along, and how long it may take."""

import subprocess
import sys

HEAVY = ("numba", "plotly", "matplotlib")
ROOMS = (
    "audit.run",
    "bench.run",
    "cli",
    "datasets",
    "nn",
    "perturb",
    "report",
    "reproduce.run",
    "runs",
    "tasks",
)
MOST_S = 1.5


def seen_after(code: str) -> tuple[set[str], float]:
    """Return which of HEAVY and torch a fresh interpreter has loaded after some code, and its CPU seconds."""
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys, time; {code}\n"
            f"print(time.process_time(), *(name for name in {(*HEAVY, 'torch')} if name in sys.modules))",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return set(told[1:]), float(told[0])


def test_importing_the_package_loads_nothing_heavy_and_takes_under_a_second_and_a_half():
    runs = [seen_after("import beyondrate") for _ in range(2)]  # the first reads the disk
    assert runs[0][0] == set()
    assert min(seconds for _, seconds in runs) < MOST_S


def test_the_rooms_load_torch_but_no_kernels_and_no_drawing():
    seen, _ = seen_after(f"import {', '.join(f'beyondrate.{room}' for room in ROOMS)}")
    assert seen == {"torch"}
