"""The Triton kernels of the gamma memory against the reference, on the same device."""

from __future__ import annotations

import pytest
import torch

from beyondrate.errors import InputError
from beyondrate.ops.backend import choose_backend
from beyondrate.ops.gamma import MODES, custom, gamma_scan, gamma_scan_each, time_constants, transition

pytestmark = pytest.mark.triton

# samples, steps, units, buckets
CASES = [
    (2, 7, 3, 8),
    (2, 6, 19, 5),
    (1, 1, 1, 1),
    (3, 4, 1, 3),
    (0, 4, 3, 2),
    (2, 0, 3, 2),
    (2, 4, 0, 2),
]
TYPES = [(torch.float64, 1e-10), (torch.float32, 1e-5)]
OPERATIONS = ["scan", "scan_each"]


def random_tensor(*shape, device, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    return values.to(device, dtype).requires_grad_()


def case_of(operation, device, dtype, batch, time, unit, bucket, mode="exact"):
    """What to scan and the parameters, all with gradients, and the transition."""
    place = {"device": device, "dtype": dtype}
    matrix = transition(time_constants(bucket, 0.005), 0.002, mode).to(device)
    bias = random_tensor(unit, **place, seed=0)
    if operation == "scan":
        return [
            random_tensor(batch, time, unit, **place, seed=1),
            random_tensor(bucket, unit, **place, seed=2),
            bias,
        ], matrix
    return [random_tensor(batch, time, bucket, unit, **place, seed=1), bias], matrix


def outputs_and_gradients(given, matrix, backend):
    *inputs, bias = given
    if len(given) == 3:
        x = gamma_scan(*inputs, matrix, bias, backend=backend)
    else:
        x = gamma_scan_each(*inputs, matrix, bias, backend=backend)
    factors = random_tensor(*x.shape, device=x.device, dtype=x.dtype, seed=3).detach()
    loss = (factors * x).sum() + 0 * bias.sum()  # without a time step x has no gradient
    return x.detach(), *torch.autograd.grad(loss, given, materialize_grads=True)


@pytest.mark.parametrize(("dtype", "tolerance"), TYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_scans_and_their_gradients(triton_device, operation, case, dtype, tolerance):
    given, matrix = case_of(operation, triton_device, dtype, *case)
    found = outputs_and_gradients(given, matrix, "cuda")
    expected = outputs_and_gradients(given, matrix, "reference")
    if case in CASES[:2]:
        assert all(tensor.abs().max() > 0.1 for tensor in expected)
    for one, other in zip(found, expected, strict=True):
        scale = max(1.0, float(other.abs().max())) if other.numel() else 1.0
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_any_chain_in_any_memory_layout(triton_device, operation, mode):
    given, matrix = case_of(operation, triton_device, torch.float64, 2, 5, 3, 4, mode)
    others = [x.detach().transpose(0, -1).contiguous().transpose(0, -1).requires_grad_() for x in given]
    assert not others[0].is_contiguous()
    found = outputs_and_gradients(others, matrix.t().contiguous().t(), "cuda")
    expected = outputs_and_gradients(given, matrix, "reference")
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_torch_sees_proper_operations(triton_device):
    (u, gain, bias), matrix = case_of("scan", triton_device, torch.float64, 2, 3, 2, 2)
    torch.library.opcheck(custom.gamma_scan, (u, gain, bias, matrix))
    (u, bias), matrix = case_of("scan_each", triton_device, torch.float64, 2, 3, 2, 2)
    torch.library.opcheck(custom.gamma_scan_each, (u, bias, matrix))


def test_a_gradient_of_the_transition_needs_the_reference(triton_device):
    (u, gain, _), matrix = case_of("scan", triton_device, torch.float64, 1, 2, 1, 2)
    with pytest.raises(InputError, match="'cuda' gives gamma_scan no gradient of the transition"):
        gamma_scan(u, gain, matrix.requires_grad_(), backend="cuda")


def test_triton_is_chosen_by_itself(triton_device):
    for operation in ("gamma_scan", "gamma_scan_each"):
        assert choose_backend(operation, torch.zeros(1, device=triton_device), None) == "cuda"
