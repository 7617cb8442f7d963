"""Indices of every kind: reads, writes and their gradients equal PyTorch's."""

from __future__ import annotations

import collections
import warnings

import numpy
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from operations import agree_with_pytorch, in_turn

import tinytensor as tt
from tinytensor.compiled import use_compiled

SIZES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@st.composite
def shapes_and_keys(draw):
    """A shape, and an index that usually fits it. NumPy arrays represent Tensors."""
    shape = draw(SIZES)
    n = draw(st.integers(1, 3))
    key, axis, dotted = [], 0, False
    while axis <= len(shape):
        kinds = ["None", "stop"] + ["..."] * (not dotted) + ["bool"]
        if axis < len(shape):
            kinds += ["slice", "slice", "mask"]
            kinds += ["int", "list", "array", "array", "0d"] * (shape[axis] > 0)
        kind = draw(st.sampled_from(kinds))
        size = shape[axis] if axis < len(shape) else 1
        position = st.integers(-size, size - 1)
        if kind == "stop":
            break
        if kind == "None":
            key.append(None)
        elif kind == "bool":
            key.append(draw(st.booleans()))
        elif kind == "...":
            dotted = True
            key.append(Ellipsis)
            axis += draw(st.integers(0, len(shape) - axis))
        elif kind == "slice":
            bound = st.none() | st.integers(-5, 5)
            key.append(slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 3))))
            axis += 1
        elif kind == "mask":
            rank = draw(st.integers(1, len(shape) - axis))
            masked = shape[axis:axis + rank]
            count = int(numpy.prod(masked))
            bits = draw(st.lists(st.booleans(), min_size=count, max_size=count))
            key.append(numpy.array(bits, dtype=bool).reshape(masked))
            axis += rank
        else:
            of = {"int": None, "0d": (), "list": (n,)}.get(kind, draw(st.sampled_from(
                [(n,), (1,), (2, n), (2, 1), (0,)])))
            if of is None:
                key.append(draw(position))
            else:
                count = int(numpy.prod(of))
                values = draw(st.lists(position, min_size=count, max_size=count))
                key.append(values if kind == "list" else numpy.array(
                    values, dtype=numpy.int64).reshape(of))
            axis += 1
        if len(key) > 5:
            break
    return shape, tuple(key)


def key_for(module, key):
    return tuple(module.tensor(k) if isinstance(k, numpy.ndarray) else k for k in key)


def numbered(shape):
    return numpy.arange(1.0, 1 + numpy.prod(shape)).reshape(shape)


def selected(shape, key):
    """What PyTorch selects from the numbered elements, or None where it refuses."""
    try:
        return torch.tensor(numbered(shape))[key_for(torch, key)]
    except IndexError:
        return None


@settings(max_examples=150, deadline=None)
@given(shapes_and_keys())
def test_reading_and_its_gradient_equal_pytorch(case):
    shape, key = case
    want = selected(shape, key)
    x = tt.tensor(numbered(shape), requires_grad=True)
    if want is None:
        with pytest.raises(IndexError):
            x[key_for(tt, key)]
        return
    try:
        got = x[key_for(tt, key)]
    except IndexError:  # PyTorch does not check positions of empty selections
        assert not want.numel()
        return
    assert tuple(got.shape) == tuple(want.shape)
    numpy.testing.assert_array_equal(got.detach().numpy(), want.numpy())
    w = numpy.random.default_rng(0).uniform(1, 2, tuple(want.shape))
    (got * tt.tensor(w)).sum().backward()
    y = torch.tensor(numbered(shape), requires_grad=True)
    (y[key_for(torch, key)] * torch.tensor(w)).sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), 1e-14)


