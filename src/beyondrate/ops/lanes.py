"""Vectors that numba's kernels keep in the processor's registers: loops over units that need no luck.

A compiler vectorises a plain loop over units only if it can show that no array overlaps another, and then
writes every intermediate result to memory. Here a kernel says what it wants: ``load`` takes as many
neighbouring numbers as fill a few registers (one a lane), arithmetic and comparisons work lane by lane,
``where`` chooses between lanes, and ``store`` writes them back. A kernel walks over units in strides of
``width``::

    for j in range(0, n_units, width(x)):
        left = n_units - j  # of the last vector some lanes are beyond the units: read as 0, never written
        store(y, (row, j), left, decay * load(y, (row, j), left) + load(x, (row, j), left))

Numbers beside vectors have to be of their type. The operations are those of LLVM, which lays them out for
whatever processor there is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import lower_builtin, models, register_model, type_callable

from beyondrate.ops.exponential import emit_exponential, emit_fma
from beyondrate.ops.kernel import emitted

Lanes: TypeAlias = Any  # a vector, in the signatures of kernels
_Type: TypeAlias = Any  # of numba; like LLVM's values, without stubs that hold for all of them
_Value: TypeAlias = Any
_Values: TypeAlias = Any
_Context: TypeAlias = Any
_Signature: TypeAlias = Any
_Builder: TypeAlias = Any


def _has_long_registers() -> bool:
    """Whether numba compiles for registers of 64 bytes."""
    chosen: str | None = getattr(config, "CPU_FEATURES", None)  # by the user
    if chosen is not None:
        return "+avx512f" in chosen.split(",")
    return bool(llvm.get_host_cpu_features().get("avx512f", False))


# Four registers, because arithmetic takes about four cycles and the next vector need not wait for the last;
# of shorter registers there are fewer.
BYTES = 256 if _has_long_registers() else 64
_TINY = 1e-30
_INDEX, _BIT = ir.IntType(32), ir.IntType(1)


class LanesType(types.Type):
    """Type of a vector of float32 or float64."""

    def __init__(self, dtype: _Type) -> None:
        self.dtype, self.n_lanes = dtype, BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Lanes({dtype})")


class MaskType(types.Type):
    """Type of what a comparison gives: yes or no, lane by lane."""

    def __init__(self, n_lanes: int) -> None:
        self.n_lanes = n_lanes
        super().__init__(name=f"Mask({n_lanes})")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: _Context, lanes: LanesType) -> None:
        number = ir.FloatType() if lanes.dtype.bitwidth == 32 else ir.DoubleType()
        super().__init__(manager, lanes, ir.VectorType(number, lanes.n_lanes))


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: _Context, mask: MaskType) -> None:
        super().__init__(manager, mask, ir.VectorType(_BIT, mask.n_lanes))


def _spread(builder: _Builder, number: _Value, n_lanes: int) -> _Value:
    """Put a number into all lanes."""
    nothing = ir.Constant(ir.VectorType(number.type, n_lanes), ir.Undefined)
    first = builder.insert_element(nothing, number, _INDEX(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INDEX, n_lanes), [0] * n_lanes))


def _vectors(builder: _Builder, given: Iterable[_Type], values: _Values, n_lanes: int) -> list[_Value]:
    """Return vectors, of numbers those with this number in all lanes."""
    pairs = zip(given, values, strict=True)
    return [value if isinstance(t, LanesType) else _spread(builder, value, n_lanes) for t, value in pairs]


def _lanes_of(*given: _Type) -> LanesType | None:
    """Return the type of the vectors among vectors and numbers: none if they do not go together."""
    lanes = next((t for t in given if isinstance(t, LanesType)), None)
    return lanes if lanes is not None and all(t in (lanes, lanes.dtype) for t in given) else None


def _operation(
    function: Callable[..., Any], emit: Callable[..., _Value], result: Callable[[LanesType], _Type]
) -> None:
    """Let a function of Python work on two vectors, or on a vector and a number."""

    @type_callable(function)
    def typed(_context: _Context) -> Callable[[_Type, _Type], _Type]:
        def result_of(a: _Type, b: _Type) -> _Type:
            lanes = _lanes_of(a, b)
            return None if lanes is None else result(lanes)

        return result_of

    def lowered(_: _Context, builder: _Builder, signature: _Signature, values: _Values) -> _Value:
        return emit(builder, *_vectors(builder, signature.args, values, signature.return_type.n_lanes))

    for pair in ((LanesType, LanesType), (LanesType, types.Float), (types.Float, LanesType)):
        lower_builtin(function, *pair)(lowered)


for _name, _emit in (
    ("add", ir.IRBuilder.fadd),
    ("sub", ir.IRBuilder.fsub),
    ("mul", ir.IRBuilder.fmul),
    ("truediv", ir.IRBuilder.fdiv),
):
    for _function in (getattr(operator, _name), getattr(operator, f"i{_name}")):
        _operation(_function, _emit, lambda lanes: lanes)
for _function, _sign, _compare in (
    (operator.eq, "==", ir.IRBuilder.fcmp_ordered),
    (operator.lt, "<", ir.IRBuilder.fcmp_ordered),
    (operator.le, "<=", ir.IRBuilder.fcmp_ordered),
    (operator.gt, ">", ir.IRBuilder.fcmp_ordered),
    (operator.ge, ">=", ir.IRBuilder.fcmp_ordered),
    (operator.ne, "!=", ir.IRBuilder.fcmp_unordered),  # what is not a number differs from everything
):
    _operation(
        _function,
        lambda builder, a, b, sign=_sign, compare=_compare: compare(builder, sign, a, b),
        lambda lanes: MaskType(lanes.n_lanes),
    )


def _operation_on_one(function: Callable[..., Any], emit: Callable[..., _Value]) -> None:
    """Let a function of Python work on one vector."""

    @type_callable(function)
    def typed(_context: _Context) -> Callable[[_Type], _Type]:
        return lambda x: x if isinstance(x, LanesType) else None

    def lowered(_: _Context, builder: _Builder, _signature: _Signature, values: _Values) -> _Value:
        return emit(builder, *values)

    lower_builtin(function, LanesType)(lowered)


def _call(builder: _Builder, name: str, result: ir.Type, arguments: list[_Value]) -> _Value:
    """Call a function of LLVM."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}"), arguments)


