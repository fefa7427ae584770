"""The audit on recordings that nobody prepared for it: it runs, splits by group, finds what is known."""

from pathlib import Path

import numpy as np

import beyondrate as br
from beyondrate.audio.corpus import encode_files
from beyondrate.audio.encoder import Encoder
from beyondrate.audit.result import AuditResult


def audited(path: Path, **options: object) -> AuditResult:
    settings = {"models": ["probe", "rate"], "seeds": 1, "workers": 0, "epochs": 20}
    return br.audit(path, **{**settings, **options})


def accuracy(result: AuditResult, variant: str, model: str) -> float:
    rows = [r for r in result.rows if (r.variant, r.model, r.perturbation) == (variant, model, "none")]
    return max(row.accuracy for row in rows)


def test_spoken_digits_of_people(real_data: Path, tmp_path: Path):
    files = [
        path
        for path in sorted((real_data / "fsdd" / "recordings").glob("*.wav"))
        if int(path.stem.split("_")[2]) < 16
    ]
    trains = encode_files(files, "{label}_{speaker}_{take}", encoder=Encoder(n_channels=128), workers=1)
    assert len(trains) == len(files) == 640
    assert len(np.unique(trains.groups)) == 4 and trains.meta["failed"] == {}
    br.save(trains, tmp_path / "fsdd.h5")
    result = audited(tmp_path / "fsdd.h5", variants=["whole"])
    assert "1 of 4 groups" in result.report["protocol"]["split"]
    assert result.verdict["rate"].claimed
    assert accuracy(result, "whole", "probe") > 0.2  # chance .10, a voice that was not heard before
    nets = audited(tmp_path / "fsdd.h5", models=["lif"], variants=["whole"], seeds=8)
    assert accuracy(nets, "whole", "lif") > 0.18  # that of the best: from so few samples many learn nothing


def test_event_camera_digits(real_data: Path, tmp_path: Path):
    raw = np.load(real_data / "nmnist_small" / "nmnist_small.npz")
    cells = (raw["y"].astype(int) // 7) * 5 + raw["x"].astype(int) // 7  # 5 × 5 cells of 7 × 7 pixels
    units = 2 * cells + raw["p"].astype(int)
    chosen = np.random.default_rng(0).permutation(len(raw["label"]))[:400]
    edges = raw["offsets"]
    order = [np.argsort(raw["t_us"][edges[i] : edges[i + 1]], kind="stable") + edges[i] for i in chosen]
    np.savez(
        tmp_path / "nmnist.npz",
        times_us=raw["t_us"][np.concatenate(order)].astype(np.int64),
        units=units[np.concatenate(order)],
        offsets=np.cumsum([0, *map(len, order)]),
        labels=raw["label"][chosen],
    )
    result = audited(tmp_path / "nmnist.npz")
    assert accuracy(result, "whole", "rate") > 0.5
    assert result.verdict["rate"].claimed
    variants = result.report["variants"]
    assert "norm" in variants or any("norm could not be made" in w for w in result.verdict.warnings)


def test_braille_letters_under_a_fingertip(real_data: Path, tmp_path: Path):
    raw = np.load(real_data / "braille" / "braille_taxels.npz")
    samples = [
        sigma_delta(values[:length].astype(int), step=4)
        for values, length in zip(raw["taxel"], raw["length"], strict=True)
    ]
    letters, labels = np.unique(raw["letter"], return_inverse=True)
    lengths = [len(times) for times, _ in samples]
    np.savez(
        tmp_path / "braille.npz",
        times_us=np.concatenate([times for times, _ in samples]),
        units=np.concatenate([units for _, units in samples]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        labels=labels,
        groups=raw["repetition"],
        n_units=24,
    )
    result = audited(tmp_path / "braille.npz", variants=["whole"])
    assert "groups" in result.report["protocol"]["split"]
    assert len(letters) == 27
    assert accuracy(result, "whole", "rate") > 0.4
    assert result.verdict["whole-gain"].claimed  # a finger slides over the dots in time


def sigma_delta(values: np.ndarray, step: int, frame_us: int = 25_000) -> tuple[np.ndarray, np.ndarray]:
    """Encode (frame, taxel) values as up and down events, spread evenly over the frame they fall in."""
    level = np.cumsum(np.round(np.diff(values, axis=0, prepend=0) / step).astype(int), axis=0)
    changes = np.diff(level, axis=0, prepend=0)
    times, units = [], []
    for frame, taxel in np.argwhere(changes):
        n_events = abs(changes[frame, taxel])
        times.append(frame * frame_us + (np.arange(n_events) * frame_us) // n_events)
        units.append(np.full(n_events, 2 * taxel + (changes[frame, taxel] > 0)))
    if not times:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    order = np.argsort(np.concatenate(times), kind="stable")
    return np.concatenate(times)[order], np.concatenate(units)[order]
