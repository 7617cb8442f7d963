# %% [markdown]
# # 19 The same in PyTorch
#
# tinytensor has PyTorch's names. So this lab is written once, for a module that is called `torch`,
# and runs on both. If PyTorch is installed here, the check runs your functions on it as well, and
# compares; otherwise it compares with numbers that PyTorch has computed.
#
#     import torch                      in PyTorch
#     import tinytensor as torch        here

# %%
from __future__ import annotations


def make_model(torch):
    """A network 2 -> 8 -> 1 with a tanh between, as nn.Sequential."""
    # <todo> return torch.nn.Sequential of a Linear, a Tanh and a Linear
    return torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    # </todo>


def set_weights(torch, model) -> None:
    """Sets the i-th number of each parameter to 0.3 sin(i + 1), without recording it."""
    # <todo> in torch.no_grad(), copy_ the numbers into each parameter (arange, sin, reshape)
    with torch.no_grad():
        for p in model.parameters():
            numbers = torch.arange(1, p.numel() + 1, dtype=p.dtype)
            p.copy_(0.3 * torch.sin(numbers).reshape(p.shape))
    # </todo>


def train(torch, model, x, y, steps: int) -> list[float]:
    """Trains by SGD with rate 0.1 and momentum 0.9 on the mean squared error; the losses before
    each step, as floats.
    """
    # <todo> make the optimizer; in each step zero_grad, loss, backward, step, and keep the loss
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    # </todo>


# %% [markdown]
# Weights go from one to the other as numbers. A state dict has the same names in both.

# %%
def weights_of(model) -> dict[str, list]:
    """The parameters by name, as nested lists of floats."""
    # <todo> return a dict with the .tolist() of each Tensor of model.state_dict()
    return {name: tensor.tolist() for name, tensor in model.state_dict().items()}
    # </todo>


# %% tags=["hints"]
"""
Write it for `import torch` as you find it in PyTorch's tutorials, and take `torch` from the argument.

p.copy_ writes into a parameter. Outside of no_grad that is refused.

The order in a step is that of lab 08: zero_grad, backward, step.
"""

# %% tags=["check"]
import importlib.util
import math

import tinytensor

LOSSES = [1.1014593839645386, 0.83469158411026, 0.5957404375076294, 0.5231733918190002,
          0.5389166474342346, 0.5114960074424744]  # by PyTorch 2.13


def libraries():
    yield "tinytensor", tinytensor
    if importlib.util.find_spec("torch"):
        import torch
        yield "PyTorch", torch


def data(torch):
    x = torch.tensor([[math.cos(i), math.sin(2.0 * i)] for i in range(12)])
    return x, (x[:, :1] * x[:, 1:] + x[:, :1])


def prepared(lab, torch):
    model = lab.make_model(torch)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.3 * torch.sin(torch.arange(1, p.numel() + 1, dtype=p.dtype)).reshape(p.shape))
    return model


def check_model(lab):
    """How many inputs has the first Linear, how many results the last one?

    make_model: everything comes from the argument, torch.nn. Sequential takes the layers in their
    order.

    Three layers: from 2 to 8, the tanh as a module, from 8 to 1. Both Linear layers keep their
    bias.
    """
    for name, torch in libraries():
        model = lab.make_model(torch)
        layers = [type(layer).__name__ for layer in model]
        expect(f"layers of the model on {name}", layers, ["Linear", "Tanh", "Linear"], {
            "the tanh is missing": ["Linear", "Linear"],
            "a tanh at the end limits the results to -1 to 1": ["Linear", "Tanh", "Linear", "Tanh"],
            "a ReLU stands where the tanh should be": ["Linear", "ReLU", "Linear"]})
        expect(f"shapes of the parameters on {name}", [tuple(p.shape) for p in model.parameters()],
               [(8, 2), (8,), (1, 8), (1,)], {
            "the biases are missing": [(8, 2), (1, 8)],
            "in and out are exchanged: Linear(inputs, results)": [(2, 8), (2,), (8, 1), (8,)]})


