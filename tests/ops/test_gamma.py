from __future__ import annotations

from decimal import Decimal, getcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.errors import InputError
from beyondrate.ops.gamma import (
    bucket_scale,
    custom,
    gamma_after,
    gamma_powers,
    gamma_scan,
    gamma_scan_each,
    gamma_step,
    time_constants,
    transition,
)

PROPERTY = settings(max_examples=40, deadline=None, derandomize=True)
BACKENDS = ["reference", "cpu"]


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def continuous_response(tau_s, t_s):
    """The buckets at time t after a spike, from the closed form, with fifty digits.

    m_k(t) = Π_{i<k} r_i · Σ_{i≤k} exp(-r_i t) / Π_{j≤k, j≠i} (r_j - r_i),  r = 1/τ
    """
    getcontext().prec = 50
    rates = [1 / Decimal(float(tau)) for tau in tau_s]
    out = []
    for k in range(len(rates)):
        chain, total = rates[: k + 1], Decimal(0)
        for i, rate in enumerate(chain):
            term = (-rate * Decimal(t_s)).exp()
            for j, other in enumerate(chain):
                term = term if j == i else term / (other - rate)
            total += term
        for rate in rates[:k]:
            total *= rate
        out.append(float(total))
    return torch.tensor(out, dtype=torch.float64)


def stepwise_response(dt_s, n_steps, mode):
    tau = time_constants(8, 0.005)
    memory = gamma_step(torch.zeros(1, 8, 1, dtype=torch.float64), torch.ones(1, 1), transition(tau, dt_s))
    chain = transition(tau, dt_s, mode)
    for _ in range(n_steps):
        memory = gamma_step(memory, torch.zeros(1, 1, dtype=torch.float64), chain)
    return memory[0, :, 0]


