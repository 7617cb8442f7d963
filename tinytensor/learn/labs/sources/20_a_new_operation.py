# %% [markdown]
# # 20 A new operation, in both modes
#
# Researchers invent operations. Here one is added to both engines of the project: squareplus, a
# smooth ReLU (Barron 2021). It has no exponential, and a simple derivative.
#
#     squareplus(x) = (x + sqrt(x² + 4)) / 2           derivative: (1 + x / sqrt(x² + 4)) / 2
#
# On single numbers an operation is its result and its local derivatives, as in lab 05:
# `Value.operation(name, result, [operands], [derivatives])`.

# %%
from __future__ import annotations

import math

import numpy

from scalar import Value
from tinytensor.arrays import Array
from tinytensor.autograd.table import op
from tinytensor.ops.samples import unary


def squareplus_of_value(x: Value) -> Value:
    """squareplus of a Value."""
    # <todo> return Value.operation("squareplus", result, [x], [derivative]), by math and x.data
    root = math.sqrt(x.data ** 2 + 4)
    return Value.operation("squareplus", (x.data + root) / 2, [x], [(1 + x.data / root) / 2])
    # </todo>


# %% [markdown]
# On arrays the forward is written for the array library that is handed in as `xp`, and the rule
# under it. `g` is the gradient that comes in. All else follows from this definition: the function
# on Tensors, broadcasting, second derivatives, checks.

# %%
@op(promotes="floating", samples=[*unary()], method=False)
def squareplus(xp, input: Array):
    """(x + sqrt(x² + 4)) / 2, a smooth ReLU. Shapes: (*) -> (*). Barron 2021."""
    # <todo> return the formula of the docstring, with xp.sqrt
    return (input + xp.sqrt(input * input + 4)) / 2
    # </todo>


@squareplus.vjp("input")
def _(xp, g, input):
    # <todo> return g times the derivative
    return g * (1 + input / xp.sqrt(input * input + 4)) / 2
    # </todo>


# %% [markdown]
# A derivative must be checked before it is used. Compare it with the slope of lab 01.

# %%
def largest_error(f, derivative, xs: list[float], h: float = 1e-5) -> float:
    """The largest difference between derivative(x) and the slope of f at x, over xs."""
    # <todo> return the largest absolute difference
    return max(abs(derivative(x) - (f(x + h) - f(x - h)) / (2 * h)) for x in xs)
    # </todo>


# %% tags=["hints"]
"""
squareplus(0) is 1, and its slope there is 1/2. Far to the right both look like those of relu.

The derivative of sqrt(u) is 1 / (2 sqrt(u)), times that of u = x² + 4.

Without g the rule ignores what comes from above. In which loss would nobody notice?
"""

# %% tags=["check"]
import math

import numpy as np

import tinytensor as tt
from scalar import Value

XS = [-3.0, -0.5, 0.0, 1.5]


def right(x):
    return (x + math.sqrt(x * x + 4)) / 2


def slope(x):
    return (1 + x / math.sqrt(x * x + 4)) / 2


VALUES = {
    "the half is missing": lambda x: 2 * right(x),
    "x is missing: this is the root alone": lambda x: math.sqrt(x * x + 4) / 2,
    "the 4 is missing": lambda x: (x + abs(x)) / 2,
    "the 4 stands outside of the root": lambda x: (x + abs(x) + 4) / 2,
    "only the root is halved": lambda x: x + math.sqrt(x * x + 4) / 2,
    "the root is missing": lambda x: (x + x * x + 4) / 2,
    "the square is missing": lambda x: (x + math.sqrt(abs(x + 4))) / 2}
SLOPES = {
    "the half is missing": lambda x: 2 * slope(x),
    "x itself is missing in the sum: its derivative is 1": lambda x: slope(x) - 0.5,
    "the inner derivative is missing": lambda x: (1 + 1 / math.sqrt(x * x + 4)) / 2,
    "the root's derivative has a half too few: sqrt(u) gives 1 / (2 sqrt(u)), and u gives 2 x":
        lambda x: (1 + 2 * x / math.sqrt(x * x + 4)) / 2,
    "the sign is wrong": lambda x: (1 - x / math.sqrt(x * x + 4)) / 2,
    "this is the operation itself": right,
    "this is the derivative of relu": lambda x: float(x > 0),
    "the gradient that comes in is handed on as it came": lambda x: 1.0}


