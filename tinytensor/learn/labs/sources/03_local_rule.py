# %% [markdown]
# # 03 Local rule
#
# For one operation the slopes are easy, and they are known once and for all. For c = a * b: if a
# grows by a little, c grows b times as much. So the derivative of the product by a is b, and by b
# it is a. These are local derivatives: they know nothing of the rest of the program.
#
# Each function here returns the local derivatives of one operation, one for each operand, at the
# given operands. No rule needs `slope`, but the check compares with it.

# %%
from __future__ import annotations

import math


def of_sum(a: float, b: float) -> tuple[float, float]:
    """The derivatives of a + b by a and by b."""
    # <todo> return the two derivatives of a + b
    return 1.0, 1.0
    # </todo>


def of_product(a: float, b: float) -> tuple[float, float]:
    """The derivatives of a * b by a and by b."""
    # <todo> return the two derivatives of a * b
    return b, a
    # </todo>


def of_quotient(a: float, b: float) -> tuple[float, float]:
    """The derivatives of a / b by a and by b."""
    # <todo> return the two derivatives of a / b; it is a times b**-1
    return 1 / b, -a / b ** 2
    # </todo>


def of_power(a: float, n: float) -> float:
    """The derivative of a**n by a. The exponent n is a constant."""
    # <todo> return the derivative of a**n by a
    return n * a ** (n - 1)
    # </todo>


def of_log(a: float) -> float:
    """The derivative of log(a)."""
    # <todo> return the derivative of the natural logarithm
    return 1 / a
    # </todo>


# %% [markdown]
# Some rules are shortest in the result, which is known already: the derivative of exp(a) is exp(a),
# that of t = tanh(a) is 1 - t**2.

# %%
def of_tanh(a: float) -> float:
    """The derivative of tanh(a)."""
    # <todo> return the derivative of tanh, with t = math.tanh(a)
    t = math.tanh(a)
    return 1 - t ** 2
    # </todo>


def of_relu(a: float) -> float:
    """The derivative of relu(a) = max(a, 0). At 0 it is taken as 0."""
    # <todo> return 1 where a passes, and 0 where it does not
    return 1.0 if a > 0 else 0.0
    # </todo>


# %% tags=["hints"]
"""
Draw the operation as a curve over one operand, with the other one fixed. What is its slope?

a / b is a * b**-1: use the rules of the product and of the power.

Compare with lab 01: (f(x + 1e-6) - f(x - 1e-6)) / 2e-6, for each operand.
"""

# %% tags=["check"]
import math


def check_sum(lab):
    """Add 1 to a in a + b. By how much does the sum grow? And if 1 is added to b?

    of_sum returns two numbers, for a and for b. Do they depend on a or b at all?

    In a sum each operand counts once: a small change arrives in the result as it is. Write this
    factor twice, as a tuple of floats.
    """
    expect("derivatives of a + b at 3, -2", lab.of_sum(3.0, -2.0), (1.0, 1.0), {
        "these are the operands: a grows by 1, and the sum grows by how much?": (3.0, -2.0),
        "these are the operands, exchanged, which is the rule of the product": (-2.0, 3.0),
        "0 would mean that the sum does not depend on it": (1.0, 0.0),
        "this is one number: return two, for a and for b": 1.0,
        "this is the sum itself": 1.0})


def check_product(lab):
    """Take 3 * -2, and let the 3 become 3.1. By how much does the product change, for each 0.1?

    of_product: if a grows by 1, then a * b grows by one more b.

    So the derivative by one operand is the other operand. The first of the two is that by a.
    """
    expect("derivatives of a * b at 3, -2", lab.of_product(3.0, -2.0), (-2.0, 3.0), {
        "they are exchanged: if a grows, c grows b times as much": (3.0, -2.0),
        "this is the product itself": (-6.0, -6.0),
        "1 is the rule of the sum": (1.0, 1.0)})


