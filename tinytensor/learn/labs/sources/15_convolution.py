# %% [markdown]
# # 15 Convolution
#
# A convolution slides a small array of weights, the kernel, over an image. At each place it
# multiplies the numbers under it by the weights, and adds up the products. The same few weights are
# used everywhere: so an edge is found wherever it is.
#
#     y[i, j] = sum over a, b of  x[i + a, j + b] · w[a, b]
#
# An image of H by W and a kernel of h by w give H - h + 1 by W - w + 1 results. (Mathematicians
# turn the kernel around first, and call this a correlation. Frameworks do not.)

# %%
from __future__ import annotations

import numpy as np


def convolve(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The convolution. Shapes: (H, W), (h, w) -> (H - h + 1, W - w + 1)."""
    # <todo> for each place of the kernel, sum the products of the window and the kernel
    height, width = x.shape[0] - w.shape[0] + 1, x.shape[1] - w.shape[1] + 1
    y = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            y[i, j] = (x[i:i + w.shape[0], j:j + w.shape[1]] * w).sum()
    return y
    # </todo>


# %% [markdown]
# Backward, look at one result: it was made of one window of x, and of all of w. So its gradient
# goes, times w, to the window, and times the window, to w. Windows overlap, and w is used at every
# place: the shares add up.

# %%
def weight_gradient(g: np.ndarray, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The gradient of w, for the gradient g of the result. Shape: that of w."""
    # <todo> add up, over all places, g[i, j] times the window of x there
    grad = np.zeros(w.shape)
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            grad += g[i, j] * x[i:i + w.shape[0], j:j + w.shape[1]]
    return grad
    # </todo>


def image_gradient(g: np.ndarray, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The gradient of x, for the gradient g of the result. Shape: that of x."""
    # <todo> add, for each place, g[i, j] times w to the window of the gradient there
    grad = np.zeros(x.shape)
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            grad[i:i + w.shape[0], j:j + w.shape[1]] += g[i, j] * w
    return grad
    # </todo>


# %% tags=["hints"]
"""
Convolve [[1, 2, 3]] with [[1, 10]] by hand: two results.

The window at i, j is x[i:i + h, j:j + w]. How many places are there in each direction?

An element in the middle of the image is under the kernel at several places. What does that mean for
its gradient?
"""

# %% tags=["check"]
import numpy as np

rng = np.random.default_rng(3)
X, W = rng.normal(size=(4, 5)), rng.normal(size=(2, 3))
G = rng.normal(size=(3, 3))


def on_values(x, w):
    return np.array([[sum(x[i + a, j + b] * w[a, b] for a in range(2) for b in range(3))
                      for j in range(3)] for i in range(3)])


def check_convolve(lab):
    """Convolve [[1, 2, 3]] with [[1, 10]] by hand: two results.

    convolve: the window at i, j is x[i:i + h, j:j + w], if the kernel has h rows and w columns. How
    many places are there in each direction?

    Two loops, over the rows and the columns of the result. At each place: window times kernel,
    number by number, and the sum of these products.
    """
    right = on_values(X, W)
    got = lab.convolve(X.copy(), W.copy())
    expect("shape of the convolution of (4, 5) with (2, 3)", got.shape, (3, 3), {
        "the last place is missing: there are H - h + 1": (2, 2),
        "there are fewer places than numbers: H - h + 1": (4, 5),
        "this is the shape of the kernel": (2, 3),
        "height and width of the kernel are exchanged": (2, 4)})
    expect("convolution of a 4 by 5 image with a 2 by 3 kernel", got.tolist(), right.tolist(), {
        "the kernel is turned around: this is the mathematicians' convolution":
            on_values(X, W[::-1, ::-1]).tolist(),
        "the kernel is turned around in one direction": on_values(X, W[::-1]).tolist(),
        "this is the mean of the products: add them up": (right / 6).tolist(),
        "window and kernel are added up: multiply them":
            [[float((X[i:i + 2, j:j + 3] + W).sum()) for j in range(3)] for i in range(3)],
        "the windows are summed without the kernel":
            [[float(X[i:i + 2, j:j + 3].sum()) for j in range(3)] for i in range(3)],
        "i and j of the window are exchanged": right.T.tolist(),
        "each result is the largest product, as in pooling":
            [[float((X[i:i + 2, j:j + 3] * W).max()) for j in range(3)] for i in range(3)]})


def check_weight(lab):
    """One weight of the kernel: at how many places is it used, and by which number of x is it
    multiplied there?

    weight_gradient: a result is window times kernel, summed. So at each place the gradient of the
    kernel is the window, times g there.

    Begin with zeros in the shape of w, and add in two loops over the places of g.
    """
    expect_gradients("gradient of the kernel", on_values, {"x": X, "w": W},
                     {"w": lab.weight_gradient(G.copy(), X.copy(), W.copy())}, G, {
        "each place adds its share: this is the last one alone": G[-1, -1] * X[2:4, 2:5],
        "w was multiplied by x in forward: its gradient is made of g and x": G.sum() * W,
        "g is not used": sum(X[i:i + 2, j:j + 3] for i in range(3) for j in range(3)),
        "the shares add up: this is their mean":
            sum(G[i, j] * X[i:i + 2, j:j + 3] for i in range(3) for j in range(3)) / 9})


def spread(share, add=True):
    grad = np.zeros(X.shape)
    for i in range(3):
        for j in range(3):
            place = grad[i:i + 2, j:j + 3]
            place[...] = share(i, j) + (place if add else 0)
    return grad


def check_image(lab):
    """An element in the middle of the image is under the kernel at several places. What does that
    mean for its gradient?

    image_gradient: each g[i, j] sends its share back to one window of the gradient: the window that
    made y[i, j].

    Begin with zeros in the shape of x. In two loops over the places of g, add to a slice: g there,
    times w. Slices overlap, so add with +=.
    """
    expect_gradients("gradient of the image", on_values, {"x": X, "w": W},
                     {"x": lab.image_gradient(G.copy(), X.copy(), W.copy())}, G, {
        "windows overlap: add each share, do not overwrite": spread(lambda i, j: G[i, j] * W, False),
        "g is not used": spread(lambda i, j: W),
        "the kernel is not used: x was multiplied by w in forward":
            spread(lambda i, j: np.full(W.shape, G[i, j]))})
