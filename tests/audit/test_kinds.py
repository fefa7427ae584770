import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from beyondrate import perturb, tasks
from beyondrate.audit.kinds import (
    KINDS,
    SETTINGS,
    exchange_spikes,
    exchange_trains,
    kind_features,
    probe_kinds,
)
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains

SIZES = (500, 150, 300)
DURATION_US = 1_000_000
quick = settings(max_examples=20, deadline=None, derandomize=True)


def from_times(times, labels):
    """Build from times in seconds, (sample, unit, spike), the same number of spikes for every unit."""
    n_units, n_spikes = times.shape[1:]
    units = np.repeat(np.arange(n_units), n_spikes)
    samples = [((t.ravel() * 1e6).astype(np.int64) % DURATION_US, units) for t in times]
    return SpikeTrains.from_samples(samples, labels=labels, n_units=n_units, duration_us=DURATION_US)


def only_isi(n, seed):
    return tasks.isi.generate(n, seed=seed, n_rates=1, min_pairs=10)


def only_synchrony(n, seed, n_units=12, n_together=4, n_alone=6):
    """The class is which unit is whose partner; partners fire some of their spikes within 1 ms."""
    partner = np.stack([np.random.default_rng(k).permutation(n_units) for k in range(3)]).reshape(3, -1, 2)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    times = rng.random((n, n_units, n_together + n_alone))
    first, second = partner[labels].transpose(2, 0, 1)
    rows = np.arange(n)[:, None]
    shared = times[rows, first, :n_together]
    times[rows, second, :n_together] = shared + rng.uniform(-0.001, 0.001, shared.shape)
    return from_times(times, labels)


def only_order(n, seed):
    return tasks.temporal_order.generate(n, seed=seed)


def only_lag(n, seed):
    return tasks.polychrony.generate(n, seed=seed, max_gap_ms=10)  # all lags within order's horizon


def only_onset(n, seed, n_units=20, n_alone=2):
    """Each unit fires once near a time that its class sets, with errors of 40 ms, and some times anywhere."""
    latency = np.random.default_rng(0).uniform(0.2, 0.8, (8, n_units))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 8, n)
    timed = latency[labels] + 0.04 * rng.standard_normal((n, n_units))
    times = np.concatenate([timed[:, :, None], rng.random((n, n_units, n_alone))], axis=2)
    return from_times(times, labels)


def only_counts(n, seed, n_units=20, spread=0.5):
    """Each unit fires at a rate that its class sets, more at the start of a sample than at its end."""
    rate = 10 * np.exp(spread * np.random.default_rng(0).standard_normal((4, n_units)))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    units = [np.repeat(np.arange(n_units), rng.poisson(rate[label])) for label in labels]
    samples = [((rng.beta(2, 4, len(u)) * DURATION_US).astype(np.int64), u) for u in units]
    return SpikeTrains.from_samples(samples, labels=labels, n_units=n_units, duration_us=DURATION_US)


def nothing(n, seed):
    return only_counts(n, seed, spread=0.0)


def probed(generate, seed=0):
    parts = [generate(n, 3 * seed + i) for i, n in enumerate(SIZES)]
    assert len(np.unique(parts[2].times_us)) >= 1000
    return parts[2], probe_kinds(*parts)


def p_value(correct, labels):
    chance = np.bincount(labels).max() / len(labels)
    return stats.binomtest(int(correct.sum()), len(correct), chance, alternative="greater").pvalue


@pytest.mark.parametrize(
    ("generate", "planted"),
    [
        (only_isi, "ISI"),
        (only_synchrony, "synchrony"),
        (only_order, "order"),
        (only_lag, "lag"),
    ],
)
def test_the_planted_kind_is_found_and_no_other(generate, planted):
    test, results = probed(generate)
    assert [result.kind for result in results] == list(KINDS)
    for result in results:
        if result.kind == planted:
            assert result.accuracy > 0.9
            assert p_value(result.correct_from_profile, test.labels) > 1e-4
        else:
            assert p_value(result.correct, test.labels) > 1e-4, result.kind


def test_latencies_are_named_onset_and_explain_what_follows_from_them():
    test, results = probed(only_onset)
    best = max(results, key=lambda result: result.accuracy)
    assert best.kind == "onset"
    assert best.accuracy > 0.9
    for result in results[2:]:  # synchrony, order, lag
        n_better = int((result.correct & ~result.correct_from_profile).sum())
        n_worse = int((~result.correct & result.correct_from_profile).sum())
        assert stats.binomtest(n_better, n_better + n_worse, alternative="greater").pvalue > 1e-4
    assert p_value(results[KINDS.index("lag")].correct, test.labels) < 1e-10


@pytest.mark.parametrize("generate", [only_counts, nothing])
@pytest.mark.parametrize("seed", range(3))
def test_no_kind_is_found_where_times_tell_nothing(generate, seed):
    test, results = probed(generate, seed)
    for result in results:
        assert p_value(result.correct, test.labels) > 1e-4, result.kind


