from __future__ import annotations

import math

import pytest
import torch

from beyondrate.errors import InputError
from beyondrate.nn import LIF, AxonalDelay, LeakyReadout, SpikeLinear, SpikeRows, SumReadout
from beyondrate.nn.dropout import UnitDropout
from beyondrate.ops.lif import SURROGATES


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_lif_leaks_with_its_time_constant():
    layer = LIF(1, dt_s=0.001, tau_s=0.02)
    current = torch.zeros(1, 21, 1)
    current[0, 0] = 0.8
    _, state = layer(current)
    assert state.membrane.item() == pytest.approx(0.8 * math.exp(-1), rel=1e-5)


def test_lif_filters_its_current_with_the_synaptic_time_constant():
    layer = LIF(1, dt_s=0.001, tau_s=0.02, tau_syn_s=0.005)
    current = torch.zeros(1, 6, 1)
    current[0, 0] = 0.1
    _, state = layer(current)
    assert state.current.item() == pytest.approx(0.1 * math.exp(-1), rel=1e-5)


@pytest.mark.parametrize(("per_unit", "shape"), [(False, ()), (True, (3,))])
def test_time_constants_are_shared_or_one_a_unit_and_learned(per_unit, shape):
    layer = LIF(3, dt_s=0.001, tau_s=0.02, tau_syn_s=0.005, per_unit=per_unit)
    assert {name: p.shape for name, p in layer.named_parameters()} == {"log_tau": shape, "log_tau_syn": shape}
    torch.testing.assert_close(layer.tau_s, torch.full(shape, 0.02))
    spikes, _ = layer(torch.rand(2, 50, 3, generator=seeded(0)) * 0.4)
    assert 0 < spikes.mean() < 1
    spikes.sum().backward()
    assert all(p.grad.abs().min() > 0 for p in layer.parameters())
    frozen = LIF(3, dt_s=0.001, learn_tau=False)
    assert not any(p.requires_grad for p in frozen.parameters())


def test_time_constants_are_drawn_log_uniformly_around_their_centre():
    layer = LIF(4000, dt_s=0.001, tau_s=0.06, per_unit=True, tau_spread=5.0, generator=seeded(0))
    octaves = torch.log(layer.tau_s / 0.06) / math.log(5.0)
    assert -1 <= octaves.min() < -0.99 and 0.99 < octaves.max() <= 1
    assert abs(octaves.mean()) < 0.04  # U(-1, 1) of 4,000: standard error .009
    assert abs(octaves.var() - 1 / 3) < 0.03
    assert torch.equal(
        layer.tau_s,
        LIF(4000, dt_s=0.001, tau_s=0.06, per_unit=True, tau_spread=5.0, generator=seeded(0)).tau_s,
    )


@pytest.mark.parametrize("tau_syn_s", [None, 0.004])
def test_lif_steps_are_the_sequence(tau_syn_s):
    layer = LIF(5, dt_s=0.001, tau_s=0.02, tau_syn_s=tau_syn_s, per_unit=True, reset="soft").double()
    current = torch.rand(3, 40, 5, generator=seeded(0), dtype=torch.float64) * 0.4
    whole, end = layer(current)
    first, state = layer(current[:, :13])
    steps = [first]
    for t in range(13, 40):
        spikes, state = layer.step(current[:, t], state)
        steps.append(spikes[:, None])
    assert whole.sum() > 0
    assert torch.equal(torch.cat(steps, 1), whole)
    torch.testing.assert_close(state.membrane, end.membrane, rtol=0, atol=1e-12)


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("slope", [0.7, 4.0])
def test_the_surrogate_has_its_name_and_slope(surrogate, slope):
    """One step from rest: the gradient of the current is the surrogate at the distance from the threshold."""
    layer = LIF(5, dt_s=0.001, surrogate=surrogate, slope=slope).double()
    current = torch.tensor([[[0.2, 0.9, 1.0, 1.1, 1.8]]], dtype=torch.float64, requires_grad=True)
    layer(current)[0].sum().backward()
    z = slope * (current.detach() - 1)
    expected = {
        "superspike": 1 / (1 + z.abs()) ** 2,
        "atan": 1 / (1 + z**2),
        "triangle": (1 - z.abs()).clamp(min=0),
        "sigmoid": 1 / torch.cosh(z / 2) ** 2,
    }[surrogate]
    torch.testing.assert_close(current.grad, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tau_s": 0.0}, "tau_s is 0.0"),
        ({"tau_s": float("nan")}, "tau_s is nan"),
        ({"tau_syn_s": -0.1}, "tau_syn_s is -0.1"),
        ({"dt_s": 0.0}, "dt_s is 0.0"),
        ({"slope": -1.0}, "slope is -1.0"),
        ({"tau_spread": 0.5, "per_unit": True}, "tau_spread is 0.5 with one τ a unit"),
        ({"tau_spread": 2.0}, "tau_spread is 2.0 with one τ for the layer"),
        ({"reset": "other"}, "reset is 'other'"),
        ({"surrogate": "other"}, "surrogate is 'other'"),
    ],
)
def test_lif_refuses_bad_settings_when_it_is_built(options, message):
    with pytest.raises(InputError, match=message):
        LIF(2, **{"dt_s": 0.001, **options})


