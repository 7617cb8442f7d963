"""CONTRIBUTING.md: its example runs unchanged, and errors in an operation are explained."""

from __future__ import annotations

import argparse
import itertools
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import tinytensor
from scalar import Value
from tinytensor import checking
from tinytensor.autograd.table import TABLE
from tinytensor.checking import checks
from tinytensor.checking.reports import advice
from tinytensor.commands import check, generate

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
SCALAR, TENSOR, KERNEL = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
RULE = re.search(r"squareplus\.vjp\((.*)\)\n", TENSOR)[1]  # type: ignore[index]
STRINGS = "from __future__ import annotations\n"
modules = itertools.count()


@pytest.fixture(autouse=True)
def table():
    """Removes the entries that a test adds to the table."""
    before = dict(TABLE)
    yield
    TABLE.clear()
    TABLE.update(before)
    if hasattr(tinytensor.Tensor, "squareplus"):
        del tinytensor.Tensor.squareplus


def module() -> ModuleType:
    """A new module to run code in, like a file or a notebook."""
    return ModuleType(f"my_ops_{next(modules)}")


def defined(text: str) -> ModuleType:
    made = module()
    exec(compile(text, "my_ops.py", "exec", dont_inherit=True), vars(made))
    return made


def reports(name: str = "squareplus") -> dict[str, str]:
    """The messages of the checks that fail, by title."""
    return {outcome.check.title: outcome.report() for outcome in checking.run(TABLE[name])
            if outcome.failures}


def test_the_page_is_short():
    assert len(PAGE.splitlines()) <= 150


def test_the_operation_on_single_numbers(capsys):
    made = defined(SCALAR)
    assert capsys.readouterr().out == "0.8\n"
    x = Value(1.5)
    y = made.squareplus(x * x, b=1.0)
    y.backward()
    assert y._op == "squareplus" and x.grad == pytest.approx(1.5 * (1 + 2.25 / 6.0625 ** 0.5))


@pytest.mark.parametrize("first", ["", STRINGS], ids=["objects", "strings"])
def test_the_operation_passes_all_checks(first):
    made = defined(first + TENSOR)
    assert not reports()
    assert made.squareplus(tinytensor.tensor(1.5)).item() == 2.0
    assert tinytensor.tensor(1.5).squareplus(b=0.0).item() == 1.5
    exec(KERNEL, vars(made))
    outcomes = {o.check.function: o for o in checking.run(TABLE["squareplus"])}
    assert not any(o.failures for o in outcomes.values())
    assert not advice(TABLE["squareplus"])


def test_both_modes_give_the_same():
    x, y = tinytensor.tensor(0.3, dtype=tinytensor.float64, requires_grad=True), Value(0.3)
    single, whole = defined(SCALAR).squareplus(y), defined(TENSOR).squareplus(x)
    single.backward()
    whole.backward()
    assert whole.item() == pytest.approx(single.data, rel=1e-15)
    assert x.grad.item() == pytest.approx(y.grad, rel=1e-15)


def test_an_operation_that_is_a_function_only_says_so(monkeypatch):
    defined(TENSOR)
    monkeypatch.delattr(tinytensor.Tensor, "squareplus")
    (report,) = reports().values()
    assert "there is no method Tensor.squareplus: declare method=False" in report


def test_a_cell_can_be_run_again():
    made = module()
    exec(TENSOR, vars(made))
    exec(TENSOR.replace("/ 2)\n", "/ 3)\n"), vars(made))
    assert reports(), "the second definition counts"
    exec(TENSOR, vars(made))
    assert not reports()


@pytest.mark.skipif(find_spec("numba") is None, reason="kernels are checked if Numba is installed")
def test_a_wrong_kernel_is_noticed():
    made = defined(TENSOR)
    exec(KERNEL.replace("slope += 1", "slope += 2"), vars(made))
    assert list(reports()) == ["calls with and without kernels are equal"]


# ---------------------------------------------------------------- the command


def test_the_command_explains_a_mistake_as_the_page_says(tmp_path):
    (tmp_path / "my_ops.py").write_text(TENSOR.replace(" / 2)\n", ")\n"))
    answer = subprocess.run([sys.executable, "-m", "tinytensor", "check", "my_ops:squareplus"],
                            cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True,
                            text=True)
    message = re.search(r"```\n(FAILS.*?)```", PAGE, re.DOTALL)[1]  # type: ignore[index]
    assert message in answer.stdout, answer.stderr
    assert answer.returncode == 1


