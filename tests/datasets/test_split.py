from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from beyondrate.datasets.split import Split, groups_met, leaks, make_split
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains

few = settings(max_examples=80, deadline=None, derandomize=True)


def labelled(labels: object, groups: object = None, **meta: object) -> SpikeTrains:
    labels = np.asarray(labels, np.int64)
    n = len(labels)
    return SpikeTrains([], [], np.zeros(n + 1, int), labels, 1, 1000, groups=groups, meta=meta)


def assert_divides(split: Split, trains: SpikeTrains) -> None:
    """The parts are ascending, share no sample, leave none out; what is tested was trained."""
    parts = [split.train, split.validation, split.test]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(trains)))
    for part in parts:
        assert part.dtype == np.int64
        assert np.all(np.diff(part) > 0)
    assert set(trains.labels[split.train]) == set(trains.labels)
    for part, name in ((split.test, "Test"), (split.validation, "Validation")):
        assert len(part)
        assert f"{name}: " in split.protocol
        assert str(len(part)) in split.protocol


labels_of_each = st.lists(st.sampled_from([3, 5, 40, 900]), min_size=60, max_size=200)
seeds = st.integers(0, 1000)


@few
@given(labels_of_each, seeds)
def test_without_groups_each_class_is_divided(labels: list[int], seed: int) -> None:
    sizes = np.unique(labels, return_counts=True)[1]
    assume(len(sizes) > 1 and sizes.min() >= 3)
    trains = labelled(labels)
    split = make_split(trains, seed=seed)
    assert_divides(split, trains)
    for label, size in zip(*np.unique(labels, return_counts=True), strict=True):
        for part, share in ((split.test, 0.2), (split.validation, 0.15)):
            n = np.count_nonzero(trains.labels[part] == label)
            assert n == max(1, round(share * size)) or (size < 7 and n == 1)
    assert "each class in proportion (the data have no groups)" in split.protocol


@few
@given(st.integers(3, 12), st.integers(2, 5), seeds, st.data())
def test_three_groups_or_more_are_held_out_whole(
    n_groups: int, n_classes: int, seed: int, data: st.DataObject
) -> None:
    takes = data.draw(st.lists(st.integers(1, 9), min_size=n_groups, max_size=n_groups))
    groups = np.repeat(np.arange(n_groups) * 7 - 3, np.array(takes) * n_classes)
    labels = np.concatenate([np.tile(np.arange(n_classes), n) for n in takes])
    shuffle = np.random.default_rng(seed).permutation(len(labels))
    trains = labelled(labels[shuffle], groups[shuffle])
    split = make_split(trains, seed=seed)
    assert_divides(split, trains)
    parts = [split.train, split.validation, split.test]
    held = [set(trains.groups[part].tolist()) for part in parts]
    assert sum(len(h) for h in held) == n_groups == len(set.union(*held))
    for part in parts:
        assert set(trains.labels[part]) == set(range(n_classes))
    assert f"of {len(held[2])} of {n_groups} groups, held out whole" in split.protocol


def test_shares_are_about_reached_with_many_groups_of_unequal_size() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 60, 40)
    groups = np.repeat(np.arange(40), 2 * sizes)
    labels = np.tile([0, 1], sizes.sum())
    trains = labelled(labels, groups)
    tests = set()
    for seed in range(10):
        split = make_split(trains, seed=seed)
        assert abs(len(split.test) / len(trains) - 0.2) < 0.03
        assert abs(len(split.validation) / len(trains) - 0.15) < 0.03
        tests.add(tuple(split.test))
    assert len(tests) == 10


def test_one_large_group_trains() -> None:
    groups = np.repeat([0, 1, 2, 3], [900, 30, 30, 40])
    trains = labelled(np.arange(1000) % 2, groups)
    for seed in range(20):
        assert 0 in set(trains.groups[make_split(trains, seed=seed).train])


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ([0] * 30 + [1] * 30, "2 groups cannot be held out whole"),
        ([4] * 60, "1 group cannot be held out whole"),
        # class 0 in group 0 alone: no other group can test it
        ([0] * 30 + [1] * 10 + [2] * 10 + [3] * 10, "no division by whole groups was found that has every"),
    ],
)
def test_groups_that_cannot_be_held_out_are_said_so(groups: list[int], why: str) -> None:
    trains = labelled([0] * 30 + [1] * 30, groups)
    split = make_split(trains, seed=0)
    assert_divides(split, trains)
    assert why in split.protocol
    assert len(split.test) == 12


