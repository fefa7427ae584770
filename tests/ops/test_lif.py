from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.errors import InputError
from beyondrate.ops.lif import (
    SURROGATES,
    LIFParams,
    LIFState,
    custom,
    initial_state,
    leaky_integrate,
    lif,
    lif_step,
)

PROPERTY = settings(max_examples=25, deadline=None, derandomize=True)
VARIANTS = list(itertools.product(("hard", "soft"), (True, False), (False, True)))


def random_case(batch, time, unit, *, filtered, per_unit=True, seed=0, dtype=torch.float64, **options):
    """Currents, parameters and a state, all with gradients, that make the units spike often."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape, scale=1.0, shift=0.0):
        values = torch.rand(shape, generator=generator, dtype=torch.float64) * scale + shift
        return values.to(dtype).requires_grad_()

    shape = (unit,) if per_unit else ()
    current = draw(batch, time, unit, scale=2.0, shift=-0.7)
    params = LIFParams(
        decay=draw(*shape, scale=0.5, shift=0.5),
        current_decay=draw(*shape, scale=0.6, shift=0.2) if filtered else None,
        **options,
    )
    state = LIFState(draw(batch, unit), draw(batch, unit) if filtered else None)
    return current, params, state


def leaves(current, params, state):
    return [x for x in (current, params.decay, params.current_decay, *state) if x is not None]


def outputs_and_gradients(case, backend, seed=1):
    current, params, state = case
    spikes, end = lif(current, params, state, backend=backend)
    outputs = [spikes, *(x for x in end if x is not None)]
    generator = torch.Generator().manual_seed(seed)
    loss = sum((torch.randn(x.shape, generator=generator, dtype=x.dtype) * x).sum() for x in outputs)
    gradients = torch.autograd.grad(loss, leaves(*case), materialize_grads=True)
    return [x.detach() for x in outputs], gradients


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize(("reset", "detach_reset", "filtered"), VARIANTS)
def test_the_backward_pass_equals_autograd_of_the_reference(reset, detach_reset, filtered, surrogate):
    options = {"reset": reset, "detach_reset": detach_reset, "surrogate": surrogate, "slope": 3.0}
    case = random_case(3, 23, 5, filtered=filtered, **options)
    outputs, gradients = outputs_and_gradients(case, "cpu")
    expected_outputs, expected_gradients = outputs_and_gradients(case, "reference")
    assert 0.05 < outputs[0].mean() < 0.95
    for found, expected in zip(outputs, expected_outputs, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    for found, expected in zip(gradients, expected_gradients, strict=True):
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_the_variants_differ():
    """A guard for the comparison above: no option is ignored by both sides."""
    found = []
    for reset, detach_reset, filtered in VARIANTS:
        for surrogate in SURROGATES:
            options = {"reset": reset, "detach_reset": detach_reset, "surrogate": surrogate, "slope": 3.0}
            case = random_case(3, 23, 5, filtered=filtered, **options)
            found.append(outputs_and_gradients(case, "cpu")[1][0])
    for one, other in itertools.combinations(found, 2):
        assert (one - other).abs().max() > 1e-6


@PROPERTY
@given(
    batch=st.integers(0, 3),
    time=st.integers(0, 300),
    unit=st.integers(0, 20),
    filtered=st.booleans(),
    per_unit=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_shape(batch, time, unit, filtered, per_unit, seed):
    case = random_case(
        batch, time, unit, filtered=filtered, per_unit=per_unit, seed=seed, detach_reset=False, slope=5.0
    )
    found, expected = outputs_and_gradients(case, "cpu"), outputs_and_gradients(case, "reference")
    for one, other in zip([*found[0], *found[1]], [*expected[0], *expected[1]], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("reset", "detach_reset", "filtered"), VARIANTS)
def test_float32_gives_the_same_spike_trains_and_close_gradients(reset, detach_reset, filtered):
    case = random_case(
        4, 50, 16, filtered=filtered, dtype=torch.float32, reset=reset, detach_reset=detach_reset, slope=10.0
    )
    (spikes, *states), gradients = outputs_and_gradients(case, "cpu")
    (expected_spikes, *expected_states), expected_gradients = outputs_and_gradients(case, "reference")
    assert torch.equal(spikes, expected_spikes)
    for found, expected in zip(states, expected_states, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    for found, expected in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_one_unit_by_hand(reset, filtered, backend):
    current = torch.tensor([0.4, 0.9, -0.3, 1.2, 0.8, 0.7, -2.0, 3.0], dtype=torch.float64)
    b, a = 0.9, 0.6
    v_after, u, expected = 0.0, 0.0, []
    for value in current.tolist():
        u = a * u + value if filtered else value
        v = b * v_after + u
        expected.append(1.0 if v >= 1 else 0.0)
        v_after = v if v < 1 else (0.0 if reset == "hard" else v - 1)
    decays = torch.tensor([b, a], dtype=torch.float64)
    params = LIFParams(decays[0], decays[1] if filtered else None, reset=reset)
    spikes, state = lif(current.reshape(1, -1, 1), params, backend=backend)
    assert 0 < sum(expected) < len(expected)
    assert spikes.flatten().tolist() == expected
    assert float(state.membrane) == pytest.approx(v_after, abs=1e-14)


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_the_surrogates_are_1_at_threshold_and_fall_off_with_the_slope(surrogate):
    slope, x = 4.0, torch.tensor([-2.0, -0.2, 0.0, 0.1, 0.5], dtype=torch.float64)
    current = (x + 1).reshape(1, 1, -1).requires_grad_()
    params = LIFParams(torch.tensor(0.9, dtype=torch.float64), surrogate=surrogate, slope=slope)
    (found,) = torch.autograd.grad(lif(current, params)[0].sum(), current)
    z = slope * x
    expected = {
        "superspike": (z.abs() + 1) ** -2,
        "atan": 1 / (1 + z**2),
        "triangle": (1 - z.abs()).clamp(min=0),
        "sigmoid": 1 / torch.cosh(z / 2) ** 2,
    }[surrogate]
    torch.testing.assert_close(found.flatten(), expected, rtol=0, atol=1e-12)


@PROPERTY
@given(cuts=st.lists(st.integers(0, 30), max_size=3), filtered=st.booleans(), seed=st.integers(0, 100))
def test_any_split_of_a_sequence_gives_what_the_whole_gives(cuts, filtered, seed):
    current, params, state = random_case(2, 30, 4, filtered=filtered, seed=seed)
    whole, end = lif(current, params, state)
    pieces, carried = [], state
    for first, stop in itertools.pairwise([0, *sorted(cuts), 30]):
        spikes, carried = lif(current[:, first:stop], params, carried)
        pieces.append(spikes)
    steps, stepped = [], state
    for t in range(30):
        spikes, stepped = lif_step(current[:, t], params, stepped)
        steps.append(spikes)
    assert whole.sum() > 0
    assert torch.equal(torch.cat(pieces, 1), whole)
    assert torch.equal(torch.stack(steps, 1), whole)
    for one, other, third in zip(end, carried, stepped, strict=True):
        if filtered or one is not None:
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
            torch.testing.assert_close(one, third, rtol=0, atol=1e-12)


def test_gradients_pass_from_piece_to_piece():
    current, params, state = random_case(2, 30, 4, filtered=True, detach_reset=False, slope=3.0)
    whole, _ = lif(current, params, state)
    first, carried = lif(current[:, :11], params, state)
    second, _ = lif(current[:, 11:], params, carried)
    inputs = leaves(current, params, state)
    weights = torch.randn(whole.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.autograd.grad((weights * whole).sum(), inputs)
    found = torch.autograd.grad((weights * torch.cat([first, second], 1)).sum(), inputs)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_a_step_without_a_state_starts_at_rest():
    current, params, _ = random_case(2, 1, 4, filtered=True)
    rest = initial_state(current, params)
    assert torch.equal(lif_step(current[:, 0], params)[0], lif(current, params, rest)[0][:, 0])


def test_any_memory_layout():
    def laid_out_differently(tensor):
        other = tensor.detach().transpose(0, -1).contiguous().transpose(0, -1).requires_grad_()
        assert not other.is_contiguous()
        return other

    current, params, state = random_case(3, 20, 6, filtered=True)
    other_state = LIFState(*map(laid_out_differently, state))
    found = outputs_and_gradients((laid_out_differently(current), params, other_state), "cpu")
    expected = outputs_and_gradients((current, params, state), "cpu")
    for one, another in zip([*found[0], *found[1]], [*expected[0], *expected[1]], strict=True):
        assert torch.equal(one, another)


def test_the_number_of_threads_changes_no_bit(with_threads):
    case = random_case(16, 64, 64, filtered=True, dtype=torch.float32, detach_reset=False, slope=10.0)
    with with_threads(1):
        one = outputs_and_gradients(case, "cpu")
    with with_threads(3):
        three = outputs_and_gradients(case, "cpu")
    for left, right in zip([*one[0], *one[1]], [*three[0], *three[1]], strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("surrogate", SURROGATES)
def test_what_is_not_a_number_stays_so_in_its_unit(surrogate, filtered, backend):
    case = random_case(2, 12, 3, filtered=filtered)
    current, params = case[0].detach().clone().requires_grad_(), replace(case[1], surrogate=surrogate)
    with torch.no_grad():
        current[:, 5, 1] = float("nan")
    spikes, state = lif(current, params, backend=backend)
    membranes, _ = leaky_integrate(current, params.decay, backend=backend)
    for after in state[: 1 + filtered]:
        assert after.isnan().all(0).tolist() == [False, True, False]
    assert membranes[:, 5:].isnan().all((0, 1)).tolist() == [False, True, False]
    assert not membranes[:, :5].isnan().any()
    for total in (spikes.sum() + state.membrane.sum(), membranes.square().sum()):
        (grad,) = torch.autograd.grad(total, current, retain_graph=True)
        assert grad[:, 5].isnan().all(0).tolist() == [False, True, False]
    for out in (spikes, membranes):  # and in a gradient
        grads = torch.autograd.grad((out * float("nan")).sum(), (current, params.decay), retain_graph=True)
        assert all(grad.isnan().all() for grad in grads)


def test_silence_ends_in_zeros_and_not_in_denormal_numbers():
    current = torch.zeros(1, 300, 3)
    current[:, 0] = 0.5
    params = LIFParams(torch.tensor(0.7), torch.tensor(0.6))
    _, state = lif(current, params)
    assert state.membrane.tolist() == [[0.0] * 3]
    assert state.current.tolist() == [[0.0] * 3]
    assert float(lif(current[:, :100], params)[1].membrane.min()) > 1e-30


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_leaky_integration_is_the_exponential_kernel(backend):
    generator = torch.Generator().manual_seed(0)
    current = torch.randn(2, 40, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    decay = torch.tensor([0.5, 0.9, 0.99], dtype=torch.float64, requires_grad=True)
    start = torch.randn(2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    lag = torch.arange(40)[:, None] - torch.arange(40)
    kernel = decay ** lag.clamp(min=0)[..., None] * (lag >= 0)[..., None]
    expected = torch.einsum("tsj,nsj->ntj", kernel, current)
    expected = expected + decay ** torch.arange(1, 41)[:, None] * start[:, None]
    found, end = leaky_integrate(current, decay, start, backend=backend)
    assert torch.equal(end, found[:, -1])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    weights = torch.randn(found.shape, generator=generator, dtype=torch.float64)
    inputs = (current, decay, start)
    for one, other in zip(
        torch.autograd.grad((weights * found).sum(), inputs),
        torch.autograd.grad((weights * expected).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_leaky_integration_stays_exact_over_a_long_time():
    current = torch.full((1, 2000, 1), 0.25, dtype=torch.float64)
    decay = torch.tensor(math.exp(-0.01), dtype=torch.float64)
    found = leaky_integrate(current, decay)[1]
    assert float(found) == pytest.approx(0.25 * (1 - math.exp(-20)) / (1 - math.exp(-0.01)), rel=1e-12)


def test_torch_sees_proper_operations():
    current, params, state = random_case(2, 6, 3, filtered=True)
    options = (False, True, "superspike", 10.0)
    torch.library.opcheck(custom.lif, (current, params.decay, params.current_decay, *state, *options))
    torch.library.opcheck(custom.leaky_integrate, (current, params.decay, state.membrane))


def test_what_does_not_exist_is_refused():
    decay = torch.tensor(0.9)
    with pytest.raises(InputError, match="reset is 'none'"):
        LIFParams(decay, reset="none")
    with pytest.raises(InputError, match=r"surrogate is 'box'.*superspike"):
        LIFParams(decay, surrogate="box")
    current = torch.zeros(1, 2, 3)
    with pytest.raises(InputError, match="backend is 'gpu'"):
        lif(current, LIFParams(decay), backend="gpu")
    with pytest.raises(InputError, match=r"membrane has shape \(2, 3\)"):
        lif(current, LIFParams(decay), LIFState(torch.zeros(2, 3)))
    with pytest.raises(InputError, match=r"current has shape \(1, 4\)"):
        lif_step(current[:, 0], LIFParams(decay, decay), LIFState(torch.zeros(1, 3), torch.zeros(1, 4)))
    with pytest.raises(InputError, match="only one of"):
        lif(current, LIFParams(decay, decay), LIFState(torch.zeros(1, 3)))
    with pytest.raises(InputError, match=r"membrane has shape \(3,\)"):
        leaky_integrate(current, decay, torch.zeros(3))