def known(table, factor=1.0):
    return {words: [factor * f(x) for x in XS] for words, f in table.items()}


def check_value(lab):
    """squareplus(0) is 1, and its slope there is 1/2. Far to the right both look like those of
    relu. Are yours so?

    squareplus_of_value: compute the root once, by math.sqrt from x.data. Result and derivative are
    both made of it.

    Value.operation takes a name, the result as a float, a list of operands, and a list of
    derivatives, here one of each. The two formulas are in the text.
    """
    xs = [Value(x) for x in XS]
    got = [lab.squareplus_of_value(x) for x in xs]
    if not all(hasattr(v, "backward") for v in got):
        raise Wrong("squareplus of a Value", repr(got[0]), "a Value", NOTHING if got[0] is None
                    else "a plain number has no gradient: use Value.operation")
    expect("squareplus of Values -3, -0.5, 0, 1.5", [v.data for v in got], [right(x) for x in XS],
           known(VALUES))
    for v in got:
        (3 * v).backward()
    nothing = {"no gradient arrived: give operands and derivatives": [0.0] * 4}
    expect("gradients of 3 squareplus of Values -3, -0.5, 0, 1.5", [x.grad for x in xs],
           [3 * slope(x) for x in XS], {**known(SLOPES, 3.0), **nothing})


def check_tensor(lab):
    """Which of the two is wrong, the value or the gradient? The rule above says it.

    squareplus: the same formula as on a Value, with input for x.data and xp.sqrt for math.sqrt. In
    the rule under it, g is what comes in from above.

    The rule is g times the derivative of the text. Where squareplus calls something of numpy by
    name, second derivatives break: call it from xp.
    """
    x = tt.tensor(XS, dtype=tt.float64, requires_grad=True)
    y = lab.squareplus(x)
    expect("squareplus of a Tensor [-3, -0.5, 0, 1.5]", y.tolist(), [right(v) for v in XS],
           known(VALUES))
    (3 * y).sum().backward()
    expect("gradient of 3 squareplus of a Tensor [-3, -0.5, 0, 1.5]", x.grad.tolist(),
           [3 * slope(v) for v in XS], {**known(SLOPES, 3.0), "g is not used":
                                        [slope(v) for v in XS]})
    x = tt.tensor([0.5], dtype=tt.float64, requires_grad=True)
    (first,) = tt.autograd.grad(lab.squareplus(x).sum(), x, create_graph=True)
    if not first.requires_grad:
        raise Wrong("second derivative at 0.5", "not recorded", f"{2 / 4.25 ** 1.5:.6g}",
                    "numpy was called by name: compute with xp, so that a recorded backward works")
    first.sum().backward()
    expect("second derivative at 0.5", x.grad.item(), 2 / 4.25 ** 1.5)


def check_largest_error(lab):
    """derivative(x) is 11.5, the slope is 12. What is the error, and what if it were 12.5?

    largest_error: the slope is that of lab 01. An error has no sign.

    One number for each x: abs of the difference. Then the largest of them.
    """
    def f(x):
        return x ** 3
    got = lab.largest_error(f, lambda x: 3 * x * x + (x > 0) * 0.5, [-2.0, 1.0])
    expect("largest error of a derivative that is 0.5 too large at 1", round(got, 6), 0.5, {
        "this is the smallest difference": 0.0, "the differences add up: take the largest": 0.5001,
        "this is the mean": 0.25})
    got = lab.largest_error(f, lambda x: 3 * x * x - 0.25, [2.0])
    expect("largest error of a derivative that is 0.25 too small", round(got, 6), 0.25, {
        "take the absolute value: an error below 0 is an error": -0.25,
        "an error below 0 is an error": 0.0})
