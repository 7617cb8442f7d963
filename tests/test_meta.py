"""The device "meta": Tensors with a shape and a dtype, without memory."""

from __future__ import annotations

import copy
import pickle
import resource
from typing import Any

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor
from tinytensor import nn, optim, tensor
from tinytensor.arrays.meta import NoValues
from tinytensor.autograd.table import TABLE, Entry
from tinytensor.checking.calls import arguments_of, differentiable, ours, outputs
from tinytensor.ops.samples import S
from tinytensor.utils.resume import RandomState, load_checkpoint, save_checkpoint

# The shape, or the result, depends on values.
DEPEND = {
    "allclose": "a bool of Python", "argwhere": "as many rows as elements are not 0",
    "bincount": "as many elements as the largest", "equal": "a bool of Python",
    "histogram": "the range of the values",
    "histogramdd": "the range of the values",
    "masked_scatter": "as many elements as the mask has True",
    "masked_select": "as many elements as the mask has True",
    "nn.functional.one_hot": "as many classes as the largest label",
    "nonzero": "as many rows as elements are not 0",
    "repeat_interleave": "the sum of the repeats", "runs": "as many as elements differ",
    "unique": "as many as elements differ", "unique_consecutive": "as many as elements differ",
    "where_nonzero": "as many as elements are not 0"}
SOME = {"index_put", "where", "cov", "nn.functional.embedding_bag"}  # of some samples

pytestmark = pytest.mark.filterwarnings("ignore")


def meta(array: Any) -> Any:
    return tensor(array, device="meta")


def kinds(tensors: Any) -> list[Any]:
    return [None if x is None else (tuple(x.shape), x.dtype) for x in tensors]


def evaluated(entry: Entry, sample: S, make: Any) -> list[Any]:
    """The results of a call, and the gradients."""
    (args, kwargs), leaves = ours(arguments_of(sample, entry.name), numpy.float32, make=make)
    results = outputs(entry.function(*args, **kwargs))
    floating, slopes = differentiable(results), ()
    if floating and leaves:
        ones = [tinytensor.ones_like(x) for x in floating]
        slopes = tinytensor.autograd.grad(floating, leaves, ones, allow_unused=True)
    return [*results, *slopes]


def compare(key: str, sample: S) -> None:
    entry = TABLE[key]
    try:
        expected = evaluated(entry, sample, tensor)
    except (RuntimeError, ValueError, IndexError):
        return  # an example of what is refused
    if key in DEPEND or key in SOME:
        try:
            found = evaluated(entry, sample, meta)
        except NoValues as error:
            assert "the device 'meta' keeps shapes and dtypes" in str(error)
            return
    else:
        found = evaluated(entry, sample, meta)
    assert kinds(found) == kinds(expected)
    assert all(x is None or x.is_meta for x in found)


@in_turn("key", [key for key, entry in TABLE.items() if entry.samples][::3])
def test_shapes_and_dtypes_are_those_of_values(key: str) -> None:
    compare(key, TABLE[key].samples[0])


@pytest.mark.long
@in_turn("key, i", [(key, i) for key, e in TABLE.items() for i in range(len(e.samples))])
def test_of_all_samples(key: str, i: int) -> None:
    compare(key, TABLE[key].samples[i])


@in_turn("key", list(DEPEND))
def test_what_depends_on_values_is_refused(key: str) -> None:
    refused = 0
    for sample in TABLE[key].samples:
        try:
            evaluated(TABLE[key], sample, meta)
        except (NoValues, RuntimeError):
            refused += 1
    assert refused, DEPEND[key]


@in_turn("name", ["tril_indices", "triu_indices", "isin", "repeat_interleave", "repeats", "histc",
                  "spanned histc", "ctc_loss", "matrix_exp"])
def test_results_without_values_as_in_pytorch(name: str) -> None:
    def result(library: Any) -> Any:
        with library.device("meta"):
            x, i = library.zeros(4, 5), library.zeros(4, dtype=library.int64)
            return {
                "tril_indices": lambda: library.tril_indices(3, 4),
                "triu_indices": lambda: library.triu_indices(3, 4, 1),
                "isin": lambda: library.isin(i, library.zeros(2, dtype=library.int64)),
                "repeat_interleave": lambda: x.repeat_interleave(i, 0, output_size=7),
                "repeats": lambda: library.repeat_interleave(i, output_size=7),
                "histc": lambda: library.histc(x, 10, 0, 1),
                "spanned histc": lambda: library.histc(x, 10),
                "ctc_loss": lambda: library.nn.functional.ctc_loss(
                    library.zeros(6, 2, 5), library.zeros(2, 3, dtype=library.int64), [6, 6],
                    [3, 2]),
                "matrix_exp": lambda: library.matrix_exp(library.zeros(2, 3, 3)),
            }[name]()

    found, expected = result(tinytensor), result(torch)
    assert (tuple(found.shape), str(found.dtype).split(".")[1], found.is_meta) \
        == (tuple(expected.shape), str(expected.dtype).split(".")[1], True)