@settings(max_examples=150, deadline=None)
@given(shapes_and_keys(), st.data())
def test_writing_and_its_gradients_equal_pytorch(case, data):
    shape, key = case
    found = selected(shape, key)
    assume(found is not None and found.numel())
    of = list(found.shape)
    kind = data.draw(st.sampled_from(["full", "fewer", "ones", "more", "0d"]))
    if kind == "fewer":
        of = of[data.draw(st.integers(0, len(of))):]
    elif kind == "ones":
        of = [data.draw(st.sampled_from([1, n])) for n in of]
    elif kind == "more":
        of = [1, *of]
    repeats = len(set(found.flatten().tolist())) < found.numel()
    if kind == "0d" or repeats:  # which of several values remains is undefined
        of = []
    value = numpy.random.default_rng(1).uniform(-1, 1, of)
    w = numpy.random.default_rng(0).uniform(1, 2, shape)
    results = []
    for module in (tt, torch):
        x = module.tensor(numbered(shape), requires_grad=True)
        v = module.tensor(value, requires_grad=True)
        y = x * 2
        try:
            y[key_for(module, key)] = v
        except RuntimeError:
            results.append(None)
            continue
        (y * y * module.tensor(w)).sum().backward()
        results.append([y.detach().numpy(), x.grad.numpy(), v.grad.numpy()])
    mine, theirs = results
    assert (mine is None) == (theirs is None)
    for a, b in zip(mine or [], theirs or [], strict=True):
        numpy.testing.assert_allclose(a, b, 1e-14)


@settings(max_examples=100, deadline=None)
@given(shapes_and_keys())
def test_writing_without_a_graph_equals_pytorch(case):
    shape, key = case
    found = selected(shape, key)
    assume(found is not None and found.numel())
    x, y = tt.tensor(numbered(shape)), torch.tensor(numbered(shape))
    x[key_for(tt, key)] = -1.5
    y[key_for(torch, key)] = -1.5
    numpy.testing.assert_array_equal(x.numpy(), y.numpy())
    x[key_for(tt, key)] += 1
    y[key_for(torch, key)] += 1
    numpy.testing.assert_array_equal(x.numpy(), y.numpy())


def test_writing_to_nothing_changes_nothing():
    x = tt.ones(1, requires_grad=True)
    v = tt.ones(1, requires_grad=True)
    y = x * 2
    y[tt.zeros(0, dtype=tt.int64)] = v
    y[False] = v
    y.sum().backward()
    assert (y.tolist(), x.grad.tolist(), v.grad.tolist()) == ([2], [2], [0])


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
def test_value_is_converted_to_the_dtype_of_the_tensor(dtype):
    x, y = (m.ones(3, dtype=getattr(m, dtype)) for m in (tt, torch))
    x[1], y[1] = 0.5, 0.5
    assert x.tolist() == y.tolist()


def both(write):
    """The gradients of x after `write` has changed 2 x in place, here and in PyTorch."""
    found = []
    for module in (tt, torch):
        x = module.arange(1.0, 13.0, dtype=module.float64).reshape(3, 4).requires_grad_()
        y = x * 2
        write(module, y, x)
        (y ** 3).sum().backward()
        found.append((y.detach().numpy(), x.grad.numpy()))
    for mine, theirs in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine, theirs, 1e-14)


def add_to_rows(module, y, x):
    y[module.tensor([0, 2])] += x[:2]


def add_to_view(module, y, x):
    y[1] += x[0]


def multiply_view_of_view(module, y, x):
    y[1:][:, 2] *= x[0, 0]


def write_through_transpose(module, y, x):
    y.t()[module.tensor([0, 1]), 1] = x[0, :2]


def write_mask_of_itself(module, y, x):
    y[y > 9] = 0.5


def write_slice_of_itself(module, y, x):
    y[0] = y[1].clone() * y[2].clone()


def write_through_basic_and_arrays(module, y, x):
    y[1:, [0, 3]] = x[0, 0]
    y[0, [1, 2]] = x[2, 1:3]


def fill_row(module, y, x):
    y[2].fill_(3.0)


