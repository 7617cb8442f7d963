"""bfloat16: stored by ml_dtypes, computed in float32, rounded once.

The tests over the table are those of float16, and results equal PyTorch's wherever PyTorch too
rounds only once.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy
import pytest
import safetensors.torch
import torch
from narrow import calls, compare, of_magnitude
from operations import in_turn

import tinytensor
from tinytensor import nn, optim, tensor
from tinytensor.autograd.table import TABLE
from tinytensor.checking.calls import DTYPES, arguments_of, is_drawn, outputs, reference, replace
from tinytensor.commands import convert

HALF = ml_dtypes.bfloat16
FIRST = calls(1)
# PyTorch rounds in the middle: it is composed of several operations there, or sums in bfloat16.
ROUNDS_BETWEEN = {
    "addbmm", "addr", "bilinear", "cdist", "chain_matmul", "corrcoef", "cosine_similarity", "cov",
    "cross", "euclidean_distances", "gru_sequence", "internal.convolution_input",
    "internal.convolution_weight", "internal.overlap_add", "linalg.cross", "linalg.multi_dot",
    "linalg.vecdot", "logit", "logit_cross_entropy", "log_softmax", "logsumexp", "lstm_sequence",
    "matrix_exp", "mvlgamma", "nn.functional.adaptive_avg_pool3d", "nn.functional.affine_grid",
    "nn.functional.batch_norm", "nn.functional.conv_tbc", "nn.functional.conv_transpose1d",
    "nn.functional.conv_transpose2d", "nn.functional.conv_transpose3d",
    "nn.functional.cross_entropy", "nn.functional.embedding_bag", "nn.functional.fold",
    "nn.functional.grid_sample", "nn.functional.hardsigmoid", "nn.functional.instance_norm",
    "nn.functional.lp_pool1d", "nn.functional.lp_pool2d", "nn.functional.nll_loss",
    "nn.functional.normalize", "nn.functional.softsign", "nn.functional.tanhshrink",
    "nn.functional.triplet_margin_loss",
    "nn.functional.triplet_margin_with_distance_loss", "pdist", "probability_cross_entropy",
    "prod", "projected_lstm_sequence", "renorm", "rnn_sequence", "rsqrt",
    "special.bessel_j1", "special.entr", "special.i0e", "special.ndtr", "special.xlog1py",
    "standardize", "xlogy"}
# Autocast: PyTorch's operation is made of several, of which a part is on its lists.
IN_PARTS = {"inner", "linalg.pinv", "pinverse", "nn.functional.lp_pool3d",
            "nn.functional.local_response_norm", "cov", "corrcoef"}

pytestmark = pytest.mark.filterwarnings("ignore")  # overflows; notes of PyTorch


# ---------------------------------------------------------------- the table


@in_turn("key, i", FIRST[::4])
def test_results_and_gradients_are_those_of_float32_rounded(key: str, i: int) -> None:
    compare(TABLE[key], TABLE[key].samples[i], (300.0,), HALF)


@pytest.mark.long
@in_turn("key, i", calls(None))
def test_of_all_samples(key: str, i: int) -> None:
    compare(TABLE[key], TABLE[key].samples[i], (1e-4, 1.0, 300.0, 1e20), HALF)


@in_turn("key, i", FIRST[::11])
def test_on_a_gpu(gpu: Any, key: str, i: int) -> None:
    compare(TABLE[key], TABLE[key].samples[i], (300.0,), HALF, "cuda")


def in_library(library: Any, arguments: Any, *names: str) -> Any:
    """The arguments, with floating point Tensors of the named dtypes; the last is that of all
    further ones."""
    left = list(names)

    def convert(x: Any) -> Any:
        if not is_drawn(x):
            return getattr(library, x)
        made = library.tensor(x.array)
        if not made.is_floating_point():
            return made
        return made.to(getattr(library, left.pop(0) if len(left) > 1 else left[0]))

    return replace(arguments, lambda x: is_drawn(x) or library is torch and isinstance(x, str)
                   and x in DTYPES, convert)


@in_turn("key, i", FIRST[::3])
def test_results_are_those_of_pytorch(key: str, i: int) -> None:
    against_pytorch(key, i)


@pytest.mark.long
@in_turn("key, i", FIRST)
def test_of_all_operations(key: str, i: int) -> None:
    against_pytorch(key, i)


def against_pytorch(key: str, i: int) -> None:
    entry = TABLE[key]
    arguments = of_magnitude(arguments_of(entry.samples[i], entry.name), 1.0, HALF)
    args, kwargs = in_library(torch, arguments, "bfloat16")
    try:
        theirs = outputs(reference(entry)(*args, **kwargs))
    except RuntimeError:
        pytest.skip("PyTorch's has no bfloat16")
    args, kwargs = in_library(tinytensor, arguments, "bfloat16")
    mine = outputs(entry.function(*args, **kwargs))
    for ours, other in zip(mine, theirs, strict=True):
        assert repr(ours.dtype)[11:] == repr(other.dtype)[6:]
        found, expected = (x.detach().double().numpy() for x in (ours, other.resolve_neg()))
        if key not in ROUNDS_BETWEEN:
            numpy.testing.assert_array_equal(found, expected)
        elif key != "matrix_exp":
            assert found.shape == expected.shape
            size = numpy.abs(expected).max(initial=0)
            numpy.testing.assert_allclose(found, expected, 0.03, 0.03 * size)


# ---------------------------------------------------------------- autocast


def dtypes_in_autocast(library: Any, function: Any, arguments: Any, *names: str) -> Any:
    args, kwargs = in_library(library, arguments, *names)
    with library.autocast("cpu"):
        return [repr(x.dtype).partition(".")[2] for x in outputs(function(*args, **kwargs))]


@in_turn("names", [("float32",), ("bfloat16",), ("bfloat16", "float32")])
def test_dtypes_in_autocast(names: tuple[str, ...]) -> None:
    wrong, compared, cast = {}, 0, 0
    for key, i in FIRST:
        entry = TABLE[key]
        if entry.internal or key in IN_PARTS:
            continue
        arguments = arguments_of(entry.samples[i], entry.name)
        try:
            expected = dtypes_in_autocast(torch, reference(entry), arguments, *names)
        except (RuntimeError, TypeError):
            continue  # PyTorch has no such operation on these dtypes
        try:
            found = dtypes_in_autocast(tinytensor, entry.function, arguments, *names)
        except RuntimeError as error:
            found = error
        compared += 1
        cast += "bfloat16" in expected
        if found != expected:
            wrong[key] = (found, expected)
    known = {"cdist"}  # the reference is its definition, see below
    if len(names) > 1:
        known.add("nn.functional.multilabel_soft_margin_loss")
    assert wrong.keys() <= known, wrong
    assert compared > 200 and cast > 10


def test_autocast_begins_and_ends() -> None:
    x = tinytensor.ones(2, 2)

    def dtype() -> Any:
        return (x @ x).dtype

    context = tinytensor.autocast("cpu")
    with context, context:
        assert dtype() is tinytensor.bfloat16 and (x * x).dtype is tinytensor.float32
        assert (x.double() @ x.double()).dtype is tinytensor.float64
        with tinytensor.autocast("cpu", enabled=False):
            assert dtype() is tinytensor.float32 and not tinytensor.is_autocast_enabled("cpu")
        with tinytensor.autocast("cpu", dtype=tinytensor.float16):
            assert dtype() is tinytensor.float16
            assert tinytensor.get_autocast_dtype("cpu") is tinytensor.float16
        with pytest.raises(ZeroDivisionError), tinytensor.autocast("cuda"):
            1 / 0  # noqa: B018
        assert tinytensor.is_autocast_enabled("cpu") and not tinytensor.is_autocast_enabled()
        assert dtype() is tinytensor.bfloat16
    assert dtype() is tinytensor.float32
    assert tinytensor.autocast("cpu")(dtype)() is tinytensor.bfloat16
    with pytest.warns(UserWarning, match="can be cast to, got tinytensor.float32"):
        assert not tinytensor.autocast("cpu", dtype=tinytensor.float32).enabled
    with pytest.raises(RuntimeError, match="unknown device_type 'tpu'"):
        tinytensor.autocast("tpu")


def trained(library: Any, checkpointed: bool = False) -> tuple[list[float], Any]:
    """Losses and the weights' gradients of a small network, trained in autocast."""
    rng = numpy.random.default_rng(0)
    network = library.nn.Sequential(
        library.nn.Conv2d(1, 4, 3), library.nn.BatchNorm2d(4), library.nn.ReLU(),
        library.nn.Flatten(), library.nn.Linear(64, 8), library.nn.LayerNorm(8),
        library.nn.GELU(), library.nn.Linear(8, 3))
    with library.no_grad():
        for p in network.parameters():
            p.copy_(library.tensor(rng.normal(size=tuple(p.shape)) * 0.3, dtype=library.float32))
    x = library.tensor(rng.normal(size=(6, 1, 6, 6)), dtype=library.float32)
    y = library.tensor([0, 1, 2, 2, 1, 0])
    optimizer, losses = library.optim.SGD(network.parameters(), 0.1), []
    scaler = library.amp.GradScaler("cpu")
    for _ in range(8):
        optimizer.zero_grad()
        with library.autocast("cpu"):
            scores = library.utils.checkpoint.checkpoint(network, x, use_reentrant=False) \
                if checkpointed else network(x)
            loss = library.nn.functional.cross_entropy(scores, y)
        assert repr(scores.dtype).endswith("bfloat16") and repr(loss.dtype).endswith("float32")
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert all(p.grad.dtype is library.float32 for p in network.parameters())
    return losses, network[0].weight.grad.numpy()


