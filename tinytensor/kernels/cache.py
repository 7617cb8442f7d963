"""The files of compiled loops: valid for the code that they were made from, and for nothing else.

Numba's own cache takes the time stamp of a source file for its content. So a program whose source
was edited while it ran would store the old machine code under the new stamp, and later programs
would run it. Here the name of an entry is a hash of the code in memory (`fingerprint`), of the
types of the arguments, of the CPU, and of the versions of Python, NumPy, Numba and llvmlite.

An entry begins with a hash of its content. One that is damaged is compiled anew. Entries are
searched in all of `folders()` and written to the first that is writable: the folder of the
environment variable TINYTENSOR_CACHE_DIR or NUMBA_CACHE_DIR, `__pycache__` beside the source, the
user's cache directory.

Whoever can write to these folders can run code in the programs that read them, as with Python's
own .pyc files. This module imports Numba.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import hashlib
import os
import pickle
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import llvmlite
import numba
import numpy
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from ..autograd.frames import warn
from .loops import ByDtype, Loop

PACKAGE = __name__.partition(".")[0]
LIBRARIES = ("llvmlite", "numba", "numpy")  # VERSIONS has theirs
HASH = hashlib.sha256
VERSIONS = (sys.implementation.cache_tag, numpy.__version__, numba.__version__,
            llvmlite.__version__)


# ---------------------------------------------------------------- what an entry is valid for


def fingerprint(loop: Loop) -> bytes:
    """A hash of the code of a loop, of all that it calls, and of the constants that they use."""
    digest = HASH()
    for part in _parts(loop, (), set()):
        digest.update(part.encode() + b"\0")
    return digest.digest()


def _parts(value: Any, names: tuple[str, ...], seen: set[int]) -> Iterator[str]:
    """Texts that describe a value inside a loop. Of a module, those of its attributes `names`."""
    yield type(value).__name__
    if isinstance(value, CodeType):
        for field in ("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars",
                      "co_argcount", "co_kwonlyargcount", "co_flags", "co_exceptiontable"):
            yield repr(getattr(value, field))
        for constant in value.co_consts:
            yield from _parts(constant, (), seen)
    elif isinstance(value, str | bytes | int | float | complex | None | numpy.generic):
        yield repr(value)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _parts(item, (), seen)
    elif isinstance(value, set | frozenset):
        yield repr(sorted(map(repr, value)))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield repr(key)
            yield from _parts(item, (), seen)
    elif isinstance(value, numpy.ndarray):
        yield f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    elif isinstance(value, ModuleType):
        yield value.__name__
        if value.__name__.partition(".")[0] == PACKAGE:
            for name in names:
                if name in vars(value):
                    yield name
                    yield from _parts(vars(value)[name], names, seen)
    elif isinstance(value, BuiltinFunctionType | numpy.ufunc):
        yield value.__name__
    elif id(value) not in seen:
        seen.add(id(value))
        yield from _parts_of_object(value, seen)


def _parts_of_object(value: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(value, Loop):
        yield repr(sorted((key, repr(_ordered(item))) for key, item in value.options.items()))
        yield from _parts(value.function, (), seen)
    elif isinstance(value, ByDtype):
        yield from _parts((value.single, value.double), (), seen)
    elif isinstance(value, FunctionType):
        yield value.__qualname__
        if value.__module__.partition(".")[0] not in LIBRARIES:
            yield from _parts(value.__code__, (), seen)
            yield from _parts((value.__defaults__, value.__kwdefaults__), (), seen)
            yield from _parts([cell.cell_contents for cell in value.__closure__ or ()], (), seen)
            looked_up, attributes = _names(value.__code__)
            for name in sorted(looked_up & value.__globals__.keys()):
                yield name
                yield from _parts(value.__globals__[name], attributes, seen)
    elif isinstance(value, type):
        yield f"{value.__module__}.{value.__qualname__}"
        if value.__module__.partition(".")[0] == PACKAGE:
            for _, item in sorted(vars(value).items()):
                if isinstance(item, FunctionType):
                    yield from _parts(item, (), seen)
    elif hasattr(value, "_defn"):  # Numba's @intrinsic
        yield from _parts(value._defn, (), seen)
    elif type(value).__module__.partition(".")[0] in LIBRARIES:
        yield str(value)


def _ordered(option: Any) -> Any:
    return sorted(option) if isinstance(option, set) else option


@functools.cache
def _names(code: CodeType) -> tuple[set[str], tuple[str, ...]]:
    """The global names that a code and those inside it look up, and their attributes."""
    looked_up = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    attributes = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner, others = _names(constant)
            looked_up |= inner
            attributes.update(others)
    return looked_up, tuple(sorted(attributes))


# ---------------------------------------------------------------- where entries are


@functools.cache
def folders() -> list[Path]:
    """The folders of entries, the preferred one first."""
    named = [os.environ.get(name) for name in ("TINYTENSOR_CACHE_DIR", "NUMBA_CACHE_DIR")]
    user = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    places = [Path(name) for name in named if name] + [Path(__file__).parent / "__pycache__"]
    with contextlib.suppress(RuntimeError):  # there is no home
        places.append(Path(user or Path.home() / ".cache") / PACKAGE)
    return places


@functools.cache
def target() -> Path | None:
    """The first folder that is writable, or None."""
    for folder in folders():
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
    return None


def is_there() -> bool:
    """Whether entries can be written, or some were written before."""
    return target() is not None or any(
        next(folder.glob("*.kernel"), None) is not None for folder in folders() if folder.is_dir())


class Cache:
    """What Numba asks for the compiled code of one loop, in place of its own cache."""

    refused = False  # whether an entry of any loop could not be written

    def __init__(self, loop: Loop):
        self.name = f"{loop.__module__.rpartition('.')[2]}.{loop.__name__}"
        self.fingerprint = fingerprint(loop)
        self.cache_path = str(target())

    def _file(self, signature: Any, codegen: Any) -> tuple[str, str]:
        """The name of an entry, and a pattern of the names of those for other code."""
        types = HASH(repr((str(signature), codegen.magic_tuple(), VERSIONS)).encode()).hexdigest()
        pattern = f"{self.name}-{types[:16]}-*.kernel"
        return pattern.replace("*", HASH(
            self.fingerprint + types.encode()).hexdigest()[:32]), pattern

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The compiled loop, or None if there is no entry that can be used."""
        context.refresh()
        name, _ = self._file(signature, context.codegen())
        for folder in folders():
            try:
                content = (folder / name).read_bytes()
            except OSError:
                continue
            check, content = content[:HASH().digest_size], content[HASH().digest_size:]
            if check == HASH(content).digest():
                return CompileResult._rebuild(context, *pickle.loads(content))
        return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Writes an entry. If that fails, the loop is compiled anew by the next program."""
        folder = target()
        if folder is None or compiled.library.has_dynamic_globals:
            return
        name, pattern = self._file(signature, compiled.codegen)
        content = dumps(compiled._reduce())
        try:
            _write(folder / name, HASH(content).digest() + content)
        except OSError as error:
            if not Cache.refused:
                Cache.refused = True
                warn(f"compiled kernels cannot be kept in {folder}: {error.strerror or error}; "
                     "each program compiles them anew until there is space, or until the "
                     "environment variable TINYTENSOR_CACHE_DIR names another folder",
                     RuntimeWarning)
            return
        for other in folder.glob(pattern):
            if other.name != name:
                with contextlib.suppress(OSError):
                    other.unlink()


def _write(path: Path, content: bytes) -> None:
    """Writes a file that is complete as soon as it has its name."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
