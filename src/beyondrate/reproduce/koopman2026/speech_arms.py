"""The networks that the speech figures compare: two hidden layers of one size, one thing changed in each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from beyondrate.events import SpikeTrains
from beyondrate.nn import EveryStep
from beyondrate.nn.lif_traces import LIFRule
from beyondrate.nn.spiking_gamma import Rule
from beyondrate.recipes import NetworkArm, Recipe, gamma_arm, rate_arm, spiking_arm
from beyondrate.reproduce.speech_recipes import BEST_RECIPES, MIXED_TAU_S

HIDDEN = (128, 128)
RECIPES = {name: recipe.with_network(hidden=HIDDEN) for name, recipe in BEST_RECIPES.items()}
LIF = RECIPES["lif-mixed"]
GAMMA = RECIPES["gamma-gated"]
TAU_GRID_S = (0.03, 0.1, 0.3)
SHORT_S = 0.005  # T of a memory of 105 ms, as long as one membrane; that of the recipe is about 500 ms long
RULES: tuple[Rule, ...] = get_args(Rule)
# Chosen on validation speakers: updates after every step need small steps, and streams that do not begin
# together; OTTT has no traces for current filters and needs the loss at every step.
SPATIAL, ONE_TAU = RECIPES["gamma-spatial"], RECIPES["lif-one-tau"]
ONLINE = replace(SPATIAL, settings=replace(SPATIAL.settings, batch_size=128, learning_rate=3e-4))
OTTT = replace(
    ONE_TAU.with_network(tau_syn_s=None),
    loss=EveryStep(),
    settings=replace(ONE_TAU.settings, batch_size=128),
)


@dataclass(frozen=True)
class SpeechArm:
    """One kind of network.

    Args:
        shown: its name in a figure.
        model: "rate" (MLP on counts), "lif" (trained with BPTT) or "gamma" (SpikingGamma).
        control: of a LIF net "none", "frozen" or "learned" delays; of SpikingGamma the gradient rule.
        recipe: what it is and how it is trained; None for the MLP.
        taus_s: where membrane time constants begin, in seconds; validation chooses among several.
        choices: arguments of the network among which validation chooses.
        update_every: of SpikingGamma: learn online on streams, with an update after so many steps; None: one
            update a batch of whole samples.
        lif_rule: of a LIF net: learn forward in time by "ottt" or "eprop"; None: BPTT.
    """

    shown: str
    model: Literal["rate", "lif", "gamma"]
    control: str = "none"
    recipe: Recipe | None = None
    taus_s: Sequence[float] = (MIXED_TAU_S["lif-mixed"],)
    choices: Sequence[Mapping[str, Any]] = field(default_factory=lambda: ({},))
    update_every: int | None = None
    lif_rule: LIFRule | None = None


def _gamma(shown: str, rule: Rule = "gated", **network: Any) -> SpeechArm:  # noqa: ANN401
    return SpeechArm(shown, "gamma", rule, GAMMA.with_network(**network))


def _delayed(control: str) -> SpeechArm:
    name = f"lif-mixed-{control}"
    return SpeechArm(f"LIF, mixed τ + {control} delays", "lif", control, RECIPES[name], (MIXED_TAU_S[name],))


ARMS: Mapping[str, SpeechArm] = {
    "rate": SpeechArm("MLP on counts", "rate"),
    "lif": SpeechArm("LIF, one τ, tuned", "lif", "none", RECIPES["lif-one-tau"], TAU_GRID_S),
    "lif-mixed": SpeechArm("LIF, mixed τ", "lif", "none", LIF),
    "lif-mixed-one-draw": SpeechArm("LIF, mixed τ, one draw", "lif", "none", replace(LIF, redraw=False)),
    "lif-frozen": _delayed("frozen"),
    "lif-learned": _delayed("learned"),
    "gated": _gamma("SpikingGamma, gated"),
    "gated-one-draw": SpeechArm(
        "SpikingGamma, gated, one draw", "gamma", "gated", replace(GAMMA, redraw=False)
    ),
    "full": _gamma("SpikingGamma, full", "full"),
    "eligibility": _gamma("SpikingGamma, eligibility", "eligibility"),
    "spatial": SpeechArm("SpikingGamma, spatial", "gamma", "spatial", SPATIAL),
    "online": SpeechArm(
        "SpikingGamma, spatial, an update after every step", "gamma", "spatial", ONLINE, update_every=1
    ),
    "ottt": SpeechArm("LIF, OTTT", "lif", "none", OTTT, (0.1,), lif_rule="ottt"),
    "binary": _gamma("gated, one spike a step", n_max=1),
    **{
        f"theta-{theta0:g}{end}": _gamma(
            f"θ0 = {theta0:g}, mf = {mf:g}{said}", theta0=theta0, mf=mf, n_max=n_max
        )
        for theta0, mf in ((0.3, 0.1), (1.0, 0.0), (3.0, 0.0), (6.0, 0.0))
        for end, said, n_max in (("", "", None), ("-binary", ", one spike a step", 1))
    },
    "short": _gamma("gated, memory of 105 ms", memory_s=SHORT_S),
    "exponential": SpeechArm(
        "gated, one exponential, τ tuned",
        "gamma",
        "gated",
        GAMMA.with_network(n_buckets=1),
        choices=[{"memory_s": tau_s * math.log(10)} for tau_s in TAU_GRID_S],
    ),
}


def build(arm: SpeechArm, train: SpikeTrains, *, dt_s: float, seed: int) -> list[NetworkArm]:
    """Build an arm's network once for each choice; with one seed all begin with the same weights."""
    if arm.recipe is None:
        return [rate_arm(train, seed=seed)]
    recipes = [arm.recipe.with_network(**choice) for choice in arm.choices]
    if arm.model == "gamma":
        rule = next(rule for rule in RULES if rule == arm.control)
        return [gamma_arm(recipe, rule, train, dt_s=dt_s, seed=seed) for recipe in recipes]
    return [
        spiking_arm(recipe, arm.control, train, dt_s=dt_s, tau_s=tau_s, seed=seed)
        for recipe in recipes
        for tau_s in arm.taus_s
    ]
