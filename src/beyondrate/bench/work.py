"""The work that is timed: for each name, the ways to do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from beyondrate import datasets, perturb
from beyondrate.bench import networks
from beyondrate.bench.networks import DT_S, PEERS, Size
from beyondrate.bench.timing import Run
from beyondrate.events import SpikeTrains
from beyondrate.nn import SpikingGammaNet, SpikingNet, initialise_from_data
from beyondrate.ops.adam import ParameterGroup, adam
from beyondrate.ops.sparse_linear import SpikeRows
from beyondrate.ops.threads import kernels_first
from beyondrate.training.inputs import BinnedInput

OURS = "beyondrate"
DENSE = "dense products"
SPEECH = "spoken-digits-mini"
SOUND_S = 2.0


@dataclass(frozen=True)
class Work:
    """Some work and the ways to do it; the first is the one that the others are compared with.

    Args:
        what: in words.
        ways: makes each way's run, by name; made only when it is about to be timed.
        facts: what a reader needs to know about the work, such as its size.
    """

    what: str
    ways: Mapping[str, Callable[[], Run]]
    facts: Mapping[str, float | str] = field(default_factory=dict)


def random_rows(size: Size) -> SpikeRows:
    """Return input spikes drawn independently at the size's density."""
    rng = np.random.default_rng(0)
    n_rows = size.batch * size.n_steps
    row, unit = np.nonzero(rng.random((n_rows, size.n_units)) < size.density)
    indptr = np.searchsorted(row, np.arange(n_rows + 1))
    return SpikeRows(
        torch.from_numpy(indptr.astype(np.int64)),
        torch.from_numpy(unit.astype(np.int32)),
        size.batch,
        size.n_steps,
        size.n_units,
    )


def training_step(network: nn.Module, x: SpikeRows | Tensor, n_classes: int) -> Run:
    """Return what does one update of a network: forward, backward and Adam.

    Networks of this package run as ``fit`` runs them, which clips the gradient too; others with torch's
    optimiser, in one kernel.
    """
    n_samples = x.n_samples if isinstance(x, SpikeRows) else len(x)
    labels = torch.arange(n_samples) % n_classes
    parameters = list(network.parameters())
    if isinstance(network, SpikingNet | SpikingGammaNet):
        update: Callable[[], object] = adam([ParameterGroup(parameters, 1e-4)], clip=1.0).update
    else:
        update = torch.optim.Adam(parameters, lr=1e-4, fused=True).step

    def step() -> None:
        with kernels_first() if getattr(network, "runs_in_stages", False) else nullcontext():
            for parameter in parameters:
                parameter.grad = None
            out = network(x)
            cross_entropy(out.sum(1) / out.shape[1], labels).backward()  # sooner than the mean, for all
            update()

    return step


def dense_products(x: Tensor, size: Size) -> Run:
    """Return what multiplies the same numbers as a step does, forward and backward, and does nothing else."""
    sizes = [size.n_units, *size.hidden, size.n_classes]
    inputs = [x.flatten(0, 1)] + [torch.rand(len(x) * x.shape[1], n) for n in sizes[1:-1]]
    weights = [torch.rand(n_out, n_in) for n_in, n_out in pairwise(sizes)]
    grads = [torch.rand(len(x) * x.shape[1], n) for n in sizes[1:]]

    def products() -> None:
        for layer, (before, weight, grad) in enumerate(zip(inputs, weights, grads, strict=True)):
            before @ weight.t()
            grad.t() @ before
            if layer > 0:
                grad @ weight

    return products


def live(network: SpikingNet, rows: SpikeRows) -> SpikingNet:
    """Scale a network's weights so that its hidden units spike: silent ones would cost next to nothing."""
    initialise_from_data(network, rows)
    return network


def _step_work(what: str, rows: SpikeRows, size: Size, against: Sequence[str]) -> Work:
    network = live(networks.ours(size), rows)
    with torch.no_grad():
        hidden = torch.stack([spikes.mean() for spikes in network.hidden_spikes(rows)])

    dense = cache(rows.dense)  # one raster for all, for the longest would not fit several times

    def peer(name: str) -> Callable[[], Run]:
        return lambda: training_step(PEERS[name](size), dense(), size.n_classes)

    return Work(
        what,
        {
            OURS: lambda: training_step(network, rows, size.n_classes),
            **{name: peer(name) for name in against if name in PEERS},
            DENSE: lambda: dense_products(dense(), size),
        },
        {
            "batch": size.batch,
            "steps": size.n_steps,
            "units": size.n_units,
            "hidden": "-".join(map(str, size.hidden)),
            "classes": size.n_classes,
            "density": round(len(rows.units) / (size.batch * size.n_steps * size.n_units), 5),
            "hidden_density": round(float(hidden.mean()), 5),
        },
    )


def step(size: Size, against: Sequence[str]) -> Work:
    """One training step of a two-layer LIF network on random spikes."""
    return _step_work(f"training step, {size.n_steps} time steps", random_rows(size), size, against)


