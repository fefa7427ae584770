"""Where data sets that were made or fetched are kept."""

from __future__ import annotations

import os
from pathlib import Path

from beyondrate.errors import InputError


def cache_folder() -> Path:
    """Return the folder named by the environment variable BEYONDRATE_DATA, else ~/.cache/beyondrate."""
    named = os.environ.get("BEYONDRATE_DATA")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "beyondrate"


def made_cache_folder() -> Path:
    """Return the cache folder, made if it was missing.

    Raises:
        InputError: if it cannot be made.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder cannot be made ({error.strerror})",
            remedy="choose another with the environment variable BEYONDRATE_DATA",
            file=folder,
        ) from error
    return folder
