"""Choose the recipes of yu2025/best-norm: twelve tries for every net, judged on validation speakers only.

Ten tries change one thing each, the last two put together the two and the three changes that helped most.
Everything is kept in results/best-norm-tuning.json.

python benchmarks/tune_best_norm.py RUN     # RUN: the folder of best-norm's experiment, which has the data
"""

import argparse
import json
import platform
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import beyondrate as br
from beyondrate.audit.train_and_test import train_arm
from beyondrate.audit.variant_store import VariantData, VariantStore
from beyondrate.nn import EveryStep, MeanMembrane, MeanSoftmax
from beyondrate.recipes import GAMMA, LIF, Recipe, gamma_arm, spiking_arm
from beyondrate.variants.redraw import redraw

SEED = 100  # none of the figure's
HELD_OUT = (1, 7)  # training speakers that join the validation speaker here, for 447 samples instead of 150
EPOCHS = 20  # half of the figure's: the schedule of the learning rate shrinks with it
RESULT = Path(__file__).parent / "results" / "best-norm-tuning.json"
LOSSES = {"membrane": MeanMembrane(), "softmax": MeanSoftmax(), "every step": EveryStep()}

Change = Mapping[str, Any]

LIF_START: Change = {"hidden": (256, 256), "tau_syn_s": 0.01, "learning_rate": 2e-2, "loss": "membrane"}
MIXED: Change = {**LIF_START, "tau_per_unit": True, "tau_s": 0.003**0.5, "tau_spread": 30**0.5}
ONE: Change = {**LIF_START, "tau_s": 0.1}
LIF_CHANGES: list[Change] = [
    {},
    {"learning_rate": 1e-2},
    {"learning_rate": 4e-2},
    {"tau_syn_s": None},
    {"tau_syn_s": 0.03},
    {"loss": "softmax"},
    {"slope": 10.0},
    {"hidden": (320, 320)},
]
MIXED_CHANGES: list[Change] = [
    *LIF_CHANGES,
    {"tau_s": 0.03, "tau_spread": 10**0.5},  # 10 to 100 ms
    {"tau_s": 0.02**0.5, "tau_spread": 50**0.5},  # 20 ms to 1 s
]
GAMMA_START: Change = {"learning_rate": 1e-2, "loss": "every step"}
GAMMA_CHANGES: list[Change] = [
    {},
    {"learning_rate": 5e-3},
    {"learning_rate": 2e-2},
    {"memory_s": 0.04},
    {"dropout": 0.4},
    {"input_gain": 5.0},
    {"hidden": (256, 256)},
    {"theta0": 0.05},
    {"memory_s": 0.012},
    {"loss": "softmax"},
]
# (model, control): what its tries begin from, and what each changes
NETS: dict[tuple[str, str], tuple[Change, list[Change]]] = {
    ("lif-one-tau", "none"): (ONE, [*LIF_CHANGES, {"tau_s": 0.03}, {"tau_s": 0.3}]),
    ("lif-mixed", "none"): (MIXED, MIXED_CHANGES),
    ("lif-mixed", "frozen"): (MIXED, MIXED_CHANGES),
    ("lif-mixed", "learned"): (MIXED, MIXED_CHANGES),
    ("gamma", "spatial"): (GAMMA_START, GAMMA_CHANGES),
    ("gamma", "gated"): (GAMMA_START, GAMMA_CHANGES),
}
store_of = lru_cache(maxsize=1)(VariantStore)


def recipe_of(model: str, values: Change) -> Recipe:
    base = GAMMA if model.startswith("gamma") else LIF
    of_training = ("learning_rate", "loss", "tau_s")
    network = {name: value for name, value in values.items() if name not in of_training}
    settings = replace(base.settings, epochs=EPOCHS, patience=EPOCHS, learning_rate=values["learning_rate"])
    return replace(base.with_network(**network), settings=settings, loss=LOSSES[values["loss"]], redraw=True)


def held_out(data: VariantData) -> VariantData:
    """Take two speakers from the training samples into the validation samples."""
    train = data.indices["train"]
    taken = np.isin(data.trains.groups[train], HELD_OUT)
    validation = np.concatenate([data.indices["validation"], train[taken]])
    return VariantData(data.trains, {"train": train[~taken], "validation": validation})


def attempt(data: Path, net: tuple[str, str], change: Change) -> dict[str, Any]:
    """Train one try on norm drawn anew and return its accuracy on the validation speakers."""
    torch.set_num_threads(1)
    model, control = net
    norm, part = (held_out(store_of(data).read(name)) for name in ("norm", "part"))
    values = {**NETS[net][0], **change}
    recipe = recipe_of(model, values)
    if model.startswith("gamma"):
        arm = gamma_arm(recipe, control, norm.train, dt_s=0.01, seed=SEED)
    else:
        arm = spiking_arm(recipe, control, norm.train, dt_s=0.01, tau_s=values["tau_s"], seed=SEED)
    training = train_arm(
        arm,
        norm.train,
        norm.validation,
        SEED,
        lambda *_: None,
        lambda rng: redraw(norm.train, part.train, rng),
    )
    return {
        "model": model,
        "control": control,
        "change": dict(change),
        "validation_accuracy": training["validation_accuracy"],
        "parameters": training["parameters"],
        "spikes_per_unit": training["spikes_per_unit"],
        "seconds": training["seconds"],
    }


def together(tried: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Return the two and the three changes that helped most, put together; of one setting the best value."""
    ranked = sorted(tried, key=lambda line: -line["validation_accuracy"])
    chosen: list[Change] = []
    for line in ranked:
        if line["change"] and not any(set(line["change"]) & set(other) for other in chosen):
            chosen.append(line["change"])
    return [{name: value for change in chosen[:n] for name, value in change.items()} for n in (2, 3)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of best-norm's experiment")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--lines", type=Path, default=Path("best-norm-tuning.jsonl"), help="kept as it goes")
    options = parser.parse_args()
    kept = options.lines.read_text().splitlines() if options.lines.exists() else []
    done = [json.loads(line) for line in kept]

    def tries(net: tuple[str, str]) -> list[dict[str, Any]]:
        return [line for line in done if (line["model"], line["control"]) == net]

    def carry_out(pool: ProcessPoolExecutor, wanted: list[tuple[tuple[str, str], Change]]) -> None:
        new = [
            (net, change)
            for net, change in wanted
            if json.loads(json.dumps(change)) not in [line["change"] for line in tries(net)]
        ]
        work = partial(attempt, options.run / "data")
        for line in pool.map(work, *zip(*new, strict=True)) if new else ():
            plain = json.loads(json.dumps(line))
            done.append(plain)
            with options.lines.open("a") as file:
                file.write(json.dumps(plain) + "\n")
            print(line["model"], line["control"], line["change"], line["validation_accuracy"], flush=True)

    with ProcessPoolExecutor(options.workers) as pool:
        carry_out(pool, [(net, change) for net, (_, changes) in NETS.items() for change in changes])
        carry_out(pool, [(net, change) for net in NETS for change in together(tries(net)[:10])])

    RESULT.write_text(
        json.dumps(
            {
                "what": "tries for the recipes of best-norm, on validation speakers",
                "seed": SEED,
                "held_out": list(HELD_OUT),
                "epochs": EPOCHS,
                "starts": {" ".join(net): start for net, (start, _) in NETS.items()},
                "tries": done,
                "machine": platform.machine(),
                "versions": {"beyondrate": br.__version__, "torch": torch.__version__},
            },
            indent=1,
        )
        + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
