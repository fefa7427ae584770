"""beyondrate: train spiking networks on precise spike timing, and audit how much of an accuracy is timing."""

from beyondrate.errors import InputError, MissingExtraError
from beyondrate.events import SpikeTrains

__all__ = ["InputError", "MissingExtraError", "SpikeTrains"]
__version__ = "0.1.0"