def check_set_weights(lab):
    """What are the first three numbers of each parameter? Compute them by hand.

    set_weights: inside of torch.no_grad(), p.copy_ writes into a parameter. The numbers 1, 2, 3,
    ... come from torch.arange, with the dtype of p.

    arange from 1 to the number of elements, torch.sin of it, times 0.3, reshaped as p. The same for
    each of model.parameters(), biases as well.
    """
    for name, torch in libraries():
        model = lab.make_model(torch)
        before = [p.detach().flatten().tolist() for p in model.parameters()]
        lab.set_weights(torch, model)
        numbers = [p.detach().flatten().tolist() for p in model.parameters()]

        def by(f):
            return [[f(i) for i in range(len(v))] for v in numbers]
        expect(f"parameters after set_weights on {name}", numbers,
               by(lambda i: 0.3 * math.sin(i + 1)), {
            "i begins at 0: sin(i + 1) is meant": by(lambda i: 0.3 * math.sin(i)),
            "the factor 0.3 is missing": by(lambda i: math.sin(i + 1)),
            "nothing was set": before,
            "only the weights were set, not the biases":
                [b if i % 2 else v for i, (v, b) in enumerate(zip(
                    by(lambda i: 0.3 * math.sin(i + 1)), before))],
            "this is the cosine": by(lambda i: 0.3 * math.cos(i + 1)),
            "sin is missing": by(lambda i: 0.3 * (i + 1))}, 1e-5)
        if any(p.grad_fn is not None or not p.requires_grad for p in model.parameters()):
            raise Wrong(f"parameters after set_weights on {name}", "not leaves with requires_grad",
                        "leaves", "write into the parameter with copy_, do not replace it")


def losses_of(torch, model, steps=6, lr=0.1, momentum=0.9, zero=True, total=False, after=False):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    x, y = data(torch)
    losses = []
    for _ in range(steps):
        if zero:
            optimizer.zero_grad()
        squares = (model(x) - y) ** 2
        loss = squares.sum() if total else squares.mean()
        loss.backward()
        optimizer.step()
        losses.append(((model(x) - y) ** 2).mean().item() if after else loss.item())
    return losses


def check_train(lab):
    """Which four calls make a step? Lab 08 has their order.

    train: the optimizer is torch.optim.SGD with two options, lr and momentum. It is made once,
    before the loop.

    In the loop: empty the gradients, compute the loss by torch.nn.functional.mse_loss, backward,
    step. Append the loss as a float, by item().
    """
    for name, torch in libraries():
        x, y = data(torch)
        got = lab.train(torch, prepared(lab, torch), x, y, 6)
        if isinstance(got, list) and got and not isinstance(got[0], float):
            raise Wrong(f"losses on {name}", type(got[0]).__name__, "floats",
                        "a Tensor keeps its graph alive: collect loss.item()")
        expect(f"losses of six steps on {name}", got, LOSSES, {
            "zero_grad is missing": losses_of(torch, prepared(lab, torch), zero=False),
            "the momentum is missing": losses_of(torch, prepared(lab, torch), momentum=0.0),
            "the rate is 0.1, not 0.01": losses_of(torch, prepared(lab, torch), lr=0.01),
            "this is the sum of squares: take the mean": losses_of(torch, prepared(lab, torch),
                                                                  total=True),
            "nothing is learned: is step called, after backward?": [LOSSES[0]] * 6,
            "these are the losses after each step": losses_of(torch, prepared(lab, torch),
                                                              after=True),
            "nothing was returned": None}, 1e-4)


def check_weights_of(lab):
    """Print model.state_dict(). Which names do you see?

    weights_of: items() of the state dict gives pairs of name and Tensor.

    A dict comprehension keeps the names, and makes a nested list of each Tensor.
    """
    for name, torch in libraries():
        model = prepared(lab, torch)
        got = lab.weights_of(model)
        names = ["0.weight", "0.bias", "2.weight", "2.bias"]
        expect(f"names of the weights on {name}", sorted(got) if isinstance(got, dict) else got,
               sorted(names), {
            "these are positions: take the names of state_dict()": [0, 1, 2, 3],
            "the biases are missing": sorted(n for n in names if "weight" in n)})
        if not isinstance(got["0.bias"], list):
            raise Wrong(f"weights on {name}", type(got["0.bias"]).__name__, "nested lists",
                        "a Tensor belongs to one library: use .tolist()")
        expect(f"the bias of the first layer on {name}", got["0.bias"],
               [0.3 * math.sin(i + 1) for i in range(8)], tolerance=1e-5)
