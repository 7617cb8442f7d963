"""Every block of Python in the docstrings that the site shows: it runs, after what it takes for
granted.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tinytensor.site.docstrings import convert
from tinytensor.site.names import described

BLOCK = re.compile(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)")
TRAINING = """
import tinytensor
from tinytensor import nn, optim
F = nn.functional
model = nn.Linear(2, 3)
x, y = tinytensor.randn(4, 2), tinytensor.tensor([0, 1, 2, 0])
f = F.cross_entropy
optimizer = optim.SGD(model.parameters(), lr=0.1)
loss = f(model(x), y)
"""
ON_VALUES = """
import numpy as np
from tinytensor import learn
x = np.array([[0.5, -1.0, 2.0]])
p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
g = np.array([[1.0, 0.0, 2.0]])
my_gradient = g * p * (1 - p)
"""
# What the blocks of a docstring take for granted.
GIVEN = {
    "tinytensor.func.stack_module_state": TRAINING + """
from tinytensor.func import functional_call, stack_module_state, vmap
models, inputs = [nn.Linear(2, 3) for _ in range(3)], x
""",
    "tinytensor.func.vmap": TRAINING + """
from tinytensor.func import functional_call, grad, vmap
parameters, inputs, targets = dict(model.named_parameters()), x, y
loss = lambda p, x, y: f(functional_call(model, p, (x,)), y)
""",
    "tinytensor.optim.swa_utils.AveragedModel": TRAINING + """
from tinytensor.optim.swa_utils import AveragedModel, get_ema_avg_fn
""",
    "tinytensor.amp.GradScaler": TRAINING + "scaler = tinytensor.amp.GradScaler('cpu')",
    "tinytensor.onnx.export": TRAINING + "images = x",
    "tinytensor.learn.debug": TRAINING + "from tinytensor import learn",
    "tinytensor.learn.explain": ON_VALUES,
}
# Those that another test runs: on a GPU, or in a process of its own.
ELSEWHERE = {
    "tinytensor.cuda.graph": ("test_cuda_graphs.py", "cuda.graph("),
    "tinytensor.cuda.graphed_step": ("test_cuda_graphs.py", "cuda.graphed_step("),
    "tinytensor.as_torch": ("test_as_torch.py", "as_torch()"),
}


def blocks() -> dict[str, list[str]]:
    """The blocks of each docstring that has some, by the name that the site gives it."""
    found: dict[str, list[str]] = {}
    for each in described().values():
        for one in (each, *each.members):
            if texts := BLOCK.findall(convert(one.doc) + "\n"):
                found[one.name] = [re.sub("^    ", "", text, flags=re.MULTILINE) for text in texts]
    return found


def test_every_block_is_run_by_some_test() -> None:
    assert {*blocks()} == {*GIVEN, *ELSEWHERE}


@pytest.mark.parametrize("name", GIVEN)
def test_the_blocks_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made: Any = ModuleType("block")
    exec(GIVEN[name], vars(made))
    for i, text in enumerate(blocks()[name]):
        file = tmp_path / f"block_{i}.py"  # `explain` reads the source of a function
        file.write_text(text)
        exec(compile(text, str(file), "exec"), vars(made))


@pytest.mark.parametrize("name", ELSEWHERE)
def test_other_blocks_have_their_own_tests(name: str) -> None:
    file, words = ELSEWHERE[name]
    assert words in (Path(__file__).parent / file).read_text()
