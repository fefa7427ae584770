"""The verdict: what the outcomes support, in words that a person can quote, each with its interval.

An interval is at 95 %; a finding is *claimed* only where it holds at the stricter CLAIM_LEVEL, because an
audit asks several questions at once and must claim nothing where there is nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from beyondrate.audit.finding import CLAIM_CONFIDENCE, CLAIM_LEVEL, Finding, percent, points, share
from beyondrate.audit.kind_findings import KIND_WORDS, kinds_finding
from beyondrate.audit.metrics import Interval
from beyondrate.audit.model_findings import AT_RANDOM_TIMES, model_findings, without_times
from beyondrate.audit.outcomes import Arm, Outcomes

SEEDS_TO_QUOTE = 5
FEW_SAMPLES = 200  # of the test


@dataclass(frozen=True)
class Verdict:
    """Headline, findings and warnings of an audit."""

    headline: str
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]

    def __getitem__(self, key: str) -> Finding:
        """Return the finding of that key."""
        for finding in self.findings:
            if finding.key == key:
                return finding
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return any(finding.key == key for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return JSON-like values."""
        return {
            "headline": self.headline,
            "findings": [finding.as_json() for finding in self.findings],
            "warnings": list(self.warnings),
        }


def judge(
    outcomes: Outcomes,
    kinds: Sequence[Mapping[str, Any]] = (),
    warnings: Sequence[str] = (),
    leaks: Sequence[str] = (),
) -> Verdict:
    """Draw the verdict from the outcomes of a full audit and the kinds of timing found.

    Args:
        outcomes: what every arm answered.
        kinds: how well each kind of timing tells the classes.
        warnings: known limits of the data.
        leaks: what ties test samples to training samples; the headline says that there is something.
    """
    findings = [
        finding
        for finding in (
            _rate(outcomes),
            _timing(outcomes, kinds),
            _whole_gain(outcomes),
            kinds_finding(kinds),
            *model_findings(outcomes, _timed_arm(outcomes, outcomes_variant(outcomes))),
            _delays(outcomes),
            _delay_learning(outcomes),
        )
        if finding is not None
    ]
    headline = _headline(findings, read_linearly=_only_linear(_count_arms(outcomes, "whole")))
    if leaks:
        headline += " Not all test samples are independent of the training samples: see the warnings."
    of_outcomes = *_few_samples_warnings(outcomes), *_few_seeds_warning(outcomes)
    limits = *leaks, *warnings, *of_outcomes, *_former_rate_warning(findings, kinds)
    return Verdict(headline, tuple(findings), limits)


def judge_models(outcomes: Outcomes) -> Verdict:
    """Draw the verdict on models that were given: how accurate they are and what that rests on."""
    findings = []
    for arm in outcomes.by_arm:
        interval = outcomes.accuracy(arm)
        claimed = outcomes.above_chance(arm) <= CLAIM_LEVEL
        sentence = (
            f"{arm.name} names the class of {share(interval)} of the samples "
            f"(chance {percent(outcomes.chance(arm.variant))})"
        )
        sentence += "." if claimed else ", which is not shown to be above chance."
        findings += [
            Finding("clean", "As it is", sentence, interval, "accuracy", claimed),
            *([without_times(outcomes, arm)] if AT_RANDOM_TIMES in outcomes.tests(arm) else []),
            *model_findings(outcomes, arm),
        ]
    headline = " ".join(finding.sentence for finding in findings if finding.key in ("clean", "without-times"))
    return Verdict(headline, tuple(findings), tuple(_few_samples_warnings(outcomes)))


def outcomes_variant(outcomes: Outcomes) -> str:
    """Return the variant in which timing shows best: norm where there is one, for it has no counts left."""
    return next(v for v in ("norm", "part", "whole") if outcomes.arms(v))


# Which arms answer which question --------------------------------------------------------------------------


def _count_arms(outcomes: Outcomes, variant: str) -> list[Arm]:
    """Return the arms that see counts alone."""
    counting = ("scrambled", "bins-1")
    return [arm for arm in outcomes.arms(variant) if arm.model == "rate" or arm.control in counting]


def _timed_arms(outcomes: Outcomes, variant: str) -> list[Arm]:
    """Return the arms that see spike times and are tested under perturbations."""
    return [arm for arm in outcomes.arms(variant) if arm.model != "rate" and len(outcomes.tests(arm)) > 1]


