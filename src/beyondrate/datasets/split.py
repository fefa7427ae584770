"""How samples are divided into those that train, those that choose, and those that are looked at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Bool, Int64

from beyondrate.datasets.copies import first_alike
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains

_Part: TypeAlias = Bool[np.ndarray, " samples"]
_Numbers: TypeAlias = Int64[np.ndarray, " samples"]
Protocol = Literal["held-out", "yu2025"]
_TRIES = 200  # random orders of the groups that are looked at
_ENOUGH = 20  # orders with every class in every part; the one nearest to the shares is taken


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of the samples of each part, ascending, and a sentence that says how they were chosen."""

    train: Int64[np.ndarray, " train"]
    validation: Int64[np.ndarray, " validation"]
    test: Int64[np.ndarray, " test"]
    protocol: str


def make_split(
    trains: SpikeTrains,
    *,
    seed: int | np.random.Generator,
    test_share: float = 0.2,
    validation_share: float = 0.15,
    protocol: Protocol = "held-out",
) -> Split:
    """Divide the samples: by the data's own test part, else by whole groups, else stratified by class.

    Where meta["split"] names test samples ("test" or 1, the others "train" or 0), these are the test part,
    and the validation share is that of the others, or the samples that it names "valid". Else, where there
    are three groups or more (speakers, subjects), no group is in two parts and every class is in each. Else
    each class is divided at random. Validation follows the same rule. Every choice belongs to it, and none to
    the test part. Samples with the same spikes stay together, wherever the data and their groups leave a
    choice; ``leaks`` says what a split could not keep apart.

    Args:
        trains: samples with labels.
        seed: of every choice.
        test_share: share of the samples to test on; whole groups reach it about.
        validation_share: share of the samples to validate on.
        protocol: "held-out", as above, or "yu2025", as the loader published with Yu, Sun and Goodman (2025)
            does it, to compare with their figures: the first 60 % of the samples train, the next 15 %
            validate, the next 15 % test, the rest is not used. No share and no seed matters there.

    Raises:
        InputError: if there are fewer than two classes, or a class has fewer than two samples, or the parts
            that result cannot train, validate and test, or the protocol is unknown.

    Example:
        >>> samples = [([100 + k], [0]) for k in range(12)]
        >>> trains = SpikeTrains.from_samples(samples, labels=[0, 1] * 6, groups=[0, 0, 1, 1, 2, 2] * 2,
        ...                                   n_units=1, duration_us=1000)
        >>> split = make_split(trains, seed=0, test_share=0.3, validation_share=0.3)
        >>> set(trains.groups[split.test]) & set(trains.groups[split.train])
        set()
        >>> split.protocol.split(". ")[0]
        'Test: 4 samples of 1 of 3 groups, held out whole'
    """
    if protocol not in get_args(Protocol):
        raise InputError(f"protocol is {protocol!r}", remedy=f"choose from {', '.join(get_args(Protocol))}")
    _check_classes(trains)
    if protocol == "yu2025":
        return _by_index(trains)
    _check_shares(test_share, validation_share)
    rng = np.random.default_rng(seed)
    test, validation = named_samples(trains, "test"), named_samples(trains, "valid")
    if validation.any():
        if not test.any():
            raise InputError(
                "meta's split names samples to validate on and none to test on",
                remedy='name some "test", or all "train"',
            )
        return _named(trains, validation, test)
    if test.any():
        (validation,), why_not_groups = _divided(trains, ~test, (validation_share,), rng)
        how_test = f"the {test.sum()} samples that the data name{_groups_on_both_sides(trains, test)}"
    else:
        (test, validation), why_not_groups = _divided(trains, ~test, (test_share, validation_share), rng)
        how_test = _how(trains, test, why_not_groups)
    training = ~test & ~validation
    _check_parts(trains, training, validation)
    how_validation = _how(trains, validation, why_not_groups)
    how = f"Test: {how_test}. Validation: {how_validation}. Training: the other {training.sum()}."
    return _split(training, validation, test, how)


