"""The public names: those of PyTorch, and the errors for missing ones."""

from __future__ import annotations

import inspect
import math
import operator

import numpy
import pytest
import torch
from operations import agree_with_pytorch, in_turn

import tinytensor
from tinytensor.compat.absent import REASONS
from tinytensor.compat.names import IN_PLACE

MODULES = [(tinytensor, torch), (tinytensor.nn, torch.nn),
           (tinytensor.nn.functional, torch.nn.functional), (tinytensor.linalg, torch.linalg),
           (tinytensor.autograd, torch.autograd), (tinytensor.optim, torch.optim),
           (tinytensor.distributions, torch.distributions)]


@in_turn("name", REASONS)
def test_what_is_listed_as_absent_is_absent_and_the_error_gives_the_reason(name):
    pairs = [*MODULES, (tinytensor.ones(1), torch.ones(1))]
    owners = [ours for ours, theirs in pairs if name in dir(theirs)
              and not isinstance(getattr(ours, name, None), tinytensor.dtype)]  # may be named
    owners = owners or [tinytensor]
    for owner in owners:
        with pytest.raises(AttributeError) as error:
            getattr(owner, name)
        assert REASONS[name] in str(error.value)


@pytest.mark.parametrize(("owner", "misspelt", "meant"), [
    (tinytensor, "reshpe", "reshape"), (tinytensor.nn, "Liner", "Linear"),
    (tinytensor.nn.functional, "cros_entropy", "cross_entropy"),
    (tinytensor.linalg, "choleski", "cholesky"),
    (tinytensor.distributions, "LaPlace", "Laplace"),
    (tinytensor.ones(2), "unsqeeze", "unsqueeze")])
def test_a_misspelt_name_is_told_what_is_close(owner, misspelt, meant):
    with pytest.raises(AttributeError, match=f"has no '{misspelt}'.*{meant}"):
        getattr(owner, misspelt)


@pytest.mark.parametrize(("ours", "theirs"), MODULES, ids=lambda m: m.__name__)
def test_functions_of_the_same_name_take_their_arguments_in_the_same_order(ours, theirs):
    """Compares signatures with those of PyTorch's functions that are written in Python."""
    for name in dir(theirs):
        mine, other = getattr(ours, name, None), getattr(theirs, name)
        if name[0] == "_" or not inspect.isfunction(other) or not callable(mine):
            continue
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
        wanted = [p.name for p in inspect.signature(other).parameters.values() if p.kind in named]
        got = [p.name for p in inspect.signature(mine).parameters.values() if p.kind in named]
        common = [p for p in wanted if p in got]
        assert [p for p in got if p in wanted] == common, f"{name}: {got} for PyTorch's {wanted}"


def test_old_type_names():
    assert tinytensor.LongTensor([1, 2]).dtype is tinytensor.int64
    assert tuple(tinytensor.FloatTensor(2, 3).shape) == (2, 3)
    assert tinytensor.ones(1).type() == torch.ones(1).type().replace("torch", "tinytensor")
    assert tinytensor.ones(1).type("torch.LongTensor").dtype is tinytensor.int64
    assert tinytensor.ones(1).type(tinytensor.float64).dtype is tinytensor.float64
    with pytest.raises(ValueError, match=r"unknown type 'torch\.NoTensor'"):
        tinytensor.ones(1).type("torch.NoTensor")


def test_a_dtype_that_numpy_lacks_has_a_name_but_cannot_be_used():
    assert repr(tinytensor.complex64) == "tinytensor.complex64"
    with pytest.raises(TypeError, match="Tensors have no such dtype; use float32"):
        tinytensor.ones(2, dtype=tinytensor.complex64)


@pytest.mark.parametrize("name", ["squeeze_", "unsqueeze_", "transpose_", "t_", "swapaxes_"])
def test_in_place_changes_of_shape(name):
    arguments = {"unsqueeze_": (1,), "transpose_": (0, 1), "swapaxes_": (0, 1)}.get(name, ())
    found = []
    for library in (tinytensor, torch):
        leaf = library.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
        x = leaf * 2
        assert getattr(x, name)(*arguments) is x
        (x * x).sum().backward()
        found.append((tuple(x.shape), x.tolist(), leaf.grad.tolist()))
    assert found[0] == found[1]


