"""scalar.engine and scalar.number: results and gradients against PyTorch, the graph, errors."""

import cmath
import copy
import gc
import inspect
import math
import operator
import pathlib
import pickle
import pydoc
import random
import re
import subprocess
import sys
import textwrap
import warnings
import weakref
from math import tanh

import numpy as np
import pytest
import torch

import scalar
from scalar import Value, topological_order

INF, NAN = math.inf, math.nan
ELEMENTARY = {
    "exp": (torch.exp, -2, 2), "log": (torch.log, 0.1, 3), "sqrt": (torch.sqrt, 0.1, 3),
    "sin": (torch.sin, -3, 3), "cos": (torch.cos, -3, 3), "tanh": (torch.tanh, -2, 2),
    "sigmoid": (torch.sigmoid, -3, 3), "relu": (torch.relu, -2, 2), "abs": (torch.abs, -2, 2),
    "exp2": (torch.exp2, -2, 2), "expm1": (torch.expm1, -2, 2), "log2": (torch.log2, 0.1, 3),
    "log10": (torch.log10, 0.1, 3), "log1p": (torch.log1p, -0.9, 2), "tan": (torch.tan, -1, 1),
    "arcsin": (torch.arcsin, -0.9, 0.9), "arccos": (torch.arccos, -0.9, 0.9),
    "arctan": (torch.arctan, -3, 3), "sinh": (torch.sinh, -2, 2), "cosh": (torch.cosh, -2, 2),
    "arcsinh": (torch.arcsinh, -3, 3), "arccosh": (torch.arccosh, 1.1, 3),
    "arctanh": (torch.arctanh, -0.9, 0.9),
}


def leaf(x):
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


def equal(a, b, rel=1e-12):
    if math.isfinite(a) and math.isfinite(b):
        return abs(a - b) <= rel * max(abs(a), abs(b))
    return a == b or (math.isnan(a) and math.isnan(b))


def check_against_torch(f, torch_f, numbers, rel=1e-12):
    """Asserts that f on Values and torch_f on tensors have equal results and gradients."""
    values, leaves = [Value(x) for x in numbers], [leaf(x) for x in numbers]
    out, want = f(*values), torch_f(*leaves)
    out.backward()
    want.backward()
    assert equal(out.data, want.item(), rel), (numbers, out.data, want.item())
    for value, t in zip(values, leaves, strict=True):
        grad = 0.0 if t.grad is None else t.grad.item()
        assert equal(value.grad, grad, rel), (numbers, value.grad, grad)


# ---------------------------------------------------------------- operations


@pytest.mark.parametrize("name", ELEMENTARY)
def test_elementary_function(name):
    torch_f, low, high = ELEMENTARY[name]
    rng = random.Random(name)
    for _ in range(20):
        check_against_torch(lambda v: getattr(v, name)(), torch_f, [rng.uniform(low, high)])


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
EDGES = [0.0, -0.0, 1.0, -1.0, 2.0, -8.0, 0.5, 1000.0, -1000.0, 1e200, -1e200, INF, -INF, NAN]


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize("seed", range(10))
def test_operator_with_values_and_numbers_on_either_side(op, seed):
    rng = random.Random(seed)
    a, b = rng.uniform(0.2, 3), rng.uniform(-2, 2)
    check_against_torch(op, op, [a, b])
    check_against_torch(lambda x: op(x, b), lambda x: op(x, b), [a])
    check_against_torch(lambda x: op(a, x), lambda x: op(a, x), [b])


@pytest.mark.parametrize("op", [operator.neg, operator.pos, abs])
@pytest.mark.parametrize("x", [-1.5, 2.5])
def test_unary_operator(op, x):
    check_against_torch(op, op, [x])


