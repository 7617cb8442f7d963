"""Attention and the Transformer against PyTorch's: equal weights give equal results."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor
from tinytensor import nn
from tinytensor.checking.calls import values

D, HEADS = 8, 2
MASKS = ["none", "bool", "float", "causal", "by head"]


@pytest.fixture(autouse=True)
def _seeded() -> Any:
    torch.manual_seed(0)
    tinytensor.manual_seed(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "enable_nested_tensor|Support for mismatched")
        yield


def normal(*shape: int, seed: int = 0) -> Any:
    return numpy.random.default_rng(seed + sum(shape)).normal(size=shape)


def pair(name: str, *args: Any, **options: Any) -> tuple[Any, Any]:
    """Our module and PyTorch's with the same weights, in float64.

    Biases and the weights of norms have constant initial values, so they are changed first.
    """
    theirs = getattr(torch.nn, name)(*args, **options).double()
    for i, parameter in enumerate(theirs.parameters()):
        if parameter.ndim == 1:
            parameter.data += torch.tensor(0.1 * normal(*parameter.shape, seed=i))
    mine = getattr(nn, name)(*args, **own(options)).double()
    mine.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    return mine, theirs


def own(options: dict[str, Any]) -> dict[str, Any]:
    """The options, with PyTorch's modules and functions replaced by ours."""
    named = {torch.nn.functional.silu: nn.functional.silu, torch.tanh: tinytensor.tanh}
    return {k: nn.GELU("tanh") if isinstance(v, torch.nn.GELU) else named.get(v, v)
            for k, v in options.items()}


def leaves(array: Any) -> tuple[Any, Any]:
    return (tinytensor.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True))


def fixed(array: Any) -> tuple[Any, Any]:
    return (None, None) if array is None else (tinytensor.tensor(array), torch.tensor(array))


def assert_close(mine: Any, theirs: Any, what: str = "") -> None:
    numpy.testing.assert_allclose(values(mine), values(theirs), 1e-10, 1e-10, err_msg=what)


def assert_same(mine: Any, theirs: Any, results: Any, expected: Any, inputs: Any) -> None:
    """Asserts equal results and gradients of their weighted sum by parameters and inputs."""
    loss: Any = 0
    reference: Any = 0
    for i, (a, b) in enumerate(zip(results, expected, strict=True)):
        assert (a is None) == (b is None)
        if a is not None:
            assert_close(a, b, f"result {i}")
            weight = normal(*b.shape, seed=i)
            loss = loss + (a * tinytensor.tensor(weight)).sum()
            reference = reference + (b * torch.tensor(weight)).sum()
    loss.backward()
    reference.backward()
    for (name, a), (same, b) in zip(mine.named_parameters(), theirs.named_parameters(),
                                    strict=True):
        assert name == same
        assert_close(a.grad, b.grad, f"gradient of {name}")
    for a, b in inputs:
        assert_close(a.grad, b.grad, "gradient of an input")


def mask_of(kind: str, length: int, source: int, batch: int) -> Any:
    """A mask of this kind. Every query may attend to the first key."""
    upper = numpy.triu(numpy.ones((length, source), bool), 1)
    if kind == "none":
        return None
    if kind == "bool":
        return upper
    if kind == "causal":
        return numpy.where(upper, -numpy.inf, 0.0)
    if kind == "float":
        return normal(length, source)
    return normal(batch * HEADS, length, source)


def padding(batch: int, source: int, kind: str) -> Any:
    """A padding mask that excludes the last key of the last sequence."""
    if kind == "none":
        return None
    found = numpy.zeros((batch, source), bool)
    found[-1, -1:] = True
    return found if kind == "bool" else numpy.where(found, -numpy.inf, 0.0)


# ---------------------------------------------------------------- attention


ATTENTION: list[dict[str, Any]] = [
    {}, {"bias": False}, {"batch_first": True}, {"kdim": 5, "vdim": 3}, {"add_bias_kv": True},
    {"add_zero_attn": True}, {"vdim": 6, "bias": False, "batch_first": True},
    {"add_bias_kv": True, "add_zero_attn": True, "batch_first": True}]
options_of_attention = pytest.mark.parametrize("options", ATTENTION, ids=str)