def write_elements_in_turn(module, y, x):
    for i in range(1, 4):
        y[0, i] = y[0, i - 1].clone() * x[0, i]


@pytest.mark.parametrize("write", [
    add_to_rows, add_to_view, multiply_view_of_view, write_through_transpose,
    write_mask_of_itself, write_slice_of_itself, write_through_basic_and_arrays, fill_row,
    write_elements_in_turn])
def test_writing_in_a_recorded_graph(write):
    both(write)


def test_a_saved_view_of_what_is_written_is_noticed():
    for module in (tt, torch):
        y = module.ones(3, requires_grad=True) * 2
        y[0] = y[1] * y[2]
        with pytest.raises(RuntimeError, match=r"in ?place"):
            y.sum().backward()


@pytest.mark.parametrize("key", [1, (0, 1), (0, ...), (slice(0, 2), 1), (..., None), (1, 2)])
def test_basic_indices_are_views(key):
    x = tt.zeros(2, 3)
    view = x[key]
    assert view._is_view()
    view += 1
    y = torch.zeros(2, 3)
    y[key] += 1
    assert x.tolist() == y.tolist()


def test_elements_of_an_iteration_are_views():
    x = tt.zeros(3)
    for i, element in enumerate(x):
        element += i
    assert x.tolist() == [0, 1, 2]


@pytest.mark.parametrize("key", [[0, 2], numpy.array([1]), numpy.array([True, False, True]), True])
def test_array_indices_are_copies(key):
    x = tt.zeros(3)
    x[key].add_(1)
    assert x.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("key", "message"), [
    (5, r"position 5 is out of range for dimension 0 of size 2"),
    ((0, -4), r"position -4 is out of range for dimension 1 of size 3"),
    ([0, 7], r"position 7 is out of range for dimension 0 of size 2"),
    ((0, 0, 0), r"too many indices: 3 for a Tensor of shape \(2, 3\)"),
    (tt.tensor([True, False, True]), r"mask of shape \(3,\) does not fit"),
    (tt.tensor([0.0]), r"dtype int64, int32 or bool, got float32"),
    (tt.tensor([0, 1], dtype=tt.int16), "got int16"), (1.0, "got float"), ("a", "got str")])
def test_errors_name_what_is_wrong(key, message):
    x = tt.zeros(2, 3)
    with pytest.raises(IndexError, match=message):
        x[key]
    with pytest.raises(IndexError, match=message):
        x[key] = 1.0
    assert x.tolist() == [[0] * 3] * 2


def test_negative_steps_are_refused():
    with pytest.raises(ValueError, match="flip"):
        tt.zeros(3)[::-1]


def test_values_that_do_not_fit_change_nothing():
    for requires_grad in (False, True):
        x = tt.zeros(2, 3, requires_grad=requires_grad) * 1
        with pytest.raises(RuntimeError, match=r"\(4,\) does not fit the selected shape \(3,\)"):
            x[0] = tt.ones(4)
        with pytest.raises(RuntimeError, match=r"\(4,\) does not fit the selected shape \(6,\)"):
            x[x == 0] = tt.ones(4)
        assert x.tolist() == [[0] * 3] * 2


def test_what_pytorch_warns_of():
    x, y = tt.arange(24).reshape(2, 3, 4), torch.arange(24).reshape(2, 3, 4)
    for key in ([[0, 1], [1, 0]], [0, slice(None)]):
        with pytest.warns(UserWarning, match="in the list"):
            mine = x[key]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert mine.tolist() == y[key].tolist()
    with pytest.warns(UserWarning, match="uint8 is a mask"):
        assert x[tt.tensor([0, 1], dtype=tt.uint8)].tolist() == y[1:].tolist()


