"""The levels of an audit are those that its data leave room for, and the record says which they do not."""

import json
import math

import numpy as np
import pytest

from beyondrate import SpikeTrains
from beyondrate.audit.plan import PRESETS, Plan, jitter_limits_s, levels_left_out, make_plan

DURATION_US = 200_000


def samples_of(times_us: np.ndarray) -> SpikeTrains:
    """One spike a sample."""
    samples = [([time], [0]) for time in times_us]
    return SpikeTrains.from_samples(samples, labels=[0] * len(samples), n_units=1, duration_us=DURATION_US)


def plan_of(times_us: np.ndarray, preset: str = "quick") -> Plan:
    trains = samples_of(times_us)
    return make_plan(trains.digest, jitter_limits_s(trains), preset=preset)


def test_uniform_spikes_bear_a_sixteenth_of_their_duration():
    """The share of them that is clipped is 2 σ / (T √2π)."""
    limits = jitter_limits_s(samples_of(np.arange(0, DURATION_US + 1, 100)))
    assert limits["jitter"] == limits["jitter-unit"]
    assert limits["jitter"] == pytest.approx(0.05 * 0.2 * math.sqrt(2 * math.pi) / 2, rel=0.02)


def test_spikes_in_the_middle_bear_half_their_duration_over_the_normal_quantile():
    limits = jitter_limits_s(samples_of(np.full(10, DURATION_US // 2)))
    assert limits["jitter"] == pytest.approx(0.1 / 1.959964, rel=1e-4)  # P(|z| > 1.96) = 5 %


def test_spikes_at_the_edges_bear_no_jitter_and_the_record_says_so():
    plan = plan_of(np.repeat([0, DURATION_US // 2], [30, 70]))
    assert plan.levels["jitter"] == plan.levels["jitter-unit"] == ()
    assert "jitter" not in {name for name, _ in plan.tests}
    spikes, _ = levels_left_out(plan)
    assert "by 5, 10, 25, 50, 100, 200 ms was not tested" in spikes
    assert "more than 5 % of the spikes to the samples' edges" in spikes


@pytest.mark.parametrize("preset", PRESETS)
def test_every_level_is_tested_or_named_as_left_out(preset: str):
    plan = plan_of(np.random.default_rng(0).integers(0, DURATION_US, 1000), preset)
    for levels, note in zip(
        (plan.levels["jitter"], plan.levels["jitter-sample"]), levels_left_out(plan), strict=True
    ):
        named = [float(x) / 1000 for x in note.split(" by ")[1].split(" ms")[0].split(", ")]
        assert (*levels, *named) == PRESETS[preset].levels["jitter"]
    assert plan.levels["jitter"][-1] == 0.01
    assert levels_left_out(Plan.from_json(json.loads(json.dumps(plan.as_json())))) == levels_left_out(plan)


def test_where_there_is_room_for_all_nothing_is_said():
    trains = SpikeTrains.from_samples(
        [([5_000_000, 5_000_100], [0, 1])], labels=[0], n_units=2, duration_us=10_000_000
    )
    assert levels_left_out(make_plan(trains.digest, jitter_limits_s(trains))) == []
