"""Training: the loop and the checkpoints; networks, losses and data come from the floors below."""

from beyondrate.training.checkpoint import load_checkpoint, save_checkpoint
from beyondrate.training.loop import FitResult, TrainingSettings, fit, predict

__all__ = ["FitResult", "TrainingSettings", "fit", "load_checkpoint", "predict", "save_checkpoint"]
