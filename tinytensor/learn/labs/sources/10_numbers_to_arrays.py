# %% [markdown]
# # 10 Numbers to arrays
#
# One node for each number is easy to read, and slow. Real frameworks have one node for each
# operation on whole arrays. Nothing new happens: each element obeys the rules of the labs before.
# But the rules can be written for all elements at once, and there is a trick to find them:
#
# - the gradient of an array has the shape of the array;
# - so there are not many ways to put the pieces together.
#
# For c = a @ b, with shapes (2, 3) @ (3, 4) -> (2, 4), the gradient of a must be (2, 3). It is made
# of g, the gradient of c with shape (2, 4), and of b with shape (3, 4). Which product fits?

# %%
from __future__ import annotations

import numpy as np


def matmul_backward(g: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of a and b, for c = a @ b and the gradient g of c."""
    # <todo> return two matrix products, with one of a, b and g transposed in each
    return g @ b.T, a.T @ g
    # </todo>


# %% [markdown]
# A sum hands its gradient to every number that was added. If c = x.sum(0), then c has one element
# for each column, and its gradient goes to all elements of the column: it is broadcast back.

# %%
def sum_backward(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The gradient of x, for c = x.sum(0) and the gradient g of c. Shapes: (N, D), (D) -> (N, D)."""
    # <todo> return an array of the shape of x, with g in each row
    return np.broadcast_to(g, x.shape).copy()
    # </todo>


def mean_backward(g: float, x: np.ndarray) -> np.ndarray:
    """The gradient of x, for c = x.mean() and the gradient g of c, a number."""
    # <todo> return an array of the shape of x; each element has its share of g
    return np.full(x.shape, g / x.size)
    # </todo>


# %% [markdown]
# The reverse happens to a bias. In x + b, with shapes (N, D) + (D), each element of b is used N
# times, once in each row. As in lab 05, the gradients of all uses add up.

# %%
def bias_backward(g: np.ndarray, x: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of x and b, for c = x + b. Shapes: (N, D) + (D) -> (N, D)."""
    # <todo> return the gradient of x, and that of b with the shape of b
    return g, g.sum(0)
    # </todo>


# %% tags=["hints"]
"""
Print the shapes of g, a, b, a.T and b.T. Which two can be multiplied so that the shape is right?

x.sum(0) adds up the rows. To which elements of x does one element of the sum belong?

The shape of a gradient is that of its array. What must be done to g, of shape (N, D), to give one
number for each of the D elements of b?
"""

# %% tags=["check"]
import numpy as np

rng = np.random.default_rng(0)


def draw(*shape):
    return rng.normal(size=shape)


def pair(rule, got):
    if not isinstance(got, tuple) or len(got) != 2:
        raise Wrong(rule, type(got).__name__, "a tuple of two arrays", "return both gradients")
    return got


def check_matmul(lab):
    """Write the shapes of g, a, b, a.T and b.T beside each other. Which two can be multiplied so
    that the result has the shape of a? And of b?

    matmul_backward: the gradient of a is made of g and b, that of b is made of a and g. g stands
    where the result stood.

    In each product, one of the two is transposed, so that the dimension that the gradient does not
    have is the inner one, and sums away.
    """
    a, b, g = draw(2, 3), draw(3, 4), draw(2, 4)
    rule = "gradients of a and b in a @ b"
    ga, gb = pair(rule, lab.matmul_backward(g, a, b))
    expect_gradients(rule, lambda a, b: a @ b, {"a": a, "b": b}, {"a": ga, "b": gb}, g, {
        "g is not used: these are the gradients of the sum of all results":
            np.ones(g.shape) @ b.T})


def check_sum(lab):
    """x.sum(0) adds up the rows. To which elements of x does one element of the sum belong?

    sum_backward: each number of a column reached the sum with the factor 1. So what is its share of
    g?

    The result has the shape of x, and every row of it is g. np.broadcast_to repeats an array along
    a new first dimension.
    """
    x, g = draw(3, 4), draw(4)
    expect_gradients("gradient of x in x.sum(0)", lambda x: x.sum(0), {"x": x},
                     {"x": lab.sum_backward(g, x)}, g, {
        "x is not needed: each number of a column reaches the sum with the factor 1": g * x,
        "this is the mean's rule: a sum hands on all of g": np.broadcast_to(g / 3, x.shape)})


def check_mean(lab):
    """A mean of 12 numbers: if one of them grows by 1, by how much does the mean grow?

    mean_backward: all elements have the same share of g.

    np.full(shape, number) makes an array of one number. How many elements x has says x.size.
    """
    x = draw(3, 4)
    expect_gradients("gradient of x in x.mean()", lambda x: x.mean(), {"x": x},
                     {"x": lab.mean_backward(2.5, x)}, 2.5, {
        "each of the 12 numbers has its share of g: divide by their number": np.full(x.shape, 2.5),
        "the mean goes over all numbers, not over the rows alone": np.full(x.shape, 2.5 / 3)})


def check_bias(lab):
    """Write x + b for two rows by hand. In how many results does b[0] stand?

    bias_backward: x reaches the result with the factor 1. b does, too, but once in each row.

    The gradient of b has the shape of b: the shares of all rows are added up, along the dimension
    that b does not have.
    """
    x, b, g = draw(5, 3), draw(3), draw(5, 3)
    rule = "gradients of x and b in x + b"
    gx, gb = pair(rule, lab.bias_backward(g, x, b))
    expect_gradients(rule, lambda x, b: x + b, {"x": x, "b": b}, {"x": gx, "b": gb}, g, {
        "g is not used: 1 is the derivative of a single sum": np.ones(3),
        "b is used in each row: add the shares up, do not take their mean": g.mean(0),
        "b is used in each row: this is the share of the first row alone": g[0],
        "the sum goes over the rows, dimension 0, since b is the same in each row": g.sum(1)})
