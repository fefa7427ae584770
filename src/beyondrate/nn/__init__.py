"""Network modules over (batch, time, unit) tensors; a stateful module is a step function and a state.

``module(x, state)`` runs a sequence and ``module.step(x_t, state)`` one step; both return the output and the
next state, which the caller holds, and any split of a sequence gives what the whole gives.
"""

from beyondrate.nn.count_mlp import CountMLP
from beyondrate.nn.delay import AxonalDelay
from beyondrate.nn.initialise import initialise_from_data
from beyondrate.nn.lif import LIF
from beyondrate.nn.linear import SpikeLinear
from beyondrate.nn.losses import LastStep, Loss, MeanMembrane, MeanSoftmax, Spikemax
from beyondrate.nn.networks import NetState, SpikingNet
from beyondrate.nn.readout import LeakyReadout
from beyondrate.ops.lif import LIFState
from beyondrate.ops.sparse_linear import SpikeRows

__all__ = [
    "LIF",
    "AxonalDelay",
    "CountMLP",
    "LIFState",
    "LastStep",
    "LeakyReadout",
    "Loss",
    "MeanMembrane",
    "MeanSoftmax",
    "NetState",
    "SpikeLinear",
    "SpikeRows",
    "Spikemax",
    "SpikingNet",
    "initialise_from_data",
]
