"""The public names: every module, function, class, method and constant that users may name.

A module says which names are public in `__all__`. Without one they are what it defines itself, and
what the table of operations attaches to it. An object that has several names, such as `tt.mul`,
`tt.multiply` and `Tensor.mul`, is described once, under all of them.
"""

from __future__ import annotations

import ast
import enum
import functools
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import tinytensor

from ..autograd.op import Op
from ..autograd.table import TABLE, Entry
from ..compat.modules import PLACES
from ..tensors.tensor import Tensor

ROOT = Path(__file__).parents[2]
OWN = ("tinytensor", "scalar")
# The public modules. An object with several names is described at the first of these that has it.
MODULES = (
    "scalar", "scalar.nn", "scalar.functional", "scalar.optim", "scalar.gradcheck",
    "tinytensor.autograd", "tinytensor.autograd.functional", "tinytensor.autograd.gradcheck",
    "tinytensor.func", "tinytensor.random",
    "tinytensor.nn", "tinytensor.nn.functional", "tinytensor.nn.init", "tinytensor.nn.attention",
    "tinytensor.nn.utils", "tinytensor.nn.utils.rnn", "tinytensor.nn.utils.parametrize",
    "tinytensor.nn.utils.parametrizations", "tinytensor.nn.utils.stateless",
    "tinytensor.nn.utils.prune",
    "tinytensor.nn.parallel",
    "tinytensor.optim", "tinytensor.optim.lr_scheduler", "tinytensor.optim.swa_utils",
    "tinytensor.linalg", "tinytensor.special",
    "tinytensor.distributions", "tinytensor.distributions.constraints",
    "tinytensor.distributions.transforms",
    "tinytensor.utils", "tinytensor.utils.data", "tinytensor.utils.checkpoint",
    "tinytensor.utils.benchmark", "tinytensor.utils.resume", "tinytensor.utils.hooks",
    "tinytensor.utils.tensorboard",
    "tinytensor.amp", "tinytensor.cuda", "tinytensor.cuda.amp", "tinytensor.accelerator",
    "tinytensor.backends", "tinytensor.backends.cpu", "tinytensor.backends.cuda",
    "tinytensor.backends.cudnn", "tinytensor.backends.mkl", "tinytensor.backends.mkldnn",
    "tinytensor.backends.mps", "tinytensor.backends.openmp",
    "tinytensor.distributed", "tinytensor.distributed.optim",
    "tinytensor.onnx", "tinytensor.learn", "tinytensor.checking", "tinytensor.testing",
    "tinytensor.kernels", "tinytensor.compiled", "tinytensor",
)
# PyTorch's modules that have no counterpart: they are imported when a program names them.
STAND_INS = tuple(f"tinytensor.{name}" for name in PLACES
                  if not any(part.startswith("_") for part in name.split("."))
                  and not name.endswith((
                      "autocast_mode", "grad_scaler", "amp.common", "ops",  # see amp
                      "proxy_tensor", "tensorboard.summary")))  # see fx, utils
CONSTANTS = (type(tinytensor.bfloat16), tinytensor.dtype, tinytensor.memory_format)
ATTACHED = {"tinytensor.nn.functional": "nn.functional", "tinytensor.linalg": "linalg",
            "tinytensor.special": "special"}  # modules with operations, and their `home`


@dataclass
class Described:
    """An object, all of its names, and where it is described."""

    object: Any
    names: list[str]  # the first is the one it is described under
    doc: str
    operation: Entry | None = None
    members: list[Described] = field(default_factory=list)  # of a class

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def kind(self) -> str:
        """The kind of the object as Sphinx's directives call it."""
        if inspect.isclass(self.object):
            return "exception" if issubclass(self.object, BaseException) else "class"
        if isinstance(self.object, property) or inspect.isdatadescriptor(self.object):
            return "property"
        return "function" if callable(self.object) and not is_constant(self.object) else "data"

    @property
    def source(self) -> tuple[Path, int] | None:
        """The file of its definition, and the line; None for constants."""
        return source_of(self.operation.function if self.operation else self.object)


def is_constant(value: Any) -> bool:
    return isinstance(value, (*CONSTANTS, enum.Enum))


