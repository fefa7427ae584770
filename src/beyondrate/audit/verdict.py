"""The verdict: what the outcomes support, in words that a person can quote, each with its interval.

An interval is at 95 %; a finding is *claimed* only where it holds at the stricter CLAIM_LEVEL, because an
audit asks several questions at once and must claim nothing where there is nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from beyondrate.audit.metrics import Interval
from beyondrate.audit.outcomes import CLEAN, Arm, Outcomes, Test

CLAIM_LEVEL = 0.001
CLAIM_CONFIDENCE = 1 - 2 * CLAIM_LEVEL  # two-sided interval whose lower end is passed once in 1/CLAIM_LEVEL
NEGLIGIBLE_GAIN = 0.05  # in accuracy: a kind that surely tells less beyond onset follows from it
SEEDS_TO_QUOTE = 5
FEW_SAMPLES = 200  # of the test
REVERSED = ("reverse", 0.0)
AT_RANDOM_TIMES = ("replace", 1.0)


@dataclass(frozen=True)
class Finding:
    """One answer of the audit.

    Args:
        key: what it is about: rate, timing, whole-gain, precision, kinds, reliance, order, delays, ...
        title: two or three words.
        sentence: the answer, complete in itself.
        interval: the estimate with its 95 % interval, or None where there is no number.
        unit: of the estimate: "accuracy", "points" (differences of accuracy) or "ms".
        claimed: whether the data support it at CLAIM_LEVEL.
    """

    key: str
    title: str
    sentence: str
    interval: Interval | None
    unit: str | None
    claimed: bool

    def as_json(self) -> dict[str, Any]:
        """Return JSON-like values; an end that the levels do not reach is None."""
        numbers = [None if not math.isfinite(x) else x for x in self.interval or (math.inf,) * 3]
        return {
            "key": self.key,
            "title": self.title,
            "sentence": self.sentence,
            **dict(zip(("estimate", "low", "high"), numbers, strict=True)),
            "unit": self.unit,
            "claimed": self.claimed,
        }


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
            _kinds(kinds),
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
            f"{arm.name} names the class of {_share(interval)} of the samples "
            f"(chance {_percent(outcomes.chance(arm.variant))})"
        )
        sentence += "." if claimed else ", which is not shown to be above chance."
        findings += [
            Finding("clean", "As it is", sentence, interval, "accuracy", claimed),
            *([_without_times(outcomes, arm)] if AT_RANDOM_TIMES in outcomes.tests(arm) else []),
            *model_findings(outcomes, arm),
        ]
    headline = " ".join(finding.sentence for finding in findings if finding.key in ("clean", "without-times"))
    return Verdict(headline, tuple(findings), tuple(_few_samples_warnings(outcomes)))


def outcomes_variant(outcomes: Outcomes) -> str:
    """Return the variant in which timing shows best: norm where there is one, for it has no counts left."""
    return next(v for v in ("norm", "part", "whole") if outcomes.arms(v))


def model_findings(outcomes: Outcomes, arm: Arm | None) -> list[Finding]:
    """Return what perturbations say of one model: precision, what it relies on, order.

    Precision and reliance are of a dependence on spike times: they are given only where that is claimed.
    """
    if arm is None or outcomes.above_chance(arm) > CLAIM_LEVEL or AT_RANDOM_TIMES not in outcomes.tests(arm):
        return []
    if _takes(outcomes, arm, AT_RANDOM_TIMES):
        found = [_precision(outcomes, arm), _reliance(outcomes, arm), _order(outcomes, arm)]
    else:
        found = [_no_precision(outcomes, arm), _order(outcomes, arm)]
    return [finding for finding in found if finding is not None]


def _takes(outcomes: Outcomes, arm: Arm, test: Test) -> bool:
    """Tell whether a perturbation takes accuracy from a model for sure, at CLAIM_LEVEL."""
    return outcomes.difference(arm, arm, (CLEAN, test), CLAIM_CONFIDENCE).low > 0


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
        f"Spike counts alone, {how}, name the class of {_share(interval)} of the test samples "
        f"({arm.name}; chance {_percent(outcomes.chance('whole'))})"
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
    chance = _percent(outcomes.chance("norm"))
    if claimed:
        sentence = (
            f"With all spike counts made equal (norm), spike times still name the class of "
            f"{_share(interval)} of the test samples ({reader}; chance {chance})."
        )
    else:
        sentence = (
            f"With all spike counts made equal (norm), no timing was found: {reader} reaches "
            f"{_share(interval)}, which is not shown to be above chance ({chance})."
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
            f"On the data as they are, {timed.name} gains {_points(interval)} from spike times over counts "
            f"alone ({_percent(outcomes.accuracy(timed).estimate)} against "
            f"{_percent(outcomes.accuracy(counted).estimate)} of {counted.name})."
        )
    else:
        sentence = (
            f"On the data as they are, spike times add nothing that can be shown to counts alone: "
            f"{timed.name} against {counted.name}, {_points(interval)}."
        )
    linear = Arm("whole", "probe", "bins-1")
    if timed.model == "probe" and counted.model != "probe" and linear in counting:
        sentence += (
            f" Over a linear reading of counts it gains {_points(outcomes.difference(timed, linear))}."
        )
    return Finding("whole-gain", "Gain from timing", sentence, interval, "points", claimed)


def _kinds(kinds: Sequence[Mapping[str, Any]]) -> Finding | None:
    if not kinds:
        return None
    strongest, *others = sorted(kinds, key=lambda k: (not k["claimed"], -k["accuracy"]))
    claimed = [k for k in (strongest, *others) if k["claimed"]]
    if claimed:
        named = ", ".join(f"{KIND_WORDS[k['kind']]} {_percent(k['accuracy'])}" for k in claimed)
        sentences = [
            f"Kinds of timing that tell the classes on {strongest['variant']}, each read alone: {named}.",
            *_origins(claimed),
        ]
    else:
        read = ", ".join(k["kind"] for k in kinds if not k["confounded"])
        sentences = [f"No kind of timing ({read}) alone is shown to tell the classes."] if read else []
    confounded = [k["kind"] for k in kinds if k["confounded"]]
    if confounded:
        sentences.append(
            f"Of {', '.join(confounded)} nothing is claimed: counts differ between these samples and may "
            "show there; norm would make them equal."
        )
    interval = Interval(strongest["accuracy"], strongest["low"], strongest["high"])
    return Finding("kinds", "Kind of timing", " ".join(sentences), interval, "accuracy", bool(claimed))


def _origins(claimed: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say of which kinds what they tell follows from onset, and of which that is open."""
    sentences = []
    follow = [k["kind"] for k in claimed if k["origin"] == "onset"]
    if follow:
        sentences.append(f"What {', '.join(follow)} tell{'s' * (len(follow) == 1)} follows from onset.")
    undecided = [k["kind"] for k in claimed if k["origin"] == "not decided"]
    if undecided:
        told = f"{', '.join(undecided)} tell{'s' * (len(undecided) == 1)}"
        sentences.append(f"Whether what {told} follows from onset is not decided.")
    return sentences


