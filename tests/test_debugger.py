"""learn.record and learn.debug: what the page is given; test_debugger_browser.py has the page."""

from __future__ import annotations

import base64
import json
import math
import re
import struct
import sys

import debugged
import numpy
import pytest

import scalar
import tinytensor as tt
from scalar import Value, functional, topological_order
from tinytensor import learn, nn
from tinytensor.autograd.table import TABLE
from tinytensor.learn import scalar_trace
from tinytensor.learn.formulas import FORMULAS, evaluate
from tinytensor.learn.origins import origin_of
from tinytensor.learn.page import SCRIPTS, WEB
from tinytensor.learn.rules import rule_text


def unpacked(packed):
    return numpy.frombuffer(base64.b64decode(packed["bytes"]), "<" + packed["type"]).tolist()


def same(a, b):
    return struct.pack("<d", a) == struct.pack("<d", b) or math.isnan(a) and math.isnan(b)


# ---------------------------------------------------------------- the scalar engine

UNARY = {  # a number of the domain for each operation of one operand
    "exp": 0.7, "relu": 0.7, "log": 0.7, "__neg__": 0.7, "__pos__": 0.7, "abs": -0.7, "sqrt": 0.7,
    "tanh": 0.7, "sigmoid": 0.7, "exp2": 0.7, "expm1": 0.7, "log2": 0.7, "log10": 0.7,
    "log1p": 0.7, "sin": 0.7, "cos": 0.7, "tan": 0.7, "arcsin": 0.7, "arccos": 0.7, "arctan": 0.7,
    "sinh": 0.7, "cosh": 0.7, "arcsinh": 0.7, "arccosh": 1.7, "arctanh": 0.7,
}
EDGES = [0.0, -0.0, 1.0, -1.0, 2.5, 1e200, -3.0, math.inf, -math.inf, math.nan]


def each_operation():
    """One result of every operation of the scalar engine, at usual numbers and at the edges."""
    def v(x):
        return Value(x)

    for name, x in UNARY.items():
        yield getattr(v(x), name)()
        for edge in EDGES:
            if not (name in ("arctanh", "sin", "cos", "tan") and math.isinf(edge)):
                yield getattr(v(edge), name)()
    for x in [0.3, *EDGES]:
        for y in [1.7, *EDGES]:
            yield from (v(x) + v(y), v(x) - v(y), v(x) * v(y), v(x) / v(y), v(x) ** v(y))
        yield from (v(x) ** 3, v(x) ** -2, v(x) ** 0.5, v(x) ** 0, 2.0 ** v(x))
        yield from (functional.max(v(x), v(0.3), v(0.3)), functional.min(v(x), v(0.2)))
        yield functional.gelu(v(x))
    yield functional.dot([v(1.0), v(2.0), v(3.0)], [v(4.0), v(-5.0), v(6.0)])
    for p in (0.0, 0.3, 1.0):
        yield functional.binary_cross_entropy([v(p)], [v(0.6)], reduction="none")[0]


def test_every_formula_gives_the_local_derivative_of_the_engine(monkeypatch):
    monkeypatch.setattr(scalar_trace, "parameter_names", lambda order: {})  # it asks all objects
    seen = set()
    for value in each_operation():
        trace = learn.debug(value).trace
        assert trace["exact"]
        local, formula = unpacked(trace["local"]), unpacked(trace["formula"])
        data, target, other = (unpacked(trace[k]) for k in ("data", "target", "other"))
        for j, k in enumerate(formula):
            text = trace["formulas"][k]
            assert text, (value._op, [p.data for p in value._prev])
            operands = unpacked(trace["parents"])
            a = target[j] if value._op in ("dot", "max", "min") else operands[0]
            b = None if other[j] < 0 else data[other[j]]
            assert same(evaluate(text, data[a], b, value.data), local[j]), (value._op, text)
        seen.add(re.sub(r"\*\*.+", "**n", value._op))
    assert seen >= {*FORMULAS, "dot", "max", "min", "**n"}


def test_gradients_are_those_of_backward_to_the_bit_and_nothing_changes():
    for loss in (debugged.neuron(), debugged.moons(500)[0]):
        order = topological_order(loss)
        for i, value in enumerate(order):
            value.grad = float(i)
        trace = learn.debug(loss).trace
        assert [value.grad for value in order] == list(map(float, range(len(order))))
        for value in order:
            value.grad = 0.0
        loss.backward()
        assert trace["exact"] and unpacked(trace["grad"]) == [value.grad for value in order]


