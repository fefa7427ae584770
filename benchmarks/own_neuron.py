"""Time the neuron of docs/own-neuron.md in plain torch and fused, beside this package's LIF units.

python benchmarks/own_neuron.py    # half a minute; kept in results/own-neuron.json, prints the page's rows
"""

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from beyondrate.bench.machine import record
from beyondrate.jobs import write_json
from beyondrate.ops.lif import LIFParams, lif
from beyondrate.ops.memory import reuse_freed_memory

PAGE = Path(__file__).parents[1] / "docs" / "own-neuron.md"
RESULT = Path(__file__).parent / "results" / "own-neuron.json"
BATCH, STEPS, UNITS, ROUNDS = 128, 100, 128, 25
ROWS = {
    "adaptive LIF, as above": ("adaptive, plain", "adaptive, fused"),
    'LIF of this package (`backend="reference"` and `"cpu"`)': ("LIF, plain", "LIF, fused"),
}


def functions_of_page(folder: Path) -> dict[str, Any]:
    """Return what the page's code defines; its kernels are compiled from a file in the folder."""
    code = "\n\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL))
    file = folder / "own_neuron_page.py"
    file.write_text(code, encoding="utf-8")
    defined: dict[str, Any] = {"__name__": "own_neuron_page", "__file__": str(file)}
    exec(compile(code, str(file), "exec"), defined)
    return defined


def rows(median_ms: dict[str, float]) -> list[str]:
    """Return the rows of the page's table."""
    return [f"| {name} | {median_ms[a]:.2g} ms | {median_ms[b]:.2g} ms |" for name, (a, b) in ROWS.items()]


def main() -> None:
    torch.set_num_threads(1)
    reuse_freed_memory()
    x, weight = torch.rand(BATCH, STEPS, UNITS), torch.rand(BATCH, STEPS, UNITS)
    given = [torch.rand(UNITS) for _ in range(3)]

    def both_ways(neuron: Callable[..., Tensor], inputs: list[Tensor]) -> None:
        leaves = [tensor.clone().requires_grad_() for tensor in inputs]
        torch.autograd.grad((neuron(*leaves) * weight).sum(), leaves)

    with tempfile.TemporaryDirectory() as folder:
        page = functions_of_page(Path(folder))
        ways: dict[str, Callable[[], None]] = {
            "adaptive, plain": lambda: both_ways(page["adaptive_lif"], [x, *given]),
            "adaptive, fused": lambda: both_ways(page["fused_adaptive_lif"], [x, *given]),
            "LIF, plain": lambda: both_ways(
                lambda current, decay: lif(current, LIFParams(decay), backend="reference")[0], [x, given[0]]
            ),
            "LIF, fused": lambda: both_ways(
                lambda current, decay: lif(current, LIFParams(decay), backend="cpu")[0], [x, given[0]]
            ),
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS + 2):
            for name, way in ways.items():
                started = time.process_time()
                way()
                took[name].append(1000 * (time.process_time() - started))
    median_ms = {name: float(np.median(values[2:])) for name, values in took.items()}
    write_json(RESULT, {"median_cpu_ms": median_ms, "rounds": ROUNDS, "record": record()})
    print("\n".join(rows(median_ms)))


if __name__ == "__main__":
    main()
