from __future__ import annotations

import json
from collections import defaultdict
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from beyondrate import InputError, SpikeTrains, perturb
from beyondrate.ops import retime
from beyondrate.perturb import PERTURBATIONS

PROPERTY = settings(max_examples=40, deadline=None, derandomize=True)
LEVELS = {"fraction": [0.3, 1.0], "s": [0.0003, 0.05], None: [None]}
NAMES_AND_LEVELS = [(p.name, level) for p in PERTURBATIONS.values() for level in LEVELS[p.level_unit]]


@st.composite
def some_trains(draw):
    """A few samples of 100 ms, empty and single-spike ones among them, with ties of time."""
    n_units = draw(st.integers(1, 5))
    lengths = draw(st.lists(st.sampled_from([0, 1, 2, 5, 20]), min_size=1, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    grid = draw(st.sampled_from([1, 10_000]))
    samples = [(rng.integers(0, 100_000 // grid + 1, n) * grid, rng.integers(0, n_units, n)) for n in lengths]
    return SpikeTrains.from_samples(
        samples,
        labels=rng.integers(0, 2, len(lengths)),
        n_units=n_units,
        duration_us=100_000,
        groups=rng.integers(0, 3, len(lengths)),
        meta={"source": "a test"},
    )


def rich_trains():
    """Twenty samples of 1 s with about ten spikes for each of six units."""
    rng = np.random.default_rng(0)
    samples = [(rng.integers(0, 1_000_001, 60), rng.integers(0, 6, 60)) for _ in range(20)]
    return SpikeTrains.from_samples(samples, labels=np.arange(20) % 2, n_units=6, duration_us=1_000_000)


def repeated(times_us, n_samples, duration_us):
    """The same train of one unit in many samples."""
    samples = [(times_us, np.zeros(len(times_us), int))] * n_samples
    return SpikeTrains.from_samples(samples, labels=[0] * n_samples, n_units=1, duration_us=duration_us)


def as_dict(trains):
    """(sample, unit) -> sorted times."""
    found = defaultdict(list)
    spikes = zip(trains.sample_index.tolist(), trains.units.tolist(), trains.times_us.tolist(), strict=True)
    for sample, unit, time in spikes:
        found[sample, unit].append(time)
    return found


def count(trains):
    return {train: len(times) for train, times in as_dict(trains).items()}


def isi(trains):
    return {train: sorted(b - a for a, b in pairwise(times)) for train, times in as_dict(trains).items()}


def onset(trains):
    return {train: times[0] for train, times in as_dict(trains).items()}


def order(trains):
    return [
        trains[i].units[np.lexsort((trains[i].units, trains[i].times_us))].tolist()
        for i in range(len(trains))
    ]


def synchrony(trains):
    """(sample, unit, other unit) -> sorted lags |t - t'|."""
    return {
        (*a, b[1]): sorted(abs(t - s) for t in times for s in others)
        for (a, times), (b, others) in combinations(sorted(as_dict(trains).items()), 2)
        if a[0] == b[0]
    }


PROPERTIES = {"count": count, "ISI": isi, "onset": onset, "order": order, "synchrony": synchrony}


def unclipped(trains, changed):
    """The trains of the result without a spike at an edge, and the same trains before."""
    edges = {0, changed.duration_us}
    inside = {train for train, times in as_dict(changed).items() if not edges & {times[0], times[-1]}}
    return [{k: v for k, v in isi(x).items() if k in inside} for x in (trains, changed)]


@pytest.mark.parametrize(("name", "level"), NAMES_AND_LEVELS)
@PROPERTY
@given(some_trains(), st.integers(0, 1000))
def test_what_is_claimed_is_preserved(name, level, trains, seed):
    changed = perturb.apply(trains, name, level, seed)
    for claim in PERTURBATIONS[name].preserves:
        if claim == "ISI" and name == "jitter-unit":
            before, after = unclipped(trains, changed)
            assert after == before
        else:
            assert PROPERTIES[claim](changed) == PROPERTIES[claim](trains), claim


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_what_is_not_claimed_is_destroyed(name):
    trains = rich_trains()
    level = {"fraction": 0.5, "s": 0.05, None: None}[PERTURBATIONS[name].level_unit]
    changed = perturb.apply(trains, name, level, 1)
    for other in PROPERTIES.keys() - PERTURBATIONS[name].preserves:
        assert PROPERTIES[other](changed) != PROPERTIES[other](trains), other
    before, after = unclipped(trains, changed)
    assert len(after) > 60  # the test above has trains to look at that no edge has clipped
    assert ("ISI" in PERTURBATIONS[name].preserves) == (after == before)


@pytest.mark.parametrize(("name", "level"), NAMES_AND_LEVELS)
@PROPERTY
@given(some_trains(), st.integers(0, 1000))
def test_everything_else_is_as_before(name, level, trains, seed):
    arrays = trains.times_us.copy(), trains.units.copy(), trains.offsets.copy()
    changed = perturb.apply(trains, name, level, seed)
    assert trains.times_us.tobytes() == arrays[0].tobytes() and trains.units.tobytes() == arrays[1].tobytes()
    np.testing.assert_array_equal(trains.offsets, arrays[2])
    assert "history" not in trains.meta
    changed.with_spikes(changed.times_us, changed.units, changed.offsets)  # sorted, in range and consistent
    assert (changed.n_units, changed.duration_us) == (trains.n_units, trains.duration_us)
    np.testing.assert_array_equal(changed.labels, trains.labels)
    np.testing.assert_array_equal(changed.groups, trains.groups)
    assert changed.meta["source"] == "a test"
    again = perturb.apply(changed, name, level, seed)
    first, second = json.loads(json.dumps(again.meta["history"]))
    assert first == second
    assert (first["perturbation"], first["level"]) == (name, level)
    assert first["seed"] == (None if level is None else seed)
    assert changed.digest == perturb.apply(trains, name, level, seed).digest


@pytest.mark.parametrize("name", [p.name for p in PERTURBATIONS.values() if p.level_unit])
@PROPERTY
@given(trains=some_trains())
def test_level_0_changes_nothing(name, trains):
    assert perturb.apply(trains, name, 0, 3).digest == trains.digest


@pytest.mark.parametrize("name", [p.name for p in PERTURBATIONS.values() if p.level_unit])
def test_another_seed_gives_another_result_and_a_generator_goes_on(name):
    trains, rng = rich_trains(), np.random.default_rng(5)
    level = {"fraction": 0.5, "s": 0.05}[PERTURBATIONS[name].level_unit]
    results = [perturb.apply(trains, name, level, seed) for seed in (5, 6, rng, rng)]
    assert results[0].digest == results[2].digest
    assert len({result.digest for result in results}) == 3
    assert results[2].meta["history"][0]["seed"] is None


@pytest.mark.parametrize(("name", "level"), NAMES_AND_LEVELS)
def test_nothing_but_empty_samples(name, level):
    empty = SpikeTrains.from_samples([([], [])] * 2, labels=[0, 1], n_units=3, duration_us=100_000)
    for trains in (empty, empty[:0]):
        changed = perturb.apply(trains, name, level, 0)
        assert changed.n_spikes == 0
        assert len(changed) == len(trains)


@pytest.mark.parametrize("limit", ["BLOCK_SPIKES", "BLOCK_TRAINS"])
@pytest.mark.parametrize(("name", "level"), NAMES_AND_LEVELS)
def test_working_in_blocks_does_not_show(name, level, limit, monkeypatch):
    trains = rich_trains()
    whole = perturb.apply(trains, name, level, 0)
    for module in (perturb, retime):
        monkeypatch.setattr(module, limit, 20, raising=False)
    in_blocks = perturb.apply(trains, name, level, 0)
    if name == "replace":  # draws several kinds of numbers in turn: another result, but as good a one
        assert count(in_blocks) == count(whole)
        assert in_blocks.digest != trains.digest
    else:
        assert in_blocks.digest == whole.digest


# replace


@PROPERTY
@given(some_trains(), st.floats(0, 1), st.integers(0, 1000))
def test_replace_moves_exactly_the_stated_number_of_each_train(trains, level, seed):
    changed = as_dict(perturb.replace(trains, level, seed))
    for train, times in as_dict(trains).items():
        kept = len(times) - int(np.floor(level * len(times) + 1e-9))
        before, after = (np.unique(x, return_counts=True) for x in (times, changed[train]))
        shared = np.minimum(before[1][np.isin(before[0], after[0])], after[1][np.isin(after[0], before[0])])
        # A new spike may fall on a microsecond that a removed one has left.
        assert kept <= shared.sum() <= len(times)
        assert len(changed[train]) == len(times)


def test_replace_counts_as_printed_although_floats_round():
    trains = repeated(np.arange(100) * 2, 1, 100_000_000)
    moved = np.setdiff1d(perturb.replace(trains, 0.29, 0).times_us, trains.times_us)
    assert len(moved) == 29  # 0.29 * 100 = 28.999999999999996


def test_stochastic_rounding_has_the_right_mean_where_the_floor_does_nothing():
    trains = repeated([100, 200], 20_000, 100_000_000)
    assert perturb.replace(trains, 0.4, 0).digest == trains.digest
    changed = perturb.replace(trains, 0.4, 0, rounding="stochastic")
    moved = (changed.times_us.reshape(-1, 2) > 200).sum(axis=1)
    assert set(np.unique(moved)) == {0, 1}
    assert stats.binomtest(int(moved.sum()), len(moved), 0.8).pvalue > 1e-4


def test_rounding_is_chosen_by_name_too_and_down_unless_it_is():
    trains = repeated([100, 200], 50, 100_000)
    assert perturb.apply(trains, "replace", 0.4, 0).digest == trains.digest
    by_name = perturb.apply(trains, "replace", 0.4, 0, rounding="stochastic")
    assert by_name.digest == perturb.replace(trains, 0.4, 0, rounding="stochastic").digest != trains.digest


def test_replace_takes_every_spike_equally_often_and_puts_it_anywhere():
    times = np.array([100_000, 200_000, 300_000, 400_000])
    changed = as_dict(perturb.replace(repeated(times, 10_000, 1_000_000), 0.5, 1))
    stayed = np.array([np.isin(times, changed[i, 0]) for i in range(10_000)])
    subsets = np.unique(stayed[stayed.sum(axis=1) == 2], axis=0, return_counts=True)[1]
    assert len(subsets) == 6
    assert stats.chisquare(subsets).pvalue > 1e-4
    new = np.setdiff1d(np.concatenate(list(changed.values())), times)
    assert len(new) > 19_000
    assert stats.kstest(new, stats.uniform(0, 1_000_000).cdf).pvalue > 1e-4


def test_replaced_spikes_take_free_bins():
    trains = repeated(np.arange(0, 100, 10), 200, 100)
    changed = perturb.replace(trains, 0.5, 0, dt_s=10e-6)
    np.testing.assert_array_equal(changed.dense(10e-6), 1.0)  # ten bins for ten spikes
    assert changed.digest != trains.digest
    all_new = perturb.replace(repeated(np.arange(6), 200, 6), 1.0, 0)
    np.testing.assert_array_equal(all_new.times_us, np.tile(np.arange(6), 200))
    with pytest.raises(InputError, match="unit 0 of sample 0 has 10 spikes, but there are only 5 bins"):
        perturb.replace(trains, 0.5, 0, dt_s=20e-6)


# jitter


def test_jitter_is_gaussian_and_independent_from_spike_to_spike():
    sigma_s = 0.002
    trains = repeated(np.arange(1, 20) * 50_000, 1000, 1_000_000)
    shift = (perturb.jitter(trains, sigma_s, 2).times_us - trains.times_us).reshape(1000, 19)
    assert stats.kstest(shift.ravel(), stats.norm(0, sigma_s * 1e6).cdf).pvalue > 1e-4
    z = np.corrcoef(shift[:, :-1].ravel(), shift[:, 1:].ravel())[0, 1] * np.sqrt(18_000)
    assert abs(z) < 3.9


def test_jitter_clips_at_both_edges():
    trains = repeated([0, 1000], 4000, 1000)
    times = perturb.jitter(trains, 0.0001, 0).times_us.reshape(-1, 2)
    for at_edge in (times[:, 0] == 0, times[:, 1] == 1000):
        assert stats.binomtest(int(at_edge.sum()), 4000, 0.5 + 0.5 * 0.004).pvalue > 1e-4


@pytest.mark.parametrize("jitter", [perturb.jitter, perturb.jitter_unit])
@pytest.mark.parametrize("sigma_s", [0.005, 0.02, 0.1])
def test_the_share_that_is_clipped_is_what_jitter_clips(jitter, sigma_s):
    rng = np.random.default_rng(0)
    samples = [(rng.integers(1000, 60_000, 20), rng.integers(0, 20, 20)) for _ in range(8_000)]
    trains = SpikeTrains.from_samples(samples, labels=[0] * 8_000, n_units=20, duration_us=100_000)
    at_edges = np.isin(jitter(trains, sigma_s, 0).times_us, [0, 100_000]).mean()
    assert perturb.clipped_share(trains, sigma_s) == pytest.approx(at_edges, abs=0.005)


def test_more_jitter_clips_more_and_no_spikes_are_never_clipped():
    shares = [perturb.clipped_share(rich_trains(), sigma_s) for sigma_s in np.geomspace(1e-6, 1, 30)]
    assert shares == sorted(shares) and shares[0] < 0.02 and 0.6 < shares[-1] < 1
    empty = SpikeTrains.from_samples([([], [])], labels=[0], n_units=1, duration_us=1000)
    assert perturb.clipped_share(empty, 0.001) == 0


@PROPERTY
@given(some_trains(), st.sampled_from([None, 0.002]), st.integers(0, 1000))
def test_nearest_free_leaves_no_collision_and_moves_only_what_collides(trains, dt_s, seed):
    changed = perturb.jitter(trains, 0.003, seed, collisions="nearest_free", dt_s=dt_s)
    kept = perturb.jitter(trains, 0.003, seed)
    assert count(changed) == count(trains)
    width = 1 if dt_s is None else 2000
    last = 100_000 // width - 1
    for train, times in as_dict(changed).items():
        bins = [min(time // width, last) for time in times]
        assert len(set(bins)) == len(bins)
        if dt_s is None:  # with one microsecond a bin, hardly a spike collides
            assert len(set(times) & set(as_dict(kept)[train])) == len(set(as_dict(kept)[train]))


def test_nearest_free_refuses_what_cannot_fit_and_dt_without_it():
    trains = repeated(np.arange(10), 1, 100)
    with pytest.raises(InputError, match="10 spikes, but there are only 5 bins of 20 µs"):
        perturb.jitter(trains, 1e-5, 0, collisions="nearest_free", dt_s=20e-6)
    with pytest.raises(InputError, match="give dt_s only with nearest_free"):
        perturb.jitter(trains, 1e-5, 0, dt_s=20e-6)


def test_jitter_unit_has_one_gaussian_shift_a_train():
    samples = [([400_000, 500_000, 450_000, 600_000], [0, 0, 1, 1])] * 4000
    trains = SpikeTrains.from_samples(samples, labels=[0] * 4000, n_units=2, duration_us=1_000_000)
    onsets = onset(perturb.jitter_unit(trains, 0.002, 3))
    shift = np.array([(onsets[i, 0] - 400_000, onsets[i, 1] - 450_000) for i in range(4000)])
    assert stats.kstest(shift.ravel(), stats.norm(0, 2000).cdf).pvalue > 1e-4
    assert abs(np.corrcoef(shift.T)[0, 1]) * np.sqrt(4000) < 3.9


def test_jitter_sample_is_the_part_of_the_gaussian_that_fits():
    trains = repeated([2000, 8000], 5000, 12_000)
    shift = perturb.jitter_sample(trains, 0.003, 0).times_us.reshape(-1, 2) - [2000, 8000]
    np.testing.assert_array_equal(shift[:, 0], shift[:, 1])
    fitting = stats.truncnorm(-2 / 3, 4 / 3, 0, 3000)
    assert stats.kstest(shift[:, 0], fitting.cdf).pvalue > 1e-4
    full = repeated([0, 12_000], 10, 12_000)
    assert perturb.jitter_sample(full, 0.003, 0).digest == full.digest


# delete and reverse


def test_delete_is_binomial():
    trains = repeated(np.arange(1000, 13_000, 1000), 5000, 13_000)
    changed = perturb.delete(trains, 0.3, 4)
    kept = np.bincount(changed.spikes_per_sample, minlength=13)
    expected = 5000 * stats.binom(12, 0.7).pmf(np.arange(13))
    rare = expected < 10
    observed, expected = (np.append(x[~rare], x[rare].sum()) for x in (kept, expected))
    assert stats.chisquare(observed, expected).pvalue > 1e-4
    assert stats.chisquare(np.unique(changed.times_us, return_counts=True)[1]).pvalue > 1e-4
    assert as_dict(changed).keys() <= as_dict(trains).keys()
    assert perturb.delete(trains, 1.0, 0).n_spikes == 0


@PROPERTY
@given(some_trains())
def test_reverse_mirrors_each_active_window_and_is_an_involution(trains):
    changed = perturb.reverse(trains)
    for i in range(len(trains)):
        if trains.spikes_per_sample[i]:
            old, new = trains[i], changed[i]
            mirrored = old.times_us[0] + old.times_us[-1] - old.times_us
            assert sorted(zip(mirrored, old.units, strict=True)) == sorted(
                zip(new.times_us, new.units, strict=True)
            )
    assert perturb.reverse(changed).digest == trains.digest


def test_a_single_spike_is_its_own_reversal():
    trains = repeated([70], 3, 100)
    assert perturb.reverse(trains).digest == trains.digest


# what is refused


@pytest.mark.parametrize(
    ("name", "level", "says"),
    [
        ("replace", 1.1, "the level of replace is 1.1; give a fraction from 0 to 1"),
        ("replace", -0.1, "the level of replace is -0.1"),
        ("delete", float("nan"), "the level of delete is nan"),
        ("jitter", -0.001, "the sigma of jitter is -0.001 s"),
        ("jitter", 25, "the sigma of jitter is 25 s, outside the samples' 0 to 1 s; give seconds"),
        ("jitter-unit", float("inf"), "the sigma of jitter-unit is inf s"),
        ("jitter-sample", float("nan"), "the sigma of jitter-sample is nan s"),
        ("jitter", None, "jitter needs a level; give seconds"),
        ("delete", None, "delete needs a level; give a fraction"),
        ("reverse", 0.5, "reverse has no level, but 0.5 was given"),
        ("shuffle", 0.5, "no perturbation 'shuffle'; take one of replace, jitter, jitter-unit"),
    ],
)
def test_bad_levels_and_names_are_refused(name, level, says):
    with pytest.raises(InputError) as refusal:
        perturb.apply(rich_trains(), name, level, 0)
    assert says in str(refusal.value)


def test_bad_options_are_refused():
    trains = rich_trains()
    with pytest.raises(InputError, match="rounding is 'up'"):
        perturb.replace(trains, 0.5, 0, rounding="up")
    with pytest.raises(InputError, match="collisions is 'merge'"):
        perturb.jitter(trains, 0.01, 0, collisions="merge")


def test_the_registry_describes_what_it_holds():
    assert list(PERTURBATIONS) == ["replace", "jitter", "jitter-unit", "jitter-sample", "delete", "reverse"]
    for name, perturbation in PERTURBATIONS.items():
        assert perturbation.name == name
        assert perturbation.preserves <= PROPERTIES.keys()
        assert perturbation.summary.endswith(".")


def test_the_longest_duration_and_more_units_than_uint16_holds():
    duration_us, n_units = 2**31 - 1, 2**16 + 1
    samples = [([5, duration_us - 5], [n_units - 1, 0]), ([duration_us // 2, 9], [7, 70_000 % n_units])]
    trains = SpikeTrains.from_samples(samples, labels=[0, 1], n_units=n_units, duration_us=duration_us)
    for name in ("replace", "jitter", "jitter-unit"):
        changed = perturb.apply(trains, name, 1.0, 0)
        assert count(changed) == count(trains)
        assert changed.digest != trains.digest
