"""Names and call forms that programs written for PyTorch use, compared with PyTorch."""

from __future__ import annotations

import collections
import math
import typing

import numpy as np
import pytest
import torch
from operations import in_turn

import tinytensor

BOTH = {"tinytensor": tinytensor, "torch": torch}


def plain(x):
    """A result of either engine as plain data."""
    if isinstance(x, torch.Tensor | tinytensor.Tensor):
        return str(x.dtype).partition(".")[2], tuple(x.shape), x.requires_grad, x.tolist()
    if isinstance(x, list | tuple):
        return [plain(item) for item in x]
    return x


def close(ours, theirs):
    for x, y in zip(ours, theirs, strict=True):
        assert (x.dtype.is_floating_point, tuple(x.shape)) == (
            y.dtype.is_floating_point, tuple(y.shape))
        np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol=1e-5, atol=1e-7)


# ---------------------------------------------------------------- out=


CALLS = {
    "add": lambda e, **o: e.add(e.ones(2, 1), e.ones(3), alpha=2, **o),
    "matmul": lambda e, **o: e.matmul(e.ones(2, 3), e.ones(3, 2), **o),
    "sum": lambda e, **o: e.sum(e.ones(2, 3), dim=0, **o),
    "cat": lambda e, **o: e.cat([e.ones(2), e.zeros(1)], **o),
    "norm": lambda e, **o: e.linalg.norm(e.ones(4), **o),
    "softmax": lambda e, **o: e.softmax(e.ones(2, 2), 1, **o),
    "mean": lambda e, **o: e.mean(e.ones(2, 2), 1, **o),
    "zeros": lambda e, **o: e.zeros(2, 3, **o), "arange": lambda e, **o: e.arange(3.0, **o),
    "full": lambda e, **o: e.full((2,), 5.0, **o), "eye": lambda e, **o: e.eye(2, **o),
    "where": lambda e, **o: e.where(e.tensor([True, False]), e.ones(2), e.zeros(2), **o),
}


@in_turn("name", list(CALLS))
def test_results_are_written_into_out(name):
    call = CALLS[name]
    for engine in BOTH.values():
        expected = call(engine)
        whole = engine.full((4, *expected.shape), 7.0)
        view = whole[1]  # written in place, in the memory of its base
        assert call(engine, out=view) is view
        assert plain(whole[1]) == plain(expected) and float(whole[0].sum()) == 7 * whole[0].numel()
        empty = engine.empty(0)
        assert call(engine, out=empty) is empty and plain(empty) == plain(expected)


def test_several_results_are_written_into_a_tuple():
    for engine in BOTH.values():
        values, indices = engine.empty(0), engine.empty(0, dtype=engine.int64)
        result = engine.max(engine.tensor([[1.0, 3.0], [5.0, 2.0]]), 1, out=(values, indices))
        assert result[0] is values and result.indices is indices
        double = engine.empty(2, dtype=engine.float64)
        assert engine.add(engine.ones(2), 1, out=double).tolist() == [2.0, 2.0]
        assert (values.tolist(), indices.tolist()) == ([3.0, 5.0], [1, 0])


def test_an_out_that_does_not_fit_is_refused():
    x = tinytensor.ones(2)
    with pytest.raises(RuntimeError, match=r"add: a result of .*float32 cannot be written"):
        tinytensor.add(x, 1, out=tinytensor.zeros(2, dtype=tinytensor.int64))
    with pytest.warns(UserWarning, match=r"add: out of shape \(3,\) gets the shape \(2,\)"):
        tinytensor.add(x, 1, out=tinytensor.zeros(3))
    with pytest.raises(TypeError, match="max: out must be a tuple of 2 Tensors, got Tensor"):
        tinytensor.max(x, 0, out=x)
    leaf = tinytensor.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="mul: a result that is written into out= has no"):
        tinytensor.mul(leaf, 2, out=x)
    with tinytensor.no_grad():
        assert tinytensor.mul(leaf, 2, out=x).tolist() == [2.0, 2.0]
    y = tinytensor.ones(2, requires_grad=True) * 1
    loss = (y * y).sum()
    with tinytensor.no_grad():
        tinytensor.zeros(2, out=y)
    with pytest.raises(RuntimeError, match=r"zeros .* has overwritten"):
        loss.backward()


# ---------------------------------------------------------------- the graph


