"""Where in a model an error happened: a note that names the layer by its path in the model."""

from __future__ import annotations

import re
import weakref
from typing import TYPE_CHECKING

from ..autograd.frames import shorten

if TYPE_CHECKING:
    from .module import Module


def locate(error: Exception, module: Module) -> None:
    """Adds a note such as "in fc1, Linear(784, 32)" to `error` and shortens its traceback.

    Every module that the error passes through calls this, from the inside out. The first is the
    layer in the note, the last is the model in which its path begins.
    """
    layer, note = getattr(error, "_layer", None) or (weakref.ref(module), None)
    path = _path(module, layer())
    if path is not None:
        notes = [n for n in getattr(error, "__notes__", ()) if n != note]
        note = f"in {path}"
        error.__notes__ = [*notes, note]
    error._layer = layer, note  # type: ignore[attr-defined]
    shorten(error)


def _path(model: Module, layer: Module | None) -> str | None:
    """The path and the label of a layer in a model; None if it is not part of the model."""
    for name, module in model.named_modules():
        if module is layer:
            return f"{name}, {_label(module)}" if name else _label(module)
    return None


def _label(layer: Module) -> str:
    """The layer as a program writes it: Linear(784, 32)."""
    sizes = re.sub(r"\b(in|out)_features=|, bias=True", "", layer.extra_repr())
    return f"{type(layer).__name__}({sizes})"
