from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.errors import InputError
from beyondrate.ops.gamma import time_constants, transition
from beyondrate.ops.sigma_delta import (
    SigmaDeltaParams,
    custom,
    estimate,
    quanta,
    sigma_delta,
    sigma_delta_step,
    spatial_ratio,
    trace_step,
)

PROPERTY = settings(max_examples=40, deadline=None, derandomize=True)
BACKENDS = ["reference", "cpu"]
CHAIN = transition(time_constants(5, 0.01), 0.004)

PARAMS = st.builds(
    SigmaDeltaParams,
    theta0=st.sampled_from([0.05, 0.3]),
    mf=st.sampled_from([None, 0.0, 0.5]),
    rho=st.sampled_from([0.5, 0.8, 1.0]),
    n_max=st.sampled_from([None, 1, 3]),
    code=st.sampled_from(["sum", "first"]),
)


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def values(*shape, seed=0, dtype=torch.float64):
    """Values that wander, so that the units are now below their estimates and now above."""
    return (randn(*shape, seed=seed).cumsum(1) * 0.3 + 0.5).to(dtype)


def loop_by_hand(x, params):
    """Code one value after another, with lists; return heights and quanta."""
    chain, buckets = CHAIN.tolist(), [0.0] * len(CHAIN)
    rows = []
    for x_t in x:
        buckets = [sum(w * m for w, m in zip(row, buckets, strict=True)) for row in chain]
        p = sum(buckets) if params.code == "sum" else buckets[0]
        z, theta = max(x_t, 0.0) - p, params.theta0 + (params.theta0 if params.mf is None else params.mf) * p
        n = 0 if z < params.rho * theta else math.floor((z - params.rho * theta) / theta) + 1
        n = n if params.n_max is None else min(n, params.n_max)
        buckets[0] += n * theta
        rows.append((n * theta, n))
    return [torch.tensor(column, dtype=torch.float64) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("backend", BACKENDS)
@PROPERTY
@given(params=PARAMS, seed=st.integers(0, 1000))
def test_the_spikes_are_those_of_the_rule(backend, params, seed):
    x = values(2, 30, 3, seed=seed)
    spikes, memory = sigma_delta(x, CHAIN, params, backend=backend)
    counted = quanta(spikes, CHAIN, params)
    for sample in range(2):
        for unit in range(3):
            height, n = loop_by_hand(x[sample, :, unit].tolist(), params)
            torch.testing.assert_close(spikes[sample, :, unit], height, rtol=0, atol=1e-12)
            assert torch.equal(counted[sample, :, unit], n)
    last = estimate(spikes, CHAIN, params)[:, -1]
    read = memory.sum(1) if params.code == "sum" else memory[:, 0]
    torch.testing.assert_close(last, read, rtol=0, atol=1e-12)


@PROPERTY
@given(params=PARAMS, seed=st.integers(0, 1000))
def test_the_estimate_keeps_up_from_below(params, seed):
    params = SigmaDeltaParams(params.theta0, params.mf, params.rho, None, params.code)
    x = values(2, 40, 4, seed=seed)
    spikes, _ = sigma_delta(x, CHAIN, params)
    code = estimate(spikes, CHAIN, params)
    theta = params.theta0 + params.adaptation * (code - spikes)
    whole = spikes / theta
    assert spikes.max() > 0
    assert bool((x.relu() - code < params.rho * theta + 1e-12).all())
    assert (whole - whole.round()).abs().max() < 1e-9


@pytest.mark.parametrize("backend", BACKENDS)
def test_silence_is_coded_by_silence(backend):
    for x in (torch.zeros(2, 50, 3), -values(2, 50, 3).abs()):
        spikes, memory = sigma_delta(x, CHAIN, SigmaDeltaParams(), backend=backend)
        assert spikes.abs().sum() == 0 == memory.abs().sum()


def test_binary_spikes_take_longer_to_rise():
    x = torch.full((1, 60, 1), 1.0, dtype=torch.float64)
    graded, _ = sigma_delta(x, CHAIN, SigmaDeltaParams(mf=0.0))
    binary, _ = sigma_delta(x, CHAIN, SigmaDeltaParams(mf=0.0, n_max=1))
    assert set(binary.unique().tolist()) == {0.0, 0.1}
    assert graded[0, 0, 0] == pytest.approx(1.0, abs=0.11)
    assert estimate(binary, CHAIN, SigmaDeltaParams())[0, 3, 0] == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("code", ["sum", "first"])
@pytest.mark.parametrize("rho", [1.0, 0.5])
def test_the_gradient_is_that_of_the_spike_free_loop(backend, gated, code, rho):
    """Finite differences of u = g (y - qᵀ M m), with the gates that the spiking loop had."""
    params = SigmaDeltaParams(theta0=0.2, rho=rho, code=code)
    x = values(1, 25, 4, seed=3).requires_grad_()
    memory = randn(1, 5, 4, seed=4).abs().mul(0.05).requires_grad_()
    gates, m = [], memory.detach()
    for x_t in x.detach().unbind(1):
        p = (CHAIN @ m).sum(1) if code == "sum" else (CHAIN @ m)[:, 0]
        z = x_t.relu() - p
        gates.append((z > (rho - 1) * (0.2 + 0.2 * p)).double() if gated else torch.ones_like(z))
        _, m = sigma_delta_step(x_t, CHAIN, params, m)
    closed = 1 - torch.stack(gates).mean()
    assert closed > 0.01 if gated else closed == 0

    def spike_free(x, m):
        us = []
        for x_t, gate in zip(x.unbind(1), gates, strict=True):
            passed_on = CHAIN @ m
            u = gate * (x_t.relu() - (passed_on.sum(1) if code == "sum" else passed_on[:, 0]))
            us.append(u)
            m = torch.cat([passed_on[:, :1] + u[:, None], passed_on[:, 1:]], 1)
        return torch.stack(us, 1), m

    weights = randn(1, 25, 4, seed=1), randn(1, 5, 4, seed=2)

    def loss(outputs):
        return sum((weight * output).sum() for weight, output in zip(weights, outputs, strict=True))

    coded = sigma_delta(x, CHAIN, params, memory, gated=gated, backend=backend)
    found = torch.autograd.grad(loss(coded), (x, memory))
    for gradient, values_of in zip(found, (x, memory), strict=True):
        numeric = torch.zeros_like(values_of)
        for index in range(values_of.numel()):
            moved = []
            for step in (1e-6, -1e-6):
                inputs = [tensor.detach().clone() for tensor in (x, memory)]
                inputs[0 if values_of is x else 1].view(-1)[index] += step
                moved.append(loss(spike_free(*inputs)))
            numeric.view(-1)[index] = (moved[0] - moved[1]) / 2e-6
        assert gradient.abs().max() > 0.1
        torch.testing.assert_close(gradient, numeric, rtol=0, atol=1e-7)


def test_the_gated_gradient_is_the_limit_of_small_thresholds():
    """Against the fluid limit u = max(0, y - qᵀ M m), whose gradient autograd knows."""
    x = values(4, 40, 6, seed=5).requires_grad_()
    weight = randn(4, 40, 6, seed=6).cumsum(1)
    m, us = torch.zeros(4, 5, 6, dtype=torch.float64), []
    for x_t in x.unbind(1):
        passed_on = CHAIN @ m
        us.append((x_t.relu() - passed_on.sum(1)).relu())
        m = torch.cat([passed_on[:, :1] + us[-1][:, None], passed_on[:, 1:]], 1)
    fluid = torch.stack(us, 1)
    (exact,) = torch.autograd.grad((weight * fluid).sum(), x)
    errors, angles = [], {True: [], False: []}
    for theta0 in (0.3, 0.03, 0.003):
        for gated in (True, False):
            h, _ = sigma_delta(x, CHAIN, SigmaDeltaParams(theta0), gated=gated)
            (found,) = torch.autograd.grad((weight * h).sum(), x)
            angles[gated].append(float(torch.cosine_similarity(found.flatten(), exact.flatten(), 0)))
        smooth, target = estimate(h, CHAIN, SigmaDeltaParams()), estimate(fluid, CHAIN, SigmaDeltaParams())
        errors.append(float((smooth - target).detach().abs().max()))
    assert errors[0] > 3 * errors[1] > 9 * errors[2] > 0
    assert angles[True][0] < angles[True][1] < angles[True][2]
    assert angles[True][2] > 0.99
    assert angles[False][2] < 0.95


def test_traces_forward_in_time_are_the_gradient_backward():
    """Σ_t D(t)·E(t) of a weight w in y = w a(t) is what ``full`` gives, with D = ∂L/∂m(t)."""
    a, w = values(2, 30, 3, seed=7).abs(), randn(3, seed=8).abs().requires_grad_()
    params, direct = SigmaDeltaParams(0.2), randn(2, 30, 5, 3, seed=9)
    memory = trace = torch.zeros(2, 5, 3, dtype=torch.float64)
    loss, online = 0.0, 0.0
    for t in range(30):
        _, memory = sigma_delta_step(w * a[:, t], CHAIN, params, memory, gated=False)
        trace = trace_step(trace, a[:, t], CHAIN, params)
        loss = loss + (direct[:, t] * memory).sum()
        online = online + (direct[:, t] * trace).sum((0, 1))
    (full,) = torch.autograd.grad(loss, w)
    assert full.abs().min() > 0.1
    torch.testing.assert_close(online, full, rtol=1e-12, atol=1e-12)


def test_the_spatial_ratio_is_how_buckets_follow_a_constant():
    tau = time_constants(6, 0.002)
    for code in ("sum", "first"):
        params = SigmaDeltaParams(1e-4, code=code)
        _, memory = sigma_delta(
            torch.full((1, 12_000, 1), 2.0, dtype=torch.float64), transition(tau, 5e-5), params
        )
        torch.testing.assert_close(memory[0, :, 0] / 2, spatial_ratio(tau, params), rtol=0.05, atol=0)


@PROPERTY
@given(
    batch=st.integers(0, 3),
    time=st.integers(1, 14),
    unit=st.integers(0, 9),
    params=PARAMS,
    gated=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_the_kernels_agree_with_the_reference(batch, time, unit, params, gated, seed):
    x = values(batch, time, unit, seed=seed).requires_grad_()
    memory = randn(batch, 5, unit, seed=seed + 1).abs().mul(0.1).requires_grad_()
    results = []
    for backend in BACKENDS:
        h, end = sigma_delta(x, CHAIN, params, memory, gated=gated, backend=backend)
        loss = (h * randn(*h.shape, seed=2)).sum() + (end * randn(*end.shape, seed=3)).sum()
        results.append((h, end, *torch.autograd.grad(loss, (x, memory))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_the_kernels_agree_in_single_precision():
    """On values that keep all quanta 1e-4 from the next threshold, found by moving the thresholds."""
    x, params = values(4, 40, 64, seed=4), SigmaDeltaParams(0.2)
    moved = [quanta(sigma_delta(x + d, CHAIN, params)[0], CHAIN, params) for d in (-1e-4, 0.0, 1e-4)]
    same = ((moved[0] == moved[1]) & (moved[1] == moved[2])).all(1, keepdim=True)
    assert same.double().mean() > 0.5
    x = (x * same).float().requires_grad_()
    results = []
    for backend in BACKENDS:
        h, end = sigma_delta(x, CHAIN, params, backend=backend)
        results.append((h, end, *torch.autograd.grad((h * randn(4, 40, 64).float()).sum(), x)))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_not_a_number_stays_so_in_its_unit(backend):
    chain, x = transition(time_constants(4, 0.01), 0.004), values(2, 12, 3)
    x[:, 5, 1] = float("nan")
    for params in (SigmaDeltaParams(), SigmaDeltaParams(n_max=2, code="first")):
        h, memory = sigma_delta(x, chain, params, backend=backend)
        assert h[:, 5:].isnan().all((0, 1)).tolist() == [False, True, False]
        assert memory.isnan().all((0, 1)).tolist() == [False, True, False]


def test_many_samples_of_many_units_keep_apart():
    """Samples share blocks: the last block is not full, and what one sample holds reaches no other."""
    x, memory = values(7, 12, 200, seed=4).requires_grad_(), randn(7, 5, 200).abs().requires_grad_()
    results = []
    for backend in BACKENDS:
        h, end = sigma_delta(x, CHAIN, SigmaDeltaParams(), memory, backend=backend)
        results.append((h, end, *torch.autograd.grad((h * randn(7, 12, 200)).sum(), (x, memory))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    broken = x.detach().clone()
    broken[0] = float("nan")
    assert torch.equal(sigma_delta(broken, CHAIN, SigmaDeltaParams(), memory)[0][1:], results[1][0][1:])


@PROPERTY
@given(cut=st.integers(0, 30), gated=st.booleans(), seed=st.integers(0, 100))
def test_any_split_gives_what_the_whole_gives_with_its_gradient(cut, gated, seed):
    x, params = values(2, 30, 3, seed=seed).requires_grad_(), SigmaDeltaParams()
    whole, end = sigma_delta(x, CHAIN, params, gated=gated)
    first, memory = sigma_delta(x[:, :cut], CHAIN, params, gated=gated)
    second, memory = sigma_delta(x[:, cut:], CHAIN, params, memory, gated=gated)
    parts = torch.cat([first, second], 1)
    weight = randn(2, 30, 3, seed=1)
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(memory, end, rtol=0, atol=1e-12)
    found, expected = (torch.autograd.grad((weight * h).sum(), x)[0] for h in (parts, whole))
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


def test_the_number_of_threads_changes_no_bit(with_threads):
    x, results = values(16, 40, 32, dtype=torch.float32).requires_grad_(), []
    for n_threads in (1, 3):
        with with_threads(n_threads):
            h, memory = sigma_delta(x, CHAIN, SigmaDeltaParams())
            results.append((h, memory, *torch.autograd.grad(h.square().sum(), x)))
    assert all(torch.equal(one, three) for one, three in zip(*results, strict=True))


def test_torch_sees_a_proper_operation():
    x, memory = values(2, 6, 3).requires_grad_(), randn(2, 5, 3).abs().requires_grad_()
    torch.library.opcheck(custom.sigma_delta, (x, memory, CHAIN, True, 0.1, 0.1, 1.0, math.inf, True))


def test_what_cannot_be_is_refused():
    for name, value in (("theta0", 0.0), ("mf", -0.1), ("rho", 0.0), ("rho", 1.1), ("n_max", 0)):
        with pytest.raises(InputError, match=f"{name} is {value}"):
            SigmaDeltaParams(**{name: value})
    with pytest.raises(InputError, match=r"code is 'last'.*first"):
        SigmaDeltaParams(code="last")
    with pytest.raises(InputError, match=r"memory has shape \(1, 5, 2\)"):
        sigma_delta(torch.zeros(1, 3, 4), CHAIN, SigmaDeltaParams(), torch.zeros(1, 5, 2))
    with pytest.raises(InputError, match="no gradient of the transition"):
        sigma_delta(torch.zeros(1, 3, 4), CHAIN.clone().requires_grad_(), SigmaDeltaParams(), backend="cpu")
