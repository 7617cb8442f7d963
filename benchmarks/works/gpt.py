"""A training step of a GPT on characters: 4 blocks with pre-norm and causal attention; AdamW."""

from __future__ import annotations

import math
from typing import Any

import numpy

from .. import by_hand, numpy_named, tinygrad_named, torch_named
from ..data import Weights, integers, weights
from ..peers import NUMPY, OURS, PYTORCH, Row, Step, targets

LR = 1e-3
VOCABULARY = 65
SMALL = {"width": 32, "layers": 2, "batch": 2, "length": 8}


def torch_step(torch: Any, device: str, width: int, layers: int, batch: int, length: int) -> Step:
    nn, functional, heads = torch.nn, torch.nn.functional, width // 32

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            q, k, v = (part.view(batch, length, heads, 32).transpose(1, 2)
                       for part in self.qkv(self.norm1(x)).split(width, dim=2))
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).contiguous().view(batch, length, width))
            hidden = functional.gelu(self.up(self.norm2(x)), approximate="tanh")
            return x + self.down(hidden)

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(VOCABULARY, width), nn.Embedding(length, width)
            self.blocks = nn.ModuleList([Block() for _ in range(layers)])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, VOCABULARY)

        def forward(self, tokens: Any) -> Any:
            x = self.tokens(tokens) + self.places(places)
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    model = torch_named.filled(torch, GPT(), device)
    text = torch.from_numpy(integers(VOCABULARY, batch, length + 1)).to(device)
    places = torch.arange(length, device=device)
    x, y = text[:, :-1].contiguous(), text[:, 1:].contiguous().view(-1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR)
    return torch_named.training(optimizer, lambda: functional.cross_entropy(
        model(x).view(-1, VOCABULARY), y))


def made(width: int, layers: int, batch: int, length: int) \
        -> tuple[Weights, tuple[numpy.ndarray, ...]]:
    """The weights, with the names and in the order of the module above, and the data."""
    def linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}

    def norm(name: str) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (width,), f"{name}.bias": (width,)}

    shapes: dict[str, tuple[int, ...]] = {"tokens.weight": (VOCABULARY, width),
                                          "places.weight": (length, width)}
    for i in range(layers):
        block = f"blocks.{i}"
        shapes |= norm(f"{block}.norm1") | norm(f"{block}.norm2")
        shapes |= linear(f"{block}.qkv", width, 3 * width) | linear(f"{block}.out", width, width)
        shapes |= linear(f"{block}.up", width, 4 * width)
        shapes |= linear(f"{block}.down", 4 * width, width)
    shapes |= norm("norm") | linear("head", width, VOCABULARY)
    text = integers(VOCABULARY, batch, length + 1)
    return weights(shapes), (text[:, :-1].copy(), text[:, 1:].ravel())


def numpy_loss(names: Any, parameters: Any, x: Any, y: Any) -> Any:
    np, p = names.np, parameters
    batch, length = x.shape
    width = p["tokens.weight"].shape[1]
    heads = width // 32
    hidden = numpy.triu(numpy.full((length, length), -1e9, numpy.float32), 1)

    def linear(x: Any, name: str) -> Any:
        return np.matmul(x, p[f"{name}.weight"].T) + p[f"{name}.bias"]

    def norm(x: Any, name: str) -> Any:
        return names.layer_norm(x, p[f"{name}.weight"], p[f"{name}.bias"])

    x = np.reshape(p["tokens.weight"][x] + p["places.weight"], (batch * length, width))
    for i in range((len(p) - 6) // 12):
        block = f"blocks.{i}"
        qkv = np.reshape(linear(norm(x, f"{block}.norm1"), f"{block}.qkv"),
                         (batch, length, 3, heads, 32))
        q, k, v = (np.transpose(qkv[:, :, j], (0, 2, 1, 3)) for j in range(3))
        scores = np.matmul(q, np.transpose(k, (0, 1, 3, 2))) * (1 / math.sqrt(32)) + hidden
        mixed = np.transpose(np.matmul(names.softmax(scores), v), (0, 2, 1, 3))
        x = x + linear(np.reshape(mixed, (batch * length, width)), f"{block}.out")
        x = x + linear(names.gelu(linear(norm(x, f"{block}.norm2"), f"{block}.up")),
                       f"{block}.down")
    return names.cross_entropy(linear(norm(x, "norm"), "head"), y)


def tinygrad_loss(parameters: Any, x: Any, y: Any) -> Any:
    p = parameters
    batch, length = x.shape
    width = p["tokens.weight"].shape[1]

    def linear(x: Any, name: str) -> Any:
        return x.linear(p[f"{name}.weight"].T, p[f"{name}.bias"])

    def norm(x: Any, name: str) -> Any:
        return x.layernorm(eps=1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]

    x = p["tokens.weight"][x] + p["places.weight"]
    for i in range((len(p) - 6) // 12):
        block = f"blocks.{i}"
        q, k, v = (part.reshape(batch, length, width // 32, 32).transpose(1, 2)
                   for part in linear(norm(x, f"{block}.norm1"), f"{block}.qkv").chunk(3, dim=2))
        mixed = q.scaled_dot_product_attention(k, v, is_causal=True)
        x = x + linear(mixed.transpose(1, 2).reshape(batch, length, width), f"{block}.out")
        x = x + linear(linear(norm(x, f"{block}.norm2"), f"{block}.up").gelu(), f"{block}.down")
    return linear(norm(x, "norm"), "head").reshape(-1, VOCABULARY) \
        .sparse_categorical_crossentropy(y)


def row(width: int, layers: int = 4, batch: int = 16, length: int = 64, goal: float | None = None,
        quick: tuple[str, ...] = ()) -> Row:
    def data() -> Any:
        return made(width, layers, batch, length)

    peers = (torch_named.peers(torch_step, width=width, layers=layers, batch=batch, length=length)
             | numpy_named.peers(numpy_loss, data, "AdamW", LR)
             | tinygrad_named.peers(tinygrad_loss, data, "AdamW", LR)
             | {NUMPY: lambda device: by_hand.gpt(data()[0], *data()[1], LR)})
    return Row(f"GPT width {width}, {layers} blocks, {batch} × {length} tokens", peers,
               targets(goal, peers), quick=quick)


ROWS = [row(64, goal=1.2, quick=(OURS, PYTORCH, NUMPY)),
        row(128, goal=1.2),
        row(384, goal=1.0)]
