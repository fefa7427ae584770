"""Time the hot work beside its peers, keep it as results/speed.json, and make docs/speed.md from it.

python benchmarks/speed.py            # a quiet machine and twenty minutes
python benchmarks/speed.py --page     # only the page, from the JSON that is kept
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import beyondrate as br
from beyondrate.bench.run import AGAINST, NAMES
from beyondrate.bench.work import DENSE, OURS

HERE = Path(__file__).parent
RESULT = HERE / "results" / "speed.json"
PAGE = HERE.parent / "docs" / "speed.md"
HOW = [
    "## How far it could go",
    "",
    "A spike adds the weights of its targets, and zeros cost nothing. All layers of a feed-forward network "
    "run in one operation, a tile of samples after the other, so that what lies between the layers never "
    "leaves the processor's cache. What the way back needs of a large batch but its spikes is not kept: it "
    "goes forward through each tile once more. So memory no longer limits a step, and what is left is "
    "arithmetic:",
]
COCHLEAS = HERE / "results" / "encoder.json"  # where the published encoder was timed too


def page(result: dict[str, Any]) -> str:
    record = result["record"]
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    lines = [
        "# How fast",
        "",
        f"Measured on {record['processor']}, {record['threads']} threads; {record['rounds']} rounds, all "
        "ways in turns in one process, short ones right after a tenth of a second of their own; medians and "
        "quartiles of seconds by the clock.",
        f"{versions}. Made by `python benchmarks/speed.py`; on your machine: `beyondrate bench --against …`.",
        "",
        "The network is 700-128-128-20 LIF units with a batch of 128. Its weights are scaled so that hidden "
        "units spike. Each peer's network has one product a layer for all time steps and walks through time "
        "in its own neuron, the fastest way that each offers. *Dense products* are the products alone, "
        "forward and backward, without any neuron. How times change with duration, batch, width, density and "
        "threads: [speed-scaling.md](speed-scaling.md). The machine is a virtual one: from run to run times "
        "differ by a third and more, ratios by less, so compare within one run.",
        "",
        "| work | way | median | quartiles | × the first | memory |",
        "|---|---|---|---|---|---|",
    ]
    before = None
    for row in result["rows"]:
        low, high = row["quartiles_s"]
        memory = f"{row['memory_bytes'] / 1e6:,.0f} MB" if "memory_bytes" in row else ""
        what = row["what"] if row["work"] != before else ""
        lines.append(
            f"| {what} | {row['way']} | {1e3 * row['median_s']:.1f} ms "
            f"| {1e3 * low:.1f} to {1e3 * high:.1f} | {row['times_the_first']:.2f} | {memory} |"
        )
        before = row["work"]
    lines += ["", *facts(result["rows"]), "", *HOW, "", *floors(result["rows"]), ""]
    return "\n".join(lines)


def facts(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        if row["way"] == "beyondrate" and "density" in row["facts"]:
            lines.append(
                f"- {row['what']}: {100 * row['facts']['density']:.1f} % of the input bins and "
                f"{100 * row['facts']['hidden_density']:.1f} % of the hidden ones hold a spike."
            )
        if row["work"] == "encoder":
            a_second = row["median_cpu_s"] / row["facts"]["seconds_of_sound"]
            published = json.loads(COCHLEAS.read_text(encoding="utf-8"))["reference"]
            there_s = published["so_at_700_channels"]
            lines.append(
                f"- The cochlea takes {a_second:.2f} s of processor time for a second of sound, the "
                f"published encoder, lauscher {published['lauscher']}, {there_s:,} s (timed at 10 channels): "
                f"{there_s / a_second:,.0f} times as long."
            )
    return lines


def floors(rows: list[dict[str, Any]]) -> list[str]:
    """Say for each training step how far it is from what the processor's rate would allow."""
    seconds = {(row["work"], row["way"]): row["median_s"] for row in rows}
    lines = []
    for row in rows:
        if row["way"] == OURS and "density" in row["facts"]:
            least, dense = operations(row["facts"])
            floor_s = seconds[row["work"], DENSE] * least / dense
            lines.append(
                f"- {row['what']}: {least / 1e6:,.0f} of {dense / 1e6:,.0f} million multiply-adds are left "
                f"to do, {1e3 * floor_s:.1f} ms at the rate at which the dense products ran; the step takes "
                f"{row['median_s'] / floor_s:.1f} times that."
            )
    return lines


def operations(facts: dict[str, Any]) -> tuple[float, float]:
    """Return the multiply-adds that spikes leave to do in a step, and those of the dense products.

    Forward and for the weights' gradients a spike costs one for each target. The gradients of hidden spikes
    have no zeros, so that their products are dense. A unit costs 8 a step: 2 forward, 6 back.
    """
    hidden = [int(n) for n in facts["hidden"].split("-")]
    sizes = [facts["units"], *hidden, facts["classes"]]
    densities = [facts["density"], *[facts["hidden_density"]] * len(hidden)]
    least, dense = 8.0 * sum(sizes[1:]), 0.0
    for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
        back = n_in * n_out if layer > 0 else 0
        least += 2 * densities[layer] * n_in * n_out + back
        dense += 2 * n_in * n_out + back
    n_rows = facts["batch"] * facts["steps"]
    return n_rows * least, n_rows * dense


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--page", action="store_true", help="only make the page again")
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    if not options.page:
        br.bench(NAMES, against=AGAINST, threads=options.threads, out=RESULT)
    PAGE.write_text(page(json.loads(RESULT.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