def _short_name(vector: ir.VectorType) -> str:
    """Return how LLVM calls a vector in the names of functions."""
    if isinstance(vector.element, ir.IntType):
        return f"v{vector.count}i{vector.element.width}"
    return f"v{vector.count}f{32 if vector.element == ir.FloatType() else 64}"


def _own_instruction(name: str) -> Callable[[_Builder, _Value], _Value]:
    """Return what emits a function of LLVM for which processors have an instruction."""
    return lambda builder, x: _call(builder, f"{name}.{_short_name(x.type)}", x.type, [x])


_operation_on_one(operator.neg, ir.IRBuilder.fneg)
_operation_on_one(abs, _own_instruction("fabs"))
_operation_on_one(np.floor, _own_instruction("floor"))
_operation_on_one(np.exp, emit_exponential)


@emitted
def width(_context: _Context, array: _Type) -> Any:  # noqa: ANN401
    """Return how many of an array's numbers fill a vector."""
    return types.intp(array), lambda *_: ir.Constant(cgutils.intp_t, LanesType(array.dtype).n_lanes)


@emitted
def zeros(_context: _Context, array: _Type) -> Any:  # noqa: ANN401
    """Return a vector of zeros of an array's type."""
    lanes = LanesType(array.dtype)
    return lanes(array), lambda context, *_: ir.Constant(context.get_value_type(lanes), None)


@emitted
def flushed(_context: _Context, x: _Type) -> Any:  # noqa: ANN401
    """Return 0 for numbers so small that processors are slow at them; what is not a number stays so."""

    def emit(context: _Context, builder: _Builder, _signature: _Signature, values: _Values) -> _Value:
        vector = context.get_value_type(x)
        size = _own_instruction("fabs")(builder, values[0])
        large = builder.fcmp_unordered(">", size, ir.Constant(vector, [_TINY] * x.n_lanes))
        return builder.select(large, values[0], ir.Constant(vector, None))

    return x(x), emit


@emitted
def reciprocal(_context: _Context, x: _Type) -> Any:  # noqa: ANN401
    """Return 1 / x of numbers from 1 on, to the last digit: float32 from an estimate, where there is one.

    A division takes processors as long as ten multiplications. Of more than 1e37 it is 1e-37.
    """

    def emit(context: _Context, builder: _Builder, _signature: _Signature, values: _Values) -> _Value:
        vector = context.get_value_type(x)
        one, most = (ir.Constant(vector, [number] * x.n_lanes) for number in (1.0, 1e37))
        beyond = builder.fcmp_ordered(">", values[0], most)  # the estimate of 1 / inf would be no number
        return builder.fdiv(one, builder.select(beyond, most, values[0]), flags=("arcp", "ninf"))

    return x(x), emit


