"""From the files of finished jobs to the result: tables, kinds, curve, figures' data and verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Int64

from beyondrate.audit.figure_data import data_facts, figure_data
from beyondrate.audit.finding import CLAIM_CONFIDENCE, CLAIM_LEVEL
from beyondrate.audit.folder import RunFolder
from beyondrate.audit.jobs import chosen_tau_s
from beyondrate.audit.kind_findings import kind_origin
from beyondrate.audit.metrics import (
    ENOUGH_GROUPS,
    HeldOut,
    Resampler,
    accuracy_interval,
    chance_p_value,
    difference_interval,
    holm,
)
from beyondrate.audit.outcomes import Answers, Arm, Outcomes
from beyondrate.audit.plan import Job
from beyondrate.audit.result import AuditResult, row_dicts
from beyondrate.audit.variant_store import VariantData
from beyondrate.audit.verdict import judge
from beyondrate.datasets.copies import first_alike
from beyondrate.datasets.info import describe
from beyondrate.datasets.split import Split, groups_met, leaks
from beyondrate.events import SpikeTrains


def collect(folder: RunFolder, trains: SpikeTrains, split: Split, record: Mapping[str, Any]) -> AuditResult:
    """Read what every job found and draw the result.

    Args:
        folder: a run whose jobs are all finished.
        trains: the data as given.
        split: which of its samples train, validate and test.
        record: title, command, versions, protocol, seconds: goes into the result as it is.
    """
    plan = folder.plan
    labels = {name: np.asarray(folder.variants.read(name).test.labels) for name in plan.variants}
    results = [(job, folder.result(job)) for job in plan.jobs()]
    alike = first_alike(trains)
    groups = {name: _test_groups(folder.variants.read(name), alike) for name in plan.variants}
    outcomes = Outcomes(_answers(results), labels, groups, balanced=True, seed=plan.seed)
    kinds = [
        line
        for job, result in results
        if job.model == "kinds"
        for line in _kinds(outcomes.held_out[job.variant], job.variant, result["kinds"], plan.seed)
    ]
    facts = {name: folder.variants.facts(name) for name in plan.variants}
    verdict = judge(outcomes, kinds, _limits(folder, trains, split, outcomes), leaks(trains, split))
    training = [
        {
            **asdict(job),
            **result["training"],
        }
        for job, result in results
        if "training" in result
    ]
    protocol = dict(record["protocol"])
    if plan.tuning_jobs():
        tau_ms = 1000 * chosen_tau_s(folder)
        note = f"τ-tuned nets use τ = {tau_ms:g} ms, chosen on validation of {plan.tuning_variant}."
        protocol["notes"] = [*protocol["notes"], note]
    report = {
        **record,
        "protocol": protocol,
        "hashes": {"data": trains.digest},
        "data": data_facts(trains),
        "variants": {
            name: {**facts[name], "sentence": _variant_sentence(name, facts[name])} for name in facts
        },
        "rows": row_dicts(outcomes.rows()),
        "summary": outcomes.summary(),
        "curve": _curve(outcomes, trains.duration_s),
        "kinds": kinds,
        "verdict": verdict.as_json(),
        "figures": {
            **figure_data({name: folder.variants.read(name).trains for name in plan.variants}),
            "training": training,
        },
    }
    return AuditResult(outcomes.rows(), verdict, report)


def _answers(results: Sequence[tuple[Job, Mapping[str, Any]]]) -> list[Answers]:
    """Return what the trained models of finished jobs answered."""
    return [
        Answers(
            Arm(job.variant, job.model, answer["control"]),
            answer["seed"],
            answer["validation_accuracy"],
            {
                (t["perturbation"], t["level"]): np.array(t["classes"], dtype=np.int32)
                for t in answer["tests"]
            },
        )
        for job, result in results
        for answer in result.get("answers", [])
    ]


def _limits(folder: RunFolder, trains: SpikeTrains, split: Split, outcomes: Outcomes) -> list[str]:
    """Return the warnings that do not follow from what was answered."""
    left_out = [f"{name} could not be made: {reason}." for name, reason in folder.variants.left_out().items()]
    has_norm = "norm" in folder.plan.variants
    unequal = unequal_counts_warnings(folder.variants.read("norm").trains) if has_norm else []
    undivided = trains.with_meta(split=["train"] * len(trains))  # leaks() tells of the split that was made
    of_groups = *groups_met(trains, split), *few_groups_warnings(outcomes)
    return [*unequal, *left_out, *of_groups, *describe(undivided).warnings]


def _test_groups(
    data: VariantData, alike: Int64[np.ndarray, " samples"]
) -> Int64[np.ndarray, " tests"] | None:
    """Return the groups of a variant's test samples; where there are none, the copies of a sample are one."""
    if data.test.groups is not None:
        return data.test.groups
    kept = np.asarray(data.trains.meta.get("variant", {}).get("kept_samples", np.arange(len(alike))))
    of_copies = np.stack([alike[kept[data.indices["test"]]], data.test.labels])
    sets, set_of = np.unique(of_copies, axis=1, return_inverse=True)
    return set_of if sets.shape[1] < len(set_of) else None


