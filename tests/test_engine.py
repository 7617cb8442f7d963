"""The graph: saved arrays and their lifetime, accumulation of gradients, and errors."""

from __future__ import annotations

import copy
import gc
import itertools
import math
import pickle
import threading
import weakref
from contextlib import contextmanager

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor
from tinytensor import nn, no_grad, tensor
from tinytensor.autograd import Function, backward, detect_anomaly, grad
from tinytensor.compiled import use_compiled


def leaf(*values, dtype=tinytensor.float64):
    return tensor(values[0] if len(values) == 1 else list(values), dtype=dtype,
                  requires_grad=True)


def numbers(x):
    return x.detach().numpy().tolist()


@contextmanager
def no_collector():
    """Disables the garbage collector, so that only reference counting frees memory."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def on_both(program):
    """Asserts that program(library) returns the same with tinytensor and with PyTorch."""
    mine, other = program(tinytensor), program(torch)
    assert len(mine) == len(other)
    for i, (a, b) in enumerate(zip(mine, other, strict=True)):
        if a is None or b is None or isinstance(a, bool | str | int):
            assert a == b, f"value {i}"
        else:
            numpy.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12,
                                          err_msg=f"value {i}")


def x_of(library, values=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))):
    return library.tensor(values, dtype=library.float64, requires_grad=True)


# ---------------------------------------------------------------- accumulation


def test_gradients_add_up_in_leaves_until_they_are_reset():
    x = leaf(3.0)
    (x * x).backward()
    assert x.grad.item() == 6
    (x * x).backward()
    assert x.grad.item() == 12
    x.grad = None
    (x * x).backward()
    assert x.grad.item() == 6


def test_an_input_used_twice_counts_twice():
    x = leaf(3.0)
    y = x + x
    z = y + y
    z.backward()
    assert x.grad.item() == 4
    x = leaf(3.0)
    (x * x * x).backward()
    assert x.grad.item() == 27


def test_a_diamond_is_walked_in_topological_order():
    x = leaf(2.0)
    a = x * 3
    late = ((a + 1) * a).exp().log()
    (a * late).backward()  # a³ + a²
    assert x.grad.item() == pytest.approx(3 * (3 * 36 + 2 * 6))


def test_gradients_of_computed_tensors_do_not_leak_into_the_next_backward():
    x = leaf(2.0)
    y = x * x
    z = y * 3
    z.backward(retain_graph=True)
    z.backward()
    assert x.grad.item() == 24
    assert y.grad is None


def test_two_outputs_at_once():
    x = leaf(2.0)
    backward([x * 3, x * x], [tensor(1.0), tensor(10.0)])
    assert x.grad.item() == 43
    y = x * x
    assert grad([y, y], x)[0].item() == 8


def test_a_long_chain_needs_no_recursion():
    length = 200_000
    x = leaf(1.0)
    with no_collector():
        y = x
        for _ in range(length):
            y = y + x
        last = weakref.ref(y.grad_fn)
        y.backward()
        assert x.grad.item() == length + 1
        first = y.grad_fn
        while first.parents[0].parents:
            first = first.parents[0]
        first = weakref.ref(first)
        del y
        assert last() is None and first() is None


# ---------------------------------------------------------------- memory


def test_a_graph_is_freed_without_the_collector():
    with no_collector():
        x = leaf(1.0, 2.0)
        y = (x * x).exp()
        loss = y.sum()
        watched = [weakref.ref(o) for o in (y.grad_fn, y._array, loss.grad_fn, loss)]
        del y
        assert watched[1]() is not None  # exp's rule saves its output
        loss.backward()
        assert watched[1]() is None  # released with the other saved values
        del loss
        assert [w() for w in watched] == [None] * 4


def test_backward_leaves_no_cycles():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])

    def program():
        ((x @ x).tanh().softmax(1) * x[0]).sum().backward()
        g, = grad((x ** 3).sum(), x, create_graph=True)
        grad(g.sum(), x)

    program()  # compilation in the first call may leave cycles
    with no_collector():
        program()
        assert gc.collect() == 0


def test_what_no_rule_names_is_freed_at_once():
    with no_collector():
        x = leaf(1.0, 2.0)
        y = x * 2.0  # its rule saves neither input nor output
        z = y + 1.0  # neither does this rule
        arrays = [weakref.ref(y._array), weakref.ref(z._array)]
        out = z.sum()
        del y, z
        assert [a() for a in arrays] == [None, None]
        out.backward()
        assert numbers(x.grad) == [2, 2]


def test_an_argument_is_kept_only_for_a_gradient_that_is_wanted():
    with no_collector():
        weight, constant = leaf(1.0, 2.0), tensor([3.0, 4.0], dtype=tinytensor.float64)
        product = weight * constant
        saved = dict(zip(product.grad_fn.op.save_list, product.grad_fn.saved, strict=True))
        assert saved["input"] is None and saved["other"] is constant._array


def test_a_second_backward_says_what_to_do():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"values that mul saved \(.*test_engine.py:\d+\) "
                                           "were released .* retain_graph=True"):
        y.backward()
    assert numbers(x.grad) == [2, 4]
    z = (x * x).sum()
    z.backward(retain_graph=True)
    z.backward()
    assert numbers(x.grad) == [6, 12]


def test_what_saved_no_arrays_may_be_walked_again():
    """Two losses can share additions and views, as in PyTorch."""
    def program(library):
        x = x_of(library)
        shared = (x + 1).t().reshape(-1)
        (shared * 2.0).sum().backward()
        (shared * shared).sum().backward()
        return [x.grad]

    on_both(program)


# ---------------------------------------------------------------- higher orders


def test_derivatives_of_derivatives():
    x = leaf(2.0)
    y = x ** 4
    for expected in (32, 48, 48, 24):
        y, = grad(y, x, create_graph=True)
        assert y.item() == expected
    assert x.grad is None


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph:UserWarning")  # PyTorch's
def test_backward_with_create_graph():
    def program(library):
        x = x_of(library)
        (x ** 3).sum().backward(create_graph=True)
        first = x.grad
        assert first.requires_grad
        x.grad = None
        (first ** 2).sum().backward()
        return [first, x.grad]

    on_both(program)


def test_create_graph_then_a_plain_backward_adds_to_the_gradient():
    x = leaf(2.0)
    (x ** 3).backward(create_graph=True)
    (x ** 2).backward()
    assert x.grad.item() == 16


# ---------------------------------------------------------------- grad() and inputs=


def test_unused_inputs():
    x, y = leaf(1.0), leaf(2.0)
    with pytest.raises(RuntimeError, match=r"input 1 of shape \(\) was not used .*allow_unused"):
        grad(x * 2, (x, y))
    assert grad(x * 2, (x, y), allow_unused=True)[1] is None
    assert grad(x * 2, (x, y), materialize_grads=True)[1].item() == 0
    assert x.grad is None and y.grad is None


def test_gradients_of_computed_inputs():
    x = leaf(2.0)
    y = x * x
    z = y * y * x
    assert [g.item() for g in grad(z, (y, x), retain_graph=True)] == [2 * 4 * 2, 5 * 16]
    z.backward(inputs=[y], retain_graph=True)
    assert y.grad.item() == 16 and x.grad is None
    z.backward(inputs=x)
    assert x.grad.item() == 80


def test_only_what_lies_between_is_walked():
    x, y = leaf(2.0), leaf(3.0)
    (a, b) = (x * x, y * y)
    loss = a * b
    assert grad(loss, x)[0].item() == 36
    b.backward()  # grad did not walk its node, so nothing was released
    assert y.grad.item() == 6


def test_grad_accepts_the_output_itself():
    x = leaf(2.0)
    y = x * 3
    assert [g.item() for g in grad(y, (y, x))] == [1, 3]
    assert grad(x, x)[0].item() == 1


# ---------------------------------------------------------------- errors of backward


def test_errors_of_backward_leave_everything_as_it_was():
    x = leaf(1.0, 2.0)
    (x * 2).sum().backward()
    y = x * x
    errors = [
        (lambda: y.backward(), r"shape \(2,\); grad can be created implicitly only for one"),
        (lambda: y.backward(tinytensor.ones(3)), r"gradient has shape \(3,\), the output \(2,\)"),
        (lambda: tensor([1.0]).backward(), "does not require grad and has no grad_fn"),
        (lambda: grad(y.sum(), tensor(1.0)), r"does not require grad; call requires_grad_\(\)"),
        (lambda: backward([y.sum(), y.sum()], [None]), "2 outputs, but 1 gradients"),
        (lambda: y.sum().backward(inputs=[]), "`inputs` is empty"),
    ]
    for call, message in errors:
        with pytest.raises(RuntimeError, match=message):
            call()
    with pytest.raises(TypeError, match="gradient must be a Tensor, got float"):
        y.backward(1.0)
    with pytest.raises(TypeError, match="expected Tensors, got float"):
        grad(1.0, x)
    assert numbers(x.grad) == [2, 2]
    y.sum().backward()  # the errors released nothing
    assert numbers(x.grad) == [4, 6]


def test_only_floats_have_gradients():
    with pytest.raises(RuntimeError, match=r"int64; convert it with \.float\(\)"):
        tensor([1, 2], requires_grad=True)
    with pytest.raises(RuntimeError, match="floating point"):
        tensor([1, 2]).requires_grad_()
    x = leaf(1.0, 2.0)
    assert not (x > 1).requires_grad and not x.argmax().requires_grad and not x.long().requires_grad


def test_requires_grad_of_computed_tensors():
    y = leaf(1.0) * 2
    with pytest.raises(RuntimeError, match=r"leaves only; .* detach\(\)"):
        y.requires_grad_(False)
    assert y.requires_grad_() is y
    assert y.detach().requires_grad_().is_leaf


def test_an_error_inside_backward_leaves_the_mode_and_the_gradients():
    class Broken(tinytensor.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            raise ZeroDivisionError

    x = leaf(1.0)
    with pytest.raises(ZeroDivisionError):
        (Broken.apply(x) + x * 2).backward()
    assert x.grad is None and tinytensor.is_grad_enabled()


# ---------------------------------------------------------------- .grad shares no memory


def test_the_gradient_that_was_given_is_not_borrowed():
    x = leaf(1.0, 2.0)
    given = tensor([1.0, 1.0], dtype=tinytensor.float64)
    x.backward(given)
    given[0] = 100
    assert numbers(x.grad) == [1, 1]
    y = x + 0.0
    x.grad = None
    y.backward(given)
    given[1] = 100
    assert numbers(x.grad) == [100, 1]


def test_two_leaves_do_not_share_a_gradient():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (a + b).backward(tinytensor.ones(2, dtype=tinytensor.float64))
    a.grad[0] = 7
    assert numbers(b.grad) == [1, 1]


@pytest.mark.parametrize("program", [
    lambda x: x.sum(), lambda x: x.expand(3, 2, 2).sum(), lambda x: x.t().sum(),
    lambda x: x.reshape(-1).sum(), lambda x: (x.t() + x).sum(), lambda x: x[0].sum(),
    lambda x: x.mean()])
def test_a_gradient_has_memory_of_its_own_and_can_be_written(program):
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    y = leaf([[1.0, 2.0], [3.0, 4.0]])
    (program(x) + program(y)).backward()
    before = numbers(y.grad)
    x.grad[0, 0] = 50
    x.grad.mul_(2)
    assert x.grad[0, 0].item() == 100
    assert sum(map(sum, numbers(x.grad))) == pytest.approx(
        100 + 2 * sum(map(sum, before)) - 2 * before[0][0])
    assert numbers(y.grad) == before
    assert not numpy.shares_memory(x.grad._array, y.grad._array)


def test_a_fresh_gradient_is_taken_over_without_a_copy():
    made = []

    class Track(tinytensor.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            made.append(id(g._array))
            return g

    x = tinytensor.ones(1000, requires_grad=True)
    (Track.apply(x) * 2.0).sum().backward()
    assert id(x.grad._array) == made[0]


def test_later_gradients_are_added_into_the_first():
    x = leaf(1.0, 2.0)
    (x * 2).sum().backward()
    array = x.grad._array
    (x * 3).sum().backward()
    assert x.grad._array is array and numbers(x.grad) == [5, 5]


def test_a_gradient_keeps_the_dtype_of_its_leaf():
    x = tinytensor.ones(2, requires_grad=True)
    (x.double() * 2).sum().backward()
    assert x.grad.dtype is tinytensor.float32
    with pytest.raises(RuntimeError, match="grad of shape"):
        x.grad = tinytensor.ones(3)
    with pytest.raises(RuntimeError, match=r"grad of tinytensor\.float64"):
        x.grad = tinytensor.ones(2, dtype=tinytensor.float64)
    with pytest.raises(TypeError):
        x.grad = 1.0


# ---------------------------------------------------------------- writing in place


def test_an_overwritten_value_that_is_needed_raises_and_names_both_places():
    x = leaf(1.0, 2.0)
    y = x * 1.0
    z = y * y
    y.add_(1.0)
    with pytest.raises(RuntimeError) as error:
        z.sum().backward()
    message = str(error.value)
    assert "mul (" in message and "needs its `other` of shape (2,)" in message
    assert "add_ (" in message and message.count("test_engine.py:") == 2
    assert "clone()" in message and x.grad is None
    z = (x * 1.0).exp()
    z[0] = 0.0
    with pytest.raises(RuntimeError, match=r"exp .* needs its result .* __setitem__"):
        z.sum().backward()


def test_an_overwritten_value_that_nobody_needs_is_fine():
    x = leaf(1.0, 2.0)
    y = x + 1.0
    z = y + y
    y.mul_(3.0)
    (z + y).sum().backward()
    assert numbers(x.grad) == [5, 5]


def test_versions_count_writes_and_are_shared_by_views():
    x = tinytensor.zeros(3)
    view = x[1:]
    assert x._version == 0
    view.add_(1)
    assert x._version == view._version == x.detach()._version == 1
    x[0] = 5
    x += 1
    assert view._version == 3
    x + 1
    assert x._version == 3 and x.clone()._version == 0


WRITES = {
    "base": lambda base, view, x: base.mul_(3.0),
    "view": lambda base, view, x: view.mul_(3.0),
    "view by a tensor": lambda base, view, x: view.mul_(view.exp()),
    "view, then base": lambda base, view, x: (view.add_(1.0), base.mul_(2.0)),
    "base, then view": lambda base, view, x: (base.mul_(2.0), view.mul_(5.0)),
    "item of base": lambda base, view, x: base.__setitem__((0, 1), 7.0),
    "item of view": lambda base, view, x: view.__setitem__(0, 7.0),
    "rows of base": lambda base, view, x: base.__setitem__(slice(0, 1), x[1:] * x[1:]),
    "add assigned": lambda base, view, x: base.__setitem__(0, base[0] + x[1]),
    "zeroed": lambda base, view, x: view.zero_(),
    "filled": lambda base, view, x: base.fill_(2.0),
    "copied": lambda base, view, x: view.copy_(view.detach() * 2.0),
    "nothing recorded": lambda base, view, x: view.add_(1.0),
}
VIEWS = {
    "row": lambda b: b[0], "column": lambda b: b[:, 1], "transpose": lambda b: b.t(),
    "reshape": lambda b: b.view(-1), "chain": lambda b: b.t()[1:].t(),
    "every other": lambda b: b[:, ::2],
    "new dim": lambda b: b.unsqueeze(0)[0], "narrow": lambda b: b[1:][0],
}


@in_turn("how", VIEWS)
@pytest.mark.parametrize("write", WRITES)
def test_writes_through_bases_and_views_equal_pytorchs(write, how):
    def program(library):
        x = x_of(library)
        base = x * 1.0
        view = VIEWS[how](base)
        other = base[1]
        WRITES[write](base, view, x)
        loss = (base ** 2).sum() + (view ** 3).sum() + (other * 5.0).sum()
        loss.backward()
        return [base, view, other, x.grad]

    on_both(program)


@pytest.mark.parametrize("how", VIEWS)
@pytest.mark.parametrize("source", ["leaf", "computed"])
def test_writing_recorded_values_into_memory_that_was_not_recorded(source, how):
    def program(library):
        x = x_of(library)
        buffer = library.zeros(2, 3, dtype=library.float64)
        view = VIEWS[how](buffer)
        value = library.ones(tuple(view.shape), dtype=library.float64, requires_grad=True)
        view.copy_(value if source == "leaf" else value * x.sum())
        (buffer * buffer * x).sum().backward()
        return [buffer, x.grad, value.grad, buffer.requires_grad, view.requires_grad]

    on_both(program)


def test_augmented_assignment_of_items():
    def program(library):
        x = x_of(library)
        y = x * 2
        y[0] += x[1]
        y[:, 1] *= 3.0
        y[1, 2] -= 1.0
        y[library.tensor([0, 1])] += x
        (y ** 2).sum().backward()
        return [y, x.grad]

    on_both(program)


def test_a_leaf_that_requires_grad_is_not_written_while_recording():
    x = leaf(1.0, 2.0)
    for write in (lambda: x.add_(1), lambda: x.__setitem__(0, 1.0), lambda: x[:1].mul_(2),
                  lambda: x.zero_(), lambda: x.__iadd__(1)):
        with pytest.raises(RuntimeError, match=r"a leaf that requires grad .* no_grad\(\)"):
            write()
    assert numbers(x) == [1, 2] and x._version == 0


def test_a_failed_write_changes_nothing():
    y = leaf(1.0, 2.0) * 1
    node = y.grad_fn
    with pytest.raises(RuntimeError, match=r"shape \(3, 2\), which does not fit into \(2,\)"):
        y.add_(tinytensor.ones(3, 2, dtype=tinytensor.float64))
    with pytest.raises(RuntimeError, match=r"float32 cannot be written into .*int64"):
        tensor([1, 2]).mul_(0.5)
    with pytest.raises(RuntimeError, match="does not fit"):
        y[0] = tensor([1.0, 2.0])
    assert numbers(y) == [1, 2] and y._version == 0 and y.grad_fn is node


def test_an_optimizers_step():
    for step in (lambda p: p.data.sub_(p.grad * 0.5), lambda p: p.data.add_(p.grad, alpha=-0.5)):
        x = leaf(1.0, 2.0)
        (x * x).sum().backward()
        step(x)
        assert numbers(x) == [0, 0] and x.is_leaf and x.requires_grad
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    with no_grad():
        x.add_(x.grad, alpha=-0.25)
        x -= 0.25 * x.grad
        x[0] = 7.0
    assert numbers(x) == [7, 0] and x.is_leaf and x.requires_grad
    x.data -= 1
    assert numbers(x) == [6, -1]


def test_writing_under_no_grad_keeps_the_place_in_the_graph():
    def program(library):
        x = x_of(library)
        y = x * 1.0
        with library.no_grad():
            y.add_(10.0)
        (y * 3.0).sum().backward()
        return [y, x.grad]

    on_both(program)


def test_replacing_data():
    x = leaf(1.0, 2.0)
    x.data = tensor([5.0, 6.0, 7.0], dtype=tinytensor.float64)
    (x * x).sum().backward()
    assert numbers(x.grad) == [10, 12, 14]
    with pytest.raises(TypeError, match="must be a Tensor, got list"):
        x.data = [1.0]


def test_detach_shares_memory_and_versions():
    x = leaf(1.0, 2.0)
    y = x * 1.0
    z = y * y
    d = y.detach()
    assert d.is_leaf and not d.requires_grad and numpy.shares_memory(d.numpy(), y._array)
    d.add_(1)
    with pytest.raises(RuntimeError, match="add_"):
        z.sum().backward()
    y.detach_()
    assert y.is_leaf and not y.requires_grad


def test_a_written_view_keeps_no_cycle():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    (x * 1)[0].mul_(2).sum().backward()  # compiles the operations
    with no_collector():
        y = x * 1
        view = y[0]
        view.mul_(2)
        y.sum().backward()
        del y, view
        assert gc.collect() == 0


# ---------------------------------------------------------------- hooks


def test_hooks_run_in_order_and_may_replace_the_gradient():
    def program(library):
        seen = []
        x = x_of(library)
        y = x * 2
        y.register_hook(lambda g: seen.append(g.clone()))
        y.register_hook(lambda g: g * 10)
        handle = y.register_hook(lambda g: seen.append(g.clone()))
        removed = y.register_hook(lambda g: g * 1000)
        removed.remove()
        x.register_hook(lambda g: g + 1)
        x.register_hook(lambda g: seen.append(g.clone()))
        y.retain_grad()
        y.register_hook(lambda g: g * 3)
        (y * y).sum().backward(retain_graph=True)
        handle.remove()
        (y * y).sum().backward()
        return [*seen, x.grad, y.grad, y.retains_grad]

    on_both(program)


def test_hooks_on_grad_with_inputs_and_create_graph():
    def program(library):
        x = x_of(library)
        y = x * x
        y.register_hook(lambda g: g * 2)
        x.register_hook(lambda g: g * 3)
        by_y, = library.autograd.grad((y * y).sum(), y, retain_graph=True)
        by_x, = library.autograd.grad((y * y).sum(), x, create_graph=True)
        again, = library.autograd.grad(by_x.sum(), x)
        return [by_x, by_y, again]

    on_both(program)


def test_retain_grad():
    x = leaf(2.0)
    y = x * x
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad and not x.retains_grad
    (y * 3).backward(retain_graph=True)
    assert y.grad.item() == 3
    y.grad.zero_()
    assert x.grad.item() == 12
    x.retain_grad()  # has no effect on a leaf
    with pytest.raises(RuntimeError, match="does not require grad"):
        tensor(1.0).retain_grad()
    with pytest.raises(RuntimeError, match="does not require grad"):
        tensor(1.0).register_hook(print)


def test_a_hook_sees_the_sum_of_all_that_arrives():
    seen = []
    x = leaf(2.0)
    x.register_hook(lambda g: seen.append(g.item()))
    (x * x + x * 3).backward()
    assert seen == [7]


def test_a_hook_that_writes_into_its_gradient_changes_no_other():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    x.register_hook(lambda g: g.clone().zero_())
    (x + y).sum().backward()
    assert numbers(x.grad) == [0, 0] and numbers(y.grad) == [1, 1]


# ---------------------------------------------------------------- modes


def test_modes_nest():
    x = leaf(1.0)
    with no_grad():
        assert not (x * 2).requires_grad and not tinytensor.is_grad_enabled()
        with tinytensor.enable_grad():
            assert (x * 2).requires_grad
        with tinytensor.set_grad_enabled(True):
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    with tinytensor.inference_mode():
        assert tinytensor.is_inference_mode_enabled() and not (x * 2).requires_grad
    with tinytensor.inference_mode(False):
        assert (x * 2).requires_grad
    assert not tinytensor.is_inference_mode_enabled()


def test_modes_as_decorators():
    x = leaf(1.0)

    @no_grad()
    def with_brackets():
        return x * 2

    @no_grad
    def without():
        return x * 2

    @tinytensor.inference_mode()
    def inference(depth=2):
        return inference(depth - 1) if depth else x * 2

    @tinytensor.set_grad_enabled(False)
    def switched():
        return x * 2

    assert tinytensor.is_grad_enabled()
    for function in (with_brackets, without, inference, switched):
        assert not function().requires_grad
        assert tinytensor.is_grad_enabled()
    assert with_brackets.__name__ == "with_brackets"

    @tinytensor.enable_grad()
    def enabled():
        return x * 2

    with no_grad():
        assert enabled().requires_grad


def test_a_decorated_generator_runs_in_the_mode_and_leaves_it_between():
    def program(library):
        x = x_of(library)
        seen = []

        @library.no_grad()
        def generator():
            for _ in range(2):
                sent = yield (x * 2).requires_grad
                seen.append(str(sent))

        walk = generator()
        found = [next(walk)]
        found.append(library.is_grad_enabled())
        found.append(walk.send("a"))
        found.append((x * 2).requires_grad)
        return [*found, *seen]

    on_both(program)


def test_set_grad_enabled_switches_at_once():
    try:
        tinytensor.set_grad_enabled(False)
        assert not tinytensor.is_grad_enabled()
    finally:
        tinytensor.set_grad_enabled(True)


def test_a_mode_is_left_when_an_error_passes():
    with pytest.raises(ZeroDivisionError), no_grad():
        1 / 0  # noqa: B018
    assert tinytensor.is_grad_enabled()


def test_each_thread_has_its_own_mode():
    found = {}

    def other():
        found["enabled"] = tinytensor.is_grad_enabled()
        x = leaf(2.0)
        (x * x).backward()
        found["grad"] = x.grad.item()

    with no_grad():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert not tinytensor.is_grad_enabled()
    assert found == {"enabled": True, "grad": 4}


def test_what_one_thread_switches_off_others_go_on_recording():
    x, found, inside, leave = leaf(2.0), {}, threading.Event(), threading.Event()

    def other():
        with no_grad():
            inside.set()
            leave.wait(5)
            found["inside"] = (x * 2).requires_grad
        found["behind"] = (x * 2).requires_grad

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(5)
    found["beside"] = (x * 2).requires_grad
    leave.set()
    thread.join(5)
    assert found == {"inside": False, "behind": True, "beside": True}


# ---------------------------------------------------------------- detect_anomaly


def test_detect_anomaly_names_the_operation_and_the_line_forward():
    x = leaf(-1.0)
    with detect_anomaly():
        with pytest.raises(RuntimeError, match=r"forward of log, called at .*test_engine.py:\d+, "
                                               "produced NaN"):
            x.log()
        with pytest.raises(RuntimeError, match=r"forward of div, .* produced inf"):
            x / 0.0
        assert (x * 2).item() == -2
    assert math.isnan(x.log().item())


def test_detect_anomaly_names_the_operation_and_the_line_backward():
    x = leaf(0.0)
    with detect_anomaly():
        y = x.sqrt() * 0.0
        with pytest.raises(RuntimeError, match=r"backward of sqrt, called at .*test_engine.py:\d+"):
            y.backward()
    assert x.grad is None and tinytensor.is_grad_enabled()
    with detect_anomaly(check_nan=False):
        (x.sqrt() * 0.0).backward()
    assert math.isnan(x.grad.item())


LATER = tinytensor.triu(tinytensor.ones(3, 3, dtype=tinytensor.bool), 1)
BIAS = tinytensor.zeros(3, 3).masked_fill(LATER, -math.inf)
MASKED = {
    "masked_fill": lambda x: x.masked_fill(LATER, -math.inf),
    "masked_fill with a Tensor": lambda x: x.masked_fill(LATER, tinytensor.tensor(-math.inf)),
    "where": lambda x: tinytensor.where(LATER, -math.inf, x),
    "added": lambda x: x + BIAS,
    "an item": lambda x: written(x * 1, (0, 2)),
    "a mask of items": lambda x: written(x * 1, LATER),
    "in place": lambda x: (x * 1).masked_fill_(LATER, -math.inf),
    "pad": lambda x: nn.functional.pad(x, (0, 1), value=-math.inf),
    "index_fill": lambda x: x.index_fill(1, tinytensor.tensor([2]), -math.inf),
    "cat": lambda x: tinytensor.cat([x, BIAS]),
}
REDUCED = {
    "softmax": lambda y: y.softmax(-1),
    "log_softmax": lambda y: y.log_softmax(-1)[:, 0],
    "logsumexp": lambda y: y.logsumexp(-1),
    "cross_entropy": lambda y: nn.functional.cross_entropy(y, tinytensor.zeros(len(y)).long()),
    "max": lambda y: y.max(-1).values,
    "exp": lambda y: y.exp(),
    "clamp": lambda y: y.clamp(min=-9.0),
    "tanh": lambda y: y.tanh(),
}


def written(x, key):
    x[key] = -math.inf
    return x


@pytest.mark.parametrize("compiled", [True, False])
def test_a_masks_infinity_is_no_anomaly(compiled):
    with use_compiled(compiled), detect_anomaly():
        for (how, mask), (what, reduce) in itertools.product(MASKED.items(), REDUCED.items()):
            x = tinytensor.rand(3, 3, requires_grad=True)
            reduce(mask(x)).sum().backward()
            assert x.grad.isfinite().all(), (how, what)


@pytest.mark.parametrize("mask", [BIAS, LATER], ids=["of -inf", "of bools"])
def test_attention_and_transformer_layers_with_a_mask_have_no_anomaly(mask):
    x = tinytensor.rand(2, 3, 4, requires_grad=True)
    padding = tinytensor.tensor([[False] * 3, [False, True, True]])
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    encoder = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    decoder = nn.TransformerDecoderLayer(4, 2, 8, batch_first=True)
    with detect_anomaly():
        for out in (
                nn.functional.scaled_dot_product_attention(
                    x, x, x, mask if mask is BIAS else ~mask),
                attention(x, x, x, attn_mask=mask)[0],
                attention(x, x, x, padding, attn_mask=mask, need_weights=False)[0],
                encoder(x, mask, padding), decoder(x, x, mask, memory_key_padding_mask=padding)):
            out.sum().backward()


@pytest.mark.parametrize("compiled", [True, False])
def test_what_detect_anomaly_raises_for(compiled):
    x = leaf(1.0, -1.0)
    produced = {"log": lambda: x.log(), "div": lambda: x / 0.0, "exp": lambda: (x * 1e3).exp(),
                "sub": lambda: (x - math.inf) - (x - math.inf)}
    with use_compiled(compiled), detect_anomaly():
        for name, call in produced.items():
            with pytest.raises(RuntimeError, match=rf"forward of {name}, .* produced"):
                call()
        with pytest.raises(RuntimeError, match=r"forward of mul, .* was given NaN"):
            x * tinytensor.tensor([1.0, math.nan])
        with pytest.raises(RuntimeError, match=r"forward of cat, .* was given NaN"):
            tinytensor.cat([x, tinytensor.tensor([math.nan])])
        with pytest.raises(RuntimeError, match=r"backward of mul, .* produced NaN"):
            (x * 0.0).sum().backward(tinytensor.tensor(math.inf))
        tinytensor.tensor([math.nan]).log()  # not recorded
        leaf(0.0).sqrt().backward()  # infinite gradients are accepted, as in PyTorch


def test_detect_anomaly_checks_a_function_of_ones_own():
    class Shifted(Function):
        @staticmethod
        def forward(ctx, x, by):
            return x + by

        @staticmethod
        def backward(ctx, g):
            return g, None

    with detect_anomaly():
        Shifted.apply(leaf(1.0), -math.inf).sum().backward()
        with pytest.raises(RuntimeError, match=r"forward of Shifted, .* produced NaN"):
            Shifted.apply(Shifted.apply(leaf(1.0), -math.inf), math.inf)


# ---------------------------------------------------------------- copies


@pytest.mark.parametrize("how", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_leaves_are_copied_and_pickled(how):
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    twin = how(x)
    assert numbers(twin) == [1, 2] and twin.requires_grad and twin.is_leaf
    assert twin.dtype is x.dtype and not numpy.shares_memory(twin._array, x._array)
    (twin * 3).sum().backward()
    assert numbers(x.grad) == [2, 4]
    plain = how(tinytensor.arange(3))
    assert numbers(plain) == [0, 1, 2] and not plain.requires_grad


def test_graphs_are_not_copied_or_pickled():
    y = leaf(1.0) * 2
    with pytest.raises(RuntimeError, match=r"only leaves .*MulBackward0.* \.detach\(\)\.clone\(\)"):
        copy.deepcopy(y)
    with pytest.raises(RuntimeError, match=r"graphs cannot; use \.detach\(\)"):
        pickle.dumps(y)


def test_copies_keep_what_is_shared_shared():
    x = leaf(1.0, 2.0)
    a, b = copy.deepcopy([x, x])
    assert a is b and a is not x


# ---------------------------------------------------------------- printing


def printed(library, values, requires_grad=False, function=None, **options):
    made = library.tensor(values, requires_grad=requires_grad, **{
        k: getattr(library, v) for k, v in options.items()})
    return repr(made if function is None else function(made)).replace("torch.", "tinytensor.")


RANDOM = numpy.random.default_rng(0)
PRINTED = [
    1.0, 3, True, [], [[]], [1.0, 2.0], [1, 2, 3], [True, False], [1.5, -2.25], [1e-5, 1.0],
    [1e10, 1.0], [1e8, 1.0], [1e9, 2e9], [0.0, 1e-8], [math.inf, 1.0], [math.nan, -math.inf],
    [math.nan, 1.5], [math.nan, 1e-9], [math.inf], [0.0], [-0.0, 0.0], [1e-7], [123456.789],
    [0.1, 1234.5], [1.0, 1e5, 1e-5], [100000.0, 2.0], [99999999.0, 1.0], [1e8],
    [[1.0, 2.0], [3.5, 4.0]],
    [[[1, 2], [3, 4]], [[5, 6], [7, 8]]], [[-1, 10], [100, -1000]], [[[1.0]]], [[True], [False]],
    RANDOM.standard_normal((3, 4)).tolist(), RANDOM.standard_normal(30).tolist(),
    RANDOM.standard_normal((2, 25)).tolist(), RANDOM.integers(-5, 1000, 40).tolist(),
    RANDOM.standard_normal((2, 3, 2, 2)).tolist(), RANDOM.standard_normal((40, 40)).tolist(),
    RANDOM.standard_normal(1001).tolist(), RANDOM.integers(0, 9, (8, 9, 20)).tolist(),
    RANDOM.standard_normal((1, 2000)).tolist(), [*range(1000)], [*range(1001)], [[]] * 3,
]


@pytest.mark.parametrize("i", range(len(PRINTED)))
def test_values_are_printed_as_pytorch_prints_them(i):
    assert printed(tinytensor, PRINTED[i]) == printed(torch, PRINTED[i])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int8", "int16",
                                   "int32", "int64", "bool"])
@pytest.mark.parametrize("values", [[], [0, 1], [[1, 0, 3]], 2])
def test_dtypes_are_printed_as_pytorch_prints_them(dtype, values):
    assert printed(tinytensor, values, dtype=dtype) == printed(torch, values, dtype=dtype)


@pytest.mark.parametrize("function", [
    None, lambda x: x + 1, lambda x: x * x, lambda x: x.exp(), lambda x: x.sum(),
    lambda x: x.mean(), lambda x: x.relu(), lambda x: x.tanh(), lambda x: x.view(-1),
    lambda x: x.t(),
    lambda x: x @ x.t(), lambda x: x[0], lambda x: x.detach(), lambda x: x.repeat(3, 9)])

def test_the_place_in_the_graph_is_printed(function):
    values = [[1.0, 2.0], [3.0, 4.5]]
    mine, other = (printed(library, values, True, function) for library in (tinytensor, torch))

    def without_name(text):
        return text.split("grad_fn=<")[0], "grad_fn" in text

    assert without_name(mine) == without_name(other)


@pytest.mark.parametrize("function", [
    lambda x: x + 1, lambda x: x - 1, lambda x: x * x, lambda x: x / 2, lambda x: -x,
    lambda x: x ** 2,
    lambda x: x.exp(), lambda x: x.log(), lambda x: x.tanh(), lambda x: x.relu(), lambda x: x.sum(),
    lambda x: x.mean(), lambda x: x.abs(), lambda x: x.sqrt(), lambda x: x.sigmoid(),
    lambda x: x.clone()])

def test_nodes_of_common_operations_have_pytorchs_names(function):
    names = [function(library.tensor([1.0, 2.0], requires_grad=True)).grad_fn.name()
             for library in (tinytensor, torch)]
    assert names[0] == names[1]


@pytest.mark.parametrize("options", [
    {"precision": 2}, {"threshold": 5}, {"edgeitems": 1, "threshold": 4}, {"linewidth": 40},
    {"sci_mode": True}, {"sci_mode": False}, {"profile": "short"}, {"profile": "full"}], ids=str)
def test_print_options(options):
    values = [RANDOM.standard_normal((4, 12)).tolist(), [1e-7, 1.0], [*range(30)]]
    try:
        for library in (tinytensor, torch):
            library.set_printoptions(**options)
        for v in values:
            assert printed(tinytensor, v) == printed(torch, v)
    finally:
        for library in (tinytensor, torch):
            library.set_printoptions(profile="default")


# ---------------------------------------------------------------- NumPy and others


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "true_divide", "power", "maximum",
                                  "matmul"])
def test_numpy_operands_in_either_order_give_tensors_with_gradients(name):
    import operator as operators

    operator = {"add": operators.add, "subtract": operators.sub, "multiply": operators.mul,
                "true_divide": operators.truediv, "power": operators.pow,
                "matmul": operators.matmul}.get(name, getattr(numpy, name))
    array = numpy.array([[1.0, 2.0], [3.0, 4.0]])
    for f in (operator, getattr(numpy, name)):
        for swap in (False, True):
            x = leaf([[0.5, 1.5], [2.5, 3.5]])
            y = torch.tensor([[0.5, 1.5], [2.5, 3.5]], dtype=torch.float64, requires_grad=True)
            z = f(array, x) if swap else f(x, array)
            other = torch.tensor(array)
            expected = getattr(torch, {"power": "pow"}.get(name, name))(
                *((other, y) if swap else (y, other)))
            assert isinstance(z, tinytensor.Tensor)
            z.sum().backward()
            expected.sum().backward()
            numpy.testing.assert_allclose(numbers(z), numbers(expected))
            numpy.testing.assert_allclose(numbers(x.grad), numbers(y.grad))


def test_numpy_functions_of_tensors():
    x = leaf(0.5, 1.5)
    for name in ("exp", "log", "sqrt", "tanh", "sin", "negative", "absolute"):
        y = getattr(numpy, name)(x)
        assert isinstance(y, tinytensor.Tensor) and y.requires_grad
        numpy.testing.assert_allclose(numbers(y), getattr(numpy, name)([0.5, 1.5]))
    for f in (numpy.less, numpy.greater_equal, numpy.equal):
        array = numpy.array([1.0, 1.5])
        assert f(array, x).tolist() == f(array, [0.5, 1.5]).tolist()
    assert (numpy.float64(2.0) * x).requires_grad and (numpy.float32(2.0) - x).dtype is x.dtype


def test_arrays_in_and_out():
    x = tinytensor.arange(3)
    assert numpy.shares_memory(numpy.asarray(x), x._array) and numpy.array(x).sum() == 3
    assert numpy.asarray(x, dtype=numpy.float32).dtype == numpy.float32
    array = numpy.zeros(3, dtype=numpy.float32)
    shared = tinytensor.from_numpy(array)
    array[1] = 5
    shared[0] = 7
    assert numbers(shared) == [7, 5, 0] and array[0] == 7
    assert not numpy.shares_memory(tensor(array)._array, array)
    with pytest.raises(RuntimeError, match=r"requires grad; use \.detach\(\)\.numpy\(\)"):
        leaf(1.0).numpy()
    assert leaf(1.0, 2.0).numpy(force=True).tolist() == [1, 2]
    with pytest.raises(TypeError, match="expected an ndarray, got list"):
        tinytensor.from_numpy([1])


def test_dlpack_both_ways_shares_memory():
    x = tinytensor.arange(4, dtype=tinytensor.float32)
    theirs = torch.from_dlpack(x)
    theirs[0] = 9
    back = tinytensor.from_dlpack(theirs)
    back[1] = 8
    assert numbers(x) == [9, 8, 2, 3] and numbers(numpy_tensor(x)) == [9, 8, 2, 3]
    with pytest.raises(BufferError, match=r"requires grad; use \.detach\(\)"):
        torch.from_dlpack(leaf(1.0))


def numpy_tensor(x):
    return tinytensor.from_numpy(numpy.from_dlpack(x).copy())


def test_tensors_as_sequences_and_numbers():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    rows = list(x)
    assert len(x) == 2 and numbers(rows[1]) == [3, 4]
    rows[0].sum().backward()
    assert numbers(x.grad) == [[1, 1], [0, 0]]
    assert 3.0 in x and 9.0 not in x
    assert bool(tensor(1)) and not tensor([0.0]) and float(tensor([2.5])) == 2.5
    assert [10, 20, 30][tensor(1)] == 20 and list(range(tensor(3))) == [0, 1, 2]
    assert f"{tensor(1.23456):.2f}" == "1.23" and f"{x}" == str(x) and int(tensor(3.9)) == 3
    assert {x: 1}[x] == 1 and x != "text" and (x == "text") is False
    for call, error, message in (
            (lambda: bool(x), RuntimeError, r"truth value .* use \.any\(\) or \.all\(\)"),
            (lambda: len(tensor(1)), TypeError, "0-d"),
            (lambda: iter(tensor(1)), TypeError, "0-d"),
            (lambda: [1, 2][tensor(1.0)], TypeError, "integer"),
            (lambda: x.item(), RuntimeError, r"shape \(2, 2\) has 4 elements"),
            (lambda: float(x), ValueError, "4 elements")):
        with pytest.raises(error, match=message):
            call()


# ---------------------------------------------------------------- invalid definitions


def test_a_rule_that_returns_something_else_than_g_is_not_taken_for_the_identity():
    from tinytensor.autograd.op import Op

    def triple(input: Array):  # noqa: F821 - annotations are not evaluated
        return input * 3

    op = Op(triple)
    op.vjp(input=lambda out, g: out)
    x = tinytensor.tensor([1.0, 2.0], requires_grad=True)
    op.function(x).sum().backward()
    assert x.grad.tolist() == [3.0, 6.0]


@pytest.mark.parametrize(("returned", "told"), [
    (lambda g: tinytensor.ones(5), r"returned \(5,\) for a gradient of shape \(3,\)"),
    (lambda g: 3, "returned int for a gradient")])
def test_a_hook_that_returns_no_fitting_gradient_is_refused(returned, told):
    x = tinytensor.ones(3, requires_grad=True)
    x.register_hook(returned)
    with pytest.raises(RuntimeError, match=told):
        (x * 2).sum().backward()
    assert x.grad is None


def test_messages_for_what_is_no_tensor():
    a = tinytensor.ones(2)
    with pytest.raises(TypeError, match=r"takes one sequence of Tensors: cat\(\[a, b\]\)"):
        tinytensor.cat(a, a)
    with pytest.raises(TypeError, match="a dim must be an int"):
        a.sum(dim="a")
    with pytest.raises(TypeError, match="`target` must be a Tensor, got list"):
        tinytensor.nn.functional.cross_entropy(tinytensor.ones(2, 3), [0, 1])
    with pytest.raises(RuntimeError, match=r"input has shape \(4,\), the target \(3,\); they must"):
        tinytensor.nn.functional.mse_loss(tinytensor.ones(4), tinytensor.ones(3))
    with pytest.raises(TypeError, match=r"module 1 is the class ReLU; write ReLU\(\)"):
        tinytensor.nn.Sequential(tinytensor.nn.Linear(2, 2), tinytensor.nn.ReLU)
    with pytest.raises(TypeError, match=r"got a Linear; pass model\.parameters\(\)"):
        tinytensor.optim.Adam(tinytensor.nn.Linear(2, 2))
