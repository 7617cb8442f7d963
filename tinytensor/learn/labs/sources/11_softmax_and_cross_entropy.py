# %% [markdown]
# # 11 Softmax and cross-entropy
#
# A classifier gives a score for each class, any number. Softmax turns the scores of a sample into
# probabilities: at least 0, and 1 in sum.
#
#     softmax(x)_i = exp(x_i) / sum_j exp(x_j)
#
# exp(1000) is more than a float can hold. But if the same number is subtracted from all scores, the
# result stays what it is. So the largest score is subtracted first: then no exponent is above 0.

# %%
from __future__ import annotations

import numpy as np


def softmax(x: np.ndarray) -> np.ndarray:
    """The softmax of each row, also for scores like 1000. Shapes: (N, C) -> (N, C)."""
    # <todo> subtract the largest number of each row, take exp, divide by the sum of each row
    powers = np.exp(x - x.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
    # </todo>


# %% [markdown]
# The cross-entropy is minus the logarithm of the probability of the right class, in the mean over
# the samples. A guess among C classes has log(C). The logarithm of a softmax should not be computed
# in two steps, since the probability may be 0 in floating point. With the largest score m:
#
#     log softmax(x)_i = x_i - m - log(sum_j exp(x_j - m))

# %%
def cross_entropy(x: np.ndarray, labels: np.ndarray) -> float:
    """The mean of -log softmax(x) at the labels. Shapes: (N, C), (N) integers -> a number."""
    # <todo> return the mean over rows; x[np.arange(len(x)), labels] picks one number of each
    m = x.max(1)
    logs = x[np.arange(len(x)), labels] - m - np.log(np.exp(x - m[:, None]).sum(1))
    return float(-logs.mean())
    # </todo>


# %% [markdown]
# Now the gradients. In a softmax every output depends on every input of its row. A rule that looks
# at the diagonal alone, as for tanh, is the most frequent mistake. With p = softmax(x):
#
#     dp_i / dx_j = p_i (1 - p_i)  if i = j,   else  -p_i p_j
#
# Multiplied by g and added up over i, most of it cancels: what remains is p times a difference.

# %%
def softmax_backward(g: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The gradient of x, for p = softmax(x) and the gradient g of p. Shapes: (N, C)."""
    # <todo> return p times (g minus the sum of g times p in each row)
    return p * (g - (g * p).sum(1, keepdims=True))
    # </todo>


def cross_entropy_backward(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The gradient of x, for cross_entropy(x, labels). Shapes: (N, C)."""
    # <todo> return the softmax, less 1 at each label, divided by what the mean divides by
    grad = softmax(x)
    grad[np.arange(len(x)), labels] -= 1
    return grad / len(x)
    # </todo>


# %% tags=["hints"]
"""
Try softmax on [[0, 0, 0]], [[1, 2, 3]] and [[1000, 1000, 0]]. Do the rows sum to 1?

In the gradient of the cross-entropy each row sums to 0: what the right class gains, the others
lose. Does yours?

How does the loss of one sample enter the mean over N samples? So does its gradient.
"""

# %% tags=["check"]
import numpy as np

rng = np.random.default_rng(1)
X, G, LABELS = rng.normal(size=(3, 4)) * 2, rng.normal(size=(3, 4)), np.array([0, 2, 2])


def by_definition(x, axis=1):
    return np.exp(x) / np.exp(x).sum(axis, keepdims=True)


def on_values(x):
    powers = np.exp(x)
    return powers / powers.sum(1, keepdims=True)


def loss_on_values(x):
    chosen = np.array([x[i, label] for i, label in enumerate(LABELS)])
    return (np.log(np.exp(x).sum(1)) - chosen).mean()


def check_softmax(lab):
    """Try [[0, 0, 0]], [[1, 2, 3]] and [[1000, 1000, 0]]. Do the rows sum to 1?

    softmax works on each row by itself, so maximum and sum go over dimension 1. keepdims=True keeps
    them as a column, which can be subtracted from x.

    Three steps: subtract the largest number of each row from the row; take np.exp; divide by the
    sum of each row of the powers you have just computed.
    """
    got = lab.softmax(X.copy())
    expect("shape of softmax", None if got is None else np.shape(got), X.shape)
    got = np.asarray(got, float)
    powers = np.exp(X - X.max(1, keepdims=True))
    expect("softmax of three rows of scores", got.tolist(), by_definition(X).tolist(), {
        "the columns sum to 1: the sum goes over the classes, dimension 1":
            by_definition(X, 0).tolist(),
        "all numbers together sum to 1: sum over each row": (np.exp(X) / np.exp(X).sum()).tolist(),
        "these are the powers: divide by their sum": np.exp(X).tolist(),
        "these are the powers, not divided by their sum": powers.tolist(),
        "exp is missing": (X / X.sum(1, keepdims=True)).tolist(),
        "this is the logarithm of the softmax": np.log(by_definition(X)).tolist(),
        "the largest score is subtracted above and not below: divide by the sum of the same powers":
            (powers / np.exp(X).sum(1, keepdims=True)).tolist(),
        "it is divided by the largest power, not by the sum":
            (powers / powers.max(1, keepdims=True)).tolist()})
    with np.errstate(all="ignore"):
        got = np.asarray(lab.softmax(np.array([[1000.0, 1000.0, 0.0]])), float)
    expect("softmax of [1000, 1000, 0]", got.tolist(), [[0.5, 0.5, 0.0]], {
        "exp(1000) overflows: subtract the largest score first": [[float("nan"), float("nan"), 0.0]]})
    with np.errstate(all="ignore"):
        got = np.asarray(lab.softmax(np.array([[1000.0, -1000.0, -1000.0]])), float)
    expect("softmax of [1000, -1000, -1000]", got.tolist(), [[1.0, 0.0, 0.0]], {
        "the mean is subtracted: subtract the largest score, then no exponent is above 0":
            [[float("nan"), 0.0, 0.0]]})
    with np.errstate(all="ignore"):
        got = np.asarray(lab.softmax(np.array([[1000.0, 1000.0], [0.0, 0.0]])), float)
    expect("softmax of [1000, 1000] and [0, 0] together", got.tolist(), [[0.5, 0.5]] * 2, {
        "the largest number of all rows was subtracted from each: take that of its own row":
            [[0.5, 0.5], [float("nan"), float("nan")]]})


def check_cross_entropy(lab):
    """With two classes and scores [0, 0] the probability of each is 1/2. What is the loss?

    cross_entropy: use the formula of the log softmax in the text, at the label of each row. Do not
    take the logarithm of softmax: it may be log(0).

    For each row: the score at the label, less the row's maximum, less the logarithm of the sum of
    the powers. Then the mean over the rows, with a minus.
    """
    p, m = by_definition(X)[np.arange(3), LABELS], X.max(1)
    right = -np.log(p).mean()
    got = lab.cross_entropy(X.copy(), LABELS)
    got = got.tolist() if isinstance(got, np.ndarray) else got
    expect("cross-entropy of three samples", got, float(right), {
        "the sign is wrong: a loss is large where the probability is small": float(-right),
        "this is the sum: take the mean over the samples": float(3 * right),
        "the logarithm is missing": float(-p.mean()),
        "this is 1 minus the probability": float(1 - p.mean()),
        "this divides by the number of scores: divide by the number of samples": float(right / 4),
        "this is the mean over all classes: take the right class of each sample":
            float(-np.log(by_definition(X)).mean()),
        "the scores at the labels alone: they need the logarithm of the sum":
            float(-X[np.arange(3), LABELS].mean()),
        "this picks whole rows: pick one number of each, x[np.arange(len(x)), labels]":
            float(-np.log(by_definition(X)[LABELS]).mean()),
        "this picks whole columns: pick one number of each row, x[np.arange(len(x)), labels]":
            float(-np.log(by_definition(X)[:, LABELS]).mean()),
        "the largest score was subtracted from the sum alone: subtract it from x_i, too":
            float(right - m.mean()),
        "this has one loss for each sample: return their mean": (-np.log(p)).tolist(),
        "the logarithm is taken of the mean: take the mean of the logarithms":
            float(-np.log(p.mean()))})
    with np.errstate(all="ignore"):
        got = lab.cross_entropy(np.array([[1000.0, 0.0]]), np.array([1]))
    expect("cross-entropy of scores [1000, 0] with label 1", got, 1000.0, {
        "the probability is 0 in floating point: subtract logarithms, do not take the logarithm of "
        "the softmax": float("inf"),
        "exp(1000) overflows: subtract the largest score first": float("nan")})


def softmax_mistakes():
    p = by_definition(X)
    return {
        "the sum goes over all rows: each row has a sum of its own": p * (G - (G * p).sum()),
        "p multiplies the whole bracket: the sum, too": p * G - (G * p).sum(1, keepdims=True),
        "this is the diagonal alone: each probability depends on all scores of its row":
            G * p * (1 - p),
        "g is missing in the bracket": p * (1 - (G * p).sum(1, keepdims=True)),
        "the sum goes over the classes, dimension 1": p * (G - (G * p).sum(0, keepdims=True)),
        "the sum is of g times p, not of g": p * (G - G.sum(1, keepdims=True)),
        "what all scores of a row share is missing: the denominator": G * p,
        "the sign is wrong": -p * (G - (G * p).sum(1, keepdims=True))}


def check_softmax_backward(lab):
    """Set g to ones: the sum of a softmax is always 1. What must the gradient be then?

    softmax_backward: each output depends on all scores of its row. The sum in the bracket is what a
    row shares, one number for each row.

    First (g * p) summed over dimension 1 with keepdims=True; subtract that from g; multiply by p
    last.
    """
    expect_gradients("gradient of softmax", on_values, {"x": X},
                     {"x": lab.softmax_backward(G.copy(), by_definition(X))}, G, softmax_mistakes())


def loss_mistakes():
    p, chosen, columns = by_definition(X), np.zeros(X.shape), np.zeros(X.shape)
    chosen[np.arange(3), LABELS] = 1
    columns[:, LABELS] = 1
    return {
        "1 is taken from whole columns: take it from one number of each row, "
        "[np.arange(len(x)), labels]": (p - columns) / 3,
        "the number at the label becomes p - 1, not -1: use -=": np.where(chosen, -1, p) / 3,
        "1 is added at the label: subtract it": (p + chosen) / 3,
        "the scores are used where their softmax is meant": (X - chosen) / 3,
        "the loss is a mean: divide by the number of samples": p - chosen,
        "the right class is not treated apart: its share of 1 is missing": p / 3,
        "the sign is wrong": (chosen - p) / 3,
        "the softmax is missing: only the right class is there": -chosen / 3,
        "the mean goes over the samples, not over all scores": (p - chosen) / 12}


def check_cross_entropy_backward(lab):
    """In the gradient each row sums to 0: what the right class gains, the others lose. Does yours?

    cross_entropy_backward begins with the softmax of x. Only one number in each row is treated
    apart: that at the label.

    x[np.arange(len(x)), labels] picks these numbers, also on the left of -=. The loss is a mean
    over the samples: so is its gradient.
    """
    expect_gradients("gradient of the cross-entropy", loss_on_values, {"x": X},
                     {"x": lab.cross_entropy_backward(X.copy(), LABELS)}, None, loss_mistakes())
