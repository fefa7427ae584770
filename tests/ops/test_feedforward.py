from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beyondrate.errors import InputError
from beyondrate.ops.feedforward import (
    Delays,
    Factors,
    GammaMemories,
    LeakyUnits,
    LIFUnits,
    SigmaDeltaUnits,
    Synapses,
    feedforward,
    tiles,
)
from beyondrate.ops.feedforward import run as run_module
from beyondrate.ops.feedforward.run import Run
from beyondrate.ops.gamma import time_constants, transition
from beyondrate.ops.leak import Leak
from beyondrate.ops.sigma_delta import SigmaDeltaParams
from beyondrate.ops.sparse_linear import SpikeRows

PROPERTY = settings(max_examples=20, deadline=None, derandomize=True)
KINDS = ("plain", "filtered", "soft", "delays", "floor", "central", "dropout", "spikes", "gated", "full")
N_IN, N_OUT = 9, 3


@pytest.fixture(params=["keeps", "goes forward again"], autouse=True)
def way_back(request, monkeypatch):
    """Every test goes back both ways: with the states kept, and by going forward once more."""
    monkeypatch.setattr("beyondrate.ops.feedforward.run._FREE", {})
    if request.param != "keeps":
        monkeypatch.setattr("beyondrate.ops.feedforward.run._MOST_KEPT", 0)
    return request.param


def random_rows(batch, steps, units, generator, density=0.2):
    raster = torch.rand(batch * steps, units, generator=generator) < density
    indptr = torch.zeros(batch * steps + 1, dtype=torch.int64)
    indptr[1:] = raster.sum(1).cumsum(0)
    return SpikeRows(indptr, raster.nonzero()[:, 1].to(torch.int32), batch, steps, units)


def random_case(kind, batch, steps, *, hidden=(7, 5), seed=0, dtype=torch.float64):
    """Input spikes and a network of two hidden layers that spike often, all its tensors with gradients."""
    generator = torch.Generator().manual_seed(seed)
    rows = random_rows(batch, steps, N_IN, generator)

    def draw(*shape, scale=1.0, shift=0.0):
        values = torch.rand(shape, generator=generator, dtype=torch.float64) * scale + shift
        return values.to(dtype).requires_grad_()

    def synapses(n_in, n_out):
        return Synapses(draw(n_out, n_in, scale=1.6, shift=-0.6), draw(n_out, scale=0.3))

    def leak(n, shift=0.1):
        return Leak(draw(*(() if kind in ("soft", "delays") else (n,)), scale=2.0, shift=shift), dt_s=1.0)

    def units(n):
        of_filter = leak(n, shift=-0.4) if kind == "filtered" else None
        reset = "soft" if kind == "soft" else "hard"
        return LIFUnits(leak(n), of_filter, reset=reset, detach_reset=kind != "soft", slope=4.0)

    def after(n):
        if kind in ("delays", "floor", "central"):
            mode = "linear" if kind == "delays" else kind
            return [Delays(draw(n, scale=4.0), mode)]
        return [Factors(draw(batch, n, scale=2.0).detach().round())] if kind == "dropout" else []

    chain = transition(time_constants(4, 0.01), 0.002).to(dtype)

    def gamma(n_in, n_out):
        weight = Synapses(draw(n_out, n_in, scale=1.6, shift=-0.6))
        return [weight, GammaMemories(draw(4, n_out, scale=0.6), draw(n_out, scale=0.3), chain)]

    if kind in ("gated", "full"):
        code = SigmaDeltaUnits(chain, SigmaDeltaParams(theta0=0.2), kind == "gated")
        return rows, [
            *gamma(N_IN, hidden[0]),
            code,
            *gamma(hidden[0], hidden[1]),
            code,
            *gamma(hidden[1], N_OUT),
        ]
    last = units(N_OUT) if kind == "spikes" else LeakyUnits(leak(N_OUT))
    stages, sizes = [], [N_IN, *hidden]
    for n_in, n_out in zip(sizes, hidden, strict=False):
        stages += [synapses(n_in, n_out), units(n_out), *after(n_out)]
    into = last.leak if isinstance(last, LeakyUnits) and kind != "floor" else None
    return rows, [*stages, replace(synapses(hidden[-1], N_OUT), into=into), last]