@pytest.mark.parametrize("name", ELEMENTARY)
def test_function_at_the_edges(name):
    torch_f, _, _ = ELEMENTARY[name]
    for x in EDGES:
        if name == "arcsinh" and abs(x) == 1e200:
            continue  # PyTorch's derivative underflows
        # 1 - tanh² cancels, so the last bit of tanh affects the tenth digit of the derivative.
        rel = 1e-9 if name == "tanh" else 1e-12
        check_against_torch(operator.methodcaller(name), torch_f, [x], rel)


@pytest.mark.parametrize("op", BINARY)
def test_operator_at_the_edges(op):
    for a in EDGES:
        for b in EDGES:
            check_against_torch(op, op, [a, b])


@pytest.mark.parametrize("n", [0, 1, 2, 3, -1, -2, 1 / 3, -1 / 3, 2.5])
def test_powers_with_a_number_at_the_edges(n):
    for x in EDGES:
        check_against_torch(lambda v: v ** n, lambda t: t ** n, [x])
        check_against_torch(lambda v: n ** v, lambda t: n ** t, [x])


def test_ieee_results_that_python_raises_at():
    assert Value(0.0).log().data == -INF
    assert Value(0.0) ** -1 == INF and (Value(-0.0) ** -1).data == -INF
    assert math.isnan((Value(-8.0) ** (1 / 3)).data)
    assert 1 / Value(0.0) == INF and 1 / Value(-0.0) == -INF and math.isnan((Value(0) / 0).data)
    assert Value(1000).exp() == INF and Value(-1e200) ** 3 == -INF and Value(1e200) ** 2 == INF
    assert math.isnan(Value(-1).sqrt().data) and math.isnan(Value(INF).sin().data)


def test_a_flat_relu_stops_an_infinite_gradient():
    check_against_torch(lambda v: v.relu().sqrt(), lambda t: torch.relu(t).sqrt(), [-1.0])


def random_expression(rng, a, b, c):
    """A graph with shared nodes, of Values or of tensors."""
    nodes = [a, b, c]
    for _ in range(25):
        x, y, k = rng.choice(nodes), rng.choice(nodes), rng.uniform(0.5, 2)
        nodes.append(rng.choice([
            lambda x, y, k: x + y, lambda x, y, k: x * y * 0.5, lambda x, y, k: x - y,
            lambda x, y, k: x / (y * y + k), lambda x, y, k: k - x, lambda x, y, k: k / (x * x + 1),
            lambda x, y, k: x.tanh(), lambda x, y, k: x.sigmoid(), lambda x, y, k: x.relu() + y,
            lambda x, y, k: (x.tanh() * k).exp(), lambda x, y, k: (x * x + k).log(),
            lambda x, y, k: (x * x + k).sqrt(), lambda x, y, k: x.sin() * y.cos(),
            lambda x, y, k: (x * x + k) ** y.tanh(), lambda x, y, k: abs(x) * k,
            lambda x, y, k: x.tanh() ** 3, lambda x, y, k: k ** x.tanh(), lambda x, y, k: -x,
        ])(x, y, k))
    return sum(node.tanh() for node in nodes)


@pytest.mark.parametrize("seed", range(40))
def test_random_expressions(seed):
    numbers = [random.Random(-seed).uniform(-2, 2) for _ in range(3)]
    # Sums over many paths cancel, and the smallest gradients lose a few digits.
    check_against_torch(lambda *xs: random_expression(random.Random(seed), *xs),
                        lambda *xs: random_expression(random.Random(seed), *xs), numbers, 1e-10)


# ---------------------------------------------------------------- backward


def test_a_node_used_twice_counts_twice():
    a = Value(3.0)
    b = a + a
    (b * b + a * a).backward()
    assert (b.grad, a.grad) == (12.0, 30.0)
    assert (a * a)._prev == (a, a)


def test_leaves_accumulate_and_other_nodes_start_anew():
    a = Value(2.0)
    b = a * 3
    c = b * b
    c.backward()
    c.backward()
    assert (a.grad, b.grad, c.grad) == (72.0, 12.0, 1.0)
    (b * 5).backward()
    assert (a.grad, b.grad) == (87.0, 5.0)


