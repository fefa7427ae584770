from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from beyondrate import InputError, SpikeTrains, perturb
from beyondrate.nn import CountMLP, EveryStep, MeanMembrane, SpikingGammaNet, SpikingNet
from beyondrate.training import TrainingSettings, fit, predict
from beyondrate.training.inputs import BinnedInput
from beyondrate.training.loop import evaluate, one_cycle

DT_S = 0.005


def early_or_late(n_samples: int, seed: int) -> SpikeTrains:
    """Ten units, two spikes each; the class is whether the even units come before the odd ones."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n_samples)
    samples = []
    for label in labels:
        units = np.repeat(np.arange(10), 2)
        centre = np.where((units % 2) == label, 30_000, 70_000)
        samples.append((np.clip(centre + rng.integers(-8_000, 8_000, 20), 0, 100_000), units))
    return SpikeTrains.from_samples(samples, labels=labels, n_units=10, duration_us=100_000)


class DensePerceptron(nn.Module):
    """A user's own module: it knows nothing of sparse rows."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: type | None = None
        self.linear = nn.Linear(200, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = type(x)
        return self.linear(x.flatten(1))


def spiking_net(seed: int = 0) -> SpikingNet:
    return SpikingNet(10, 2, dt_s=DT_S, hidden=(24,), generator=torch.Generator().manual_seed(seed))


def test_a_spiking_net_learns_what_only_time_tells_and_a_count_network_cannot():
    train, validation, test = early_or_late(256, 0), early_or_late(64, 1), early_or_late(200, 2)
    settings = TrainingSettings(epochs=15, batch_size=32, learning_rate=1e-2)
    net = spiking_net()
    fit(net, train, validation, dt_s=DT_S, loss=MeanMembrane(), settings=settings)
    assert (predict(net, test, dt_s=DT_S).argmax(1) == test.labels).mean() >= 0.95

    counter = CountMLP(10, 2, generator=torch.Generator().manual_seed(0))
    fit(counter, train, validation, dt_s=DT_S, settings=settings)
    assert (predict(counter, test, dt_s=DT_S).argmax(1) == test.labels).mean() <= 0.65


def test_a_module_that_knows_nothing_of_rows_is_given_a_dense_tensor_and_learns():
    train, validation = early_or_late(256, 0), early_or_late(64, 1)
    model = DensePerceptron()
    course = fit(model, train, validation, dt_s=DT_S, settings=TrainingSettings(epochs=10))
    assert model.seen is torch.Tensor
    assert course.validation_accuracy >= 0.95


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    train, validation = early_or_late(96, 0), early_or_late(32, 1)

    def weights(seed: int) -> torch.Tensor:
        net = spiking_net()
        fit(net, train, validation, dt_s=DT_S, settings=TrainingSettings(epochs=2), seed=seed)
        return torch.cat([p.detach().flatten() for p in net.parameters()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


class TwoScales(nn.Module):
    """Class scores from counts; it writes down how it is annealed."""

    def __init__(self) -> None:
        super().__init__()
        self.annealed: list[float] = []
        self.first = nn.Linear(10, 4)
        self.second = nn.Linear(4, 2)

    def anneal(self, progress: float) -> None:
        self.annealed.append(progress)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x.sum(1)))


def one_update(**settings: Any) -> tuple[dict[str, torch.Tensor], TwoScales]:
    """Train once on one batch, and return by how much each parameter changed."""
    torch.manual_seed(0)
    model, train = TwoScales(), early_or_late(32, 0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    once = TrainingSettings(epochs=1, batch_size=32, warm_up=0.0, **settings)
    fit(model, train, train, dt_s=DT_S, settings=once)
    return {name: value - before[name] for name, value in model.state_dict().items()}, model


def test_parameters_have_learning_rates_of_their_own_by_the_end_of_their_name():
    rates = {"bias": 0.02, "second.bias": 0.04}
    change, _ = one_update(learning_rate=0.01, learning_rates=rates)
    largest = {name: value.abs().max().item() for name, value in change.items()}
    expected = {"first.weight": 0.01, "first.bias": 0.02, "second.weight": 0.01, "second.bias": 0.04}
    assert largest == pytest.approx(expected, rel=1e-3)  # Adam's first step is its rate
    with pytest.raises(
        InputError, match=r"learning_rates has .econd\.bias., but the model trains first\.weight"
    ):
        one_update(learning_rates={"econd.bias": 0.1})
    with pytest.raises(InputError, match="learning rate of 'bias' is 0"):
        TrainingSettings(learning_rates={"bias": 0.0})


def test_the_weight_penalty_is_for_weights_only():
    free, _ = one_update(learning_rate=1e-4)
    penalised, _ = one_update(learning_rate=1e-4, weight_decay=1e4)
    assert torch.equal(free["first.bias"], penalised["first.bias"])
    assert not torch.equal(free["first.weight"], penalised["first.weight"])


def test_modules_are_annealed_before_every_epoch():
    model, train = TwoScales(), early_or_late(32, 0)
    fit(model, train, train, dt_s=DT_S, settings=TrainingSettings(epochs=4, patience=4))
    assert model.annealed == [0.0, 0.25, 0.5, 0.75]


def test_training_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    fit(
        spiking_net(),
        early_or_late(32, 0),
        early_or_late(16, 1),
        dt_s=DT_S,
        settings=TrainingSettings(epochs=1),
    )
    assert torch.equal(torch.get_rng_state(), before)


def test_the_weights_of_the_best_epoch_are_kept_and_training_stops_without_progress():
    train, validation = early_or_late(64, 0), early_or_late(64, 1)
    shuffled = SpikeTrains(
        validation.times_us,
        validation.units,
        validation.offsets,
        np.random.default_rng(0).permutation(validation.labels),
        10,
        100_000,
    )
    net = spiking_net()
    settings = TrainingSettings(epochs=60, patience=3, learning_rate=2e-2)
    course = fit(net, train, shuffled, dt_s=DT_S, settings=settings)
    assert course.epochs == course.best_epoch + 1 + settings.patience < settings.epochs
    assert course.validation_accuracy == max(course.validation_accuracies)
    accuracy, loss = evaluate(net, shuffled, dt_s=DT_S)
    assert accuracy == course.validation_accuracy
    assert loss == pytest.approx(course.validation_loss, abs=1e-6)


def test_progress_ends_at_its_total_also_when_training_stops_early():
    told: list[tuple[int, int]] = []
    train = early_or_late(32, 0)
    settings = TrainingSettings(epochs=40, patience=1)
    fit(
        spiking_net(),
        train,
        train,
        dt_s=DT_S,
        settings=settings,
        progress=lambda d, t, _: told.append((d, t)),
    )
    assert told[-1] == (40, 40)
    assert [d for d, _ in told] == sorted({d for d, _ in told})


def test_a_network_that_has_lost_its_numbers_is_not_evaluated():
    net, samples = spiking_net(), early_or_late(20, 0)
    with torch.no_grad():
        net.hidden_layers[0].linear.weight[0, 0] = float("nan")
    assert torch.isfinite(net(torch.zeros(1, 20, 10))).all()  # a unit that is no number is a silent one
    for answer in (evaluate, predict):
        with pytest.raises(InputError, match="weight holds what is no number"):
            answer(net, samples, dt_s=DT_S)


def test_predictions_do_not_depend_on_the_batch_they_are_made_in():
    trains = early_or_late(50, 0)
    net = spiking_net()
    whole = predict(net, trains, dt_s=DT_S, batch_size=50)
    assert whole.std() > 0
    np.testing.assert_allclose(whole, predict(net, trains, dt_s=DT_S, batch_size=7), atol=1e-5)
    np.testing.assert_allclose(whole[30:], predict(net, trains[30:], dt_s=DT_S), atol=1e-5)


def test_rows_and_dense_tensor_of_a_batch_are_the_same_spikes():
    trains = early_or_late(20, 0)
    samples = np.array([3, 19, 0, 3])
    device = torch.device("cpu")
    rows = BinnedInput(trains, DT_S, as_rows=True, device=device).batch(samples)
    dense = BinnedInput(trains, DT_S, as_rows=False, device=device).batch(samples)
    expected = trains.dense(DT_S)[samples]
    assert expected.sum() == 80
    np.testing.assert_array_equal(rows.dense().numpy(), expected)
    np.testing.assert_array_equal(dense.numpy(), expected)


def test_the_learning_rate_rises_then_falls_to_a_thousandth():
    factor = one_cycle(100, 0.2)
    values = [factor(i) for i in range(101)]
    assert max(values) == pytest.approx(1.0) and np.argmax(values) in (19, 20)
    assert values[0] == pytest.approx(1 / 20)
    assert values[100] == pytest.approx(1e-3)
    assert all(np.diff(values[20:]) <= 0)


def test_what_cannot_be_trained_is_refused():
    trains = early_or_late(16, 0)
    with pytest.raises(InputError, match="validation part is empty"):
        fit(spiking_net(), trains, trains[:0], dt_s=DT_S)
    with pytest.raises(InputError, match="epochs is 0"):
        TrainingSettings(epochs=0)

    class Diverged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(float("nan")))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sum(1)[:, :2] * self.weight

    with pytest.raises(InputError, match="loss became nan"):
        fit(Diverged(), trains, trains, dt_s=DT_S)


def test_a_gradient_that_is_no_number_changes_no_weight():
    class Rooted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.weight + (0 * x.sum(1)[:, :2] * self.weight).sqrt()  # whose slope at 0 is infinite

    trains, model = early_or_late(16, 0), Rooted()
    with pytest.raises(InputError, match="norm of the gradient became nan"):
        fit(model, trains, trains, dt_s=DT_S)
    assert model.weight.tolist() == [1, 1]


@pytest.mark.parametrize("name", ["hidden_layers.0.linear.weight", "readout_linear.bias", "readout.log_tau"])
def test_a_network_with_a_weight_that_is_no_number_is_refused(name: str):
    trains, net = early_or_late(16, 0), spiking_net()
    with torch.no_grad():
        net.get_parameter(name).view(-1)[0] = float("nan")
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(InputError, match="became nan"):
        fit(net, trains, trains, dt_s=DT_S, loss=MeanMembrane())
    for key, value in net.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0, equal_nan=True)