@emitted
def where(_context: _Context, mask: _Type, a: _Type, b: _Type) -> Any:  # noqa: ANN401
    """Return ``a`` in the lanes of the mask and ``b`` in the others; either may be a number."""
    lanes = _lanes_of(a, b) or LanesType(a)

    def emit(_: _Context, builder: _Builder, signature: _Signature, values: _Values) -> _Value:
        return builder.select(values[0], *_vectors(builder, signature.args[1:], values[1:], lanes.n_lanes))

    return lanes(mask, a, b), emit


@emitted
def fma(_context: _Context, a: _Type, b: _Type, c: _Type) -> Any:  # noqa: ANN401
    """Return a b + c, rounded once where the processor can do so."""
    lanes = _lanes_of(a, b, c)
    if lanes is None:
        return None

    def emit(_: _Context, builder: _Builder, signature: _Signature, values: _Values) -> _Value:
        return emit_fma(builder, *_vectors(builder, signature.args, values, lanes.n_lanes))

    return lanes(a, b, c), emit


def _first_lanes(builder: _Builder, left: _Value, n_lanes: int) -> _Value:
    numbers = ir.Constant(ir.VectorType(_INDEX, n_lanes), list(range(n_lanes)))
    return builder.icmp_signed("<", numbers, _spread(builder, builder.trunc(left, _INDEX), n_lanes))


@emitted
def total(_context: _Context, x: _Type) -> Any:  # noqa: ANN401
    """Return the sum over a vector, of its halves first."""

    def emit(_: _Context, builder: _Builder, _signature: _Signature, values: _Values) -> _Value:
        whole = values[0]
        while whole.type.count > 1:
            half = whole.type.count // 2
            left, right = (
                builder.shuffle_vector(
                    whole,
                    ir.Constant(whole.type, ir.Undefined),
                    ir.Constant(ir.VectorType(_INDEX, half), list(range(first, first + half))),
                )
                for first in (0, half)
            )
            whole = builder.fadd(left, right)
        return builder.extract_element(whole, _INDEX(0))

    return x.dtype(x), emit


@emitted
def bits(_context: _Context, mask: _Type) -> Any:  # noqa: ANN401
    """Return a mask as the bits of a word, the first lane's lowest."""

    def emit(_: _Context, builder: _Builder, _signature: _Signature, values: _Values) -> _Value:
        word = builder.bitcast(values[0], ir.IntType(mask.n_lanes))
        return word if mask.n_lanes == 64 else builder.zext(word, ir.IntType(64))

    return types.uint64(mask), emit


@emitted
def lowest_bit(_context: _Context, _word: _Type) -> Any:  # noqa: ANN401
    """Return the place of the lowest bit that is set, and 64 where none is."""
    return types.intp(types.uint64), lambda _, builder, __, values: builder.cttz(values[0], _BIT(0))


@emitted
def count_bits(_context: _Context, _word: _Type) -> Any:  # noqa: ANN401
    """Return how many bits are set."""
    return types.intp(types.uint64), lambda _, builder, __, values: builder.ctpop(values[0])


@emitted
def load(_context: _Context, array: _Type, index: _Type, left: _Type) -> Any:  # noqa: ANN401
    """Return the numbers from an index on, along the last axis: those ``left`` there, and 0 beyond."""
    lanes = LanesType(array.dtype)

    def emit(context: _Context, builder: _Builder, signature: _Signature, values: _Values) -> _Value:
        return _Place(context, builder, signature.args, values, lanes.n_lanes).load()

    return lanes(array, index, left), emit


@emitted
def load_halves(
    _context: _Context, array: _Type, index: _Type, left: _Type, other_index: _Type, other_left: _Type
) -> Any:  # noqa: ANN401
    """Return a vector of which either half is loaded from an index of its own on."""
    lanes = LanesType(array.dtype)

    def emit(context: _Context, builder: _Builder, signature: _Signature, values: _Values) -> _Value:
        places = _halves(context, builder, signature.args, values, lanes.n_lanes)
        both = ir.Constant(ir.VectorType(_INDEX, lanes.n_lanes), list(range(lanes.n_lanes)))
        return builder.shuffle_vector(places[0].load(), places[1].load(), both)

    return lanes(array, index, left, other_index, other_left), emit


@emitted
def load_bytes(_context: _Context, array: _Type, index: _Type, left: _Type, like: _Type) -> Any:  # noqa: ANN401
    """Return small whole numbers as a vector of another array's type."""
    lanes = LanesType(like.dtype)

    def emit(context: _Context, builder: _Builder, signature: _Signature, values: _Values) -> _Value:
        loaded = _Place(context, builder, signature.args, values, lanes.n_lanes).load()
        return builder.uitofp(loaded, context.get_value_type(lanes))

    return lanes(array, index, left, like), emit


