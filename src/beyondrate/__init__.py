"""beyondrate: train spiking networks on precise spike timing, and audit how much of an accuracy is timing.

Example:
    >>> import beyondrate as br
    >>> trains = br.SpikeTrains.from_samples([([100, 900], [0, 1])], labels=[0], n_units=2, duration_us=1000)
    >>> br.perturb.reverse(trains).times_us.tolist()
    [100, 900]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from beyondrate.errors import InputError, MissingExtraError
from beyondrate.events import SpikeTrains

if TYPE_CHECKING:
    from beyondrate import datasets, nn, perturb, signals, storage, tasks, variants
    from beyondrate.audit.result import AuditResult
    from beyondrate.audit.run import audit
    from beyondrate.bench.run import bench
    from beyondrate.report import write_report, write_reproduction, write_training
    from beyondrate.reproduce.figure import Reproduction
    from beyondrate.reproduce.run import reproduce
    from beyondrate.runs import test, train
    from beyondrate.storage import load, save
    from beyondrate.training import TrainingSettings, fit, predict

__all__ = [
    "AuditResult",
    "InputError",
    "MissingExtraError",
    "Reproduction",
    "SpikeTrains",
    "TrainingSettings",
    "audit",
    "bench",
    "datasets",
    "fit",
    "load",
    "nn",
    "perturb",
    "predict",
    "reproduce",
    "save",
    "signals",
    "storage",
    "tasks",
    "test",
    "train",
    "variants",
    "write_report",
    "write_reproduction",
    "write_training",
]
__version__ = "0.1.0"

# Loaded when first asked for: torch alone takes more than a second.
_ROOM_OF = {
    "AuditResult": "audit.result",
    "Reproduction": "reproduce.figure",
    "TrainingSettings": "training",
    "fit": "training",
    "load": "storage",
    "predict": "training",
    "save": "storage",
    "test": "runs",
    "train": "runs",
    "write_report": "report",
    "write_reproduction": "report",
    "write_training": "report",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _ROOM_OF:
        return getattr(importlib.import_module(f"beyondrate.{_ROOM_OF[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"beyondrate.{name}")
    raise AttributeError(f"module 'beyondrate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
