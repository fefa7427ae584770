"""The audit tells the truth on data of which it is known what tells the class."""

from collections.abc import Callable

import pytest
from planted import (
    from_counts,
    from_counts_and_order,
    from_intervals,
    from_lags,
    from_nothing,
    from_onset,
    from_order,
    from_synchrony,
)

import beyondrate as br
from beyondrate.audit.result import AuditResult


def audited(trains: br.SpikeTrains, **options: object) -> AuditResult:
    settings = {"models": ["probe", "rate"], "epochs": 15, "seeds": 1, "dt_s": 0.005, "workers": 0}
    return br.audit(trains, **{**settings, **options})


def kinds_named(result: AuditResult) -> list[str]:
    named = [k for k in result.report["kinds"] if k["claimed"] and k["own"]]
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


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_claimed_where_nothing_tells(seed: int):
    result = audited(from_nothing(240, seed), variants=["whole", "norm"], epochs=6, seed=seed)
    assert [f.key for f in result.verdict.findings if f.claimed] == []
    assert kinds_named(result) == []
