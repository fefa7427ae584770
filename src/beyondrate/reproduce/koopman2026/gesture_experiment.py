"""The experiment on event cameras: convolutional nets on clips of one length, with fewer pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from beyondrate.audit.outcomes import CLEAN, Arm, Test
from beyondrate.audit.prepare import variant_facts
from beyondrate.audit.train_and_test import keep_network, train_arm
from beyondrate.audit.variant_store import VariantData, VariantStore
from beyondrate.datasets.camera import clips, pooled
from beyondrate.datasets.split import make_split
from beyondrate.events import SpikeTrains
from beyondrate.jobs import Tell, read_json, read_result
from beyondrate.nn import Conv, ConvSpikingNet, EveryStep, MeanMembrane, SpikeRows, SpikingGammaNet
from beyondrate.recipes import INITIALISATION_SAMPLES, NetworkArm, rate_arm
from beyondrate.reproduce import speech_data
from beyondrate.reproduce.experiment import Experiment, Plan, Request
from beyondrate.reproduce.koopman2026.costs import Measured, spent
from beyondrate.reproduce.speech_data import data_of, variant_of
from beyondrate.training import TrainingSettings, predict

SEEDS = {"quick": 1, "paper": 5}
EPOCHS = {"quick": 5, "paper": 20}
DT_S = 0.01
CLIP_S = 1.5  # recordings that are longer are cut into clips of this length
SIDE = 32  # pixels are merged until no side has more
HIDDEN = (Conv(8, 5, 2), Conv(16, 3, 2))
MEMORY_S = 0.024
DATA = "whole"  # the name in the store of what nets see


@dataclass(frozen=True)
class GestureArm:
    """One kind of network.

    Args:
        shown: its name in a figure.
        model: "rate" (MLP on counts), "lif" (convolutional LIF, BPTT) or "gamma" (convolutional).
        network: arguments of the network.
        taus_s: of LIF, where the membranes' time constants begin; validation chooses among them.
    """

    shown: str
    model: Literal["rate", "lif", "gamma"]
    network: Mapping[str, Any] = field(default_factory=dict)
    taus_s: Sequence[float] = (0.1,)


ARMS: Mapping[str, GestureArm] = {
    "rate": GestureArm("MLP on counts", "rate"),
    "lif": GestureArm("LIF, τ tuned", "lif", taus_s=(0.03, 0.1)),
    "gated": GestureArm("SpikingGamma, gated", "gamma", {"rule": "gated"}),
    "spatial": GestureArm("SpikingGamma, spatial", "gamma", {"rule": "spatial"}),
    "sparse": GestureArm("gated, θ0 = 0.3, mf = 0.1", "gamma", {"rule": "gated", "theta0": 0.3, "mf": 0.1}),
}


@dataclass(frozen=True)
class GestureJob:
    """One training and its tests.

    Args:
        arm: of ARMS.
        seed: of the training.
        variant: what the nets see of the data.
    """

    arm: str
    seed: int
    variant: str = DATA

    @property
    def key(self) -> str:
        """The job's name, also of the file that keeps its result."""
        return f"{self.arm}_{self.seed}"


def make_plan(request: Request) -> Plan:
    """Return everything that decides the experiment's results."""
    preset, data = request.preset, data_of(request)
    return {
        "preset": preset,
        "data": data.name,
        "data_digest": data.trains.digest,
        "seeds": list(range(SEEDS[preset]) if request.seeds is None else request.seeds),
        "epochs": EPOCHS[preset],
        "dt_s": DT_S,
        "clip_s": CLIP_S,
        "side": SIDE,
        "hidden": [list(layer) for layer in HIDDEN],
        "memory_s": MEMORY_S,
        "arms": {name: asdict(arm) for name, arm in ARMS.items()},
    }


def prepare(folder: Path, plan: Plan, request: Request) -> None:
    """Divide the recordings, merge pixels and cut clips, which stay on their recording's side."""
    store = VariantStore(folder / "data")
    if store.has(DATA) or request.data is None:
        return
    trains = seen(request.data.trains)
    split = make_split(trains, seed=speech_data.SPLIT_SEED)
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    facts = {**variant_facts(trains, parts), "split": split.protocol, "shape": trains.meta["shape"]}
    store.write(DATA, VariantData(trains, parts), {**facts, "accuracy": trains.meta.get("accuracy", "")})


