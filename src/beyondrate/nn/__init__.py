"""Network modules over (batch, time, unit) tensors; a stateful module is a step function and a state.

``module(x, state)`` runs a sequence and ``module.step(x_t, state)`` one step; both return the output and the
next state, which the caller holds, and any split of a sequence gives what the whole gives.
"""

from beyondrate.nn.compact import coincidence_net, isi_net
from beyondrate.nn.conv_lif import ConvSpikingNet
from beyondrate.nn.count_mlp import CountMLP
from beyondrate.nn.delay import AxonalDelay
from beyondrate.nn.first_spike import FirstSpikeNet
from beyondrate.nn.gamma import GammaMemory, SigmaDelta
from beyondrate.nn.gamma_losses import EveryStep, loss_support
from beyondrate.nn.gamma_synapse import GammaSynapse
from beyondrate.nn.gamma_wiring import Conv
from beyondrate.nn.initialise import initialise_from_data
from beyondrate.nn.lif import LIF
from beyondrate.nn.lif_traces import LIFTraces
from beyondrate.nn.linear import SpikeLinear
from beyondrate.nn.losses import LastStep, Loss, MeanMembrane, MeanSoftmax, Spikemax
from beyondrate.nn.networks import NetState, SpikingNet
from beyondrate.nn.operations import Operations, operations
from beyondrate.nn.readout import LeakyReadout, SumReadout
from beyondrate.nn.spiking_gamma import GammaState, SpikingGammaNet
from beyondrate.nn.synaptic_delay import SynapticDelayLinear
from beyondrate.ops.lif import LIFState
from beyondrate.ops.sparse_linear import SpikeRows

__all__ = [
    "LIF",
    "AxonalDelay",
    "Conv",
    "ConvSpikingNet",
    "CountMLP",
    "EveryStep",
    "FirstSpikeNet",
    "GammaMemory",
    "GammaState",
    "GammaSynapse",
    "LIFState",
    "LIFTraces",
    "LastStep",
    "LeakyReadout",
    "Loss",
    "MeanMembrane",
    "MeanSoftmax",
    "NetState",
    "Operations",
    "SigmaDelta",
    "SpikeLinear",
    "SpikeRows",
    "Spikemax",
    "SpikingGammaNet",
    "SpikingNet",
    "SumReadout",
    "SynapticDelayLinear",
    "coincidence_net",
    "initialise_from_data",
    "isi_net",
    "loss_support",
    "operations",
]
