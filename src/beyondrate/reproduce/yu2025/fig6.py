"""Fig. 6: accuracy under jitter of each spike, jitter of each unit, and deletion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from beyondrate.audit.outcomes import CLEAN, Arm, Outcomes, Test
from beyondrate.audit.plan import VARIANTS
from beyondrate.audit.variant_store import VariantStore
from beyondrate.reproduce.claims import at_chance, more_accurate
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Panel, Reproduction, Series
from beyondrate.reproduce.series import accuracy_series
from beyondrate.reproduce.speech_data import protocol_notes, title
from beyondrate.reproduce.yu2025 import published, speech
from beyondrate.reproduce.yu2025.speech import SpeechJob
from beyondrate.reproduce.yu2025.speech_figures import NAMES, compared_stages

SHOWN = (
    ("rate", "none"),
    ("spikemax", "none"),
    ("spikemax", "learned"),
    ("lif", "tau-tuned"),
    ("lif", "learned"),
)
RETRAINED = (("lif", "tau-tuned"), ("lif", "learned"))
ROWS = {
    "jitter": "each spike jittered",
    "jitter-unit": "each unit jittered",
    "delete": "deleted",
}
RETRAINED_TESTS: tuple[Test, ...] = (("jitter", 0.025), ("jitter-unit", 0.025), ("delete", 0.5))
JITTERED, UNITS_JITTERED = ("jitter", 0.025), ("jitter-unit", 0.025)


def stages(plan: Plan) -> list[list[SpeechJob]]:
    """Return the compared networks' jobs, and those that are trained on disturbed samples of norm."""
    tuning, compared = compared_stages(plan)
    return [tuning, [*compared, *_retrained(plan)]]


def _retrained(plan: Plan) -> list[SpeechJob]:
    return [
        SpeechJob("norm", *net, seed, *test, all_tests=False)
        for seed in plan["seeds"]
        for test in RETRAINED_TESTS
        for net in RETRAINED
    ]


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    outcomes = speech.outcomes(folder, plan, stages(plan)[1])
    facts = VariantStore(folder / "data").facts("norm")
    return Reproduction(
        figure="yu2025/fig6",
        title=title("Fig. 6: jitter and deletion", plan),
        panels=[_panel(outcomes, kind, variant) for kind in ROWS for variant in VARIANTS],
        claims=_claims(outcomes, plan),
        rows=outcomes.row_dicts(),
        notes=[
            *protocol_notes(plan, facts["split"]),
            "Networks are trained on clean samples and tested on disturbed ones (zero-shot); those called "
            "retrained are trained and tested on samples disturbed alike. The paper does not say which.",
            f"A jitter of 25 ms is {0.025 / plan['dt_s']:g} time steps of the networks.",
        ],
    )


def _panel(outcomes: Outcomes, kind: str, variant: str) -> Panel:
    levels = outcomes.levels(Arm(variant, *SHOWN[0]), kind)
    tests: list[Test] = [CLEAN, *((kind, level) for level in levels)]
    series = [
        accuracy_series(outcomes, NAMES[net], [(Arm(variant, *net), test) for test in tests]) for net in SHOWN
    ]
    series += _retrained_series(outcomes, kind, variant, levels)
    return Panel(
        title=f"{variant}, {ROWS[kind]}",
        kind="lines",
        x_label="share of spikes deleted" if kind == "delete" else "σ (ms)",
        y_label="test accuracy",
        series=series,
        groups=["0", *(f"{level:g}" if kind == "delete" else f"{1000 * level:g}" for level in levels)],
        references={"chance": outcomes.chance(variant)},
    )


def _retrained_series(outcomes: Outcomes, kind: str, variant: str, levels: Sequence[float]) -> list[Series]:
    found = []
    for model, control in RETRAINED:
        arm = Arm(variant, model, f"{control}, retrained")
        if arm in outcomes.by_arm:
            tests = [test for test in outcomes.tests(arm) if test[0] == kind]
            x = [1 + levels.index(level) for _, level in tests]
            name = f"{NAMES[model, control]}, retrained"
            found.append(accuracy_series(outcomes, name, [(arm, test) for test in tests], x))
    return found


def _claims(outcomes: Outcomes, plan: Plan) -> list[Claim]:
    source = f"{published.V1}, Fig. 6"
    nets = ("spikemax", "learned"), ("lif", "learned")
    most = max(level for name, level in plan["tests"] if name == "delete")
    claims = [
        more_accurate(
            outcomes,
            f"At 25 ms on {variant}, jitter of whole units costs {NAMES[net]} more than jitter of spikes.",
            source,
            Arm(variant, *net),
            Arm(variant, *net),
            (JITTERED, UNITS_JITTERED),
            second_named_first=True,
            n_claims=len(nets) * len(VARIANTS),
        )
        for variant in VARIANTS
        for net in nets
    ]
    claims += [
        at_chance(
            outcomes,
            f"Deletion of {most:.0%} of the spikes brings {NAMES[net]} to chance on norm.",
            source,
            Arm("norm", *net),
            ("delete", most),
        )
        for net in nets
    ]
    return claims


FIGURE = Figure(
    name="yu2025/fig6",
    shows="accuracy under jitter of spikes, jitter of units and deletion",
    experiment=speech.EXPERIMENT,
    stages=stages,
    draw=draw,
)
