from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.ops.sparse_linear import SpikeRows, custom, sparse_linear, spike_linear

PROPERTY = settings(max_examples=40, deadline=None, derandomize=True)
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}


def random_rows(n_samples, n_steps, n_units, n_spikes, seed=0):
    """Spikes anywhere, so that rows are empty and units spike twice within a row."""
    generator = torch.Generator().manual_seed(seed)
    n_rows = n_samples * n_steps
    row = torch.randint(max(n_rows, 1), (n_spikes if n_rows and n_units else 0,), generator=generator)
    units = torch.randint(max(n_units, 1), row.shape, generator=generator).int()
    indptr = torch.zeros(n_rows + 1, dtype=torch.int64)
    indptr[1:] = torch.bincount(row, minlength=n_rows).cumsum(0)
    return SpikeRows(indptr, units, n_samples, n_steps, n_units)


def random_tensor(*shape, seed, dtype):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()


def gradients_of(out, inputs, seed=9):
    weights = random_tensor(*out.shape, seed=seed, dtype=out.dtype).detach()
    return torch.autograd.grad((weights * out).sum(), inputs, materialize_grads=True)


def assert_all_close(found, expected, dtype):
    for one, other in zip(found, expected, strict=True):
        scale = max(1.0, float(other.detach().abs().max())) if other.numel() else 1.0
        torch.testing.assert_close(one, other, rtol=0, atol=TOLERANCE[dtype] * scale)


@PROPERTY
@given(
    shape=st.tuples(st.integers(0, 4), st.integers(1, 8), st.integers(1, 30)),
    n_spikes=st.integers(0, 300),
    n_out=st.integers(0, 20),
    has_bias=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 100),
)
def test_the_sparse_product_is_the_dense_product(shape, n_spikes, n_out, has_bias, dtype, seed):
    rows = random_rows(*shape, n_spikes, seed)
    weight = random_tensor(n_out, shape[2], seed=seed, dtype=dtype)
    bias = random_tensor(n_out, seed=seed + 1, dtype=dtype) if has_bias else None
    inputs = [weight, bias] if has_bias else [weight]
    for backend in ("cpu", "reference"):
        expected = torch.nn.functional.linear(rows.dense().to(dtype), weight, bias)
        found = sparse_linear(rows, weight, bias, backend=backend)
        assert found.shape == (*shape[:2], n_out)
        assert_all_close(
            [found, *gradients_of(found, inputs)], [expected, *gradients_of(expected, inputs)], dtype
        )


@PROPERTY
@given(
    shape=st.tuples(st.integers(0, 4), st.integers(0, 8), st.integers(0, 30)),
    density=st.sampled_from([0.0, 0.05, 0.2, 0.6, 1.0]),
    n_out=st.integers(0, 20),
    has_bias=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 100),
)
def test_skipping_zeros_changes_nothing(shape, density, n_out, has_bias, dtype, seed):
    there = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < density
    x = (random_tensor(*shape, seed=seed, dtype=dtype).detach() * there).requires_grad_()
    weight = random_tensor(n_out, shape[2], seed=seed + 1, dtype=dtype)
    bias = random_tensor(n_out, seed=seed + 2, dtype=dtype) if has_bias else None
    inputs = [x, weight, bias] if has_bias else [x, weight]
    for backend in ("cpu", "reference"):
        expected = torch.nn.functional.linear(x, weight, bias)
        found = spike_linear(x, weight, bias, backend=backend)
        assert_all_close(
            [found, *gradients_of(found, inputs)], [expected, *gradients_of(expected, inputs)], dtype
        )


def test_only_the_wanted_gradients_are_given():
    x = random_tensor(2, 3, 4, seed=0, dtype=torch.float64)
    weight = random_tensor(5, 4, seed=1, dtype=torch.float64)
    spike_linear(x, weight.detach()).sum().backward()
    torch.testing.assert_close(x.grad, weight.detach().sum(0).expand(2, 3, 4))
    spike_linear(x.detach(), weight).sum().backward()
    torch.testing.assert_close(weight.grad, x.detach().sum((0, 1)).expand(5, 4))


