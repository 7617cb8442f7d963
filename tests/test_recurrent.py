"""Recurrent layers against PyTorch's: equal weights give equal results, gradients and names."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy
import pytest
import torch

import tinytensor
from tinytensor import nn
from tinytensor.checking.calls import values
from tinytensor.nn.utils import rnn

KINDS: dict[str, dict[str, Any]] = {
    "RNN": {}, "RNN relu": {"nonlinearity": "relu"}, "LSTM": {},
    "LSTM projected": {"proj_size": 2}, "GRU": {}}
SHAPES: list[dict[str, Any]] = [
    {}, {"bias": False}, {"batch_first": True}, {"num_layers": 3}, {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True}]
LENGTHS = (3, 5, 1, 3)
kinds = pytest.mark.parametrize("kind", KINDS)
every = pytest.mark.parametrize("options", SHAPES, ids=str)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
    tinytensor.manual_seed(0)


def normal(*shape: int, seed: int = 0) -> Any:
    return numpy.random.default_rng(seed + sum(shape)).normal(size=shape)


def pair(name: str, *args: Any, **options: Any) -> tuple[Any, Any]:
    """Our module and PyTorch's with the same weights, in float64."""
    mine = getattr(nn, name)(*args, **options).double()
    theirs = getattr(torch.nn, name)(*args, **options).double()
    mine.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    return mine, theirs


def layers(kind: str, **options: Any) -> tuple[Any, Any]:
    return pair(kind.split()[0], 4, 3, **KINDS[kind], **options)


def leaves(array: Any) -> tuple[Any, Any]:
    return (tinytensor.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True))


def assert_close(mine: Any, theirs: Any, what: str = "") -> None:
    numpy.testing.assert_allclose(values(mine), values(theirs), 1e-10, 1e-10, err_msg=what)


def tensors(result: Any) -> list[Any]:
    """The floating point Tensors in nested results."""
    if isinstance(result, tuple | list):
        return [t for r in result for t in tensors(r)]
    return [result] if result is not None and result.dtype in (
        tinytensor.float64, torch.float64) else []


def assert_same(mine: Any, theirs: Any, results: Any, expected: Any, inputs: Any = ()) -> None:
    """Asserts equal results and gradients of their weighted sum by parameters and inputs."""
    results, expected = tensors(results), tensors(expected)
    assert len(results) == len(expected) > 0
    loss: Any = 0
    reference: Any = 0
    for i, (a, b) in enumerate(zip(results, expected, strict=True)):
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


def states(kind: str, *shape: int) -> tuple[Any, Any, list[Any]]:
    """Initial states for both libraries, and the list of pairs."""
    sizes = [KINDS[kind].get("proj_size", shape[-1]), shape[-1]][:1 + kind.startswith("LSTM")]
    pairs = [leaves(normal(*shape[:-1], size, seed=s)) for s, size in enumerate(sizes)]
    mine, theirs = zip(*pairs, strict=True)
    return (mine, theirs, pairs) if len(pairs) == 2 else (mine[0], theirs[0], pairs)


# ---------------------------------------------------------------- layers


@kinds
@every
@pytest.mark.parametrize("given", [False, True], ids=["from zeros", "from states"])
def test_sequences(kind: str, options: dict[str, Any], given: bool) -> None:
    mine, theirs = layers(kind, **options)
    x, x_t = leaves(normal(2, 5, 4) if options.get("batch_first") else normal(5, 2, 4))
    args, args_t, pairs = states(kind, len(mine.all_weights), 2, 3) if given else (None, None, [])
    assert_same(mine, theirs, mine(x, args), theirs(x_t, args_t), [(x, x_t), *pairs])


@kinds
@every
@pytest.mark.parametrize("given", [False, True], ids=["from zeros", "from states"])
def test_sequences_without_batch(kind: str, options: dict[str, Any], given: bool) -> None:
    mine, theirs = layers(kind, **options)
    x, x_t = leaves(normal(5, 4))
    args, args_t, pairs = states(kind, len(mine.all_weights), 3) if given else (None, None, [])
    assert_same(mine, theirs, mine(x, args), theirs(x_t, args_t), [(x, x_t), *pairs])