@in_turn("name", list(BOTH))
def test_hooks_of_nodes(name):
    engine = BOTH[name]
    x = engine.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    seen = []
    y.grad_fn.register_prehook(lambda outputs: seen.append(plain(outputs)) or (outputs[0] * 2,))
    handle = y.grad_fn.register_hook(lambda inputs, outputs: seen.append(
        [plain(inputs)[0], plain(outputs)]) or (inputs[0] * 5, *inputs[1:]))
    y.sum().backward(retain_graph=True)
    ones, twos = ("float32", (2,), False, [1.0, 1.0]), ("float32", (2,), False, [2.0, 2.0])
    assert seen == [[ones], [("float32", (2,), False, [6.0, 6.0]), [twos]]]
    assert x.grad.tolist() == [30.0, 30.0]
    handle.remove()
    y.sum().backward()
    assert x.grad.tolist() == [36.0, 36.0]


def test_hooks_of_a_node_with_several_outputs():
    results = []
    for engine in BOTH.values():
        x = engine.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
        first, _ = x.split(2)
        first.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * (2 + len(outputs)),))
        (first * 3).sum().backward()
        results.append([x.grad])
    close(*results)


@in_turn("name", list(BOTH))
def test_a_hook_of_a_node_that_returns_no_tensors(name):
    y = BOTH[name].ones(2, requires_grad=True).exp()
    y.grad_fn.register_hook(lambda inputs, outputs: 3)
    with pytest.raises(TypeError, match="tuple"):
        y.sum().backward()


def test_hooks_of_nodes_in_a_recorded_backward():
    results = []
    for engine in BOTH.values():
        x = engine.tensor([0.5, 1.0, 2.0], requires_grad=True)
        y = x.softmax(0)
        y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 2,))
        g, = engine.autograd.grad((y * y).sum(), x, create_graph=True)
        results.append([g, *engine.autograd.grad((g * g).sum(), x)])
    close(*results)


def test_gradients_of_a_batch():
    results = []
    for engine in BOTH.values():
        x = engine.tensor([1.0, 2.0, 3.0], requires_grad=True)
        w = engine.tensor([2.0], requires_grad=True)
        g = engine.autograd.grad(x ** 3 * w, [x, w], engine.eye(3), is_grads_batched=True,
                                 create_graph=True)
        results.append([*g, *engine.autograd.grad(g[0].sum(), x)])
    close(*results)
    with pytest.raises(RuntimeError, match="needs grad_outputs with one first size"):
        x = tinytensor.ones(1, requires_grad=True)
        tinytensor.autograd.grad(x * 1, x, is_grads_batched=True)


def test_data_of_a_computed_tensor():
    for engine in BOTH.values():
        x = engine.ones(2, requires_grad=True)
        y = x * 2
        y.data = engine.tensor([5.0, 6.0])
        (y * y).sum().backward()
        assert x.grad.tolist() == [20.0, 24.0]
    with pytest.raises(RuntimeError, match=r"must keep the shape \(2,\), got \(3,\)"):
        y = tinytensor.ones(2, requires_grad=True) * 1
        y.data = tinytensor.ones(3)


# ---------------------------------------------------------------- modules


@in_turn("name", list(BOTH))
def test_losses_of_programs(name):
    engine = BOTH[name]
    base = engine.nn.modules.loss

    class Plain(base._Loss):
        def forward(self, x, y):
            return engine.nn.functional.mse_loss(x, y, reduction=self.reduction)

    class Weighted(base._WeightedLoss):
        def __init__(self, weight=None, size_average=None, k=2, reduce=None, reduction="mean"):
            super().__init__(weight, size_average, reduce, reduction)
            self.k = k

    assert Plain().reduction == "mean" and Plain(None, None, "sum").reduction == "sum"
    assert Plain(reduction="none")(engine.ones(2), engine.zeros(2)).tolist() == [1.0, 1.0]
    assert list(Weighted(engine.ones(2)).state_dict()) == ["weight"]
    assert Weighted().weight is None and Weighted(reduction="sum").reduction == "sum"
    assert isinstance(engine.nn.MSELoss(), base._Loss)
    assert isinstance(engine.nn.NLLLoss(), base._WeightedLoss)
    assert not isinstance(engine.nn.BCEWithLogitsLoss(), base._WeightedLoss)


@in_turn("name", list(BOTH))
def test_registries_and_containers(name):
    engine = BOTH[name]
    nn = engine.nn
    model = nn.Linear(2, 2)
    model._parameters = collections.OrderedDict(weight=model.weight)
    assert [n for n, _ in model.named_parameters()] == ["weight"] and not hasattr(model, "bias")
    norm = nn.BatchNorm1d(2)
    norm._buffers = {}
    assert list(norm.state_dict()) == ["weight", "bias"]

    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("position_ids", engine.arange(4).expand((1, -1)))

    positions = Positions()
    positions.load_state_dict({"position_ids": engine.arange(4).unsqueeze(0) + 1})
    assert positions.position_ids.tolist() == [[1, 2, 3, 4]]

    class Counting(nn.ModuleDict):
        calls = 0

        def update(self, modules):
            self.calls += 1

    assert Counting().calls == 0 and Counting({"a": nn.ReLU()}).calls == 1