def test_delays_are_drawn_from_their_range_in_seconds():
    layer = AxonalDelay(2000, dt_s=0.005, delay_range_s=(0.1, 0.3), generator=seeded(0))
    assert 0.1 <= layer.delay_s.min() < 0.101
    assert 0.299 < layer.delay_s.max() <= 0.3
    torch.testing.assert_close(layer.delay_steps.detach() * 0.005, layer.delay_s)


def test_delays_are_learned_or_frozen():
    x = torch.rand(2, 20, 4, generator=seeded(0))
    learned = AxonalDelay(4, dt_s=0.001, delay_range_s=(0.0, 0.01), generator=seeded(1))
    learned(x)[0].square().sum().backward()
    assert learned.delay_steps.grad.abs().min() > 0
    frozen = AxonalDelay(4, dt_s=0.001, delay_range_s=(0.0, 0.01), learned=False, generator=seeded(1))
    assert not frozen.delay_steps.requires_grad
    assert torch.equal(frozen(x)[0], learned(x)[0])


def test_delays_stay_in_their_bounds():
    layer = AxonalDelay(3, dt_s=0.001, delay_range_s=(0.0, 0.01), max_delay_s=0.015)
    with torch.no_grad():
        layer.delay_steps.copy_(torch.tensor([-2.0, 4.0, 20.0]))
    layer.constrain()
    torch.testing.assert_close(layer.delay_s, torch.tensor([0.0, 0.004, 0.015]))


def test_delays_as_long_as_the_sequence_are_cut_with_a_warning():
    with pytest.warns(UserWarning, match="max_delay_s = 0.01"):
        layer = AxonalDelay(100, dt_s=0.001, delay_range_s=(0.0, 0.02), max_delay_s=0.01, generator=seeded(0))
    assert layer.delay_s.max() == pytest.approx(0.01)


