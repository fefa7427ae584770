"""What each model of an audit is, with the controls that go with it."""

from __future__ import annotations

from dataclasses import replace

from beyondrate.audit.plan import Job, Plan
from beyondrate.events import SpikeTrains
from beyondrate.recipes import GAMMA, LIF, NetworkArm, gamma_arm, rate_arm, spiking_arm


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
    elif job.model == "gamma":
        arm = gamma_arm(GAMMA, "gated", train, dt_s=plan.dt_s, seed=job.seed)
    else:
        delays = "frozen" if (job.model, job.control) == ("lif-delay", "scrambled") else job.control
        arm = spiking_arm(LIF, delays, train, dt_s=plan.dt_s, tau_s=tau_s, seed=job.seed)
    return arm if plan.epochs is None else replace(arm, settings=replace(arm.settings, epochs=plan.epochs))