def output_and_gradients(case, backend):
    rows, stages = case
    out = feedforward(rows, stages, backend=backend)
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
    tensors = [tensor for stage in stages for tensor in stage.tensors()]
    if out.numel() == 0:  # what the reference gives of nothing has no history
        return out.detach(), []
    return out.detach(), torch.autograd.grad((weights * out).sum(), tensors, materialize_grads=True)


def assert_agree(case, *, atol=1e-10, live=True):
    (out, gradients), (expected, expected_gradients) = (
        output_and_gradients(case, backend) for backend in ("cpu", "reference")
    )
    torch.testing.assert_close(out, expected, rtol=0, atol=atol)
    for found, wanted in zip(gradients, expected_gradients, strict=True):
        if live:
            assert wanted.abs().max() > 1e-3
        torch.testing.assert_close(found, wanted, rtol=atol, atol=atol * max(1, float(wanted.abs().max())))


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_equal_one_stage_after_the_other(kind):
    assert_agree(random_case(kind, 6, 40))


def test_the_kinds_differ():
    """A guard for the comparison above: no stage is ignored by both sides."""
    found = [output_and_gradients(random_case(kind, 6, 40), "cpu")[1][0] for kind in KINDS[:-2]]
    for i, one in enumerate(found):
        assert all((one - other).abs().max() > 1e-6 for other in found[:i])


@pytest.mark.parametrize("kind", KINDS)
def test_many_lanes_tiles_and_seams(kind, monkeypatch):
    """With tiles of 13 rows, samples are cut into pieces of time where they may be, and lanes are many."""
    monkeypatch.setattr(tiles, "_ROWS", 13)
    assert_agree(random_case(kind, 5, 40))
    assert_agree(random_case(kind, 7, 4), live=False)


@PROPERTY
@given(
    kind=st.sampled_from(KINDS),
    batch=st.integers(0, 4),
    steps=st.integers(0, 60),
    hidden=st.tuples(st.integers(1, 20), st.integers(1, 9)),
    rows=st.integers(1, 100),
    seed=st.integers(0, 1000),
)
def test_any_shape(kind, batch, steps, hidden, rows, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "_ROWS", rows)
        assert_agree(random_case(kind, batch, steps, hidden=hidden, seed=seed), live=False)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_close(kind):
    assert_agree(random_case(kind, 4, 50, dtype=torch.float32), atol=2e-5)


@pytest.mark.parametrize("kind", ["filtered", "delays", "gated"])
def test_the_number_of_threads_changes_no_bit(kind):
    case = random_case(kind, 64, 120, hidden=(40, 30), dtype=torch.float32)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(output_and_gradients(case, "cpu"))
    finally:
        torch.set_num_threads(before)
    for out, gradients in found[1:]:
        assert torch.equal(out, found[0][0])
        assert all(map(torch.equal, gradients, found[0][1]))