def test_questions_about_tensors_and_dtypes():
    x = tinytensor.ones(2, 3)
    assert tinytensor.is_tensor(x) and not tinytensor.is_tensor(1.0)
    assert tinytensor.numel(x) == 6 and tinytensor.is_floating_point(x)
    assert tinytensor.result_type(tinytensor.ones(2, dtype=tinytensor.int32), 1.5) \
        is tinytensor.float32
    assert tinytensor.inf == torch.inf and tinytensor.pi == torch.pi


def test_pythons_float_is_float64_as_a_dtype():
    assert tinytensor.ones(2, dtype=float).dtype is tinytensor.float64
    assert tinytensor.tensor([1.0]).to(float).dtype is tinytensor.float64


@pytest.mark.parametrize("value", [2.5, 3, True])
def test_a_single_number_is_formatted_as_a_number(value):
    assert f"{tinytensor.tensor(value)}" == f"{torch.tensor(value)}"
    assert "{}".format(tinytensor.ones(2, requires_grad=True).sum()) == "2.0"  # noqa: UP032


def test_words_of_older_programs():
    x = tinytensor.autograd.Variable(tinytensor.ones(2), requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    assert tuple(x.new(1, 4).zero_().shape) == (1, 4) and x.new([1, 2]).tolist() == [1.0, 2.0]
    y = (x ** 2).sum()
    found = tinytensor.autograd.grad(outputs=y, inputs=x, create_graph=True, only_inputs=True)
    assert found[0].tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match="only_inputs=False"):
        tinytensor.autograd.grad(y, x, only_inputs=False)
    assert isinstance(y, tinytensor.autograd.Variable)
    assert not isinstance(3, tinytensor.autograd.Variable)
    with pytest.warns(UserWarning, match="volatile has no effect"):
        assert not tinytensor.autograd.Variable(x, volatile=True).requires_grad
    with pytest.raises(TypeError, match="must be a Tensor, got list"):
        tinytensor.autograd.Variable([1.0])
    tinytensor.cuda.empty_cache()  # does nothing without a GPU


def test_an_unknown_argument_is_refused_under_the_functions_own_name():
    x = tinytensor.zeros(2)
    for function in (tinytensor.add, tinytensor.mul):
        with pytest.raises(TypeError, match=rf"^{function.__name__}\(\) got an unexpected"):
            function(x, 1, otu=x)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (2, 3, 2, 2)])
def test_without_a_dim_softmax_takes_pytorchs_and_warns(name, shape):
    values = tinytensor.rand(shape, dtype=tinytensor.float64)
    with pytest.warns(UserWarning, match=f"{name}: no dim is given, dim=[01] is taken"):
        found = getattr(tinytensor.nn.functional, name)(values)
    with pytest.warns(UserWarning, match="Implicit dimension choice"):
        expected = getattr(torch.nn.functional, name)(torch.from_numpy(values.numpy()))
    torch.testing.assert_close(torch.from_numpy(found.numpy()), expected, rtol=1e-12, atol=0)


def test_anomalies_are_detected_from_a_call_on_or_in_a_block():
    x = tinytensor.zeros(2, requires_grad=True)
    with tinytensor.autograd.set_detect_anomaly(True), pytest.raises(RuntimeError, match="inf"):
        x.log()
    x.log()
    tinytensor.autograd.set_detect_anomaly(True)
    try:
        with pytest.raises(RuntimeError, match="inf"):
            x.log()
        with tinytensor.autograd.set_detect_anomaly(False):
            x.log()
    finally:
        tinytensor.autograd.set_detect_anomaly(False)
    x.log()

    @tinytensor.autograd.set_detect_anomaly(True)
    def checked():
        return x.log()

    x.log()
    with pytest.raises(RuntimeError, match="inf"):
        checked()


def test_more_questions_about_tensors():
    x = tinytensor.ones(2)
    assert x.is_cpu and not (x.is_meta or x.is_mps or x.is_xpu)
    assert x.pin_memory() is x and not x.is_pinned()
    assert tinytensor.is_nonzero(tinytensor.ones(1)) and not tinytensor.zeros(1).is_nonzero()
    assert tinytensor.typename(x) == "tinytensor.FloatTensor" and tinytensor.typename(3) == "int"
    assert tinytensor.typename(tinytensor.nn.Linear).endswith("Linear")


