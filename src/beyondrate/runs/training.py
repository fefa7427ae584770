"""Train a model of a name on data, keep the network, and say how it was obtained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast, get_args

from beyondrate import datasets
from beyondrate.audit.outcomes import CLEAN
from beyondrate.audit.run import versions
from beyondrate.datasets.split import make_split
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, dt_in_us
from beyondrate.nn import EveryStep
from beyondrate.nn.lif_traces import LIF_RULES, LIFRule
from beyondrate.nn.spiking_gamma import ONLINE_RULES, RULES, Rule
from beyondrate.progress import Progress, silent
from beyondrate.recipes import DEFAULT_TAU_S, GAMMA, LIF, NetworkArm, gamma_arm, rate_arm, spiking_arm
from beyondrate.runs.folder import CHECKPOINT, check_new, row, write_results
from beyondrate.training import FitResult, fit, predict, save_checkpoint

Model = Literal["rate", "lif", "lif-delay", "gamma"]
MODELS: tuple[str, ...] = get_args(Model)
Delays = Literal["learned", "frozen"]
DELAYS: tuple[str, ...] = get_args(Delays)
BPTT = "bptt"
RULES_OF: Mapping[str, tuple[str, ...]] = {"lif": (BPTT, *LIF_RULES), "gamma": RULES}
DEFAULT_RULES = {"lif": BPTT, "gamma": "gated"}
ONLINE = (*LIF_RULES, *ONLINE_RULES)
DT_S = 0.01
SPLIT_SEED = 0


def train(
    data: SpikeTrains | str | Path,
    *,
    out: str | Path,
    model: Model = "lif",
    delays: Delays | None = None,
    rule: str | None = None,
    update_every: int | None = None,
    dt_s: float | None = None,
    seed: int = 0,
    epochs: int | None = None,
    command: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train one network on data and keep it in a folder, with its accuracy on samples it has not seen.

    Args:
        data: spike trains with labels, the name of a data set, or a path: .h5, .npz, .csv, ...
        out: folder for the network, results.csv and results.json; new or empty.
        model: "rate" (counts), "lif", "lif-delay" or "gamma" (SpikingGamma).
        delays: of lif-delay: "learned" (default), or "frozen" as drawn.
        rule: how it learns: of gamma "gated" (default), "full", "spatial" or "eligibility", of lif "bptt"
            (default), "eprop" or "ottt".
        update_every: with a rule that needs no whole samples (spatial, eligibility, eprop, ottt): learn
            online, with an update after so many time steps. None: one update a batch of whole samples.
        dt_s: time step in seconds, default 0.01; "rate" has none.
        seed: of the weights, and of the order of the samples.
        epochs: most passes over the training samples; default: the model's.
        command: how it was started, for the record.
        progress: told after each epoch.

    Returns:
        What results.json holds.

    Raises:
        InputError: if the data or a setting cannot be used, or the model has no such setting; nothing was
            trained then.

    Example:
        >>> import beyondrate as br, tempfile
        >>> trains = br.tasks.coincidence.generate(60, seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     results = br.train(trains, out=folder, model="rate", epochs=1)
        >>> [row["split"] for row in results["rows"]]
        ['validation', 'test']
    """
    folder = Path(out)
    rule = DEFAULT_RULES.get(model) if rule is None else rule
    _check(model, delays, rule, update_every, dt_s)
    check_new(folder)
    dt_s = DT_S if dt_s is None else dt_s
    trains, name = _resolved(data, progress)
    split = make_split(trains, seed=SPLIT_SEED)
    arm = _arm(model, delays, rule, trains[split.train], dt_s, seed)
    if epochs is not None:
        arm = replace(arm, settings=replace(arm.settings, epochs=epochs))
    validation = trains[split.validation]
    course = fit(
        arm.network,
        trains[split.train],
        validation,
        dt_s=arm.dt_s,
        loss=arm.loss,
        settings=arm.settings,
        seed=seed,
        update_every=update_every,
        lif_rule=cast("LIFRule", rule) if rule in LIF_RULES else None,
        progress=progress,
    )
    folder.mkdir(parents=True, exist_ok=True)
    control = {"lif-delay": delays or DELAYS[0], "gamma": rule}.get(model) or "none"
    rows = []
    for part, samples in (("validation", validation), ("test", trains[split.test])):
        predicted = predict(arm.network, samples, dt_s=arm.dt_s, loss=arm.loss).argmax(axis=1)
        rows.append(row(model, control, CLEAN, seed, part, predicted, samples.labels))
    save_checkpoint(
        arm.network, folder / CHECKPOINT, facts={"dt_s": arm.dt_s, "data": trains.digest, "model": model}
    )
    results = {
        "kind": "training",
        "title": f"{model} on {name}",
        "command": command or f"br.train({name!r}, model={model!r})",
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round(course.seconds, 1),
        "versions": versions(),
        "hashes": {"data": trains.digest},
        "settings": {
            "model": model,
            "control": control,
            "dt_s": arm.dt_s,
            "seed": seed,
            "rule": rule,
            "update_every": update_every,
            "loss": repr(arm.loss),
            "training": repr(arm.settings),
            "parameters": sum(p.numel() for p in arm.network.parameters() if p.requires_grad),
        },
        "protocol": split.protocol,
        "test_samples": split.test.tolist(),
        "n_units": trains.n_units,
        "course": _course(course),
        "rows": rows,
    }
    write_results(folder, results)
    return results


