"""Views and in-place writes: memory, graph and errors equal PyTorch's."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from operations import in_turn, on_samples, run_all

import tinytensor
from tinytensor.autograd.table import TABLE, Entry
from tinytensor.autograd.versions import owner
from tinytensor.checking.calls import (
    arguments_of,
    differentiable,
    is_drawn,
    outputs,
    reference,
    replace,
    total,
    values,
)
from tinytensor.checking.exemptions import RANDOM
from tinytensor.ops.samples import S

LIBRARIES = (tinytensor, torch)


def draw(library: Any, *shape: int, k: float = 0.3) -> Any:
    """A Tensor of this shape with cos(0), cos(k), cos(2 k), ..."""
    count = int(numpy.prod(shape, dtype=int))
    return library.tensor(numpy.cos(numpy.arange(count) * k).reshape(shape))


def numbered(library: Any, like: Any) -> Any:
    """A Tensor of the same shape with 1, 2, 3, ..."""
    return (library.arange(like.numel()) + 1).reshape(tuple(like.shape)).to(library.float64)


def in_both(run: Callable[[Any], tuple[Any, ...]]) -> None:
    """Asserts that run(tinytensor) and run(torch) give the same results."""
    __tracebackhide__ = True
    for mine, theirs in zip(*(run(library) for library in LIBRARIES), strict=True):
        if isinstance(theirs, torch.Tensor):
            assert mine.requires_grad == theirs.requires_grad
            numpy.testing.assert_allclose(values(mine), values(theirs), 1e-12, 1e-12, strict=True)
        else:
            assert mine == theirs


@pytest.mark.parametrize("view", [
    lambda y: y[::2], lambda y: y[:, 1], lambda y: y.as_strided((2, 2), (2, 1)),
    lambda y: y.view(-1)[3:], lambda y: y.t()[0]])
def test_a_broadcast_gradient_reaches_what_was_written_through_a_view(view):
    """The gradient of `sum` is one number, shown many times: nothing may be read beside it."""
    def run(library):
        x = draw(library, 3, 4).requires_grad_()
        y = x * 1
        view(y).mul_(2)
        first, = library.autograd.grad(y.sum(), x, create_graph=True)
        z = x * x
        view(z).mul_(3)
        second, = library.autograd.grad(z.sum(), x, create_graph=True)
        return first, second, *library.autograd.grad(second.sum(), x)

    in_both(run)


# ---------------------------------------------------------------- shapes changed in place


@in_turn("shape, view, change, write, use", [
    ((2, 2), lambda y: y[0], lambda y, v: y.t_(), lambda lib, y, v: y.mul_(numbered(lib, y)), 1),
    ((4,), lambda y: y.view(2, 2), lambda y, v: v.t_(),
     lambda lib, y, v: y.mul_(numbered(lib, y)), 1),
    ((2, 2), lambda y: y.transpose(0, 1), lambda y, v: v.transpose_(0, 1),
     lambda lib, y, v: v[0].mul_(5), 0),
    ((2, 3), lambda y: y.permute(1, 0), lambda y, v: v.swapaxes_(0, 1),
     lambda lib, y, v: y.mul_(draw(lib, 2, 3, k=0.7)), 1),
    ((2, 1, 3), lambda y: y[:, 0], lambda y, v: y.squeeze_(1), lambda lib, y, v: v[1].mul_(3), 0),
    ((2, 3), lambda y: y.unsqueeze(0), lambda y, v: v.unsqueeze_(-1),
     lambda lib, y, v: y[:, 1:].exp_(), 1)])
def test_views_follow_a_base_or_a_view_whose_shape_changes(shape, view, change, write, use):
    def run(library):
        x = draw(library, *shape).requires_grad_()
        y = x * 2
        v = view(y)
        change(y, v)
        write(library, y, v)
        out = (y, v)[use] * 1
        out.backward(numbered(library, out))
        return y, v, x.grad

    in_both(run)


@in_turn("change, shape", [
    (lambda w: w.t_(), (2, 3)), (lambda w: w.squeeze_(), (1, 3)),
    (lambda w: w.unsqueeze_(0), (3,)), (lambda w: w.transpose_(0, 1), (2, 3)),
    (lambda w: w.swapaxes_(0, 1), (2, 3))])
def test_a_parameter_whose_shape_changes_stays_a_parameter(change, shape):
    def run(library):
        w = draw(library, *shape).requires_grad_()
        with library.no_grad():
            change(w)
        (w * numbered(library, w)).sum().backward()
        return w, w.grad, w.is_leaf, tuple(w.shape)

    in_both(run)


def test_the_gradient_for_the_shape_of_before_is_refused():
    """PyTorch also raises, but accumulates a transposed gradient for a square matrix."""
    for shape in ((2, 3), (2, 2)):
        w = draw(tinytensor, *shape).requires_grad_()
        loss = (w * numbered(tinytensor, w)).sum()
        with tinytensor.no_grad():
            w.t_()
        with pytest.raises(RuntimeError, match="given another shape in place"):
            loss.backward()
        assert w.grad is None


def test_views_of_replaced_data_keep_their_memory():
    w = tinytensor.ones(3, requires_grad=True)
    first, second = w[:2], w[1:]
    w.data = tinytensor.zeros(4)
    with tinytensor.no_grad():
        first.mul_(3)
    assert w.tolist() == [0] * 4 and first.tolist() == [3, 3] and second.tolist() == [3, 1]
    assert first._base is second._base is not w


# ---------------------------------------------------------------- views of one element


@in_turn("view", [
    lambda x: x.select(0, 1), lambda x: x[1], lambda x: x[-1], lambda x: x.unbind(0)[1],
    lambda x: list(x)[1], lambda x: x.narrow(0, 1, 1).view(()), lambda x: x[1:2].squeeze(),
    lambda x: x.split(1)[1][0], lambda x: x.view(1, 3).diagonal(1)[0], lambda x: x.view(3, 1)[1, 0],
    lambda x: x.unfold(0, 1, 1)[1, 0], lambda x: x.as_strided((), (), 1),
    lambda x: x[1].expand(()), lambda x: x[1].reshape(()), lambda x: x[1].permute(())])
def test_views_of_one_element_share_its_memory(view):
    def run(library):
        x = draw(library, 3)
        y = x.clone().requires_grad_() * 2
        with library.no_grad():
            view(x).fill_(9)
            view(y).mul_(3)
        return x, y.detach()

    in_both(run)


@in_turn("view", [
    lambda x: x.select(0, 1), lambda x: x[1], lambda x: x[1:2].squeeze(),
    lambda x: x.as_strided((), (), 1)])
def test_writes_to_views_of_one_element_are_recorded(view):
    def run(library):
        x = draw(library, 3).requires_grad_()
        y = x * 2
        view(y).mul_(3)
        y.backward(numbered(library, y))
        return y, x.grad

    in_both(run)


# ---------------------------------------------------------------- noticed writes


def quietly(library: Any, write: Callable[[], Any]) -> None:
    with library.no_grad():
        write()


def test_a_write_in_a_hook_is_noticed():
    for library in LIBRARIES:
        x = draw(library, 4).requires_grad_()
        y = x * 1
        z = y * y
        z.register_hook(lambda g, library=library, y=y: quietly(library, y.zero_))
        with pytest.raises(RuntimeError, match=r"in ?place"):
            z.sum().backward()
        assert x.grad is None


def test_a_write_in_the_backward_of_a_function_is_noticed():
    for library in LIBRARIES:
        class Writing(library.autograd.Function):  # type: ignore[name-defined, misc]
            @staticmethod
            def forward(ctx, x, memory):
                ctx.memory = memory
                return x * 1

            @staticmethod
            def backward(ctx, g):
                ctx.memory.zero_()
                return g, None

        x = draw(library, 4).requires_grad_()
        y = x * 1
        with pytest.raises(RuntimeError, match=r"in ?place"):
            Writing.apply(y * y, y.detach()).sum().backward()


@in_turn("write", [
    lambda y: y.mul_(2), lambda y: y[1:].mul_(2), lambda y: y.zero_(), lambda y: y.fill_(2),
    lambda y: y.__setitem__(0, 5.0), lambda y: y.copy_(y * 3), lambda y: y.relu_()])
def test_retain_grad_shows_the_gradient_of_what_was_written(write):
    def run(library):
        x = draw(library, 4).requires_grad_()
        y = x * 1
        view = y[:2]
        y.retain_grad()
        view.retain_grad()
        write(y)
        ((y * y).sum() + view.sum()).backward()
        return y, y.grad, view.grad, x.grad

    in_both(run)


def test_a_retained_gradient_has_the_shape_of_its_tensor():
    """In PyTorch, it has the earlier shape."""
    y = draw(tinytensor, 2, 3).requires_grad_() * 1
    y.retain_grad()
    y.t_().backward(numbered(tinytensor, y))
    assert y.grad.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_a_hook_stays_with_the_value_of_before():
    def run(library):
        x = draw(library, 3).requires_grad_()
        y = x * 1
        y.register_hook(lambda g: g * 10)
        y.mul_(2)
        y.sum().backward()
        return (x.grad,)

    in_both(run)


@in_turn("write", [lambda v, w: v.mul_(2), lambda v, w: v.mul_(w), lambda v, w: v.zero_(),
                   lambda v, w: v.__setitem__(0, w[0]), lambda v, w: v.copy_(w)])
def test_a_view_made_under_no_grad_is_not_written_in_a_graph(write):
    for library in LIBRARIES:
        w = draw(library, 2, 2).requires_grad_()
        y = w * 1
        with library.no_grad():
            view = y[0]
        with pytest.raises(RuntimeError, match="no_grad"):
            write(view, w[0])
        with library.no_grad():
            write(view, w[0])


def test_a_view_made_under_no_grad_follows_its_base():
    """PyTorch refuses to use the view, although its values have a derivative."""
    w = draw(tinytensor, 2, 2).requires_grad_()
    y = w * 1
    with tinytensor.no_grad():
        view = y[0]
    y.mul_(3)
    view.sum().backward()
    assert w.grad.tolist() == [[3, 3], [0, 0]]


def test_a_write_to_an_element_that_shows_twice_is_refused():
    """PyTorch refuses the first two. It writes into overlapping windows in an undefined order."""
    x = tinytensor.zeros(4)
    for view in (x[:1].expand(3), x.view(1, 4).expand(2, 4), x.unfold(0, 2, 1)):
        for write in (lambda v: v.add_(1), lambda v: v.__setitem__(0, 1), lambda v: v.copy_(v)):
            with pytest.raises(RuntimeError, match="shows an element several times"):
                write(view)
    assert x.tolist() == [0] * 4


def test_expanded_views_may_be_filled():
    def run(library):
        x = draw(library, 1, 3)
        x.expand(2, 3).fill_(2)
        y = draw(library, 1, 3)
        y.expand(2, 3)[0].add_(1)
        return x, y

    in_both(run)


# ---------------------------------------------------------------- recorded writes


@in_turn("write", [
    lambda lib, y, w: y.copy_(lib.zeros(2, 3, dtype=lib.float64)), lambda lib, y, w: y.copy_(w),
    lambda lib, y, w: y.copy_(w[:1]), lambda lib, y, w: y.zero_(), lambda lib, y, w: y[0].zero_(),
    lambda lib, y, w: y[:, 1].copy_(lib.ones(2, dtype=lib.float64)),
    lambda lib, y, w: y.fill_(w[0, 0]), lambda lib, y, w: y.t().copy_(w.t()),
    lambda lib, y, w: y.__setitem__((slice(None), 1), w[1, 1]),
    lambda lib, y, w: y[1:].__setitem__((slice(None), lib.tensor([2, 0])), w[0, :2]),
    lambda lib, y, w: y.__setitem__(y > 0.5, 2.0), lambda lib, y, w: y.t_().copy_(w.t()),
    lambda lib, y, w: y.view(-1)[1:5].view(2, 2).t().mul_(w[:, :2]),
    lambda lib, y, w: y.expand(2, 3).mul_(w), lambda lib, y, w: y.expand_as(y).add_(w),
    lambda lib, y, w: y.diagonal().mul_(3), lambda lib, y, w: y[::1, ::2].exp_()])
def test_gradients_through_writes(write):
    def run(library):
        x, w = (draw(library, 2, 3, k=k).requires_grad_() for k in (0.3, 0.7))
        y = x * 1
        column = y[:, 0]
        write(library, y, w * 2)
        ((y * numbered(library, y)).sum() + (column * column).sum()).backward()
        return y, column, x.grad, w.grad if w.grad is not None else 0

    in_both(run)


def test_second_derivatives_through_writes():
    def run(library):
        x = draw(library, 2, 3).requires_grad_()
        y = x * x
        y.t()[1].mul_(x[:, 0])
        y[0, 1:] = x[1, 1:] ** 3
        grad, = library.autograd.grad((y * y).sum(), x, create_graph=True)
        second, = library.autograd.grad((grad * numbered(library, grad)).sum(), x)
        return y, grad, second

    in_both(run)


def test_bases_that_are_not_contiguous():
    def run(library):
        memory = numpy.cos(numpy.arange(24.0)).reshape(4, 6)
        w = draw(library, 2, 3).requires_grad_()
        found = []
        for base in (library.from_numpy(memory.copy()[::2, ::2]),
                     library.from_numpy(memory.copy().T)[:3, :2]):
            base.t()[1].copy_(w[0, :2].sum() * library.ones(base.shape[0], dtype=library.float64))
            base[:1, 1:].mul_(w.sum())
            found += [base, *library.autograd.grad((base * numbered(library, base)).sum(), w)]
        return tuple(found)

    in_both(run)


def test_a_view_of_float16_is_summed_in_float32():
    x = tinytensor.ones(1, dtype=tinytensor.float16, requires_grad=True)
    y = x * 1
    many = y.expand(4096)
    y.mul_(1)
    many.backward(tinytensor.ones(4096, dtype=tinytensor.float16))
    assert x.grad.tolist() == [4096]


def test_detach_in_place():
    in_both(lambda library: (
        draw(library, 2, 3).requires_grad_().max(1)[0].detach_(),
        (draw(library, 3).requires_grad_() * 2).detach_()))
    y = tinytensor.ones(3, requires_grad=True) * 1  # PyTorch does not allow this for a view
    view = y[:2].detach_()
    assert not view.requires_grad and not view._is_view() and y.requires_grad
    assert view.data_ptr() == y.data_ptr()


@in_turn("view", [
    lambda x: x.view(3), lambda x: x.unsqueeze(0).squeeze(0), lambda x: x.reshape(3),
    lambda x: x[:], lambda x: x.view(3, 1).t().view(3)])
def test_a_view_of_a_view_costs_the_same_at_any_depth(view):
    for requires_grad in (False, True):
        x = tinytensor.ones(3, requires_grad=requires_grad)
        x = x * 1 if requires_grad else x
        took = []
        tracemalloc.start()
        try:
            for _ in range(400):
                before, _ = tracemalloc.get_traced_memory()
                tracemalloc.reset_peak()
                x = view(x)
                took.append(tracemalloc.get_traced_memory()[1] - before)
        finally:
            tracemalloc.stop()
        assert max(took[-5:]) <= 2 * max(took[10:20]) + 500


# ---------------------------------------------------------------- writes into results


@in_turn("program", [
    lambda lib, x: x / (x * x + 1), lambda lib, x: 1 / (x + 5),
    lambda lib, x: x.exp() / x.exp().sum(1, keepdim=True), lambda lib, x: (x / 2).erfinv(),
    lambda lib, x: lib.nn.functional.scaled_dot_product_attention(x, x * 2, x * 3),
    lambda lib, x: lib.nn.functional.cross_entropy(x, lib.tensor([1, 2, 0, 3]), reduction="none"),
    lambda lib, x: lib.nn.functional.batch_norm(
        x, lib.zeros(4, dtype=lib.float64), lib.ones(4, dtype=lib.float64), x[0] + 2)])
def test_results_may_be_written_before_backward(program, kernels):
    def run(library):
        x = draw(library, 4, 4).requires_grad_()
        y = program(library, x * 1)
        y.mul_(2)
        y[0] = 0.0
        y += 1
        y.backward(numbered(library, y))
        return y, x.grad

    in_both(run)


@in_turn("kind, states", [("GRU", 1), ("LSTM", 2), ("RNN", 1), ("GRUCell", 1), ("LSTMCell", 2)])
def test_states_may_be_written_before_backward(kind, states, kernels):
    """Programs set states to zero at the end of an episode."""
    def run(library):
        model = getattr(library.nn, kind)(4, 3).double()
        with library.no_grad():
            for k, parameter in enumerate(model.parameters()):
                parameter.copy_(draw(library, *parameter.shape, k=0.2 + 0.05 * k))
        x = draw(library, 3, 2, 4).requires_grad_()
        if kind.endswith("Cell"):
            after, loss = None, 0
            for step in x:
                after = model(step) if after is None else model(step, after)
                for state in after if states == 2 else (after,):
                    state[0] = 0.0
                loss = loss + sum((s * s).sum() for s in (after if states == 2 else (after,)))
        else:
            out, last = model(x)
            out[0] = 0.0
            loss = (out * out).sum()
            for state in last if states == 2 else (last,):
                state.mul_(2)
                loss = loss + state.sum()
        loss.backward()
        return (x.grad, *(p.grad for p in model.parameters()))

    in_both(run)


def test_statistics_may_be_updated_before_backward():
    """PyTorch raises in backward."""
    found = []
    for update in (0, 1):
        model = tinytensor.nn.BatchNorm1d(2).double().eval()
        x = draw(tinytensor, 3, 2).requires_grad_()
        y = model(x)
        model.running_mean.add_(update)
        model.running_var.add_(update)
        y.backward(numbered(tinytensor, y))
        found.append([x.grad.tolist(), model.weight.grad.tolist(), model.bias.grad.tolist()])
    assert found[0] == found[1]


def test_a_product_of_what_was_overwritten_is_refused():
    """PyTorch's kron does not notice the overwritten input, and its gradient is wrong."""
    x = draw(tinytensor, 2, 2).requires_grad_()
    y = x * 1
    product = tinytensor.kron(y, y)
    quietly(tinytensor, lambda: y.add_(1))
    with pytest.raises(RuntimeError, match="overwritten"):
        product.sum().backward()


