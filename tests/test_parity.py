"""The scalar engine, tinytensor and PyTorch run the same program and give the same numbers.

The function `train` runs with each of the three as its `engine`. From equal weights, the losses,
the activations of every layer and the gradients of every parameter must be equal in every step,
in float64 to a relative difference of 1e-12.
"""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import torch

import scalar
import tinytensor

TOLERANCE = 1e-12  # relative to the largest number in a comparison
SAMPLES = 6
STEPS = 3


# ---------------------------------------------------------------- PyTorch under the same names


class TorchLayer(torch.nn.Module):
    def __init__(self, nin: int, nout: int, nonlin: str | bool):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(nout, nin, dtype=torch.float64))
        self.bias = torch.nn.Parameter(torch.zeros(nout, dtype=torch.float64))
        self.nonlin = nonlin

    def forward(self, x: Any) -> Any:
        out = x @ self.weight.T + self.bias
        out = getattr(torch, self.nonlin)(out) if self.nonlin else out
        return out.squeeze(-1) if len(self.bias) == 1 else out


class TorchMLP(torch.nn.Module):
    def __init__(self, nin: int, nouts: list[int], nonlin: str = "relu"):
        super().__init__()
        sizes = itertools.pairwise([nin, *nouts])
        last = len(nouts) - 1
        self.layers = torch.nn.ModuleList(
            TorchLayer(a, b, nonlin if i < last else False) for i, (a, b) in enumerate(sizes))

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x


pytorch = SimpleNamespace(
    nn=SimpleNamespace(MLP=TorchMLP),
    optim=torch.optim,
    functional=SimpleNamespace(
        mse_loss=torch.nn.functional.mse_loss, cross_entropy=torch.nn.functional.cross_entropy,
        binary_cross_entropy=torch.nn.functional.binary_cross_entropy, sigmoid=torch.sigmoid,
        hinge_loss=lambda s, y: (1 - y * s).relu().mean(),
        squared_norm=lambda parameters: sum((p * p).sum() for p in parameters)))


# ---------------------------------------------------------------- the program


def hinge(engine: Any, outputs: Any, targets: Any, model: Any) -> Any:
    penalty = engine.functional.squared_norm(model.parameters())
    return engine.functional.hinge_loss(outputs, targets) + 1e-3 * penalty


def mse(engine: Any, outputs: Any, targets: Any, model: Any) -> Any:
    return engine.functional.mse_loss(outputs, targets)


def cross_entropy(engine: Any, outputs: Any, targets: Any, model: Any) -> Any:
    return engine.functional.cross_entropy(outputs, targets)


def binary_cross_entropy(engine: Any, outputs: Any, targets: Any, model: Any) -> Any:
    probabilities = engine.functional.sigmoid(outputs)
    return engine.functional.binary_cross_entropy(probabilities, targets)


OPTIMISERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-2},
    "Adam": {"lr": 0.05, "weight_decay": 1e-3},
}


