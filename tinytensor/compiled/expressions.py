"""Forwards and rules that are one expression, to be copied into the written code.

    lambda g, other: g * other        ->  g * other

A call in Python costs as much as a tenth of a small array operation. The writer saves it for a
lambda or a function with a single return; any other function is called.

The source file is only a help: it may have changed since the function was defined, or be gone. An
expression is copied if compiling it gives the bytecode of the function, and not otherwise.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import linecache
from collections.abc import Callable
from types import CodeType
from typing import Any

from ..arrays.dispatch import parameter_names

# They bind names of their own, which the code around an expression may use too.
SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr)


def written_out(function: Callable[..., Any], names: dict[str, str],
                namespace: dict[str, Any]) -> str | None:
    """The expression that `function` returns, with `names` for its parameters; None if it has more
    than one statement, or if its source does not agree with its code.

    The objects that the expression refers to are put into `namespace`, as `its_NAME`; strings and
    numbers are written out.
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
    """A copy of the expression that a function returns, if it has no other statement."""
    code = getattr(function, "__code__", None)
    if code is None or function.__defaults__ or function.__kwdefaults__:  # type: ignore[attr-defined]
        return None
    parameters = list(parameter_names(function))
    candidates = [node for node in _functions(code.co_filename).get(code.co_firstlineno, ())
                  if [a.arg for a in node.args.args] == parameters
                  and isinstance(node, ast.Lambda) == (code.co_name == "<lambda>")]
    for node in candidates:
        body = _single_return(node)
        if body is not None and _same(code, _compiled(node, code.co_freevars)):
            return _copy(body)
    return None


def _single_return(node: ast.Lambda | ast.FunctionDef) -> ast.expr | None:
    if isinstance(node, ast.Lambda):
        return node.body
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None


def _compiled(node: ast.Lambda | ast.FunctionDef, variables: tuple[str, ...]) -> CodeType:
    """The code of a function, compiled anew inside a function that has its free `variables`."""
    bare = ast.parse(ast.unparse(node) if isinstance(node, ast.Lambda) else "def f(): pass").body[0]
    if isinstance(node, ast.FunctionDef):
        bare = ast.FunctionDef(node.name, node.args, node.body, [], None, None)
    outer = ast.parse(f"def outer({', '.join(variables)}): pass")
    outer.body[0].body = [bare]  # type: ignore[attr-defined]
    module = compile(ast.fix_missing_locations(outer), "<expression>", "exec", dont_inherit=True,
                     flags=annotations.compiler_flag)
    code = module
    for _ in range(2):
        code = next(c for c in code.co_consts if isinstance(c, CodeType))
    return code


def _same(a: CodeType, b: CodeType) -> bool:
    """Whether two codes do the same, wherever they were compiled from."""
    return all(getattr(a, part) == getattr(b, part) for part in (
        "co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount",
        "co_kwonlyargcount")) and list(map(_constant, a.co_consts)) == list(
            map(_constant, b.co_consts))


def _constant(value: Any) -> Any:
    """A constant that compares by type and sign too: 1 is not 1.0, 0.0 is not -0.0."""
    return type(value), repr(value)


def _copy(expression: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(expression), mode="eval").body


@functools.cache
def _functions(file: str) -> dict[int, list[ast.Lambda | ast.FunctionDef]]:
    """The functions of a source file by the line on which their code begins."""
    functions: dict[int, list[ast.Lambda | ast.FunctionDef]] = {}
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return functions
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda | ast.FunctionDef):
            decorators = getattr(node, "decorator_list", [])
            first = decorators[0].lineno if decorators else node.lineno
            functions.setdefault(first, []).append(node)
    return functions
