"""The Triton kernels of the delays against the reference, on the same device."""

from __future__ import annotations

import pytest
import torch

from beyondrate.ops.backend import choose_backend
from beyondrate.ops.delay import DELAY_MODES, custom, delay

pytestmark = pytest.mark.triton

# samples, steps, units, steps of history, longest delay
CASES = [
    (2, 9, 5, 0, 4.0),
    (2, 9, 5, 6, 4.0),
    (1, 1, 1, 0, 0.0),
    (1, 1, 1, 3, 2.5),
    (3, 4, 67, 0, 3.0),
    (2, 5, 3, 2, 60.0),
    (0, 4, 3, 0, 2.0),
    (2, 0, 3, 0, 2.0),
    (2, 4, 0, 0, 2.0),
]
TYPES = [(torch.float64, 1e-10), (torch.float32, 1e-5)]


def sparse_spikes(*shape, device, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    spikes = torch.rand(shape, generator=generator) < 0.5
    return (values * spikes).to(device, dtype).requires_grad_()


def case_of(device, dtype, batch, time, unit, n_past, longest):
    x = sparse_spikes(batch, time, unit, device=device, dtype=dtype)
    history = sparse_spikes(batch, n_past, unit, device=device, dtype=dtype, seed=1) if n_past else None
    delays = torch.rand(unit, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * longest
    return x, delays.to(device, dtype).requires_grad_(), history


def outputs_and_gradients(x, delays, history, mode, backend):
    inputs = [tensor for tensor in (x, delays, history) if tensor is not None]
    y, _ = delay(x, delays, history, mode=mode, backend=backend)
    factors = torch.randn(y.shape, generator=torch.Generator().manual_seed(3)).to(y)
    return y.detach(), *torch.autograd.grad((factors * y).sum(), inputs, materialize_grads=True)


@pytest.mark.parametrize(("dtype", "tolerance"), TYPES)
@pytest.mark.parametrize("mode", DELAY_MODES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_mode_and_its_gradients(triton_device, case, mode, dtype, tolerance):
    given = case_of(triton_device, dtype, *case)
    found = outputs_and_gradients(*given, mode, "cuda")
    expected = outputs_and_gradients(*given, mode, "reference")
    if case in CASES[:2]:
        assert all(tensor.abs().max() > 0.1 for tensor in expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


def test_any_memory_layout(triton_device):
    x, delays, _ = case_of(triton_device, torch.float64, *CASES[0])
    other = x.detach().transpose(0, 2).contiguous().transpose(0, 2).requires_grad_()
    assert not other.is_contiguous()
    found = outputs_and_gradients(other, delays, None, "linear", "cuda")
    expected = outputs_and_gradients(x, delays, None, "linear", "cuda")
    assert all(torch.equal(one, another) for one, another in zip(found, expected, strict=True))


def test_torch_sees_a_proper_operation(triton_device):
    x, delays, _ = case_of(triton_device, torch.float64, 2, 4, 3, 0, 2.0)
    torch.library.opcheck(custom.delay, (x, delays, "linear", 1))


def test_triton_is_chosen_by_itself(triton_device):
    assert choose_backend("delay", torch.zeros(1, device=triton_device), None) == "cuda"
