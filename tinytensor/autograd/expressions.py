"""The one expression that many forwards and rules consist of, to be written out in place.

    lambda g, other: g * other        ->  g * other

A call of Python's costs as much as a tenth of a small array operation. `compiler.py` saves it
where a function is a lambda or a single return; any other is called.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import linecache
from collections.abc import Callable
from typing import Any

from ..arrays.dispatch import parameter_names

# They bind names of their own, which the code around an expression may use too.
SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr)


def written_out(function: Callable[..., Any], names: dict[str, str],
                namespace: dict[str, Any]) -> str | None:
    """The expression that `function` returns, `names` for its parameters; None if it does more.

    What it refers to beside them is put into `namespace`, as `its_NAME`; strings and numbers are
    written out.
    """
    expression = _returned(function)
    if expression is None or any(isinstance(node, SCOPES) for node in ast.walk(expression)):
        return None
    variables = inspect.getclosurevars(function)
    known = {**variables.builtins, **variables.globals, **variables.nonlocals}
    free = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)} - names.keys()
    if not free <= known.keys():
        return None
    given: dict[str, ast.expr] = {name: ast.Name(new) for name, new in names.items()}
    for name in free:
        value = known[name]
        if value is getattr(builtins, name, None):
            continue
        if isinstance(value, str | int | float):
            given[name] = ast.Constant(value)
            continue
        given[name] = ast.Name(f"its_{name}")
        if namespace.setdefault(f"its_{name}", value) is not value:
            return None
    return ast.unparse(_Renamed(given).visit(expression))


class _Renamed(ast.NodeTransformer):
    """The same expression with others in place of its variables."""

    def __init__(self, given: dict[str, ast.expr]):
        self.given = given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.given.get(node.id, node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.Call(ast.Name("getattr"), [owner, ast.Constant(str(name))]):
                return ast.Attribute(owner, name)
        return node


def _returned(function: Callable[..., Any]) -> ast.expr | None:
    """A copy of what a function returns, if that is all it does, and its source can be read."""
    code = getattr(function, "__code__", None)
    if code is None or function.__defaults__ or function.__kwdefaults__:  # type: ignore[attr-defined]
        return None
    parameters = list(parameter_names(function))
    found = [node for node in _functions(code.co_filename).get(code.co_firstlineno, ())
             if [a.arg for a in node.args.args] == parameters
             and isinstance(node, ast.Lambda) == (code.co_name == "<lambda>")]
    if len(found) != 1:  # two lambdas of one line cannot be told apart
        return None
    (node,) = found
    if isinstance(node, ast.Lambda):
        return _copy(node.body)
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None:
        return _copy(body[0].value)
    return None


def _copy(expression: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(expression), mode="eval").body


@functools.cache
def _functions(file: str) -> dict[int, list[ast.Lambda | ast.FunctionDef]]:
    """The functions of a source file by the line on which their code begins."""
    found: dict[int, list[ast.Lambda | ast.FunctionDef]] = {}
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda | ast.FunctionDef):
            decorators = getattr(node, "decorator_list", [])
            first = decorators[0].lineno if decorators else node.lineno
            found.setdefault(first, []).append(node)
    return found
