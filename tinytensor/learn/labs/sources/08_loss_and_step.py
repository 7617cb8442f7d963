# %% [markdown]
# # 08 Loss and step
#
# A loss turns all answers of a network into one number that says how wrong they are. Training makes
# it smaller. Two losses are to be written here:
#
#     mean squared error     mean of (score - target)²         for numbers to be hit
#     hinge loss             mean of max(0, 1 - target score)   for classes -1 and 1
#
# The hinge loss is content with a score of at least 1 on the right side: such a sample sends no
# gradient, and the network cares for the others.

# %%
from __future__ import annotations

from scalar import Value


def squared_error(scores: list[Value], targets: list[float]) -> Value:
    """The mean of the squared differences."""
    # <todo> return the mean over all samples of (score - target)**2
    total = Value(0.0)
    for score, target in zip(scores, targets, strict=True):
        total = total + (score - target) ** 2
    return total / len(scores)
    # </todo>


def hinge(scores: list[Value], targets: list[float]) -> Value:
    """The mean of relu(1 - target * score). Targets are -1 or 1."""
    # <todo> return the mean over all samples of (1 - target * score).relu()
    total = Value(0.0)
    for score, target in zip(scores, targets, strict=True):
        total = total + (1 - target * score).relu()
    return total / len(scores)
    # </todo>


# %% [markdown]
# After backward every parameter has its gradient. A step of gradient descent moves each against it.
# Gradients of the next batch are added to those that are there, so they are set to 0 in between.

# %%
def descend(parameters: list[Value], rate: float) -> None:
    """Moves each parameter by rate times its gradient, downhill."""
    # <todo> subtract rate times its gradient from the data of each parameter
    for p in parameters:
        p.data -= rate * p.grad
    # </todo>


def clear(parameters: list[Value]) -> None:
    """Sets all gradients to 0."""
    # <todo> set the gradient of each parameter to 0
    for p in parameters:
        p.grad = 0.0
    # </todo>


# %% [markdown]
# A training step does four things in the right order.

# %%
def train_step(model, inputs: list, targets: list[float], parameters: list[Value],
               rate: float) -> float:
    """One step on the squared error. Returns the loss before it, as a float."""
    # <todo> compute the loss of [model(x) for x in inputs]; then clear, backward, descend
    loss = squared_error([model(x) for x in inputs], targets)
    clear(parameters)
    loss.backward()
    descend(parameters, rate)
    return loss.data
    # </todo>


# %% tags=["hints"]
"""
Compute both losses by hand for scores 2 and -1 with targets 1 and 1.

max(0, z) of a Value is z.relu(). A mean is a sum divided by how many there are.

Which line fills grad, which reads it, which empties it? Write them in an order in which each step
sees the gradient of its own loss only.
"""

# %% tags=["check"]
from scalar import Value

SCORES, TARGETS = [2.0, -1.0, 0.25], [1.0, 1.0, -1.0]


def run(lab, name):
    scores = [Value(s) for s in SCORES]
    out = getattr(lab, name)(scores, list(TARGETS))
    if not hasattr(out, "backward"):
        raise Wrong(name, repr(out), "a Value", "a plain number has no gradient: compute with the "
                    "Values, not with their data" if out is not None else NOTHING)
    out.backward()
    return out.data, [s.grad for s in scores]


def check_squared_error(lab):
    """Compute it by hand for scores 2 and -1 with targets 1 and 1. There is one square for each
    sample.

    squared_error: first the difference, then its square, then the sum over the samples, then the
    mean.

    Add up in a total that begins as a Value of 0, and divide at the end by how many samples there
    are. Compute with Values, so that backward works.
    """
    d = [s - t for s, t in zip(SCORES, TARGETS)]
    n = len(d)
    data, grads = run(lab, "squared_error")
    expect("squared error of scores 2, -1, 0.25 with targets 1, 1, -1", data,
           sum(x * x for x in d) / n, {
        "this is the sum: divide by the number of samples": sum(x * x for x in d),
        "this is the mean of the differences, not of their squares": sum(d) / n,
        "this is the mean absolute error": sum(map(abs, d)) / n,
        "only the last sample counts: add up": d[-1] ** 2,
        "only the last sample counts, divided by all: add up": d[-1] ** 2 / n,
        "the sum is squared: square each difference": sum(d) ** 2 / n,
        "score and target add up: subtract": sum((s + t) ** 2 for s, t in zip(SCORES, TARGETS)) / n,
        "the square root of the mean is another loss": (sum(x * x for x in d) / n) ** 0.5,
        "this is half of it": sum(x * x for x in d) / n / 2})
    expect_gradients("gradient of the squared error", lambda scores: sum(
        (s - t) ** 2 for s, t in zip(scores, TARGETS)) / n, {"scores": SCORES}, {"scores": grads})


