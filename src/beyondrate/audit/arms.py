"""What each model of an audit is: its recipe, and the controls that go with it."""

from __future__ import annotations

from dataclasses import replace

from beyondrate.audit.plan import Job, Plan
from beyondrate.audit.recipe import NetworkArm, Recipe, rate_arm, spiking_arm
from beyondrate.events import SpikeTrains
from beyondrate.nn import MeanSoftmax
from beyondrate.training import TrainingSettings

LIF = Recipe(
    network={"slope": 5.0, "delay_range_s": (0.0, 0.3)},  # the wide end of the controls of delays
    loss=MeanSoftmax(),
    settings=TrainingSettings(epochs=20, batch_size=32, learning_rate=1e-2, patience=8),
)


def build_arm(job: Job, plan: Plan, train: SpikeTrains, tau_s: float) -> NetworkArm:
    """Build the network of a job, its weights drawn by the job's seed.

    Args:
        job: model, control and seed.
        plan: time step and epochs.
        train: the training samples.
        tau_s: initial membrane time constant; the same for the τ-tuned net and for both nets with delays, so
            that their difference is the delays' alone.
    """
    if job.model == "rate":
        arm = rate_arm(train, seed=job.seed)
    else:
        arm = spiking_arm(LIF, job.control, train, dt_s=plan.dt_s, tau_s=tau_s, seed=job.seed)
    return arm if plan.epochs is None else replace(arm, settings=replace(arm.settings, epochs=plan.epochs))
