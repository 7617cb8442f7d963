"""Compiled calls give the same results as plain calls, and do not need source files."""

from __future__ import annotations

import inspect
import linecache
import math
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from operations import in_turn, run_all

import tinytensor
import tinytensor.nn.functional as F  # noqa: N812
from tinytensor import nn
from tinytensor.autograd.op import Op
from tinytensor.autograd.table import TABLE
from tinytensor.checking.calls import (
    arguments_of,
    differentiable,
    ours,
    outputs,
    total,
    values,
)
from tinytensor.compiled import use_compiled
from tinytensor.compiled.expressions import written_out
from tinytensor.ops import elementwise

ROOT = Path(__file__).parent.parent

FACTOR = numpy.float32(3)
product = lambda g, other: g * other  # noqa: E731
with_global = lambda g, x: g * (FACTOR + math.pi * x)  # noqa: E731
with_default = lambda g, x=2: g * x  # noqa: E731
two_in_a_line = (lambda g: g * 2, lambda g: g * 3)


def single_return(xp, x):
    """Only this."""
    return xp.tanh(x) + len(x)


def several_lines(x):
    y = x * x
    return y + 1


def with_a_scope(x):
    return sum(y for y in x)


def closed_over(name):
    def call(xp, x):
        return getattr(xp, name)(x)

    return call


def evaluated(function, *args):
    """The text of the function with renamed arguments, and the value of that text."""
    names = {name: f"{name}_" for name in function.__code__.co_varnames[:len(args)]}
    namespace = {}
    text = written_out(function, names, namespace)
    return text, eval(text, {**namespace, **{
        names[n]: a for n, a in zip(names, args, strict=True)}})


@pytest.mark.parametrize(("text", "function", "args"), [
    ("g_ * other_", product, (2.0, 5.0)),
    ("g_ * (its_FACTOR + its_math.pi * x_)", with_global, (2.0, 5.0)),
    ("xp_.tanh(x_) + len(x_)", single_return, (numpy, numpy.ones(3))),
    ("xp_.exp(x_)", closed_over("exp"), (numpy, numpy.ones(3))),
], ids=["product", "names of the module", "single return", "closure"])
def test_one_expression_is_written_out_with_its_names(text, function, args):
    found, value = evaluated(function, *args)
    assert found == text
    numpy.testing.assert_array_equal(value, function(*args))


def test_two_lambdas_of_one_line_are_told_apart_by_their_code():
    assert [written_out(f, {"g": "g"}, {}) for f in two_in_a_line] == ["g * 2", "g * 3"]


def test_a_source_that_changed_since_is_not_used(tmp_path):
    """An inserted line moves another function to the line number of this one."""
    path = tmp_path / "rules.py"
    text = "double = lambda g, x: g * 2\ntriple = lambda g, x: g * 3\n"
    path.write_text(text)
    module: dict = {}
    exec(compile(text, str(path), "exec"), module)
    path.write_text("quadruple = lambda g, x: g * 4\n" + text)
    linecache.checkcache(str(path))
    assert written_out(module["triple"], {"g": "g", "x": "x"}, {}) is None
    assert written_out(module["double"], {"g": "g", "x": "x"}, {}) is None


@pytest.mark.parametrize("function", [
    with_default, several_lines, with_a_scope, math.sin,
    eval("lambda g: g"), numpy.add],
    ids=["default", "several lines", "scope", "builtin", "without source", "ufunc"])
def test_anything_else_is_called(function):
    assert written_out(function, {"g": "g", "x": "x"}, {}) is None


def test_a_name_that_is_taken_by_something_else_is_not_overwritten():
    namespace = {"its_FACTOR": "another"}
    assert written_out(with_global, {"g": "g", "x": "x"}, namespace) is None
    assert namespace["its_FACTOR"] == "another"


def test_ops_read_as_if_written_by_hand():
    with use_compiled(True):
        assert "out = input_ * other_" in elementwise.mul.op.source
        assert "d = g * other" in elementwise.mul.op.source
        assert "out = xp.exp(input_)" in elementwise.exp.op.source


# ---------------------------------------------------------------- plain and compiled


def outcome(entry, sample):
    """Results, gradients and second derivatives of a call, or its error."""
    (args, kwargs), leaves = ours(arguments_of(sample, entry.name))
    try:
        results = outputs(entry.function(*args, **kwargs))
        found = [values(r) for r in results]
        results = differentiable(results)
        if not results or not leaves:
            return found
        first = tinytensor.autograd.grad(total(results, tinytensor, 0), leaves, create_graph=True,
                                         allow_unused=True)
        found += [g if g is None else values(g) for g in first]
        first = differentiable([g for g in first if g is not None])
        if first:
            found += [g if g is None else values(g) for g in tinytensor.autograd.grad(
                total(first, tinytensor, 1), leaves, allow_unused=True)]
    except Exception as error:
        return type(error), str(error), getattr(error, "__notes__", [])
    return found


