"""Jobs side by side in worker processes, each with one thread.

A worker is a fresh interpreter that is told jobs on its standard input and answers in JSON lines, so
runs can be started from notebooks and scripts alike (nothing of the caller's is imported again).
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from beyondrate.errors import InputError
from beyondrate.jobs.results import Job, has_result
from beyondrate.jobs.work import do
from beyondrate.progress import Progress

STEPS_A_JOB = 100
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


class Pool:
    """Worker processes on one run's folder; use it as a context manager, which ends them.

    Args:
        folder: the run's folder, with whatever its jobs read.
        work: what does a job, as "module:function".
        n_workers: how many processes; 0 does the jobs in this process.
    """

    def __init__(self, folder: Path, work: str, n_workers: int) -> None:
        self.folder = folder
        self.work = work
        self.answers: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
        self.processes = [self._start(i) for i in range(n_workers)]

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def run(self, stages: Sequence[Sequence[Job]], progress: Progress) -> None:
        """Run the jobs that the folder does not hold yet, each stage when the one before is finished.

        Raises:
            InputError: what a job found wrong with its data.
            RuntimeError: any other failure in a worker, with its traceback.
        """
        board = _Board(len({job.key for jobs in stages for job in jobs}), progress)
        for jobs in stages:
            waiting = [job for job in jobs if not has_result(self.folder, job)]
            for job in jobs:
                if job not in waiting:
                    board.finish(job.key)
            if self.processes:
                self._share_out(waiting, board)
            else:
                self._run_here(waiting, board)

    def _run_here(self, jobs: Sequence[Job], board: _Board) -> None:
        for job in jobs:
            do(self.work, self.folder, job.key, asdict(job), partial(board.update, job.key))
            board.finish(job.key)

    def _share_out(self, jobs: Sequence[Job], board: _Board) -> None:
        waiting = list(reversed(jobs))
        busy = 0
        for index in range(len(self.processes)):
            busy += self._tell(index, waiting)
        while busy:
            index, answer = self.answers.get()
            if "share" in answer:
                board.update(answer["job"], answer["share"], answer["what"])
                continue
            if "error" in answer:
                raise _as_exception(answer["error"])
            board.finish(answer["job"])
            busy += self._tell(index, waiting) - 1

    def _tell(self, index: int, waiting: list[Job]) -> int:
        """Give a worker its next job; return 1 if there was one."""
        if not waiting:
            return 0
        job = waiting.pop()
        pipe = self.processes[index].stdin
        if pipe is not None:
            pipe.write(json.dumps({"key": job.key, "job": asdict(job)}) + "\n")
            pipe.flush()
        return 1

    def _start(self, index: int) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "beyondrate.jobs.worker", str(self.folder), self.work],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,  # Ctrl-C stops this process, which then ends its workers in order
        )
        threading.Thread(target=self._listen, args=(index, process), daemon=True).start()
        return process

    def _listen(self, index: int, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        for line in process.stdout:
            self.answers.put((index, json.loads(line)))
        status = process.wait()
        self.answers.put((index, {"error": {"kind": "died", "text": f"a worker ended with status {status}"}}))


class _Board:
    """Adds up how far all jobs are."""

    def __init__(self, n_jobs: int, progress: Progress) -> None:
        self.total = n_jobs * STEPS_A_JOB
        self.steps: dict[str, int] = {}
        self.progress = progress

    def update(self, key: str, share: float, what: str) -> None:
        self.steps[key] = min(STEPS_A_JOB - 1, int(share * STEPS_A_JOB))
        self.progress(sum(self.steps.values()), self.total, f"{key.replace('_', ' ')}: {what}")

    def finish(self, key: str) -> None:
        self.steps[key] = STEPS_A_JOB
        self.progress(sum(self.steps.values()), self.total, f"{key.replace('_', ' ')}: done")


def _as_exception(error: dict[str, str]) -> Exception:
    if error["kind"] == "input":
        return InputError(error["problem"], remedy=error["remedy"], file=error["file"] or None)
    return RuntimeError(error["text"])


def default_workers() -> int:
    """Return one worker for each processor that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
