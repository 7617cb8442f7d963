# %% [markdown]
# # 12 Initialisation
#
# A layer multiplies its inputs by weights and adds up n products. If inputs and weights are
# independent, with mean 0, the variances multiply and add up:
#
#     var(result) = n · var(weight) · var(input)
#
# With weights of variance 1, a layer of 100 inputs makes numbers 10 times as large; ten layers make
# them 10**10 times as large, or drive a tanh into its flat ends, where no gradient passes. With
# weights too small the signal fades. The variance that keeps the size is 1 / n. A ReLU sets half
# of the numbers to 0, which halves the mean square, so before it 2 / n is needed (He et al. 2015).

# %%
from __future__ import annotations

import numpy as np


def weight_std(inputs: int, before_relu: bool = False) -> float:
    """The standard deviation of weights that keeps the size of the signal."""
    # <todo> return the square root of 1 / inputs, or of 2 / inputs before a ReLU
    return ((2 if before_relu else 1) / inputs) ** 0.5
    # </todo>


def make_weights(sizes: list[int], rng: np.random.Generator) -> list[np.ndarray]:
    """Weights (inputs, results) before ReLUs for each pair of sizes: [8, 16, 4] gives two."""
    # <todo> return a list of arrays; rng.normal(size=(a, b)) has standard deviation 1: scale it
    return [rng.normal(size=(a, b)) * weight_std(a, True) for a, b in zip(sizes, sizes[1:])]
    # </todo>


def signal(x: np.ndarray, weights: list[np.ndarray]) -> list[float]:
    """The root of the mean square of x, and of the result of each layer relu(x @ w)."""
    # <todo> return a list: the size of x, then that of the result of each layer
    sizes = [float(np.sqrt((x ** 2).mean()))]
    for w in weights:
        x = np.maximum(x @ w, 0)
        sizes.append(float(np.sqrt((x ** 2).mean())))
    return sizes
    # </todo>


# %% [markdown]
# The first loss tells whether the last layer is right: with C classes an untrained network should
# know nothing, and give log(C).

# %%
def first_loss(classes: int) -> float:
    """The cross-entropy of a uniform guess."""
    # <todo> return minus the logarithm of the probability of each class
    return float(np.log(classes))
    # </todo>


# %% tags=["hints"]
"""
var(c · w) = c² var(w). So by what do you multiply numbers of variance 1 to get the variance v?

Which of the two sizes of a weight matrix is the number of products that are added up?

Print signal for ten layers of width 100. Does it stay between 0.5 and 2?
"""

# %% tags=["check"]
import numpy as np


def check_weight_std(lab):
    """100 products of variance v are added up. What is the variance of the sum, and for which v is
    it 1?

    weight_std returns a standard deviation, the square root of a variance.

    The variance is 1 by the number of inputs. Before a ReLU, which halves the mean square, it is
    twice that. The root comes last.
    """
    expect("weight_std(100)", lab.weight_std(100), 0.1, {
        "this is the variance: take the square root": 0.01, "this is 1 / std": 10.0,
        "this is the inverse of the variance": 100.0,
        "the factor 2 is for layers before a ReLU": 0.02 ** 0.5,
        "1 says nothing of the number of inputs": 1.0})
    expect("weight_std(50, before_relu=True)", lab.weight_std(50, before_relu=True), 0.2, {
        "the factor 2 is missing: a ReLU halves the mean square": 0.02 ** 0.5,
        "2 stands outside of the square root": 2 * 0.02 ** 0.5,
        "the factor is 2, not 1/2": (0.5 / 50) ** 0.5, "this is the variance: take the square root":
            0.04})


