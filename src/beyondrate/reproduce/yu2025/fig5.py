"""Fig. 5: accuracy of networks with and without delays on whole, part and norm."""

from __future__ import annotations

from pathlib import Path

from beyondrate.audit.outcomes import CLEAN, Arm, Outcomes
from beyondrate.audit.plan import VARIANTS
from beyondrate.audit.variant_store import VariantStore
from beyondrate.reproduce.claims import above_chance, at_chance, more_accurate
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Comparison, Panel, Reproduction
from beyondrate.reproduce.series import accuracy_series
from beyondrate.reproduce.speech_data import protocol_notes, title
from beyondrate.reproduce.yu2025 import published, speech
from beyondrate.reproduce.yu2025.speech_figures import COMPARED, NAMES, compared_stages


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    outcomes = speech.outcomes(folder, plan, compared_stages(plan)[1])
    facts = VariantStore(folder / "data").facts("norm")
    panel = Panel(
        title="Accuracy on whole, part and norm",
        kind="bars",
        y_label="test accuracy",
        groups=VARIANTS,
        series=[
            accuracy_series(outcomes, NAMES[net], [(Arm(variant, *net), CLEAN) for variant in VARIANTS])
            for net in COMPARED
        ],
        references={"chance": outcomes.chance("norm")},
    )
    return Reproduction(
        figure="yu2025/fig5",
        title=title("Fig. 5: how much is left when the counts are gone", plan),
        panels=[panel],
        comparisons=_comparisons(outcomes, plan),
        claims=_claims(outcomes),
        rows=outcomes.row_dicts(),
        notes=protocol_notes(plan, facts["split"]),
    )


def _comparisons(outcomes: Outcomes, plan: Plan) -> list[Comparison]:
    data = plan["data"] if plan["data"] in published.NORM_ACCURACY else "shd"
    same = data == plan["data"]
    return [
        Comparison(
            number,
            outcomes.accuracy(Arm("norm", "spikemax", control)),
            same_data=same,
            note="" if same else f"ours is of {plan['data']}",
        )
        for control, number in published.NORM_ACCURACY[data].items()
    ]


def _claims(outcomes: Outcomes) -> list[Claim]:
    norm = {net: Arm("norm", *net) for net in COMPARED}
    paper, ours = f"{published.V1}, Fig. 5", published.OURS
    spikemax = norm["spikemax", "learned"], norm["spikemax", "none"]
    compared = [
        ("Learned axonal delays add accuracy on norm to the paper's net.", paper, *spikemax),
        (
            "Wide delays add accuracy on norm to a net with τ tuned.",
            ours,
            norm["lif", "frozen"],
            norm["lif", "tau-tuned"],
        ),
        (
            "Learning the delays adds accuracy to random ones.",
            ours,
            norm["lif", "learned"],
            norm["lif", "frozen"],
        ),
    ]
    return [
        at_chance(outcomes, "Counts alone tell nothing on norm.", paper, norm["rate", "none"]),
        above_chance(
            outcomes, "A spiking net without delays reads timing on norm.", paper, norm["spikemax", "none"]
        ),
        *(more_accurate(outcomes, *claimed, n_claims=len(compared)) for claimed in compared),
    ]


FIGURE = Figure(
    name="yu2025/fig5",
    shows="accuracy on whole, part and norm, without and with delays",
    experiment=speech.EXPERIMENT,
    stages=compared_stages,
    draw=draw,
)