X = (4, 5)
BY_POSITIONS = {
    "x[i]": lambda x, i: x[i[:, 0]], "x[i, j]": lambda x, i: x[i[:, 0], i[:, 0]],
    "x[mask]": lambda x, i: x[i[:, 0] > 0], "x[i] = v": lambda x, i: _assigned(x, i[:, 0]),
    "gather": lambda x, i: x.gather(1, i), "take": lambda x, i: x.take(i),
    "take_along_dim": lambda x, i: x.take_along_dim(i, 1),
    "index_select": lambda x, i: x.index_select(0, i[:, 0]),
    "scatter": lambda x, i: tt.zeros(*X).scatter(1, i, x),
    "scatter_add": lambda x, i: tt.zeros(*X).scatter_add(1, i, x),
    "scatter_reduce": lambda x, i: tt.ones(*X).scatter_reduce(1, i, x, "prod"),
    "index_add": lambda x, i: tt.zeros(*X).index_add(0, i[:, 0], x),
    "index_copy": lambda x, i: tt.zeros(*X).index_copy(0, i[:, 0], x),
    "index_fill": lambda x, i: x.index_fill(0, i[:2, 0], 1.0),
    "index_put": lambda x, i: tt.zeros(*X).index_put((i[:, 0],), x, accumulate=True),
    "put": lambda x, i: x.put(i[0], tt.ones(2)),
    "embedding": lambda x, i: tt.nn.functional.embedding(i, x),
    "embedding_bag": lambda x, i: tt.nn.functional.embedding_bag(i, x),
    "cross_entropy": lambda x, i: tt.nn.functional.cross_entropy(x, i[:, 0]),
    "weighted": lambda x, i: tt.nn.functional.cross_entropy(x, i[:, 0], tt.arange(5.0)),
    "nll_loss": lambda x, i: tt.nn.functional.nll_loss(x, i[:, 0]),
    "multi_margin": lambda x, i: tt.nn.functional.multi_margin_loss(x, i[:, 0]),
    "max_unpool1d": lambda x, i: tt.nn.functional.max_unpool1d(x[None, :2, :2], i[None, :2], 2),
}


def _assigned(x, i):
    y = x * 1
    y[i] = x[:1] * 2
    return y


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("hide", [lambda m, x, mask: m.where(mask, x, 0.0),
                                  lambda m, x, mask: x.masked_fill(mask, 0.0)])
def test_a_mask_that_is_overwritten_is_refused_in_backward(hide, compiled):
    with use_compiled(compiled):
        for m in (tt, torch):
            x, mask = m.ones(3, requires_grad=True), m.tensor([True, False, True])
            y = hide(m, x, mask)
            mask.fill_(True)
            with pytest.raises(RuntimeError, match=r"overwritten|modified by an inplace"):
                y.sum().backward()


@in_turn("name", BY_POSITIONS)
def test_positions_may_change_before_backward(name, kernels):
    """The gradient uses the positions of the forward, even if NumPy has overwritten them.

    PyTorch raises if a Tensor overwrote them, and uses the new ones if NumPy did.
    """
    grads = []
    for written in (None, 10 ** 10, 3):
        x = tt.arange(20.0).reshape(*X).requires_grad_()
        memory = numpy.array([[0, 1], [2, 0], [1, 3], [3, 2]])
        out = BY_POSITIONS[name](x, tt.from_numpy(memory))
        if written is not None:
            memory[:] = written
        (out * out).sum().backward()
        grads.append(x.grad.numpy())
    assert grads[0].any()
    for other in grads[1:]:
        numpy.testing.assert_array_equal(other, grads[0])


CHOSEN = {"max": lambda x: x.max(1), "min": lambda x: x.min(1), "sort": lambda x: x.sort(1),
          "topk": lambda x: x.topk(2), "kthvalue": lambda x: x.kthvalue(2),
          "median": lambda x: x.median(1), "mode": lambda x: x.mode(1),
          "cummax": lambda x: x.cummax(1), "cummin": lambda x: x.cummin(1),
          "max_pool1d": lambda x: tt.nn.functional.max_pool1d(x[None], 2, return_indices=True)}


