"""What is written out in place of a call, and what is not."""

from __future__ import annotations

import math

import numpy
import pytest

from tinytensor.autograd.expressions import written_out
from tinytensor.ops import elementwise

FACTOR = numpy.float32(3)
product = lambda g, other: g * other  # noqa: E731
with_global = lambda g, x: g * (FACTOR + math.pi * x)  # noqa: E731
with_default = lambda g, x=2: g * x  # noqa: E731
two_in_a_line = (lambda g: g * 2, lambda g: g * 3)


def single_return(xp, x):
    """Only this."""
    return xp.tanh(x) + len(x)


def several_lines(x):
    y = x * x
    return y + 1


def with_a_scope(x):
    return sum(y for y in x)


def closed_over(name):
    def call(xp, x):
        return getattr(xp, name)(x)

    return call


def evaluated(function, *args):
    """The value of what is written out, for arguments that go by other names there."""
    names = {name: f"{name}_" for name in function.__code__.co_varnames[:len(args)]}
    namespace = {}
    text = written_out(function, names, namespace)
    return text, eval(text, {**namespace, **{
        names[n]: a for n, a in zip(names, args, strict=True)}})


@pytest.mark.parametrize(("text", "function", "args"), [
    ("g_ * other_", product, (2.0, 5.0)),
    ("g_ * (its_FACTOR + its_math.pi * x_)", with_global, (2.0, 5.0)),
    ("xp_.tanh(x_) + len(x_)", single_return, (numpy, numpy.ones(3))),
    ("xp_.exp(x_)", closed_over("exp"), (numpy, numpy.ones(3))),
], ids=["product", "names of the module", "single return", "closure"])
def test_one_expression_is_written_out_with_its_names(text, function, args):
    found, value = evaluated(function, *args)
    assert found == text
    numpy.testing.assert_array_equal(value, function(*args))


@pytest.mark.parametrize("function", [
    with_default, *two_in_a_line, several_lines, with_a_scope, math.sin,
    eval("lambda g: g"), numpy.add],
    ids=["default", "first of a line", "second of a line", "several lines", "scope", "builtin",
         "without source", "ufunc"])
def test_anything_else_is_called(function):
    assert written_out(function, {"g": "g", "x": "x"}, {}) is None


def test_a_name_that_is_taken_by_something_else_is_not_overwritten():
    namespace = {"its_FACTOR": "another"}
    assert written_out(with_global, {"g": "g", "x": "x"}, namespace) is None
    assert namespace["its_FACTOR"] == "another"


def test_ops_read_as_if_written_by_hand():
    assert "out = input_ * other_" in elementwise.mul.op.source
    assert "d = g * other" in elementwise.mul.op.source
    assert "out = xp.exp(input_)" in elementwise.exp.op.source
