"""The Triton kernels of the sigma-delta encoder against the reference, on the same device."""

from __future__ import annotations

import itertools

import pytest
import torch

from beyondrate.ops.backend import choose_backend
from beyondrate.ops.gamma import time_constants, transition
from beyondrate.ops.sigma_delta import CODES, SigmaDeltaParams, custom, sigma_delta, sigma_delta_step

pytestmark = pytest.mark.triton

VARIANTS = list(itertools.product(CODES, ((1.0, None), (0.7, None), (0.5, 1)), (True, False)))
# samples, steps, units, buckets
SHAPES = [(2, 5, 19, 5), (1, 1, 1, 1), (1, 4, 1, 3), (0, 4, 3, 2), (2, 0, 3, 2), (2, 4, 0, 2)]


def random_case(device, dtype, params, *shape):
    """Values and buckets that keep away from where a spike or a gate changes, and the chain."""
    cases = (draw_case(device, dtype, seed, *shape) for seed in itertools.count())
    return next(case for case in cases if distance_to_a_change(*case, params) > 1e-4)


def draw_case(device, dtype, seed, batch, time, unit, bucket):
    """Values and buckets, both with gradients, and the chain."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, time, unit, generator=generator, dtype=torch.float64).cumsum(1) * 0.3 + 0.5
    memory = torch.rand(batch, bucket, unit, generator=generator, dtype=torch.float64) * 0.1
    x, memory = (tensor.to(device, dtype).requires_grad_() for tensor in (x, memory))
    return x, memory, transition(time_constants(bucket, 0.01), 0.004).to(device)


@torch.no_grad()
def distance_to_a_change(x, memory, chain, params):
    memory, distances = memory.double(), [torch.ones(1)]
    for x_t in x.double().unbind(1):
        p = chain @ memory
        p = p.sum(1) if params.code == "sum" else p[:, 0]
        z, theta = x_t.clamp(min=0) - p, params.theta0 + params.adaptation * p
        quanta = (z - params.rho * theta) / theta
        distances += [(quanta - quanta.round()).abs(), (z + (1 - params.rho) * theta).abs(), x_t.abs()]
        memory = sigma_delta_step(x_t, chain, params, memory)[1]
    return min(float(distance.min()) for distance in distances if distance.numel())


def outputs_and_gradients(x, memory, chain, params, gated, backend):
    outputs = sigma_delta(x, chain, params, memory, gated=gated, backend=backend)
    generator = torch.Generator().manual_seed(1)
    loss = sum((torch.randn(y.shape, generator=generator).to(y) * y).sum() for y in outputs)
    gradients = torch.autograd.grad(loss, (x, memory), materialize_grads=True)
    return [tensor.detach() for tensor in (*outputs, *gradients)]


def assert_agree(found, expected, tolerance):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize(("code", "rule", "gated"), VARIANTS, ids=str)
def test_every_variant_and_its_gradients(triton_device, code, rule, gated, dtype, tolerance):
    rho, n_max = rule
    params = SigmaDeltaParams(theta0=0.2, mf=0.3, rho=rho, n_max=n_max, code=code)
    given = random_case(triton_device, dtype, params, 2, 9, 3, 4)
    found = outputs_and_gradients(*given, params, gated, "cuda")
    expected = outputs_and_gradients(*given, params, gated, "reference")
    assert 0.05 < (expected[0] > 0).double().mean() < 0.95
    assert all(tensor.abs().max() > 0.01 for tensor in expected)
    assert torch.equal(found[0] > 0, expected[0] > 0)
    assert_agree(found, expected, tolerance)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape(triton_device, shape):
    params = SigmaDeltaParams()
    given = random_case(triton_device, torch.float64, params, *shape)
    found = outputs_and_gradients(*given, params, True, "cuda")
    assert_agree(found, outputs_and_gradients(*given, params, True, "reference"), 1e-10)


def test_any_memory_layout(triton_device):
    params = SigmaDeltaParams()
    x, memory, chain = random_case(triton_device, torch.float64, params, 2, 6, 3, 4)
    others = [tensor.detach().transpose(0, 2).contiguous().transpose(0, 2) for tensor in (x, memory)]
    assert not any(other.is_contiguous() for other in others)
    found = outputs_and_gradients(*(o.requires_grad_() for o in others), chain, params, True, "cuda")
    assert_agree(found, outputs_and_gradients(x, memory, chain, params, True, "reference"), 1e-10)


def test_torch_sees_a_proper_operation(triton_device):
    params = SigmaDeltaParams()
    x, memory, chain = random_case(triton_device, torch.float64, params, 2, 3, 2, 2)
    options = True, params.theta0, params.adaptation, params.rho, params.most_quanta, True
    torch.library.opcheck(custom.sigma_delta, (x, memory, chain, *options))


def test_triton_is_chosen_by_itself(triton_device):
    assert choose_backend("sigma_delta", torch.zeros(1, device=triton_device), None) == "cuda"


def test_what_is_not_a_number_stays_so_in_its_unit(triton_device):
    chain = transition(time_constants(4, 0.01), 0.004).to(triton_device)
    x = torch.ones(2, 8, 3, device=triton_device)
    x[:, 5, 1] = float("nan")
    for params in (SigmaDeltaParams(), SigmaDeltaParams(n_max=2, code="first")):
        h, memory = sigma_delta(x, chain, params, backend="cuda")
        assert h[:, 5:].isnan().all((0, 1)).tolist() == [False, True, False]
        assert memory.isnan().all((0, 1)).tolist() == [False, True, False]
