from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from typer.testing import CliRunner

from beyondrate import InputError, SpikeTrains, storage, variants
from beyondrate.cli import app
from beyondrate.variants import certificate, norm, part

PROPERTY = settings(max_examples=50, deadline=None, derandomize=True)


def trains_of_counts(counts, labels, *, duration_us=10_000, seed=0, **more):
    """Trains with the given counts (samples, units) at random times; groups are the samples' numbers."""
    rng = np.random.default_rng(seed)
    samples = [
        (rng.integers(0, duration_us + 1, sum(row)), np.repeat(np.arange(len(row)), row)) for row in counts
    ]
    return SpikeTrains.from_samples(
        samples,
        labels=labels,
        n_units=len(counts[0]),
        duration_us=duration_us,
        groups=np.arange(len(counts)),
        **more,
    )


@st.composite
def uneven_data(draw):
    """Counts around theta, so that units and samples are kept and dropped, and rules that drop some."""
    n_samples, n_units = draw(st.integers(12, 40)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    each = [0, 0, 2, 2, 3, 3]  # no sample has label 1
    labels = np.concatenate([each, rng.choice(each, n_samples - 12), each])
    # Some samples are poor in all units, so that units ask for the same samples to be dropped.
    counts = rng.poisson(rng.uniform(3, 9, n_units) * rng.choice([0.3, 1, 1, 1], (n_samples, 1)))
    rules = {
        "theta": draw(st.integers(1, 3)),
        "epsilon": draw(st.sampled_from([0.01, 0.1, 0.3, 1.0])),
        "min_class_share": draw(st.sampled_from([0.25, 0.5, 0.8])),
    }
    return trains_of_counts(counts, labels, seed=rng), rules


def selected_by_hand(counts, labels, theta, epsilon, min_class_share):
    """The steps of the paper word by word: sets and loops."""
    n_samples, n_units = counts.shape
    low = {unit: {s for s in range(n_samples) if counts[s, unit] < theta} for unit in range(n_units)}
    dropped = set()
    for size, unit in sorted((len(low[unit]), unit) for unit in range(n_units)):
        if size / n_samples < epsilon:
            after = dropped | low[unit]
            left = [sum(labels[s] == c and s not in after for s in range(n_samples)) for c in set(labels)]
            whole = [sum(labels[s] == c for s in range(n_samples)) for c in set(labels)]
            if all(a / b >= min_class_share for a, b in zip(left, whole, strict=True)):
                dropped = after
    rich = set(range(n_samples)) - dropped
    return rich, [unit for unit in range(n_units) if not low[unit] & rich]


def spikes_of(trains, sample):
    return list(zip(trains[sample].times_us.tolist(), trains[sample].units.tolist(), strict=True))


def both(trains, **arguments):
    try:
        return part(trains, **arguments), norm(trains, **arguments)
    except InputError as error:
        assume("no unit" not in str(error) and "no held-out" not in str(error))
        raise


@PROPERTY
@given(uneven_data(), st.integers(0, 100))
def test_the_selection_is_the_one_of_the_paper(data, seed):
    trains, rules = data
    counts, labels = trains.counts(), trains.labels
    rich, units = selected_by_hand(counts, labels.tolist(), **rules)
    if not units:
        with pytest.raises(InputError, match="no unit"):
            part(trains, **rules, seed=seed)
        return
    parted = part(trains, **rules, seed=seed)
    report = parted.meta["variant"]
    assert report["kept_units"] == units
    assert set(report["kept_samples"]) <= rich
    by_class = {row["class"]: row for row in report["per_class"]}
    smallest = min(sum(labels[s] == c for s in rich) for c in (0, 2, 3))
    assert list(by_class) == ["0", "2", "3"]
    for c in (0, 2, 3):
        n_rich = sum(labels[s] == c for s in rich)
        assert by_class[str(c)] == {
            "class": str(c),
            "before": (labels == c).sum(),
            "dropped_filter": (labels == c).sum() - n_rich,
            "dropped_balance": n_rich - smallest,
            "after": smallest,
        }
        assert (parted.labels == c).sum() == smallest
    assert report["c_min"] == counts[report["kept_samples"]][:, units].min(axis=0).tolist()
    assert report["n_train"] == len(parted) == 3 * smallest


@PROPERTY
@given(uneven_data(), st.integers(0, 100), st.sampled_from([None, 0.001]))
def test_part_holds_the_data_and_norm_a_subset_with_constant_counts(data, seed, bin_s):
    trains, rules = data
    parted, normed = both(trains, **rules, seed=seed, bin_s=bin_s)
    report = normed.meta["variant"]
    assert report == {**parted.meta["variant"], "name": "norm"}
    assert json.loads(json.dumps(report)) == report
    for variant in (parted, normed):
        np.testing.assert_array_equal(variant.groups, report["kept_samples"])
        np.testing.assert_array_equal(variant.labels, trains.labels[report["kept_samples"]])
        assert (variant.n_units, variant.duration_us) == (len(report["kept_units"]), trains.duration_us)
    new_number = {unit: number for number, unit in enumerate(report["kept_units"])}
    for i, original in enumerate(report["kept_samples"]):
        there = [(t, new_number[u]) for t, u in spikes_of(trains, original) if u in new_number]
        if bin_s is not None:  # ten bins of 1 ms; the spike at the very end belongs to the last one
            first = {(min(t // 1000, 9), u): (t, u) for t, u in reversed(there)}
            there = sorted(first.values(), key=there.index)
        assert spikes_of(parted, i) == there
        assert set(spikes_of(normed, i)) <= set(there)
    np.testing.assert_array_equal(normed.counts(), np.tile(report["c_min"], (len(normed), 1)))
    assert min(report["c_min"]) >= rules["theta"]
    proof = certificate(normed, parted)
    assert proof.counts_identical and proof.spikes_are_a_subset and proof.classes_equal
    assert proof.holds == proof.no_class_below_half == (proof.violations == ())
    assert proof.holds or rules["min_class_share"] < 0.5


@PROPERTY
@given(uneven_data(), st.integers(0, 100))
def test_split_train_looks_at_training_samples_only(data, seed):
    trains, rules = data
    labels = trains.labels
    train = np.arange(len(trains)) % 3 != 2
    train[:6], train[-6:] = True, False
    parted, normed = both(trains, **rules, split="train", train=train, seed=seed)
    report = normed.meta["variant"]
    n_train, kept = report["n_train"], np.array(report["kept_samples"])

    alone = part(trains[train], **rules, seed=seed).meta["variant"]
    assert alone["kept_units"] == report["kept_units"]
    assert alone["c_min"] == report["c_min"]
    assert alone["per_class"] == report["per_class"]
    assert np.flatnonzero(train)[alone["kept_samples"]].tolist() == kept[:n_train].tolist()

    assert not train[kept[n_train:]].any()
    enough = (trains.counts()[:, report["kept_units"]] >= report["c_min"]).all(axis=1) & ~train
    assert enough[kept[n_train:]].all()
    for c, row in zip((0, 2, 3), report["per_class_held_out"], strict=True):
        n_enough = (enough & (labels == c)).sum()
        assert row["before"] == (~train & (labels == c)).sum()
        assert row["dropped_filter"] == row["before"] - n_enough
        assert (row["dropped_balance"], row["after"]) == (0, n_enough)
        assert (normed.labels[n_train:] == c).sum() == n_enough >= 1
    np.testing.assert_array_equal(normed.counts(), np.tile(report["c_min"], (len(normed), 1)))
    proof = certificate(normed, parted)
    assert proof.holds == proof.no_class_below_half


def test_an_example_worked_by_hand():
    counts = np.full((10, 4), 5)
    counts[3, 0] = 1  # unit 0 is low in one sample: sample 3 goes
    counts[[3, 7], 1] = 0  # unit 1 in two, one of which is gone: sample 7 goes
    counts[[0, 1], 2] = 1  # unit 2 in two more, which would leave class 0 two of five: it is rejected
    counts[[2, 3, 7], 3] = 1  # unit 3 in three, which is not below 0.3: it is not even visited
    counts[8, 0], counts[9, 0], counts[4, 1] = 2, 3, 4
    trains = trains_of_counts(counts, [0] * 5 + [1] * 5, meta={"label_names": ["left", "right"]})
    normed = norm(trains, epsilon=0.3)
    report = normed.meta["variant"]
    assert report["kept_units"] == [0, 1]
    assert report["per_class"] == [
        {"class": "left", "before": 5, "dropped_filter": 1, "dropped_balance": 0, "after": 4},
        {"class": "right", "before": 5, "dropped_filter": 1, "dropped_balance": 0, "after": 4},
    ]
    assert sorted(report["kept_samples"]) == [0, 1, 2, 4, 5, 6, 8, 9]
    assert report["c_min"] == [2, 4]
    assert certificate(normed, part(trains, epsilon=0.3)).holds


def test_units_low_in_equally_many_samples_are_visited_in_order():
    counts = np.full((8, 3), 5)
    counts[[0, 1], 1] = 0  # both would go one by one, but each leaves only two of class 0
    counts[[2, 3], 2] = 0
    counts[0, 0] = 2
    trains = trains_of_counts(counts, [0] * 4 + [1] * 4)
    assert part(trains, epsilon=0.5).meta["variant"]["kept_units"] == [0, 1]


def test_counts_tell_the_class_before_and_cannot_after():
    rng = np.random.default_rng(1)
    labels = np.arange(400) % 2
    rates = np.where(labels[:, None] == np.arange(10) % 2, 14, 9)
    trains = trains_of_counts(rng.poisson(rates), labels, meta={"split": ["train", "test"] * 200})

    def accuracy_from_counts(data):
        half = len(data) // 2
        counts, labels = data.counts(), data.labels
        centres = np.stack([counts[:half][labels[:half] == c].mean(axis=0) for c in (0, 1)])
        distance = np.square(counts[half:, None] - centres).sum(axis=2)
        return (distance.argmin(axis=1) == labels[half:]).mean()

    parted, normed = part(trains, epsilon=0.05), norm(trains, epsilon=0.05)
    assert accuracy_from_counts(trains) > 0.9
    assert accuracy_from_counts(parted) > 0.9
    assert certificate(normed, parted).holds
    assert normed.n_units == 10 and len(normed) > 300
    assert len(np.unique(normed.counts(), axis=0)) == 1  # one and the same input for every sample
    assert stats.binomtest(int(normed.labels[: len(normed) // 2].sum()), len(normed) // 2).pvalue > 1e-4
    assert normed.meta["split"] == [trains.meta["split"][s] for s in normed.meta["variant"]["kept_samples"]]


def test_norm_draws_every_choice_of_spikes_equally_often():
    counts = [[2]] * 2 + [[5]] * 20_000
    trains = trains_of_counts(counts, [0, 1] * 10_001, duration_us=10)
    samples = [([1, 2, 3, 4, 5][:n], [0] * n) for (n,) in counts]
    trains = SpikeTrains.from_samples(samples, labels=trains.labels, n_units=1, duration_us=10)
    normed = norm(trains)
    rich = np.array(normed.meta["variant"]["kept_samples"]) >= 2
    chosen = (2 ** normed.times_us.reshape(-1, 2)[rich]).sum(axis=1)
    seen = np.unique(chosen, return_counts=True)[1]
    assert len(seen) == 10
    assert stats.chisquare(seen).pvalue > 1e-4


def test_the_order_of_the_samples_tells_nothing_of_class_or_origin():
    labels = np.append(np.zeros(4000, int), np.ones(1000, int))
    kept = part(trains_of_counts(np.full((5000, 1), 2), labels)).meta["variant"]["kept_samples"]
    assert (len(kept), len(set(kept))) == (2000, 2000)
    first_half = np.isin(np.arange(5000), kept[:1000])
    for chosen, size in ((first_half[4000:].sum(), 1000), (first_half[:2000].sum(), 2000)):
        expected = 0.5 if size == 1000 else 0.125
        assert stats.binomtest(int(chosen), size, expected).pvalue > 1e-4


def test_seeds_and_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    trains = trains_of_counts(rng.poisson(8, (60, 5)), np.arange(60) % 3)
    arguments = {"epsilon": 0.1, "bin_s": 0.0005}
    expected = norm(trains, **arguments, seed=4)
    assert norm(trains, **arguments, seed=4).digest == expected.digest
    assert norm(trains, **arguments, seed=5).digest != expected.digest
    assert norm(trains, **arguments, seed=np.random.default_rng(4)).digest == expected.digest
    for limit in ("_BLOCK_SPIKES", "_BLOCK_TRAINS"):
        with monkeypatch.context() as small:
            small.setattr(variants, limit, 50)
            assert norm(trains, **arguments, seed=4).digest == expected.digest


def test_spikes_in_one_bin_count_once():
    samples = [([0, 999, 1000, 9500, 10_000], [0] * 5), ([0, 1, 2500, 2501, 9000], [0] * 5)]
    trains = SpikeTrains.from_samples(samples, labels=[0, 1], n_units=1, duration_us=10_000)
    parted = part(trains, bin_s=0.001)
    kept = {label: trains.times_us.tolist() for label, trains in zip(parted.labels, parted, strict=True)}
    assert kept == {0: [0, 1000, 9500], 1: [0, 2500, 9000]}


# the certificate


def norm_and_part():
    trains = trains_of_counts(np.random.default_rng(0).poisson(9, (60, 4)), np.arange(60) % 2)
    return both(trains, epsilon=0.2)[::-1]


def test_a_spike_too_few_is_named():
    normed, parted = norm_and_part()
    keep = np.arange(normed.n_spikes) != 0
    offsets = np.maximum(normed.offsets - 1, 0)
    short = normed.with_spikes(normed.times_us[keep], normed.units[keep], offsets)
    proof = certificate(short, parted)
    assert not proof.counts_identical and proof.spikes_are_a_subset and not proof.holds
    c_min = normed.counts()[0, normed.units[0]]
    assert proof.violations == (
        "1 of 4 units do not have the same count in every sample: "
        f"unit {normed.units[0]} has {c_min - 1} to {c_min} spikes",
    )


@pytest.mark.parametrize("change", ["time", "repeated"])
def test_a_spike_that_part_lacks_is_named(change):
    normed, parted = norm_and_part()
    times, units = normed.times_us.copy(), normed.units.copy()
    if change == "time":
        times[0] = 0
    else:  # the same spike twice
        times[1], units[1] = times[0], units[0]
    proof = certificate(normed.with_spikes(times, units, normed.offsets), parted)
    assert not proof.spikes_are_a_subset
    expected = f"the spike of unit {units[0]} at {times[0]} µs in sample 0 of norm is not in part"
    assert expected in proof.violations


def test_other_samples_unequal_classes_and_halved_classes_are_named():
    trains = trains_of_counts(np.full((60, 4), 9), np.arange(60) % 2)
    assert certificate(norm(trains, seed=1), part(trains, seed=2)).violations == (
        "norm and part do not hold the same samples in the same order",
    )
    normed, parted = norm(trains), part(trains)
    most = np.flatnonzero(np.arange(60) != np.argmax(normed.labels))
    assert certificate(normed[most], parted).violations[-1] == "the classes have 29 to 30 training samples"

    counts = np.full((60, 4), 9)
    counts[:40:2, 0] = 0  # twenty of the thirty samples of class 0
    trains = trains_of_counts(counts, np.arange(60) % 2)
    rules = {"epsilon": 0.5, "min_class_share": 0.3}
    proof = certificate(norm(trains, **rules), part(trains, **rules))
    assert not proof.no_class_below_half
    assert proof.violations == ("the filter has dropped 20 of the 30 samples of class 0",)


def test_a_certificate_needs_a_norm_and_a_part():
    normed, parted = norm_and_part()
    with pytest.raises(InputError, match="part is given as norm"):
        certificate(parted, normed)
    with pytest.raises(InputError, match="whole is given as part"):
        certificate(normed, trains_of_counts([[3]], [0]))


# what is refused


def test_data_that_cannot_make_a_norm_are_refused_with_the_remedy():
    counts = np.full((50, 2), 5)
    counts[[0, 1, 2], 0] = 1
    counts[[3, 4, 5, 6], 1] = 1
    trains = trains_of_counts(counts, np.arange(50) % 2)
    with pytest.raises(InputError) as refusal:
        norm(trains)
    assert str(refusal.value) == (
        "no unit has 2 spikes or more in each of the 50 samples that remain (the best unit has fewer in "
        "6.00% of all samples); lower theta, merge units that lie together, or raise epsilon above 0.0600"
    )
    assert norm(trains, epsilon=0.0601).n_units == 1
    assert norm(trains, theta=1).n_units == 2
    with pytest.raises(
        InputError, match="lower theta, merge units that lie together, or lower min_class_share"
    ):
        norm(trains, epsilon=0.5, min_class_share=1)


def test_a_class_that_is_lost_is_refused():
    counts = np.full((40, 2), 5)
    counts[30::2] = 4  # every held-out sample of class 0 lacks a spike
    train = np.arange(40) < 30
    trains = trains_of_counts(counts, np.arange(40) % 2, meta={"label_names": ["low", "high"]})
    with pytest.raises(
        InputError, match="class low has no held-out sample with the spikes that norm needs; hold"
    ):
        norm(trains, split="train", train=train)
    assert len(norm(trains)) == 40
    with pytest.raises(InputError, match="no training sample has the label 1 of some held-out ones"):
        norm(trains, split="train", train=trains.labels == 0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"theta": 0}, "theta is 0; give a whole number of spikes"),
        ({"theta": 1.5}, "theta is 1.5"),
        ({"epsilon": -0.1}, "epsilon is -0.1"),
        ({"epsilon": float("nan")}, "epsilon is nan"),
        ({"min_class_share": 0}, "min_class_share is 0"),
        ({"bin_s": -1}, "bin is -1 s"),
        ({"split": "test"}, "split is 'test'"),
        ({"train": np.ones(4, bool)}, "train is given with split='pooled'"),
        ({"split": "train"}, "train is object of shape () for 4 samples"),
        ({"split": "train", "train": [0, 1, 2]}, "train is int64 of shape (3,) for 4 samples"),
        ({"split": "train", "train": np.ones(4, bool)}, "train marks 4 of 4 samples"),
        ({"split": "train", "train": np.zeros(4, bool)}, "train marks 0 of 4 samples"),
    ],
)
def test_bad_arguments_are_refused(arguments, says):
    trains = trains_of_counts(np.full((4, 2), 5), [0, 1, 0, 1])
    for variant in (part, norm):
        with pytest.raises(InputError) as refusal:
            variant(trains, **arguments)
        assert says in str(refusal.value)


def test_no_samples_are_refused():
    with pytest.raises(InputError, match="there are no samples"):
        part(trains_of_counts([[3]], [0])[:0])


# more data than memory


def same(found, expected):
    assert found.digest == expected.digest
    assert json.dumps(dict(found.meta)) == json.dumps(dict(expected.meta))


@pytest.mark.parametrize("layout", ["h5", "shd", "npz"])
@pytest.mark.parametrize("make", [part, norm])
@pytest.mark.parametrize("bin_s", [None, 0.0005])
def test_a_stream_from_a_file_is_byte_for_byte_what_memory_gives(tmp_path, monkeypatch, layout, make, bin_s):
    rng = np.random.default_rng(0)
    meta = {"label_names": ["a", "b", "c"], "split": ["train", "test"] * 30}
    trains = trains_of_counts(rng.poisson(8, (60, 5)), np.minimum(np.arange(60) % 4, 2), meta=meta)
    source = tmp_path / f"whole.{layout}"
    storage.save(trains, source, format=layout)
    arguments = {"epsilon": 0.1, "bin_s": bin_s, "seed": 4}
    expected = make(storage.load(source), **arguments)
    storage.save(expected, tmp_path / "expected.h5")
    assert 0 < expected.n_spikes < trains.n_spikes
    told = []
    for n_spikes in (1 << 20, 50):  # all at once, and a few samples at a time
        monkeypatch.setattr(variants, "_BLOCK_SPIKES", n_spikes)
        told.clear()
        with storage.opened(source) as file:
            made = variants.stream(
                make.__name__, file, **arguments, progress=lambda *facts: told.append(facts)
            )
            assert (len(made), made.n_spikes) == (len(expected), expected.n_spikes)
            storage.save(made, tmp_path / "found.h5")
        same(storage.load(tmp_path / "found.h5"), expected)
        assert (tmp_path / "found.h5").read_bytes() == (tmp_path / "expected.h5").read_bytes()
        assert told[-1] == (len(expected), len(expected), "writing samples")
        assert (60, 60, "counting spikes") in told
        with storage.opened(source) as file:
            same(make(file, **arguments), expected)
        with storage.opened(source) as file:
            storage.save(variants.stream(make.__name__, file, **arguments), tmp_path / "found.npz")
        same(storage.load(tmp_path / "found.npz"), expected)


def test_the_command_streams_too(tmp_path):
    trains = trains_of_counts(np.random.default_rng(0).poisson(20, (60, 5)), np.arange(60) % 3)
    source, target = tmp_path / "whole.npz", tmp_path / "norm.h5"
    storage.save(trains, source)
    done = CliRunner().invoke(app, ["variant", "norm", str(source), str(target), "--bin", "0.001"])
    assert done.exit_code == 0, done.output
    same(storage.load(target), norm(trains, bin_s=0.001))
    assert f"norm.h5: {len(norm(trains, bin_s=0.001))} samples, " in done.stdout


def test_the_command_takes_thresholds_and_where_they_come_from(tmp_path):
    rng = np.random.default_rng(0)
    parts = ["train"] * 30 + ["valid"] * 10 + ["test"] * 20
    counts = rng.poisson(8, (60, 5))
    counts[40:] += 3  # thresholds of all samples would not be those of the training samples
    trains = trains_of_counts(counts, np.arange(60) % 3, meta={"split": parts})
    source, target = tmp_path / "whole.h5", tmp_path / "norm.h5"
    storage.save(trains, source)
    rules = {"theta": 1, "epsilon": 0.3, "min_class_share": 0.25}
    options = [word for name, value in rules.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    words = ["variant", "norm", str(source), str(target), *options]
    done = CliRunner().invoke(app, [*words, "--split", "train"])
    assert done.exit_code == 0, done.output
    expected = norm(trains, **rules, split="train", train=np.array(parts) != "test")
    same(storage.load(target), expected)
    assert expected.digest != norm(trains, **rules).digest
    assert "held out after" in done.stdout
    done = CliRunner().invoke(app, [*words, "--split", "pooled", "--force"])
    assert done.exit_code == 0 and "held out" not in done.stdout
    same(storage.load(target), norm(trains, **rules))


@pytest.mark.parametrize(("split", "said"), [("train", "no test part"), ("some", "split is 'some'")])
def test_the_command_refuses_thresholds_of_no_part(tmp_path, split, said):
    trains = trains_of_counts(np.full((12, 3), 9), np.arange(12) % 3)
    storage.save(trains, tmp_path / "whole.h5")
    words = ["variant", "part", str(tmp_path / "whole.h5"), str(tmp_path / "part.h5"), "--split", split]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, InputError) and said in str(done.exception)
    assert not (tmp_path / "part.h5").exists()


def test_memory_holds_a_part_of_the_data_only(tmp_path, monkeypatch):
    trains = trains_of_counts(np.full((600, 20), 200), np.arange(600) % 2)  # 14 MB of spikes
    source = tmp_path / "whole.h5"
    storage.save(trains, source)
    size = trains.times_us.nbytes + trains.units.nbytes
    monkeypatch.setattr(variants, "_BLOCK_SPIKES", 1 << 15)
    monkeypatch.setattr(storage.h5, "_CHUNK", 1 << 15)

    def peak(work):
        tracemalloc.start()
        work()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    def stream(name):
        with storage.opened(source) as file:
            storage.save(variants.stream(name, file), tmp_path / "made.h5")

    stream("part")  # compiles
    assert peak(lambda: stream("part")) < size / 3
    assert peak(lambda: stream("norm")) < size / 3
    assert peak(lambda: part(storage.load(source))) > size


def test_a_damaged_chunk_of_a_stream_is_refused(tmp_path):
    trains = trains_of_counts(np.full((60, 20), 200), np.arange(60) % 2)
    source = tmp_path / "whole.h5"
    storage.save(trains, source)
    whole = bytearray(source.read_bytes())
    whole[whole.index(trains.times_us[100:120].tobytes()) + 5] ^= 16
    source.write_bytes(whole)
    with storage.opened(source) as file, pytest.raises(InputError, match=r"whole\.h5: cannot be read"):
        variants.stream("norm", file)


# the published sets


def published_rasters(trains, n_bins=100, longest_s=1.4, in_batch=256):
    """The rasters that Yu, Sun and Goodman's script makes: whole batches only, edges that span 1.4 s."""
    n_samples = len(trains) // in_batch * in_batch
    rasters = np.zeros((n_samples, trains.n_units, n_bins), dtype=bool)
    edges = np.linspace(0, longest_s, n_bins)
    for sample in range(n_samples):
        one = trains[sample]
        column = np.minimum(np.digitize(one.times_us / 1e6, edges), n_bins - 1)
        rasters[sample, one.units, column] = True
    return rasters


def published_selection(counts, labels, share):
    """Its choice: all samples that any nearly good unit asks for, units that always spike, equal classes."""
    low = counts < 2
    asking = (low.mean(axis=0) <= share) & low.any(axis=0)
    remaining = ~low[:, asking].any(axis=1)
    units = np.flatnonzero(counts[remaining].min(axis=0) > 0)
    return remaining, units, np.bincount(labels[remaining]).min(), counts[remaining].min(axis=0)[units]


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_the_sizes_of_the_published_script_are_reached(seed):
    rng = np.random.default_rng(seed)
    n_samples, n_units = 300, 40
    rates = np.linspace(5, 30, n_units) * rng.lognormal(0, 0.5, (n_samples, 1))
    middle = np.arange(99) * 1.4 / 99 + 0.007  # of the columns, where rounding the edges to µs moves no spike
    samples = []
    for row in rng.poisson(rates):
        units = np.repeat(np.arange(n_units), row)
        samples.append((np.rint(rng.choice(middle, len(units)) * 1e6).astype(int), units))
    trains = SpikeTrains.from_samples(
        samples, labels=np.arange(n_samples) % 4, n_units=n_units, duration_us=1_400_000
    )
    rasters = published_rasters(trains)
    assert len(rasters) == 256 and not rasters[:, :, 0].any()
    counts = rasters.sum(axis=2)
    remaining, units, smallest, c_min = published_selection(counts, trains.labels[:256], 0.02)
    assert 0 < (~remaining).sum() < 100 and (c_min == 1).any() and (c_min > 2).any()

    script = {"epsilon": np.nextafter(0.02, 1), "fewest": 1, "min_class_share": 1e-9, "bin_s": 0.014141}
    made = norm(trains[:256], **script)
    report = made.meta["variant"]
    assert report["kept_units"] == units.tolist()
    assert (len(made), made.n_units) == (4 * smallest, len(units))
    assert set(report["kept_samples"]) <= set(np.flatnonzero(remaining).tolist())
    assert sum(row["dropped_filter"] for row in report["per_class"]) == (~remaining).sum()
    assert (report["c_min"] >= c_min).all()  # ours: of the balanced samples, theirs: of all that remain
    paper = norm(trains[:256], epsilon=0.02, bin_s=0.014141)
    assert paper.meta["variant"]["kept_units"] == units[c_min >= 2].tolist()  # Eq. 8 wants two spikes
