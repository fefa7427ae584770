"""The one training loop: validation after each epoch, early stopping, the best epoch kept."""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.nn import Loss, SpikingGammaNet
from beyondrate.nn.lif_traces import LIFRule
from beyondrate.ops.adam import ParameterGroup, adam
from beyondrate.ops.threads import kernels_first
from beyondrate.progress import Progress, silent
from beyondrate.training.finite import check_weights, finite
from beyondrate.training.inputs import BinnedInput, takes_spike_rows
from beyondrate.training.online import OnlineTrainer

EVALUATION_BATCH = 256
Learner = Callable[[Any, Int64[Tensor, " batch"]], float]


class CrossEntropy:
    """Cross-entropy of class scores (batch, class), or of outputs (batch, time, class) averaged over time."""

    def __call__(self, output: Tensor, labels: Tensor) -> Tensor:
        """Return the mean cross-entropy over the batch."""
        return nn.functional.cross_entropy(self.scores(output), labels)

    def scores(self, output: Tensor) -> Tensor:
        """Return one score a class."""
        return output.mean(1) if output.dim() == 3 else output


@dataclass(frozen=True)
class TrainingSettings:
    """How long and how fast to train.

    Args:
        epochs: most passes over the training samples.
        batch_size: samples an update.
        learning_rate: peak of the one-cycle schedule.
        learning_rates: other peaks for some parameters, by the end of their dotted name, such as
            {"log_tau": 2e-2, "delay_steps": 0.1}; the longest end that fits counts.
        weight_decay: Adam's L2 penalty on weights (not on biases, time constants or delays).
        patience: stop after this many epochs without a better validation accuracy (or, at equal accuracy,
            a lower validation loss).
        clip: largest norm of the gradient.
        warm_up: share of the updates during which the learning rate rises.
    """

    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 5e-3
    learning_rates: Mapping[str, float] = field(default_factory=dict)
    weight_decay: float = 0.0
    patience: int = 8
    clip: float = 1.0
    warm_up: float = 0.2

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "patience", "clip"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} is {getattr(self, name)}", remedy=f"give a positive {name}")
        for name, rate in self.learning_rates.items():
            if rate <= 0:
                raise InputError(f"the learning rate of {name!r} is {rate}", remedy="give a positive rate")


@dataclass(frozen=True)
class FitResult:
    """What happened in a training: one entry an epoch, and the epoch whose weights were kept."""

    best_epoch: int
    validation_accuracy: float
    validation_loss: float
    seconds: float
    train_loss: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    validation_accuracies: list[float] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """Number of epochs run."""
        return len(self.train_loss)


def fit(
    model: nn.Module,
    train: SpikeTrains,
    validation: SpikeTrains,
    *,
    dt_s: float,
    loss: Loss | None = None,
    settings: TrainingSettings | None = None,
    seed: int = 0,
    redraw: Callable[[np.random.Generator], SpikeTrains] | None = None,
    update_every: int | None = None,
    lif_rule: LIFRule | None = None,
    progress: Progress = silent,
) -> FitResult:
    """Train a network on spike trains and leave in it the weights of its best validation epoch.

    Args:
        model: any module from a (batch, time, unit) tensor to an output that ``loss`` understands. One that
            has ``takes_spike_rows = True`` is given SpikeRows instead, and no dense raster is ever made.
            A method ``constrain()`` of any of its modules is called after every update, and
            ``anneal(progress)`` before every epoch with the share of the epochs that are done.
        train: samples to learn from.
        validation: samples that choose the epoch; keep the test samples out of both.
        dt_s: time step in seconds.
        loss: what to minimise; default cross-entropy of (batch, class) scores.
        settings: epochs, learning rate and the like.
        seed: of the order of the samples, and of the model's dropout.
        redraw: gives the training samples anew before every epoch, with the same labels; for augmentation.
        update_every: learn online, with an update after so many time steps, as ``OnlineTrainer`` does; for
            networks that can. None: one update a batch of whole samples.
        lif_rule: learn a LIF network forward in time, by "eprop" or "ottt", see ``beyondrate.nn.LIFTraces``;
            None: by back-propagation through time.
        progress: told after each epoch.

    Returns:
        The course of the training.

    Raises:
        InputError: if a part is empty, units or labels disagree, a learning rate is given for a parameter
            that the model does not train, or the loss or its gradient is not finite.
    """
    loss = loss or CrossEntropy()
    settings = settings or TrainingSettings()
    _check_parts(train, validation)
    if isinstance(model, SpikingGammaNet):
        model.check_loss(loss)
    device = _device_of(model)
    as_rows = takes_spike_rows(model)
    inputs = BinnedInput(train, dt_s, as_rows=as_rows, device=device)
    labels = torch.from_numpy(np.array(train.labels)).to(device)
    rng = np.random.default_rng(seed)
    updates = settings.epochs * math.ceil(len(train) / settings.batch_size)
    if update_every is not None:
        updates *= math.ceil(train.n_steps(dt_s) / update_every)
    cycle = one_cycle(updates, settings.warm_up)
    if update_every is None and lif_rule is None:
        learn = _from_whole_samples(model, loss, settings, cycle)
    else:
        learn = _online(model, loss, settings, cycle, update_every, lif_rule)

    started = time.perf_counter()
    train_losses, validation_losses, accuracies = [], [], []
    best: tuple[float, float] | None = None
    best_epoch, best_weights = 0, copy.deepcopy(model.state_dict())
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)  # inside the fork: the caller's generator is left as it was
        for epoch in range(settings.epochs):
            for anneal in _methods(model, "anneal"):
                anneal(epoch / settings.epochs)
            if redraw is not None:
                inputs = BinnedInput(redrawn(train, redraw(rng)), dt_s, as_rows=as_rows, device=device)
            with kernels_first() if getattr(model, "runs_in_stages", False) else nullcontext():
                train_losses.append(_train_epoch(model, inputs, labels, learn, settings.batch_size, rng))
            accuracy, validation_loss = evaluate(model, validation, dt_s=dt_s, loss=loss)
            accuracies.append(accuracy)
            validation_losses.append(validation_loss)
            if best is None or (accuracy, -validation_loss) > best:
                best = (accuracy, -validation_loss)
                best_epoch, best_weights = epoch, copy.deepcopy(model.state_dict())
            stop = epoch - best_epoch >= settings.patience
            progress(settings.epochs if stop else epoch + 1, settings.epochs, f"validation {accuracy:.3f}")
            if stop:
                break
    model.load_state_dict(best_weights)
    return FitResult(
        best_epoch=best_epoch,
        validation_accuracy=accuracies[best_epoch],
        validation_loss=validation_losses[best_epoch],
        seconds=time.perf_counter() - started,
        train_loss=train_losses,
        validation_losses=validation_losses,
        validation_accuracies=accuracies,
    )


