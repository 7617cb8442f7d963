"""Checkpoints of a training run, with the states of all random generators.

    resume.save_checkpoint("run.safetensors", model=model, optimizer=optimizer,
                           scheduler=scheduler, loader=loader, random=resume.RandomState())

    resume.load_checkpoint("run.safetensors", model=model, optimizer=optimizer,
                           scheduler=scheduler, loader=loader, random=resume.RandomState())

A resumed run ends with bitwise the same weights as one that was not interrupted. PyTorch's
`utils.checkpoint` is something else: it recomputes activations to save memory.
"""

from __future__ import annotations

import os
import random as python_random
from typing import Any

import numpy

from .. import random
from ..tensors.files import load, save

__all__ = ["RandomState", "check_parts", "load_checkpoint", "save_checkpoint"]


class RandomState:
    """The default generators of all devices, of NumPy and of Python, as a part of a checkpoint.

    Save other Generators as parts of their own.
    """

    def state_dict(self) -> dict[str, Any]:
        """The states of the generators: Tensors, numbers and strings."""
        return {"tinytensor": random.streams().state_dict(),
                "numpy": _plain(numpy.random.get_state(legacy=False)),
                "python": python_random.getstate()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the states of the generators.

        Raises:
            ValueError, LookupError, TypeError: not such states, for example from a changed file.
        """
        random.streams().load_state_dict(state_dict["tinytensor"])
        random.set_numpy_state(numpy.random, state_dict["numpy"])
        python_random.setstate(state_dict["python"])


def save_checkpoint(f: str | os.PathLike[str], **parts: Any) -> None:
    """Writes the states of the parts to one safetensors file, each under its name.

    Args:
        parts: objects with `state_dict()` and `load_state_dict()` (modules, optimizers,
            schedulers, loaders, RandomState()), and Generators of tinytensor and NumPy.

    The file is replaced atomically: a crash or a full disk leaves the previous checkpoint
    unchanged. `load(f)["model"]` is the model's state_dict.

    Raises:
        TypeError: a part of another kind, or a state that `save` refuses; the message names it.
        OSError: the file cannot be written.
    """
    check_parts(parts)
    save({name: _state_of(part) for name, part in parts.items()}, f)


def load_checkpoint(f: str | os.PathLike[str], **parts: Any) -> None:
    """Restores the states that `save_checkpoint` wrote; give the parts under the same names.

    Other parts of the file are ignored: `load_checkpoint(f, model=model)` restores only the model,
    which may be on another device than before.

    Raises:
        OSError: the file does not exist or cannot be read.
        RuntimeError: not a safetensors file, or a damaged one.
        ValueError: the file has no part of that name; no part is changed.
        TypeError: a part of another kind; no part is changed.
        Exception: whatever a part's load_state_dict raises, with a note that names the part; the
            parts before it have been loaded.
    """
    check_parts(parts)
    states = load(f)
    for name in parts:
        if not isinstance(states, dict) or name not in states:
            held = ", ".join(map(str, states)) if isinstance(states, dict) else "no parts"
            raise ValueError(f"load_checkpoint: {os.fsdecode(f)} has no part {name!r}; it holds "
                             f"{held}. Give the parts under the names with which they were saved")
    for name, part in parts.items():
        try:
            _restore(part, states[name])
        except Exception as error:
            error.add_note(f"in load_checkpoint, for the part {name!r} of {os.fsdecode(f)}")
            raise


def check_parts(parts: dict[str, Any]) -> None:
    """Raises TypeError for a part whose state cannot be saved."""
    for name, part in parts.items():
        if isinstance(part, random.Generator | numpy.random.Generator):
            continue
        if isinstance(part, type) or not (hasattr(part, "state_dict")
                                          and hasattr(part, "load_state_dict")):
            kind = f"the class {part.__name__}" if isinstance(part, type) \
                else f"a {type(part).__name__}"
            raise TypeError(f"checkpoint: the part {name!r} is {kind}; a part is an object with "
                            "state_dict() and load_state_dict(), or a Generator. Wrap anything "
                            "else in a small class with these two methods")


def _state_of(part: Any) -> Any:
    if isinstance(part, numpy.random.Generator):
        return _plain(part.bit_generator.state)
    return part.get_state() if isinstance(part, random.Generator) else part.state_dict()


def _restore(part: Any, state: Any) -> None:
    if isinstance(part, numpy.random.Generator):
        random.set_numpy_state(part.bit_generator, state)
    elif isinstance(part, random.Generator):
        part.set_state(state)
    else:
        part.load_state_dict(state)


def _plain(state: Any) -> Any:
    """The state of a NumPy bit generator, with lists and ints in place of arrays."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, numpy.ndarray | numpy.generic) else state