@pytest.mark.parametrize("mode", ["linear", "floor", "central"])
def test_delay_steps_are_the_sequence(mode):
    layer = AxonalDelay(5, dt_s=0.001, delay_range_s=(0.0, 0.012), mode=mode, generator=seeded(1)).double()
    x = torch.rand(3, 30, 5, generator=seeded(0), dtype=torch.float64)
    whole, _ = layer(x)
    first, state = layer(x[:, :7])
    steps = [first]
    for t in range(7, 30):
        y, state = layer.step(x[:, t], state)
        steps.append(y[:, None])
    torch.testing.assert_close(torch.cat(steps, 1), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(layer.step(x[:, 0])[0], whole[:, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delay_range_s": (-0.1, 0.1)}, r"delay_range_s is \(-0.1, 0.1\)"),
        ({"delay_range_s": (0.2, 0.1)}, r"delay_range_s is \(0.2, 0.1\)"),
        ({"mode": "other"}, "delay mode is 'other'"),
        ({"max_delay_s": -1.0}, "max_delay_s is -1.0"),
    ],
)
def test_delay_refuses_bad_settings_when_it_is_built(options, message):
    with pytest.raises(InputError, match=message):
        AxonalDelay(2, **{"dt_s": 0.001, "delay_range_s": (0.0, 0.1), **options})


def test_the_readout_is_a_weighted_mean_of_the_past():
    layer = LeakyReadout(dt_s=0.01, tau_s=0.05).double()
    current = torch.rand(2, 30, 4, generator=seeded(0), dtype=torch.float64)
    b = math.exp(-0.2)
    weights = (1 - b) * b ** torch.arange(29, -1, -1, dtype=torch.float64)
    whole, end = layer(current)
    torch.testing.assert_close(end, torch.einsum("t,ntc->nc", weights, current), rtol=0, atol=1e-7)
    first, state = layer(current[:, :11])
    steps = [first]
    for t in range(11, 30):
        out, state = layer.step(current[:, t], state)
        steps.append(out[:, None])
    torch.testing.assert_close(torch.cat(steps, 1), whole, rtol=0, atol=1e-12)


def test_the_summing_readout_is_the_sum_of_the_past():
    layer = SumReadout()
    current = torch.randn(2, 30, 4, generator=seeded(0), dtype=torch.float64)
    whole, end = layer(current)
    torch.testing.assert_close(whole, current.cumsum(1), rtol=0, atol=1e-12)
    first, state = layer(current[:, :11])
    steps = [first]
    for t in range(11, 30):
        out, state = layer.step(current[:, t], state)
        steps.append(out[:, None])
    torch.testing.assert_close(torch.cat(steps, 1), whole, rtol=0, atol=1e-12)
    assert torch.equal(layer.step(current[:, 0])[0], whole[:, 0])
    assert torch.equal(end, whole[:, -1])


def test_the_linear_map_takes_rows_and_tensors():
    layer = SpikeLinear(6, 3, generator=seeded(0))
    x = torch.zeros(2, 2, 6)
    x[0, 0, 1] = x[1, 1, 5] = 1
    x[0, 1, 2] = 2
    indptr = torch.tensor([0, 1, 3, 3, 4])
    rows = SpikeRows(indptr, torch.tensor([1, 2, 2, 5], dtype=torch.int32), 2, 2, 6)
    with torch.no_grad():
        layer.bias.copy_(torch.arange(3.0))
    expected = x @ layer.weight.T + layer.bias
    torch.testing.assert_close(layer(rows), expected)
    torch.testing.assert_close(layer(x), expected)
    assert SpikeLinear(6, 3, bias=False).bias is None


def test_the_initial_weights_are_bounded_and_seeded():
    weight = SpikeLinear(400, 50, generator=seeded(3)).weight
    assert torch.equal(weight, SpikeLinear(400, 50, generator=seeded(3)).weight)
    assert 0.049 < weight.abs().max() <= 0.05
    assert abs(weight.mean()) < 1e-3


def test_dropout_silences_units_for_the_whole_sample_and_keeps_the_mean():
    layer = UnitDropout(0.3, generator=seeded(0))
    y = layer(torch.ones(200, 5, 100))
    assert torch.equal(y, y[:, :1].expand_as(y))
    torch.testing.assert_close(y.unique(), torch.tensor([0.0, 1 / 0.7]))
    assert abs((y == 0).float().mean() - 0.3) < 0.02  # 20,000 draws: six standard deviations
    layer.eval()
    assert torch.equal(layer(torch.ones(2, 5, 3)), torch.ones(2, 5, 3))


def test_dropout_goes_on_from_a_checkpoint():
    layer, other = UnitDropout(0.5, generator=seeded(0)), UnitDropout(0.5, generator=seeded(1))
    x = torch.ones(4, 2, 50)
    layer(x)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(layer(x), other(x))
    assert not torch.equal(layer(x), UnitDropout(0.5, generator=seeded(2))(x))
    with pytest.raises(InputError, match="dropout is 1"):
        UnitDropout(1.0)