def check_quotient(lab):
    """a / b is a times 1 / b. Which rule gives the derivative by a, with b fixed?

    of_quotient, by b: b**-1 falls as b grows, so the sign is minus. Use the rule of the power with
    n = -1.

    The derivative of b**-1 is minus one divided by the square of b. a multiplies it, since a stands
    in front. By a, only the factor 1 / b is left.
    """
    a, b = 3.0, -2.0
    expect("derivatives of a / b at 3, -2", lab.of_quotient(a, b), (1 / b, -a / b ** 2), {
        "the second one has the wrong sign: if b grows, a / b shrinks": (1 / b, a / b ** 2),
        "the second one lacks a square: the derivative of b**-1 is -b**-2": (1 / b, -a / b),
        "the second one lacks the factor a": (1 / b, -1 / b ** 2),
        "this is the rule of the product": (b, a),
        "they are exchanged": (-a / b ** 2, 1 / b),
        "-1 / b**2 is the derivative of 1 / b alone: the factor a is missing": (1 / b, -1 / b ** 2)})


def check_power(lab):
    """Draw a**2 and a**3 near a = 1. Which is steeper, and how much?

    In of_power the exponent becomes a factor in front.

    And the exponent is one less than before. For a**3 at 2: three times the square of two.
    """
    expect("derivative of a**3 at 2", lab.of_power(2.0, 3), 12.0, {
        "the factor n is missing": 4.0,
        "the exponent must be one less": 24.0,
        "this is the power itself": 8.0,
        "the exponent and the base are exchanged": 2.0 * 3.0 ** 1.0,
        "the exponent is one more, as in an integral": 3 * 2.0 ** 4})
    expect("derivative of a**-1 at 2", lab.of_power(2.0, -1), -0.25)


def check_log(lab):
    """The logarithm grows fast near 0 and slowly for large a. Which simple function of a does that?

    of_log(4) is about (log(4.1) - log(3.9)) / 0.2. Which fraction is near this number?

    log undoes exp. Where exp has slope y at height y, log has the inverse of it.
    """
    expect("derivative of log(a) at 4", lab.of_log(4.0), 0.25, {
        "this is the logarithm itself": math.log(4.0), "this is a, not 1 / a": 4.0,
        "the sign is wrong: the logarithm grows": -0.25, "this is -1 / a**2, the derivative of 1 / a":
            -1 / 16.0, "1 / log(a) is not the derivative of log(a)": 1 / math.log(4.0)})


def check_tanh(lab):
    """Draw tanh: it is steepest at 0, with slope 1, and flat far out. What is 1 minus its square at
    0, and far out?

    of_tanh computes t = math.tanh(a) first. a is not needed after that.

    The rule is in the text above: it is written in t, the result, and t is squared in it.
    """
    t = math.tanh(0.5)
    expect("derivative of tanh(a) at 0.5", lab.of_tanh(0.5), 1 - t * t, {
        "this uses a where the result t = tanh(a) is meant": 1 - 0.5 ** 2,
        "the square is missing": 1 - t, "this is tanh itself": t, "the sign is wrong": t * t - 1,
        "t (1 - t) is the rule of the sigmoid": t * (1 - t), "the square only": t * t})


def check_relu(lab):
    """Draw max(a, 0). What is its slope at a = 2, and at a = -1?

    of_relu has two cases: to the right of 0 the line rises as a itself does, to the left it is
    flat.

    At 0 itself the text asks for the slope of the flat part. Return floats, not True or False.
    """
    expect("derivative of relu at 2, -1 and 0", [lab.of_relu(x) for x in (2.0, -1.0, 0.0)],
           [1.0, 0.0, 0.0], {
        "this is relu itself, not its derivative": [2.0, 0.0, 0.0],
        "the gradient passes everywhere: below 0 relu is constant": [1.0, 1.0, 1.0],
        "at 0 it should be 0": [1.0, 0.0, 1.0],
        "below 0 relu is constant, so the derivative is 0, not -1": [1.0, -1.0, 0.0],
        "this is the derivative of abs": [1.0, -1.0, -1.0],
        "above and below 0 are exchanged": [0.0, 1.0, 0.0],
        "this is True or False: return 1.0 or 0.0": [True, False, False]})
