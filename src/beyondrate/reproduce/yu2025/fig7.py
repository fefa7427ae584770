"""Fig. 7: accuracy when time runs backwards."""

from __future__ import annotations

from pathlib import Path

from beyondrate.audit.outcomes import CLEAN, Arm, Outcomes, Test
from beyondrate.audit.plan import VARIANTS
from beyondrate.audit.variant_store import VariantStore
from beyondrate.reproduce.claims import more_accurate
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Panel, Reproduction
from beyondrate.reproduce.series import accuracy_series
from beyondrate.reproduce.speech_data import protocol_notes, title
from beyondrate.reproduce.yu2025 import published, speech
from beyondrate.reproduce.yu2025.speech import SpeechJob
from beyondrate.reproduce.yu2025.speech_figures import COMPARED, NAMES, compared_stages

REVERSED: Test = ("reverse", 0.0)
RETRAINED = (("lif", "tau-tuned"), ("lif", "learned"))


def stages(plan: Plan) -> list[list[SpeechJob]]:
    """Return the compared networks' jobs, and those that are trained on reversed samples of norm."""
    tuning, compared = compared_stages(plan)
    retrained = [
        SpeechJob("norm", *net, seed, *REVERSED, all_tests=False)
        for seed in plan["seeds"]
        for net in RETRAINED
    ]
    return [tuning, [*compared, *retrained]]


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    outcomes = speech.outcomes(folder, plan, stages(plan)[1])
    facts = VariantStore(folder / "data").facts("norm")
    return Reproduction(
        figure="yu2025/fig7",
        title=title("Fig. 7: time reversed", plan),
        panels=[_panel(outcomes, variant) for variant in VARIANTS],
        claims=_claims(outcomes),
        rows=outcomes.row_dicts(),
        notes=[
            *protocol_notes(plan, facts["split"]),
            "Each sample is reversed inside its active window, from its first to its last spike. Networks "
            "called retrained are trained on reversed samples: what they reach is still there to be read.",
        ],
    )


def _panel(outcomes: Outcomes, variant: str) -> Panel:
    series = [
        accuracy_series(outcomes, NAMES[net], [(Arm(variant, *net), CLEAN), (Arm(variant, *net), REVERSED)])
        for net in COMPARED
    ]
    for model, control in RETRAINED:
        arm = Arm(variant, model, f"{control}, retrained")
        if arm in outcomes.by_arm:
            name = f"{NAMES[model, control]}, retrained"
            series.append(accuracy_series(outcomes, name, [(arm, REVERSED)], [1]))
    return Panel(
        title=variant,
        kind="bars",
        y_label="test accuracy",
        groups=("forward", "reversed"),
        series=series,
        references={"chance": outcomes.chance(variant)},
    )


def _claims(outcomes: Outcomes) -> list[Claim]:
    v1, v3 = f"{published.V1}, Fig. 7", published.V3
    compared: list[tuple[str, str, Arm, Arm, bool]] = []  # the last: the sentence names the second arm first
    for net in (("spikemax", "none"), ("lif", "tau-tuned")):
        on_whole = f"Reversed, {NAMES[net]} falls below the MLP on whole."
        on_norm = f"Reversed, {NAMES[net]} stays above the MLP on norm."
        compared += [
            (on_whole, v1, Arm("whole", "rate"), Arm("whole", *net), True),
            (on_norm, v1, Arm("norm", *net), Arm("norm", "rate"), False),
        ]
    compared += [
        (
            f"Reversed, nets without delays do better than nets with learned delays on {variant} ({who}).",
            v3,
            Arm(variant, model, without),
            Arm(variant, model, "learned"),
            False,
        )
        for variant in ("whole", "norm")
        for who, model, without in (("the paper's nets", "spikemax", "none"), ("ours", "lif", "tau-tuned"))
    ]
    return [
        more_accurate(
            outcomes,
            sentence,
            source,
            first,
            second,
            (REVERSED, REVERSED),
            second_named_first=turned,
            n_claims=len(compared),
        )
        for sentence, source, first, second, turned in compared
    ]


FIGURE = Figure(
    name="yu2025/fig7",
    shows="accuracy when every sample is played backwards",
    experiment=speech.EXPERIMENT,
    stages=stages,
    draw=draw,
)