@in_turn("name", list(BOTH))
def test_dicts_of_parameters(name):
    engine = BOTH[name]
    kind = engine.nn.ParameterDict
    a, b = kind({"a": engine.ones(1)}), kind({"b": engine.ones(2)})
    joined = a | b
    assert type(joined) is kind and list(joined) == ["a", "b"] and list(a) == ["a"]
    a |= b
    assert list(a) == ["a", "b"] and list(reversed(a)) == ["b", "a"] and list(a.copy()) == list(a)
    assert list({"z": engine.ones(1)} | a) == ["z", "a", "b"]
    assert a.popitem()[0] == "b" and list(kind().fromkeys(["x"], engine.ones(1))) == ["x"]
    assert a.get("none") is None and a.setdefault("n") is None


# ---------------------------------------------------------------- Tensors


@in_turn("name", ["hann", "hamming", "blackman", "bartlett", "kaiser"])
def test_windows(name):
    for length in (0, 1, 2, 5, 8):
        for periodic in (True, False):
            close(*[[getattr(engine, f"{name}_window")(length, periodic, dtype=engine.float64)]
                    for engine in BOTH.values()])
    with pytest.raises(RuntimeError, match="window_length must not be negative"):
        getattr(tinytensor, f"{name}_window")(-1)
    with pytest.raises(RuntimeError, match="needs a floating point dtype"):
        getattr(tinytensor, f"{name}_window")(3, dtype=tinytensor.int64)


def test_sizes_in_place():
    for engine in BOTH.values():
        x = engine.arange(6)
        assert x.resize_(2, 2).tolist() == [[0, 1], [2, 3]] and x.shape == (2, 2)
        assert engine.arange(2).resize_((2, 3)).reshape(-1)[:2].tolist() == [0, 1]
    with pytest.raises(RuntimeError, match="resize_: this Tensor requires grad"):
        tinytensor.ones(2, requires_grad=True).resize_(1)


@pytest.mark.filterwarnings("ignore:where received a uint8")
def test_masks_of_uint8_and_repeated_lists():
    for engine in BOTH.values():
        mask = engine.tensor([1, 0], dtype=engine.uint8)
        assert engine.where(mask, engine.ones(2), engine.zeros(2)).tolist() == [1.0, 0.0]
        assert [0] * engine.tensor(3) == [0, 0, 0] and (1,) * engine.tensor(2) == (1, 1)
        with pytest.raises(TypeError):
            [0] * engine.tensor([1, 2])


def test_factors_and_inverses_without_errors():
    singular = [[1.0, 2.0], [2.0, 4.0]]
    definite = [[4.0, 2.0], [2.0, 3.0]]
    for engine in BOTH.values():
        both = engine.tensor([[[1.0, 2.0], [2.0, 1.0]], definite])
        result = engine.linalg.cholesky_ex(both)
        assert result.info.tolist() == [2, 0] and result.info.dtype is engine.int32
        assert engine.linalg.inv_ex(engine.tensor(singular)).info.item() == 2
        with pytest.raises(RuntimeError):
            engine.linalg.cholesky_ex(both, check_errors=True)
    close(*[[engine.linalg.cholesky_ex(engine.tensor(definite), upper=True).L,
             engine.linalg.inv_ex(engine.tensor(definite)).inverse] for engine in BOTH.values()])
    x = tinytensor.tensor([singular, definite], requires_grad=True)
    tinytensor.linalg.inv_ex(x).inverse[1].sum().backward()
    y = tinytensor.tensor(definite, requires_grad=True)
    tinytensor.linalg.inv(y).sum().backward()
    np.testing.assert_allclose(x.grad[1].numpy(), y.grad.numpy(), rtol=1e-6)


@in_turn("mode", ["bilinear", "bicubic"])
def test_images_of_uint8(mode):
    values = np.random.RandomState(0).randint(0, 256, (1, 3, 9, 7)).astype("uint8")
    for size in ((18, 14), (5, 4)):
        ours, theirs = (engine.nn.functional.interpolate(
            engine.from_numpy(values), size, mode=mode) for engine in BOTH.values())
        assert ours.dtype is tinytensor.uint8
        # PyTorch computes with weights of 16 bits.
        difference = ours.numpy().astype(int) - theirs.numpy()
        assert abs(difference).max() <= 1


