"""The stages of a feed-forward network: what the caller says of each, and the tensors that get gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from jaxtyping import Float
from torch import Tensor

from beyondrate.ops.delay import DelayMode
from beyondrate.ops.leak import Leak
from beyondrate.ops.lif import LIFParams
from beyondrate.ops.lif.parameters import LIFSettings
from beyondrate.ops.sigma_delta import SigmaDeltaParams


@dataclass(frozen=True)
class Synapses:
    """Weights from every unit of the stage before to every unit of the next, and offsets (None: 0).

    ``into`` is the leak of units that take in a share of 1 - b of what reaches them (None: all of it).
    """

    weight: Float[Tensor, "out unit"]
    bias: Float[Tensor, " out"] | None = None
    into: Leak | None = None

    def taken_in(self) -> tuple[Float[Tensor, "out unit"], Float[Tensor, " out"] | None]:
        """Return the weights and offsets of what the units take in."""
        if self.into is None:
            return self.weight, self.bias
        share = 1 - self.into.decay(len(self.weight))
        return share[:, None] * self.weight, None if self.bias is None else share * self.bias

    def leaks(self) -> list[Leak]:
        """Return the leaks that there are."""
        return [] if self.into is None else [self.into]

    def tensors(self) -> list[Tensor]:
        """Return what gets a gradient."""
        bias = [] if self.bias is None else [self.bias]
        return [self.weight, *bias, *(leak.log_tau for leak in self.leaks())]


@dataclass(frozen=True, eq=False)
class LIFUnits(LIFSettings):
    """Leaky integrate-and-fire units at rest: the leaks of membranes and of a current filter (None: none)."""

    leak: Leak
    current_leak: Leak | None = None

    def leaks(self) -> list[Leak]:
        """Return the leaks that there are."""
        return [self.leak] if self.current_leak is None else [self.leak, self.current_leak]

    def params(self, n_units: int) -> LIFParams:
        """Return the units' parameters for the present time constants."""
        decay, *current_decay = (leak.decay(n_units) for leak in self.leaks())
        settings = {field.name: getattr(self, field.name) for field in fields(LIFSettings)}
        return LIFParams(decay, *current_decay, **settings)

    def tensors(self) -> list[Tensor]:
        """Return what gets a gradient."""
        return [leak.log_tau for leak in self.leaks()]


@dataclass(frozen=True)
class LeakyUnits:
    """Units that integrate but never spike, at rest, with a leak or without (None)."""

    leak: Leak | None

    def leaks(self) -> list[Leak]:
        """Return the leaks that there are."""
        return [] if self.leak is None else [self.leak]

    def tensors(self) -> list[Tensor]:
        """Return what gets a gradient."""
        return [leak.log_tau for leak in self.leaks()]


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


def kind_of(stage: Stage) -> tuple[object, ...]:
    """Return what a stage is, whatever its numbers: the sizes of its tensors, and its options.

    Stages of one kind share a record, which takes everything else, a leak's time step too, from each batch.
    """
    return type(stage), *(_kind(value) for value in vars(stage).values())


def _kind(value: object) -> object:
    if isinstance(value, Leak):
        return value.log_tau.shape
    return value.shape if isinstance(value, Tensor) else value
