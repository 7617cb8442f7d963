"""Names that few programs use, compared with PyTorch: a call for each, on both libraries."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor

LIBRARIES = (tinytensor, torch)
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def plain(x: Any) -> Any:
    """A result as plain data; Tensors with their dtypes."""
    if isinstance(x, tinytensor.Tensor | torch.Tensor):
        return str(x.dtype).partition(".")[2], x.detach().numpy().astype("float64")
    if isinstance(x, dict):
        return {name: plain(value) for name, value in x.items()}
    return [plain(item) for item in x] if isinstance(x, list | tuple) else x


def agree(ours: Any, theirs: Any, tolerance: float) -> None:
    if isinstance(theirs, list | tuple | dict):
        assert len(ours) == len(theirs)
        for key in theirs if isinstance(theirs, dict) else range(len(theirs)):
            agree(ours[key], theirs[key], tolerance)
    elif isinstance(theirs, numpy.ndarray):
        assert ours.shape == theirs.shape
        numpy.testing.assert_allclose(ours, theirs, tolerance, tolerance)
    else:
        assert ours == theirs


def numbers(library: Any, *shape: int, seed: int = 0, low: float = -1.0, high: float = 1.0,
            requires_grad: bool = False) -> Any:
    values = numpy.random.default_rng(seed).uniform(low, high, shape)
    return library.tensor(values).requires_grad_(requires_grad)


def gradients(library: Any, result: Any, *inputs: Any) -> Any:
    return [result, *library.autograd.grad((result * result).sum(), inputs)]


WINDOWS = {
    "bartlett": {}, "blackman": {}, "cosine": {}, "exponential": {"tau": 2.5}, "gaussian": {
        "std": 1.7}, "general_cosine": {"a": [0.4, 0.3, 0.2, 0.1]}, "general_hamming": {
        "alpha": 0.6}, "hamming": {}, "hann": {}, "kaiser": {"beta": 5.0}, "nuttall": {}}


@in_turn("name", list(WINDOWS))
def test_windows(name):
    from tinytensor.signal import windows

    for options in ({}, {"sym": False}):
        for count in (0, 1, 2, 7, 8):
            ours, theirs = (getattr(place, name)(
                count, dtype=library.float64, **WINDOWS[name], **options)
                for library, place in ((tinytensor, windows), (torch, torch.signal.windows)))
            agree(plain(ours), plain(theirs), 1e-13)
    for place in (windows, torch.signal.windows):
        with pytest.raises(ValueError, match="negative"):
            getattr(place, name)(-1, **WINDOWS[name])
    assert getattr(windows, name)(4, requires_grad=True, **WINDOWS[name]).requires_grad


@in_turn("call", [
    lambda w: w.exponential(4, tau=0), lambda w: w.gaussian(4, std=0), lambda w: w.kaiser(
        4, beta=-1), lambda w: w.exponential(4, center=1), lambda w: w.general_cosine(4, a=[]),
    lambda w: w.hann(4, dtype=torch.int64 if w is torch.signal.windows else tinytensor.int64)])
def test_windows_refuse_parameters_out_of_range(call):
    from tinytensor.signal import windows

    for place in (windows, torch.signal.windows):
        with pytest.raises(ValueError, match=r".+"):
            call(place)


def layer_weights(library: Any) -> dict[str, Any]:
    return {"in_proj_weight": numbers(library, 12, 4, seed=1),
            "in_proj_bias": numbers(library, 12, seed=2), "bias_k": None, "bias_v": None,
            "out_proj_weight": numbers(library, 4, 4, seed=3),
            "out_proj_bias": numbers(library, 4, seed=4), "add_zero_attn": False,
            "dropout_p": 0.0, "embed_dim_to_check": 4, "num_heads": 2}


def attend(library: Any, **options: Any) -> Any:
    query, key, value = (numbers(library, n, 2, 4, seed=n, requires_grad=True) for n in (3, 5, 5))
    out, weights = library.nn.functional.multi_head_attention_forward(
        query, key, value, **(layer_weights(library) | options))
    return [*gradients(library, out, query, key, value), weights]


def separate(library: Any) -> dict[str, Any]:
    return {"use_separate_proj_weight": True, "in_proj_weight": None,
            "q_proj_weight": numbers(library, 4, 4, seed=5),
            "k_proj_weight": numbers(library, 4, 4, seed=6),
            "v_proj_weight": numbers(library, 4, 4, seed=7)}


def forward_derivative(library: Any) -> Any:
    from tinytensor.autograd import forward_ad as ours

    level = ours if library is tinytensor else torch.autograd.forward_ad
    weight = numbers(library, 3, seed=2, requires_grad=True)
    with level.dual_level():
        x = level.make_dual(numbers(library, 3), numbers(library, 3, seed=1))
        y = level.unpack_dual((x * weight).sin() * x.exp())
        none = level.unpack_dual(numbers(library, 3)).tangent
        return [y.primal, *gradients(library, y.tangent, weight), none,
                level.unpack_dual(x * 2).tangent.requires_grad]


def linearized(library: Any) -> Any:
    a, b = numbers(library, 3), numbers(library, 3, seed=1)
    value, product = library.func.linearize(lambda a, b: {"x": a * b.sin(), "y": a.sum()}, a, b)
    return [value, product(b, a), product(a, a)]


def batch_norm_of_samples(library: Any) -> Any:
    model = library.nn.Sequential(library.nn.BatchNorm1d(3, track_running_stats=True)).double()
    library.func.replace_all_batch_norm_modules_(model)
    x = numbers(library, 2, 4, 3)
    return [library.func.vmap(model)(x), len(list(model.buffers()))]


def transferred(library: Any) -> Any:
    parametrize = library.nn.utils.parametrize

    class Doubled(library.nn.Module):
        def forward(self, x: Any) -> Any:
            return 2 * x

    made, other = library.nn.Linear(2, 2).double(), library.nn.Linear(2, 2).double()
    made.weight.data.copy_(numbers(library, 2, 2))
    parametrize.register_parametrization(made, "weight", Doubled())
    parametrize.transfer_parametrizations_and_params(made, other)
    same = other.parametrizations.weight.original is made.parametrizations.weight.original
    empty = library.nn.Module()
    parametrize.transfer_parametrizations_and_params(made, empty, "weight")
    return [same, other.weight, empty.weight]


def made_tensors(library: Any) -> Any:
    library.manual_seed(0)
    make = library.testing.make_tensor
    return [make(3, 4, dtype=library.float32, device="cpu"),
            make((5,), dtype=library.int64, device="cpu", low=-2, high=3),
            make(6, dtype=library.bool, device="cpu"), make(4, dtype=library.uint8, device="cpu"),
            make(2, 3, dtype=library.float64, device="cpu", low=0, high=1, requires_grad=True),
            make(9, dtype=library.int8, device="cpu", low=-1, high=2, exclude_zero=True),
            make(3, 2, dtype=library.float32, device="cpu", noncontiguous=True).stride()]


def resized(library: Any) -> Any:
    x = library.arange(6.0)
    x.resize_as_(library.zeros(2, 2))
    y = library.arange(6.0)
    y.as_strided_((2, 2), (1, 3))
    library.resize_as_(library.zeros(1), y)
    whole = library.arange(4.0)
    return [x, y, whole.is_set_to(whole[:]), whole.is_set_to(whole[1:]),
            whole.const_data_ptr() == whole.data_ptr()]


def in_place(library: Any) -> Any:
    x = numbers(library, 6, low=0.1)
    results = []
    for name, arguments in {"celu_": (0.5,), "selu_": (), "threshold_": (0.3, -1.0),
                            "rrelu_": (), "zero_": (), "fill_": (2.5,), "i0_": (),
                            "detach_": ()}.items():
        changed = x.clone() - 0.5
        assert getattr(library, name)(changed, *arguments) is changed
        results.append(changed)
    return [*results, (x + 3).mvlgamma_(2), (x + 3).polygamma_(1)]


def solved(library: Any) -> Any:
    matrices = numbers(library, 2, 3, 3)
    matrices[1, 2] = matrices[1, 1]
    matrices[1, 0] = matrices[1, 1]  # singular
    result, info = library.linalg.solve_ex(matrices, numbers(library, 2, 3, 2, seed=1))
    return [result[0], info > 0]


def tree(library: Any) -> Any:
    future = library.jit.fork(lambda x, y: x + y, 2, y=3)
    return [library.jit.wait(future), library.fork(max, 1, 2).wait(), library.wait(future)]


def factory(library: Any) -> Any:
    made = library.nn.factory_kwargs({"device": "cpu", "factory_kwargs": {"dtype": "x"}})
    for wrong in ({"size": 1}, {"dtype": 1, "factory_kwargs": {"dtype": 2}}):
        with pytest.raises(TypeError):
            library.nn.factory_kwargs(wrong)
    return made


def mapped(library: Any, path: str = "") -> Any:
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "numbers")
        x = library.from_file(path, shared=True, size=4, dtype=library.float32)
        x.copy_(library.arange(4.0))
        y = library.from_file(path, shared=False, size=3)
        y[0] = 7.0
        return [x.clone(), y.clone(), library.from_file(path, size=2, dtype=library.int32).clone()]


def replicas(library: Any) -> Any:
    """PyTorch's functions want GPUs."""
    x, layers = numbers(library, 2, 2), [library.nn.Identity(), library.nn.Flatten(0)]
    if library is torch:
        return [[layers[0](x), layers[1](x)], torch.cat([x, x]), [x[:1], x[1:]]]
    parallel = library.nn.parallel
    return [parallel.parallel_apply(layers, [x, (x,)]), parallel.gather([x, x], "cpu"),
            parallel.scatter(x, ["cpu", "cpu"])]


