"""Jobs are done once, wherever they run; what goes wrong in one is told with its reason."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from beyondrate.errors import InputError
from beyondrate.jobs import Pool, has_result, read_json, read_result
from beyondrate.progress import silent

WORK = f"{__name__}:square"


@dataclass(frozen=True)
class Square:
    number: int

    @property
    def key(self) -> str:
        return f"square_{self.number}"


def square(folder, values, tell):
    """Square a number; keep a line for each time that it is done."""
    with (folder / "log").open("a") as log:
        log.write(f"{values['number']}\n")
    tell(0.5, "halfway")
    if values["number"] == 13:
        raise InputError("13 is refused", remedy="take another number")
    if values["number"] == 17:
        raise ZeroDivisionError("17 breaks")
    return {"square": values["number"] ** 2}


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    """Let worker processes import this module by the name that it has here."""
    roots = os.pathsep.join([str(path) for path in __import__("sys").path if path])
    monkeypatch.setenv("PYTHONPATH", roots)


@pytest.mark.parametrize("n_workers", [0, 2])
def test_jobs_are_done_once_and_keep_their_results(tmp_path, n_workers):
    jobs, told = [Square(n) for n in range(1, 6)], []
    with Pool(tmp_path, WORK, n_workers) as pool:
        pool.run([jobs[:2]], silent)
    assert not has_result(tmp_path, jobs[4])
    with Pool(tmp_path, WORK, n_workers) as pool:
        pool.run([jobs[:2], jobs], lambda *how_far: told.append(how_far))
    assert [read_result(tmp_path, job)["square"] for job in jobs] == [1, 4, 9, 16, 25]
    assert sorted((tmp_path / "log").read_text().split()) == ["1", "2", "3", "4", "5"]
    assert told[-1][0] == told[-1][1]


@pytest.mark.parametrize("n_workers", [0, 1])
def test_bad_input_in_a_job_is_told_as_it_is(tmp_path, n_workers):
    with pytest.raises(InputError, match="13 is refused"), Pool(tmp_path, WORK, n_workers) as pool:
        pool.run([[Square(2), Square(13)]], silent)
    assert read_result(tmp_path, Square(2)) == {"square": 4}
    assert not has_result(tmp_path, Square(13))


def test_a_crash_in_a_worker_brings_its_traceback(tmp_path):
    with pytest.raises(RuntimeError, match="ZeroDivisionError: 17 breaks"), Pool(tmp_path, WORK, 1) as pool:
        pool.run([[Square(17)]], silent)


def test_a_result_that_is_missing_or_broken_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_result(tmp_path, Square(1))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path / "broken.json")