@pytest.mark.parametrize(("test", "train"), [("test", "train"), (1, 0), (True, False)])
def test_the_test_part_that_the_data_name(test: object, train: object) -> None:
    rng = np.random.default_rng(0)
    is_test = rng.random(400) < 0.3
    groups = np.where(is_test & (rng.random(400) < 0.5), 99, rng.integers(0, 5, 400))
    named = [test if t else train for t in is_test]
    trains = labelled(rng.integers(0, 4, 400), groups, split=named)
    split = make_split(trains, seed=3)
    assert_divides(split, trains)
    np.testing.assert_array_equal(split.test, np.flatnonzero(is_test))
    assert not set(groups[split.validation]) & set(groups[split.train])
    assert "samples that the data name (5 of their 6 groups also have samples outside" in split.protocol
    assert "of 1 of 6 groups, held out whole" in split.protocol


def test_validation_is_stratified_where_the_rest_has_no_groups() -> None:
    labels = np.arange(100) % 4
    named = ["test" if k >= 60 else "train" for k in range(100)]
    split = make_split(labelled(labels, split=named), seed=0)
    assert np.bincount(labels[split.validation]).tolist() == [2, 2, 2, 2]


def test_a_split_without_test_samples_names_none() -> None:
    trains = labelled(np.arange(40) % 2, split=["train"] * 40)
    assert len(make_split(trains, seed=0).test) == 8


