from __future__ import annotations

import gc

import numpy as np
import pytest
import torch

from beyondrate import tasks
from beyondrate.errors import InputError
from beyondrate.nn import Conv, EveryStep, LastStep, MeanMembrane, SpikingGammaNet
from beyondrate.training.inputs import BinnedInput
from beyondrate.training.online import OnlineTrainer


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def spikes(seed=0, shape=(3, 24, 12), share=0.2):
    return (torch.rand(shape, generator=seeded(seed)) < share).double()


LABELS = torch.tensor([0, 1, 2])


def live_net(rule, **options):
    options = {"dt_s": 0.004, "hidden": (10, 8), "memory_s": 0.01, "input_gain": 3.0, **options}
    net = SpikingGammaNet(12, 4, rule=rule, generator=seeded(0), **options).double()
    with torch.no_grad():
        for synapse in net.synapses:
            synapse.bias.abs_()
    return net


class Recorder(torch.optim.SGD):
    """Keeps the gradients that it is given and changes nothing."""

    def __init__(self, net):
        super().__init__(net.parameters(), lr=0.0)
        self.net, self.seen = net, []

    def step(self):
        self.seen.append({name: p.grad.clone() for name, p in self.net.named_parameters()})


@pytest.mark.parametrize("loss", [EveryStep(), LastStep()])
@pytest.mark.parametrize("rule", ["spatial", "eligibility"])
@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"per_synapse": True, "n_buckets": 3},
        {"code": "first", "scale": "rms", "dt_s": 0.002, "rho": 0.5},
        {"mode": "cascade", "scale": "mass", "n_max": 1, "hidden": (10,)},
    ],
)
@pytest.mark.filterwarnings("ignore:a loss at the last step")
def test_online_gradients_sum_to_those_of_the_trial(loss, rule, kind):
    net = live_net(rule, **kind)
    value = loss(net(spikes()), LABELS)
    value.backward()
    whole = {name: parameter.grad.clone() for name, parameter in net.named_parameters()}
    net.zero_grad()
    recorder = Recorder(net)
    found = OnlineTrainer(net, recorder, loss=loss, update_every=None, clip=1e9).trial(spikes(), LABELS)
    assert found == pytest.approx(value.item(), abs=1e-12)
    assert len(recorder.seen) == 1
    for name, gradient in whole.items():
        assert gradient.abs().max() > 1e-7, name
        torch.testing.assert_close(recorder.seen[0][name], gradient, rtol=0, atol=1e-10, msg=name)


