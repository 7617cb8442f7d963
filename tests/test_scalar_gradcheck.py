"""scalar.gradcheck: right gradients pass, and of a wrong one the operation is named."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

import scalar
from scalar import Value, gradcheck
from scalar.gradcheck import GradcheckError


def test_right_gradients_pass():
    assert gradcheck(lambda x, y: (x * y).tanh() + x ** 2 / y, [0.5, -2.0])
    assert gradcheck(lambda x: x.exp(), 0.3) and gradcheck(lambda x: x.exp(), Value(0.3))
    assert gradcheck(scalar.functional.softmax, [[0.5, -2.0, 1.0]])
    weight, bias = [[0.1, 0.2], [-0.3, 0.4], [0.5, -0.6]], [0.1, 0.2, 0.3]
    assert gradcheck(scalar.functional.linear, ([[1.0, 2.0], [-1.0, 0.5]], weight, bias))
    assert gradcheck(lambda x: 2 * Value(3.0), [1.0])
    model = scalar.nn.MLP(2, [3, 1])
    assert gradcheck(lambda x, y: model([x, y]), [0.3, -0.2])


def closure(name, data, parents, rule):
    """An operation as a program for micrograd writes it: rule(out) assigns to grads."""
    out = Value(data, parents, name)
    out._backward = lambda: rule(out)
    return out


def softmax_of_its_own(xs):
    powers = [math.exp(x.data) for x in xs]
    p = [power / sum(powers) for power in powers]
    return [Value.operation("softmax", a, [x], [a * (1 - a)]) for a, x in zip(p, xs, strict=True)]


def square_without_g(x):
    def rule(out):
        x.grad += 2 * x.data

    return closure("square", x.data ** 2, (x,), rule)


def square_that_overwrites(x):
    def rule(out):
        x.grad = 2 * x.data * out.grad

    return closure("square", x.data ** 2, (x,), rule)


def one(name, y, derivative):
    """A function of one Value with y(x) and a local derivative."""
    return lambda x: Value.operation(name, y(x.data), [x], [derivative(x.data)])


relu = one("relu", lambda x: max(0.0, x), lambda x: 1.0)
tanh = one("tanh", math.tanh, lambda x: 1 - x * x)
tanh_twice = one("tanh", math.tanh, lambda x: 1 - math.tanh(math.tanh(x)) ** 2)
exponential = one("exp", math.exp, lambda x: 1.0)
double = one("cube", lambda x: x ** 3, lambda x: 6 * x * x)
odd = one("cube", lambda x: x ** 3, lambda x: x)


def product(a, b):
    return Value.operation("product", a.data * b.data, [a, b], [b.data, 0.0])


def quotient(a, b):
    return Value.operation("quotient", a.data / b.data, [a, b], [1 / b.data, a.data / b.data ** 2])


@pytest.mark.parametrize(("f", "numbers", "message"), [
    (softmax_of_its_own, [[0.5, -2.0, 1.0]],
     r"by xs\[2\] is\n    0 by backward\n    -0.22\d+ by finite differences\n6 of 9 derivatives "
     r"differ. The operation 'softmax' depends on numbers that are not among its operands: only a "
     r"part of its Jacobian is there, such as the diagonal"),
    (lambda x, y: relu(x) * relu(y), [-0.5, 2.0],
     "'relu' is wrong: its local derivative is 1 where the result does not move: the mask"),
    (lambda x: square_without_g(x) * 3, [1.5], "'square' does not use its own grad"),
    (lambda x: square_that_overwrites(x) * 3 + x, [1.5], "'square' overwrites the grad"),
    (lambda x, w: tanh(x * w), [0.5, 0.7], "'tanh' is wrong: .*given the operand, or the other"),
    (lambda x, w: tanh_twice(x * w), [0.5, 0.7], "'tanh' is wrong: .*given the operand, or"),
    (lambda x, w: exponential(x) * w, [0.5, 0.7], "is 1: it is missing"),
    (lambda x, w: product(x, w), [0.5, 0.7], "by operand 2 is 0: the path back to it is missing"),
    (lambda x, w: quotient(x, w), [0.5, 0.7], "by operand 2 has the wrong sign"),
    (double, [0.3], "counted twice"),
    (odd, [0.3], "is 0.3 and should be 0.27"),
    (lambda x, w: Value(x.data * 2) * w, [0.5, 0.7], "ends at a Value of 1 that depends on the"),
    (lambda x: x.relu(), [0.0], "has a kink there"),
    (lambda x: x.log(), [0.0], "NaN or infinity"),
    (lambda x: odd(x) if x.data < 0.3 else odd(x) + 1, [0.3], "kink|another one for numbers"),
])
def test_what_is_wrong_is_named(f, numbers, message):
    with pytest.raises(GradcheckError, match=message) as error:
        gradcheck(f, numbers)
    assert "by backward" in str(error.value) and "by finite differences" in str(error.value)
    assert gradcheck(f, numbers, raise_exception=False) is False


def test_the_first_wrong_operation_is_named():
    with pytest.raises(GradcheckError, match="'exp' is wrong"):
        gradcheck(lambda x: double(exponential(x) * 2 + x.tanh()), [0.3])


def test_a_rule_that_is_right_is_not_blamed():
    def rule(out):
        a.grad += out.grad
        b.grad += out.grad

    a, b = Value(1.0), Value(2.0)
    closure("+", 3.0, (a, b), rule).backward()
    assert (a.grad, b.grad) == (1.0, 1.0)

    def add(x, y):
        def rule(out):
            x.grad += out.grad
            y.grad += out.grad

        return closure("+", x.data + y.data, (x, y), rule)

    assert gradcheck(lambda x: add(x, x) * x, [0.4])


def test_arguments():
    with pytest.raises(TypeError, match="f should return a Value or lists of Values, got float"):
        gradcheck(lambda x: 3.0, [1.0])
    with pytest.raises(GradcheckError, match=r"by numbers\[1\] is"):
        gradcheck(lambda *xs: product(*xs), [0.5, 0.7])


def test_it_needs_the_standard_library_only():
    code = "import sys, scalar; scalar.gradcheck(lambda x: x.exp(), [1.0]); " \
           "print([m for m in ('numpy', 'tinytensor') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                            check=True, cwd=Path(__file__).parent.parent)
    assert answer.stdout.strip() == "[]"
