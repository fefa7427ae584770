"""Online learning on several streams at once, each at its own step of its own sample.

Where the samples of a batch begin together, updates after every step follow the labels of one batch for as
long as its samples last, and then those of the next. On streams that begin at different times every update
sees all parts of samples, and few of its samples are new.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.nn import EveryStep, GammaState, SpikingGammaNet
from beyondrate.progress import Progress, silent
from beyondrate.training.finite import finite
from beyondrate.training.loop import FitResult, TrainingSettings, evaluate, one_cycle, redrawn


class StreamStep(NamedTuple):
    """One time step of all streams: inputs, labels, and which streams begin a sample with it."""

    x: Float[Tensor, "stream unit"]
    labels: Int64[Tensor, " stream"]
    begins: Bool[Tensor, " stream"]


class Streams:
    """Samples in random order, one after another, on streams that begin at different steps.

    Args:
        trains: the samples.
        dt_s: time step in seconds.
        n_streams: how many at once.
        rng: draws the samples' order, and at which step of its first sample a stream begins.

    Example:
        >>> trains = SpikeTrains.from_samples([([0], [0]), ([2000], [1])], labels=[0, 1], n_units=2,
        ...                                   duration_us=3000)
        >>> streams = Streams(trains, 0.001, 5, np.random.default_rng(1))
        >>> [int(streams.step().begins.sum()) for _ in range(7)]
        [5, 3, 0, 2, 3, 0, 2]
    """

    def __init__(self, trains: SpikeTrains, dt_s: float, n_streams: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._dt_s = dt_s
        self._n_steps = trains.n_steps(dt_s)
        self._waiting: list[int] = []
        self.show(trains)
        self._samples = self._next(n_streams)
        self._x = self._inputs(self._samples)
        self._step = rng.integers(0, self._n_steps, n_streams)
        self._begins = np.ones(n_streams, dtype=bool)

    def show(self, trains: SpikeTrains) -> None:
        """Take samples from these from now on, which have the same labels; those under way go on."""
        self._trains = trains
        self._labels = np.asarray(trains.labels)

    def step(self) -> StreamStep:
        """Return the next time step of every stream."""
        ended = np.flatnonzero(self._step == self._n_steps)
        if len(ended):
            self._samples[ended] = self._next(len(ended))
            self._x[ended] = self._inputs(self._samples[ended])
            self._step[ended] = 0
            self._begins[ended] = True
        streams = torch.arange(len(self._step))
        now = StreamStep(
            self._x[streams, torch.from_numpy(self._step)],
            torch.from_numpy(self._labels[self._samples]),
            torch.from_numpy(self._begins),
        )
        self._step = self._step + 1
        self._begins = np.zeros_like(self._begins)
        return now

    def _inputs(self, samples: Int64[np.ndarray, " n"]) -> Float[Tensor, "n time unit"]:
        return torch.from_numpy(self._trains.dense(self._dt_s, samples))

    def _next(self, n: int) -> Int64[np.ndarray, " n"]:
        while len(self._waiting) < n:
            self._waiting = [*self._rng.permutation(len(self._labels)).tolist(), *self._waiting]
        taken, self._waiting = self._waiting[-n:], self._waiting[:-n]
        return np.array(taken[::-1])


def fit_on_streams(
    net: SpikingGammaNet,
    train: SpikeTrains,
    validation: SpikeTrains,
    *,
    dt_s: float,
    settings: TrainingSettings,
    update_every: int = 1,
    seed: int = 0,
    redraw: Callable[[np.random.Generator], SpikeTrains] | None = None,
    progress: Progress = silent,
) -> FitResult:
    """Train a network online on streams, by the loss of every step, and keep its best validation epoch.

    An epoch is as many steps as all samples have, shared out over ``settings.batch_size`` streams; patience
    is not used. The learning rate is that of one update: after every step it must be some thirty to a hundred
    times smaller than for updates on whole samples.

    Args:
        net: a network of rule "spatial".
        train: samples to learn from.
        validation: samples that choose the epoch.
        dt_s: time step in seconds.
        settings: epochs, streams and learning rate.
        update_every: steps between updates.
        seed: of the order of the samples.
        redraw: gives the training samples anew before every epoch, as in ``fit``.
        progress: told after each epoch.

    Raises:
        InputError: if the rule needs whole trials or has traces, time constants are to be learned, there are
            fewer steps than one, redraw changes the labels, or the loss or its gradient is not finite.

    Example:
        >>> from beyondrate import tasks
        >>> trains = tasks.delay.generate(64, seed=0)
        >>> net = SpikingGammaNet(2, 8, dt_s=0.005, hidden=(16,), rule="spatial")
        >>> settings = TrainingSettings(epochs=2, batch_size=16, learning_rate=1e-3)
        >>> fit_on_streams(net, trains, trains, dt_s=0.005, settings=settings).epochs
        2
    """
    if net.rule != "spatial":
        raise InputError(f"rule {net.rule!r} cannot learn on streams", remedy="give rule 'spatial'")
    if net.config["learn_tau"]:
        raise InputError("learn_tau needs whole trials", remedy="give learn_tau=False")
    if update_every < 1:
        raise InputError(f"update_every is {update_every}", remedy="give 1 step or more")
    loss, rng = EveryStep(), np.random.default_rng(seed)
    n_steps = math.ceil(len(train) * train.n_steps(dt_s) / settings.batch_size)
    optimiser = torch.optim.Adam(net.parameters(), settings.learning_rate, fused=True)
    cycle = one_cycle(settings.epochs * math.ceil(n_steps / update_every), settings.warm_up)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, cycle)
    streams = Streams(train, dt_s, settings.batch_size, rng)
    state: GammaState | None = None

    started = time.perf_counter()
    losses, validation_losses, accuracies = [], [], []
    best: tuple[float, float] | None = None
    best_epoch, best_weights = 0, copy.deepcopy(net.state_dict())
    for epoch in range(settings.epochs):
        if redraw is not None:
            streams.show(redrawn(train, redraw(rng)))
        net.train()
        total = 0.0
        for step in range(1, n_steps + 1):
            x, labels, begins = streams.step()
            out, state = net.step(x, _begun(net, state, begins), cut=True)
            value = loss(out[:, None], labels)
            total += finite(value.item(), "training loss")
            (value / update_every).backward()
            if step % update_every == 0 or step == n_steps:
                norm = nn.utils.clip_grad_norm_(net.parameters(), settings.clip)
                finite(norm.item(), "norm of the gradient")
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
                schedule.step()
        losses.append(total / n_steps)
        accuracy, validation_loss = evaluate(net, validation, dt_s=dt_s, loss=loss)
        accuracies.append(accuracy)
        validation_losses.append(validation_loss)
        if best is None or (accuracy, -validation_loss) > best:
            best = (accuracy, -validation_loss)
            best_epoch, best_weights = epoch, copy.deepcopy(net.state_dict())
        progress(epoch + 1, settings.epochs, f"validation {accuracy:.3f}")
    net.load_state_dict(best_weights)
    return FitResult(
        best_epoch=best_epoch,
        validation_accuracy=accuracies[best_epoch],
        validation_loss=validation_losses[best_epoch],
        seconds=time.perf_counter() - started,
        train_loss=losses,
        validation_losses=validation_losses,
        validation_accuracies=accuracies,
    )


def _begun(
    net: SpikingGammaNet, state: GammaState | None, begins: Bool[Tensor, " stream"]
) -> GammaState | None:
    """Return the state before a step, at rest in the streams that begin a sample with it."""
    if state is None:
        return None
    state = state.detached()
    if not begins.any():
        return state
    memories = tuple(memory.masked_fill(begins[:, None, None], 0.0) for memory in state.memories)
    if state.kept is None:
        return GammaState(memories)
    kept = (
        torch.where(begins[:, None], dropout(torch.ones_like(before)), before)
        for dropout, before in zip(net.dropouts, state.kept, strict=True)
    )
    return GammaState(memories, tuple(kept))
