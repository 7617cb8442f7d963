"""Where in a model an error happened: a note that names the layer by its path in the model."""

from __future__ import annotations

import re
import weakref
from typing import Any

from ..autograd.frames import shorten


def locate(error: Exception, module: Any) -> None:
    """Gives `error` a note such as "in fc1, Linear(784, 32)", and a short traceback.

    Every module that the error passes calls this, from the inside out: the first is the layer of
    the note, the last is the model that its path starts from.
    """
    layer, note = getattr(error, "_layer", None) or (weakref.ref(module), None)
    path = _path(module, layer())
    if path is not None:
        notes = [n for n in getattr(error, "__notes__", ()) if n != note]
        note = f"in {path}"
        error.__notes__ = [*notes, note]
    error._layer = layer, note  # type: ignore[attr-defined]
    shorten(error)


def _path(model: Any, layer: Any) -> str | None:
    for name, module in model.named_modules():
        if module is layer:
            return f"{name}, {_label(layer)}" if name else _label(layer)
    return None


def _label(layer: Any) -> str:
    """The layer as a program writes it: Linear(784, 32)."""
    sizes = re.sub(r"\b(in|out)_features=|, bias=True", "", layer.extra_repr())
    return f"{type(layer).__name__}({sizes})"