def tails(library: Any) -> Any:
    x = library.tensor([1e-300, 1e-30, 1e-9, 1e-3, 0.2499, 0.25, 0.5 + 1e-12, 0.9, 1 - 1e-12, 0.0,
                        1.0, -1.0, 2.0, numpy.nan], dtype=library.float64)
    return library.special.ndtri(x)


def zetas(library: Any) -> Any:
    s = library.tensor([1.0, 0.5, 2.0, 2.0, 2.5, 3.0, 4.0, numpy.nan, 1.0, 1e3, 1.001, 300.0],
                       dtype=library.float64)
    x = library.tensor([2.0, 2.0, 0.0, -1.0, -1.5, -1.5, -20.25, 1.0, -1.0, 0.5, 3.0, 700.0],
                       dtype=library.float64)
    return [library.special.zeta(s, x), library.special.zeta(2, x), library.special.zeta(s, 2.0),
            library.special.zeta(library.tensor([2, 3]), 1)]


def extremes(library: Any) -> Any:
    root = numbers(library, 9, 9)
    matrix, other = root @ root.mT, library.eye(9, dtype=library.float64) + 0.1
    library.manual_seed(0)
    results = []
    for options in ({"k": 2}, {"k": 2, "largest": False}, {"k": 1, "B": other},
                    {"X": numbers(library, 9, 3)}):
        values, vectors = library.lobpcg(matrix, niter=-1, tol=1e-12, **options)
        results += [values, vectors.abs()]
    with pytest.raises(ValueError, match=r"eigenvalues|eigenpairs"):
        library.lobpcg(matrix, 4)
    return results