def few_groups_warnings(outcomes: Outcomes) -> list[str]:
    """Return what it means that the test samples come from few groups (speakers, subjects), if they do."""
    for held_out in outcomes.held_out.values():
        n_groups = int(held_out.groups.max()) + 1
        if not held_out.has_groups or n_groups == 1 or held_out.effective_groups >= ENOUGH_GROUPS:
            continue
        warning = (
            f"The test samples come from {n_groups} groups that say as much as "
            f"{held_out.effective_groups:.1f} of one size: too few for intervals over groups. Intervals are "
            "over samples of these groups, and say nothing of others."
        )
        if held_out.one_class_groups:
            warning += (
                " Each of them has one class, so that to know the group is to know the class: so few groups "
                "can hardly show that anything tells the classes."
            )
        return [warning]
    return []


def unequal_counts_warnings(norm: SpikeTrains) -> list[str]:
    """Return a warning if spike counts differ between samples of norm."""
    counts = norm.counts()
    n_differing = np.count_nonzero(counts.min(axis=0) != counts.max(axis=0))
    if not n_differing:
        return []
    return [
        f"{n_differing:,} of {norm.n_units:,} units do not spike equally often in every sample of norm: "
        "do not use this norm."
    ]


def _curve(outcomes: Outcomes, duration_s: float) -> list[dict[str, Any]]:
    """Return the decoding curve: accuracy of the linear probe against the width of its bins."""
    lines = []
    for arm in outcomes.by_arm:
        if arm.model == "probe":
            n_bins = int(arm.control.removeprefix("bins-"))
            accuracy, low, high = outcomes.accuracy(arm)
            lines.append(
                {
                    "variant": arm.variant,
                    "n_bins": n_bins,
                    "bin_s": duration_s / n_bins,
                    "accuracy": accuracy,
                    "low": low,
                    "high": high,
                    "chance": outcomes.chance(arm.variant),
                }
            )
    return lines


def _kinds(held_out: HeldOut, variant: str, found: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Return how well each kind of timing tells the classes; p-values are corrected for their number."""
    predictions = [np.array([kind["classes"]], dtype=np.int32) for kind in found]
    p_values = holm([chance_p_value(predicted, held_out, seed=seed) for predicted in predictions])
    resampler = Resampler(held_out, seed=seed)
    lines = []
    for kind, predicted, p_value in zip(found, predictions, p_values, strict=True):
        correct = predicted == held_out.labels
        accuracy, low, high = accuracy_interval(correct, resampler)
        profile = np.array([kind["classes_from_profile"]], dtype=np.int32)
        from_profile = profile == held_out.labels
        origin = kind_origin(
            kind["kind"],
            difference_interval(correct, from_profile, resampler, CLAIM_CONFIDENCE),
            difference_interval(correct, from_profile, resampler),
            chance_p_value(profile, held_out, seed=seed),
        )
        lines.append(
            {
                "variant": variant,
                "kind": kind["kind"],
                "settings": kind["settings"],
                "validation_accuracy": kind["validation_accuracy"],
                "accuracy": accuracy,
                "low": low,
                "high": high,
                "chance": held_out.chance,
                "p": p_value,
                "claimed": p_value <= CLAIM_LEVEL and not kind["confounded"],
                "confounded": kind["confounded"],
                "from_profile": resampler.mean(from_profile),
                "origin": origin,
            }
        )
    return lines


def _variant_sentence(name: str, facts: Mapping[str, Any]) -> str:
    n_samples = facts["n_train"] + facts["n_validation"] + facts["n_test"]
    kept = f"{n_samples:,} samples and {facts['n_units']:,} units"
    if name == "whole":
        return f"The data as given: {kept}."
    if name == "part":
        return f"Samples and units that spike often enough, classes of equal size: {kept}."
    return (
        f"Of part, every spike train thinned to one number of spikes a unit, the same in all samples: {kept}."
    )
