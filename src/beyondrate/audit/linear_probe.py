"""The probe: a regularised linear classifier, on spike counts in time bins or on any other features.

Its accuracy against the width of the bins is the decoding curve: with one bin it reads counts alone, and
what finer bins add is what the times of the spikes tell a reader that needs no network.

Ridge regression onto one-hot targets in the dual (Saunders, Gammerman and Vovk, ICML 1998): the Gram
matrix of the samples is summed over blocks of features, so that the design of a fine binning is never held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from scipy import linalg, sparse

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.ops.sparse_linear import SpikeRows, sparse_linear

N_BINS = (1, 2, 5, 10, 20, 50, 100)
MAX_TRAIN = 6000
ALPHAS = tuple(10.0**power for power in range(4, -4, -1))  # times the mean eigenvalue; strongest first
_COUNT_VARIANCE_FLOOR = 0.1  # spikes²: a bin that hardly ever holds a spike is not blown up by the z-scoring
_ROUNDING = 1e-11  # relative variance that float32 gives a constant feature
_BLOCK = 2048  # features held as a dense block

Blocks = Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fitted ridge classifier: scores = features · weights + bias, the largest score is the answer.

    Args:
        weights: one column a class; the z-scoring of the features is folded in.
        bias: one a class.
        alpha: the regularisation chosen on the validation samples, in units of the mean eigenvalue of the
            training samples' Gram matrix.
        validation_accuracy: what it reached there.
    """

    weights: Float32[np.ndarray, "features classes"]
    bias: Float32[np.ndarray, " classes"]
    alpha: float
    validation_accuracy: float

    def scores(
        self, features: Float32[np.ndarray, "samples features"]
    ) -> Float32[np.ndarray, "samples classes"]:
        """Return the score of every class for every sample."""
        return features @ self.weights + self.bias


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """A fitted linear classifier of spike counts in ``n_bins`` equal time bins.

    Args:
        n_bins: number of bins over a sample.
        bin_s: their width in seconds.
        n_units: number of units.
        duration_us: length of a sample in microseconds.
        ridge: the classifier; feature ``bin * n_units + unit``.
        n_train: number of training samples it was fitted to.
    """

    n_bins: int
    bin_s: float
    n_units: int
    duration_us: int
    ridge: Ridge
    n_train: int

    @property
    def alpha(self) -> float:
        """The regularisation chosen on the validation samples (see Ridge)."""
        return self.ridge.alpha

    @property
    def validation_accuracy(self) -> float:
        """The accuracy on the validation samples."""
        return self.ridge.validation_accuracy

    def scores(self, trains: SpikeTrains) -> Float32[np.ndarray, "samples classes"]:
        """Return the score of every class for every sample; the weights of its spikes are summed.

        Raises:
            InputError: if the trains have other units or another duration than those it was fitted to.
        """
        check_alike(self, trains)
        rows = SpikeRows(
            indptr=torch.from_numpy(trains.offsets.copy()),
            units=torch.from_numpy(_feature_index(trains, self.n_bins).astype(np.int32)),
            n_samples=len(trains),
            n_steps=1,
            n_units=self.n_bins * self.n_units,
        )
        weights, bias = torch.from_numpy(self.ridge.weights.T), torch.from_numpy(self.ridge.bias)
        scores: np.ndarray = sparse_linear(rows, weights, bias)[:, 0].numpy()
        return scores


def decoding_curve(
    train: SpikeTrains,
    validation: SpikeTrains,
    *,
    n_bins: Sequence[int] = N_BINS,
    max_train: int = MAX_TRAIN,
    seed: int = 0,
) -> list[LinearProbe]:
    """Fit one probe for each number of bins, the coarsest first as given.

    Args:
        train: training samples.
        validation: samples that the regularisation is chosen on.
        n_bins: numbers of time bins over a sample.
        max_train: most training samples used; more are subsampled, each class in proportion.
        seed: of that subsample.

    Raises:
        InputError: as fit_probe does.
    """
    return [fit_probe(train, validation, bins, max_train=max_train, seed=seed) for bins in n_bins]


