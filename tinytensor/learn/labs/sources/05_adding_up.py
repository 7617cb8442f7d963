# %% [markdown]
# # 05 Adding up
#
# A number may be used more than once. In c = a * a + a the number a reaches c on three paths. If a
# grows by a little, all three paths bring a change to c, and the changes add up. So the gradient of
# a number is the sum over all paths, of the products of local derivatives along them.
#
#     grad of a  +=  (local derivative)  ·  (grad that comes in)        for each use of a
#
# The sign += is the whole lab. Forgetting it is the most frequent mistake of those who write
# backward passes.

# %%
from __future__ import annotations


class Number:
    """A float with its parents, the local derivatives by them, and a gradient."""

    def __init__(self, data: float, parents: tuple[Number, ...] = (),
                 locals: tuple[float, ...] = ()):
        self.data, self.parents, self.locals = data, parents, locals
        self.grad = 0.0

    def __add__(self, other: Number) -> Number:
        return Number(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Number) -> Number:
        return Number(self.data * other.data, (self, other), (other.data, self.data))


# %% [markdown]
# `push` brings a gradient g to a number. It adds g to the number's own gradient, and pushes on to
# each parent what belongs to it. Each path from the last number is walked once, by recursion.

# %%
def push(number: Number, g: float) -> None:
    """Adds g to the gradient of `number`, and brings its parents their shares."""
    # <todo> add g to number.grad, then push to each parent its local derivative times g
    number.grad += g
    for parent, local in zip(number.parents, number.locals, strict=True):
        push(parent, local * g)
    # </todo>


def backward(last: Number) -> None:
    """The gradients of all numbers that `last` was made of."""
    # <todo> push the gradient of the last number by itself
    push(last, 1.0)
    # </todo>


def clear(numbers: list[Number]) -> None:
    """Sets the gradients to 0, for the next backward pass."""
    # <todo> set the gradient of each number to 0
    for number in numbers:
        number.grad = 0.0
    # </todo>


# %% tags=["hints"]
"""
Write down the three paths from a to c in c = a * a + a, and the product along each.

push is called once for each path. What does number.grad hold before the second call?

What a parent gets depends on g, the gradient that has just come in, not on number.grad, which is
the sum of all that came.
"""

# %% tags=["check"]
def run(lab, build, *data):
    numbers = [lab.Number(x) for x in data]
    last = build(*numbers)
    lab.backward(last)
    return [n.grad for n in numbers], last


def check_push(lab):
    """push adds g to the grad of the number. What is grad after pushes of 0.5 and of 2?

    In push, the first line changes number.grad. It keeps what was there: a later push adds to it.

    The sign for adding to what is there is in the text above, and it is the whole lab. A number
    without parents needs nothing else in push.
    """
    number = lab.Number(3.0)
    lab.push(number, 0.5)
    expect("gradient of a number without parents, after push of 0.5", number.grad, 0.5, {
        "nothing changed: add g to number.grad": 0.0,
        "this is counted twice: add g once": 1.0})
    lab.push(number, 2.0)
    expect("gradient after another push, of 2", number.grad, 2.5, {
        "a later path overwrites an earlier one: add with +=": 2.0})


def check_last(lab):
    """If the last number grows by 1, by how much does the last number grow?

    backward brings this gradient to the last number. push does the rest: it is what adds to grad.

    So backward is one call of push, with the last number and its gradient by itself. It sets
    nothing else.
    """
    _, last = run(lab, lambda a, b: a * b, 2.0, -3.0)
    expect("gradient of the last number by itself", last.grad, 1.0, {
        "0 would mean that nothing changes: a number grows as fast as itself": 0.0,
        "this is counted twice: push adds it to grad, and nothing else may set grad": 2.0,
        "this is its data": last.data})


def check_one_path(lab):
    """Take c = a * b with a = 2, b = -3, and g = 1 at c. What does a get, what does b get?

    push does two things: it adds g to the number's own grad, and it calls itself for each parent.

    What a parent gets is g times the local derivative by that parent. zip goes through
    number.parents and number.locals together.
    """
    got, _ = run(lab, lambda a, b, c: (a + b) * c, 2.0, -3.0, 4.0)
    expect("gradients of a, b, c in (a + b) * c, for 2, -3, 4", got, [4.0, 4.0, -1.0], {
        "nothing reached the parents: push on to each of them": [0.0, 0.0, 0.0],
        "nothing reached the parents of parents: push, do not only add": [0.0, 0.0, -1.0],
        "only the first parent gets its share": [4.0, 0.0, 0.0],
        "only the last parent gets its share": [0.0, 0.0, -1.0],
        "g is handed on as it came: multiply it by the local derivative": [1.0, 1.0, 1.0],
        "this is the local derivative alone: multiply it by g": [1.0, 1.0, -1.0],
        "the data of the parent is used where the local derivative is meant":
            [2.0 * -1, -3.0 * -1, 4.0],
        "each parent gets its share twice: push adds it already": [8.0, 8.0, -2.0],
        "g and the local derivative are added: multiply them": [6.0, 6.0, 0.0],
        "the first local derivative is used for all parents: each has its own": [4.0, 4.0, 4.0],
        "the sign turns at each step": [4.0, 4.0, 1.0]})


def check_several_paths(lab):
    """Write down the three paths from a to c in c = a * a + a, and the product along each.

    push is called once for each path. What does number.grad hold before the second call, and what
    must it hold behind it?

    Gradients of several paths add up in grad. But what push hands on depends on g, which has just
    come in, not on number.grad, which is the sum of all that came.
    """
    got, _ = run(lab, lambda a: a * a + a, 3.0)
    expect("gradient of a in a * a + a, at 3", got[0], 7.0, {
        "a later path overwrites an earlier one: add with +=": 1.0,
        "the paths of a * a are overwritten by each other: add with +=": 3.0,
        "a * a has two paths to a": 4.0,
        "what is handed on is number.grad, the sum of all that came: hand on g": 10.0,
        "the gradients multiply here: those of several paths add up": 9.0})
    got, _ = run(lab, lambda a, b: ((a + b) * (a + b)) * a, 1.0, 2.0)
    expect("gradients of a, b in (a + b) (a + b) a, at 1, 2", got, [15.0, 6.0])

    def shared(a):
        s = a + a
        return s * s
    got, _ = run(lab, shared, 1.5)
    expect("gradient of a in s * s with s = a + a, at 1.5", got[0], 12.0, {
        "what is handed on is number.grad, the sum of all that came: it counts the first path "
        "again. Hand on g": 18.0,
        "a later path overwrites an earlier one: add with +=": 3.0})


def check_clear(lab):
    """What should grad be before a new backward pass begins to add to it?

    clear changes grad of each number, and leaves data alone.

    A loop over the numbers, and one assignment: the float with which a new Number begins. None
    would not do, since nothing can be added to it.
    """
    numbers = [lab.Number(2.0), lab.Number(3.0)]
    lab.backward(numbers[0] * numbers[1])
    lab.clear(numbers)
    expect("data after clear", [n.data for n in numbers], [2.0, 3.0], {
        "clear must not touch data": [0.0, 0.0]})
    expect("gradients after clear", [n.grad for n in numbers], [0.0, 0.0], {
        "nothing was changed": [3.0, 2.0], "only the first was cleared": [0.0, 2.0],
        "None cannot be added to: use 0": [None, None]})
