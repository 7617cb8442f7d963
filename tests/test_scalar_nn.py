"""scalar.nn: models, their calls and their state, against PyTorch's layers."""

import json
import random

import numpy as np
import pytest
import torch

import scalar
from scalar import Value, nn
from scalar.nn import MLP, Layer, Module, Neuron


def torch_twin(model, activation):
    """The PyTorch model with the weights of an MLP."""
    modules = []
    for i, layer in enumerate(model.layers):
        linear = torch.nn.Linear(len(layer.neurons[0].w), len(layer.neurons), dtype=torch.float64)
        linear.load_state_dict({name: torch.tensor(x, dtype=torch.float64)
                                for name, x in layer.state_dict().items()})
        modules += [linear] if i == len(model.layers) - 1 else [linear, activation]
    return torch.nn.Sequential(*modules)


@pytest.mark.parametrize("nonlin, activation", [
    ("relu", torch.nn.ReLU()), ("tanh", torch.nn.Tanh()), ("sigmoid", torch.nn.Sigmoid()),
    (True, torch.nn.ReLU()), (False, torch.nn.Identity())])
def test_an_mlp_equals_pytorchs(nonlin, activation):
    scalar.manual_seed(5)
    model = MLP(3, [4, 4, 2], nonlin=nonlin)
    twin = torch_twin(model, activation)
    x = np.random.default_rng(0).normal(size=(6, 3))
    out, want = model(x), twin(torch.tensor(x))
    sum(a * a for row in out for a in row).backward()
    (want * want).sum().backward()
    np.testing.assert_allclose(np.array(out, dtype=float), want.detach().numpy(), rtol=1e-12)
    for layer, linear in zip(model.layers, [m for m in twin if hasattr(m, "weight")], strict=True):
        grads = [[w.grad for w in neuron.w] for neuron in layer.neurons]
        np.testing.assert_allclose(grads, linear.weight.grad.numpy(), rtol=1e-12, atol=1e-15)
        grads = [neuron.b.grad for neuron in layer.neurons]
        np.testing.assert_allclose(grads, linear.bias.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("mine, twin, samples", [
    (nn.Linear(3, 4), torch.nn.Linear(3, 4), [[0.5, -1.0, 2.0], [1.0, 0.0, 3.0]]),
    (nn.Linear(2, 1, bias=False), torch.nn.Linear(2, 1, bias=False), [[0.5, -1.0]]),
    (nn.LayerNorm(3), torch.nn.LayerNorm(3), [[0.5, -1.0, 2.0], [1.0, 0.0, 3.0]]),
    (nn.LayerNorm((2,), eps=0.1), torch.nn.LayerNorm(2, eps=0.1), [[0.5, -1.0]]),
    (nn.Embedding(4, 2), torch.nn.Embedding(4, 2), [[0, 3, 3], [1, 0, 2]])], ids=repr)
def test_layers_under_pytorchs_names(mine, twin, samples):
    """Layers load PyTorch's state_dict and give its results."""
    rng = np.random.default_rng(0)
    state = {k: torch.tensor(rng.normal(size=v.shape)) for k, v in twin.state_dict().items()}
    mine.load_state_dict(state)
    twin.double().load_state_dict(state)
    integers = isinstance(mine, nn.Embedding)
    out = mine(samples)
    want = twin(torch.tensor(samples, dtype=torch.int64 if integers else torch.float64))
    np.testing.assert_allclose(np.array(out, dtype=float), want.detach().numpy(), rtol=1e-12)
    for sample, row in zip(samples, want.detach().numpy(), strict=True):
        np.testing.assert_allclose(np.array(mine(sample), dtype=float), row, rtol=1e-12)
    sum(y * y for y in np.array(out, dtype=object).flat).backward()
    (want * want).sum().backward()
    grads = [p.grad for p in mine.parameters()]
    wanted = np.concatenate([p.grad.numpy().ravel() for p in twin.parameters()])
    np.testing.assert_allclose(grads, wanted, rtol=1e-11, atol=1e-14)


def test_layers_begin_as_pytorchs():
    scalar.manual_seed(0)
    assert nn.LayerNorm(3).state_dict() == {"weight": [1.0] * 3, "bias": [0.0] * 3}
    table = np.array(nn.Embedding(50, 20).state_dict()["weight"])
    assert abs(table.mean()) < 0.1 and abs(table.std() - 1) < 0.1
    numbers = np.concatenate([np.ravel(x) for x in nn.Linear(16, 50).state_dict().values()])
    assert 0.24 < abs(numbers).max() <= 0.25  # 1 / √16
    assert repr(nn.Linear(2, 3)) == "Linear(2, 3, bias=True)"
    assert repr(nn.Embedding(2, 3)) == "Embedding(2, 3)"
    assert repr(nn.LayerNorm(3)) == "LayerNorm(3, eps=1e-05)"


# ---------------------------------------------------------------- in micrograd's style


def test_weights_are_drawn_one_after_the_other_and_biases_are_0():
    random.seed(1337)
    drawn = [random.uniform(-1, 1) for _ in range(2 * 3 + 3 * 1)]
    random.seed(1337)
    model = MLP(2, [3, 1])
    weights = [w.data for layer in model.layers for neuron in layer.neurons for w in neuron.w]
    assert weights == drawn
    assert [n.b.data for layer in model.layers for n in layer.neurons] == [0.0] * 4


def test_manual_seed_decides_the_weights():
    scalar.manual_seed(7)
    first = MLP(2, [2]).state_dict()
    assert MLP(2, [2]).state_dict() != first
    scalar.manual_seed(7)
    assert MLP(2, [2]).state_dict() == first


def test_parameters_come_neuron_after_neuron():
    model = MLP(2, [2, 1])
    want = [p for layer in model.layers for n in layer.neurons for p in [*n.w, n.b]]
    assert all(p is q for p, q in zip(model.parameters(), want, strict=True))


def test_reprs():
    assert repr(Neuron(2)) == repr(Neuron(2, nonlin="relu")) == "ReLUNeuron(2)"
    assert repr(Neuron(2, nonlin=False)) == "LinearNeuron(2)"
    assert repr(Neuron(3, "tanh")) == "TanhNeuron(3)"
    assert repr(Layer(1, 2, nonlin="sigmoid")) == "Layer of [SigmoidNeuron(1), SigmoidNeuron(1)]"
    assert repr(MLP(2, [1, 1])) == ("MLP of [Layer of [ReLUNeuron(2)], "
                                    "Layer of [LinearNeuron(1)]]")


def test_the_nonlinearity_of_a_neuron_can_be_changed_later():
    neuron = Neuron(1)
    neuron.w[0].data = -1.0
    assert neuron([2.0]) == 0.0
    neuron.nonlin = False
    assert neuron([2.0]) == -2.0


def test_an_unknown_nonlinearity_lists_the_known():
    with pytest.raises(ValueError, match=r"'gelu' is none of .*'relu', 'tanh', 'sigmoid'"):
        Neuron(2, nonlin="gelu")


@pytest.mark.parametrize("make", [
    lambda: MLP(2, [3, 1], activation="tanh"), lambda: Layer(2, 3, activation="tanh"),
    lambda: Neuron(2, activation="tanh")], ids=["MLP", "Layer", "Neuron"])
def test_an_unknown_argument_names_the_known(make):
    with pytest.raises(TypeError, match=r"unknown argument activation; .*nonlin='relu', 'tanh'"):
        make()


@pytest.mark.parametrize("make, message", [
    (lambda: MLP(2, [0]), r"MLP: nouts\[0\] must be at least 1, got 0"),
    (lambda: MLP(2, [3, -1]), r"MLP: nouts\[1\] must be at least 1, got -1"),
    (lambda: MLP(0, [1]), "MLP: nin must be at least 1, got 0"),
    (lambda: Layer(2, 0), "Layer: nout must be at least 1"),
    (lambda: Neuron(0), "Neuron: nin must be at least 1"),
    (lambda: nn.Linear(0, 1), "Linear: in_features must be at least 1"),
    (lambda: nn.Linear(1, 0), "Linear: out_features must be at least 1"),
    (lambda: nn.Embedding(3, 0), "Embedding: embedding_dim must be at least 1"),
    (lambda: nn.LayerNorm(0), "LayerNorm: normalized_shape must be at least 1")])
def test_a_size_below_1(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make, message", [
    (lambda: MLP(2, [1.5]), r"MLP: nouts\[0\] must be a whole number, got 1\.5"),
    (lambda: Neuron("2"), "Neuron: nin must be a whole number, got '2'"),
    (lambda: MLP(2, 3), r"MLP: nouts must be a list .* MLP\(2, \[16, 1\]\), got 3"),
    (lambda: MLP(2, []), "MLP: nouts must be a list")])
