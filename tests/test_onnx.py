"""Exported models, run in onnxruntime and compared with the models themselves."""

from __future__ import annotations

import importlib

import numpy
import pytest
from operations import in_turn

import tinytensor as engine
from tinytensor import nn
from tinytensor.nn import functional

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
export, Refused = engine.onnx.export, engine.onnx.OnnxExporterError


def module(function, **parts):
    """A Module whose forward is a function (self, *inputs)."""
    made = type("Model", (nn.Module,), {"forward": function})()
    for name, part in parts.items():
        setattr(made, name, part)
    return made


def leaves(value):
    return [x for part in value for x in leaves(part)] if isinstance(value, tuple | list) \
        else [value]


def assert_same(program, model, *inputs, atol=1e-5):
    model.eval()
    with engine.no_grad():
        expected = leaves(model(*inputs))
    for got, wanted in zip(leaves(program(*inputs)), expected, strict=True):
        assert got.shape == wanted.shape and got.dtype == wanted.dtype
        numpy.testing.assert_allclose(got.numpy(), wanted.numpy(), 1e-5, atol)


def kinds(program):
    return [node.op_type for node in program.model_proto.graph.node]


# ---------------------------------------------------------------- models


def digits(*shape):
    return engine.rand(*shape)


def tokens(*shape):
    return engine.randint(0, 11, shape)


CNN = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2),
    nn.Conv2d(4, 6, 3, stride=2, bias=False), nn.BatchNorm2d(6), nn.SiLU(), nn.AvgPool2d(2),
    nn.Flatten(), nn.Dropout(0.2), nn.Linear(54, 10))


def recurrent(kind, **options):
    width = 12 if options.get("bidirectional") else 6
    return module(lambda self, ids: self.out(self.rnn(self.table(ids))[0]),
                  table=nn.Embedding(11, 5), rnn=kind(5, 6, **options), out=nn.Linear(width, 11))


