"""Synthetic speech: espeak-ng, driven in a process of its own.

espeak-ng is under the GPL and comes with the extra ``speech``; this package never loads it. A worker
script that knows nothing of this package does, one fresh process a call.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int16

from beyondrate.errors import InputError, MissingExtraError

WORKER = Path(__file__).with_name("espeak_worker.py")


@dataclass(frozen=True)
class Utterance:
    """What to say and how.

    Args:
        text: the text; its final punctuation shapes the melody.
        voice: espeak-ng's name of language and variant, such as "en-us+f2" or "de+m3".
        rate_wpm: speed in words a minute, 80 to 450.
        pitch: 0 to 100, 50 being the voice's own.
        pitch_range: 0 (monotone) to 100.
    """

    text: str
    voice: str
    rate_wpm: int = 175
    pitch: int = 50
    pitch_range: int = 50


def require_speech() -> tuple[Path, Path]:
    """Return where espeak-ng's library and its data are.

    Raises:
        MissingExtraError: if the extra ``speech`` is not installed.
    """
    found = importlib.util.find_spec("espeakng_loader")
    if found is None or found.origin is None:
        raise MissingExtraError("speech synthesis", "speech")
    folder = Path(found.origin).parent
    suffix = {"darwin": "libespeak-ng.dylib", "win32": "espeak-ng.dll"}.get(sys.platform, "libespeak-ng.so")
    return folder / suffix, folder / "espeak-ng-data"


def speak(utterances: Sequence[Utterance]) -> tuple[list[Int16[np.ndarray, " samples"]], int]:
    """Speak in one fresh process and return each utterance's samples, and their rate in Hz.

    The samples depend on the list as a whole: the same list gives the same samples.

    Raises:
        MissingExtraError: if the extra ``speech`` is not installed.
        InputError: if espeak-ng refuses a voice or a text.
    """
    library, data = require_speech()
    job = {"library": str(library), "data": str(data), "utterances": [asdict(u) for u in utterances]}
    worker = subprocess.run(
        [sys.executable, "-I", str(WORKER)], input=json.dumps(job).encode(), capture_output=True, check=False
    )
    if worker.returncode != 0:
        reason = worker.stderr.decode(errors="replace").strip().splitlines() or [
            f"status {worker.returncode}"
        ]
        raise InputError(f"speech synthesis failed: {reason[-1]}", remedy="check the voice and the text")
    header, _, samples = worker.stdout.partition(b"\n")
    facts = json.loads(header)
    ends = np.cumsum(facts["lengths"])
    return np.split(np.frombuffer(samples, dtype="<i2"), ends[:-1]), facts["rate_hz"]