def fit_probe(
    train: SpikeTrains, validation: SpikeTrains, n_bins: int, *, max_train: int = MAX_TRAIN, seed: int = 0
) -> LinearProbe:
    """Fit a linear classifier to spike counts in ``n_bins`` equal time bins, scaled on the training samples.

    Args:
        train: training samples.
        validation: samples that the regularisation is chosen on.
        n_bins: number of time bins over a sample.
        max_train: most training samples used; more are subsampled, each class in proportion.
        seed: of that subsample.

    Raises:
        InputError: if there are no samples, no bins, more features than an int32 can number, or units or
            duration differ between the parts.

    Example:
        >>> early = [([100, 200], [0, 1])] * 4
        >>> late = [([700, 900], [0, 1])] * 4
        >>> trains = SpikeTrains.from_samples(early + late, labels=[0] * 4 + [1] * 4, n_units=2,
        ...                                   duration_us=1000)
        >>> [fit_probe(trains, trains, bins).validation_accuracy for bins in (1, 2)]
        [0.5, 1.0]
    """
    if not 1 <= n_bins * train.n_units <= np.iinfo(np.int32).max:
        raise InputError(f"n_bins is {n_bins}", remedy="give at least 1, and at most 2^31 bins times units")
    check_alike(train, validation)
    n_classes = max(train.n_classes, validation.n_classes)
    train = train[stratified_subsample(train.labels, max_train, seed)]
    design, design_val = _count_matrix(train, n_bins), _count_matrix(validation, n_bins)

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, design.shape[1], _BLOCK):
            columns = slice(start, start + _BLOCK)
            yield design[:, columns].toarray(), design_val[:, columns].toarray()

    ridge = _fit(blocks, train.labels, validation.labels, n_classes, _COUNT_VARIANCE_FLOOR)
    return LinearProbe(n_bins, train.duration_s / n_bins, train.n_units, train.duration_us, ridge, len(train))


def fit_ridge(
    features: Float32[np.ndarray, "train features"],
    labels: Int64[np.ndarray, " train"],
    features_val: Float32[np.ndarray, "validation features"],
    labels_val: Int64[np.ndarray, " validation"],
    n_classes: int,
) -> Ridge:
    """Fit a linear classifier to features, z-scored on the training samples; constant features are left out.

    The regularisation is the one most accurate on the validation samples, the strongest of equals.
    Targets are centred one-hot vectors: where the features tell nothing, the largest class is the answer.

    Raises:
        InputError: if there are no training or no validation samples.

    Example:
        >>> x, y = np.array([[0.0], [1.0], [0.1], [0.9]], dtype=np.float32), np.array([0, 1, 0, 1])
        >>> fit_ridge(x, y, x, y, 2).scores(x).argmax(axis=1).tolist()
        [0, 1, 0, 1]
    """

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, features.shape[1], _BLOCK):
            yield features[:, start : start + _BLOCK], features_val[:, start : start + _BLOCK]

    return _fit(blocks, labels, labels_val, n_classes)


