from __future__ import annotations

import subprocess
import sys

import pytest

PAGE_FAULTS = """
import resource, torch
from beyondrate.ops.memory import reuse_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def use_and_free(times):
    before = faults()
    for _ in range(times):
        torch.ones(2_000_000)  # 8 MB, 2,000 pages
        torch.ones(10_000_000)
    return faults() - before

use_and_free(2)
usual = use_and_free(10)
assert reuse_freed_memory()
use_and_free(40)
print(usual, use_and_free(10))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="GNU/Linux only")
def test_freed_memory_is_used_again_without_a_page_fault():
    """In a process of its own, because the setting holds for the whole process."""
    run = subprocess.run([sys.executable, "-c", PAGE_FAULTS], capture_output=True, text=True, check=True)
    usual, reused = map(int, run.stdout.split())
    assert reused < 1000
    if usual < 50_000:
        pytest.skip("this C library reuses the memory anyway")
