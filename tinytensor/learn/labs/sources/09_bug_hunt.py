# %% [markdown]
# # 09 Bug hunt
#
# Here is a small engine with all that the labs before had: numbers, rules, order, backward, a
# training loop. It runs, and it is wrong in five places. Nothing raises an error, and the loss even
# falls a little: so it is with wrong gradients in real life.
#
# The tool against them is lab 01: compare every gradient with a measured slope. Find the five
# mistakes, one after the other. Change as little as possible.

# %%
from __future__ import annotations

import math


class Number:
    """A float with its parents, the local derivatives by them, and a gradient."""

    def __init__(self, data: float, parents: tuple[Number, ...] = (),
                 locals: tuple[float, ...] = ()):
        self.data, self.parents, self.locals = data, parents, locals
        self.grad = 0.0

    def __add__(self, other: Number) -> Number:
        return Number(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Number) -> Number:
        # <bug>
        return Number(self.data * other.data, (self, other), (self.data, other.data))
        # <fix>
        return Number(self.data * other.data, (self, other), (other.data, self.data))
        # </bug>

    def tanh(self) -> Number:
        t = math.tanh(self.data)
        # <bug>
        return Number(t, (self,), (1 - self.data ** 2,))
        # <fix>
        return Number(t, (self,), (1 - t ** 2,))
        # </bug>

    def backward(self) -> None:
        order: list[Number] = []
        seen: set[int] = set()

        def visit(number: Number) -> None:
            if id(number) not in seen:
                seen.add(id(number))
                # <bug>
                order.append(number)
                for parent in number.parents:
                    visit(parent)
                # <fix>
                for parent in number.parents:
                    visit(parent)
                order.append(number)
                # </bug>

        visit(self)
        self.grad = 1.0
        # <bug>
        for number in order:
            for parent, local in zip(number.parents, number.locals):
                parent.grad = local * number.grad
        # <fix>
        for number in reversed(order):
            for parent, local in zip(number.parents, number.locals):
                parent.grad += local * number.grad
        # </bug>


def train(w: Number, b: Number, points: list[tuple[float, float]], steps: int,
          rate: float) -> None:
    """Fits tanh(w x + b) to the points by steps on the sum of squared errors."""
    for _ in range(steps):
        loss = Number(0.0)
        for x, y in points:
            error = (w * Number(x) + b).tanh() + Number(-y)
            loss = loss + error * error
        # <bug>
        loss.backward()
        # <fix>
        w.grad = b.grad = 0.0
        loss.backward()
        # </bug>
        for p in (w, b):
            p.data -= rate * p.grad


# %% tags=["hints"]
"""
Check the operations one by one, each in a graph of its own: (a * b).backward(), then a.tanh().

Then a number that is used twice, and a number whose results are used by each other, as in
b = a + a; c = b * a.

Last look at the loop: what does w.grad hold when its second round begins?
"""

# %% tags=["check"]
import math


def grads(lab, build, *data):
    numbers = [lab.Number(x) for x in data]
    build(*numbers).backward()
    return [n.grad for n in numbers]


def check_product(lab):
    """Compute (a * b).backward() for a = 3, b = -2. What is a.grad, and what should it be?

    Look at __mul__: the tuple of local derivatives has one for each parent, in their order.

    If a grows by 1, a * b grows by b. Which of the two numbers in the tuple of __mul__ belongs to
    a?
    """
    expect("gradients of a, b in a * b, at 3, -2", grads(lab, lambda a, b: a * b, 3.0, -2.0),
           [-2.0, 3.0], {"they are exchanged: look at the local derivatives of the product":
                         [3.0, -2.0]})
    expect("value of a * b", (lab.Number(3.0) * lab.Number(-2.0)).data, -6.0)


def check_sum(lab):
    """Compute (a + b).backward(). Both gradients should be 1.

    __add__ was right when the lab began. Look at what you changed, there or in backward.

    backward gives the last number the gradient 1, and each parent its local derivative times that.
    """
    expect("gradients of a, b in a + b", grads(lab, lambda a, b: a + b, 3.0, -2.0), [1.0, 1.0])