# ---------------------------------------------------------------- NumPy's arrays


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_arrays_of_subclasses_become_plain():
    matrix = numpy.matrix([[1.0, 2.0], [3.0, 4.0]])
    for made in (tinytensor.from_numpy(matrix), tinytensor.tensor(matrix),
                 tinytensor.as_tensor(matrix)):
        assert (made * made).tolist() == [[1, 4], [9, 16]] and made[0].shape == (2,)
    assert (tinytensor.ones(2, 2) * matrix).tolist() == matrix.tolist()
    unmasked = numpy.ma.array([1.0, 2.0])
    assert (tinytensor.from_numpy(unmasked) * 2).tolist() == [2, 4]


def test_masked_elements_are_refused():
    masked = numpy.ma.array([1.0, 2.0], mask=[False, True])
    for make in (tinytensor.tensor, tinytensor.from_numpy, tinytensor.as_tensor,
                 lambda array: tinytensor.ones(2) + array):
        with pytest.raises(TypeError, match=r"masked array.*filled"):
            make(masked)


def test_a_memmap_is_written_through(tmp_path):
    stored = numpy.memmap(tmp_path / "numbers", dtype="float32", mode="w+", shape=(3,))
    tinytensor.from_numpy(stored).add_(2)
    assert stored.tolist() == [2, 2, 2]