def test_training_in_autocast_follows_pytorch() -> None:
    (ours, slope), (theirs, other) = map(trained, (tinytensor, torch))
    numpy.testing.assert_allclose(ours, theirs, 0.02)
    numpy.testing.assert_allclose(slope, other, 0.1, 0.05 * numpy.abs(other).max())
    assert ours[-1] < 0.97 * ours[0]


def test_cdist_in_autocast_is_computed_in_float32() -> None:
    found = []
    for library in (tinytensor, torch):
        x = of(library, [SEVERAL])
        with library.autocast("cpu"):
            found.append(library.cdist(x, x).dtype)
    assert found == [tinytensor.float32, torch.float32]


# PyTorch's run in autocast on a GPU, and the LSTM on some CPUs; its others there add float32.
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"])
def test_recurrent_networks_in_autocast(kind: str) -> None:
    tinytensor.manual_seed(0)
    net = getattr(tinytensor.nn, kind)(3, 4)
    x = tinytensor.randn(5, 3)
    expected = outputs(net(x))[0]
    weight, = (p for n, p in net.named_parameters() if n.startswith("weight_hh"))
    slope, = tinytensor.autograd.grad(expected.sum(), weight)
    with tinytensor.autocast("cpu"):
        found = outputs(net(x))[0]
    found.sum().backward()
    of_the_state = kind in ("GRU", "GRUCell", "LSTMCell")  # whose dtype PyTorch gives the result
    assert found.dtype is (tinytensor.float32 if of_the_state else tinytensor.bfloat16)
    assert weight.grad.dtype is tinytensor.float32
    assert tinytensor.allclose(found.float(), expected, atol=0.02)
    assert tinytensor.allclose(weight.grad, slope, atol=0.05)


