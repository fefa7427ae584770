from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.errors import InputError
from beyondrate.nn import (
    Conv,
    EveryStep,
    GammaMemory,
    LastStep,
    MeanMembrane,
    SpikeRows,
    SpikingGammaNet,
    loss_support,
)
from beyondrate.nn.gamma_synapse import Past

PROPERTY = settings(max_examples=6, deadline=None, derandomize=True)
RULES = ["spatial", "eligibility", "full", "gated"]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def spikes(seed=0, shape=(3, 24, 12), share=0.2):
    return (torch.rand(shape, generator=seeded(seed)) < share).double()


def rows_of(x):
    batch, time, unit = x.shape
    at = x.reshape(-1, unit).nonzero()
    indptr = torch.zeros(batch * time + 1, dtype=torch.int64)
    indptr[1:] = torch.bincount(at[:, 0], minlength=batch * time).cumsum(0)
    return SpikeRows(indptr, at[:, 1].int(), batch, time, unit)


def live_net(seed=0, **options):
    options = {"dt_s": 0.004, "hidden": (10, 8), "memory_s": 0.01, "input_gain": 3.0, **options}
    n_units = math.prod(options.get("input_shape") or (12,))
    net = SpikingGammaNet(n_units, 4, generator=seeded(seed), **options).double()
    with torch.no_grad():
        for synapse in net.synapses:
            synapse.bias.abs_()  # no unit is silent for good
    return net


def parameter_gradients(net, loss):
    net.zero_grad()
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in net.named_parameters()}


def flat(gradients):
    return torch.cat([gradient.flatten() for gradient in gradients.values()])


KINDS = [
    {},
    {"rule": "spatial", "mode": "cascade", "scale": "mass", "rho": 0.5},
    {"rule": "eligibility", "code": "first", "scale": "rms", "dt_s": 0.002},
    {"rule": "full", "per_synapse": True, "n_max": 1, "n_buckets": 5, "dropout": 0.3},
    {"learn_tau": True, "n_buckets": 3, "hidden": (10,)},
    {"rule": "spatial", "input_shape": (2, 5, 6), "hidden": (Conv(3, 3, 2), Conv(2, 2), 7), "n_buckets": 4},
    {"input_shape": (1, 5, 6), "hidden": (Conv(3),), "per_synapse": True, "n_buckets": 3},
]


def inputs_of(net, seed=0, n_steps=24):
    return spikes(seed, (3, n_steps, net.config["n_units"]))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_and_tensors_give_the_same_and_every_parameter_learns(kind):
    net = live_net(**kind).eval()
    x = inputs_of(net)
    out = net(x)
    assert out.shape == (3, 24, 4)
    assert all(h.count_nonzero() > 10 for h in net.hidden_spikes(x))
    torch.testing.assert_close(net(rows_of(x)), out, rtol=0, atol=1e-10)
    gradients = parameter_gradients(net, EveryStep()(out, torch.tensor([0, 1, 2])))
    for name, gradient in gradients.items():
        if not name.startswith("memories.2") or len(net.config["hidden"]) > 1:
            assert gradient.abs().sum() > 0, name
    assert net.n_parameters == sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("kind", KINDS)
@PROPERTY
@given(cuts=st.lists(st.integers(0, 24), max_size=3))
def test_any_split_and_single_steps_give_what_the_whole_gives(kind, cuts):
    net = live_net(**kind).eval()
    x = inputs_of(net)
    with torch.no_grad():
        whole, end = net.sequence(x)
        pieces, state = [], None
        for first, stop in itertools.pairwise([0, *sorted(cuts), 24]):
            out, state = net.sequence(x[:, first:stop], state)
            pieces.append(out)
        steps, stepped = [], None
        for t in range(24):
            out, stepped = net.step(x[:, t], stepped)
            steps.append(out)
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=0, atol=1e-10)
    torch.testing.assert_close(torch.stack(steps, 1), whole, rtol=0, atol=1e-10)
    for one, two, three in zip(end.memories, state.memories, stepped.memories, strict=True):
        torch.testing.assert_close(two, one, rtol=0, atol=1e-10)
        torch.testing.assert_close(three, one, rtol=0, atol=1e-10)