@in_turn("name", CHOSEN)
def test_positions_that_are_results_may_change_before_backward(name):
    grads = []
    for written in (None, 10 ** 10, 0):
        x = tt.tensor([[3.0, 1, 4, 1, 5], [9, 2, 6, 5, 3]], requires_grad=True)
        values, places = CHOSEN[name](x)
        if written is not None:
            places.numpy()[...] = written
        values.sum().backward()
        grads.append(x.grad.tolist())
    assert grads[1:] == grads[:1] * 2


# ---------------------------------------------------------------- gather, scatter, index_*


OUT_OF_RANGE = {
    "gather": lambda x, i: x.gather(1, i), "scatter": lambda x, i: x.scatter(1, i, 1.0),
    "scatter_add": lambda x, i: x.scatter_add(1, i, tt.ones(1, 1)),
    "scatter_reduce": lambda x, i: x.scatter_reduce(1, i, tt.ones(1, 1), "amax"),
    "take_along_dim": lambda x, i: x.take_along_dim(i, 1),
    "index_select": lambda x, i: x.index_select(1, i[0]),
    "index_add": lambda x, i: x.index_add(1, i[0], tt.ones(2, 1)),
    "index_copy": lambda x, i: x.index_copy(1, i[0], tt.ones(2, 1)),
    "index_fill": lambda x, i: x.index_fill(1, i[0], 1.0)}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_positions_that_do_not_exist(name):
    x = tt.zeros(2, 3)
    with pytest.raises(IndexError, match=f"{name}: position 9 .*dimension 1 of size 3"):
        OUT_OF_RANGE[name](x, tt.tensor([[9]]))


@pytest.mark.parametrize("function", [
    lambda m, x: x.scatter_(0, m.tensor([[2, 1, 0]]), 5.0),
    lambda m, x: x.scatter_add_(0, m.tensor([[0, 0, 0], [0, 1, 0]]), m.ones(2, 3)),
    lambda m, x: x.scatter_reduce_(0, m.tensor([[2, 1, 0]]), m.full((1, 3), 9.0), "prod"),
    lambda m, x: x.index_add_(0, m.tensor([1, 1]), m.ones(2, 3), alpha=3),
    lambda m, x: x.index_copy_(0, m.tensor([1]), m.ones(1, 3)),
    lambda m, x: x.index_fill_(1, m.tensor([-1, 0]), 7),
    lambda m, x: x.index_put_((m.tensor([0, 0]), m.tensor([1, 1])), m.tensor([5.0, 6.0]), True),
    lambda m, x: x.masked_fill_(x > 4, m.tensor(0.0)),
    lambda m, x: x.masked_scatter_(x > 4, m.arange(9.0)),
    lambda m, x: x.put_(m.tensor([0, -1]), m.tensor([1.0, 2.0])),
    lambda m, x: x.where(x > 3, m.tensor(-1.0)),
    lambda m, x: m.where(x > 3)[1]])
def test_in_place_forms_and_methods(function):
    mine, theirs = (function(m, m.arange(9.0).reshape(3, 3)) for m in (tt, torch))
    assert mine.tolist() == theirs.tolist()
    assert str(mine.dtype).partition(".")[2] == str(theirs.dtype).partition(".")[2]


@pytest.mark.parametrize("how", ["amax", "amin", "prod"])
@pytest.mark.parametrize("include_self", [True, False])
def test_ties_and_zeros_of_scatter_reduce(how, include_self):
    grads = []
    for m in (tt, torch):
        # An excluded input must not tie, because PyTorch would count it anyway.
        values = [1.0, 0.0, 3.0, 2.0] if include_self else [7.0, 8.0, 9.0, 2.0]
        x = m.tensor(values, dtype=m.float64, requires_grad=True)
        src = m.tensor([1.0, 1.0, 0.0, 5.0, 0.0, 0.0], dtype=m.float64, requires_grad=True)
        out = x.scatter_reduce(0, m.tensor([0, 0, 1, 1, 2, 2]), src, how, include_self=include_self)
        (out * m.tensor([1.0, 2.0, 3.0, 4.0], dtype=m.float64)).sum().backward()
        grads.append((out.tolist(), x.grad.tolist(), src.grad.tolist()))
    assert grads[0] == grads[1]


