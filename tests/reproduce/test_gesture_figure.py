"""The figure on event cameras, end to end on files as N-MNIST is published, with tiny networks."""

from __future__ import annotations

import numpy as np
import pytest

import beyondrate as br
from beyondrate.events import SpikeTrains
from beyondrate.nn import Conv
from beyondrate.reproduce.koopman2026 import gesture_experiment
from beyondrate.reproduce.koopman2026.gesture_experiment import ARMS, build, seen


def write_recordings(folder, n_classes=3, n_train=12, n_test=5):
    """Write a bar that moves with the class's direction, as five bytes an event."""
    rng = np.random.default_rng(0)
    for part, n in (("Train", n_train), ("Test", n_test)):
        for label in range(n_classes):
            (folder / part / str(label)).mkdir(parents=True)
            for sample in range(n):
                times = np.sort(rng.integers(0, 200_000, 150))
                along = (times / 200_000 * 33).astype(int)
                across = rng.integers(0, 34, len(times))
                x, y = (
                    (along, across) if label == 0 else (33 - along, across) if label == 1 else (across, along)
                )
                polarity = rng.integers(0, 2, len(times))
                high = polarity << 7 | times >> 16
                events = np.stack([x, y, high, times >> 8 & 255, times & 255], axis=1).astype(np.uint8)
                (folder / part / str(label) / f"{sample:05d}.bin").write_bytes(events.tobytes())


@pytest.fixture
def small(monkeypatch):
    """Make every training short."""
    monkeypatch.setattr(gesture_experiment, "EPOCHS", {"quick": 2})
    monkeypatch.setattr(gesture_experiment, "HIDDEN", (Conv(3, 5, 4), Conv(4, 3, 2)))


@pytest.mark.usefixtures("small")
def test_the_figure_is_made_of_published_files(tmp_path):
    data = tmp_path / "recordings"
    write_recordings(data)
    made = br.reproduce("koopman2026/dvs-gesture", data=data, out=tmp_path / "out", workers=0)
    assert {row["model"] for row in made.rows} == set(ARMS)
    assert all(row["n_test"] == 15 and row["synaptic_operations"] > 0 for row in made.rows)
    assert len(made.claims) == 4 and not any(comparison.same_data for comparison in made.comparisons)
    assert "recordings" in made.title and "the data name" in made.notes[0]
    assert all(s.x and len(s.x) == len(s.y) for panel in made.panels for s in panel.series)


def camera(duration_us, rows=128, n_samples=3):
    rng = np.random.default_rng(1)
    samples = [
        (np.sort(rng.integers(0, duration_us, 400)), rng.integers(0, 2 * rows * rows, 400))
        for _ in range(n_samples)
    ]
    return SpikeTrains.from_samples(
        samples,
        labels=range(n_samples),
        groups=range(n_samples),
        n_units=2 * rows * rows,
        duration_us=duration_us,
        meta={"shape": [2, rows, rows]},
    )


def test_recordings_are_seen_with_fewer_pixels_and_in_clips_with_their_subjects():
    made = seen(camera(5_000_000))
    assert made.meta["shape"] == [2, 32, 32] and made.duration_s == 1.5
    assert made.groups.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    short = seen(camera(1_000_000, rows=34))
    assert short.meta["shape"] == [2, 17, 17] and len(short) == 3 and short.n_spikes == 1200


def test_the_spiking_nets_have_the_same_layers():
    train = seen(camera(1_000_000, rows=34))
    nets = {name: [ready.network for ready in build(arm, train, seed=0)] for name, arm in ARMS.items()}
    gated, lif = nets["gated"][0], nets["lif"]
    assert [s.wiring for s in gated.synapses] == lif[0].wirings
    assert len(lif) == 2 and lif[0].config["tau_s"] != lif[1].config["tau_s"]
    assert 0 < gated.n_parameters - lif[0].n_parameters < 0.2 * gated.n_parameters


def test_what_is_of_no_camera_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("BEYONDRATE_DATA", str(tmp_path))
    with pytest.raises(br.InputError, match="event camera"):
        path = tmp_path / "events.npz"
        br.save(br.tasks.delay.generate(20, seed=0), path)
        br.reproduce("koopman2026/dvs-gesture", data=path, out=tmp_path / "out", workers=0)
    with pytest.raises(br.InputError, match="data get dvs-gesture"):
        br.reproduce("koopman2026/dvs-gesture", out=tmp_path / "out", workers=0)
