"""Measure the cochlea encoder: speed, agreement with the reference program, memory, a corpus stopped twice.

BEYONDRATE_TEST_DATA=FOLDER python benchmarks/encoder.py          # some ten minutes on two processors
BEYONDRATE_TEST_DATA=FOLDER python benchmarks/encoder.py speed    # one measurement; the others are kept
python benchmarks/encoder.py --page      # only the end of docs/encoding.md, from the JSON that is kept

FOLDER holds fsdd/recordings (the Free Spoken Digit Dataset) and cochlea_reference (what the reference
program, lauscher, makes of some sounds). If lauscher is installed, its membrane and speed are measured too.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib import metadata
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
from scipy import signal as filters
from scipy.io import wavfile

from beyondrate import storage
from beyondrate.audio import Encoder
from beyondrate.audio.membrane import places, transfer

RESULT = Path(__file__).parent / "results" / "encoder.json"
PAGE = Path(__file__).parent.parent / "docs" / "encoding.md"
SECTION = "## Measured\n"
RUNS = 8  # seeds of the reference and of ours whose spikes are compared
LABELS = ("--labels", "{label}_{speaker}_{take}")


def speechlike(seconds: float, rate_hz: int, seed: int) -> np.ndarray:
    """Return noise in syllables of a quarter of a second."""
    n = round(seconds * rate_hz)
    syllables = 1 + np.sin(2 * np.pi * 4 * np.arange(n) / rate_hz)
    return np.random.default_rng(seed).standard_normal(n) * syllables


def speed() -> dict[str, Any]:
    """CPU seconds of one thread per second of audio at 700 channels, median of five."""
    found = {}
    for rate_hz in (24_000, 12_000):
        encoder, sound = Encoder(700, rate_hz=rate_hz), speechlike(5.0, 16_000, 0)
        encoder.encode(sound[:8000], 16_000, stream=0)  # compile, and make the filters
        seconds = []
        for stream in range(5):
            started = time.process_time()
            encoder.encode(sound, 16_000, stream=stream)
            seconds.append((time.process_time() - started) / 5)
        found[f"cpu_seconds_per_second_at_{rate_hz}_hz"] = round(float(np.median(seconds)), 4)
    return {"channels": 700, **found}


def reference() -> dict[str, Any]:
    """The reference's membrane on its own grid, and its CPU time, which is the same for every channel."""
    if importlib.util.find_spec("lauscher") is None:
        return {"lauscher": "not installed"}
    from lauscher.audiowaves import MonoAudioWave
    from lauscher.helpers import CommandLineArguments
    from lauscher.transformations import BasilarMembrane
    from lauscher.transformations.wave2spike import Wave2Spike

    CommandLineArguments().num_concurrent_jobs = 1
    sound = speechlike(0.3, 48_000, 1) * np.hanning(14_400)
    theirs = MonoAudioWave(sound, 48_000).transform(BasilarMembrane(channels=20)).channels
    spectrum = np.fft.rfft(sound)
    gain = transfer(np.linspace(1, 24_000, len(spectrum)), places(20))
    ours = np.fft.ifft(gain * spectrum, axis=1).real
    error = np.abs(ours - theirs).max(axis=1) / np.abs(theirs).max(axis=1)
    cpu = []
    for seconds in (0.2, 1.2):  # the difference leaves out what does not depend on the length
        before = os.times()
        MonoAudioWave(speechlike(seconds, 48_000, 2), 48_000).transform(Wave2Spike(num_channels=10))
        after = os.times()
        cpu.append(sum(after[:4]) - sum(before[:4]))
    return {
        "lauscher": metadata.version("lauscher"),
        "membrane_largest_relative_difference": float(error.max()),
        "cpu_seconds_per_second_at_10_channels": round((cpu[1] - cpu[0]) / 1.0, 2),
        "so_at_700_channels": round((cpu[1] - cpu[0]) * 70),
    }


