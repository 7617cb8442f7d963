"""PyTorch's documented names: each is there, or `compat/absent.py` says why not; signatures."""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
import inspect
import re
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


# ---------------------------------------------------------------- signatures

# Parameters of PyTorch that are not taken, or are taken in a way that the signature does not show.
OTHERWISE = {
    **dict.fromkeys(("SymInt", "SymFloat", "SymBool"), "no program makes them"),
    **dict.fromkeys(("det", "slogdet"), "the name is A, as in linalg"),
    "linalg.vander": "N goes by name only, as PyTorch has it and does not say",
    "nn.utils.parametrize.ParametrizationList": "register_parametrization makes it",
    "Tensor.copy_": "the parser says other, as here",
    **dict.fromkeys(("Tensor.round", "Tensor.round_"), "decimals goes by name"),
    "nn.parallel.DistributedDataParallel": "options of sharding and of other implementations",
    "utils.benchmark.Measurement": "a measurement says itself what it is of",
    "onnx.ONNXProgram": "export makes it",
    "jit.isinstance": "Python's own",
    "cpu.StreamContext": "a context without an effect",
    **dict.fromkeys(("distributed.new_group", "distributed.barrier", "distributed.send_object_list",
                     "distributed.recv_object_list"), "ranks are joined by MPI or NCCL"),
    "distributions.utils.lazy_property": "a decorator",
}
# PyTorch's older flags, which older_forms.py takes.
OLDER = {"size_average", "reduce", "only_inputs", "grad_variables", "min_value", "max_value"}
# What PyTorch's docstrings call otherwise than its own parser, or leave out.
PARSED = {"dtype", "device", "layout", "requires_grad", "pin_memory", "out", "generator",
          "memory_format"}


def parameters_of(function: Any, name: str) -> list[inspect.Parameter] | None:
    """The parameters of a function of PyTorch; of a compiled one by its docstring and schema."""
    try:
        found = list(inspect.signature(function).parameters.values())
        return None if any(p.kind is p.VAR_POSITIONAL for p in found) else [
            p for p in found if p.kind is not p.VAR_KEYWORD and p.name[:1] != "_"]
    except (TypeError, ValueError):
        return documented_parameters(function, name)


def documented_parameters(function: Any, name: str) -> list[inspect.Parameter] | None:
    schemas = torch._C._jit_get_schemas_for_operator(f"aten::{name}")
    known = {"input" if a.name == "self" else a.name for s in schemas for a in s.arguments}
    for line in (inspect.getdoc(function) or "").splitlines()[:3]:
        text = line.partition("->")[0].strip()
        call = re.match(rf"(?:[\w.]+\.)?{re.escape(name)}\((.*)\)$", text)
        if call is None or not schemas:
            continue
        plain = re.sub(r"\([^()]*\)|\[[^\]]*\]", "", call[1])  # defaults and types hold commas
        words = [re.fullmatch(r"(?:[\w.]+ )?(\w+)(?: *=.*)?", part.strip())
                 for part in plain.split(",") if part.strip() not in ("*", "/", "")]
        names = [w[1] for w in words if w is not None and w[1] in known | PARSED]
        cut = plain.split("*", 1)[0] if "*" in plain else plain
        names = [f"{n}_" if n == "from" else n for n in names]  # a word of Python's
        return [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD
                                  if re.search(rf"\b{n}\b", cut)
                                  else inspect.Parameter.KEYWORD_ONLY)
                for n in dict.fromkeys(names)]
    return None


def taken_by(function: Any) -> tuple[set[str], list[list[str]], bool, bool]:
    """The names that a function here takes, its orders, and whether it takes others too."""
    shown = [list(inspect.signature(function, follow_wrapped=follow).parameters.values())
             for follow in (True, False)]
    names = {p.name for parameters in shown for p in parameters}
    names |= {"out"} if hasattr(function, "op") else set()
    renamed = False
    while function is not None:
        names |= set(getattr(function, "other_names", ()))
        renamed = renamed or hasattr(function, "other_names")
        function = getattr(function, "__wrapped__", None)
    orders = [[p.name for p in parameters if p.kind is not p.KEYWORD_ONLY] for parameters in shown]
    return names, orders, renamed, any(
        p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in shown[0])


@in_turn("place", [p for p in OWNERS if OWNERS[p][0] is not None])
def test_parameters_have_pytorchs_names_and_order(place):
    ours, theirs, names = OWNERS[place]
    is_class = isinstance(theirs, type)
    different = {}
    for name in names:
        mine, other = getattr(ours, name, None), getattr(theirs, name)
        full = f"{place}.{name}" if place else name
        if not callable(mine) or not callable(other) or (
                isinstance(mine, type) is not isinstance(other, type)):
            continue
        wanted = parameters_of(other, name)
        if wanted is None:
            continue
        left = OLDER | {"self"} | ({"input"} if is_class else set()) | (
            {"return_indices"} if name.endswith("_with_indices") else set())
        before = next((i for i, p in enumerate(wanted) if p.name in OLDER), len(wanted))
        first = [p.name for p in wanted[:before]]  # older flags have positions of their own
        wanted = [p for p in wanted if p.name not in left]
        taken, orders, renamed, anything = taken_by(mine)
        lacking = [p.name for p in wanted if p.name not in taken
                   and p.kind is not p.POSITIONAL_ONLY and not anything]
        positional = [p.name for p in wanted if p.kind is p.POSITIONAL_OR_KEYWORD
                      and p.name in taken - PARSED and p.name in first]
        in_order = any(all(a in order for a in positional) and sorted(
            positional, key=order.index) == positional for order in orders)
        if lacking or not (in_order or anything or renamed):
            different[full] = f"lacks {lacking}, takes {orders[0]} for PyTorch's " \
                              f"{[p.name for p in wanted]}"
    assert different.keys() == {
        full for full in OTHERWISE if full.rpartition(".")[0] == place}, different