def attention_inputs(theirs: Any, length: int, source: int, batch: int | None) -> list[Any]:
    shapes = [(length, D), (source, theirs.kdim), (source, theirs.vdim)]
    if batch is not None:
        shapes = [(batch, n, d) if theirs.batch_first else (n, batch, d) for n, d in shapes]
    return [leaves(normal(*shape, seed=i)) for i, shape in enumerate(shapes)]


@options_of_attention
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("padded", ["none", "bool"])
@in_turn("weights", [{}, {"need_weights": False}, {"average_attn_weights": False}])
def test_attention(options: dict[str, Any], mask: str, padded: str,
                   weights: dict[str, Any]) -> None:
    mine, theirs = pair("MultiheadAttention", D, HEADS, **options)
    inputs = attention_inputs(theirs, 3, 4, 2)
    attn, attn_t = fixed(mask_of(mask, 3, 4, 2))
    keys, keys_t = fixed(padding(2, 4, padded))
    ours, reference = zip(*inputs, strict=True)
    assert_same(mine, theirs, mine(*ours, key_padding_mask=keys, attn_mask=attn, **weights),
                theirs(*reference, key_padding_mask=keys_t, attn_mask=attn_t, **weights), inputs)


@options_of_attention
@pytest.mark.parametrize("mask", MASKS)
@in_turn("weights", [{}, {"need_weights": False}, {"average_attn_weights": False}])
def test_attention_without_batch(options: dict[str, Any], mask: str,
                                 weights: dict[str, Any]) -> None:
    mine, theirs = pair("MultiheadAttention", D, HEADS, **options)
    inputs = attention_inputs(theirs, 3, 4, None)
    attn, attn_t = fixed(mask_of(mask, 3, 4, 1))
    keys, keys_t = fixed(numpy.array([False, False, False, True]))
    ours, reference = zip(*inputs, strict=True)
    assert_same(mine, theirs, mine(*ours, keys, attn_mask=attn, **weights),
                theirs(*reference, keys_t, attn_mask=attn_t, **weights), inputs)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("weights", [False, True])
def test_self_attention(batch_first: bool, weights: bool) -> None:
    """Query, key and value are one Tensor, and `is_causal` is given with the mask."""
    mine, theirs = pair("MultiheadAttention", D, HEADS, batch_first=batch_first)
    x, x_t = leaves(normal(4, 4, D))
    mask, mask_t = fixed(mask_of("causal", 4, 4, 4))
    given = {"need_weights": weights, "is_causal": True}
    assert_same(mine, theirs, mine(x, x, x, attn_mask=mask, **given),
                theirs(x_t, x_t, x_t, attn_mask=mask_t, **given), [(x, x_t)])


@pytest.mark.parametrize("weights", [False, True])
def test_queries_that_may_look_nowhere(weights: bool) -> None:
    """The output is NaN if weights are requested, otherwise the bias, as in PyTorch."""
    mine, theirs = pair("MultiheadAttention", D, HEADS)
    x, x_t = leaves(normal(3, 2, D))
    mask, mask_t = fixed(numpy.array([[True] * 3, [False] * 3, [True, False, True]]))
    out, _ = mine(x, x, x, attn_mask=mask, need_weights=weights)
    expected, _ = theirs(x_t, x_t, x_t, attn_mask=mask_t, need_weights=weights)
    assert bool(out[0].isnan().all()) is weights and not bool(out[1:].isnan().any())
    assert_close(out, expected)
    if not weights:
        assert_close(out[0, 0], mine.out_proj.bias)
        assert_same(mine, theirs, [out], [expected], [(x, x_t)])


@options_of_attention
def test_names_of_attention(options: dict[str, Any]) -> None:
    mine, theirs = pair("MultiheadAttention", D, HEADS, **options)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert repr(mine) == repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in mine.state_dict().items()})


def test_weights_of_attention_begin_by_xavier() -> None:
    layer = nn.MultiheadAttention(64, 4, add_bias_kv=True)
    bound = (6 / (4 * 64)) ** 0.5
    assert 0.98 * bound < layer.in_proj_weight.abs().max().item() <= bound
    assert layer.in_proj_bias.abs().max().item() == layer.out_proj.bias.abs().max().item() == 0
    assert 0 < layer.bias_k.std().item() < 0.25
    apart = nn.MultiheadAttention(64, 4, kdim=32)
    bound = (6 / (64 + 32)) ** 0.5
    assert 0.98 * bound < apart.k_proj_weight.abs().max().item() <= bound


