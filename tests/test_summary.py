"""summary, against counts worked out by hand, PyTorch's parameters, and FlopCounterMode."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import tinytensor
from tinytensor import nn
from tinytensor.compat.modules import flop_counter
from tinytensor.utils import summary


def by_name(found: Any) -> dict[str, Any]:
    return {row.name: row for row in found.rows}


def test_a_small_cnn_by_hand() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 10, bias=False))
    found = summary(model, (2, 3, 8, 8))
    rows = by_name(found)
    assert [rows[str(i)].shape for i in range(6)] == [
        [(2, 8, 8, 8)], [(2, 8, 8, 8)], [(2, 8, 8, 8)], [(2, 8, 4, 4)], [(2, 128)], [(2, 10)]]
    # 8 channels with 3·3·3 weights and a bias each; weight and bias of the norm; 128·10.
    assert [rows[str(i)].parameters for i in range(6)] == [8 * 27 + 8, 16, 0, 0, 0, 1280]
    # 27 for each of 8 channels at 64 pixels of 2 images; 128 for each of 10 outputs of 2 images.
    assert [rows[str(i)].work for i in range(6)] == [2 * 64 * 8 * 27, 0, 0, 0, 0, 2 * 1280]
    # In-place operations and views store nothing new.
    assert [rows[str(i)].output for i in range(6)] == [4096, 4096, 0, 1024, 0, 80]
    assert rows[""].output == 0 and rows[""].shape == [(2, 10)]
    assert (found.parameters, found.trainable) == (1520, 1520)
    assert found.work == 27648 + 2560 and found.output_bytes == 4096 + 4096 + 1024 + 80
    # The norm has two buffers of 8 float32 and one int64.
    assert found.parameter_bytes == 4 * 1520 + 2 * 8 * 4 + 8
    assert str(found).splitlines() == [
        "layer             output shape  parameters  output memory  multiply-adds",
        "------------------------------------------------------------------------",
        "Sequential        (2, 10)                -              -              -",
        "  0: Conv2d       (2, 8, 8, 8)         224        4.0 KiB         27,648",
        "  1: BatchNorm2d  (2, 8, 8, 8)          16        4.0 KiB              -",
        "  2: ReLU         (2, 8, 8, 8)           -              -              -",
        "  3: MaxPool2d    (2, 8, 4, 4)           -        1.0 KiB              -",
        "  4: Flatten      (2, 128)               -              -              -",
        "  5: Linear       (2, 10)            1,280           80 B          2,560",
        "------------------------------------------------------------------------",
        "input (2, 3, 8, 8)",
        "parameters 1,520, of which trainable 1,520; with buffers 6.0 KiB",
        "outputs 9.1 KiB; multiply-adds 30,208",
    ]


def recurrent(module: Any) -> Any:
    class Last(module.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = module.Embedding(11, 3)
            self.lstm = module.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True)
            self.gru = module.GRU(8, 5, batch_first=True)
            self.rnn = module.RNN(5, 2, batch_first=True)
            self.read = module.Linear(2, 7)

        def forward(self, tokens: Any) -> Any:
            x, _ = self.rnn(self.gru(self.lstm(self.embed(tokens))[0])[0])
            return self.read(x[:, -1])

    return Last()


def test_recurrent_layers_and_tokens_by_hand() -> None:
    found = summary(recurrent(nn), (2, 6), dtypes=[tinytensor.int64])
    rows, places = by_name(found), 2 * 6
    assert rows["embed"].shape == [(2, 6, 3)] and rows["embed"].work == 0
    # Four gates of 4 units, each with the inputs and 4 hidden units, in both directions.
    assert rows["lstm"].work == places * 2 * (16 * (3 + 4) + 16 * (8 + 4))
    assert rows["gru"].work == places * 15 * (8 + 5)
    assert rows["rnn"].work == places * 2 * (5 + 2)
    assert rows["read"].work == 2 * 2 * 7  # the last position only
    assert rows["lstm"].shape == [(2, 6, 8), (4, 2, 4), (4, 2, 4)]
    with pytest.raises(Exception, match="embedding") as caught:
        summary(recurrent(nn), (2, 6))
    assert "embeddings need dtypes=[int64]" in caught.value.__notes__[-1]


MODELS: dict[str, tuple[Any, list[Any]]] = {
    "mlp": (lambda nn: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)), [(3, 6)]),
    "convolutions": (lambda nn: nn.Sequential(
        nn.Conv2d(4, 8, (3, 2), stride=2, groups=2), nn.Conv2d(8, 6, 1), nn.ConvTranspose2d(
            6, 3, 3, stride=2), nn.ConvTranspose2d(3, 2, 3)), [(2, 4, 9, 8)]),
    "lines and volumes": (lambda nn: nn.Sequential(
        nn.Conv1d(2, 3, 3), nn.Unflatten(2, (2, 2, 2)), nn.Conv3d(3, 4, 2)), [(2, 2, 10)]),
    "transformer": (lambda nn: nn.TransformerEncoder(nn.TransformerEncoderLayer(
        16, 2, 32, batch_first=True), 2, enable_nested_tensor=False), [(2, 5, 16)]),
    "both halves": (lambda nn: nn.Transformer(16, 4, 1, 1, 24, batch_first=True),
                    [(2, 5, 16), (2, 3, 16)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_pytorch_counts_the_same(name: str) -> None:
    make, sizes = MODELS[name]
    found, theirs = summary(make(nn), sizes), make(torch.nn)
    with FlopCounterMode(display=False) as counter:  # no_grad would fuse layers
        theirs.train()(*[torch.zeros(size) for size in sizes])
    assert found.work == counter.get_total_flops() / 2
    assert found.parameters == sum(p.numel() for p in theirs.parameters())
    assert found.inputs == sizes
    for column, total in (("work", found.work), ("parameters", found.parameters),
                          ("output", found.output_bytes)):
        assert sum(getattr(row, column) for row in found.rows) == total


def test_parameters_of_recurrent_layers_are_pytorchs() -> None:
    found = summary(recurrent(nn), (1, 2), dtypes=[tinytensor.int64])
    assert found.parameters == sum(p.numel() for p in recurrent(torch.nn).parameters())


class Shared(nn.Module):
    """A layer that is called three times, tied weights, and a layer that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.block = nn.Linear(4, 4)
        self.same = self.block
        self.read = nn.Linear(4, 7, bias=False)
        self.read.weight = self.embed.weight
        self.unused = nn.Linear(2, 2)
        self.more = nn.ModuleList([nn.Identity()])

    def forward(self, tokens: Any, scale: Any = 1.0) -> Any:
        x = self.embed(tokens)
        for layer in (self.block, self.same, self.block):
            x = layer(x) * scale
        return {"scores": self.read(x), "scaled": (x @ x.transpose(-1, -2), [x])}