@pytest.mark.parametrize("dt_s", [0.01, 0.005, 0.001, 0.0001])
def test_the_exact_chain_is_the_continuous_one_at_any_dt(dt_s):
    for t_s in (0.01, 0.03, 0.1):
        found = stepwise_response(dt_s, round(t_s / dt_s), "exact")
        expected = continuous_response(time_constants(8, 0.005), t_s)
        assert expected.max() > 1e-2
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_the_cascade_nears_the_continuous_chain_as_dt_falls():
    expected = continuous_response(time_constants(8, 0.005), 0.02)
    errors = [
        float((stepwise_response(dt_s, round(0.02 / dt_s), "cascade") - expected).abs().max())
        for dt_s in (0.01, 0.005, 0.001, 0.0001)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.05 > errors[2]
    assert errors[2] / errors[3] == pytest.approx(10, rel=0.3)  # first order in dt


def test_what_leaves_a_bucket_enters_the_next():
    kept = transition(time_constants(6, 0.01), 0.003, "cascade").sum(0)
    torch.testing.assert_close(kept[:-1], torch.ones(5, dtype=torch.float64), rtol=0, atol=1e-15)
    assert 0.5 < kept[-1] < 1
    exact = transition(time_constants(6, 0.01), 0.003)
    assert torch.equal(exact, exact.tril())
    assert bool((exact.sum(0).diff() < 0).all())  # the further down the chain, the sooner it leaves


def test_scales_make_the_buckets_alike():
    tau, dt_s = time_constants(8, 0.005), 1e-5
    powers = gamma_powers(transition(tau, dt_s), 60_000)[:, :, 0]
    gain, energy = powers.sum(0) * dt_s, powers.square().sum(0) * dt_s
    dc, rms = bucket_scale(tau, "dc") * gain, bucket_scale(tau, "rms") * energy.sqrt()
    torch.testing.assert_close(dc, torch.full_like(dc, float(tau.sum())), rtol=5e-3, atol=0)
    torch.testing.assert_close(rms, torch.full_like(rms, float((tau.sum() / 2).sqrt())), rtol=5e-3, atol=0)
    assert bucket_scale(tau, "mass").tolist() == [1.0] * 8
    for scale in ("dc", "mass", "rms"):
        torch.testing.assert_close(bucket_scale(tau[:1], scale), torch.ones(1, dtype=torch.float64))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_scan_by_hand(backend):
    chain = torch.tensor([[0.5, 0.0], [0.25, 0.5]], dtype=torch.float64)
    u = torch.tensor([[[1.0], [0.0], [2.0]]], dtype=torch.float64)
    gain = torch.tensor([[1.0], [10.0]], dtype=torch.float64)
    x = gamma_scan(u, gain, chain, torch.tensor([100.0], dtype=torch.float64), backend=backend)
    assert x.flatten().tolist() == [101.0, 100.5 + 2.5, 102.25 + 10 * (0.125 + 0.125)]
    assert gamma_scan(u[:, :0], gain, chain, backend=backend).shape == (1, 0, 1)
    each = torch.zeros(1, 3, 2, 1, dtype=torch.float64)
    each[0, 0, :, 0] = torch.tensor([1.0, 4.0])
    assert gamma_scan_each(each, chain, backend=backend).flatten().tolist() == [1.0, 1.5, 0.25 + 1.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_chain_may_forget_everything_within_a_step(backend):
    u, gain = randn(2, 5, 3), randn(3, 3, seed=1)
    x = gamma_scan(u, gain, torch.zeros(3, 3, dtype=u.dtype), backend=backend)
    torch.testing.assert_close(x, u * gain[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_gradients_are_exact(backend):
    chain = transition(time_constants(5, 0.01), 0.004)
    u, gain, bias = randn(2, 7, 3), randn(5, 3, seed=1), randn(3, seed=2)
    inputs = [tensor.requires_grad_() for tensor in (u, gain, bias)]
    assert torch.autograd.gradcheck(lambda u, g, b: gamma_scan(u, g, chain, b, backend=backend), inputs)
    each = [randn(2, 6, 5, 3).requires_grad_(), inputs[2]]
    assert torch.autograd.gradcheck(lambda u, b: gamma_scan_each(u, chain, b, backend=backend), each)


def test_time_constants_have_a_gradient():
    u, gain = randn(2, 9, 3), randn(4, 3, seed=1)

    def read(log_tau):
        tau = log_tau.exp()
        return gamma_scan(u, bucket_scale(tau, "rms")[:, None] * gain, transition(tau, 0.004))

    assert torch.autograd.gradcheck(read, time_constants(4, 0.01).log().requires_grad_())


@PROPERTY
@given(
    batch=st.integers(0, 3),
    time=st.integers(1, 12),
    unit=st.sampled_from([0, 1, 2, 5, 16, 17, 31, 33, 48, 70, 100]),
    n_buckets=st.integers(1, 11),
    mode=st.sampled_from(["exact", "cascade"]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 100),
)
def test_the_kernels_agree_with_the_reference(batch, time, unit, n_buckets, mode, dtype, seed):
    chain = transition(time_constants(n_buckets, 0.01), 0.004, mode)
    shared = randn(batch, time, unit, seed=seed, dtype=dtype), randn(n_buckets, unit, dtype=dtype)
    each, bias = randn(batch, time, n_buckets, unit, seed=seed, dtype=dtype), randn(unit, seed=3, dtype=dtype)
    for tensor in (*shared, each, bias):
        tensor.requires_grad_()
    found, expected = [], []
    for backend, results in (("cpu", found), ("reference", expected)):
        for x, inputs in (
            (gamma_scan(*shared, chain, bias, backend=backend), (*shared, bias)),
            (gamma_scan_each(each, chain, bias, backend=backend), (each, bias)),
        ):
            gradients = torch.autograd.grad((x * randn(*x.shape, seed=9, dtype=dtype)).sum(), inputs)
            results += [x, *gradients]
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_not_a_number_stays_so_in_its_unit(backend):
    chain = transition(time_constants(4, 0.01), 0.004)
    u, gain = randn(2, 12, 3), randn(4, 3, seed=1).requires_grad_()
    u[:, 5, 1] = float("nan")
    u.requires_grad_()
    x = gamma_scan(u, gain, chain, backend=backend)
    assert x[:, 5:].isnan().all((0, 1)).tolist() == [False, True, False]
    assert not x[:, :5].isnan().any()
    grad_u, grad_gain = torch.autograd.grad((x[:, :, 2] * float("nan")).sum(), (u, gain))
    assert grad_u.isnan().all((0, 1)).tolist() == [False, False, True]
    assert grad_gain[:, 2].isnan().all()


def test_many_samples_of_many_units_keep_apart():
    """Samples share blocks, of which the last is not full."""
    chain = transition(time_constants(8, 0.01), 0.004)
    u, gain = randn(7, 12, 200).requires_grad_(), randn(8, 200, seed=1).requires_grad_()
    bias, results = randn(200, seed=2).requires_grad_(), []
    for backend in BACKENDS:
        x = gamma_scan(u, gain, chain, bias, backend=backend)
        results.append((x, *torch.autograd.grad((x * randn(7, 12, 200, seed=3)).sum(), (u, gain, bias))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_one_chain_a_bucket_is_the_shared_chain_where_the_weights_allow_it():
    chain, gain = transition(time_constants(8, 0.01), 0.004), randn(8, 5, seed=1)
    u = randn(3, 20, 5)
    shared = gamma_scan(u, gain, chain)
    torch.testing.assert_close(gamma_scan_each(u[:, :, None] * gain, chain), shared, rtol=0, atol=1e-12)


@PROPERTY
@given(cut=st.integers(0, 30), seed=st.integers(0, 100))
def test_the_memory_after_a_sequence_is_that_of_its_steps(cut, seed):
    chain, u = transition(time_constants(6, 0.01), 0.004), randn(2, 30, 3, seed=seed)
    memory = torch.zeros(2, 6, 3, dtype=torch.float64)
    for u_t in u.unbind(1):
        memory = gamma_step(memory, u_t, chain)
    whole = gamma_after(None, u, chain)
    parts = gamma_after(gamma_after(None, u[:, :cut], chain), u[:, cut:], chain)
    assert memory.abs().max() > 0.1
    torch.testing.assert_close(whole, memory, rtol=0, atol=1e-12)
    torch.testing.assert_close(parts, memory, rtol=0, atol=1e-12)


def test_silence_after_a_spike_leaves_no_denormal_numbers():
    chain = transition(time_constants(8, 0.001), 0.001)
    u = torch.zeros(1, 1500, 4)
    u[:, 0] = 1.0
    x = gamma_scan(u, torch.ones(8, 4), chain)
    smallest = torch.finfo(torch.float32).tiny
    assert x[0, 10].min() > 0
    assert bool(((x == 0) | (x.abs() >= smallest)).all())
    assert x[0, -1].abs().max() == 0


def test_the_number_of_threads_changes_no_bit(with_threads):
    chain = transition(time_constants(8, 0.01), 0.004)
    u, gain = randn(16, 40, 32, dtype=torch.float32).requires_grad_(), randn(8, 32, dtype=torch.float32)
    gain.requires_grad_()
    results = []
    for n_threads in (1, 3):
        with with_threads(n_threads):
            x = gamma_scan(u, gain, chain)
            results.append((x, *torch.autograd.grad(x.square().sum(), (u, gain))))
    assert all(torch.equal(one, three) for one, three in zip(*results, strict=True))


def test_torch_sees_proper_operations():
    chain = transition(time_constants(3, 0.01), 0.004)
    shared = randn(2, 4, 5).requires_grad_(), randn(3, 5).requires_grad_(), randn(5).requires_grad_()
    each = randn(2, 4, 3, 5).requires_grad_(), randn(5).requires_grad_()
    torch.library.opcheck(custom.gamma_scan, (*shared, chain))
    torch.library.opcheck(custom.gamma_scan_each, (*each, chain))


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="n_buckets is 0"):
        time_constants(0, 0.005)
    with pytest.raises(InputError, match="memory_s is -1"):
        time_constants(8, -1)
    tau = time_constants(2, 0.005)
    with pytest.raises(InputError, match="dt_s is 0"):
        transition(tau, 0)
    with pytest.raises(InputError, match=r"gamma mode is 'euler'.*cascade"):
        transition(tau, 0.001, "euler")
    with pytest.raises(InputError, match=r"bucket scale is 'max'.*rms"):
        bucket_scale(tau, "max")
    chain, u = transition(tau, 0.001), torch.zeros(1, 3, 4)
    with pytest.raises(InputError, match=r"gain has shape \(3, 4\)"):
        gamma_scan(u, torch.zeros(3, 4), chain)
    with pytest.raises(InputError, match=r"bias has shape \(3,\)"):
        gamma_scan(u, torch.zeros(2, 4), chain, torch.zeros(3))
    with pytest.raises(InputError, match=r"u has shape \(1, 3, 4, 5\)"):
        gamma_scan_each(torch.zeros(1, 3, 4, 5), chain)
    with pytest.raises(InputError, match="no gradient of the transition"):
        gamma_scan(u, torch.zeros(2, 4), chain.requires_grad_(), backend="cpu")
