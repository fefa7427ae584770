"""Profile an audit: how much of its processor time is spent inside the kernels, and what takes the rest.

python benchmarks/audit_profile.py    # spoken-digits-mini, preset quick, in this process: about four minutes

The audit runs twice on one thread: plain, for its processor time, and under cProfile, for where that goes.
What the profiler adds, the difference, is taken out again: the same for each call, half of it from the
function that calls and half from the one that is called.

Inside are the numba kernels and the functions of torch and numpy that ops/ calls. The own time of ops/ is
given apart, because a profiler cannot tell its Python from its operators, such as @, which are products. All
else is outside: autograd, the linear algebra of the probes, files, statistics.
"""

import argparse
import cProfile
import platform
import pstats
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch

import beyondrate as br
from beyondrate.audit.run import versions
from beyondrate.jobs import write_json
from beyondrate.ops.memory import reuse_freed_memory

RESULT = Path(__file__).parent / "results" / "audit-profile.json"
DATA = "spoken-digits-mini"
KERNELS, CALLED, OWN = "ops: numba kernels", "ops: functions of torch and numpy", "ops: Python and operators"
TOP = 40

Function = tuple[str, int, str]  # file, line, name: as pstats has it; built-ins are in the file "~"


class Spent(NamedTuple):
    """Own time of a function, of a built-in apart for each function that calls it."""

    room: str
    name: str
    calls: int
    seconds: float


def room_of(file: str) -> str:
    """Return which part of the package, or which other package, a file belongs to."""
    parts = Path(file).parts
    after = parts[::-1].index("site-packages") if "site-packages" in parts else len(parts)
    if "beyondrate" in parts[len(parts) - after :]:  # a clone's folder has the name too, around its packages
        inner = parts[len(parts) - parts[::-1].index("beyondrate") :]
        if inner[0] == "ops":
            return KERNELS if inner[-1] == "cpu.py" or "kernels" in inner else OWN
        return inner[0]
    if "site-packages" not in parts:
        return "python"
    inner = parts[parts.index("site-packages") + 1 :]
    return f"torch: {inner[1].removesuffix('.py').strip('_')}" if inner[0] == "torch" else inner[0]


def spent(stats: pstats.Stats, plain_s: float) -> list[Spent]:
    """Return where the time of the plain run went, the most first."""
    functions: dict[Function, tuple[Any, ...]] = stats.stats  # type: ignore[attr-defined]
    n_calls = sum(calls for _, calls, *_ in functions.values())
    half = (sum(seconds for _, _, seconds, *_ in functions.values()) - plain_s) / n_calls / 2
    calling: Counter[Function] = Counter()
    for *_, callers in functions.values():
        calling.update({caller: calls for caller, (calls, *_) in callers.items()})
    found = []
    for function, (_, calls, seconds, _, callers) in functions.items():
        if function[0] != "~":
            left = seconds - half * (calls + calling[function])
            found.append(Spent(room_of(function[0]), _named(function), calls, left))
            continue
        for caller, (its_calls, _, its_seconds, _) in callers.items():
            name, room = f"{function[2]} from {_named(caller)}", room_of(caller[0])
            left = its_seconds - half * its_calls
            found.append(Spent(CALLED if room == OWN else room, name, its_calls, left))
    return sorted(found, key=lambda one: -one.seconds)


def _named(function: Function) -> str:
    file, _, name = function
    return name if file == "~" else f"{'/'.join(Path(file).parts[-4:])}:{name}"


def summary(found: list[Spent], profiled_s: float) -> dict[str, Any]:
    """Return the share of the kernels, of each room and of the functions that take most."""
    plain_s = sum(one.seconds for one in found)
    rooms: dict[str, float] = defaultdict(float)
    for one in found:
        rooms[one.room] += one.seconds
    share = {room: rooms[room] / plain_s for room in (KERNELS, CALLED, OWN)}
    return {
        "cpu_s": {"plain": plain_s, "profiled": profiled_s},
        "share_inside": {
            "kernels": share[KERNELS],
            "kernels and called": share[KERNELS] + share[CALLED],
            "all of ops": sum(share.values()),
        },
        "rooms": {
            room: {"cpu_s": seconds, "share": seconds / plain_s}
            for room, seconds in sorted(rooms.items(), key=lambda item: -item[1])
        },
        "functions": [{**one._asdict(), "share": one.seconds / plain_s} for one in found[:TOP]],
    }


def profile(work: Callable[[], object]) -> dict[str, Any]:
    """Run some work once for its processor time and once under the profiler."""
    started = time.process_time()
    work()
    plain_s = time.process_time() - started
    profiler = cProfile.Profile(time.process_time_ns, 1e-9)
    profiler.runcall(work)
    stats = pstats.Stats(profiler)
    return summary(spent(stats, plain_s), stats.total_tt)  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, help="a shorter try; nothing is kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    reuse_freed_memory()  # as the audit's workers do
    trains = br.datasets.load(DATA)
    br.audit(trains, preset="quick", epochs=1, seeds=1, workers=0)  # imports, and kernels from their cache
    found = profile(lambda: br.audit(trains, preset="quick", epochs=options.epochs, workers=0))
    for room, value in found["rooms"].items():
        print(f"{100 * value['share']:5.1f} %  {value['cpu_s']:7.2f} s  {room}")
    for one in found["functions"]:
        print(f"{100 * one['share']:5.1f} %  {one['seconds']:7.2f} s  {one['calls']:8d}  {one['name']}")
    print(found["share_inside"], found["cpu_s"])
    if options.epochs is None:
        record = {
            "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "data": DATA,
            "preset": "quick",
            "machine": platform.machine(),
            "versions": versions(),
        }
        write_json(RESULT, {**found, "record": record})


if __name__ == "__main__":
    main()
