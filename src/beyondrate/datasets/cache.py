"""Where data sets that were made or fetched are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder named by the environment variable BEYONDRATE_DATA, else ~/.cache/beyondrate."""
    named = os.environ.get("BEYONDRATE_DATA")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "beyondrate"
