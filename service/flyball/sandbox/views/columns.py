"""Columns of data views: short names for fields, groups of them, types, and small calculations."""

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flyball.sandbox.errors import invalid
from flyball.sandbox.tables import Doc

HIERARCHY = ("project", "subject", "session", "acquisition")
_HOLDERS = (*HIERARCHY, "analysis", "file", "file_data")
_FORBIDDEN = {"permissions", "files"}
TYPES = ("int", "float", "string", "bool", "object")

_YEAR_S, _MONTH_S, _WEEK_S, _DAY_S = 31_557_600.0, 2_592_000.0, 604_800.0, 86_400.0
_AGES = {"age_years": _YEAR_S, "age_months": _MONTH_S, "age_weeks": _WEEK_S, "age_days": _DAY_S}
_GROUPS: dict[str, tuple[str, ...]] = {
    "project": ("id", "label"),
    "subject": (
        *("id", "label", "firstname", "lastname", "sex", "cohort", "type", "race", "ethnicity", "species", "strain"),
    ),
    "session": ("id", "label", "operator", "timestamp", "timezone", "age", "weight"),
    "acquisition": ("id", "label", "timestamp", "timezone"),
    "analysis": ("id", "label"),
    "file": ("id", "name", "type", "mimetype", "classification", "size"),
}
_SOURCES = {"subject.label": "subject.code", "file.row_number": "file_data._index"}
_KINDS = {"session.age": "int", "session.weight": "float", "file.size": "int", "file.row_number": "int"}
_MORE = ("file.modality", "file.row_number", *(f"session.{age}" for age in _AGES))


@dataclass(frozen=True, slots=True)
class Column:
    """One column: where its value comes from, its name, and what is made of the value."""

    holder: str
    """The level whose document has the value; `file_data` is a row inside of a file."""
    field: str
    name: str
    kind: str | None = None
    expression: str | None = None
    accumulator: str | None = None


def _known() -> dict[str, Doc]:
    """Short names with their source, type and description, in the order in which they are listed."""
    known: dict[str, Doc] = {}
    for group, fields in _GROUPS.items():
        known[group] = {"group": [f"{group}.{field}" for field in fields], "description": f"The fields of the {group}"}
        for field in fields:
            name = f"{group}.{field}"
            source = f"{group}._id" if field == "id" else _SOURCES.get(name, name)
            known[name] = _described(name, source)
        known[f"{group}.info"] = {
            "src": f"{group}.info",
            "type": "object",
            "description": "Own metadata",
        }
    for name in _MORE:
        known[name] = _described(name, _SOURCES.get(name, name))
    for age, seconds in _AGES.items():
        known[f"session.{age}"] |= {"src": "session.age", "type": "float", "expr": f"x / {seconds}"}
        known[f"subject.{age}"] = {**known[f"session.{age}"], "hidden": True}
    known["subject.age"] = {**known["session.age"], "hidden": True}
    return known


def _described(name: str, source: str) -> Doc:
    return {"src": source, "type": _KINDS.get(name, "string"), "description": f"The value of {name}"}


ALIASES = _known()


def listed() -> list[Doc]:
    """The short names as `/views/columns` lists them."""
    return [{"name": name, **spec} for name, spec in ALIASES.items() if not spec.get("hidden")]


def read_columns(specs: list[Doc]) -> list[Column]:
    """The columns that a view asks for, its groups unfolded.

    Raises:
        Refusal: 400 for an unknown column, one that may not be shown, or a broken calculation.
    """
    found: list[Column] = []
    for spec in specs:
        alias = ALIASES.get(spec["src"], {})
        if "group" in alias:
            for name in alias["group"]:
                field = name.rpartition(".")[2]
                found.append(_column({"src": name, **({"dst": f"{spec['dst']}.{field}"} if spec.get("dst") else {})}))
        else:
            found.append(_column(spec))
    return found


def _column(spec: Doc) -> Column:
    source = str(spec["src"])
    alias = ALIASES.get(source, {})
    path = str(alias.get("src", source))
    holder, _, field = path.partition(".")
    if not field:
        raise invalid(400, f"Unknown column alias: {source}")
    if holder not in _HOLDERS:
        raise invalid(400, f"Unknown container for column: {path}")
    if field.split(".")[0] in _FORBIDDEN:
        raise invalid(400, f"Unable to select column: {field.split('.')[0]}")
    if holder == "subject" and field == "age":
        holder = "session"
    expression = spec.get("expr") or alias.get("expr")
    if expression:
        calculation(expression)
    kind = spec.get("type") or alias.get("type")
    if kind is not None and kind not in TYPES:
        raise invalid(400, f"{kind!r} is not one of {list(TYPES)!r}", key="columns")
    return Column(holder, field, str(spec.get("dst") or source), kind, expression, spec.get("accumulator"))


_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def calculation(text: str) -> Callable[[Any], Any]:
    """A calculation with the four operations over the column's value `x`; None where it cannot be done.

    Raises:
        Refusal: 400 for anything else.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise invalid(400, f"Invalid expression: {text}") from None
    _check(tree, text)

    def run(value: Any) -> Any:
        try:
            return _evaluate(tree, value)
        except (TypeError, ArithmeticError):
            return None

    return run


def _check(node: ast.expr, text: str) -> None:
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            _check(left, text)
            _check(right, text)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, text)
        case ast.Name(id="x"):
            pass
        case ast.Constant(value=int() | float()):
            pass
        case _:
            raise invalid(400, f"Invalid expression: {text}")


def _evaluate(node: ast.expr, value: Any) -> Any:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_evaluate(left, value), _evaluate(right, value))
        case ast.UnaryOp(operand=operand):
            return -_evaluate(operand, value)
        case ast.Constant(value=constant):
            return constant
    return value
