# %% [markdown]
# # 02 A number that remembers
#
# Measuring slopes is slow: a network with a million numbers would need two million runs for one
# step. There is a better way, if every number knows how it was made. So we wrap a float in an
# object. It stores the float in `data`, and how it came about in two more attributes:
#
#     c = a * b        c.data = a.data * b.data,  c.parents = (a, b),  c.op = "*"
#
# Results have results as parents. From the last number one can walk back to every number that
# played a part: this is the computational graph.

# %%
from __future__ import annotations


def wrap(other: Number | float) -> Number:
    """`other` itself if it is a Number, else a new Number without parents."""
    # <todo> return other if it is a Number, else Number(other)
    return other if isinstance(other, Number) else Number(other)
    # </todo>


class Number:
    """A float that knows its parents and the operation that made it."""

    def __init__(self, data: float, parents: tuple[Number, ...] = (), op: str = ""):
        self.data, self.parents, self.op = data, parents, op

    def __repr__(self) -> str:
        return f"Number({self.data})"

    def __add__(self, other: Number | float) -> Number:
        other = wrap(other)
        # <todo> return a new Number: the sum, its two parents in order, and the operation "+"
        return Number(self.data + other.data, (self, other), "+")
        # </todo>

    def __mul__(self, other: Number | float) -> Number:
        other = wrap(other)
        # <todo> return a new Number: the product, its two parents in order, and "*"
        return Number(self.data * other.data, (self, other), "*")
        # </todo>

    __radd__ = __add__  # for 2 + a, where Python asks a
    __rmul__ = __mul__


# %% [markdown]
# A number can be used several times, as a in a * a + a. In the graph it is one node. To list every
# node once, remember those that were seen.

# %%
def nodes(last: Number) -> list[Number]:
    """Every Number that `last` was made of, and itself, each once."""
    # <todo> walk from last to its parents and theirs; list each Number once
    found: list[Number] = []
    waiting = [last]
    while waiting:
        number = waiting.pop()
        if not any(number is other for other in found):
            found.append(number)
            waiting += number.parents
    return found
    # </todo>


# %% tags=["hints"]
"""
Print a.data, (a + b).data and (a + b).parents after each change.

Parents are the objects themselves, not their data: a tuple of two Numbers, also for a * a.

In nodes, keep two lists: those that are found, and those that still have to be looked at.
"""

# %% tags=["check"]
def made(lab, rule, c, data, parents, op):
    if not isinstance(c, lab.Number):
        raise Wrong(rule, repr(c), f"Number({data})",
                    "a plain float was returned: it has no parents" if c == data else
                    "nothing was returned" if c is None else "the result must be a Number")
    expect(f"{rule}: data", c.data, data, {
        "this is the sum": parents[0].data + parents[1].data,
        "this is the product": parents[0].data * parents[1].data,
        "this is the first number alone": parents[0].data})
    got = c.parents
    if isinstance(got, set | frozenset):
        raise Wrong(f"{rule}: parents", "a set", "a tuple",
                    "a set holds a number once: a * a would lose a parent")
    names = {id(parents[1]): "b", id(parents[0]): "a"}
    shown = "(" + ", ".join(names.get(id(p), repr(p)) for p in got) + ")"
    right = f"(a, {names[id(parents[1])]})"
    if shown != right:
        why = {"()": "the parents are missing", "(b, a)": "the order is that of the operands",
               "(a)": "only the first parent is stored"}.get(shown, "")
        if any(isinstance(p, int | float) for p in got):
            why = "the parents are the objects, not their data"
        raise Wrong(f"{rule}: parents", shown, right, why)
    expect(f"{rule}: op", c.op, op, {"the operation is missing": "", "this is the other operation":
                                      "*" if op == "+" else "+"})


def check_wrap(lab):
    """What should wrap(3.0) give, and what wrap(a) for a Number a? Write down both.

    isinstance(x, Number) tells whether x is a Number. wrap asks it first.

    In wrap, a Number goes out as the same object that came in; anything else becomes the data of a
    new Number.
    """
    a = lab.Number(2.0)
    got = lab.wrap(a)
    if got is not a:
        raise Wrong("wrap(a) for a Number a", repr(got), "a itself",
                    "a Number inside of a Number" if isinstance(getattr(got, "data", None), lab.Number)
                    else "a copy has no link to what is known of a: return a itself"
                    if isinstance(got, lab.Number) else NOTHING if got is None else
                    "it must return the Number")
    got = lab.wrap(3.0)
    if not isinstance(got, lab.Number):
        raise Wrong("wrap(3.0)", repr(got), "Number(3.0)", "a float must become a Number, since a "
                    "float has no parents")
    expect("wrap(3.0).data", got.data, 3.0)


def check_operations(lab):
    """Print a.data, (a + b).data and (a + b).parents. What should each be for a = 2 and b = -3?

    __add__ and __mul__ make a new Number and change neither a nor b. The parents are the two
    objects, not their data.

    Number(...) takes three things: the result as a float, a tuple of the two parents in their
    order, and the sign of the operation as text. In __add__ and in __mul__ the parents are self and
    other.
    """
    a, b = lab.Number(2.0), lab.Number(-3.0)
    made(lab, "a + b for a = 2, b = -3", a + b, -1.0, (a, b), "+")
    made(lab, "a * b for a = 2, b = -3", a * b, -6.0, (a, b), "*")
    made(lab, "a * a", a * a, 4.0, (a, a), "*")
    expect("a and b are left as they are", [a.data, b.data, a.op, b.op], [2.0, -3.0, "", ""], {
        "the result was written into a": [-1.0, -3.0, "", ""],
        "a itself was changed: make a new Number": [-6.0, -3.0, "*", ""]})
    expect("(2 * a).data", (2 * a).data, 4.0)


def check_nodes(lab):
    """Draw the graph of s = a * a; c = s + b; d = c * s. How many circles did you draw, and how
    many arrows?

    In nodes, keep two lists: Numbers that are found, and Numbers that still have to be looked at.
    It begins with one Number to look at.

    Take a Number from those to look at. If it is not among the found (compare by `is`), it is found
    now, and its parents are to be looked at. nodes is done when nothing is left to look at.
    """
    a, b = lab.Number(2.0), lab.Number(-1.0)
    s = a * a
    c = s + b
    d = c * s
    got = lab.nodes(d)
    right = [d, c, s, a, b]
    names = dict(zip(map(id, right), ("d", "c", "s", "a", "b")))
    shown = sorted(names.get(id(n), "?") for n in got) if isinstance(got, list) else got
    expect("nodes of s = a * a; c = s + b; d = c * s", shown, ["a", "b", "c", "d", "s"], {
        "the last number itself is missing": ["a", "b", "c", "s"],
        "only the parents of the last number, not theirs": ["c", "s"],
        "the last number and its parents, not theirs": ["c", "d", "s"],
        "a number that is used twice is listed twice": ["a", "a", "a", "a", "b", "c", "d", "s", "s"],
        "these are only the numbers without parents": ["a", "b"],
        "only the first parent was followed": ["a", "c", "d", "s"]})
    e, f = lab.Number(1.0), lab.Number(1.0)
    expect("how many nodes e + f has, if e and f hold the same float", len(lab.nodes(e + f)), 3, {
        "two Numbers with equal data are two nodes: compare by `is`": 2})
