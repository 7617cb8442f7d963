"""The names that the packages offer: PyTorch's, and what is said about those that are missing."""

from __future__ import annotations

import inspect
import math
import operator

import pytest
import torch
from operations import in_turn

import tinytensor
from tinytensor.absent import REASONS

MODULES = [(tinytensor, torch), (tinytensor.nn, torch.nn),
           (tinytensor.nn.functional, torch.nn.functional), (tinytensor.linalg, torch.linalg),
           (tinytensor.autograd, torch.autograd), (tinytensor.optim, torch.optim),
           (tinytensor.distributions, torch.distributions)]


@in_turn("name", REASONS)
def test_what_is_listed_as_absent_is_absent_and_the_error_gives_the_reason(name):
    pairs = [*MODULES, (tinytensor.ones(1), torch.ones(1))]
    owners = [ours for ours, theirs in pairs if name in dir(theirs)] or [tinytensor]
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
    """Checked where PyTorch's function tells its signature: those that are written in Python."""
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
    assert repr(tinytensor.bfloat16) == "tinytensor.bfloat16"
    with pytest.raises(TypeError, match="NumPy has no such dtype; use float32"):
        tinytensor.ones(2, dtype=tinytensor.bfloat16)


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
    tinytensor.cuda.empty_cache()  # nothing to give back without a GPU


def test_an_unknown_argument_is_refused_under_the_functions_own_name():
    x = tinytensor.zeros(2)
    for function in (tinytensor.add, tinytensor.mul):
        with pytest.raises(TypeError, match=rf"^{function.__name__}\(\) got an unexpected"):
            function(x, 1, out=x)


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
    from tinytensor.nn.modules.utils import _pair, _triple

    assert isinstance(tinytensor.nn.BatchNorm2d(1), _BatchNorm)
    assert _pair(3) == (3, 3) and _triple((1, 2, 3)) == (1, 2, 3)
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


def test_types_are_classes_of_a_dtype_and_a_device(gpu):
    x = tinytensor.ones(2, dtype=tinytensor.int64)
    assert isinstance(x, tinytensor.LongTensor) and not isinstance(x, tinytensor.FloatTensor)
    assert not isinstance(x, tinytensor.cuda.LongTensor)
    assert not isinstance(3, tinytensor.LongTensor)
    there = x.type(tinytensor.cuda.FloatTensor)
    assert isinstance(there, tinytensor.cuda.FloatTensor) and there.tolist() == [1.0, 1.0]
    assert x.type("torch.cuda.FloatTensor").type() == "tinytensor.cuda.FloatTensor" == there.type()
    assert isinstance(there.type("torch.DoubleTensor"), tinytensor.DoubleTensor)
    assert there.type(tinytensor.float64).is_cuda  # a dtype says nothing of the device
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
    """The same numbers, and the same kinds of errors, by which other libraries go."""
    outcomes = []
    for library in (tinytensor, torch):
        try:
            outcomes.append(convert(make(library)))
        except (TypeError, ValueError, RuntimeError) as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]
