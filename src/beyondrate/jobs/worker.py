"""A worker process, ``python -m beyondrate.jobs.worker FOLDER WORK``: jobs in, answers out, as JSON lines."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from beyondrate.errors import InputError
from beyondrate.jobs.work import do
from beyondrate.ops.memory import reuse_freed_memory


def main(folder: str, work: str) -> None:
    """Serve jobs until the standard input ends."""
    reuse_freed_memory()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that files are cleaned up
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints must not mix with answers
    for line in sys.stdin:
        asked = json.loads(line)
        key = asked["key"]
        try:
            do(work, Path(folder), key, asked["job"], partial(_tell, answers, key))
            _say(answers, job=key)
        except InputError as error:
            problem = {"problem": error.problem, "remedy": error.remedy, "file": str(error.file or "")}
            _say(answers, job=key, error={"kind": "input", **problem})
        except Exception:
            _say(answers, job=key, error={"kind": "crash", "text": traceback.format_exc()})


def _tell(answers: TextIO, key: str, share: float, what: str) -> None:
    _say(answers, job=key, share=share, what=what)


def _say(answers: TextIO, **message: Any) -> None:  # noqa: ANN401
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2])
    except BrokenPipeError:  # whoever asked is gone
        os._exit(1)