def test_a_checkpoint_runs_again_in_the_same_autocast() -> None:
    assert trained(tinytensor, True)[0] == trained(tinytensor)[0]


# ---------------------------------------------------------------- beside the table

SEVERAL = (1.1, 2.2, 3.3)


def of(library: Any, values: Any) -> Any:
    return library.tensor(values, dtype=library.bfloat16)


def in_place(library: Any) -> Any:
    x = of(library, [1, 2, 3, 4])
    x[0], x[1:3] = 3.14159, library.tensor([1.001, 2.003])
    x[-1] += 1
    x.add_(0.001).mul_(1.01)
    x += library.ones(4)
    return x.sub_(of(library, 0.1), alpha=2)


def saved(library: Any) -> Any:
    file = io.BytesIO()
    library.save({"a": of(library, SEVERAL), "b": of(library, [[1, 2], [3, 4]]).T}, file)
    file.seek(0)
    return library.load(file)


def clipped(library: Any) -> Any:
    p = library.nn.Parameter(of(library, SEVERAL))
    p.grad = of(library, [3.0, -4.0, 0.5])
    library.nn.utils.clip_grad_value_([p], 2.5)
    return p.grad


def by_default(library: Any) -> Any:
    """Integers become the default dtype."""
    library.set_default_dtype(library.bfloat16)
    try:
        x = library.tensor([1, 7])
        return x / 3, x * 1.1, x / x, x.sqrt(), library.div(x, 3.0), x.sum() / 3
    finally:
        library.set_default_dtype(library.float32)