def step_on_speech(against: Sequence[str]) -> Work:
    """One training step on spoken digits: their own density, most of it in bursts."""
    trains = datasets.load(SPEECH)
    chosen = np.arange(Size.batch) % len(trains)
    rows = BinnedInput(trains, DT_S, as_rows=True, device=torch.device("cpu")).batch(chosen)
    if not isinstance(rows, SpikeRows):
        raise TypeError("binned spikes are compressed rows")
    size = Size(n_steps=rows.n_steps, n_units=rows.n_units, n_classes=trains.n_classes)
    return _step_work("training step, spoken digits", rows, size, against)


def delays(size: Size) -> Work:
    """What two layers of learned axonal delays cost."""
    rows = random_rows(size)
    return Work(
        "training step with two delay layers",
        {
            "with delays": lambda: training_step(
                live(networks.ours(size, delays="learned"), rows), rows, size.n_classes
            ),
            "without": lambda: training_step(live(networks.ours(size), rows), rows, size.n_classes),
        },
    )


def gamma(size: Size) -> Work:
    """What a SpikingGamma network of the same size costs."""
    rows = random_rows(size)

    def net() -> nn.Module:
        generator = torch.Generator().manual_seed(0)
        return SpikingGammaNet(
            size.n_units, size.n_classes, dt_s=DT_S, hidden=size.hidden, memory_s=0.024, generator=generator
        )

    return Work(
        "training step, SpikingGamma with 8 buckets",
        {
            "SpikingGamma": lambda: training_step(net(), rows, size.n_classes),
            "LIF": lambda: training_step(live(networks.ours(size), rows), rows, size.n_classes),
        },
    )


def random_trains(n_samples: int = 64, n_spikes: int = 8000) -> SpikeTrains:
    """Return samples of a second with as many spikes as a sample of SHD has."""
    rng = np.random.default_rng(0)
    return SpikeTrains(
        np.sort(rng.integers(0, 1_000_000, (n_samples, n_spikes)), axis=1).ravel().astype(np.int32),
        rng.integers(0, 700, n_samples * n_spikes).astype(np.uint16),
        np.arange(n_samples + 1) * n_spikes,
        np.arange(n_samples) % 20,
        700,
        1_000_000,
    )


def batches(against: Sequence[str]) -> Work:
    """Events to a batch that a network takes, at 10 ms."""
    trains = random_trains()
    everything = np.arange(len(trains))

    def rows(*, as_rows: bool) -> Run:
        return lambda: BinnedInput(trains, DT_S, as_rows=as_rows, device=torch.device("cpu")).batch(
            everything
        )

    def tonic() -> Run:
        transforms, events = _tonic(trains)
        frame = transforms.ToFrame(sensor_size=(700, 1, 1), time_window=10_000)
        return lambda: [frame(sample) for sample in events]

    return Work(
        f"events to a batch, {len(trains)} samples of 8,000 spikes",
        {
            OURS: lambda: rows(as_rows=True),
            f"{OURS}, dense": lambda: rows(as_rows=False),
            **({"tonic ToFrame": tonic} if "tonic" in against else {}),
        },
    )


def jitter(against: Sequence[str]) -> Work:
    """Jitter of every spike by 25 ms."""
    trains = random_trains()

    def tonic(*, sort: bool) -> Run:
        transforms, events = _tonic(trains)
        moved = transforms.TimeJitter(std=25_000, clip_negative=False, sort_timestamps=sort)
        return lambda: [moved(sample.copy()) for sample in events]

    peers = {
        "tonic TimeJitter": lambda: tonic(sort=False),
        "tonic TimeJitter, sorted as ours": lambda: tonic(sort=True),
    }
    return Work(
        f"jitter, {len(trains)} samples of 8,000 spikes",
        {
            OURS: lambda: lambda: perturb.jitter(trains, 0.025, 0),
            **(peers if "tonic" in against else {}),
        },
    )


def _tonic(trains: SpikeTrains) -> tuple[Any, list[np.ndarray]]:
    """Return tonic's transforms, and the samples as it takes them."""
    import tonic.transforms as transforms

    dtype = np.dtype([("x", np.int16), ("t", np.int64), ("p", np.int8)])
    events = []
    for start, stop in zip(trains.offsets[:-1], trains.offsets[1:], strict=True):
        sample = np.zeros(stop - start, dtype)
        sample["x"], sample["t"], sample["p"] = trains.units[start:stop], trains.times_us[start:stop], 1
        events.append(sample)
    return transforms, events


def encoder() -> Work:
    """The cochlea, 700 channels on one second of noise, on one thread."""
    from beyondrate.audio.encoder import Encoder

    sound = np.random.default_rng(0).normal(0, 0.1, int(24_000 * SOUND_S))
    cochlea = Encoder(700)
    return Work(
        f"cochlea, 700 channels, {SOUND_S:g} s of sound",
        {OURS: lambda: lambda: cochlea.encode(sound, 24_000, stream=0)},
        {"seconds_of_sound": SOUND_S},
    )


def works(against: Sequence[str]) -> dict[str, Callable[[], Work]]:
    """Return all work by name."""
    size = Size()
    return {
        "step": lambda: step(size, against),
        "step-1000": lambda: step(replace(size, n_steps=1000), against),
        "step-speech": lambda: step_on_speech(against),
        "delays": lambda: delays(size),
        "gamma": lambda: gamma(size),
        "batches": lambda: batches(against),
        "jitter": lambda: jitter(against),
        "encoder": encoder,
    }
