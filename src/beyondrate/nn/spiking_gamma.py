"""SpikingGamma: networks that learn precise timing without surrogate gradients (Koopman, Otte & Bohté 2026).

A unit sends its value max(x, 0) as adaptive sigma-delta spikes into gamma buckets, and its targets read those
buckets as smoothed delays. Errors bypass the spikes; how they do so is the gradient rule:

- "spatial" (the paper's idea): in each step an error passes as if the buckets followed the value at once;
- "eligibility" (ours): traces forward in time carry the memory of the layer below; further down as "spatial";
- "full" (ours): backwards through the spike-free closed loop of the encoder;
- "gated" (ours): the same, but nothing passes where the estimate is above the value and the unit silent.

The first two can learn online, with a memory that does not grow with time; the last two need whole trials.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from beyondrate.errors import InputError
from beyondrate.nn.dropout import UnitDropout
from beyondrate.nn.gamma import GammaMemory, Memory, SigmaDelta
from beyondrate.nn.gamma_losses import loss_support
from beyondrate.nn.gamma_synapse import GammaSynapse, Past
from beyondrate.nn.gamma_wiring import Conv, Dense, Spikes, wirings_of
from beyondrate.nn.losses import Loss
from beyondrate.nn.stages import are_known, gamma_stages, keeps
from beyondrate.ops.feedforward import feedforward
from beyondrate.ops.gamma import Mode, Scale
from beyondrate.ops.sigma_delta import Code, quanta
from beyondrate.ops.sparse_linear import SpikeRows

Rule = Literal["spatial", "eligibility", "full", "gated"]
RULES: tuple[str, ...] = get_args(Rule)
ONLINE_RULES = "spatial", "eligibility"


class GammaState(NamedTuple):
    """What a network carries from step to step: the buckets of its inputs and of each hidden layer.

    ``kept`` holds the factors of dropout, drawn at the first step in training; None: no dropout.
    """

    memories: tuple[Memory, ...]
    kept: tuple[Float[Tensor, "batch unit"], ...] | None = None

    def detached(self) -> GammaState:
        """Return the same state without the history of its gradients."""
        return self._replace(memories=tuple(memory.detach() for memory in self.memories))


class _Signal(NamedTuple):
    """What a layer sends: its buckets (with the spikes, in a sequence), and a path for spatial errors."""

    past: Past | Memory
    rate: Tensor | None


class _Carry(torch.autograd.Function):
    """Zeros forward; backward the gradient where ``passes`` says so."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, passes: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(passes)
        return torch.zeros_like(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return grad * ctx.saved_tensors[0], None


class SpikingGammaNet(nn.Module):
    """A feed-forward network of SpikingGamma layers with a readout that does not spike.

    The outputs are the readout's x at every step; train it with the loss ``EveryStep``.

    Args:
        n_units: input units.
        n_classes: classes.
        dt_s: time step in seconds; the trained weights serve any other too, see ``at``.
        hidden: the hidden layers: a number of units, or a ``Conv``.
        n_buckets: K, buckets a unit.
        memory_s: T in seconds. A spike stays about 21 T in 8 buckets: the longest delay divided by 10 to 14.
        rule: "gated", "full", "spatial" or "eligibility".
        theta0, mf, rho, n_max, code: the spike code, see ``SigmaDeltaParams``.
        scale, mode, learn_tau: of the buckets, see ``GammaMemory``.
        per_synapse: bucket weights for every synapse instead of every unit.
        input_gain: factor on the input spikes.
        dropout: share of hidden units that training silences.
        input_shape: (channels, rows, columns) of the input units, for ``Conv`` layers.
        longest_delay_s: the longest delay that the task asks for; a warning comes if the memory is shorter.
        generator: draws the initial weights.

    Raises:
        InputError: if a setting is unknown or out of range, or the code "first" is slower than dt.

    Example:
        >>> net = SpikingGammaNet(700, 20, dt_s=0.01, memory_s=0.024)
        >>> net(torch.zeros(4, 100, 700)).shape
        torch.Size([4, 100, 20])
        >>> logits, state = net.step(torch.zeros(4, 700))
        >>> [tuple(memory.shape) for memory in state.memories]
        [(4, 8, 700), (4, 8, 128), (4, 8, 128)]
    """

    takes_spike_rows = True

    def __init__(
        self,
        n_units: int,
        n_classes: int,
        *,
        dt_s: float,
        hidden: Sequence[int | Conv] = (128, 128),
        n_buckets: int = 8,
        memory_s: float = 0.005,
        rule: Rule = "gated",
        theta0: float = 0.1,
        mf: float | None = None,
        rho: float = 1.0,
        n_max: int | None = None,
        code: Code = "sum",
        scale: Scale = "dc",
        mode: Mode = "exact",
        learn_tau: bool = False,
        per_synapse: bool = False,
        input_gain: float = 1.0,
        dropout: float = 0.0,
        input_shape: tuple[int, int, int] | None = None,
        longest_delay_s: float | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            name: value
            for name, value in locals().items()
            if name not in ("self", "generator", "__class__", "hidden", "input_shape", "longest_delay_s")
        }
        hidden = [size if isinstance(size, int) else Conv(*size) for size in hidden]
        self.config["hidden"] = [size if isinstance(size, int) else list(size) for size in hidden]
        self.config["input_shape"] = None if input_shape is None else list(input_shape)
        if rule not in RULES:
            raise InputError(f"rule is {rule!r}", remedy=f"give one of {', '.join(RULES)}")
        self.rule: Rule = rule
        self.encoder = SigmaDelta(theta0=theta0, mf=mf, rho=rho, n_max=n_max, code=code)

        wirings = wirings_of(n_units, n_classes, hidden, input_shape)
        self.synapses: Sequence[GammaSynapse] = nn.ModuleList(  # type: ignore[assignment]
            GammaSynapse(
                wiring,
                n_buckets,
                per_synapse=per_synapse,
                bucket_spread=0.3 if scale == "mass" else 0.1,
                input_gain=input_gain if layer == 0 else 1.0,
                generator=generator,
            )
            for layer, wiring in enumerate(wirings)
        )
        self.memories: Sequence[GammaMemory] = nn.ModuleList(  # type: ignore[assignment]
            GammaMemory(n_buckets, memory_s=memory_s, dt_s=dt_s, mode=mode, scale=scale, learn_tau=learn_tau)
            for _ in wirings
        )
        self.dropouts = nn.ModuleList(UnitDropout(dropout, generator=generator) for _ in hidden)
        self._check_settings(dt_s, code, scale, longest_delay_s)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], *, generator: torch.Generator | None = None
    ) -> SpikingGammaNet:
        """Build the network that ``config`` describes, with new weights."""
        return cls(**config, generator=generator)

    def at(self, dt_s: float, **changes: Any) -> SpikingGammaNet:  # noqa: ANN401
        """Return a network with these weights for another time step, and other settings if told.

        Example:
            >>> net = SpikingGammaNet(2, 8, dt_s=0.005, hidden=(64,))
            >>> net.at(0.0001)(torch.zeros(1, 1000, 2)).shape
            torch.Size([1, 1000, 8])
        """
        drawn_for_nothing = torch.Generator()  # and not with torch's own, on which others may count
        other = self.from_config({**self.config, "dt_s": dt_s, **changes}, generator=drawn_for_nothing)
        other.to(self.synapses[0].weight).load_state_dict(self.state_dict())
        return other.train(self.training)

    @property
    def n_parameters(self) -> int:
        """Number of parameters that training changes."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def check_loss(self, loss: Loss) -> None:
        """Warn where the gradient rule cannot see the loss."""
        if self.rule == "spatial" and loss_support(loss) == "last":
            warnings.warn(
                "a loss at the last step only is hardly seen by rule 'spatial': take the loss EveryStep, "
                "or rule 'gated' or 'eligibility'",
                stacklevel=2,
            )

    @property
    def runs_in_stages(self) -> bool:
        """Whether input spikes run through all layers in one operation, ``beyondrate.ops.feedforward``."""
        if self.rule not in ("gated", "full") or any(memory.log_tau is not None for memory in self.memories):
            return False
        if not all(keeps(self, SpikingGammaNet, method) for method in ("_run", "_drive", "_encode")):
            return False
        plain = all(isinstance(s.wiring, Dense) and s.bucket_weight is not None for s in self.synapses)
        return plain and are_known([*self.synapses, *self.memories, *self.dropouts, self.encoder])

    def forward(self, x: Spikes) -> Float[Tensor, "batch time class"]:
        """Return the outputs over time for input spikes from a state of rest."""
        if isinstance(x, SpikeRows) and self.runs_in_stages:
            return feedforward(x, gamma_stages(self, x))
        return self._run(Past(x, None))[0]

    def sequence(
        self, x: Spikes, state: GammaState | None = None
    ) -> tuple[Float[Tensor, "batch time class"], GammaState]:
        """Return the outputs of a piece of a sequence and the state after it."""
        before = state.memories[0] if state else None
        out, memories, kept = self._run(Past(x, before), state)
        dense = x.dense().to(out) if isinstance(x, SpikeRows) else x
        return out, GammaState((self.memories[0](dense, before), *memories), kept)

    def step(
        self, x: Float[Tensor, "batch unit"], state: GammaState | None = None, *, cut: bool = False
    ) -> tuple[Float[Tensor, "batch class"], GammaState]:
        """Return the outputs of one time step and the state after it.

        With ``cut``, the hidden buckets in the state become leaves: after a backward pass of this step's loss
        their ``grad`` is what the step's error says about them, and nothing before the step is kept.
        """
        memory = self.memories[0].step(x, state.memories[0] if state else None)
        out, memories, kept = self._run(memory, state, cut=cut)
        return out, GammaState((memory, *memories), kept)

    def hidden_spikes(self, x: Spikes) -> list[Float[Tensor, "batch time _"]]:
        """Return the spike heights that each hidden layer sends, before dropout."""
        spikes: list[Tensor] = []
        self._run(Past(x, None), spikes=spikes)
        return spikes

    def hidden_quanta(self, x: Spikes) -> list[Float[Tensor, "batch time _"]]:
        """Return how many quanta θ each spike of each hidden layer is worth: its count of binary spikes."""
        chains = [memory.constants(self.synapses[0].weight)[0] for memory in self.memories[1:]]
        return [
            quanta(h, chain, self.encoder.params)
            for h, chain in zip(self.hidden_spikes(x), chains, strict=True)
        ]

    def _run(
        self,
        past: Past | Memory,
        state: GammaState | None = None,
        *,
        cut: bool = False,
        spikes: list[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor], tuple[Tensor, ...] | None]:
        """Send a piece of a sequence (``Past``) or one step (buckets) through all layers.

        Return the outputs, the hidden layers' buckets afterwards, and dropout's factors; append each hidden
        layer's spikes to ``spikes``.
        """
        first = past.spikes if isinstance(past, Past) else past
        kept = state.kept if state else self.draw_kept(first)
        signal, memories = _Signal(past, None), []
        for layer in range(len(self.dropouts)):
            own, through = self._drive(layer, signal)
            before = state.memories[layer + 1] if state else None
            h, after, rate = self._encode(layer, own, through, before)
            if spikes is not None:
                spikes.append(h)
            if cut:
                after = after.detach().requires_grad_()
            memories.append(after)
            factor = None if kept is None else kept[layer]
            signal = _Signal(
                _times(factor, after) if own.dim() == 2 else Past(_times(factor, h), _times(factor, before)),
                _times(factor, rate),
            )
        own, through = self._drive(len(self.dropouts), signal)
        return own if through is None else own + through, memories, kept

    def _drive(self, layer: int, signal: _Signal) -> tuple[Tensor, Tensor | None]:
        """Return a layer's x, on whose path its own parameters learn, and zeros that pass errors below."""
        synapse, memory = self.synapses[layer], self.memories[layer]
        if self.rule in ("full", "gated"):
            return synapse(signal.past, memory), None
        own, through = synapse(_detached(signal.past), memory), None
        if signal.rate is not None:
            through = synapse.rate(signal.rate, memory, self.encoder.ratio(memory))
        if self.rule == "eligibility" and layer > 0 and torch.is_grad_enabled():
            traced = synapse(signal.past, memory, frozen=True)
            traced = traced - traced.detach()
            through = traced if through is None else through + traced
        return own, through

    def _encode(
        self, layer: int, own: Tensor, through: Tensor | None, before: Memory | None
    ) -> tuple[Tensor, Memory, Tensor | None]:
        """Return a hidden layer's spikes, its buckets afterwards, and the path for spatial errors."""
        run = self.encoder if own.dim() == 3 else self.encoder.step
        memory = self.memories[layer + 1]
        if self.rule == "spatial":
            x = own if through is None else own + through
            h, after = run(x.detach(), memory, None if before is None else before.detach())
            return h, after, _carried(x, own > 0)
        h, after = run(own, memory, before, gated=self.rule == "gated")
        return h, after, None if through is None else _carried(through, own > 0)

    def draw_kept(self, x: Spikes) -> tuple[Float[Tensor, "batch unit"], ...] | None:
        """Return new factors of dropout for each hidden layer, or None where nothing is dropped."""
        if not self.training or all(dropout.share == 0 for dropout in self.dropouts):
            return None
        n_samples = x.n_samples if isinstance(x, SpikeRows) else len(x)
        like = self.synapses[0].weight
        return tuple(
            dropout(like.new_ones(n_samples, synapse.wiring.n_out))
            for dropout, synapse in zip(self.dropouts, self.synapses, strict=False)
        )

    def _check_settings(self, dt_s: float, code: Code, scale: Scale, longest_delay_s: float | None) -> None:
        memory = self.memories[0]
        shortest = float(memory.tau_s.detach().min())
        if code == "first" and dt_s >= shortest:
            raise InputError(
                f"dt_s is {dt_s} s, but code 'first' estimates with a time constant of {shortest:.4g} s",
                remedy="give a shorter dt_s, a longer memory_s or code 'sum'",
            )
        if code == "first" and scale == "dc":
            warnings.warn("code 'first' does not train with scale 'dc': take 'mass' or 'rms'", stacklevel=3)
        if longest_delay_s is not None and memory.mean_life_s < longest_delay_s:
            needed_s = self.config["memory_s"] * longest_delay_s / memory.mean_life_s
            warnings.warn(
                f"the longest delay is {longest_delay_s} s, but spikes stay {memory.mean_life_s:.4g} s in "
                f"the buckets: take memory_s = {needed_s:.2g} or more",
                stacklevel=3,
            )


def _carried(x: Tensor, passes: Bool[Tensor, "*batch unit"]) -> Tensor | None:
    return _Carry.apply(x, passes) if x.requires_grad else None


def _detached(past: Past | Memory) -> Past | Memory:
    if not isinstance(past, Past):
        return past.detach()
    spikes = past.spikes if isinstance(past.spikes, SpikeRows) else past.spikes.detach()
    return Past(spikes, None if past.memory is None else past.memory.detach())


def _times(factor: Tensor | None, x: Any) -> Any:  # noqa: ANN401
    """Return ``x`` (batch, …, unit) times dropout's factors (batch, unit), where there are both."""
    if factor is None or x is None:
        return x
    return x * factor.reshape(len(factor), *(1,) * (x.dim() - 2), -1)
