# %% [markdown]
# # 13 Layer norm by hand
#
# Layer normalisation shifts and scales each sample so that its numbers have mean 0 and variance 1.
# Then a weight and a bias for each feature give the layer its freedom back (Ba et al. 2016).
#
#     n = (x - mean) / sqrt(variance + eps)          y = n · weight + bias
#
# Mean and variance are those of one row. The variance divides by D, the number of features, and eps
# keeps a row of equal numbers from dividing by 0.

# %%
from __future__ import annotations

import numpy as np


def normalise(x: np.ndarray, eps: float = 1e-5) -> tuple[np.ndarray, np.ndarray]:
    """n, and 1 / sqrt(variance + eps). Shapes: (N, D) -> (N, D), (N, 1)."""
    # <todo> return n and the scale; keepdims=True keeps the dimension of size 1
    centred = x - x.mean(1, keepdims=True)
    scale = 1 / np.sqrt((centred ** 2).mean(1, keepdims=True) + eps)
    return centred * scale, scale
    # </todo>


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """n · weight + bias. Shapes: (N, D), (D), (D) -> (N, D)."""
    # <todo> return n times weight plus bias
    return normalise(x)[0] * weight + bias
    # </todo>


# %% [markdown]
# For weight and bias the gradients are those of a product and of a sum, added up over the rows. For
# x there are three paths: straight, through the mean, and through the variance. Added up, they give
# a short rule. With h = g · weight, the gradient of n, and means over each row:
#
#     gradient of x = scale · (h - mean(h) - n · mean(h · n))
#
# Derive it, path by path, before you believe it.

