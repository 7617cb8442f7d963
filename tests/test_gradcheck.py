"""gradcheck and its diagnoses, user-defined Functions, and autograd.functional."""

from __future__ import annotations

import gc
import importlib
import weakref

import numpy
import pytest
import torch

import tinytensor
from tinytensor import tensor
from tinytensor.autograd import Function, functional, grad, gradcheck, gradgradcheck
from tinytensor.autograd.function import once_differentiable
from tinytensor.autograd.gradcheck import GradcheckError

both_modes = pytest.mark.parametrize("fast", [False, True], ids=["slow", "fast"])


def double(*shape, low=0.5, high=1.5, seed=0):
    values = numpy.random.default_rng(seed).uniform(low, high, shape)
    return tensor(values, requires_grad=True)


def operation(forward, rule):
    """A Function with this rule: rule(g, *inputs)."""
    class Operation(Function):
        @staticmethod
        def forward(ctx, *inputs):
            ctx.save_for_backward(*inputs)
            return forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return rule(g, *ctx.saved_tensors)

    return Operation.apply


# ---------------------------------------------------------------- gradcheck


@both_modes
def test_right_derivatives_pass(fast):
    x, y = double(2, 3), double(3, 2, seed=1)
    assert gradcheck(lambda a, b: (a @ b).tanh(), (x, y), fast_mode=fast)
    assert gradgradcheck(lambda a, b: (a @ b).tanh(), (x, y), fast_mode=fast)
    assert gradgradcheck(lambda a: (a.exp(), a * a), x, fast_mode=fast,
                         gen_non_contig_grad_outputs=True)
    assert gradgradcheck(lambda a: a ** 3, x, tinytensor.ones_like(x), fast_mode=fast)
    assert x.grad is None and y.grad is None


SQUARE = double(2, 3)
WRONG = {
    "ratio 2: counted twice": (lambda x: x * x, lambda g, x: g * x * 4),
    "ratio -1: a minus sign": (lambda x: x * x, lambda g, x: -g * x * 2),
    "off by the factor 3": (lambda x: x * x, lambda g, x: g * x * 6),
    "off by the factor 1/6": (lambda x: x.sum(), lambda g, x: g.expand(2, 3) / 6),
    "zero: not connected": (lambda x: x * x, lambda g, x: None),
    "zero: the rule returns zeros": (lambda x: x * x, lambda g, x: g * 0.0),
    "not finite": (lambda x: x * x, lambda g, x: g * float("nan")),
    "by other factors for others": (lambda x: x ** 3, lambda g, x: g * x),
}


@both_modes
@pytest.mark.parametrize("diagnosis", WRONG)
def test_a_wrong_rule_is_diagnosed(diagnosis, fast):
    f = operation(*WRONG[diagnosis])
    with pytest.raises(GradcheckError, match=diagnosis) as error:
        gradcheck(f, SQUARE, fast_mode=fast)
    for part in ("input 0", "of shape (2, 3)", "by backward", "by finite differences", "result 0"):
        assert part in str(error.value)
    assert gradcheck(f, SQUARE, fast_mode=fast, raise_exception=False) is False


@both_modes
def test_the_worst_element_and_both_numbers_are_named(fast):
    factor = tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0]], dtype=tinytensor.float64)
    f = operation(lambda x: 2 * x, lambda g, x: g * 2 * factor)
    with pytest.raises(GradcheckError) as error:
        gradcheck(f, SQUARE, fast_mode=fast)
    assert "result 0[1, 1] by input 0[1, 1]" in str(error.value)
    assert "    10 by backward\n    2 by finite differences\n1 of 36" in str(error.value)


