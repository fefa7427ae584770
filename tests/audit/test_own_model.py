"""Audits of models that were given: any callable, and what is refused of them."""

import numpy as np
import pytest
import torch
from planted import from_counts, from_order

import beyondrate as br


def count_reader(x: torch.Tensor) -> np.ndarray:
    """Add up odd and even units: all that from_counts holds, and in numpy as another framework would."""
    counts = x.sum(1).numpy()
    return np.stack([counts[:, 0::2].sum(1), counts[:, 1::2].sum(1)], axis=1)


def order_reader(x: torch.Tensor) -> torch.Tensor:
    """Count how often each couple's first unit fires up to 30 ms before the second, and after it."""
    first, second = x[:, :, :5], x[:, :, 5:]
    ahead = sum((first.roll(lag, 1) * second).sum((1, 2)) for lag in range(1, 31))
    behind = sum((second.roll(lag, 1) * first).sum((1, 2)) for lag in range(1, 31))
    return torch.stack([ahead, behind], dim=1)


def test_a_model_of_counts_does_not_depend_on_times():
    result = br.audit(from_counts(200, 0), models=count_reader)
    assert result.verdict["clean"].claimed
    assert not result.verdict["without-times"].claimed
    same = {r.accuracy for r in result.rows if r.perturbation in ("none", "replace", "jitter", "reverse")}
    assert len(same) == 1


def test_a_model_of_order_is_undone_by_reversal_and_by_moving_units():
    result = br.audit(from_order(200, 0), models={"leads": order_reader}, dt_s=0.001)
    verdict = result.verdict
    assert {row.model for row in result.rows} == {"leads"}
    assert verdict["clean"].interval.estimate > 0.9
    assert verdict["without-times"].claimed and verdict["order"].claimed
    assert 0 < verdict["reliance"].interval.estimate < 100  # ms: lags are up to 30
    assert len({row.seed for row in result.rows}) > 1


def counts_of_bins(n_samples: int) -> br.SpikeTrains:
    """Samples of 200 ms: one class spikes more than the other, at times that are uniform in both."""
    rng = np.random.default_rng(0)
    labels = np.arange(n_samples) % 2
    units = [np.repeat(np.arange(10), rng.poisson(4 + 2 * label, 10)) for label in labels]
    samples = [(rng.integers(0, 200_000, len(of_spikes)), of_spikes) for of_spikes in units]
    return br.SpikeTrains.from_samples(samples, labels=labels, n_units=10, duration_us=200_000)


def occupied_bins(x: torch.Tensor) -> torch.Tensor:
    """Count the bins with a spike: spikes that pile up in one, as at an edge, are lost to it."""
    occupied = x.clamp(max=1).sum((1, 2))
    return torch.stack([43.8 - occupied, occupied - 43.8], dim=1)  # between what the two classes fill


def test_a_code_of_counts_has_no_precision_although_wide_jitter_disturbs_it():
    trains = counts_of_bins(400)
    piled_up = br.perturb.jitter(trains, 0.2, 0).dense(0.01, np.arange(400))
    disturbed = occupied_bins(torch.from_numpy(piled_up)).argmax(1).numpy() == trains.labels
    result = br.audit(trains, models=occupied_bins, dt_s=0.01)
    verdict = result.verdict
    assert disturbed.mean() < 0.75 < 0.85 < verdict["clean"].interval.low
    assert not verdict["precision"].claimed and "no precision can be given" in verdict["precision"].sentence
    assert "reliance" not in verdict
    assert {row.level for row in result.rows if row.perturbation == "jitter"} == {0.005, 0.01}
    assert any("25, 50, 100, 200 ms was not tested" in note for note in result.report["protocol"]["notes"])


def intervals_of_200_ms(n_samples: int) -> br.SpikeTrains:
    return br.tasks.isi.generate(
        n_samples, seed=3, n_rates=1, n_units=10, duration_ms=200, min_pairs=4, n_intervals=20
    )


def interval_reader(x: torch.Tensor) -> torch.Tensor:
    """Find the interval within units that comes most often: up to 10 ms, or 11 to 20 ms."""
    x = x.clamp(max=1)
    pairs = torch.stack([(x[:, lag:] * x[:, :-lag]).sum((1, 2)) for lag in range(1, 21)], dim=1)
    return torch.stack([pairs[:, :10].amax(1), pairs[:, 10:].amax(1)], dim=1)


def test_intervals_within_units_are_not_taken_for_times_across_them():
    verdict = br.audit(intervals_of_200_ms(300), models=interval_reader, dt_s=0.001).verdict
    assert verdict["precision"].claimed and verdict["precision"].interval.high < 10
    assert verdict["reliance"].claimed
    assert "relies mostly on intervals within units" in verdict["reliance"].sentence


def test_as_many_spikes_are_replaced_as_the_level_says():
    """Two spikes a train: of them a quarter is one spike in every other train, rounded down it is none."""
    times = [([10_500, 20_500], [30_500, 40_500])[k % 2] for k in range(400)]
    trains = br.SpikeTrains.from_samples(
        [(t, [0, 0]) for t in times], labels=np.arange(400) % 2, n_units=1, duration_us=1_000_000
    )

    def untouched(x: torch.Tensor) -> torch.Tensor:
        """Name the class if both spikes are where they were, else neither."""
        x = x[:, :, 0]
        return torch.stack([x[:, 10] * x[:, 20], x[:, 30] * x[:, 40], torch.full((len(x),), 0.5)], dim=1)

    rows = br.audit(trains, models=untouched, dt_s=0.001).rows
    kept = {
        level: [r.accuracy for r in rows if (r.perturbation, r.level) == ("replace", level)]
        for level in (0.25, 0.5, 0.75)
    }
    assert np.mean(kept[0.25]) == pytest.approx(0.5, abs=0.06)  # 5 standard errors of 1200 trains
    assert max(kept[0.5]) < 0.02 and max(kept[0.75]) < 0.02


def test_samples_too_short_for_the_jitter_that_is_drawn_are_audited():
    rng = np.random.default_rng(0)
    samples = [(rng.integers(0, 15_000, 20), rng.integers(0, 2, 20)) for _ in range(60)]
    trains = br.SpikeTrains.from_samples(samples, labels=np.arange(60) % 2, n_units=2, duration_us=15_000)
    result = br.audit(trains, models=lambda x: x.sum(1), dt_s=0.001)
    assert {row.perturbation for row in result.rows} == {"none", "replace", "delete", "reverse"}
    drawn = [panel["perturbation"] for panel in result.report["figures"]["rasters"]["panels"]]
    assert drawn == ["none", "replace", "delete", "reverse"]


def test_several_models_are_judged_side_by_side(tmp_path):
    result = br.audit(
        from_order(100, 0), models={"leads": order_reader, "counts": count_reader}, dt_s=0.001, out=tmp_path
    )
    assert {row.model for row in result.rows} == {"leads", "counts"}
    assert (tmp_path / "results.csv").read_text().count("\n") == len(result.rows) + 1
    br.write_report(result.report, tmp_path / "report.html")
    assert "leads" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda x: x.sum(1)[:, :1], "shape"),
        (lambda x: x.sum(1)[:, :2] * float("nan"), "not finite"),
        (lambda x: x.sum((0, 1)), "shape"),
    ],
)
def test_scores_that_are_none_are_refused(model, words):
    with pytest.raises(br.InputError, match=words):
        br.audit(from_order(60, 0), models={"mine": model})
