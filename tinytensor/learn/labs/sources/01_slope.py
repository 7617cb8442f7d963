# %% [markdown]
# # 01 Slope
#
# A network learns by asking one question again and again: if this number grows a little, does the
# loss grow or fall, and how fast? The answer is a slope. A slope can be measured without any
# calculus: compute the function a little to the left and a little to the right, and divide the
# difference of the results by the distance of the two points.
#
#     slope of f at x  =  (f(x + h) - f(x - h)) / (2 h)        with a small h
#
# Looking to both sides is much better than looking to one side: for x**3 at 2 and h = 0.1 it gives
# 12.01, where one side gives 12.61. The exact slope is 12.
#
# Three functions are to be written here. Replace each line that raises NotImplementedError.

# %%
from __future__ import annotations

from collections.abc import Callable


def slope(f: Callable[[float], float], x: float, h: float = 1e-6) -> float:
    """The slope of f at x, from the points x - h and x + h."""
    # <todo> return the difference of f at x + h and x - h, divided by their distance
    return (f(x + h) - f(x - h)) / (2 * h)
    # </todo>


# %% [markdown]
# A loss depends on many numbers. Its slope by one of them is measured by moving that one alone. All
# these slopes together, in a list, are called the gradient.

# %%
def gradient(f: Callable[[list[float]], float], xs: list[float], h: float = 1e-6) -> list[float]:
    """The slope of f by each number of xs. `xs` is left as it is."""
    # <todo> move one number at a time, in a copy of xs, and collect the slopes in a list
    slopes = []
    for i in range(len(xs)):
        left, right = list(xs), list(xs)
        left[i] -= h
        right[i] += h
        slopes.append((f(right) - f(left)) / (2 * h))
    return slopes
    # </todo>


# %% [markdown]
# To make f smaller, each number takes a small step against its slope. `rate` says how small. This
# is gradient descent, and training a network is nothing else.

# %%
def step(f: Callable[[list[float]], float], xs: list[float], rate: float) -> list[float]:
    """The numbers after one step downhill: each minus rate times its slope."""
    # <todo> return a list: each number minus rate times its slope
    return [x - rate * s for x, s in zip(xs, gradient(f, xs), strict=True)]
    # </todo>


# %% tags=["hints"]
"""
Compute by hand: f(2.1) and f(1.9) for f(x) = x**3. How far are 2.1 and 1.9 apart?

In gradient, f is called twice for each number, on lists that differ from xs in one place only.

In step, a positive slope means that f grows with x. Should x grow or shrink then?
"""

# %% tags=["check"]
def cube(x):
    return x ** 3


def check_slope(lab):
    """Compute f(2.1) and f(1.9) by hand for f(x) = x**3. How far apart are 2.1 and 1.9?

    slope calls f twice: once a step h to the right of x, once a step h to the left. f itself is not
    changed.

    A slope is a rise divided by a distance: the difference of the two results in brackets, and
    below it the distance from x - h to x + h, which is more than h.
    """
    h, x = 0.1, 2.0
    up, down, here = cube(x + h), cube(x - h), cube(x)
    expect("slope of x**3 at 2, with h = 0.1", lab.slope(cube, x, h), (up - down) / (2 * h), {
        "this looks to the right only, from x to x + h": (up - here) / h,
        "this looks to the left only, from x - h to x": (here - down) / h,
        "the difference is not divided by the distance of the two points": up - down,
        "x + h and x - h are 2 h apart, not h": (up - down) / h,
        "h is multiplied where it should divide": (up - down) / 2 * h,
        "the two points are exchanged: the sign is wrong": (down - up) / (2 * h),
        "this is the value of f, not its slope": here,
        "it is divided by 2 and not by h": (up - down) / 2,
        "division comes before subtraction: put the difference in brackets":
            up - down / (2 * h),
        "this divides by h twice": (up - down) / (2 * h * h),
    })
    expect("slope of abs at 0, which is the same on both sides", lab.slope(abs, 0.0), 0.0)


def check_gradient(lab):
    """Take xs = [1.0, 2.0]. Which two lists does f get for the slope of the first number, and which
    two for the second?

    In gradient, each number has its own two lists. They differ from xs in one place only, and xs
    itself stays as it is: list(xs) makes a copy.

    Loop over the positions of xs. In each round make two fresh copies, move one number in each, and
    append one slope to a list that was empty before the loop.
    """
    def f(v):
        return v[0] ** 2 * v[1] + 3 * v[2]
    xs, h = [1.0, 2.0, -1.0], 0.5

    def moved(*at):
        return f([x + h * (i in at) for i, x in enumerate(xs)]), \
            f([x - h * (i in at) for i, x in enumerate(xs)])
    right = [(moved(i)[0] - moved(i)[1]) / (2 * h) for i in range(3)]
    every = (moved(0, 1, 2)[0] - moved(0, 1, 2)[1]) / (2 * h)
    given = list(xs)
    got = lab.gradient(f, given, h)
    expect("xs is left as it is", given, xs, {
        "the last move was not undone: work on a copy, list(xs)": [1.0, 2.0, -1.0 + h],
        "the moves were made in xs itself: work on a copy, list(xs)": [x - h for x in xs]})
    expect("gradient of x0**2 x1 + 3 x2 at [1, 2, -1], with h = 0.5", got, right, {
        "all numbers were moved together: move one at a time": [every] * 3,
        "this is one slope for all numbers: a list with one slope for each is wanted": every,
        "only the first number was moved": right[:1],
        "each number was moved to the right only": [(moved(i)[0] - f(xs)) / h for i in range(3)],
        "earlier moves are still in the list: start each time from a fresh copy of xs":
            [(moved(*range(i + 1))[0] - moved(*range(i + 1))[1]) / (2 * h) for i in range(3)],
        "left and right are the same list: make a copy for each, list(xs)": [0.0] * 3})


def check_step(lab):
    """A positive slope means that f grows with x. Should x grow or shrink then?

    step needs one slope for each number of xs. You have written a function that gives them all.

    The new list has one number for each old one: zip goes through the numbers and their slopes
    together. How far a number moves is rate times its slope.
    """
    def f(v):
        return (v[0] - 3) ** 2 + 2 * v[1] ** 2
    xs, rate = [1.0, 0.5], 0.1
    slopes = [-4.0, 2.0]
    expect("step on (x0 - 3)**2 + 2 x1**2 from [1, 0.5], with rate 0.1",
           lab.step(f, list(xs), rate), [1.4, 0.3], {
        "this goes uphill: subtract, do not add": [x + rate * s for x, s in zip(xs, slopes)],
        "these are the changes alone: subtract them from the numbers": [rate * s for s in slopes],
        "these are minus the changes alone: add them to the numbers": [-rate * s for s in slopes],
        "rate is not used": [x - s for x, s in zip(xs, slopes)],
        "the numbers did not move": xs,
        "each slope is multiplied by its number: the rate alone belongs there":
            [x - rate * s * x for x, s in zip(xs, slopes)],
        "this divides by rate": [x - s / rate for x, s in zip(xs, slopes)],
        "the gradient itself was returned": slopes}, tolerance=1e-5)
