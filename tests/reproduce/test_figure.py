"""A reproduced figure: its claims follow from the measurement, and its files hold all of it."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest

from beyondrate.audit.metrics import Interval
from beyondrate.audit.outcomes import CLEAN, Answers, Arm, Outcomes
from beyondrate.reproduce import claims
from beyondrate.reproduce.figure import Claim, Comparison, Panel, Published, Reproduction, Series

N_TEST, N_CLASSES, SEEDS = 1000, 4, 5
PUBLISHED = Published("accuracy", 0.6, "a paper, Fig. 1", "as printed")


def outcomes(**shares: float) -> Outcomes:
    """Return arms on "norm" that are right in the given shares of the samples, plus guesses."""
    labels = np.arange(N_TEST) % N_CLASSES
    answers = []
    for number, (model, share) in enumerate(shares.items()):
        for seed in range(SEEDS):
            rng = np.random.default_rng([number, seed])
            known = rng.random(N_TEST) < share
            classes = np.where(known, labels, rng.integers(0, N_CLASSES, N_TEST)).astype(np.int32)
            answers.append(Answers(Arm("norm", model), seed, 0.5, {CLEAN: classes}))
    return Outcomes(answers, {"norm": labels})


@pytest.mark.parametrize(
    ("first", "second", "holds"),
    [(0.9, 0.5, "holds"), (0.5, 0.9, "does not hold"), (0.7, 0.7, "not decided")],
)
def test_a_difference_is_judged_by_its_interval(first, second, holds):
    found = outcomes(a=first, b=second)
    claim = claims.more_accurate(found, "a beats b", "here", Arm("norm", "a"), Arm("norm", "b"))
    assert claim.holds == holds
    assert "points" in claim.measured and "5 seeds" in claim.measured


def test_numbers_stand_in_the_order_of_the_sentence():
    def judged(sentence: str, *, second_named_first: bool = False) -> Claim:
        found, arms = outcomes(a=0.9, b=0.5), (Arm("norm", "a"), Arm("norm", "b"))
        return claims.more_accurate(found, sentence, "here", *arms, second_named_first=second_named_first)

    straight, turned = judged("a beats b"), judged("b falls below a", second_named_first=True)
    assert turned.holds == straight.holds == "holds"
    (high, low), (first, second) = (c.measured.split(", ")[0].split(" against ") for c in (straight, turned))
    assert (first, second) == (low, high)
    signs = str.maketrans("+-", "-+")
    gain, least, most = re.findall(r"[+-][0-9.]+", straight.measured)
    assert re.findall(r"[+-][0-9.]+", turned.measured) == [x.translate(signs) for x in (gain, most, least)]


@pytest.mark.parametrize(
    ("share", "at", "above"), [(0.0, "holds", "does not hold"), (0.8, "does not hold", "holds")]
)
def test_chance_is_judged_by_the_interval(share, at, above):
    found = outcomes(a=share)
    assert claims.at_chance(found, "a guesses", "here", Arm("norm", "a")).holds == at
    assert claims.above_chance(found, "a reads", "here", Arm("norm", "a")).holds == above


def test_few_samples_decide_nothing_about_chance():
    labels = np.arange(16) % N_CLASSES
    guesses = np.array([0, 0, 0, 0] * 4, dtype=np.int32)
    found = Outcomes([Answers(Arm("norm", "a"), 0, 0.5, {CLEAN: guesses})], {"norm": labels})
    assert claims.at_chance(found, "a guesses", "here", Arm("norm", "a")).holds == "not decided"
    assert claims.above_chance(found, "a reads", "here", Arm("norm", "a")).holds == "not decided"


def test_a_difference_to_a_published_number_is_in_our_standard_errors():
    ours = Interval(0.7, 0.7 - 1.96 * 0.02, 0.7 + 1.96 * 0.02)
    assert Comparison(PUBLISHED, ours, same_data=True).difference_in_errors == pytest.approx(5.0)
    assert Comparison(PUBLISHED, ours, same_data=False).difference_in_errors is None
    assert Comparison(PUBLISHED, None, same_data=True).difference_in_errors is None


def test_the_files_hold_every_measurement(tmp_path):
    rows = [{"model": "a", "accuracy": 0.25}, {"model": "b, with a comma", "accuracy": 0.5}]
    made = Reproduction(
        figure="paper/fig1",
        title="Fig. 1",
        panels=[Panel("accuracy", "bars", groups=("x",), series=[Series("a", [0], [0.25], [0.2], [0.3])])],
        comparisons=[Comparison(PUBLISHED, Interval(0.5, 0.4, 0.6), same_data=True)],
        claims=[Claim("a guesses", "here", "holds", "25 %")],
        rows=rows,
        notes=["a note"],
    )
    made.save(tmp_path)
    with (tmp_path / "results.csv").open(newline="") as file:
        assert [(r["model"], float(r["accuracy"])) for r in csv.DictReader(file)] == [
            (r["model"], r["accuracy"]) for r in rows
        ]
    read = json.loads((tmp_path / "results.json").read_text())
    assert read["kind"] == "reproduction" and read["claims"][0]["holds"] == "holds"
    assert read["comparisons"][0]["ours"] == {"estimate": 0.5, "low": 0.4, "high": 0.6}
    assert read["comparisons"][0]["difference_in_errors"] == pytest.approx(-2.0)