FOREACH = ["add", "sub", "mul", "div", "maximum", "minimum", "pow"]


@in_turn("name", FOREACH)
def test_operations_on_each_tensor(name):
    shown = []
    for engine in BOTH.values():
        xs = [engine.tensor([1.0, -2.0]), engine.tensor([[3.0]])]
        ys = [engine.tensor([2.0, 2.0]), engine.tensor([[2.0]])]
        of_lists = getattr(engine, f"_foreach_{name}")(xs, ys)
        of_number = getattr(engine, f"_foreach_{name}")(xs, 2.0)
        assert type(of_lists) is tuple
        getattr(engine, f"_foreach_{name}_")(xs, ys)
        shown.append(plain([*of_lists, *of_number, *xs]))
    assert shown[0] == shown[1]


def test_other_operations_on_each_tensor():
    shown = []
    for engine in BOTH.values():
        xs = [engine.tensor([1.0, 4.0]), engine.tensor([9.0])]
        results = [*engine._foreach_sqrt(xs), *engine._foreach_norm(xs),
                   *engine._foreach_addcmul(xs, xs, xs, 0.5), *engine._foreach_lerp(xs, xs, 0.3),
                   *engine._foreach_addcdiv(xs, xs, xs, value=2.0)]
        engine._foreach_zero_(xs)
        engine._foreach_copy_(xs, [engine.ones(2), engine.zeros(1)])
        shown.append(plain([*results, *xs]))
    assert shown[0] == shown[1]
    with pytest.raises(AttributeError, match="_foreach_nothing"):
        tinytensor._foreach_nothing  # noqa: B018


# ---------------------------------------------------------------- NumPy


def test_functions_of_numpy_that_are_no_operation_run_on_the_arrays():
    x = tinytensor.tensor([3.0, 4.0])
    other = np.array([4.0, 3.0], dtype="float32")
    lengths = np.hypot(x, other)
    assert type(lengths) is tinytensor.Tensor and lengths.tolist() == [5.0, 5.0]
    assert np.add.reduce(x).item() == 7.0 and np.multiply.outer(x, x).shape == (2, 2)
    mantissa, exponent = np.frexp(x)
    assert mantissa.tolist() == [0.75, 0.5] and exponent.dtype is tinytensor.int32
    other += x
    assert type(other) is np.ndarray and other.tolist() == [7.0, 7.0]
    y = tinytensor.zeros(2)
    assert np.add(x, 1, out=y) is y and y.tolist() == [4.0, 5.0] and y._version == 1
    with pytest.raises(RuntimeError, match="numpy: this Tensor requires grad"):
        np.spacing(x.requires_grad_())
    assert np.exp(x).requires_grad


def test_numpy_of_a_tensor_that_requires_grad_while_nothing_is_recorded():
    values = []
    for engine in (tinytensor, torch):
        x = engine.tensor([3.0, 4.0], requires_grad=True)
        for tensor in (x, x * 2):
            for block in (engine.no_grad, engine.inference_mode):
                with block():
                    array = tensor.numpy()
                    values.append(np.asarray(tensor).tolist())
                array[0] = 7.0  # memory is shared
                values.append(tensor.detach().numpy().tolist())
            with pytest.raises(RuntimeError, match="requires grad"):
                tensor.numpy()
    assert values[:8] == values[8:] and len(values) == 16


# ---------------------------------------------------------------- subclasses of Tensor


def test_a_tensor_as_an_object_of_a_subclass():
    for engine in BOTH.values():
        class Named(engine.Tensor):
            def __new__(cls, x):
                return x.as_subclass(cls)

        leaf = engine.tensor([1.0, 2.0], requires_grad=True)
        named = Named(leaf * 2)
        named.name_of_it = "a"
        assert type(named) is Named and named.requires_grad and named.tolist() == [2.0, 4.0]
        assert type(named.as_subclass(engine.Tensor)) is engine.Tensor
        (named * named).sum().backward()
        assert leaf.grad.tolist() == [8.0, 16.0]
        plain = engine.zeros(2)
        plain.as_subclass(Named).add_(1)
        assert plain.tolist() == [1.0, 1.0]
        made = engine.Tensor._make_subclass(Named, plain, True)
        assert type(made) is Named and made.is_leaf and made.requires_grad
        assert made.data_ptr() == plain.data_ptr()


