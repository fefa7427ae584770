"""The pages of the papers' figures: each figure's command makes it again, and nothing is said twice."""

import json
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


@pytest.fixture(scope="module")
def papers(script):
    return script("papers")


def test_a_figure_s_command_names_its_data_and_how_they_are_divided(papers):
    said = papers.command("koopman2026", "shd", "paper", Path("some/fsdd.h5"), "one-group-out")
    assert said == (
        "beyondrate reproduce koopman2026/shd --data fsdd.h5 --protocol one-group-out --preset paper"
    )
    assert papers.command("yu2025", "fig1c", "quick", None, "held-out") == (
        "beyondrate reproduce yu2025/fig1c --preset quick"
    )


@pytest.mark.parametrize("paper", ["yu2025", "koopman2026"])
def test_every_section_ends_with_the_command_that_makes_its_figure(papers, paper):
    sections = papers.page(paper).partition("\n## The tries\n")[0].split("\n## ")[1:]
    names = papers._kept(paper)
    assert len(sections) == len(names) > 5
    for section, name in zip(sections, names, strict=True):
        figure, _, data = name.partition(papers.ON)
        last = section.strip().splitlines()[-1]
        assert last.startswith(f"- `beyondrate reproduce {paper}/{figure} ")
        assert f"--data {data or papers.OURS}" in last or not _is_about_data(papers, paper, figure)


def _is_about_data(papers, paper: str, figure: str) -> bool:
    return papers.FIGURES[f"{paper}/{figure}"].experiment.takes_data


def test_every_try_stands_once_on_the_page(papers):
    page = papers.page("koopman2026")
    notes = [
        note
        for path in (RESULTS / "koopman2026").glob("*.json")
        for note in json.loads(path.read_text()).get("notes", [])
        if note.startswith("Tries of ")
    ]
    heads = {note.partition(". ")[0] for note in notes}
    assert len(notes) > len(heads) > 5
    for head in heads:
        (line,) = (line for line in page.splitlines() if line.startswith(f"- {head}. "))
        tries = {one for n in notes if n.startswith(head) for one in n[len(head) + 2 : -1].split("; ")}
        assert all(line.count(one) == 1 for one in tries)
