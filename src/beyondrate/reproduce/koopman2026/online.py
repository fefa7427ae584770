"""Learning while the trial runs: an update after every step, every few, or every trial, and its memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from beyondrate.audit.outcomes import Arm
from beyondrate.nn import EveryStep, SpikingGammaNet
from beyondrate.reproduce.claims import more_accurate
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Panel, Reproduction, Series
from beyondrate.reproduce.koopman2026 import timing_experiment
from beyondrate.reproduce.koopman2026.costs import Measured
from beyondrate.reproduce.koopman2026.published import OURS, PAPER
from beyondrate.reproduce.koopman2026.timing_arms import ARMS, HIDDEN
from beyondrate.reproduce.koopman2026.timing_experiment import (
    TimingJob,
    arm_at,
    ceiling_jobs,
    ceilings,
    jobs,
    measured,
    stages_of,
)
from beyondrate.reproduce.koopman2026.timing_figures import (
    COUNTED,
    accuracy_bars,
    cost_bars,
    not_below,
    notes,
    tries_notes,
)

TASK, DT_MS = "delay", 5.0
COMPARED = (
    *("gated", "spatial", "spatial-every-8", "spatial-every-step"),
    *("lif", "eprop", "ottt", "eprop-every-8", "ottt-every-8"),
)
ONLINE = ("spatial-every-8", "spatial-every-step")
MARGIN = 0.03
LIF_RULES = ("eprop-every-8", "ottt-every-8")
LENGTHS = (32, 128, 512, 2048)  # steps of a trial


def stages(plan: Plan) -> list[list[TimingJob]]:
    """Return the tries, then the trainings, and the ceiling."""
    return stages_of(jobs(plan, TASK, COMPARED, [DT_MS]), ceiling_jobs(plan, TASK, [DT_MS]))


def kept_bytes(run: Callable[[], object]) -> int:
    """Return the bytes of all tensors that a backward pass would need after ``run``.

    Example:
        >>> x = torch.ones(100, requires_grad=True)
        >>> kept_bytes(lambda: x.exp().sum())
        400
    """
    kept: dict[int, Tensor] = {}  # held until all are known, so that no address is used twice

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held = run()
    total = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    del held
    return total


def trial_bytes(n_steps: int) -> int:
    """Return what learning from one whole trial keeps, with the rule "gated"."""
    net, labels = _net("gated"), torch.zeros(1, dtype=torch.int64)
    x = torch.zeros(1, n_steps, 2)
    x[0, [1, 9], [0, 1]] = 1.0
    return kept_bytes(lambda: EveryStep()(net(x), labels))


def online_bytes(n_steps: int) -> int:
    """Return what learning from the last of so many steps keeps, the state included, with "spatial"."""
    net, labels, state = _net("spatial"), torch.zeros(1, dtype=torch.int64), None
    for _ in range(n_steps - 1):
        _, state = net.step(torch.ones(1, 2), state, cut=True)
        state = state.detached()
    before = state
    kept = kept_bytes(lambda: EveryStep()(net.step(torch.ones(1, 2), before, cut=True)[0][:, None], labels))
    return kept + sum(memory.untyped_storage().nbytes() for memory in (before.memories if before else ()))


def _net(rule: str) -> SpikingGammaNet:
    generator = torch.Generator().manual_seed(0)
    return SpikingGammaNet(2, 8, dt_s=DT_MS / 1000, hidden=(HIDDEN,), rule=rule, generator=generator)  # type: ignore[arg-type]


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers, measure the memory, and make the figure."""
    trainings = [job for job in stages(plan)[1] if job.arm in ARMS]
    found = measured(folder, trainings)
    kept = {
        "a whole trial (gated)": [trial_bytes(n) for n in LENGTHS],
        "after every step (spatial)": [online_bytes(n) for n in LENGTHS],
    }
    memory = Panel(
        title="what learning keeps of the past, one sample",
        kind="lines",
        x_label="steps of the trial",
        y_label="kB",
        series=[
            Series(name, list(LENGTHS), [n_bytes / 1000 for n_bytes in values])
            for name, values in kept.items()
        ],
        logarithmic=True,
    )
    best = {DT_MS: ceilings(folder, TASK, DT_MS)[TASK]}
    accuracy = accuracy_bars(found, "accuracy", TASK, COMPARED, best)
    return Reproduction(
        figure="koopman2026/online",
        title=f"Learning online: delays 10 ms apart, time step {DT_MS:g} ms",
        panels=[accuracy, memory, *cost_bars(found, "delays 10 ms apart", TASK, COMPARED, [DT_MS])],
        claims=_claims(found, *kept.values()),
        rows=found.rows(),
        notes=notes(
            plan,
            "E-prop (Bellec et al. 2020) with symmetric feedback and OTTT (Xiao et al. 2022), of the LIF net "
            "of the same size. Without recurrence and with one hidden layer e-prop's traces give a trial the "
            "gradient of BPTT with the reset left out of it, so that with an update a trial they differ in "
            "their losses only: cross-entropy at every step, and of the mean softmax over the trial.",
            COUNTED,
            *tries_notes(folder, plan, trainings),
        ),
    )


def _arm(name: str) -> Arm:
    return arm_at(TASK, name, DT_MS)


def _claims(found: Measured, whole: list[int], online: list[int]) -> list[Claim]:
    constant = Claim(
        "Learning after every step needs a memory that does not grow with time.",
        PAPER,
        "holds" if len(set(online)) == 1 else "does not hold",
        f"{online[0] / 1000:.1f} kB at {LENGTHS[0]} steps, {online[-1] / 1000:.1f} at {LENGTHS[-1]}; "
        f"a whole trial {whole[0] / 1000:.0f} and {whole[-1] / 1000:.0f} kB",
    )
    return [
        constant,
        *(
            not_below(
                found,
                f"{ARMS[name].shown}: within 3 points of an update a trial.",
                _arm(name),
                _arm("spatial"),
                MARGIN,
                PAPER if name == ONLINE[-1] else OURS,
            )
            for name in ONLINE
        ),
        *(
            more_accurate(
                found.outcomes,
                f"{ARMS['spatial-every-8'].shown}, surpasses {ARMS[name].shown}.",
                OURS,
                _arm("spatial-every-8"),
                _arm(name),
                n_claims=len(LIF_RULES),
            )
            for name in LIF_RULES
        ),
    ]


FIGURE = Figure(
    name="koopman2026/online",
    shows="an update after every step, every few, or every trial, and the memory that it takes",
    experiment=timing_experiment.EXPERIMENT,
    stages=stages,
    draw=draw,
)
