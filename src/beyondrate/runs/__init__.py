"""Networks trained by name, kept in a folder, and tested there again: ``beyondrate train`` and ``test``."""

from beyondrate.runs.testing import test
from beyondrate.runs.training import DELAYS, MODELS, train

__all__ = ["DELAYS", "MODELS", "test", "train"]