def attention(self, x):
    """The attention of minGPT: sizes from x.size(), and a mask in a buffer."""
    b, t, c = x.size()
    x = x + self.positions(engine.arange(0, t))
    q, k, v = (part.view(b, t, 2, c // 2).transpose(1, 2) for part in self.qkv(x).split(c, dim=2))
    scores = (q @ k.transpose(-2, -1)) * (1.0 / k.size(-1) ** 0.5)
    scores = scores.masked_fill(self.mask[:t, :t] == 0, float("-inf"))
    return (scores.softmax(-1) @ v).transpose(1, 2).contiguous().view(b, t, c)[:, [-1], :]


MODELS = {
    "mlp": (nn.MLP(4, [8, 3]), digits, (2, 4), (5, 4), {0: "n"}),
    "cnn": (CNN, digits, (2, 1, 28, 28), (3, 1, 28, 28), {0: "n"}),
    "images of any size": (nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.MaxPool2d(2),
        nn.ConvTranspose2d(4, 2, 2, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        digits, (2, 2, 8, 8), (1, 2, 13, 10), {0: "n", 2: "height", 3: "width"}),
    "lstm": (recurrent(nn.LSTM, batch_first=True), tokens, (2, 5), (3, 8), {0: "n", 1: "t"}),
    "gru": (recurrent(nn.GRU, num_layers=2, bidirectional=True), tokens, (5, 2), (7, 3),
            {0: "t", 1: "n"}),
    "rnn": (recurrent(nn.RNN, nonlinearity="relu", bias=False), tokens, (5, 2), (4, 1),
            {0: "t", 1: "n"}),
    "gpt": (module(attention, qkv=nn.Linear(8, 24), positions=nn.Embedding(16, 8),
                   mask=nn.Buffer(engine.tril(engine.ones(16, 16)))),
            digits, (2, 5, 8), (3, 9, 8), {0: "n", 1: "t"}),
    "transformer": (nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1,
                                          enable_nested_tensor=False),
                    digits, (2, 5, 8), (1, 7, 8), {0: "n", 1: "t"}),
    "resize": (nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(2, 1, 3)),
               digits, (2, 2, 4, 4), (5, 2, 4, 4), {0: "n"}),
}


@in_turn("name", MODELS)
def test_model(name):
    model, make, shape, other, dims = MODELS[name]
    engine.manual_seed(0)
    model.train()
    if name == "cnn":
        model(make(9, *shape[1:]))  # running statistics
    x = make(*shape)
    program = export(model, x, input_names=["x"], dynamic_axes={"x": dims})
    assert model.training
    onnx.checker.check_model(program.model_proto, full_check=True)
    assert_same(program, model, x)
    assert_same(program, model, make(*other))
    values = program.model_proto.graph.input[0].type.tensor_type.shape.dim
    assert {i: d.dim_param for i, d in enumerate(values) if d.dim_param} == dims


def labels(*shape):
    return engine.randint(0, 10, shape)


# The module of an example: its model, and for each input how to make it, its shape without the
# batch and its dynamic dims beside the batch.
EXAMPLES = {
    "04_cnn": (lambda e: e.network(8), {"input": (digits, (1, 8, 8), {})}),
    "05_char_rnn": (lambda e: e.CharRNN("gru", 11, 8, 2), {"ids": (tokens, (5,), {1: "t"})}),
    "06_gpt": (lambda e: e.GPT(e.Config(vocabulary=11, context=8, width=8, heads=2, layers=2)),
               {"ids": (tokens, (5,), {1: "t"})}),
    "07_vae": (lambda e: e.VAE(4), {"counts": (digits, (64,), {}),
                                    "noise": (engine.randn, (4,), {})}),
    "08_gan": (lambda e: e.build_generator(16), {"input": (engine.randn, (32,), {})}),
    "09_diffusion": (lambda e: e.UNet(8, 8), {"x": (digits, (1, 8, 8), {}),
                                              "time": (labels, (), {}),
                                              "digit": (labels, (), {})}),
}


@in_turn("name", EXAMPLES)
def test_model_of_an_example(name):
    engine.manual_seed(0)
    build, inputs = EXAMPLES[name]
    model = build(importlib.import_module(name))
    program = export(model, tuple(make(2, *shape) for make, shape, _ in inputs.values()),
                     dynamic_axes={i: {0: "n", **dims} for i, (_, _, dims) in inputs.items()})
    for n in (1, 5):
        assert_same(program, model, *(
            make(n, *(size + 1 if i + 1 in dims else size for i, size in enumerate(shape)))
            for make, shape, dims in inputs.values()))


# ---------------------------------------------------------------- what the graph is


def test_layers_are_one_node():
    program = export(CNN.eval(), engine.rand(1, 1, 28, 28))
    assert kinds(program) == [
        "Conv", "BatchNormalization", "Relu", "MaxPool", "Conv", "BatchNormalization", "Sigmoid",
        "Mul", "AveragePool", "Reshape", "Gemm"]
    lstm = kinds(export(nn.LSTM(3, 4), engine.rand(5, 2, 3)))
    assert lstm.count("LSTM") == 1


def test_weights_have_their_names_and_are_there_once():
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    model[2].weight = model[0].weight
    graph = export(model, engine.rand(2, 3)).model_proto.graph
    assert {i.name for i in graph.initializer} == {"0.weight", "0.bias", "2.bias"}
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    numpy.testing.assert_array_equal(stored["0.weight"], model[0].weight.detach().numpy())


def test_names_of_inputs_and_outputs():
    model = module(lambda self, a, b, *rest, scale: {
        "sum": a + b[0], "rest": (rest[0] * scale, b[1])})
    inputs = (engine.rand(2), (engine.rand(2), engine.rand(3)), engine.rand(2))
    program = export(model, inputs, kwargs={"scale": engine.rand(2)}, output_names=["total"])
    graph = program.model_proto.graph
    assert [i.name for i in graph.input] == ["a", "b_0", "b_1", "rest_0", "scale"]
    assert [o.name for o in graph.output] == ["total", "output_1", "output_2"]
    given = (engine.rand(2), (engine.rand(2), engine.rand(3)), engine.rand(2))
    got = program(*given, scale=engine.tensor([2.0, 3.0]))
    assert list(got) == ["sum", "rest"] and got["rest"][1].equal(given[1][1])
    with pytest.raises(TypeError, match="1 Tensors for 5 inputs, a, b_0"):
        program(engine.rand(2))


def test_constants_are_folded_and_unused_operations_left_out():
    def forward(self, x):
        (x * 3).exp()
        return x * (engine.arange(4).float() ** 2 + 1).sqrt()

    assert kinds(export(module(forward), engine.rand(2, 4))) == ["Mul"]
    unfolded = export(module(forward), engine.rand(2, 4), do_constant_folding=False)
    assert kinds(unfolded) == ["Cast", "Pow", "Add", "Sqrt", "Mul"]


def test_saved_to_a_path_and_to_a_file(tmp_path):
    model, x = nn.Linear(2, 3), engine.rand(4, 2)
    program = export(model, x, tmp_path / "a.onnx", verify=True)
    with open(tmp_path / "b.onnx", "wb") as file:
        export(model, x, file)
    program.save(tmp_path / "c.onnx")
    texts = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(texts) == ["a.onnx", "b.onnx", "c.onnx"] and len(set(texts.values())) == 1
    import onnxruntime

    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    (got,) = session.run(["output"], {"input": x.numpy()})
    numpy.testing.assert_allclose(got, model(x).detach().numpy(), atol=1e-6)


@in_turn("opset", [18, 20, 23])
def test_versions_of_operators(opset):
    model = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.GELU("tanh"), nn.LayerNorm(4))
    program = export(model, engine.rand(2, 3), opset_version=opset)
    assert program.model_proto.opset_import[0].version == opset
    assert_same(program, model, engine.rand(2, 3))