# %%
def layer_norm_backward(g: np.ndarray, x: np.ndarray, weight: np.ndarray
                        ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients of x, weight and bias, for the gradient g of the result."""
    # <todo> return three arrays, with the shapes of x, weight and bias
    n, scale = normalise(x)
    h = g * weight
    gx = scale * (h - h.mean(1, keepdims=True) - n * (h * n).mean(1, keepdims=True))
    return gx, (g * n).sum(0), g.sum(0)
    # </todo>


# %% tags=["hints"]
"""
Which numbers does one number of n depend on? Only those of its own row.

Write the forward in single steps: mean, centred, variance, scale, n. Go back through each.

The mean and the variance are used by all numbers of a row. What do several uses do to a gradient?
"""

# %% tags=["check"]
import numpy as np

rng = np.random.default_rng(2)
X, W, B, G = rng.normal(size=(3, 5)) * 2 + 1, rng.normal(size=5), rng.normal(size=5), \
    rng.normal(size=(3, 5))


def parts(axis=1, ddof=0, eps=1e-5, outside=False, centre=True, root=True):
    c = X - X.mean(axis, keepdims=True) if centre else X
    v = X.var(axis, keepdims=True, ddof=ddof)
    s = 1 / (np.sqrt(v) + eps) if outside else 1 / (np.sqrt(v + eps) if root else v + eps)
    return c * s, s


def check_normalise(lab):
    """Normalise the row [1, 3] by hand: mean, what is left, variance, and the two numbers. Then
    check their mean and variance.

    normalise works on each row by itself: dimension 1, with keepdims=True, so that the results are
    columns (N, 1).

    Write it in single steps: subtract the mean; take the mean of the squares of what is left; add
    eps, take the root, and 1 by it is the scale. n is the product. Return n and the scale.
    """
    got = lab.normalise(X.copy())
    if not isinstance(got, tuple) or len(got) != 2:
        raise Wrong("normalise", type(got).__name__, "a tuple of n and scale", "return both")
    right = parts()
    expect("shapes of n and scale", [got[0].shape, got[1].shape], [(3, 5), (3, 1)], {
        "scale has lost a dimension: use keepdims=True": [(3, 5), (3,)],
        "scale is that of the columns: take mean and variance over dimension 1": [(3, 5), (1, 5)]})
    expect("n of three rows", got[0].tolist(), right[0].tolist(), {
        "this normalises the columns: take mean and variance over dimension 1":
            parts(axis=0)[0].tolist(),
        "the variance divides by D - 1: divide by D": parts(ddof=1)[0].tolist(),
        "the mean is not subtracted": parts(centre=False)[0].tolist(),
        "the square root is missing: divide by the standard deviation": parts(root=False)[0].tolist(),
        "eps is added behind the square root: add it to the variance":
            parts(outside=True)[0].tolist(),
        "eps is missing": parts(eps=0)[0].tolist(),
        "this is centred, and not scaled": (X - X.mean(1, keepdims=True)).tolist()}, 1e-12)
    expect("scale of three rows", got[1].tolist(), right[1].tolist(), {
        "this is the standard deviation: scale is 1 by it": (1 / right[1]).tolist(),
        "this is the variance": (1 / right[1] ** 2 - 1e-5).tolist()})
    same = np.ones((1, 4))
    expect("n of a row of equal numbers", lab.normalise(same)[0].tolist(), [[0.0] * 4])


def check_layer_norm(lab):
    """How many weights has a layer norm of 5 features? To which dimension of x do they belong?

    layer_norm uses normalise, which returns two things. Which one is needed here?

    n times weight, plus bias: broadcasting takes care of the rows. The bias is not multiplied.
    """
    n = parts()[0]
    expect("layer norm of three rows", lab.layer_norm(X.copy(), W, B).tolist(), (n * W + B).tolist(), {
        "weight is missing": (n + B).tolist(), "bias is missing": (n * W).tolist(),
        "x is used in the place of n": (X * W + B).tolist(),
        "the bias is multiplied too": ((n + B) * W).tolist()})


def forward(x, weight, bias):
    mean = x.mean(1, keepdims=True)
    centred = x - mean
    variance = (centred * centred).mean(1, keepdims=True)
    n = centred / np.sqrt(variance + 1e-5)
    return n * weight + bias


def mistakes(name):
    n, s = parts()
    if name == "weight":
        return {"this is the rule of the bias: n is missing": G.sum(0),
                "the rows are added up, not averaged": (G * n).mean(0)}
    if name == "bias":
        return {"each row uses the bias: add the shares up, do not average": G.mean(0)}

    def rule(h, mean=True, variance=True, scale=s):
        h = h - h.mean(1, keepdims=True) * mean - n * (h * n).mean(1, keepdims=True) * variance
        return scale * h
    h = G * W
    return {"the paths through the mean and through the variance are missing": s * h,
            "the path through the variance is missing": rule(h, variance=False),
            "the path through the mean is missing": rule(h, mean=False),
            "weight is missing: the gradient of n is g times weight": rule(G),
            "scale is missing": rule(h, scale=1.0)}


def gradient(lab, name):
    got = lab.layer_norm_backward(G.copy(), X.copy(), W)
    if not isinstance(got, tuple) or len(got) != 3:
        raise Wrong("layer_norm_backward", type(got).__name__, "a tuple of three arrays",
                    NOTHING if got is None else "return the gradients of x, weight and bias")
    expect_gradients(f"gradient of {name} in layer norm", forward,
                     {"x": X, "weight": W, "bias": B},
                     {name: got[("x", "weight", "bias").index(name)]}, G, mistakes(name))


def check_gradient_of_bias(lab):
    """layer_norm_backward, the gradient of the bias: how many rows use one number of the bias?

    It is the last of the three that are returned, and has the shape of the bias.

    bias_backward of lab 10 does the same: the shares of the rows add up.
    """
    gradient(lab, "bias")


def check_gradient_of_weight(lab):
    """layer_norm_backward, the gradient of the weight: what did the weight multiply in forward?

    In a product the gradient of one factor is g times the other factor. Which one is it here? It
    is one of the two that normalise returns.

    Each row uses the weight, so the shares of the rows add up, over dimension 0. It is the second
    of the three that are returned.
    """
    gradient(lab, "weight")


def check_gradient_of_x(lab):
    """layer_norm_backward, the gradient of x: write the forward in single steps (mean, centred,
    variance, scale, n). On which three paths does x reach n?

    Take h = g times weight first: this is what arrives at n. Then the short rule of the text.

    All means go over each row, with keepdims=True. There are three terms in the bracket: h itself,
    its mean, and n times the mean of h times n. The scale multiplies all.
    """
    gradient(lab, "x")