@both_modes
def test_transposed_unsummed_and_kinks(fast):
    square = double(3, 3)
    with pytest.raises(GradcheckError, match="transposed"):
        gradcheck(operation(lambda x: x * 1.0, lambda g, x: g.t()), square, fast_mode=fast)
    row = double(3, seed=2)
    with pytest.raises(GradcheckError, match="`b` is used 2 times, and one of its") as error:
        gradcheck(operation(lambda x, b: x + b, lambda g, x, b: (g, g[0])), (SQUARE, row),
                  fast_mode=fast)
    assert "input 1" in str(error.value)
    with pytest.raises(GradcheckError, match="kink: the one-sided differences disagree"):
        gradcheck(lambda x: x.relu(), tensor([0.0], dtype=tinytensor.float64, requires_grad=True),
                  fast_mode=fast)


def softmax_rule(wrong):
    return lambda g, x: wrong(g, x.softmax(-1))


def two_steps(x):
    powers = x.exp()
    return powers / powers.sum(-1, keepdim=True)


NAMED = {  # these have no simple pattern in the Jacobian
    "Only the diagonal is there": (two_steps, softmax_rule(lambda g, p: g * p * (1 - p))),
    "to `x` everywhere, also where another operand was chosen": (
        lambda x: x.relu(), lambda g, x: g),
    "g, the gradient from above, is not used": (
        lambda x: x.tanh(), lambda g, x: 1 - x.tanh() ** 2),
    r"line 2 of two_steps, `return powers / .*Nothing comes back through `powers.sum\(-1, keep": (
        two_steps, softmax_rule(lambda g, p: g * p)),
    r"in `x.tanh\(\)` is written in terms of its result, and was given its operand": (
        lambda x: x.tanh(), lambda g, x: g * (1 - x ** 2)),
}


@both_modes
@pytest.mark.parametrize("mistake", NAMED)
def test_a_mistake_in_a_rule_is_named(mistake, fast):
    values = tensor([[0.5, -1.0, 2.0], [-0.3, 0.7, 0.1]], dtype=tinytensor.float64)
    with pytest.raises(GradcheckError, match=mistake):
        gradcheck(operation(*NAMED[mistake]), values.requires_grad_(), fast_mode=fast)


def test_without_explainers_the_pattern_of_the_jacobian_is_told(monkeypatch):
    module = importlib.import_module("tinytensor.autograd.gradcheck")
    monkeypatch.setattr(module, "explainers", [])
    with pytest.raises(GradcheckError, match="or is only the diagonal of the Jacobian there"):
        gradcheck(operation(*NAMED["Only the diagonal is there"]), SQUARE)
    monkeypatch.undo()

    def floors(x):  # Values cannot run it
        return x * 2 + x.floor()

    with pytest.raises(GradcheckError, match="by other factors for others"):
        gradcheck(operation(floors, lambda g, x: g * x), SQUARE)


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(ValueError, match=r"float32, too coarse .* \.double\(\)"):
        gradcheck(lambda x: x, tinytensor.zeros(2, requires_grad=True))
    with pytest.raises(ValueError, match="at least one input Tensor that requires grad"):
        gradcheck(lambda x: x, tinytensor.zeros(2, dtype=tinytensor.float64))
    spread = tinytensor.zeros(1, dtype=tinytensor.float64).expand(3).requires_grad_()
    with pytest.raises(ValueError, match="share memory"):
        gradcheck(lambda x: x, spread)


def test_a_backward_that_is_not_deterministic():
    calls = []

    def rule(g, x):
        calls.append(0)
        return g * (2 + 1e-4 * len(calls))

    f = operation(lambda x: 2 * x, rule)
    with pytest.raises(GradcheckError, match="not deterministic"):
        gradcheck(f, SQUARE)
    calls.clear()
    assert gradcheck(f, SQUARE, nondet_tol=1.0, atol=1.0)


