"""What the form of a part of the syntax tree tells before anything is evaluated."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Final

from flyball.rules.expression.access import Key
from flyball.rules.expression.functions import CONDITIONS, FUNCTIONS

LEVELS: Final = ("project", "subject", "session", "acquisition", "file", "analysis", "job")
"""Levels from the top down; `count` takes all but the first."""

LITERALS: Final = {"true": True, "false": False, "null": None}
"""Names that are literals, as in JSON and YAML, beside Python's own spelling."""

USAGES: Final = {
    "any": "any(condition for x in list)",
    "all": "all(condition for x in list)",
    "has": "has(value)",
    "coalesce": "coalesce(first, second, …)",
    "count": "count(level, condition)",
    "now": "now",
    **{name: function.usage for name, function in FUNCTIONS.items()},
}
"""How each built-in function is written."""

BINARY: Final[dict[type[ast.operator], str]] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}
COMPARE: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_DECIDING: Final = frozenset({"any", "all", "has"}) | CONDITIONS


def is_logic(node: ast.expr) -> bool:
    """Whether `node` is a comparison or made of `and`, `or`, `not`."""
    return isinstance(node, ast.BoolOp | ast.Compare) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


def is_condition(node: ast.expr) -> bool:
    """Whether `node` answers true, false or unknown by its form alone."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool)
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _DECIDING
    return called or is_logic(node)


def literal_key(link: ast.Attribute | ast.Subscript) -> Key | None:
    """The key of one step of a path, when it is written out."""
    if isinstance(link, ast.Attribute):
        return link.attr
    if isinstance(link.slice, ast.Constant):
        value = link.slice.value
        return value if isinstance(value, str) or value.__class__ is int else None
    number = literal_number(link.slice)
    return number if isinstance(number, int) else None


def literal_number(node: ast.expr) -> int | float | None:
    """The number that a minus sign before a literal makes."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value
    return None


def literal_texts(node: ast.expr) -> list[str] | None:
    """The texts of a list that holds nothing else."""
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    texts = [each.value for each in node.elts if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return texts if len(texts) == len(node.elts) else None


def static_path(root: str, keys: Sequence[Key]) -> tuple[str, ...]:
    """The path up to the first key that is no name."""
    path = [root]
    for key in keys:
        if not isinstance(key, str):
            break
        path.append(key)
    return tuple(path)


def size(node: ast.AST) -> int:
    """The number of parts of `node`, its units of work for one evaluation."""
    return sum(isinstance(part, ast.expr) for part in ast.walk(node))
