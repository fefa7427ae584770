"""Make every figure of a paper again, keep what was measured as JSON, and make the paper's page in docs/.

python benchmarks/papers.py yu2025                       # five seeds or more; hours on two processors
python benchmarks/papers.py yu2025 --preset quick        # a look, not a result
python benchmarks/papers.py yu2025 --only fig1c fig2c    # some of the figures
python benchmarks/papers.py yu2025 --page                # only the page, from the JSON that is kept
python benchmarks/papers.py koopman2026 --only shd --data fsdd.h5 --protocol one-group-out    # on other data
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import beyondrate as br
from beyondrate.reproduce.run import FIGURES

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
PICTURES = DOCS / "figures"
ON = "-on-"  # between a figure's name and the file of other data
HOLDS = {"holds": "holds", "does not hold": "**does not hold**", "not decided": "not decided"}


class Paper(NamedTuple):
    """A paper's page in docs/, and how it begins."""

    page: str
    title: str
    source: str


PAPERS = {
    "yu2025": Paper(
        "beyond-rate-coding.md",
        '"Beyond Rate Coding", made again',
        "Yu, Sun and Goodman ([arXiv 2507.16043](https://arxiv.org/abs/2507.16043)).",
    ),
    "koopman2026": Paper(
        "spikinggamma.md",
        '"SpikingGamma", made again',
        "Koopman, Otte and Bohté ([arXiv 2602.01978](https://arxiv.org/abs/2602.01978)).",
    ),
}


def measure(paper: str, figure: str, preset: str, data: Path | None, protocol: str) -> None:
    """Make one figure, keep its picture and everything measured but the spikes that it shows."""
    runs = HERE.parent / "runs" / paper
    name = figure if data is None else f"{figure}{ON}{data.stem}"
    made = br.reproduce(f"{paper}/{figure}", preset=preset, data=data, protocol=protocol, out=runs).as_json()
    br.write_reproduction(made, runs / name)
    PICTURES.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(runs / name / "figure.png", PICTURES / f"{paper}-{name}.png")
    made["panels"] = [panel for panel in made["panels"] if panel["kind"] in ("lines", "bars")]
    results = HERE / "results" / paper
    results.mkdir(parents=True, exist_ok=True)
    text = json.dumps(made, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    (results / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def page(paper: str) -> str:
    """Return the paper's page as Markdown."""
    about = PAPERS[paper]
    lines = [
        f"# {about.title}",
        "",
        f"{about.source} Each figure is made by one command,",
        f"`beyondrate reproduce {paper}/NAME`. What the paper leaves open, and every control that it lacks,",
        f"is ours and is called so. Made by `python benchmarks/papers.py {paper}`; every measurement is in",
        f"`benchmarks/results/{paper}/`.",
    ]
    for name in _kept(paper):
        path = HERE / "results" / paper / f"{name}.json"
        lines += _section(paper, name, json.loads(path.read_text(encoding="utf-8")))
    return "\n".join(lines) + "\n"


def _names(paper: str) -> list[str]:
    return [figure.partition("/")[2] for figure in FIGURES if figure.startswith(f"{paper}/")]


def _kept(paper: str) -> list[str]:
    """Return the names of what is kept: each figure on its own data, then on others."""
    kept = {path.stem for path in (HERE / "results" / paper).glob("*.json")}
    by_figure = ([name, *sorted(k for k in kept if k.startswith(name + ON))] for name in _names(paper))
    return [name for names in by_figure for name in names if name in kept]


def _section(paper: str, name: str, made: dict) -> list[str]:
    record = made["record"]
    lines = ["", f"## {made['title']}", "", f"![{made['title']}](figures/{paper}-{name}.png)", ""]
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
    parser.add_argument("paper", choices=PAPERS)
    parser.add_argument("--page", action="store_true", help="only make the page from the kept JSON")
    parser.add_argument("--preset", default="paper", choices=("quick", "paper"))
    parser.add_argument("--only", nargs="*", help="names of figures, such as fig5")
    parser.add_argument("--data", type=Path, help="a file of other data")
    parser.add_argument(
        "--protocol", default="held-out", choices=("held-out", "as-published", "one-group-out")
    )
    options = parser.parse_args()
    if not options.page:
        for figure in options.only or _names(options.paper):
            measure(options.paper, figure, options.preset, options.data, options.protocol)
    (DOCS / PAPERS[options.paper].page).write_text(page(options.paper), encoding="utf-8")