@pytest.mark.parametrize("kind", KINDS)
def test_two_batches_may_be_on_their_way_at_once(kind):
    """What one batch keeps for its way back is not overwritten by the next."""
    one, other = random_case(kind, 6, 40), random_case(kind, 3, 70, seed=1)
    expected = output_and_gradients(one, "cpu")[1]
    out = feedforward(*one)
    output_and_gradients(other, "cpu")
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
    found = torch.autograd.grad((weights * out).sum(), [t for stage in one[1] for t in stage.tensors()])
    assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize(
    "order",
    ["SDL", "SDV", "SLDDS", "SLDFS", "SLFDS", "SLD", "SLDLS", "SFGES", "SLGES", "SGGV", "SGESF", "SGELS"],
)
def test_stages_may_stand_anywhere(order, monkeypatch):
    """Synapses, LIF and leaky units (V), delays, factors, gamma memories and encoders, as the letters say."""
    monkeypatch.setattr(tiles, "_ROWS", 13)
    rows, stages = random_case("delays", 5, 40, hidden=(7, 7))
    factors = random_case("dropout", 5, 40, hidden=(7, 7))[1][2]
    first, lif, delays, second, _, other_delays, *_ = stages
    _, gamma, encoder, _, other_gamma, *_ = random_case("gated", 5, 40, hidden=(7, 7))[1]
    made = {
        "S": [first, second],
        "L": [lif, lif],
        "V": [LeakyUnits(lif.leak)],
        "D": [delays, other_delays],
        "F": [factors],
        "G": [gamma, other_gamma],
        "E": [encoder],
    }
    chosen = [made[letter].pop(0) for letter in order]
    out, gradients = output_and_gradients((rows, chosen), "cpu")
    expected, expected_gradients = output_and_gradients((rows, chosen), "reference")
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
    for found, wanted in zip(gradients, expected_gradients, strict=True):
        assert wanted.abs().max() > 1e-3
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_kept_where_no_gradient_will_be_asked_for(kind, monkeypatch):
    monkeypatch.setattr(tiles, "_ROWS", 13)
    case = random_case(kind, 5, 40)
    one_way, both_ways = (Run(*case, comes_back=comes_back) for comes_back in (False, True))
    assert torch.equal(one_way.forward(*case), both_ways.forward(*case))
    assert both_ways.room.bytes_kept > 0
    assert one_way.room.bytes_kept == 0
    runs = []
    monkeypatch.setattr(
        "beyondrate.ops.feedforward.run.Run",
        lambda *_, comes_back: runs.append(comes_back) or (both_ways if comes_back else one_way),
    )
    with torch.no_grad():
        feedforward(*case)
    feedforward(*case)
    assert runs == [False, True]


@pytest.mark.parametrize("kind", KINDS)
def test_one_may_walk_back_twice(kind):
    rows, stages = random_case(kind, 5, 40)
    tensors = [tensor for stage in stages for tensor in stage.tensors()]
    out = feedforward(rows, stages).square().sum()
    once, twice = (torch.autograd.grad(out, tensors, retain_graph=True) for _ in range(2))
    assert all(map(torch.equal, once, twice))
    assert all(grad.any() for grad in once)


@pytest.mark.parametrize("kind", KINDS)
def test_one_batch_after_the_other(kind):
    """Batches of one shape share a run, and nothing of one is left in the next."""
    first, second = (output_and_gradients(random_case(kind, 5, 40, seed=seed), "cpu") for seed in (0, 1))
    run_module._FREE.clear()
    alone = output_and_gradients(random_case(kind, 5, 40, seed=1), "cpu")
    assert torch.equal(second[0], alone[0]) and not torch.equal(second[0], first[0])
    assert all(map(torch.equal, second[1], alone[1]))


@pytest.mark.parametrize("kind", KINDS)
def test_two_batches_on_their_way_at_once_have_a_run_each(kind):
    cases = [random_case(kind, 5, 40, seed=seed) for seed in (0, 1)]
    expected = [output_and_gradients(case, "cpu")[1] for case in cases]
    outs = [feedforward(*case) for case in cases]
    for out, (_, stages), wanted in zip(outs, cases, expected, strict=True):
        weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
        tensors = [tensor for stage in stages for tensor in stage.tensors()]
        found = torch.autograd.grad((weights * out).sum(), tensors)
        assert all(map(torch.equal, found, wanted))


def test_a_run_waits_for_the_next_batch_as_soon_as_one_is_done():
    """And keeps nothing of the batch, where it waits for no garbage collector."""
    waiting = run_module._FREE
    gc.disable()
    try:
        rows, stages = random_case("delays", 5, 40)
        alive = weakref.ref(stages[0].weight)
        out = feedforward(rows, stages)
        out.sum().backward()
        assert not waiting
        del out, rows, stages
        assert len(waiting) == 1
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_of_the_inference_mode_serves_other_batches(kind):
    case = random_case(kind, 5, 40)
    with torch.inference_mode():
        expected = feedforward(*case)
    with torch.no_grad():
        assert torch.equal(feedforward(*case), expected)
    with torch.inference_mode():
        assert torch.equal(feedforward(*case), expected)


