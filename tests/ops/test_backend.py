from __future__ import annotations

import logging
import os
import threading
import time

import pytest
import torch

from beyondrate.errors import InputError
from beyondrate.ops import backend, threads


def test_the_fastest_that_fits_is_chosen():
    assert backend.choose_backend("lif", torch.zeros(1), None) == "cpu"
    assert backend.choose_backend("lif", torch.zeros(1, dtype=torch.float64), None) == "cpu"
    assert backend.choose_backend("lif", torch.zeros(1, dtype=torch.bfloat16), None) == "reference"
    assert backend.choose_backend("lif", torch.zeros(1, device="meta"), None) == "reference"
    assert backend.choose_backend("lif", torch.zeros(1), "reference") == "reference"


def test_there_is_no_silent_fallback():
    with pytest.raises(InputError, match=r"cannot run lif on torch\.float16"):
        backend.choose_backend("lif", torch.zeros(1, dtype=torch.float16), "cpu")
    with pytest.raises(
        InputError, match=r"'cuda' cannot run lif on torch\.float32 on cpu.*give backend 'cpu'"
    ):
        backend.choose_backend("lif", torch.zeros(1), "cuda")
    with pytest.raises(InputError, match="backend is 'gpu'"):
        backend.choose_backend("lif", torch.zeros(1), "gpu")


@pytest.mark.parametrize(
    ("installed", "interpret", "expected"),
    [(False, "1", ()), (True, "0", ("cuda",)), (True, "1", ("cuda", "cpu"))],
)
def test_triton_runs_on_cuda_and_its_interpreter_anywhere(monkeypatch, installed, interpret, expected):
    monkeypatch.setattr(backend, "find_spec", lambda name: object() if installed else None)
    monkeypatch.setenv("TRITON_INTERPRET", interpret)
    assert backend.triton_devices.__wrapped__() == expected


def test_where_the_triton_kernels_are_chosen(monkeypatch):
    """By a stand-in for a GPU's tensors, which not every machine can make."""

    class Tensor:
        def __init__(self, dtype):
            self.device, self.dtype = torch.device("cuda"), dtype

    def chosen(operation, dtype, asked=None):
        return backend.choose_backend(operation, Tensor(dtype), asked)

    monkeypatch.setattr(backend, "triton_devices", lambda: ("cuda",))
    assert chosen("lif", torch.float32) == chosen("lif", torch.float64) == "cuda"
    assert chosen("sparse_linear", torch.bfloat16) == "cuda"
    assert chosen("lif", torch.bfloat16) == "reference"
    assert chosen("spike_linear", torch.float32) == "reference"
    with pytest.raises(InputError, match=r"'cpu' cannot run lif on torch\.float32 on cuda"):
        chosen("lif", torch.float32, "cpu")
    monkeypatch.setattr(backend, "triton_devices", lambda: ())
    assert chosen("lif", torch.float32) == "reference"
    with pytest.raises(InputError, match=r"'cuda' cannot run lif.*give backend 'reference'.*install Triton"):
        chosen("lif", torch.float32, "cuda")


def test_each_choice_is_logged_once(caplog, monkeypatch):
    monkeypatch.setattr(backend, "_told", set())
    with caplog.at_level(logging.INFO, logger="beyondrate"):
        for _ in range(3):
            backend.choose_backend("lif", torch.zeros(1), None)
            backend.choose_backend("lif", torch.zeros(1), "reference")
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == [
        "lif runs on backend cpu",
        "lif runs on backend reference",
    ]


@pytest.mark.parametrize("n_items", [0, 1, 2, 7, 1000])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_pieces_cover_the_work_once(with_threads, n_items, n_threads):
    pieces = []
    with with_threads(n_threads):
        threads.in_pieces(lambda start, stop: pieces.append((start, stop)), n_items, 1 << 20)
    covered = [item for start, stop in sorted(pieces) for item in range(start, stop)]
    assert covered == list(range(n_items))
    assert len(pieces) == max(1, min(n_threads, n_items))


def test_small_work_stays_on_the_calling_thread(with_threads):
    called = []
    with with_threads(4):
        threads.in_pieces(lambda *_: called.append(threading.current_thread()), 100, 1)
    assert called == [threading.current_thread()]


