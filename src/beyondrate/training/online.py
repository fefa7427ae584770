"""Training on a stream: every time step adds its own gradient, and updates come while the trial runs.

Nothing of the past is kept but the state (and, for the rule "eligibility", the traces), so that the memory
does not grow with time. What the gradient of a trial would be is the sum of those of its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from beyondrate.errors import InputError
from beyondrate.nn import EveryStep, GammaState, LIFTraces, Loss, SpikeRows, SpikingGammaNet, SpikingNet
from beyondrate.nn.gamma_losses import loss_support
from beyondrate.nn.gamma_traces import EligibilityTraces
from beyondrate.nn.lif_traces import LIF_RULES, LIFRule
from beyondrate.nn.spiking_gamma import ONLINE_RULES
from beyondrate.training.finite import finite


class OnlineTrainer:
    """Trains a network step by step, with memory that does not depend on time.

    An update moves along the mean gradient of the losses since the last one.

    Args:
        net: a SpikingGamma network of rule "spatial" or "eligibility", or a network of LIF layers.
        optimiser: changes its parameters.
        lif_rule: how a LIF network learns: "eprop" or "ottt", see ``LIFTraces``; None for SpikingGamma.
        loss: one that exists at every step, or at the last.
        update_every: steps between updates; None: one update a trial, after its last step.
        clip: largest norm of the gradient of an update.
        after_update: called after each update, such as a schedule's ``step``.

    Raises:
        InputError: if the rule or the loss needs whole trials, or the steps are fewer than one.

    Example:
        >>> net = SpikingGammaNet(2, 8, dt_s=0.005, hidden=(16,), rule="spatial")
        >>> trainer = OnlineTrainer(net, torch.optim.Adam(net.parameters(), 1e-3))
        >>> value = trainer.trial(torch.zeros(4, 24, 2), torch.zeros(4, dtype=torch.int64))
        >>> trainer.n_updates
        24
    """

    def __init__(
        self,
        net: nn.Module,
        optimiser: torch.optim.Optimizer,
        *,
        lif_rule: LIFRule | None = None,
        loss: Loss | None = None,
        update_every: int | None = 1,
        clip: float = 1.0,
        after_update: Callable[[], object] | None = None,
    ) -> None:
        self.loss: Loss = loss or EveryStep()
        if loss_support(self.loss) == "mean":
            raise InputError(
                f"the loss {type(self.loss).__name__} needs whole trials", remedy="give EveryStep or LastStep"
            )
        if update_every is not None and update_every < 1:
            raise InputError(f"update_every is {update_every}", remedy="give 1 step or more, or None")
        self.net = net
        self.optimiser = optimiser
        self.update_every = update_every
        self.clip = clip
        self.after_update = after_update
        self.n_updates = 0
        self._stream = _stream(net, lif_rule, self.loss)
        self._n_steps = self._n_losses = 0

    def reset(self) -> None:
        """Start a new trial from rest."""
        self._stream.reset()

    def step(
        self, x: Float[Tensor, "batch unit"], labels: Int64[Tensor, " batch"], *, last: bool = False
    ) -> tuple[Float[Tensor, "batch class"], float]:
        """Take one time step of ``x``, learn from it, and return the outputs and the loss (0 where none is).

        ``last`` says that the trial ends here; the next step starts from rest.

        Raises:
            InputError: if the loss or its gradient is not finite.
        """
        out = self._stream.step(x)
        value = 0.0
        if last or loss_support(self.loss) == "every step":
            loss = self.loss(out[:, None], labels)
            value = finite(loss.item(), "training loss")
            loss.backward()
            self._stream.add_gradients()
            self._n_losses += 1
        self._n_steps += 1
        if last or self._n_steps == self.update_every:
            self._update()
        if last:
            self.reset()
        return out.detach(), value

    def trial(
        self, x: SpikeRows | Float[Tensor, "batch time unit"], labels: Int64[Tensor, " batch"]
    ) -> float:
        """Take all steps of a batch of trials, from rest, and return the mean loss of the steps with one."""
        self.reset()
        dense = x.dense() if isinstance(x, SpikeRows) else x
        n_steps = dense.shape[1]
        values = [self.step(dense[:, t], labels, last=t == n_steps - 1)[1] for t in range(n_steps)]
        return values[-1] if loss_support(self.loss) == "last" else sum(values) / n_steps

    def _update(self) -> None:
        """Move along the mean gradient since the last update, if there was a loss."""
        self._n_steps = 0
        if self._n_losses == 0:
            return
        for parameter in self.net.parameters():
            if parameter.grad is not None:
                parameter.grad /= self._n_losses
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        finite(norm.item(), "norm of the gradient")
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self._n_losses = 0
        self.n_updates += 1
        if self.after_update is not None:
            self.after_update()


@runtime_checkable
class _Stream(Protocol):
    """A network on its way through a trial, which forgets how it came to where it is."""

    def reset(self) -> None:
        """Start a new trial from rest."""

    def step(self, x: Float[Tensor, "batch unit"]) -> Float[Tensor, "batch class"]:
        """Take one time step and return the outputs, whose gradient reaches no further back."""
        ...

    def add_gradients(self) -> None:
        """After the backward pass of a step's loss, add what traces make of it."""


class _GammaStream:
    """A SpikingGamma network, with eligibility traces where its rule has them."""

    def __init__(self, net: SpikingGammaNet) -> None:
        self.net = net
        self.state: GammaState | None = None
        self.traces = EligibilityTraces(net) if net.rule == "eligibility" else None

    def reset(self) -> None:
        self.state = None
        if self.traces is not None:
            self.traces.reset()

    def step(self, x: Tensor) -> Tensor:
        before = None if self.state is None else self.state.detached()
        out, self.state = self.net.step(x, before, cut=True)
        if self.traces is not None:
            self.traces.advance(self.state)
        return out

    def add_gradients(self) -> None:
        if self.traces is not None and self.state is not None:
            self.traces.add_gradients(self.state)


def _stream(net: nn.Module, lif_rule: LIFRule | None, loss: Loss) -> _Stream:
    """Return a network on its way through trials, if it and its rule can learn online."""
    if isinstance(net, SpikingNet):
        if lif_rule is None:
            raise InputError("a LIF network has no online rule", remedy=f"give one of {', '.join(LIF_RULES)}")
        return LIFTraces(net, lif_rule)
    if not isinstance(net, SpikingGammaNet):
        raise InputError(
            f"{type(net).__name__} cannot learn online", remedy="leave update_every out, or take gamma or lif"
        )
    if lif_rule is not None:
        raise InputError(f"rule {lif_rule!r} is for LIF networks", remedy="leave lif_rule out")
    if net.rule not in ONLINE_RULES:
        raise InputError(
            f"rule {net.rule!r} needs whole trials", remedy=f"give one of {', '.join(ONLINE_RULES)}"
        )
    if net.config["learn_tau"]:
        raise InputError("learn_tau needs whole trials", remedy="give learn_tau=False")
    net.check_loss(loss)
    return _GammaStream(net)