def leaks(trains: SpikeTrains, split: Split) -> tuple[str, ...]:
    """Say which test samples a model may know by something else than their class, one sentence a reason.

    Example:
        >>> samples = [([100 + k // 2], [0]) for k in range(8)]  # each sample twice
        >>> trains = SpikeTrains.from_samples(samples, labels=[0, 1] * 4, n_units=1, duration_us=1000,
        ...                                   meta={"split": ["train"] * 4 + ["valid"] + ["test"] * 3})
        >>> leaks(trains, make_split(trains, seed=0))[0].split(":")[0]
        'For 1 of 3 test samples, one with the same spikes trains or validates'
    """
    known = np.concatenate([split.train, split.validation])
    n_test = f"{len(split.test):,} test samples"
    alike = first_alike(trains)
    found = []
    n_met, n_told = _groups_met(trains, split)
    if n_told:
        found.append(
            f"For {n_met:,} of {n_test}, others of the same group (speaker, subject) train or validate, "
            f"and of {n_told:,} the group has one class: a model may know the group instead of the class, "
            "and nothing is shown for groups it has not met."
        )
    if n_copies := np.isin(alike[split.test], alike[known]).sum():
        found.append(
            f"For {n_copies:,} of {n_test}, one with the same spikes trains or validates: a model may know "
            "them by heart."
        )
    return tuple(found)


def groups_met(trains: SpikeTrains, split: Split) -> tuple[str, ...]:
    """Say of how many test samples the group was met in training, where groups do not tell the class.

    Example:
        >>> trains = SpikeTrains.from_samples([([k], [0]) for k in range(8)], labels=[0, 1] * 4,
        ...                                   groups=[0, 0, 1, 1] * 2, n_units=1, duration_us=1000,
        ...                                   meta={"split": ["train"] * 4 + ["valid"] * 2 + ["test"] * 2})
        >>> groups_met(trains, make_split(trains, seed=0))[0].split(":")[0]
        'For 2 of 2 test samples, others of the same group (speaker, subject) train or validate'
    """
    n_met, n_told = _groups_met(trains, split)
    if n_told or not n_met:
        return ()
    n_test = len(split.test)
    return (
        f"For {n_met:,} of {n_test:,} test samples, others of the same group (speaker, subject) train or "
        f"validate: only the other {n_test - n_met:,} show how it is with groups not met before.",
    )


def _groups_met(trains: SpikeTrains, split: Split) -> tuple[int, int]:
    """Return of how many test samples the group trains or validates, and of how many it has one class."""
    if trains.groups is None:
        return 0, 0
    known = trains.groups[np.concatenate([split.train, split.validation])]
    met = trains.groups[split.test][np.isin(trains.groups[split.test], known)]
    pairs = np.unique(np.stack([trains.groups, trains.labels]), axis=1)
    groups, n_classes = np.unique(pairs[0], return_counts=True)
    return len(met), int(np.isin(met, groups[n_classes == 1]).sum())


def one_group_out(trains: SpikeTrains) -> list[Split]:
    """Return as many splits as there are groups: each is the test part once, and validates once.

    Raises:
        InputError: if there are fewer than three groups, or a class is in too few of them.

    Example:
        >>> samples = [([100 + k], [0]) for k in range(12)]
        >>> trains = SpikeTrains.from_samples(samples, labels=[0, 1] * 6, groups=[0, 0, 1, 1, 2, 2] * 2,
        ...                                   n_units=1, duration_us=1000)
        >>> [trains.groups[split.test][0].item() for split in one_group_out(trains)]
        [0, 1, 2]
    """
    _check_classes(trains)
    groups = [] if trains.groups is None else np.unique(trains.groups).tolist()
    if len(groups) < 3:
        raise InputError(
            f"the data have {len(groups)} group{'s' * (len(groups) != 1)}, and one is to be left out",
            remedy="give samples of three groups or more, or another protocol",
        )
    how = (
        f"Each of the {len(groups)} groups is left out once, to test on; the one after it validates. "
        "Accuracies are of all groups, each answered by nets that never met it."
    )
    splits = []
    for tested, validating in zip(groups, [*groups[1:], groups[0]], strict=True):
        test, validation = (np.asarray(trains.groups) == group for group in (tested, validating))
        _check_parts(trains, ~test & ~validation, validation)
        splits.append(_split(~test & ~validation, validation, test, how))
    return splits


def _split(training: _Part, validation: _Part, test: _Part, protocol: str) -> Split:
    return Split(np.flatnonzero(training), np.flatnonzero(validation), np.flatnonzero(test), protocol)