def test_an_error_in_a_piece_reaches_the_caller(with_threads):
    def fail_on_the_last(start, stop):
        if stop == 100:
            raise ValueError("broken")

    with with_threads(2), pytest.raises(ValueError, match="broken"):
        threads.in_pieces(fail_on_the_last, 100, 1 << 20)


@pytest.mark.parametrize("n_items", [0, 1, 2, 50])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_what_comes_first_is_done_in_turn_and_all_is_finished(with_threads, n_items, n_threads):
    begun, finished, here = [], [], set()

    def first(item):
        begun.append(item)
        here.add(threading.get_ident())
        return item

    def then(made):
        time.sleep(0.001 * (made % 3))
        finished.append(made)

    with with_threads(n_threads):
        threads.in_turn(first, then, range(n_items))
    assert begun == list(range(n_items))
    assert sorted(finished) == begun
    assert here <= {threading.get_ident()}


@pytest.mark.parametrize("where", ["first", "then"])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_error_on_any_thread_arrives_and_leaves_the_threads_usable(with_threads, where, n_threads):
    def fails(name):
        def step(item):
            if name == where and item == 7:
                raise InputError("seven", remedy="take another")
            return item

        return step

    with with_threads(n_threads):
        for _ in range(20):
            with pytest.raises(InputError, match="seven"):
                threads.in_turn(fails("first"), fails("then"), range(30))
        done = []
        threads.in_turn(lambda item: item, done.append, range(30))
    assert sorted(done) == list(range(30))


@pytest.mark.parametrize("where", ["first", "then", "kernel"])
def test_kernels_in_what_runs_side_by_side_wait_for_no_helper(with_threads, where):
    """With more threads than processors all helpers might wait for helpers."""

    def step(name):
        def call(made):
            here, used = threading.get_ident(), []
            if name == where:
                threads.in_pieces(lambda *_: used.append(threading.get_ident()), 10, 1 << 20)
            ran_on.append((here, used))
            return made

        return call

    ran_on = []
    with with_threads(2):
        if where == "kernel":
            on_helper = threads._pool(os.getpid()).submit(step("kernel"), 0)
            on_helper.result()
        else:
            threads.in_turn(step("first"), step("then"), range(20))
    assert sum(len(used) for _, used in ran_on) == (1 if where == "kernel" else 20)
    assert all(used in ([], [here]) for here, used in ran_on)


def test_kernels_first_on_threads_side_by_side(with_threads):
    """Each thread has torch's threads back when it is done, and so has every later one."""
    found = {}
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def first():
        with threads.kernels_first():
            first_is_in.set()
            second_is_in.wait(5)
        found["first"] = torch.get_num_threads()
        first_is_out.set()

    def second():
        first_is_in.wait(5)
        with threads.kernels_first():
            found["kernels"] = threads._n_threads()
            second_is_in.set()
            first_is_out.wait(5)
            found["torch"] = torch.get_num_threads()
        found["second"] = torch.get_num_threads()

    def run(*functions):
        started = [threading.Thread(target=function) for function in functions]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()

    with with_threads(3):
        run(first, second)
        run(lambda: found.update(later=torch.get_num_threads()))
        assert torch.get_num_threads() == 3
    assert found == {"kernels": 3, "torch": 1, "first": 3, "second": 3, "later": 3}


def test_no_piece_is_left_at_work_when_one_fails(with_threads):
    """Kernels write where an address says: memory must not go while one of them is at it."""
    ended = []

    def piece(start, stop):
        if start == 0:
            raise KeyboardInterrupt
        time.sleep(0.2)
        ended.append(start)

    with with_threads(2), pytest.raises(KeyboardInterrupt):
        threads.in_pieces(piece, 2, 1 << 20)
    assert ended == [1]


def test_kernels_first_leaves_torch_one_thread_and_the_kernels_all(with_threads):
    used = set()

    def piece(start, stop):
        used.add(threading.get_ident())

    with with_threads(2):
        with threads.kernels_first(), threads.kernels_first():
            assert torch.get_num_threads() == 1
            threads.in_pieces(piece, 2, 1 << 20)
        assert torch.get_num_threads() == 2 and len(used) == 2
        with pytest.raises(ValueError, match="stopped"), threads.kernels_first():
            raise ValueError("stopped")
        assert torch.get_num_threads() == 2
    with with_threads(1), threads.kernels_first():
        used.clear()
        threads.in_pieces(piece, 2, 1 << 20)
    assert len(used) == 1
