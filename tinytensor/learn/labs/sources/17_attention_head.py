# %% [markdown]
# # 17 One attention head
#
# In a sequence each position may need what stands elsewhere. It asks with a query; every position
# offers a key and a value. The products of a query with all keys are scores; a softmax makes
# weights of them; the result is the weighted sum of the values (Vaswani et al. 2017).
#
#     scores = q @ kᵀ / sqrt(d)       weights = softmax(scores)       result = weights @ v
#
# The products of d numbers have variance d: the division keeps the softmax from being saturated.
# If the model is to predict what comes next, no position may see later ones: their scores are set
# to minus infinity before the softmax, which gives them the weight 0.

# %%
from __future__ import annotations

import numpy as np


def attention_weights(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """The weights with the later positions masked. Shapes: (T, d), (T, d) -> (T, T)."""
    # <todo> compute the scores; put -np.inf above the diagonal; take the softmax of each row
    scores = q @ k.T / np.sqrt(q.shape[1])
    later = np.triu(np.ones(scores.shape, dtype=bool), k=1)
    scores = np.where(later, -np.inf, scores)
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
    # </todo>


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """weights @ v. Shapes: (T, d), (T, d), (T, e) -> (T, e)."""
    # <todo> return the weights times v
    return attention_weights(q, k) @ v
    # </todo>


# %% [markdown]
# Backward takes the four operations from the end: the product with v, the softmax (lab 11), the
# division, the product of q and kᵀ (lab 10). The mask needs nothing: where the weight is 0, the
# softmax's rule gives 0.

# %%
def attention_backward(g: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray
                       ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients of q, k and v, for the gradient g of the result."""
    w = attention_weights(q, k)
    # <todo> compute the gradients of w and of the scores; return those of q, k and v
    gw = g @ v.T
    gs = w * (gw - (gw * w).sum(1, keepdims=True)) / np.sqrt(q.shape[1])
    return gs @ k, gs.T @ q, w.T @ g
    # </todo>


# %% tags=["hints"]
"""
Print the weights: each row sums to 1, and the first row is 1, 0, 0, ...

The shapes lead the way: the gradient of v has the shape of v, and is made of w and g.

scores = q @ k.T / sqrt(d): d is the number of features of a query. Where does the root go backward?
"""

# %% tags=["check"]
import numpy as np

rng = np.random.default_rng(5)
T, D = 4, 3
Q, K, V, G = (rng.normal(size=(T, D)) for _ in range(4))


def weights(scale=D ** 0.5, later=1, axis=1, mask=-np.inf, after=False, transposed=False,
            past=False):
    scores = (K @ Q.T if transposed else Q @ K.T) / scale
    ones = np.ones((T, T), bool)
    hidden = np.tril(ones, k=-1) if past else np.triu(ones, k=later)
    if not after:
        scores = np.where(hidden, mask, scores)
    powers = np.exp(scores - scores.max(axis, keepdims=True))
    w = powers / powers.sum(axis, keepdims=True)
    return (np.where(hidden, 0.0, w) if after else w).tolist()


def on_values(q, k, v):
    rows = []
    for t in range(T):
        scores = [(q[t] * k[s]).sum() / D ** 0.5 for s in range(t + 1)]
        powers = [np.exp(s) for s in scores]
        total = sum(powers[1:], powers[0])
        rows.append(sum((powers[s] / total * v[s] for s in range(1, t + 1)), powers[0] / total * v[0]))
    return np.array(rows)


def check_weights(lab):
    """Print your weights. Each row should sum to 1, and the first row should be 1, 0, 0, 0: the
    first position sees itself alone.

    attention_weights: q @ k.T has one row for each query. Divide by the root of the number of
    features of a query, then mask, then softmax over each row.

    np.triu(ones, k=1) marks what is above the diagonal, the later positions. np.where puts -np.inf
    there before the softmax. The softmax is that of lab 11.
    """
    with np.errstate(all="ignore"):
        got = lab.attention_weights(Q.copy(), K.copy())
    expect("shape of the weights of four positions", None if got is None else np.shape(got), (T, T))
    got = np.asarray(got).tolist()
    expect("attention weights of four positions", got, weights(), {
        "later positions are not masked": weights(later=T),
        "the mask hides the position itself, too: k=1 begins above the diagonal":
            weights(later=0),
        "the scores are not divided by sqrt(d)": weights(scale=1),
        "the scores are multiplied by sqrt(d): divide by it": weights(scale=D ** -0.5),
        "the scores are divided by d: divide by its root": weights(scale=D),
        "they are divided by the root of the number of positions": weights(scale=T ** 0.5),
        "the softmax goes over the queries: each row must sum to 1": weights(axis=0),
        "masked scores of 0 still get a weight: use -np.inf": weights(mask=0.0),
        "the mask is applied after the softmax: the rows do not sum to 1": weights(after=True),
        "queries and keys are exchanged": weights(transposed=True),
        "the mask is turned around: it hides the past":
            weights(past=True),
        "these are scores: the softmax is missing":
            np.where(np.triu(np.ones((T, T), bool), 1), -np.inf, Q @ K.T / D ** 0.5).tolist()})


def check_attention(lab):
    """If a row of weights is 0, 1, 0, 0, what should the result of that position be?

    attention needs the weights of the function above, and v. The result has one row for each query.

    The formula is in the docstring. q comes before k in attention_weights, and v is the right
    factor of the product.
    """
    w = np.array(weights())
    expect("attention of four positions", lab.attention(Q, K, V).tolist(), (w @ V).tolist(), {
        "the weights are transposed": (w.T @ V).tolist(),
        "queries and keys are exchanged": (np.array(weights(transposed=True)) @ V).tolist(),
        "these are the weights of the keys: multiply by v": (w @ K).tolist(),
        "v is not used": w.tolist()})


def mistakes(name):
    w = np.array(weights())
    if name == "v":
        gw = G @ V.T
        gs = w * (gw - (gw * w).sum(1, keepdims=True)) / D ** 0.5
        return {"this is the gradient of q: return those of q, k and v in this order": gs @ K,
                "this is the gradient of k: return those of q, k and v in this order": gs.T @ Q,
                "the weights are not transposed: v[s] is used by all positions t with a weight":
                    w @ G,
                "the weights are missing: each value reaches each result by its weight": G}
    gw = G @ V.T
    gs = w * (gw - (gw * w).sum(1, keepdims=True))
    if name == "k":
        return {"the gradient of the scores is not transposed: a key is used by all queries":
                    gs @ Q / D ** 0.5}
    return {"the division by sqrt(d) is missing": gs @ K,
            "this is the diagonal of the softmax alone: each weight depends on its whole row":
                w * (1 - w) * gw / D ** 0.5 @ K,
            "the sum in the softmax's rule goes over each row, not over each column":
                w * (gw - (gw * w).sum(0, keepdims=True)) / D ** 0.5 @ K,
            "the division by sqrt(d) became a multiplication": gs * D ** 0.5 @ K,
            "q is used where the other operand, k, is meant": gs @ Q / D ** 0.5,
            "the softmax is missing on the way back": gw / D ** 0.5 @ K}


def gradient(lab, name):
    got = lab.attention_backward(G.copy(), Q.copy(), K.copy(), V.copy())
    if not isinstance(got, tuple | list) or len(got) != 3:
        raise Wrong("attention_backward", type(got).__name__, "a tuple of three arrays",
                    NOTHING if got is None else "return the gradients of q, k and v")
    expect_gradients(f"gradient of {name} in attention", on_values, {"q": Q, "k": K, "v": V},
                     {name: got["qkv".index(name)]}, G, mistakes(name))


def check_gradient_of_v(lab):
    """attention_backward, the gradient of v: the shapes lead the way. It has the shape of v, and is
    made of w and g.

    result = w @ v is a matrix product, and v is its right factor. Lab 10 has the rule.

    v[s] goes into the results of all positions t, each time with the factor w[t, s]. So w is
    transposed, and g is multiplied by it. It is the last of the three that are returned.
    """
    gradient(lab, "v")


def check_gradient_of_q(lab):
    """attention_backward, the gradient of q: which four operations are between q and the result?
    Go back through them from the end.

    First the gradient of w, made of g and v. Then the softmax by its rule of lab 11, for each row.
    Then the division, which divides here, too.

    What you have then is the gradient of q @ k.T. q is its left factor: multiply by the other one,
    so that the shape is that of q. It is the first of the three that are returned.
    """
    gradient(lab, "q")


def check_gradient_of_k(lab):
    """attention_backward, the gradient of k: it is made of the gradient of the scores, as that of q
    is, and of q.

    In q @ k.T, k is transposed. A key stands in a row of k, and in a column of the scores.

    So the gradient of the scores is transposed before it multiplies q.
    """
    gradient(lab, "k")
