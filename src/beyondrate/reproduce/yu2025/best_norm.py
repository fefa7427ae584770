"""How well can timing alone be read? The best that we reach on norm, and what it comes from (ours)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from beyondrate.audit.outcomes import CLEAN, Arm, Outcomes
from beyondrate.audit.variant_store import VariantStore
from beyondrate.jobs import read_result
from beyondrate.reproduce.claims import more_accurate
from beyondrate.reproduce.experiment import Figure, Plan, Request
from beyondrate.reproduce.figure import Claim, Panel, Reproduction
from beyondrate.reproduce.series import accuracy_series
from beyondrate.reproduce.speech_data import as_json, protocol_notes, title
from beyondrate.reproduce.speech_recipes import BEST_RECIPES
from beyondrate.reproduce.yu2025 import published, speech
from beyondrate.reproduce.yu2025.speech import SpeechJob, chosen_tau_s, tuning_jobs

TUNED = "lif-one-tau"
NETS = {
    (TUNED, "tau-tuned"): "LIF, one τ, tuned",
    ("lif-mixed", "none"): "LIF, mixed τ",
    ("lif-mixed-frozen", "frozen"): "LIF, mixed τ + frozen delays",
    ("lif-mixed-learned", "learned"): "LIF, mixed τ + learned delays",
    ("gamma-spatial", "spatial"): "SpikingGamma, spatial",
    ("gamma-gated", "gated"): "SpikingGamma, gated",
    ("gamma-one-draw", "gated"): "SpikingGamma, gated, one draw",
}
LIF_NETS = [net for net in NETS if net[0].startswith("lif")]
TAU_GRID_S = (0.03, 0.1, 0.3)


def make_plan(request: Request) -> Plan:
    """Return everything that decides the experiment's results."""
    recipes = {name: as_json(recipe) for name, recipe in BEST_RECIPES.items()}
    plan = {**speech.make_plan(request), "recipes": recipes, "tau_grid_s": list(TAU_GRID_S)}
    return {**plan, "tests": [["none", 0.0]]}


def stages(plan: Plan) -> list[list[SpeechJob]]:
    """Return the jobs of all nets on norm, after those that choose τ."""
    jobs = [
        SpeechJob("norm", model, control, seed, all_tests=False)
        for seed in plan["seeds"]
        for model, control in NETS
    ]
    return [tuning_jobs(plan, [TUNED]), jobs]


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    jobs = stages(plan)[1]
    outcomes = speech.outcomes(folder, plan, jobs)
    facts = VariantStore(folder / "data").facts("norm")
    training = {(job.model, job.control): read_result(folder, job)["training"] for job in jobs}
    names = [f"{name} ({training[net]['parameters'] / 1000:.0f}k)" for net, name in NETS.items()]
    arms = [(Arm("norm", *net), CLEAN) for net in NETS]
    return Reproduction(
        figure="yu2025/best-norm",
        title=title("How well can timing alone be read? (ours)", plan),
        panels=[
            Panel(
                title="accuracy on norm (parameters)",
                kind="bars",
                y_label="test accuracy",
                groups=names,
                series=[accuracy_series(outcomes, "norm", arms)],
                references={"chance": outcomes.chance("norm")},
            )
        ],
        claims=_claims(outcomes),
        rows=outcomes.row_dicts(),
        notes=[
            *protocol_notes(plan, facts["split"]),
            "All but the last are trained on norm drawn anew for every epoch, from part's training samples: "
            "the same counts, other spikes. Validation and test samples are one draw, as published.",
            "Each net's recipe is the best of twelve tries on validation speakers of spoken digits, with one "
            "seed that is not among the figure's and half the epochs. With 447 samples to judge by, tries "
            "differ by some points by chance.",
            "Intervals of the differences hold together with 95 % confidence (Bonferroni).",
            "Two layers of 320 (LIF, mixed τ), 256 (LIF, one τ; SpikingGamma, gated) or 128 (spatial), 40 "
            "epochs. Mixed τ begins between 10 and 300 ms, with delays between 10 and 100 ms; one τ, chosen "
            f"on validation, is {1000 * chosen_tau_s(folder, plan, TUNED):g} ms.",
        ],
    )


def _claims(outcomes: Outcomes) -> list[Claim]:
    norm = {net: Arm("norm", *net) for net in NETS}
    best_lif = max((norm[net] for net in LIF_NETS), key=outcomes.validation_accuracy)
    gamma, one_tau = norm["gamma-gated", "gated"], norm[TUNED, "tau-tuned"]
    mixed, frozen, learned = (norm[net] for net in LIF_NETS[1:])
    pairs = [
        ("Mixed τ is better than one τ, tuned.", mixed, one_tau),
        ("Frozen delays add to mixed τ.", frozen, mixed),
        ("Learned delays add to mixed τ.", learned, mixed),
        ("Learning the delays adds to random ones.", learned, frozen),
        ("SpikingGamma is better than the best LIF net.", gamma, best_lif),
        ("Gated gradients are better than spatial ones.", gamma, norm["gamma-spatial", "spatial"]),
        ("Norm drawn anew is better to learn from than one draw.", gamma, norm["gamma-one-draw", "gated"]),
    ]
    return [
        more_accurate(outcomes, sentence, published.OURS, first, second, n_claims=len(pairs))
        for sentence, first, second in pairs
    ]


FIGURE = Figure(
    name="yu2025/best-norm",
    shows="ours: the best that nets reach on norm, and what it comes from",
    experiment=replace(speech.EXPERIMENT, name="best-norm", plan=make_plan),
    stages=stages,
    draw=draw,
)