def train(engine: Any, model: Any, inputs: Any, targets: Any, loss_of: Any, optimiser: str,
          steps: int = STEPS) -> list[dict[str, Any]]:
    """Trains the model. Returns what it computed in each step, as NumPy arrays by name."""
    optimizer = getattr(engine.optim, optimiser)(model.parameters(), **OPTIMISERS[optimiser])
    record = []
    for _ in range(steps):
        seen, x = {}, inputs
        for i, layer in enumerate(model.layers):
            x = layer(x)
            seen[f"activation {i}"] = numbers(x)
        loss = loss_of(engine, x, targets, model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        record.append(seen | {"loss": numbers(loss)} | gradients(model)
                      | {f"new {k}": numbers(v) for k, v in model.state_dict().items()})
    return record


# ---------------------------------------------------------------- numbers out of each engine


def numbers(x: Any) -> Any:
    """Converts a Value, nested lists of Values or numbers, or a Tensor to an array."""
    if hasattr(x, "detach"):
        return x.detach().numpy().copy()

    def plain(v: Any) -> Any:
        return [plain(e) for e in v] if isinstance(v, list | tuple) else float(v)

    return numpy.array(plain(x))


def gradients(model: Any) -> dict[str, Any]:
    """The gradient of each parameter, by its name in the state_dict."""
    grads = {name: numpy.full_like(numbers(v), numpy.nan)
             for name, v in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        array, _, place = name.partition("[")  # the scalar engine's: layers.0.weight[2][1]
        index = tuple(map(int, place.rstrip("]").split("]["))) if place else ...
        grads[array][index] = numbers(parameter.grad)
    return {f"grad of {name}": values for name, values in grads.items()}


def assert_same(mine: list[dict[str, Any]], reference: list[dict[str, Any]]) -> None:
    assert len(mine) == len(reference)
    for step, (a, b) in enumerate(zip(mine, reference, strict=True)):
        assert a.keys() == b.keys()
        for name in a:
            assert a[name].shape == b[name].shape, (step, name)
            difference = numpy.abs(a[name] - b[name]).max()
            largest = numpy.abs(b[name]).max()
            assert difference <= TOLERANCE * largest, (
                f"step {step}, {name}: difference {difference}, largest number {largest}")


# ---------------------------------------------------------------- the comparison


def weights_for(sizes: list[int], seed: int) -> dict[str, Any]:
    """A state_dict as plain nested lists."""
    rng = numpy.random.default_rng(seed)
    state = {}
    for i, (nin, nout) in enumerate(itertools.pairwise(sizes)):
        state[f"layers.{i}.weight"] = rng.uniform(-1, 1, (nout, nin)).tolist()
        state[f"layers.{i}.bias"] = rng.uniform(-0.5, 0.5, nout).tolist()
    return state


def data_for(sizes: list[int], loss: str, seed: int) -> tuple[Any, Any]:
    rng = numpy.random.default_rng(100 + seed)
    inputs = rng.normal(size=(SAMPLES, sizes[0]))
    shape = (SAMPLES,) if sizes[-1] == 1 else (SAMPLES, sizes[-1])
    targets = {"hinge": lambda: rng.choice([-1.0, 1.0], shape),
               "mse": lambda: rng.normal(size=shape),
               "cross_entropy": lambda: rng.integers(0, sizes[-1], SAMPLES),
               "binary_cross_entropy": lambda: rng.choice([0.0, 1.0], shape)}[loss]()
    return inputs, targets


@pytest.fixture(autouse=True)
def double_precision() -> Any:
    before = tinytensor.get_default_dtype()
    tinytensor.set_default_dtype(tinytensor.float64)
    yield
    tinytensor.set_default_dtype(before)


def in_three_engines(sizes: list[int], nonlin: str, seed: int) -> list[tuple[Any, Any, Any]]:
    """(engine, model, function that converts data). All models have the same weights."""
    state = weights_for(sizes, seed)
    models = [engine.nn.MLP(sizes[0], sizes[1:], nonlin=nonlin)
              for engine in (scalar, tinytensor, pytorch)]
    models[0].load_state_dict(state)
    models[1].load_state_dict(state)
    models[2].load_state_dict({k: torch.tensor(v, dtype=torch.float64) for k, v in state.items()})
    return [(scalar, models[0], lambda array: array.tolist()),
            (tinytensor, models[1], tinytensor.from_numpy),
            (pytorch, models[2], torch.from_numpy)]


ONE_OUTPUT = [[2, 16, 16, 1], [3, 4, 4, 1], [5, 1]]
SEVERAL = [[4, 8, 3], [2, 7, 5, 4]]
CASES = [(sizes, loss) for loss, shapes in (
    (hinge, ONE_OUTPUT), (mse, ONE_OUTPUT + SEVERAL), (cross_entropy, SEVERAL),
    (binary_cross_entropy, ONE_OUTPUT + SEVERAL)) for sizes in shapes]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("nonlin", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize(("sizes", "loss"), CASES,
                         ids=[f"{loss.__name__}-{sizes}" for sizes, loss in CASES])
def test_the_three_engines_agree(sizes: list[int], loss: Any, nonlin: str, optimiser: str) -> None:
    seed = len(loss.__name__) + sum(sizes)
    inputs, targets = data_for(sizes, loss.__name__, seed)
    mine, fast, reference = (
        train(engine, model, take(inputs), take(targets), loss, optimiser)
        for engine, model, take in in_three_engines(sizes, nonlin, seed))
    assert all(numpy.abs(v).max() > 0 for k, v in reference[0].items() if "grad" in k)
    assert_same(fast, mine)
    assert_same(fast, reference)


@pytest.mark.parametrize("seed", range(5))
def test_other_seeds(seed: int) -> None:
    sizes = [3, 6, 2]
    inputs, targets = data_for(sizes, "cross_entropy", seed)
    mine, fast, reference = (
        train(engine, model, take(inputs), take(targets), cross_entropy, "SGD", steps=8)
        for engine, model, take in in_three_engines(sizes, "tanh", seed))
    assert_same(fast, mine)
    assert_same(fast, reference)


def test_the_comparison_notices_a_wrong_gradient() -> None:
    inputs, targets = data_for([3, 4, 1], "mse", 0)
    mine, fast, _ = (
        train(engine, model, take(inputs), take(targets), mse, "SGD", steps=1)
        for engine, model, take in in_three_engines([3, 4, 1], "tanh", 0))
    assert_same(fast, mine)
    fast[0]["grad of layers.0.weight"][1, 2] *= 1 + 1e-9
    with pytest.raises(AssertionError, match=r"grad of layers\.0\.weight"):
        assert_same(fast, mine)


@pytest.mark.parametrize("sizes", [*ONE_OUTPUT, *SEVERAL])
def test_one_sample_and_a_batch(sizes: list[int]) -> None:
    inputs, _ = data_for(sizes, "mse", 1)
    for engine, model, take in in_three_engines(sizes, "relu", 1):
        batch = numbers(model(take(inputs)))
        assert batch.shape == ((SAMPLES,) if sizes[-1] == 1 else (SAMPLES, sizes[-1]))
        for sample, row in zip(inputs, batch, strict=True):
            alone = numbers(model(take(sample)))
            numpy.testing.assert_allclose(alone, row, rtol=1e-12, err_msg=engine.__name__
                                          if hasattr(engine, "__name__") else "pytorch")


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_one_program_with_one_set_of_data(optimiser: str) -> None:
    """The scalar engine takes Tensors as data too, so that only the engine differs."""
    sizes = [2, 6, 1]
    inputs, targets = map(tinytensor.from_numpy, data_for(sizes, "hinge", 2))
    mine, fast = (train(engine, model, inputs, targets, hinge, optimiser)
                  for engine, model, _ in in_three_engines(sizes, "relu", 2)[:2])
    assert_same(fast, mine)


@pytest.mark.parametrize("engine", [scalar, tinytensor], ids=["scalar", "tinytensor"])
def test_models_take_lists_and_arrays(engine: Any) -> None:
    model = engine.nn.MLP(2, [3, 1])
    model.load_state_dict(weights_for([2, 3, 1], 4))
    rows = [[1.0, -2.0], [0.5, 3.0]]
    expected = [model(row).item() for row in rows]
    assert numbers(model(rows)).tolist() == pytest.approx(expected, rel=1e-14)
    assert numbers(model(numpy.array(rows))).tolist() == pytest.approx(expected, rel=1e-14)
    assert numbers(model(numpy.array(rows, dtype="float32"))).tolist() == \
        pytest.approx(expected, rel=1e-14)


def test_weights_cross_over_in_both_directions() -> None:
    scalar.manual_seed(0)
    tinytensor.manual_seed(0)
    small, large = scalar.nn.MLP(2, [3, 1]), tinytensor.nn.MLP(2, [3, 1])
    assert list(small.state_dict()) == list(large.state_dict())
    inputs = [[0.3, -1.2], [2.0, 0.1]]
    assert numbers(small(inputs)).tolist() != large(tinytensor.tensor(inputs)).tolist()

    large.load_state_dict(small.state_dict())
    assert {k: v.tolist() for k, v in large.state_dict().items()} == small.state_dict()
    numpy.testing.assert_allclose(numbers(large(tinytensor.tensor(inputs))),
                                  numbers(small(inputs)), rtol=1e-14)

    fresh = scalar.nn.MLP(2, [3, 1])
    fresh.load_state_dict({k: v.tolist() for k, v in large.state_dict().items()})
    assert fresh.state_dict() == small.state_dict()
    again = scalar.nn.MLP(2, [3, 1])
    again.load_state_dict(large.state_dict())
    assert again.state_dict() == small.state_dict()


@pytest.mark.parametrize("part", ["Neuron", "Layer"])
def test_neurons_and_layers_alone(part: str) -> None:
    arguments = (3,) if part == "Neuron" else (3, 2)
    small = getattr(scalar.nn, part)(*arguments, nonlin="tanh")
    large = getattr(tinytensor.nn, part)(*arguments, nonlin="tanh")
    large.load_state_dict(small.state_dict())
    x = [0.5, -1.0, 2.0]
    numpy.testing.assert_allclose(numbers(large(tinytensor.tensor(x))), numbers(small(x)),
                                  rtol=1e-14)


@pytest.mark.parametrize("engine", [scalar, tinytensor], ids=["scalar", "tinytensor"])
def test_both_engines_offer_the_same_words(engine: Any) -> None:
    for path in ("nn.MLP", "nn.Layer", "nn.Neuron", "nn.Module", "functional.cross_entropy",
                 "functional.hinge_loss", "functional.mse_loss", "functional.squared_norm",
                 "functional.binary_cross_entropy", "functional.softmax", "optim.SGD",
                 "optim.Adam", "manual_seed"):
        member = engine
        for name in path.split("."):
            member = getattr(member, name)
        assert callable(member)
    model = engine.nn.MLP(2, [3, 1])
    for name in ("zero_grad", "parameters", "named_parameters", "state_dict", "load_state_dict"):
        assert callable(getattr(model, name))
    with pytest.raises(ValueError, match="nonlin"):
        engine.nn.MLP(2, [3, 1], nonlin="softplus")


@pytest.mark.parametrize("engine", [scalar, tinytensor], ids=["scalar", "tinytensor"])
def test_weights_begin_in_the_same_distribution(engine: Any) -> None:
    engine.manual_seed(1)
    state = engine.nn.MLP(40, [50, 1]).state_dict()
    weight = numbers(state["layers.0.weight"])
    assert weight.shape == (50, 40)
    assert -1 <= weight.min() < -0.99 and 0.99 < weight.max() <= 1
    assert abs(weight.mean()) < 0.04 and abs(weight.var() - 1 / 3) < 0.03
    assert not numbers(state["layers.0.bias"]).any()
    engine.manual_seed(1)
    assert (numbers(engine.nn.MLP(40, [50, 1]).state_dict()["layers.0.weight"]) == weight).all()


@pytest.mark.parametrize("engine", [scalar, tinytensor], ids=["scalar", "tinytensor"])
def test_a_state_dict_that_does_not_fit_changes_nothing(engine: Any) -> None:
    model = engine.nn.MLP(2, [3, 1])
    before = {k: numbers(v) for k, v in model.state_dict().items()}
    wrong = weights_for([2, 3, 1], 0)
    wrong["layers.1.bias"] = [1.0, 2.0]
    with pytest.raises(RuntimeError, match=r"layers\.1\.bias"):
        model.load_state_dict(wrong)
    for name, values in model.state_dict().items():
        assert (numbers(values) == before[name]).all()