def test_subclasses_whose_new_takes_other_arguments():
    for engine in BOTH.values():
        class Marked(engine.Tensor):
            def __new__(cls, x, mark="", wanted=False):
                made = cls._make_subclass(cls, x, wanted)
                made.mark = mark
                return made

        class MarkedParameter(Marked, engine.nn.Parameter):
            pass

        x = engine.ones(2)
        parameter = MarkedParameter(x, mark="b", wanted=True)
        assert Marked(x, mark="a").mark == "a" and parameter.mark == "b"
        module = engine.nn.Module()
        module.weight = parameter
        (module.weight * 3).sum().backward()
        assert next(module.parameters()).grad.tolist() == [3.0, 3.0]
        assert parameter.data_ptr() == x.data_ptr()


def test_a_dense_tensor_is_dense():
    for engine in BOTH.values():
        x = engine.ones(2)
        assert x.to_dense() is x and x.to_dense(engine.float64).dtype is engine.float64


def test_annotations_of_losses_are_types():
    for engine in BOTH.values():
        hints = typing.get_type_hints(engine.nn.CrossEntropyLoss(), {"Tensor": engine.Tensor})
        assert hints["ignore_index"] is int and hints["label_smoothing"] is float
        assert typing.get_type_hints(engine.nn.MSELoss(), {})["reduction"] is str
    with pytest.raises(TypeError, match="CrossEntropyLoss"):
        tinytensor.nn.CrossEntropyLoss(None, None, 1, None, "mean", 0.0, 3)


# ---------------------------------------------------------------- small functions


def test_derivatives_of_samples_at_coordinates():
    rng = np.random.default_rng(0)
    values, places = rng.normal(size=(4, 6)), [np.sort(rng.normal(size=n)) for n in (4, 6)]
    for order in (1, 2):
        found = [engine.gradient(engine.tensor(values), edge_order=order,
                                 spacing=[engine.tensor(p) for p in places])
                 for engine in BOTH.values()]
        for a, b in zip(*found, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-12, 1e-12)
        least = [engine.gradient(engine.tensor(values[:order + 1]), dim=0, edge_order=order)[0]
                 for engine in BOTH.values()]
        np.testing.assert_allclose(*(x.numpy() for x in least), 1e-12, 1e-12)
    for engine in BOTH.values():
        for options in ({"edge_order": 3}, {"spacing": [1.0, 2.0]}):
            with pytest.raises(RuntimeError):
                engine.gradient(engine.ones(4), **options)
        with pytest.raises(RuntimeError):
            engine.gradient(engine.ones(1))


SMALL = {
    "vander": lambda e: [e.vander(e.tensor([2.0, 0.0, 3.0]), 4), e.vander(e.tensor([2, 3])),
                         e.vander(e.tensor([True]), 2), e.linalg.vander(e.tensor([2, 3]))],
    "ldexp": lambda e: [e.ldexp(e.ones(1, dtype=e.float64), e.tensor([200])),
                        e.ldexp(e.ones(1).half(), e.tensor([2])), e.tensor([3]).ldexp(
                            e.tensor([-1])), e.ldexp(e.tensor([2.0, 9.0]), e.tensor([0.5, -1.5])),
                        e.ldexp(e.tensor([3]), e.tensor([2.0])),
                        e.ldexp(e.tensor([1e-5]).half(), e.tensor([24])),
                        e.ldexp(e.tensor([3.0, 3.0]).bfloat16(), e.tensor([130, -130]))],
    "frexp": lambda e: e.frexp(e.tensor([1.5, 0.0, -8.0, 1e-40, 3e38])),
    "frexp of float16": lambda e: e.frexp(e.tensor([3.0, 5e-7], dtype=e.float16)),
    "nextafter": lambda e: [e.nextafter(e.tensor([1.0, 0.0, -2.0]), e.tensor([2.0, -1.0, -2.0]))],
    "unravel_index": lambda e: [
        *e.unravel_index(e.tensor([[5, 11], [0, 7]]), (3, 4)), *e.unravel_index(e.tensor([0]), ()),
        *e.unravel_index(e.empty(0, dtype=e.int64), (0, 3)),
        *e.unravel_index(e.empty(0, dtype=e.int64), (3, 0)),
        *(x for dtype in (e.uint8, e.int16, e.int32)
          for x in e.unravel_index(e.tensor([100, 7], dtype=dtype), (300, 300)))],
    "select_scatter": lambda e: [e.zeros(2, 3).select_scatter(e.ones(2), 1, -1)],
    "slice_scatter": lambda e: [e.zeros(4, 2).t().slice_scatter(e.ones(2, 2), 1, 0, None, 2)],
    "diagonal_scatter": lambda e: [e.zeros(3, 3).diagonal_scatter(e.ones(2), 1)],
    "apply_": lambda e: [e.arange(4.0).reshape(2, 2).t().apply_(lambda x: x * x + 1)],
    "map_": lambda e: [e.arange(4.0).reshape(2, 2).map_(e.tensor([1.0, 2.0]), lambda x, y: x - y)],
    "resolve_conj": lambda e: [e.resolve_conj(e.ones(1)), e.ones(1).resolve_neg(),
                               e.conj_physical(e.ones(1))],
    "cond": lambda e: [e.cond(e.tensor(True), lambda x: x + 1, lambda x: x - 1, (e.ones(1),))],
    "while_loop": lambda e: e.while_loop(lambda x: x.sum() < 9, lambda x: (x * 2,), (e.ones(2),)),
}


