"""learn.open: elements of parameters, results and gradients as graphs of Values."""

from __future__ import annotations

import importlib

import numpy
import pytest
from operations import in_turn

import scalar
import tinytensor as tt
from scalar import Value, topological_order
from tinytensor import learn, nn

F = nn.functional
gpt = importlib.import_module("06_gpt")


def drawn(*shape):
    return tt.tensor(numpy.random.default_rng(sum(shape)).normal(size=shape))


def squares(output):
    output = output[0] if isinstance(output, tuple) else output
    return (output * output * output).mean()


def classes(*labels):
    return lambda output: F.cross_entropy(output, tt.tensor(labels))


MODELS = {
    "MLP": (lambda: nn.MLP(3, [4, 2], nonlin="tanh"), [drawn(2, 3)], classes(0, 1)),
    "CNN": (lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                                  nn.Linear(8, 2)), [drawn(2, 1, 6, 6)], classes(0, 1)),
    "RNN": (lambda: nn.RNN(3, 2), [drawn(3, 2, 3)], squares),
    "LSTM": (lambda: nn.LSTM(3, 2), [drawn(3, 2, 3)], squares),
    "GRU": (lambda: nn.GRU(3, 2), [drawn(3, 2, 3)], squares),
    "LayerNorm": (lambda: nn.LayerNorm(4), [drawn(2, 4)], squares),
    "BatchNorm": (lambda: nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4)),
                  [drawn(3, 3)], squares),
    "attention": (lambda: nn.MultiheadAttention(4, 2), [drawn(3, 1, 4)] * 3, squares),
    "encoder": (lambda: nn.TransformerEncoderLayer(4, 2, 6, dropout=0.5), [drawn(3, 1, 4)],
                squares),
    "GPT": (lambda: gpt.GPT(gpt.Config(vocabulary=5, context=4, width=4, heads=2, layers=1)),
            [tt.tensor([[0, 3, 1]])], lambda out: gpt.loss_of(lambda x: out, None,
                                                              tt.tensor([[3, 1, 4]]))),
}


def example(name):
    make, inputs, loss = MODELS[name]
    tt.manual_seed(3)
    return make().double(), inputs, loss


def relative(value, expected, largest):
    return abs(value - expected) / max(float(largest), 1e-3)