def test_a_size_that_is_no_whole_number(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_sizes_may_be_numpys():
    assert len(MLP(np.int64(2), [np.int32(3)]).parameters()) == 9


def test_zero_grad():
    model = MLP(2, [2, 1])
    model([1.0, 2.0]).backward()
    assert any(p.grad != 0 for p in model.parameters())
    model.zero_grad()
    assert all(p.grad == 0.0 for p in model.parameters())


def test_a_training_loop_separates_two_rings():
    random.seed(0)
    angles = [random.uniform(0, 6.28) for _ in range(24)]
    data = [(np.cos(a) * r, np.sin(a) * r, y) for i, a in enumerate(angles)
            for r, y in [((0.4, -1), (1.2, 1))[i % 2]]]
    model = MLP(2, [8, 1])
    losses = []
    for _ in range(60):
        inputs = [list(map(Value, row[:2])) for row in data]
        scores = list(map(model, inputs))
        margins = [(1 + -row[2] * score).relu() for row, score in zip(data, scores, strict=True)]
        loss = sum(margins) * (1.0 / len(margins)) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.3 * p.grad
        losses.append(loss.data)
    assert losses[-1] < 0.3 * losses[0]
    assert sum((row[2] > 0) == (s.data > 0) for row, s in zip(data, scores, strict=True)) >= 23


def test_modules_in_micrograds_style():
    class Scale(Module):
        def __init__(self):
            self.factor = Value(2.0)

        def __call__(self, x):
            return [self.factor * xi for xi in x]

        def parameters(self):
            return [self.factor]

    class Net(Module):
        def __init__(self):
            self.scale = Scale()
            self.head = Layer(2, 1, nonlin=False)

        def __call__(self, x):
            return self.head(self.scale(x))

        def parameters(self):
            return self.scale.parameters() + self.head.parameters()

    net = Net()
    net.head.load_state_dict({"weight": [[1.0, 10.0]], "bias": [0.5]})
    out = net([1.0, 2.0])
    out.backward()
    assert out.data == 42.5 and net.scale.factor.grad == 21.0
    assert [name for name, _ in net.named_parameters()] == [
        "scale.factor", "head.weight[0][0]", "head.weight[0][1]", "head.bias[0]"]
    assert net.state_dict() == {"scale.factor": 2.0, "head.weight": [[1.0, 10.0]],
                                "head.bias": [0.5]}
    net.zero_grad()
    assert net.scale.factor.grad == 0.0


def test_a_module_with_a_forward_of_its_own_takes_samples_and_batches():
    class Dot(Module):
        def __init__(self):
            self.w = [Value(1.0), Value(10.0)]

        def forward(self, x):
            return x[0] * self.w[0] + x[1] * self.w[1]

    dot = Dot()
    assert dot([1, 2]).data == 21.0
    assert [out.data for out in dot([[1, 2], [3, 4]])] == [21.0, 43.0]
    with pytest.raises(NotImplementedError, match="Module: define forward"):
        Module()([1.0])


# ---------------------------------------------------------------- how models are called


def test_the_forms_of_a_sample():
    model = MLP(2, [3, 2], nonlin="tanh")
    want = [v.data for v in model([Value(0.5), Value(-1.0)])]
    rows = np.array([[0.5, -1.0], [2.0, 3.0]])
    tensor = torch.tensor(rows)
    for sample in ((0.5, -1.0), [0.5, Value(-1.0)], rows[0], iter([0.5, -1.0]), tensor[0],
                   rows.astype(np.float32)[0], np.array([Value(0.5), Value(-1.0)])):
        assert [v.data for v in model(sample)] == want
    for batch in (rows, rows.tolist(), list(rows), [tuple(row) for row in rows], tensor):
        out = model(batch)
        assert len(out) == 2 and [v.data for v in out[0]] == want


def test_gradients_reach_the_inputs():
    neuron = Neuron(2, nonlin=False)
    x = [Value(1.0), Value(2.0)]
    neuron(x).backward()
    assert [xi.grad for xi in x] == [w.data for w in neuron.w]


def test_one_output_is_no_list():
    assert isinstance(Layer(2, 1)([1.0, 2.0]), Value)
    assert isinstance(MLP(2, [2, 1])([1.0, 2.0]), Value)
    assert all(isinstance(out, Value) for out in MLP(2, [2, 1])([[1.0, 2.0], [3.0, 4.0]]))


def test_a_layer_of_one_neuron_may_stand_in_the_middle():
    assert len(MLP(2, [1, 3])([1.0, 2.0])) == 3
    assert isinstance(Neuron(1)(2.0), Value)


@pytest.mark.parametrize("model", [Neuron(2), Layer(2, 3), MLP(2, [3, 1])])
@pytest.mark.parametrize("sample", [[1.0, 2.0, 3.0], [1.0], [[1.0, 2.0], [1.0, 2.0, 3.0]]])
def test_a_sample_of_another_length(model, sample):
    with pytest.raises(ValueError, match=r"Neuron: expected 2 inputs, got (3|1)"):
        model(sample)


def test_a_sample_of_strings():
    with pytest.raises(TypeError, match="one number, got str"):
        Neuron(2)(["a", "b"])


# ---------------------------------------------------------------- state


def test_names_and_shapes_of_the_state():
    model = MLP(3, [4, 1])
    shapes = {name: np.shape(x) for name, x in model.state_dict().items()}
    assert shapes == {"layers.0.weight": (4, 3), "layers.0.bias": (4,),
                      "layers.1.weight": (1, 4), "layers.1.bias": (1,)}
    assert list(Layer(2, 3).state_dict()) == ["weight", "bias"]
    state = Neuron(2).state_dict()
    assert len(state["weight"]) == 2 and state["bias"] == 0.0
    for name, p in model.named_parameters():
        array, *places = name.replace("]", "").split("[")
        x = model.state_dict()[array]
        for place in places:
            x = x[int(place)]
        assert x == p.data
    assert [p for _, p in model.named_parameters()] == model.parameters()


def test_state_goes_through_json_and_numpy_and_torch():
    model = MLP(2, [3, 1])
    state = model.state_dict()
    arrays = {name: np.array(x) for name, x in state.items()}
    tensors = {name: torch.tensor(x, dtype=torch.float64) for name, x in state.items()}
    for given in (json.loads(json.dumps(state)), arrays, tensors):
        other = MLP(2, [3, 1])
        keys = other.load_state_dict(given)
        assert other.state_dict() == state and keys == ([], [])
        assert all(type(p.data) is float for p in other.parameters())


def test_whole_numbers_become_floats():
    neuron = Neuron(1)
    neuron.load_state_dict({"weight": [2], "bias": 1})
    assert [repr(p.data) for p in neuron.parameters()] == ["2.0", "1.0"]


def test_the_state_is_a_copy():
    neuron = Neuron(1)
    state = neuron.state_dict()
    state["weight"][0] = 99.0
    assert neuron.w[0].data != 99.0


def test_a_state_that_does_not_fit_is_reported_whole_and_changes_nothing():
    model = MLP(2, [2, 1])
    before = model.state_dict()
    bad = {"layers.0.weight": [[1.0, 2.0, 3.0]] * 2, "layers.0.bias": [7.0, 7.0],
           "layers.1.weight": [["a", "b"]], "head": [1.0]}
    with pytest.raises(RuntimeError) as error:
        model.load_state_dict(bad)
    for part in ("MLP", "missing: layers.1.bias", "unexpected: head",
                 "layers.0.weight: the shape is (2, 2) in the model, (2, 3) in state_dict",
                 "layers.1.weight: some entries are not numbers"):
        assert part in str(error.value)
    assert model.state_dict() == before


def test_a_ragged_array_does_not_fit():
    with pytest.raises(RuntimeError, match=r"shape is \(2, 2\) in the model, ragged in"):
        Layer(2, 2).load_state_dict({"weight": [[1.0, 2.0], [1.0]], "bias": [0.0, 0.0]})


def test_not_strict_loads_what_is_known():
    layer = Layer(1, 1)
    keys = layer.load_state_dict({"bias": [3.0], "other": 1.0}, strict=False)
    assert layer.neurons[0].b.data == 3.0
    assert keys.missing_keys == ["weight"] and keys.unexpected_keys == ["other"]
    with pytest.raises(RuntimeError, match="shape"):
        layer.load_state_dict({"bias": 3.0}, strict=False)


def test_parameters_are_found_in_all_kinds_of_attributes():
    class Everything(Module):
        def __init__(self):
            self.single = Value(1.0)
            self.rows = [[Value(2.0), Value(3.0)], [Value(4.0), Value(5.0)]]
            self.ragged = [[Value(6.0)], [Value(7.0), Value(8.0)]]
            self.parts = (Neuron(1), Value(9.0))
            self.by_name = {"a": Value(10.0), "b": Layer(1, 1)}
            self.tied = self.single
            self.result = self.single * 2  # results of operations are not parameters
            self.count, self.name, self.nothing = 3, "no parameter", []

    model = Everything()
    assert list(model.state_dict()) == [
        "single", "rows", "ragged.0", "ragged.1", "parts.0.weight", "parts.0.bias", "parts.1",
        "by_name.a", "by_name.b.weight", "by_name.b.bias", "tied"]
    assert len(model.parameters()) == 1 + 4 + 3 + 2 + 1 + 1 + 2
    assert len({id(p) for p in model.parameters()}) == len(model.parameters())
    assert [name for name, p in model.named_parameters() if p is model.tied] == ["single"]


def test_functional_is_at_hand():
    assert nn.functional is scalar.functional