def test_a_model_larger_than_memory_is_trained_without_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tinytensor.device("meta"):
        embedding = nn.Embedding(50_000, 8192)
        layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(
            8192, 64, 32768, batch_first=True), 3)
        model = nn.Sequential(embedding, layers, nn.Linear(8192, 50_000))
        tokens = tinytensor.zeros(16, 4096, dtype=tinytensor.int64)
    assert sum(p.numel() for p in model.parameters()) > 3e9
    optimizer = optim.AdamW(model.parameters())
    scores = model(tokens)
    assert scores.shape == (16, 4096, 50_000) and scores.is_meta
    loss = nn.functional.cross_entropy(scores.flatten(0, 1), tokens.flatten())
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    assert all(p.grad.shape == p.shape and p.grad.is_meta for p in model.parameters())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def networks(library: Any) -> list[tuple[Any, tuple[int, ...]]]:
    n = library.nn
    return [(n.Sequential(n.Conv2d(3, 8, 3, 2), n.BatchNorm2d(8), n.ReLU(), n.MaxPool2d(2),
                          n.Dropout(), n.Flatten(), n.Linear(8 * 7 * 7, 5)), (4, 3, 32, 32)),
            (n.LSTM(6, 7, 2, bidirectional=True), (3, 2, 6)), (n.GRU(6, 7), (3, 2, 6)),
            (n.TransformerEncoderLayer(8, 2, 16), (3, 2, 8)),
            (n.Sequential(n.ConvTranspose1d(4, 6, 3, 2), n.GroupNorm(2, 6), n.GELU(),
                          n.Upsample(scale_factor=2), n.AdaptiveAvgPool1d(3)), (2, 4, 9))]


def test_modules_as_in_pytorch() -> None:
    for (ours_, shape), (theirs, _) in zip(*map(networks, (tinytensor, torch)), strict=True):
        found = []
        for library, model, where in ((tinytensor, ours_.to("meta"), "meta"),
                                      (torch, theirs, "cpu")):
            x = library.ones(shape, device=where, requires_grad=True)
            y = model(x)
            first = y[0] if isinstance(y, tuple) else y
            first.sum().backward()
            found.append([tuple(first.shape), tuple(x.grad.shape), sum(
                p.numel() for p in model.parameters())])
        assert found[0] == found[1]


PROGRAMS: dict[str, Any] = {
    "creation": lambda k, d: [(tuple(x.shape), x.dtype) for x in (
        k.arange(5, device=d), k.eye(3, device=d), k.rand(2, device=d), k.randn(20, device=d),
        k.randperm(4, device=d), k.full((2,), 1.5, device=d), k.tensor([[1, 2]], device=d),
        k.ones(3).to(d), k.linspace(0, 1, 4, device=d), k.zeros_like(k.ones(3), device=d),
        k.randint(3, (2, 2), device=d), k.multinomial(k.ones(3, device=d), 2),
        k.bernoulli(k.ones(3, device=d)))],
    "attributes": lambda k, d: (
        k.ones(2, 3, device=d).stride(), k.ones(2, 3, device=d).nbytes, k.ones(1).is_meta,
        k.ones(2, device=d).bfloat16().dtype, (k.ones(2, device=d) * k.tensor(2.0)).dtype),
    "indexing": lambda k, d: [tuple(x.shape) for x in (
        k.ones(4, 5, 6, device=d)[:, k.ones(3, dtype=k.int64, device=d)],
        k.ones(4, 5, 6, device=d)[0, :, [1, 2]], k.ones(4, 5, device=d)[None, ..., 1],
        k.ones(4, 5, device=d)[k.ones(2, 3, dtype=k.int64, device=d)],
        k.ones(4, 5, device=d)[1:3, ::2], k.ones(0, 5, device=d)[:, 1])],
}


@in_turn("name", list(PROGRAMS))
def test_programs_as_on_the_cpu_in_pytorch(name: str) -> None:
    texts = [repr(PROGRAMS[name](k, where)).replace(f"{k.__name__}.", "")
             for k, where in ((tinytensor, "meta"), (torch, "cpu"))]
    assert texts[0] == texts[1]


def test_printing_as_in_pytorch() -> None:
    cases: list[dict[str, Any]] = [
        {}, {"dtype": "int64"}, {"dtype": "float16"}, {"requires_grad": True}]
    for options in cases:
        texts = []
        for k in (tinytensor, torch):
            given = {n: getattr(k, v) if n == "dtype" else v for n, v in options.items()}
            x = k.empty(2, 3, device="meta", **given)
            assert x.is_meta and not x.is_cpu and x.device == k.device("meta")
            texts.append(f"{x} {x.sum()} {x.data_ptr()}".replace(f"{k.__name__}.", ""))
        assert texts[0] == texts[1]
    assert tinytensor.empty(2**40, device="meta").nbytes == 2**42


