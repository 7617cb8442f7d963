# %% [markdown]
# # 06 Order
#
# The recursion of lab 05 walks every path, and there may be many: 30 numbers of the form b = a + a,
# one after the other, have more than a billion paths. It is enough to handle each number once, if
# its gradient is complete by then, that is, if all that use it have sent their shares.
#
# So an order is needed in which every number comes after its parents: a topological order. The
# backward pass goes through it from the end.
#
#     b = a + a            order:    a, b, c
#     c = b * a            backward: c, b, a: when a is handled, b and c have sent theirs

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


def ordered(last: Number) -> list[Number]:
    """Every number that `last` was made of, each once and after its parents; `last` at the end."""
    order: list[Number] = []
    seen: set[int] = set()  # the ids of numbers that were visited

    def visit(number: Number) -> None:
        # <todo> skip a number that was seen; visit its parents; then append it to order
        if id(number) in seen:
            return
        seen.add(id(number))
        for parent in number.parents:
            visit(parent)
        order.append(number)
        # </todo>

    visit(last)
    return order


# %% [markdown]
# Now the backward pass is a loop. This is the same loop as in `scalar/engine.py`, and as in every
# framework.

# %%
def backward(last: Number) -> None:
    """The gradients of all numbers that `last` was made of, each handled once."""
    # <todo> set last.grad to 1; from the end of the order, add to each parent its share
    last.grad = 1.0
    for number in reversed(ordered(last)):
        for parent, local in zip(number.parents, number.locals, strict=True):
            parent.grad += local * number.grad
    # </todo>


# %% tags=["hints"]
"""
Write the order for b = a + a; c = b * a by hand. Which number can be handled last in backward?

A number is appended when all of its parents are in the list. Where does append stand then, before
or after the loop over the parents?

In backward, number.grad is complete when the number's turn comes. It is what is handed on.
"""

# %% tags=["check"]
def graph(lab):
    a, b = lab.Number(2.0), lab.Number(-3.0)
    c = a * b
    d = c + a
    e = d * d
    f = e * c
    return dict(zip("abcdef", (a, b, c, d, e, f)))


def check_ordered(lab):
    """Write the order for b = a + a; c = b * a by hand. Which number stands at the end, which at
    the start?

    In ordered, visit appends a number when all of its parents are in the list. So does append stand
    before or behind the loop over the parents?

    visit is called several times for a number that is used several times: ask first whether its id
    is in seen, and put it there. Then all parents, then the number itself.
    """
    numbers = graph(lab)
    names = {id(n): name for name, n in numbers.items()}
    got = "".join(names.get(id(n), "?") for n in lab.ordered(numbers["f"]))
    rule = "order of c = a * b; d = c + a; e = d * d; f = e * c"
    if len(got) != len(set(got)):
        twice = next(x for x in got if got.count(x) > 1)
        raise Wrong(rule, got, "each once", f"{twice} is listed {got.count(twice)} times: skip a "
                    "number that was seen")
    if set(got) != set("abcdef"):
        missing = "".join(sorted(set("abcdef") - set(got)))
        why = f"{missing} is missing"
        if got == "":
            why = "nothing was appended to order"
        elif missing == "f":
            why = "the last number itself is missing"
        elif got == "f":
            why = "the parents were not visited"
        elif "b" in missing:
            why += ": visit all parents, not the first alone"
        raise Wrong(rule, got, "abcdef", why)
    for name, number in numbers.items():
        for parent in number.parents:
            p = names[id(parent)]
            if got.index(p) > got.index(name):
                why = "the order is turned around: append a number after its parents, not before" \
                    if got[0] == "f" else f"{name} comes before its parent {p}"
                raise Wrong(rule, got, f"{p} before {name}", why)


def check_backward(lab):
    """Which number's gradient is known before anything else? What is it?

    backward goes through the order from its end. When a number's turn comes, its grad is complete,
    since all that use it came before.

    For each parent, add to its grad: the local derivative by that parent times the number's grad.
    zip goes through number.parents and number.locals together.
    """
    numbers = graph(lab)
    lab.backward(numbers["f"])
    a, b, c, d, e, f = (n.data for n in numbers.values())
    right = {"f": 1.0, "e": c, "d": 2 * d * c}
    right["c"] = right["d"] + e
    right["b"] = right["c"] * a
    right["a"] = right["c"] * b + right["d"]
    got = {name: numbers[name].grad for name in right}

    def simulated(order, add=True, start=1.0, use_local=True, use_grad=True):
        other = graph(lab)
        by_id = {id(n): n for n in other.values()}
        if start is not None:
            other["f"].grad = start
        for name in order:
            n = other[name]
            for parent, local in zip(n.parents, n.locals):
                share = (local if use_local else 1.0) * (n.grad if use_grad else 1.0)
                by_id[id(parent)].grad = share + (by_id[id(parent)].grad if add else 0.0)
        return [other[name].grad for name in right]

    backwards = "fedcba"
    expect("gradients of f, e, d, c, b, a", list(got.values()), list(right.values()), {
        "the gradient of the last number is 1, and is not set": simulated(backwards, start=None),
        "the loop goes from the start: only the last number's parents get something":
            simulated(backwards[::-1]),
        "a later share overwrites an earlier one: add with +=": simulated(backwards, add=False),
        "the local derivative is missing": simulated(backwards, use_local=False),
        "this is the local derivative alone: multiply it by number.grad":
            simulated(backwards, use_grad=False),
        "the gradient of the last number starts as its data": simulated(backwards, start=f),
        "nothing was handed on": [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        "the last number's share was handed on, and no other's": simulated("f")})


def check_many_paths(lab):
    """60 times b = b + b are 61 numbers, and more than 10**18 paths. How often may a number be
    handled?

    If this does not end, ordered visits a number again for each path: look at seen. backward needs
    one round for each number.

    If the result is too small, one of the two uses in b + b gets lost: both parents are the same
    object, and each share is added.
    """
    number = first = lab.Number(1.0)
    for _ in range(60):
        number = number + number
    lab.backward(number)  # more than 10**18 paths, 61 numbers
    expect("gradient of a after 60 times b = b + b", first.grad, 2.0 ** 60)