def tail(library: Any) -> Any:
    """In float32: PyTorch's own log_prob takes nothing else."""
    loc, scale, k = (numbers(library, 3, 4, seed=i, low=low).float().requires_grad_()
                     for i, low in enumerate((-1.0, 0.5, -0.6)))
    with library.no_grad():
        k[0, 0] = 0.0
    made = library.distributions.GeneralizedPareto(loc, scale, k)
    value = loc.detach() + numbers(library, 3, 4, seed=3, low=0.1, high=0.7).float()
    shares = numbers(library, 3, 4, seed=4, low=0.05, high=0.95).float()
    asked = [made.log_prob(value), made.cdf(value), made.log_survival_function(value),
             made.icdf(shares), made.entropy(), made.mean, made.mode]
    library.manual_seed(0)
    drawn = [made.rsample((2,)), made.expand((2, 3, 4)).sample(), made.variance.isnan()]
    slopes = library.autograd.grad(sum(x.sum() for x in [*asked[:5], drawn[0]]), (loc, scale, k))
    return [*asked, *drawn, *slopes, made.support.check(value), made.support.check(value - 2)]


def static(library: Any) -> dict[str, Any]:
    return {"static_k": numbers(library, 4, 6, 2, seed=8),
            "static_v": numbers(library, 4, 6, 2, seed=9)}


