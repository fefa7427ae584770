"""The exponential of a vector, as LLVM's instructions: LLVM itself would call the C library once a number."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

from llvmlite import ir

_Value: TypeAlias = Any  # llvmlite has no stubs
_Builder: TypeAlias = Any
_LOG_2 = math.log(2)
_LOG_2_ERROR = 2.3190468138462996e-17  # ln 2 minus what a float64 says it is


class _Format(NamedTuple):
    """How a floating-point number is stored, and how far the polynomial goes for all its digits."""

    n_bits: int
    mantissa_bits: int
    bias: int
    degree: int
    log_2_bits: int  # of the first part of ln 2: with an exponent's they fit the mantissa


_SINGLE = _Format(n_bits=32, mantissa_bits=23, bias=127, degree=7, log_2_bits=15)
_DOUBLE = _Format(n_bits=64, mantissa_bits=52, bias=1023, degree=13, log_2_bits=40)


def emit_exponential(builder: _Builder, x: _Value) -> _Value:
    """Return exp(x) = 2^n exp(r) with |r| <= ln 2 / 2: a Taylor polynomial, and n added to the exponent.

    What would be denormal is 0; what is not a number stays so.
    """
    form = _DOUBLE if isinstance(x.type.element, ir.DoubleType) else _SINGLE
    lowest = _constant(x, (1 - form.bias) * _LOG_2)
    highest = _constant(x, (1 + form.bias) * _LOG_2)
    is_ordinary = builder.and_(builder.fcmp_ordered(">=", x, lowest), builder.fcmp_ordered("<", x, highest))
    ordinary = builder.select(is_ordinary, x, _constant(x, 0))
    n = _rounded(builder, builder.fmul(ordinary, _constant(x, 1 / _LOG_2)))
    first = math.floor(_LOG_2 * 2**form.log_2_bits) / 2**form.log_2_bits  # its product with n is exact
    rest = emit_fma(builder, n, _constant(x, -first), ordinary)
    rest = emit_fma(builder, n, _constant(x, first - _LOG_2 - _LOG_2_ERROR), rest)
    power = _constant(x, 1 / math.factorial(form.degree))
    for degree in range(form.degree - 1, -1, -1):
        power = emit_fma(builder, power, rest, _constant(x, 1 / math.factorial(degree)))
    power = _times_power_of_two(builder, power, n, form)
    power = builder.select(builder.fcmp_ordered("<", x, lowest), _constant(x, 0), power)
    power = builder.select(builder.fcmp_ordered(">=", x, highest), _constant(x, math.inf), power)
    return builder.select(builder.fcmp_unordered("uno", x, x), x, power)


def _times_power_of_two(builder: _Builder, x: _Value, n: _Value, form: _Format) -> _Value:
    """Return x 2^n, as two factors: 2^n itself may be larger than any number."""
    kind = ir.VectorType(ir.IntType(form.n_bits), x.type.count)

    def all_lanes(number: int) -> _Value:
        return ir.Constant(kind, [number] * kind.count)

    whole = builder.fptosi(n, kind)
    half = builder.ashr(whole, all_lanes(1))
    for exponent in (half, builder.sub(whole, half)):
        bits = builder.shl(builder.add(exponent, all_lanes(form.bias)), all_lanes(form.mantissa_bits))
        x = builder.fmul(x, builder.bitcast(bits, x.type))
    return x


def _constant(like: _Value, number: float) -> _Value:
    return ir.Constant(like.type, [number] * like.type.count)


def emit_fma(builder: _Builder, a: _Value, b: _Value, c: _Value) -> _Value:
    """Return a b + c, rounded once where the processor can do so."""
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def _rounded(builder: _Builder, x: _Value) -> _Value:
    """Return the nearest whole numbers: what is left of small ones after 1.5 2^mantissa was added."""
    form = _DOUBLE if isinstance(x.type.element, ir.DoubleType) else _SINGLE
    large = _constant(x, 1.5 * 2**form.mantissa_bits)
    return builder.fsub(builder.fadd(x, large), large)
