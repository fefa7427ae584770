"""The figures of the synthetic tasks: samples, the class boundary, and accuracy as timing is destroyed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from scipy import stats

from beyondrate import tasks
from beyondrate.audit.metrics import Interval
from beyondrate.audit.outcomes import Arm, Outcomes
from beyondrate.reproduce.claims import percent, with_interval
from beyondrate.reproduce.experiment import Figure, Plan
from beyondrate.reproduce.figure import Claim, Comparison, Holds, Panel, Published, Reproduction, Series
from beyondrate.reproduce.series import accuracy_series
from beyondrate.reproduce.yu2025 import published, task_experiment
from beyondrate.reproduce.yu2025.observers import OBSERVERS
from beyondrate.reproduce.yu2025.task_experiment import TaskJob, jobs, variant
from beyondrate.reproduce.yu2025.task_nets import Size, held_out_set
from beyondrate.tasks.raster import rasters

NAMES = {
    "none": "spiking net",
    "frozen": "spiking net, frozen delays",
    "learned": "spiking net, learned delays",
    "count": "MLP on counts",
    "ISI": "MLP on each unit's intervals",
    "zero-lag": "MLP on coincidences",
}
FEW_SPIKES = (
    "How many spikes of a train are replaced is rounded down, as the paper prints it: with few spikes a unit "
    "accuracy falls in steps."
)


@dataclass(frozen=True)
class TaskFigure:
    """What a task's figure shows.

    Args:
        task: of TASK_NETS.
        title: of the figure.
        x_label: what the levels are.
        models: networks and observers that are trained on clean samples.
        retrained: those that are trained at each level too.
        published: by level, what the paper prints of the network without delays.
        ceilings: named accuracies of ideal observers.
    """

    task: str
    title: str
    x_label: str
    models: Sequence[str]
    retrained: Sequence[str]
    published: Mapping[float, Published] = field(default_factory=dict)
    ceilings: Mapping[str, float] = field(default_factory=dict)


ISI = TaskFigure(
    "isi",
    "Fig. 1: inter-spike intervals",
    "share of spikes replaced",
    models=("none", "count"),
    retrained=("none",),
    published={0.0: published.ISI_CLEAN, 1.0: published.ISI_REPLACED},
    ceilings={"best rule on counts alone": tasks.isi.ceilings()["rate"]},
)
COINCIDENCE = TaskFigure(
    "coincidence",
    "Fig. 2: coincidences",
    "λ",
    models=("none", "count"),
    retrained=("none",),
    published={0.0: published.COINCIDENCE_CLEAN, 1.0: published.COINCIDENCE_MIXED},
    ceilings={"chance": 1 / 3},
)
POLYCHRONY = TaskFigure(
    "polychrony",
    "Polychrony (v3): patterns of lags across units",
    "share of spikes replaced",
    models=("none", "frozen", "learned", *OBSERVERS),
    retrained=(),
)
TEMPORAL_ORDER = TaskFigure(
    "temporal-order",
    "Temporal order (ours): which unit fires first",
    "share of spikes replaced",
    models=("none", "frozen", "learned", *OBSERVERS),
    retrained=(),
)


def stages(of: TaskFigure, plan: Plan) -> list[list[TaskJob]]:
    """Return the trainings that a figure needs."""
    return [jobs(plan, of.task, of.models, of.retrained)]


def draw(of: TaskFigure, name: str, folder: Path, plan: Plan) -> Reproduction:
    """Read the trained networks' answers and make the figure."""
    outcomes = task_experiment.outcomes(folder, stages(of, plan)[0])
    n_seeds = len(plan["seeds"][of.task])
    few = " Fewer than five seeds are a look, not a result: --preset paper has more." if n_seeds < 5 else ""
    return Reproduction(
        figure=name,
        title=of.title,
        panels=[*_samples(of.task), _accuracy(of, outcomes, plan)],
        comparisons=[
            Comparison(number, outcomes.accuracy(_net(of.task, level)), same_data=True, note="our generator")
            for level, number in of.published.items()
        ],
        claims=_CLAIMS[of.task](of, outcomes, plan),
        rows=outcomes.row_dicts(),
        notes=[
            f"{n_seeds} seeds, each with its own training samples; all are tested on the same.{few}",
            "Zero-shot networks are trained on clean samples; retrained ones at the level of the test.",
            *([FEW_SPIKES] if of.task in ("polychrony", "temporal-order") else []),
        ],
    )


def _net(task: str, level: float, control: str = "zero-shot", model: str = "none") -> Arm:
    return Arm(variant(task, level), model, control)


def _samples(task: str) -> list[Panel]:
    """Return a raster of each class, and of the ISI task where the classes lie."""
    trains = held_out_set(task, 0.0, size=Size(0, 0, 200, 0))
    shown = [
        Panel(
            title=raster.title,
            kind="raster",
            x_label="time (ms)",
            y_label="unit",
            series=[Series(raster.title, raster.times_ms.tolist(), raster.units.tolist())],
            extent=(0.0, trains.duration_us / 1000, 0.0, float(trains.n_units)),
        )
        for raster in rasters(trains)[:3]
    ]
    if task != "isi":
        return shown
    pairs, interval_ms, label = tasks.isi.class_map()
    extent = (interval_ms[0] - 0.5, interval_ms[-1] + 0.5, pairs[0] - 0.5, pairs[-1] + 0.5)
    boundary = Panel(
        title="class by rate and interval",
        kind="map",
        x_label="interval (ms)",
        y_label="pairs a unit",
        grid=label.tolist(),
        extent=tuple(float(edge) for edge in extent),  # type: ignore[arg-type]
    )
    return [boundary, *shown]