def test_memory_is_shared_with_numpy_and_not_the_array_object():
    array = numpy.arange(6.0)
    x = tinytensor.from_numpy(array)
    array.shape = (2, 3)
    x.numpy().shape = (3, 2)
    assert x.shape == (6,)
    x[1] = 9
    x.numpy()[2] = 8
    assert array.tolist() == [[0, 9, 8], [3, 4, 5]]


@pytest.mark.parametrize("library", [tinytensor, torch])
def test_numbers_of_a_view_begin_at_multiples_of_their_size(library):
    x = library.arange(16, dtype=library.uint8)
    assert x[4:12].view(library.int32).tolist() == [0x07060504, 0x0B0A0908]
    assert x[1:3].clone().view(library.int16).tolist() == [0x0201]
    assert x[3:5].view(library.int8).tolist() == [3, 4]
    for part, dtype in ((x[1:5], library.float32), (x[4:12], library.float64)):
        with pytest.raises(RuntimeError, match="view"):
            part.view(dtype)


@pytest.mark.parametrize("library", [tinytensor, torch])
def test_memory_begins_where_numpys_array_does(library):
    x = library.from_numpy(numpy.arange(10, dtype=numpy.uint8)[1:])
    assert x.view(library.int8).tolist() == list(range(1, 10))
    x = library.from_numpy(numpy.arange(9, dtype=numpy.uint8)[1:])
    assert x.view(library.int32).tolist() == [0x04030201, 0x08070605]
    assert x[4:].view(library.int32).tolist() == [0x08070605]
    for part in (x[3:7], x[1:].view(-1)[:4]):
        with pytest.raises(RuntimeError, match="view"):
            part.view(library.int32)


