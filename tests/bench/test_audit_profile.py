"""The benchmarks of where an audit's time goes and of what the first call compiles."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch
from numba import njit

from beyondrate.bench import networks, work
from beyondrate.bench.networks import Size

Script = Callable[[str], ModuleType]


def test_time_is_given_to_the_room_that_spent_it(script: Script):
    profiler = script("audit_profile")
    assert profiler.room_of("/a/beyondrate/ops/lif/cpu.py") == profiler.KERNELS
    assert profiler.room_of("/a/beyondrate/src/beyondrate/ops/lif/custom.py") == profiler.OWN
    assert profiler.room_of("/a/beyondrate/src/beyondrate/training/loop.py") == "training"
    assert profiler.room_of(torch.optim.Adam.step.__code__.co_filename).startswith("torch: optim")
    assert profiler.room_of(np.__file__) == "numpy"
    packages = "/a/beyondrate/.venv/lib/python3.11/site-packages"
    assert profiler.room_of(f"{packages}/scipy/linalg/blas.py") == "scipy"
    assert profiler.room_of(f"{packages}/beyondrate/nn/lif.py") == "nn"
    assert profiler.room_of(json.__file__) == "python"


def test_a_training_step_has_time_inside_and_outside(script: Script):
    profiler = script("audit_profile")
    size = Size(batch=16)
    rows = work.random_rows(size)
    step = work.training_step(work.live(networks.ours(size), rows), rows, size.n_classes)
    step()
    found = profiler.profile(step)
    rooms = {room: value["share"] for room, value in found["rooms"].items()}
    assert sum(rooms.values()) == pytest.approx(1)
    assert rooms[profiler.KERNELS] > 0.01 and rooms["torch: autograd"] > 0.001
    share = found["share_inside"]
    assert 0 < share["kernels"] <= share["kernels and called"] <= share["all of ops"]
    assert found["cpu_s"]["plain"] > 0
    taken = [one["seconds"] for one in found["functions"]]
    assert len(taken) == profiler.TOP and taken == sorted(taken, reverse=True)
    assert any("ops/" in one["name"] and one["name"].endswith("_backward") for one in found["functions"])


def test_each_kernel_is_given_the_seconds_that_it_took_to_compile(
    script: Script, monkeypatch: pytest.MonkeyPatch
):
    @njit
    def inner(x: float) -> float:
        return x + 1

    @njit
    def outer(x: float) -> float:
        return inner(x) * 2

    timer = script("compile_time")
    one = work.Work("two kernels", {"ours": lambda: lambda: outer(1.0)})
    monkeypatch.setattr(timer, "works", lambda against: {"two": lambda: one})
    first, second = timer.first_call("two"), timer.first_call("two")
    assert {name.rsplit(".", 1)[1] for name in first["kernels"]} == {"inner", "outer"}
    assert all(seconds > 0 for seconds in first["kernels"].values())
    assert sum(first["kernels"].values()) == pytest.approx(first["compiling_s"])
    assert first["compiling_s"] < first["cpu_s"]
    assert second["kernels"] == {} and second["cpu_s"] < first["cpu_s"]
