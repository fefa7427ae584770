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