def test_in_place() -> None:
    x = tinytensor.empty(4, 2, device="meta")
    with tinytensor.no_grad():
        x += 1
        x[0] = 3
        x.fill_(2).add_(x).uniform_().normal_().zero_().clamp_(0, 1)
        nn.init.orthogonal_(x)
        nn.init.kaiming_normal_(x)
    assert x.is_meta and x.shape == (4, 2)
    with pytest.raises(RuntimeError, match="broadcast"):
        x.add_(tinytensor.empty(3, device="meta"))
    for key, shape in ((0, (3,)), ((..., 1), (3,)), (tensor([0, 1]), (3, 2))):
        with pytest.raises(RuntimeError, match="does not fit the selected shape"):
            x[key] = tinytensor.empty(shape, device="meta")
    x[0], x[:, 1], x[tensor([0, 1])] = (tinytensor.empty(shape, device="meta")
                                        for shape in ((1, 2), (4,), (2, 1)))


def test_a_convolution_needs_no_memory() -> None:
    """Its result would take 80 TB; a value that is assigned takes none either."""
    x = tinytensor.empty(1024, 3, 65536, 65536, device="meta")
    assert tinytensor.nn.Conv2d(3, 5, 2, device="meta")(x).shape == (1024, 5, 65535, 65535)
    x[0] = tinytensor.empty(3, 65536, 65536, device="meta")
    with pytest.raises(RuntimeError, match="does not fit the selected shape"):
        x[0] = tinytensor.empty(2, 65536, 65536, device="meta")


def test_values_are_refused() -> None:
    x = tinytensor.empty(1, device="meta")
    for read in (x.item, x.tolist, x.numpy, lambda: bool(x), lambda: float(x), lambda: int(x),
                 lambda: f"{x.sum():.2f}", lambda: x[x > 0], lambda: tinytensor.save(x, "x")):
        with pytest.raises(NoValues, match=r"to_empty\(device='cpu'\)"):
            read()
    with pytest.raises(NotImplementedError, match="has no values to copy"):
        x.cpu()
    with pytest.raises(NotImplementedError, match="has no values to copy"):
        nn.Linear(2, 1, device="meta").to("cpu")
    for mixed in (lambda: x + tinytensor.ones(1), lambda: tinytensor.ones(2, 1) @ x,
                  lambda: nn.functional.linear(tinytensor.ones(1, 1), x.reshape(1, 1))):
        with pytest.raises(RuntimeError, match="different devices"):
            mixed()


def test_modules_get_their_memory_later() -> None:
    real, waiting = nn.Linear(3, 2), nn.Linear(3, 2, device="meta")
    with pytest.warns(UserWarning, match="weight is on the device 'meta', so its values are lost"):
        waiting.load_state_dict(real.state_dict())
    assert waiting.weight.is_meta
    waiting.load_state_dict(real.state_dict(), assign=True)
    x = tinytensor.ones(1, 3)
    assert waiting(x).equal(real(x)) and isinstance(waiting.weight, nn.Parameter)
    made = nn.Linear(3, 2).to("meta").to_empty(device="cpu")
    made.load_state_dict(real.state_dict())
    assert made(x).equal(real(x))


def test_copies() -> None:
    x = tinytensor.empty(2, 3, device="meta", requires_grad=True)
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), x.detach().clone()):
        assert y.is_meta and y.shape == (2, 3)
    assert copy.deepcopy(nn.Linear(2, 1, device="meta")).weight.is_meta


def test_functions_of_func() -> None:
    x = tinytensor.empty(3, 2, device="meta")
    slopes = tinytensor.func.vmap(tinytensor.func.grad(lambda a: (a * a).sum()))(x)
    assert slopes.is_meta and slopes.shape == (3, 2)


def test_a_run_that_draws_on_it_is_saved_and_resumed(tmp_path) -> None:
    parts = {"random": RandomState()}
    tinytensor.manual_seed(3)
    tinytensor.rand(2, device="meta")
    with tinytensor.random.fork_rng():
        tinytensor.rand(2, device="meta")
    save_checkpoint(tmp_path / "run.safetensors", **parts)
    expected = tinytensor.rand(2)
    load_checkpoint(tmp_path / "run.safetensors", **parts)
    assert tinytensor.equal(tinytensor.rand(2), expected)
    with pytest.raises(ValueError, match="not a state of a Generator"):
        tinytensor.Generator("meta").set_state(tensor([1, 2]))