def _accuracy(of: TaskFigure, outcomes: Outcomes, plan: Plan) -> Panel:
    series = []
    for model in of.models:
        levels = [x for x in plan["levels"] if _net(of.task, x, model=model) in outcomes.by_arm]
        points = [(_net(of.task, x, model=model), ("none", 0.0)) for x in levels]
        series.append(accuracy_series(outcomes, NAMES[model], points, levels))
    for model in of.retrained:
        points = [(_net(of.task, x, "retrained", model), ("none", 0.0)) for x in plan["retrained"]]
        series.append(accuracy_series(outcomes, f"{NAMES[model]}, retrained", points, plan["retrained"]))
    return Panel(
        title="accuracy",
        kind="lines",
        x_label=of.x_label,
        y_label="test accuracy",
        series=series,
        references={"chance": outcomes.chance(variant(of.task, 0.0)), **of.ceilings},
    )


def _isi_claims(of: TaskFigure, outcomes: Outcomes, plan: Plan) -> list[Claim]:
    clean, gone = outcomes.accuracy(_net("isi", 0.0)), outcomes.accuracy(_net("isi", 1.0))
    again = outcomes.accuracy(_net("isi", 1.0, "retrained"))
    ceiling = tasks.isi.ceilings()["rate"]
    n = outcomes.labels[variant("isi", 1.0)].size
    by_chance = float(stats.binom.ppf(0.999, n, ceiling)) / n
    return [
        _claim("Clean, the net reaches 95 %.", f"{published.V1}, Fig. 1c", clean, clean.estimate >= 0.95),
        _claim(
            "With every spike replaced it falls to between 70 and 80 %.",
            f"{published.V1}, Fig. 1c",
            gone,
            0.70 <= gone.estimate <= 0.80,
        ),
        Claim(
            "A rule on counts alone is right in 75 % (enumerated).",
            published.OURS,
            "holds" if ceiling == 0.75 else "does not hold",
            percent(ceiling),
        ),
        _claim(
            f"Retrained on replaced spikes it exceeds that by no more than chance ({percent(by_chance)}).",
            published.OURS,
            again,
            again.estimate <= by_chance,
        ),
    ]


def _coincidence_claims(of: TaskFigure, outcomes: Outcomes, plan: Plan) -> list[Claim]:
    source = f"{published.V1}, Fig. 2c"
    seeds = outcomes.correct(_net("coincidence", 0.0)).mean(axis=1)
    mixed = outcomes.accuracy(_net("coincidence", 1.0))
    counts = outcomes.accuracy(Arm(variant("coincidence", 0.0), "count", "zero-shot"))
    steps = [outcomes.accuracy(_net("coincidence", x)) for x in plan["levels"]]
    rises = [x for x, a, b in zip(plan["levels"][1:], steps, steps[1:], strict=False) if b.low > a.high]
    return [
        Claim(
            "At λ = 0 every seed is right in 99.5 % or more.",
            source,
            _holds(bool(seeds.min() >= 0.995)),
            f"worst of {len(seeds)} seeds {percent(float(seeds.min()))}",
        ),
        _claim("At λ = 1 it is at chance (33 % ± 3).", source, mixed, abs(mixed.estimate - 1 / 3) <= 0.03),
        Claim(
            "Accuracy falls with λ and never rises, within error.",
            source,
            _holds(not rises),
            "no rise" if not rises else f"rises at λ = {', '.join(map(str, rises))}",
        ),
        _claim(
            "Counts alone tell nothing.", published.OURS, counts, counts.low <= 1 / 3 and counts.high <= 0.38
        ),
    ]


def _pattern_claims(of: TaskFigure, outcomes: Outcomes, plan: Plan) -> list[Claim]:
    source = published.V3 if of.task == "polychrony" else published.OURS
    chance = outcomes.chance(variant(of.task, 0.0))
    claims = []
    for model in of.models:
        accuracy = outcomes.accuracy(_net(of.task, 0.0, model=model))
        if model in OBSERVERS:
            at_chance = accuracy.low <= chance and accuracy.high <= chance + 0.05
            claims.append(_claim(f"{NAMES[model]}: at chance.", published.OURS, accuracy, at_chance))
        elif model != "none":
            claims.append(
                _claim(f"{NAMES[model]}: 95 % or more.", source, accuracy, accuracy.estimate >= 0.95)
            )
        else:
            claims.append(
                _claim(f"{NAMES[model]}: above chance.", published.OURS, accuracy, accuracy.low > chance)
            )
    return claims


def _claim(sentence: str, source: str, measured: Interval, holds: bool) -> Claim:
    return Claim(sentence, source, _holds(holds), with_interval(measured))


def _holds(condition: bool) -> Holds:
    return "holds" if condition else "does not hold"


_CLAIMS = {
    "isi": _isi_claims,
    "coincidence": _coincidence_claims,
    "polychrony": _pattern_claims,
    "temporal-order": _pattern_claims,
}


def _figure(name: str, shows: str, of: TaskFigure) -> Figure:
    return Figure(name, shows, task_experiment.EXPERIMENT, partial(stages, of), partial(draw, of, name))


FIGURES = (
    _figure("yu2025/fig1c", "ISI task: accuracy as spikes are replaced", ISI),
    _figure("yu2025/fig2c", "coincidence task: accuracy as groups are mixed", COINCIDENCE),
    _figure(
        "yu2025/polychrony", "v3: patterns of lags that counts, ISIs and coincidences do not tell", POLYCHRONY
    ),
    _figure("yu2025/temporal-order", "ours: which unit fires first", TEMPORAL_ORDER),
)