def kind_origin(kind: str, strict: Interval, beyond: Interval, p_profile: float) -> str:
    """Return whether a kind is its "own", follows from "onset", or this is "not decided".

    Args:
        kind: of KINDS.
        strict: how much more it tells than from data of which only counts and profile are left, at
            CLAIM_CONFIDENCE.
        beyond: the same, at 95 %.
        p_profile: p-value of what it tells from those data.

    Example:
        >>> kind_origin("lag", Interval(0.02, -0.05, 0.09), Interval(0.02, -0.02, 0.06), p_profile=1e-4)
        'not decided'
    """
    if kind == "onset" or strict.low > 0:
        return "own"
    follows = p_profile <= CLAIM_LEVEL and beyond.high < NEGLIGIBLE_GAIN
    return "onset" if follows else "not decided"


KIND_WORDS = {
    "onset": "time since the sample's start (onset)",
    "ISI": "intervals within a unit (ISI)",
    "synchrony": "coincidences of units (synchrony)",
    "order": "which unit leads (order)",
    "lag": "fixed lags between units (lag)",
}


def _precision(outcomes: Outcomes, arm: Arm) -> Finding | None:
    levels = outcomes.levels(arm, "jitter")
    if not levels:
        return None
    interval = outcomes.half_level(arm, "jitter")
    claimed = _takes(outcomes, arm, ("jitter", levels[-1]))
    if claimed:
        sentence = (
            f"Jitter of every spike by {_milliseconds(interval, levels)} takes half of what {arm.name} knows "
            f"above chance on {arm.variant}."
        )
    else:
        sentence = (
            f"Jitter of every spike by up to {1000 * levels[-1]:g} ms takes nothing from {arm.name} on "
            f"{arm.variant} that can be shown."
        )
    return Finding("precision", "Precision", sentence, _in_ms(interval), "ms", claimed)