def predict(
    model: nn.Module | Callable[..., Any],
    trains: SpikeTrains,
    *,
    dt_s: float,
    loss: Loss | None = None,
    batch_size: int = EVALUATION_BATCH,
) -> Float32[np.ndarray, "samples classes"]:
    """Return the class scores of every sample; a module is put into evaluation mode meanwhile.

    Args:
        model: a module, or any callable from a (batch, time, unit) float32 tensor to an output that
            ``loss`` can score, as a tensor or as what numpy can make an array of.
        trains: the samples.
        dt_s: time step in seconds.
        loss: how the output is read as scores; default: it already is (batch, class).
        batch_size: samples at a time.

    Raises:
        InputError: if a parameter of the module is no number.
    """
    loss = loss or CrossEntropy()
    scores = [loss.scores(output).float().cpu() for _, output in _outputs(model, trains, dt_s, batch_size)]
    return torch.cat(scores).numpy()


def evaluate(
    model: nn.Module, trains: SpikeTrains, *, dt_s: float, loss: Loss | None = None
) -> tuple[float, float]:
    """Return the accuracy and the mean loss over all samples, each sample weighing the same.

    Raises:
        InputError: if a parameter is no number.
    """
    loss = loss or CrossEntropy()
    n_right, total = 0, 0.0
    for samples, output in _outputs(model, trains, dt_s, EVALUATION_BATCH):
        target = torch.from_numpy(trains.labels[samples]).to(output.device)
        n_right += int((loss.scores(output).argmax(1) == target).sum())
        total += loss(output, target).item() * len(samples)
    return n_right / len(trains), total / len(trains)


def _outputs(
    model: nn.Module | Callable[..., Any], trains: SpikeTrains, dt_s: float, batch_size: int
) -> Iterator[tuple[Int64[np.ndarray, " batch"], Tensor]]:
    """Yield the samples of each batch and the model's output, in evaluation mode and without gradients."""
    inputs = BinnedInput(trains, dt_s, as_rows=takes_spike_rows(model), device=_device_of(model))
    was_training = isinstance(model, nn.Module) and model.training
    if isinstance(model, nn.Module):
        check_weights(dict(model.named_parameters()))
        model.eval()
    with torch.no_grad():
        for start in range(0, len(trains), batch_size):
            samples = np.arange(start, min(start + batch_size, len(trains)))
            output = model(inputs.batch(samples))
            yield samples, output if isinstance(output, Tensor) else torch.as_tensor(np.asarray(output))
    if isinstance(model, nn.Module):
        model.train(was_training)