# Programs by the library: tinytensor or torch.
SAME: dict[str, Callable[[Any], Any]] = {
    "printing": lambda k: (of(k, [1.5, -2.25, 3e38, float("inf")]), of(k, 3.14159),
                           k.arange(2000, dtype=k.bfloat16), f"{of(k, 3.14159):.3f}"),
    "numbers": lambda k: (of(k, 3.14159).item(), of(k, SEVERAL).tolist(), float(of(k, 1.1))),
    "finfo": lambda k: [getattr(k.finfo(k.bfloat16), limit) for limit in (
        "bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution")],
    "finfo's text": lambda k: [str(k.finfo(k.bfloat16)), str(k.finfo(k.float16)),
                              k.finfo(k.bfloat16).dtype, k.iinfo(k.int8)],
    "default dtype": by_default,
    "promotion": lambda k: [(of(k, SEVERAL) + x).dtype for x in (
        1, 1.5, True, k.ones(3), k.ones(3).double(), k.ones(3).half(), k.ones(3).long(),
        k.tensor(1.0, dtype=k.float64))],
    "promote_types": lambda k: (
        k.promote_types(k.bfloat16, k.float16), k.promote_types(k.int64, k.bfloat16),
        k.can_cast(k.bfloat16, k.float16), k.can_cast(k.bfloat16, k.int32),
        k.result_type(of(k, [1]), 2.0)),
    "comparison": lambda k: (of(k, [1, 2]) == of(k, [1, 3]), of(k, SEVERAL) < 2.2,
                             of(k, SEVERAL) == 1.1, 1.1 != of(k, SEVERAL), of(k, SEVERAL) <= 3.3,
                             k.tensor(SEVERAL, dtype=k.float16) >= 3.3, k.ones(1).half() < 1e9,
                             k.allclose(of(k, [1.0]), of(k, [1.01]), rtol=0.02)),
    "indexing": lambda k: (of(k, SEVERAL)[k.tensor([0, 2])], of(k, SEVERAL)[of(k, SEVERAL) > 2]),
    "in place": in_place,
    "creation": lambda k: (
        k.full((2,), 3.14159, dtype=k.bfloat16), k.eye(2, dtype=k.bfloat16),
        k.arange(0, 2, 0.3, dtype=k.bfloat16), k.zeros_like(of(k, [1])),
        of(k, [1]).new_full((2,), 1.1), k.tensor([of(k, 1.5), of(k, 2.5)])),
    "views": lambda k: (of(k, [1, 2, 3, 4]).view(k.int16), of(k, [1, 2]).view(k.float32),
                        k.tensor([16256], dtype=k.int16).view(k.bfloat16)),
    "conversions": lambda k: (
        of(k, [1.5]).float(), k.tensor([1.2345678]).bfloat16(), of(k, [2.7]).int(),
        of(k, [2.7]).half(), of(k, [0, 1]).bool(), of(k, [1]).type(),
        k.tensor([True]).to(k.bfloat16), isinstance(of(k, [1]), k.BFloat16Tensor)),
    "attributes": lambda k: (of(k, [1, 2]).nbytes, of(k, [1]).is_floating_point(),
                             k.bfloat16.itemsize, k.bfloat16.is_signed),
    "files": saved,
    "clipping": clipped,
    "modules": lambda k: (
        [p.dtype for p in k.nn.Linear(2, 2).bfloat16().parameters()],
        [b.dtype for b in k.nn.BatchNorm1d(2).to(k.bfloat16).buffers()],
        k.nn.Linear(3, 2, dtype=k.bfloat16).weight.detach()),
    "batches": lambda k: next(iter(k.utils.data.DataLoader(
        k.utils.data.TensorDataset(of(k, [1, 2]), k.tensor([1, 2])), batch_size=2))),
    "draws": lambda k: [draw(k) for draw in DRAWS],
}
DRAWS: list[Callable[[Any], Any]] = [
    lambda k: k.rand(40, dtype=k.bfloat16), lambda k: k.randn(5, dtype=k.bfloat16),
    lambda k: k.randn(23, dtype=k.bfloat16), lambda k: k.randint(0, 10, (9,), dtype=k.bfloat16),
    lambda k: k.randperm(9, dtype=k.bfloat16), lambda k: k.rand_like(of(k, SEVERAL)),
    lambda k: k.empty(20, dtype=k.bfloat16).uniform_(-1, 3),
    lambda k: k.empty(20, dtype=k.bfloat16).normal_(1, 2),
    lambda k: k.empty(20, dtype=k.bfloat16).exponential_(),
    lambda k: k.empty(9, dtype=k.bfloat16).bernoulli_(0.3),
    lambda k: k.empty(9, dtype=k.bfloat16).random_(),
    lambda k: k.multinomial(of(k, [0.1, 0.2, 0.7]), 5, True),
    lambda k: k.nn.functional.dropout(k.ones(12, dtype=k.bfloat16), 0.1),
]


