"""Checkpoints of a training run, with the states of all random generators.

    resume.save_checkpoint("run.safetensors", model=model, optimizer=optimizer,
                           scheduler=scheduler, loader=loader, random=resume.RandomState())

    resume.load_checkpoint("run.safetensors", model=model, optimizer=optimizer,
                           scheduler=scheduler, loader=loader, random=resume.RandomState())

A resumed run ends with bitwise the same weights as one that was not interrupted. PyTorch's
`utils.checkpoint` is something else: it recomputes activations to save memory.

With several ranks all of them call both functions, and there is one file. It holds models,
optimizers and schedulers once, as they are on rank 0, and the states of random generators and
loaders of all ranks. A run may be resumed with another number of ranks: with a DistributedSampler
and the same global batch it goes on with the same batches.
"""

from __future__ import annotations

import os
import random as python_random
import zlib
from typing import Any

import numpy

from .. import distributed, random
from ..tensors.files import load, save
from .data.dataloader import DataLoader

RANKS = "ranks"  # the name in the file of the states of ranks other than 0

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
    unchanged. `load(f)["model"]` is the model's state_dict. With several ranks all must call it,
    and rank 0 writes the file.

    Raises:
        TypeError: a part of another kind, or a state that `save` refuses; the message names it.
        OSError: the file cannot be written; on all ranks.
    """
    check_parts(parts)
    for part in parts.values():
        if hasattr(part, "consolidate_state_dict"):
            part.consolidate_state_dict()
    if distributed.get_world_size() == 1:
        save({name: _state_of(part) for name, part in parts.items()}, f)
        return
    own = {name: _state_of(part) for name, part in parts.items() if _is_own(part)}
    main = distributed.get_rank() == 0
    all_own: list[Any] = [None] * distributed.get_world_size()
    distributed.gather_object(own, all_own if main else None)
    outcome: list[Any] = [None]
    if main:
        others = {name: _state_of(part) for name, part in parts.items() if name not in own}
        try:
            save({**others, **own, RANKS: all_own[1:]}, f)
        except Exception as error:
            distributed.broadcast_object_list([repr(error)])
            raise
    distributed.broadcast_object_list(outcome)
    if outcome[0] is not None:
        raised = OSError(f"save_checkpoint: rank 0 could not write {os.fsdecode(f)}: {outcome[0]}")
        raised.of_rank = 0  # type: ignore[attr-defined] # whose traceback is the one to read
        raise raised


def load_checkpoint(f: str | os.PathLike[str], **parts: Any) -> None:
    """Restores the states that `save_checkpoint` wrote; give the parts under the same names.

    Other parts of the file are ignored: `load_checkpoint(f, model=model)` restores only the model,
    which may be on another device than before. With several ranks all must call it, and each reads
    the file.

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
    by_rank = [states, *states.get(RANKS, ())]
    for name, part in parts.items():
        try:
            if _is_own(part):
                _restore_own(part, [of_rank[name] for of_rank in by_rank])
            else:
                _restore(part, states[name])
        except Exception as error:
            error.add_note(f"in load_checkpoint, for the part {name!r} of {os.fsdecode(f)}")
            raise
    distributed.barrier()  # nobody replaces the file while another reads it


def check_parts(parts: dict[str, Any]) -> None:
    """Raises TypeError for a part whose state cannot be saved, ValueError for a name in use."""
    if RANKS in parts:
        raise ValueError(f"checkpoint: the name {RANKS!r} is taken; choose another for this part")
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


def _is_own(part: Any) -> bool:
    """Whether the state of a part differs from rank to rank."""
    return isinstance(part, RandomState | DataLoader | random.Generator | numpy.random.Generator)


def _restore_own(part: Any, states: list[Any]) -> None:
    """Restores the state of this rank.

    A rank that did not exist then gets that of rank 0, and if the states of the ranks differed, a
    seed of its own.
    """
    rank = distributed.get_rank()
    if rank < len(states):
        _restore(part, states[rank])
        return
    if isinstance(part, DataLoader):  # the default generator of this rank is another one
        part.load_state_dict({**states[0], "default": None})
        return
    _restore(part, states[0])
    if all(state == states[0] for state in states):
        return
    seed = zlib.crc32(repr(states[0]).encode()) + rank
    if isinstance(part, RandomState):
        random.manual_seed(seed)
        numpy.random.seed(seed)
        python_random.seed(seed)
    elif isinstance(part, random.Generator):
        part.manual_seed(seed)
    else:
        part.bit_generator.state = type(part.bit_generator)(seed).state


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
