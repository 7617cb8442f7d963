"""SIMD vectors as values inside loops.

LLVM vectorises loops over elements by itself, but it does not keep a tile of sums in registers, on
which the speed of a matrix product depends. These functions express it:

    total = zeros(x)
    for k in range(count):
        total = fma(spread(w, k), load(x, at + offsets[k]), total)
    store(out, at, total)

A vector has 32 bytes: 8 lanes of float32 or 4 of float64. If the machine's registers are shorter,
LLVM uses two. Indices count elements of one-dimensional arrays and are not checked. This module
imports Numba.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, register_model

BYTES = 32


class Vector(types.Type):  # type: ignore[misc]
    """The Numba type of a vector, by the type of its elements."""

    def __init__(self, element: Any):
        self.element, self.lanes = element, 8 * BYTES // element.bitwidth
        super().__init__(name=f"Vector({element})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    """LLVM's vector type."""

    def __init__(self, manager: Any, vector: Vector):
        element = manager.lookup(vector.element).get_value_type()
        super().__init__(manager, vector, ir.VectorType(element, vector.lanes))


def _place(context: Any, builder: Any, signature: Any, args: Any, as_vector: bool) -> Any:
    """A pointer to array[index], as one number or as a vector."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    place = builder.gep(array.data, [args[1]])
    if as_vector:
        kind = context.get_value_type(Vector(signature.args[0].dtype))
        place = builder.bitcast(place, kind.as_pointer())
    return place


@intrinsic
def load(typing, array, index):
    """array[index], array[index + 1], ..."""
    def generate(context, builder, signature, args):
        place = _place(context, builder, signature, args, True)
        return builder.load(place, align=array.dtype.bitwidth // 8)

    return Vector(array.dtype)(array, types.intp), generate


@intrinsic
def store(typing, array, index, vector):
    """Writes a vector to array[index], array[index + 1], ..."""
    def generate(context, builder, signature, args):
        place = _place(context, builder, signature, args, True)
        builder.store(args[2], place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def get(typing, array, index):
    """array[index], one number. It does not handle negative indices, as Numba's indexing does, so
    LLVM can vectorise the loop around it.
    """
    def generate(context, builder, signature, args):
        return builder.load(_place(context, builder, signature, args, False))

    return array.dtype(array, types.intp), generate


@intrinsic
def put(typing, array, index, number):
    """array[index] = number, without negative indices, as `get`."""
    def generate(context, builder, signature, args):
        builder.store(args[2], _place(context, builder, signature, args, False))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), generate


@intrinsic
def spread(typing, array, index):
    """array[index] in every lane."""
    def generate(context, builder, signature, args):
        number = builder.load(_place(context, builder, signature, args, False))
        kind = context.get_value_type(signature.return_type)
        unset = ir.Constant(kind, ir.Undefined)
        first = builder.insert_element(unset, number, ir.Constant(ir.IntType(32), 0))
        lanes = ir.VectorType(ir.IntType(32), kind.count)
        return builder.shuffle_vector(first, unset, ir.Constant(lanes, [0] * kind.count))

    return Vector(array.dtype)(array, types.intp), generate


@intrinsic
def zeros(typing, array):
    """0 in every lane, in the dtype of the array."""
    def generate(context, builder, signature, args):
        kind = context.get_value_type(signature.return_type)
        return ir.Constant(kind, [0.0] * kind.count)

    return Vector(array.dtype)(array), generate


@intrinsic
def fma(typing, a, b, c):
    """a * b + c."""
    def generate(context, builder, signature, args):
        product = builder.fmul(args[0], args[1], flags=("contract",))
        return builder.fadd(product, args[2], flags=("contract",))

    return a(a, b, c), generate


@intrinsic
def plus(typing, a, b):
    """a + b."""
    def generate(context, builder, signature, args):
        return builder.fadd(*args)

    return a(a, b), generate


@intrinsic
def total(typing, vector):
    """The sum over the lanes."""
    def generate(context, builder, signature, args):
        width, partial = vector.lanes, args[0]
        while width > 1:  # adds the upper half to the lower
            width //= 2
            order = ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(width)))
            upper = ir.Constant(order.type, list(range(width, 2 * width)))
            low = builder.shuffle_vector(partial, partial, order)
            partial = builder.fadd(low, builder.shuffle_vector(partial, partial, upper))
        return builder.extract_element(partial, ir.Constant(ir.IntType(32), 0))

    return vector.element(vector), generate
