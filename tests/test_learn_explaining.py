"""learn.explain: the mistake in gradients that were computed by hand is named."""

from __future__ import annotations

import re

import numpy as np
import pytest
from mistakes.bed import SEVERAL, UNKNOWN, WORKS
from mistakes.judge import PAGE, above, judged, named, page, verdicts
from operations import in_turn

import scalar
import tinytensor as tt
from tinytensor import learn
from tinytensor.learn import explaining, matching

RNG = np.random.default_rng(0)
X, G = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4))


@in_turn("name", WORKS)
def test_planted_mistakes_are_named(name):
    work = WORKS[name]
    for i, planted in enumerate(work.planted):
        assert (name, i, planted.kind, planted.kind) in verdicts(), judged(work, planted)


@in_turn("name", WORKS)
def test_two_different_right_programs_are_right(name):
    work = WORKS[name]
    g = above(work)
    for program in (work.backward, work.other):
        explanation = learn.explain(work.forward, work.inputs, work.gradients(program, g), g)
        assert explanation.right and str(explanation) == "All gradients are right."
        assert explanation.mistakes == [] and not explanation.several
    assert work.backward != work.other


def test_there_are_many():
    assert len(WORKS) >= 15
    assert len(verdicts()) >= 60
    assert len({kind for _, _, kind, _ in verdicts()} - {SEVERAL, UNKNOWN}) >= 15


def test_the_page_shows_the_tables():
    assert page() == PAGE.read_text(), "run: python -m tests.mistakes --write"
    assert f"of {len(WORKS)} functions" in PAGE.read_text()


def test_the_bed_notices_when_nothing_is_known(monkeypatch):
    monkeypatch.setattr(matching, "all_mistakes", lambda backward: [])
    work = WORKS["neuron"]
    names = {named(judged(work, planted)) for planted in work.planted}
    assert names == {UNKNOWN, "factor too many"}  # a wrong sign is the factor -1


def test_the_page_shows_what_is_printed():
    [program] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = program.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("# The gradient"))
    shown = [line.removeprefix("#").removeprefix(" ") for line in lines[start:]]

    def softmax(x):
        powers = np.exp(x)
        total = powers.sum(-1, keepdims=True)
        return powers / total

    x, g = np.array([[0.5, -1.0, 2.0]]), np.array([[1.0, -2.0, 0.5]])
    explanation = learn.explain(softmax, {"x": x}, {"x": g * softmax(x)}, g)
    assert str(explanation).splitlines() == shown


# ---------------------------------------------------------------- what it says, word for word


def said(name, number):
    work = WORKS[name]
    lines = str(judged(work, work.planted[number])).splitlines()
    return lines[lines.index("") + 1:]


@pytest.mark.parametrize(("name", "number", "lines"), [
    ("softmax", 3, ["Only the diagonal is there: each element of the result depends on other "
                    "elements of `x` too, not only on the one at its own place."]),
    ("layer_norm", 0, ["Look at line 2, `centred = x - mean`. Nothing comes back through `mean`.",
                       "The same numbers come out if it happens in line 1 (`x`)."]),
    ("layer_norm", 11, [
        "Look at line 5, `return centred * scale * w + b`. Nothing comes back through `scale`.", "",
        "Look at line 2, `centred = x - mean`. Nothing comes back through `mean`."]),
    ("rnn", 0, ["Look at line 3, `z = x[t] @ w + h @ u + b`. `w` is used in every round of the "
                "loop, and the gradient of one round alone arrives: it is overwritten where it "
                "should be added up."]),
    ("relu_layer", 5, ["Look at line 2, `return np.maximum(z, 0)`. The gradient goes back through "
                       "the maximum in `np.maximum(z, 0)` to `z` everywhere, also where another "
                       "operand was chosen.", "It happens on the way to b only: the other "
                       "gradients do not have it."]),
    ("embedding", 0, ["Look at the result. A number of the result is used up to 3 times, and one "
                      "of its contributions alone arrives: add them all up, do not overwrite."]),
])
def test_messages(name, number, lines):
    assert said(name, number) == lines