@in_turn("shape, target", [
    ((1, 3), (2, 3)), ((3, 1), (2, 3, 1)), ((1, 1), (4, 1)), ((), (1,)), ((), (2, 1)),
    ((3,), (1, 3)), ((3,), (1, 1, 3)), ((2, 1, 3), (1, 2, 5, 3)), ((1,), (1, 1))])
def test_expanded_dims_of_size_1_have_pytorchs_strides(shape, target):
    for how in ("broadcast_to", "expand"):
        ours, theirs = (getattr(library.ones(shape), how)(target) for library in LIBRARIES)
        assert ours.stride() == theirs.stride()
        assert ours.shape == theirs.shape
    x = tinytensor.ones(3, requires_grad=True)
    (x.expand(1, 3) * tinytensor.arange(3.0)).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 2.0]


# ---------------------------------------------------------------- memory and order of all results

# The memory order of these results depends on the implementation.
ANY_ORDER = {
    "special.bessel_j0": "its reference is an integral",
    "special.bessel_j1": "its reference is an integral",
    "einsum": "a product of permuted operands", "svd": "Vh transposed",
    "nn.functional.scaled_dot_product_attention": "in the order of the query, as the kernel has it",
}


def laid_out(array: Any, order: str) -> Any:
    """The same array with another memory order, or with gaps."""
    if order == "transposed":
        return numpy.ascontiguousarray(array.T).T
    if order == "permuted" and array.ndim > 2:
        return numpy.ascontiguousarray(array.swapaxes(0, 1)).swapaxes(0, 1)
    if order == "sliced":
        gaps = numpy.zeros([2 * n for n in array.shape], array.dtype)
        gaps[(slice(None, None, 2),) * array.ndim] = array
        return gaps[(slice(None, None, 2),) * array.ndim]
    return array.copy()


