from __future__ import annotations

import math

import pytest
import torch

from beyondrate.errors import InputError
from beyondrate.ops.adam import ParameterGroup, adam
from beyondrate.ops.adam.reference import ReferenceAdam

SHAPES = (), (1,), (7, 5), (64,), (130, 3), (0, 4)


def parameters(dtype=torch.float64, shapes=SHAPES):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


def gradients_of(tensors, seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return [scale * torch.randn(t.shape, generator=generator, dtype=t.dtype) for t in tensors]


def in_two_groups(tensors):
    return [ParameterGroup(tensors[::2], 0.1, weight_decay=0.3), ParameterGroup(tensors[1::2], 0.02)]


def both(dtype, **settings):
    """The kernel's and torch's optimiser, each with the same parameters of its own."""
    sides = []
    for backend in ("cpu", "reference"):
        tensors = parameters(dtype)
        sides.append((tensors, adam(in_two_groups(tensors), backend=backend, **settings)))
    return sides


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("clip", [0.05, 1e6], ids=["clipped", "as it is"])
def test_moves_as_torch_does(dtype, atol, clip):
    sides = both(dtype, clip=clip)
    for update in range(20):
        norms = []
        for tensors, optimiser in sides:
            for tensor, gradient in zip(tensors, gradients_of(tensors, update), strict=True):
                tensor.grad = gradient
            norms.append(optimiser.update(factor=1 / (1 + update)))
        assert norms[0] == pytest.approx(norms[1], rel=1e-5)
    for found, expected, start in zip(sides[0][0], sides[1][0], parameters(dtype), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=atol)
        assert found.numel() == 0 or (found - start).abs().max() > 0.01


def test_a_parameter_without_a_gradient_stays_and_has_its_first_update_later():
    sides = both(torch.float64, clip=1.0)
    for update in range(4):
        for tensors, optimiser in sides:
            for i, gradient in enumerate(gradients_of(tensors, update)):
                tensors[i].grad = None if update < 2 and i in (2, 3) else gradient
            optimiser.update()
            if update < 2:
                assert torch.equal(tensors[2], parameters()[2]) and not torch.equal(
                    tensors[4], parameters()[4]
                )
    for found, expected in zip(sides[0][0], sides[1][0], strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nothing_moves_where_the_norm_is_not_finite(backend, bad):
    tensors = parameters()
    optimiser = adam(in_two_groups(tensors), clip=1.0, backend=backend)
    for tensor, gradient in zip(tensors, gradients_of(tensors, 0), strict=True):
        tensor.grad = gradient
    tensors[2].grad[3, 1] = bad
    assert not math.isfinite(optimiser.update())
    assert all(torch.equal(tensor, start) for tensor, start in zip(tensors, parameters(), strict=True))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_what_has_been_kept_for_the_way_back_is_known_to_be_old(backend):
    (weight,) = parameters(shapes=[(7, 5)])
    optimiser = adam([ParameterGroup([weight], 0.1)], clip=1.0, backend=backend)
    loss = (weight @ weight.t()).sum()
    loss.backward(retain_graph=True)
    optimiser.update()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_gradients_and_parameters_may_lie_anyhow():
    weight = parameters(shapes=[(7, 5)])[0]
    turned = parameters(shapes=[(7, 5)])[0]
    optimisers = [adam([ParameterGroup([tensor], 0.1)], clip=1.0) for tensor in (weight, turned)]
    (gradient,) = gradients_of([weight], 0)
    weight.grad, turned.grad = gradient, gradient.t().contiguous().t()
    for optimiser in optimisers:
        optimiser.update()
    assert torch.equal(weight, turned) and not torch.equal(weight, parameters(shapes=[(7, 5)])[0])
    lying = parameters(shapes=[(5, 7)])[0].detach().t().requires_grad_()
    assert isinstance(adam([ParameterGroup([lying], 0.1)], clip=1.0), ReferenceAdam)


def test_parameters_of_several_types_change_by_torch():
    tensors = [*parameters(torch.float64, [(3,)]), *parameters(torch.float32, [(3,)])]
    assert isinstance(adam([ParameterGroup(tensors, 0.1)], clip=1.0), ReferenceAdam)


def test_refuses_nothing():
    with pytest.raises(InputError, match="nothing to learn"):
        adam([ParameterGroup([], 0.1)], clip=1.0)


def test_what_has_no_gradient_is_not_said_to_have_changed():
    moved, other = parameters(shapes=[(3,), (3,)])
    optimiser = adam([ParameterGroup([moved, other], 0.1)], clip=1.0, backend="cpu")
    pending = (other * other).sum()
    moved.square().sum().backward()
    optimiser.update()
    pending.backward()
    assert torch.equal(other.grad, 2 * other)


@pytest.mark.parametrize(
    "change",
    [lambda w: w.double(), lambda w: w[:2].clone(), lambda w: w.view(5, 7).t()],
    ids=["type", "size", "layout"],
)
def test_a_parameter_that_is_another_now_is_refused(change):
    (weight,) = parameters(torch.float32, [(7, 5)])
    optimiser = adam([ParameterGroup([weight], 0.1)], clip=1.0)
    weight.data = change(weight.data)
    weight.grad = torch.ones_like(weight)
    with pytest.raises(InputError, match="a parameter is of"):
        optimiser.update()


def test_refuses_a_parameter_twice_and_several_types_for_the_kernel():
    (weight,) = parameters(shapes=[(3,)])
    with pytest.raises(InputError, match="twice"):
        adam([ParameterGroup([weight], 0.1), ParameterGroup([weight], 0.2)], clip=1.0)
    tensors = [*parameters(torch.float64, [(3,)]), *parameters(torch.float32, [(3,)])]
    with pytest.raises(InputError, match="several types"):
        adam([ParameterGroup(tensors, 0.1)], clip=1.0, backend="cpu")
