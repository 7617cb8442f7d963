"""Checkpoints of a training run, with the state of every random generator: resuming is exact.

    resume.save_checkpoint("run.safetensors", model=model, optimizer=optimizer,
                           scheduler=scheduler, loader=loader, random=resume.RandomState())

    resume.load_checkpoint("run.safetensors", model=model, optimizer=optimizer,
                           scheduler=scheduler, loader=loader, random=resume.RandomState())

A run that is stopped anywhere and resumed so ends with the same bits as one that was not. What
PyTorch calls `utils.checkpoint` is another thing: recomputing activations to save memory.
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
    """The generators of all devices, NumPy's global one and Python's, as one part of a checkpoint.

    Generators that a program makes for itself are parts of their own.
    """

    def state_dict(self) -> dict[str, Any]:
        """Where all these streams are, as plain data."""
        return {"tinytensor": random.streams().state_dict(),
                "numpy": _plain(numpy.random.get_state(legacy=False)),
                "python": python_random.getstate()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes to where the streams were."""
        random.streams().load_state_dict(state_dict["tinytensor"])
        numpy.random.set_state(state_dict["numpy"])
        python_random.setstate(state_dict["python"])


def save_checkpoint(f: str | os.PathLike[str], **parts: Any) -> None:
    """Writes the states of the parts to one safetensors file, each under its name.

    Args:
        parts: whatever has `state_dict()` and `load_state_dict()` (modules, optimizers, schedulers,
            loaders, RandomState()), and Generators, tinytensor's and NumPy's.

    The file is replaced only when all of the new one is on the disk: a crash or a full disk leaves
    the previous checkpoint as it was. `load(f)["model"]` is the model's state_dict.

    Raises:
        TypeError: a part of another kind, or a state that is no plain data; named with its place.
        OSError: the file cannot be written.
    """
    check_parts(parts)
    save({name: _state_of(part) for name, part in parts.items()}, f)


def load_checkpoint(f: str | os.PathLike[str], **parts: Any) -> None:
    """Brings the parts to where they were in `save_checkpoint`; give them under the same names.

    Parts of the file that are not asked for are left alone: `load_checkpoint(f, model=model)` reads
    the weights alone. A model may be on another device than it was.

    Raises:
        OSError: there is no such file, or it cannot be read.
        RuntimeError: not a safetensors file, or a damaged one.
        ValueError: the file has no part of that name; nothing has changed then.
        TypeError: a part of another kind; nothing has changed then.
        Exception: what a part's own load_state_dict raises, with a note that says which part it
            was; the parts before it are loaded then.
    """
    check_parts(parts)
    states = load(f)
    for name in parts:
        if not isinstance(states, dict) or name not in states:
            held = ", ".join(map(str, states)) if isinstance(states, dict) else "no parts"
            raise ValueError(f"load_checkpoint: {os.fsdecode(f)} has no part {name!r}; it holds "
                             f"{held}. Give the parts under the names they were saved with")
    for name, part in parts.items():
        try:
            _restore(part, states[name])
        except Exception as error:
            error.add_note(f"in load_checkpoint, at the part {name!r} of {os.fsdecode(f)}")
            raise


def check_parts(parts: dict[str, Any]) -> None:
    """Raises TypeError for a part that has no state to save."""
    for name, part in parts.items():
        if isinstance(part, random.Generator | numpy.random.Generator):
            continue
        if isinstance(part, type) or not (hasattr(part, "state_dict")
                                          and hasattr(part, "load_state_dict")):
            kind = f"the class {part.__name__}" if isinstance(part, type) \
                else f"a {type(part).__name__}"
            raise TypeError(f"checkpoint: the part {name!r} is {kind}; a part is an object with "
                            "state_dict() and load_state_dict(), or a Generator. Around anything "
                            "else write a small class with these two methods")


def _state_of(part: Any) -> Any:
    if isinstance(part, numpy.random.Generator):
        return _plain(part.bit_generator.state)
    return part.get_state() if isinstance(part, random.Generator) else part.state_dict()


def _restore(part: Any, state: Any) -> None:
    if isinstance(part, numpy.random.Generator):
        part.bit_generator.state = state
    elif isinstance(part, random.Generator):
        part.set_state(state)
    else:
        part.load_state_dict(state)


def _plain(state: Any) -> Any:
    """The state of one of NumPy's bit generators with lists and ints in place of arrays."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, numpy.ndarray | numpy.generic) else state