def check_hinge(lab):
    """A sample with target 1 and score 2: is anything wrong with it? And with score 0.5?

    hinge: max(0, z) of a Value is z.relu(). It is applied to each sample, before the mean.

    The z of a sample is 1 less the product of target and score. Add up, and divide by how many
    samples there are.
    """
    m = [s * t for s, t in zip(SCORES, TARGETS)]
    n = len(m)
    right = sum(max(0.0, 1 - x) for x in m) / n
    data, grads = run(lab, "hinge")
    expect("hinge loss of scores 2, -1, 0.25 with targets 1, 1, -1", data, right, {
        "this is the sum: divide by the number of samples": right * n,
        "the relu is missing: a sample beyond 1 must not count": sum(1 - x for x in m) / n,
        "the margin is missing: it is 1 - target * score": sum(max(0.0, -x) for x in m) / n,
        "the sign is wrong: it is 1 - target * score": sum(max(0.0, 1 + x) for x in m) / n,
        "the target is not used": sum(max(0.0, 1 - s) for s in SCORES) / n,
        "the difference is used where the product is meant":
            sum(max(0.0, 1 - (s - t)) for s, t in zip(SCORES, TARGETS)) / n,
        "relu is applied to the mean: apply it to each sample":
            max(0.0, sum(1 - x for x in m) / n) + 1e-30,
        "it is squared: that is another loss": sum(max(0.0, 1 - x) ** 2 for x in m) / n,
        "it is turned around: target * score - 1": sum(max(0.0, x - 1) for x in m) / n})


def two(lab):
    a, b = Value(1.0), Value(-2.0)
    a.grad, b.grad = 0.5, -3.0
    return a, b


def check_descend(lab):
    """A parameter 1.0 has gradient 0.5, and the rate is 0.1. Where does it move?

    descend changes p.data, and reads p.grad. A positive gradient means: the loss grows with p.

    The change is rate times gradient, subtracted from what data was. Only data changes.
    """
    a, b = two(lab)
    lab.descend([a, b], 0.1)
    expect("parameters 1, -2 with gradients 0.5, -3 after a step of rate 0.1", [a.data, b.data],
           [0.95, -1.7], {
        "nothing changed": [1.0, -2.0], "this goes uphill: subtract": [1.05, -2.3],
        "rate is not used": [0.5, 1.0], "data was replaced by minus the step": [-0.05, 0.3],
        "data was replaced by the step": [0.05, -0.3], "only the first was moved": [0.95, -2.0],
        "each was multiplied with its gradient": [1 - 0.05, -2 + 0.6],
        "this divides by rate": [1 - 5.0, -2 + 30.0]})
    expect("gradients are left as they are", [a.grad, b.grad], [0.5, -3.0], {
        "descend must not clear: that is another function": [0.0, 0.0],
        "the gradient was changed in the place of data": [0.95, -1.7]})


def check_clear(lab):
    """What should a gradient be before backward adds to it?

    clear changes p.grad of each parameter, and leaves p.data alone.

    It is the float with which gradients begin; None cannot be added to.
    """
    a, b = two(lab)
    lab.clear([a, b])
    expect("data after clear", [a.data, b.data], [1.0, -2.0], {"clear must not touch data": [0., 0.]})
    expect("gradients after clear", [a.grad, b.grad], [0.0, 0.0], {
        "nothing was changed": [0.5, -3.0], "None cannot be added to: use 0.0": [None, None],
        "only the first was cleared": [0.0, -3.0]})


def check_train_step(lab):
    """Which line fills grad, which reads it, which empties it?

    In train_step, each step must see the gradient of its own loss only. So the old gradients go
    before backward adds new ones, and descend comes when they are there.

    Loss, empty, backward, move: in this order, with the functions that you wrote. Return what the
    loss is as a float, its data.
    """
    w, rate = Value(0.5), 0.1
    inputs, targets = [1.0, 2.0], [3.0, 5.0]

    def gradient(w):
        return sum(2 * (w * x - t) * x for x, t in zip(inputs, targets)) / 2

    def error(w):
        return sum((w * x - t) ** 2 for x, t in zip(inputs, targets)) / 2
    losses, datas = [], []
    for _ in range(2):
        losses.append(lab.train_step(lambda x: w * x, inputs, targets, [w], rate))
        datas.append(w.data)
    first = 0.5 - rate * gradient(0.5)
    second = first - rate * gradient(first)
    expect("weight after the first step", datas[0], first, {
        "nothing moved: descend was not called, or before backward filled the gradients": 0.5,
        "this goes uphill": 0.5 + rate * gradient(0.5)})
    expect("weight after the second step", datas[1], second, {
        "the gradient of the first step was still there: clear before backward":
            first - rate * (gradient(0.5) + gradient(first)),
        "descend came before backward: it used the gradient of the first step":
            first - rate * gradient(0.5)})
    if hasattr(losses[0], "backward"):
        raise Wrong("what train_step returns", repr(losses[0]), f"{error(0.5)}", "the Value keeps "
                    "its whole graph alive: return loss.data")
    expect("losses that train_step returns", losses, [error(0.5), error(first)], {
        "nothing was returned": [None, None],
        "this is the loss after the step": [error(first), error(second)]})
