"""Make every figure of "Beyond Rate Coding" again, keep what was measured as JSON, and make its page in docs/.

python benchmarks/beyond_rate_coding.py                         # five seeds or more; hours on two processors
python benchmarks/beyond_rate_coding.py --preset quick          # a look, not a result
python benchmarks/beyond_rate_coding.py --only fig1c fig2c      # some of the figures
python benchmarks/beyond_rate_coding.py --page                  # only the page, from the JSON that is kept
"""

import argparse
import json
import shutil
from pathlib import Path

import beyondrate as br
from beyondrate.reproduce.run import FIGURES

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "yu2025"
DOCS = HERE.parent / "docs"
PAGE = DOCS / "beyond-rate-coding.md"
PICTURES = DOCS / "figures"
RUNS = HERE.parent / "runs" / "yu2025"
HOLDS = {"holds": "holds", "does not hold": "**does not hold**", "not decided": "not decided"}


def measure(name: str, preset: str) -> None:
    """Make one figure, keep its picture and everything measured but the spikes that it shows."""
    made = br.reproduce(f"yu2025/{name}", preset=preset, out=RUNS).as_json()
    br.write_reproduction(made, RUNS / name)
    PICTURES.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(RUNS / name / "figure.png", PICTURES / f"yu2025-{name}.png")
    made["panels"] = [panel for panel in made["panels"] if panel["kind"] in ("lines", "bars")]
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(made, ensure_ascii=False, allow_nan=False, indent=None, separators=(",", ":"))
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def page() -> str:
    """Return the page as Markdown."""
    lines = [
        '# "Beyond Rate Coding", made again',
        "",
        "Yu, Sun and Goodman ([arXiv 2507.16043](https://arxiv.org/abs/2507.16043)). Each figure is made by one",
        "command, `beyondrate reproduce yu2025/NAME`; what the paper leaves open, and every control that it lacks,",
        "is ours and is called so. Made by `python benchmarks/beyond_rate_coding.py`; every measurement is in",
        "`benchmarks/results/yu2025/`.",
    ]
    for name in (figure.partition("/")[2] for figure in FIGURES if figure.startswith("yu2025/")):
        path = RESULTS / f"{name}.json"
        if path.exists():
            lines += _section(name, json.loads(path.read_text(encoding="utf-8")))
    return "\n".join(lines) + "\n"


def _section(name: str, made: dict) -> list[str]:
    record = made["record"]
    lines = ["", f"## {made['title']}", "", f"![{made['title']}](figures/yu2025-{name}.png)", ""]
    if made["claims"]:
        lines += ["| claim | here | measured | source |", "|---|---|---|---|"]
        lines += [
            f"| {c['sentence']} | {HOLDS[c['holds']]} | {c['measured']} | {c['source']} |"
            for c in made["claims"]
        ]
        lines.append("")
    if made["comparisons"]:
        lines += ["| quantity | published | ours | difference, in our standard errors |", "|---|---|---|---|"]
        lines += [_comparison(row) for row in made["comparisons"]]
        lines.append("")
    lines += [f"- {note}" for note in made["notes"]]
    versions = ", ".join(f"{key} {value}" for key, value in record["versions"].items())
    lines.append(f"- `--preset {record['preset']}`, {record['created'][:10]}, with {versions}.")
    return lines


def _comparison(row: dict) -> str:
    ours, errors = row["ours"], row["difference_in_errors"]
    measured = "–" if ours is None else f"{ours['estimate']:.4g} ({ours['low']:.4g} to {ours['high']:.4g})"
    difference = f"{errors:+.1f}" if errors is not None else "–" if row["same_data"] else "other data"
    return f"| {row['published']['quantity']} | {row['published']['value']:.4g} | {measured} | {difference} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", action="store_true", help="only make the page from the kept JSON")
    parser.add_argument("--preset", default="paper", choices=("quick", "paper"))
    parser.add_argument("--only", nargs="*", help="names of figures, such as fig5")
    options = parser.parse_args()
    if not options.page:
        for figure in options.only or [f.partition("/")[2] for f in FIGURES]:
            measure(figure, options.preset)
    PAGE.write_text(page(), encoding="utf-8")
