"""Real recordings: a few words of the Free Spoken Digit Dataset through the encoder."""

import os
from pathlib import Path

import numpy as np
import pytest

from beyondrate.audio import Encoder
from beyondrate.audio.corpus import encode_files

DATA = os.environ.get("BEYONDRATE_TEST_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="BEYONDRATE_TEST_DATA is not set")


def test_free_spoken_digits_from_wav_files():
    folder = Path(DATA) / "fsdd" / "recordings"
    paths = [p for digit in (0, 3, 7) for take in range(3) for p in folder.glob(f"{digit}_*_{take}.wav")]
    assert len(paths) == 36
    trains = encode_files(paths, "{label}_{speaker}_{take}", encoder=Encoder(140, rate_hz=12_000))
    assert trains.meta["failed"] == {}
    assert trains.meta["label_names"] == ["0", "3", "7"]
    assert len(trains.meta["group_names"]) == 4
    assert np.bincount(trains.groups).tolist() == [9] * 4
    per_second = trains.n_spikes / trains.n_units / 36
    assert 3 < per_second < 60  # a word of half a second, some ten spikes a channel

    profiles = trains.counts() / trains.spikes_per_sample[:, None]
    distance = np.linalg.norm(profiles[:, None] - profiles, axis=2)
    same_word = (trains.labels[:, None] == trains.labels) & ~np.eye(36, dtype=bool)
    other_word = trains.labels[:, None] != trains.labels
    assert distance[same_word].mean() < distance[other_word].mean()