PIECES = {
    "rows": lambda x, at: [x[i] for i in range(3)],
    "overlapping": lambda x, at: [x[:2], x[1:], x[::2]],
    "split": lambda x, at: x.split([1, 1, 2], 1),
    "repeated positions": lambda x, at: [x[at], x[at], x[1]],
    "of a transpose": lambda x, at: [x.t()[at], x.t()[0], x.t()[1:]],
    "mask": lambda x, at: [x[x > 0], x[0], x[x > 0.5]],
    "first as a whole": lambda x, at: [x * 2, x[0], x[at]],
    "at last as a whole": lambda x, at: [x[0], x[at], (x.t() * 3).t(), x[at]],
    "into one in another order": lambda x, at: [
        x[at], x[at], x.t().contiguous() * 3, x.t().contiguous() * 4],
    "of one element": lambda x, at: [x[1, 2], x[1, 2], x[1, 2].reshape(1)[0], x.sum()[...]],
}


@pytest.mark.parametrize("computed", [False, True], ids=["leaf", "computed"])
@pytest.mark.parametrize("pieces", PIECES)
def test_gradients_of_pieces_add_up(pieces, computed):
    """The first gradient allocates zeros, and the others are added into this array.

    Gradients that a hook has seen, or that another input shares, must not be modified.
    """
    found = []
    for library in (tt, torch):
        data = numpy.random.default_rng(0).normal(size=(3, 4))
        x, y = (library.tensor(data, requires_grad=True) for _ in range(2))
        at = library.tensor([2, 0, 2])
        whole = (x + y if computed else x)
        total, seen = (whole * 2).sum(), []
        for i, piece in enumerate(PIECES[pieces](whole, at)):
            total = total + (piece * (i + 1.5) * piece).sum()
        if computed:
            whole.register_hook(lambda g, seen=seen: seen.append(g.tolist()))
        total.backward(retain_graph=True)
        (first,) = library.autograd.grad(total, x, create_graph=True)
        first.square().sum().backward()
        found.append([x.grad, first, *([y.grad] if computed else []), *map(library.tensor, seen)])
    for mine, theirs in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), 1e-12)


def test_sums_at_repeated_positions_are_exact_and_repeatable():
    rng = numpy.random.default_rng(0)
    index = rng.integers(0, 50, 3000)
    rows = rng.integers(-9, 9, (3000, 8)).astype(numpy.float32)
    weight = tt.zeros(50, 8, requires_grad=True)
    (weight[tt.tensor(index)] * tt.tensor(rows)).sum().backward()
    expected = numpy.stack([rows[index == i].sum(0) for i in range(50)])
    numpy.testing.assert_array_equal(weight.grad.numpy(), expected)


def test_a_smaller_index_takes_a_part_of_the_source():
    index, src = [[0, 2, 1]], numpy.arange(10.0).reshape(2, 5)
    for name in ("scatter", "scatter_add"):
        mine, theirs = (getattr(m.zeros(3, 4, dtype=m.float64), name)(
            0, m.tensor(index), m.tensor(src)) for m in (tt, torch))
        assert mine.tolist() == theirs.tolist()
    source = tt.tensor(src, requires_grad=True)
    tt.zeros(3, 4, dtype=tt.float64).scatter_add(0, tt.tensor(index), source).sum().backward()
    assert source.grad.tolist() == [[1, 1, 1, 0, 0], [0] * 5]  # PyTorch raises


