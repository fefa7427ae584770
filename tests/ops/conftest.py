from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from beyondrate.ops.backend import triton_devices


def pytest_configure(config):
    config.addinivalue_line("markers", "triton: needs a GPU, or TRITON_INTERPRET=1")


@pytest.fixture
def triton_device():
    """The device that the Triton kernels run on: a GPU, or under TRITON_INTERPRET=1 the CPU."""
    if "cpu" in triton_devices():
        return torch.device("cpu")
    if triton_devices() and torch.cuda.is_available():
        return torch.device("cuda")
    pytest.skip("no GPU and Triton here; test_triton_interpreted.py runs these in Triton's interpreter")


@pytest.fixture
def with_threads():
    """Run a block with as many torch threads as told."""

    @contextmanager
    def run_with(n_threads):
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    return run_with
