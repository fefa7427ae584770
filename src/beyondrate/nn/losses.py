"""What a network is trained to do with its outputs over time, and how its answer is read from them.

Each loss is called with outputs (batch, time, class) and labels (batch,) and gives a scalar; its ``scores``
turn outputs into one score a class, whose largest is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from beyondrate.errors import InputError
from beyondrate.ops.mean_softmax import mean_softmax, mean_softmax_loss

Outputs = Float[Tensor, "batch time class"]
Labels = Int64[Tensor, " batch"]
Scores = Float[Tensor, "batch class"]


@runtime_checkable
class Loss(Protocol):
    """A scalar to make small, and the scores that the answer is read from."""

    def __call__(self, output: Outputs, labels: Labels) -> Float[Tensor, ""]: ...  # noqa: D102

    def scores(self, output: Outputs) -> Scores: ...  # noqa: D102


@dataclass(frozen=True)
class MeanMembrane:
    """Cross-entropy of the outputs' mean over time.

    Example:
        >>> MeanMembrane().scores(torch.tensor([[[1.0, 0.0], [3.0, 0.0]]])).tolist()
        [[2.0, 0.0]]
    """

    def __call__(self, output: Outputs, labels: Labels) -> Float[Tensor, ""]:
        """Return the mean loss over the batch."""
        return functional.cross_entropy(self.scores(output), labels)

    def scores(self, output: Outputs) -> Scores:
        """Return the mean output over time."""
        return output.mean(1)


@dataclass(frozen=True)
class LastStep:
    """Cross-entropy of the outputs at the last step."""

    def __call__(self, output: Outputs, labels: Labels) -> Float[Tensor, ""]:
        """Return the mean loss over the batch."""
        return functional.cross_entropy(self.scores(output), labels)

    def scores(self, output: Outputs) -> Scores:
        """Return the outputs at the last step."""
        return output[:, -1]


@dataclass(frozen=True)
class MeanSoftmax:
    """Negative log of the label's probability, the softmax of the outputs averaged over time."""

    def __call__(self, output: Outputs, labels: Labels) -> Float[Tensor, ""]:
        """Return the mean loss over the batch."""
        return mean_softmax_loss(output, labels)

    def scores(self, output: Outputs) -> Scores:
        """Return the log of the mean probability over time, or of the smallest number that is not 0."""
        return mean_softmax(output).clamp_min(torch.finfo(output.dtype).tiny).log()


@dataclass(frozen=True)
class Spikemax:
    """Negative log-likelihood of output spike counts (Shrestha et al. 2022).

    Args:
        form: "probability" (shares of the counts, p = (n + ε) / Σ (n + ε)), "softmax" (log-softmax of the
            counts), or "window" (the probability form in a window that moves over time, averaged).
        epsilon: ε, which keeps the loss finite when the label's unit is silent.
        window_steps: length of the moving window in steps.

    Raises:
        InputError: if the form is unknown, or ε or the window is not positive.

    Example:
        >>> spikes = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
        >>> Spikemax(epsilon=0.5).scores(spikes).exp()
        tensor([[0.8333, 0.1667]])
    """

    form: Literal["probability", "softmax", "window"] = "probability"
    epsilon: float = 0.1
    window_steps: int = 20

    def __post_init__(self) -> None:
        if self.form not in ("probability", "softmax", "window"):
            raise InputError(f"form is {self.form!r}", remedy='give "probability", "softmax" or "window"')
        if not self.epsilon > 0:
            raise InputError(f"epsilon is {self.epsilon}", remedy="give a positive epsilon")
        if self.window_steps < 1:
            raise InputError(f"window_steps is {self.window_steps}", remedy="give 1 or more steps")

    def __call__(self, output: Outputs, labels: Labels) -> Float[Tensor, ""]:
        """Return the mean loss over the batch."""
        return functional.nll_loss(self.scores(output), labels)

    def scores(self, output: Outputs) -> Scores:
        """Return the log of the probability of each class (of its mean over windows, in that form)."""
        if self.form == "softmax":
            return functional.log_softmax(output.sum(1), dim=-1)
        if self.form == "probability":
            return self._log_share(output.sum(1))
        width = min(self.window_steps, output.shape[1])
        counts = functional.avg_pool1d(output.transpose(1, 2), width, stride=1) * width
        return self._log_share(counts.transpose(1, 2)).mean(1)

    def _log_share(self, counts: Float[Tensor, "*batch class"]) -> Float[Tensor, "*batch class"]:
        share = counts + self.epsilon
        return torch.log(share / share.sum(-1, keepdim=True))
