"""Stream a SpikingGamma network through a million time steps; keep its memory and time a step as JSON.

python benchmarks/streaming.py                    # 10^6 steps of 1 ms, and 10^5 of learning: minutes
python benchmarks/streaming.py --steps 20000      # a try; nothing is kept

The network has 12 inputs at 20 spikes a second, 48 hidden units and 6 outputs. Time is that of the process.
Resident memory is the whole process's; the state is what the network carries from step to step.
"""

import argparse
import gc
import json
import os
import platform
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import torch

from beyondrate.nn import SpikingGammaNet
from beyondrate.training.online import OnlineTrainer

RESULT = Path(__file__).parent / "results" / "streaming.json"
N_STEPS, N_LEARNING = 1_000_000, 100_000
DT_S, RATE_HZ, BLOCK = 0.001, 20.0, 1000


def resident_bytes() -> int:
    """Return the process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def tensor_bytes() -> int:
    """Return the bytes of all tensors that are alive."""
    gc.collect()
    alive = (each for each in gc.get_objects() if issubclass(type(each), torch.Tensor))
    return sum(each.numel() * each.element_size() for each in alive)


def measure(n_steps: int, *, learning: bool) -> list[dict[str, float]]:
    """Return time and memory at tenths of the stream, and before at a hundredth of it."""
    generator = torch.Generator().manual_seed(0)
    net = SpikingGammaNet(12, 6, dt_s=DT_S, hidden=(48,), rule="spatial", generator=generator)
    trainer = OnlineTrainer(net, torch.optim.Adam(net.parameters(), 1e-4))
    label, state = torch.zeros(1, dtype=torch.int64), None
    shown = {n_steps // 100, *(n_steps * tenth // 10 for tenth in range(1, 11))}
    found, started, before = [], time.process_time(), 0
    for step in range(1, n_steps + 1):
        if step % BLOCK == 1:
            block = (torch.rand(BLOCK, 1, 12, generator=generator) < RATE_HZ * DT_S).float()
        x = block[(step - 1) % BLOCK]
        if learning:
            out, _ = trainer.step(x, label)
        else:
            with torch.no_grad():
                out, state = net.step(x, state)
        if step in shown:
            spent = time.process_time() - started
            found.append(
                {
                    "step": step,
                    "microseconds_a_step": round(1e6 * spent / (step - before), 1),
                    "resident_bytes": resident_bytes(),
                    "tensor_bytes": tensor_bytes(),
                    "finite": bool(torch.isfinite(out).all()),
                }
            )
            print(found[-1], flush=True)
            started, before = time.process_time(), step
    return found


def main() -> None:
    """Measure, and keep what was measured unless it was a try."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=N_STEPS)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    result = {
        "measured": {
            "streaming": measure(steps, learning=False),
            "learning, an update after every step": measure(min(steps, N_LEARNING), learning=True),
        },
        "network": "12-48-6, K = 8, T = 5 ms, rule spatial, dt = 1 ms",
        "seed": 0,
        "versions": {name: metadata.version(name) for name in ("beyondrate", "torch", "numpy")},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, 1 used",
        "date": datetime.now(UTC).date().isoformat(),
    }
    if steps == N_STEPS:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