def test_which_number_is_wrong():
    explanation = learn.explain(lambda x: x * 2, {"x": X}, {"x": np.where(X == X[1, 2], 7, 2)})
    assert explanation.wrong == {
        "x": "the gradient of x[1, 2] is 7 and should be 2 (1 of 12 elements are wrong)"}
    assert repr(explanation) == str(explanation)
    assert explanation.unknown == ["x"] and "No single mistake" in str(explanation)


# ---------------------------------------------------------------- what it takes


def softmax_gradient(x, g):
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    return p * (g - (g * p).sum(-1, keepdims=True)), p * g


def test_functions_of_tensors():
    def softmax(x):
        powers = x.exp()
        return powers / powers.sum(-1, keepdim=True)

    right, wrong = softmax_gradient(X, G)
    x, g = tt.tensor(X), tt.tensor(G)
    assert learn.explain(softmax, {"x": x}, {"x": tt.tensor(right)}, g).right
    explanation = learn.explain(softmax, {"x": x}, {"x": tt.tensor(wrong)}, g)
    assert explanation.kinds == ["path"] and explanation.mistakes[0].line == 2
    assert "through `powers.sum(-1, keepdim=True)`" in str(explanation)
    explanation = learn.explain(lambda x: x.softmax(-1), {"x": x}, {"x": wrong}, g)
    assert "Nothing comes back through operand 2 of the division." in str(explanation)
    explanation = learn.explain(lambda x: x.relu(), {"x": x}, {"x": g}, g)
    assert explanation.kinds == ["factor"] and "another operand was chosen" in str(explanation)


def test_functions_of_lists_and_numbers():
    def neuron(x, w, b):
        s = b
        for a, c in zip(x, w, strict=True):
            s = s + a * c
        return s.tanh()

    x, w, b = [0.5, -1.0, 2.0], [0.3, 0.2, -0.4], 0.1
    slope = 1 - np.tanh(np.dot(x, w) + b) ** 2
    inputs = {"x": x, "w": w, "b": b}
    right = {"x": slope * np.array(w), "w": [slope * v for v in x], "b": slope}
    assert learn.explain(neuron, inputs, right).right
    explanation = learn.explain(neuron, inputs, {"x": w, "w": x, "b": 1.0})
    assert explanation.kinds == ["factor"] and explanation.mistakes[0].names == ["x", "w", "b"]
    explanation = learn.explain(neuron, inputs, {**right, "b": None})
    assert str(explanation).startswith("The gradient of b is None.")
    x = [0.5, -1.0, 2.0]
    explanation = learn.explain(scalar.functional.softmax, {"logits": x}, {
        "logits": softmax_gradient(np.array(x), G[0, :3])[1]}, G[0, :3])
    assert explanation.kinds == ["path"]


def test_arguments_go_by_name_and_stay_as_they_are():
    def power(x, y):
        x *= 2  # in place
        return x / y

    x, y = np.abs(X) + 1, np.abs(G) + 1
    kept = x.copy()
    gradients = {"y": -2 * x / y ** 2, "x": 2 / y}
    assert learn.explain(power, {"y": y, "x": x}, gradients).right
    assert (x == kept).all()


def test_functions_of_others():
    def unit(a):
        norm = np.sqrt((a * a).sum(-1, keepdims=True))
        return a / norm

    def f(x):
        n = unit(x)
        return n * 3

    wrong = 3 * G / np.sqrt((X * X).sum(-1, keepdims=True))
    assert "line 2 of unit, `return a / norm`" in str(learn.explain(f, {"x": X}, {"x": wrong}, G))
    explanation = learn.explain(np.tanh, {"x": X}, {"x": G}, G)  # in C: no lines
    assert "Look at the tanh. The local derivative of the tanh is missing" in str(explanation)