def test_few_runs_wait(monkeypatch):
    waiting = run_module._FREE
    for steps in range(1, 20):
        feedforward(*random_case("plain", 2, steps))
    assert len(waiting) == 16
    assert next(iter(waiting))[0] == (2, 4, N_IN)  # those of 1 to 3 steps have waited longest
    monkeypatch.setattr(run_module, "_MOST_BYTES_FREE", 2 * max(run.bytes_held for run in waiting.values()))
    feedforward(*random_case("plain", 2, 40))
    assert 1 <= len(waiting) < 16
    monkeypatch.setattr(run_module, "_MOST_BYTES_FREE", 0)
    feedforward(*random_case("plain", 2, 41))
    assert not any(size[1] == 41 for size, *_ in waiting)


@pytest.mark.parametrize("kind", ["delays", "gated"])
def test_numbers_of_two_types_are_made_one(kind):
    """Kernels see addresses only: a tensor of another type than the first weights' is converted."""
    rows, stages = random_case(kind, 5, 40)
    other, tensors = [], [tensor for stage in stages for tensor in stage.tensors()]
    for stage in stages:
        short = {
            field.name: getattr(stage, field.name).detach().float().requires_grad_()
            for field in fields(stage)
            if isinstance(getattr(stage, field.name), torch.Tensor) and stage is not stages[0]
        }
        other.append(replace(stage, **short))
    expected = torch.autograd.grad(feedforward(rows, stages).square().sum(), tensors)
    others = [tensor for stage in other for tensor in stage.tensors()]
    found = torch.autograd.grad(feedforward(rows, other).square().sum(), others)
    for one, wanted in zip(found, expected, strict=True):
        assert wanted.abs().max() > 1e-3
        torch.testing.assert_close(one.double(), wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize("kind", ["spikes", "plain"])
def test_output_that_is_changed_stays_changed(kind, way_back):
    """Spikes may be: walking back writes nothing to them. Of leaky units it may read, and then refuses."""
    rows, stages = random_case(kind, 5, 40)
    tensors = [tensor for stage in stages for tensor in stage.tensors()]
    expected = torch.autograd.grad((3 * feedforward(rows, stages)).sum(), tensors)
    out = feedforward(rows, stages)
    changed = out.mul_(3)
    found = changed.detach().clone()
    if kind == "plain" and way_back == "keeps":
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            changed.sum().backward()
        return
    assert all(map(torch.equal, torch.autograd.grad(changed.sum(), tensors), expected))
    assert torch.equal(changed, found)


def test_changed_weights_are_refused_on_the_way_back():
    rows, stages = random_case("plain", 2, 10)
    out = feedforward(rows, stages)
    with torch.no_grad():
        stages[0].weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


@pytest.mark.parametrize(
    ("place", "value"),
    [("beyondrate.ops.feedforward._MOST_STEPS", 39), ("torch.compiler.is_compiling", lambda: True)],
)
def test_what_cannot_run_in_tiles_runs_stage_by_stage(place, value, monkeypatch):
    """That is: sequences that are too long where they must be kept whole, and what a compiler traces."""
    case = random_case("delays", 3, 40)
    expected = output_and_gradients(case, "reference")[0]
    monkeypatch.setattr(place, value)
    monkeypatch.setattr("beyondrate.ops.feedforward._Feedforward", None)
    torch.testing.assert_close(feedforward(*case).detach(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "steps"), [(0, 5), (3, 0)])
def test_nothing_gives_gradients_of_zero(kind, batch, steps):
    rows, stages = random_case(kind, batch, steps)
    tensors = [tensor for stage in stages for tensor in stage.tensors()]
    out = feedforward(rows, stages)
    assert out.shape == (batch, steps, N_OUT)
    gradients = torch.autograd.grad(out.sum(), tensors)
    assert all(grad.shape == t.shape and not grad.any() for grad, t in zip(gradients, tensors, strict=True))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_that_are_no_numbers_reach_the_first_weights(kind, backend):
    rows, stages = random_case(kind, 3, 40)
    out = feedforward(rows, stages, backend=backend)
    (grad,) = torch.autograd.grad((out * float("nan")).sum(), stages[0].weight)
    assert grad.isnan().any(1).all()  # of each unit: where a gate is closed, a gradient of 0 is right


def test_a_network_begins_with_synapses():
    rows, stages = random_case("plain", 1, 4)
    with pytest.raises(InputError, match="begin with the input's synapses"):
        feedforward(rows, stages[1:])


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("kind", ["plain", "gated"])
def test_spikes_of_other_units_are_refused(kind, backend):
    _, stages = random_case(kind, 2, 10)
    rows = random_rows(2, 10, 500, torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match="weight has 9 columns for spikes of 500 units"):
        feedforward(rows, stages, backend=backend)


def one_more(stage, name):
    """A stage whose tensor ``name``, or whose leak, has one entry too many on its last side."""
    value = getattr(stage, name)
    if isinstance(value, Leak):
        return replace(stage, **{name: Leak(value.log_tau.detach().flatten()[:1].expand(8), value.dt_s)})
    return replace(stage, **{name: torch.cat([value, value[..., :1]], -1).detach()})


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_that_do_not_fit_their_units_are_refused(kind):
    """Kernels look at no size, so that the size of each tensor of each stage has to be noticed before."""
    rows, stages = random_case(kind, 2, 10)
    for index, stage in enumerate(stages):
        names = [field.name for field in fields(stage)]
        sized = [name for name in names if isinstance(getattr(stage, name), torch.Tensor | Leak)]
        for bad in [one_more(stage, name) for name in sized]:
            with pytest.raises(InputError, match=r"for 7 units|for 5 units|for 3 units|for spikes of"):
                feedforward(rows, [*stages[:index], bad, *stages[index + 1 :]], backend="cpu")


def test_factors_of_other_samples_are_refused():
    _, stages = random_case("dropout", 2, 10)
    rows = random_rows(3, 10, N_IN, torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match=r"factors has shape \(2, 7\).*give shape \(3, 7\)"):
        feedforward(rows, stages)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("steps", [-0.4, -3.0, float("nan"), float("inf"), 1e30])
def test_what_is_no_delay_is_refused(steps, backend):
    rows, stages = random_case("delays", 2, 10)
    with torch.no_grad():
        stages[2].steps[3] = steps
    with pytest.raises(InputError, match="a delay is"):
        feedforward(rows, stages, backend=backend)


def test_a_hidden_layer_of_no_units_has_gradients_of_zero():
    rows, stages = random_case("plain", 3, 10, hidden=(0, 5))
    found, expected = (output_and_gradients((rows, stages), backend) for backend in ("cpu", "reference"))
    torch.testing.assert_close(found[0], expected[0], rtol=0, atol=1e-10)
    for one, wanted in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(one, wanted, rtol=0, atol=1e-10)


def test_a_run_whose_batch_was_broken_off_serves_the_next(monkeypatch):
    case = random_case("gated", 5, 40)
    expected = output_and_gradients(case, "reference")[0]
    with monkeypatch.context() as broken:
        broken.setattr("beyondrate.ops.feedforward.gamma._chains_of_code", None)
        with pytest.raises(TypeError):
            feedforward(*case)
    torch.testing.assert_close(output_and_gradients(case, "cpu")[0], expected, rtol=0, atol=1e-10)


def test_threads_that_share_a_graph_take_turns():
    rows, stages = random_case("plain", 24, 100)
    tensors = [tensor for stage in stages for tensor in stage.tensors()]
    out = feedforward(rows, stages)
    losses = out.sum(), out.square().sum()

    def gradients(loss):
        return torch.autograd.grad(loss, tensors, retain_graph=True)

    expected = [gradients(loss) for loss in losses]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            for found, wanted in zip(pool.map(gradients, losses), expected, strict=True):
                assert all(map(torch.equal, found, wanted))