def test_unused_results_and_dtypes():
    class Careless(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            return g * 2 + h * 3

    with pytest.raises(GradcheckError, match="unused results are None: treat them as zeros"):
        gradcheck(Careless.apply, SQUARE)
    with pytest.raises(TypeError):  # without the check, backward itself fails
        gradcheck(Careless.apply, SQUARE, check_undefined_grad=False)
    assert gradcheck(lambda x: x * 2, SQUARE, check_grad_dtypes=True)


def test_a_function_that_depends_on_nothing_must_be_constant():
    constant = tensor([1.0, 2.0], dtype=tinytensor.float64)
    assert gradcheck(lambda x: constant * 2, SQUARE)
    with pytest.raises(GradcheckError, match="not connected"):
        gradcheck(lambda x: x.detach() * 2, SQUARE)


def test_second_derivatives_that_are_wrong_are_noticed():
    f = operation(lambda x: x ** 3, lambda g, x: g * (3 * x ** 2).detach())
    assert gradcheck(f, SQUARE)
    with pytest.raises(GradcheckError, match="not connected"):
        gradgradcheck(f, SQUARE)


# ---------------------------------------------------------------- Function


def cube(library):
    class Cube(library.autograd.Function):
        @staticmethod
        def forward(ctx, x, power):
            y = x ** power
            ctx.save_for_backward(x, y)
            ctx.shape = power  # names used by the engine are free
            return y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            assert ctx.needs_input_grad == (True, False)
            return g * ctx.shape * y / x, None

    return Cube


def test_a_function_equals_pytorchs_to_third_order():
    found = []
    for library in (tinytensor, torch):
        x = library.tensor([0.5, 2.0], dtype=library.float64, requires_grad=True)
        y = cube(library).apply(x, 3)
        orders = [y]
        for _ in range(3):
            orders += library.autograd.grad(orders[-1].sum(), x, create_graph=True)
        found.append([o.detach().numpy() for o in orders])
    numpy.testing.assert_allclose(*found, rtol=1e-14)
    assert y.grad_fn.name() == "CubeBackward"


def two(library, materialize):
    class Two(library.autograd.Function):
        @staticmethod
        def forward(x, y):
            return x * y, (x + y), 7, (x > y)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs, output[0])
            ctx.set_materialize_grads(materialize)
            ctx.mark_non_differentiable(output[3])

        @staticmethod
        def backward(ctx, g, h, seven, larger):
            x, _, product = ctx.saved_tensors
            if not materialize:
                assert seven is None and larger is None
                g, h = (0 * x if d is None else d for d in (g, h))
            return g * product / x + h, g * x + h

    return Two


@pytest.mark.parametrize("materialize", [True, False])
@pytest.mark.parametrize("used", [(0,), (1,), (0, 1)])
def test_several_results_equal_pytorchs(materialize, used):
    found = []
    for library in (tinytensor, torch):
        x = library.tensor([0.5, 2.0], dtype=library.float64, requires_grad=True)
        y = library.tensor([1.5, 3.0], dtype=library.float64, requires_grad=True)
        results = two(library, materialize).apply(x, y)
        assert results[2] == 7 and not results[3].requires_grad
        loss = sum((results[i] ** 2).sum() for i in used)
        first = library.autograd.grad(loss, (x, y), create_graph=True)
        second = library.autograd.grad((first[0] * first[1]).sum(), (x, y))
        found.append([t.detach().numpy() for t in (*results[:2], *first, *second)])
    for mine, other in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine, other, rtol=1e-13)


def test_errors_of_a_functions_backward_name_it():
    x = double(3)
    for result, message in (
            (lambda g: (g, g), "Operation: backward returned 2 gradients for the 1 argument"),
            (lambda g: g[:2], r"Operation: .* shape \(2,\) for argument 0 of shape \(3,\)"),
            (lambda g: 1.0, "Operation: backward returned float as gradient 0")):
        y = operation(lambda x: x * 2, lambda g, x, result=result: result(g))(x)
        with pytest.raises((RuntimeError, TypeError), match=message):
            y.sum().backward()
    assert x.grad is None
    y = operation(lambda x: x * 2, lambda g, x: (g * 2, None, None))(x)
    y.sum().backward()  # trailing Nones are allowed, as in PyTorch
    assert x.grad.tolist() == [2, 2, 2]