@kinds
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("given", [False, True], ids=["from zeros", "from states"])
def test_packed_sequences(kind: str, options: dict[str, Any], given: bool) -> None:
    mine, theirs = layers(kind, **options)
    inputs = [leaves(normal(length, 4, seed=i)) for i, length in enumerate(LENGTHS)]
    ours, reference = zip(*inputs, strict=True)
    packed = rnn.pack_sequence(ours, enforce_sorted=False)
    packed_t = torch.nn.utils.rnn.pack_sequence(reference, enforce_sorted=False)
    args, args_t, pairs = states(kind, len(mine.all_weights), 4, 3) if given else (None, None, [])
    (out, last), (out_t, last_t) = mine(packed, args), theirs(packed_t, args_t)
    assert out.batch_sizes.tolist() == out_t.batch_sizes.tolist()
    padded, lengths = rnn.pad_packed_sequence(out)
    padded_t, _ = torch.nn.utils.rnn.pad_packed_sequence(out_t)
    assert lengths.tolist() == list(LENGTHS)
    assert_same(mine, theirs, [padded, last], [padded_t, last_t], [*inputs, *pairs])


@kinds
def test_only_the_last_states_are_used(kind: str) -> None:
    """The gradient comes from the last states only, for an LSTM from the cell states only."""
    mine, theirs = layers(kind, bidirectional=True)
    x, x_t = leaves(normal(4, 2, 4))
    last, last_t = mine(x)[1], theirs(x_t)[1]
    if kind.startswith("LSTM"):
        last, last_t = last[1], last_t[1]
    assert_same(mine, theirs, last, last_t, [(x, x_t)])


@kinds
def test_empty_batch(kind: str) -> None:
    mine, theirs = layers(kind)
    x, x_t = leaves(numpy.zeros((2, 0, 4)))
    assert_same(mine, theirs, mine(x), theirs(x_t), [(x, x_t)])


@kinds
@pytest.mark.parametrize("options", [{}, *SHAPES[1:], {"num_layers": 2, "dropout": 0.25}], ids=str)
def test_names_and_repr(kind: str, options: dict[str, Any]) -> None:
    mine, theirs = layers(kind, **options)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert repr(mine) == repr(theirs)
    assert [[tuple(w.shape) for w in row] for row in mine.all_weights] == \
        [[tuple(w.shape) for w in row] for row in theirs.all_weights]
    assert mine._flat_weights_names == theirs._flat_weights_names
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in mine.state_dict().items()})


def test_weights_begin_uniform() -> None:
    layer = nn.LSTM(30, 64)
    assert layer.flatten_parameters() is None
    for parameter in (*layer.parameters(), *nn.GRUCell(30, 64).parameters()):
        assert -0.125 <= parameter.min().item() < -0.12 < 0.12 < parameter.max().item() <= 0.125


def test_float32_stays_float32() -> None:
    for kind in (nn.RNN, nn.LSTM, nn.GRU):
        layer = kind(4, 3, bidirectional=True)
        x = tinytensor.ones(5, 2, 4, requires_grad=True)
        out = layer(x)[0]
        out.sum().backward()
        assert out.dtype is x.grad.dtype is tinytensor.float32
        assert all(p.grad.dtype is tinytensor.float32 for p in layer.parameters())


def test_dropout_acts_between_layers_while_training() -> None:
    layer, x = nn.GRU(4, 3, 2, dropout=1.0), tinytensor.ones(5, 2, 4)
    cut = layer(x)[0]
    layer.weight_ih_l1.data.zero_()
    assert_close(layer(x)[0], cut)  # dropout of 1 makes this weight unused
    layer, x = nn.LSTM(4, 8, 2, dropout=0.5), tinytensor.ones(5, 2, 4)
    assert (layer(x)[0] != layer(x)[0]).any()
    layer.eval()
    assert (layer(x)[0] == layer(x)[0]).all()
    with pytest.warns(UserWarning, match="num_layers is 1"):
        nn.LSTM(4, 3, dropout=0.5)


