"""PyTorch's documented names: each is there, or `compat/absent.py` says why not; signatures."""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
import inspect
import types
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from operations import in_turn

import tinytensor
from tinytensor.compat.absent import REASONS, reason_of

# Modules of PyTorch by their name below `torch`, "" for the package; their public names are meant.
PLACES = ["", *"""
    nn nn.functional nn.init nn.utils nn.utils.parametrizations nn.utils.parametrize nn.utils.prune
    nn.utils.rnn nn.utils.stateless nn.attention nn.attention.bias nn.parameter nn.parallel
    optim optim.lr_scheduler optim.swa_utils
    autograd autograd.functional autograd.forward_ad autograd.graph autograd.profiler
    linalg special fft func signal.windows masked nested sparse
    distributions distributions.constraints distributions.transforms distributions.kl
    distributions.utils distributions.constraint_registry
    utils utils.data utils.checkpoint utils.tensorboard utils.dlpack utils.benchmark utils.hooks
    utils.flop_counter
    amp random cpu cuda cuda.amp mps mtia xpu accelerator backends.cuda backends.mkl
    backends.openmp distributed distributed.algorithms.ddp_comm_hooks.default_hooks
    futures multiprocessing testing onnx hub jit fx compiler profiler library overrides package
    monitor quasirandom
    serialization types version __future__
""".split()]


def module_of(library: Any, place: str) -> Any:
    """A module of one of the two libraries; None if it is not there."""
    try:
        return importlib.import_module(".".join(filter(None, (library.__name__, place))))
    except ModuleNotFoundError:
        return None


def public(place: str) -> list[str]:
    """The public names of a module of PyTorch: those of `__all__`, or what it defines itself."""
    module = module_of(torch, place)
    listed = getattr(module, "__all__", None)
    names = [name for name in (dir(module) if listed is None else listed) if name[:1] != "_"]
    return names if listed is not None else [
        name for name in names if getattr(module, name).__class__ is not types.ModuleType
        and _is_defined_in(place, getattr(module, name))]


def _is_defined_in(place: str, value: Any) -> bool:
    """Whether a value is of the module, of a module below it, or of PyTorch's compiled part."""
    where = getattr(value, "__module__", None)
    if where is None:
        return isinstance(value, types.BuiltinFunctionType | torch.dtype)
    return where.startswith((f"torch.{place}", "torch._C"))


def is_documented(value: Any) -> bool:
    """Whether a value has a docstring of its own, or is a constant, which has none."""
    if not callable(value) and not inspect.isdatadescriptor(value):
        return True
    inherited = [base.__doc__ for base in value.__mro__[1:]] if isinstance(value, type) else []
    return bool(value.__doc__) and value.__doc__ not in inherited


def documented(place: str) -> list[str]:
    module = module_of(torch, place)
    return sorted({name for name in public(place) if hasattr(module, name)
                   and not isinstance(getattr(module, name), types.ModuleType)
                   and is_documented(getattr(module, name))})


def members(kind: type) -> list[str]:
    return [name for name in dir(kind) if name[:1] != "_"
            and (callable(value := getattr(kind, name)) or inspect.isdatadescriptor(value))
            and is_documented(value)]


def owners() -> Iterator[tuple[str, Any, Any, list[str]]]:
    """(place, tinytensor's module or None, PyTorch's, its documented names), and two classes."""
    for place in PLACES:
        yield place, module_of(tinytensor, place), module_of(torch, place), documented(place)
    yield "Tensor", tinytensor.Tensor, torch.Tensor, members(torch.Tensor)
    yield "Module", tinytensor.nn.Module, torch.nn.Module, members(torch.nn.Module)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyTorch's deprecated names warn
    OWNERS = {place: rest for place, *rest in owners()}
# What answers for a name that is missing.
ASKED = {"Tensor": tinytensor.ones(2, 2), "Module": tinytensor.nn.Module()}


def missing(place: str) -> list[str]:
    """The documented names of a module that are not there."""
    ours, _, names = OWNERS[place]
    return [] if ours is None else [name for name in names if not hasattr(ours, name)]


pytestmark = pytest.mark.filterwarnings("ignore")


@in_turn("place", list(OWNERS))
def test_a_documented_name_is_there_or_its_absence_has_a_reason(place):
    ours, _, names = OWNERS[place]
    assert names, "PyTorch has no documented name here: is the place still right?"
    if ours is None:
        parent, _, leaf = place.rpartition(".")
        with pytest.raises(AttributeError) as error:
            getattr(module_of(tinytensor, parent), leaf)
        assert str(reason_of(leaf, parent)) in str(error.value)
    unexplained = [name for name in missing(place) if reason_of(name, place) is None]
    assert not unexplained, f"absent from {place or 'the package'} without a reason: {unexplained}"
    for name in missing(place):
        with pytest.raises(AttributeError) as error:
            getattr(ASKED.get(place, ours), name)
        assert f"on purpose: {reason_of(name, place)}" in str(error.value)


def covered(entry: str) -> list[tuple[str, str]]:
    """The (place, name) of PyTorch that an entry of the list of absent names is about."""
    found = []
    for place, (_, theirs, _) in OWNERS.items():
        names = [name for name in dir(theirs) if name[:1] != "_"] if "*" not in entry \
            else OWNERS[place][2]
        found += [(place, name) for name in names
                  if fnmatch.fnmatchcase(f"{place}.{name}" if "." in entry else name, entry)]
    return found


@in_turn("entry", list(REASONS))
def test_an_entry_of_the_list_of_absent_names_is_a_name_of_pytorch_that_is_not_there(entry):
    names = covered(entry)
    assert names or importlib.util.find_spec(f"torch.{entry}"), "PyTorch has no such name"
    there = [(place, name) for place, name in names if OWNERS[place][0] is not None
             and hasattr(OWNERS[place][0], name)
             and not isinstance(getattr(OWNERS[place][0], name), tinytensor.dtype)]
    if entry.endswith(".*"):  # the rest of a module
        assert len(there) < len(names), "all of them are there"
    else:
        assert not there, f"these are there: {there}"