def test_sizes_that_follow_from_those_of_the_input():
    def forward(self, x):
        b, t, c = x.shape
        first = engine.zeros(b, 1, c)
        shifted = engine.cat([first, x], 1)[:, :t]
        mask = engine.tril(engine.ones(t, t))
        mixed = (shifted @ shifted.mT).masked_fill(mask == 0, float("-inf")).softmax(-1)
        return (mixed.reshape(b * t, t), x.sum() / (b * t), engine.arange(t).float(), x[:, t // 2],
                x.repeat(1, 2, 1), engine.full((b, 2), 7.0), x.topk(t - 1, 1)[0], x.flatten())

    model = module(forward)
    program = export(model, engine.rand(2, 6, 3), dynamic_shapes={"x": {0: "b", 1: "t"}})
    for shape in ((3, 9, 3), (1, 2, 3)):
        assert_same(program, model, engine.rand(*shape))


def test_writing_in_place():
    def forward(self, x):
        y = x * 2
        y += 1
        y[:, 0] = 0
        y[:, 1:3] *= 3
        z = engine.zeros(len(x), 3)
        z[:, 1] = y[:, 2]
        y[x > 0.5] = -1
        column = y[:, 3]
        y[:, 3] = 5
        y.clamp_(max=4)
        rows = engine.zeros(4, 5)
        rows[engine.tensor([2, 0])] = x[:1] + 1
        return y, z, column, rows

    model = module(forward)
    program = export(model, engine.rand(4, 5), dynamic_axes={"x": {0: "n"}})
    assert_same(program, model, engine.rand(4, 5))
    assert_same(program, model, engine.rand(7, 5))


def test_index_arrays_and_searches():
    def forward(self, x, at):
        return (x[at], x[:, at], x[at, at], x.index_select(1, at), x[:, :1, at], x[1:, None, 0],
                x.gather(1, at.reshape(1, -1, 1)), engine.searchsorted(self.edges, x),
                x.float().to(engine.int64), x.scatter_add(0, at.reshape(3, 1, 1), x), x.argmax(-1),
                x.nonzero())

    model = module(forward, edges=nn.Buffer(engine.tensor([0.2, 0.5, 0.7])))
    inputs = engine.rand(3, 4, 5), engine.tensor([2, 0, 1])
    program = export(model, inputs)
    assert_same(program, model, *inputs)
    assert_same(program, model, engine.rand(3, 4, 5), engine.tensor([1, 1, 2]))


def test_an_operation_of_a_program_gets_a_form():
    from tinytensor.arrays import Array
    from tinytensor.autograd.table import TABLE, op
    from tinytensor.onnx.forms import FORMS

    @op(promotes="floating", method=False)
    def cubed_for_onnx(input: Array):
        return input * input * input

    model = module(lambda self, x: cubed_for_onnx(x))
    try:
        with pytest.raises(Refused, match=r"cubed_for_onnx.*onnx\.form registers one"):
            export(model, engine.rand(3))
        engine.onnx.form("cubed_for_onnx")(lambda f: f.node("Pow", [
            f["input"], f.constant(numpy.float32(3))]))
        assert_same(export(model, engine.rand(3)), model, engine.rand(3))
    finally:
        TABLE.pop("cubed_for_onnx")
        FORMS.pop("cubed_for_onnx", None)


def test_a_model_sees_that_it_is_exported():
    seen = []
    model = module(lambda self, x: (seen.append(engine.onnx.is_in_onnx_export()), x + 1)[1])
    export(model, engine.rand(2))
    model(engine.rand(2))
    assert seen[0] is True and seen[-1] is False


def test_export_leaves_operations_and_the_model_as_they_were():
    codes = {key: entry.op.function.__code__ for key, entry in
             engine.autograd.table.TABLE.items() if entry.op}
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    state = engine.get_rng_state()
    export(model, engine.rand(3, 2))
    with pytest.raises(Refused):
        export(module(lambda self, x: x + engine.randn(2)), engine.rand(2))
    engine.set_rng_state(state)
    assert codes == {key: entry.op.function.__code__ for key, entry in
                     engine.autograd.table.TABLE.items() if entry.op}
    assert all(x.equal(before[name]) for name, x in model.state_dict().items())
    x = engine.rand(2, requires_grad=True)
    (x.exp() * 2).sum().backward()
    assert x.grad is not None


# ---------------------------------------------------------------- what is refused


def rows_in_turn(self, x):
    total = x[0]
    for row in x[1:]:
        total = total * 0.5 + row
    return total


def through_numpy(self, x):
    return x + engine.from_numpy(numpy.sort(x.numpy()))


REFUSED = {
    "no ONNX form": (lambda self, x: engine.linalg.svd(x)[1], None,
                     r"svd, called at .*test_onnx\.py:\d+, cannot be exported: ONNX has no such"),
    "random numbers": (lambda self, x: x + engine.randn(3), None, "draws random numbers in eval"),
    "item": (lambda self, x: x * x.max().item(), None, r"mul.*item\(\), leave it a Tensor"),
    "numpy": (through_numpy, None, r"an array of shape \(3, 3\), first used at .*test_onnx"),
    "loop": (rows_in_turn, {"x": {0: "n"}}, "other operations for sizes n=4 rather.*a loop"),
    "branch": (lambda self, x: x + 1 if x.sum() > 4.58 else x - 1, None,
               "other operations for other values"),
    "no dim": (lambda self, x: x, {"x": {5: "n"}}, "has no dim 5"),
}


@in_turn("name", REFUSED)
def test_refusal_says_why(name):
    forward, axes, message = REFUSED[name]
    x = engine.arange(9).float().reshape(3, 3) / 8 + 0.01
    with pytest.raises(Refused, match=message):
        export(module(forward), x, dynamic_axes=axes)


def test_refusal_names_the_layer():
    inner = module(lambda self, x: engine.linalg.inv(x))
    with pytest.raises(Refused, match=r"inv, called at .* in the layer '1'"):
        export(nn.Sequential(nn.Linear(3, 3), inner), engine.rand(3, 3))


def in_two_steps(self, x):
    """Two steps of a cell, of which x.shape[0] rows begin with zeros."""
    hidden = self.cell(x[:, 0], engine.zeros(x.shape[0], 4))
    return self.cell(x[:, 1], hidden)


def halved_and_joined(self, x):
    """As U-Nets do: the sizes must be even."""
    return engine.cat([self.up(self.down(x)), x], 1)


def test_dynamic_rows_of_a_cell_and_sizes_that_must_be_multiples():
    cell = module(in_two_steps, cell=nn.GRUCell(3, 4))
    program = export(cell, engine.rand(4, 2, 3), dynamic_axes={"x": {0: "n"}})
    assert_same(program, cell, engine.rand(7, 2, 3))
    net = module(halved_and_joined, down=nn.MaxPool2d(2), up=nn.ConvTranspose2d(2, 3, 2, 2))
    program = export(net, engine.rand(2, 2, 8, 6), dynamic_axes={"x": {0: "n", 2: "h", 3: "w"}})
    assert_same(program, net, engine.rand(3, 2, 4, 10))
    with pytest.raises(RuntimeError, match="4 features") as caught:
        export(nn.Linear(3, 2), engine.rand(2, 3), dynamic_axes={"input": {1: "c"}})
    assert "'c' of size 4 rather than 3" in caught.value.__notes__[-1]


def test_misuse():
    with pytest.raises(Refused, match="dynamic_axes names 'inputs'; the inputs are input"):
        export(nn.ReLU(), engine.rand(2), dynamic_axes={"inputs": {0: "n"}})
    with pytest.raises(TypeError, match="the model returns no Tensor"):
        export(module(lambda self, x: None), engine.rand(2))
    x = engine.rand(2)
    with pytest.raises(TypeError, match="expected a Module"):
        export(lambda x: x, x)
    with pytest.raises(ValueError, match="opset_version must be 18 to 23, got 9"):
        export(nn.ReLU(), x, opset_version=9)
    with pytest.raises(Refused, match="only eval mode"):
        export(nn.ReLU(), x, training=engine.onnx.TrainingMode.TRAINING)
    with pytest.raises(TypeError, match="unknown option 'dynamic_axis'"):
        export(nn.ReLU(), x, dynamic_axis={})
    with pytest.raises(Refused, match="input_names"):
        export(nn.ReLU(), x, input_names=["a", "b"])


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match="pip install onnx onnxruntime"):
        export(nn.ReLU(), engine.rand(2))


def test_losses_and_functions():
    model = module(lambda self, x, y: (
        functional.cross_entropy(x, y), functional.nll_loss(functional.log_softmax(x, 1), y),
        functional.binary_cross_entropy_with_logits(x[:, 0], y.float()),
        functional.mse_loss(x, x.relu()), x.var(0), x.median(1)[0], functional.pad(x, (1, 2)),
        x.cumsum(1), functional.normalize(x), x.norm(), engine.cdist(x, x)))
    inputs = engine.rand(3, 4), engine.tensor([0, 3, 1])
    assert_same(export(model, inputs), model, *inputs)