def test_backward_from_a_leaf_adds_one():
    a = Value(2.0)
    a.backward()
    a.backward()
    assert a.grad == 2.0


def test_topological_order_lists_each_node_once_after_its_parents():
    rng = random.Random(3)
    nodes = [Value(rng.random()) for _ in range(5)]
    for _ in range(200):
        nodes.append(rng.choice(nodes[-9:]) * rng.choice(nodes[-9:]))
    order = topological_order(nodes[-1])
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order) > 50 and order[-1] is nodes[-1]
    assert all(place[parent] < place[node] for node in order for parent in node._prev)


def test_a_long_chain_is_built_walked_and_freed():
    a = Value(1.0)
    out = a
    for _ in range(200_000):
        out = -out
    out.backward()
    assert (out.data, a.grad) == (1.0, 1.0)
    gone = weakref.ref(out)
    del out
    assert gone() is None


def test_a_graph_is_freed_without_the_cyclic_collector():
    def build():
        out = ((a * a + 1) ** 2 / 3).tanh().relu() - scalar.max(a, 2 * a)
        out.backward()
        return [weakref.ref(node) for node in topological_order(out) if node is not a]

    a = Value(0.5)
    gc.collect()
    gc.disable()
    try:
        nodes = build()
        assert len(nodes) > 8 and all(node() is None for node in nodes)
    finally:
        gc.enable()


# ---------------------------------------------------------------- programs in micrograd's style


def test_the_constructor_takes_what_micrograds_takes():
    a, b = Value(1.0), Value(2.0)
    out = Value(3, {a, b}, "mine", label="out")
    assert out.data == 3.0 and type(out.data) is float and out.grad == 0.0
    assert set(out._prev) == {a, b} and isinstance(out._prev, tuple)
    assert (out._op, out.label) == ("mine", "out")


def test_operations_carry_micrograds_names():
    a, b = Value(1.0), Value(2.0)
    assert [(a + b)._op, (a * 2)._op, (a ** 2)._op, (a ** -0.5)._op] == ["+", "*", "**2", "**-0.5"]
    assert [a.relu()._op, a.tanh()._op, a.exp()._op, (-a)._op] == ["ReLU", "tanh", "exp", "neg"]
    assert [(a - b)._op, (a / b)._op, (a ** b)._op, (2 ** a)._op] == ["-", "/", "**", "**"]
    assert (a ** 2)._prev == (a,) and (a ** b)._prev == (a, b)
    assert [p.data for p in (5 - a)._prev] == [5.0, 1.0]


def test_an_operation_made_by_hand_with_a_closure():
    def cube(x):
        out = Value(x.data ** 3, (x,), "cube")

        def _backward():
            x.grad += 3 * x.data ** 2 * out.grad

        out._backward = _backward
        return out

    a = Value(2.0)
    (cube(a * 1.5) + a).backward()
    assert a.grad == 1.5 * 27 + 1


def test_a_rule_assigned_to_the_result_of_an_operator():
    """A straight-through estimator: the forward rounds, and the gradient passes unchanged."""
    a = Value(2.6)
    out = a * 3
    out.data = float(round(out.data))

    def _backward():
        a.grad += 7.0 * out.grad

    out._backward = _backward
    assert out._backward is _backward and out._prev[0] is a
    (out * 2).backward()
    assert a.grad == 14.0


def test_a_rule_assigned_to_a_leaf_runs():
    a, grads = Value(2.0), []
    a._backward = lambda: grads.append(a.grad)
    (a * 3).backward()
    assert grads == [3.0]


def test_a_subclass_defines_its_rule_as_a_method():
    class Cube(Value):
        def __init__(self, x):
            super().__init__(x.data ** 3, (x,), "cube")
            self.x = x

        def _backward(self):
            self.x.grad += 3 * self.x.data ** 2 * self.grad

    a = Value(2.0)
    (Cube(a) * 2).backward()
    assert a.grad == 24.0