@functools.cache
def _line_of_class(file: Path, name: str) -> int:
    """The line where a file defines a class; 1 for a class that is made by a call."""
    text = file.read_text(encoding="utf-8")
    found = re.search(rf"^\s*class {name}\b", text, re.MULTILINE)
    return 1 + text.count("\n", 0, found.end()) if found else 1


def source_of(value: Any) -> tuple[Path, int] | None:
    """The file and the line where a function, class or property is defined."""
    value = inspect.unwrap(value) if callable(value) else value
    value = inspect.unwrap(getattr(value, "fget", None) or getattr(value, "func", value))
    op = getattr(value, "op", None)
    if isinstance(op, Op):
        return Path(op.file), op.line
    try:
        file = Path(inspect.getsourcefile(value) or "")
        if inspect.isclass(value):
            return file, _line_of_class(file, value.__name__)
        return file, inspect.unwrap(value).__code__.co_firstlineno
    except (TypeError, AttributeError):
        return None


def is_own(value: Any) -> bool:
    """Whether an object was made by this project."""
    module = getattr(value, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] in OWN


def public(module: ModuleType) -> list[str]:
    """The names that a module offers."""
    listed = getattr(module, "__all__", None)
    if module.__name__ == "tinytensor":
        listed = [name for name, value in vars(module).items() if name not in (
            "annotations", "Any", "TYPE_CHECKING")] + ["as_torch", "default_generator"]
    if listed is None:
        home = ATTACHED.get(module.__name__)
        attached = {name for entry in TABLE.values() if entry.home == home and not entry.internal
                    for name in (entry.name, *entry.aliases)} if home else set()
        attached |= {name for name in vars(module) if home and _is_operation(module, name)}
        listed = [name for name, value in vars(module).items()
                  if name in attached or getattr(value, "__module__", "") == module.__name__]
    return sorted(name for name in listed if name[0] != "_"
                  and not isinstance(getattr(module, name), ModuleType | TypeVar))


def _is_operation(module: ModuleType, name: str) -> bool:
    """Whether it is a function of the project, such as `linalg.matmul`, or an error."""
    value = getattr(module, name)
    return callable(value) and (is_own(value) or isinstance(value, functools.partial))


def documentation(value: Any) -> str:
    """The docstring; that of the class does not count for its instances."""
    if isinstance(value, functools.partial):
        options = ", ".join(f"{name}={option!r}" for name, option in value.keywords.items())
        return f"`{value.func.__name__}` with {options}: see there for shapes and errors."
    if not callable(value) and not isinstance(value, property) \
            and not inspect.isdatadescriptor(value):
        return ""
    if inspect.isclass(value) and "__doc__" in vars(value) and value.__doc__:
        return inspect.cleandoc(value.__doc__)
    return inspect.getdoc(value) or ""


# ---------------------------------------------------------------- objects


def described() -> dict[str, Described]:
    """Every public object, by each of its names."""
    found: dict[str, Described] = {}
    by_object: dict[int, Described] = {}
    operations = {id(entry.function): entry for entry in TABLE.values() if not entry.internal}

    def add(name: str, value: Any) -> None:
        key = id(value)
        shared = callable(value) and not is_constant(value) and key in by_object
        if shared:
            by_object[key].names.append(name)
        else:
            by_object[key] = Described(value, [name], documentation(value), operations.get(key))
        found[name] = by_object[key]

    for module_name in (*MODULES, *STAND_INS):
        module = importlib.import_module(module_name)
        for name in public(module):
            value = getattr(module, name)
            if module_name not in STAND_INS or is_own(value):
                add(f"{module_name}.{name}", value)
    for name in dir(Tensor):
        if name[0] != "_":
            add(f"tinytensor.Tensor.{name}", inspect.getattr_static(Tensor, name)
                if isinstance(inspect.getattr_static(Tensor, name), property | classmethod)
                else getattr(Tensor, name))
    _join_forms(found)
    unique = {id(entry): entry for entry in found.values()}.values()
    classes = {id(entry.object) for entry in unique if inspect.isclass(entry.object)}
    for entry in unique:
        if inspect.isclass(entry.object) and entry.object is not Tensor:
            entry.members = list(members(entry.object, classes))
    return found