def check_make_weights(lab):
    """How many weight matrices are between layers of sizes 8, 16 and 4? Which shapes have they?

    make_weights: zip(sizes, sizes[1:]) gives the pairs. Each matrix is drawn with standard
    deviation 1, then scaled.

    Multiply by weight_std of the number of inputs, which is the first of the pair. The layers have
    ReLUs, and weight_std has an argument for that.
    """
    sizes = [300, 200, 400]
    weights = lab.make_weights(sizes, np.random.default_rng(0))
    expect("number of weight matrices for [300, 200, 400]", len(weights), 2, {
        "one for each pair of sizes that follow each other": 3, "the last layer is missing": 1})
    expect("shapes of the weights for [300, 200, 400]", [w.shape for w in weights],
           [(300, 200), (200, 400)], {
        "the shapes are turned around: (inputs, results)": [(200, 300), (400, 200)]})
    got = [round(float(w.std()), 2) for w in weights]
    std = [round(s, 2) for s in ((2 / 300) ** 0.5, (2 / 200) ** 0.5)]
    expect("standard deviations of the weights for [300, 200, 400]", got, std, {
        "they have standard deviation 1: multiply by weight_std": [1.0, 1.0],
        "the number of results was taken: the number of inputs counts":
            [round(s, 2) for s in ((2 / 200) ** 0.5, (2 / 400) ** 0.5)],
        "before_relu was not used": [round(s, 2) for s in ((1 / 300) ** 0.5, (1 / 200) ** 0.5)],
        "the first size was used for all": [std[0], std[0]],
        "they are divided where they should be multiplied":
            [round(1 / s, 2) for s in ((2 / 300) ** 0.5, (2 / 200) ** 0.5)]}, tolerance=0.011)
    expect("mean of the weights", round(float(weights[0].mean()), 1), 0.0, {
        "weights need both signs: draw them around 0": round(float(abs(weights[0]).mean()), 1)})


def check_signal(lab):
    """Compute the root of the mean square of [3, -4] by hand: square, mean, root.

    signal: the result of a layer is the input of the next. The size of x itself is the first
    number.

    In the loop x becomes the relu of x @ w (np.maximum takes the larger of two, number by number),
    and its size is appended. The mean of the squares is not the variance: nothing is subtracted.
    """
    rng = np.random.default_rng(1)
    x, weights = rng.normal(size=(20, 8)), [rng.normal(size=(8, 8)) * 0.5 for _ in range(3)]

    def run(relu=True, mean_first=False, std=False, chain=True):
        h, found = x, []
        for w in [None, *weights]:
            if w is not None:
                h = (h if chain else x) @ w
                h = np.maximum(h, 0) if relu else h
            found.append(float(h.std() if std else np.abs(h).mean() if mean_first
                               else np.sqrt((h ** 2).mean())))
        return found
    right = run()
    expect("signal of three layers", lab.signal(x.copy(), weights), right, {
        "the relu is missing": run(relu=False),
        "this is the standard deviation: behind a ReLU the mean is not 0": run(std=True),
        "this is the mean of the absolute values": run(mean_first=True),
        "each layer was given x, not the result before": run(chain=False),
        "the size of x itself is the first": right[1:],
        "the square root is missing": [s * s for s in right],
        "only the last one is returned": right[-1]})
    weights = lab.make_weights([200] * 11, np.random.default_rng(0))
    sizes = lab.signal(np.random.default_rng(1).normal(size=(50, 200)), weights)
    if not 0.3 < sizes[-1] < 3:
        raise Wrong("signal after ten layers of make_weights", f"{sizes[-1]:.3g}", "near 1",
                    "the signal does not keep its size")


def check_first_loss(lab):
    """A guess among 10 classes gives each the same probability. Which one?

    first_loss is minus the natural logarithm of that probability.

    Minus the logarithm of 1 / n is the logarithm of n.
    """
    expect("first loss with 10 classes", lab.first_loss(10), float(np.log(10)), {
        "this is the probability": 0.1, "the sign is wrong": float(-np.log(10)),
        "this is the logarithm to base 2": float(np.log2(10)),
        "this is the logarithm to base 10": 1.0, "this is the number of classes": 10.0,
        "this is 1 minus the probability": 0.9})