def test_a_gradient_is_summed_and_converted_to_its_input():
    x = tinytensor.ones(3, requires_grad=True)
    operation(lambda x: x + tinytensor.zeros(2, 3), lambda g, x: g.double())(x).sum().backward()
    assert x.grad.tolist() == [2, 2, 2] and x.grad.dtype is tinytensor.float32


def test_an_overwritten_saved_tensor_is_named():
    x = double(3)
    y = x * 1.0

    class Keeper(Function):
        @staticmethod
        def forward(ctx, values):
            out = values.exp()
            ctx.save_for_backward(values, out)
            return out

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[1]

    z = Keeper.apply(y)
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"Keeper .*test_gradcheck.* needs its `values` .* add_"):
        z.sum().backward()
    z = Keeper.apply(x)
    z.mul_(2)
    with pytest.raises(RuntimeError, match=r"Keeper .* needs its result .* mul_"):
        z.sum().backward()
    z = Keeper.apply(x)
    z.sum().backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        z.sum().backward()


def test_mark_dirty_changes_the_input_in_place():
    found = []
    for library in (tinytensor, torch):
        class Double(library.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                x.mul_(2)
                ctx.mark_dirty(x)
                return x

            @staticmethod
            def backward(ctx, g):
                return g * 2

        x = library.tensor([1.0, 2.0], requires_grad=True)
        y = x * 3
        z = Double.apply(y)
        assert z is y
        (y * y).sum().backward()
        found.append([y.detach().numpy(), x.grad.numpy()])
        with pytest.raises(RuntimeError, match=r"leaf|a leaf Variable"):
            Double.apply(x)
    numpy.testing.assert_array_equal(*found)

    class Forgetful(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x + 1

    with pytest.raises(RuntimeError, match=r"Forgetful: .* was marked dirty but not returned"):
        Forgetful.apply(tinytensor.ones(2, requires_grad=True) * 1)


def test_a_result_does_not_share_the_memory_of_an_input():
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x.view(-1)

        @staticmethod
        def backward(ctx, g):
            return g.reshape(2, 2) * 5

    x = double(2, 2)
    y = Same.apply(x)
    y.mul_(2)
    y.sum().backward()
    assert x.grad.tolist() == [[10, 10], [10, 10]]
    assert x.max().item() < 1.5


def test_once_differentiable_refuses_the_second_time():
    class Numpy(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return tensor(numpy.exp(x.numpy(force=True)))

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return tensor(g.numpy() * numpy.exp(x.numpy(force=True)))

    x = double(3)
    assert gradcheck(Numpy.apply, x)
    first, = grad(Numpy.apply(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"Numpy: .* @once_differentiable"):
        grad(first.sum(), x)


def test_nothing_is_recorded_without_need_and_nothing_leaks():
    apply = operation(lambda x: x * 2, lambda g, x: g * 2)
    assert apply(tinytensor.ones(2)).grad_fn is None
    with tinytensor.no_grad():
        assert apply(double(2)).grad_fn is None
    gc.disable()
    try:
        y = apply(double(2))
        node, array = weakref.ref(y.grad_fn), weakref.ref(y._array)
        y.sum().backward()
        del y
        assert node() is None and array() is None
    finally:
        gc.enable()


def test_saved_tensors_are_there_in_backward_only():
    seen = []

    class Peek(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, None)
            seen.append(ctx)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            assert ctx.saved_tensors[1] is None
            return g * 2

    Peek.apply(double(2)).sum().backward()
    with pytest.raises(RuntimeError, match="outside of backward"):
        seen[0].saved_tensors  # noqa: B018
    with pytest.raises(TypeError, match="only Tensors and None, got float"):
        seen[0].save_for_backward(1.0)


# ---------------------------------------------------------------- functional


def quadratic(library):
    def f(x, y):
        return (x ** 3 * y[0]).sum() + (x[1] * y ** 2).sum()

    return f


def vector(library):
    def f(x, y):
        return x * y[0] ** 2, library.stack([x.sum() * y[1], y.sum() ** 2])

    return f


def inputs_of(library, requires_grad=False):
    return tuple(library.tensor(v, dtype=library.float64, requires_grad=requires_grad)
                 for v in ([1.0, 2.0, 3.0], [0.5, -1.5]))


def flattened(x):
    return [x] if hasattr(x, "detach") else [t for part in x for t in flattened(part)]


def structure(x):
    return None if hasattr(x, "detach") else tuple(structure(p) for p in x)


CALLS = {
    "jacobian": lambda af, f, x, v: af.jacobian(f[1], x),
    "jacobian of one": lambda af, f, x, v: af.jacobian(lambda a: a ** 2 * 3, x[0]),
    "jacobian of one by two": lambda af, f, x, v: af.jacobian(lambda a, b: a * b.sum(), x),
    "jacobian of two by one": lambda af, f, x, v: af.jacobian(lambda a: (a, a.sum()), x[0]),
    "jacobian, unused": lambda af, f, x, v: af.jacobian(lambda a, b: a * 2, x),
    "hessian": lambda af, f, x, v: af.hessian(f[0], x),
    "hessian of one": lambda af, f, x, v: af.hessian(lambda a: (a ** 3).sum(), x[0]),
    "hessian of a linear function": lambda af, f, x, v: af.hessian(lambda a: (2 * a).sum(), x[0]),
    "vjp": lambda af, f, x, v: af.vjp(f[1], x, v[1]),
    "vjp of a number": lambda af, f, x, v: af.vjp(f[0], x),
    "jvp": lambda af, f, x, v: af.jvp(f[1], x, v[0]),
    "vhp": lambda af, f, x, v: af.vhp(f[0], x, v[0]),
    "hvp": lambda af, f, x, v: af.hvp(f[0], x, v[0]),
}


@pytest.mark.parametrize("call", CALLS)
def test_functional_equals_pytorch(call):
    found = []
    for library in (tinytensor, torch):
        x = inputs_of(library)
        v = tuple(library.tensor(w, dtype=library.float64) for w in ([0.5, 1.0, -2.0], [3.0, 0.25]))
        found.append(CALLS[call](library.autograd.functional,
                                 (quadratic(library), vector(library)), x, (v, v)))
    assert structure(found[0]) == structure(found[1])
    for mine, other in zip(*map(flattened, found), strict=True):
        assert not mine.requires_grad
        assert tuple(mine.shape) == tuple(other.shape)
        numpy.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-13)


def test_functional_results_have_a_graph_when_asked():
    found = []
    for library in (tinytensor, torch):
        x = inputs_of(library, requires_grad=True)
        hessian = library.autograd.functional.hessian(quadratic(library), x, create_graph=True)
        loss = sum((h ** 2).sum() for h in flattened(hessian))
        found.append([g.numpy() for g in library.autograd.grad(loss, x)])
    for mine, other in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine, other, rtol=1e-13)


def test_functional_errors():
    x, y = inputs_of(tinytensor)
    with pytest.raises(RuntimeError, match=r"jacobian: .* not depend on input 1, which strict"):
        functional.jacobian(lambda a, b: a * 2, (x, y), strict=True)
    with pytest.raises(RuntimeError, match="does not depend on the inputs, which strict"):
        functional.vjp(lambda a: y * 2, x, y, strict=True)
    with pytest.raises(RuntimeError, match=r"hessian: .* return one element, got shape \(3,\)"):
        functional.hessian(lambda a: a * 2, x)
    with pytest.raises(RuntimeError, match="vjp: v may be left out only"):
        functional.vjp(lambda a: a * 2, x)
    with pytest.raises(RuntimeError, match=r"jvp: v\[0\] has shape \(2,\)"):
        functional.jvp(lambda a: a * 2, x, y)
    with pytest.raises(TypeError, match="the inputs must be a Tensor"):
        functional.jacobian(lambda a: a, 3.0)
    with pytest.raises(ValueError, match="got 'sideways'"):
        functional.jacobian(lambda a: a, x, strategy="sideways")
    assert x.grad is None and not x.requires_grad