def test_steps_add_up_to_the_gradients():
    loss, _ = debugged.moons(500)
    trace = learn.debug(loss).trace
    grads = [0.0] * len(unpacked(trace["data"]))
    grads[trace["root"]] = 1.0
    for source, target, local, sends in zip(
            *(unpacked(trace[k]) for k in ("source", "target", "local", "sends")), strict=True):
        if sends:
            grads[target] += local * grads[source]
    assert grads == unpacked(trace["grad"])


def test_rules_of_the_program_are_run_as_they_are():
    a = Value(3.0, label="a")
    square = Value(a.data ** 2, (a,), "square")

    def rule():
        a.grad += 2 * a.data * square.grad

    square._backward = rule
    loss = square * 2.0
    trace = learn.debug(loss).trace
    assert trace["exact"] and list(trace["after"].values()) == [12.0]

    class Cube(Value):
        def _backward(self):
            (x,) = self._prev
            x.grad += 3 * x.data ** 2 * self.grad

    trace = learn.debug(Cube(8.0, (Value(2.0),), "cube")).trace
    assert trace["exact"] and list(trace["after"].values()) == [12.0]


def test_an_operation_of_the_programs_own_has_no_formula():
    x = Value(1.0)
    trace = learn.debug(Value.operation("mine", 2.0, [x], [7.0])).trace
    assert trace["exact"] and trace["formulas"] == [""] and unpacked(trace["local"]) == [7.0]


def test_a_number_that_was_changed_since_has_no_wrong_formula():
    a, b = Value(2.0), Value(3.0)
    product = a * b
    b.data = 4.0
    trace = learn.debug(product).trace
    assert [trace["formulas"][k] for k in unpacked(trace["formula"])] == ["changed", "a"]


# ---------------------------------------------------------------- the recording


def test_places_of_a_scalar_model():
    loss, model = debugged.moons(500)
    trace = learn.debug(loss).trace
    names = set(trace["names"].values())
    assert {"layers.0.weight[2][1]", "layers.2.bias[0]", "x[0]", "x[1]"} <= names
    assert "layers.1.neurons.3" in trace["layers"]

    def expression(spot):
        file, line, start, end = spot
        return trace["files"][file]["lines"][line][start:end]

    spots, inner, layers, samples, _, functions = zip(*trace["places"], strict=True)
    assert set(functions) == {"", "hinge_loss"}
    assert {s for s, layer in zip(samples, layers, strict=True) if layer >= 0} == {0, 1}
    assert set(map(expression, spots)) == {
        "model(x)", "scalar.functional.hinge_loss(model(x), y)"}
    assert {"wi * xi", "sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b)"} <= {
        expression(spot) for spot in inner if spot[0] >= 0}
    roles = [trace["roles"][r] for r in unpacked(trace["role"])]
    assert roles.count("parameter") == len(model.parameters()) and roles.count("target") == 2
    assert roles.count("input") == 4


def test_values_have_the_names_of_variables():
    def neuron(w, x, b):
        total = w[0] * x[0] + w[1] * x[1] + b
        return total.tanh()

    def squared(error):
        result = error ** 2
        return result

    weights, bias = [Value(0.5), Value(-1.0)], Value(0.3)
    with learn.record():
        first = neuron(weights, [Value(2.0), Value(1.0)], bias)
        second = neuron(weights, [Value(3.0), Value(1.0)], first)
        loss = squared(second - 0.8)
    loss.label = "the loss"
    names = list(learn.debug(loss).trace["names"].values())
    assert sorted(names) == sorted([
        "weights[0]", "weights[1]", "bias", "x[0]", "x[1]", "x[0]#2", "x[1]#2",
        "total", "total#2", "b", "second", "error", "the loss"]), names


def test_the_forward_is_in_the_order_of_the_program():
    with learn.record():
        a = Value(1.0) * 2.0
        b = Value(3.0) * 4.0
        c = b - a
    trace = learn.debug(c).trace
    data = unpacked(trace["data"])
    assert [data[i] for i in unpacked(trace["forward"])] == [a.data, b.data, c.data]


def test_recording_ends_with_its_block():
    init = Value.__init__
    before = Value(1.0)
    with pytest.raises(ZeroDivisionError), learn.record():
        inside = Value(2.0) * before
        raise ZeroDivisionError
    after = inside * 2.0
    assert sys.getprofile() is None and Value.__init__ is init
    assert origin_of(inside).place is not None and origin_of(inside).variable == "inside"
    assert origin_of(before).place is None and origin_of(before).variable == "before"
    assert origin_of(after) is None


