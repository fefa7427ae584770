"""The audit: prepare the variants, train and test every arm, and draw the verdict."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor

from beyondrate import datasets
from beyondrate.audit import collect
from beyondrate.audit.finding import CLAIM_LEVEL
from beyondrate.audit.folder import RunFolder
from beyondrate.audit.jobs import WORK
from beyondrate.audit.metrics import CONFIDENCE
from beyondrate.audit.own_model import audit_model
from beyondrate.audit.plan import (
    DEFAULT_MODELS,
    VARIANTS,
    Normalise,
    Plan,
    check_options,
    jitter_limits_s,
    levels_left_out,
    make_plan,
)
from beyondrate.audit.prepare import prepare
from beyondrate.audit.result import AuditResult
from beyondrate.datasets.split import Split, make_split
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.jobs import Pool, default_workers
from beyondrate.progress import Progress, silent
from beyondrate.storage.atomic import check_folder

Model = Callable[[Tensor], Any]


def audit(
    data: SpikeTrains | str | Path,
    *,
    models: Sequence[str] | Model | Mapping[str, Model] = DEFAULT_MODELS,
    preset: str = "quick",
    variants: Sequence[str] = VARIANTS,
    seeds: int | Sequence[int] | None = None,
    dt_s: float = 0.01,
    normalise: Normalise = "train",
    seed: int = 0,
    epochs: int | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    workers: int | None = None,
    command: str | None = None,
    progress: Progress = silent,
) -> AuditResult:
    """Say how much of what tells the classes is rate and how much timing, of which kind, how precise.

    Or, given a model that already exists, how its accuracy depends on the timing of its input.

    Args:
        data: spike trains with labels, the name of a data set, or the path of a file or folder of events.
        models: names of MODELS to train; or a callable from a (batch, time, unit) float32 tensor of counts to
            (batch, class) scores, or several by name: then nothing is trained, and ``data`` should hold
            samples that the model has not seen.
        preset: "quick" (minutes), "standard" (five seeds, delays on every variant) or "full" (ten).
        variants: which of whole, part and norm to audit.
        seeds: how many trainings of each arm, or which seeds; default: the preset's.
        dt_s: time step of the networks in seconds.
        normalise: "train" (norm's thresholds come from the training part only) or "pooled" (from all samples,
            as published).
        seed: of the split, the variants and the perturbations.
        epochs: most passes over the training samples; default: each model's own.
        out: folder of the run, with results and checkpoints; default: a temporary one.
        resume: go on with what the folder already holds.
        workers: processes side by side; default one a processor; 0 runs in this process.
        command: how the audit was started, for the record.
        progress: told how far it is.

    Returns:
        The tables and the verdict.

    Raises:
        InputError: if the data or a setting cannot be used; nothing was trained then.

    Example:
        >>> import beyondrate as br
        >>> result = br.audit("spoken-digits", preset="quick")  # doctest: +SKIP
        >>> print(result.verdict.headline)  # doctest: +SKIP
    """
    started = time.monotonic()
    own = _own_models(models)
    names = DEFAULT_MODELS if own or not isinstance(models, Sequence) else models
    check_options(preset, names, variants, normalise, dt_s)
    if out is not None:
        _refuse_folder(Path(out), resume=resume)
    trains, title = _resolve(data, progress)
    record = _record(title, command or f"br.audit({title!r}, preset={preset!r})")
    if own:
        result = audit_model(
            trains, own, preset=preset, dt_s=dt_s, seed=seed, record=record, progress=progress
        )
    else:
        plan = make_plan(
            trains.digest,
            jitter_limits_s(trains),
            preset=preset,
            models=names,
            variants=variants,
            seeds=seeds,
            dt_s=dt_s,
            normalise=normalise,
            seed=seed,
            epochs=epochs,
        )
        n_workers = default_workers() if workers is None else workers
        with tempfile.TemporaryDirectory(prefix="beyondrate-") as scratch:
            folder = RunFolder(Path(scratch if out is None else out))
            result = _carry_out(plan, trains, folder, n_workers, record, started, progress)
    if out is not None:
        result.save(out)
    return result


def _carry_out(
    plan: Plan,
    trains: SpikeTrains,
    folder: RunFolder,
    n_workers: int,
    record: dict[str, Any],
    started: float,
    progress: Progress,
) -> AuditResult:
    """Follow a plan from the split to the verdict, keeping every finished piece in the folder."""
    split = make_split(trains, seed=plan.seed)
    _begin(folder, plan)
    _prepare_variants(folder, trains, split, plan)
    with Pool(folder.path, WORK, n_workers) as pool:
        pool.run([folder.plan.tuning_jobs(), folder.plan.jobs()], progress)
    seconds = round(time.monotonic() - started, 1)
    record = {**record, "protocol": _protocol(plan, split), "seconds": seconds}
    return collect.collect(folder, trains, split, record)


def _resolve(data: SpikeTrains | str | Path, progress: Progress) -> tuple[SpikeTrains, str]:
    if isinstance(data, SpikeTrains):
        return data, str(data.meta.get("name", "events"))
    trains = datasets.load(data, progress)
    return trains, Path(data).stem if str(data) not in datasets.DATA_SETS else str(data)


def _own_models(models: Sequence[str] | Model | Mapping[str, Model]) -> dict[str, Model]:
    if isinstance(models, Mapping):
        return dict(models)
    if callable(models):
        return {type(models).__name__ if not hasattr(models, "__name__") else str(models.__name__): models}
    return {}


def _refuse_folder(path: Path, *, resume: bool) -> None:
    """Refuse, before any work, a folder that cannot take the run or holds something else."""
    if RunFolder(path).holds_plan():
        if not resume:
            raise InputError(
                "already holds a run", remedy="go on with --resume, or give another folder", file=path
            )
    elif path.is_dir() and any(path.iterdir()):
        raise InputError("is not an empty folder", remedy="give a new folder for the run", file=path)
    check_folder(path)


def _begin(folder: RunFolder, plan: Plan) -> None:
    """Keep the plan, or see that the run that is gone on with follows the same one."""
    if not folder.holds_plan():
        folder.write_plan(plan)
        return
    before, now = folder.asked_for.as_json(), plan.as_json()
    differing = [name for name in now if before.get(name) != now[name]]
    if differing:
        raise InputError(
            f"holds a run with another {' and '.join(differing)}",
            remedy="give the same data and options, or another folder",
            file=folder.path,
        )


def _prepare_variants(folder: RunFolder, trains: SpikeTrains, split: Split, plan: Plan) -> None:
    """Make the variants; one that the data cannot give is left out, and the verdict says so."""
    for name in plan.variants:
        if folder.variants.has(name):
            continue
        try:
            data, facts = prepare(trains, split, name, normalise=plan.normalise, seed=plan.seed)
        except InputError as error:
            if name == plan.variants[0]:
                raise
            folder.variants.leave_out(name, error.problem)
        else:
            folder.variants.write(name, data, facts)


def _record(title: str, command: str) -> dict[str, Any]:
    """Return what lets a reader run it again and compare."""
    return {
        "kind": "audit",
        "title": title,
        "command": command,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions that a result depends on, and the kind of machine."""
    return {
        **{name: version(name) for name in ("beyondrate", "torch", "numpy", "numba", "scipy")},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}, {default_workers()} processors",
    }


def _protocol(plan: Plan, split: Split) -> dict[str, Any]:
    return {
        "preset": plan.preset,
        "split": split.protocol,
        "seeds": list(plan.seeds),
        "dt_s": plan.dt_s,
        "variant_split": plan.normalise,
        "models": list(plan.models),
        "confidence": CONFIDENCE,
        "claim_level": CLAIM_LEVEL,
        "notes": levels_left_out(plan),
    }
