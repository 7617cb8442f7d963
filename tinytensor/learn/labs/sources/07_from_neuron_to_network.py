# %% [markdown]
# # 07 From neuron to network
#
# The numbers of the labs before are `scalar.Value` in this project: the same idea, with all
# operations. From here on they are used. A neuron is one line of them:
#
#     neuron(x) = tanh(w0 x0 + w1 x1 + ... + b)
#
# It has one weight for each input, and a bias b. A layer is several neurons that look at the same
# inputs; a network is several layers, each of which looks at the results of the one before.

# %%
from __future__ import annotations

import random

from scalar import Value


class Neuron:
    """tanh of a weighted sum of `count` inputs. Weights start at random, the bias at 0."""

    def __init__(self, count: int):
        self.w = [Value(random.uniform(-1, 1)) for _ in range(count)]
        self.b = Value(0.0)

    def __call__(self, x: list) -> Value:
        # <todo> return the tanh of the bias plus the sum of weight times input
        total = self.b
        for w, xi in zip(self.w, x, strict=True):
            total = total + w * xi
        return total.tanh()
        # </todo>

    def parameters(self) -> list[Value]:
        """The numbers that training changes."""
        # <todo> return the weights and the bias in one list
        return [*self.w, self.b]
        # </todo>


class Layer:
    """`results` neurons that look at the same `count` inputs."""

    def __init__(self, count: int, results: int):
        self.neurons = [Neuron(count) for _ in range(results)]

    def __call__(self, x: list) -> list[Value]:
        # <todo> return the results of all neurons for x in a list
        return [neuron(x) for neuron in self.neurons]
        # </todo>

    def parameters(self) -> list[Value]:
        return [p for neuron in self.neurons for p in neuron.parameters()]


class Network:
    """Layers one after the other: Network([2, 8, 1]) has 2 inputs, 8 neurons, and 1 more."""

    def __init__(self, sizes: list[int]):
        self.layers = [Layer(a, b) for a, b in zip(sizes, sizes[1:])]

    def __call__(self, x: list) -> list[Value]:
        # <todo> give x to the first layer, its result to the second, and so on
        for layer in self.layers:
            x = layer(x)
        return x
        # </todo>

    def parameters(self) -> list[Value]:
        return [p for layer in self.layers for p in layer.parameters()]


# %% [markdown]
# The check trains this network on two moons: 40 points, two classes, which no line can separate.
# Run it yourself: `python lab07.py`.

# %%
def moons(count: int = 40) -> tuple[list[list[float]], list[float]]:
    """Points on two half circles, and their classes, -1 and 1."""
    import math
    generator = random.Random(1)
    points, classes = [], []
    for i in range(count):
        angle = math.pi * generator.random()
        upper = i % 2 == 0
        x, y = math.cos(angle), math.sin(angle)
        points.append([x, y] if upper else [1 - x, 0.5 - y])
        classes.append(1.0 if upper else -1.0)
    return points, classes


def train(network: Network, steps: int = 60, rate: float = 0.15) -> list[float]:
    """Trains on the moons, and returns the mean squared error before each step."""
    points, classes = moons()
    errors = []
    for _ in range(steps):
        squares = [(network(x)[0] - y) ** 2 for x, y in zip(points, classes)]
        loss = sum(squares, Value(0.0)) / len(points)
        for p in network.parameters():
            p.grad = 0.0
        loss.backward()
        for p in network.parameters():
            p.data -= rate * p.grad
        errors.append(loss.data)
    return errors


if __name__ == "__main__":
    random.seed(0)
    for i, error in enumerate(train(Network([2, 8, 1]))):
        print(f"step {i:2}  error {error:.3f}")


# %% tags=["hints"]
"""
Compute a neuron with weights 1, -2, bias 0.5 and inputs 3, 4 by hand. What does tanh get?

zip(self.w, x) gives the pairs of weight and input. sum(..., self.b) begins with the bias.

A layer returns a list, also if it has one neuron. It is the x of the next layer.
"""

# %% tags=["check"]
import math


def value_of(x):
    return getattr(x, "data", x)


