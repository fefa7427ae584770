"""The log of a softmax averaged over time, in plain torch."""

from __future__ import annotations

import math

from jaxtyping import Float, Int64
from torch import Tensor


def mean_softmax_loss(
    output: Float[Tensor, "batch time class"], labels: Int64[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """Return -log Σ_t p_t / T of the labels, p_t = softmax(output_t), on average over the batch."""
    own = output.gather(2, labels[:, None, None].expand(-1, output.shape[1], 1))[..., 0]
    return math.log(output.shape[1]) - (own - output.logsumexp(2)).logsumexp(1).mean()


def mean_softmax(output: Float[Tensor, "batch time class"]) -> Float[Tensor, "batch class"]:
    """Return Σ_t softmax(output_t) / T."""
    return (output - output.logsumexp(2, keepdim=True)).exp().mean(1)  # torch's softmax of few is slow
