"""Operations that move elements: views and copies, adjoints, edges, against PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_reductions import agree, draw

import tinytensor
from tinytensor.autograd.table import TABLE
from tinytensor.checking.calls import Drawn, arguments_of, is_drawn, ours, outputs, replace, values

Call = Callable[[Any, Any], Any]

LINEAR = [
    "sum", "mean", "nansum", "cumsum", "diff", "trapezoid", "cumulative_trapezoid", "clone",
    "contiguous", "reshape", "view", "flatten", "ravel", "unflatten", "squeeze", "unsqueeze",
    "permute", "movedim", "transpose", "t", "adjoint", "expand", "broadcast_to", "narrow", "select",
    "tensor_split", "hsplit", "vsplit", "dsplit", "split", "chunk", "unbind", "flip", "fliplr",
    "flipud", "roll", "rot90", "repeat", "tile", "repeat_interleave", "repeat_each", "tril", "triu",
    "diag", "diagonal", "put_diagonal", "diag_embed", "diagflat", "getitem", "put_zeros", "pick",
    "put_back", "surround", "nn.functional.pad", "unfold", "overlap_add", "cat", "stack", "hstack",
    "vstack", "dstack", "column_stack", "block_diag", "meshgrid", "broadcast_tensors",
    "atleast_1d", "atleast_2d", "atleast_3d", "cartesian_prod", "combinations"]


@pytest.mark.parametrize("name", LINEAR)
def test_the_gradient_of_a_linear_operation_is_its_adjoint(name):
    """<A x, y> = <x, Aᵀ y>, where Aᵀ y is the gradient. No finite differences are needed.

    A constant that the operation adds, such as pad's value, is its result for x = 0.
    """
    entry = TABLE[name]
    checked = 0
    for sample in entry.samples:
        arguments = arguments_of(sample, name)
        (args, kwargs), leaves = ours(arguments)
        results = [r for r in outputs(entry.function(*args, **kwargs)) if r.requires_grad]
        if not results or ("trapezoid" in name and len(leaves) > 1):
            continue  # ∫ y dx is linear in y and in x, but not in both
        (zero_args, zero_kwargs), _ = ours(zeroed(arguments))
        constants = outputs(entry.function(*zero_args, **zero_kwargs))
        rng = numpy.random.default_rng(0)
        ys = [tinytensor.tensor(rng.standard_normal(tuple(r.shape))) for r in results]
        gradients = tinytensor.autograd.grad(results, leaves, ys, materialize_grads=True)
        left = sum(((r - c) * y).sum().item()
                   for r, c, y in zip(results, constants, ys, strict=True))
        right = sum((x * g).sum().item() for x, g in zip(leaves, gradients, strict=True))
        assert left == pytest.approx(right, rel=1e-12, abs=1e-12), sample
        checked += bool(left)
    assert checked, "no sample told anything"


def zeroed(arguments: Any) -> Any:
    """The same arguments with zeros for the Tensors that have gradients."""
    return replace(arguments, is_drawn, lambda d: Drawn(
        d.array * 0 if d.grad else d.array, d.grad))


# ---------------------------------------------------------------- views and copies

VIEWS: dict[str, Call] = {
    "reshape": lambda lib, x: x.reshape(6, 2), "view": lambda lib, x: x.view(2, -1),
    "flatten": lambda lib, x: x.flatten(), "ravel": lambda lib, x: lib.ravel(x),
    "unflatten": lambda lib, x: x.unflatten(1, (2, 2)), "squeeze": lambda lib, x: x.squeeze(),
    "unsqueeze": lambda lib, x: x.unsqueeze(1), "transpose": lambda lib, x: x.transpose(0, 1),
    "permute": lambda lib, x: x.permute(1, 0), "movedim": lambda lib, x: lib.movedim(x, 0, 1),
    "moveaxis": lambda lib, x: lib.moveaxis(x, 0, -1),
    "swapaxes": lambda lib, x: x.swapaxes(0, 1), "adjoint": lambda lib, x: x.adjoint(),
    "mH": lambda lib, x: x.mH, "mT": lambda lib, x: x.mT, "T": lambda lib, x: x.T,
    "H": lambda lib, x: x.H,
    "t": lambda lib, x: x.t(), "narrow": lambda lib, x: x.narrow(1, 1, 2),
    "select": lambda lib, x: x.select(0, -1), "diagonal": lambda lib, x: x.diagonal(),
    "diagonal off": lambda lib, x: x.diagonal(-1, 1, 0), "unfold": lambda lib, x: x.unfold(1, 2, 2),
    "tensor_split": lambda lib, x: lib.tensor_split(x, 2, 1)[1],
    "hsplit": lambda lib, x: lib.hsplit(x, 2)[0], "vsplit": lambda lib, x: x.vsplit(3)[2],
    "split": lambda lib, x: x.split(2, 1)[1], "chunk": lambda lib, x: x.chunk(2, 1)[0],
    "unbind": lambda lib, x: x.unbind(1)[3], "atleast_3d": lambda lib, x: lib.atleast_3d(x),
    "view of a view": lambda lib, x: x.t().diagonal().reshape(3, 1)[1:],
}
COPIES: dict[str, Call] = {
    "t().flatten": lambda lib, x: x.t().flatten(), "clone": lambda lib, x: x.clone(),
    "rot90": lambda lib, x: lib.rot90(x, 0), "roll": lambda lib, x: x.roll(0, 0),
    "repeat": lambda lib, x: x.repeat(1, 1), "tile": lambda lib, x: x.tile(1),
    "repeat_interleave": lambda lib, x: x.repeat_interleave(1, 0),
    "flip": lambda lib, x: x.flip(()), "fliplr": lambda lib, x: x.fliplr(),
    "tril": lambda lib, x: x.tril(9), "diag": lambda lib, x: lib.diag(x),
    "diag_embed": lambda lib, x: lib.diag_embed(x), "cat": lambda lib, x: lib.cat([x]),
    "stack": lambda lib, x: lib.stack([x]), "hstack": lambda lib, x: lib.hstack([x]),
    "vstack": lambda lib, x: lib.vstack([x]), "block_diag": lambda lib, x: lib.block_diag(x),
    "combinations": lambda lib, x: lib.combinations(x[0], 1), "diff": lambda lib, x: x.diff(n=0),
    "msort": lambda lib, x: x.msort(), "sort": lambda lib, x: x.sort().values,
    "pad": lambda lib, x: pad(lib)(x, (0, 0)), "pad cut": lambda lib, x: pad(lib)(x, (-1, 0)),
    "replicate cut": lambda lib, x: pad(lib)(x, (-1, 0), "replicate"),
    "column_stack": lambda lib, x: lib.column_stack([x]),
}


def pad(library: Any) -> Any:
    """`nn.functional.pad`, even if that module is not imported."""
    if library is torch:
        return torch.nn.functional.pad
    return TABLE["nn.functional.pad"].function


def start(library: Any) -> Any:
    return library.arange(12.0, dtype=library.float64).reshape(3, 4).clone()


@pytest.mark.parametrize("name", VIEWS)
def test_writing_through_a_view_is_seen_in_its_base(name):
    found = []
    for library in (tinytensor, torch):
        base = start(library)
        view = VIEWS[name](library, base)
        assert view._is_view() and view._base is base
        view.mul_(-2)
        base[1] = 50.0
        found.append((values(base), values(view)))
    for mine, theirs in zip(*found, strict=True):
        numpy.testing.assert_array_equal(mine, theirs)


SEVERAL = ("split", "chunk", "unbind")  # PyTorch refuses writes into one of several views


@pytest.mark.parametrize("name", [n for n in VIEWS if n not in SEVERAL])
def test_writing_through_a_view_is_recorded(name):
    found = []
    for library in (tinytensor, torch):
        leaf = start(library).requires_grad_()
        base = leaf * 1
        view = VIEWS[name](library, base)
        factor = library.full((), 3.0, dtype=library.float64, requires_grad=True)
        view.mul_(factor)
        weight = library.arange(1.0, 13.0, dtype=library.float64).reshape(3, 4)
        ((base * weight).sum() + (view * view).sum()).backward()
        found.append((values(leaf.grad), values(factor.grad)))
    for mine, theirs in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine, theirs, 1e-12)


@pytest.mark.parametrize("name", COPIES)
def test_copies_share_nothing(name):
    for library in (tinytensor, torch):
        base = start(library)
        before = values(base).copy()
        copy = COPIES[name](library, base)
        copy.add_(100)
        assert (values(base) == before).all(), library.__name__


def test_expanded_views_follow_their_base():
    for library in (tinytensor, torch):
        base = library.zeros(1, 3)
        views = [base.expand(2, 3), base.broadcast_to((4, 3)), library.meshgrid(
            base[0], base[0], indexing="ij")[0], library.broadcast_tensors(base, base.t())[0]]
        base.add_(1)
        assert all(bool((v == 1).all()) for v in views)


def test_triangles_in_place():
    for name in ("tril_", "triu_"):
        agree(lambda lib, x, name=name: getattr(x * 1, name)(1), draw((4, 4), "float64"))
        agree(lambda lib, x, name=name: getattr(x.reshape(-1) * 1, name)(), draw((4, 4), "float64"))


# ---------------------------------------------------------------- edges: the same or the same error


def every(*calls: Call) -> Any:
    return pytest.mark.parametrize("call", calls, ids=lambda c: "")


EDGES = [(), (0,), (1,), (3,), (0, 3), (2, 3), (3, 3), (1, 1), (2, 0, 3), (2, 3, 4)]


@every(
    lambda lib, x: x.squeeze(), lambda lib, x: x.squeeze(0), lambda lib, x: x.squeeze(-1),
    lambda lib, x: x.squeeze(3), lambda lib, x: x.squeeze(()), lambda lib, x: x.squeeze((0, 1)),
    lambda lib, x: x.squeeze((0, 0)), lambda lib, x: x.unsqueeze(0), lambda lib, x: x.unsqueeze(-1),
    lambda lib, x: x.unsqueeze(2), lambda lib, x: x.unsqueeze(-4), lambda lib, x: x.transpose(0, 1),
    lambda lib, x: x.transpose(0, -1), lambda lib, x: x.permute(0, 1), lambda lib, x: x.permute(()),
    lambda lib, x: x.permute(1, 0), lambda lib, x: x.permute(0, 0), lambda lib, x: x.t(),
    lambda lib, x: lib.movedim(x, 0, -1), lambda lib, x: lib.movedim(x, (0, 1), (1, 0)),
    lambda lib, x: lib.movedim(x, (0, 1), (1, 1)), lambda lib, x: lib.movedim(x, (0, 1), (1,)),
    lambda lib, x: x.flatten(), lambda lib, x: x.flatten(1), lambda lib, x: x.flatten(0, 1),
    lambda lib, x: x.flatten(1, 0), lambda lib, x: x.ravel(), lambda lib, x: x.reshape(-1),
    lambda lib, x: x.reshape(-1, -1), lambda lib, x: x.reshape(-1, 0), lambda lib, x: x.reshape(4),
    lambda lib, x: x.reshape(3, -1), lambda lib, x: x.view(-1, 3),
    lambda lib, x: x.transpose(0, -1).view(-1),
    lambda lib, x: x.unflatten(-1, (3, -1)), lambda lib, x: x.unflatten(-1, ()),
    lambda lib, x: x.unflatten(0, (2, 2)), lambda lib, x: x.unflatten(0, 1),
    lambda lib, x: x.expand(2, 3), lambda lib, x: x.expand(2, 2, -1, -1),
    lambda lib, x: x.expand(-1), lambda lib, x: x.expand(4), lambda lib, x: x.expand(0, 3, 4),
    lambda lib, x: x.broadcast_to((2, 3, 3)),
    lambda lib, x: lib.broadcast_tensors(x, x.transpose(0, -1)),
    lambda lib, x: lib.atleast_1d(x), lambda lib, x: lib.atleast_2d(x, x),
    lambda lib, x: lib.atleast_3d(x))
def test_shapes_at_the_edges(call):
    for shape in EDGES:
        agree(call, draw(shape, "float64"), what=str(shape))


@every(
    lambda lib, x: x.narrow(0, 1, 1), lambda lib, x: x.narrow(0, -1, 1),
    lambda lib, x: x.narrow(0, -1, 2), lambda lib, x: x.narrow(0, 0, 0),
    lambda lib, x: x.narrow(1, 5, 1), lambda lib, x: x.narrow(0, lib.tensor(1), 1),
    lambda lib, x: x.select(0, 0), lambda lib, x: x.select(-1, 2), lambda lib, x: x.select(5, 0),
    lambda lib, x: x.select(0, -4), lambda lib, x: lib.tensor_split(x, 2),
    lambda lib, x: lib.tensor_split(x, 4, -1), lambda lib, x: lib.tensor_split(x, 0),
    lambda lib, x: lib.tensor_split(x, (1, -1)), lambda lib, x: lib.tensor_split(x, (2, 1), 1),
    lambda lib, x: lib.tensor_split(x, lib.tensor([1, 2])), lambda lib, x: lib.hsplit(x, 3),
    lambda lib, x: lib.hsplit(x, (1,)), lambda lib, x: lib.vsplit(x, 2),
    lambda lib, x: lib.dsplit(x, 2), lambda lib, x: lib.dsplit(x, 0))
def test_parts_at_the_edges(call):
    for shape in EDGES:
        agree(call, draw(shape, "float64"), what=str(shape))


@every(
    lambda lib, x: x.repeat(2), lambda lib, x: x.repeat(2, 1, 3), lambda lib, x: x.repeat(0, 1, 2),
    lambda lib, x: x.repeat(-1, 1, 1), lambda lib, x: x.tile(2),
    lambda lib, x: x.tile((2, 1, 1, 2)),
    lambda lib, x: lib.repeat_interleave(x, 2), lambda lib, x: lib.repeat_interleave(x, 0),
    lambda lib, x: lib.repeat_interleave(x, 2, 0), lambda lib, x: lib.repeat_interleave(x, -2, 0),
    lambda lib, x: x.repeat_interleave(lib.tensor([1, 0, 2]), -1),
    lambda lib, x: x.repeat_interleave(lib.tensor([2]), 0),
    lambda lib, x: x.repeat_interleave(lib.tensor([1, -2]), 0),
    lambda lib, x: x.repeat_interleave(lib.tensor([1.0, 2.0]), 0),
    lambda lib, x: x.repeat_interleave(lib.tensor([1, 2]), 0, output_size=3),
    lambda lib, x: x.repeat_interleave(lib.tensor([1, 2]), 0, output_size=4),
    lambda lib, x: x.roll(1), lambda lib, x: x.roll(-4, 0), lambda lib, x: x.roll((1, 2), (0, 1)),
    lambda lib, x: x.roll((1, 2)), lambda lib, x: x.roll(1, (0, 1)),
    lambda lib, x: x.roll((1, 1), (0, 0)), lambda lib, x: lib.rot90(x),
    lambda lib, x: lib.rot90(x, 3, (1, 0)), lambda lib, x: lib.rot90(x, 2, (0, -1)),
    lambda lib, x: lib.rot90(x, 1, (0, 0)), lambda lib, x: lib.rot90(x, 1, (0,)),
    lambda lib, x: lib.fliplr(x), lambda lib, x: lib.flipud(x), lambda lib, x: x.flip(0),
    lambda lib, x: x.flip((0, 0)), lambda lib, x: x.flip((0, -1)))
def test_repeating_and_turning_at_the_edges(call):
    for shape in EDGES:
        agree(call, draw(shape, "float64"), what=str(shape))


@every(
    lambda lib, x: lib.diag(x), lambda lib, x: lib.diag(x, 5), lambda lib, x: lib.diag(x, -1),
    lambda lib, x: x.diagonal(), lambda lib, x: x.diagonal(2), lambda lib, x: x.diagonal(-9),
    lambda lib, x: x.diagonal(0, 0, -1), lambda lib, x: x.diagonal(0, 0, 0),
    lambda lib, x: lib.diag_embed(x), lambda lib, x: lib.diag_embed(x, 1, 0, 1),
    lambda lib, x: lib.diag_embed(x, -1, 0, 0), lambda lib, x: lib.diag_embed(x, -2, -1, 0),
    lambda lib, x: lib.diagflat(x, 1), lambda lib, x: x.tril(), lambda lib, x: x.triu(-1),
    lambda lib, x: x.tril(7), lambda lib, x: lib.block_diag(x, x[..., :1]),
    lambda lib, x: lib.block_diag(x, lib.ones(2, dtype=x.dtype)), lambda lib, x: lib.block_diag(),
    lambda lib, x: lib.meshgrid(x, x, indexing="ij"),
    lambda lib, x: lib.meshgrid(x, lib.ones(2, dtype=x.dtype), indexing="xy"),
    lambda lib, x: lib.meshgrid(x, indexing="foo"),
    lambda lib, x: lib.meshgrid(x, lib.arange(3), indexing="ij"),
    lambda lib, x: lib.cartesian_prod(x, x), lambda lib, x: lib.cartesian_prod(x),
    lambda lib, x: lib.combinations(x), lambda lib, x: lib.combinations(x, 0),
    lambda lib, x: lib.combinations(x, 4), lambda lib, x: lib.combinations(x, -1),
    lambda lib, x: lib.combinations(x, 3, True))
def test_diagonals_and_grids_at_the_edges(call):
    for shape in EDGES:
        for dtype in ("float64", "int64"):
            agree(call, draw(shape, dtype), what=f"{shape} {dtype}")


@every(
    lambda lib, x: lib.cat([x, x]), lambda lib, x: lib.cat([x, x], -1),
    lambda lib, x: lib.cat([x, x.transpose(0, -1)]), lambda lib, x: lib.cat([x, lib.ones(0)]),
    lambda lib, x: lib.cat([lib.ones(0), x], 1),
    lambda lib, x: lib.cat([x, lib.arange(3)]), lambda lib, x: lib.stack([x, x], -1),
    lambda lib, x: lib.stack([x, x], 2), lambda lib, x: lib.stack([]),
    lambda lib, x: lib.stack([x, x[..., :1]]), lambda lib, x: lib.hstack([x, x]),
    lambda lib, x: lib.vstack([x, x]), lambda lib, x: lib.row_stack([x]),
    lambda lib, x: lib.dstack([x, x]), lambda lib, x: lib.column_stack([x, x]),
    lambda lib, x: lib.hstack([x, x, x]))
def test_joining_at_the_edges(call):
    for shape in EDGES:
        agree(call, draw(shape, "float64"), what=str(shape))


@every(
    lambda lib, x: x.unfold(0, 2, 1), lambda lib, x: x.unfold(-1, 1, 2),
    lambda lib, x: x.unfold(0, 0, 1), lambda lib, x: x.unfold(1, 3, 3),
    lambda lib, x: x.unfold(0, 1, 0), lambda lib, x: x.unfold(0, 5, 1),
    lambda lib, x: x.unfold(0, 2, 1).unfold(1, 2, 1))
def test_windows_at_the_edges(call):
    for shape in EDGES:
        agree(call, draw(shape, "float64"), what=str(shape))


def test_shapes_without_tensors():
    for shapes in (((2, 1), (3,)), ((), (2,)), (3, (2, 1)), ((0,), (1,)), ((5, 1, 4), (3, 1))):
        assert tuple(tinytensor.broadcast_shapes(*shapes)) == tuple(torch.broadcast_shapes(*shapes))
    with pytest.raises(RuntimeError, match="2 and 3"):
        tinytensor.broadcast_shapes((2,), (3,))
    with pytest.raises(ValueError, match="negative"):
        tinytensor.broadcast_shapes((-1,), (3,))


@pytest.mark.parametrize("name", ["tril_indices", "triu_indices"])
def test_indices_of_triangles(name):
    for sizes in ((3, 2, -1), (3, 4, 1), (2, 5), (0, 3), (4, 4, -9), (4, 4, 9), (-1, 3)):
        agree(lambda lib, x, s=sizes: getattr(lib, name)(*s), numpy.zeros(1), what=str(sizes))
    agree(lambda lib, x: getattr(lib, name)(3, 3, offset=1, dtype=lib.int32), numpy.zeros(1))


# ---------------------------------------------------------------- padding


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular", "foo"])
def test_padding_of_every_rank(mode):
    cases = [(1, 1), (1, -1), (-1, 2), (-1, 3), (0, 0), (3, 3), (4, 4), (5, 4), (-2, -3), (1,),
             (1, 1, 1, 1), (2, 1, 0, 1), (1, 1, -1, 1), (1, 1, 1, 1, 1, 1), ()]
    for shape in [(), (4,), (3, 4), (2, 3, 4), (2, 1, 3, 4), (1, 2, 3, 3, 4), (0, 3, 4), (2, 3, 0),
                  (2, 0, 3)]:
        for sides in cases:
            if mode == "circular" and shape == (2, 0, 3) and sides == (-1, 3):
                continue  # PyTorch pads with 3 of the 2 remaining elements
            agree(lambda lib, x, s=sides: pad(lib)(x, s, mode), draw(shape, "float64"),
                  what=f"{shape} {sides}")


def test_padding_with_values():
    for dtype in ("float32", "int64", "bool"):
        for value in (None, 2.5, -1, 0, True):
            agree(lambda lib, x, v=value: pad(lib)(x, (1, 2), value=v), draw((2, 3), dtype),
                  what=f"{dtype} {value}")
    agree(lambda lib, x: pad(lib)(x, (1, 1), "reflect", 3.0), draw((2, 3), "float64"))
    agree(lambda lib, x: pad(lib)(x, (1, 1), "reflect"), draw((2, 3), "int64"))


# ---------------------------------------------------------------- properties

sizes = st.lists(st.integers(0, 4), min_size=0, max_size=4)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(shape=sizes, data=st.data())
def test_permute_and_back(shape, data):
    order = data.draw(st.permutations(range(len(shape))))
    agree(lambda lib, x: x.permute(tuple(order)), draw(tuple(shape), "float64"))
    x = tinytensor.tensor(draw(tuple(shape), "float64"))
    back = tuple(order.index(i) for i in range(len(order)))
    assert (x.permute(tuple(order)).permute(back).numpy() == x.numpy()).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(shape=sizes, data=st.data())
def test_reshape_of_any_strides(shape, data):
    order = data.draw(st.permutations(range(len(shape))))
    count = math.prod(shape)
    first = data.draw(st.sampled_from([n for n in range(1, count + 1) if count % n == 0] or [0]))
    last = data.draw(st.sampled_from([-1, count // first])) if first else 0
    array = draw(tuple(shape), "float64")
    agree(lambda lib, x: x.permute(tuple(order)).reshape(first, last), array)
    agree(lambda lib, x: x.permute(tuple(order)).view(first, last), array)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shape=st.lists(st.integers(1, 4), min_size=2, max_size=4), data=st.data(),
       mode=st.sampled_from(["constant", "reflect", "replicate", "circular"]))
def test_padding_of_any_shape(shape, data, mode):
    count = data.draw(st.integers(1, len(shape)))
    sides = tuple(data.draw(st.integers(-1, 3)) for _ in range(2 * count))
    if mode == "circular":  # PyTorch reads out of bounds for too much padding
        left = [n + min(a, 0) + min(b, 0) for n, a, b in zip(
            shape[::-1], sides[::2], sides[1::2], strict=False)]
        assume(all(max(a, b) <= n for a, b, n in zip(sides[::2], sides[1::2], left, strict=True)))
    agree(lambda lib, x: pad(lib)(x, sides, mode), draw(tuple(shape), "float64"))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(n=st.integers(1, 9), size=st.integers(1, 9), step=st.integers(1, 4))
def test_windows_of_any_size(n, size, step):
    agree(lambda lib, x: x.unfold(1, size, step), draw((2, n), "float64"))
