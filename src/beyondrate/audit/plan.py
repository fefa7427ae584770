"""The plan of an audit: which models are trained on which variant with which seed, and how each is tested."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from beyondrate import perturb
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, dt_in_us

Normalise = Literal["train", "pooled"]
MODELS = ("probe", "rate", "lif", "lif-delay", "gamma")
DEFAULT_MODELS = MODELS[:4]  # gamma adds about a third to the time: ask for it
VARIANTS = ("whole", "part", "norm")
MOST_CLIPPED = 0.05  # of the spikes, by a jitter: more of them at the edges would be a change of its own


@dataclass(frozen=True)
class Preset:
    """How thorough an audit is.

    Args:
        seeds: trainings of each arm.
        tau_grid_s: membrane time constants that the τ-tuned control chooses from, on validation.
        delay_variants: variants on which the nets with delays are trained.
        levels: levels of each perturbation (a fraction, or seconds for the jitters).
    """

    seeds: int
    tau_grid_s: tuple[float, ...]
    delay_variants: tuple[str, ...]
    levels: dict[str, tuple[float, ...]]


_JITTERS_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2)
_JITTERS = (0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.04, 0.06, 0.1, 0.15, 0.25)

PRESETS = {
    "quick": Preset(
        seeds=3,
        tau_grid_s=(0.03, 0.1, 0.3),
        delay_variants=("norm",),
        levels={
            "replace": (0.25, 0.5, 0.75, 1.0),
            "jitter": _JITTERS_QUICK,
            "jitter-unit": _JITTERS_QUICK,
            "jitter-sample": _JITTERS_QUICK,
            "delete": (0.25, 0.5, 0.75),
            "reverse": (0.0,),
        },
    ),
    "standard": Preset(
        seeds=5,
        tau_grid_s=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
        delay_variants=VARIANTS,
        levels={
            "replace": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
            "jitter": _JITTERS,
            "jitter-unit": _JITTERS,
            "jitter-sample": _JITTERS,
            "delete": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
            "reverse": (0.0,),
        },
    ),
}
PRESETS["full"] = replace(PRESETS["standard"], seeds=10)


@dataclass(frozen=True)
class Job:
    """One piece of work: train one arm once (or fit a probe) and test it under every perturbation."""

    variant: str
    model: str
    control: str = "none"
    seed: int = 0

    @property
    def key(self) -> str:
        """The job's name, also of the file that keeps its result."""
        return f"{self.variant}_{self.model}_{self.control}_{self.seed}"


