"""Whole models, trained by tinytensor and PyTorch from the same weights on the same data.

Each family of networks is a function of the library, with a different optimiser and schedule. In
float64, the losses of all steps and the final weights equal PyTorch's. Weights that are saved and
loaded, in both directions, give the same outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy
import pytest
import safetensors.torch
import torch

import tinytensor
from tinytensor.kernels import loops

STEPS = 12


class Family(NamedTuple):
    """A kind of network and its training.

    model      function of the library
    data       arrays: the inputs, and the target
    loss       function of the library, the outputs and the target
    optimizer  function of the library and the parameters
    schedule   function of the library and the optimizer
    """

    model: Callable[[Any], Any]
    data: tuple[Any, Any]
    loss: Callable[[Any, Any, Any], Any]
    optimizer: Callable[[Any, Any], Any]
    schedule: Callable[[Any, Any], Any]


def normal(*shape: int) -> Any:
    return numpy.random.default_rng(sum(shape)).normal(size=shape)


def labels(*shape: int, high: int) -> Any:
    return numpy.random.default_rng(sum(shape)).integers(0, high, size=shape)


def cross_entropy(lib: Any, output: Any, target: Any) -> Any:
    """Cross entropy over the last dim, with any leading dims."""
    return lib.nn.functional.cross_entropy(output.reshape(-1, output.shape[-1]),
                                           target.reshape(-1))


# ---------------------------------------------------------------- the families


def mlp(lib: Any) -> Any:
    nn = lib.nn
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 16), nn.GELU(),
                         nn.LayerNorm(16), nn.Linear(16, 3))


def cnn(lib: Any) -> Any:
    nn = lib.nn
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3, padding=1, groups=2), nn.BatchNorm2d(8), nn.SiLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Dropout(0.0), nn.Linear(32, 5))


def residual(lib: Any) -> Any:
    nn = lib.nn

    class Block(nn.Module):
        def __init__(self, channels: int, out: int, stride: int):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
            self.norm1 = nn.BatchNorm2d(out)
            self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
            self.norm2 = nn.GroupNorm(2, out)
            self.shortcut = nn.Sequential()
            if stride != 1 or channels != out:
                self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False),
                                              nn.BatchNorm2d(out))

        def forward(self, x: Any) -> Any:
            y = lib.relu(self.norm1(self.conv1(x)))
            return lib.relu(self.norm2(self.conv2(y)) + self.shortcut(x))

    return nn.Sequential(Block(2, 4, 1), Block(4, 6, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(6, 4))


def recurrent(lib: Any, kind: str, **options: Any) -> Any:
    nn = lib.nn

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(11, 5, padding_idx=0)
            self.rnn = getattr(nn, kind)(5, 6, batch_first=True, **options)
            self.head = nn.Linear(12 if options.get("bidirectional") else 6, 4)

        def forward(self, tokens: Any) -> Any:
            hidden, _ = self.rnn(self.embedding(tokens))
            return self.head(hidden)

    return Tagger()


def encoder(lib: Any) -> Any:
    nn = lib.nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(13, 8)
            layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu",
                                               batch_first=True, norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(8, 3)

        def forward(self, tokens: Any) -> Any:
            padding = tokens == 0
            hidden = self.encoder(self.embedding(tokens), src_key_padding_mask=padding)
            return self.head(hidden.masked_fill(padding.unsqueeze(-1), 0.0).mean(1))

    return Classifier()


def gpt(lib: Any) -> Any:
    nn, functional = lib.nn, lib.nn.functional

    class Attention(nn.Module):
        def __init__(self, width: int, heads: int):
            super().__init__()
            self.heads = heads
            self.qkv = nn.Linear(width, 3 * width, bias=False)
            self.out = nn.Linear(width, width)

        def forward(self, x: Any) -> Any:
            batch, time, width = x.size()
            q, k, v = (y.view(batch, time, self.heads, width // self.heads).transpose(1, 2)
                       for y in self.qkv(x).split(width, dim=2))
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out(y.transpose(1, 2).contiguous().view(batch, time, width))

    class Block(nn.Module):
        def __init__(self, width: int, heads: int):
            super().__init__()
            self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
            self.norm2 = nn.RMSNorm(width)
            self.mlp = nn.ModuleDict({"up": nn.Linear(width, 4 * width),
                                      "down": nn.Linear(4 * width, width)})

        def forward(self, x: Any) -> Any:
            x = x + self.attention(self.norm1(x))
            hidden = functional.gelu(self.mlp["up"](self.norm2(x)), approximate="tanh")
            return x + self.mlp["down"](hidden)

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(9, 8)
            self.positions = nn.Parameter(lib.zeros(1, 7, 8))
            self.blocks = nn.ModuleList([Block(8, 2) for _ in range(2)])
            self.head = nn.Linear(8, 9, bias=False)
            self.head.weight = self.tokens.weight  # tied
            self.apply(self.initialise)

        def initialise(self, module: Any) -> None:
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.2)

        def forward(self, tokens: Any) -> Any:
            x = self.tokens(tokens) * math.sqrt(8) + self.positions[:, :tokens.shape[1]]
            for block in self.blocks:
                x = block(x)
            return self.head(x)

    return GPT()


def autoencoder(lib: Any) -> Any:
    nn = lib.nn

    class AutoEncoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.LeakyReLU(0.1), nn.Flatten(),
                nn.Linear(64, 5))
            self.decoder = nn.Sequential(
                nn.Linear(5, 64), nn.ELU(), nn.Unflatten(1, (4, 4, 4)),
                nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1), nn.InstanceNorm2d(3, affine=True),
                nn.Mish(), nn.Conv2d(3, 4, 1), nn.PixelShuffle(2), nn.AvgPool2d(2), nn.Sigmoid())

        def forward(self, x: Any) -> Any:
            return self.decoder(self.encoder(x))

    return AutoEncoder()


IMAGES, TOKENS = normal(8, 1, 8, 8), labels(5, 7, high=9)
FAMILIES = {
    "mlp": Family(
        mlp, (normal(20, 6), labels(20, high=3)), cross_entropy,
        lambda lib, p: lib.optim.SGD(p, 0.1, momentum=0.9, weight_decay=1e-3, nesterov=True),
        lambda lib, o: lib.optim.lr_scheduler.CosineAnnealingLR(o, STEPS)),
    "cnn": Family(
        cnn, (IMAGES, labels(8, high=5)), cross_entropy,
        lambda lib, p: lib.optim.Adam(p, 0.01),
        lambda lib, o: lib.optim.lr_scheduler.StepLR(o, 4, 0.5)),
    "residual net": Family(
        residual, (normal(6, 2, 6, 6), labels(6, high=4)), cross_entropy,
        lambda lib, p: lib.optim.RMSprop(p, 1e-3, momentum=0.5),
        lambda lib, o: lib.optim.lr_scheduler.MultiStepLR(o, [3, 7], 0.3)),
    "rnn": Family(
        lambda lib: recurrent(lib, "RNN", nonlinearity="relu"),
        (labels(4, 6, high=11), labels(4, 6, high=4)), cross_entropy,
        lambda lib, p: lib.optim.Adagrad(p, 0.05),
        lambda lib, o: lib.optim.lr_scheduler.ExponentialLR(o, 0.9)),
    "lstm": Family(
        lambda lib: recurrent(lib, "LSTM", num_layers=2, bidirectional=True),
        (labels(4, 6, high=11), labels(4, 6, high=4)), cross_entropy,
        lambda lib, p: lib.optim.NAdam(p, 0.02),
        lambda lib, o: lib.optim.lr_scheduler.LinearLR(o, 0.2, total_iters=8)),
    "gru": Family(
        lambda lib: recurrent(lib, "GRU", num_layers=2),
        (labels(4, 6, high=11), labels(4, 6, high=4)), cross_entropy,
        lambda lib, p: lib.optim.RAdam(p, 0.02, weight_decay=0.01),
        lambda lib, o: lib.optim.lr_scheduler.CyclicLR(o, 1e-3, 0.05, 3)),
    "transformer encoder": Family(
        encoder, (labels(4, 6, high=13), labels(4, high=3)), cross_entropy,
        lambda lib, p: lib.optim.Adamax(p, 0.01),
        lambda lib, o: lib.optim.lr_scheduler.OneCycleLR(o, 0.05, total_steps=STEPS)),
    "gpt": Family(
        gpt, (TOKENS[:, :-1], TOKENS[:, 1:]), cross_entropy,
        lambda lib, p: lib.optim.AdamW(p, 0.01, betas=(0.9, 0.95), weight_decay=0.1),
        lambda lib, o: lib.optim.lr_scheduler.SequentialLR(o, [
            lib.optim.lr_scheduler.LambdaLR(o, lambda t: (t + 1) / 4),
            lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 4, 2, 1e-4)], [3])),
    "autoencoder": Family(
        autoencoder, (IMAGES, 1 / (1 + numpy.exp(-IMAGES))),
        lambda lib, output, target: lib.nn.functional.mse_loss(output, target),
        lambda lib, p: lib.optim.Adadelta(p, 1.0),
        lambda lib, o: lib.optim.lr_scheduler.PolynomialLR(o, STEPS, 0.9)),
}
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def pair_of(family: Family) -> tuple[Any, Any]:
    """The model in both libraries, in float64 with the same weights."""
    torch.manual_seed(3)
    mine, theirs = family.model(tinytensor).double(), family.model(torch).double()
    mine.load_state_dict({name: tinytensor.from_numpy(value.numpy().copy())
                          for name, value in theirs.state_dict().items()})
    return mine, theirs


def output_of(lib: Any, model: Any, family: Family) -> Any:
    with lib.no_grad():
        return model.eval()(lib.tensor(family.data[0])).numpy()


def trained(lib: Any, model: Any, family: Family) -> list[float]:
    """Trains the model and returns the loss of every step."""
    inputs, target = (lib.tensor(x) for x in family.data)
    optimizer = family.optimizer(lib, model.parameters())
    schedule = family.schedule(lib, optimizer)
    losses = []
    model.train()
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = family.loss(lib, model(inputs), target)
        loss.backward()
        lib.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


@every_family
def test_losses_and_weights_are_pytorchs(family: Family) -> None:
    follow_pytorch(family)


@every_family
@pytest.mark.skipif(loops.Numba.missing, reason="the kernels need numba")
@pytest.mark.usefixtures("kernels")
def test_losses_and_weights_are_pytorchs_with_kernels_too(family: Family) -> None:
    follow_pytorch(family)


def follow_pytorch(family: Family) -> None:
    mine, theirs = pair_of(family)
    losses = trained(tinytensor, mine, family)
    numpy.testing.assert_allclose(losses, trained(torch, theirs, family), rtol=1e-9)
    assert losses[-1] < losses[0]  # the model was trained
    expected = theirs.state_dict()
    assert list(mine.state_dict()) == list(expected)
    for name, value in mine.state_dict().items():
        numpy.testing.assert_allclose(value.numpy(), expected[name].numpy(), rtol=1e-7, atol=1e-9,
                                      err_msg=name)


@every_family
def test_weights_go_to_pytorch_through_a_file(family: Family, tmp_path: Any) -> None:
    path = tmp_path / "weights.safetensors"
    _, theirs = pair_of(family)
    mine = family.model(tinytensor).double()
    trained(tinytensor, mine, family)
    tinytensor.save(mine.state_dict(), path)
    safetensors.torch.load_model(theirs, path)
    numpy.testing.assert_allclose(output_of(tinytensor, mine, family),
                                  output_of(torch, theirs, family), rtol=1e-9, atol=1e-12)


@every_family
def test_weights_come_from_pytorch_through_a_file(family: Family, tmp_path: Any) -> None:
    path = tmp_path / "weights.safetensors"
    mine, _ = pair_of(family)
    theirs = family.model(torch).double()
    trained(torch, theirs, family)
    safetensors.torch.save_model(theirs, str(path))
    mine.load_state_dict(tinytensor.load(path))
    numpy.testing.assert_allclose(output_of(tinytensor, mine, family),
                                  output_of(torch, theirs, family), rtol=1e-9, atol=1e-12)


def test_tied_weights_come_from_pytorch_under_all_their_names(tmp_path: Any) -> None:
    path = tmp_path / "weights.safetensors"
    theirs = gpt(torch)
    safetensors.torch.save_model(theirs, str(path))
    state = tinytensor.load(path)
    assert state.keys() == theirs.state_dict().keys()
    assert state["head.weight"] is state["tokens.weight"]