def spread() -> dict[str, Any]:
    """How far runs of ours lie from runs of the reference, and these from one another, seed by seed."""
    if importlib.util.find_spec("lauscher") is None:
        return {"lauscher": "not installed"}
    found: dict[str, Any] = {"lauscher": metadata.version("lauscher"), "runs": RUNS}
    for name in ("0_george_3_70ch", "3_jackson_7_70ch"):
        with np.load(data() / "cochlea_reference" / f"{name}.npz") as file:
            audio, rate_hz = file["audio"], int(file["rate_hz"])
        theirs = reference_runs(audio, rate_hz)
        ours = []
        for seed in range(RUNS):
            encoder = Encoder(70, membrane="heidelberg", level=None, ramp_s=0.0, seed=seed)
            times_us, units = encoder.encode(audio, rate_hz, stream=0)
            ours.append((times_us / 1e6, units))
        found[name] = {
            measure.__name__: {
                "reference against itself": _spread(measure, combinations(theirs, 2)),
                "ours against reference": _spread(measure, product(ours, theirs)),
                "ours against itself": _spread(measure, combinations(ours, 2)),
            }
            for measure in (count_correlation, van_rossum_distance)
        }
    return found


def reference_runs(audio: np.ndarray, rate_hz: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """What the reference makes of a sound that is ready for its membrane, with seeds of its noise."""
    from lauscher.audiowaves import MonoAudioWave
    from lauscher.helpers import CommandLineArguments
    from lauscher.transformations import BasilarMembrane, BushyCell, HairCell

    CommandLineArguments().num_concurrent_jobs = 1
    released = (
        MonoAudioWave(audio.astype(np.float64), rate_hz)
        .transform(BasilarMembrane(channels=70))
        .transform(HairCell())
    )
    runs = []
    for seed in range(RUNS):
        np.random.seed(seed)  # noqa: NPY002 (the reference draws from numpy's global generator)
        train = released.transform(BushyCell())
        runs.append((train.spike_times, train.spike_labels.astype(int)))
    return runs


def _spread(measure: Callable[..., float], pairs: Iterable[tuple[Any, Any]]) -> dict[str, float]:
    values = [measure(*pair) for pair in pairs]
    low, middle, high = np.quantile(values, (0.025, 0.5, 0.975))
    return {"median": round(float(middle), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def count_correlation(one: tuple[Any, Any], other: tuple[Any, Any]) -> float:
    """Correlation of the channels' spike counts."""
    return float(np.corrcoef(*(np.bincount(units, minlength=70) for _, units in (one, other)))[0, 1])


def van_rossum_distance(one: tuple[Any, Any], other: tuple[Any, Any]) -> float:
    """Distance of the trains after an exponential of 10 ms, relative to their size."""
    traces = []
    for times, units in (one, other):
        a_ms = np.histogram2d(units, times, bins=(np.arange(71), np.arange(0, 0.701, 0.001)))[0]
        traces.append(filters.lfilter([1], [1, -np.exp(-0.1)], a_ms, axis=1))
    size = np.sqrt(np.mean([np.sum(trace**2) for trace in traces]))
    return float(np.sqrt(np.sum((traces[0] - traces[1]) ** 2)) / size)


def memory() -> dict[str, Any]:
    """Peak memory of the command on a recording of a minute and of an hour, at 64 channels and 12 kHz."""
    found: dict[str, Any] = {"channels": 64, "rate_hz": 12_000}
    with tempfile.TemporaryDirectory() as folder:
        for name, seconds in (("minute", 60), ("hour", 3600)):
            sounds = Path(folder) / name
            sounds.mkdir()
            minute = (speechlike(60.0, 16_000, 0) * 3000).astype(np.int16)
            wavfile.write(sounds / "b_x_0.wav", 16_000, minute[:32_000])
            # By the minute: the peak that the system tells of a new process includes its parent's.
            with wave.open(str(sounds / "a_x_0.wav"), "wb") as file:
                file.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
                for _ in range(seconds // 60):
                    file.writeframes(minute.tobytes())
            out = Path(folder) / f"{name}.h5"
            options = (
                "--channels",
                "64",
                "--rate",
                "12000",
                "--clip",
                "1",
                "--workers",
                "1",
                "--out",
                str(out),
            )
            run = encode(str(sounds), *LABELS, *options)
            with storage.opened(out) as events:
                run |= {"samples": len(events), "spikes": events.n_spikes}
            found[name] = run
    return found


def corpus() -> dict[str, Any]:
    """The 2,000 recordings with two threads: once, again, and stopped twice on the way."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    recordings = data() / "fsdd" / "recordings"
    n = len(list(recordings.glob("*.wav")))
    found: dict[str, Any] = {"recordings": n, "channels": 700, "threads": 2}
    with tempfile.TemporaryDirectory() as folder:
        command = (str(recordings / "*.wav"), *LABELS, "--workers", "2", "--out")
        outs = [Path(folder) / f"{name}.h5" for name in ("once", "again", "stopped")]
        found["once"] = encode(*command, str(outs[0]))
        found["again"] = encode(*command, str(outs[1]))
        for how, share in ((signal.SIGINT, 0.3), (signal.SIGKILL, 0.7)):
            stopped = encode(*command, str(outs[2]), "--resume", stop=(how, round(share * n)))
            found[f"stopped by {how.name}"] = stopped
        found["resumed"] = encode(*command, str(outs[2]), "--resume")
        hashes = [hashlib.sha256(out.read_bytes()).hexdigest() for out in outs]
        with storage.opened(outs[0]) as events:
            found |= {"samples": len(events), "spikes": events.n_spikes}
            found["seconds_of_audio"] = round(sum(_seconds(path) for path in recordings.glob("*.wav")), 1)
    return {**found, "sha256": hashes[0], "all_three_the_same": len(set(hashes)) == 1}


def _seconds(path: Path) -> float:
    rate_hz, sound = wavfile.read(path)
    return len(sound) / rate_hz


def encode(*words: str, stop: tuple[int, int] | None = None) -> dict[str, Any]:
    """Run the command in a process of its own; ``stop`` sends it a signal after so many recordings."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "beyondrate.cli", "encode", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if stop is not None:
        lines = Path(f"{words[words.index('--out') + 1]}.parts") / "done.jsonl"
        while not (lines.exists() and lines.read_bytes().count(b"\n") >= stop[1]):
            time.sleep(0.05)
        process.send_signal(stop[0])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    expected = {None: 0, signal.SIGINT: 130, signal.SIGKILL: -9}[stop and stop[0]]
    if process.returncode != expected:
        raise SystemExit(f"encode {' '.join(words)} ended with {process.returncode}")
    return {
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_rss_mb": round(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6),
        **({} if stop is None else {"recordings_kept": lines.read_bytes().count(b"\n")}),
    }


def data() -> Path:
    """The folder of recordings."""
    folder = os.environ.get("BEYONDRATE_TEST_DATA")
    if not folder:
        raise SystemExit("set BEYONDRATE_TEST_DATA to the folder of recordings")
    return Path(folder)


def versions() -> dict[str, Any]:
    """What ran, on what."""
    names = ("beyondrate", "numpy", "scipy", "numba", "h5py")
    return {
        **{name: metadata.version(name) for name in names},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "other work on the machine (load before)": round(os.getloadavg()[0], 1),
    }


MEASUREMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "speed": speed,
    "reference": reference,
    "spread": spread,
    "memory": memory,
    "corpus": corpus,
}


def write_page(kept: dict[str, Any]) -> None:
    """Write the last section of the page, as far as it has been measured."""
    tables = {"speed": _speed_rows, "memory": _memory_rows, "corpus": _corpus_rows, "spread": _spread_rows}
    lines = [SECTION, "`python benchmarks/encoder.py`, kept in `benchmarks/results/encoder.json`:", ""]
    for name in [name for name in tables if name in kept]:
        ran = kept[name]["versions"]
        load = ran["other work on the machine (load before)"]
        where = f"{ran['platform']}, {ran['processors']} processors, load {load} before it"
        lines += [*tables[name](kept), "", f"({where}; numpy {ran['numpy']}, numba {ran['numba']})", ""]
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text[: text.index(SECTION)] + "\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _speed_rows(kept: dict[str, Any]) -> list[str]:
    seconds = {hz: kept["speed"][f"cpu_seconds_per_second_at_{hz}_hz"] for hz in (24_000, 12_000)}
    rows = ["| 700 channels | CPU seconds of one thread for a second of sound |", "|---|---|"]
    rows += [f"| {hz:,} steps a second inside | {value:.2f} |" for hz, value in seconds.items()]
    theirs = kept.get("reference", {}).get("so_at_700_channels")
    if theirs is not None:
        ratio = 100 * round(theirs / seconds[24_000] / 100)
        note = f"{theirs}: some {ratio:,} times ours, from its time at 10 channels"
        rows.append(f"| the published program, lauscher {kept['reference']['lauscher']} | {note} |")
        difference = kept["reference"]["membrane_largest_relative_difference"]
        rows += ["", f"Its membrane, on its own grid, is ours to {difference:.0e} of the largest velocity."]
    return rows


def _memory_rows(kept: dict[str, Any]) -> list[str]:
    found = kept["memory"]
    rows = ["| one recording, `--channels 64 --rate 12000 --clip 1` | peak memory | CPU |", "|---|---|---|"]
    for name in ("minute", "hour"):
        rows.append(f"| one {name} | {found[name]['peak_rss_mb']} MB | {found[name]['cpu_seconds']:.0f} s |")
    return rows


def _corpus_rows(kept: dict[str, Any]) -> list[str]:
    found = kept["corpus"]
    runs = [name for name, run in found.items() if isinstance(run, dict) and "cpu_seconds" in run]
    same = "the same bytes" if found["all_three_the_same"] else "**not the same bytes**"
    rows = [
        f"{found['recordings']:,} recordings of the Free Spoken Digit Dataset at 700 channels, two threads: "
        f"{found['seconds_of_audio']:.0f} s of sound, {found['spikes']:,} spikes.",
        f"Once, again, and stopped twice: {same}.",
        "",
        "| run | by the clock | CPU | peak memory | recordings kept |",
        "|---|---|---|---|---|",
    ]
    for name in runs:
        run = found[name]
        times = f"{run['seconds']:.0f} s | {run['cpu_seconds']:.0f} s"
        rows.append(f"| {name} | {times} | {run['peak_rss_mb']} MB | {run.get('recordings_kept', 'all')} |")
    return rows


def _spread_rows(kept: dict[str, Any]) -> list[str]:
    found = kept["spread"]
    if "runs" not in found:
        return ["The published program is not installed: no spikes were compared."]
    rows = [
        f"{found['runs']} seeds of the published program and {found['runs']} of ours, 70 channels, in pairs: "
        "median, and between what",
        "95 % of the pairs lie. The van Rossum distance has τ = 10 ms and is relative to the trains' size.",
        "",
        "| recording | measure | its seeds among themselves | ours and its | ours among themselves |",
        "|---|---|---|---|---|",
    ]
    for name in ("0_george_3_70ch", "3_jackson_7_70ch"):
        for measure, values in found[name].items():
            cells = " | ".join(
                f"{v['median']:.3f} ({v['low']:.3f} to {v['high']:.3f})" for v in values.values()
            )
            rows.append(f"| {name.removesuffix('_70ch')} | {measure.replace('_', ' ')} | {cells} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="*", help=f"of {', '.join(MEASUREMENTS)}; default: all")
    parser.add_argument("--page", action="store_true", help="only the page, from the JSON that is kept")
    options = parser.parse_args()
    for name in [] if options.page else options.only or MEASUREMENTS:
        made = {"created": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions()}
        made |= MEASUREMENTS[name]()
        print(json.dumps({name: made}, indent=1), flush=True)
        kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
        RESULT.write_text(json.dumps({**kept, name: made}, indent=1) + "\n", encoding="utf-8")
    write_page(json.loads(RESULT.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
