"""strict_cupy and CuPy are asked the same, and give the same answers.

With `pytest -m cuda` CuPy itself is asked.
"""

from __future__ import annotations

import numpy
import pytest

NAN = float("nan")
NUMBERS = numpy.arange(6.0).reshape(2, 3)


def array(cp, *values, dtype="float64"):
    return cp.asarray(numpy.array(values, dtype=dtype))


def changed(x, change):
    """The array after change(array)."""
    change(x)
    return x


ANSWERS = {  # what CuPy 14.2 answers: numbers, or the kind of an error
    "5 // 0.1 is rounded first": (lambda cp, x: array(cp, 5.0) // 0.1, [50]),
    "1 % 0.1": (lambda cp, x: array(cp, 1.0) % 0.1, [0]),
    "-1 % inf": (lambda cp, x: array(cp, -1.0) % numpy.inf, [NAN]),
    "fmod is exact": (lambda cp, x: cp.fmod(array(cp, 5.0), 0.1), [5.0 % 0.1]),
    "integers by 0": (lambda cp, x: cp.arange(3) // 0, [0, 0, 0]),
    "integers to negative powers": (lambda cp, x: array(cp, 1, 2, -1, dtype=int) ** -1, [1, 0, -1]),
    "1 << 70": (lambda cp, x: array(cp, 1, dtype=int) << 70, [64]),
    "-1 >> 70": (lambda cp, x: array(cp, -64, dtype=int) >> 70, [-1]),
    "a bool minus a bool": (lambda cp, x: (x > 1) - (x > 2), TypeError),
    "minus a bool": (lambda cp, x: -(x > 1), TypeError),
    "the sum of int8": (lambda cp, x: x.astype("int8").sum(), 15),
    "an int8 times 300": (lambda cp, x: x.astype("int8") * 300, OverflowError),
    "a uint8 less than 300": (lambda cp, x: x[0].astype("uint8") < 300, [1, 1, 1]),
    "an int64 less than 2**70": (lambda cp, x: x.astype("int64") < 2**70, OverflowError),
    "uint8 clipped at -1": (lambda cp, x: cp.clip(x.astype("uint8"), -1, 3), OverflowError),
    "argmax among NaNs is one of them": (
        lambda cp, x: cp.isnan(y := array(cp, 1, NAN, NAN, 2))[cp.argmax(y)], 1),
    "argmax at a tie is the first": (lambda cp, x: cp.argmax(array(cp, 1, 2, 2)), 1),
    "argmax keepdims": (lambda cp, x: cp.argmax(x, axis=1, keepdims=True), [[2], [2]]),
    "max of NaN": (lambda cp, x: cp.max(array(cp, 1, NAN, 2)), NAN),
    "where of True": (lambda cp, x: cp.where(True, x, x), AttributeError),
    "where of numbers": (lambda cp, x: cp.where(x[0] > 1, 1.0, 0.0), [0, 0, 1]),
    "positions wrap around": (lambda cp, x: x[0][array(cp, 7, -8, dtype=int)], [1, 1]),
    "take wraps around": (lambda cp, x: cp.take(x, array(cp, 0, 9, dtype=int)), [0, 3]),
    "take has no mode": (lambda cp, x: cp.take(x, 0, mode="clip"), TypeError),
    "an int position is checked": (lambda cp, x: x[5], IndexError),
    "writes wrap around": (
        lambda cp, x: changed(x[0] + 0, lambda y: y.__setitem__(array(cp, 4, dtype=int), 9.0)),
        [0, 9, 2]),
    "a broadcast array is written": (
        lambda cp, x: changed(cp.broadcast_to(x[0] + 0, (2, 3)), lambda y: y.__setitem__(0, 1.0)),
        [[1, 1, 1]] * 2),
    "writing a NumPy array": (lambda cp, x: x.__setitem__(0, NUMBERS[0]), ValueError),
    "writing another shape": (lambda cp, x: x.__setitem__(0, x[:, :2]), ValueError),
    "adding float64 to int64 in place": (lambda cp, x: cp.arange(3).__iadd__(x[0]), TypeError),
    "adding a NumPy array": (lambda cp, x: x + NUMBERS, TypeError),
    "multiplying by a list": (lambda cp, x: x * [1.0, 2.0, 3.0], TypeError),
    "out= of NumPy": (lambda cp, x: cp.add(x, 1, out=NUMBERS + 0), TypeError),
    "where= of a ufunc": (lambda cp, x: cp.add(x, 1, where=x > 1), TypeError),
    "initial= of sum": (lambda cp, x: cp.sum(x, initial=1.0), TypeError),
    "where= of max": (lambda cp, x: cp.max(x, where=x > 1), TypeError),
    "max of nothing": (lambda cp, x: cp.max(x[:0]), ValueError),
    "maximum.reduce": (lambda cp, x: cp.maximum.reduce(x), NotImplementedError),
    "add.reduce into out": (lambda cp, x: cp.add.reduce(x, axis=1, out=cp.empty(2)), [3, 12]),
    "add.outer": (lambda cp, x: cp.add.outer(x[0], x[1, :1]), [[3], [4], [5]]),
    "maximum.accumulate": (lambda cp, x: cp.maximum.accumulate(x), NotImplementedError),
    "multiply.reduceat": (lambda cp, x: cp.multiply.reduceat(x[0], cp.arange(1)),
                          NotImplementedError),
    "quicksort": (lambda cp, x: cp.sort(x, kind="quicksort"), ValueError),
    "allclose is an array": (lambda cp, x: cp.allclose(x, x).shape == (), True),
    "matmul is no ufunc": (lambda cp, x: isinstance(cp.matmul, cp.ufunc), False),
    "matmul in place": (lambda cp, x: hasattr(x, "__imatmul__"), False),
    "a list as index of Python": (lambda cp, x: [1, 2][cp.arange(2)[1]], TypeError),
    "flags": (lambda cp, x: [x.T.flags.fnc, x.flags.forc, x.flags["C_CONTIGUOUS"],
                             hasattr(x.flags, "writeable")], [True, True, True, False]),
    "bases of views": (lambda cp, x: [
        x[0][1:].base is x, x.T.base is x, cp.broadcast_to(x, (2, 2, 3)).base is x,
        cp.reshape(x, (6,)).base is x, (x + 1).base is None, x.T.reshape(6).base is None,
        cp.lib.stride_tricks.as_strided(x, (2,), (8,)).base is None], [True] * 7),
    "no objects": (lambda cp, x: cp.asarray(numpy.array([None])), (ValueError, TypeError)),
    "a list of arrays": (lambda cp, x: cp.asarray([x[0], x[1]]), NUMBERS.tolist()),
    "a singular matrix has an inverse": (lambda cp, x: cp.linalg.inv(cp.zeros((2, 2))).shape,
                                         (2, 2)),
    "a negative matrix has a factor": (lambda cp, x: cp.linalg.cholesky(-cp.eye(2)).shape, (2, 2)),
    "a matrix that is not square": (lambda cp, x: cp.linalg.inv(x), numpy.linalg.LinAlgError),
    "no right sides": (lambda cp, x: cp.linalg.solve(cp.stack([cp.eye(2)] * 2),
                                                     cp.ones((2, 2, 0))), ZeroDivisionError),
    "solutions lie in columns": (lambda cp, x: cp.linalg.solve(
        cp.stack([cp.eye(2)] * 4), cp.ones((4, 2, 3))).strides, (48, 8, 16)),
    "batched vectors": (lambda cp, x: cp.linalg.solve(cp.stack([cp.eye(2)] * 2), cp.ones((2, 2))),
                        ValueError),
    "names that CuPy lacks": (lambda cp, x: [hasattr(cp, name) for name in (
        "unstack", "vecdot", "insert", "block", "errstate", "nditer", "matrix")], [False] * 7),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("question", ANSWERS)
def test_both_answer_the_same(gpu, question):
    ask, expected = ANSWERS[question]
    x = gpu.asarray(NUMBERS)
    if isinstance(expected, type) or isinstance(expected, tuple) and isinstance(expected[0], type):
        with pytest.raises(expected):
            ask(gpu, x)
        return
    answer = ask(gpu, x)
    answer = answer.get() if isinstance(answer, gpu.ndarray) else answer
    numpy.testing.assert_allclose(answer, expected, 1e-12)


@pytest.mark.parametrize("name", ["add", "subtract", "maximum", "minimum", "bitwise_or",
                                  "bitwise_and", "bitwise_xor", "multiply"])
def test_what_can_be_accumulated_at_positions(gpu, name):
    wide = {"int32", "int64", "uint32", "uint64"}
    for dtype in ("bool", "uint8", "int8", "int16", *wide, "float16", "float32", "float64"):
        ordered = {*wide, "float32", "float64"}
        possible = {"add": {*ordered, "float16"}, "subtract": {"int32", "uint32"},
                    "maximum": ordered, "minimum": ordered, "multiply": set()}
        x = gpu.zeros(3, dtype=dtype)
        at = getattr(gpu, name).at
        if dtype in possible.get(name, wide):
            at(x, gpu.asarray([0, 0, 4]), gpu.ones(3, dtype=dtype))
            expected = numpy.zeros(3, dtype)
            getattr(numpy, name).at(expected, [0, 0, 1], numpy.ones(3, dtype))
            assert x.get().tolist() == expected.tolist()
        else:
            with pytest.raises((TypeError, NotImplementedError)):
                at(x, gpu.asarray([0, 0, 4]), gpu.ones(3, dtype=dtype))


def test_failed_factorisations_raise_if_asked_to(gpu):
    import cupyx
    for factorise in (gpu.linalg.inv, gpu.linalg.cholesky):
        with cupyx.errstate(linalg="raise"), pytest.raises(numpy.linalg.LinAlgError):
            factorise(gpu.zeros((2, 2)) - gpu.eye(2) * (factorise is gpu.linalg.cholesky))