def test_samples_can_be_drawn_anew_for_every_epoch():
    train, validation = early_or_late(40, 0), early_or_late(20, 1)
    drawn = []

    def redraw(rng: np.random.Generator) -> SpikeTrains:
        drawn.append(perturb.jitter(train, 0.001, rng))
        return drawn[-1]

    settings = TrainingSettings(epochs=3)
    fit(spiking_net(), train, validation, dt_s=DT_S, loss=MeanMembrane(), settings=settings, redraw=redraw)
    assert len(drawn) == 3 and len({trains.digest for trains in drawn}) == 3
    with pytest.raises(InputError, match="changed the labels"):
        fit(spiking_net(), train, validation, dt_s=DT_S, loss=MeanMembrane(), redraw=lambda rng: train[::-1])


def test_a_spikinggamma_net_learns_online_and_others_are_refused():
    train, validation, test = early_or_late(256, 0), early_or_late(64, 1), early_or_late(200, 2)
    net = SpikingGammaNet(
        10, 2, dt_s=DT_S, hidden=(24,), rule="spatial", generator=torch.Generator().manual_seed(0)
    )
    settings = TrainingSettings(epochs=4, batch_size=32, learning_rate=3e-3)
    fit(net, train, validation, dt_s=DT_S, loss=EveryStep(), settings=settings, update_every=5)
    scores = predict(net, test, dt_s=DT_S, loss=EveryStep())
    assert (scores.argmax(1) == test.labels).mean() >= 0.9
    with pytest.raises(InputError, match="no online rule"):
        fit(spiking_net(), train, validation, dt_s=DT_S, loss=EveryStep(), update_every=1)
