"""Vectors in kernels: what they compute is what numpy computes, and nothing beyond an array is touched."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from beyondrate.ops.lanes import (
    bits,
    count_bits,
    flushed,
    fma,
    load,
    load_bytes,
    load_halves,
    lowest_bit,
    reciprocal,
    store,
    store_halves,
    total,
    where,
    width,
    zeros,
)

DTYPES = [np.float32, np.float64]


@njit
def fill(out, x, y, function):
    for j in range(0, len(x), width(x)):
        left = len(x) - j
        store(out, j, left, function(load(x, j, left), load(y, j, left)))


@njit
def lengths(x):
    return width(x)


def numbers(n, dtype, seed=0):
    return (10 * np.random.default_rng(seed).standard_normal(n)).astype(dtype)


@njit
def arithmetic(x, y):
    total = x + y * y - x / (abs(y) + abs(y))
    total += x
    total -= y
    total *= x
    total /= abs(y)
    return -total


@njit
def chosen(x, y):
    return where(x > y, x, where(x == y, x - x, np.floor(y)))


@njit
def fused(x, y):
    return fma(x, y, x)


@njit
def exponential(x, y):
    return np.exp(-abs(x)) + y


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (arithmetic, lambda x, y: -((x + y * y - x / (2 * abs(y)) + x - y) * x / abs(y))),
        (chosen, lambda x, y: np.where(x > y, x, np.floor(y))),
        (fused, lambda x, y: x * y + x),
        (exponential, lambda x, y: np.exp(-abs(x)) + y),
    ],
)
def test_lanes_compute_what_numpy_does_at_any_length(dtype, function, expected):
    n_lanes = lengths(np.zeros(1, dtype))
    for n in (1, n_lanes - 1, n_lanes, 2 * n_lanes + 3):
        x, y = numbers(n, dtype), numbers(n, dtype, seed=1)
        room = np.full(n + 2 * n_lanes, 7, dtype)
        fill(room[:n], x, y, function)
        np.testing.assert_allclose(room[:n], expected(x, y), rtol=1e-5 if dtype == np.float32 else 1e-13)
        assert (room[n:] == 7).all()  # what lies beyond is as it was


@njit
def lane_of_each(x, y, found):
    left = len(x)
    a, b = load(x, 0, left), load(y, 0, left)
    one, zero = x.dtype.type(1), x.dtype.type(0)
    store(found, (0, 0), left, where(a < b, one, zero))
    store(found, (1, 0), left, where(a <= b, one, zero))
    store(found, (2, 0), left, where(a > b, one, zero))
    store(found, (3, 0), left, where(a >= b, one, zero))
    store(found, (4, 0), left, where(a == b, one, zero))
    store(found, (5, 0), left, where(a != b, one, zero))


def test_comparisons_treat_what_is_not_a_number_as_numpy_does():
    edge = [-np.inf, -1.0, -0.0, 0.0, 1.0, np.inf, np.nan]
    x, y = (np.array(side).ravel() for side in np.meshgrid(edge, edge))
    for first in range(0, len(x), 8):  # a vector holds as many wherever there is one
        a, b = x[first : first + 8], y[first : first + 8]
        found = np.full((6, len(a)), -1.0)
        lane_of_each(a, b, found)
        np.testing.assert_array_equal(found, [a < b, a <= b, a > b, a >= b, a == b, a != b])


@njit
def flush(x, y):
    return flushed(x) + (y - y)


def test_only_tiny_numbers_are_flushed():
    x = np.array([1e-31, -1e-31, 2e-30, -2e-30, 1e-40, 0.0, np.inf, -np.inf], np.float32)
    out = np.empty_like(x)
    fill(out, x, np.zeros_like(x), flush)
    assert out.tolist() == [0, 0, *x[2:4].tolist(), 0, 0, np.inf, -np.inf]
    x[:] = np.nan
    fill(out, x, np.zeros_like(x), flush)
    assert np.isnan(out).all()


@njit
def reciprocal_of(x, y):
    return reciprocal(x) + (y - y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_reciprocal_is_right_to_the_last_digit(dtype):
    x = np.exp(np.linspace(0, 85, 100_003)).astype(dtype)
    out = np.empty_like(x)
    fill(out, x, np.zeros_like(x), reciprocal_of)
    assert np.max(abs(out.astype(np.longdouble) * x - 1)) < 2 * np.finfo(dtype).eps
    edges = np.array([1, np.inf, np.nan], dtype)
    out = np.empty_like(edges)
    fill(out, edges, np.zeros_like(edges), reciprocal_of)
    np.testing.assert_allclose(out, [1, 1e-37, np.nan], rtol=1e-6)


@njit
def exp_of(x, y):
    return np.exp(x) + (y - y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_exponential_is_right_to_the_last_digits_but_few(dtype):
    lowest, highest = np.log(np.finfo(dtype).tiny), np.log(np.finfo(dtype).max)
    x = np.concatenate([np.linspace(lowest, highest, 9999)[1:-1], np.linspace(-1, 1, 999)]).astype(dtype)
    out = np.empty_like(x)
    fill(out, x, np.zeros_like(x), exp_of)
    expected = np.exp(x.astype(np.longdouble))
    assert np.max(abs(out - expected) / expected) < 3 * np.finfo(dtype).eps
    edges = np.array([-np.inf, lowest - 1, 0.0, highest + 1, np.inf, np.nan], dtype)
    out = np.empty_like(edges)
    fill(out, edges, np.zeros_like(edges), exp_of)
    assert out[:5].tolist() == [0, 0, 1, np.inf, np.inf]
    assert np.isnan(out[5])


@njit
def reduced(x):
    return total(load(x, 0, len(x)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_total_takes_the_lanes_that_are_there(dtype):
    for n in range(1, lengths(np.zeros(1, dtype)) + 1):
        x = numbers(n, dtype, seed=n) - 100
        assert reduced(x) == pytest.approx(x.sum(dtype=np.float64), rel=1e-6)


@njit
def places(x, found):
    n = 0
    for j in range(0, len(x), width(x)):
        word = bits(load(x, j, len(x) - j) != zeros(x))
        while word:
            found[n] = j + lowest_bit(word)
            n += 1
            word &= word - np.uint64(1)
    return n


@njit
def lowest(word):
    return lowest_bit(word)


@njit
def count(x):
    n = 0
    for j in range(0, len(x), width(x)):
        n += count_bits(bits(load(x, j, len(x) - j) != zeros(x)))
    return n


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("density", [0.0, 0.03, 1.0])
def test_bits_give_the_places_of_the_lanes(dtype, density):
    x = (np.random.default_rng(3).random(333) < density).astype(dtype)
    x[-1] = np.nan
    found = np.zeros(len(x), np.int64)
    assert found[: places(x, found)].tolist() == np.flatnonzero(x).tolist()
    assert count(x) == np.count_nonzero(x)
    assert lowest(np.uint64(0)) == 64


@njit
def there_and_back(x, small, back):
    for j in range(0, len(x), width(x)):
        left = len(x) - j
        store(small, j, left, load(x, j, left))
        store(back, j, left, load_bytes(small, j, left, x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_small_whole_numbers_fit_bytes(dtype):
    x = (np.arange(131) % 4).astype(dtype)
    small, back = np.full(135, 9, np.uint8), np.empty_like(x)
    there_and_back(x, small[:131], back)
    assert small[:131].tolist() == x.tolist() == back.tolist()
    assert (small[131:] == 9).all()


def test_numbers_of_another_type_are_refused():
    x, y = numbers(4, np.float32), numbers(4, np.float64)
    with pytest.raises(TypingError):
        fill(np.empty_like(x), x, y, fused)


PROGRAM = """
import torch
from beyondrate.ops.lif import LIFParams, lif
from beyondrate.ops.lanes import BYTES
assert BYTES == 64
torch.manual_seed(0)
current = torch.randn(3, 20, 37)
found = {}
for backend in ("cpu", "reference"):
    x = current.clone().requires_grad_()
    spikes, _ = lif(x, LIFParams(torch.full((37,), 0.9)), backend=backend)
    (spikes * torch.linspace(-1, 1, 37)).sum().backward()
    found[backend] = spikes.detach(), x.grad
