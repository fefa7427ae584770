"""Arrays and kernels where an address says, so that one table can tell a kernel of any number of them.

Whoever writes an address down keeps what lies there alive, and answers for its size and type.
"""

from __future__ import annotations

from typing import Any

from numba import typeof, types
from numba.core import cgutils
from numba.np.arrayobj import make_array, populate_array

from beyondrate.ops.kernel import emitted


@emitted
def array_at(_context: Any, address: Any, shape: Any, like: Any) -> Any:  # noqa: ANN401
    """Return the contiguous array of a shape at an address, of the type of an array or a named number."""
    array = types.Array(like.dtype, len(shape), "C")

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ANN401
        view = make_array(array)(context, builder)
        sizes = cgutils.unpack_tuple(builder, values[1], len(shape))
        kinds = signature.args[1]
        sizes = [context.cast(builder, n, kind, types.intp) for n, kind in zip(sizes, kinds, strict=True)]
        item = context.get_abi_sizeof(context.get_data_type(array.dtype))
        stride, strides = context.get_constant(types.intp, item), list[Any]()
        for n in reversed(sizes):
            strides.insert(0, stride)
            stride = builder.mul(stride, n)
        populate_array(
            view,
            data=builder.inttoptr(values[0], view.data.type),
            shape=cgutils.pack_array(builder, sizes),
            strides=cgutils.pack_array(builder, strides),
            itemsize=context.get_constant(types.intp, item),
            meminfo=None,
        )
        return view._getvalue()

    return array(address, shape, like), emit


@emitted
def call_at(_context: Any, address: Any, arguments: Any) -> Any:  # noqa: ANN401
    """Call the kernel at an address, which returns and raises nothing; arguments are of just its types."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ANN401
        convention, kinds = context.call_conv, list(signature.args[1])
        function = convention.get_function_type(types.none, kinds)
        callee = builder.inttoptr(values[0], function.as_pointer())
        given = cgutils.unpack_tuple(builder, values[1], len(kinds))
        convention.call_function(builder, callee, types.none, kinds, given)
        return context.get_dummy_value()

    return types.none(address, arguments), emit


def address_of(kernel: Any, *arguments: object) -> int:  # noqa: ANN401
    """Return where a kernel for arguments of just these types is, compiled if it is not there yet."""
    kinds = tuple(typeof(argument) for argument in arguments)
    kernel.compile(kinds)
    compiled = kernel.overloads[kinds]
    address: int = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    return address
