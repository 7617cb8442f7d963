"""Attention without the matrix of scores, on the CPU and as CUDA kernels, against PyTorch.

The CUDA kernels run on the CPU, see `test_cuda_kernels.py`, and with `pytest -m cuda` on CuPy.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

import cuda_on_cpu
import numpy
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import tinytensor
from tinytensor.kernels.cuda.launch import Source

F = tinytensor.nn.functional
RNG = numpy.random.default_rng(0)
TOLERANCES = {"float64": 1e-11, "float32": 3e-5, "float16": 4e-3}


@pytest.fixture
def device(gpu, kernels):
    if gpu.__name__ != "cupy" and cuda_on_cpu.missing():
        pytest.skip(cuda_on_cpu.missing())
    return "cuda"


def weights_kept(shape: tuple[int, ...], p: float, where: str) -> Any:
    """What dropout multiplies the weights by after `manual_seed(0)`."""
    tinytensor.manual_seed(0)
    ones = tinytensor.ones(shape, dtype=tinytensor.float64, device=where)
    return torch.tensor(F.dropout(ones, p).tolist(), dtype=torch.float64)


def by_pytorch(q: Any, k: Any, v: Any, mask: Any, causal: bool, kept: Any) -> Any:
    """The formula, in float64."""
    if k.ndim > 2 and k.shape[-3] != q.shape[-3]:
        k, v = (x.repeat_interleave(q.shape[-3] // x.shape[-3], -3) for x in (k, v))
    allowed = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool)
    allowed = allowed.tril() if causal else allowed
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    if mask is not None:
        allowed = allowed & (mask if mask.dtype == torch.bool else mask > -torch.inf)
        scores = scores if mask.dtype == torch.bool else scores + mask.nan_to_num(neginf=0)
    powers = torch.where(allowed, (scores - scores.detach().amax(-1, keepdim=True)).exp(), 0)
    weights = powers / powers.sum(-1, keepdim=True).clamp_min(1e-300)
    return (weights if kept is None else weights * kept) @ v


def compare(where: str, dtype: str, shapes: Any, mask: Any = None, causal: bool = False,
            p: float = 0.0, change: Any = lambda x: x) -> None:
    arrays = [RNG.normal(size=shape).astype(dtype) for shape in shapes]
    gqa = len(shapes[0]) > 2 and shapes[0][-3] != shapes[1][-3]
    theirs = [torch.tensor(a.astype("float64"), requires_grad=True) for a in arrays]
    kept = weights_kept((*shapes[0][:-1], shapes[1][-2]), p, where) if p else None
    expected = by_pytorch(*theirs, None if mask is None else torch.tensor(mask), causal, kept)
    g = RNG.normal(size=expected.shape).astype(dtype)
    expected.backward(torch.tensor(g.astype("float64")))

    mine = [tinytensor.tensor(a, device=where, requires_grad=True) for a in arrays]
    given = None if mask is None else tinytensor.tensor(
        mask if mask.dtype == bool else mask.astype(dtype), device=where)
    tinytensor.manual_seed(0)
    out = F.scaled_dot_product_attention(*map(change, mine), given, p, causal, enable_gqa=gqa)
    out.backward(tinytensor.tensor(g, device=where))
    assert str(out.dtype).endswith(dtype)
    for found, right in zip([out.detach(), *(x.grad for x in mine)],
                            [expected.detach(), *(x.grad for x in theirs)], strict=True):
        numpy.testing.assert_allclose(found.cpu().numpy(), right.numpy(), TOLERANCES[dtype],
                                      TOLERANCES[dtype])


def heads_side_by_side(x: Any) -> Any:
    """x with its heads in memory as a linear layer leaves them: (batch, length, heads, size)."""
    return x.transpose(1, 2).contiguous().transpose(1, 2)


PADDING = numpy.arange(70) < 61
HOLES = (numpy.arange(67) % 5 != 1)[:, None] & (numpy.arange(70) % 3 != 2)  # rows 1, 6, ... empty
NUMBERS = numpy.where(HOLES, RNG.normal(size=(3, 67, 70)), -numpy.inf)
CALLS = {  # shapes of query, key and value, and the options
    "dropout": (((2, 3, 67, 16), (2, 3, 70, 16), (2, 3, 70, 20)), {"p": 0.3}),
    "causal with dropout": (((3, 67, 16), (3, 70, 16), (3, 70, 8)), {"p": 0.3, "causal": True}),
    "padding": (((2, 3, 67, 8), (2, 3, 70, 8), (2, 3, 70, 8)), {"mask": PADDING}),
    "bools": (((3, 67, 8), (3, 70, 8), (3, 70, 8)), {"mask": HOLES, "p": 0.2}),
    "numbers": (((2, 3, 67, 8), (2, 3, 70, 8), (2, 3, 70, 8)), {"mask": NUMBERS, "causal": True}),
    "one query": (((2, 1, 40), (2, 130, 40), (2, 130, 50)), {}),
    "shared heads": (((2, 6, 67, 50), (2, 2, 70, 50), (2, 2, 70, 50)), {"causal": True, "p": 0.1}),
    "one head of keys": (((6, 67, 5), (1, 70, 5), (1, 70, 9)), {"mask": NUMBERS[:1]}),
    "large heads": (((2, 67, 100), (2, 70, 100), (2, 70, 128)), {"causal": True}),
    "larger heads": (((2, 67, 130), (2, 70, 130), (2, 70, 9)), {"mask": HOLES}),
    "many batch dims": (((2, 1, 2, 1, 2, 9, 4), (2, 1, 2, 1, 2, 9, 4), (2, 1, 2, 1, 2, 9, 4)), {}),
}


IN_DTYPES = [(name, "float32") for name in CALLS] + [
    (name, "float64") for name in ("dropout", "numbers", "one head of keys")]


@pytest.mark.parametrize(("call", "dtype"), IN_DTYPES)
def test_on_the_gpu(call, dtype, device):
    shapes, options = CALLS[call]
    compare(device, dtype, shapes, **options)


@pytest.mark.parametrize(("call", "dtype"), [
    pytest.param(*case, marks=pytest.mark.long) if "float64" in case else case
    for case in IN_DTYPES])
def test_on_the_cpu(call, dtype, kernels):
    shapes, options = CALLS[call]
    compare("cpu", dtype, shapes, **options)


@pytest.mark.parametrize("call", ["causal with dropout", "shared heads"])
def test_in_float16(call, device):
    shapes, options = CALLS[call]
    compare(device, "float16", shapes, **options)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("call", ["dropout", "numbers", "shared heads"])
def test_in_other_orders_of_threads(call, order, device):
    shapes, options = CALLS[call]
    with cuda_on_cpu.in_order(order):
        compare(device, "float32", shapes, **options)


@pytest.mark.parametrize("call", ["dropout", "padding", "shared heads"])
def test_heads_that_are_not_contiguous(call, device):
    shapes, options = CALLS[call]
    compare(device, "float32", shapes, **options, change=heads_side_by_side)


def test_heads_need_no_copy_before_and_after(device):
    """The result lies in memory as the query does, so joining the heads again is a view."""
    q, k, v = (heads_side_by_side(tinytensor.ones(2, 3, 5, 4, device=device)) for _ in range(3))
    out = F.scaled_dot_product_attention(q, k, v)
    assert out.transpose(1, 2).is_contiguous()


def test_dropout_is_that_of_pytorch_on_the_cpu(kernels):
    arrays = RNG.normal(size=(3, 2, 3, 40, 8))
    found = []
    for library in (tinytensor, torch):
        library.manual_seed(5)
        leaves = [library.tensor(a, requires_grad=True) for a in arrays]
        out = library.nn.functional.scaled_dot_product_attention(*leaves, dropout_p=0.3)
        (out * out).sum().backward()
        found.append([x.detach().numpy() for x in (out, *(leaf.grad for leaf in leaves))])
    for mine, theirs in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine, theirs, 1e-11, 1e-11)


def test_second_derivatives_with_dropout_are_those_of_pytorch():
    arrays, found = RNG.normal(size=(3, 2, 5, 4)), []
    for library in (tinytensor, torch):
        library.manual_seed(1)
        leaves = [library.tensor(a, requires_grad=True) for a in arrays]
        with sdpa_kernel(SDPBackend.MATH):
            out = library.nn.functional.scaled_dot_product_attention(*leaves, dropout_p=0.4)
        first = library.autograd.grad((out * out).sum(), leaves, create_graph=True)
        second = library.autograd.grad(sum((g * g).sum() for g in first), leaves)
        found.append([x.numpy() for x in second])
    for mine, theirs in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine, theirs, 1e-10, 1e-10)


def test_each_pass_is_one_or_two_launches(device, gpu):
    if gpu.__name__ == "cupy":
        pytest.skip("launches are counted without a GPU only")
    q, k, v = (tinytensor.ones(2, 3, 5, 4, device=device, requires_grad=True) for _ in range(3))
    cuda_on_cpu.Launches.names.clear()
    F.scaled_dot_product_attention(q, k, v, dropout_p=0.1).sum().backward()
    assert cuda_on_cpu.Launches.names == {"attend": 1, "attend_back_queries": 1,
                                          "attend_back_keys": 1}


def test_memory_grows_with_the_length_only(device, gpu):
    if gpu.__name__ == "cupy":
        pytest.skip("the arrays of CuPy are not in Python's memory")
    length = 512
    scores = 4 * length ** 2
    q, k, v = (tinytensor.ones(length, 8, device=device, requires_grad=True) for _ in range(3))
    tracemalloc.start()
    try:
        F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=0.1).sum().backward()
        assert tracemalloc.get_traced_memory()[1] < scores / 3
    finally:
        tracemalloc.stop()


def test_a_missing_barrier_is_noticed(device, gpu, monkeypatch):
    """That before a tile is written. In the same way the others are noticed, from 3 on, which come
    after the two of common.cu.
    """
    if gpu.__name__ == "cupy":
        pytest.skip("a race on a GPU need not show")
    arrays = [RNG.normal(size=(130, 20)).astype("float32") for _ in range(3)]

    def results() -> list[Any]:
        found = []
        for order in (0, 1, 2):
            leaves = [tinytensor.tensor(a, device=device, requires_grad=True) for a in arrays]
            with cuda_on_cpu.in_order(order):
                out = F.scaled_dot_product_attention(*leaves)
                (out * out).sum().backward()
            found.append([x.detach().cpu().numpy() for x in (out, *(a.grad for a in leaves))])
        return found

    def equal(found: list[Any]) -> bool:
        return all(numpy.array_equal(x, y) for one in found for x, y in zip(
            one, found[0], strict=True))

    assert equal(results())
    cuda_on_cpu.leave_out_barrier(monkeypatch, Source.by_name["blockwise_attention_32"], 5)
    assert not equal(results())