CALLS: dict[str, Callable[[Any], Any]] = {
    "multi_head_attention_forward": attend,
    "without weights": lambda lib: attend(lib, need_weights=False)[:4],
    "with separate projections": lambda lib: attend(lib, **separate(lib)),
    "with bias_k and a padded key": lambda lib: attend(
        lib, bias_k=numbers(lib, 1, 1, 4), bias_v=numbers(lib, 1, 1, 4, seed=3),
        add_zero_attn=True, average_attn_weights=False,
        key_padding_mask=lib.tensor([[False] * 4 + [True], [False] * 5])),
    "with static keys": lambda lib: attend_static(lib),
    "forward_ad": forward_derivative, "linearize": linearized,
    "replace_all_batch_norm_modules_": batch_norm_of_samples,
    "functionalize": lambda lib: lib.func.functionalize(lambda x: x.clone().add_(1))(
        numbers(lib, 3)),
    "transfer_parametrizations_and_params": transferred, "make_tensor": made_tensors,
    "resize_as_": resized, "in-place functions": in_place, "solve_ex": solved, "fork": tree,
    "factory_kwargs": factory, "from_file": mapped, "parallel_apply": replicas,
    "GeneralizedPareto": tail, "ndtri": tails, "zeta": zetas, "lobpcg": extremes,
    "modified Bessel functions": lambda lib: [lib.special.modified_bessel_i0(numbers(lib, 4)),
                                              lib.special.modified_bessel_i1(numbers(lib, 4))],
    "is_storage": lambda lib: [lib.is_storage(lib.ones(1).untyped_storage()), lib.is_storage(3)],
    "dtypes": lambda lib: [lib.int1.itemsize, lib.bits16.itemsize, lib.uint7.is_signed,
                           lib.int4.is_floating_point],
}
TOLERANCES = {"lobpcg": 1e-7, "make_tensor": 1e-6, "GeneralizedPareto": 2e-5,
              "in-place functions": 1e-9}  # PyTorch's trigamma has ten digits


def attend_static(library: Any) -> Any:
    query, key, value = (numbers(library, n, 2, 4, seed=n) for n in (3, 5, 5))
    return library.nn.functional.multi_head_attention_forward(
        query, key, value, **layer_weights(library), **static(library))


@pytest.mark.filterwarnings("ignore:Attempted to insert:UserWarning")  # PyTorch's own, linearize
@in_turn("name", list(CALLS))
def test_results_and_gradients_equal_those_of_pytorch(name):
    ours, theirs = (plain(CALLS[name](library)) for library in LIBRARIES)
    agree(ours, theirs, TOLERANCES.get(name, 1e-12))


def test_forward_derivatives_need_a_level_and_a_tangent_of_the_same_shape():
    from tinytensor.autograd import forward_ad

    x = tinytensor.ones(2)
    with pytest.raises(RuntimeError, match="no level"):
        forward_ad.make_dual(x, x)
    assert forward_ad.unpack_dual(x) == (x, None)
    with forward_ad.dual_level():
        with pytest.raises(RuntimeError, match=r"a tangent of shape \(3,\)"):
            forward_ad.make_dual(x, tinytensor.ones(3))
        assert forward_ad.unpack_dual(forward_ad.make_dual(x, x)).tangent is x
        with pytest.raises(RuntimeError, match="no_grad"), tinytensor.no_grad():
            forward_ad.make_dual(x, x)
        with pytest.raises(RuntimeError, match="nested"):
            forward_ad.enter_dual_level()
        with pytest.raises(ValueError, match="floating"):
            forward_ad.make_dual(x.int(), x)
    with pytest.raises(RuntimeError, match="no level to leave"):
        forward_ad.exit_dual_level()