def test_layers_stand_where_pytorch_keeps_them():
    import importlib

    for name, kind in vars(torch.nn).items():
        place = getattr(kind, "__module__", "") or ""
        if place.startswith("torch.nn.modules.") and hasattr(tinytensor.nn, name):
            module = importlib.import_module(place.replace("torch", "tinytensor", 1))
            assert getattr(module, name) is getattr(tinytensor.nn, name)
            assert getattr(tinytensor.nn.modules, name) is getattr(tinytensor.nn, name)
    from tinytensor.nn.modules.batchnorm import _BatchNorm
    from tinytensor.nn.modules.utils import _ntuple, _pair, _triple

    assert isinstance(tinytensor.nn.BatchNorm2d(1), _BatchNorm)
    assert _pair(3) == (3, 3) and _triple((1, 2, 3)) == (1, 2, 3)
    for make in (_ntuple, torch.nn.modules.utils._ntuple):
        assert make(3)(2) == (2, 2, 2) and make(2)([4, 5]) == (4, 5)
    assert tinytensor.nn.parameter.Parameter is tinytensor.nn.Parameter


@pytest.mark.parametrize("name", [
    "uniform", "normal", "constant", "dirac", "xavier_uniform", "xavier_normal",
    "kaiming_uniform", "kaiming_normal", "orthogonal", "sparse"])
def test_older_names_of_initialisations_warn(name):
    arguments = {"constant": (2.0,), "sparse": (0.5,)}.get(name, ())
    found = []
    for function in (name, f"{name}_"):
        tinytensor.manual_seed(0)
        x = tinytensor.zeros((3, 2, 3) if name == "dirac" else (4, 3))
        if function == name:
            with pytest.warns(FutureWarning, match=rf"nn\.init\.{name} is deprecated"):
                assert getattr(tinytensor.nn.init, function)(x, *arguments) is x
        else:
            getattr(tinytensor.nn.init, function)(x, *arguments)
        found.append(x.tolist())
    assert found[0] == found[1]


def test_the_older_name_of_clip_grad_norm_warns():
    for lib in (tinytensor, torch):
        x = lib.ones(4)
        x.grad = lib.full((4,), 3.0)
        with pytest.warns(FutureWarning, match=r"nn\.utils\.clip_grad_norm.? is "):
            norm = lib.nn.utils.clip_grad_norm([x], 1.5)
        assert norm.item() == 6 and x.grad.tolist() == pytest.approx([0.75] * 4)


def test_types_are_classes_of_a_dtype_and_a_device(gpu):
    x = tinytensor.ones(2, dtype=tinytensor.int64)
    assert isinstance(x, tinytensor.LongTensor) and not isinstance(x, tinytensor.FloatTensor)
    assert not isinstance(x, tinytensor.cuda.LongTensor)
    assert not isinstance(3, tinytensor.LongTensor)
    there = x.type(tinytensor.cuda.FloatTensor)
    assert isinstance(there, tinytensor.cuda.FloatTensor) and there.tolist() == [1.0, 1.0]
    assert x.type("torch.cuda.FloatTensor").type() == "tinytensor.cuda.FloatTensor" == there.type()
    assert isinstance(there.type("torch.DoubleTensor"), tinytensor.DoubleTensor)
    assert there.type(tinytensor.float64).is_cuda  # a dtype does not change the device
    assert tinytensor.cuda.HalfTensor([1, 2]).is_cuda
    assert tuple(tinytensor.cuda.ByteTensor(2, 3).shape) == (2, 3)
    with pytest.raises(ValueError, match=r"unknown type 'torch\.Float'"):
        x.type("torch.Float")
    assert x.type(tinytensor.Tensor).dtype is tinytensor.float32
    layer = tinytensor.nn.Linear(2, 2).type(tinytensor.cuda.DoubleTensor)
    assert isinstance(layer.weight, tinytensor.cuda.DoubleTensor)
    assert layer.type("torch.FloatTensor").bias.dtype is tinytensor.float32
    sizes = tinytensor.zeros(2, 3).size()
    for made in (tinytensor.FloatTensor(sizes), tinytensor.Tensor(sizes),
                 tinytensor.cuda.FloatTensor(sizes)):
        assert made.shape == sizes
    for wrong in (tinytensor.Tensor, tinytensor.LongTensor, tinytensor.nn.Linear, "foo"):
        with pytest.raises(TypeError, match="unknown dtype"):
            x.to(dtype=wrong)