def _timed_arm(outcomes: Outcomes, variant: str) -> Arm | None:
    """Return the best of them, chosen on validation."""
    return outcomes.best(_timed_arms(outcomes, variant))


def _only_linear(arms: Sequence[Arm]) -> bool:
    return all(arm.model == "probe" for arm in arms)


# Findings ------------------------------------------------------------------------------------------------


def _rate(outcomes: Outcomes) -> Finding | None:
    counting = _count_arms(outcomes, "whole")
    arm = outcomes.best(counting)
    if arm is None:
        return None
    interval = outcomes.accuracy(arm)
    claimed = outcomes.above_chance(arm) <= CLAIM_LEVEL
    how = "without any time and read linearly" if _only_linear(counting) else "without any time"
    sentence = (
        f"Spike counts alone, {how}, name the class of {share(interval)} of the test samples "
        f"({arm.name}; chance {percent(outcomes.chance('whole'))})"
    )
    sentence += "." if claimed else ", which is not shown to be above chance."
    if _only_linear(counting):
        sentence += " What a network reads of them was not tried."
    return Finding("rate", "Counts alone", sentence, interval, "accuracy", claimed)


def _timing(outcomes: Outcomes, kinds: Sequence[Mapping[str, Any]]) -> Finding | None:
    """Say what is left without counts, by the model or the kind of timing that does best on validation."""
    arm = _timed_arm(outcomes, "norm")
    kind = max(
        (k for k in kinds if k["variant"] == "norm"), key=lambda k: k["validation_accuracy"], default=None
    )
    if kind is not None and (arm is None or kind["validation_accuracy"] > outcomes.validation_accuracy(arm)):
        reader = f"a linear reading of {KIND_WORDS[kind['kind']]}"
        interval = Interval(kind["accuracy"], kind["low"], kind["high"])
        claimed = bool(kind["claimed"])
    elif arm is not None:
        reader, interval = arm.name, outcomes.accuracy(arm)
        claimed = outcomes.above_chance(arm) <= CLAIM_LEVEL
    else:
        return None
    chance = percent(outcomes.chance("norm"))
    if claimed:
        sentence = (
            f"With all spike counts made equal (norm), spike times still name the class of "
            f"{share(interval)} of the test samples ({reader}; chance {chance})."
        )
    else:
        sentence = (
            f"With all spike counts made equal (norm), no timing was found: {reader} reaches "
            f"{share(interval)}, which is not shown to be above chance ({chance})."
        )
    return Finding("timing", "Timing alone", sentence, interval, "accuracy", claimed)


def _whole_gain(outcomes: Outcomes) -> Finding | None:
    """Set the best reader of times against the best of counts; a net only where nets read counts, too."""
    timing, counting = _timed_arms(outcomes, "whole"), _count_arms(outcomes, "whole")
    if _only_linear(counting):  # what a net gains over a linear reading may be counts that are not linear
        timing = [arm for arm in timing if arm.model == "probe"]
    timed, counted = outcomes.best(timing), outcomes.best(counting)
    if timed is None or counted is None:
        return None
    interval = outcomes.difference(timed, counted)
    claimed = _surely_more(outcomes, timed, counted)
    if claimed:
        sentence = (
            f"On the data as they are, {timed.name} gains {points(interval)} from spike times over counts "
            f"alone ({percent(outcomes.accuracy(timed).estimate)} against "
            f"{percent(outcomes.accuracy(counted).estimate)} of {counted.name})."
        )
    else:
        sentence = (
            f"On the data as they are, spike times add nothing that can be shown to counts alone: "
            f"{timed.name} against {counted.name}, {points(interval)}."
        )
    linear = Arm("whole", "probe", "bins-1")
    if timed.model == "probe" and counted.model != "probe" and linear in counting:
        sentence += f" Over a linear reading of counts it gains {points(outcomes.difference(timed, linear))}."
    return Finding("whole-gain", "Gain from timing", sentence, interval, "points", claimed)


def _delays(outcomes: Outcomes) -> Finding | None:
    return _comparison(
        outcomes,
        ("lif-delay", "frozen"),
        ("lif", "tau-tuned"),
        key="delays",
        title="What delays add",
        what="Random axonal delays, never trained, against a net without delays whose τ is tuned",
    )


