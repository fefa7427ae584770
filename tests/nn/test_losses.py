from __future__ import annotations

import math

import pytest
import torch

from beyondrate.errors import InputError
from beyondrate.nn import LastStep, MeanMembrane, MeanSoftmax, Spikemax

LABELS = torch.tensor([2, 0])
SPIKEMAX_FORMS = [Spikemax(form) for form in ("probability", "softmax", "window")]
ALL = [MeanMembrane(), MeanSoftmax(), LastStep(), *SPIKEMAX_FORMS]


def outputs(seed=0, n_steps=7):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, n_steps, 3, generator=generator, dtype=torch.float64)


def spikes(seed=0):
    return (outputs(seed, 40) > 0.8).double()


def test_cross_entropies_by_their_definitions():
    out = outputs()
    p = torch.softmax(out, -1)
    expected = {
        MeanMembrane(): torch.softmax(out.mean(1), -1),
        LastStep(): torch.softmax(out[:, -1], -1),
        MeanSoftmax(): p.mean(1),
    }
    for loss, probability in expected.items():
        by_hand = -torch.log(probability[[0, 1], LABELS]).mean()
        torch.testing.assert_close(loss(out, LABELS), by_hand, rtol=0, atol=1e-12)


def test_spikemax_by_its_definitions():
    out = spikes()
    n = out.sum(1)
    assert n.min() >= 1
    share = (n + 0.1) / (n + 0.1).sum(-1, keepdim=True)
    soft = torch.softmax(n, -1)
    windows = torch.stack([out[:, t : t + 20].sum(1) for t in range(21)], 1) + 0.1
    log_windows = torch.log(windows / windows.sum(-1, keepdim=True)).mean(1)
    expected = [torch.log(share), torch.log(soft), log_windows]
    for loss, log_probability in zip(SPIKEMAX_FORMS, expected, strict=True):
        torch.testing.assert_close(loss.scores(out), log_probability, rtol=0, atol=1e-10)
        by_hand = -log_probability[[0, 1], LABELS].mean()
        torch.testing.assert_close(loss(out, LABELS), by_hand, rtol=0, atol=1e-10)


@pytest.mark.parametrize("loss", ALL)
def test_silence_gives_a_finite_loss_of_chance(loss):
    out = torch.zeros(2, 40, 3, requires_grad=True)
    found = loss(out, LABELS)
    found.backward()
    assert found.item() == pytest.approx(math.log(3), abs=1e-5)
    assert torch.isfinite(out.grad).all()
    assert out.grad.abs().max() > 0


@pytest.mark.parametrize("loss", SPIKEMAX_FORMS)
def test_a_silent_label_unit_gives_a_finite_loss_that_asks_for_its_spikes(loss):
    out = torch.zeros(1, 40, 3)
    out[:, :, 1] = 1
    out.requires_grad_()
    found = loss(out, torch.tensor([0]))
    found.backward()
    assert torch.isfinite(found)
    assert out.grad[0, :, 0].max() < 0 < out.grad[0, :, 1].min()


@pytest.mark.parametrize("loss", ALL)
def test_a_descent_on_the_loss_makes_the_label_the_answer(loss):
    out = (outputs(3, 40).abs() * 0.2).requires_grad_()
    before = loss(out, LABELS)
    (gradient,) = torch.autograd.grad(before, out)
    scale = 5.0 / gradient.abs().max()
    after = (out - scale * gradient).clamp(min=0)
    assert loss(after, LABELS) < before
    assert loss.scores(after).argmax(1).tolist() == LABELS.tolist()


def test_a_window_longer_than_the_sequence_is_the_whole_sequence():
    out = spikes()[:, :10]
    torch.testing.assert_close(Spikemax("window").scores(out), Spikemax("probability").scores(out))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "other"}, "form is 'other'"),
        ({"epsilon": 0.0}, "epsilon is 0.0"),
        ({"window_steps": 0}, "window_steps is 0"),
    ],
)
def test_spikemax_refuses_bad_settings(options, message):
    with pytest.raises(InputError, match=message):
        Spikemax(**options)