def _no_precision(outcomes: Outcomes, arm: Arm) -> Finding:
    """Say that there is no precision to give: what jitter does to a code of counts is no matter of times."""
    drop = outcomes.difference(arm, arm, (CLEAN, AT_RANDOM_TIMES))
    sentence = (
        f"No dependence of {arm.name} on spike times can be shown on {arm.variant}, so that no precision can "
        f"be given: with all spikes moved to random times it loses {_loss(drop)}."
    )
    return Finding("precision", "Precision", sentence, drop, "points", False)


def _reliance(outcomes: Outcomes, arm: Arm) -> Finding | None:
    """Say what is lost at each rung: locking to the start, relations between units, intervals within them."""
    moved = {"jitter-sample": "whole samples", "jitter-unit": "whole units", "jitter": "single spikes"}
    levels = {name: outcomes.levels(arm, name) for name in moved if outcomes.levels(arm, name)}
    if "jitter-unit" not in levels or "jitter" not in levels:
        return None
    halves = {name: outcomes.half_level(arm, name) for name in levels}
    listed = "; ".join(
        f"{moved[name]} by {_milliseconds(half, levels[name])}" for name, half in halves.items()
    )
    strict = {name: outcomes.half_level(arm, name, CLAIM_CONFIDENCE) for name in levels}
    survived = {name: min(half.low, levels[name][-1]) for name, half in strict.items()}
    reading = _reading(strict, survived)
    sentence = (
        f"Half of what {arm.name} knows is gone on moving {listed}: "
        f"{reading or 'which of the relations it uses is not decided'}."
    )
    claimed = reading is not None
    return Finding("reliance", "What the model uses", sentence, _in_ms(halves["jitter-unit"]), "ms", claimed)


def _reading(halves: Mapping[str, Interval], survived: Mapping[str, float]) -> str | None:
    """Say what the half levels mean, or None where their intervals leave it open.

    ``survived`` is the jitter that each is known to bear.
    """
    spike, unit, sample = halves["jitter"], halves["jitter-unit"], halves.get("jitter-sample")
    if math.isinf(spike.low):
        largest = f"{1000 * survived['jitter']:g} ms"
        return f"no jitter tested takes half of it, so most of it does not rest on times finer than {largest}"
    if survived["jitter-unit"] > spike.high:
        share = "mostly" if math.isinf(unit.low) else "also"  # mostly: no shift of units takes half
        return f"it relies {share} on intervals within units, which shifts of whole units spare"
    # Twice, for samples with less silence around them than a typical one are moved less than the jitter says.
    if sample is not None and survived["jitter-sample"] > 2 * unit.high:
        return "it relies on relations between units, which shifts of whole samples spare"
    if sample is not None and _costs_as_soon(sample, unit):
        return "it relies on times locked to the sample's start"
    if _costs_as_soon(unit, spike):
        return "it relies on times across units, or since the start, more than on intervals within units"
    return None