def test_default_tensor_type(gpu):
    try:
        tinytensor.set_default_tensor_type("torch.cuda.DoubleTensor")
        x = tinytensor.zeros(2)
        assert x.is_cuda and x.dtype is tinytensor.float64
        with pytest.raises(TypeError, match="floating"):
            tinytensor.set_default_tensor_type(tinytensor.LongTensor)
        with pytest.raises(TypeError, match="set_default_dtype"):
            tinytensor.set_default_tensor_type(tinytensor.float32)
    finally:
        tinytensor.set_default_tensor_type(tinytensor.FloatTensor)
    assert tinytensor.zeros(2).type() == "tinytensor.FloatTensor"


@pytest.mark.skipif(tinytensor.cuda.is_available(), reason="there is a GPU")
def test_a_default_tensor_type_of_a_device_that_is_not_there_changes_nothing():
    with pytest.raises(RuntimeError, match="CuPy"):
        tinytensor.set_default_tensor_type("torch.cuda.DoubleTensor")
    assert tinytensor.zeros(2).type() == "tinytensor.FloatTensor"


@pytest.mark.parametrize("name", ["erf", "erfc", "erfinv", "exp2", "expm1", "log1p", "logit",
                                  "logsumexp", "round", "sinc", "xlogy", "expit", "softmax",
                                  "log_softmax"])
def test_special_functions(name):
    more = {"xlogy": (2.5,), "logsumexp": (1,), "softmax": (1,), "log_softmax": (0,)}
    found, expected = (getattr(lib.special, name)(
        lib.linspace(0.1, 0.9, 6, dtype=lib.float64).reshape(2, 3), *more.get(name, ()))
        for lib in (tinytensor, torch))
    torch.testing.assert_close(torch.from_numpy(found.numpy()), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("convert", [float, int, complex, operator.index, bool, math.isfinite])
@pytest.mark.parametrize("make", [lambda t: t.ones(3), lambda t: t.ones(1), lambda t: t.tensor(2),
                                  lambda t: t.tensor([2, 3]), lambda t: t.tensor([[2.5]])],
                         ids=["3", "1", "int", "ints", "matrix"])
def test_becoming_a_number_of_pythons(convert, make):
    """Conversions give the same numbers or error types. Other libraries rely on both."""
    outcomes = []
    for library in (tinytensor, torch):
        try:
            outcomes.append(convert(make(library)))
        except (TypeError, ValueError, RuntimeError) as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]


BY_KEYWORD = {
    "split": lambda t, x: x.split(split_size=[2, 4], dim=1),
    "split of a function": lambda t, x: t.split(tensor=x, split_size_or_sections=2, dim=1),
    "split_with_sizes": lambda t, x: t.split_with_sizes(x, split_sizes=[1, 1]),
    "view": lambda t, x: x.view(size=(3, 4)),
    "view as a dtype": lambda t, x: x.view(dtype=t.int32),
    "expand": lambda t, x: x.expand(size=(2, 2, 6)),
    "pow": lambda t, x: x.pow(exponent=2) + t.pow(input=x, exponent=x) + t.pow(2, exponent=x),
    "swapaxes": lambda t, x: x.swapaxes(axis0=0, axis1=1) + t.swapdims(x, dim0=1, dim1=0),
    "hsplit": lambda t, x: (*x.hsplit(sections=2), *x.hsplit(indices=(1,)),
                            *t.tensor_split(x, sections=4, dim=1)),
    "vdot": lambda t, x: t.vdot(x[0], other=x[1]),
    "functions of linalg": lambda t, x: (t.matrix_power(input=x[:, :2], n=2), t.linalg.matrix_power(
        x[:, :2], n=3)),
    "normalize into": lambda t, x: t.nn.functional.normalize(x.double(), out=t.zeros(
        2, 6, dtype=t.float64)),
    "set_": lambda t, x: (t.zeros(1).set_(x, 2, (2, 2)), t.zeros(1).set_(x, 1, (2,), (3,)),
                          t.ones(2).set_()),
    "singular values alone": lambda t, x: (t.svd(x.double(), compute_uv=False).S,
                                           t.svd(x.double(), True, False).U),
    "range into": lambda t, x: t.arange(1.0, 4.0, out=t.zeros(3)),
    "swapaxes_": lambda t, x: x.clone().swapaxes_(axis0=0, axis1=1),
    "copy_": lambda t, x: t.zeros(2, 6).copy_(other=x),
    "promote_types": lambda t, x: x.to(t.promote_types(type1=t.int64, type2=t.float32)),
    "stack": lambda t, x: t.stack((x, x), axis=1),
    "unsqueeze": lambda t, x: x.unsqueeze(axis=1),
    "sort": lambda t, x: tuple(x.sort(axis=1)),
    "median": lambda t, x: tuple(x.median(axis=0, keepdims=True)),
    "index_select": lambda t, x: x.index_select(axis=1, index=t.tensor([0, 2])),
    "max": lambda t, x: tuple(x.max(axis=1, keepdims=True)),
    "an older add": lambda t, x: t.add(x, 2, x) + x.clone().add_(0.5, x) - t.sub(x, 3, x),
    "an older addcmul": lambda t, x: t.addcmul(x, 2, x, x) + x.clone().addcdiv_(-1, x, x + 9),
    "max and min of two into one": lambda t, x: (
        t.max(x, -x, out=t.zeros(2, 6)), t.min(x, 1 - x, out=t.zeros(2, 6))),
    "real and conj": lambda t, x: x.real + t.real(x) + x.conj() + t.conj(x),
    "spmm": lambda t, x: t.spmm(x, x.T),
    "where in memory": lambda t, x: t.tensor([x[1].storage_offset(), x[:, 2:].storage_offset()]),
    "as_strided": lambda t, x: (t.as_strided(x, (), ()), x[1].as_strided((2, 3), (1, 1)),
                                x[1].as_strided((2, 2), (1, 2), 7), x[1].as_strided((2,), (3,), 0),
                                x.t().as_strided((6, 2), (1, 6)), x[:, 1].as_strided((), ())),
}