@emitted
def store(_context: _Context, array: _Type, index: _Type, left: _Type, x: _Type) -> Any:  # noqa: ANN401
    """Write a vector from an index on, along the last axis: no more than ``left`` numbers.

    Into an array of bytes they are written as such.
    """
    if not isinstance(x, LanesType) or array.dtype not in (x.dtype, types.uint8):
        return None

    def emit(context: _Context, builder: _Builder, signature: _Signature, values: _Values) -> _Value:
        place = _Place(context, builder, signature.args, values, x.n_lanes)
        same = array.dtype == x.dtype
        place.store(values[3] if same else builder.fptoui(values[3], place.vector))
        return context.get_dummy_value()

    return types.none(array, index, left, x), emit


@emitted
def store_halves(
    _context: _Context,
    array: _Type,
    index: _Type,
    left: _Type,
    other_index: _Type,
    other_left: _Type,
    x: _Type,
) -> Any:  # noqa: ANN401
    """Write either half of a vector from an index of its own on."""
    if not isinstance(x, LanesType) or array.dtype != x.dtype:
        return None

    def emit(context: _Context, builder: _Builder, signature: _Signature, values: _Values) -> _Value:
        for half, place in enumerate(_halves(context, builder, signature.args, values, x.n_lanes)):
            n_lanes = place.vector.count
            its_lanes = list(range(half * n_lanes, (half + 1) * n_lanes))
            nothing = ir.Constant(values[5].type, ir.Undefined)
            lanes = ir.Constant(ir.VectorType(_INDEX, n_lanes), its_lanes)
            place.store(builder.shuffle_vector(values[5], nothing, lanes))
        return context.get_dummy_value()

    return types.none(array, index, left, other_index, other_left, x), emit


def _halves(
    context: _Context, builder: _Builder, kinds: _Values, values: _Values, n_lanes: int
) -> list[_Place]:
    """Return where either half is, of (array, index, left, other index, other left)."""
    chosen = (0, 1, 2), (0, 3, 4)
    return [
        _Place(context, builder, [kinds[i] for i in three], [values[i] for i in three], n_lanes // 2)
        for three in chosen
    ]


class _Place:
    """Where a vector is in memory: the types and values of an array, an index and how many are left."""

    def __init__(
        self, context: _Context, builder: _Builder, kinds: _Values, values: _Values, n_lanes: int
    ) -> None:
        array, index, left = kinds[:3]
        self.builder, self.vector = builder, ir.VectorType(context.get_data_type(array.dtype), n_lanes)
        self.alignment = array.dtype.bitwidth // 8
        indices, theirs = [values[1]], [index]
        if isinstance(index, types.BaseTuple):
            indices, theirs = cgutils.unpack_tuple(builder, values[1], len(index)), list(kinds[1])
        indices = [context.cast(builder, i, t, types.intp) for i, t in zip(indices, theirs, strict=True)]
        view = context.make_array(array)(context, builder, values[0])
        first = cgutils.get_item_pointer(context, builder, array, view, indices, wraparound=False)
        self.pointer = builder.bitcast(first, self.vector.as_pointer())
        self.left = context.cast(builder, values[2], left, types.intp)

    def load(self) -> _Value:
        """Return what is there."""
        builder, loaded = self.builder, cgutils.alloca_once(self.builder, self.vector)
        with builder.if_else(self._is_full(), likely=True) as (full, partial):
            with full:
                builder.store(builder.load(self.pointer, align=self.alignment), loaded)
            with partial:
                beyond = ir.Constant(self.vector, None)
                arguments = [self.pointer, _INDEX(self.alignment), self._mask(), beyond]
                name = f"masked.load.{_short_name(self.vector)}.p0"
                builder.store(_call(builder, name, self.vector, arguments), loaded)
        return builder.load(loaded)

    def store(self, vector: _Value) -> None:
        """Write a vector there."""
        builder = self.builder
        with builder.if_else(self._is_full(), likely=True) as (full, partial):
            with full:
                builder.store(vector, self.pointer, align=self.alignment)
            with partial:
                arguments = [vector, self.pointer, _INDEX(self.alignment), self._mask()]
                name = f"masked.store.{_short_name(self.vector)}.p0"
                _call(builder, name, ir.VoidType(), arguments)

    def _is_full(self) -> _Value:
        return self.builder.icmp_signed(">=", self.left, self.left.type(self.vector.count))

    def _mask(self) -> _Value:
        return _first_lanes(self.builder, self.left, self.vector.count)