def _costs_as_soon(wide: Interval, fine: Interval) -> bool:
    """Tell whether moving more at once takes half at less than twice the jitter, whatever the draw."""
    return math.isfinite(wide.high) and wide.high <= 2 * fine.low


def _order(outcomes: Outcomes, arm: Arm) -> Finding | None:
    if REVERSED not in outcomes.tests(arm):
        return None
    drop = outcomes.difference(arm, arm, (CLEAN, REVERSED))
    claimed = _takes(outcomes, arm, REVERSED)
    after = outcomes.accuracy(arm, REVERSED)
    if claimed:
        sentence = (
            f"Played backwards, {arm.name} loses {_loss(drop)} on {arm.variant} ({_share(after)} left): "
            "the direction of time matters to it."
        )
    else:
        sentence = (
            f"Played backwards, {arm.name} loses nothing that can be shown on {arm.variant}: {_loss(drop)}."
        )
    return Finding("order", "Direction of time", sentence, drop, "points", claimed)


def _without_times(outcomes: Outcomes, arm: Arm) -> Finding:
    """Say what is left when every spike is moved to a random time and only the counts are kept."""
    drop = outcomes.difference(arm, arm, (CLEAN, AT_RANDOM_TIMES))
    left = outcomes.accuracy(arm, AT_RANDOM_TIMES)
    claimed = _takes(outcomes, arm, AT_RANDOM_TIMES)
    sentence = (
        f"With all spikes moved to random times, so that counts alone are left, {arm.name} keeps "
        f"{_share(left)}: "
        + ("it depends on when spikes come." if claimed else "no dependence on spike times can be shown.")
    )
    return Finding("without-times", "Without times", sentence, drop, "points", claimed)


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
    sentence = f"{what}: {_points(interval)} on {variant}; {judgement}."
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
            f"The classes can be told by spike times alone: {_percent(timing.interval.estimate)} "
            "of the test samples with all spike counts made equal."
        )
    elif timing is not None:
        beginning = "With" if has_gain else "No timing was found: with"
        parts.append(f"{beginning} all spike counts made equal, no accuracy above chance is shown.")
    if has_rate and rate is not None and rate.interval is not None:
        parts.append(f"Spike counts alone{linearly} reach {_percent(rate.interval.estimate)}.")
    elif rate is not None:
        parts.append(f"That spike counts{linearly} tell the classes is not shown.")
    if has_gain and gain is not None and gain.interval is not None:
        points = _points(gain.interval)
        more = f"add {points} to counts" if has_rate else f"tell {points} more than counts"
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


# Wording -------------------------------------------------------------------------------------------------


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _share(interval: Interval) -> str:
    return f"{_percent(interval.estimate)} ({100 * interval.low:.0f}–{100 * interval.high:.0f})"


def _points(interval: Interval) -> str:
    estimate, low, high = ("+" * (round(100 * value) > 0) + _in_points(value) for value in interval)
    return f"{estimate} points ({low} to {high})"


def _loss(drop: Interval) -> str:
    estimate, low, high = map(_in_points, drop)
    return f"{estimate} points ({low} to {high})"


def _in_points(difference: float) -> str:
    return f"{round(100 * difference)}".replace("-", "−")


def _milliseconds(interval: Interval, levels: Sequence[float]) -> str:
    """Word a level with its interval; beyond the levels tested it is only known to be more, or less."""
    smallest, largest = 1000 * levels[0], 1000 * levels[-1]

    def word(value: float) -> str:
        if math.isinf(value):
            return f"more than {largest:g}"
        return f"less than {smallest:g}" if value == 0 else f"{1000 * value:.3g}"

    if interval.low == interval.high:
        return f"{word(interval.estimate)} ms"
    return f"{word(interval.estimate)} ms ({word(interval.low)} to {word(interval.high)})"


def _in_ms(interval: Interval) -> Interval:
    return Interval(*(1000 * value for value in interval))
