"""What a trained model is tested under."""

import numpy as np
import pytest

from beyondrate import SpikeTrains, audit
from beyondrate.audit.outcomes import CLEAN
from beyondrate.audit.train_and_test import answers_under


def single_spikes(n_samples: int) -> SpikeTrains:
    """One spike a sample, early in one class and late in the other."""
    labels = np.arange(n_samples) % 2
    samples = [([105_000 + 800_000 * label], [0]) for label in labels]
    return SpikeTrains.from_samples(samples, labels=labels, n_units=1, duration_us=1_000_000)


@pytest.mark.parametrize(("rounding", "moved"), [("floor", 0.0), ("stochastic", 0.25)])
def test_answers_are_given_to_what_the_rounding_says(rounding: str, moved: float):
    trains = single_spikes(2000)

    def scores(heard: SpikeTrains) -> np.ndarray:
        return np.eye(2)[(heard.times_us == trains.times_us).astype(int)]

    tests = [CLEAN, ("replace", 0.25), ("replace", 1.0)]
    answered = answers_under(
        scores, trains, tests, lambda _: np.random.default_rng(0), lambda *_: None, rounding=rounding
    )
    unmoved = [np.mean(answer["classes"]) for answer in answered]
    assert unmoved[0] == 1
    assert unmoved[1] == pytest.approx(1 - moved, abs=0.04)
    assert unmoved[2] < 0.01


def test_an_audit_replaces_as_many_spikes_as_it_says():
    result = audit(single_spikes(600), models=["probe"], variants=["whole"], seeds=2, workers=0)
    kept = {
        row.level: row.accuracy
        for row in result.rows
        if row.perturbation == "replace" and row.control != "bins-1" and row.seed == 1
    }
    lost = [1 - kept[level] for level in (0.25, 0.5, 0.75, 1.0)]
    assert lost[0] > 0.03 and lost == sorted(lost)  # rounded down, nothing is lost before 1