def test_dropout_of_attention_only_while_training() -> None:
    layer, x = nn.MultiheadAttention(D, HEADS, dropout=0.5), tinytensor.ones(6, 1, D)
    weights = layer(x, x, x, average_attn_weights=False)[1]
    assert weights.round(decimals=5).unique().tolist() == pytest.approx([0.0, 1 / 3], abs=1e-5)
    assert (layer(x, x, x, need_weights=False)[0] != layer(x, x, x, need_weights=False)[0]).any()
    layer.eval()
    assert layer(x, x, x)[1].flatten().tolist() == pytest.approx([1 / 6] * 36)


# ---------------------------------------------------------------- layers


LAYERS: list[dict[str, Any]] = [
    {}, {"norm_first": True}, {"activation": "gelu", "batch_first": True}, {"bias": False},
    {"activation": torch.nn.GELU("tanh")},
    {"activation": torch.nn.functional.silu, "layer_norm_eps": 0.1},
    {"norm_first": True, "batch_first": True, "bias": False, "activation": torch.tanh}]
options_of_layers = pytest.mark.parametrize("options", LAYERS, ids=lambda o: ",".join(o))


def sizes(options: dict[str, Any], length: int) -> tuple[int, int, int]:
    return (2, length, D) if options.get("batch_first") else (length, 2, D)


def layer_pair(name: str, options: dict[str, Any]) -> tuple[Any, Any]:
    return pair(name, D, HEADS, 10, 0.0, **options)


@options_of_layers
@pytest.mark.parametrize("mask", ["none", "bool", "causal"])
def test_encoder_layer(options: dict[str, Any], mask: str) -> None:
    mine, theirs = layer_pair("TransformerEncoderLayer", options)
    x, x_t = leaves(normal(*sizes(options, 4)))
    attn, attn_t = fixed(mask_of(mask, 4, 4, 2))
    keys, keys_t = fixed(padding(2, 4, "bool"))
    assert_same(mine, theirs, [mine(x, attn, keys)], [theirs(x_t, attn_t, keys_t)], [(x, x_t)])


@options_of_layers
def test_decoder_layer(options: dict[str, Any]) -> None:
    mine, theirs = layer_pair("TransformerDecoderLayer", options)
    x, x_t = leaves(normal(*sizes(options, 3)))
    memory, memory_t = leaves(normal(*sizes(options, 5)))
    masks = [fixed(m) for m in (mask_of("causal", 3, 3, 2), mask_of("float", 3, 5, 2),
                                padding(2, 3, "float"), padding(2, 5, "float"))]
    ours, reference = zip(*masks, strict=True)
    assert_same(mine, theirs, [mine(x, memory, *ours)], [theirs(x_t, memory_t, *reference)],
                [(x, x_t), (memory, memory_t)])


@pytest.mark.parametrize("name", ["TransformerEncoderLayer", "TransformerDecoderLayer"])
@options_of_layers
def test_names_of_layers(name: str, options: dict[str, Any]) -> None:
    mine, theirs = layer_pair(name, options)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert repr(mine) == repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")


@pytest.mark.parametrize("hint", [None, True, False])
@pytest.mark.parametrize("mask", ["none", "bool", "causal", "float", "by head"])
def test_encoder_of_several_layers(hint: bool | None, mask: str) -> None:
    if hint and mask not in ("bool", "causal"):
        return
    norm, norm_t = nn.LayerNorm(D), torch.nn.LayerNorm(D)
    mine = nn.TransformerEncoder(nn.TransformerEncoderLayer(D, HEADS, 10, 0.0), 2, norm).double()
    theirs = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(D, HEADS, 10, 0.0), 2, norm_t).double()
    mine.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    x, x_t = leaves(normal(4, 2, D))
    attn, attn_t = fixed(mask_of(mask, 4, 4, 2))
    assert_same(mine, theirs, [mine(x, attn, is_causal=hint)],
                [theirs(x_t, attn_t, is_causal=hint)], [(x, x_t)])