def called(library: Any, entry: Entry, sample: S, order: str = "",
           ) -> tuple[list[Any], list[Any]]:
    """(inputs, results) of a sample whose arrays have this memory order."""
    inputs: list[Any] = []

    def convert(x: Any) -> Any:
        if isinstance(x, str):
            return getattr(library, x)
        array = laid_out(x.array, order)
        tensor = library.from_numpy(array) if array.ndim else library.tensor(array)
        if order == "expanded" and array.size and array.ndim and array.dtype.kind == "f":
            tensor = tensor[:1].expand(array.shape)
        inputs.append(tensor)
        return tensor

    names = ("float64", "float32", "float16", "int64", "int32", "bool") * (library is torch)
    args, kwargs = replace(arguments_of(sample, entry.name),
                           lambda x: is_drawn(x) or isinstance(x, str) and x in names, convert)
    function = reference(entry) if library is torch else entry.function
    return inputs, outputs(function(*args, **kwargs))


def memory_of(x: Any) -> Any:
    return x.untyped_storage().data_ptr() if isinstance(x, torch.Tensor) else id(owner(x._array))


def has_reference(entry: Entry) -> bool:
    try:
        reference(entry)
    except Exception:  # PyTorch has no such function
        return False
    return not entry.internal and entry.key not in RANDOM