def _check(
    model: str, delays: str | None, rule: str | None, update_every: int | None, dt_s: float | None
) -> None:
    for what, given, known in (("model", model, MODELS), ("delays", delays, (None, *DELAYS))):
        if given not in known:
            remedy = f"choose from {', '.join(filter(None, known))}"
            raise InputError(f"unknown {what} {given!r}", remedy=remedy)
    if delays is not None and model != "lif-delay":
        raise InputError(f"{model} has no delays", remedy="leave them out, or take the model lif-delay")
    if dt_s is not None and model == "rate":
        raise InputError(
            "rate has no time step: it reads the spike counts of whole samples",
            remedy="leave the time step out, or take another model",
        )
    if rule is not None and rule not in RULES_OF.get(model, ()):
        rules = "; ".join(f"{name}: {', '.join(known)}" for name, known in RULES_OF.items())
        raise InputError(f"{model} has no rule {rule!r}", remedy=f"choose from {rules}")
    if update_every is not None and rule not in ONLINE:
        raise InputError(
            f"{model} with the rule {rule} cannot learn online",
            remedy=f"take gamma with {' or '.join(ONLINE_RULES)}, or lif with {' or '.join(LIF_RULES)}",
        )
    if dt_s is not None:
        dt_in_us(dt_s)


def _resolved(data: SpikeTrains | str | Path, progress: Progress) -> tuple[SpikeTrains, str]:
    if isinstance(data, SpikeTrains):
        return data, str(data.meta.get("name", "events"))
    trains = datasets.load(data, progress)
    return trains, str(data) if str(data) in datasets.DATA_SETS else Path(data).stem


def _arm(
    model: str, delays: Delays | None, rule: str | None, training: SpikeTrains, dt_s: float, seed: int
) -> NetworkArm:
    if model == "rate":
        return rate_arm(training, seed=seed)
    if model == "gamma":
        return gamma_arm(GAMMA, cast("Rule", rule), training, dt_s=dt_s, seed=seed)
    control = delays or DELAYS[0] if model == "lif-delay" else "none"
    recipe = replace(LIF, loss=EveryStep()) if rule in LIF_RULES else LIF
    return spiking_arm(recipe, control, training, dt_s=dt_s, tau_s=DEFAULT_TAU_S, seed=seed)


def _course(course: FitResult) -> dict[str, Any]:
    return {
        "train_loss": course.train_loss,
        "validation_loss": course.validation_losses,
        "validation_accuracy": course.validation_accuracies,
        "best_epoch": course.best_epoch,
    }
