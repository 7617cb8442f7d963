"""The texts of derivative rules, as they stand in the source."""

from __future__ import annotations

import ast
import functools
import linecache
import textwrap
from collections.abc import Callable
from typing import Any


def rule_text(op: Any, name: str) -> str:
    """The rule for the input `name` of an operation; "" if there is no source."""
    for names, rule in op.rules.items():
        if name in names:
            return _text(rule)
    return ""


def _text(rule: Callable[..., Any]) -> str:
    code = getattr(rule, "__code__", None)
    if code is None:
        return ""
    definitions = _definitions("".join(linecache.getlines(code.co_filename)))
    candidates = definitions.get((code.co_firstlineno, code.co_varnames[:code.co_argcount]), {})
    starts = {(line, column) for line, _, column, _ in code.co_positions()}
    return next((text for start, text in candidates.items() if start in starts),
                next(iter(candidates.values()), ""))


@functools.lru_cache(maxsize=64)
def _definitions(source: str) -> dict[tuple[int, tuple[str, ...]], dict[tuple[int, int], str]]:
    """The texts of functions, and of what lambdas return, by the place of their body.

    They are grouped by their first line and parameters: several lambdas may stand on one line.
    """
    found: dict[tuple[int, tuple[str, ...]], dict[tuple[int, int], str]] = {}
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return found
    lines = source.splitlines()
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            first, body = node.lineno, node.body
            text = ast.get_source_segment(source, node.body) or ""
        elif isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            body, text = node.body[0], "\n".join(lines[node.lineno - 1:node.end_lineno])  # type: ignore[assignment]
        else:
            continue
        key = first, tuple(a.arg for a in node.args.args)
        found.setdefault(key, {})[body.lineno, body.col_offset] = textwrap.dedent(text)
    return found
