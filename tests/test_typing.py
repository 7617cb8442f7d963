"""Type checkers on programs outside the repository that use the installed package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy
import pytest

import tinytensor as tt
from tinytensor import linalg, special
from tinytensor.arrays import dtypes
from tinytensor.autograd.table import TABLE
from tinytensor.compat import names
from tinytensor.nn import functional
from tinytensor.ops.samples import concrete

ROOT = Path(__file__).parent.parent

PROGRAM = '''\
from pathlib import Path
from typing import assert_type

import numpy as np

import tinytensor as tt
import tinytensor.nn.functional as F
from tinytensor import Tensor, nn, optim
from tinytensor.optim import lr_scheduler
from tinytensor.utils.data import DataLoader, Dataset, TensorDataset, random_split


class Block(nn.Module):
    def __init__(self, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width, bias=False)
        self.drop = nn.Dropout(dropout)
        self.scale = nn.Parameter(tt.ones(width))
        self.register_buffer("steps", tt.zeros(1, dtype=tt.int64))

    def forward(self, x: Tensor) -> Tensor:
        h = F.gelu(assert_type(self.fc1(self.norm(x)), Tensor))
        return x + self.scale * self.drop(self.fc2(h))


class Model(nn.Module):
    def __init__(self, features: int, width: int, classes: int, depth: int = 2) -> None:
        super().__init__()
        self.first = nn.Linear(features, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(width, classes))

    def forward(self, x: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        h = self.first(x)
        for block in self.blocks:
            h = block(h)
        logits = assert_type(self.head(h), Tensor)
        loss = None if targets is None else F.cross_entropy(logits, targets, label_smoothing=0.1)
        return logits, loss


class Squares(Dataset[tuple[Tensor, Tensor]]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x = tt.tensor(float(index))
        return x, x ** 2


@tt.no_grad()
def accuracy(logits: Tensor, labels: Tensor) -> float:
    return (logits.argmax(dim=-1) == labels).float().mean().item()


def train(model: Model, data: TensorDataset, epochs: int = 2) -> list[float]:
    optimizer = optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, betas=(0.9, 0.95))
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    loader = DataLoader(data, batch_size=16, shuffle=True, drop_last=True)
    losses: list[float] = []
    model.train()
    for _ in range(epochs):
        for x, y in loader:
            _, loss = assert_type(model(x, y), tuple[Tensor, Tensor | None])
            assert loss is not None
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(assert_type(loss.item(), int | float))
        scheduler.step()
    return losses


def tensors() -> None:
    a = tt.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    b = tt.arange(4, dtype=tt.float32).reshape(2, 2) / 4 + tt.eye(2)
    c = (a @ b + 2 * a - 1.5).relu().sum(dim=1, keepdim=True)
    d = tt.where(c > 0, c, tt.zeros_like(c)).mean()
    d.backward()
    assert a.grad is not None
    a.grad.zero_()
    b += 1
    b[0, :] = 0.0
    b[:, 1].fill_(3)
    b.mul_(2).add_(b, alpha=0.5)
    first, rest = b[0], b[1:, None]
    values, indices = b.max(dim=1)
    assert_type(tt.cat([first, b.topk(1).values.squeeze(-1)], dim=0), Tensor)
    assert_type(tt.linalg.solve(b + 9 * tt.eye(2), tt.ones(2, 1)), Tensor)
    u, s, vh = tt.linalg.svd(b, full_matrices=False)
    back = tt.from_numpy(np.ones((2, 2), dtype=np.float32)).to(tt.float64).numpy()
    mask = tt.tril(tt.ones(2, 2)).bool()
    scores = b.masked_fill(~mask, float("-inf")).softmax(dim=-1)
    n, m = b.shape
    batch = b.view(n * m, -1).size(0)
    columns = b.flatten(0, 1).unsqueeze(-1).expand(-1, 3).permute(1, 0).contiguous().tolist()
    assert_type(tt.einsum("ij,kj->ik", b, b), Tensor)
    assert (values >= indices).all() and rest.shape == (1, 1, 2) and batch == len(columns[0])
    assert (u @ tt.diag(s) @ vh).shape == scores.shape == tt.Size(back.shape)


def types(x: Tensor) -> None:
    assert_type(x @ x.T, Tensor)
    assert_type(x + 1, Tensor)
    assert_type(1 - x, Tensor)
    assert_type(x == x, Tensor)
    assert_type(x[0], Tensor)
    assert_type(x.sum(), Tensor)
    assert_type(x.exp(), Tensor)
    assert_type(x.to("cpu"), Tensor)
    assert_type(x.mT, Tensor)
    assert_type(x.grad, Tensor | None)
    assert_type(x.shape, tt.Size)
    assert_type(x.size(0), int)
    assert_type(x.dtype, tt.dtype)
    assert_type(tt.float32, tt.dtype)
    assert_type(tt.exp(x), Tensor)
    assert_type(tt.zeros(2, 3), Tensor)
    assert_type(tt.tensor([1, 2]), Tensor)
    assert_type(F.relu(x), Tensor)
    assert_type(F.mse_loss(x, x), Tensor)
    assert_type(nn.MSELoss()(x, x), Tensor)
    assert_type(tt.special.erf(x), Tensor)
    layer = nn.Linear(2, 3)
    assert_type(layer(tt.ones(1, 2)), Tensor)
    assert_type(layer.weight, nn.Parameter)
    assert_type(layer.weight.requires_grad_(False), nn.Parameter)
    assert_type(layer.bias, nn.Parameter | None)
    assert_type(nn.Identity()(x), Tensor)
    query = tt.randn(1, 3, 4)
    assert_type(nn.LSTM(4, 3, batch_first=True)(query), tuple[Tensor, tuple[Tensor, Tensor]])
    assert_type(nn.GRU(4, 3, batch_first=True)(query), tuple[Tensor, Tensor])
    assert_type(nn.MultiheadAttention(4, 2)(query, query, query), tuple[Tensor, Tensor | None])
    leaf = tt.ones(2, requires_grad=True)
    assert_type(tt.autograd.grad(leaf.sum(), [leaf]), tuple[Tensor, ...])
    assert_type(optim.SGD([layer.weight], lr=0.1).step(lambda: x), Tensor)


def mistakes(x: Tensor) -> None:  # an ignore without an error is an error
    x.summ()  # type: ignore[attr-defined]
    tt.expp(x)  # type: ignore[attr-defined]
    F.relu6(1.5)  # type: ignore[arg-type]
    nn.Linear(2, 3)(x, x)  # type: ignore[call-arg]
    nn.Linear(2, "3")  # type: ignore[arg-type]
    tt.zeros(2, dtpe=tt.float32)  # type: ignore[arg-type]


def main(folder: Path) -> None:
    tt.manual_seed(0)
    device = tt.device("cuda" if tt.cuda.is_available() else "cpu")
    x, y = tt.randn(64, 10, device=device), tt.randint(0, 3, (64,))
    train_set, test_set = random_split(TensorDataset(x, y), [0.75, 0.25])
    model = Model(10, 16, 3).to(device)
    losses = train(model, TensorDataset(x, y))
    tt.save(model.state_dict(), folder / "model.safetensors")
    model.load_state_dict(tt.load(folder / "model.safetensors"))
    model.eval()
    with tt.no_grad():
        logits, _ = model(x)
        for name, parameter in model.named_parameters():
            if parameter.grad is not None and name.endswith("bias"):
                parameter -= 0.1 * parameter.grad
    right = assert_type(accuracy(logits, y), float)
    assert len(train_set) > len(test_set) and len(losses) == 8 and right >= 0
    tensors()
    types(tt.ones(2, 2))
'''


# ---------------------------------------------------------------- source text of all operations


def written(value: object) -> str | None:
    """The source text of an argument of a sample, or None if it has none."""
    if value is tt.Tensor:
        return "x"
    if isinstance(value, tuple | list):
        items = [written(item) for item in value]
        if any(item is None for item in items):
            return None
        inside = ", ".join(map(str, items))
        comma = "," if len(items) == 1 else ""
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{comma})"
    if isinstance(value, float) and value in (float("inf"), -float("inf")):
        return f'float("{value}")'
    plain = value is None or value is Ellipsis or isinstance(value, bool | int | float | str)
    return repr(value) if plain else None


def calls() -> str:
    """A program that calls every sample of every operation as a function and as a method."""
    lines = ["import tinytensor as tt", "x = tt.ones(2)"]
    for entry in TABLE.values():
        home = ".".join(["tt", *([entry.home] if entry.home else [])])
        for sample in entry.samples if not entry.internal else ():
            call = concrete(sample, numpy.random.default_rng(0), lambda values, spec: tt.Tensor)
            texts = [written(value) for value in call.args]
            texts += [f"{name}={written(value)}" for name, value in call.kwargs.items()]
            if None in texts or any(str(text).endswith("=None") for text in texts):
                continue
            given = [str(text) for text in texts]
            lines.append(f"{home}.{entry.name}({', '.join(given)})")
            if entry.method and given[:1] == ["x"]:
                lines.append(f"x.{entry.name}({', '.join(given[1:])})")
    return "\n".join(dict.fromkeys(lines)) + "\n"


def attributes() -> str:
    """A program that names all attributes of Tensors and modules."""
    offered = {"x": [name for name in dir(tt.Tensor) if name[0] != "_"],
               "tt": [*tt.ops.names_for(""), *dtypes.BY_NAME, *names.attached(), *names.__all__],
               "tt.linalg": [*tt.ops.names_for("linalg"), *linalg.SHARED],
               "tt.special": [*special.SHARED, "expit"],
               "tt.nn": tt.nn.__all__,
               "tt.nn.functional": [
                   *tt.ops.names_for("nn.functional"), *functional.SHARED,
                   *(f"{name}_" for name in functional.IN_PLACE),
                   *(f"{name}_with_indices" for name in functional.WITH_INDICES),
                   "upsample_nearest", "upsample_bilinear"]}
    lines = ["import tinytensor as tt", "x = tt.ones(2)"]
    lines += [f"{place}.{name}" for place, known in offered.items() for name in known]
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- the checkers


@pytest.fixture
def programs(tmp_path) -> Path:
    for name, text in (("program", PROGRAM), ("calls", calls()), ("attributes", attributes())):
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def checked(command: list[str], folder: Path) -> str:
    """The output of a checker that sees the package on the path, as with an editable install.

    Checkers treat entries of PYTHONPATH like lines of a .pth file, as folders of packages.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("MYPYPATH", None)
    answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return answer.stdout + answer.stderr


