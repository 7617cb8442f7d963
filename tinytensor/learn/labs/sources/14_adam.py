# %% [markdown]
# # 14 Adam
#
# Gradient descent takes the same rate for all parameters. Where gradients are small it creeps, and
# where they are noisy it trembles. Adam (Kingma and Ba 2015) keeps two running means for each
# parameter: m of the gradients, v of their squares. A step goes along m, measured in units of the
# root of v, so its length is about the rate, whatever the size of the gradients.
#
#     m = beta1 · m + (1 - beta1) · g
#     v = beta2 · v + (1 - beta2) · g²
#
# Both start at 0, so at first they are too small: after the first step m is (1 - beta1) g. Divided
# by 1 - beta1**t, with t the number of steps so far, they are right from the start.
#
#     x = x - rate · (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

# %%
from __future__ import annotations

import numpy as np


class Adam:
    """Adam for one array `x` of parameters, which is changed in place."""

    def __init__(self, x: np.ndarray, rate: float = 0.01, betas: tuple[float, float] = (0.9, 0.99),
                 eps: float = 1e-8):
        self.x, self.rate, self.betas, self.eps = x, rate, betas, eps
        self.m, self.v, self.t = np.zeros_like(x), np.zeros_like(x), 0

    def average(self, g: np.ndarray) -> None:
        """Counts the step, and takes the gradient g into m and v."""
        # <todo> add 1 to self.t, and set self.m and self.v by the first two formulas
        beta1, beta2 = self.betas
        self.t += 1
        self.m = beta1 * self.m + (1 - beta1) * g
        self.v = beta2 * self.v + (1 - beta2) * g ** 2
        # </todo>

    def step(self, g: np.ndarray) -> None:
        """One step for the gradient g of x."""
        self.average(g)
        # <todo> change self.x in place by the last formula
        beta1, beta2 = self.betas
        m = self.m / (1 - beta1 ** self.t)
        v = self.v / (1 - beta2 ** self.t)
        self.x -= self.rate * m / (np.sqrt(v) + self.eps)
        # </todo>


# %% [markdown]
# Weight decay pulls weights towards 0. In AdamW (Loshchilov and Hutter 2019) it does not go through
# m and v: before the step each weight shrinks by rate · decay of itself.

# %%
def decay(x: np.ndarray, rate: float, amount: float) -> None:
    """Shrinks x in place, by the share rate · amount of itself."""
    # <todo> subtract from x, in place, rate times amount times x
    x -= rate * amount * x
    # </todo>


# %% tags=["hints"]
"""
Compute the first step by hand for g = 2: what are m and v, and both after the division?

The first step of Adam moves each number by the rate, up or down, whatever the size of g.

x = ... makes a new array, which nobody else sees. x -= ... changes the one that is there.
"""

# %% tags=["check"]
import numpy as np

G1, G2 = np.array([2.0, -0.1]), np.array([1.0, 0.3])
B1, B2 = 0.9, 0.99


