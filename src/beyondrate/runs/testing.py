"""Test a trained network on samples that it has not seen, clean or perturbed, at any time step it can."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from beyondrate import datasets, perturb
from beyondrate.audit.outcomes import CLEAN, Test
from beyondrate.audit.plan import perturbation_seed
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.nn import Loss, SpikingGammaNet
from beyondrate.progress import Progress, silent
from beyondrate.recipes import GAMMA, LIF
from beyondrate.runs.folder import CHECKPOINT, read_results, row, write_results
from beyondrate.storage.atomic import check_folder
from beyondrate.training import load_checkpoint, predict
from beyondrate.training.loop import CrossEntropy

LOSSES: Mapping[str, Loss] = {
    "rate": CrossEntropy(),
    "lif": LIF.loss,
    "lif-delay": LIF.loss,
    "gamma": GAMMA.loss,
}


def test(
    run: str | Path,
    data: SpikeTrains | str | Path,
    *,
    perturbations: Mapping[str, float] | None = None,
    dt_s: float | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Test a network that ``train`` kept, and add the lines to its results.csv.

    Data that it was trained on are tested on their test part only; of other data every sample is taken.

    Args:
        run: the folder of the trained network.
        data: spike trains, the name of a data set, or a path: .h5, .npz, .csv, ...
        perturbations: level by name, such as {"jitter": 0.025}; each is tested alone. None: clean samples.
        dt_s: another time step in seconds, for gamma, whose weights serve any.
        seed: of the perturbations.
        progress: told how far a data set is that has to be made first.

    Returns:
        A line for each test, with its accuracy and 95 % interval.

    Raises:
        InputError: if the folder, the data or a perturbation cannot be used; the folder must be one that may
            be written to.
    """
    folder = Path(run)
    results = read_results(folder)
    check_folder(folder)
    network, facts = load_checkpoint(folder / CHECKPOINT)
    trains = data if isinstance(data, SpikeTrains) else datasets.load(data, progress)
    if trains.n_units != results["n_units"]:
        raise InputError(
            f"the data have {trains.n_units} units, the network {results['n_units']}",
            remedy="give data of the same units",
        )
    seen = trains.digest == facts["data"]
    split, samples = ("test", trains[np.array(results["test_samples"])]) if seen else ("other data", trains)
    settings = results["settings"]
    if dt_s is not None and dt_s != facts["dt_s"]:
        if not isinstance(network, SpikingGammaNet):
            raise InputError(
                f"{settings['model']} was trained at dt = {facts['dt_s']} s", remedy="leave the time step out"
            )
        network = network.at(dt_s)
    tests: list[Test] = [*perturbations.items()] if perturbations else [CLEAN]
    lines = []
    for name, level in tests:
        rng = np.random.default_rng(perturbation_seed("given", name, level, seed))
        heard = samples
        if (name, level) != CLEAN:
            heard = perturb.apply(samples, name, level, rng, rounding="stochastic")
        scores = predict(network, heard, dt_s=dt_s or facts["dt_s"], loss=LOSSES[settings["model"]])
        line = row(
            settings["model"],
            settings["control"],
            (name, level),
            settings["seed"],
            split,
            scores.argmax(axis=1),
            samples.labels,
        )
        lines.append({**line, "dt_s": dt_s or facts["dt_s"], "data": trains.digest})
    write_results(folder, {**results, "rows": [*results["rows"], *lines]})
    return lines
