"""SIMD vectors as values inside loops.

LLVM vectorises loops over elements by itself, but it does not keep a tile of sums in registers, on
which the speed of a matrix product depends. These functions express it:

    total = zeros(x)
    for k in range(count):
        total = fma(spread(w, k), load(x, at + offsets[k]), total)
    store(out, at, total)

A vector has 32 bytes: 8 lanes of float32 or 4 of float64. If the machine's registers are shorter,
LLVM uses two. `load_wide`, `spread_wide` and `zeros_wide` give vectors of WIDE bytes, which is 64
where registers have that size (AVX-512). They are for long rows; a short row would leave most of
their lanes empty. Indices count elements of one-dimensional arrays and are not checked. This module
imports Numba.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import config
from numba.core import types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic, models, register_model

BYTES = 32
_chosen: str | None = getattr(config, "CPU_FEATURES", None)  # the variable NUMBA_CPU_FEATURES
WIDE = 64 if "+avx512f" in (get_host_cpu_features() if _chosen is None else _chosen) else BYTES


class Vector(types.Type):  # type: ignore[misc]
    """The Numba type of a vector, by the type of its elements and its bytes."""

    def __init__(self, element: Any, size: int):
        self.element, self.lanes = element, 8 * size // element.bitwidth
        super().__init__(name=f"Vector({element}, {size})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    """LLVM's vector type."""

    def __init__(self, manager: Any, vector: Vector):
        element = manager.lookup(vector.element).get_value_type()
        super().__init__(manager, vector, ir.VectorType(element, vector.lanes))


def _place(context: Any, builder: Any, signature: Any, args: Any, kind: Any = None) -> Any:
    """A pointer to array[index], as one number or as a vector of type `kind`."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    place = builder.gep(array.data, [args[1]])
    if kind is not None:
        place = builder.bitcast(place, context.get_value_type(kind).as_pointer())
    return place


def _made_for(size: int) -> tuple[Any, Any, Any]:
    """load, spread and zeros, for vectors of `size` bytes."""

    @intrinsic
    def load(typing, array, index):
        """array[index], array[index + 1], ..."""
        kind = Vector(array.dtype, size)

        def generate(context, builder, signature, args):
            place = _place(context, builder, signature, args, kind)
            return builder.load(place, align=array.dtype.bitwidth // 8)

        return kind(array, types.intp), generate

    @intrinsic
    def spread(typing, array, index):
        """array[index] in every lane."""
        def generate(context, builder, signature, args):
            number = builder.load(_place(context, builder, signature, args))
            kind = context.get_value_type(signature.return_type)
            unset = ir.Constant(kind, ir.Undefined)
            first = builder.insert_element(unset, number, ir.Constant(ir.IntType(32), 0))
            lanes = ir.VectorType(ir.IntType(32), kind.count)
            return builder.shuffle_vector(first, unset, ir.Constant(lanes, [0] * kind.count))

        return Vector(array.dtype, size)(array, types.intp), generate

    @intrinsic
    def zeros(typing, array):
        """0 in every lane, in the dtype of the array."""
        def generate(context, builder, signature, args):
            kind = context.get_value_type(signature.return_type)
            return ir.Constant(kind, [0.0] * kind.count)

        return Vector(array.dtype, size)(array), generate

    return load, spread, zeros


load, spread, zeros = _made_for(BYTES)
load_wide, spread_wide, zeros_wide = _made_for(WIDE)


@intrinsic
def store(typing, array, index, vector):
    """Writes a vector to array[index], array[index + 1], ..."""
    def generate(context, builder, signature, args):
        place = _place(context, builder, signature, args, vector)
        builder.store(args[2], place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def get(typing, array, index):
    """array[index], one number. It does not handle negative indices, as Numba's indexing does, so
    LLVM can vectorise the loop around it.
    """
    def generate(context, builder, signature, args):
        return builder.load(_place(context, builder, signature, args))

    return array.dtype(array, types.intp), generate


@intrinsic
def put(typing, array, index, number):
    """array[index] = number, without negative indices, as `get`."""
    def generate(context, builder, signature, args):
        builder.store(args[2], _place(context, builder, signature, args))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), generate


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