def test_the_command_passes_the_example(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_ops", raising=False)
    (tmp_path / "my_ops.py").write_text(TENSOR)
    with pytest.raises(SystemExit) as status:
        check.run(argparse.Namespace(names=["my_ops:"], all=False))
    output = capsys.readouterr().out
    assert status.value.code == 0, output
    assert output.count("\nok ") == 11 and output.endswith("\nall checks pass\n")
    assert list(check.chosen("my_ops.py:squareplus")) == ["squareplus"]
    with pytest.raises(ValueError, match=r"no operation 'squarplus'; near names: squareplus$"):
        check.chosen("my_ops:squarplus")


def test_the_command_needs_a_name():
    with pytest.raises(SystemExit, match="give the names of operations, or --all"):
        check.run(argparse.Namespace(names=[], all=False))


def test_an_unknown_name_is_told_what_is_near():
    with pytest.raises(ValueError, match=r"no operation 'sofmax'; near names: softmax, "):
        check.chosen("sofmax")
    with pytest.raises(SystemExit, match=r"no operation 'qzx'; an operation of a file"):
        check.run(argparse.Namespace(names=["qzx"], all=False))
    with pytest.raises(ValueError, match="the import of no_such_file raises ModuleNotFoundError"):
        check.chosen("no_such_file:squareplus")


def test_a_notebook_checks_a_function(capsys):
    made = defined(TENSOR)
    assert checking.check(made.squareplus)
    exec(TENSOR.replace(" / 2)\n", ")\n"), vars(made))
    assert not checking.check(made.squareplus)
    output = capsys.readouterr().out
    assert "\nall checks pass\n" in output and "\n5 of 12 checks fail\n" in output
    with pytest.raises(ValueError, match="is not in the table of operations; define it with @op"):
        checking.check(print)


def test_names_with_and_without_their_home_are_known():
    assert list(check.chosen("unfold")) == ["unfold", "nn.functional.unfold"]
    assert list(check.chosen("linalg.qr")) == ["linalg.qr"]
    assert list(check.chosen("tinytensor.arctan")) == ["atan"]


def test_generate_writes_what_changed(tmp_path):
    (tmp_path / "tinytensor" / "table").mkdir(parents=True)
    (tmp_path / "README.md").write_text("[1 operations](tinytensor/OPERATIONS.md)")
    written = generate.write(tmp_path)
    assert {"tinytensor/table/functions.pyi", "tinytensor/OPERATIONS.md", "README.md"} < {*written}
    assert generate.write(tmp_path) == []
    for name in set(written) - {"README.md"}:
        assert (tmp_path / name).read_text() == (ROOT / name).read_text()
    count = re.search(r"\[\d+ operations\]", (ROOT / "README.md").read_text())
    assert count and count[0] in (tmp_path / "README.md").read_text()


# ---------------------------------------------------------------- explanations of mistakes

ROOT_OF = "xp.sqrt(input * input + b)"
WRONG_RULES = {
    "ratio 2: counted twice": f"input=lambda xp, g, input, b: g * (1 + input / {ROOT_OF})",
    "ratio -1: a minus sign": f"input=lambda xp, g, input, b: -g * (1 + input / {ROOT_OF}) / 2",
    "the factor `g` is missing": f"input=lambda xp, g, input, b: (1 + input / {ROOT_OF}) / 2",
}


@pytest.mark.parametrize("words", WRONG_RULES)
def test_a_wrong_rule_is_explained(words):
    defined(TENSOR.replace(RULE, WRONG_RULES[words]))
    text = reports()["results and gradients equal the reference's in float64"]
    assert words in text
    assert "on samples[0], called with (3x4)" in text
    if "ratio" in words:
        text = reports()["first and second derivatives equal finite differences"]
        assert words in text and "by `input`" in text


PAIR = """
from tinytensor.arrays import Array
from tinytensor.autograd.table import op
from tinytensor.ops.samples import S, t

@op(method=False, samples=[S(t(3, 3), t(3, 3))], reference=lambda torch: lambda input, scale:
    {torch})
def pair(xp, input: Array, scale: Array):
    '''A product. Shapes: (n, n), (n, n) -> (n, n).'''
    return {forward}

pair.vjp(input=lambda xp, g, scale: {input}, scale=lambda g, input: {scale})
"""
WRONG_PAIRS = {
    "the gradient of `scale`.*\n.*not summed: the sum over axes (0, 1) is right": {
        "torch": "input * scale.sum()", "forward": "input * scale.sum()",
        "input": "g * scale.sum()", "scale": "g * input"},
    "the gradient of `input`.*\n.*transposed": {
        "torch": "input.T * scale", "forward": "xp.swapaxes(input, 0, 1) * scale",
        "input": "g * scale", "scale": "g * input.swapaxes(0, 1)"},
    "the gradient of `scale`.*\n.*the factor `input` is missing": {
        "torch": "input * scale", "forward": "input * scale", "input": "g * scale", "scale": "g"},
    "the gradient of `scale`.*\n.*one factor `input` too many": {
        "torch": "input + scale", "forward": "input + scale", "input": "g", "scale": "g * input"},
    "a rule returns a gradient of shape (3,) for an input of shape (3, 3)": {
        "torch": "input.sum(0) * scale.sum(0)", "forward": "input.sum(axis=0) * scale.sum(axis=0)",
        "input": "g * scale.sum(axis=0)", "scale": "g"},
    "a rule returns a gradient of shape (9,) for an input of shape (3, 3)": {
        "torch": "input + scale", "forward": "input + scale", "input": "g",
        "scale": "g.reshape(9)"},
    "the gradient of `scale`.*\n.*zero: the rule gives no gradient": {
        "torch": "input + scale", "forward": "input + scale", "input": "g", "scale": "g * 0"},
}


@pytest.mark.parametrize("words", WRONG_PAIRS)
def test_a_wrong_rule_of_two_inputs_is_explained(words):
    defined(PAIR.format(**WRONG_PAIRS[words]))
    text = reports("pair")["results and gradients equal the reference's in float64"]
    pattern = re.escape(words).replace(re.escape(".*\n.*"), ".*\n.*")
    assert re.search(pattern, text), text


@pytest.mark.parametrize(("old", "new", "title", "words"), [
    ("samples=[*unary(), S(t(2, 3), b=1.0)], ", "", "samples exist", "declare samples="),
    (", reference=by_pytorch", "", "a reference exists",
     "PyTorch has no `squareplus`: give the definition a reference="),
    ("Shapes: (*) -> (*). ", "", "the docstring says the shapes", "lacks the shapes"),
    (f"squareplus.vjp({RULE})", "", "results and gradients equal the reference's in float64",
     "there is no rule for `input`: write squareplus.vjp(input=...)"),
    ("return (input +", "return (xp.trunc(0 * input) + input +",
     "results and gradients equal the scalar engine's", 'declare scalar="why"'),
    ("g * (1", "xp.asarray(2.0) / 2 * g * (1", "float32 and float16 inputs keep their dtype",
     "has dtype float64"),
], ids=lambda text: text if " " in text and len(text) < 40 else "")
def test_a_missing_declaration_is_asked_for(old, new, title, words):
    assert old in TENSOR
    defined(TENSOR.replace(old, new))
    assert words in reports()[title]


KINK = """
from tinytensor.arrays import Array
from tinytensor.autograd.table import op
from tinytensor.ops.samples import S, t

@op(method=False, samples=[S(t(3, low=0, high=0))], reference="relu")
def ramp(xp, input: Array):
    '''The larger of 0 and x. Shapes: (*) -> (*).'''
    return xp.maximum(input, 0)

ramp.vjp(input=lambda g, input: g * (input > 0))
"""


def test_a_sample_at_a_kink_is_explained():
    defined(KINK)
    text = reports("ramp")["first and second derivatives equal finite differences"]
    assert "at a kink: the one-sided differences disagree" in text


def test_a_sample_of_every_kind_is_advised():
    defined(TENSOR.replace("*unary(), ", ""))
    assert advice(TABLE["squareplus"]) == [
        "no sample is 0-d: add S(t())", "no sample is empty: add S(t(0, 3))"]


def test_without_pytorch_the_reference_computes_with_this_package(monkeypatch):
    monkeypatch.setattr(checking.calls, "torch", lambda: None)
    defined(TENSOR)
    outcomes = {o.check.title: o for o in checking.run(TABLE["squareplus"])}
    assert outcomes["results and gradients equal the reference's in float64"].tried == 4
    assert not any(o.failures for o in outcomes.values())
    assert not any(o.failures for o in checking.run(TABLE["exp"]))
    (reason,) = {o.reason for o in checking.run(TABLE["exp"]) if o.check.function
                 is checks.first_order_float64}
    assert reason == "PyTorch is not installed"
