"""What each model of an audit is: its network, loss and training, and the controls that go with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from beyondrate.audit.plan import Job, Plan
from beyondrate.events import SpikeTrains
from beyondrate.nn import CountMLP, Loss, MeanSoftmax, SpikingNet, initialise_from_data
from beyondrate.training import TrainingSettings
from beyondrate.training.inputs import BinnedInput
from beyondrate.training.loop import CrossEntropy

DEFAULT_TAU_S = 0.1  # where training starts: τ is learned
DELAY_RANGE_S = (0.0, 0.3)  # the initial axonal delays, U(0, 300 ms): spec of the controls, wide end
INITIALISATION_SAMPLES = 128

RATE_SETTINGS = TrainingSettings(epochs=60, batch_size=32, learning_rate=1e-3, weight_decay=1e-4, patience=10)
LIF_SETTINGS = TrainingSettings(epochs=20, batch_size=32, learning_rate=1e-2, patience=8)
SLOPE = 5.0


@dataclass(frozen=True)
class NetworkArm:
    """A network ready to be trained: how it is fed, what it minimises, how long it may take."""

    network: nn.Module
    dt_s: float
    loss: Loss
    settings: TrainingSettings


def build_arm(job: Job, plan: Plan, train: SpikeTrains, tau_s: float) -> NetworkArm:
    """Build the network of a job, its weights drawn by the job's seed.

    Args:
        job: model, control and seed.
        plan: time step and epochs.
        train: the training samples; they set the input scaling, never the labels.
        tau_s: initial membrane time constant; the same for the τ-tuned net and for both nets with delays, so
            that their difference is the delays' alone.
    """
    generator = torch.Generator().manual_seed(job.seed)
    if job.model == "rate":
        network: nn.Module = _rate(train, generator)
        return NetworkArm(network, train.duration_s, CrossEntropy(), _with_epochs(RATE_SETTINGS, plan))
    delays = {"frozen": "frozen", "learned": "learned"}.get(job.control)
    network = SpikingNet(
        train.n_units,
        train.n_classes,
        dt_s=plan.dt_s,
        tau_s=tau_s,
        slope=SLOPE,
        delays=delays,  # type: ignore[arg-type]
        delay_range_s=(DELAY_RANGE_S[0], min(DELAY_RANGE_S[1], train.duration_s / 4)),
        max_delay_s=(train.n_steps(plan.dt_s) - 1) * plan.dt_s,
        generator=generator,
    )
    inputs = BinnedInput(train, plan.dt_s, as_rows=True, device=torch.device("cpu"))
    chosen = torch.randperm(len(train), generator=generator)[:INITIALISATION_SAMPLES].numpy()
    initialise_from_data(network, inputs.batch(chosen))
    return NetworkArm(network, plan.dt_s, MeanSoftmax(), _with_epochs(LIF_SETTINGS, plan))


def _rate(train: SpikeTrains, generator: torch.Generator) -> CountMLP:
    network = CountMLP(train.n_units, train.n_classes, generator=generator)
    network.fit_scaling(torch.from_numpy(train.counts()).float())
    return network


def _with_epochs(settings: TrainingSettings, plan: Plan) -> TrainingSettings:
    return settings if plan.epochs is None else replace(settings, epochs=plan.epochs)
