"""SpikingGamma on event cameras: convolutional nets on gestures, beside LIF nets of the same size."""

from __future__ import annotations

from pathlib import Path

from beyondrate.audit.outcomes import CLEAN, Arm
from beyondrate.audit.variant_store import VariantStore
from beyondrate.jobs import read_result
from beyondrate.reproduce.claims import more_accurate
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Comparison, Panel, Published, Reproduction
from beyondrate.reproduce.koopman2026 import gesture_experiment
from beyondrate.reproduce.koopman2026.costs import Measured, cost_panels
from beyondrate.reproduce.koopman2026.gesture_experiment import ARMS, DATA, HIDDEN, GestureJob, jobs, measured
from beyondrate.reproduce.koopman2026.published import OURS
from beyondrate.reproduce.series import accuracy_series
from beyondrate.reproduce.speech_data import protocol_notes, title

PAPERS_DATA = "dvs-gesture"
PUBLISHED = (
    Published("DVS128 Gesture, S-TLLR, trained online", 0.977, "S-TLLR", "published test part"),
    Published("DVS128 Gesture, best spiking network", 0.98, "cited in later work", "published test part"),
)


def stages(plan: Plan) -> list[list[GestureJob]]:
    """Return the trainings of all nets."""
    return [jobs(plan)]


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    done = jobs(plan)
    found = measured(folder, done)
    facts = VariantStore(folder / "data").facts(DATA)
    sizes = {job.arm: read_result(folder, job)["training"]["parameters"] for job in done}
    places = [(Arm(DATA, name), CLEAN) for name in ARMS]
    channels, rows, columns = facts["shape"]
    return Reproduction(
        figure="koopman2026/dvs-gesture",
        title=title("Convolutional SpikingGamma on an event camera", plan, ["DVS-GESTURE"]),
        panels=[
            Panel(
                title="accuracy (parameters)",
                kind="bars",
                y_label="test accuracy",
                groups=[f"{ARMS[name].shown} ({n / 1000:.0f}k)" for name, n in sizes.items()],
                series=[accuracy_series(found.outcomes, "accuracy", places)],
                references={"chance": found.outcomes.chance(DATA)},
            ),
            *cost_panels(found, {Arm(DATA, name): arm.shown for name, arm in ARMS.items()}),
        ],
        comparisons=_comparisons(found, plan),
        claims=_claims(found),
        rows=found.rows(),
        notes=[
            *protocol_notes(plan, facts["split"]),
            f"{channels} × {rows} × {columns} units. Convolutions: "
            + "; ".join(f"{c.channels} channels, kernel {c.kernel}, stride {c.stride}" for c in HIDDEN)
            + ". All spiking nets have the same layers; the MLP has two of 128 units on the counts.",
            f"Accuracies are {facts['accuracy']}."
            if facts["accuracy"]
            else "Accuracies are of whole samples.",
            "Intervals of the differences hold together with 95 % confidence (Bonferroni).",
        ],
    )


def _comparisons(found: Measured, plan: Plan) -> list[Comparison]:
    ours = found.outcomes.accuracy(Arm(DATA, "gated"))
    same = plan["data"] == PAPERS_DATA
    note = f"ours is of clips of {plan['clip_s']:g} s" if same else f"ours is of {plan['data']}"
    return [Comparison(number, ours, same_data=False, note=note) for number in PUBLISHED]


def _claims(found: Measured) -> list[Claim]:
    arms = {name: Arm(DATA, name) for name in ARMS}
    pairs = [
        ("SpikingGamma (gated) is better than the LIF net of the same layers.", "gated", "lif"),
        ("It is better than an MLP on spike counts.", "gated", "rate"),
        ("Gated gradients are better than spatial ones.", "gated", "spatial"),
        ("A low threshold is better than a higher one that spends fewer spikes.", "gated", "sparse"),
    ]
    return [
        more_accurate(found.outcomes, sentence, OURS, arms[first], arms[second], n_claims=len(pairs))
        for sentence, first, second in pairs
    ]


FIGURE = Figure(
    name="koopman2026/dvs-gesture",
    shows="convolutional SpikingGamma and LIF nets on an event camera: accuracy, spikes, operations",
    experiment=gesture_experiment.EXPERIMENT,
    stages=stages,
    draw=draw,
)
