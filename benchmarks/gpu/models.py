"""The models of the GPU's rows, and their training steps: one text for tinytensor and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

# Sizes of each row, and those of `--tiny`, which tries the program on a machine without a GPU.
SIZES: dict[str, dict[str, int]] = {
    "MLP": {"batch": 128}, "LeNet": {"batch": 64},
    "ResNet-18": {"batch": 32, "size": 224, "width": 64},
    "GPT 64/384": {"batch": 64, "length": 256, "width": 384, "layers": 6},
    "LSTM": {"batch": 64, "length": 64, "units": 256}}
TINY: dict[str, dict[str, int]] = {
    "MLP": {"batch": 4}, "LeNet": {"batch": 2},
    "ResNet-18": {"batch": 2, "size": 64, "width": 4},
    "GPT 64/384": {"batch": 2, "length": 8, "width": 32, "layers": 1},
    "LSTM": {"batch": 2, "length": 4, "units": 8}}
SMALL_MODELS = ("MLP", "LeNet", "LSTM")  # launches, not arithmetic, take their time
VOCABULARY = 65


@dataclass
class Work:
    """A model, its optimizer, the inputs and labels of a step, and the loss of a step."""

    model: Any
    optimizer: Any
    x: Any
    y: Any
    loss: Callable[[Any, Any], Any]

    def step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(x, y)
        loss.backward()
        self.optimizer.step()
        return loss


def work(torch: Any, device: str, name: str, capturable: bool, **sizes: int) -> Work:
    """A row's work. All programs start with the same weights and data."""
    make = {"MLP": mlp, "LeNet": lenet, "ResNet-18": resnet, "GPT 64/384": gpt, "LSTM": lstm}[name]
    model, x, classes = make(torch, **sizes)
    rng = numpy.random.default_rng(0)
    with torch.no_grad():
        for parameter in model.parameters():
            drawn = rng.normal(0, 0.05, tuple(parameter.shape)).astype("float32")
            parameter.copy_(torch.from_numpy(drawn + (parameter.ndim == 1)))
    model = model.to(device)
    rows = x.size if name.startswith("GPT") else len(x)
    x = torch.from_numpy(x).to(device)
    y = torch.from_numpy(rng.integers(0, classes, rows)).to(device)
    options = {"capturable": True} if capturable else {}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, **options)
    return Work(model, optimizer, x, y, lambda x, y: torch.nn.functional.cross_entropy(
        model(x), y))


def _images(*shape: int) -> Any:
    return numpy.random.default_rng(1).normal(size=shape).astype("float32")


def mlp(torch: Any, batch: int) -> tuple[Any, Any, int]:
    nn = torch.nn
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),
                         nn.Linear(128, 10)), _images(batch, 784), 10


def lenet(torch: Any, batch: int) -> tuple[Any, Any, int]:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84),
        nn.ReLU(), nn.Linear(84, 10)), _images(batch, 1, 28, 28), 10


def resnet(torch: Any, batch: int, size: int, width: int) -> tuple[Any, Any, int]:
    """He et al. 2016, 18 layers."""
    nn, relu = torch.nn, torch.nn.functional.relu

    class Block(nn.Module):
        def __init__(self, given: int, made: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(given, made, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(made, made, 3, 1, 1, bias=False)
            self.norm1, self.norm2 = nn.BatchNorm2d(made), nn.BatchNorm2d(made)
            self.down = nn.Sequential() if stride == 1 and given == made else nn.Sequential(
                nn.Conv2d(given, made, 1, stride, bias=False), nn.BatchNorm2d(made))

        def forward(self, x: Any) -> Any:
            y = relu(self.norm1(self.conv1(x)))
            return relu(self.norm2(self.conv2(y)) + self.down(x))

    layers = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
              nn.MaxPool2d(3, 2, 1)]
    given = width
    for i, made in enumerate((width, 2 * width, 4 * width, 8 * width)):
        layers += [Block(given, made, 1 + (i > 0)), Block(made, made, 1)]
        given = made
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(given, 10)]
    return nn.Sequential(*layers), _images(batch, 3, size, size), 10


def gpt(torch: Any, batch: int, length: int, width: int, layers: int) -> tuple[Any, Any, int]:
    """Blocks with pre-norm and causal attention, heads of 32 (Radford et al. 2019)."""
    nn, functional, heads = torch.nn, torch.nn.functional, width // 32

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(),
                                     nn.Linear(4 * width, width))

        def forward(self, x: Any) -> Any:
            q, k, v = (part.view(batch, length, heads, 32).transpose(1, 2)
                       for part in self.qkv(self.norm1(x)).split(width, dim=2))
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
            return x + self.mlp(self.norm2(x))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(VOCABULARY, width), nn.Embedding(length, width)
            self.blocks = nn.Sequential(*[Block() for _ in range(layers)])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, VOCABULARY)

        def forward(self, tokens: Any) -> Any:
            places = torch.arange(length, device=tokens.device)
            x = self.blocks(self.tokens(tokens) + self.places(places))
            return self.head(self.norm(x)).flatten(0, 1)

    text = numpy.random.default_rng(1).integers(0, VOCABULARY, (batch, length))
    return GPT(), text, VOCABULARY


def lstm(torch: Any, batch: int, length: int, units: int) -> tuple[Any, Any, int]:
    nn = torch.nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.out = nn.LSTM(64, units, batch_first=True), nn.Linear(units, 10)

        def forward(self, x: Any) -> Any:
            return self.out(self.lstm(x)[0][:, -1])

    return Classifier(), _images(batch, length, 64), 10