def test_a_write_by_other_means_is_seen_by_backward():
    x = tinytensor.ones(3, requires_grad=True)
    y = x * 2
    loss = (y * y).sum()
    tinytensor.autograd.graph.increment_version([y])
    with pytest.raises(RuntimeError, match="increment_version"):
        loss.backward()


def test_settings_of_attention_are_remembered():
    for library in LIBRARIES:
        cuda = library.backends.cuda
        for name in ("flash", "mem_efficient", "math", "cudnn"):
            enable, enabled = (getattr(cuda, f"{form}") for form in (
                f"enable_{name}_sdp", f"{name}_sdp_enabled"))
            assert enabled()
            enable(False)
            assert not enabled()
            enable(True)
        with cuda.sdp_kernel(enable_math=False):
            assert not cuda.math_sdp_enabled()
        assert cuda.math_sdp_enabled()
    with tinytensor.autograd.set_multithreading_enabled(False):
        pass


def test_make_tensor_refuses_bounds_and_dtypes_that_contradict():
    for library in LIBRARIES:
        make = library.testing.make_tensor
        for options in ({"low": 2, "high": 1}, {"low": float("nan")},
                        {"requires_grad": True, "dtype": library.int32},
                        {"noncontiguous": True, "memory_format": library.contiguous_format}):
            with pytest.raises(ValueError, match=r".+"):
                make(3, **{"dtype": library.float32, "device": "cpu", **options})


def test_assert_allclose_is_assert_close_under_its_older_name():
    with pytest.warns(FutureWarning, match="assert_close"):
        tinytensor.testing.assert_allclose(tinytensor.ones(2), [1.0, 1.0])
    with pytest.warns(FutureWarning, match="assert_close"), pytest.raises(AssertionError):
        tinytensor.testing.assert_allclose(tinytensor.ones(2), [1.0, 2.0])


def test_a_mixture_allows_what_all_its_components_allow():
    found = []
    for library in LIBRARIES:
        parts = library.distributions
        mixture = parts.MixtureSameFamily(
            parts.Categorical(library.ones(2)),
            parts.Uniform(library.tensor([0.0, 1.0]), library.tensor([2.0, 3.0])))
        found.append(mixture.support.check(library.tensor([0.5, 1.5, 2.5])).tolist())
        assert type(mixture.support).__name__ == "MixtureSameFamilyConstraint"
    assert found[0] == found[1]


def test_names_of_workers_hooks_and_modules():
    assert tinytensor.thread_safe_generator() is tinytensor.random.thread_safe_generator() is None
    assert torch.thread_safe_generator() is None
    for library in LIBRARIES:
        hook = library.utils.hooks.unserializable_hook(lambda grad: grad)
        assert hook.__torch_unserializable__

        class Named:
            pass

        library.utils.set_module(Named, "elsewhere")
        assert Named.__module__ == "elsewhere"
        with pytest.raises(TypeError):
            library.utils.set_module(Named, 3)
        layer = library.nn.Conv2d(1, 1, 1)
        assert library.nn.utils.convert_conv2d_weight_memory_format(
            layer, library.channels_last) is layer
    assert issubclass(tinytensor.AcceleratorError, RuntimeError)
    assert tinytensor.cuda.default_generators == () or tinytensor.cuda.is_available()


