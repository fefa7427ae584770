"""Time a training step beside the peers' as its size grows: results/scaling.json, its figure and its page.

python benchmarks/scaling.py                 # a quiet machine and about six minutes
python benchmarks/scaling.py --page          # only the figure and the page, from the JSON that is kept
python benchmarks/scaling.py --sweep batch --rounds 1 --into /tmp/try    # a try, kept elsewhere

One quantity is swept at a time. A peer that would take more than MOST_S a step or MOST_BYTES is left out,
and the JSON says so: seconds are foretold from the smaller step before it, in proportion to the products.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from beyondrate.bench.machine import record, threads_set
from beyondrate.bench.networks import PEERS, Size
from beyondrate.bench.timing import in_turns
from beyondrate.bench.work import DENSE, OURS, step
from beyondrate.jobs import default_workers, write_json
from beyondrate.report.palette import LIGHT
from beyondrate.report.paper_figure import COLOURS, MARKERS, STYLE
from beyondrate.storage import atomic_path

ROOT = Path(__file__).parent.parent
RESULT, PAGE, FIGURE = "benchmarks/results/scaling.json", "docs/speed-scaling.md", "docs/figures/scaling.png"
ROUNDS, POINT_S = 11, 10.0  # a point: rounds, and seconds after which no other of them begins
MOST_S, MOST_BYTES = 20.0, 6e9  # a step of a peer
KEPT_A_UNIT = 14  # floats that the peers keep of a unit and time step for the backward pass, from speed.json
LONG = "long"  # the sweep over time steps beyond what peers can do


class Sweep(NamedTuple):
    """A quantity whose every value makes a size, or a number of threads."""

    title: str
    x_label: str
    values: Sequence[float]
    size: Callable[[Any], Size]
    ways: Sequence[str] = (OURS, *PEERS, DENSE)


PROCESSORS = default_workers()
SWEEPS = {
    "steps": Sweep(
        "Duration (batch 32)",
        "time steps",
        (100, 300, 1000, 3000, 10_000),
        lambda n: Size(batch=32, n_steps=n),
    ),
    LONG: Sweep(
        "Long duration (batch 4)",
        "time steps",
        (10_000, 30_000, 100_000),
        lambda n: Size(batch=4, n_steps=n),
        ways=(OURS,),
    ),
    "batch": Sweep("Batch", "samples", (1, 8, 32, 128, 512), lambda n: Size(batch=n)),
    "width": Sweep(
        "Width of both hidden layers", "units", (32, 64, 128, 256, 512, 1024), lambda n: Size(hidden=(n, n))
    ),
    "density": Sweep(
        "Density of the input",
        "% of its bins with a spike",
        (0.1, 0.5, 2, 5, 10, 20),
        lambda percent: Size(density=percent / 100),
    ),
    "threads": Sweep("Threads", "threads", sorted({1, 2, PROCESSORS}), lambda _: Size()),
}


def measure(
    sweeps: dict[str, Sweep],
    *,
    against: Sequence[str],
    rounds: int = ROUNDS,
    threads: int = PROCESSORS,
    point_s: float = POINT_S,
    most_s: float = MOST_S,
) -> dict[str, Any]:
    """Return one row for each sweep, value and way, and what was left out and why."""
    rows: list[dict[str, Any]] = []
    left_out: list[dict[str, Any]] = []
    for name, sweep in sweeps.items():
        before: dict[str, tuple[Size, float]] = {}  # the smaller step of each way, and its seconds
        for value in sweep.values:
            size = sweep.size(value)
            why = {way: too_much(way, size, before.get(way), most_s) for way in sweep.ways}
            left_out += [{"sweep": name, "value": value, "way": w, "why": why[w]} for w in why if why[w]]
            work = step(size, [way for way in against if not why.get(way)])
            runs = {way: make() for way, make in work.ways.items() if not why.get(way, "not of this sweep")}
            with threads_set(int(value) if name == "threads" else threads):
                timings = in_turns(runs, rounds, at_most_s=point_s)
            for way, timing in timings.items():
                before[way] = size, timing.median_s
                rows.append(
                    {
                        "sweep": name,
                        "value": value,
                        "way": way,
                        "median_s": timing.median_s,
                        "quartiles_s": list(timing.quartiles_s),
                        "median_cpu_s": timing.median_cpu_s,
                        "rounds": len(timing.wall_s),
                        "facts": dict(work.facts),
                    }
                )
            medians = [f"{way} {1e3 * timing.median_s:.1f} ms" for way, timing in timings.items()]
            print(name, value, *medians, flush=True)
    return {"rows": rows, "left_out": left_out, "record": {**record(), "threads": threads}}


def too_much(way: str, size: Size, before: tuple[Size, float] | None, most_s: float) -> str:
    """Return why a way of others is not tried at a size; nothing if it is."""
    if way == OURS:
        return ""
    kept = size.n_units + KEPT_A_UNIT * sum([*size.hidden, size.n_classes])
    n_bytes = 4 * size.batch * size.n_steps * kept
    if n_bytes > MOST_BYTES:
        return f"would need about {n_bytes / 1e9:.0f} GB"
    if before is not None:
        smaller, seconds = before
        expected_s = seconds * n_products(size) / n_products(smaller)
        if expected_s > most_s:
            return f"would take up to {expected_s:.0f} s a step"
    return ""


def n_products(size: Size) -> int:
    """Return the products of a weight and a number that a dense step makes, forward."""
    layers = pairwise([size.n_units, *size.hidden, size.n_classes])
    return size.batch * size.n_steps * sum(n_in * n_out for n_in, n_out in layers)


def panels(result: dict[str, Any]) -> Iterator[tuple[str, Sweep, dict[str, list[dict[str, Any]]]]]:
    """Yield each panel's sweep and its rows by the name of their line; the long steps join the others."""
    lines: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in result["rows"]:
        panel, line = row["sweep"], row["way"]
        if panel == LONG:
            panel, line = "steps", f"{line}, batch {row['facts']['batch']}"
        lines.setdefault(panel, {}).setdefault(line, []).append(row)
    for panel, by_name in lines.items():
        yield panel, SWEEPS[panel], by_name


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw a panel for each sweep, with medians and quartiles, and one legend."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = list(panels(result))
    names = dict.fromkeys(line for *_, lines in found for line in lines)
    looks = {name: {"color": COLOURS[i], "marker": MARKERS[i]} for i, name in enumerate(names)}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12.0, 7.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(2, 3).ravel()
        for axis, (_, sweep, lines) in zip(axes, found, strict=False):
            _panel(axis, sweep, lines, looks)
        for axis in axes[len(found) :]:
            axis.set_axis_off()
        for name, look in looks.items():
            axes[-1].plot([], label=name, **look)
        axes[-1].legend(loc="center", fontsize=10)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as unfinished:
            figure.savefig(unfinished, format="png", dpi=160)