def test_values_from_outside_are_constants():
    weight = scalar.Value(3.0)
    assert learn.explain(lambda x: x * weight, {"x": 2.0}, {"x": 3.0}).right
    assert learn.explain(lambda x: x * weight, {"x": 2.0}, {"x": 1.0}).kinds == ["factor"]


def test_choices_between_two():
    for function in (lambda x: np.where(x > 0.1, x, 0), lambda x: np.clip(x, 0.1, None),
                     lambda x: np.fmax(x, 0.1), lambda x: np.clip(x, a_min=0.1, a_max=99)):
        assert learn.explain(function, {"x": X}, {"x": G * (X > 0.1)}, G).right
        assert learn.explain(function, {"x": X}, {"x": G}, G).kinds == ["factor"]


def test_gradients_of_float32_are_compared_less_strictly():
    right = softmax_gradient(X, G)[0]
    work = {"forward": WORKS["softmax"].forward, "inputs": {"x": X}, "g": G}
    assert learn.explain(gradients={"x": right.astype(np.float32)}, **work).right
    assert not learn.explain(gradients={"x": right * (1 + 1e-5)}, **work).right
    explanation = learn.explain(gradients={"x": right * (1 + 1e-5)}, **work)
    assert "It is nearly right" in str(explanation)
    explanation = learn.explain(gradients={"x": np.full_like(X, np.nan)}, **work)
    assert explanation.kinds == ["not finite"] and "is nan and should be" in str(explanation)


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"gradients": {"y": G}}, ValueError, "no input 'y'; the inputs are x"),
    ({"g": G[0]}, ValueError, r"g has shape \(4,\), and the result of forward \(3, 4\)"),
    ({"forward": lambda y: y}, ValueError, "forward has no parameter 'x'; its parameters are y"),
    ({"forward": lambda x: (x, x[0])}, TypeError, "several results of different shapes"),
    ({"forward": lambda x: 3.0}, ValueError, "does not depend on the inputs"),
    ({"forward": lambda x: np.isnan(x)}, TypeError, "cannot run on Values"),
    ({"forward": lambda x: x + x.floor(), "inputs": {"x": tt.tensor(X)}}, TypeError,
     "such as floor or round"),
    ({"inputs": {"x": np.arange(12).reshape(3, 4)}, "forward": lambda x: x * scalar.Value(1.0)},
     ValueError, "'x' holds no floating point numbers"),
])
def test_what_cannot_be_explained(options, error, message):
    call = {"forward": np.tanh, "inputs": {"x": X}, "gradients": {"x": G}, "g": G} | options
    if call["forward"] is not np.tanh and "g" not in options:
        del call["g"]
    with pytest.raises(error, match=message):
        learn.explain(**call)


def test_large_functions_are_refused(monkeypatch):
    monkeypatch.setattr(explaining, "LARGEST", 30)
    with pytest.raises(ValueError, match=r"forward makes 36 Values, and 30 is the limit"):
        learn.explain(np.tanh, {"x": X}, {"x": G})


def test_values_are_as_before_afterwards():
    before = scalar.Value.__init__
    with pytest.raises(ZeroDivisionError):
        learn.explain(lambda x: x / (1 // 0), {"x": X}, {"x": G})
    assert scalar.Value.__init__ is before


def test_gradients_that_cancel_are_right_up_to_rounding():
    """With g of ones the gradient of softmax is 0; each program rounds it to other tiny numbers."""
    work = WORKS["softmax"]
    for program in (work.backward, work.other):
        gradients = work.gradients(program, np.ones((3, 4)))
        assert learn.explain(work.forward, work.inputs, gradients).right
    explanation = learn.explain(work.forward, work.inputs, {"x": np.ones((3, 4))})
    assert "is 1 and should be 0" in str(explanation)
    assert str(explanation).endswith("Random numbers for g tell more mistakes apart.")
