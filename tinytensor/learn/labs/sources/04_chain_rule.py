# %% [markdown]
# # 04 Chain rule
#
# If y grows 3 times as fast as x, and z grows 2 times as fast as y, then z grows 6 times as fast as
# x. That is the chain rule: along a path, local derivatives multiply.
#
#     x --f--> y --g--> z            dz/dx = dz/dy · dy/dx = g'(y) · f'(x)
#
# Each local derivative is taken at the number that its operation was given: g' at y, not at x.

# %%
from __future__ import annotations

from collections.abc import Callable

Function = Callable[[float], float]


def along(slopes: list[float]) -> float:
    """The derivative along a path, from its local derivatives."""
    # <todo> return the product of all slopes; 1 for an empty list
    product = 1.0
    for slope in slopes:
        product *= slope
    return product
    # </todo>


def of_composition(f: Function, df: Function, dg: Function, x: float) -> float:
    """The derivative of g(f(x)) by x. df and dg are the derivatives of f and g."""
    # <todo> return the derivative of g at f(x), times that of f at x
    return dg(f(x)) * df(x)
    # </todo>


# %% [markdown]
# A path of many operations is walked twice. Forward: each operation computes its result, which is
# the next one's input. Backward: the gradient starts as 1 at the end, since z grows as fast as z,
# and is multiplied by one local derivative after the other, from the last operation to the first.
# What has been multiplied so far is the gradient of each number in between.

# %%
def forward(functions: list[Function], x: float) -> list[float]:
    """x, and the result of each function on the one before."""
    # <todo> return [x, f0(x), f1(f0(x)), ...]
    values = [x]
    for function in functions:
        values.append(function(values[-1]))
    return values
    # </todo>


def backward(derivatives: list[Function], values: list[float]) -> list[float]:
    """The derivative of the last value by each value, in the order of `values`.

    derivatives[i] is the derivative of the function that made values[i + 1] of values[i].
    """
    # <todo> start with 1 for the last value, and multiply on the way back
    grads = [1.0]
    for derivative, value in zip(reversed(derivatives), reversed(values[:-1]), strict=True):
        grads.append(grads[-1] * derivative(value))
    return grads[::-1]
    # </todo>


# %% tags=["hints"]
"""
Take numbers: f(x) = 3 x and g(y) = y**2 at x = 1. How does g(f(x)) change if x becomes 1.01?

The derivative of an operation is asked for at the operation's input. What is the input of g?

In backward, grads grows from the end to the start. Which order does the caller want?
"""

# %% tags=["check"]
import math


def check_along(lab):
    """x grows by 1, y three times as fast, z twice as fast as y. By how much does z grow?

    along multiplies all the slopes of the list, one after the other.

    Begin with the number that changes nothing in a product. For an empty list, it is the answer of
    along.
    """
    expect("derivative along a path with slopes 3, -2, 0.5", lab.along([3.0, -2.0, 0.5]), -3.0, {
        "slopes along a path multiply, they do not add up": 1.5,
        "this is the last slope alone": 0.5, "this is the first slope alone": 3.0,
        "the product starts at 1, not at 0": 0.0, "the last slope is left out": -6.0,
        "this is the mean": 0.5, "the loop ends after its first round": 3.0})
    expect("derivative along an empty path", lab.along([]), 1.0, {
        "a number grows as fast as itself": 0.0})


def check_composition(lab):
    """Take f(x) = 3 x and g(y) = y**2 at x = 1. How does g(f(x)) change if x becomes 1.01?

    In of_composition there are two slopes along one path: that of f, and that of g. Each is asked
    for at the number that its function was given.

    f was given x. What was g given? There its derivative is taken, and the two numbers multiply.
    """
    def f(x):
        return x * x + 1

    def df(x):
        return 2 * x
    dg, x = math.exp, 0.7
    expect("derivative of exp(x**2 + 1) at 0.7", lab.of_composition(f, df, dg, x),
           math.exp(1.49) * 1.4, {
        "the derivative of g is taken at x: its input is f(x)": dg(x) * df(x),
        "the inner derivative is missing": dg(f(x)),
        "the two derivatives add up here: they multiply": dg(f(x)) + df(x),
        "this is the derivative of f at f(x): f's input is x": dg(f(x)) * df(f(x)),
        "f itself is used where its derivative is meant": dg(f(x)) * f(x),
        "the derivative of g is taken at f'(x)": dg(df(x)),
        "the derivative of g is taken at f'(x), then multiplied": dg(df(x)) * df(x)})


PATH = [lambda x: 3 * x, math.sin, lambda x: x * x], [lambda x: 3.0, math.cos, lambda x: 2 * x]


def check_forward(lab):
    """Compute by hand for [3 x, square] from x = 2: three numbers, of which the first is 2.

    forward gives each function the newest number, the last one of the list so far.

    Begin with a list that holds x alone. Append one number for each function, and return the whole
    list.
    """
    x = 0.4
    right = [x, 1.2, math.sin(1.2), math.sin(1.2) ** 2]
    expect("forward of 3 x, sin, square from 0.4", lab.forward(PATH[0], x), right, {
        "each function was given x, not the result before": [x, 1.2, math.sin(x), x * x],
        "x itself is the first value": right[1:],
        "only the last value is returned: keep all of them": right[-1],
        "the functions were applied from the last to the first":
            [x, x * x, math.sin(x * x), 3 * math.sin(x * x)]})


def check_backward(lab):
    """Take [3 x, square] from x = 2: values 2, 6, 36. What is the derivative of 36 by 36, by 6, and
    by 2?

    backward begins with 1 at the end. Each step to the left multiplies by one local derivative,
    asked for at the function's input, which is the value to its left.

    Go through derivatives and values[:-1] from the end together, with reversed and zip. The list
    grows from the end to the start: which order does the caller want?
    """
    values = [0.4, 1.2, math.sin(1.2), math.sin(1.2) ** 2]
    local = [d(v) for d, v in zip(PATH[1], values)]
    right = [local[0] * local[1] * local[2], local[1] * local[2], local[2], 1.0]
    expect("backward of 3 x, sin, square from 0.4", lab.backward(PATH[1], list(values)), right, {
        "the order is that from the end: turn the list around": right[::-1],
        "these are local derivatives: multiply by what came from the end": [*local, 1.0],
        "the gradient of the last value, 1, is missing": right[:-1],
        "this multiplies from the start to the end: it gives the slopes by x of each value":
            [1.0, local[0], local[0] * local[1], local[0] * local[1] * local[2]],
        "the gradients add up here: they multiply":
            [1 + sum(local), 1 + local[1] + local[2], 1 + local[2], 1.0],
        "the derivatives are taken at the results: each is asked for at its input":
            [math.prod(d(v) for d, v in list(zip(PATH[1], values[1:]))[i:]) for i in range(3)] + [1.0],
        "the gradient starts at the last value: it starts at 1":
            [g * values[-1] for g in right],
        "only the gradient of x is returned: keep all of them": right[0],
        "the derivatives are in the wrong order: start with the last function":
            [math.prod(d(v) for d, v in list(zip(PATH[1], values[2::-1]))[:3 - i]) for i in range(3)]
            + [1.0]})
