"""The code of docs/own-neuron.md: a neuron in plain torch is trained, and its fused version is the same."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

PAGE = Path(__file__).parent.parent / "docs" / "own-neuron.md"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 5
    path = tmp_path_factory.mktemp("own") / "own_neuron.py"
    path.write_text("\n\n".join(blocks), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("own_neuron", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("version", ["adaptive_lif", "fused_adaptive_lif"])
def test_both_versions_learn_what_counts_do_not_tell(own: ModuleType, version: str):
    assert own.trained(getattr(own, version)) > 0.95


@pytest.mark.parametrize("shape", [(5, 40, 7), (1, 30, 1)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_fused_version_agrees_with_plain_torch(
    own: ModuleType, dtype: torch.dtype, shape: tuple[int, ...]
):
    assert 0.05 < own.agree(dtype, shape) < 0.5


def test_torch_understands_the_operation(own: ModuleType):
    inputs = [torch.rand(size).requires_grad_() for size in ((2, 9, 3), 3, 3, 3)]
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    assert set(torch.library.opcheck(own.fused, inputs, test_utils=checks).values()) == {"SUCCESS"}


def test_threads_change_no_bit(own: ModuleType):
    generator = torch.Generator().manual_seed(0)
    shapes = (32, 100, 33), (33,), (33,), (33,)
    inputs = [torch.rand(shape, generator=generator).requires_grad_() for shape in shapes]
    before = torch.get_num_threads()
    found = []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            spikes = own.fused_adaptive_lif(*inputs)
            found.append((spikes, *torch.autograd.grad((spikes * spikes.detach().cumsum(1)).sum(), inputs)))
    finally:
        torch.set_num_threads(before)
    assert found[0][0].mean() > 0.05
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


def test_the_page_says_what_was_measured(script: Callable[[str], ModuleType]):
    benchmark = script("own_neuron")
    measured = json.loads(benchmark.RESULT.read_text(encoding="utf-8"))
    for row in benchmark.rows(measured["median_cpu_ms"]):
        assert row in PAGE.read_text(encoding="utf-8")
