import numpy as np
import pytest
from scipy import stats

from beyondrate.audit import linear_probe
from beyondrate.audit.linear_probe import decoding_curve, fit_probe, fit_ridge, stratified_subsample
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains


def gaussian_classes(seed, n, n_features, separation=1.0, n_classes=3):
    means = np.random.default_rng(99).standard_normal((n_classes, n_features)) * separation
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    return (means[labels] + rng.standard_normal((n, n_features))).astype(np.float32), labels


def random_trains(seed, n=120, n_units=7, n_classes=3, rate=20):
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(n):
        k = rng.poisson(rate)
        samples.append((rng.integers(0, 1001, k), rng.integers(0, n_units, k)))
    labels = rng.integers(0, n_classes, n)
    return SpikeTrains.from_samples(samples, labels=labels, n_units=n_units, duration_us=1000)


def early_or_late(seed, n=200, n_units=10):
    """Every unit fires twice, in the first or the second half of any tenth, as its parity and class say."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    tenth = rng.integers(0, 10, (n, n_units, 2)) * 100
    early = labels[:, None, None] == (np.arange(n_units) % 2)[None, :, None]
    times = tenth + np.where(early, rng.integers(0, 33, tenth.shape), rng.integers(50, 83, tenth.shape))
    units = np.repeat(np.arange(n_units), 2)
    return SpikeTrains.from_samples(
        [(t.ravel(), units) for t in times], labels=labels, n_units=n_units, duration_us=1000
    )


@pytest.mark.parametrize("n_features", [5, 300])
def test_ridge_is_the_closed_form_on_z_scored_features(n_features):
    x, y = gaussian_classes(0, 90, n_features)
    x[:, 1] = 4.0  # a unit with a constant count
    x_val, y_val = gaussian_classes(1, 60, n_features)
    ridge = fit_ridge(x, y, x_val, y_val, 3)

    wide = x.astype(np.float64)
    z = (wide - wide.mean(axis=0)) / np.where(wide.std(axis=0) > 0, wide.std(axis=0), np.inf)
    alpha = ridge.alpha * np.sum(z**2) / len(z)  # the mean eigenvalue of z zᵀ is its trace / n
    targets = np.eye(3)[y] - np.eye(3)[y].mean(axis=0)
    primal = np.linalg.solve(z.T @ z + alpha * np.eye(n_features), z.T @ targets)
    expected = z @ primal + np.eye(3)[y].mean(axis=0)
    assert np.ptp(expected) > 0.5
    assert np.allclose(ridge.scores(x), expected, atol=1e-4)
    assert np.all(ridge.weights[1] == 0)


def test_ridge_goes_through_more_features_than_a_block_holds(monkeypatch):
    x, y = gaussian_classes(0, 60, 50)
    x_val, y_val = gaussian_classes(1, 60, 50)
    at_once = fit_ridge(x, y, x_val, y_val, 3)
    monkeypatch.setattr(linear_probe, "_BLOCK", 7)
    in_blocks = fit_ridge(x, y, x_val, y_val, 3)
    assert in_blocks.alpha == at_once.alpha
    assert np.allclose(in_blocks.weights, at_once.weights, atol=1e-5)


def test_regularisation_is_chosen_on_the_validation_samples():
    x, y = gaussian_classes(0, 60, 400, separation=0.15)
    x_val, y_val = gaussian_classes(1, 400, 400, separation=0.15)
    ridge = fit_ridge(x, y, x_val, y_val, 3)
    accuracy = (ridge.scores(x_val).argmax(axis=1) == y_val).mean()
    assert ridge.validation_accuracy == pytest.approx(accuracy, abs=0.006)  # float32 near a tie
    assert accuracy > 0.5
    assert ridge.alpha >= 1  # so few samples of so many features want a strong one
    assert fit_ridge(x, y, x, y, 3).validation_accuracy == 1.0


def test_without_information_the_largest_class_is_the_answer():
    y = np.array([0, 1, 1, 1, 2])
    for features in (np.full((5, 3), 7, dtype=np.float32), np.zeros((5, 0), dtype=np.float32)):
        ridge = fit_ridge(features, y, features, y, 3)
        assert np.all(ridge.scores(features).argmax(axis=1) == 1)
        assert ridge.validation_accuracy == 0.6


@pytest.mark.parametrize("n_bins", [1, 3, 20])
def test_scores_of_a_probe_are_those_of_its_dense_counts(n_bins):
    trains = random_trains(0)
    probe = fit_probe(trains, random_trains(1), n_bins)
    other = random_trains(2)
    step = np.minimum(other.times_us.astype(np.int64) * n_bins // 1000, n_bins - 1)
    counts = np.zeros((len(other), n_bins, other.n_units), dtype=np.float32)
    np.add.at(counts, (other.sample_index, step, other.units), 1)
    expected = probe.ridge.scores(counts.reshape(len(other), -1))
    assert np.ptp(expected) > 0.01
    assert np.allclose(probe.scores(other), expected, atol=1e-5)
    assert probe.bin_s == pytest.approx(0.001 / n_bins)


def test_the_curve_rises_when_bins_are_as_fine_as_the_code():
    parts = [early_or_late(seed) for seed in range(3)]
    curve = decoding_curve(parts[0], parts[1], n_bins=(1, 10, 20))
    accuracy = [(probe.scores(parts[2]).argmax(axis=1) == parts[2].labels).mean() for probe in curve]
    n = len(parts[2])
    share = np.bincount(parts[2].labels).max() / n
    for blind in accuracy[:2]:
        assert stats.binomtest(round(blind * n), n, share, alternative="greater").pvalue > 1e-4
    assert accuracy[2] > 0.95
    assert [probe.n_bins for probe in curve] == [1, 10, 20]


def test_no_class_can_be_told_from_chance():
    parts = [random_trains(seed, n=240) for seed in range(3)]
    for probe in decoding_curve(parts[0], parts[1], n_bins=(1, 5, 50)):
        n_right = int((probe.scores(parts[2]).argmax(axis=1) == parts[2].labels).sum())
        share = np.bincount(parts[2].labels).max() / 240
        assert stats.binomtest(n_right, 240, share, alternative="greater").pvalue > 1e-4


def test_training_samples_are_capped_and_the_choice_is_seeded():
    trains, validation = random_trains(0), random_trains(1)
    probes = [fit_probe(trains, validation, 2, max_train=40, seed=seed) for seed in (5, 5, 6)]
    assert [probe.n_train for probe in probes] == [40, 40, 40]
    assert np.array_equal(probes[0].ridge.weights, probes[1].ridge.weights)
    assert not np.array_equal(probes[0].ridge.weights, probes[2].ridge.weights)


def test_a_subsample_has_every_class_in_proportion():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(4), [400, 200, 100, 20]))
    chosen = stratified_subsample(labels, 180, seed=1)
    assert np.array_equal(np.bincount(labels[chosen]), [100, 50, 25, 5])
    assert np.all(np.diff(chosen) > 0)
    assert np.array_equal(stratified_subsample(labels, 10_000, seed=1), np.arange(len(labels)))


def test_what_cannot_be_fitted_is_refused():
    trains = random_trains(0)
    other = random_trains(0, n_units=8)
    with pytest.raises(InputError, match="n_bins is 0"):
        fit_probe(trains, trains, 0)
    with pytest.raises(InputError, match="0 validation samples"):
        fit_probe(trains, trains[:0], 2)
    with pytest.raises(InputError, match=r"7 units .* have 8"):
        fit_probe(trains, other, 2)
    with pytest.raises(InputError, match=r"7 units .* have 8"):
        fit_probe(trains, trains, 2).scores(other)
