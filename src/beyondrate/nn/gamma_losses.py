"""A loss at every step, and when in a trial a loss exists at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from beyondrate.nn.losses import LastStep, Loss

Support = Literal["every step", "mean", "last"]


@dataclass(frozen=True)
class EveryStep:
    """Cross-entropy at every step; the answer is the class with the largest Σ_t log softmax.

    Example:
        >>> import torch
        >>> EveryStep().scores(torch.tensor([[[0.0, 0.0], [0.0, 0.0]]])).exp().tolist()
        [[0.5, 0.5]]
    """

    def __call__(
        self, output: Float[Tensor, "batch time class"], labels: Int64[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """Return the mean loss over the batch and over time."""
        return functional.nll_loss(self.scores(output), labels)

    def scores(self, output: Float[Tensor, "batch time class"]) -> Float[Tensor, "batch class"]:
        """Return the mean over time of the log-probabilities."""
        return functional.log_softmax(output, dim=-1).mean(1)


def loss_support(loss: Loss) -> Support:
    """Return when a loss exists: at "every step", at the "last", or only for the "mean" over a trial.

    Example:
        >>> loss_support(EveryStep()), loss_support(LastStep())
        ('every step', 'last')
    """
    if isinstance(loss, EveryStep):
        return "every step"
    return "last" if isinstance(loss, LastStep) else "mean"
