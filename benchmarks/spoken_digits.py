"""Audit spoken-digits with five seeds, keep the figures as JSON and make the end of docs/spoken-digits.md.

The report itself is runs/spoken-digits/report.html.

python benchmarks/spoken_digits.py            # some ten minutes on two processors
python benchmarks/spoken_digits.py --table    # only the table, from the JSON that is kept
"""

import argparse
import json
from pathlib import Path

import beyondrate as br

HERE = Path(__file__).parent
RESULT = HERE / "results" / "spoken-digits.json"
REPORT = HERE.parent / "runs" / "spoken-digits" / "report.html"
PAGE = HERE.parent / "docs" / "spoken-digits.md"
SECTION = "## What the audit finds\n"
KEPT = (
    "title",
    "command",
    "created",
    "seconds",
    "versions",
    "hashes",
    "protocol",
    "data",
    "kinds",
    "verdict",
)


def measure(seeds: int) -> None:
    """Run the audit and keep what its tables need."""
    result = br.audit("spoken-digits", preset="quick", seeds=seeds)
    report = dict(result.report)
    clean = [line for line in result.summary if line["perturbation"] == "none"]
    kept = {**{key: report[key] for key in KEPT}, "accuracies": clean}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    br.write_report(report, REPORT)


def section() -> str:
    """Return the figures as the last section of the page."""
    kept = json.loads(RESULT.read_text(encoding="utf-8"))
    versions = ", ".join(f"{name} {version}" for name, version in kept["versions"].items())
    n_seeds = len(kept["protocol"]["seeds"])
    lines = [
        SECTION,
        f"{kept['verdict']['headline']}",
        "",
        f"Balanced test accuracy in percent, mean of {n_seeds} seeds (95 % interval over seeds and test",
        "samples; a linear probe is fitted once, as its result depends on no seed).",
        f"Made by `python benchmarks/spoken_digits.py` in {kept['seconds'] / 60:.0f} minutes",
        f"with {versions}.",
        "",
        "| model | whole | part | norm |",
        "|---|---|---|---|",
    ]
    cells = {
        (line["model"], line["control"], line["variant"]): "{accuracy:.1f} ({low:.0f}–{high:.0f})".format(
            **{name: 100 * line[name] for name in ("accuracy", "low", "high")}
        )
        for line in kept["accuracies"]
    }
    for model, control in dict.fromkeys((model, control) for model, control, _ in cells):
        name = model if control == "none" else f"{model}, {control}"
        row = [cells.get((model, control, variant), "–") for variant in ("whole", "part", "norm")]
        lines.append(f"| {name} | {' | '.join(row)} |")
    lines += ["", "The verdict in full:", ""]
    lines += [
        f"- {finding['title']} ({'claimed' if finding['claimed'] else 'not shown'}): {finding['sentence']}"
        for finding in kept["verdict"]["findings"]
    ]
    lines += ["", "Its warnings:", "", *(f"- {warning}" for warning in kept["verdict"]["warnings"])]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="only make the page from the kept JSON")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if not options.table:
        measure(options.seeds)
    card = PAGE.read_text(encoding="utf-8").partition(SECTION)[0]
    PAGE.write_text(card + section(), encoding="utf-8")
