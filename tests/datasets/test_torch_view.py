"""Samples for torch's own loaders: the same bins as the package's networks see, every spike in one."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import beyondrate as br
from beyondrate.datasets import TorchDataset, collate_rows
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.training.inputs import BinnedInput


def made(n_samples: int = 13, seed: int = 0) -> SpikeTrains:
    """Crowded samples, an empty one among them, with spikes at both edges."""
    rng = np.random.default_rng(seed)
    samples = [(rng.integers(0, 10_001, n), rng.integers(0, 6, n)) for n in rng.integers(20, 90, n_samples)]
    samples[3] = ([], [])
    samples[4] = ([0, 10_000, 10_000], [5, 5, 5])
    return SpikeTrains.from_samples(samples, labels=np.arange(n_samples) % 3, n_units=6, duration_us=10_000)


@pytest.mark.parametrize("dt_s", [0.001, 0.0033, 0.02])
@pytest.mark.parametrize("rows", [False, True])
def test_batches_are_those_of_the_package_s_own_training(dt_s: float, rows: bool) -> None:
    trains = made()
    own = BinnedInput(trains, dt_s, as_rows=False, device=torch.device("cpu"))
    data = TorchDataset(trains, dt_s, rows=rows)
    collate = collate_rows if rows else None
    n_seen = 0
    for k, (batch, labels) in enumerate(DataLoader(data, batch_size=5, collate_fn=collate)):
        chosen = np.arange(5 * k, min(5 * k + 5, len(trains)))
        dense = batch.dense() if rows else batch
        assert dense.dtype == torch.float32 and labels.dtype == torch.int64
        torch.testing.assert_close(dense, own.batch(chosen), rtol=0, atol=0)
        assert labels.tolist() == trains.labels[chosen].tolist()
        n_seen += int(dense.sum())
    assert n_seen == trains.n_spikes > 400


def test_merging_is_asked_for_and_drops_only_repeats() -> None:
    trains = made()
    for k in range(len(trains)):
        raster = TorchDataset(trains, 0.002)[k][0]
        merged = TorchDataset(trains, 0.002, merge=True)[k][0]
        torch.testing.assert_close(merged, raster.clamp(max=1), rtol=0, atol=0)
        rows = TorchDataset(trains, 0.002, rows=True, merge=True)[k][0]
        torch.testing.assert_close(rows.dense()[0], merged, rtol=0, atol=0)
    assert TorchDataset(trains, 0.002)[0][0].max() > 1


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_give_the_same(context: str) -> None:
    trains = made()
    data = TorchDataset(trains, 0.001, rows=True)
    loader = DataLoader(
        data, batch_size=4, collate_fn=collate_rows, num_workers=1, multiprocessing_context=context
    )
    dense = torch.cat([batch.dense() for batch, _ in loader])
    np.testing.assert_array_equal(dense.numpy(), trains.dense(0.001))


def test_it_can_be_pickled() -> None:
    data = pickle.loads(pickle.dumps(TorchDataset(made(), 0.001)))
    torch.testing.assert_close(data[2][0], TorchDataset(made(), 0.001)[2][0], rtol=0, atol=0)
    assert (len(data), data.n_steps) == (13, 10)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="dt is 1e-07 s"):
        TorchDataset(made(), 1e-7)
    with pytest.raises(IndexError):
        TorchDataset(made(), 0.001)[13]


def test_torch_is_loaded_only_when_it_is_asked_for() -> None:
    code = "import sys, beyondrate.datasets; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert br.datasets.TorchDataset is TorchDataset
