import os
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "audit"))
torch.set_num_threads(1)  # tests run side by side


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings, named by BEYONDRATE_TEST_DATA."""
    folder = os.environ.get("BEYONDRATE_TEST_DATA")
    if not folder:
        pytest.skip("BEYONDRATE_TEST_DATA is not set to the folder of real recordings")
    return Path(folder)
