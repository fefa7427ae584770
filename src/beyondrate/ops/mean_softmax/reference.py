"""The log of a softmax averaged over time, in plain torch."""

from __future__ import annotations

import math

from jaxtyping import Float, Int64
from torch import Tensor


def log_mean_softmax(
    output: Float[Tensor, "batch time class"], labels: Int64[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """Return log Σ_t p_t / T of each label, p_t = softmax(output_t)."""
    own = output.gather(2, labels[:, None, None].expand(-1, output.shape[1], 1))[..., 0]
    return (own - output.logsumexp(2)).logsumexp(1) - math.log(output.shape[1])


def mean_softmax(output: Float[Tensor, "batch time class"]) -> Float[Tensor, "batch class"]:
    """Return Σ_t softmax(output_t) / T."""
    return (output - output.logsumexp(2, keepdim=True)).exp().mean(1)  # torch's softmax of few is slow
