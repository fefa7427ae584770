"""Values over time (touch, heart, movement) to events and back: level crossing and sigma-delta."""

from __future__ import annotations

from beyondrate.signals.arrays import read_arrays_of_values
from beyondrate.signals.encoders import ENCODERS, CodedSignals, level_crossing, reconstruct, sigma_delta
from beyondrate.signals.tables import SignalTable, read_table

__all__ = [
    "ENCODERS",
    "CodedSignals",
    "SignalTable",
    "level_crossing",
    "read_arrays_of_values",
    "read_table",
    "reconstruct",
    "sigma_delta",
]