def _panel(axis: Any, sweep: Sweep, lines: dict[str, list[dict[str, Any]]], looks: dict[str, Any]) -> None:  # noqa: ANN401
    from matplotlib.ticker import LogLocator

    for name, rows in lines.items():
        x = [row["value"] for row in rows]
        low, high = 1e3 * np.array([row["quartiles_s"] for row in rows]).T
        axis.fill_between(x, low, high, color=looks[name]["color"], alpha=0.16, linewidth=0)
        axis.plot(x, [1e3 * row["median_s"] for row in rows], ms=4.5, lw=1.5, **looks[name])
    axis.set_title(sweep.title)
    axis.set_xlabel(sweep.x_label)
    axis.set_ylabel("ms a training step")
    axis.set_xscale("log")
    axis.set_yscale("log")
    values = sorted({row["value"] for rows in lines.values() for row in rows})
    axis.set_xticks(values, [f"{x / 1000:g}k" if x >= 10_000 else f"{x:g}" for x in values])
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(lambda ms, _: f"{ms:g}")
    axis.minorticks_off()
    axis.grid(axis="y", color=LIGHT["grid"])


def page(result: dict[str, Any]) -> str:
    """Return the page: the figure, and a table for each of its panels."""
    kept = result["record"]
    versions = ", ".join(f"{name} {number}" for name, number in kept["versions"].items())
    base = Size()
    lines = [
        "# How speed changes with size",
        "",
        "![A training step against duration, batch, width, density and threads](figures/scaling.png)",
        "",
        f"A training step (forward, backward, Adam) of {base.n_units}-{base.hidden[0]}-{base.hidden[1]}-"
        f"{base.n_classes} LIF units, a batch of {base.batch}, {base.n_steps} time steps and a spike in "
        f"{100 * base.density:g} % of the input's bins, where nothing else is said; one quantity changes at "
        "a time. Medians in milliseconds by the clock, and quartiles as bands in the figure; all "
        "ways in turns in one process. Networks and ways are those of [speed.md](speed.md).",
        "",
        f"Measured on {kept['processor']}, {kept['threads']} threads, a virtual machine: compare within one "
        f"sweep, for from run to run times differ by a third and more. {versions}. "
        "Made by `python benchmarks/scaling.py`.",
    ]
    for panel, sweep, by_name in panels(result):
        lines += ["", f"## {sweep.title}", "", *_table(sweep, by_name)]
        for one in result["left_out"]:
            if one["sweep"] == panel:
                lines += ["", f"Left out: {one['way']} at {one['value']:g} {sweep.x_label}, {one['why']}."]
    return "\n".join([*lines, ""])


def _table(sweep: Sweep, by_name: dict[str, list[dict[str, Any]]]) -> list[str]:
    medians = {name: {row["value"]: 1e3 * row["median_s"] for row in rows} for name, rows in by_name.items()}
    peers = [name for name in medians if name in PEERS]
    last = ["fastest peer ÷ ours"] if peers else []
    head = [sweep.x_label, *medians, *last]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for value in sorted({value for found in medians.values() for value in found}):
        cells = [f"{found[value]:.1f}" if value in found else "" for found in medians.values()]
        theirs = [medians[name][value] for name in peers if value in medians[name]]
        ratio = f"{min(theirs) / medians[OURS][value]:.1f}" if theirs else ""
        lines.append(f"| {value:g} | {' | '.join([*cells, *([ratio] if peers else [])])} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--page", action="store_true", help="only draw the figure and make the page again")
    parser.add_argument("--sweep", action="append", choices=SWEEPS, help="only this; may be given again")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--threads", type=int, default=PROCESSORS)
    parser.add_argument("--into", type=Path, default=ROOT, help="folder instead of the project's")
    options = parser.parse_args()
    if not options.page:
        chosen = {name: SWEEPS[name] for name in options.sweep or SWEEPS}
        peers = [name for name in PEERS if find_spec(name)]
        result = measure(chosen, against=peers, rounds=options.rounds, threads=options.threads)
        write_json(options.into / RESULT, result)
    result = json.loads((options.into / RESULT).read_text(encoding="utf-8"))
    draw(result, options.into / FIGURE)
    (options.into / PAGE).write_text(page(result), encoding="utf-8")


if __name__ == "__main__":
    main()
