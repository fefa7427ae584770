"""What the speech figures share: which networks they compare, their names, and how a panel is filled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from beyondrate.audit.outcomes import CLEAN, Arm, Outcomes, Test
from beyondrate.audit.plan import VARIANTS
from beyondrate.reproduce.experiment import Plan
from beyondrate.reproduce.figure import Series
from beyondrate.reproduce.yu2025.speech import SpeechJob, tuning_jobs

# (model, control) of every network that Figures 5 to 7 compare; the first three are the paper's.
COMPARED = (
    ("rate", "none"),
    ("spikemax", "none"),
    ("spikemax", "learned"),
    ("lif", "none"),
    ("lif", "tau-tuned"),
    ("lif", "frozen"),
    ("lif", "learned"),
)
NAMES = {
    ("rate", "none"): "MLP on counts",
    ("spikemax", "none"): "LIF, Spikemax (the paper's)",
    ("spikemax", "learned"): "LIF, Spikemax + learned delays (the paper's)",
    ("lif", "none"): "LIF",
    ("lif", "tau-tuned"): "LIF, τ tuned",
    ("lif", "frozen"): "LIF + frozen delays",
    ("lif", "learned"): "LIF + learned delays",
}


def compared_stages(plan: Plan) -> list[list[SpeechJob]]:
    """Return the jobs of every compared network on whole, part and norm, after those that choose τ."""
    jobs = [
        SpeechJob(variant, model, control, seed)
        for seed in plan["seeds"]
        for variant in VARIANTS
        for model, control in COMPARED
    ]
    return [tuning_jobs(plan, ["lif"]), jobs]


def arm(variant: str, model_and_control: tuple[str, str]) -> Arm:
    """Return the arm of a compared network on a variant."""
    return Arm(variant, *model_and_control)


def accuracy_series(
    outcomes: Outcomes,
    name: str,
    arms_and_tests: Iterable[tuple[Arm, Test]],
    x: Sequence[float] | None = None,
) -> Series:
    """Return the accuracies of arms under tests, with intervals and single seeds."""
    points = list(arms_and_tests)
    intervals = [outcomes.accuracy(arm, test) for arm, test in points]
    return Series(
        name=name,
        x=list(range(len(points))) if x is None else list(x),
        y=[interval.estimate for interval in intervals],
        low=[interval.low for interval in intervals],
        high=[interval.high for interval in intervals],
        seeds=[outcomes.correct(arm, test).mean(axis=1).tolist() for arm, test in points],
    )


def title(figure: str, plan: Plan) -> str:
    """Return a figure's title, which says what data it is of."""
    of = f"{figure}, on {plan['data']}"
    return of if plan["data"] in ("shd", "ssc") else f"{of} (the paper: SHD and SSC)"


def protocol_notes(plan: Plan, split: str) -> list[str]:
    """Return what a reader must know of how samples were divided and how many seeds there are."""
    seeds = len(plan["seeds"])
    few = " Fewer than five seeds are a look, not a result: --preset paper has five." if seeds < 5 else ""
    return [f"{split} {seeds} seeds.{few}", f"Time step {1000 * plan['dt_s']:g} ms."]


__all__ = [
    "CLEAN",
    "COMPARED",
    "NAMES",
    "accuracy_series",
    "arm",
    "compared_stages",
    "protocol_notes",
    "title",
]