def test_a_subclass_with_operators_and_closures_of_its_own():
    class Extended(Value):
        def __add__(self, other):
            out = Extended(self.data + other.data, (self, other), "+")

            def _backward():
                self.grad += out.grad
                other.grad += out.grad

            out._backward = _backward
            return out

    a, b = Extended(1.0), Extended(2.0)
    (a + b + a).backward()
    assert (a.grad, b.grad) == (2.0, 1.0)


def test_backward_by_hand_one_node_at_a_time():
    a, b, c = Value(2.0), Value(-3.0), Value(10.0)
    e = a * b
    d = e + c
    o = d.tanh()
    o.grad = 1.0
    for node in (o, d, e, a):  # it does nothing for a leaf
        node._backward()
    slope = 1 - math.tanh(4.0) ** 2
    assert (d.grad, c.grad, a.grad, b.grad) == (slope, slope, -3 * slope, 2 * slope)


def test_in_place_operators_make_new_values():
    a = b = Value(2.0)
    a += 1
    a *= 3
    a -= b
    a /= 2
    a **= 2
    a.backward()
    assert (a.data, b.data, b.grad) == (12.25, 2.0, 7.0)


# ---------------------------------------------------------------- user-defined operations


def test_the_operation_in_the_docstring():
    example = re.search(r"\n    def .*?(?=\n\S|\Z)", scalar.engine.__doc__, re.DOTALL).group()
    names = {"Value": Value, "math": math}
    exec(textwrap.dedent(example), names)
    softplus = names["softplus"]
    assert softplus(Value(1.0))._op == "softplus"
    for x in (-2.0, 0.0, 3.0):
        check_against_torch(lambda v: softplus(v * 2) * v,
                            lambda t: torch.nn.functional.softplus(t * 2) * t, [x])


def test_an_operation_of_several_parents():
    def distance(x, y):
        d = math.hypot(x.data, y.data)
        return Value.operation("distance", d, [x, y], [x.data / d, y.data / d])

    check_against_torch(lambda a, b: distance(a, b * a), lambda a, b: torch.hypot(a, b * a),
                        [3.0, -4.0])
    check_against_torch(lambda a: distance(a, a), lambda a: torch.hypot(a, a), [3.0])


def test_an_operation_keeps_its_own_derivatives():
    a, derivatives = Value(2.0), [3.0]
    out = Value.operation("f", 1.0, [a], derivatives)
    derivatives[0] = 99.0
    out.backward()
    assert a.grad == 3.0


def test_an_operation_with_arguments_that_do_not_match():
    a = Value(2.0)
    with pytest.raises(ValueError, match="f: 2 parents, but 1 derivatives"):
        Value.operation("f", 1.0, [a, a], [1.0])
    with pytest.raises(TypeError, match=r"a parent must be a Value, got 2\.0"):
        Value.operation("f", 1.0, [2.0], [1.0])
    with pytest.raises(TypeError, match=r"data must be one number, got Value .* \.data"):
        Value.operation("f", a, [a], [1.0])


# ---------------------------------------------------------------- misuse


@pytest.mark.parametrize("name", ["gard", "grads", "dat", "lable", "_backwards", "backward"])
def test_a_misspelt_attribute_is_refused(name):
    with pytest.raises(AttributeError, match=f"'{name}'"):
        setattr(Value(1.0) * 2, name, 0.0)


def test_a_subclass_takes_attributes():
    class Parameter(Value):
        pass

    p = Parameter(1.0)
    p.velocity = 0.5
    (p * 2).backward()
    assert (p.velocity, p.grad) == (0.5, 2.0)


@pytest.mark.parametrize("parents", ["a", (2.0,), [Value(1.0), None]])
def test_parents_that_are_not_values(parents):
    with pytest.raises(TypeError, match=r"a parent must be a Value, got .* label='a'"):
        Value(1, parents)