UNUSUAL: dict[str, Callable[[Any], Any]] = {
    "diff of order 0": lambda lib: lib.diff(numbers(lib, 3, 4), 0, 0, numbers(lib, 1, 4)),
    "gradient without a spacing": lambda lib: lib.gradient(numbers(lib, 4), spacing=None, dim=None),
    "prod as bool": lambda lib: [lib.prod(lib.tensor([[True, False], [True, True]]), 1,
                                          dtype=lib.bool),
                                 lib.tensor([2.0, 0.5]).prod(dtype=lib.bool)],
    "scatter_reduce of bools": lambda lib: [lib.zeros(3, dtype=lib.bool).scatter_reduce(
        0, lib.tensor([0, 0, 2]), lib.tensor([True, False, True]), how, include_self=False)
        for how in ("amin", "amax")],
    "running totals in small integers": lambda lib: [
        function(lib.tensor([3, 100, 100]), 0, dtype=lib.uint8)
        for function in (lib.cumsum, lib.cumprod)],
    "reflections of a wide matrix": lambda lib: lib.ormqr(
        numbers(lib, 2, 5), numbers(lib, 2, seed=1), numbers(lib, 2, 3, seed=2)),
    "integers between fractions": lambda lib: [
        make(*line, dtype=lib.int64) for make in (lib.linspace, lib.logspace)
        for line in ((4.3, -3, 8), (0.7, 9.9, 5), (-2.5, 2.5, 6), (5.9, 0.2, 1), (0, 9, 91),
                     (4.3, 0, 50))],
    "integers times fractions": lambda lib: [
        function(lib.arange(6).reshape(2, 3).sum(1) if function is lib.addmv else lib.full(
            (2, 2), 10), *factors, **options)
        for function, factors in (
            (lib.addmv, (lib.arange(6).reshape(2, 3), lib.arange(3))),
            (lib.addmm, (lib.arange(6).reshape(2, 3), lib.arange(6).reshape(3, 2))),
            (lib.addbmm, (lib.arange(12).reshape(2, 2, 3), lib.arange(12).reshape(2, 3, 2))))
        for options in ({}, {"beta": 0.2, "alpha": 0.6}, {"beta": 1.7, "alpha": 2.9},
                        {"beta": -1.5})],
}


@in_turn("name", list(UNUSUAL))
def test_unusual_arguments_give_pytorchs_results(name):
    ours, theirs = (plain(UNUSUAL[name](library)) for library in LIBRARIES)
    agree(ours, theirs, 1e-12)


@pytest.mark.parametrize("layout", [
    lambda lib: lib.arange(6.0).reshape(2, 3).t(), lambda lib: lib.arange(6.0)[2:],
    lambda lib: lib.arange(12.0).reshape(3, 4)[:, 1:3]])
@pytest.mark.parametrize("offset", [(), (2,)])
def test_as_strided_scatter_counts_elements_of_memory(layout, offset):
    found = [layout(lib).as_strided_scatter(lib.tensor([10.0, 20.0]), (2,), (1,), *offset)
             for lib in (tinytensor, torch)]
    assert found[0].tolist() == found[1].tolist() and found[0].stride() == found[1].stride()


@pytest.mark.parametrize("shape", [(2, 2, 2, 1), (3, 2, 2, 1), (2, 2), (2, 2, 3)])
def test_solve_ex_tells_which_systems_failed(shape):
    found = []
    for lib in (tinytensor, torch):
        systems = lib.tensor([[[1.0, 2], [2, 4]], [[1.0, 0], [0, 1]]])  # the first is singular
        result, info = lib.linalg.solve_ex(systems, lib.ones(*shape))
        found.append((result.isfinite().tolist(), info.tolist()))
    assert found[0] == found[1]


def test_zeta_far_away():
    x = [1e200, math.inf]
    assert tinytensor.special.zeta(tinytensor.tensor(x, dtype=tinytensor.float64), 1.0).tolist() \
        == torch.special.zeta(torch.tensor(x, dtype=torch.float64), 1.0).tolist() == [1, 1]


@pytest.mark.parametrize(("call", "message"), [
    (lambda: tinytensor.histogram(tinytensor.ones(2), 2, range=(0.0, 1.0, 2.0)), "2 bounds"),
    (lambda: tinytensor.lobpcg(tinytensor.eye(4), 0), "at least 1 eigenvalue"),
    (lambda: tinytensor.conv_tbc(tinytensor.ones(3, 2), tinytensor.ones(2, 2, 2),
                                 tinytensor.ones(2)), "conv_tbc: the input and the weight"),
    (lambda: tinytensor.nn.functional.embedding_bag(
        tinytensor.tensor([[0, 1]]), tinytensor.ones(3, 2), padding_idx=7), "padding_idx 7"),
    (lambda: tinytensor.cat([tinytensor.ones(2), 1.0]), "got 1.0 among them"),
])
def test_what_does_not_exist_is_refused(call, message):
    with pytest.raises((RuntimeError, ValueError, TypeError), match=message):
        call()
