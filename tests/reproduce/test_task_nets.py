import numpy as np
import pytest
import torch

from beyondrate.errors import InputError
from beyondrate.reproduce.yu2025 import task_nets
from beyondrate.reproduce.yu2025.task_nets import TASK_NETS, Size
from beyondrate.training import predict

TINY = Size(n_train=32, n_validation=16, n_test=24, epochs=1)


def accuracy(trained, test):
    arm = trained.arm
    scores = predict(arm.network, test, dt_s=arm.dt_s, loss=arm.loss)
    return float((scores.argmax(axis=1) == test.labels).mean())


@pytest.mark.parametrize("task", list(TASK_NETS))
def test_samples_of_a_level_are_disturbed_and_belong_to_no_other_part(task):
    clean, disturbed = (task_nets.held_out_set(task, level, size=TINY) for level in (0.0, 1.0))
    train, validation = task_nets.training_sets(task, 0.0, 0, size=TINY)
    assert [len(part) for part in (train, validation, clean)] == [32, 16, 24]
    assert len({part.digest for part in (train[:16], validation, clean[:16], disturbed[:16])}) == 4
    assert np.array_equal(clean.labels, disturbed.labels)
    assert np.array_equal(clean.counts(), disturbed.counts()) == (task != "coincidence")
    others, _ = task_nets.training_sets(task, 0.0, 1, size=TINY)
    assert train.digest != others.digest
    assert train.digest == task_nets.training_sets(task, 0.0, 0, size=TINY)[0].digest


def test_what_replaces_spikes_lies_in_bins_of_its_own():
    size = Size(1, 1, 200, 1)
    replaced = task_nets.held_out_set("isi", 1.0, size=size)
    assert replaced.binned(1e-3).units.size == np.count_nonzero(replaced.dense(1e-3)) > 50_000


@pytest.mark.parametrize("delays", ["none", "frozen", "learned"])
def test_relays_answer_every_spike_of_their_input_and_delays_are_as_asked(delays):
    train, _ = task_nets.training_sets("polychrony", 0.0, 0, size=TINY)
    net = task_nets.relay_net(
        train, delays=delays, longest_delay_s=0.1, generator=torch.Generator().manual_seed(0)
    )
    relayed, detected = net.hidden_spikes(torch.from_numpy(train.dense(task_nets.RELAY_DT_S)))
    expected = train.dense(task_nets.RELAY_DT_S)[:, :, np.arange(task_nets.RELAYS) % 10] > 0
    assert (relayed.detach().numpy() == expected).mean() > 0.999
    assert 0.2 < float(detected.detach().sum(1).mean()) < 50
    layer = net.hidden_layers[0]
    if delays == "none":
        assert layer.delay is None
    else:
        assert layer.delay.delay_s.min() < 0.01 < 0.09 < layer.delay.delay_s.max() <= 0.1
        trained = any("delay" in name for name, p in net.named_parameters() if p.requires_grad)
        assert trained == (delays == "learned")


@pytest.mark.parametrize("task", list(TASK_NETS))
def test_training_is_decided_by_its_seed(task):
    test = task_nets.held_out_set(task, 0.0, size=TINY)
    first, second, other = (task_nets.train(task, 0.0, seed, size=TINY) for seed in (0, 0, 1))
    scores = [
        predict(trained.arm.network, test, dt_s=trained.arm.dt_s, loss=trained.arm.loss)
        for trained in (first, second, other)
    ]
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_the_coincidence_network_learns_its_task():
    size = Size(n_train=1000, n_validation=200, n_test=500, epochs=8)
    trained = task_nets.train("coincidence", 0.0, 0, size=size)
    held_out = [task_nets.held_out_set("coincidence", level, size=size) for level in (0, 1)]
    by_level = [accuracy(trained, trains) for trains in held_out]
    assert by_level[0] > 0.95
    assert by_level[1] == pytest.approx(1 / 3, abs=0.1)


def test_the_order_network_learns_its_task_in_one_pass():
    size = Size(n_train=400, n_validation=100, n_test=300, epochs=1)
    trained = task_nets.train("temporal-order", 0.0, 0, size=size, delays="frozen")
    assert accuracy(trained, task_nets.held_out_set("temporal-order", 0.0, size=size)) > 0.9
    assert accuracy(trained, task_nets.held_out_set("temporal-order", 1.0, size=size)) < 0.65


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="unknown task 'isy'"):
        task_nets.held_out_set("isy", 0.0, size=TINY)
    with pytest.raises(InputError, match="the network of isi has no delays 'learned'"):
        task_nets.train("isi", 0.0, 0, size=TINY, delays="learned")