@pytest.mark.parametrize("name", BY_KEYWORD)
@pytest.mark.filterwarnings("ignore:This overload of:UserWarning")
def test_parameters_go_by_pytorchs_names(name):
    results = []
    for library in (tinytensor, torch):
        x = library.tensor([[0.5, -1, 2, 0.25, 3, -4], [1, 5, -2, 0.75, 2, 1]])
        found = BY_KEYWORD[name](library, x)
        results.append([r.tolist() for r in (found if isinstance(found, tuple) else (found,))])
    assert repr(results[0]) == repr(results[1])


@pytest.mark.parametrize(("make", "arguments", "said"), [
    (lambda x: x[1:], ((2,), (1,), 11), "element 12 of a memory of 12"),
    (lambda x: x[:, :1].expand(3, 4), ((2,), (1,)), "elements that are there once in memory"),
    (lambda x: x, ((2, 3), (1,)), "must be equally many"),
    (lambda x: x, ((2,), (-1,)), "not negative"),
    (lambda x: x, ((3,), (6,)), "element 12 of a memory of 12")])
def test_memory_that_as_strided_does_not_reach(make, arguments, said):
    with pytest.raises(RuntimeError, match=f"as_strided: .*{said}"):
        tinytensor.as_strided(make(tinytensor.ones(3, 4)), *arguments)


def test_two_names_for_one_parameter_are_an_error():
    with pytest.raises(TypeError, match="axis"):
        tinytensor.ones(2, 3).unsqueeze(dim=0, axis=1)


@pytest.mark.parametrize("name", ["max", "min"])
def test_of_two_tensors_max_and_min_take_no_other_options(name):
    x = tinytensor.ones(2)
    for option, value in (("blah", 3), ("dim", 0), ("keepdim", True)):
        with pytest.raises(TypeError, match=f"{name}: of two Tensors there is no {option}"):
            getattr(x, name)(x, **{option: value})


def test_compile_changes_nothing():
    layer = tinytensor.nn.Linear(2, 3)
    assert tinytensor.compile(layer, mode="reduce-overhead") is layer
    assert layer.compile() is None

    @tinytensor.compile
    def double(x):
        return 2 * x

    @tinytensor.compile(fullgraph=True, dynamic=False)
    def triple(x):
        return 3 * x

    assert (double(2), triple(2)) == (4, 6)
    with pytest.raises(TypeError, match="expected a Module or a function, got int"):
        tinytensor.compile(3)