def wrong_calls(entry):
    """The errors of calls without arguments, with text for Tensors, and with wrong shapes."""
    def without():
        entry.function()

    def with_text():
        entry.function(*["text"] * len(entry.op.signature.inputs))

    def of_other_shapes():
        inputs = [tinytensor.ones(2 + i, 3 + i) for i in range(len(entry.op.signature.inputs))]
        entry.function(*inputs)

    for call in (without, with_text, of_other_shapes):
        try:
            call()
        except Exception as error:
            in_python_s_words = "argument" in str(error)  # `inspect` words it differently
            yield type(error), "" if in_python_s_words else str(error)
        else:
            yield None


MODULES = sorted({entry.module for entry in TABLE.values()})


@pytest.mark.parametrize("module", MODULES)
def test_plain_and_compiled_calls_agree(module):
    entries = [entry for entry in TABLE.values() if entry.module == module]
    samples = [(entry, sample) for entry in entries for sample in entry.samples]
    ops = [entry for entry in entries if entry.op is not None and not entry.public]
    compiled, plain = [], []
    for on, found, errors in ((True, compiled, []), (False, plain, [])):
        with use_compiled(on):
            found += [outcome(entry, sample) for entry, sample in samples]
            errors += [list(wrong_calls(entry)) for entry in ops]
        found += errors
    names = [f"{entry.key}{sample}" for entry, sample in samples] + [e.key for e in ops]
    run_all({f"[{i}] {name}": lambda a=a, b=b: numpy.testing.assert_equal(a, b)
             for i, (name, a, b) in enumerate(zip(names, compiled, plain, strict=True))})


def test_plain_calls_are_in_use_when_they_are_asked_for():
    with use_compiled(False):
        assert Op.compiler is None
        assert (tinytensor.ones(2, requires_grad=True) * 2).grad_fn.backward.__func__ \
            is tinytensor.autograd.graph.Node.backward
        assert "return input * other" in elementwise.mul.op.source
        with use_compiled(True):
            assert "out = input_ * other_" in elementwise.mul.op.source


def test_the_text_of_every_op_can_be_read():
    with use_compiled(True):
        for entry in TABLE.values():
            if entry.op is not None:
                assert f"def {entry.op.name}(" in entry.op.source
                assert "def backward(" in entry.op.source


# ---------------------------------------------------------------- without sources or `compiled`

USE = """
import tinytensor as tt
from tinytensor import nn
model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1), nn.Tanh())
x = tt.arange(8.0).reshape(4, 2)
loss = (model(x) - tt.ones(4, 1)).pow(2).mean() + x[1:].exp().sum() * 0
loss.backward()
print(all(p.grad is not None for p in model.parameters()), tt.relu(x - 4).tolist())
"""


def run(folder, code=USE, **environment):
    answer = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True,
                            text=True, env={"PATH": "", "HOME": str(folder), **environment})
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def copy_of_the_package(folder):
    shutil.copytree(ROOT / "tinytensor", folder / "tinytensor",
                    ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.long
def test_everything_runs_without_source_files(tmp_path):
    folder = copy_of_the_package(tmp_path)
    subprocess.run([sys.executable, "-m", "compileall", "-q", "-b", folder / "tinytensor"],
                   check=True)
    for path in (folder / "tinytensor").rglob("*.py"):
        path.unlink()
    assert run(folder) == run(ROOT)


@pytest.mark.long
def test_everything_runs_without_the_package_compiled(tmp_path):
    folder = copy_of_the_package(tmp_path)
    shutil.rmtree(folder / "tinytensor" / "compiled")
    assert run(folder) == run(ROOT) == run(ROOT, TINYTENSOR_COMPILED="0")


# ---------------------------------------------------------------- source and pickling of operations


@in_turn("function, text", [
    (tinytensor.mul, "def mul(input"), (F.cross_entropy, "def cross_entropy(input"),
    (tinytensor.linalg.solve, "def solve("), (tinytensor.ones(1).exp, "exp ="),
    (tinytensor.Tensor.T.fget, "The dims in reverse order"), (tinytensor.ones(1).to, "def to(self"),
    (tinytensor.ones(1).view, "def view("), (tinytensor.ones(1).add_, "def add"),
    (F.gelu, "def gelu("), (F.softmax, "def softmax("), (tinytensor.softmax, "def softmax(")])
def test_the_source_of_a_public_name_is_its_definition(function, text):
    assert text in inspect.getsource(function)
    assert inspect.getdoc(function)
    assert function.__name__ == "to" or "args" not in str(inspect.signature(function))
    tinytensor.ones(2) * 2  # the first call compiles the operation
    assert text in inspect.getsource(function)


def test_operations_and_modules_that_hold_them_pickle_and_copy():
    import copy

    for entry in TABLE.values():
        if not entry.internal:
            assert pickle.loads(pickle.dumps(entry.function)) is entry.function, entry.key
            assert copy.deepcopy(entry.function) is entry.function
    layer = nn.TransformerEncoderLayer(4, 2, 8, activation=tinytensor.relu, batch_first=True)
    x = tinytensor.ones(1, 2, 4)
    for other in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert other.eval()(x).tolist() == layer.eval()(x).tolist()