def as_text(x: Any) -> str:
    """The text of a result of either library, in one line."""
    return " ".join(repr(x).replace("tinytensor.", "").replace("torch.", "").split())


@in_turn("name", list(SAME))
def test_as_pytorch(name: str) -> None:
    found = []
    for library in (tinytensor, torch):
        library.manual_seed(0)
        found.append(as_text(SAME[name](library)))
    assert found[0] == found[1]


def test_a_draw_takes_the_numbers_that_it_takes_in_pytorch() -> None:
    for library in (tinytensor, torch):
        library.manual_seed(3)
        for draw in DRAWS:
            draw(library)
    assert tinytensor.rand(1).item() == torch.rand(1).item()


def test_optimizers_step_in_float32() -> None:
    rng = numpy.random.default_rng(0)
    for make in (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad):
        start = rng.normal(size=(3, 4)).astype(HALF)
        half, single = (nn.Parameter(tensor(start.astype(d))) for d in (HALF, numpy.float32))
        for p in (half, single):
            p.grad = tensor(start.astype(float) * 2, dtype=p.dtype)
            make([p], 0.1).step()
        assert half.tolist() == single.bfloat16().tolist()


def test_safetensors_and_files_of_pytorch(tmp_path: Any) -> None:
    values = torch.tensor([[1.5, -0.0, 3e38], [1e-40, 2.0, -7.0]]).bfloat16()
    safetensors.torch.save_file({"x": values}, tmp_path / "theirs")
    torch.save({"x": values, "t": values.T}, tmp_path / "theirs.pt")
    for name in ("theirs", "theirs.pt"):
        loaded = tinytensor.load(tmp_path / name)["x"]
        assert loaded.dtype is tinytensor.bfloat16
        assert loaded.view(tinytensor.int16).tolist() == values.view(torch.int16).tolist()
    ours = {"x": loaded.T, "again": loaded[0]}
    tinytensor.save(ours, tmp_path / "ours")
    back = safetensors.torch.load_file(tmp_path / "ours")
    assert back["x"].dtype is torch.bfloat16 and back["x"].equal(values.T)
    convert.run(argparse.Namespace(source=tmp_path / "ours", target=tmp_path / "ours.pt"))
    assert torch.load(tmp_path / "ours.pt")["again"].equal(values[0])


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_normalisation_of_narrow_inputs_by_float32_weights(half: str) -> None:
    """Result and gradient of the input are narrow; those of the weight, and the running
    statistics, are float32."""
    rng = numpy.random.default_rng(0)
    data, weights = rng.normal(size=(4, 6, 3)), rng.normal(size=(2, 6))
    found: list[list[Any]] = []
    for library in (tinytensor, torch):
        x = library.tensor(data).to(getattr(library, half)).requires_grad_()
        w, b = (library.tensor(v, dtype=library.float32, requires_grad=True) for v in weights)
        mean, var = library.zeros(6), library.ones(6)
        f, results = library.nn.functional, []
        for y in (f.layer_norm(x.mT, (6,), w, b), f.rms_norm(x.mT, (6,), w),
                  f.batch_norm(x, mean, var, w, b, True), f.batch_norm(x, mean, var, w, b),
                  f.group_norm(x, 2, w, b), f.instance_norm(x, None, None, w, b)):
            results += [y, *library.autograd.grad((y.float() ** 2).sum(), [x, w])]
        found.append([*results, mean, var])
    for i, (ours, theirs) in enumerate(zip(*found, strict=True)):
        assert repr(ours.dtype)[11:] == repr(theirs.dtype)[6:], i
        expected = theirs.detach().float().numpy()
        size = numpy.abs(expected).max()
        numpy.testing.assert_allclose(ours.detach().float().numpy(), expected, 0.01, 0.01 * size)