@in_turn("name", list(SMALL))
def test_small_functions(name):
    found = [[plain(x) for x in SMALL[name](engine)] for engine in BOTH.values()]
    assert found[0] == found[1]


@in_turn("dtype, factors, exponents", [
    ("float32", [1e-10, 1e30, 1e-45, 1e-45, 1e38, 1.1, 3.0, 1.0, 0.0, np.inf, -2.0],
     [130, -150, 149, 276, -276, -140, -150, 2**40, 300, -300, -(2**40)]),
    ("float64", [1e-300, 5e-324, 1e300, 1.1, 1.0], [1030, 2097, -2050, -1060, 1024])])
def test_ldexp_is_that_of_c(dtype, factors, exponents):
    """As math.ldexp, which is C's, and rounded once."""
    with np.errstate(over="ignore"):
        ours = tinytensor.ldexp(tinytensor.tensor(factors, dtype=getattr(tinytensor, dtype)),
                                tinytensor.tensor(exponents))
        single = [float(np.array(x, dtype)) for x in factors]
        exact = [_scaled(x, n) for x, n in zip(single, exponents, strict=True)]
        np.testing.assert_array_equal(ours.numpy(), np.array(exact, dtype))


def _scaled(x, exponent):
    try:
        return math.ldexp(x, exponent)
    except OverflowError:
        return math.copysign(math.inf, x)


def test_ldexp_with_numbers():
    """PyTorch takes Tensors only."""
    for dtype in ("float64", "float16", "int64"):
        for number in (3, 0.3, -2):
            other = torch.tensor(number, dtype=torch.float64 if dtype == "float64" else None)
            theirs = torch.ldexp(torch.tensor([3], dtype=getattr(torch, dtype)), other)
            ours = tinytensor.tensor([3], dtype=getattr(tinytensor, dtype)).ldexp(number)
            assert ours.numpy().dtype == theirs.numpy().dtype
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(),
                                       {"float64": 1e-14, "float16": 1e-3, "int64": 1e-6}[dtype])


def test_gradients_of_ldexp():
    """PyTorch's gradient is 0 for negative exponents of int64, so it gets them as floats."""
    for other, dtype in (([3, -2, 0], "int64"), ([3.0, -2.0, 0.5], "float64")):
        found = []
        for engine, exponents in ((tinytensor, dtype), (torch, "float64")):
            x = engine.tensor([1.0, -2.0, 3.0], dtype=engine.float64, requires_grad=True)
            n = engine.tensor(other, dtype=getattr(engine, exponents),
                              requires_grad=dtype == "float64")
            inputs = [x, n] if n.requires_grad else [x]
            first = engine.autograd.grad((engine.ldexp(x, n) * x).sum(), inputs, create_graph=True)
            second = engine.autograd.grad(sum(d.sum() for d in first), inputs)
            found.append([d.tolist() for d in (*first, *second)])
        np.testing.assert_allclose(*found, 1e-12)
    mantissa, exponent = tinytensor.frexp(tinytensor.tensor([1e-40, 3e38, -5.0, 1e-45]))
    assert tinytensor.ldexp(mantissa, exponent).tolist() == torch.tensor(
        [1e-40, 3e38, -5.0, 1e-45]).tolist()


def test_positions_refuse_what_cannot_be():
    for engine in BOTH.values():
        with pytest.raises(ValueError, match="negative"):
            engine.unravel_index(engine.tensor([0]), (3, -4))
        for indices in ([1.0], [True]):
            with pytest.raises(TypeError, match="integer"):
                engine.unravel_index(engine.tensor(indices), (2, 3))
        with pytest.raises(RuntimeError):
            engine.linalg.vander(engine.tensor(2.0))