def test_log_takes_no_base():
    with pytest.raises(TypeError, match=r"log: takes no base.* x\.log\(\) / math\.log\(b\)"):
        Value(100.0).log(10)


def test_the_names_of_functions_in_help_and_in_errors():
    assert "arcsinh(self" in pydoc.render_doc(Value.arcsinh, renderer=pydoc.plaintext)
    with pytest.raises(TypeError, match=r"^Value\.tanh\(\) takes 1 positional argument"):
        Value(1.0).tanh(2)


MATH = [name for name in scalar.number.INSTEAD if hasattr(math, name)]


def converted(call):
    """The messages of the warnings in a call, and their lines in this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        call()
    assert all(w.category is UserWarning and w.filename == __file__ for w in caught)
    return [(str(w.message), w.lineno) for w in caught]


@pytest.mark.parametrize("name", MATH)
def test_a_function_of_math_warns(name):
    x = Value(2.0 if name == "acosh" else 0.5)
    arguments = {"fsum": ([x, x],), "dist": ([x], [1.0]), "sumprod": ([x], [2.0])}.get(
        name, (x, x) if name in ("pow", "hypot", "atan2") else (x,))
    source = f"def call(): return math.{name}(*arguments)"
    names = {"math": math, "arguments": arguments}
    exec(compile(source, __file__, "exec"), names)
    (message, line), = converted(names["call"])
    assert line == 1 and message.startswith(f"math.{name} converts a Value to a float")
    instead = re.search(r"write (.*), or pass x\.data", message).group(1)
    if "Value.operation" not in instead:  # the recommended call gives the same number
        names = {"x": x, "y": x, "values": [x, x], "math": math}
        result = eval(instead, names)
        assert isinstance(result, Value)
        assert result.item() == pytest.approx(getattr(math, name)(
            *(a.data if isinstance(a, Value) else [v.data for v in a] for a in arguments)))


def test_the_warning_names_the_line_and_comes_once_for_each_line():
    x = Value(2.0)

    def call():
        for _ in range(3):
            x * math.exp(x)
            tanh(
                x)
        [math.sqrt(v) + cmath.sqrt(v).real for v in (x, x)]

    first = inspect.getsourcelines(call)[1]
    assert [(m.split()[0], line - first) for m, line in converted(call)] == [
        ("math.exp", 2), ("math.tanh", 3), ("math.sqrt", 5)]


def test_conversions_that_are_intended_do_not_warn():
    x, y = Value(2.0), Value(0.5)

    def call():
        math.exp(x.data) + math.exp(x.item()) + float(x) + math.log(float(y))
        math.isnan(x), math.isfinite(x), math.floor(x), math.isclose(x, y)
        list(map(float, [x, y]))
        np.array([x, y], dtype=float) + np.array([x, y]).astype(float)
        np.exp(np.array([x, y])), np.exp(x)
        f"{x:.2f}", "%.2f" % x  # noqa: UP031

    assert converted(call) == []


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_copies(duplicate):
    v = Value(-1.25, label="w")
    v.grad = 3.0
    other = duplicate(v)
    assert (other.data, other.grad, other.label) == (-1.25, 3.0, "w") and other is not v
    model = duplicate(scalar.nn.MLP(2, [2, 1]))
    model([1.0, 2.0]).backward()
    assert len(model.parameters()) == 9


# ---------------------------------------------------------------- as a number


@pytest.mark.parametrize("holds", [operator.eq, operator.ne, operator.lt, operator.le, operator.gt,
                                   operator.ge])
def test_comparisons_are_by_value(holds):
    for x in (1.0, 2.0, NAN):
        for y in (1.0, 2.0, NAN):
            want = holds(x, y)
            assert holds(Value(x), Value(y)) is want
            assert holds(Value(x), y) is want and holds(x, Value(y)) is want
            assert holds(Value(x), np.float64(y)) is want


def test_a_value_equals_no_string_and_is_not_ordered_with_one():
    assert Value(1.0) != "1.0"
    with pytest.raises(TypeError, match="'Value' and 'str'"):
        Value(1.0) < "1.0"  # noqa: B015


def test_equality_compares_data_and_sets_go_by_identity():
    a, b = Value(1.0), Value(1.0)
    assert a == b and b in [a]
    assert len({a, b, a}) == 2 and b not in {a}


def test_conversions():
    v = Value(-1.25, label="w")
    assert float(v) == v.item() == -1.25
    v.data = -2  # programs may assign it
    assert repr(float(v)) == "-2.0"


@pytest.mark.parametrize("kind", [int, np.float64])
def test_data_set_to_another_kind_of_number(kind):
    a, b = Value(0), Value(0)
    a.data, b.data = kind(-2), kind(0)
    assert (a < b) is True and bool(b) is False and (a == kind(-2)) is True
    for out in (a * a, a / b, a ** b, b ** a, a ** 0.5, a.exp(), b.log(), a.relu(), abs(a)):
        assert type(out.data) is float
    assert (b ** a).data == INF and (a / b).data == -INF


def test_texts():
    v = Value(-1.25, label="w")
    assert repr(v) == f"{v}" == "Value(data=-1.25, grad=0.0, label='w')"
    assert f"{v:.1f}|{v:+.3e}" == "-1.2|-1.250e+00"
    assert repr(Value(2)) == "Value(data=2.0, grad=0.0)"


def test_truth_and_pythons_max():
    assert [bool(Value(x)) for x in (0.0, -0.0, 0.1, NAN)] == [False, False, True, True]
    assert (max([Value(1), Value(3)]).data, min(Value(1), Value(3)).data) == (3.0, 1.0)


@pytest.mark.parametrize("data", [True, 3, np.float32(0.5), np.int64(2), np.array(1.5),
                                  torch.tensor(2.0)])
def test_data_becomes_a_float(data):
    value = Value(data)
    assert type(value.data) is float and value.data == float(data)


@pytest.mark.parametrize("data", ["1.5", b"1", None, [1.0], 1j, Value(2.0)])
def test_data_that_is_no_number(data):
    with pytest.raises(TypeError, match=f"one number, got {type(data).__name__}.*float()"):
        Value(data)


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize("other", [None, 1j, {}])
def test_a_foreign_operand_is_a_type_error_with_both_types(op, other):
    with pytest.raises(TypeError, match=f"'Value' and '{type(other).__name__}'"):
        op(Value(1.0), other)
    with pytest.raises(TypeError, match=f"'{type(other).__name__}' and 'Value'"):
        op(other, Value(1.0))


@pytest.mark.parametrize("op", BINARY)
def test_a_foreign_operand_may_act_itself(op):
    class Other:
        def act(self, other):
            return "acted"

        __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rpow__ = act

    assert op(Value(1.0), Other()) == "acted"


# ---------------------------------------------------------------- NumPy


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize("number", [np.float64(2), np.float32(2), np.int64(2), np.bool_(True),
                                    np.array(2.0)])
def test_numpy_scalars_on_either_side(op, number):
    n = float(number)
    for of_number, f in ((lambda v: op(v, number), lambda v: op(v, n)),
                         (lambda v: op(number, v), lambda v: op(n, v))):
        assert isinstance(of_number(Value(3.0)), Value)
        check_against_torch(of_number, f, [3.0])


def values(array):
    return np.vectorize(Value, otypes=[object])(array)


def check_array_function(f, torch_f, *shapes, low=0.3):
    """Asserts equal results and gradients of f on arrays of Values and torch_f on tensors."""
    rng = np.random.default_rng(0)
    numbers = [rng.uniform(low, 2.0, shape) for shape in shapes]
    operands, leaves = [values(x) for x in numbers], [leaf(x) for x in numbers]
    out, want = np.asarray(f(*operands)), torch_f(*leaves)
    assert out.shape == tuple(want.shape)
    weights = rng.uniform(0.5, 1.5, out.shape)
    np.sum(out * weights).backward()
    (want * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(out.astype(float), want.detach().numpy(), rtol=1e-12)
    for operand, t in zip(operands, leaves, strict=True):
        grads = np.vectorize(lambda v: v.grad, otypes=[float])(operand)
        np.testing.assert_allclose(grads, t.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("op", [*BINARY, np.maximum, np.minimum])
def test_object_arrays_elementwise(op):
    torch_op = {np.maximum: torch.maximum, np.minimum: torch.minimum}.get(op, op)
    check_array_function(op, torch_op, (2, 3), (3,))


def test_object_arrays_with_a_single_value():
    v = Value(2.0)
    row = np.array([Value(1.0), Value(3.0)])
    for out in (row * v, v * row):
        assert out.shape == (2,) and [x.data for x in out] == [2.0, 6.0]


@pytest.mark.parametrize("name", [n for n in ELEMENTARY if hasattr(np, n)])
def test_numpy_functions_call_the_methods(name):
    if name == "arccosh":
        check_array_function(lambda x: np.arccosh(x + 1), lambda x: torch.arccosh(x + 1), (2, 2))
    elif name in ("arcsin", "arccos", "arctanh"):
        check_array_function(lambda x: getattr(np, name)(x / 3),
                             lambda x: getattr(torch, name)(x / 3), (2, 2))
    else:
        check_array_function(getattr(np, name), ELEMENTARY[name][0], (2, 2))


def test_reductions_and_products_of_object_arrays():
    check_array_function(lambda a: np.sum(a, axis=0), lambda a: a.sum(0), (3, 2))
    check_array_function(lambda a: np.mean(a, axis=1), lambda a: a.mean(1), (3, 2))
    check_array_function(lambda a: np.max(a, axis=1), lambda a: a.amax(1), (3, 4))
    check_array_function(lambda a: np.abs(-a), lambda a: (-a).abs(), (3,))
    check_array_function(operator.matmul, operator.matmul, (2, 3), (3, 2))
    check_array_function(lambda a, b: np.einsum("ij,kj->ik", a, b),
                         lambda a, b: torch.einsum("ij,kj->ik", a, b), (2, 3), (4, 3))


def test_comparisons_of_object_arrays():
    array = values([1.0, 2.0, 3.0])
    assert (array > 1.5).tolist() == [False, True, True]
    assert (array == 2.0).tolist() == [False, True, False]
    assert (Value(2.0) <= array).tolist() == [False, True, True]


# ---------------------------------------------------------------- the package


def test_scalar_needs_the_standard_library_only():
    root = pathlib.Path(scalar.__file__).parent.parent
    program = (
        "import sys\n"
        f"sys.path.append({str(root)!r})\n"
        "import scalar, scalar.draw, scalar.engine, scalar.functional, scalar.nn, scalar.optim\n"
        "roots = {name.split('.')[0] for name in sys.modules}\n"
        "print(*sorted(roots - {'scalar', '__main__'} - set(sys.stdlib_module_names)))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True,
                          text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_sections_of_the_engine():
    """`tinytensor/autograd` has the same sections."""
    source = pathlib.Path(scalar.engine.__file__).read_text(encoding="utf-8")
    assert re.findall(r"# -{40,} (.*)", source) == [
        "the node", "an operation: forward and local derivatives", "the topological order",
        "backward"]


def test_an_operation_leaves_few_objects_to_the_collector():
    # The result, the constant 2.0, and at most two more. In micrograd, an operation also creates a
    # closure, its cells and a set, and the garbage collector takes most of the time.
    a = Value(1.0)
    gc.collect()
    before = len(gc.get_objects())
    made = [a * 2.0 for _ in range(1000)]
    assert (len(gc.get_objects()) - before) / len(made) < 4.1
