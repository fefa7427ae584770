import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from beyondrate import perturb, tasks
from beyondrate.audit.kind_features import KINDS, SETTINGS, counts_differ, kind_features
from beyondrate.audit.kinds import exchange_spikes, exchange_trains, probe_kinds
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


def p_value(predictions, labels):
    correct = predictions == labels
    chance = np.bincount(labels).max() / len(labels)
    return stats.binomtest(int(correct.sum()), len(correct), chance, alternative="greater").pvalue


def accuracy(result, test):
    return (result.predictions == test.labels).mean()


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
            assert accuracy(result, test) > 0.9
            assert p_value(result.from_profile, test.labels) > 1e-4
        else:
            assert p_value(result.predictions, test.labels) > 1e-4, result.kind


def test_latencies_are_named_onset_and_explain_what_follows_from_them():
    test, results = probed(only_onset)
    best = max(results, key=lambda result: accuracy(result, test))
    assert best.kind == "onset"
    assert accuracy(best, test) > 0.9
    for result in results[2:]:  # synchrony, order, lag
        correct, from_profile = result.predictions == test.labels, result.from_profile == test.labels
        n_better, n_worse = int((correct & ~from_profile).sum()), int((~correct & from_profile).sum())
        assert stats.binomtest(n_better, n_better + n_worse, alternative="greater").pvalue > 1e-4
    assert p_value(results[KINDS.index("lag")].predictions, test.labels) < 1e-10


@pytest.mark.parametrize("generate", [only_counts, nothing])
@pytest.mark.parametrize("seed", range(3))
def test_no_kind_is_found_where_times_tell_nothing(generate, seed):
    test, results = probed(generate, seed)
    for result in results:
        assert p_value(result.predictions, test.labels) > 1e-4, result.kind


def test_counts_that_no_kind_sees_do_tell_the_class():
    trains = only_counts(400, 0)
    totals = trains.counts()[:, 0]
    assert stats.f_oneway(*(totals[trains.labels == k] for k in range(4))).pvalue < 1e-10