def named_samples(trains: SpikeTrains, part: str) -> _Part:
    """Return which samples meta["split"] names as "train", "valid" or "test"; without it all are "train"."""
    part_of = {"test": "test", "valid": "valid", "train": "train", 1: "test", 0: "train"}
    entries = list(trains.meta.get("split", [0] * len(trains)))
    unknown = [entry for entry in entries if entry not in part_of]
    if unknown:
        raise InputError(
            f"meta's split holds {unknown[0]!r}",
            remedy='give "train", "valid" or "test" (or 0 and 1) for each sample',
        )
    return np.array([part_of[entry] == part for entry in entries], dtype=bool)


def _named(trains: SpikeTrains, validation: _Part, test: _Part) -> Split:
    """Divide as the data say."""
    training = ~test & ~validation
    _check_parts(trains, training, validation)
    how_test = f"the {test.sum()} samples that the data name{_groups_on_both_sides(trains, test)}"
    how_validation = f"the {validation.sum()} samples that the data name"
    how = f"Test: {how_test}. Validation: {how_validation}. Training: the other {training.sum()}."
    return _split(training, validation, test, how)


def _by_index(trains: SpikeTrains) -> Split:
    """Divide by the samples' numbers into 60, 15 and 15 %, and say what is wrong with it."""
    number = np.arange(len(trains))
    bounds = [len(trains) * percent // 100 for percent in (0, 60, 75, 90)]
    training, validation, test = (
        (start <= number) & (number < stop) for start, stop in itertools.pairwise(bounds)
    )
    _check_parts(trains, training, validation)
    if trains.groups is None:
        speakers = "the data do not tell their speakers, who are on both sides"
    else:
        tested = np.unique(trains.groups[test])
        n_shared = len(np.intersect1d(tested, trains.groups[training]))
        speakers = f"{n_shared} of the {len(tested)} groups tested on are also trained on"
    how = (
        f"yu2025: the first {training.sum()} samples train, the next {validation.sum()} validate, the next "
        f"{test.sum()} test, as the published loader has it. Its flaws: {speakers}; the thresholds of a "
        f"pooled norm come from the test samples too; {len(trains) - bounds[-1]} samples are not used."
    )
    return _split(training, validation, test, how)


def _divided(
    trains: SpikeTrains, among: _Part, shares: Sequence[float], rng: np.random.Generator
) -> tuple[list[_Part], str | None]:
    """Take one part a share, and tell why they are not whole groups where they are not."""
    alike = first_alike(trains)
    n_groups = 0
    if trains.groups is not None:
        groups = np.unique(np.asarray(trains.groups), return_inverse=True)[1]
        n_groups = len(np.unique(groups[among]))
        joined = _joined(groups, alike)
        for group_of in (joined,) if (joined == groups).all() else (joined, groups):
            parts = _whole_groups(trains, group_of, among, shares, rng)
            if parts is not None:
                return parts, None
    if n_groups == 0:
        why_not = "the data have no groups"
    elif n_groups <= len(shares):
        why_not = f"{n_groups} group{'s' * (n_groups > 1)} cannot be held out whole"
    else:
        why_not = "no division by whole groups was found that has every class in each part"
    return _stratified(trains, alike, among, shares, rng), why_not


def _joined(groups: _Numbers, alike: _Numbers) -> _Numbers:
    """Give groups that hold copies of one sample the lowest of their numbers: they must stay together."""
    number = np.arange(groups.max(initial=-1) + 1)
    for one, other in np.unique([groups, groups[alike]], axis=1).T:
        low, high = np.sort(number[[one, other]])
        number[number == high] = low
    return number[groups]


def _whole_groups(
    trains: SpikeTrains, group_of: _Numbers, among: _Part, shares: Sequence[float], rng: np.random.Generator
) -> list[_Part] | None:
    """Take whole groups in random orders until each share is about reached, every class in every part."""
    classes, class_of = np.unique(trains.labels, return_inverse=True)
    table = np.zeros((group_of.max() + 1, len(classes)), np.int64)
    np.add.at(table, (group_of[among], class_of[among]), 1)
    candidates = np.flatnonzero(table.any(axis=1))
    if len(candidates) <= len(shares):
        return None
    table = table[:, table.any(axis=0)]
    divisions = []
    for _ in range(_TRIES):
        pieces = _cut(rng.permutation(candidates), table.sum(axis=1), shares)
        if all(table[piece].any(axis=0).all() for piece in pieces):
            reached = [table[piece].sum() / table.sum() for piece in pieces[:-1]]
            divisions.append((float(np.abs(np.subtract(reached, shares)).sum()), pieces[:-1]))
        if len(divisions) == _ENOUGH:
            break
    if not divisions:
        return None
    _, nearest = min(divisions, key=lambda division: division[0])
    return [among & np.isin(group_of, piece) for piece in nearest]


def _cut(order: np.ndarray, sizes: np.ndarray, shares: Sequence[float]) -> list[np.ndarray]:
    """Cut a row of groups where each share is reached as nearly as possible; the last piece is the rest."""
    pieces = []
    total = sizes[order].sum()
    for later, share in zip(range(len(shares), 0, -1), shares, strict=True):
        reached = np.cumsum(sizes[order[: len(order) - later]]) / total  # leaves a group to each later piece
        n = int(np.argmin(np.abs(reached - share))) + 1
        pieces.append(order[:n])
        order = order[n:]
    return [*pieces, order]


def _stratified(
    trains: SpikeTrains, alike: _Numbers, among: _Part, shares: Sequence[float], rng: np.random.Generator
) -> list[_Part]:
    """Draw from each class in proportion: one sample at least, and one at least is left."""
    parts = [np.zeros(len(trains), dtype=bool) for _ in shares]
    class_of = trains.labels[alike]  # of copies that differ in their class, the first one's
    for label in np.unique(class_of[among]):
        members = rng.permutation(np.flatnonzero(among & (class_of == label)))
        n_different = len(np.unique(alike[members]))
        if len(shares) < n_different < len(members):
            for part, chosen in zip(parts, _whole_sets(members, alike, shares), strict=True):
                part[chosen] = True
            continue
        wanted = [max(1, round(share * len(members))) for share in shares]
        for part, n in zip(parts, wanted, strict=True):
            taken = min(n, len(members) - 1)
            part[members[:taken]] = True
            members = members[taken:]
    return parts


def _whole_sets(members: _Numbers, alike: _Numbers, shares: Sequence[float]) -> list[_Numbers]:
    """Cut a class where each share is reached as nearly as whole sets of copies allow; small sets first."""
    sets: dict[int, list[int]] = {}
    for member in members.tolist():
        sets.setdefault(int(alike[member]), []).append(member)
    order = sorted(sets.values(), key=len)  # one large set would fill the test part
    pieces = _cut(np.arange(len(order)), np.array([len(copies) for copies in order]), shares)
    return [np.concatenate([order[k] for k in piece]) for piece in pieces[:-1]]


def _how(trains: SpikeTrains, part: _Part, why_not_groups: str | None) -> str:
    if why_not_groups is not None:
        return f"{part.sum()} samples drawn at random, each class in proportion ({why_not_groups})"
    groups = np.asarray(trains.groups)
    n_groups, n_all = len(np.unique(groups[part])), len(np.unique(groups))
    return f"{part.sum()} samples of {n_groups} of {n_all} groups, held out whole"


def _groups_on_both_sides(trains: SpikeTrains, test: _Part) -> str:
    if trains.groups is None:
        return ""
    in_test = np.unique(trains.groups[test])
    shared = np.intersect1d(in_test, trains.groups[~test])
    return f" ({len(shared)} of their {len(in_test)} groups also have samples outside the test part)"


def _check_shares(test_share: float, validation_share: float) -> None:
    if not (test_share > 0 and validation_share > 0 and test_share + validation_share < 1):
        raise InputError(
            f"the test share is {test_share} and the validation share {validation_share}",
            remedy="give shares above 0 that leave some samples to train",
        )


def _check_classes(trains: SpikeTrains) -> None:
    labels, sizes = np.unique(trains.labels, return_counts=True)
    if len(labels) < 2:
        raise InputError(
            f"there are {len(trains)} samples of {len(labels)} class{'es' * (len(labels) != 1)}",
            remedy="give samples of two classes or more",
        )
    if sizes.min() < 2:
        raise InputError(
            f"class {class_name(trains, labels[np.argmin(sizes)])} has one sample",
            remedy="give each class two or more",
        )


def _check_parts(trains: SpikeTrains, training: _Part, validation: _Part) -> None:
    if not validation.any():
        raise InputError("no sample is left to validate on", remedy="give a class three samples or more")
    untrained = np.setdiff1d(trains.labels, trains.labels[training])
    if len(untrained):
        raise InputError(
            f"class {class_name(trains, untrained[0])} has no sample to train on",
            remedy="give it more samples outside the test part, or remove it",
        )


def class_name(trains: SpikeTrains, label: int) -> str:
    """Return the name of a class, or its number where it has none."""
    names = trains.meta.get("label_names", ())
    return str(names[label]) if label < len(names) else str(label)
