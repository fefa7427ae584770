"""What the trained arms answered on the test samples, ready for intervals and for the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, Integer

from beyondrate.audit.metrics import (
    HeldOut,
    Interval,
    Resampler,
    accuracy_interval,
    chance_p_value,
    difference_interval,
    exchange_p_value,
    half_level_interval,
)

Test = tuple[str, float]  # a perturbation and its level
CLEAN: Test = ("none", 0.0)


class Arm(NamedTuple):
    """A model with its control, on one variant of the data: what is compared with what."""

    variant: str
    model: str
    control: str = "none"

    @property
    def name(self) -> str:
        """The arm as a reader would say it, without its variant."""
        return self.model if self.control == "none" else f"{self.model} ({self.control})"


@dataclass(frozen=True)
class Answers:
    """The classes that one trained model gave to every test sample, clean and under each perturbation."""

    arm: Arm
    seed: int
    validation_accuracy: float | None
    predictions: Mapping[Test, Integer[np.ndarray, " tests"]]


@dataclass(frozen=True)
class Row:
    """A line of results.csv."""

    variant: str
    model: str
    control: str
    perturbation: str
    level: float
    seed: int
    split: str
    accuracy: float
    n_test: int
    chance: float


class Outcomes:
    """All answers of an audit, by arm, with intervals that are paired over the test samples.

    Args:
        answers: one for each arm and seed.
        labels: true class of the test samples of each variant.
        groups: who or what each of them came from, where that is known.
        balanced: whether accuracies are balanced: the mean over the classes of the share that is right.
        seed: of the resampling.
    """

    def __init__(
        self,
        answers: Iterable[Answers],
        labels: Mapping[str, Int64[np.ndarray, " tests"]],
        groups: Mapping[str, Int64[np.ndarray, " tests"] | None] | None = None,
        *,
        balanced: bool = False,
        seed: int = 0,
    ) -> None:
        self.held_out = {
            name: HeldOut(y, (groups or {}).get(name), balanced=balanced) for name, y in labels.items()
        }
        self.seed = seed
        self._p_values: dict[Arm, float] = {}
        self.by_arm: dict[Arm, list[Answers]] = {}
        for answer in answers:
            self.by_arm.setdefault(answer.arm, []).append(answer)
        self.resamplers = {name: Resampler(tests, seed=seed) for name, tests in self.held_out.items()}

    @property
    def labels(self) -> dict[str, Int64[np.ndarray, " tests"]]:
        """The true class of the test samples of each variant."""
        return {name: tests.labels for name, tests in self.held_out.items()}

    def arms(self, variant: str) -> list[Arm]:
        """Return the arms of a variant."""
        return [arm for arm in self.by_arm if arm.variant == variant]

    def chance(self, variant: str) -> float:
        """Return the accuracy of the best constant guess on a variant's test samples."""
        return self.held_out[variant].chance

    def tests(self, arm: Arm) -> list[Test]:
        """Return what an arm was tested under."""
        return list(dict.fromkeys(test for answer in self.by_arm[arm] for test in answer.predictions))

    def predictions(self, arm: Arm, test: Test = CLEAN) -> Integer[np.ndarray, "seeds tests"]:
        """Return the predicted classes of every seed that was tested so."""
        return np.stack([a.predictions[test] for a in self.by_arm[arm] if test in a.predictions])

    def correct(self, arm: Arm, test: Test = CLEAN) -> Bool[np.ndarray, "seeds tests"]:
        """Return which test samples each seed got right."""
        return self.predictions(arm, test) == self.labels[arm.variant]

    def validation_accuracy(self, arm: Arm) -> float:
        """Return the mean validation accuracy of an arm's seeds."""
        known = [a.validation_accuracy for a in self.by_arm[arm] if a.validation_accuracy is not None]
        return float(np.mean(known)) if known else 0.0

    def best(self, arms: Iterable[Arm]) -> Arm | None:
        """Return the arm that did best on validation; the test samples have no say."""
        present = [arm for arm in arms if arm in self.by_arm]
        return max(present, key=self.validation_accuracy) if present else None

    def accuracy(self, arm: Arm, test: Test = CLEAN, confidence: float = 0.95) -> Interval:
        """Return an arm's accuracy with its interval."""
        return accuracy_interval(self.correct(arm, test), self.resamplers[arm.variant], confidence)

    def difference(
        self, first: Arm, second: Arm, tests: tuple[Test, Test] = (CLEAN, CLEAN), confidence: float = 0.95
    ) -> Interval:
        """Return how much more accurate one arm is than another on the same variant."""
        return difference_interval(
            self.correct(first, tests[0]),
            self.correct(second, tests[1]),
            self.resamplers[first.variant],
            confidence,
        )

    def surely_more(self, first: Arm, second: Arm, *, confidence: float, enough_seeds: int) -> bool:
        """Tell whether one arm is more accurate than another, and than chance, at the given confidence.

        The interval of the difference has to say so, and the exchange of the two arms. Few trainings say
        little about how much trainings differ: with fewer seeds than enough, the worst seed of the first arm
        must surpass the best of the second.
        """
        level = (1 - confidence) / 2
        if self.above_chance(first) > level or self.difference(first, second, confidence=confidence).low <= 0:
            return False
        ours, theirs = self.correct(first), self.correct(second)
        held_out, resampler = self.held_out[first.variant], self.resamplers[first.variant]
        if exchange_p_value(ours, theirs, held_out, seed=self.seed) > level:
            return False
        if min(len(ours), len(theirs)) >= enough_seeds:
            return True
        worst = ours[[(ours @ held_out.shares).argmin()]]
        best = theirs[[(theirs @ held_out.shares).argmax()]]
        return difference_interval(worst, best, resampler, confidence).low > 0

    def above_chance(self, arm: Arm) -> float:
        """Return the p-value of an arm's clean accuracy against chance."""
        if arm not in self._p_values:
            held_out = self.held_out[arm.variant]
            self._p_values[arm] = chance_p_value(self.predictions(arm), held_out, seed=self.seed)
        return self._p_values[arm]

    def levels(self, arm: Arm, perturbation: str) -> list[float]:
        """Return the levels at which an arm was tested under a perturbation."""
        return sorted(level for name, level in self.tests(arm) if name == perturbation)

    def half_level(self, arm: Arm, perturbation: str, confidence: float = 0.95) -> Interval:
        """Return the level of a perturbation at which half of the above-chance accuracy is gone."""
        perturbed = {
            level: self.correct(arm, (perturbation, level)) for level in self.levels(arm, perturbation)
        }
        return half_level_interval(
            self.correct(arm), perturbed, self.chance(arm.variant), self.resamplers[arm.variant], confidence
        )

    def rows(self) -> list[Row]:
        """Return the lines of results.csv."""
        return [
            Row(
                *answer.arm,
                *test,
                seed=answer.seed,
                split="test",
                accuracy=self.resamplers[answer.arm.variant].mean(
                    (predicted == self.labels[answer.arm.variant])[None]
                ),
                n_test=len(predicted),
                chance=self.chance(answer.arm.variant),
            )
            for answers in self.by_arm.values()
            for answer in answers
            for test, predicted in answer.predictions.items()
        ]

    def row_dicts(self) -> list[dict[str, Any]]:
        """Return the lines of results.csv as dictionaries, in the order of its columns."""
        return [asdict(row) for row in self.rows()]

    def summary(self) -> list[dict[str, Any]]:
        """Return the mean over seeds of every arm under every test, with its interval."""
        lines = []
        for arm in self.by_arm:
            for test in self.tests(arm):
                correct = self.correct(arm, test)
                accuracy, low, high = self.accuracy(arm, test)
                lines.append(
                    {
                        **arm._asdict(),
                        "perturbation": test[0],
                        "level": test[1],
                        "accuracy": accuracy,
                        "low": low,
                        "high": high,
                        "n_seeds": len(correct),
                        "n_test": correct.shape[1],
                        "chance": self.chance(arm.variant),
                    }
                )
        return lines