def test_the_coincidence_task_is_named_synchrony():
    parts = [tasks.coincidence.generate(n, seed=i, mixing=0.5) for i, n in enumerate(SIZES)]
    results = probe_kinds(*parts)
    assert max(results, key=lambda result: accuracy(result, parts[2])).kind == "synchrony"
    assert accuracy(results[2], parts[2]) > 0.9


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
    return np.concatenate([kind_features([trains], kind, s)[0].values for s in SETTINGS[kind][1]], axis=2)


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
    onset = kind_features([trains], "onset", 5)[0].values
    assert onset.shape == (3, 48, 5)
    group = np.arange(100) * 48 // 100
    pooled = np.stack([trains.counts()[:, group == g].sum(axis=1) for g in range(48)], axis=1)
    assert np.array_equal(onset.sum(axis=2), pooled)
    assert np.array_equal(kind_features([trains], "ISI", 2)[0].counts[-1][:, :, 0], pooled)
    assert kind_features([trains], "lag", 5)[0].values.shape == (3, 48 * 47 // 2, 12)


def mixed_pools(times_of, n_units=96):
    """Classes differ in which of two neighbours, which are pooled, spikes more; not in when each one does."""

    def generate(n, seed):
        rng = np.random.default_rng(seed)
        samples = []
        for label in np.arange(n) % 2:
            counts = rng.poisson(4 + 2 * (np.arange(n_units) % 2 == label))
            units = np.repeat(np.arange(n_units), counts)
            times = times_of(rng, units, n_units).clip(0, 0.999_999)
            samples.append(((times * DURATION_US).astype(int), units))
        return SpikeTrains.from_samples(
            samples, labels=np.arange(n) % 2, n_units=n_units, duration_us=DURATION_US
        )

    return generate


def early_and_late(rng, units, n_units):
    return np.where(units % 2, rng.beta(5, 2, len(units)), rng.beta(2, 5, len(units)))


def at_events(rng, units, after):
    """At one of twelve times, which all units of a sample share, and so much after it, within 1 ms."""
    return (
        rng.uniform(0.1, 0.9, 12)[rng.integers(0, 12, len(units))] + after + rng.normal(0, 0.0005, len(units))
    )


def together_and_alone(rng, units, n_units):
    return np.where(units % 2, rng.random(len(units)), at_events(rng, units, 0.0))


def first_and_last(rng, units, n_units):
    return at_events(rng, units, np.where((units % 2) == (units < n_units // 2), 0.004, 0.0))


def sooner_and_later(rng, units, n_units):
    return at_events(rng, units, np.where(units < n_units // 2, 0.0, np.where(units % 2, 0.04, 0.02)))


@pytest.mark.parametrize(
    ("kind", "times_of"),
    [
        ("onset", early_and_late),
        ("synchrony", together_and_alone),
        ("order", first_and_last),
        ("lag", sooner_and_later),
    ],
)
def test_no_kind_is_found_where_only_the_counts_of_pooled_units_tell(kind, times_of):
    generate = mixed_pools(times_of)
    parts = [generate(n, seed) for seed, n in enumerate((400, 150, 300))]
    (result,) = probe_kinds(*parts, kinds=[kind])
    assert p_value(result.predictions, parts[2].labels) > 1e-4


def test_what_is_foretold_of_pools_adds_up_to_what_the_training_samples_have():
    trains = mixed_pools(early_and_late, n_units=60)(20, 0)
    for kind, (_, choices) in SETTINGS.items():
        (features,) = kind_features([trains], kind, choices[-1])
        if kind != "ISI":
            np.testing.assert_allclose(
                features.foretold.sum(axis=0), features.values.sum(axis=0), rtol=1e-4, atol=1e-3
            )


@pytest.mark.parametrize("n_units", [20, 60])
def test_counts_differ_unless_each_unit_has_one_count_in_all_samples(n_units):
    differ = mixed_pools(early_and_late, n_units=n_units)(6, 0)
    alike = from_times(np.random.default_rng(0).random((6, n_units, 4)), np.arange(6) % 2)
    assert counts_differ([differ]) and not counts_differ([alike])
    assert counts_differ([alike, differ])


@pytest.mark.parametrize("n_units", [20, 60])
def test_counts_do_not_show_in_the_rounding_of_what_they_foretell(n_units):
    """Each unit spikes in one bin only, so that its count is all there is in that bin."""

    def generate(n, seed):
        rng = np.random.default_rng(seed)
        labels = np.arange(n) % 2
        all_units = np.arange(n_units)
        units = [np.repeat(all_units, rng.poisson(6 + 3 * (all_units % 2 == k))) for k in labels]
        samples = [((u % 5) * 200_000 + rng.integers(90_000, 110_000, len(u)), u) for u in units]
        return SpikeTrains.from_samples(samples, labels=labels, n_units=n_units, duration_us=DURATION_US)

    parts = [generate(n, seed) for seed, n in enumerate((400, 150, 300))]
    (result,) = probe_kinds(*parts, kinds=["onset"])
    assert p_value(result.predictions, parts[2].labels) > 1e-4


def test_a_single_unit_has_onset_and_isi_only():
    parts = [tasks.isi.generate(n, seed=i, n_rates=1, n_units=1) for i, n in enumerate((200, 60, 100))]
    found = {result.kind: accuracy(result, parts[2]) for result in probe_kinds(*parts)}
    assert found["ISI"] > 0.8
    largest = np.bincount(parts[0].labels).argmax()
    assert found["lag"] == (parts[2].labels == largest).mean()


def test_what_cannot_be_probed_is_refused():
    trains = some_trains(0)
    with pytest.raises(InputError, match="unknown kind of timing 'rhythm'"):
        probe_kinds(trains, trains, trains, kinds=["rhythm"])
    with pytest.raises(InputError, match="5 units"):
        probe_kinds(trains, trains, some_trains(0, n_units=6))
