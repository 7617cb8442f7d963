"""What all examples share: command line, optional packages, progress bars, pictures, files."""

from __future__ import annotations

import argparse
import gc
import importlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).parent / "output"


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser whose --help prints `description`, a module's docstring, line by line."""
    return argparse.ArgumentParser(description=description,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)


def need(module: str) -> Any:
    """Imports a module, or ends the program with one line that says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError:
        sys.exit(f"This example needs {module.partition('.')[0]}: "
                 "pip install -e '.[examples]' in the project's folder")


def progress(steps: Iterable[Any] | None, **options: Any) -> Any:
    """Wraps `steps` in a tqdm progress bar. For None: a bar that is moved by `update()`."""
    return need("tqdm").tqdm(steps, mininterval=0.2, **options)


def output(name: str) -> Path:
    """The path of a file in examples/output/, which is created if needed."""
    OUTPUT.mkdir(exist_ok=True)
    return OUTPUT / name


def pyplot() -> Any:
    """Matplotlib's pyplot, with a backend that draws into files."""
    need("matplotlib").use("Agg")
    return need("matplotlib.pyplot")


def save(figure: Any, path: Path, **options: Any) -> None:
    """Writes a figure of Matplotlib into a file, closes it, and shows it in a notebook."""
    figure.savefig(path, **options)
    pyplot().close(figure)
    show(path)


def show(what: Any) -> bool:
    """Shows a picture file, or an object that shows itself, in a notebook. False elsewhere."""
    ipython = sys.modules.get("IPython")
    if ipython is None or not hasattr(ipython.get_ipython(), "kernel"):
        return False
    ipython.display.display(ipython.display.Image(what) if isinstance(what, Path) else what)
    return True


def settle() -> None:
    """Exempts all existing objects from the garbage collector. Call it after the imports.

    A scalar graph creates many objects, so the collector runs often. Each full collection would
    otherwise walk through everything that was ever imported.
    """
    gc.freeze()


def batches(order: Any, size: int) -> Iterator[Any]:
    """Splits `order` into pieces of `size` elements. The last piece may be smaller."""
    for start in range(0, len(order), size):
        yield order[start:start + size]
