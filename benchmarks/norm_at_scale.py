"""Build norm from files of SSC's and SHD's format, size and statistics; keep time, memory and sizes as JSON.

python benchmarks/norm_at_scale.py ssc    # 100,000 samples, 10^9 spikes: 11 GB of disk, seven minutes
python benchmarks/norm_at_scale.py shd    # 10,420 samples, 10^8 spikes: half a minute
python benchmarks/norm_at_scale.py ssc --samples 5000     # a try; nothing is kept

The made-up files are what the published ones are, as far as building norm can tell: 700 channels,
variable-length float16 seconds and uint16 channels, about 10^4 spikes a sample. Channels differ in rate,
classes in their profile over the channels, and takes in loudness, so that some are too poor for norm.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

RESULT = Path(__file__).parent / "results" / "norm-at-scale.json"
N_CHANNELS, DURATION_S = 700, 1.0
SPIKES = 10_000  # of a sample of mean loudness


class Corpus(NamedTuple):
    """The size of a published data set."""

    n_samples: int
    n_classes: int
    n_speakers: int


CORPORA = {"ssc": Corpus(100_000, 35, 2_000), "shd": Corpus(8_156 + 2_264, 20, 12)}


def class_profiles(n_classes: int, rng: np.random.Generator) -> np.ndarray:
    """Return the mean number of spikes of every channel (columns) in every class (rows)."""
    channel = np.arange(N_CHANNELS)
    common = 0.15 + np.exp(-(((channel - 260) / 160) ** 2))
    bumps = [
        np.exp(-(((channel - centre) / width) ** 2))
        for centre, width in zip(
            rng.uniform(80, 620, n_classes), rng.uniform(30, 120, n_classes), strict=True
        )
    ]
    profiles = common + 0.8 * np.array(bumps)
    return SPIKES * profiles / profiles.sum(axis=1, keepdims=True)


def write_like(corpus: Corpus, path: Path, seed: int = 0) -> int:
    """Write samples in the layout of the Heidelberg files; return the number of spikes."""
    rng = np.random.default_rng(seed)
    n_samples = corpus.n_samples
    profiles = class_profiles(corpus.n_classes, rng)
    labels = rng.integers(0, corpus.n_classes, n_samples).astype(np.uint16)
    channels = np.arange(N_CHANNELS, dtype=np.uint16)
    n_spikes = 0
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (n_samples,), h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (n_samples,), h5py.vlen_dtype(np.uint16))
        for sample, label in enumerate(labels):
            loudness = np.exp(rng.normal(-0.08, 0.4))
            counts = rng.poisson(loudness * profiles[label])
            fired = rng.permutation(np.repeat(channels, counts))
            times[sample] = np.sort(rng.random(len(fired), np.float32) * DURATION_S).astype(np.float16)
            units[sample] = fired
            n_spikes += len(fired)
        file["labels"] = labels
        file["extra/speaker"] = rng.integers(0, corpus.n_speakers, n_samples).astype(np.uint16)
        file["extra/keys"] = np.array([f"word {k}".encode() for k in range(corpus.n_classes)])
    return n_spikes


def build(source: Path, target: Path) -> dict[str, object]:
    """Make norm in a process of its own; return its time and its peak memory."""
    started = time.monotonic()
    command = [sys.executable, "-m", "beyondrate.cli", "variant", "norm", str(source), str(target)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return {
        "command": f"beyondrate variant norm {source.name} {target.name}",
        "seconds": round(time.monotonic() - started, 1),
        "peak_rss_gb": round(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9, 3),
    }


def measure(corpus: Corpus, folder: Path) -> dict[str, object]:
    """Make the file, then norm of it from SHD's layout and from ours, and compare the two."""
    from beyondrate import storage

    source, copy = folder / "whole.h5", folder / "whole-ours.h5"
    n_spikes = write_like(corpus, source)
    runs = {"from SHD's layout": build(source, folder / "norm.h5")}
    with storage.opened(source) as file:
        storage.save(file.stream(), copy)
    runs["from our layout"] = build(copy, folder / "norm-of-ours.h5")
    norm = storage.load(folder / "norm.h5")
    same = storage.load(folder / "norm-of-ours.h5").digest == norm.digest
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: metadata.version(name) for name in ("beyondrate", "numpy", "h5py", "numba")}
        | {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
        | {"processors": os.cpu_count()},
        "whole": {
            "samples": corpus.n_samples,
            "spikes": n_spikes,
            "gigabytes": round(source.stat().st_size / 1e9, 2),
        },
        "norm": {"samples": len(norm), "units": norm.n_units, "spikes": norm.n_spikes},
        "runs": runs,
        "both_the_same": same,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", choices=CORPORA)
    parser.add_argument("--samples", type=int, help="fewer samples, for a try")
    options = parser.parse_args()
    corpus = CORPORA[options.corpus]
    if options.samples:
        corpus = corpus._replace(n_samples=options.samples)
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(corpus, Path(folder))
    print(json.dumps(measured, indent=1))
    if not options.samples:
        kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
        RESULT.write_text(json.dumps({**kept, options.corpus: measured}, indent=1) + "\n", encoding="utf-8")
