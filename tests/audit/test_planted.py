"""The audit tells the truth on data of which it is known what tells the class."""

from collections.abc import Callable

import pytest
from planted import (
    copied,
    from_counts,
    from_counts_and_order,
    from_either_count,
    from_intervals,
    from_lags,
    from_nothing,
    from_onset,
    from_order,
    from_subjects,
    from_synchrony,
)

import beyondrate as br
from beyondrate.audit.result import AuditResult


def audited(trains: br.SpikeTrains, **options: object) -> AuditResult:
    settings = {"models": ["probe", "rate"], "epochs": 15, "seeds": 1, "dt_s": 0.005, "workers": 0}
    return br.audit(trains, **{**settings, **options})


def kinds_named(result: AuditResult) -> list[str]:
    named = [k for k in result.report["kinds"] if k["claimed"] and k["origin"] == "own"]
    return [k["kind"] for k in sorted(named, key=lambda k: -k["accuracy"])]


@pytest.mark.parametrize(
    ("generate", "kind"),
    [
        (from_onset, "onset"),
        (from_intervals, "ISI"),
        (from_synchrony, "synchrony"),
        (from_order, "order"),
    ],
)
def test_timing_alone_is_found_and_its_kind_is_named(
    generate: Callable[[int, int], br.SpikeTrains], kind: str
):
    result = audited(generate(500, 0), variants=["whole", "norm"])
    assert not result.verdict["rate"].claimed
    assert result.verdict["timing"].claimed
    assert kinds_named(result)[0] == kind
    assert "spike times alone" in result.verdict.headline
    assert "That spike counts tell the classes is not shown" in result.verdict.headline


def test_fixed_lags_are_found_as_order_or_lag_of_units():
    result = audited(from_lags(600, 0), variants=["whole", "norm"])
    assert not result.verdict["rate"].claimed
    assert result.verdict["timing"].claimed
    assert set(kinds_named(result)[:1]) <= {"order", "lag"}
    assert not {"onset", "ISI"} & set(kinds_named(result))


def test_no_timing_is_claimed_where_only_counts_tell():
    result = audited(from_counts(500, 0), models=["probe", "rate", "lif"])
    verdict = result.verdict
    assert verdict["rate"].claimed
    assert verdict["rate"].interval is not None and verdict["rate"].interval.low > 0.6
    assert not verdict["timing"].claimed
    assert not verdict["whole-gain"].claimed
    assert kinds_named(result) == []
    assert "precision" not in verdict
    assert verdict.headline.startswith("No timing was found")


def test_both_are_found_where_both_tell():
    result = audited(from_counts_and_order(600, 0), variants=["whole", "norm"])
    assert result.verdict["rate"].claimed
    assert result.verdict["timing"].claimed
    assert kinds_named(result)[0] == "order"


def test_counts_that_only_a_net_reads_are_no_timing():
    trains = from_either_count(700, 0)
    verdict = audited(trains, models=["probe", "lif"], variants=["whole"], epochs=10).verdict
    assert verdict["rate"].claimed
    assert verdict["rate"].interval is not None and verdict["rate"].interval.low > 0.8
    assert not verdict["whole-gain"].claimed
    assert verdict.headline.startswith("Spike counts alone reach")
    alone = audited(trains, models=["probe"], variants=["whole"]).verdict
    assert not alone["rate"].claimed and not alone["whole-gain"].claimed
    assert alone.headline == "That spike counts, read linearly, tell the classes is not shown."


def test_subjects_that_cannot_be_held_out_are_warned_of_before_all_else():
    verdict = audited(from_subjects(240, 0), models=["probe"], variants=["whole", "norm"]).verdict
    assert verdict.warnings[0].startswith("For 48 of 48 test samples, others of the same group")
    assert "Not all test samples are independent of the training samples" in verdict.headline
    assert [f.key for f in verdict.findings if f.claimed] == []


@pytest.mark.parametrize("seed", range(4))
def test_copies_tell_nothing_and_count_as_one(seed: int):
    trains = copied(from_nothing(100, seed), 4)
    result = audited(trains, models=["probe"], variants=["whole", "norm"], seed=seed)
    assert "300 samples are copies of an earlier one." in result.verdict.warnings
    assert not any("the same spikes" in warning for warning in result.verdict.warnings)
    assert [k["kind"] for k in result.report["kinds"] if k["p"] < 0.01] == []
    accuracy = result.verdict["rate"].interval
    once = audited(from_nothing(100, seed), models=["probe"], variants=["whole"], seed=seed)
    assert accuracy is not None and once.verdict["rate"].interval is not None
    ratio = (accuracy.high - accuracy.low) / (
        once.verdict["rate"].interval.high - once.verdict["rate"].interval.low
    )
    assert 0.7 < ratio < 1.4


def test_a_test_part_that_was_trained_on_is_warned_of():
    trains = from_nothing(120, 0)
    again = trains[[*range(120), *range(40)]].with_meta(split=["train"] * 120 + ["test"] * 40)
    verdict = audited(again, models=["probe"], variants=["whole"]).verdict
    assert verdict.warnings[0].startswith("For 40 of 40 test samples, one with the same spikes trains")
    assert "Not all test samples are independent" in verdict.headline


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_claimed_where_nothing_tells(seed: int):
    result = audited(from_nothing(240, seed), variants=["whole", "norm"], epochs=6, seed=seed)
    assert [f.key for f in result.verdict.findings if f.claimed] == []
    assert kinds_named(result) == []
