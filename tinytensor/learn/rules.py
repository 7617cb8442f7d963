"""The texts of derivative rules, as they stand in the source."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def rule_text(op: Any, name: str) -> str:
    """The rule for the input `name` of an operation; "" if there is no source."""
    for names, rule in op.rules.items():
        if name in names:
            return _text(rule)
    return ""


@functools.lru_cache(maxsize=1024)
def _text(rule: Callable[..., Any]) -> str:
    code = getattr(rule, "__code__", None)
    if code is None:
        return ""
    try:
        source = inspect.getsource(inspect.getmodule(rule) or rule)
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError):
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno \
                and _parameters(node) == _parameters_of(code):
            return ast.get_source_segment(source, node.body) or ""
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name \
                and code.co_firstlineno in {node.lineno, *(d.lineno for d in node.decorator_list)}:
            lines = source.splitlines()[node.lineno - 1:node.end_lineno]
            return textwrap.dedent("\n".join(lines))
    return ""


def _parameters(node: ast.Lambda) -> tuple[str, ...]:
    return tuple(a.arg for a in node.args.args)


def _parameters_of(code: Any) -> tuple[str, ...]:
    return tuple(code.co_varnames[:code.co_argcount])