def test_blocks_in_blocks_and_other_profilers():
    calls = []

    def other(frame, event, argument):
        calls.append(event)

    sys.setprofile(other)
    try:
        with learn.record():
            with learn.record():
                a = Value(1.0) * 2.0
            b = a * 2.0
        assert sys.getprofile() is other
    finally:
        sys.setprofile(None)
    assert origin_of(a) is not None and origin_of(b) is not None


def test_records_are_freed_with_their_values():
    from tinytensor.learn import recording
    from tinytensor.tensors.retaining import retained

    values, nodes = set(recording._origins), set(map(id, retained))
    def recorded():
        with learn.record():
            return Value(1.0) * 2.0, (tt.ones(3, requires_grad=True) * 2).sum()

    loss, result = recorded()
    assert set(recording._origins) - values and set(map(id, retained)) - nodes
    del loss, result
    assert set(recording._origins) <= values and set(map(id, retained)) <= nodes


def test_results_are_the_same_while_recorded():
    plain = debugged.Reader()
    x = tt.randn(3, 2, 6)
    loss = (plain(x) ** 2).sum()
    with learn.record():
        recorded = (plain(x) ** 2).sum()
    assert loss.item() == recorded.item()
    loss.backward()
    grads = [p.grad.tolist() for p in plain.parameters()]
    plain.zero_grad()
    recorded.backward()
    assert grads == [p.grad.tolist() for p in plain.parameters()]


# ---------------------------------------------------------------- the tensor engine