def test_shared_modules_and_weights() -> None:
    found = summary(Shared(), (2, 3), dtypes=[tinytensor.int64])
    rows = by_name(found)
    assert rows["block"].calls == 3 and rows["block"].work == 3 * 6 * 16
    assert "same" not in rows
    assert (rows["embed"].parameters, rows["read"].parameters) == (28, 0)
    assert found.parameters == 28 + 20 + 6
    assert rows[""].work == 2 * 3 * 3 * 4  # the product in the forward of the model
    assert rows[""].shape == [(2, 3, 7), (2, 3, 3), (2, 3, 4)]
    text = str(found)
    assert "block: Linear x3" in text
    assert "unused: Linear" in text and text.count("not called") == 2  # the Identity too
    assert any(line.split() == ["more:", "ModuleList", "-", "-", "-", "-"]
               for line in text.splitlines())


def test_depth_adds_up_what_is_below() -> None:
    make, sizes = MODELS["transformer"]
    whole, short = summary(make(nn), sizes), summary(make(nn), sizes, depth=0)
    (row,) = short._shown()
    assert (row.parameters, row.work, row.output) == (
        whole.parameters, whole.work, whole.output_bytes)
    assert len(str(short).splitlines()) == 7
    assert len(short.rows) == len(whole.rows) and short.rows[0].work == whole.rows[0].work


