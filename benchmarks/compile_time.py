"""Time what the first call compiles: with an empty cache, and with the one that is then there.

python benchmarks/compile_time.py                 # two minutes; kept in results/compile-time.json
python benchmarks/compile_time.py --here step     # one work in this process, with the cache as it is
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from beyondrate.bench.machine import record
from beyondrate.bench.work import works
from beyondrate.jobs import write_json

RESULT = Path(__file__).parent / "results" / "compile-time.json"
WORKS = ("step", "delays", "gamma", "jitter", "encoder")


def first_call(name: str) -> dict[str, Any]:
    """Return the processor seconds of some work's first call, and those that each kernel took to compile.

    A kernel that calls another is compiled around it: each is given its own seconds only.
    """
    from numba.core import event

    started = time.process_time()
    kernels: dict[str, float] = {}
    open_since: list[float] = []

    class Stopwatch(event.Listener):
        def on_start(self, what: event.Event) -> None:
            open_since.append(time.process_time())

        def on_end(self, what: event.Event) -> None:
            now = time.process_time()
            seconds = now - open_since.pop()
            for outer in range(len(open_since)):
                open_since[outer] += seconds
            function = what.data["dispatcher"].py_func
            key = f"{function.__module__}.{function.__name__}".removeprefix("beyondrate.ops.")
            kernels[key] = kernels.get(key, 0.0) + seconds

    with event.install_listener("numba:compile", Stopwatch()):
        make = next(iter(works(())[name]().ways.values()))
        make()()
    compiled_s = dict(sorted(kernels.items(), key=lambda item: -item[1]))
    return {
        "cpu_s": time.process_time() - started,
        "compiling_s": sum(kernels.values()),
        "kernels": compiled_s,
    }


def in_a_process(name: str, cache: str) -> dict[str, Any]:
    """Do the same in a process of its own that keeps its kernels in a folder."""
    told = subprocess.run(
        [sys.executable, __file__, "--here", name],
        env={**os.environ, "NUMBA_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--here", choices=WORKS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.here:
        print(json.dumps(first_call(options.here)))
        return
    found = {}
    for name in WORKS:
        with tempfile.TemporaryDirectory() as cache:
            found[name] = {"empty cache": in_a_process(name, cache), "full cache": in_a_process(name, cache)}
        print(name, {cache: round(value["cpu_s"], 1) for cache, value in found[name].items()}, flush=True)
    write_json(RESULT, {"works": found, "record": record()})


if __name__ == "__main__":
    main()
