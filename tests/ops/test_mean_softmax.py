from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.errors import InputError
from beyondrate.ops.mean_softmax import mean_softmax, mean_softmax_loss


def case(batch, steps, classes, *, seed=0, scale=3.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    output = scale * torch.randn(batch, steps, classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (batch,), generator=generator)
    return output.to(dtype).requires_grad_(), labels


def logs_of_probability(output, labels, backend):
    """Of each sample alone."""
    samples = zip(output.split(1), labels.split(1), strict=True)
    return torch.stack([-mean_softmax_loss(*sample, backend=backend) for sample in samples])


def value_and_gradient(output, labels, backend):
    value = logs_of_probability(output, labels, backend)
    weights = torch.linspace(1, 2, len(labels), dtype=output.dtype)
    return value.detach(), torch.autograd.grad((weights * value).sum(), output)[0]


def assert_agree(output, labels, tolerance):
    found, expected = (value_and_gradient(output, labels, backend) for backend in ("cpu", "reference"))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)
    return found


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    batch=st.integers(1, 4), steps=st.integers(1, 30), classes=st.integers(1, 150), seed=st.integers(0, 99)
)
def test_it_equals_the_reference_for_any_shape(batch, steps, classes, seed):
    assert_agree(*case(batch, steps, classes, seed=seed), 1e-10)
    assert_agree(*case(batch, steps, classes, seed=seed, dtype=torch.float32), 2e-5)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_batch_gives_the_mean_of_its_samples(backend):
    output, labels = case(7, 70, 5)
    loss = mean_softmax_loss(output, labels, backend=backend)
    expected = -logs_of_probability(output, labels, backend).mean()
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-12)
    found, wanted = (torch.autograd.grad(3 * value, output)[0] for value in (loss, expected))
    assert found.abs().max() > 1e-3
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


def test_it_is_the_log_of_the_mean_probability():
    output, labels = case(5, 40, 7)
    value, gradient = assert_agree(output, labels, 1e-12)
    expected = torch.softmax(output, 2).mean(1)[torch.arange(5), labels].log()
    torch.testing.assert_close(value, expected.detach(), rtol=0, atol=1e-12)
    assert gradient.abs().max() > 1e-2
    assert torch.autograd.gradcheck(lambda x: mean_softmax_loss(x, labels), output)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_labels_beyond_all_probability_still_have_a_gradient(dtype):
    output, labels = case(4, 9, 5, dtype=dtype)
    with torch.no_grad():
        output[1, :, labels[1]] -= 2000
        output[2] += 3000
        output[3, :, labels[3]] -= 80
    value, gradient = value_and_gradient(output, labels, "cpu")
    precise = output.detach().double().requires_grad_()  # where numbers are large, single ones would be off
    tolerance = 1e-5 if dtype == torch.float32 else 1e-10
    for one, other in zip((value, gradient), value_and_gradient(precise, labels, "reference"), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=tolerance, atol=tolerance)
    assert value[1] < -1900
    assert value.isfinite().all()
    assert gradient[1].sum(1).abs().max() < 1e-5
    assert gradient[1].abs().max() > 0.1


def test_what_is_not_a_number_stays_so_in_its_sample():
    output, labels = case(3, 4, 6)
    with torch.no_grad():
        output[1, 2, 3] = math.nan
    value, gradient = value_and_gradient(output, labels, "cpu")
    assert value.isnan().tolist() == [False, True, False]
    assert gradient.isnan().any(2).any(1).tolist() == [False, True, False]


def test_any_memory_layout_and_nothing_at_all():
    output, labels = case(6, 8, 10)
    assert_agree(output.detach().transpose(1, 2).requires_grad_(), labels % 8, 1e-12)
    assert_agree(output.detach()[::2, 1::3, ::2].requires_grad_(), labels[::2] % 5, 1e-12)
    nothing = output.detach()[:0].requires_grad_()
    assert mean_softmax_loss(nothing, labels[:0]).isnan()  # as torch's own losses


def test_the_number_of_threads_changes_no_bit():
    output, labels = case(64, 120, 20, dtype=torch.float32)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            loss = mean_softmax_loss(output, labels, backend="cpu")
            found.append((loss.detach(), torch.autograd.grad(loss, output)[0]))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(*both) for one in found[1:] for both in zip(one, found[0], strict=True))


def test_other_types_and_compilers_take_the_reference(monkeypatch):
    output, labels = case(2, 3, 4)
    expected = mean_softmax_loss(output, labels)
    assert mean_softmax_loss(output.half(), labels).dtype == torch.float16
    monkeypatch.setattr("torch.compiler.is_compiling", lambda: True)
    monkeypatch.setattr("beyondrate.ops.mean_softmax._MeanSoftmaxLoss", None)
    torch.testing.assert_close(mean_softmax_loss(output, labels), expected)


def test_labels_that_are_no_class_are_refused():
    output, labels = case(3, 4, 5)
    for wrong in (-1, 5):
        with pytest.raises(InputError, match=f"{wrong}.* for 5 classes"):
            mean_softmax_loss(output, labels.index_fill(0, torch.tensor([1]), wrong))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    batch=st.integers(0, 4), steps=st.integers(1, 150), classes=st.integers(1, 80), seed=st.integers(0, 99)
)
def test_the_mean_equals_the_reference_for_any_shape(batch, steps, classes, seed):
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        output = case(batch, steps, classes, seed=seed, dtype=dtype)[0].detach()
        found, expected = (mean_softmax(output, backend=backend) for backend in ("cpu", "reference"))
        torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)
        torch.testing.assert_close(found.sum(1), torch.ones(batch, dtype=dtype), rtol=0, atol=10 * tolerance)


def test_the_mean_of_huge_numbers_and_of_none():
    output = case(3, 70, 4)[0].detach()
    output[0, :, 1] += 5000
    output[1, 66, 2] = math.nan
    found = mean_softmax(output)
    assert found[0].tolist() == [0, 1, 0, 0]
    assert found.isnan().all(1).tolist() == [False, True, False]


def test_the_mean_has_a_gradient():
    output, _ = case(2, 5, 3)
    assert torch.autograd.gradcheck(mean_softmax, output)


@pytest.mark.parametrize("n_labels", [1, 2, 5])
def test_other_numbers_of_labels_are_refused(n_labels):
    output, _ = case(3, 4, 5)
    with pytest.raises(InputError, match="one a sample"):
        mean_softmax_loss(output, torch.zeros(n_labels, dtype=torch.int64))
