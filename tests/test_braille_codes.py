"""The table of docs/doors.md is what was measured on the recordings of touch."""

import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def codes(script):
    return script("braille_codes")


def test_the_table_of_the_page_is_the_kept_one(codes):
    page = (ROOT / "docs" / "doors.md").read_text(encoding="utf-8").splitlines()
    lines = codes.table(json.loads(codes.RESULT.read_text(encoding="utf-8")))
    assert len(lines) == len(codes.THRESHOLDS) and set(lines) <= set(page)


def test_rest_is_taken_off_and_only_steps_beyond_the_threshold_are_events(codes, tmp_path):
    taxel = np.full((3, 80, 2), [255, 100], dtype=np.uint8)
    taxel[1, 40:, 1] += 10  # one step of 10, in the second taxel of one touch
    np.savez(tmp_path / "touch.npz", taxel=taxel, length=[80, 80, 80])
    measured = codes.measure(tmp_path / "touch.npz")
    assert measured["rest"] == [255, 100]
    events = {(row["encoder"], row["threshold"]): 3 * row["events_a_sample"] for row in measured["rows"]}
    assert events["level-crossing", 4] == pytest.approx(2)
    assert events["level-crossing", 16] == events["sigma-delta, each taxel's rest taken off", 16] == 0
    # 155 below 255: 155 / (4 · 0.2 s) events a second in each touch
    assert events["sigma-delta, 255 taken off", 4] > 3 * 2 * 155 / (4 * 0.2) * 0.9