@in_turn("name", MODELS)
def test_losses_and_gradients_equal_the_tensor_engines(name):
    model, inputs, loss = example(name)
    state = tt.get_rng_state()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    opened = [learn.open(model, *inputs, loss=loss)]
    for key, parameter in model.named_parameters():
        place = [n // 2 for n in parameter.shape]
        opened.append(learn.open(model, *inputs, loss=loss, at=f"{key}.grad{place}"))
        assert opened[-1].label.endswith(f"grad{place}")
    assert all((model.state_dict()[k] == v).all() for k, v in before.items())
    assert all(p.grad is None and p.dtype is tt.float64 for p in model.parameters())
    tt.set_rng_state(state)  # dropout draws what it drew for `open`
    total = loss(model(*inputs))
    total.backward()
    assert opened[0].data == pytest.approx(total.item(), rel=1e-13)
    assert opened[0].label == "loss"
    for value, parameter in zip(opened[1:], model.parameters(), strict=True):
        expected = parameter.grad[tuple(n // 2 for n in parameter.shape)].item()
        assert relative(value.data, expected, parameter.grad.abs().max()) < 1e-12


@in_turn("name", MODELS)
def test_the_graph_of_the_loss_has_the_same_gradients(name):
    model, inputs, loss = example(name)
    state = tt.get_rng_state()
    opened = learn.open(model, *inputs, loss=loss)
    opened.backward()
    tt.set_rng_state(state)
    loss(model(*inputs)).backward()
    leaves = {v.label: v.grad for v in topological_order(opened) if not v._op}
    for key, parameter in model.named_parameters():
        for index in numpy.ndindex(*parameter.shape):
            expected = parameter.grad[index].item()
            label = f"{key}{list(index)}"
            assert relative(leaves.get(label, 0.0), expected, parameter.grad.abs().max()) < 1e-12
    others = {label.partition("[")[0] for label in leaves} - {"", *dict(model.named_parameters())}
    assert others == {"attention": {"query", "key", "value"}, "encoder": {"src"}, "GPT": set(),
                      "MLP": {"x"}}.get(name, {"input"})


def test_a_loss_makes_its_labels_on_the_cpu(gpu):
    model, inputs, loss = example("MLP")
    expected = learn.open(model, *inputs, loss=loss, at="layers.0.weight.grad[0, 1]")
    with tt.device("cuda"):
        opened = learn.open(model.to("cuda"), *(x.to("cuda") for x in inputs), loss=loss,
                            at="layers.0.weight.grad[0, 1]")
    assert opened.data == pytest.approx(expected.data, rel=1e-12)


@in_turn("name", MODELS)
def test_sizes_are_predicted(name, monkeypatch):
    model, inputs, loss = example(name)
    key, parameter = next(model.named_parameters())
    options = {"loss": loss, "at": f"{key}.grad{[0] * parameter.ndim}"}
    made, opened = made_by(monkeypatch, lambda: learn.open(model, *inputs, **options))
    assert len(topological_order(opened)) <= made
    assert 0.75 < predicted(model, inputs, options) / made < 1.3


def made_by(monkeypatch, run):
    """How many Values `run` makes, and its result."""
    made, plain = [], Value.__init__

    def count(self, *args, **kwargs):
        made.append(0)
        plain(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Value, "__init__", count)
        result = run()
    return len(made), result


def predicted(model, inputs, options):
    with pytest.raises(ValueError, match="and the limit is 1:") as error:
        learn.open(model, *inputs, **options, limit=1)
    return int(str(error.value).split("about ")[1].split()[0].replace(",", ""))


COUNTED = {
    "matmul": lambda x: x @ x, "number": lambda x: 2 * x + 1, "power": lambda x: x ** 3,
    "sum": lambda x: x.sum(0), "cumsum": lambda x: x.cumsum(0), "unary": lambda x: x.exp().log(),
    "einsum": lambda x: tt.einsum("ij,kj->ik", x, x), "maximum": lambda x: tt.maximum(x, x.T),
    "both": lambda x: x * x / x - x, "dot": lambda x: tt.dot(x[0], x[1]),
    "mean": lambda x: x.mean(0),
}


@in_turn("name", COUNTED)
def test_the_prediction_is_exact_for_single_operations(name, monkeypatch):
    x, model = tt.tensor([[1.0, 2.0], [3.0, 4.0]]), COUNTED[name]
    options = {"at": f"output{[0] * model(x).ndim}" if model(x).ndim else "loss"}
    made, _ = made_by(monkeypatch, lambda: learn.open(model, x, **options))
    assert predicted(model, [x], options) == made


def test_a_large_model_is_refused_at_once():
    model, x = nn.Linear(2000, 2000), tt.zeros(500, 2000)
    with pytest.raises(ValueError, match=r"about 4,0\d\d,\d{3},\d{3} Values.* limit=6_000_000_000"):
        learn.open(model, x, loss=lambda y: y.sum())


def test_the_graph_of_a_gradient_has_second_derivatives():
    model, inputs, loss = example("MLP")
    at = "layers.0.weight.grad[1, 2]"
    opened = learn.open(model, *inputs, loss=loss, at=at)
    opened.backward()
    weight = model.layers[0].weight
    (first,) = tt.autograd.grad(loss(model(*inputs)), weight, create_graph=True)
    (second,) = tt.autograd.grad(first[1, 2], weight)
    leaves = {v.label: v.grad for v in topological_order(opened)}
    for index in numpy.ndindex(4, 3):
        assert leaves[f"layers.0.weight{list(index)}"] == pytest.approx(second[index].item(),
                                                                      rel=1e-10, abs=1e-14)


# ---------------------------------------------------------------- names


def test_names_of_numbers():
    tt.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2), nn.Tanh()), drawn(2, 2)
    model.double()
    hidden, output = model[0](x), model(x)

    def data(at, **options):
        return learn.open(model, x, at=at, **options).data

    assert data("0[1, 2]") == pytest.approx(hidden[1, 2].item())
    assert data("0[1][-1]") == data("0[1, 2]")
    assert data("output[1, 0]") == pytest.approx(output[1, 0].item())
    assert data("tanh[1, 2]") == data("1[1, 2]") == data("tanh#1[1, 2]")
    assert data("tanh#2[1, 0]") == data("output[1, 0]")
    assert data("input[0, 1]") == x[0, 1].item()
    assert data("2.weight[1, 0]") == model[2].weight[1, 0].item()
    loss = {"loss": lambda y: (y * y).sum()}
    assert data("loss.grad", **loss) == 1
    assert data("output.grad[1, 0]", **loss) == pytest.approx(2 * output[1, 0].item())
    assert data("tanh#2.grad[1, 0]", **loss) == data("output.grad[1, 0]", **loss)
    opened = learn.open(model, x, at="2.grad[1, 0]", **loss)
    assert opened.data == pytest.approx(2 * output[1, 0].item() * (1 - output[1, 0].item() ** 2))
    labels = {v.label for v in topological_order(opened)}
    assert {"3.grad[1, 0]", "3[1, 0]", "loss.grad", "2.grad[1, 0]"} <= labels


def test_tuples_functions_and_numbers_that_are_the_loss():
    model, inputs, loss = example("LSTM")
    result, (_, cell) = model(*inputs)
    assert learn.open(model, *inputs, at="output[0][2, 1, 0]").data == \
        pytest.approx(result[2, 1, 0].item())
    assert learn.open(model, *inputs, at="output[1][1][0, 1, 0]").data == \
        pytest.approx(cell[0, 1, 0].item())
    assert learn.open(model, *inputs, loss=loss, at="output[0].grad[2, 1, 0]").data == \
        pytest.approx(result[2, 1, 0].item() ** 2 * 3 / result.numel())
    state = (drawn(1, 2, 2), drawn(1, 2, 2))
    opened = learn.open(model, inputs[0], state, loss=loss, at="hx[1].grad[0, 1, 0]")
    leaf = state[1].clone().requires_grad_()
    loss(model(inputs[0], (state[0], leaf))).backward()
    assert opened.data == pytest.approx(leaf.grad[0, 1, 0].item())
    a, b = drawn(2, 3), drawn(3, 2)
    product = learn.open(lambda a, b: a @ b, a, b=b, at="output[1, 1]")
    assert {v.label for v in topological_order(product) if v.label} == {
        "a[1, 0]", "b[0, 1]", "a[1, 1]", "b[1, 1]", "a[1, 2]", "b[2, 1]", "output[1, 1]"}
    assert learn.open(lambda x: x.relu().sum(), -tt.ones(1), at="x.grad[0]").data == 0
    assert learn.open(tt.tanh, tt.zeros(())).label == "loss"


@pytest.mark.parametrize(("at", "options", "error", "message"), [
    ("weight", {}, ValueError, r"'weight' has shape \(2, 3\): .* between \[0, 0\] and \[1, 2\]"),
    ("weight[2, 0]", {}, ValueError, "between"),
    ("weigth[0, 0]", {}, ValueError, "there is no 'weigth'; near names: weight"),
    ("weight[a]", {}, ValueError, r"whole numbers, such as \[2, 1\]"),
    ("[0]", {}, ValueError, "cannot read at="),
    ("loss", {}, RuntimeError, "more than one number; give loss="),
    ("weight.grad[0, 0]", {}, RuntimeError, "needs a loss of one number"),
    ("weight.grad[0, 0]", {"loss": lambda y: y.detach().sum()}, RuntimeError, "detach"),
    ("weight[0, 0].grad", {"loss": lambda y: y.sum()}, ValueError, r"write the index after \.grad"),
])
def test_addresses_that_name_nothing(at, options, error, message):
    with pytest.raises(error, match=message):
        learn.open(nn.Linear(3, 2), tt.ones(1, 3), at=at, **options)


@pytest.mark.parametrize(("function", "name", "reason"), [
    (lambda x: x.floor().sum(), "floor", "a step function"),
    (lambda x: x.remainder(2).sum(), "remainder", "Value has no remainder"),
    (lambda x: tt.linalg.inv(x).sum(), "linalg.inv", "LAPACK"),
    (lambda x: x.quantile(0.5), "quantile", "gives positions"),
])
def test_operations_that_values_cannot_run_say_why(function, name, reason):
    with pytest.raises(TypeError, match=rf"{name}, called at .*test_learn_opening.py:\d+, cannot "
                                        rf"run on Values: .*{reason}"):
        learn.open(function, drawn(2, 2))


def test_programs_that_values_cannot_run():
    with pytest.raises(TypeError, match=r"open: .*opening.py:\d+ cannot run on Values: .*signbit"):
        learn.open(lambda x: numpy.signbit(x.detach().numpy()).sum() * x.sum(), tt.ones(1))
    with pytest.raises(TypeError, match="computes with Values already"):
        learn.open(scalar.nn.MLP(2, [1]), [1.0, 2.0])


def test_an_error_of_the_model_itself_is_its_own():
    with pytest.raises(RuntimeError, match="linear"):
        learn.open(nn.Linear(3, 2), tt.ones(2, 4), at="output[0, 0]")


def test_a_failed_call_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    objects = [*model.parameters(), *model.buffers()]
    with pytest.raises(TypeError):
        learn.open(model, tt.randn(4, 3), loss=lambda y: tt.linalg.inv(y[:3]).sum())
    assert all(a is b for a, b in zip(objects, [*model.parameters(), *model.buffers()],
                                      strict=True))
    assert all((model.state_dict()[k] == v).all() for k, v in before.items())
    assert not any(m._forward_hooks for m in model.modules())
    model(tt.randn(4, 3)).sum().backward()


def test_casts_keep_values():
    assert learn.open(lambda x: (x.float() * x.double()).sum(), tt.ones(2)).data == 2