def check_average(lab):
    """Compute the first step by hand for g = 2: what are m and v, with betas 0.9 and 0.99?

    average: m keeps the share beta1 of what it was, and takes the rest from g. v does the same with
    beta2 and the square of g.

    Three assignments to self: t counts one more, then m and v by the first two formulas of the
    text. self.betas has both betas.
    """
    adam = lab.Adam(np.zeros(2))
    adam.average(G1)
    adam.average(G2)
    expect("t after two gradients", adam.t, 2, {"the steps are not counted": 0})
    m = B1 * (1 - B1) * G1 + (1 - B1) * G2
    expect("m after the gradients [2, -0.1] and [1, 0.3]", adam.m.tolist(), m.tolist(), {
        "beta1 and 1 - beta1 are exchanged": ((1 - B1) * B1 * G1 + B1 * G2).tolist(),
        "the mean of before is forgotten": ((1 - B1) * G2).tolist(),
        "1 - beta1 is missing": (B1 * G1 + G2).tolist(),
        "this is the last gradient": G2.tolist(), "beta2 was used": (
            B2 * (1 - B2) * G1 + (1 - B2) * G2).tolist(),
        "the squares belong into v": (B1 * (1 - B1) * G1 ** 2 + (1 - B1) * G2 ** 2).tolist()})
    v = B2 * (1 - B2) * G1 ** 2 + (1 - B2) * G2 ** 2
    expect("v after the gradients [2, -0.1] and [1, 0.3]", adam.v.tolist(), v.tolist(), {
        "the square is missing": (B2 * (1 - B2) * G1 + (1 - B2) * G2).tolist(),
        "beta1 was used": (B1 * (1 - B1) * G1 ** 2 + (1 - B1) * G2 ** 2).tolist(),
        "beta2 and 1 - beta2 are exchanged": ((1 - B2) * B2 * G1 ** 2 + B2 * G2 ** 2).tolist(),
        "the absolute value was taken, not the square":
            (B2 * (1 - B2) * abs(G1) + (1 - B2) * abs(G2)).tolist()})


def steps(correct=(True, True), root=True, eps_inside=False, sign=-1, square_m=False, t0=0, eps=1e-3):
    x, m, v, t = np.array([1.0, 2.0]), np.zeros(2), np.zeros(2), t0
    for g in (G1, G2):
        t += 1
        m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g ** 2
        mh = m / (1 - B1 ** t) if correct[0] and t else m
        vh = v / (1 - B2 ** t) if correct[1] and t else v
        below = np.sqrt(vh + eps) if eps_inside else (np.sqrt(vh) if root else vh) + eps
        x = x + sign * 0.1 * mh / below
    return x.tolist()


def check_step(lab):
    """The first step of Adam moves each number by about the rate, whatever the size of g. Does
    yours?

    In step, m and v are first divided by 1 - beta ** self.t, each with its own beta. self.m and
    self.v themselves stay as they are.

    Then: rate times m, divided by the root of v plus eps, which stands outside of the root.
    Subtract it from self.x by -=, so that the array of the model changes.
    """
    x = np.array([1.0, 2.0])
    adam = lab.Adam(x, rate=0.1, eps=1e-3)
    adam.step(G1)
    adam.step(G2)
    if adam.x is not x:
        raise Wrong("the array after two steps", "another array", "the same array, changed",
                    "x = x - ... makes a new array, and the model keeps the old one: use -=")
    expect("x after two steps of rate 0.1 from [1, 2]", x.tolist(), steps(), {
        "nothing changed": [1.0, 2.0],
        "m and v are not divided by 1 - beta**t: they start at 0, so at first they are too small":
            steps((False, False)),
        "m is not divided by 1 - beta1**t": steps((False, True)),
        "v is not divided by 1 - beta2**t": steps((True, False)),
        "the square root of v is missing": steps(root=False),
        "eps stands inside of the square root: add it behind": steps(eps_inside=True),
        "this goes uphill: subtract": steps(sign=1),
        "eps is missing": steps(eps=0)})


def check_decay(lab):
    """A weight of 2 with rate 0.1 and amount 0.5: what is it after decay?

    decay takes from each number a share of the number itself.

    x = ... makes a new array, which nobody else sees. x -= ... or x *= ... changes the one that is
    there.
    """
    x = np.array([1.0, -2.0])
    lab.decay(x, 0.1, 0.5)
    expect("[1, -2] after decay with rate 0.1 and amount 0.5", x.tolist(), [0.95, -1.9], {
        "nothing changed in place: use -= or *=": [1.0, -2.0],
        "it grows: subtract": [1.05, -2.1], "rate is not used": [0.5, -1.0],
        "amount is not used": [0.9, -1.8], "x lost the same number everywhere: a share of itself "
        "is meant": [0.95, -2.05], "only the share was left": [0.05, -0.1]})
