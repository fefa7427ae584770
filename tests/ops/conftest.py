from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch


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