def test_differences_of_infinite_samples_and_integers():
    found = []
    for engine in BOTH.values():
        made = [engine.gradient(engine.tensor(values), edge_order=order)[0]
                for values in ([1.0, np.inf, 3.0, 4.0], [1.0, np.nan, 3.0, 4.0], [np.inf, 1.0, 2.0])
                for order in (1, 2)]
        integers = engine.tensor([2**40, 2**40 + 1, 2**40 + 3])
        made += [engine.gradient(integers, spacing=h)[0] for h in (1, 2, 0.5)]
        made += [engine.gradient(engine.tensor([5, 3, 1, 0], dtype=dtype))[0]
                 for dtype in (engine.int8, engine.int16, engine.int32)]
        made += engine.gradient(engine.tensor([[1.0, 2.0, 4.0]] * 3), spacing=engine.tensor(2.0))
        made += engine.gradient(engine.tensor([[1.0, 2.0, 4.0]] * 3), spacing=(1, 0.0),
                                edge_order=2)
        found.append(made)
        for dtype in (engine.uint8, engine.bool):
            with pytest.raises(RuntimeError):
                engine.gradient(engine.ones(4, dtype=dtype))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), 1e-6)
        assert ours.numpy().dtype == theirs.numpy().dtype
    wide = tinytensor.gradient(tinytensor.tensor([100, 3, -100], dtype=tinytensor.int8))[0]
    assert wide.tolist() == np.gradient([100, 3, -100]).tolist()  # in int8 they would wrap


def test_powers_have_a_second_derivative_at_zero():
    found = []
    for engine in BOTH.values():
        x = engine.tensor([0.0, 2.0, -1.0], requires_grad=True)
        powers = engine.linalg.vander(x).flatten()
        first, = engine.autograd.grad((powers * engine.arange(9.0)).sum(), x, create_graph=True)
        second, = engine.autograd.grad(first.sum(), x)
        found.append([first.tolist(), second.tolist()])
    assert found[0] == found[1] and found[0][1] == [4.0, 10.0, 16.0]


def test_memory_of_uninitialised_tensors():
    for engine in BOTH.values():
        x = engine.empty_strided((2, 3), (1, 2), dtype=engine.float64)
        assert x.stride() == (1, 2) and x.dtype is engine.float64
        assert x.new_empty_strided((3,), (2,)).stride() == (2,)
        assert engine.empty_permuted((2, 3, 4), (1, 0, 2)).stride() == (4, 8, 1)
        assert engine.empty_permuted((2, 3), (1, 0), requires_grad=True).is_leaf
        for layout in ((0, 0, 1), (0, 1), (0, 1, 5)):
            with pytest.raises(RuntimeError):
                engine.empty_permuted((2, 3, 4), layout)
        assert engine.empty_strided((0, 3), (3, 1)).numel() == 0
        leaf = engine.empty_permuted((2, 3), (1, 0), requires_grad=True)
        assert leaf.is_leaf and leaf.requires_grad and leaf.stride() == (1, 2)
        for size, stride in (((2, 3), (1,)), ((2, 3), (-1, 1)), ((-2, 3), (1, 1))):
            with pytest.raises(RuntimeError, match=r"(?i)stride|size|negative"):
                engine.empty_strided(size, stride)
        for order in ((0, 0, 1), (0, 1), (0, 1, 3), (0, 1, -1)):
            with pytest.raises(RuntimeError, match=r"(?i)dim"):
                engine.empty_permuted((2, 3, 4), order)


REFUSED = {
    "as_subclass of a number's class": (TypeError, lambda e: e.ones(2).as_subclass(int)),
    "as_subclass of no class": (TypeError, lambda e: e.ones(2).as_subclass(3)),
    "select_scatter at a list": (TypeError, lambda e: e.select_scatter(
        e.ones(3, 4), e.ones(2, 4), 0, [0, 1])),
    "select_scatter at a slice": (TypeError, lambda e: e.select_scatter(
        e.ones(3, 4), e.ones(2, 4), 0, slice(2))),
    "select_scatter at a float": (TypeError, lambda e: e.select_scatter(
        e.ones(3, 4), e.ones(4), 0, 1.0)),
    "select_scatter, outside": (IndexError, lambda e: e.select_scatter(
        e.ones(3, 4), e.ones(4), 0, 3)),
    "select_scatter, no such dim": (IndexError, lambda e: e.select_scatter(
        e.ones(3, 4), e.ones(4), 2, 0)),
    "select_scatter, 0-d": (IndexError, lambda e: e.select_scatter(
        e.ones(()), e.ones(()), 0, 0)),
    "slice_scatter, 0-d": (IndexError, lambda e: e.slice_scatter(e.ones(()), e.ones(()))),
    "diagonal_scatter, one dim": (RuntimeError, lambda e: e.diagonal_scatter(
        e.ones(3, 4), e.ones(3), 0, 1, 1)),
    "diagonal_scatter, no such dim": (IndexError, lambda e: e.diagonal_scatter(
        e.ones(3, 4), e.ones(3), 0, 0, 5)),
    "repeat_interleave on meta": (RuntimeError, lambda e: e.repeat_interleave(
        e.ones(3, 2, device="meta"), e.ones(4, dtype=e.int64, device="meta"), 0, output_size=4)),
}


