"""The Triton kernel of the sparse product against the dense product, on the same device."""

from __future__ import annotations

import pytest
import torch

from beyondrate.ops.backend import choose_backend
from beyondrate.ops.sparse_linear import SpikeRows, custom, sparse_linear

pytestmark = pytest.mark.triton

# samples, steps, units, spikes, outputs: rows without spikes, rows of more spikes than are taken at once
SIZES = [
    (2, 3, 5, 0, 4),
    (1, 1, 1, 1, 1),
    (1, 2, 3, 90, 7),
    (3, 4, 6, 20, 1),
    (2, 2, 4, 9, 130),
    (0, 4, 3, 0, 2),
    (2, 3, 4, 8, 0),
]
TOLERANCE = {
    torch.float64: 1e-10,
    torch.float32: 1e-5,
    torch.bfloat16: 2**-7,  # a last bit: the interpreter cuts where a GPU rounds
}


def random_rows(n_samples, n_steps, n_units, n_spikes):
    """Spikes anywhere, so that rows are empty and units spike twice within a row."""
    generator = torch.Generator().manual_seed(0)
    n_rows = n_samples * n_steps
    row = torch.randint(max(n_rows, 1), (n_spikes,), generator=generator)
    units = torch.randint(n_units, row.shape, generator=generator).int()
    indptr = torch.zeros(n_rows + 1, dtype=torch.int64)
    indptr[1:] = torch.bincount(row, minlength=n_rows).cumsum(0)
    return SpikeRows(indptr, units, n_samples, n_steps, n_units)


def random_tensor(*shape, device, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    return values.to(device, dtype).requires_grad_()


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_sparse_product_is_the_dense_product(triton_device, size, has_bias, dtype):
    *shape, n_spikes, n_out = size
    rows = random_rows(*shape, n_spikes).to(triton_device)
    weight = random_tensor(n_out, shape[2], device=triton_device, dtype=dtype)
    bias = random_tensor(n_out, device=triton_device, dtype=dtype) if has_bias else None
    inputs = [x for x in (weight, bias) if x is not None]
    found = sparse_linear(rows, weight, bias, backend="cuda")
    expected = torch.nn.functional.linear(
        rows.dense().double(), weight.double(), bias.double() if has_bias else None
    )
    factors = random_tensor(*found.shape, device=triton_device, dtype=dtype, seed=1).detach()
    gradients = torch.autograd.grad((factors * found).sum(), inputs)
    expected_gradients = torch.autograd.grad((factors.double() * expected).sum(), inputs)
    assert not n_spikes or not n_out or expected.abs().max() > 0.1
    assert found.dtype == dtype
    assert found.shape == (*shape[:2], n_out)
    for one, other in zip([found, *gradients], [expected, *expected_gradients], strict=True):
        scale = max(1.0, float(other.detach().abs().max())) if other.numel() else 1.0
        torch.testing.assert_close(one.double(), other.double(), rtol=0, atol=TOLERANCE[dtype] * scale)


def test_the_same_bytes_each_time_and_in_any_memory_layout(triton_device):
    rows = random_rows(2, 3, 5, 40).to(triton_device)
    weight = random_tensor(5, 37, device=triton_device, dtype=torch.float32).t()
    assert not weight.is_contiguous()
    results = []
    for given in (weight, weight.contiguous(), weight):
        out = sparse_linear(rows, given, backend="cuda")
        results.append((out, *torch.autograd.grad((out**2).sum(), given)))
    assert results[0][0].abs().max() > 0.1
    for again in results[1:]:
        assert all(torch.equal(one, other) for one, other in zip(results[0], again, strict=True))


def test_torch_sees_proper_operations(triton_device):
    rows = random_rows(2, 2, 3, 8).to(triton_device)
    weight = random_tensor(4, 3, device=triton_device, dtype=torch.float32)
    torch.library.opcheck(custom.sparse_linear, (rows.indptr, rows.units, weight, None))


def test_triton_is_chosen_by_itself(triton_device):
    for dtype in TOLERANCE:
        weight = torch.zeros(1, dtype=dtype, device=triton_device)
        assert choose_backend("sparse_linear", weight, None) == "cuda"