def test_seeds() -> None:
    trains = labelled(np.arange(200) % 2, np.arange(200) // 10)
    first, again, other = (make_split(trains, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.test, again.test)
    np.testing.assert_array_equal(first.validation, again.validation)
    assert first.protocol == again.protocol
    assert not np.array_equal(first.test, other.test)
    drawn = make_split(trains, seed=np.random.default_rng(5))
    np.testing.assert_array_equal(first.test, drawn.test)


def test_two_samples_a_class_are_enough_if_one_class_has_more() -> None:
    trains = labelled([0, 0, 1, 1, 2, 2, 2])
    split = make_split(trains, seed=0)
    assert_divides(split, trains)
    assert set(trains.labels[split.test]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("trains", "message"),
    [
        (labelled([]), "there are 0 samples of 0 classes; give samples of two classes"),
        (labelled([2, 2, 2]), "there are 3 samples of 1 class; give"),
        (labelled([0, 0, 0, 5]), "class 5 has one sample; give each class two or more"),
        (labelled([0, 0, 0, 1], label_names=["a", "bee"]), "class bee has one sample"),
        (labelled([0, 0, 1, 1]), "no sample is left to validate on"),
        (
            labelled([0, 0, 0, 1, 1], split=["train", "train", "train", "test", "test"]),
            "class 1 has no sample to train on",
        ),
        (labelled([0, 0, 1, 1], split=["test"] * 4), "no sample is left to validate on"),
        (labelled([0, 0, 1, 1], split=["train", "valid", "x", "test"]), "meta's split holds 'x'; give"),
        (labelled([0, 0, 1, 1] * 2, split=["train", "valid"] * 4), "names samples to validate on and none"),
    ],
)
def test_data_that_cannot_be_divided(trains: SpikeTrains, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_split(trains, seed=0)


@pytest.mark.parametrize("shares", [(0, 0.1), (0.5, 0.5), (0.2, -0.1), (float("nan"), 0.1)])
def test_shares_that_leave_nothing(shares: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="test share is"):
        make_split(labelled([0, 1] * 9), seed=0, test_share=shares[0], validation_share=shares[1])


def test_the_parts_that_the_data_name() -> None:
    named = ["train"] * 20 + ["valid"] * 6 + ["test"] * 14
    trains = labelled(np.arange(40) % 2, np.arange(40) % 5, split=named)
    split = make_split(trains, seed=0)
    assert_divides(split, trains)
    assert (split.train[-1], split.validation.tolist(), split.test[0]) == (19, list(range(20, 26)), 26)
    assert "5 of their 5 groups also have samples outside" in split.protocol
    assert "Validation: the 6 samples that the data name." in split.protocol


@pytest.mark.parametrize(
    ("n_samples", "sizes"), [(5460, (3276, 819, 819)), (40390, (24234, 6058, 6059)), (40, (24, 6, 6))]
)
def test_the_published_split(n_samples: int, sizes: tuple[int, int, int]) -> None:
    """The sizes are those that the authors' loader prints for the published files."""
    trains = labelled(np.arange(n_samples) % 4)
    split = make_split(trains, seed=0, protocol="yu2025")
    assert (len(split.train), len(split.validation), len(split.test)) == sizes
    in_order = np.concatenate([split.train, split.validation, split.test])
    np.testing.assert_array_equal(in_order, np.arange(sum(sizes)))
    assert f"{n_samples - sum(sizes)} samples are not used" in split.protocol
    assert "do not tell their speakers" in split.protocol
    assert "pooled norm come from the test samples" in split.protocol


def test_the_published_split_counts_the_speakers_on_both_sides() -> None:
    groups = np.arange(100) % 3
    groups[75:90] = np.arange(15) % 5
    split = make_split(labelled(np.arange(100) % 2, groups), seed=0, protocol="yu2025")
    assert "3 of the 5 groups tested on are also trained on" in split.protocol


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(InputError, match="protocol is 'legacy'; choose from held-out, yu2025"):
        make_split(labelled([0, 1] * 9), seed=0, protocol="legacy")  # type: ignore[arg-type]


def distinct(patterns: list[int], labels: object, groups: object = None, **meta: object) -> SpikeTrains:
    """Samples of one spike each: those of one pattern are copies of each other."""
    samples = [([pattern], [0]) for pattern in patterns]
    return SpikeTrains.from_samples(
        samples, labels=labels, groups=groups, n_units=1, duration_us=10_000, meta=meta
    )


def patterns_on_two_sides(split: Split, patterns: np.ndarray) -> set[int]:
    train, validation, test = (
        set(patterns[part].tolist()) for part in (split.train, split.validation, split.test)
    )
    return train & validation | train & test | validation & test


@few
@given(st.lists(st.integers(1, 6), min_size=30, max_size=80), seeds)
def test_copies_stay_together(repeats: list[int], seed: int) -> None:
    patterns = np.repeat(np.arange(len(repeats)), repeats)
    patterns = np.random.default_rng(seed).permutation(patterns)
    trains = distinct(patterns.tolist(), patterns % 3)
    split = make_split(trains, seed=seed)
    assert_divides(split, trains)
    assert not patterns_on_two_sides(split, patterns)
    assert leaks(trains, split) == ()
    for part, share in ((split.test, 0.2), (split.validation, 0.15)):
        assert abs(len(part) / len(trains) - share) < 0.12
        assert set(trains.labels[part]) == {0, 1, 2}


def test_a_sample_that_is_there_many_times_does_not_fill_the_test_part() -> None:
    patterns = np.array([0] * 500 + [*range(1, 100)])
    for seed in range(20):
        split = make_split(distinct(patterns.tolist(), patterns % 2), seed=seed)
        assert not patterns_on_two_sides(split, patterns)
        assert 0 in patterns[split.train]


def test_groups_with_copies_of_each_other_stay_together() -> None:
    groups = np.arange(240) // 24
    patterns = np.arange(240)
    patterns[24] = 0  # group 1 holds a copy of a sample of group 0, group 2 of one of group 1
    patterns[48] = 25
    for seed in range(10):
        trains = distinct(patterns.tolist(), np.arange(240) % 2, groups)
        split = make_split(trains, seed=seed)
        sides = [set(groups[part]) for part in (split.train, split.validation, split.test)]
        assert sum(len(side) for side in sides) == 10
        assert sum(bool({0, 1, 2} & side) for side in sides) == 1
        assert leaks(trains, split) == ()


def test_groups_are_held_out_even_where_all_hold_copies_of_each_other() -> None:
    patterns = [0, *range(1, 20)] * 5
    groups = np.arange(100) // 20
    trains = distinct(patterns, np.arange(100) % 2, groups)
    split = make_split(trains, seed=0)
    assert not set(groups[split.test]) & set(groups[split.train])
    assert leaks(trains, split) == (
        "For 20 of 20 test samples, one with the same spikes trains or validates: a model may know them "
        "by heart.",
    )


def test_a_class_of_too_few_different_samples_is_still_divided() -> None:
    trains = distinct([7, 8] * 20, [0, 1] * 20)
    split = make_split(trains, seed=0)
    assert_divides(split, trains)
    assert leaks(trains, split)[0].startswith("For 8 of 8 test samples, one with the same spikes")


def test_it_is_said_how_many_test_samples_are_of_groups_that_train() -> None:
    trains = distinct(list(range(60)), np.arange(60) % 2, np.arange(60) % 2)
    (said,) = leaks(trains, make_split(trains, seed=0))
    assert said.startswith("For 12 of 12 test samples, others of the same group (speaker, subject) train")
    assert "of 12 the group has one class" in said
    assert groups_met(trains, make_split(trains, seed=0)) == ()


def test_groups_that_do_not_tell_the_class_are_no_leak_where_they_are_met_again() -> None:
    named = ["test" if k < 10 else "train" for k in range(60)]
    groups = [5] * 4 + [9] * 6 + [5] * 20 + [6] * 30
    trains = distinct([59, *range(1, 60)], np.arange(60) % 2, groups, split=named)
    split = make_split(trains, seed=0)
    (copied,) = leaks(trains, split)
    assert copied.startswith("For 1 of 10 test samples, one")
    (met,) = groups_met(trains, split)
    assert met.startswith("For 4 of 10 test samples, others") and "only the other 6 show" in met