def check_tanh(lab):
    """Compare a.tanh() at 0.5 with a measured slope: (tanh(0.5001) - tanh(0.4999)) / 0.0002.

    tanh: the rule of lab 03 is written in the result of the operation, not in its operand.

    In the method tanh, the result has a name already. It belongs where self.data stands in the
    derivative.
    """
    t = math.tanh(0.5)
    expect("gradient of tanh(a), at 0.5", grads(lab, lambda a: a.tanh(), 0.5)[0], 1 - t * t, {
        "the rule is written in the result, and is given the operand": 1 - 0.25,
        "the square is missing": 1 - t})


def check_used_twice(lab):
    """Compute (a + a).backward(). The gradient should be 2. Which line of backward loses a part?

    In backward, parent.grad is set once for each use. What happens to what was there before?

    Lab 05: shares of several uses add up. One sign is missing in the inner loop of backward.
    """
    expect("gradient of a in a + a", grads(lab, lambda a: a + a, 3.0)[0], 2.0, {
        "the second use overwrites the first": 1.0})
    expect("gradient of a in a * a, at 3", grads(lab, lambda a: a * a, 3.0)[0], 6.0, {
        "the second use overwrites the first": 3.0})


def check_order(lab):
    """Write the order that backward builds for b = a + a; c = b * a. In which order are they
    handled?

    In backward, visit puts a number into the list. Should its parents be there already? Then the
    loop has to go through the list from its end.

    Two lines of backward belong together: where append stands, and in which direction the loop
    goes. A number comes behind its parents in the list, and is handled before them. Each number is
    in the list once.
    """
    def build(a):
        b = a + a
        return b * a
    expect("gradient of a in b * a with b = a + a, at 3", grads(lab, build, 3.0)[0], 12.0, {
        "a was handled before b had sent its share: look at the order": 6.0})

    def square_twice(a):
        b = a * a
        return b + b
    expect("gradient of a in b + b with b = a * a, at 2", grads(lab, square_twice, 2.0), [8.0], {
        "a number that is used several times is handled several times: handle each once":
            handled_again(lab, square_twice, 2.0)})


def handled_again(lab, build, *data):
    """The gradients if each use of a number lists it once more."""
    numbers = [lab.Number(x) for x in data]
    order = []

    def visit(number):
        for parent in number.parents:
            visit(parent)
        order.append(number)
    last = build(*numbers)
    visit(last)
    last.grad = 1.0
    for number in reversed(order):
        for parent, local in zip(number.parents, number.locals):
            parent.grad += local * number.grad
    return [n.grad for n in numbers]


def check_training(lab):
    """Print w.grad in each round of train, just before backward. What should it be?

    In train, backward adds to the gradients that are there. Those of the round before are still
    there.

    Lab 08: something is to be emptied in each round of train, after the loss is computed or before,
    but not between backward and the step.
    """
    points = [(-1.0, -0.6), (0.0, 0.2), (1.0, 0.7)]

    def measured(w, b, steps, clear=True):
        gw = gb = 0.0
        for _ in range(steps):
            if clear:
                gw = gb = 0.0
            for x, y in points:
                t = math.tanh(w * x + b)
                gw += 2 * (t - y) * (1 - t * t) * x
                gb += 2 * (t - y) * (1 - t * t)
            w, b = w - 0.05 * gw, b - 0.05 * gb
        return [w, b]
    w, b = lab.Number(0.1), lab.Number(0.0)
    lab.train(w, b, points, 5, 0.05)
    expect("w and b after 5 steps from 0.1, 0", [w.data, b.data], measured(0.1, 0.0, 5), {
        "the gradients of earlier steps are still there when backward adds to them":
            measured(0.1, 0.0, 5, clear=False),
        "nothing moved": [0.1, 0.0]})
