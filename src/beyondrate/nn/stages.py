"""Networks of this package as the stages of one operation, ``beyondrate.ops.feedforward``.

A network runs module by module where stages cannot describe its parts, such as a user's own neurons, where
it or a part of it does things its own way, or where a hook listens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor, nn

from beyondrate.nn.delay import AxonalDelay
from beyondrate.nn.dropout import UnitDropout
from beyondrate.nn.gamma import GammaMemory, SigmaDelta
from beyondrate.nn.gamma_synapse import GammaSynapse
from beyondrate.nn.lif import LIF
from beyondrate.nn.linear import SpikeLinear
from beyondrate.nn.readout import LeakyReadout, SumReadout
from beyondrate.ops.feedforward import (
    Delays,
    Factors,
    GammaMemories,
    LeakyUnits,
    LIFUnits,
    SigmaDeltaUnits,
    Stage,
    Synapses,
)
from beyondrate.ops.leak import Leak
from beyondrate.ops.sparse_linear import SpikeRows

if TYPE_CHECKING:
    from beyondrate.nn.networks import SpikingNet
    from beyondrate.nn.spiking_gamma import SpikingGammaNet

# and what each does, which stages describe
_KNOWN: dict[type[nn.Module], Callable[..., Any]] = {
    kind: kind.forward
    for kind in (
        AxonalDelay,
        GammaMemory,
        GammaSynapse,
        LIF,
        LeakyReadout,
        SigmaDelta,
        SpikeLinear,
        SumReadout,
        UnitDropout,
    )
}


def are_known(parts: Iterable[nn.Module]) -> bool:
    """Whether stages can describe all that these parts do, and no hook listens."""
    return not _all_are_hooked() and all(
        _KNOWN.get(type(part)) is type(part).forward and is_plain(part) for part in parts
    )


def is_plain(part: nn.Module) -> bool:
    """Whether no hook listens to a part, and it has no methods of its own in place of its class'."""
    hooks = part._forward_hooks, part._forward_pre_hooks, part._backward_hooks, part._backward_pre_hooks
    return not any(hooks) and vars(part).keys().isdisjoint(vars(type(part)))


def keeps(network: nn.Module, kind: type[nn.Module], method: str) -> bool:
    """Whether a network runs a method of ``kind``, and not one of a subclass or of its own."""
    return method not in vars(network) and getattr(type(network), method) is getattr(kind, method)


def _all_are_hooked() -> bool:
    """Whether a hook listens to all modules; torch keeps to itself how to know."""
    return bool(getattr(nn.modules.module, "_has_any_global_hook", lambda: False)())


def lif_stages(network: SpikingNet, rows: SpikeRows) -> list[Stage]:
    """Return a network's stages; in training, dropout draws for these samples."""
    stages: list[Stage] = []
    for layer in network.hidden_layers:
        weight: Tensor = layer.linear.weight
        stages += [Synapses(weight, layer.linear.bias), _units(layer.lif)]
        dropout = layer.dropout
        if dropout.training and dropout.share > 0:
            stages.append(Factors(dropout(weight.new_ones(rows.n_samples, len(weight)))))
        if layer.delay is not None:
            stages.append(Delays(layer.delay.delay_steps, layer.delay.mode))
    return [*stages, *_readout(network)]


def gamma_stages(network: SpikingGammaNet, rows: SpikeRows) -> list[Stage]:
    """Return a network's stages; in training, dropout draws for these samples."""
    stages: list[Stage] = []
    kept = network.draw_kept(rows)
    for layer, (synapse, memory) in enumerate(zip(network.synapses, network.memories, strict=True)):
        weight, bias, gain = synapse.weights(memory)
        chain, _ = memory.constants(weight)
        if layer > 0:
            stages.append(SigmaDeltaUnits(chain, network.encoder.params, network.rule == "gated"))
            if kept is not None:
                stages.append(Factors(kept[layer - 1]))
        stages += [Synapses(weight), GammaMemories(cast("Tensor", gain), bias, chain)]
    return stages


def _readout(network: SpikingNet) -> list[Stage]:
    weight: Tensor = network.readout_linear.weight
    bias: Tensor | None = network.readout_linear.bias
    readout = network.readout
    if isinstance(readout, LIF):
        return [Synapses(weight, bias), _units(readout)]
    leak = Leak(readout.log_tau, readout.dt_s) if isinstance(readout, LeakyReadout) else None
    return [Synapses(weight, bias, into=leak), LeakyUnits(leak)]


def _units(lif: LIF) -> LIFUnits:
    return LIFUnits(
        Leak(lif.log_tau, lif.dt_s),
        None if lif.log_tau_syn is None else Leak(lif.log_tau_syn, lif.dt_s),
        reset=lif.reset,
        detach_reset=lif.detach_reset,
        surrogate=lif.surrogate,
        slope=lif.slope,
    )