def test_numpy_and_other_libraries() -> None:
    array = numpy.array([1.5, 2.5], HALF)
    x = tinytensor.from_numpy(array)
    array[0] = 3.5
    assert x.tolist() == [3.5, 2.5] and x.numpy().dtype == HALF and tensor(array).dtype is x.dtype
    assert numpy.shares_memory(x.numpy(), array) and numpy.add(x, 1).dtype is x.dtype
    assert tinytensor.ones(2, dtype=HALF).dtype is tinytensor.bfloat16
    with pytest.raises(BufferError, match=r"x\.view\(int16\)"):
        torch.from_dlpack(x)
    tinytensor.testing.assert_close(x, x * 1.01)
    with pytest.raises(AssertionError):
        tinytensor.testing.assert_close(x, x * 1.04)


WITHOUT = """
import sys, warnings
import tinytensor
assert "ml_dtypes" not in sys.modules
sys.modules["ml_dtypes"] = None
assert tinytensor.finfo(tinytensor.bfloat16).bits == 16 and tinytensor.bfloat16.itemsize == 2
for call in (lambda: tinytensor.ones(1, dtype=tinytensor.bfloat16), tinytensor.ones(1).bfloat16,
             lambda: tinytensor.ones(1).to(tinytensor.bfloat16),
             tinytensor.autocast("cpu").__enter__):
    try:
        call()
    except ModuleNotFoundError as error:
        assert "pip install ml_dtypes" in str(error)
    else:
        raise AssertionError
for path in sys.argv[1:]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        x = tinytensor.load(path)["x"]
    assert "1 bfloat16 Tensors become float32" in str(caught[0].message), path
    assert x.dtype is tinytensor.float32 and x.tolist() == [1.5, 2.0], path
"""


def test_without_ml_dtypes(tmp_path: Any) -> None:
    """It is imported at the first use only; files can be read without it."""
    tinytensor.save({"x": of(tinytensor, [1.5, 2.0])}, tmp_path / "ours")
    torch.save({"x": of(torch, [1.5, 2.0])}, tmp_path / "theirs.pt")
    subprocess.run([sys.executable, "-c", WITHOUT, str(tmp_path / "ours"),
                    str(tmp_path / "theirs.pt")], check=True)