assert found["cpu"][0].sum() > 50
assert torch.equal(found["cpu"][0], found["reference"][0])
torch.testing.assert_close(found["cpu"][1], found["reference"][1])
"""


def test_kernels_also_run_where_registers_are_short():
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    subprocess.run([sys.executable, "-c", PROGRAM], env={**os.environ, **generic}, check=True)


@njit
def halves(out, x, i, j):
    left, other_left = x.shape[1] - i, x.shape[1] - j
    both = load_halves(x, (0, i), left, (1, j), other_left)
    store_halves(out, (1, i), left, (0, j), other_left, both + both)


@pytest.mark.parametrize("dtype", DTYPES)
def test_either_half_has_a_place_of_its_own(dtype):
    half = lengths(np.zeros(1, dtype)) // 2
    for n in (1, half - 1, half, half + 1, 3 * half):
        x = numbers(2 * n, dtype, seed=n).reshape(2, n)
        for i, j in {(0, 0), (0, n - 1), (n // 2, n // 3)}:
            out = np.zeros_like(x)
            halves(out, x, i, j)
            expected = np.zeros_like(x)
            expected[1, i : i + half], expected[0, j : j + half] = (
                2 * x[0, i : i + half],
                2 * x[1, j : j + half],
            )
            np.testing.assert_array_equal(out, expected)