@pytest.mark.parametrize("density", [0.02, 0.2])
def test_the_number_of_threads_changes_no_bit(with_threads, density):
    rows = random_rows(32, 50, 300, int(density * 32 * 50 * 300))
    weight = random_tensor(128, 300, seed=0, dtype=torch.float32)
    bias = random_tensor(128, seed=1, dtype=torch.float32)
    x = rows.dense().requires_grad_()
    results = []
    for n_threads in (1, 2, 5):
        with with_threads(n_threads):
            out, skipping = sparse_linear(rows, weight, bias), spike_linear(x, weight, bias)
            results.append([out, *gradients_of(out, [weight, bias]), skipping])
            results[-1] += gradients_of(skipping, [weight, bias])
    assert results[0][0].abs().sum() > 0
    for other in results[1:]:
        for left, right in zip(results[0], other, strict=True):
            assert torch.equal(left, right)


def test_rows_from_binned_spike_trains():
    trains = SpikeTrains.from_samples(
        [([100, 150, 2500], [0, 0, 1]), ([], []), ([900, 2999], [2, 2])],
        labels=[0, 1, 0],
        n_units=3,
        duration_us=3000,
    )
    rows = SpikeRows.from_binned(trains.binned(0.001))
    assert (rows.n_samples, rows.n_steps, rows.n_units) == (3, 3, 3)
    np.testing.assert_array_equal(rows.dense().numpy(), trains.dense(0.001))
    np.testing.assert_array_equal(rows.counts().numpy(), trains.counts())
    moved = rows.to("meta")
    assert moved.device.type == "meta"
    assert torch.equal(rows.to("cpu").dense(), rows.dense())


@pytest.mark.parametrize(
    ("indptr", "units", "message"),
    [
        ([0, 1], [0], "indptr has 2 entries for 2 rows"),
        ([0, 1, 3], [0, 1], "2 spikes"),
        ([1, 1, 2], [0, 1], "2 spikes"),
        ([0, 3, 2], [0, 1], "indptr falls"),
        ([0, 1, 2], [0, 5], "units run from 0 to 5"),
        ([0, 1, 2], [-1, 4], "units run from -1 to 4"),
    ],
)
def test_rows_that_disagree_are_refused(indptr, units, message):
    with pytest.raises(InputError, match=message):
        SpikeRows(torch.tensor(indptr), torch.tensor(units, dtype=torch.int32), 1, 2, 5)


def test_a_weight_of_other_units_is_refused():
    with pytest.raises(InputError, match="weight has 4 columns for spikes of 5 units"):
        sparse_linear(random_rows(2, 3, 5, 9), torch.zeros(2, 4))


def test_tensors_of_other_sizes_are_refused():
    """Kernels look at no size, and would read beyond the end."""
    x, weight = torch.zeros(2, 5, 30), torch.zeros(7, 30)
    x[:, :, 3] = 1.0
    with pytest.raises(InputError, match="weight has 20 columns for spikes of 30 units"):
        spike_linear(x, weight[:, :20])
    rows = SpikeRows(torch.tensor([0, 1]), torch.tensor([3], dtype=torch.int32), 1, 1, 30)
    for bias in (torch.zeros(6), torch.zeros(8), torch.zeros(())):
        with pytest.raises(InputError, match=r"bias has shape .*give shape \(7,\)"):
            spike_linear(x, weight, bias)
        with pytest.raises(InputError, match=r"bias has shape .*give shape \(7,\)"):
            sparse_linear(rows, weight, bias)


def test_torch_sees_proper_operations():
    rows = random_rows(2, 3, 5, 9)
    weight = random_tensor(4, 5, seed=0, dtype=torch.float64)
    bias = random_tensor(4, seed=1, dtype=torch.float64)
    x = (rows.dense().double().reshape(6, 5) * 0.5).requires_grad_()
    torch.library.opcheck(custom.sparse_linear, (rows.indptr, rows.units, weight, bias))
    torch.library.opcheck(custom.sparse_linear, (rows.indptr, rows.units, weight, None))
    checks = ("test_schema", "test_faketensor")  # the rest compares unused room in the list of non-zeros
    torch.library.opcheck(custom.spike_linear, (x, weight, bias), test_utils=checks)


@pytest.mark.parametrize("density", [0.05, 0.9])
def test_autocast_changes_nothing(density):
    """The kernels compute in the precision of the weights, and so does the dense product."""
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(40, 30, generator=generator) < density).float().requires_grad_()
    weight, bias = (torch.randn(shape, generator=generator).requires_grad_() for shape in ((7, 30), (7,)))
    found = []
    for enabled in (True, False):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            out = spike_linear(x, weight, bias)
        found.append((out, *torch.autograd.grad(out.square().sum(), (x, weight, bias))))
    assert all(map(torch.equal, *found))
