"""The embedded data set, at a size that encodes in a moment."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from beyondrate.datasets import cache, spoken_digits
from beyondrate.datasets.spoken_digits import Recipe, Size, build, file_path
from beyondrate.errors import InputError, MissingExtraError

needs_speech = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="the extra speech is not installed"
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setitem(spoken_digits.SIZES, "mini", Size(takes=1, n_channels=16))
    monkeypatch.setattr(spoken_digits, "SPEAKERS", spoken_digits.SPEAKERS[:3])


RECIPE = Recipe(test_speakers=(2,), encoder_rate_hz=8000)


@needs_speech
def test_what_is_built(tmp_path):
    told = []
    trains = build("mini", recipe=RECIPE, folder=tmp_path, progress=lambda *facts: told.append(facts))
    assert len(trains) == 60
    assert np.bincount(trains.labels).tolist() == [3] * 20
    assert trains.meta["label_names"][0] == "zero (en)"
    assert trains.meta["label_names"][19] == "neun (de)"
    assert trains.groups.tolist() == [0] * 20 + [1] * 20 + [2] * 20
    split = np.array(trains.meta["split"])
    assert (split[trains.groups == 2] == "test").all()
    assert (split[trains.groups != 2] == "test").sum() == 2  # 5 % of 20, twice
    assert trains.duration_us == 1_000_000
    assert trains.spikes_per_sample.min() > 20
    assert (trains.counts().sum(axis=0) > 0).all()
    assert [facts[:2] for facts in told] == [(i, 60) for i in range(1, 61)]
    assert len(set(trains.meta["audio_sha256"])) == 3


@needs_speech
def test_an_interrupted_build_goes_on_by_speaker_and_ends_the_same(tmp_path, monkeypatch):
    whole = build("mini", recipe=RECIPE, folder=tmp_path / "whole", workers=1)

    def interrupt(done, total, what):
        if done == 45:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build("mini", recipe=RECIPE, folder=tmp_path / "again", progress=interrupt)
    assert len(list((tmp_path / "again").iterdir())) == 2  # two finished speakers
    spoken = []
    real = spoken_digits.speak
    monkeypatch.setattr(spoken_digits, "speak", lambda takes: spoken.append(1) or real(takes))
    resumed = build("mini", recipe=RECIPE, folder=tmp_path / "again", workers=3)
    assert len(spoken) == 1
    assert resumed.digest == whole.digest
    assert resumed.meta["split"] == whole.meta["split"]
    assert [path.name for path in (tmp_path / "again").iterdir()] == [
        file_path("mini", recipe=RECIPE, folder=tmp_path).name
    ]


@needs_speech
def test_the_full_size_has_more_speakers_that_nobody_trained_on(tmp_path, monkeypatch):
    monkeypatch.setitem(spoken_digits.SIZES, "full", Size(takes=1, n_channels=16))
    trains = build("full", recipe=RECIPE, folder=tmp_path)
    test = np.array(trains.meta["split"]) == "test"
    assert set(trains.groups) - set(trains.groups[~test]) == {2, 3, 4}
    assert (trains.spikes_per_sample > 0).all()
    assert len(set(trains.meta["audio_sha256"])) == 5  # no two speakers sound the same


@needs_speech
def test_what_was_made_is_read_again_also_without_the_extra(tmp_path, monkeypatch):
    made = build("mini", recipe=RECIPE, folder=tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert build("mini", recipe=RECIPE, folder=tmp_path).digest == made.digest
    with pytest.raises(MissingExtraError, match=r"beyondrate\[speech\]"):
        build("mini", recipe=RECIPE, seed=1, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_files_of_other_recipes_sizes_and_seeds_have_other_names(monkeypatch, tmp_path):
    monkeypatch.setenv("BEYONDRATE_DATA", str(tmp_path))
    names = {file_path("mini"), file_path("standard"), file_path(seed=1), file_path(recipe=Recipe(warp=0.2))}
    assert len(names) == 4
    assert {name.parent for name in names} == {tmp_path}
    assert file_path("mini") == file_path("mini")


def test_the_cache_folder_is_named_by_the_environment(monkeypatch):
    monkeypatch.setenv("BEYONDRATE_DATA", "~/events")
    assert cache.cache_folder() == Path.home() / "events"
    monkeypatch.delenv("BEYONDRATE_DATA")
    assert cache.cache_folder() == Path.home() / ".cache" / "beyondrate"


def test_bad_requests_are_refused(tmp_path):
    with pytest.raises(InputError, match="size is 'huge'"):
        build("huge")
    with pytest.raises(InputError, match=r"longest_s is 0\.3"):
        Recipe(longest_s=0.3)


@needs_speech
def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        build("mini", folder=tmp_path / "file")