def test_errors_of_gather_and_scatter():
    x = tt.zeros(2, 3)
    with pytest.raises(RuntimeError, match="equally many dimensions"):
        x.gather(0, tt.tensor([0]))
    with pytest.raises(RuntimeError, match="larger at dimension 1"):
        x.gather(0, tt.zeros(1, 5, dtype=tt.int64))
    with pytest.raises(RuntimeError, match="must be integers"):
        x.gather(0, tt.zeros(1, 3))
    with pytest.raises(RuntimeError, match="must be equal"):
        x.scatter(0, tt.zeros(1, 3, dtype=tt.int64), tt.ones(1, 3, dtype=tt.float64))
    with pytest.raises(RuntimeError, match="none of 'sum', 'prod'"):
        x.scatter_reduce(0, tt.zeros(1, 3, dtype=tt.int64), tt.ones(1, 3), "max")
    with pytest.raises(RuntimeError, match="the mask must be bool"):
        x.masked_fill(tt.ones(2, 3), 0.0)
    with pytest.raises(RuntimeError, match="number or a 0-d Tensor"):
        x.masked_fill(x == 0, tt.ones(1))
    with pytest.raises(RuntimeError, match=r"6 True, the source only 2"):
        x.masked_scatter(x == 0, tt.ones(2))
    with pytest.raises(IndexError, match="0-d"):
        tt.tensor(1.0).unbind()


def test_pieces_are_views():
    x = tt.zeros(4, 2)
    for piece in (*x.split(3), *x.chunk(2), *x.unbind(1)):
        piece += 1
    assert x.tolist() == [[3, 3]] * 4


def test_a_product_is_not_differentiated_twice_where_a_source_is_zero():
    x, index = tt.ones(2, requires_grad=True), tt.tensor([0, 0, 1])
    src = tt.tensor([0.0, 2.0, 3.0], requires_grad=True)
    out = x.scatter_reduce(0, index, src, "prod").sum()
    first, = tt.autograd.grad(out, src, retain_graph=True)
    assert first.tolist() == [2.0, 0.0, 1.0]
    with pytest.raises(RuntimeError, match="cannot be differentiated again where a source is 0"):
        tt.autograd.grad(out, src, create_graph=True)


@pytest.mark.parametrize("apart", [lambda x: x.split(2, 1), lambda x: x.chunk(3, 1),
                                   lambda x: x.unbind(0), tuple],
                         ids=["split", "chunk", "unbind", "iterated"])
def test_pieces_that_are_used_again_or_not_at_all(apart):
    values, results = numpy.random.default_rng(0).standard_normal((3, 6)), []
    for lib in (tt, torch):
        x = lib.tensor(values, requires_grad=True)
        pieces = apart(x * 2)
        loss = (pieces[0] ** 2 * pieces[2]).sum() + pieces[0].sin().sum()
        by_piece = lib.autograd.grad(loss, [x, pieces[0], pieces[2]], create_graph=True)
        again, = lib.autograd.grad((by_piece[0] ** 2).sum(), [x], retain_graph=True)
        loss.backward()
        results.append([x.grad.numpy(), again.detach().numpy(),
                        *(g.detach().numpy() for g in by_piece)])
    for mine, theirs in zip(*results, strict=True):
        numpy.testing.assert_allclose(mine, theirs, 1e-12)


def test_a_piece_that_is_written_is_no_longer_a_part_of_the_split():
    x = tt.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    whole = x * 2
    first, second = whole.chunk(2)
    first *= 3
    (whole * first.sum() + second.sum()).sum().backward()
    y = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    whole = y * 2
    first, second = whole[:2], whole[2:]  # PyTorch forbids writes to results of `chunk`
    first *= 3
    (whole * first.sum() + second.sum()).sum().backward()
    assert x.grad.tolist() == y.grad.tolist()


# ---------------------------------------------------------------- repeated and absent positions


