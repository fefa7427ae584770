"""The Triton kernels of the leaky integrate-and-fire units against the reference, on the same device."""

from __future__ import annotations

import itertools

import pytest
import torch

from beyondrate.ops.backend import choose_backend
from beyondrate.ops.lif import SURROGATES, LIFParams, LIFState, custom, leaky_integrate, lif

pytestmark = pytest.mark.triton

VARIANTS = list(itertools.product(("hard", "soft"), (True, False), (False, True)))
SHAPES = [(1, 1, 1), (1, 6, 1), (2, 1, 3), (0, 4, 3), (2, 0, 3), (2, 4, 0), (3, 5, 67), (1, 3, 128)]


def random_case(device, shape, **options):
    """Currents, parameters and a state whose membranes stay away from the threshold."""
    cases = (draw_case(device, shape, seed, **options) for seed in itertools.count())
    return next(case for case in cases if distance_to_threshold(*case) > 1e-4)


def draw_case(device, shape, seed, *, filtered, dtype=torch.float64, per_unit=True, **options):
    """Currents, parameters and a state, all with gradients."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape, scale=1.0, shift=0.0):
        values = torch.rand(shape, generator=generator, dtype=torch.float64) * scale + shift
        return values.to(device, dtype).requires_grad_()

    batch, _, unit = shape
    decays = (unit,) if per_unit else ()
    current = draw(*shape, scale=2.0, shift=-0.7)
    params = LIFParams(
        decay=draw(*decays, scale=0.5, shift=0.5),
        current_decay=draw(*decays, scale=0.6, shift=0.2) if filtered else None,
        **options,
    )
    return current, params, LIFState(draw(batch, unit), draw(batch, unit) if filtered else None)


@torch.no_grad()
def distance_to_threshold(current, params, state):
    v, u, distance = state.membrane.double(), state.current, 1.0
    for arriving in current.unbind(1):
        u = arriving if u is None else params.current_decay * u + arriving
        v = params.decay * v + u
        distance = min([distance, *(v - 1).abs().flatten().tolist()])
        v = torch.where(v < 1, v, v - 1 if params.reset == "soft" else 0.0)
        u = None if params.current_decay is None else u
    return distance


def outputs_and_gradients(case, backend):
    current, params, state = case
    spikes, end = lif(current, params, state, backend=backend)
    outputs = [spikes, *(x for x in end if x is not None)]
    inputs = [x for x in (current, params.decay, params.current_decay, *state) if x is not None]
    return [x.detach() for x in outputs], torch.autograd.grad(
        weighted(outputs), inputs, materialize_grads=True
    )


def weighted(outputs):
    generator = torch.Generator().manual_seed(1)
    return sum((torch.randn(x.shape, generator=generator).to(x) * x).sum() for x in outputs)


def assert_agree(found, expected, tolerance):
    for one, other in zip([*found[0], *found[1]], [*expected[0], *expected[1]], strict=True):
        scale = max(1.0, float(other.abs().max())) if other.numel() else 1.0
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize(("reset", "detach_reset", "filtered"), VARIANTS)
def test_every_variant_and_its_gradients(triton_device, reset, detach_reset, filtered, surrogate):
    options = {"reset": reset, "detach_reset": detach_reset, "surrogate": surrogate, "slope": 3.1}
    case = random_case(triton_device, (2, 9, 3), filtered=filtered, **options)
    found, expected = outputs_and_gradients(case, "cuda"), outputs_and_gradients(case, "reference")
    assert 0.05 < expected[0][0].mean() < 0.95
    assert all(gradient.abs().max() > 1e-3 for gradient in expected[1])
    assert torch.equal(found[0][0], expected[0][0])
    assert_agree(found, expected, 1e-10)


@pytest.mark.parametrize(("reset", "detach_reset", "filtered"), VARIANTS)
def test_float32_gives_the_same_spike_trains_and_close_gradients(
    triton_device, reset, detach_reset, filtered
):
    options = {"reset": reset, "detach_reset": detach_reset, "slope": 10.0}
    case = random_case(triton_device, (3, 12, 5), filtered=filtered, dtype=torch.float32, **options)
    found, expected = outputs_and_gradients(case, "cuda"), outputs_and_gradients(case, "reference")
    assert 0.05 < expected[0][0].mean() < 0.95
    assert torch.equal(found[0][0], expected[0][0])
    assert_agree(found, expected, 1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("filtered", [False, True])
def test_any_shape(triton_device, shape, filtered):
    case = random_case(triton_device, shape, filtered=filtered, per_unit=False, detach_reset=False, slope=5.0)
    found, expected = outputs_and_gradients(case, "cuda"), outputs_and_gradients(case, "reference")
    assert_agree(found, expected, 1e-10)


def test_any_memory_layout(triton_device):
    def laid_out_differently(tensor):
        other = tensor.detach().transpose(0, -1).contiguous().transpose(0, -1).requires_grad_()
        assert not other.is_contiguous()
        return other

    current, params, state = case = random_case(triton_device, (3, 8, 6), filtered=True)
    other = laid_out_differently(current), params, LIFState(*map(laid_out_differently, state))
    assert_agree(outputs_and_gradients(other, "cuda"), outputs_and_gradients(case, "reference"), 1e-10)


def test_pieces_of_a_sequence_give_what_the_whole_gives(triton_device):
    current, params, state = random_case(triton_device, (2, 12, 4), filtered=True)
    whole, end = lif(current, params, state, backend="cuda")
    first, carried = lif(current[:, :5], params, state, backend="cuda")
    second, last = lif(current[:, 5:], params, carried, backend="cuda")
    assert whole.sum() > 0
    assert torch.equal(torch.cat([first, second], 1), whole)
    assert torch.equal(torch.stack(last), torch.stack(end))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_leaky_integration_and_its_gradients(triton_device, shape, dtype, tolerance):
    current, params, state = random_case(triton_device, shape, filtered=False, dtype=dtype)
    inputs = current, params.decay, state.membrane
    results = []
    for backend in ("cuda", "reference"):
        outputs = leaky_integrate(*inputs, backend=backend)
        gradients = torch.autograd.grad(weighted(outputs), inputs, materialize_grads=True)
        results.append(([x.detach() for x in outputs], gradients))
    assert not current.numel() or results[1][0][0].abs().max() > 0.1
    assert_agree(*results, tolerance)


def test_torch_sees_proper_operations(triton_device):
    current, params, state = random_case(triton_device, (2, 3, 3), filtered=True)
    options = (False, True, "superspike", 10.0)
    torch.library.opcheck(custom.lif, (current, params.decay, params.current_decay, *state, *options))
    torch.library.opcheck(custom.leaky_integrate, (current, params.decay, state.membrane))


def test_triton_is_chosen_by_itself(triton_device):
    for dtype, expected in (
        (torch.float32, "cuda"),
        (torch.float64, "cuda"),
        (torch.bfloat16, "reference"),
    ):
        assert choose_backend("lif", torch.zeros(1, dtype=dtype, device=triton_device), None) == expected


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_what_is_not_a_number_stays_so_in_its_unit(triton_device, surrogate):
    current = torch.zeros(2, 8, 3, device=triton_device)
    current[:, 5, 1] = float("nan")
    current.requires_grad_()
    decay = torch.tensor(0.9, device=triton_device)
    spikes, state = lif(current, LIFParams(decay, surrogate=surrogate), backend="cuda")
    assert state.membrane.isnan().all(0).tolist() == [False, True, False]
    (grad,) = torch.autograd.grad(spikes.sum(), current)
    assert grad[:, 5].isnan().all(0).tolist() == [False, True, False]