COMPARED = {key: entry for key, entry in TABLE.items() if has_reference(entry)}
FEW = on_samples(COMPARED, lambda entry: entry.samples[:4])


@FEW
def test_results_share_memory_and_lie_in_order_where_pytorch_has_it(entry, sample):
    for order in ("", "transposed", "permuted", "sliced", "expanded"):
        if order == "expanded" and entry.key in (
                "as_strided", "as_strided_copy", "as_strided_scatter",
                "nn.functional.batch_norm"):
            continue  # the one refuses to show, the other to write elements that indices share
        try:
            theirs, expected = called(torch, entry, sample, order)
        except RuntimeError:  # these strides do not allow the view
            continue
        mine, results = called(tinytensor, entry, sample, order)
        for a, b in zip(results, expected, strict=True):
            if not b.numel() or tuple(a.shape) != tuple(b.shape):
                continue
            shared = [memory_of(a) == memory_of(x) for x in mine]
            assert shared == [memory_of(b) == memory_of(x) for x in theirs], order
            assert a.is_contiguous() or not b.is_contiguous() or entry.key in ANY_ORDER, order


# The rules of these operations save the result. PyTorch's do not.
SAVED_RESULTS = {
    "pdist": "its reference stacks norms",
    "nn.functional.scaled_dot_product_attention": "of 4 dims, with batch dims that broadcast",
    "nn.functional.margin_ranking_loss": "relu of what PyTorch clamps",
    "nn.functional.triplet_margin_loss": "relu of what PyTorch clamps",
    "nn.functional.triplet_margin_with_distance_loss": "relu of what PyTorch clamps",
    "unfold": "overlapping windows are not written", "as_strided": "overlapping windows",
}


def written(library: Any, entry: Entry, sample: S) -> list[Any]:
    """The gradients after the results have been doubled in place."""
    leaves: list[Any] = []

    def convert(x: Any) -> Any:
        if isinstance(x, str):
            return getattr(library, x)
        tensor = library.tensor(x.array)
        if not x.grad or x.array.dtype.kind != "f":
            return tensor
        leaves.append(tensor.requires_grad_())
        return tensor * 1

    names = ("float64", "float32", "float16", "int64", "int32", "bool") * (library is torch)
    args, kwargs = replace(arguments_of(sample, entry.name),
                           lambda x: is_drawn(x) or isinstance(x, str) and x in names, convert)
    function = reference(entry) if library is torch else entry.function
    results = differentiable(outputs(function(*args, **kwargs)))
    for result in results:
        result.mul_(2)
    if not results:
        return []
    return [values(g) for g in library.autograd.grad(
        total(results, library, 0), leaves, allow_unused=True, materialize_grads=True)]


@on_samples({key: entry for key, entry in COMPARED.items() if key not in SAVED_RESULTS},
            lambda entry: entry.samples[:2])
