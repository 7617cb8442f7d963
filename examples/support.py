"""What the examples share: extras that may be missing, the progress bar, where output goes."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).parent / "output"


def need(module: str) -> Any:
    """Imports what an example needs, or ends it with one line that says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError:
        sys.exit(f"This example needs {module.partition('.')[0]}: "
                 "pip install -e '.[examples]' in the project's folder")


def progress(steps: Iterable[Any] | None, **options: Any) -> Any:
    """The steps with a progress bar (tqdm); for None the bar, which `update()` moves."""
    return need("tqdm").tqdm(steps, mininterval=0.2, **options)


def output(name: str) -> Path:
    """A path for a file that an example writes."""
    OUTPUT.mkdir(exist_ok=True)
    return OUTPUT / name


def pyplot() -> Any:
    """Matplotlib's plotting interface, drawing into files only."""
    need("matplotlib").use("Agg")
    return need("matplotlib.pyplot")


def settle() -> None:
    """To be called after the imports and before training, above all in scalar mode.

    Python's cyclic collector runs whenever many objects are made, as the nodes of a scalar graph
    are, and each time walks through everything that was ever imported. This exempts the latter.
    """
    gc.freeze()


def batches(order: Any, size: int) -> Iterator[Any]:
    """`order` in pieces of `size`; the last may be smaller."""
    for start in range(0, len(order), size):
        yield order[start:start + size]