def _join_forms(found: dict[str, Described]) -> None:
    """Joins methods and in-place forms that are other objects than the function they belong to."""
    operations: dict[str, Described] = {}
    for entry in found.values():
        if entry.operation:
            for name in (entry.operation.name, *entry.operation.aliases):
                operations.setdefault(name, entry)
    for name, entry in list(found.items()):
        short = name.rpartition(".")[2]
        base = operations.get(short) or (operations.get(short[:-1]) if short[-1] == "_" else None)
        if base is None or entry is base or entry.operation:
            continue
        if inspect.isfunction(entry.object) and (
                entry.doc.startswith("As `") or entry.doc == base.doc):
            base.names.append(name)
            found[name] = base


def members(cls: type, others: set[int]) -> Iterator[Described]:
    """The public attributes of a class that none of its described bases has too."""
    seen: set[str] = set()
    elsewhere = {inner for base in cls.__mro__[1:] if id(base) in others for inner in base.__mro__}
    for base in cls.__mro__:
        if base is not cls and (base in elsewhere or not is_own(base)):
            continue
        for name, value in vars(base).items():
            if name[0] == "_" or name in seen or inspect.isclass(value):
                continue
            seen.add(name)
            doc = documentation(getattr(value, "__func__", value))
            if not doc and callable(value):  # an override says nothing new
                doc = inspect.getdoc(getattr(cls, name)) or ""
            if doc and not isinstance(value, str | int | float | bool | tuple | dict | list):
                yield Described(value, [f"{cls.__name__}.{name}"], doc)


# ---------------------------------------------------------------- signatures


@functools.cache
def stubs() -> dict[str, list[str]]:
    """The signatures in `tinytensor/table`, by name."""
    places = {"functions": "tinytensor", "functional": "tinytensor.nn.functional",
              "linalg": "tinytensor.linalg", "special": "tinytensor.special",
              "methods": "tinytensor.Tensor"}
    found: dict[str, list[str]] = {}
    for stem, place in places.items():
        tree = ast.parse((ROOT / "tinytensor/table" / f"{stem}.pyi").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                arguments = ast.unparse(node.args).replace("builtins.", "")
                if stem == "methods":
                    arguments = re.sub(r"\bself(: \w+)?(, )?(/, )?", "", arguments, count=1)
                result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
                found.setdefault(f"{place}.{node.name}", []).append(f"({arguments}){result}")
    return found


def signatures(name: str, value: Any, method: bool = False) -> list[str]:
    """The signatures of a function or class under one of its names: "(x, dim=None) -> Tensor"."""
    if name in stubs():
        return stubs()[name]
    try:
        signature = inspect.signature(getattr(value, "__func__", value))
    except (TypeError, ValueError):
        return ["(...)"]
    parameters = list(signature.parameters.values())
    if (method or name.startswith("tinytensor.Tensor.")) and not isinstance(value, staticmethod):
        parameters = parameters[1:]
    return [f"({', '.join(_separated(parameters))}){_result(signature)}"]


def _result(signature: inspect.Signature) -> str:
    kind = signature.return_annotation
    return f" -> {_type(kind)}" if kind not in (signature.empty, None, "None") else ""


def _type(annotation: Any) -> str:
    text = annotation if isinstance(annotation, str) else getattr(
        annotation, "__name__", str(annotation))
    return re.sub(r"\b(dtypes|random|devices|graph|typing|numpy)\.(?=\w)", "", text.strip("'\""))


def _separated(parameters: Iterable[inspect.Parameter]) -> Iterator[str]:
    """The parameters as text, with `*` before those that are keywords only."""
    starred = False
    last_kind = None
    for p in parameters:
        if last_kind is p.POSITIONAL_ONLY and p.kind is not p.POSITIONAL_ONLY:
            yield "/"
        if p.kind is p.KEYWORD_ONLY and not starred:
            yield "*"
        starred |= p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        last_kind = p.kind
        star = "**" if p.kind is p.VAR_KEYWORD else "*" if p.kind is p.VAR_POSITIONAL else ""
        kind = "" if p.annotation is p.empty else f": {_type(p.annotation)}"
        yield f"{star}{p.name}{kind}{_default(p.default)}"
    if last_kind is inspect.Parameter.POSITIONAL_ONLY:
        yield "/"


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return ""
    if isinstance(value, enum.Enum):
        return f" = {type(value).__name__}.{value.name}"
    if callable(value) and hasattr(value, "__name__"):
        return f" = {value.__name__}" if value.__name__.isidentifier() else " = ..."
    text = repr(value)
    return f" = {text}" if text[0] not in "<" else " = ..."