def test_second_derivatives() -> None:
    """Compares the gradients of a gradient penalty with PyTorch's double backward."""
    for kind in ("LSTM", "GRU"):
        mine, theirs = layers(kind, bidirectional=True)
        found = []
        for library, layer, x in zip((tinytensor, torch), (mine, theirs),
                                     leaves(normal(3, 2, 4)), strict=True):
            out = layer(x)[0]
            slope, = library.autograd.grad((out * out).sum(), x, create_graph=True)
            (slope * slope).sum().backward()
            found.append([x.grad, *(p.grad for p in layer.parameters())])
        for a, b in zip(*found, strict=True):
            assert_close(a, b)


def test_copies_compute_the_same() -> None:
    layer = nn.LSTM(4, 3)
    x = tinytensor.ones(2, 1, 4)
    again = copy.deepcopy(layer)
    assert again.weight_ih_l0 is not layer.weight_ih_l0
    assert_close(again(x)[0], layer(x)[0])


@kinds
def test_on_a_gpu(kind: str, gpu: Any) -> None:
    """Results equal those on the CPU, also for packed sequences."""
    layer, _ = layers(kind, bidirectional=True, num_layers=2)
    arrays = [normal(length, 4, seed=i) for i, length in enumerate(LENGTHS)]
    found = []
    for device in ("cpu", "cuda"):
        layer.to(device).zero_grad()
        packed = rnn.pack_sequence([tinytensor.tensor(a, device=device) for a in arrays], False)
        out, _ = rnn.pad_packed_sequence(layer(packed)[0])
        (out * out).sum().backward()
        found.append([out.cpu(), *(p.grad.cpu() for p in layer.parameters())])
    for a, b in zip(*found, strict=True):
        assert_close(a, b)


# ---------------------------------------------------------------- cells