def test_inputs_may_be_given_themselves() -> None:
    model, tokens = Shared(), tinytensor.tensor([[1, 2, 3]])
    expected = summary(model, (1, 3), dtypes=["int64"]).work
    for data in (tokens, (tokens,), [tokens, 2.0], {"tokens": tokens, "scale": 0.5}):
        found = summary(model, input_data=data)
        assert found.work == expected and found.inputs == [(1, 3)]


def test_the_model_is_left_as_it_was() -> None:
    seen = []

    class Noisy(nn.Module):
        def forward(self, x: Any) -> Any:
            seen.append((self.training, tinytensor.is_grad_enabled()))
            return x + tinytensor.randn(2)

    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5).eval(), Noisy())
    before = {name: t.tolist() for name, t in model.state_dict().items()}
    state = tinytensor.get_rng_state()
    summary(model, (3, 2))
    assert tinytensor.equal(tinytensor.get_rng_state(), state)
    assert {name: t.tolist() for name, t in model.state_dict().items()} == before
    assert [m.training for m in model] == [True, True, False, True]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert model(tinytensor.randn(3, 2)).requires_grad
    assert seen == [(False, False), (True, True)]


def test_the_device_is_the_models(gpu: Any) -> None:
    assert summary(nn.Linear(2, 3).to("cuda"), (4, 2)).work == 24


def test_arguments_that_do_not_fit() -> None:
    model = nn.Linear(2, 3)
    for given, said in (({}, "either input_size"), ({"input_size": (1, 2), "input_data": 1},
                                                    "either input_size"),
                        ({"input_size": "ab"}, "a shape or a list of shapes"),
                        ({"input_size": (1, -2)}, "a shape or a list of shapes")):
        with pytest.raises(TypeError, match=said):
            summary(model, **given)
    with pytest.raises(TypeError, match="expected a Module, got type"):
        summary(nn.Linear, (1, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1 inputs and 2 dtypes"):
        summary(model, (1, 2), dtypes=["float32", "float32"])
    with pytest.raises(RuntimeError) as caught:
        summary(model, (1, 5))
    assert "in summary, with inputs of shape (1, 5)" in caught.value.__notes__[-1]
    assert not model._forward_hooks
    assert summary(model, (1, 2)).work == 6  # the operations are no longer watched twice


@pytest.mark.parametrize("name", MODELS)
def test_operations_are_counted_by_module_as_in_pytorch(name: str) -> None:
    """Lightning's table of layers asks for them."""
    make, sizes = MODELS[name]
    found = []
    for library, counter in ((tinytensor, flop_counter.FlopCounterMode(display=False)),
                             (torch, FlopCounterMode(display=False))):
        with counter:
            make(library.nn).train()(*[library.zeros(size) for size in sizes])
        found.append((counter.get_total_flops(), {
            path: sum(counts.values()) for path, counts in counter.get_flop_counts().items()
            if sum(counts.values()) and not path.endswith("out_proj")}))  # no call in PyTorch
    assert found[0] == found[1]


def test_a_backward_is_not_counted_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    model, x = nn.Linear(3, 2), tinytensor.ones(4, 3)
    with flop_counter.FlopCounterMode() as counter:
        out = model(x)
    out.sum().backward()
    assert counter.get_total_flops() == 48 and "Linear" in capsys.readouterr().out
    assert model.weight.grad is not None
    with flop_counter.FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    with pytest.raises(RuntimeError, match=r"forward only.* call backward\(\) after the block"):
        counter.get_total_flops()
