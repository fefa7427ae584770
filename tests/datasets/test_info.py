from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from beyondrate.datasets import copies, info
from beyondrate.datasets.info import describe, grid_us
from beyondrate.events import SpikeTrains
from beyondrate.storage.seconds import microseconds


def made(
    n_samples: int = 200,
    *,
    rates: tuple[float, ...] = (30.0,),
    step_us: int = 1,
    seed: int = 0,
    **more: object,
) -> SpikeTrains:
    """Poisson samples of 4 classes; each class has its own mean number of spikes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_samples) % 4
    samples = [
        (rng.integers(0, 1_000_000 // step_us, n) * step_us, rng.integers(0, 20, n))
        for n in rng.poisson(np.resize(rates, 4)[labels])
    ]
    return SpikeTrains.from_samples(
        samples, labels=labels, n_units=24, duration_us=1_000_000, **{"groups": labels // 2, **more}
    )


def test_facts_agree_with_a_loop() -> None:
    meta = {"label_names": ["a", "b", "c", "d"], "group_names": ["ann", "bob"]}
    trains = made(rates=(10, 20, 30, 40), meta=meta)
    facts = describe(trains)
    totals = [trains[k].n_spikes for k in range(len(trains))]
    by_class = {name: [t for k, t in enumerate(totals) if k % 4 == c] for c, name in enumerate("abcd")}
    assert (facts.n_samples, facts.n_spikes, facts.n_units) == (200, sum(totals), 24)
    assert facts.silent_units == 24 - len(set(trains.units.tolist())) >= 4
    assert facts.last_spike_us == max(trains.times_us)
    assert facts.spikes_per_sample == info.Spread(np.mean(totals), np.std(totals), min(totals), max(totals))
    assert facts.samples_per_class == {name: len(of) for name, of in by_class.items()}
    assert facts.spikes_per_class == pytest.approx({name: np.mean(of) for name, of in by_class.items()})
    assert facts.count_ratio == pytest.approx(np.mean(by_class["d"]) / np.mean(by_class["a"]))
    assert facts.samples_per_group == {"ann": 100, "bob": 100}
    assert facts.empty_samples == totals.count(0)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trains = made(60)
    doubled = trains[np.repeat(np.arange(60), 2)]
    whole = describe(doubled)
    assert whole.repeated_samples == 60
    for size in (1, 7, 100):
        for module in (info, copies):
            monkeypatch.setattr(module, "BLOCK_SPIKES", size)
        assert describe(doubled) == whole


def test_count_leak() -> None:
    """Planted: class means m_c and Poisson noise, so the class explains var(m) / (var(m) + mean(m))."""
    means = np.array([20.0, 30, 40, 50])
    expected = means.var() / (means.var() + means.mean())
    leak = describe(made(4000, rates=tuple(means))).count_leak
    assert leak == pytest.approx(expected, abs=0.03)
    assert "Spike counts leak the class" in " ".join(describe(made(4000, rates=tuple(means))).warnings)
    unleaked = [describe(made(80, seed=seed)) for seed in range(40)]
    assert np.mean([facts.count_leak for facts in unleaked]) < 0.03
    assert sum("leak" in " ".join(facts.warnings) for facts in unleaked) <= 4


def test_equal_counts_leak_nothing() -> None:
    trains = SpikeTrains.from_samples(
        [([k], [0]) for k in range(40)], labels=np.arange(40) % 2, n_units=1, duration_us=40
    )
    assert (describe(trains).count_leak, describe(trains).count_ratio) == (0.0, 1.0)


@pytest.mark.parametrize("step_us", [1, 50, 1000, 10_000])
@pytest.mark.parametrize("phase_us", [0, 3])
def test_grids_are_found(step_us: int, phase_us: int) -> None:
    trains = made(step_us=step_us)
    moved = replace(trains, times_us=trains.times_us + phase_us, duration_us=1_000_010)
    facts = describe(moved)
    assert facts.grid_us == step_us
    step = f"{step_us / 1000:g} ms" if step_us >= 1000 else f"{step_us} µs"
    assert f"time grid: {step}" in str(facts)
    assert any(f"multiples of {step}: nothing" in w for w in facts.warnings) == (step_us >= 1000)


def test_few_times_tell_no_grid() -> None:
    assert grid_us(np.array([1000, 3000, 5000], np.int32)) == 1
    assert grid_us(np.full(50, 7, np.int32)) == 1
    assert grid_us(np.zeros(0, np.int32)) == 1


def test_float16_is_named() -> None:
    trains = made()
    rounded = microseconds((trains.times_us / 1e6).astype(np.float16))
    facts = describe(replace(trains, times_us=rounded, duration_us=1_001_000))
    assert facts.float16
    assert facts.float16_step_us in (488.3, 976.6)  # of the octaves before and after 1 s
    assert facts.warnings[0].startswith("All times are float16 seconds, in steps of up to")
    assert not describe(trains).float16


def test_repeated_spikes_and_samples() -> None:
    samples = [
        ([5, 5, 5, 9], [1, 1, 1, 0]),  # two repeats
        ([5, 5, 9], [0, 1, 1]),  # the same time, other units
        ([5, 5, 9], [1, 0, 1]),  # the sample before in another order of units
        ([], []),
        ([], []),
        ([5], [1]),
        ([5], [0]),
    ]
    trains = SpikeTrains.from_samples(samples, labels=[0] * 7, n_units=2, duration_us=10)
    facts = describe(trains)
    assert (facts.repeated_spikes, facts.repeated_samples, facts.empty_samples) == (2, 1, 2)
    assert "2 spikes repeat another one" in str(facts)
    assert "1 samples are copies of an earlier one" in str(facts)
    assert "2 of 7 samples have no spikes" in str(facts)


def test_the_data_s_own_split() -> None:
    trains = made(100, groups=np.arange(100) // 10)
    leaking = trains[[*range(100), 0, 1]].with_meta(
        split=["test" if k >= 85 else "train" for k in range(102)]
    )
    facts = describe(leaking)
    assert facts.samples_per_part == {"train": 85, "test": 17}
    assert facts.repeated_samples == 2
    assert facts.leaks == (info.Leak("test", "train", copies=2, groups=2),)  # the one cut, and the copies'
    assert "2 of 17 test samples are copies of train samples." in facts.warnings
    assert "2 of 10 groups are in both the test and the train part." in facts.warnings
    assert "split: 85 train, 17 test" in str(facts)
    clean = describe(trains.with_meta(split=["test" if k >= 90 else "train" for k in range(100)]))
    assert clean.leaks == (info.Leak("test", "train", 0, 0),)
    assert describe(trains).samples_per_part == {} and describe(trains).leaks == ()


def test_parts_to_validate_on_are_looked_at_too() -> None:
    trains = made(60, groups=None)
    copied = trains[[*range(60), 0, 50, 50]]
    parts = ["train"] * 40 + ["valid"] * 10 + ["test"] * 10 + ["valid", "train", "valid"]
    facts = describe(copied.with_meta(split=parts))
    assert facts.samples_per_part == {"train": 41, "valid": 12, "test": 10}
    copies = {(leak.part, leak.other): leak.copies for leak in facts.leaks}
    assert copies == {("valid", "train"): 2, ("test", "train"): 1, ("test", "valid"): 1}
    assert "1 of 10 test samples are copies of valid samples." in facts.warnings


def test_auc_of_the_count_is_the_share_of_pairs() -> None:
    trains = made(120, rates=(10, 12, 14, 30), meta={"label_names": ["a", "b", "c", "d"]})
    facts = describe(trains)
    totals = trains.spikes_per_sample
    for label, name in enumerate("abcd"):
        own, others = totals[trains.labels == label], totals[trains.labels != label]
        won = np.mean((own[:, None] > others) + 0.5 * (own[:, None] == others))
        assert facts.count_auc_per_class[name] == pytest.approx(won)
    assert facts.count_auc_per_class["d"] > 0.98
    assert "AUC of the count" in str(facts)
    assert describe(trains[trains.labels == 0]).count_auc_per_class == {"a": 0.5}


def test_spikes_that_were_clipped_at_the_edges() -> None:
    trains = made()
    assert not any("clipped" in warning for warning in describe(trains).warnings)
    times = trains.times_us.copy()
    last = trains.offsets[1:] - 1
    times[last[np.diff(trains.offsets) > 0]] = 1_000_000
    facts = describe(replace(trains, times_us=times))
    assert facts.last_us_share == pytest.approx(200 / trains.n_spikes)
    assert any("exactly at the end of a sample: times may have been clipped" in w for w in facts.warnings)
    times = trains.times_us.copy()
    times[trains.offsets[:-1]] = 0
    assert any("exactly at time 0" in w for w in describe(replace(trains, times_us=times)).warnings)


def test_a_binned_recording_is_not_clipped() -> None:
    facts = describe(made(step_us=10_000))
    assert facts.first_us_share > 0.005
    assert not any("clipped" in warning for warning in facts.warnings)


def test_classes_with_few_samples_are_warned_of() -> None:
    assert "4 of 4 classes have fewer than 10 samples." in describe(made(20)).warnings


def test_sound_data_have_no_warnings() -> None:
    assert describe(made()).warnings == ()
    assert describe(made(meta={"derived": ["n_units"]})).derived == ("n_units",)


def test_data_without_samples_or_spikes() -> None:
    for n in (0, 3):
        trains = SpikeTrains([], [], [0] * (n + 1), np.arange(n), 2, 10)
        facts = describe(trains)
        assert (facts.n_samples, facts.n_spikes, facts.silent_units, facts.count_leak) == (n, 0, 2, 0.0)
        assert f"{n} samples of 10 µs, 0 spikes" in str(facts)
        asdict(facts)