@in_turn("name", list(REFUSED))
def test_what_pytorch_refuses_is_refused_with_the_name_of_the_operation(name):
    kind, call = REFUSED[name]
    with pytest.raises(kind):
        call(torch)
    with pytest.raises(kind, match=name.split(",")[0].split()[0]):
        call(tinytensor)


def test_an_operation_of_a_reduction_has_the_type_redoptype():
    for engine in (tinytensor, torch):
        reduction = engine.distributed.ReduceOp
        assert isinstance(reduction.MAX, reduction.RedOpType)
        assert reduction.RedOpType.MAX == reduction.MAX != reduction.SUM


def test_questions_and_switches():
    for engine in BOTH.values():
        x = engine.ones(1)
        assert not any((x.is_conj(), engine.is_neg(x), x.is_shared(), x.is_nested, x.is_xla,
                        x.is_sparse_csr, x.is_mkldnn))
        assert engine.get_num_interop_threads() >= 1
        engine.set_warn_always(True)
        assert engine.is_warn_always_enabled()
        engine.set_warn_always(False)
        for mode, answer in (("warn", 1), ("error", 2), ("default", 0), (1, 1), (2, 2), (0, 0)):
            engine.set_deterministic_debug_mode(mode)
            assert engine.get_deterministic_debug_mode() == answer
            assert engine.are_deterministic_algorithms_enabled() is bool(answer)
            assert engine.is_deterministic_algorithms_warn_only_enabled() is (answer == 1)
        with pytest.raises(RuntimeError):
            engine.set_deterministic_debug_mode("never")
        layer = engine.nn.utils.skip_init(engine.nn.Linear, 2, 3)
        assert layer.weight.shape == (3, 2) and layer.weight.device.type == "cpu"
        with pytest.raises(RuntimeError):
            engine.nn.utils.skip_init(dict, 2)


# ---------------------------------------------------------------- what Pyro asks for


@in_turn("library", list(BOTH))
def test_lists_of_modules_name_positions(library):
    nn = BOTH[library].nn
    for modules in (nn.ModuleList([nn.ReLU(), nn.Tanh()]), nn.Sequential(nn.ReLU(), nn.Tanh())):
        if hasattr(modules, "_get_abs_string_index"):  # PyTorch's ModuleList only
            names = [modules._get_abs_string_index(i) for i in (0, 1, -1, -2)]
            assert names == ["0", "1", "1", "0"]
            with pytest.raises(IndexError, match="out of range"):
                modules._get_abs_string_index(2)


@in_turn("library", list(BOTH))
def test_tensors_are_told_from_others(library):
    engine = BOTH[library]
    x = engine.nn.Parameter(engine.ones(2))
    y = x.view(1, 2)
    held = {"x": x}
    assert held["x"]._cdata == x._cdata != y._cdata
    assert x.contiguous()._cdata == x._cdata


def test_a_module_with_a_getattr_of_its_own_is_asked_for_parameters():
    """Pyro's modules find there which parameters a guide uses."""
    answers = []
    for engine in BOTH.values():
        nn, asked = engine.nn, []

        class Asked(nn.Module):
            kind = "of the class"

            def __getattr__(self, name, asked=asked):
                asked.append(name)
                return super().__getattr__(name)

        class Layer(nn.Linear, Asked):
            pass

        layer = Layer(2, 1)
        layer.inner, layer.plain = nn.ReLU(), 3
        layer.register_buffer("count", engine.zeros(1))
        asked.clear()
        results = [layer.weight is layer._parameters["weight"], layer.count.tolist(),
                   type(layer.inner).__name__, layer.plain, layer.kind]
        layer.weight = nn.Parameter(engine.ones(1, 2))
        results += [layer.weight.tolist(), hasattr(layer, "absent"),
                    sorted(dict(layer.named_parameters()))]
        answers.append((results, [name for name in asked if not name.startswith("_")]))
    assert answers[0] == answers[1]