@dataclass(frozen=True)
class Plan:
    """Everything that decides an audit's results, besides the data; kept in the run's folder.

    Args:
        data_digest: SHA-256 of the events.
        preset: name of the preset.
        models: of MODELS, in that order.
        variants: of VARIANTS, in that order.
        seeds: one training of each arm for each.
        dt_s: time step of the networks in seconds.
        levels: levels of each perturbation.
        tau_grid_s: time constants that "tau-tuned" chooses from.
        delay_variants: variants on which nets with delays are trained.
        normalise: "train" takes norm's thresholds from the training part only, "pooled" from all samples.
        seed: of the split and the variants.
        epochs: most passes over the training samples; None for each model's own.
    """

    data_digest: str
    preset: str
    models: tuple[str, ...]
    variants: tuple[str, ...]
    seeds: tuple[int, ...]
    dt_s: float
    levels: dict[str, tuple[float, ...]]
    tau_grid_s: tuple[float, ...]
    delay_variants: tuple[str, ...]
    normalise: Normalise = "train"
    seed: int = 0
    epochs: int | None = None
    tests: list[tuple[str, float]] = field(init=False)

    def __post_init__(self) -> None:
        tests = [("none", 0.0), *((name, level) for name, levels in self.levels.items() for level in levels)]
        object.__setattr__(self, "tests", tests)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON-like values."""
        return {name: value for name, value in asdict(self).items() if name != "tests"}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Plan:
        """Return the plan that ``as_json`` gave, after JSON made its tuples into lists."""
        values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in value.items()}
        values["levels"] = {name: tuple(levels) for name, levels in value["levels"].items()}
        return cls(**values)

    @property
    def tuning_variant(self) -> str:
        """The variant on which τ is tuned: the one without counts, where only timing can help."""
        return self.variants[-1]

    def tuning_jobs(self) -> list[Job]:
        """Return the trainings that choose τ on validation; they must end before the others begin."""
        if "lif" not in self.models and "lif-delay" not in self.models:
            return []
        return [Job(self.tuning_variant, "lif", f"tau-{tau:g}", self.seeds[0]) for tau in self.tau_grid_s]

    def jobs(self) -> list[Job]:
        """Return all other work, the longest first so that two workers end together."""
        nets = [
            Job(variant, model, control, seed)
            for seed in self.seeds
            for variant in reversed(self.variants)
            for model, control in self._arms(variant)
        ]
        once = [Job(variant, "probe") for variant in self.variants if "probe" in self.models]
        kinds = [Job(self.variants[-1], "kinds")] if "probe" in self.models else []
        return [*kinds, *once, *nets]

    def _arms(self, variant: str) -> list[tuple[str, str]]:
        """Return the networks of a variant: on whole with what each of them does with counts alone."""
        arms = []
        if "gamma" in self.models:
            arms += [("gamma", "none")]
        if "lif-delay" in self.models and variant in self.delay_variants:
            arms += [("lif-delay", "learned"), ("lif-delay", "frozen")]
        if "lif" in self.models:
            arms += [("lif", "none")]
            if variant == self.tuning_variant:
                arms += [("lif", "tau-tuned")]
        if variant == "whole":  # a net may read of counts what a linear reading of them cannot
            arms += [(model, "scrambled") for model in dict.fromkeys(model for model, _ in arms)]
        if "rate" in self.models or (variant == "whole" and arms):
            arms += [("rate", "none")]
        return arms


def perturbation_seed(variant: str, perturbation: str, level: float, seed: int) -> list[int]:
    """Return the seed of a perturbation: the same for every model, so that they face the same spikes."""
    return [seed, zlib.crc32(f"{variant} {perturbation} {level!r}".encode())]


def make_plan(
    data_digest: str,
    jitter_limits_s: Mapping[str, float],
    *,
    preset: str = "quick",
    models: Sequence[str] = DEFAULT_MODELS,
    variants: Sequence[str] = VARIANTS,
    seeds: int | Sequence[int] | None = None,
    dt_s: float = 0.01,
    normalise: Normalise = "train",
    seed: int = 0,
    epochs: int | None = None,
) -> Plan:
    """Make the plan of an audit from a preset and what the user wants otherwise.

    Args:
        data_digest: SHA-256 of the events.
        jitter_limits_s: largest level of each jitter that the data leave room for, see ``jitter_limits_s``.
        preset: name of a preset; the other arguments are as in ``Plan`` and override it.

    Raises:
        InputError: if a name is unknown or a number makes no sense.
    """
    check_options(preset, models, variants, normalise, dt_s)
    chosen = PRESETS[preset]
    seeds = chosen.seeds if seeds is None else seeds
    seed_list = tuple(range(seeds)) if isinstance(seeds, int) else tuple(int(s) for s in seeds)
    if not seed_list:
        raise InputError("there is no seed", remedy="give at least one seed")
    return Plan(
        data_digest=data_digest,
        preset=preset,
        models=tuple(m for m in MODELS if m in models),
        variants=tuple(v for v in VARIANTS if v in variants),
        seeds=seed_list,
        dt_s=dt_s,
        levels={
            name: tuple(x for x in levels if x <= jitter_limits_s.get(name, math.inf))
            for name, levels in chosen.levels.items()
        },
        tau_grid_s=chosen.tau_grid_s,
        delay_variants=chosen.delay_variants,
        normalise=normalise,
        seed=seed,
        epochs=epochs,
    )


def check_options(
    preset: str, models: Sequence[str], variants: Sequence[str], normalise: str, dt_s: float
) -> None:
    """Refuse unknown names and an impossible time step, before any data are made or read.

    Raises:
        InputError: naming the first of them and what there is to choose from.
    """
    _known("preset", [preset], tuple(PRESETS))
    _known("model", models, MODELS)
    _known("variant", variants, VARIANTS)
    _known("normalise", [normalise], ("train", "pooled"))
    dt_in_us(dt_s)


def jitter_limits_s(trains: SpikeTrains) -> dict[str, float]:
    """Return the largest level of each jitter that the samples leave room for, in seconds.

    Jitter clips spikes at the edges of a sample. Where it clips many, it does more than blur times: spikes
    pile up, and a model that reads counts alone is disturbed too. So no more than MOST_CLIPPED of the
    spikes may be clipped on average.

    Samples are shifted as a whole only inside their duration: a jitter of more than a quarter of the
    silence around a typical sample would be cut short, and its level would not say what was done.
    """
    unclipped_s = _unclipped_s(trains)
    filled = trains.spikes_per_sample > 0
    first = trains.times_us[trains.offsets[:-1][filled]]
    last = trains.times_us[trains.offsets[1:][filled] - 1]
    silence_us = float(np.median(trains.duration_us - (last - first))) if filled.any() else 0.0
    return {
        "jitter": unclipped_s,
        "jitter-unit": unclipped_s,
        "jitter-sample": silence_us / 4e6,
    }


def levels_left_out(plan: Plan) -> list[str]:
    """Return a sentence for each reason for which levels of the preset are not in the plan."""
    reasons = {
        "jitter": (
            "Jitter of single spikes and of whole units",
            f"it would push more than {100 * MOST_CLIPPED:g} % of the spikes to the samples' edges",
        ),
        "jitter-sample": ("Jitter of whole samples", "there is too little silence around them"),
    }
    notes = []
    for name, (what, reason) in reasons.items():
        left_out = [x for x in PRESETS[plan.preset].levels[name] if x not in plan.levels[name]]
        if left_out:
            listed = ", ".join(f"{1000 * x:g}" for x in left_out)
            notes.append(f"{what} by {listed} ms was not tested: {reason}.")
    return notes


def _unclipped_s(trains: SpikeTrains) -> float:
    """Return the jitter that clips MOST_CLIPPED of the spikes; 0 where any jitter clips more."""
    from scipy.optimize import brentq

    def excess(sigma_s: float) -> float:
        return perturb.clipped_share(trains, sigma_s) - MOST_CLIPPED

    least, most = 1e-6, trains.duration_s
    if excess(least) >= 0:
        return 0.0
    return float(brentq(excess, least, most)) if excess(most) > 0 else most  # most: there are no spikes


def _known(what: str, names: Sequence[str], known: tuple[str, ...]) -> None:
    if not names:
        raise InputError(f"no {what} is named", remedy=f"choose from {', '.join(known)}")
    for name in names:
        if name not in known:
            raise InputError(f"unknown {what} {name!r}", remedy=f"choose from {', '.join(known)}")
