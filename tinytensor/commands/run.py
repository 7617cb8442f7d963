"""Runs a program written for PyTorch, unmodified: `import torch` gives it tinytensor.

python -m tinytensor run program.py ARGS
python -m tinytensor run -m package.module ARGS

A context for one part of a program, or for a notebook: `tinytensor.as_torch()`.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import traceback
from types import ModuleType

from ..compat import as_torch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The program and its arguments; all that follows the program is its own."""
    parser.add_argument("-m", dest="as_module", action="store_true",
                        help="the program is the name of a module, as for `python -m`")
    parser.add_argument("program", help="the file of the program")
    parser.add_argument("args", nargs=argparse.REMAINDER, help="the arguments of the program")


def run(options: argparse.Namespace) -> None:
    """Runs the program as `__main__`. Its traceback begins in its own file."""
    sys.argv = [options.program, *options.args]
    as_torch.as_torch()
    # Programs that this one starts with `python` find tinytensor under the name torch too.
    paths = [as_torch.ON_PATH, os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    try:
        if options.as_module:
            runpy.run_module(options.program, run_name="__main__", alter_sys=True)
        else:
            _run_file(options.program)
    except SystemExit:
        raise
    except BaseException as error:
        _show(error)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 1)


def _run_file(path: str) -> None:
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec")
    except OSError as error:
        sys.exit(f"run: {path} cannot be read: {error.strerror}")
    main = ModuleType("__main__")
    main.__file__ = path
    main.__builtins__ = __builtins__  # type: ignore[attr-defined]
    sys.modules["__main__"] = main  # where pickle and multiprocessing look for what it defines
    exec(code, vars(main))


def _show(error: BaseException) -> None:
    """Prints the traceback without the frames of this command, and why a module is absent."""
    for each in _chain(error):
        reason = as_torch.reason_for(each)
        if reason:
            each.add_note(reason)
        tb = each.__traceback__
        while tb is not None and (tb.tb_frame.f_code.co_filename == __file__
                                  or "runpy" in tb.tb_frame.f_code.co_filename):
            tb = tb.tb_next
        each.__traceback__ = tb
    sys.stdout.flush()
    traceback.print_exception(error)


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error, and those during which it was raised."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