def _train_epoch(
    model: nn.Module,
    inputs: BinnedInput,
    labels: Int64[Tensor, " samples"],
    learn: Learner,
    batch_size: int,
    rng: np.random.Generator,
) -> float:
    model.train()
    order = rng.permutation(len(labels))
    total, labels = 0.0, labels[torch.from_numpy(order)]
    for start in range(0, len(order), batch_size):
        samples = order[start : start + batch_size]
        total += learn(inputs.batch(samples), labels[start : start + batch_size]) * len(samples)
    return total / len(order)


def _from_whole_samples(
    model: nn.Module, loss: Loss, settings: TrainingSettings, cycle: Callable[[int], float]
) -> Learner:
    """Return what learns from a batch of whole samples and returns its loss."""
    optimiser = adam(_parameter_groups(model, settings), clip=settings.clip)
    parameters = list(model.parameters())  # walking through the modules at every update takes time
    constraints = _methods(model, "constrain")
    n_updates = itertools.count()

    def learn(x: Any, labels: Int64[Tensor, " batch"]) -> float:  # noqa: ANN401
        for parameter in parameters:
            parameter.grad = None
        loss_tensor = loss(model(x), labels)
        loss_tensor.backward()
        value = finite(loss_tensor.item(), "training loss")
        finite(optimiser.update(cycle(next(n_updates))), "norm of the gradient")
        for constrain in constraints:
            constrain()
        return value

    return learn


def _online(
    model: nn.Module,
    loss: Loss,
    settings: TrainingSettings,
    cycle: Callable[[int], float],
    update_every: int | None,
    lif_rule: LIFRule | None,
) -> Learner:
    """Return what learns from a batch step by step and returns its mean loss."""
    groups = [
        {"params": group.parameters, "lr": group.learning_rate, "weight_decay": group.weight_decay}
        for group in _parameter_groups(model, settings)
    ]
    optimiser = torch.optim.Adam(groups, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, cycle)
    constraints = _methods(model, "constrain")

    def updated() -> None:
        schedule.step()
        for constrain in constraints:
            constrain()

    return OnlineTrainer(
        model,
        optimiser,
        lif_rule=lif_rule,
        loss=loss,
        update_every=update_every,
        clip=settings.clip,
        after_update=updated,
    ).trial


def _parameter_groups(model: nn.Module, settings: TrainingSettings) -> list[ParameterGroup]:
    """Return the trained parameters by learning rate and weight decay."""
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    own_rate: dict[str, float] = {}
    for end, rate in sorted(settings.learning_rates.items(), key=lambda item: len(item[0])):
        named = [name for name in trained if f".{name}".endswith(f".{end}")]
        if not named:
            raise InputError(
                f"learning_rates has {end!r}, but the model trains {', '.join(trained)}",
                remedy="give the end of one of these names",
            )
        own_rate.update(dict.fromkeys(named, rate))
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in trained.items():
        decay = settings.weight_decay if name.endswith("weight") else 0.0
        groups.setdefault((own_rate.get(name, settings.learning_rate), decay), []).append(parameter)
    return [ParameterGroup(alike, rate, decay) for (rate, decay), alike in groups.items()]


def redrawn(train: SpikeTrains, drawn: SpikeTrains) -> SpikeTrains:
    """Return the samples drawn anew.

    Raises:
        InputError: if their labels are not those of the samples they take the place of.
    """
    if not np.array_equal(train.labels, drawn.labels):
        raise InputError("redraw changed the labels", remedy="give the same samples in the same order")
    return drawn


def one_cycle(updates: int, warm_up: float) -> Callable[[int], float]:
    """Return the factor of the learning rate: a linear rise, then half a cosine to a thousandth."""
    rise = max(1, round(warm_up * updates))

    def factor(update: int) -> float:
        if update < rise:
            return (update + 1) / rise
        phase = min(1.0, (update - rise) / max(1, updates - rise))
        return 1e-3 + (1 - 1e-3) * 0.5 * (1 + math.cos(math.pi * phase))

    return factor


def _methods(model: nn.Module, name: str) -> list[Callable[..., None]]:
    """Return the methods of this name that the modules of a network have."""
    return [getattr(module, name) for module in model.modules() if hasattr(module, name)]


def _device_of(model: object) -> torch.device:
    parameter = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    return parameter.device if parameter is not None else torch.device("cpu")


def _check_parts(train: SpikeTrains, validation: SpikeTrains) -> None:
    for name, part in (("training", train), ("validation", validation)):
        if len(part) == 0:
            raise InputError(f"the {name} part is empty", remedy="give more samples or another split")
    if train.n_units != validation.n_units or train.duration_us != validation.duration_us:
        raise InputError(
            f"training has {train.n_units} units and {train.duration_us} µs, "
            f"validation {validation.n_units} and {validation.duration_us}",
            remedy="make both from one SpikeTrains",
        )
