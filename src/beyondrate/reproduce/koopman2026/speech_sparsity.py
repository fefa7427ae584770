"""Accuracy on speech without counts against the spikes that a unit spends, as the threshold rises."""

from __future__ import annotations

from pathlib import Path

from beyondrate.audit.outcomes import Arm
from beyondrate.reproduce.claims import with_interval
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Panel, Reproduction
from beyondrate.reproduce.koopman2026 import speech_experiment
from beyondrate.reproduce.koopman2026.costs import Measured
from beyondrate.reproduce.koopman2026.published import OURS
from beyondrate.reproduce.koopman2026.speech_arms import ARMS
from beyondrate.reproduce.koopman2026.speech_experiment import SpeechJob, arm_at, jobs, measured
from beyondrate.reproduce.koopman2026.timing_figures import not_below, spikes_curve
from beyondrate.reproduce.speech_data import facts_of, protocol_notes, title

DT_MS = 10.0
GRADED = ("gated", "theta-0.3", "theta-1", "theta-3", "theta-6")
BINARY = ("binary", "theta-0.3-binary", "theta-1-binary", "theta-3-binary", "theta-6-binary")
LIF_NETS = ("lif-mixed", "lif-frozen")
FEW = 6.0  # quanta a unit and sample: what LIF units spend is 2 to 6 spikes
MARGIN = 0.02


def stages(plan: Plan) -> list[list[SpeechJob]]:
    """Return the trainings on norm at every threshold."""
    return [jobs(plan, "norm", (*GRADED, *BINARY, *LIF_NETS), [DT_MS])]


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    found = measured(folder, stages(plan)[0])
    facts = facts_of(folder, "norm", plan["folds"][0])
    curves = {
        "graded spikes, each worth its quanta": (GRADED, "quanta"),
        "graded spikes, each worth one": (GRADED, "spikes"),
        "one spike a step": (BINARY, "spikes"),
        **{ARMS[name].shown: ((name,), "spikes") for name in LIF_NETS},
    }
    panel = Panel(
        title="norm: accuracy and spikes",
        kind="lines",
        x_label="spikes a unit and sample",
        y_label="test accuracy",
        series=[
            spikes_curve(found, name, [_norm(arm) for arm in arms], what)
            for name, (arms, what) in curves.items()
        ],
        references={"chance": found.outcomes.chance("norm")},
        logarithmic=True,
    )
    return Reproduction(
        figure="koopman2026/speech-sparsity",
        title=title("How few spikes suffice for speech without counts", plan),
        panels=[panel],
        claims=_claims(found),
        rows=found.rows(),
        notes=[
            *protocol_notes({**plan, "dt_s": DT_MS / 1000}, facts["split"]),
            "Thresholds of a curve, from many spikes to few: 0.1 with mf = 0.1; "
            + "; ".join(ARMS[name].shown for name in GRADED[1:])
            + ". All else is as in koopman2026/shd.",
        ],
    )


def _norm(name: str) -> Arm:
    return arm_at("norm", name, DT_MS)


def _claims(found: Measured) -> list[Claim]:
    """Judge the best of the nets with few spikes, chosen on validation, against that with many."""
    claims = []
    for kind, arms, what in (
        ("graded spikes, each counted as its quanta", GRADED, "quanta"),
        ("one spike a step", BINARY, "spikes"),
    ):
        sentence = f"With at most {FEW:g} spikes a unit accuracy stays, within 2 points ({kind})."
        sparse = [_norm(name) for name in arms if found.mean_spent(_norm(name), what) <= FEW]
        if not sparse:
            least = min(found.mean_spent(_norm(name), what) for name in arms)
            claims.append(Claim(sentence, OURS, "does not hold", f"the fewest are {least:.1f}"))
            continue
        best = max(sparse, key=found.outcomes.validation_accuracy)
        judged = not_below(found, sentence, best, _norm("gated"), MARGIN)
        accuracy = with_interval(found.outcomes.accuracy(best))
        spikes = f"{found.mean_spent(best, what):.1f} spikes a unit ({ARMS[best.model].shown})"
        claims.append(Claim(sentence, OURS, judged.holds, f"{judged.measured}: {accuracy} with {spikes}"))
    return claims


FIGURE = Figure(
    name="koopman2026/speech-sparsity",
    shows="norm: accuracy against spikes a unit, as thresholds rise and spikes are binary",
    experiment=speech_experiment.EXPERIMENT,
    stages=stages,
    draw=draw,
)