def test_streaming_and_sequence_send_equally_many_spikes():
    net, x = live_net(theta0=0.05).eval(), spikes(shape=(4, 200, 12))
    with torch.no_grad():
        whole = [q.sum() for q in net.hidden_quanta(x)]
        state, sent = None, [0.0, 0.0]
        for x_t in x.unbind(1):
            before = state
            _, state = net.step(x_t, state)
            for layer in (1, 2):
                memory = state.memories[layer]
                old = torch.zeros_like(memory) if before is None else before.memories[layer]
                left = net.memories[layer].constants(memory)[0] @ old
                height, p = (memory - left)[:, 0], left.sum(1)
                sent[layer - 1] += (height / (0.05 + 0.05 * p)).round().sum()
    assert sent[0] > 1000
    assert sent == whole


@pytest.mark.parametrize(
    "kind", [{}, {"per_synapse": True}, {"mode": "cascade", "code": "first", "scale": "rms"}]
)
@pytest.mark.parametrize("rule", ["full", "gated", "eligibility"])
def test_gradients_pass_from_piece_to_piece(kind, rule):
    net, x = live_net(rule=rule, **{**kind, "dt_s": 0.002}), spikes()
    labels = torch.tensor([0, 1, 2])
    whole = parameter_gradients(net, EveryStep()(net(x), labels))
    first, state = net.sequence(x[:, :11])
    second, _ = net.sequence(x[:, 11:], state)
    pieces = parameter_gradients(net, EveryStep()(torch.cat([first, second], 1), labels))
    stepped, state = [], None
    for x_t in x.unbind(1):
        out, state = net.step(x_t, state)
        stepped.append(out)
    steps = parameter_gradients(net, EveryStep()(torch.stack(stepped, 1), labels))
    assert flat(whole).abs().max() > 1e-4
    torch.testing.assert_close(flat(pieces), flat(whole), rtol=0, atol=1e-10)
    torch.testing.assert_close(flat(steps), flat(whole), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS[:4] + KINDS[5:6])
def test_spatial_gradients_are_the_sum_of_those_of_single_steps(kind):
    """Each step knows the present buckets and its own loss only."""
    net = live_net(**{**kind, "rule": "spatial"}).eval()
    x, labels = inputs_of(net), torch.tensor([0, 1, 2])
    whole = parameter_gradients(net, EveryStep()(net(x), labels))
    net.zero_grad()
    state = None
    for x_t in x.unbind(1):
        out, state = net.step(x_t, state.detached() if state else None)
        (torch.nn.functional.cross_entropy(out, labels) / 24).backward()
    online = {name: parameter.grad for name, parameter in net.named_parameters()}
    assert min(gradient.abs().max() for gradient in whole.values()) > 1e-6
    torch.testing.assert_close(flat(online), flat(whole), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "kind", [{}, {"per_synapse": True}, {"input_shape": (1, 3, 4), "hidden": (Conv(3),)}]
)
def test_eligibility_is_full_for_one_hidden_layer(kind):
    found = []
    for rule in ("eligibility", "full", "gated"):
        net = live_net(rule=rule, **{"hidden": (10,), **kind})
        found.append(flat(parameter_gradients(net, LastStep()(net(spikes()), torch.tensor([0, 1, 2])))))
    assert found[0].abs().max() > 1e-3
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-12)
    assert (found[1] - found[2]).abs().max() > 1e-4


def test_only_the_way_through_hidden_layers_differs_between_the_rules():
    found = {}
    for rule in RULES:
        net = live_net(rule=rule)
        found[rule] = parameter_gradients(net, EveryStep()(net(spikes()), torch.tensor([0, 1, 2])))
    for rule, other in itertools.combinations(RULES, 2):
        alike = ("synapses.1", "synapses.2") if {rule, other} == {"eligibility", "full"} else ("synapses.2",)
        same = [torch.equal(found[rule][name], found[other][name]) for name in found[rule]]
        assert same == [name.startswith(alike) for name in found[rule]]


@pytest.mark.parametrize(
    "kind", [{}, {"per_synapse": True, "n_buckets": 3}, {"code": "first", "dt_s": 0.002, "scale": "mass"}]
)
def test_the_gated_gradient_is_that_of_the_network_with_small_spikes(kind):
    """Finite differences of the whole network, whose spikes are a millionth of a step of the differences."""
    net = live_net(theta0=1e-11, **{"hidden": (6, 5), **kind})
    x, labels = spikes(shape=(2, 15, 12)), torch.tensor([0, 3])
    loss = MeanMembrane()
    gradients = parameter_gradients(net, loss(net(x), labels))
    draw = np.random.default_rng(0)
    for name, parameter in net.named_parameters():
        for index in draw.choice(parameter.numel(), 4, replace=False):
            values = []
            with torch.no_grad():
                for move in (1e-5, -1e-5):
                    parameter.view(-1)[index] += move
                    values.append(loss(net(x), labels))
                    parameter.view(-1)[index] -= move
            numeric = float(values[0] - values[1]) / 2e-5
            assert gradients[name].view(-1)[index] == pytest.approx(numeric, abs=1e-5), name