@pytest.mark.parametrize(("shape", "dim", "index"), [
    ((5, 5), -1, [4, 3, 3, 4, 0]), ((5, 5), 0, [1, 1]), ((), 0, [0, 0]), ((3,), 0, []),
    ((0, 2), 0, [])])
def test_the_gradient_of_a_value_that_fills_slices(shape, dim, index):
    """Each slice counts once, even if the index repeats it."""
    x = numpy.random.default_rng(0).normal(size=shape)
    agree_with_pytorch(lambda library, x, value: library.index_fill(
        x, dim, library.tensor(index, dtype=library.int64), value), x, numpy.array(2.0))


@pytest.mark.parametrize("size", [(2, 0), (0, 3), (0,), (0, 1, 2)])
def test_an_index_without_elements_may_have_any_rank(size):
    for shape in ((5,), (5, 2), ()):
        x = numpy.ones(shape)
        for call in (lambda library, x, i: x.gather(0, i),
                     lambda library, x, i: x.scatter(0, i, 1.0),
                     lambda library, x, i: x.scatter(0, i, library.ones(size).double()),
                     lambda library, x, i: x.scatter_add(0, i, library.ones(size).double()),
                     lambda library, x, i: x.scatter_reduce(0, i, library.ones(size).double(),
                                                            "sum"),
                     lambda library, x, i: x.gather(3, i)):
            agree_with_pytorch(call, x, numpy.zeros(size, numpy.int64))


@pytest.mark.parametrize("reduce", ["prod", "mean", "amax", "amin", "sum"])
@pytest.mark.parametrize("include_self", [True, False])
def test_slices_that_are_reduced(reduce, include_self):
    rng = numpy.random.default_rng(0)
    for shape, dim, kind in (((4,), 0, float), ((4, 3), -1, float), ((), 0, float), ((4,), 0, int)):
        index = numpy.array([0, 1, 0, 2, 0] if shape else [0])
        source = rng.integers(-9, 9, [*shape[:-1], 5] if shape else ()).astype(kind)
        agree_with_pytorch(lambda library, x, i, source, dim=dim: x.index_reduce(
            dim, i, source, reduce, include_self=include_self),
            rng.integers(11, 15, shape).astype(kind), index, source)


@pytest.mark.parametrize("shape", [(3, 3), (7, 3), (3, 7), (3, 3, 3), (1, 1), (0, 3), (3,),
                                   (3, 3, 2)])
def test_filling_the_diagonal(shape):
    x = numpy.random.default_rng(0).normal(size=shape)
    for value in (0.0, -numpy.inf, 2):
        for wrap in (False, True):
            agree_with_pytorch(lambda library, x, v=value, w=wrap: (x * x).fill_diagonal_(v, w), x)
    if len(shape) == 2:
        agree_with_pytorch(lambda library, x: (x * 1).t().fill_diagonal_(1.0), x)


class Positions:
    """A sequence without a base class, as datasets are."""

    def __init__(self, *values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, i):
        return self.values[i]


@in_turn("make", [
    lambda lib: lib.utils.data.Subset([2, 1, 0], [0, 2]), lambda lib: Positions(2, 0),
    lambda lib: collections.deque([1, 1]), lambda lib: Positions(True, False, True),
    lambda lib: (slice(None), Positions(0, 3)), lambda lib: Positions()])
def test_any_sequence_of_positions_is_an_index(make):
    def program(lib, x):
        y = x * 1
        y[make(lib)] = 7.0
        return x[make(lib)], y

    agree_with_pytorch(program, numpy.arange(12.0).reshape(3, 4))


@in_turn("key", ["a", b"a", {0: 1}, {0: 1}.keys(), {0, 1}])
def test_what_is_no_sequence_is_no_index(key):
    with pytest.raises(IndexError, match=f"got {type(key).__name__}"):
        tt.ones(3)[key]
