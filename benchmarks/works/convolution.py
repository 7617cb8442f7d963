"""Training steps of convolutional networks: LeNet, and a residual network of 3×3 convolutions."""

from __future__ import annotations

from typing import Any

import numpy

from .. import by_hand, numpy_named, tinygrad_named, torch_named
from ..data import Weights, integers, normal, weights
from ..peers import JAX, MYGRAD, NUMPY, OURS, PYTORCH, Row, Step, targets

LR = 0.01
CLASSES = 10
WIDTHS = (16, 32, 64)
SMALL_LENET = {"size": 28, "batch": 2}
SMALL_RESIDUAL = {"size": 8, "channels": 2, "batch": 3, "widths": (4, 6)}


def images(batch: int, channels: int, size: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    return normal(batch, channels, size, size), integers(CLASSES, batch)


def torch_data(torch: Any, device: str, *sizes: int) -> list[Any]:
    return [torch.from_numpy(array).to(device) for array in images(*sizes)]


# LeNet: convolutions of 5×5 with 6 and 16 channels, each with max pooling of 2×2; then 120-84-10.

def torch_lenet(torch: Any, device: str, size: int, batch: int) -> Step:
    nn = torch.nn
    left = ((size // 2) - 4) // 2
    model = torch_named.filled(torch, nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(16 * left * left, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, CLASSES)), device)
    x, y = torch_data(torch, device, batch, 1, size)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    return torch_named.training(optimizer, lambda: nn.functional.cross_entropy(model(x), y))


def made_lenet(size: int, batch: int) -> tuple[Weights, tuple[numpy.ndarray, ...]]:
    left = ((size // 2) - 4) // 2
    layers: dict[str, tuple[int, ...]] = {
        "0": (6, 1, 5, 5), "3": (16, 6, 5, 5), "7": (120, 16 * left * left), "9": (84, 120),
        "11": (CLASSES, 84)}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in layers.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return weights(shapes), images(batch, 1, size)


def lenet_loss(names: Any, p: Any, x: Any, y: Any) -> Any:
    for name, padding in (("0", 2), ("3", 0)):
        x = names.conv2d(x, p[f"{name}.weight"], padding) + p[f"{name}.bias"].reshape(1, -1, 1, 1)
        x = names.max_pool2d(names.relu(x))
    x = x.reshape(x.shape[0], -1)
    for name in ("7", "9", "11"):
        x = names.np.matmul(x, p[f"{name}.weight"].T) + p[f"{name}.bias"]
        x = names.relu(x) if name != "11" else x
    return names.cross_entropy(x, y)


def tinygrad_lenet(p: Any, x: Any, y: Any) -> Any:
    for name, padding in (("0", 2), ("3", 0)):
        x = x.conv2d(p[f"{name}.weight"], p[f"{name}.bias"], padding=padding).relu().max_pool2d()
    x = x.flatten(1)
    for name in ("7", "9", "11"):
        x = x.linear(p[f"{name}.weight"].T, p[f"{name}.bias"])
        x = x.relu() if name != "11" else x
    return x.sparse_categorical_crossentropy(y)


def lenet(size: int, batch: int = 64, quick: tuple[str, ...] = ()) -> Row:
    def data() -> Any:
        return made_lenet(size, batch)

    peers = (torch_named.peers(torch_lenet, size=size, batch=batch)
             | numpy_named.peers(lenet_loss, data, lr=LR, only=(JAX, MYGRAD))
             | tinygrad_named.peers(tinygrad_lenet, data, lr=LR)
             | {NUMPY: lambda device: by_hand.lenet(data()[0], *data()[1], LR)})
    return Row(f"LeNet, {size}² images, batch {batch}", peers, targets(1.0, peers), quick=quick,
               left_out="autograd: its only convolution is scipy.signal's; not tried")


# The residual network: a stem, then one block per width. A block has two 3×3 convolutions, each
# with batch norm. From the second block on, the first convolution has stride 2, and the shortcut is
# a 1×1 convolution.

def torch_residual(torch: Any, device: str, size: int, channels: int, batch: int,
                   widths: tuple[int, ...]) -> Step:
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            stride = 1 if inputs == outputs else 2
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.norm1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(outputs)
            self.shortcut = nn.Conv2d(inputs, outputs, 1, 2, bias=False) if stride == 2 \
                else nn.Identity()

        def forward(self, x: Any) -> Any:
            inner = functional.relu(self.norm1(self.conv1(x)))
            return functional.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(channels, widths[0], 3, 1, 1, bias=False)
            self.norm = nn.BatchNorm2d(widths[0])
            self.blocks = nn.Sequential(*(
                Block(a, b) for a, b in zip((widths[0], *widths), widths, strict=False)))
            self.head = nn.Linear(widths[-1], CLASSES)

        def forward(self, x: Any) -> Any:
            x = self.blocks(functional.relu(self.norm(self.stem(x))))
            return self.head(x.mean((2, 3)))

    model = torch_named.filled(torch, Residual(), device)
    x, y = torch_data(torch, device, batch, channels, size)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    return torch_named.training(optimizer, lambda: functional.cross_entropy(model(x), y))


def made_residual(size: int, channels: int, batch: int, widths: tuple[int, ...]) \
        -> tuple[Weights, tuple[numpy.ndarray, ...]]:
    def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (width,), f"{name}.bias": (width,)}

    shapes: dict[str, tuple[int, ...]] = {"stem.weight": (widths[0], channels, 3, 3)}
    shapes |= norm("norm", widths[0])
    for i, (a, b) in enumerate(zip((widths[0], *widths), widths, strict=False)):
        shapes |= {f"blocks.{i}.conv1.weight": (b, a, 3, 3)} | norm(f"blocks.{i}.norm1", b)
        shapes |= {f"blocks.{i}.conv2.weight": (b, b, 3, 3)} | norm(f"blocks.{i}.norm2", b)
        shapes |= {f"blocks.{i}.shortcut.weight": (b, a, 1, 1)} if a != b else {}
    shapes |= {"head.weight": (CLASSES, widths[-1]), "head.bias": (CLASSES,)}
    return weights(shapes), images(batch, channels, size)


def residual_forward(conv: Any, norm: Any, relu: Any, p: Any, x: Any) -> Any:
    """The features before the mean over positions, from three functions of a library."""
    x = relu(norm(conv(x, p["stem.weight"], 1, 1), p["norm.weight"], p["norm.bias"]))
    for i in range(sum("conv1" in name for name in p)):
        block = f"blocks.{i}"

        def normed(x: Any, j: int, stride: int, block: str = block) -> Any:
            return norm(conv(x, p[f"{block}.conv{j}.weight"], 1, stride),
                        p[f"{block}.norm{j}.weight"], p[f"{block}.norm{j}.bias"])

        wider = f"{block}.shortcut.weight" in p
        inner = normed(relu(normed(x, 1, 2 if wider else 1)), 2, 1)
        x = relu(inner + (conv(x, p[f"{block}.shortcut.weight"], 0, 2) if wider else x))
    return x


def residual_loss(names: Any, p: Any, x: Any, y: Any) -> Any:
    x = residual_forward(names.conv2d, names.batch_norm, names.relu, p, x)
    x = names.np.mean(x, axis=(2, 3))
    return names.cross_entropy(names.np.matmul(x, p["head.weight"].T) + p["head.bias"], y)


def tinygrad_residual(p: Any, x: Any, y: Any) -> Any:
    def conv(x: Any, weight: Any, padding: int, stride: int) -> Any:
        return x.conv2d(weight, padding=padding, stride=stride)

    def norm(x: Any, weight: Any, bias: Any) -> Any:
        mean = x.mean((0, 2, 3))
        variance = (x - mean.reshape(1, -1, 1, 1)).square().mean((0, 2, 3))
        return x.batchnorm(weight, bias, mean, (variance + 1e-5).rsqrt())

    x = residual_forward(conv, norm, lambda x: x.relu(), p, x)
    return x.mean((2, 3)).linear(p["head.weight"].T, p["head.bias"]) \
        .sparse_categorical_crossentropy(y)


def residual(size: int, channels: int, batch: int = 32, widths: tuple[int, ...] = WIDTHS,
             quick: tuple[str, ...] = ()) -> Row:
    sizes: dict[str, Any] = {"size": size, "channels": channels, "batch": batch, "widths": widths}

    def data() -> Any:
        return made_residual(**sizes)

    peers = (torch_named.peers(torch_residual, **sizes)
             | numpy_named.peers(residual_loss, data, lr=LR, only=(JAX,))
             | tinygrad_named.peers(tinygrad_residual, data, lr=LR))
    return Row(f"residual 3×3 network, {size}² images, batch {batch}", peers, targets(1.0, peers),
               quick=quick, left_out="autograd (see LeNet); MyGrad: measured on LeNet only")


ROWS = [lenet(28, quick=(OURS, PYTORCH, NUMPY)), lenet(32),
        residual(28, 1, quick=(OURS, PYTORCH)), residual(32, 3)]