@pytest.mark.long
def test_mypy_strict_is_content(programs):
    pytest.importorskip("mypy")
    files = {path.name: path.read_text().splitlines() for path in sorted(programs.glob("*.py"))}
    said = checked([sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *files],
                   programs)
    lines = [f"{files[name][int(number) - 1].strip()}  # {name}" for name, number in re.findall(
        r"^(\w+\.py):(\d+): ", said, re.MULTILINE)]
    assert not said, "\n".join([said, *lines])


@pytest.mark.long
def test_pyright_is_content(programs):
    pyright = next((path for name in ("pyright", "basedpyright") for path in [shutil.which(
        name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))]
        if path), None)
    if pyright is None:
        pytest.skip("pyright is not installed")
    said = checked([pyright, "--pythonpath", sys.executable, "program.py"], programs)
    assert re.search(r"^0 errors", said, re.MULTILINE), said


def test_the_program_runs(tmp_path):
    namespace: dict[str, object] = {"__name__": "program"}
    exec(compile(PROGRAM, "program.py", "exec"), namespace)
    namespace["main"](tmp_path)


def test_editable_installs_are_folders_on_the_path():
    """Any other `package-dir` makes setuptools use an import hook, which checkers cannot follow."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert settings["package-dir"] == {"": "."}
    assert "*.pyi" in settings["package-data"]["*"] and "py.typed" in settings["package-data"]["*"]
