from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.errors import InputError
from beyondrate.ops.delay import DELAY_MODES, custom, delay, delay_step, initial_history

PROPERTY = settings(max_examples=40, deadline=None, derandomize=True)
BACKENDS = ["reference", "cpu"]


def sparse_spikes(*shape, seed=0, share=0.3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (values * (torch.rand(shape, generator=generator) < share)).to(dtype).requires_grad_()


def outputs_and_gradients(x, delays, history, mode, backend):
    inputs = [tensor for tensor in (x, delays, history) if tensor is not None]
    y, _ = delay(x, delays, history, mode=mode, backend=backend)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y.dtype)
    return y.detach(), torch.autograd.grad((weights * y).sum(), inputs, materialize_grads=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_linear_delays_by_hand(backend):
    x = torch.zeros(1, 6, 4, dtype=torch.float64)
    x[0, 1] = 1.0
    x[0, 4] = 10.0
    y, _ = delay(x, torch.tensor([0.0, 1.0, 1.25, 7.0], dtype=torch.float64), backend=backend)
    assert y[0, :, 0].tolist() == [0, 1, 0, 0, 10, 0]
    assert y[0, :, 1].tolist() == [0, 0, 1, 0, 0, 10]
    assert y[0, :, 2].tolist() == [0, 0, 0.75, 0.25, 0, 7.5]
    assert y[0, :, 3].tolist() == [0] * 6


@pytest.mark.parametrize("backend", BACKENDS)
def test_floor_and_central_delay_by_whole_steps(backend):
    x = torch.zeros(1, 5, 2, dtype=torch.float64)
    x[0, 1] = 1.0
    delays = torch.tensor([1.4, 1.6], dtype=torch.float64)
    floor, _ = delay(x, delays, mode="floor", backend=backend)
    central, _ = delay(x, delays, mode="central", backend=backend)
    assert floor[0].T.tolist() == [[0, 0, 1, 0, 0], [0, 0, 1, 0, 0]]
    assert central[0].T.tolist() == [[0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_linear_gradient_is_exact(backend):
    x = sparse_spikes(2, 9, 5)
    delays = torch.tensor([0.2, 1.5, 2.7, 4.4, 12.3], dtype=torch.float64, requires_grad=True)
    history = sparse_spikes(2, 14, 5, seed=3)
    assert torch.autograd.gradcheck(lambda *args: delay(*args, backend=backend)[0], (x, delays, history))
    assert torch.autograd.gradcheck(lambda *args: delay(*args, backend=backend)[0], (x, delays))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_other_gradients_are_the_stated_differences_of_the_output(backend):
    """floor: y[t-1] - y[t] (SLAYER); central: (y[t-1] - y[t+1]) / 2."""
    x = sparse_spikes(2, 30, 4)
    with torch.no_grad():
        x[:, 0] = 0
        x[:, -8:] = 0  # the output beyond the end is then 0, as y[t+1] takes it
    delays = torch.tensor([0.3, 1.6, 2.2, 5.5], dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 30, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    before_and_after = [torch.roll(delay(x, delays, mode=m)[0], 1, 1) for m in ("floor", "central")]
    floor, central = (delay(x, delays, mode=m, backend=backend)[0] for m in ("floor", "central"))
    expected_floor = (weights * (before_and_after[0] - floor)).sum((0, 1))
    expected_central = (weights * (before_and_after[1] - torch.roll(central, -1, 1)) / 2).sum((0, 1))
    (found_floor,) = torch.autograd.grad((weights * floor).sum(), delays)
    (found_central,) = torch.autograd.grad((weights * central).sum(), delays)
    assert found_floor.abs().min() > 1e-3
    torch.testing.assert_close(found_floor, expected_floor.detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(found_central, expected_central.detach(), rtol=0, atol=1e-12)


@PROPERTY
@given(
    batch=st.integers(0, 3),
    time=st.integers(0, 20),
    unit=st.integers(0, 6),
    n_past=st.integers(0, 12),
    longest=st.sampled_from([0.0, 1.0, 10.0, 60.0]),
    mode=st.sampled_from(DELAY_MODES),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 100),
)
def test_any_shape_and_any_delay(batch, time, unit, n_past, longest, mode, dtype, seed):
    x = sparse_spikes(batch, time, unit, seed=seed, dtype=dtype)
    history = sparse_spikes(batch, n_past, unit, seed=seed + 1, dtype=dtype) if n_past else None
    generator = torch.Generator().manual_seed(seed)
    delays = (torch.rand(unit, generator=generator, dtype=torch.float64) * longest).to(dtype).requires_grad_()
    y, gradients = outputs_and_gradients(x, delays, history, mode, "cpu")
    expected_y, expected_gradients = outputs_and_gradients(x, delays, history, mode, "reference")
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    assert y.shape == (batch, time, unit)
    for found, expected in zip((y, *gradients), (expected_y, *expected_gradients), strict=True):
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@PROPERTY
@given(
    cuts=st.lists(st.integers(0, 25), max_size=3),
    mode=st.sampled_from(DELAY_MODES),
    seed=st.integers(0, 100),
)
def test_any_split_of_a_sequence_gives_what_the_whole_gives(cuts, mode, seed):
    x = sparse_spikes(2, 25, 5, seed=seed)
    delays = torch.tensor([0.0, 0.4, 3.5, 7.2, 30.0], dtype=torch.float64, requires_grad=True)
    whole, _ = delay(x, delays, mode=mode)
    pieces, history = [], None
    for first, stop in itertools.pairwise([0, *sorted(cuts), 25]):
        y, history = delay(x[:, first:stop], delays, history, mode=mode)
        pieces.append(y)
    steps, stepped = [], initial_history(x, delays)
    for t in range(25):
        y, stepped = delay_step(x[:, t], delays, stepped, mode=mode)
        steps.append(y)
    assert whole.abs().sum() > 0
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.stack(steps, 1), whole, rtol=0, atol=1e-12)
    assert torch.equal(history, stepped)


def test_gradients_pass_from_piece_to_piece():
    x = sparse_spikes(2, 25, 4)
    delays = torch.tensor([0.4, 3.5, 7.2, 11.8], dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 25, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    first, history = delay(x[:, :10], delays)
    second, _ = delay(x[:, 10:], delays, history)
    found = torch.autograd.grad((weights * torch.cat([first, second], 1)).sum(), (x, delays))
    expected = torch.autograd.grad((weights * delay(x, delays)[0]).sum(), (x, delays))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_the_number_of_threads_changes_no_bit(with_threads):
    x = sparse_spikes(16, 64, 64, dtype=torch.float32)
    delays = (torch.rand(64, generator=torch.Generator().manual_seed(0)) * 20).requires_grad_()
    with with_threads(1):
        one = outputs_and_gradients(x, delays, None, "linear", "cpu")
    with with_threads(3):
        three = outputs_and_gradients(x, delays, None, "linear", "cpu")
    for left, right in zip((one[0], *one[1]), (three[0], *three[1]), strict=True):
        assert torch.equal(left, right)


def test_torch_sees_a_proper_operation():
    x = sparse_spikes(2, 6, 3)
    delays = torch.tensor([0.5, 1.5, 2.5], dtype=torch.float64, requires_grad=True)
    torch.library.opcheck(custom.delay, (x, delays, "linear", 2))


def test_what_cannot_be_is_refused():
    x = torch.zeros(1, 3, 2)
    with pytest.raises(InputError, match=r"a delay is -0\.5 steps"):
        delay(x, torch.tensor([1.0, -0.5]))
    with pytest.raises(InputError, match="a delay is nan steps"):
        delay(x, torch.tensor([1.0, float("nan")]))
    with pytest.raises(InputError, match=r"delay mode is 'cubic'.*central"):
        delay(x, torch.tensor([1.0, 0.5]), mode="cubic")


@pytest.mark.parametrize("steps", [-1.0, float("nan"), float("inf"), 1e30])
def test_what_is_no_delay_is_refused_everywhere(steps):
    x, delays = torch.zeros(1, 4, 2), torch.tensor([1.0, steps])
    history = initial_history(x, torch.tensor([3.0]))
    for mode in DELAY_MODES:
        with pytest.raises(InputError, match="a delay is"):
            delay(x, delays, mode=mode)
        with pytest.raises(InputError, match="a delay is"):
            delay_step(x[:, 0], delays, history, mode=mode)
    with pytest.raises(InputError, match="a delay is"):
        initial_history(x, delays)


@pytest.mark.parametrize("n_delays", [1, 2, 4])
def test_there_is_one_delay_a_unit(n_delays):
    """Kernels look at no size, and would read beyond the end."""
    x, delays = torch.zeros(1, 4, 3), torch.ones(n_delays)
    with pytest.raises(InputError, match=r"delays have shape .*give shape \(3,\)"):
        delay(x, delays)
    with pytest.raises(InputError, match=r"delays have shape .*give shape \(3,\)"):
        delay_step(x[:, 0], delays, torch.zeros(1, 3, 3))