def check_neuron(lab):
    """Compute a neuron with weights 1, -2, bias 0.5 and inputs 3, 4 by hand. What does tanh get?

    In Neuron, zip(self.w, x) gives the pairs of weight and input. The bias is added once, and tanh
    comes last, on the whole sum.

    Begin a total with the bias, add one product for each pair, and call .tanh() on it. Use the
    Values themselves, not their data, or no gradient comes back.
    """
    neuron = lab.Neuron(2)
    for w, data in zip(neuron.w, (0.5, -1.0)):
        w.data = data
    neuron.b.data = 0.3
    x = [0.8, 0.9]
    out = neuron(x)
    inner = 0.5 * 0.8 - 1.0 * 0.9 + 0.3
    rule = "neuron with w = [0.5, -1], b = 0.3 at x = [0.8, 0.9]"
    expect(rule, value_of(out), math.tanh(inner), {
        "the tanh is missing": inner, "the bias is missing": math.tanh(inner - 0.3),
        "bias and tanh are missing": inner - 0.3, "the bias is added behind the tanh":
            math.tanh(inner - 0.3) + 0.3,
        "the weights add up with the inputs: each multiplies its input": math.tanh(0.5 + 0.8 - 1 + 0.9 + 0.3),
        "only the first input is used": math.tanh(0.4 + 0.3),
        "the bias is added for each input: once is enough": math.tanh(inner + 0.3),
        "this is a relu: a tanh is asked for": max(inner, 0.0),
        "tanh is applied to each product: it is applied to their sum":
            math.tanh(0.4) + math.tanh(-0.9) + 0.3})
    if not hasattr(out, "backward"):
        raise Wrong(rule, repr(out), "a Value", "a plain number has no gradient: compute with the "
                    "Values, not with their data")
    expect_gradients("gradients of a neuron", lambda w, b: sum(
        (w[i] * x[i] for i in range(2)), b).tanh(), {"w": [0.5, -1.0], "b": 0.3},
        gradients_of(out, neuron))


def gradients_of(out, neuron):
    for p in (*neuron.w, neuron.b):
        p.grad = 0.0
    out.backward()
    return {"w": [w.grad for w in neuron.w], "b": neuron.b.grad}


def check_parameters(lab):
    """How many numbers does training change in a neuron with 3 inputs?

    parameters of a Neuron gives the Values themselves, in one flat list.

    The weights are a list already. [*a, b] makes a list of all elements of a, and b.
    """
    neuron = lab.Neuron(3)
    names = {id(w): f"w{i}" for i, w in enumerate(neuron.w)} | {id(neuron.b): "b"}
    got = neuron.parameters()
    shown = sorted(names.get(id(p), "another object") for p in got) if isinstance(got, list) else got
    expect("parameters of a neuron with 3 inputs", shown, ["b", "w0", "w1", "w2"], {
        "the bias is missing, and would never be trained": ["w0", "w1", "w2"],
        "the weights are missing, and would never be trained": ["b"],
        "these are numbers: training changes the Values": ["another object"] * 4,
        "the list of weights stands inside of the list: unpack it with *":
            ["another object", "b"]})


def check_layer(lab):
    """A layer of 3 neurons is given 2 inputs. How many results does it have?

    In Layer, each neuron is called with the same x.

    Return a list with one result for each element of self.neurons; also a layer of one neuron gives
    a list.
    """
    layer = lab.Layer(2, 3)
    x = [0.5, -0.5]
    each = [value_of(neuron(x)) for neuron in layer.neurons]
    got = layer(x)
    if hasattr(got, "data"):
        raise Wrong("layer of 3 neurons", repr(got), "a list of 3 Values", "this is one result: a "
                    "layer gives one for each neuron")
    if got is None:
        raise Wrong("layer of 3 neurons", "None", "a list of 3 Values", NOTHING)
    expect("results of a layer of 3 neurons", [value_of(v) for v in got], each, {
        "only the first neuron was asked": each[:1], "the order is turned around": each[::-1],
        "each neuron looks at x, not at the result of the neuron before": [each[0]] * 3})


def check_network(lab):
    """Network([2, 3, 1]): what goes into the second layer?

    In Network, the result of a layer is the x of the next one.

    Loop over self.layers, and give x its new meaning in each round. What the last layer returns is
    the result, a list.
    """
    random_state = lab.random.getstate()
    lab.random.seed(3)
    network = lab.Network([2, 3, 3, 1])
    lab.random.setstate(random_state)
    x = [0.2, 0.7]
    first = network.layers[0](x)
    second = network.layers[1](first)
    third = network.layers[2](second)
    got = network(list(x))
    if not isinstance(got, list):
        raise Wrong("result of a network", repr(got), "a list with one Value", NOTHING if got is None
                    else "return the list of the last layer as it is")
    expect("result of a network [2, 3, 3, 1]", [value_of(v) for v in got],
           [value_of(v) for v in third], {
        "only the first layer was applied": [value_of(v) for v in first],
        "the last layer was left out": [value_of(v) for v in second],
        "the input came back unchanged": x,
        "the second layer was left out": [value_of(v) for v in network.layers[2](first)],
        "this is the result before the last tanh": [math.atanh(value_of(v)) for v in third]})


def check_training(lab):
    """Run `python lab07.py`. Does the error fall at all, and where does it stop?

    If a Neuron passes its check and nothing is learned, a parameter is missing in parameters, or a
    Network leaves out a layer.

    Print p.grad for each of network.parameters() after one backward. A number that stays at 0 has
    no path to the loss.
    """
    state = lab.random.getstate()
    lab.random.seed(0)
    network = lab.Network([2, 8, 1])
    errors = lab.train(network, steps=60)
    lab.random.setstate(state)
    if not errors[-1] < 0.5 * errors[0]:
        raise Wrong("training on the two moons", f"error {errors[0]:.3f} -> {errors[-1]:.3f}",
                    "less than half of the first error", "something in the network does not learn")