CELLS: list[tuple[str, dict[str, Any]]] = [
    ("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("LSTMCell", {}), ("GRUCell", {}),
    ("LSTMCell", {"bias": False}), ("GRUCell", {"bias": False}), ("RNNCell", {"bias": False})]


@pytest.mark.parametrize(("name", "options"), CELLS, ids=str)
@pytest.mark.parametrize("shape", [(5,), ()], ids=["batch", "one"])
@pytest.mark.parametrize("given", [False, True], ids=["from zeros", "from states"])
def test_cells(name: str, options: dict[str, Any], shape: tuple[int, ...], given: bool) -> None:
    mine, theirs = pair(name, 4, 3, **options)
    assert repr(mine) == repr(theirs)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    x, x_t = leaves(normal(*shape, 4))
    kind = name.removesuffix("Cell")
    args, args_t, pairs = states(kind, *shape, 3) if given else (None, None, [])
    assert_same(mine, theirs, mine(x, args), theirs(x_t, args_t), [(x, x_t), *pairs])


def test_a_cell_step_by_step_is_the_layer() -> None:
    layer, cell = nn.LSTM(4, 3).double(), nn.LSTMCell(4, 3).double()
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x, state, seen = tinytensor.tensor(normal(5, 2, 4)), None, []
    for step in x:
        state = cell(step, state)
        seen.append(state[0])
    out, (h, c) = layer(x)
    assert_close(tinytensor.stack(seen), out)
    assert_close(state[0], h[0])
    assert_close(state[1], c[0])


# ---------------------------------------------------------------- padding and packing


def sequences(*shape: int) -> tuple[list[Any], list[Any]]:
    arrays = [normal(length, *shape, seed=i) for i, length in enumerate(LENGTHS)]
    return [tinytensor.tensor(a) for a in arrays], [torch.tensor(a) for a in arrays]


@pytest.mark.parametrize("options", [
    {}, {"batch_first": True}, {"padding_value": -1.5}, {"padding_side": "left"},
    {"padding_side": "left", "batch_first": True}], ids=str)
@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
def test_pad_sequence(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    mine, theirs = sequences(*shape)
    padded = rnn.pad_sequence(mine, **options)
    expected = torch.nn.utils.rnn.pad_sequence(theirs, **options)
    assert_close(padded, expected)
    assert padded.stride() == expected.stride()


@pytest.mark.parametrize("batch_first", [False, True])
def test_unpad_sequence_undoes_pad_sequence(batch_first: bool) -> None:
    mine, _ = sequences(2)
    again = rnn.unpad_sequence(rnn.pad_sequence(mine, batch_first),
                               tinytensor.tensor(LENGTHS), batch_first)
    for a, b in zip(again, mine, strict=True):
        assert_close(a, b)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("total", [None, 7])
def test_pack_and_pad_again(batch_first: bool, total: int | None) -> None:
    padded = numpy.array(normal(6, 4, 2))  # longer than the longest sequence
    x, x_t = leaves(padded.swapaxes(0, 1).copy() if batch_first else padded)
    results = []
    for x_, library in ((x, rnn), (x_t, torch.nn.utils.rnn)):
        packed = library.pack_padded_sequence(x_, list(LENGTHS), batch_first, False)
        results.append((packed, library.pad_packed_sequence(packed, batch_first, 9.0, total)))
    (mine, (out, lengths)), (theirs, (out_t, lengths_t)) = results
    for a, b in zip(mine, theirs, strict=True):
        assert_close(a, b)
    assert_close(out, out_t)
    assert lengths.tolist() == lengths_t.tolist()
    (out * out).sum().backward()
    (out_t * out_t).sum().backward()
    assert_close(x.grad, x_t.grad)


def test_packed_sequence_converts_and_unpacks() -> None:
    mine, _ = sequences(2)
    packed = rnn.pack_sequence(mine, enforce_sorted=False)
    assert isinstance(packed, rnn.PackedSequence) and isinstance(packed, tuple)
    assert packed.sorted_indices.tolist() == [1, 0, 3, 2]
    assert packed.unsorted_indices.tolist() == [1, 0, 3, 2]
    assert packed.double() is packed and packed.cpu() is packed and not packed.is_cuda
    assert packed.float().data.dtype is tinytensor.float32
    for a, b in zip(rnn.unpack_sequence(packed), mine, strict=True):
        assert_close(a, b)
    again = rnn.PackedSequence((packed.data, packed.batch_sizes), None, packed.sorted_indices)
    assert again.unsorted_indices.tolist() == packed.unsorted_indices.tolist()
    assert rnn.pack_sequence(sorted(mine, key=len, reverse=True)).sorted_indices is None
    assert rnn.invert_permutation(tinytensor.tensor([2, 0, 1])).tolist() == [1, 2, 0]


# ---------------------------------------------------------------- training


def test_training_an_lstm_follows_pytorch() -> None:
    """Ten steps of SGD have the same losses. The target is the sign of a sum of inputs."""
    x = normal(8, 12, 2)
    y = (x[-3:].sum((0, 2)) > 0).astype(numpy.int64)
    mine, theirs = pair("LSTM", 2, 6, bidirectional=True)
    head, head_t = pair("Linear", 6, 2)
    curves = []
    for library, layer, last in ((tinytensor, mine, head), (torch, theirs, head_t)):
        chosen = library.optim.SGD([*layer.parameters(), *last.parameters()], lr=1.0,
                                   momentum=0.9)
        curve = []
        for _ in range(10):
            chosen.zero_grad()
            _, (h, _) = layer(library.tensor(x))
            loss = library.nn.functional.cross_entropy(last(h[-1]), library.tensor(y))
            loss.backward()
            chosen.step()
            curve.append(loss.item())
        curves.append(curve)
    numpy.testing.assert_allclose(curves[0], curves[1], rtol=1e-9)
    assert curves[0][-1] < 0.9 * curves[0][0]


# ---------------------------------------------------------------- errors


def zeros(*shape: int) -> Any:
    return tinytensor.zeros(shape)


WRONG: list[tuple[Any, type[Exception], str]] = [
    (lambda: nn.LSTM(4, 3)(zeros(5, 2, 4, 1)), ValueError, r"LSTM.*\(5, 2, 4, 1\)"),
    (lambda: nn.GRU(4, 3)(zeros(5, 2, 6)), RuntimeError, r"GRU: .*6 feat.*\(5, 2, 6\).*takes 4"),
    (lambda: nn.RNN(4, 3)(zeros(5, 2, 4).double()), ValueError, "float64.*float32"),
    (lambda: nn.RNN(4, 3)(zeros(0, 2, 4)), RuntimeError, r"empty.*\(0, 2, 4\)"),
    (lambda: nn.GRU(4, 3)(zeros(5, 2, 4), zeros(1, 3, 3)), RuntimeError,
     r"GRU: h_0 .*\(1, 2, 3\).*got \(1, 3, 3\)"),
    (lambda: nn.GRU(4, 3)(zeros(5, 4), zeros(1, 1, 3)), RuntimeError, r"\(1, 3\).*\(1, 1, 3\)"),
    (lambda: nn.GRU(4, 3)(zeros(5, 2, 4), (zeros(1, 2, 3),)), TypeError, "tuple"),
    (lambda: nn.LSTM(4, 3)(zeros(5, 2, 4), zeros(1, 2, 3)), TypeError, r"LSTM.*\(h, c\).*Tensor"),
    (lambda: nn.LSTM(4, 3)(zeros(5, 2, 4), (zeros(1, 2, 3), zeros(1, 2, 4))), RuntimeError,
     r"c_0 .*\(1, 2, 4\)"),
    (lambda: nn.LSTM(4, 3)(rnn.pack_sequence([zeros(2, 5)])), RuntimeError, "this layer takes 4"),
    (lambda: nn.RNN(4, 3, nonlinearity="cos"), ValueError, "cos"),
    (lambda: nn.RNNBase("CONV", 4, 3), ValueError, "CONV"),
    (lambda: nn.LSTM(4, 3, proj_size=3), ValueError, "proj_size.*smaller than hidden_size 3"),
    (lambda: nn.RNNBase("GRU", 4, 3, proj_size=2), ValueError, "only an LSTM has proj_size"),
    (lambda: nn.LSTM(4, 3, proj_size=1.5), TypeError, "proj_size must be an int"),
    (lambda: nn.LSTM(4, 3, dropout=1.5), ValueError, r"\[0, 1\], got 1.5"),
    (lambda: nn.LSTM(4, 0), ValueError, "hidden_size"),
    (lambda: nn.LSTM(4.0, 3), TypeError, "input_size.*float"),
    (lambda: nn.LSTM(4, 3, 1, 1), TypeError, "bias.*int"),
    (lambda: nn.LSTMCell(4, 3)(zeros(2, 2, 4)), ValueError, r"LSTMCell.*\(2, 2, 4\)"),
    (lambda: nn.LSTMCell(4, 3)(zeros(2, 4), (zeros(2, 3), zeros(1, 2, 3))), ValueError,
     r"hx\[1\].*\(1, 2, 3\)"),
    (lambda: nn.GRUCell(4, 3)(zeros(2, 5)), RuntimeError, r"5 features .*\(2, 5\).*takes 4"),
    (lambda: nn.GRUCell(4, 3)(zeros(2, 4), zeros(3, 3)), RuntimeError, r"\(2, 3\).*got \(3, 3\)"),
    (lambda: nn.RNNCell(4, 3, nonlinearity="cos")(zeros(2, 4)), RuntimeError, "cos"),
    (lambda: rnn.pack_padded_sequence(zeros(3, 2), [1, 3]), RuntimeError, "enforce_sorted=False"),
    (lambda: rnn.pack_padded_sequence(zeros(3, 2), [3, 0]), RuntimeError, r"\[3, 0\]"),
    (lambda: rnn.pack_padded_sequence(zeros(3, 2), [4, 1]), RuntimeError, r"\[4, 1\]"),
    (lambda: rnn.pack_padded_sequence(zeros(3, 2), [3]), RuntimeError, r"1 lengths.*\(3, 2\)"),
    (lambda: rnn.pad_packed_sequence(rnn.pack_sequence([zeros(2)]), total_length=1), ValueError,
     "total_length 1"),
    (lambda: rnn.pad_sequence([]), RuntimeError, "empty"),
    (lambda: rnn.pad_sequence(3), RuntimeError, "int"),
    (lambda: rnn.pad_sequence([zeros(2, 3), zeros(1, 2)]), RuntimeError, r"\(2, 3\), \(1, 2\)"),
    (lambda: rnn.pad_sequence([zeros(2)], padding_side="top"), RuntimeError, "top"),
    (lambda: rnn.unpad_sequence(zeros(3, 2), [1]), ValueError, r"1 lengths.*\(3, 2\)"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=[w[2] for w in WRONG])
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_nothing_warns_without_reason() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.LSTM(4, 3, 2, dropout=0.5)(zeros(5, 2, 4))