def test_the_gated_rule_nears_the_gradient_of_small_spikes():
    x, labels, found = spikes(shape=(8, 60, 12)), torch.arange(8) % 4, {}
    for rule in ("gated", "full", "spatial"):
        for theta0 in (0.3, 0.03, 1e-9):
            net = live_net(rule=rule, theta0=theta0)
            found[rule, theta0] = flat(parameter_gradients(net, MeanMembrane()(net(x), labels)))
    exact = found["gated", 1e-9]
    cosine = {key: float(torch.cosine_similarity(g, exact, 0)) for key, g in found.items()}
    assert cosine["gated", 0.3] < cosine["gated", 0.03]
    assert cosine["gated", 0.03] > 0.99
    assert cosine["full", 1e-9] < 0.98
    assert cosine["spatial", 1e-9] < 0.98


def test_a_dense_loss_shows_spatial_what_full_sees():
    x, labels, found = spikes(shape=(16, 100, 12), share=0.1), torch.arange(16) % 4, []
    for rule in ("spatial", "full"):
        net = live_net(rule=rule, hidden=(48,), dt_s=0.001, input_gain=1.0)
        found.append(parameter_gradients(net, EveryStep()(net(x), labels)))
    assert 0.8 < torch.cosine_similarity(flat(found[0]), flat(found[1]), 0) < 0.9999
    hidden = [gradients["synapses.0.weight"].flatten() for gradients in found]
    assert 0.7 < torch.cosine_similarity(*hidden, 0) < 0.99


def events_on_a_grid(seed, grid_s, duration_s, n_samples=12):
    generator = seeded(seed)
    return torch.rand(n_samples, round(duration_s / grid_s), 12, generator=generator) < 0.06


def at_dt(events, grid_s, dt_s):
    every = round(grid_s / dt_s)
    x = torch.zeros(events.shape[0], events.shape[1] * every, events.shape[2], dtype=torch.float64)
    x[:, ::every] = events.double()
    return x, slice(None, None, every)


def test_the_time_step_does_not_matter():
    """First-layer x exactly; the whole net nearly; the number of spikes within 3 %."""
    events = events_on_a_grid(0, 0.01, 0.3)
    net = live_net(hidden=(48,), memory_s=0.005, dt_s=0.0001, input_gain=1.0)
    drives, outputs, counts = {}, {}, {}
    with torch.no_grad():
        for dt_s in (0.0001, 0.001, 0.005, 0.01):
            other = net.at(dt_s)
            x, on_grid = at_dt(events, 0.01, dt_s)
            drives[dt_s] = other.synapses[0](Past(x, None), other.memories[0])[:, on_grid]
            outputs[dt_s] = other(x)[:, on_grid]
            counts[dt_s] = float(other.hidden_quanta(x)[0].sum())
    spread = outputs[0.0001].std()
    assert counts[0.0001] > 5 * 12 * 48
    for dt_s, most in ((0.001, 0.03), (0.005, 0.1), (0.01, 0.2)):
        torch.testing.assert_close(drives[dt_s], drives[0.0001], rtol=0, atol=1e-12)
        assert (outputs[dt_s] - outputs[0.0001]).square().mean().sqrt() < most * spread
        assert counts[dt_s] == pytest.approx(counts[0.0001], rel=0.03)
    cascade = net.at(0.01, mode="cascade")
    apart = cascade.synapses[0](Past(at_dt(events, 0.01, 0.01)[0], None), cascade.memories[0])
    assert (apart - drives[0.0001]).abs().max() > 0.1


def test_the_state_does_not_grow():
    net = live_net(rule="spatial").eval()
    state, sizes = None, set()
    for step in range(300):
        _, state = net.step(spikes(step, (2, 12)), state.detached() if state else None)
        sizes.add(tuple(memory.untyped_storage().nbytes() for memory in state.memories))
    assert sizes == {(2 * 8 * 12 * 8, 2 * 8 * 10 * 8, 2 * 8 * 8 * 8)}


def test_dropout_keeps_its_units_for_a_whole_trial():
    net, x = live_net(dropout=0.5, hidden=(40, 30)), spikes()
    net.train()
    _, state = net.step(x[:, 0])
    kept = state.kept
    assert {factor.unique().tolist() == [0.0, 2.0] for factor in kept} == {True}
    _, state = net.sequence(x[:, 1:9], state)
    assert state.kept is kept
    assert net.sequence(x)[1].kept is not None
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert net.sequence(x)[1].kept is None
    assert torch.equal(net(x), net(x))


