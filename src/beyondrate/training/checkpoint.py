"""Checkpoints: weights as safetensors, with the network's configuration and a SHA-256 digest of the whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from beyondrate import nn as networks
from beyondrate.errors import InputError
from beyondrate.storage import atomic_path
from beyondrate.training.finite import check_weights

_KEY = "beyondrate"


def save_checkpoint(model: nn.Module, path: str | Path, *, facts: Mapping[str, Any] | None = None) -> None:
    """Write a ready network of ``beyondrate.nn`` to one file, moved into place when complete.

    Args:
        model: a network with a JSON-able ``config``.
        path: where to write, usually ``*.safetensors``.
        facts: JSON-like facts to keep with it, such as dt_s and the data's digest.

    Raises:
        InputError: if a weight is no number.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    check_weights(weights, path)
    head = {"network": type(model).__name__, "config": model.config, "facts": dict(facts or {})}
    head["sha256"] = _digest(head, weights)
    with atomic_path(path) as aside:
        safetensors.torch.save_file(weights, aside, metadata={_KEY: json.dumps(head)})


def load_checkpoint(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """Read a network and its facts, refusing a file whose digest does not match.

    Raises:
        InputError: if the file is missing, is no checkpoint, or was changed.
    """
    if not Path(path).is_file():
        raise InputError("no such file", remedy="give the path of a checkpoint", file=path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            head = json.loads((file.metadata() or {})[_KEY])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
        claimed = head.pop("sha256")
        network = getattr(networks, head["network"])
    except (safetensors.SafetensorError, KeyError, AttributeError, json.JSONDecodeError) as error:
        raise InputError(
            f"is no checkpoint of beyondrate ({error})", remedy="give a file that training wrote", file=path
        ) from error
    found = _digest(head, weights)
    if found != claimed:
        raise InputError(
            f"holds weights of SHA-256 {found}, but says {claimed}", remedy="restore or retrain it", file=path
        )
    model: nn.Module = network.from_config(head["config"])
    model.load_state_dict(weights)
    return model, head["facts"]


def _digest(head: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> str:
    sha = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for name in sorted(weights):
        value = weights[name]
        sha.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        sha.update(value.numpy().tobytes())
    return sha.hexdigest()