@pytest.mark.parametrize("rule", ["spatial", "eligibility"])
def test_updates_come_when_they_should_and_share_out_the_trial(rule):
    gradients = {}
    for every, n_updates in ((1, 24), (5, 5), (None, 1)):
        net = live_net(rule, dropout=0.2).eval()
        recorder, called = Recorder(net), []
        trainer = OnlineTrainer(
            net, recorder, update_every=every, clip=1e9, after_update=lambda called=called: called.append(1)
        )
        trainer.trial(spikes(), LABELS)
        assert len(recorder.seen) == trainer.n_updates == len(called) == n_updates
        steps = [min(every or 24, 24 - (every or 24) * index) for index in range(n_updates)]
        gradients[every] = sum(
            n / 24 * seen["synapses.0.weight"] for n, seen in zip(steps, recorder.seen, strict=True)
        )
    assert gradients[None].abs().max() > 1e-6
    torch.testing.assert_close(gradients[1], gradients[None], rtol=0, atol=1e-12)
    torch.testing.assert_close(gradients[5], gradients[None], rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule", ["spatial", "eligibility"])
def test_memory_does_not_grow_with_the_stream(rule):
    net = live_net(rule)
    trainer, numbers = OnlineTrainer(net, torch.optim.Adam(net.parameters(), 1e-3)), []
    x = spikes(shape=(2, 300, 12))
    for t in range(300):
        trainer.step(x[:, t], LABELS[:2])
        if t in (20, 150, 299):
            gc.collect()
            alive = (each for each in gc.get_objects() if issubclass(type(each), torch.Tensor))
            numbers.append(sorted(each.numel() for each in alive))
    assert numbers[0] == numbers[1] == numbers[2]


def test_dropout_in_a_stream_is_that_of_the_trial():
    net = live_net("eligibility", dropout=0.4)
    recorder = Recorder(net)
    trainer = OnlineTrainer(net, recorder, update_every=None, clip=1e9)
    drawn = [dropout.get_extra_state() for dropout in net.dropouts]
    trainer.trial(spikes(), LABELS)
    for dropout, generator in zip(net.dropouts, drawn, strict=True):
        dropout.set_extra_state(generator)
    EveryStep()(net(spikes()), LABELS).backward()
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(recorder.seen[0][name], parameter.grad, rtol=0, atol=1e-10)


def test_what_needs_whole_trials_is_refused():
    def trainer(rule="spatial", loss=None, update_every=1, **options):
        net = live_net(rule, **options)
        return OnlineTrainer(
            net, torch.optim.SGD(net.parameters(), 0.1), loss=loss, update_every=update_every
        )

    for rule in ("gated", "full"):
        with pytest.raises(InputError, match=f"rule '{rule}' needs whole trials.*eligibility"):
            trainer(rule)
    with pytest.raises(InputError, match="MeanMembrane needs whole trials"):
        trainer(loss=MeanMembrane())
    with pytest.raises(InputError, match="learn_tau needs whole trials"):
        trainer(learn_tau=True)
    with pytest.raises(InputError, match="update_every is 0"):
        trainer(update_every=0)
    with pytest.raises(InputError, match="no traces for convolutions"):
        trainer("eligibility", input_shape=(1, 3, 4), hidden=(Conv(3),))
    with pytest.warns(UserWarning, match="last step only"):
        trainer(loss=LastStep())


def accuracy_on_delays(rule, loss, seed, iterations=200, online=False):
    """Train on fresh samples of the delay task at dt = 5 ms; test on 1,000 others."""
    net = SpikingGammaNet(2, 8, dt_s=0.005, hidden=(64,), rule=rule, generator=seeded(seed))
    rate, n_updates = (3e-3, 32 * iterations) if online else (1e-2, iterations)
    optimiser = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_updates, rate / 20)
    trainer = OnlineTrainer(net, optimiser, loss=loss, after_update=schedule.step) if online else None
    train, test = (tasks.delay.generate(n, seed=seed + at) for n, at in ((64 * iterations, 0), (1000, 50)))
    inputs, held_out = (
        BinnedInput(trains, 0.005, as_rows=True, device=torch.device("cpu")) for trains in (train, test)
    )
    labels = torch.from_numpy(train.labels.copy())
    for start in range(0, len(train), 64):
        batch, wanted = inputs.batch(np.arange(start, start + 64)), labels[start : start + 64]
        if trainer is not None:
            trainer.trial(batch, wanted)
            continue
        optimiser.zero_grad()
        loss(net(batch), wanted).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        answers = loss.scores(net(held_out.batch(np.arange(1000)))).argmax(1).numpy()
    return float((answers == test.labels).mean())


def test_delays_are_learned():
    accuracies = [accuracy_on_delays("gated", EveryStep(), seed) for seed in range(3)]
    assert min(accuracies) >= 0.75
    assert max(accuracies) >= 0.88


def test_spatial_needs_a_loss_at_every_step():
    every, last = (
        np.mean([accuracy_on_delays("spatial", loss, seed) for seed in range(1, 4)])
        for loss in (EveryStep(), LastStep())
    )
    assert every >= 0.8
    assert every - last > 0.08


def test_an_update_after_every_step_learns_delays_in_few_trials():
    assert accuracy_on_delays("spatial", EveryStep(), 1, iterations=40, online=True) >= 0.7


@pytest.mark.parametrize("rule", ["spatial", "eligibility"])
def test_what_is_no_number_changes_no_weight(rule):
    net = live_net(rule)
    trainer = OnlineTrainer(net, torch.optim.Adam(net.parameters()))
    with torch.no_grad():
        net.synapses[1].weight[0, 0] = float("nan")
    before = [parameter.detach().clone() for parameter in net.parameters()]
    with pytest.raises(InputError, match="training loss became nan"):
        trainer.trial(spikes(), LABELS)
    for parameter, old in zip(net.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.detach(), old, rtol=0, atol=0, equal_nan=True)


def test_a_gradient_that_is_no_number_changes_no_weight():
    class Rooted(EveryStep):
        """A loss of finite value and infinite slope."""

        def __call__(self, output, labels):
            return super().__call__(output, labels) + (0 * output).abs().sqrt().sum()

    net = live_net("spatial")
    before = [parameter.detach().clone() for parameter in net.parameters()]
    with pytest.raises(InputError, match="norm of the gradient became nan"):
        OnlineTrainer(net, torch.optim.Adam(net.parameters()), loss=Rooted()).trial(spikes(), LABELS)
    assert all(map(torch.equal, net.parameters(), before))
