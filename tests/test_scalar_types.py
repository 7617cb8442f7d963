"""mypy --strict accepts a program that uses scalar, and reports mistakes in it."""

import pathlib
import textwrap

import pytest

import scalar

PROGRAM = """
    import math

    from scalar import Value, draw_dot, functional, manual_seed, max, nn, optim, topological_order


    def softplus(x: Value) -> Value:
        y = math.log(1 + math.exp(x.data))
        return Value.operation("softplus", y, [x], [1 - math.exp(-y)])


    def cube(x: Value) -> Value:
        out = Value(x.data ** 3, (x,), "cube")

        def _backward() -> None:
            x.grad += 3 * x.data ** 2 * out.grad

        out._backward = _backward
        return out


    class Net(nn.Module):
        def __init__(self) -> None:
            self.first = nn.Linear(2, 4)
            self.last = nn.Neuron(4, nonlin=False)

        def forward(self, x: list[Value]) -> Value:
            return self.last.forward([h.tanh() for h in self.first.forward(x)])


    manual_seed(0)
    a, b = Value(2.0, label="a"), Value(-3)
    c = 2 * a + b / a - a ** 2 + 1 / b - (-a) + abs(b) + +a + 2 ** a + a ** b
    c += 1
    d: Value = c.exp().log().log2().sin().relu() + c.sigmoid().sqrt() + softplus(c) + cube(a)
    e: Value = max(d, 0.5)
    e.backward()
    for node in topological_order(e):
        print(node.grad, node.label, f"{node:.2f}", node > 0, node == 1, bool(node))
    total: float = float(e) + e.item() + e.data
    print(draw_dot(e), total)

    model, net = nn.MLP(2, [4, 1], nonlin="tanh"), Net()
    optimizer = optim.Adam(model.parameters() + net.parameters(), lr=0.1)
    loss = functional.hinge_loss(model([[0.5, 1.0], [1.0, -1.0]]), [1, -1])
    loss = loss + 1e-4 * functional.squared_norm(model.parameters())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model.load_state_dict(model.state_dict())
"""
MISTAKES = {
    "a.gard = 0.0": '"Value" has no attribute "gard"',
    'nn.Layer(2, 3, activation="tanh")': 'Argument "activation" to "Layer"',
    "x: int = Value(1.0).tanh()": 'expression has type "Value", variable has type "int"',
    'optim.SGD(model.parameters(), lr="0.1")': 'Argument "lr" to "SGD"',
    'Value(1.0, "a")': 'Argument 2 to "Value"',
    "a.log10(2)": "Too many arguments",
}


def test_a_program_under_mypy(tmp_path, monkeypatch):
    api = pytest.importorskip("mypy.api")
    program = textwrap.dedent(PROGRAM).lstrip()
    (tmp_path / "program.py").write_text(program + "\n".join(MISTAKES) + "\n")
    monkeypatch.setenv("MYPYPATH", str(pathlib.Path(scalar.__file__).parent.parent))
    monkeypatch.chdir(tmp_path)
    output, errors, _ = api.run(["--strict", "--no-error-summary", "program.py"])
    first = program.count("\n") + 1
    expected = [f"program.py:{line}: error: " for line in range(first, first + len(MISTAKES))]
    lines = [line for line in output.splitlines() if ": note: " not in line]
    assert not errors and len(lines) == len(expected), output
    for line, start, message in zip(lines, expected, MISTAKES.values(), strict=True):
        assert line.startswith(start) and message in line, output
