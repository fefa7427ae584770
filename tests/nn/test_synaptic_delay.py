from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.errors import InputError
from beyondrate.nn import SpikeRows, SynapticDelayLinear

PROPERTY = settings(max_examples=15, deadline=None, derandomize=True)
DT_S = 0.01


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def layer(n_in=3, n_out=4, **options):
    options = {"dt_s": DT_S, "delay_range_s": (0.0, 0.06), "generator": seeded(0), **options}
    return SynapticDelayLinear(n_in, n_out, **options).double()


def spikes(n_steps=15, n_in=3, seed=1):
    return (torch.rand(2, n_steps, n_in, generator=seeded(seed)) < 0.4).double()


def by_definition(module, x):
    """Σ_i w_ji Σ_k g_ji[k] x_i[t - k], with loops."""
    out = torch.zeros(*x.shape[:2], len(module.weight), dtype=x.dtype) + module.bias.detach()
    lags = torch.arange(module.max_steps + 1)
    for j, i in itertools.product(range(len(module.weight)), range(x.shape[2])):
        d = module.delay_steps[j, i].item()
        if module.training and module.delay_steps.requires_grad:
            g = torch.exp(-0.5 * ((lags - d) / module.sigma) ** 2)
            g = g / g.sum()
        else:
            g = (lags == round(d)).double()
        for t, k in itertools.product(range(x.shape[1]), lags.tolist()):
            if t >= k:
                out[:, t, j] += module.weight[j, i].item() * g[k] * x[:, t - k, i]
    return out


@pytest.mark.parametrize("sigma_steps", [0.5, 1.3, 4.0])
@pytest.mark.parametrize("training", [True, False])
def test_currents_are_what_the_equation_says(training, sigma_steps):
    module, x = layer(initial_sigma_s=sigma_steps * DT_S).train(training), spikes()
    assert module.sigma.item() == pytest.approx(sigma_steps)
    torch.nn.init.normal_(module.bias, generator=seeded(2))
    expected = by_definition(module, x)
    assert expected.abs().min() > 0
    torch.testing.assert_close(module(x)[0], expected, rtol=0, atol=1e-6)  # σ is kept in single precision


def test_one_spike_arrives_on_each_connection_after_its_nearest_lag():
    module = layer(1, 4, bias=False).eval()
    with torch.no_grad():
        module.delay_steps.copy_(torch.tensor([[0.0], [1.4], [1.6], [6.0]]))
        module.weight.copy_(torch.arange(1.0, 5.0)[:, None])
    x = torch.zeros(1, 9, 1, dtype=torch.float64)
    x[0, 1] = 1
    arrived = module(x)[0][0].T.nonzero()
    assert arrived.tolist() == [[0, 1], [1, 2], [2, 3], [3, 7]]


def test_the_gradients_are_exact():
    module, x = layer(initial_sigma_s=0.015), spikes(8).requires_grad_()
    state = spikes(6, seed=3).requires_grad_()

    def currents(x, state, *parameters):
        return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), (x, state))

    names = ["weight", "bias", "delay_steps"]
    parameters = [module.get_parameter(name) for name in names]
    assert torch.autograd.gradcheck(currents, (x, state, *parameters))
    module(x, state)[0].square().sum().backward()
    assert all(parameter.grad.abs().min() > 0 for parameter in parameters)


@pytest.mark.parametrize("training", [True, False])
@PROPERTY
@given(cuts=st.lists(st.integers(0, 15), max_size=3))
def test_any_split_and_single_steps_give_what_the_whole_gives(training, cuts):
    module, x = layer().train(training), spikes()
    whole, end = module(x)
    pieces, state = [], None
    for first, stop in itertools.pairwise([0, *sorted(cuts), 15]):
        current, state = module(x[:, first:stop], state)
        pieces.append(current)
    steps, stepped = [], None
    for t in range(15):
        current, stepped = module.step(x[:, t], stepped)
        steps.append(current)
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.stack(steps, 1), whole, rtol=0, atol=1e-12)
    assert torch.equal(state, end) and torch.equal(stepped, end)


def test_rows_and_tensors_give_the_same():
    module = layer(n_in=3)
    rows = SpikeRows(torch.tensor([0, 1, 3, 3, 4]), torch.tensor([1, 2, 2, 0], dtype=torch.int32), 2, 2, 3)
    assert torch.equal(module(rows)[0], module(rows.dense().double())[0])


def test_the_kernel_narrows_from_half_of_the_longest_delay_to_half_a_step():
    module = layer(max_delay_s=0.2)
    assert module.sigma == 10
    widths = []
    for progress in (0.0, 0.25, 0.5, 0.9):
        module.anneal(progress)
        widths.append(module.sigma.item())
    assert widths == pytest.approx([10, 5**0.5, 0.5, 0.5])
    kernel = module.kernel().detach()
    assert kernel.shape == (4, 3, 21)
    torch.testing.assert_close(kernel.sum(-1), module.weight.detach())
    delays = module.delay_steps.detach()
    whole = delays.round()
    with torch.no_grad():
        module.delay_steps.copy_(whole)
    nearest = module.kernel().detach().gather(-1, whole.long()[..., None])[..., 0]
    assert (nearest / module.weight.detach()).min() > 0.78  # 1 / (1 + 2 exp(-2) + 2 exp(-8))


def test_frozen_delays_are_whole_also_in_training():
    frozen, learned = layer(learned=False), layer()
    x = spikes()
    assert torch.equal(frozen(x)[0], frozen.eval()(x)[0])
    assert torch.equal(frozen(x)[0], learned.eval()(x)[0])
    assert not torch.allclose(learned.train()(x)[0], frozen(x)[0])
    assert not frozen.delay_steps.requires_grad


def test_a_delay_is_learned():
    """One connection; the target is its input 5 steps later."""
    module = layer(1, 1, max_delay_s=0.1, delay_range_s=(0.01, 0.01), initial_sigma_s=0.03, bias=False)
    x = spikes(60, 1)
    target = torch.cat([torch.zeros(2, 5, 1, dtype=torch.float64), x[:, :-5]], 1)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.1)
    for update in range(200):
        module.anneal(update / 200)
        optimiser.zero_grad()
        (module(x)[0] - target).square().mean().backward()
        optimiser.step()
        module.constrain()
    assert module.delay_steps.item() == pytest.approx(5, abs=0.1)
    torch.testing.assert_close(module.eval()(x)[0], target, rtol=0, atol=0.3)


def test_delays_stay_in_their_bounds_in_seconds():
    module = layer(30, 40, max_delay_s=0.1)
    assert 0 <= module.delay_s.min() < 0.001 and 0.059 < module.delay_s.max() <= 0.06
    with torch.no_grad():
        module.delay_steps[0, :3] = torch.tensor([-1.0, 4.0, 12.0])
    module.constrain()
    torch.testing.assert_close(module.delay_s[0, :3], torch.tensor([0.0, 0.04, 0.1]).double())
    with pytest.warns(UserWarning, match="max_delay_s = 0.03"):
        assert layer(30, 40, max_delay_s=0.03).delay_steps.max() == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delay_range_s": (-0.1, 0.1)}, r"delay_range_s is \(-0.1, 0.1\)"),
        ({"max_delay_s": 0.0}, "max_delay_s is 0.0"),
        ({"initial_sigma_s": 0.0}, "initial_sigma_s is 0.0"),
        ({"dt_s": 0.0}, "dt_s is 0.0"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        layer(**options)