def test_results_may_be_written_where_pytorch_allows_it(entry, sample):
    try:
        expected = written(torch, entry, sample)
    except RuntimeError:  # PyTorch saves the result, or returns several views
        return
    for a, b in zip(written(tinytensor, entry, sample), expected, strict=True):
        numpy.testing.assert_allclose(a, b, 1e-6, 1e-9)


# ---------------------------------------------------------------- random programs


class RandomProgram:
    """Random views and writes, run by both libraries one statement at a time.

    PyTorch's tensors decide which statements are possible. `variables` holds the Tensors of each.
    """

    def __init__(self, seed: int):
        self.rng = numpy.random.default_rng(seed)
        self.leaves = {library: [draw(library, 3, 4, k=k).requires_grad_() for k in (0.3, 0.7)]
                       for library in LIBRARIES}
        self.variables = {library: [leaf * 1 for leaf in leaves]
                          for library, leaves in self.leaves.items()}
        self.text: list[str] = []
        self.reshapes_in_place = seed % 2 == 0

    def choose(self, among: Any) -> Any:
        return among[int(self.rng.integers(len(among)))]

    def statement(self) -> tuple[str, bool, Callable[[Any, list[Any]], Any]]:
        """A statement: its description, whether it runs under no_grad, and its function."""
        number = int(self.rng.integers(len(self.variables[torch])))
        x = self.variables[torch][number]
        kind = self.choose(("view", "view", "compute", "write", "write", "write", "reshape"))
        if kind == "reshape" and not self.reshapes_in_place:
            kind = "write"
        name, function = self.choose(getattr(self, f"{kind}s")(x))
        # PyTorch does not track views made, or shapes changed, under no_grad.
        quiet = kind == "write" and bool(self.rng.random() < 0.2)
        return f"{name} of {number}" + " under no_grad" * quiet, quiet, (
            lambda library, variables: function(library, variables[number], variables))

    def views(self, x: Any) -> list[tuple[str, Any]]:
        n, d = x.shape[0] if x.ndim else 0, x.ndim
        i = int(self.rng.integers(max(n, 1)))
        found = [("view(-1)", lambda lib, x, v: x.view(-1)),
                 ("unsqueeze", lambda lib, x, v: x.unsqueeze(-1)),
                 ("expand to its shape", lambda lib, x, v: x.expand(tuple(x.shape))),
                 ("detach", lambda lib, x, v: x.detach()),
                 ("squeeze", lambda lib, x, v: x.squeeze()),
                 ("reshape", lambda lib, x, v: x.reshape(-1))]
        if n:
            found += [(f"[{i}]", lambda lib, x, v: x[i]),
                      (f"[{i}:]", lambda lib, x, v: x[i:]),
                      ("[::2]", lambda lib, x, v: x[::2]),
                      (f"select({i})", lambda lib, x, v: x.select(0, i)),
                      ("narrow", lambda lib, x, v: x.narrow(0, i, n - i))]
        if d > 1:
            found += [("transpose", lambda lib, x, v: x.transpose(0, 1)),
                      ("flatten", lambda lib, x, v: x.flatten(0, 1)),
                      ("diagonal", lambda lib, x, v: x.diagonal()),
                      (f"[:, {x.shape[1] // 2}]", lambda lib, x, v: x[:, x.shape[1] // 2])]
        return found

    def computes(self, x: Any) -> list[tuple[str, Any]]:
        found = [("product", lambda lib, x, v: x * 0.5), ("square", lambda lib, x, v: x * x),
                 ("tanh", lambda lib, x, v: x.tanh()), ("clone", lambda lib, x, v: x.clone()),
                 ("quotient", lambda lib, x, v: x / (x * x + 1)),
                 ("ravel", lambda lib, x, v: x.ravel()),
                 ("contiguous", lambda lib, x, v: x.contiguous())]
        if x.ndim:
            found += [("softmax", lambda lib, x, v: x.softmax(0)),
                      ("sum", lambda lib, x, v: x.sum(0)),
                      ("cumsum", lambda lib, x, v: x.cumsum(0)),
                      ("cat", lambda lib, x, v: lib.cat([x, x])),
                      ("stack", lambda lib, x, v: lib.stack([x, x], -1))]
            if x.shape[0]:
                found += [("rows", lambda lib, x, v: x[lib.tensor([x.shape[0] - 1, 0])]),
                          ("max", lambda lib, x, v: x.max(0)[0])]
        return found

    def writes(self, x: Any) -> list[tuple[str, Any]]:
        others = [i for i, y in enumerate(self.variables[torch]) if y.shape == x.shape]
        k = self.choose(others)
        found = [("add_", lambda lib, x, v: x.add_(1)), ("mul_", lambda lib, x, v: x.mul_(0.5)),
                 ("zero_", lambda lib, x, v: x.zero_()), ("fill_", lambda lib, x, v: x.fill_(0.3)),
                 ("tanh_", lambda lib, x, v: x.tanh_()),
                 (f"mul_({k})", lambda lib, x, v: x.mul_(v[k])),
                 (f"sub_({k})", lambda lib, x, v: x.sub_(v[k])),
                 (f"copy_({k})", lambda lib, x, v: x.copy_(v[k])),
                 ("copy_(number)", lambda lib, x, v: x.copy_(lib.tensor(0.2))),
                 ("masked_fill_", lambda lib, x, v: x.masked_fill_(x > 0.2, 0.1)),
                 ("[mask] =", lambda lib, x, v: x.__setitem__(x.detach() < 0, 0.4))]
        if not self.reshapes_in_place and not x._is_view():
            # After a change of shape, and for views, the version of the memory decides when PyTorch
            # moves the hook to another node.
            found.append(("retain_grad", lambda lib, x, v: x.retain_grad()))
        if x.ndim and x.shape[0]:
            i = int(self.rng.integers(x.shape[0]))
            found += [(f"[{i}] =", lambda lib, x, v: x.__setitem__(i, 0.7)),
                      (f"[{i}] = {k}[0]", lambda lib, x, v: x.__setitem__(i, v[k][0] * 0.5)),
                      (f"[{i}:] = {k}", lambda lib, x, v: x.__setitem__(
                          slice(i, None), v[k][i:])),
                      ("[rows] =", lambda lib, x, v: x.__setitem__(
                          lib.tensor([i]), v[k][:1] * 0.5)),
                      (f"[{i}] *=", lambda lib, x, v: [x[i].mul_(0.5)])]
        return found

    def reshapes(self, x: Any) -> list[tuple[str, Any]]:
        found = [("unsqueeze_", lambda lib, x, v: x.unsqueeze_(0)),
                 ("squeeze_", lambda lib, x, v: x.squeeze_())]
        if x.ndim == 2:
            found += [("t_", lambda lib, x, v: x.t_())]
        if x.ndim > 1:
            found += [("transpose_", lambda lib, x, v: x.transpose_(0, 1))]
        return found

    def run(self, length: int = 12) -> None:
        """Runs statements and compares all Tensors, then gradients. Ends if PyTorch refuses one."""
        for _ in range(length):
            text, quiet, function = self.statement()
            self.text.append(text)
            results = []
            for library in reversed(LIBRARIES):
                try:
                    with library.set_grad_enabled(not quiet):
                        results.append(function(library, self.variables[library]))
                except RuntimeError:
                    if library is torch:  # ends the program
                        return
                    raise
            theirs, mine = results
            if isinstance(theirs, torch.Tensor):
                self.variables[torch].append(theirs)
                self.variables[tinytensor].append(mine)
                assert mine.is_contiguous() or not theirs.is_contiguous()
            self.compare_values()
        self.compare_gradients()

    def compare_values(self) -> None:
        for mine, theirs in zip(*(self.variables[library] for library in LIBRARIES), strict=True):
            try:
                wanted = theirs.requires_grad
            except RuntimeError:  # a no_grad view whose base was written to
                continue
            assert mine.requires_grad == wanted
            numpy.testing.assert_allclose(values(mine), values(theirs), 1e-9, 1e-12, strict=True)

    def compare_gradients(self) -> None:
        found: dict[Any, list[Any]] = {}
        for library in reversed(LIBRARIES):
            try:
                variables = [x for x in self.variables[library] if x.requires_grad]
                sum((x * numbered(library, x)).sum() for x in variables).backward()
            except RuntimeError:
                if library is torch:  # it saved an overwritten result
                    return
                raise
            found[library] = [leaf.grad for leaf in self.leaves[library]] + [
                x.grad for x in self.variables[library] if not x.is_leaf and x.retains_grad]
        for mine, theirs in zip(*(found[library] for library in LIBRARIES), strict=True):
            assert (mine is None) == (theirs is None)
            if mine is not None and mine.shape == tuple(theirs.shape):
                numpy.testing.assert_allclose(values(mine), values(theirs), 1e-9, 1e-10)


def run_program(seed: int) -> None:
    program = RandomProgram(seed)
    try:
        program.run()
    except Exception as error:
        error.add_note("; ".join(program.text))
        raise


@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_random_programs():
    run_all({f"seed {seed}": lambda seed=seed: run_program(seed) for seed in range(200)})