def stratified_subsample(
    labels: Int64[np.ndarray, " samples"], most: int, seed: int | np.random.Generator
) -> Int64[np.ndarray, " chosen"]:
    """Return the indices of at most ``most`` samples, ascending, each class in its proportion.

    >>> labels = np.repeat([0, 1], [100, 300])
    >>> np.bincount(labels[stratified_subsample(labels, 40, seed=0)]).tolist()
    [10, 30]
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    # Every (n / most)-th sample of the list sorted by class: a systematic sample.
    return np.sort(by_class[np.arange(most) * len(labels) // most])


def check_alike(fitted: LinearProbe | SpikeTrains, trains: SpikeTrains) -> None:
    """Refuse trains that have other units or another duration than those something is fitted to.

    Raises:
        InputError: naming both.
    """
    if (trains.n_units, trains.duration_us) != (fitted.n_units, fitted.duration_us):
        raise InputError(
            f"fitted to {fitted.n_units} units over {fitted.duration_us} µs, "
            f"but these trains have {trains.n_units} over {trains.duration_us} µs",
            remedy="give trains of one data set",
        )


def _fit(
    blocks: Blocks,
    labels: Int64[np.ndarray, " train"],
    labels_val: Int64[np.ndarray, " validation"],
    n_classes: int,
    variance_floor: float = 0.0,
) -> Ridge:
    """Fit to blocks of (training, validation) features, which are gone through twice: Gram matrix, weights.

    Features are centred and divided by sqrt(variance + floor); a constant one gets the weight 0.
    """
    if not (len(labels) and len(labels_val)):
        raise InputError(
            f"{len(labels)} training and {len(labels_val)} validation samples", remedy="give some of each"
        )
    n_train = len(labels)
    gram = np.zeros((n_train, n_train), dtype=np.float32, order="F")
    cross = np.zeros((len(labels_val), n_train), dtype=np.float32)
    for x, x_val in blocks():
        mean, scale = _z_score(x, variance_floor)
        z = np.ascontiguousarray((x - mean) * scale)
        gram = linalg.blas.ssyrk(1.0, z.T, beta=1.0, c=gram, trans=1, lower=1, overwrite_c=1)
        cross += ((x_val - mean) * scale) @ z.T

    prior = np.bincount(labels, minlength=n_classes) / n_train
    targets = np.eye(n_classes)[labels] - prior
    dual, alpha, accuracy = _choose_alpha(gram.astype(np.float64), targets, cross, prior, labels_val)

    weights, bias = [np.zeros((0, n_classes), dtype=np.float32)], prior
    for x, _ in blocks():
        mean, scale = _z_score(x, variance_floor)
        weights.append(scale[:, None] * (((x - mean) * scale).T @ dual))
        bias = bias - mean @ weights[-1]
    return Ridge(np.concatenate(weights), bias.astype(np.float32), alpha, accuracy)


def _choose_alpha(
    gram: Float64[np.ndarray, "train train"],
    targets: Float64[np.ndarray, "train classes"],
    cross: Float32[np.ndarray, "validation train"],
    prior: Float64[np.ndarray, " classes"],
    labels_val: Int64[np.ndarray, " validation"],
) -> tuple[Float32[np.ndarray, "train classes"], float, float]:
    """Return the dual weights of the α that is most accurate on validation, it, and its accuracy.

    The dual weights solve (gram + α I) dual = targets. A Cholesky factor for each of the few α costs half of
    an eigendecomposition that would serve them all.
    """
    unit = float(np.trace(gram)) / len(gram) or 1.0
    best, best_alpha, best_accuracy = targets, ALPHAS[0], -1.0
    for alpha in ALPHAS:
        shifted = gram.copy(order="F")
        shifted[np.diag_indices_from(shifted)] += alpha * unit
        factor = linalg.cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False)
        dual = linalg.cho_solve(factor, targets, check_finite=False)
        accuracy = float(((cross @ dual + prior).argmax(axis=1) == labels_val).mean())
        if accuracy > best_accuracy:
            best, best_alpha, best_accuracy = dual, alpha, accuracy
    return best.astype(np.float32), best_alpha, best_accuracy


def _z_score(
    x: Float32[np.ndarray, "train features"], variance_floor: float
) -> tuple[Float32[np.ndarray, " features"], Float32[np.ndarray, " features"]]:
    """Return the mean of each feature and what it is multiplied by, 0 where it is constant."""
    mean, variance = x.mean(axis=0), x.var(axis=0)
    scale = np.zeros_like(variance)
    np.divide(1, np.sqrt(variance + variance_floor), out=scale, where=variance > _ROUNDING * mean**2)
    return mean, scale


def _count_matrix(trains: SpikeTrains, n_bins: int) -> sparse.csc_array:
    """Return the spike counts as a sparse matrix: samples by (bin, unit)."""
    shape = (len(trains), n_bins * trains.n_units)
    ones = np.ones(trains.n_spikes, dtype=np.float32)
    rows = sparse.csr_array((ones, _feature_index(trains, n_bins), trains.offsets), shape=shape)
    columns = rows.tocsc()
    columns.sum_duplicates()
    return columns


def _feature_index(trains: SpikeTrains, n_bins: int) -> Int64[np.ndarray, " spikes"]:
    """Return bin * n_units + unit of every spike; a spike at the very end belongs to the last bin."""
    bins = np.minimum(trains.times_us.astype(np.int64) * n_bins // trains.duration_us, n_bins - 1)
    return bins * trains.n_units + trains.units