class Twice(tt.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


def programs():
    """(name, function that gives the loss and its leaves) for the forms that graphs have."""
    def leaf(*shape, dtype=tt.float32):
        return tt.randn(*shape, dtype=dtype).requires_grad_()

    def broadcast():
        a, b, c = leaf(4, 3), leaf(3), leaf(4, 1)
        return ((a + b) * c / 2 + b).pow(2).sum(), (a, b, c)

    def same_operand_twice():
        a = leaf(5)
        return (a * a + a).sum(), (a,)

    def several_results():
        a = leaf(4, 4)
        values, vectors = tt.linalg.eigh(a @ a.mT)
        return values.sum() + vectors.abs().sum() + a.max(dim=1).values.sum(), (a,)

    def own_function():
        a = leaf(3)
        return (Twice.apply(a) * a).sum(), (a,)

    def in_place():
        a, b = leaf(3), leaf(3)
        y = a * 2
        y += b
        y[0] = 1.0
        return (y * y).sum(), (a, b)

    def half():
        a, b = leaf(4, 3, dtype=tt.float16), leaf(3, dtype=tt.float16)
        return (a * b).sum(), (a, b)

    def hooked():
        a = leaf(3)
        y = a * 2
        y.register_hook(lambda g: g * 3)
        return (y * y).sum(), (a,)

    def sequence():
        a, b = leaf(2, 3), leaf(1, 3)
        return (tt.cat([a, b, a]) ** 2).mean(), (a, b)

    def convolution():
        layer = nn.Conv2d(2, 3, 3, padding=1)
        return nn.functional.relu(layer(tt.randn(2, 2, 5, 5))).mean(), tuple(layer.parameters())

    def modules():
        loss, model = debugged.lstm()
        return loss, tuple(model.parameters())

    def head():
        loss, model = debugged.attention()
        return loss, tuple(model.parameters())

    return {f.__name__: f for f in (broadcast, same_operand_twice, several_results, own_function,
                                    in_place, half, hooked, sequence, convolution, modules, head)}


def array_of(written):
    kind = written["type"]
    numbers = numpy.frombuffer(base64.b64decode(written["bytes"]), "<" + kind)
    return numbers.reshape(written["shape"]).astype(written["dtype"])


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("name", programs())
def test_gradients_of_tensors_equal_grad_to_the_bit(name, recorded):
    tt.manual_seed(1)
    if recorded:
        with learn.record():
            loss, leaves = programs()[name]()
    else:
        loss, leaves = programs()[name]()
    trace = learn.debug(loss).trace
    assert trace["exact"] and trace["error"] == ""
    assert all(leaf.grad is None for leaf in leaves)
    loss.backward()
    last = {target: after for _, target, _, _, _, _, after in trace["steps"]}
    found = {array_of(trace["arrays"][k]).tobytes() for i, k in last.items()
             if trace["nodes"][i]["op"] == ""}
    assert found == {leaf.grad.numpy().tobytes() for leaf in leaves}


def test_an_operation_is_shown_with_the_parameters_it_was_given(tmp_path):
    layer = tt.nn.Conv2d(1, 2, 3, stride=2)
    with learn.record():
        out = layer(tt.ones(1, 1, 5, 5)).sum()
    learn.debug(out, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "Frame(size=(5, 5)" in text and "<frame" not in text


@pytest.mark.parametrize("name", programs())
def test_a_recorded_graph_can_be_shown_after_backward(name):
    tt.manual_seed(1)
    with learn.record():
        loss, _ = programs()[name]()
        loss.backward()
    trace = learn.debug(loss).trace
    assert trace["exact"] and trace["error"] == "" and trace["steps"]
    with pytest.raises(RuntimeError, match="released"):
        loss.backward()


def test_data_of_every_result_is_that_of_its_time():
    with learn.record():
        x = tt.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        y.add_(1)
        y.mul_(2)
        loss = y.sum()
    trace = learn.debug(loss).trace
    nodes = [trace["nodes"][i] for i in trace["forward"]]
    assert [(node["op"], array_of(trace["arrays"][node["data"]]).tolist()) for node in nodes] == [
        ("mul", [3.0, 6.0]), ("add", [4.0, 7.0]), ("mul", [8.0, 14.0]), ("sum", 22.0)]


def test_a_graph_on_a_gpu(gpu):
    with learn.record():
        a = tt.tensor([[1.0, -2.0]], device="cuda", requires_grad=True)
        loss = (a.exp() * a).sum()
    trace = learn.debug(loss).trace
    assert trace["exact"] and all(node["data"] >= 0 for node in trace["nodes"])


def test_hooks_of_the_program_run_once():
    calls = []
    x = tt.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: calls.append(g) or None)
    learn.debug(y.sum())
    assert len(calls) == 1


def test_sums_over_broadcast_axes_are_shown():
    with learn.record():
        a, b = tt.ones(4, 3, requires_grad=True), tt.ones(3, requires_grad=True)
        loss = (a + b).sum()
    trace = learn.debug(loss).trace
    [step] = [s for s in trace["steps"] if s[5] >= 0]
    assert trace["arrays"][step[5]]["shape"] == [4, 3]
    assert array_of(trace["arrays"][step[4]]).tolist() == [4.0] * 3


def test_names_places_and_rules_of_tensors():
    loss, _model = debugged.attention()
    trace = learn.debug(loss).trace
    named = {node["name"]: node for node in trace["nodes"]}
    assert {"query.weight", "key.weight", "x", "q", "scores", "mask"} <= named.keys()
    assert named["x"]["role"] == "input" and named["query.weight"]["role"] == "parameter"
    assert trace["layers"] == ["query", "key", "value", "Head"]
    rules = {trace["nodes"][s[0]]["op"]: s[3] for s in trace["steps"]}
    assert rules["div"] == "g / other"
    trace = learn.debug(debugged.lstm()[0]).trace
    assert {place[4] for place in trace["places"]} == {0, 1, 2}  # the calls of the cell
    assert "mse_loss" in {place[5] for place in trace["places"]}


def test_every_rule_has_its_text():
    ops = {entry.op.name: entry.op for entry in TABLE.values() if entry.op is not None}
    texts = {(name, given): rule_text(op, given) for name, op in ops.items()
             for names in op.rules for given in names}
    assert len(texts) > 150 and all(texts.values())
    assert texts["sub", "other"] == "-g" and texts["sub", "input"] == "g"
    assert texts["mul", "input"] == "g * other" and texts["tanh", "input"] == "g * (1 - out * out)"
    assert texts["matmul", "other"].startswith("def _(")


def test_large_arrays_are_cut_and_say_so():
    x = tt.ones(300, 200, requires_grad=True)
    arrays = learn.debug((x * 2).sum()).trace["arrays"]
    assert {tuple(a["shown"]) for a in arrays if "shown" in a} == {(150, 100)}


# ---------------------------------------------------------------- errors


def test_the_graph_of_an_error_in_place():
    with learn.record():
        x = tt.tensor([1.0, 2.0], requires_grad=True)
        y = x.exp()
        loss = (y * y).sum()
    with tt.no_grad():
        y.add_(1)
    with pytest.raises(RuntimeError, match="overwritten") as raised:
        loss.backward()
    trace = learn.debug(raised.value).trace
    assert trace["nodes"][trace["at"]]["op"] == "mul" and "overwritten" in trace["error"]
    assert len(trace["steps"]) == 1  # the sum, before the error


def test_the_graph_of_an_anomaly(monkeypatch):
    x = tt.tensor([0.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="log") as raised, tt.autograd.detect_anomaly():
        (x * 2).log()
    trace = learn.debug(raised.value).trace
    assert trace["nodes"][trace["at"]]["op"] == "log" and not trace["steps"]
    with pytest.raises(RuntimeError, match="sqrt") as raised, learn.record(), \
            tt.autograd.detect_anomaly():
        (x.sqrt() * 0).sum().backward()
    monkeypatch.setattr(sys, "last_value", raised.value, raising=False)
    trace = learn.debug().trace
    assert trace["nodes"][trace["at"]]["op"] == "sqrt" and len(trace["steps"]) == 3


def test_an_interactive_session_is_told_of_the_debugger(monkeypatch):
    x = tt.tensor([0.0], requires_grad=True)
    for interactive in (True, False):
        if interactive:
            monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
        else:
            monkeypatch.delattr(sys, "ps1")
        with pytest.raises(RuntimeError) as raised, tt.autograd.detect_anomaly():
            x.log()
        assert ("learn.debug()" in str(raised.value)) is interactive
        assert "learn.debug" not in learn.debug(raised.value).trace["error"]


def test_what_cannot_be_shown(monkeypatch):
    monkeypatch.delattr(sys, "last_value", raising=False)
    with pytest.raises(TypeError, match="needs a Value or a Tensor"):
        learn.debug()
    with pytest.raises(TypeError, match="got float"):
        learn.debug(1.0)
    with pytest.raises(TypeError, match="does not come from an operation"):
        learn.debug(ValueError("other"))
    with pytest.raises(RuntimeError, match="does not require grad"):
        learn.debug(tt.ones(1))
    loss = (tt.ones(2, requires_grad=True) ** 2).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match=r"with learn.record\(\)"):
        learn.debug(loss)


# ---------------------------------------------------------------- the page


def test_a_page_is_one_file_without_addresses(tmp_path):
    path = tmp_path / "page.html"
    page = learn.debug(debugged.neuron(), path, title="</script> & <b>")
    text = path.read_text(encoding="utf-8")
    assert text == page.html and "{{" not in text
    assert text.count("</script>") == 2 and "<title>&lt;/script&gt; &amp; &lt;b&gt;</title>" in text
    assert not re.search(r"https?://|src=|url\((?!#)|@import|fetch\(", text)
    [trace] = re.findall(r'<script type="application/json" id="trace">(.*?)</script>', text)
    assert json.loads(trace)["title"] == "</script> & <b>"


def test_the_page_shows_itself_in_a_notebook():
    page = learn.debug(debugged.neuron())
    frame = page._repr_html_()
    assert frame.startswith("<iframe srcdoc=") and page.html not in frame
    assert "backward of loss" in repr(page)


def test_every_file_of_the_page_is_used():
    assert {p.name for p in WEB.iterdir()} == {"page.html", "style.css",
                                               *(f"{name}.js" for name in SCRIPTS)}


def test_opened_elements_are_part_of_the_page():
    loss, _ = debugged.attention()
    value = Value(2.0, label="a") * 3.0
    trace = learn.debug(loss, opened={"value.weight.grad[0, 0]": value}).trace
    assert trace["opened"]["value.weight.grad[0, 0]"]["exact"]


def test_the_page_opens_what_a_function_gives(monkeypatch):
    model, x = nn.Linear(2, 3), tt.randn(4, 2)

    def loss_of(output):
        return (output ** 2).sum()

    def opened(at):
        return learn.open(model, x, loss=loss_of, at=at)

    loss = loss_of(model(x))
    traces = learn.debug(loss, opened=opened).trace["opened"]
    assert set(traces) == {*(f"weight.grad[{i}, {j}]" for i in range(3) for j in range(2)),
                           *(f"bias.grad[{i}]" for i in range(3))}
    loss.backward()
    for at, trace in traces.items():
        index = tuple(map(int, re.findall(r"\d+", at)))
        gradient = getattr(model, at.partition(".")[0]).grad[index].item()
        assert unpacked(trace["data"])[trace["root"]] == pytest.approx(gradient, rel=1e-5)
    monkeypatch.setattr(sys.modules["tinytensor.learn.page"], "OPENED", 100)
    few = learn.debug(loss_of(model(x)), opened=opened).trace["opened"]
    assert 0 < len(few) < len(traces)


def test_a_large_drawing_opens_the_debugger():
    loss, _ = debugged.moons(500)
    bundle = scalar.draw_dot(loss)._repr_mimebundle_()
    assert bundle["text/html"].startswith("<iframe") and "large" in bundle["text/plain"]