@pytest.mark.parametrize("kind", KINDS)
def test_a_net_is_built_again_from_its_config(kind):
    net = live_net(**kind)
    config = json.loads(json.dumps(net.config))
    again = SpikingGammaNet.from_config(config).double()
    again.load_state_dict(net.state_dict())
    x = inputs_of(net)
    assert json.loads(json.dumps(again.config)) == config
    assert torch.equal(again.eval()(x), net.eval()(x))


def test_export_sees_the_operations():
    net, x = live_net().eval(), spikes()
    graph = torch.export.export(net, (x,)).module()
    operations = {str(node.target) for node in graph.graph.nodes}
    assert {"beyondrate.gamma_scan.default", "beyondrate.sigma_delta.default"} <= operations
    torch.testing.assert_close(graph(x), net(x), rtol=0, atol=1e-12)


def test_the_seed_decides_the_weights():
    assert torch.equal(live_net(1)(spikes()), live_net(1)(spikes()))
    assert not torch.equal(live_net(1)(spikes()), live_net(2)(spikes()))


def test_losses_say_when_they_exist():
    assert [loss_support(loss) for loss in (EveryStep(), LastStep(), MeanMembrane())] == [
        "every step",
        "last",
        "mean",
    ]
    out, labels = torch.randn(3, 7, 4, generator=seeded(0)), torch.tensor([0, 1, 2])
    steps = [torch.nn.functional.cross_entropy(out[:, t], labels) for t in range(7)]
    torch.testing.assert_close(EveryStep()(out, labels), torch.stack(steps).mean())
    net = live_net(rule="spatial")
    with pytest.warns(UserWarning, match=r"last step only.*'spatial'"):
        net.check_loss(LastStep())
    net.check_loss(EveryStep())
    live_net(rule="gated").check_loss(LastStep())


def test_what_cannot_be_is_refused_or_warned_about():
    with pytest.raises(InputError, match=r"rule is 'bptt'.*gated"):
        live_net(rule="bptt")
    with pytest.raises(InputError, match="n_buckets is 0"):
        live_net(n_buckets=0)
    with pytest.raises(InputError, match="hidden is"):
        live_net(hidden=())
    with pytest.raises(InputError, match=r"dt_s is 0.005 s, but code 'first'"):
        live_net(code="first", scale="mass", dt_s=0.005)
    with pytest.raises(InputError, match="Conv layer has no rows and columns"):
        live_net(hidden=(10, Conv(3)))
    with pytest.raises(InputError, match=r"input_shape is \(2, 3, 4\).*12 units"):
        SpikingGammaNet(12, 2, dt_s=0.001, input_shape=(2, 3, 4))
    with pytest.warns(UserWarning, match="code 'first' does not train with scale 'dc'"):
        live_net(code="first", dt_s=0.002)
    with pytest.warns(UserWarning, match=r"longest delay is 0.5 s.*take memory_s = 0.024"):
        live_net(longest_delay_s=0.5)
    live_net(longest_delay_s=0.2)


def test_a_memory_is_what_its_steps_make_it():
    memory = GammaMemory(6, memory_s=0.01, dt_s=0.004)
    u, state = spikes(shape=(2, 30, 5)).float(), None
    for u_t in u.unbind(1):
        state = memory.step(u_t, state)
    torch.testing.assert_close(memory(u), state, rtol=0, atol=1e-5)
    assert memory.mean_life_s == pytest.approx(float(memory.tau_s.sum()))


def test_a_look_without_gradients_leaves_a_network_trainable():
    """What a memory keeps for later is no tensor of the inference mode that it may have been made in."""
    generator = torch.Generator().manual_seed(0)
    net = SpikingGammaNet(3, 2, dt_s=0.002, hidden=(4,), generator=generator).double()
    x = torch.ones(1, 5, 3, dtype=torch.float64)
    with torch.inference_mode():
        expected = net(x)
    out = net(x)
    out.sum().backward()
    assert torch.equal(out, expected)
    assert net.synapses[0].weight.grad.abs().max() > 0


def test_another_time_step_draws_nothing_from_torchs_generator():
    net = SpikingGammaNet(3, 2, dt_s=0.002, hidden=(4,), dropout=0.5)
    before = torch.get_rng_state()
    other = net.at(0.001)
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in other.state_dict().items():
        assert torch.equal(value, net.state_dict()[name])