def test_counts_that_no_kind_sees_do_tell_the_class():
    trains = only_counts(400, 0)
    totals = trains.counts()[:, 0]
    assert stats.f_oneway(*(totals[trains.labels == k] for k in range(4))).pvalue < 1e-10


def test_the_coincidence_task_is_named_synchrony():
    parts = [tasks.coincidence.generate(n, seed=i, mixing=0.5) for i, n in enumerate(SIZES)]
    results = probe_kinds(*parts)
    assert max(results, key=lambda result: result.accuracy).kind == "synchrony"
    assert results[2].accuracy > 0.9


def some_trains(seed, n=6, n_units=5, most=12, duration_us=300_000):
    rng = np.random.default_rng(seed)
    samples = [
        (rng.integers(0, duration_us // 10, k) * 10, rng.integers(0, n_units, k))
        for k in rng.integers(2, most * n_units, n)
    ]
    return SpikeTrains.from_samples(
        samples, labels=rng.integers(0, 2, n), n_units=n_units, duration_us=duration_us
    )


def values(trains, kind):
    return np.concatenate([kind_features(trains, kind, s).values for s in SETTINGS[kind][1]], axis=2)


@quick
@given(st.integers(0, 10_000))
def test_reversal_turns_order_round_and_leaves_synchrony_and_lag(seed):
    trains = some_trains(seed)
    backwards = perturb.reverse(trains)
    assert np.array_equal(values(backwards, "order"), -values(trains, "order"))
    for kind in ("synchrony", "lag"):
        assert values(trains, kind).any()
        assert np.array_equal(values(backwards, kind), values(trains, kind))


@quick
@given(st.integers(0, 10_000), st.integers(1, 100_000))
def test_only_onset_sees_when_a_sample_begins(seed, shift_us):
    trains = some_trains(seed)
    longer = SpikeTrains(
        trains.times_us, trains.units, trains.offsets, trains.labels, trains.n_units, 400_000
    )
    shifted = longer.with_spikes(longer.times_us + shift_us, longer.units, longer.offsets)
    for kind in ("ISI", "synchrony", "order", "lag"):
        assert np.array_equal(values(shifted, kind), values(longer, kind))


@quick
@given(st.integers(0, 10_000))
def test_isi_is_blind_to_other_units_and_the_exchanges_keep_what_they_say(seed):
    trains = some_trains(seed)
    by_train, by_spike = exchange_trains(trains, seed), exchange_spikes(trains, seed)
    assert np.array_equal(by_spike.counts(), trains.counts())
    for label in (0, 1):
        own = trains.labels == label
        for exchanged in (by_train, by_spike):  # the profile
            assert np.array_equal(
                values(exchanged, "onset")[own].sum(axis=0), values(trains, "onset")[own].sum(axis=0)
            )
        assert np.array_equal(
            values(by_train, "ISI")[own].sum(axis=0), values(trains, "ISI")[own].sum(axis=0)
        )


def test_exchanges_do_exchange():
    trains = some_trains(3)
    assert not np.array_equal(exchange_trains(trains, 0).counts(), trains.counts())
    assert not np.array_equal(exchange_spikes(trains, 0).times_us, trains.times_us)


def test_many_units_are_pooled_with_their_neighbours():
    rng = np.random.default_rng(0)
    samples = [(np.sort(rng.integers(0, DURATION_US, 900)), rng.integers(0, 100, 900)) for _ in range(3)]
    trains = SpikeTrains.from_samples(samples, labels=[0, 1, 0], n_units=100, duration_us=DURATION_US)
    onset = kind_features(trains, "onset", 5).values
    assert onset.shape == (3, 48, 5)
    group = np.arange(100) * 48 // 100
    pooled = np.stack([trains.counts()[:, group == g].sum(axis=1) for g in range(48)], axis=1)
    assert np.array_equal(onset.sum(axis=2), pooled)
    assert np.array_equal(kind_features(trains, "ISI", 2).counts[-1][:, :, 0], pooled)
    assert kind_features(trains, "lag", 5).values.shape == (3, 48 * 47 // 2, 12)


def test_a_single_unit_has_onset_and_isi_only():
    parts = [tasks.isi.generate(n, seed=i, n_rates=1, n_units=1) for i, n in enumerate((200, 60, 100))]
    accuracy = {result.kind: result.accuracy for result in probe_kinds(*parts)}
    assert accuracy["ISI"] > 0.8
    largest = np.bincount(parts[0].labels).argmax()
    assert accuracy["lag"] == (parts[2].labels == largest).mean()


def test_what_cannot_be_probed_is_refused():
    trains = some_trains(0)
    with pytest.raises(InputError, match="unknown kind of timing 'rhythm'"):
        probe_kinds(trains, trains, trains, kinds=["rhythm"])
    with pytest.raises(InputError, match="5 units"):
        probe_kinds(trains, trains, some_trains(0, n_units=6))
