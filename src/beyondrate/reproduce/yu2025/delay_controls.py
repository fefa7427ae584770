"""Does learning delays help? The controls that every figure about delays must carry.

An experiment of ours: the paper compares learned delays with none. What learning adds shows only beside
random delays that stay as they are, and beside a net without delays whose τ was tuned.
"""

from __future__ import annotations

from pathlib import Path

from beyondrate.audit.outcomes import CLEAN, Arm, Outcomes
from beyondrate.audit.variant_store import VariantStore
from beyondrate.reproduce.claims import more_accurate
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Panel, Reproduction
from beyondrate.reproduce.series import accuracy_series
from beyondrate.reproduce.speech_data import protocol_notes, title
from beyondrate.reproduce.yu2025 import published, speech
from beyondrate.reproduce.yu2025.speech import SpeechJob, chosen_tau_s, tuning_jobs

FILTERS = {"lif": "no current filter", "lif-filter": "current filter"}
PLACES = {"": "wide", "-narrow": "narrow", "-synaptic": "synaptic, wide"}
WITHOUT = (("none", "no delays"), ("tau-tuned", "no delays, τ tuned"))


def places(plan: Plan) -> dict[str, str]:
    """Return which delays are compared; a quick look omits synaptic ones, which cost six times as much."""
    return {
        place: label for place, label in PLACES.items() if plan["preset"] == "paper" or place != "-synaptic"
    }


def stages(plan: Plan) -> list[list[SpeechJob]]:
    """Return the jobs: none, none with τ tuned, frozen and learned delays, on norm."""
    nets = [(base, control) for base in FILTERS for control, _ in WITHOUT]
    nets += [
        (base + place, control)
        for base in FILTERS
        for place in places(plan)
        for control in ("frozen", "learned")
    ]
    jobs = [
        SpeechJob("norm", model, control, seed, all_tests=_is_compared(model))
        for seed in plan["seeds"]
        for model, control in nets
    ]
    return [tuning_jobs(plan, list(FILTERS)), jobs]


def _is_compared(model: str) -> bool:
    """Figures 5 to 7 train these nets too, and test them under every perturbation."""
    return model == "lif"


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    outcomes = speech.outcomes(folder, plan, stages(plan)[1])
    facts = VariantStore(folder / "data").facts("norm")
    taus = ", ".join(
        f"{1000 * chosen_tau_s(folder, plan, model):g} ms ({name})" for model, name in FILTERS.items()
    )
    return Reproduction(
        figure="yu2025/delay-controls",
        title=title("Does learning delays help? The controls, on norm", plan),
        panels=[_panel(outcomes, plan, base, name) for base, name in FILTERS.items()],
        claims=[claim for base, name in FILTERS.items() for claim in _claims(outcomes, plan, base, name)],
        rows=outcomes.row_dicts(),
        notes=[
            *protocol_notes(plan, facts["split"]),
            f"τ chosen on validation: {taus}; nets with delays begin with the same τ.",
            f"Intervals of the {_n_claims(plan)} differences hold together with 95 % confidence "
            "(Bonferroni).",
            "Narrow delays begin in U(0, 10 ms), wide ones in U(0, 300 ms). With one seed all nets have the "
            "same initial weights.",
        ],
    )


def _n_claims(plan: Plan) -> int:
    """Return how many differences are judged: learned and frozen delays, from each other and from τ tuned."""
    return 3 * len(FILTERS) * len(places(plan))


def _panel(outcomes: Outcomes, plan: Plan, base: str, name: str) -> Panel:
    bars = [(label, Arm("norm", base, control)) for control, label in WITHOUT]
    for place, label in places(plan).items():
        bars += [
            (f"{control}, {label}", Arm("norm", base + place, control)) for control in ("frozen", "learned")
        ]
    return Panel(
        title=name,
        kind="bars",
        y_label="test accuracy",
        groups=[label for label, _ in bars],
        series=[accuracy_series(outcomes, "norm", [(arm, CLEAN) for _, arm in bars])],
        references={"chance": outcomes.chance("norm")},
    )


def _claims(outcomes: Outcomes, plan: Plan, base: str, name: str) -> list[Claim]:
    claims = [
        more_accurate(
            outcomes,
            f"Learning the delays adds to random ones ({label}, {name}).",
            published.OURS,
            Arm("norm", base + place, "learned"),
            Arm("norm", base + place, "frozen"),
            n_claims=_n_claims(plan),
        )
        for place, label in places(plan).items()
    ]
    claims += [
        more_accurate(
            outcomes,
            f"{control.capitalize()} delays ({label}) add to a net with τ tuned ({name}).",
            published.OURS,
            Arm("norm", base + place, control),
            Arm("norm", base, "tau-tuned"),
            n_claims=_n_claims(plan),
        )
        for place, label in places(plan).items()
        for control in ("frozen", "learned")
    ]
    return claims


FIGURE = Figure(
    name="yu2025/delay-controls",
    shows="ours: none, τ tuned, frozen and learned delays, narrow and wide, axonal and synaptic",
    experiment=speech.EXPERIMENT,
    stages=stages,
    draw=draw,
)
