# %% [markdown]
# # 16 Recurrence
#
# A recurrent network reads a sequence step by step. Its state h is what it remembers; at each step
# the new state comes from the input and from the old state, always with the same weights.
#
#     h_t = tanh(x_t @ W + h_(t-1) @ U + b)          h_(-1) = 0
#
# In the graph this is a network with as many layers as there are steps, which share their weights.

# %%
from __future__ import annotations

import numpy as np


def forward(x: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    """The states h_0 to h_(T-1). Shapes: (T, D), (D, H), (H, H), (H) -> T arrays of (H)."""
    # <todo> begin with zeros, and append each new state to a list
    h, states = np.zeros(len(b)), []
    for step in x:
        h = np.tanh(step @ W + h @ U + b)
        states.append(h)
    return states
    # </todo>


# %% [markdown]
# Backward goes through the steps from the end: backpropagation through time. A state gets gradient
# from two sides: from whoever uses it as a result (gs[t]), and from the next step, which read it.
# The weights are used in every step, so their shares add up over time.
#
#     gradient of the sum inside of tanh:    d = (gs[t] + what came from step t + 1) · (1 - h_t²)

# %%
def backward(gs: list[np.ndarray], x: np.ndarray, states: list[np.ndarray], W: np.ndarray,
             U: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients of W, U and b, for the gradients gs of the states."""
    gW, gU, gb = np.zeros(W.shape), np.zeros(U.shape), np.zeros(len(U))
    after = np.zeros(len(U))  # the gradient of h_t that comes from step t + 1
    for t in reversed(range(len(x))):
        before = states[t - 1] if t else np.zeros(len(U))
        # <todo> compute d, add the shares to gW, gU and gb (np.outer), and set `after`
        d = (gs[t] + after) * (1 - states[t] ** 2)
        gW += np.outer(x[t], d)
        gU += np.outer(before, d)
        gb += d
        after = d @ U.T
        # </todo>
    return gW, gU, gb


# %% [markdown]
# After many steps the gradient has been multiplied by U and by slopes below 1 again and again: it
# vanishes, or explodes. Clipping scales all gradients down together if they are too long.

# %%
def clip(grads: list[np.ndarray], longest: float) -> list[np.ndarray]:
    """The gradients, scaled so that all together have at most the length `longest`."""
    # <todo> the length is the root of the sum of all squares; return a list of new arrays
    length = sum(float((g ** 2).sum()) for g in grads) ** 0.5
    scale = min(1.0, longest / length) if length else 1.0
    return [g * scale for g in grads]
    # </todo>


# %% tags=["hints"]
"""
Unroll two steps on paper. On which paths does the loss reach U? In which steps is U used?

The slope of tanh is 1 - h². h is the state of this step, not of the one before.

`after` is the gradient of the old state: it was multiplied by U in forward. By what in backward?
"""

# %% tags=["check"]
import numpy as np

rng = np.random.default_rng(4)
X, W, U, B = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=(2, 2)), \
    rng.normal(size=2)
GS = rng.normal(size=(4, 2))


def on_values(W, U, b, x=X):
    h, states = np.zeros(2), []
    for step in x:
        h = np.tanh(step @ W + h @ U + b)
        states.append(h)
    return np.array(states)


def varied(update):
    h, states = np.zeros(2), []
    for step in X:
        h = update(step, h)
        states.append(h.tolist())
    return states


def check_forward(lab):
    """Compute two steps by hand with W = U = 1, b = 0, and inputs 1, 1. What does the second tanh
    get?

    forward: the old state starts as zeros, one for each element of b. In each step the new state
    takes its place.

    A loop over the rows of x: input @ W, plus old state @ U, plus b, then np.tanh. Append each new
    state; the zeros of the start are no result.
    """
    got = [np.asarray(h).tolist() for h in lab.forward(X.copy(), W, U, B)]
    right = on_values(W, U, B).tolist()
    expect("number of states for 4 steps", len(got), 4, {
        "the state of before the first step is not a result": 5, "only the last state is returned": 2,
        "keep the state of every step": 1})
    expect("states of four steps", got, right, {
        "the old state is not used": varied(lambda x, h: np.tanh(x @ W + B)),
        "the bias is missing": varied(lambda x, h: np.tanh(x @ W + h @ U)),
        "the tanh is missing": varied(lambda x, h: x @ W + h @ U + B),
        "U is transposed": varied(lambda x, h: np.tanh(x @ W + U @ h + B)),
        "the input is not used": varied(lambda x, h: np.tanh(h @ U + B)),
        "the bias is added twice": varied(lambda x, h: np.tanh(x @ W + h @ U + 2 * B)),
        "the old state is added without U": varied(lambda x, h: np.tanh(x @ W + h + B)),
        "the old state is added behind the tanh": varied(lambda x, h: np.tanh(x @ W + B) + h @ U)})


def by_hand(states, carried=True, slope=True, add=True, transposed=True, of_before=False,
            own_state=False):
    gW, gU, gb, after = np.zeros(W.shape), np.zeros(U.shape), np.zeros(2), np.zeros(2)
    for t in reversed(range(4)):
        before = states[t - 1] if t else np.zeros(2)
        d = GS[t] + after * carried
        d = d * (1 - (before if of_before else states[t]) ** 2) if slope else d
        shares = np.outer(X[t], d), np.outer(states[t] if own_state else before, d), d
        gW, gU, gb = (share + total * add for share, total in zip(shares, (gW, gU, gb)))
        after = d @ (U.T if transposed else U)
    return gW, gU, gb


def check_backward(lab):
    """Unroll two steps on paper. On which paths does the loss reach U? In which steps is U used?

    In backward, d is what arrives at h_t from both sides, times the slope of tanh, which is written
    in states[t]. W was multiplied by x[t], U by the state before.

    np.outer(input, d) is a step's share for a matrix; shares add up with +=. Last, `after` is what
    goes to the old state: d, through U the other way round, as in lab 10.
    """
    states = list(on_values(W, U, B))
    got = lab.backward(list(GS), X.copy(), states, W, U)
    expect_gradients("gradients of W, U and b through four steps", on_values,
                     {"W": W, "U": U, "b": B}, dict(zip(("W", "U", "b"), got)), GS, {
        "what comes from the next step is not used: set `after`":
            by_hand(states, carried=False)[0],
        "the slope of the tanh is missing": by_hand(states, slope=False)[0],
        "W is used in each step: add with +=, do not overwrite":
            by_hand(states, add=False)[0],
        "on its way back through U the gradient is multiplied by U transposed":
            by_hand(states, transposed=False)[0],
        "the slope of the tanh is that of this step's state, not of the one before":
            by_hand(states, of_before=True)[0],
        "U was multiplied by the state before, not by this step's":
            by_hand(states, own_state=True)[1],
        "the shares of the steps add up: this is their mean": by_hand(states)[2] / 4})


def check_clip(lab):
    """Gradients [3, 0] and [[4]]: how long are they together, as one vector?

    clip: one length for all arrays, the root of the sum of all squares. One factor for all of them,
    too, or the direction changes.

    The factor is longest by length, but never more than 1: short gradients stay as they are. Return
    a new list.
    """
    grads = [np.array([3.0, 0.0]), np.array([[4.0]])]  # length 5
    rule = "gradients [3, 0] and [[4]] clipped to length 1"
    got = [g.tolist() for g in lab.clip([g.copy() for g in grads], 1.0)]
    expect(rule, got, [[0.6, 0.0], [[0.8]]], {
        "nothing was scaled": [[3.0, 0.0], [[4.0]]],
        "each array was scaled by itself: the direction changes": [[1.0, 0.0], [[1.0]]],
        "each number was cut: the direction changes": [[1.0, 0.0], [[1.0]]],
        "this divides by the sum of squares: take the root": [[3 / 25, 0.0], [[4 / 25]]],
        "this divides by the sum of the numbers": [[3 / 7, 0.0], [[4 / 7]]],
        "they are scaled up": [[15.0, 0.0], [[20.0]]]})
    got = [g.tolist() for g in lab.clip([g.copy() for g in grads], 10.0)]
    expect("gradients [3, 0] and [[4]] clipped to length 10", got, [[3.0, 0.0], [[4.0]]], {
        "short gradients stay as they are: they must not grow": [[6.0, 0.0], [[8.0]]]})
