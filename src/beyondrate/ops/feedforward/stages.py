"""The stages of a feed-forward network: what the caller says of each, and the tensors that get gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from beyondrate.ops.delay import DelayMode
from beyondrate.ops.lif import LIFParams
from beyondrate.ops.sigma_delta import SigmaDeltaParams


@dataclass(frozen=True)
class Synapses:
    """Weights from every unit of the stage before to every unit of the next, and offsets (None: 0)."""

    weight: Float[Tensor, "out unit"]
    bias: Float[Tensor, " out"] | None = None

    def tensors(self) -> list[Tensor]:
        """Return what gets a gradient."""
        return [self.weight] if self.bias is None else [self.weight, self.bias]


@dataclass(frozen=True)
class LIFUnits:
    """Leaky integrate-and-fire units at rest, with one decay a unit."""

    params: LIFParams

    def tensors(self) -> list[Tensor]:
        """Return what gets a gradient."""
        decays = self.params.decay, self.params.current_decay
        return [decay for decay in decays if decay is not None]


@dataclass(frozen=True)
class LeakyUnits:
    """Units that leak and integrate but never spike, at rest, with one decay a unit."""

    decay: Float[Tensor, " unit"]

    def tensors(self) -> list[Tensor]:
        """Return what gets a gradient."""
        return [self.decay]


@dataclass(frozen=True)
class Delays:
    """Axonal delays in steps, one a unit; ``mode`` as in ``beyondrate.ops.delay``."""

    steps: Float[Tensor, " unit"]
    mode: DelayMode

    def tensors(self) -> list[Tensor]:
        """Return what gets a gradient."""
        return [self.steps]


@dataclass(frozen=True)
class Factors:
    """Constant factors on the units of each sample, such as those of dropout."""

    factors: Float[Tensor, "batch unit"]

    def tensors(self) -> list[Tensor]:
        """Return what gets a gradient: nothing."""
        return []


@dataclass(frozen=True)
class GammaMemories:
    """Empty gamma memories, read as Σ_k g_k m_k + b, see ``beyondrate.ops.gamma``; M gets no gradient."""

    gain: Float[Tensor, "bucket unit"]
    bias: Float[Tensor, " unit"]
    transition: Float[Tensor, "bucket bucket"]

    def tensors(self) -> list[Tensor]:
        """Return what gets a gradient."""
        return [self.gain, self.bias]


@dataclass(frozen=True)
class SigmaDeltaUnits:
    """Units that code their value in spikes, with empty memories, see ``beyondrate.ops.sigma_delta``."""

    transition: Float[Tensor, "bucket bucket"]
    params: SigmaDeltaParams
    gated: bool

    def tensors(self) -> list[Tensor]:
        """Return what gets a gradient: nothing of its own."""
        return []


Stage = Synapses | LIFUnits | LeakyUnits | Delays | Factors | GammaMemories | SigmaDeltaUnits


def splits_time(stages: Sequence[Stage]) -> bool:
    """Whether long sequences may be cut: not where a stage carries more than a few numbers a unit."""
    return not any(isinstance(stage, Delays | GammaMemories | SigmaDeltaUnits) for stage in stages)