def test_copies_of_a_layer_have_their_own_weights() -> None:
    layer = nn.TransformerEncoderLayer(D, HEADS, 10)
    encoder = nn.TransformerEncoder(layer, 2)
    first, second = encoder.layers
    assert first.linear1.weight is not second.linear1.weight is not layer.linear1.weight
    assert first.linear1.weight.tolist() == second.linear1.weight.tolist()


# ---------------------------------------------------------------- Transformer


def transformers(**options: Any) -> tuple[Any, Any]:
    return pair("Transformer", D, HEADS, 2, 2, 10, 0.0, **options)


@pytest.mark.parametrize("options", [{}, {"batch_first": True, "norm_first": True},
                                     {"activation": "gelu", "bias": False}], ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_transformer(options: dict[str, Any], masked: bool) -> None:
    mine, theirs = transformers(**options)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert repr(mine) == repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
    source, source_t = leaves(normal(*sizes(options, 5)))
    x, x_t = leaves(normal(*sizes(options, 3)))
    given, given_t = {}, {}
    if masked:
        arrays = {"src_mask": mask_of("float", 5, 5, 2), "tgt_mask": mask_of("causal", 3, 3, 2),
                  "memory_mask": mask_of("float", 3, 5, 2),
                  "src_key_padding_mask": padding(2, 5, "float"),
                  "tgt_key_padding_mask": padding(2, 3, "float"),
                  "memory_key_padding_mask": padding(2, 5, "float")}
        given = {k: tinytensor.tensor(v) for k, v in arrays.items()}
        given_t = {k: torch.tensor(v) for k, v in arrays.items()}
    assert_same(mine, theirs, [mine(source, x, **given)], [theirs(source_t, x_t, **given_t)],
                [(source, source_t), (x, x_t)])


def test_transformer_without_batch() -> None:
    mine, theirs = transformers()
    (source, source_t), (x, x_t) = leaves(normal(5, D)), leaves(normal(3, D))
    mask, mask_t = fixed(mask_of("causal", 3, 3, 1))
    assert_same(mine, theirs, [mine(source, x, tgt_mask=mask)],
                [theirs(source_t, x_t, tgt_mask=mask_t)], [(source, source_t), (x, x_t)])


def test_parts_of_ones_own() -> None:
    mine = nn.Transformer(D, HEADS, custom_encoder=nn.Identity(), custom_decoder=nn.Bilinear(
        D, D, 3))
    assert list(mine.state_dict()) == ["decoder.weight", "decoder.bias"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
def test_generate_square_subsequent_mask(dtype: str) -> None:
    make, make_t = (library.nn.Transformer.generate_square_subsequent_mask
                    for library in (tinytensor, torch))
    mine, theirs = (make(4, dtype=getattr(tinytensor, dtype)),
                    make_t(4, dtype=getattr(torch, dtype)))
    assert mine.dtype.name == dtype
    assert mine.tolist() == theirs.tolist()
    assert make(2).dtype is tinytensor.float32


def test_float32_stays_float32() -> None:
    model = nn.Transformer(D, HEADS, 1, 1, 10, 0.1)
    x = tinytensor.ones(3, 2, D, requires_grad=True)
    mask = model.generate_square_subsequent_mask(3)
    out = model(x, x, tgt_mask=mask, src_key_padding_mask=tinytensor.zeros(2, 3).bool())
    out.sum().backward()
    assert out.dtype is x.grad.dtype is tinytensor.float32
    assert all(p.grad.dtype is tinytensor.float32 for p in model.parameters())


def test_on_a_gpu(gpu: Any) -> None:
    """Results equal those on the CPU, with masks of both kinds."""
    model, _ = transformers(batch_first=True)
    found = []
    for device in ("cpu", "cuda"):
        model.to(device).zero_grad()
        x = tinytensor.tensor(normal(2, 4, D), device=device, requires_grad=True)
        out = model(x, x, tgt_mask=model.generate_square_subsequent_mask(4, device=device),
                    src_key_padding_mask=tinytensor.tensor(padding(2, 4, "bool"), device=device))
        (out * out).sum().backward()
        found.append([out.cpu(), x.grad.cpu(), *(p.grad.cpu() for p in model.parameters())])
    for a, b in zip(*found, strict=True):
        assert_close(a, b)


def test_dropout_only_while_training() -> None:
    model, x = nn.Transformer(D, HEADS, 1, 1, 10, 0.5), tinytensor.ones(3, 2, D)
    assert (model(x, x) != model(x, x)).any()
    model = copy.deepcopy(model).eval()
    assert (model(x, x) == model(x, x)).all()


def test_training_a_transformer_follows_pytorch() -> None:
    """Ten steps of SGD on reversing a sequence have the same losses."""
    x = normal(2, 5, D)
    y = x[:, ::-1].copy()
    mine, theirs = transformers(batch_first=True)
    curves = []
    for library, model in ((tinytensor, mine), (torch, theirs)):
        chosen = library.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
        mask = model.generate_square_subsequent_mask(5, dtype=library.float64)
        curve = []
        for _ in range(10):
            chosen.zero_grad()
            out = model(library.tensor(x), library.tensor(y), tgt_mask=mask)
            loss = library.nn.functional.mse_loss(out, library.tensor(y))
            loss.backward()
            chosen.step()
            curve.append(loss.item())
        curves.append(curve)
    numpy.testing.assert_allclose(curves[0], curves[1], rtol=1e-9)
    assert curves[0][-1] < 0.9 * curves[0][0]


# ---------------------------------------------------------------- errors


def zeros(*shape: int) -> Any:
    return tinytensor.zeros(shape)


def attend(*shapes: tuple[int, ...], **options: Any) -> Any:
    query, key, value = (zeros(*shape) for shape in (shapes * 3 if len(shapes) == 1 else shapes))
    return nn.MultiheadAttention(D, HEADS)(query, key, value, **options)


X = (3, 2, D)
WRONG: list[tuple[Any, type[Exception], str]] = [
    (lambda: nn.MultiheadAttention(9, 2), AssertionError, "num_heads=2 and embed_dim=9"),
    (lambda: nn.MultiheadAttention(0, 2), ValueError, "got 0 and 2"),
    (lambda: attend((D,)), AssertionError, r"query \(8,\)"),
    (lambda: attend(X, (3, D), X), AssertionError, r"key \(3, 8\)"),
    (lambda: attend((3, 2, 7), X, X), AssertionError,
     r"the query has 7 features, this layer takes 8 \(embed_dim\); got query \(3, 2, 7\)"),
    (lambda: attend(X, (5, 2, D), (6, 2, D)), AssertionError, r"\(5, 2, 8\), value \(6, 2, 8\)"),
    (lambda: attend(X, (3, 4, D), (3, 4, D)), RuntimeError, r"batch sizes.*\(3, 4, 8\)"),
    (lambda: attend(X, key_padding_mask=zeros(2, 4)), AssertionError, r"\(2, 3\), got \(2, 4\)"),
    (lambda: attend((3, D), key_padding_mask=zeros(1, 3)), AssertionError,
     r"\(3,\), got \(1, 3\)"),
    (lambda: attend(X, attn_mask=zeros(3)), AssertionError, r"2 or 3 dims, got shape \(3,\)"),
    (lambda: attend(X, attn_mask=zeros(3, 4)), RuntimeError, r"\(3, 3\), got \(3, 4\)"),
    (lambda: attend(X, attn_mask=zeros(2, 3, 3)), RuntimeError, r"\(4, 3, 3\), got \(2, 3, 3\)"),
    (lambda: attend(X, attn_mask=zeros(3, 3).long()), AssertionError, "int64"),
    (lambda: attend(X, is_causal=True), RuntimeError, "generate_square_subsequent_mask"),
    (lambda: nn.TransformerEncoderLayer(D, HEADS, activation="sine"), RuntimeError, "sine"),
    (lambda: nn.Transformer(D, HEADS, 1, 1)(zeros(3, 2, D), zeros(3, 3, D)), RuntimeError,
     r"batch sizes.*src \(3, 2, 8\), tgt \(3, 3, 8\)"),
    (lambda: nn.Transformer(D, HEADS, 1, 1)(zeros(3, 2, D), zeros(3, 2, 7)), RuntimeError,
     r"must have 8 features.*\(3, 2, 7\)"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=[w[2] for w in WRONG])
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