def seen(trains: SpikeTrains) -> SpikeTrains:
    """Return recordings as nets see them: at most ``SIDE`` pixels along a side, at most ``CLIP_S`` long.

    Raises:
        InputError: if they are not of an event camera.

    Example:
        >>> import beyondrate as br
        >>> trains = SpikeTrains.from_samples([([0, 4_000_000], [0, 1])], labels=[0], n_units=2 * 34 * 34,
        ...                                   duration_us=5_000_000, meta={"shape": [2, 34, 34]})
        >>> made = seen(trains)
        >>> made.meta["shape"], len(made), made.duration_s
        ([2, 17, 17], 2, 1.5)
    """
    made = pooled(trains, 1)  # refuses what is of no camera
    side = max(made.meta["shape"][1:])
    made = pooled(made, -(-side // SIDE))
    return clips(made, CLIP_S) if made.duration_s > CLIP_S else made


def jobs(plan: Plan) -> list[GestureJob]:
    """Return the trainings of every arm with every seed."""
    return [GestureJob(arm, seed) for seed in plan["seeds"] for arm in ARMS]


def run_job(folder: Path, values: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Train a network; return the classes that it gives to the test samples and what it spends on them."""
    job, plan = GestureJob(**values), read_json(folder / "plan.json")
    data = variant_of(folder, DATA)
    ready, training = _trained(ARMS[job.arm], plan["epochs"], data, job.seed, tell)
    keep_network(ready, folder, job.key, plan["data_digest"])
    classes = predict(ready.network, data.test, dt_s=ready.dt_s, loss=ready.loss).argmax(axis=1)
    cost = spent(ready.network, data.test, ready.dt_s)
    name, level = CLEAN
    tested = {"perturbation": name, "level": level, "classes": classes.tolist(), "spent": cost}
    return {"training": training, "tests": [tested]}


def _trained(
    arm: GestureArm, epochs: int, data: VariantData, seed: int, tell: Tell
) -> tuple[NetworkArm, dict[str, Any]]:
    """Train an arm once for each of its choices; return the best on validation, and the course of it."""
    candidates = []
    for ready in build(arm, data.train, seed=seed):
        if arm.model != "rate":
            ready = replace(ready, settings=replace(ready.settings, epochs=epochs, patience=epochs))
        candidates.append((ready, train_arm(ready, data.train, data.validation, seed, tell)))
    return max(candidates, key=lambda candidate: candidate[1]["validation_accuracy"])


def build(arm: GestureArm, train: SpikeTrains, *, seed: int) -> list[NetworkArm]:
    """Build an arm's network once for each choice; with one seed all begin with the same weights."""
    if arm.model == "rate":
        return [rate_arm(train, seed=seed)]
    if arm.model == "gamma":
        options = {"memory_s": MEMORY_S, "dropout": 0.2, **arm.network}
        net = SpikingGammaNet(**_layers(train), **options, generator=torch.Generator().manual_seed(seed))
        return [NetworkArm(net, DT_S, EveryStep(), _settings(5e-3))]
    made = []
    for tau_s in arm.taus_s:
        generator = torch.Generator().manual_seed(seed)
        lif = ConvSpikingNet(**_layers(train), tau_s=tau_s, generator=generator)
        chosen = np.random.default_rng(seed).permutation(len(train))[:INITIALISATION_SAMPLES]
        lif.initialise_from_data(SpikeRows.from_binned(train.binned(DT_S, chosen)))
        made.append(NetworkArm(lif, DT_S, MeanMembrane(), _settings(1e-2)))
    return made


def _layers(train: SpikeTrains) -> dict[str, Any]:
    channels, rows, columns = train.meta["shape"]
    return {
        "n_units": train.n_units,
        "n_classes": train.n_classes,
        "hidden": HIDDEN,
        "input_shape": (channels, rows, columns),
        "dt_s": DT_S,
    }


def _settings(rate: float) -> TrainingSettings:
    return TrainingSettings(batch_size=32, learning_rate=rate)


def measured(folder: Path, done: Sequence[GestureJob]) -> Measured:
    """Read what finished jobs answered and spent."""
    outcomes = speech_data.outcomes(folder, done, lambda job: Arm(DATA, job.arm))
    cost: dict[tuple[Arm, Test], list[Mapping[str, float]]] = {}
    for job in done:
        cost.setdefault((Arm(DATA, job.arm), CLEAN), []).append(read_result(folder, job)["tests"][0]["spent"])
    return Measured(outcomes, cost)


EXPERIMENT = Experiment(
    name="gesture",
    work="beyondrate.reproduce.koopman2026.gesture_experiment:run_job",
    plan=make_plan,
    prepare=prepare,
    takes_data=True,
    data=("dvs-gesture",),
)
