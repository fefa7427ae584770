"""The page and pictures of a reproduced figure: every panel drawn, every claim and number on the page."""

from __future__ import annotations

import pytest

from beyondrate.audit.metrics import Interval
from beyondrate.errors import InputError
from beyondrate.report import paper_figure, write_reproduction, write_training
from beyondrate.report.paper_figure import draw
from beyondrate.reproduce.figure import Claim, Comparison, Panel, Published, Reproduction, Series

HOSTILE = '<script>alert("1")</script>'


def made() -> dict:
    bars = Series("net", [0, 1], [0.5, 0.25], [0.4, 0.2], [0.6, 0.3], [[0.45, 0.55], [0.2, 0.3]])
    lines = Series("net, retrained", [0, 1], [0.5, 0.4], [0.4, 0.3], [0.6, 0.5])
    return Reproduction(
        figure="paper/fig1",
        title=f"Fig. 1 {HOSTILE}",
        panels=[
            Panel("bars", "bars", y_label="accuracy", groups=("a", "b"), series=[bars]),
            Panel(
                "list", "bars", groups=("a very long name", "b"), series=[bars], references={"chance": 0.1}
            ),
            Panel("lines", "lines", groups=("0", "1"), series=[lines], references={"chance": 0.1}),
            Panel("raster", "raster", series=[Series("s", [1.0, 2.0], [0, 1])], extent=(0, 10, 0, 2)),
            Panel("map", "map", grid=[[0, 1], [1, 1]], extent=(0, 2, 0, 2)),
        ],
        comparisons=[
            Comparison(Published("accuracy", 0.6, "paper", "as printed"), Interval(0.5, 0.4, 0.6), True),
            Comparison(Published("other", 0.1, "paper", "as printed"), None, False),
        ],
        claims=[Claim("delays help", "paper", "not decided", "+1.0 points (-2.0 to +4.0)")],
        notes=["five seeds"],
        record={"command": "beyondrate reproduce", "versions": {"torch": "2"}},
    ).as_json()


def test_pictures_and_page_are_written(tmp_path):
    write_reproduction(made(), tmp_path)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "figure.svg").read_text()
    page = (tmp_path / "report.html").read_text()
    for words in ("delays help", "not decided", "+1.0 points", "-2.0", "five seeds", "torch 2", "other data"):
        assert words in page
    assert HOSTILE not in page and "https://" not in page


def test_pictures_are_the_same_bytes_every_time(tmp_path):
    for name in ("a", "b"):
        write_reproduction(made(), tmp_path / name)
    for file in ("figure.svg", "figure.png"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_every_panel_shows_its_data():
    figure = draw(made()["panels"], "title")
    bars, listed, lines, raster, grid = figure.axes[:5]
    assert [bar.get_ydata()[0] for bar in bars.lines[:1]] == [0.5]
    assert listed.get_yticklabels()[0].get_text() == "a very long name"
    assert lines.lines[0].get_ydata().tolist() == [0.5, 0.4] and lines.lines[0].get_linestyle() == "--"
    assert raster.lines[0].get_xdata().tolist() == [1.0, 2.0] and raster.get_xlim() == (0, 10)
    assert grid.images[0].get_array().tolist() == [[0, 1], [1, 1]]


def test_names_between_backticks_are_code_on_the_page(tmp_path):
    results = {**made(), "notes": ["`sum` < 1"]}
    write_reproduction(results, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<code>sum</code> &lt; 1" in page and "`" not in page.partition("<body>")[2]


def test_a_training_is_drawn_beside_the_chance_of_its_validation_samples(tmp_path, monkeypatch):
    row = {"accuracy": 0.5, "low": 0.4, "high": 0.6, "n_test": 50}
    course = {"train_loss": [3.0, 2.0, 1.0], "validation_loss": [3.0, 2.5, 2.4]}
    results = {
        "kind": "training",
        "title": "lif on data",
        "course": {**course, "validation_accuracy": [0.1, 0.2, 1.0], "best_epoch": 2},
        "settings": {},
        "rows": [
            {**row, "split": "validation", "chance": 0.05},
            {**row, "split": "test", "chance": 0.07},
            {**row, "split": "test", "chance": 0.07, "perturbation": "jitter", "accuracy": 0.2},
        ],
        "protocol": "Validation: some.",
        **dict.fromkeys(("command", "created"), ""),
        "versions": {},
    }
    drawn = []
    monkeypatch.setattr(paper_figure, "draw", lambda *given: drawn.append(draw(*given)) or drawn[-1])
    write_training(results, tmp_path)
    loss, accuracy = drawn[0].axes
    assert loss.get_ylim()[1] > 3.05 and accuracy.get_ylim()[1] > 1.05  # room for the whole marker
    (chance,) = (line for line in accuracy.lines if line.get_linestyle() == ":")
    assert chance.get_ydata()[0] == 0.05
    assert all(float(tick).is_integer() for tick in accuracy.get_xticks())
    page = (tmp_path / "report.html").read_text()
    assert "Test accuracy 50.0 %" in page and "chance 7.0 %" in page
    assert "single values, without intervals" in page and "over seeds" not in page


def test_other_results_are_refused(tmp_path):
    with pytest.raises(InputError, match="no figure"):
        write_reproduction({"kind": "audit"}, tmp_path)
