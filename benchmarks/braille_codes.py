"""Events and errors of both encoders of values over time, on recordings of touch: a table of docs/doors.md.

python benchmarks/braille_codes.py braille_taxels.npz    # half a minute; writes the JSON and prints the table
python benchmarks/braille_codes.py --table               # only prints the table, from the JSON that is kept

The recordings are those of Müller-Cleve et al. (2022, Zenodo 6556273) as arrays: ``taxel`` (touch, instant,
taxel), whole numbers from 0 to 255 read 40 times a second, and ``length``, the instants of each touch.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from beyondrate import signals

RESULT = Path(__file__).parent / "results" / "braille-codes.json"
RATE_HZ, TAU_S = 40, 0.2
THRESHOLDS = (4, 16, 64)
FULL_SCALE = 255  # where most taxels rest


def measure(path: Path) -> dict[str, Any]:
    """Encode every touch with both encoders at each threshold."""
    with np.load(path) as held:
        touches = [values[:n].astype(float) for values, n in zip(held["taxel"], held["length"], strict=True)]
    rest = np.median(np.concatenate(touches), axis=0)
    labels = np.zeros(len(touches), dtype=np.int64)
    rows = []
    for threshold in THRESHOLDS:
        ways = {
            "level-crossing": signals.level_crossing(touches, RATE_HZ, threshold, labels=labels),
            **{
                f"sigma-delta, {name} taken off": signals.sigma_delta(
                    [values - level for values in touches], RATE_HZ, threshold, TAU_S, labels=labels
                )
                for name, level in (("each taxel's rest", rest), (f"{FULL_SCALE}", FULL_SCALE))
            },
        }
        rows += [
            {
                "encoder": name,
                "threshold": threshold,
                "events_a_sample": coded.trains.n_spikes / len(touches),
                "rms_error": coded.rms_error.tolist(),
                "largest_error": coded.largest_error.tolist(),
            }
            for name, coded in ways.items()
        ]
    return {
        "samples": len(touches),
        "channels": len(rest),
        "rate_hz": RATE_HZ,
        "tau_s": TAU_S,
        "rest": rest.tolist(),
        "rows": rows,
    }


def table(kept: dict[str, Any]) -> list[str]:
    """Return a line for each threshold: of each encoder events a sample, and the worst taxel's rms error."""
    lines = []
    for threshold in THRESHOLDS:
        rows = [row for row in kept["rows"] if row["threshold"] == threshold]
        cells = [f"{_short(row['events_a_sample'])} | {_short(max(row['rms_error']))}" for row in rows]
        lines.append(f"| {threshold} | {' | '.join(cells)} |")
    return lines


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, nargs="?", help="the .npz of the recordings")
    parser.add_argument("--table", action="store_true", help="only print the table, from the kept JSON")
    options = parser.parse_args()
    if not options.table:
        if options.recordings is None:
            parser.error("name the .npz of the recordings, or give --table")
        measured = measure(options.recordings)
        RESULT.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(json.loads(RESULT.read_text(encoding="utf-8")))))