@pytest.mark.parametrize("call", {
    "softplus": lambda f, x, p: f.softplus(x, beta=p), "elu": lambda f, x, p: f.elu(x, p),
    "threshold": lambda f, x, p: f.threshold(x, p, p),
    "dropout": lambda f, x, p: f.dropout(x, p), "alpha_dropout":
        lambda f, x, p: f.alpha_dropout(x, p, True),
    "layer_norm": lambda f, x, p: f.layer_norm(x, (3,), eps=p),
    "pairwise_distance": lambda f, x, p: f.pairwise_distance(x, 2 * x, p=p + 1),
    "logit": lambda f, x, p: tinytensor.logit(x, eps=p / 2),
    "lerp": lambda f, x, p: x.lerp(2 * x, p), "clamp": lambda f, x, p: x.clamp(min=p),
    "times": lambda f, x, p: p * x + x ** p}.items(), ids=lambda item: item[0])
def test_a_number_of_numpys_leaves_the_dtype(call):
    x = tinytensor.tensor([[0.25, 0.5, 0.75]], requires_grad=True)
    result = call[1](tinytensor.nn.functional, x, numpy.float64(0.7))
    assert result.dtype is tinytensor.float32
    result.sum().backward()
    assert x.grad.dtype is tinytensor.float32


@pytest.mark.parametrize("write", [lambda x: x.data.mul_(3), lambda x: x.data[0].fill_(5.0),
                                   lambda x: x.data.copy_(x.data + 1)])
def test_writes_through_data_go_unnoticed_as_in_pytorch(write):
    gradients = []
    for library in (tinytensor, torch):
        x = library.ones(2, requires_grad=True)
        y = x * x
        write(x)
        y.sum().backward()
        gradients.append(x.grad.tolist())
    assert gradients[0] == gradients[1] != [2.0, 2.0]
    x = tinytensor.ones(2, requires_grad=True)
    y = x * x
    x.detach().mul_(3)
    with pytest.raises(RuntimeError, match="has overwritten it in place"):
        y.sum().backward()


def test_nodes_as_drawings_of_the_graph_ask_for_them():
    for library in (tinytensor, torch):
        class Scaled(library.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.factor = 7
                ctx.save_for_backward(x)
                return x * 7

            @staticmethod
            def backward(ctx, g):
                return g * ctx.factor

        x = library.ones(3, requires_grad=True)
        y = Scaled.apply(x)
        node = y.grad_fn
        assert node.factor == 7 and not hasattr(node, "other")
        assert node.next_functions[0][0].variable is x
        (saved,) = node.saved_tensors
        assert saved.tolist() == [1, 1, 1]
        assert not hasattr((x * x).grad_fn, "saved_tensors")
        y.sum().backward()
        with pytest.raises(RuntimeError):
            node.saved_tensors  # noqa: B018


@in_turn("name", [name for name in IN_PLACE if name not in ("addmv", "index_put", "gcd", "lcm")])
def test_in_place_forms_at_the_top(name):
    """Top-level in-place functions give the same results as PyTorch's."""
    more = {"clamp": (0, 1), "clip": (0, 1), "clamp_max": (0.3,), "clamp_min": (0.3,)}.get(name, ())
    others = 1 if name == "xlogy" else 0
    agree_with_pytorch(lambda library, x: getattr(library, f"{name}_")(
        x.detach() * 1, *more, *(x.detach(),) * others), numpy.array([0.25, 0.75]))


@pytest.mark.parametrize("call", [
    lambda library, x: library.dropout(x, 0.0, True),
    lambda library, x: library.dropout(x, 0.5, False),
    lambda library, x: library.batch_norm(x, x[0].detach(), x[1].detach(), None, None, True, 0.1,
                                          1e-5, False),
    lambda library, x: library.batch_norm(x, None, None, x[0].detach(), x[1].detach() ** 2, False,
                                          0.1, 1e-5, False),
    *(lambda library, x, size=size: x.sum_to_size(*size) for size in (
        (1, 2), (3, 1), (2,), (1,), (3, 2), ((3, 1),), (2, 1), (1, 3, 2)))])
def test_functions_of_the_top_level_with_other_arguments(call):
    agree_with_pytorch(call, numpy.array([[1.0, 2.0], [-1.0, 0.5], [3.0, -2.0]]))


def test_misspelt_initializations_get_a_hint():
    with pytest.raises(AttributeError, match="init has no 'xavier_norm_'; close to it: xavier"):
        tinytensor.nn.init.xavier_norm_  # noqa: B018