def _delay_learning(outcomes: Outcomes) -> Finding | None:
    return _comparison(
        outcomes,
        ("lif-delay", "learned"),
        ("lif-delay", "frozen"),
        key="delay-learning",
        title="What learning them adds",
        what="Learned axonal delays against the same random delays left alone",
    )


def _comparison(
    outcomes: Outcomes, first: tuple[str, str], second: tuple[str, str], *, key: str, title: str, what: str
) -> Finding | None:
    variant = outcomes_variant(outcomes)
    one, other = Arm(variant, *first), Arm(variant, *second)
    if one not in outcomes.by_arm or other not in outcomes.by_arm:
        return None
    interval = outcomes.difference(one, other)
    helps, harms = _surely_more(outcomes, one, other), _surely_more(outcomes, other, one)
    claimed = helps or harms
    judgement = "they help" if helps else "they harm" if harms else "no difference can be shown"
    sentence = f"{what}: {points(interval)} on {variant}; {judgement}."
    return Finding(key, title, sentence, interval, "points", claimed)


def _surely_more(outcomes: Outcomes, first: Arm, second: Arm) -> bool:
    return outcomes.surely_more(first, second, confidence=CLAIM_CONFIDENCE, enough_seeds=SEEDS_TO_QUOTE)


# Headline and warnings -------------------------------------------------------------------------------------


def _headline(findings: Sequence[Finding], *, read_linearly: bool) -> str:
    by_key = {finding.key: finding for finding in findings}
    rate, timing, gain = by_key.get("rate"), by_key.get("timing"), by_key.get("whole-gain")
    has_rate = rate is not None and rate.claimed
    has_timing = timing is not None and timing.claimed
    has_gain = gain is not None and gain.claimed
    linearly = ", read linearly," if read_linearly else ""
    parts = []
    if has_timing and timing is not None and timing.interval is not None:
        parts.append(
            f"The classes can be told by spike times alone: {percent(timing.interval.estimate)} "
            "of the test samples with all spike counts made equal."
        )
    elif timing is not None:
        beginning = "With" if has_gain else "No timing was found: with"
        parts.append(f"{beginning} all spike counts made equal, no accuracy above chance is shown.")
    if has_rate and rate is not None and rate.interval is not None:
        parts.append(f"Spike counts alone{linearly} reach {percent(rate.interval.estimate)}.")
    elif rate is not None:
        parts.append(f"That spike counts{linearly} tell the classes is not shown.")
    if has_gain and gain is not None and gain.interval is not None:
        gained = points(gain.interval)
        more = f"add {gained} to counts" if has_rate else f"tell {gained} more than counts"
        parts.append(f"On the data as they are, times {more}.")
    if not parts:
        parts.append("This audit had no model from which timing and rate could be told apart.")
    return " ".join(parts)


def _few_samples_warnings(outcomes: Outcomes) -> list[str]:
    return [
        f"{variant} has only {len(labels)} test samples: an accuracy is known to about "
        f"±{100 * 1.96 * math.sqrt(0.25 / len(labels)):.0f} points."
        for variant, labels in outcomes.labels.items()
        if len(labels) < FEW_SAMPLES
    ]


def _few_seeds_warning(outcomes: Outcomes) -> list[str]:
    trained = [len(answers) for arm, answers in outcomes.by_arm.items() if arm.model not in ("probe", "rate")]
    n_seeds = min(trained, default=SEEDS_TO_QUOTE)
    if n_seeds >= SEEDS_TO_QUOTE:
        return []
    return [
        f"Each net was trained with {n_seeds} seed{'s' * (n_seeds > 1)}: differences between nets need "
        f"{SEEDS_TO_QUOTE} or more before they are quoted (--seeds {SEEDS_TO_QUOTE})."
    ]


def _former_rate_warning(findings: Sequence[Finding], kinds: Sequence[Mapping[str, Any]]) -> list[str]:
    """Warn where intervals on norm may show the rate that thinning took from the counts."""
    told_by_counts = any(finding.key == "rate" and finding.claimed for finding in findings)
    claimed = [k["kind"] for k in kinds if k["variant"] == "norm" and k["claimed"]]
    if not told_by_counts or claimed != ["ISI"]:
        return []
    return [
        "ISI is the only kind of timing found on norm, and counts tell the classes on whole: thinning takes "
        "the rate out of the counts of units that fire regularly, but leaves it in their intervals, so what "
        "intervals tell may be the former rate."
    ]
