"""Calls: which functions there are, how many arguments they take, and what each is built into."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from flyball.rules.expression import access, closures, logic, loops
from flyball.rules.expression.context import Closure
from flyball.rules.expression.dates import read_date
from flyball.rules.expression.errors import ExpressionError
from flyball.rules.expression.forms import LEVELS, USAGES, size
from flyball.rules.expression.functions import FUNCTIONS, MANY
from flyball.rules.expression.parse import suggestion
from flyball.rules.expression.patterns import Pattern, PatternError, glob, regex
from flyball.rules.expression.values import Unknown

if TYPE_CHECKING:
    from flyball.rules.expression.builder import Builder

_PLURALS: Final = {level + "s": level for level in LEVELS} | {"analyses": "analysis"}
_METHODS: Final = {
    "get": "write x['key']: a missing key is unknown, and coalesce(x['key'], …) gives another value instead",
    "keys": "write the object itself: 'key' in x",
}


def build_call(builder: Builder, node: ast.Call) -> Closure:
    """The closure of a call.

    Raises:
        ExpressionError: when there is no such function, or it does not take these arguments.
    """
    if not isinstance(node.func, ast.Name):
        raise _no_function(builder, node)
    name, arguments = node.func.id, node.args
    known = name in USAGES or name in builder.functions
    if name in builder.scope or (name in builder.names and not known):
        raise builder.error(node, f"`{name}` is no function", "leave the brackets out")
    if not known:
        everything = {*USAGES, *builder.functions}
        hint = suggestion(name, everything) or f"functions: {', '.join(sorted(everything))}"
        raise builder.error(node, f"unknown function `{name}`", hint)
    builder.facts.calls.add((name, tuple(each.value if isinstance(each, ast.Constant) else ... for each in arguments)))
    match name:
        case "any" | "all":
            return _quantifier(builder, node, loops.any_of if name == "any" else loops.all_of)
        case "count":
            return _count(builder, node)
        case "now":
            _expect(builder, node, name, 0, 0)
            return builder.now()
        case "has":
            _expect(builder, node, name, 1, 1)
            return closures.presence(builder.value(arguments[0]))
        case "coalesce":
            _expect(builder, node, name, 1, MANY)
            return closures.first_known([builder.value(each) for each in arguments])
        case _ if name in FUNCTIONS:
            return _built_in(builder, node, name)
        case _:
            _expect(builder, node, name, *builder.functions[name])
            visible = {variable: place for variable, place in builder.scope.items() if place is not None}
            return closures.environment_call(name, [builder.value(each) for each in arguments], visible)


def usage(name: str) -> str:
    """How a function is written."""
    return USAGES.get(name, f"{name}(…)")


def _no_function(builder: Builder, node: ast.Call) -> ExpressionError:
    if not isinstance(node.func, ast.Attribute):
        return builder.error(node, "this cannot be called", "only the language's functions can")
    method, holder = node.func.attr, builder.text(node.func.value)
    remedy = _METHODS.get(method, "only the language's functions can")
    if method in USAGES:
        rest = "".join(f", {builder.text(each)}" for each in node.args)
        remedy = f"write {method}({holder}{rest})"
    return builder.error(node, f"`.{method}()` is a method, and methods cannot be called", remedy)


def _expect(builder: Builder, node: ast.Call, name: str, least: int, most: int) -> None:
    given = len(node.args)
    if least <= given <= most:
        return
    wanted = f"{least}" if least == most else f"{least} or more" if most >= MANY else f"{least} to {most}"
    raise builder.error(node, f"`{name}` takes {wanted} argument(s), not {given}", f"write {usage(name)}")


def _built_in(builder: Builder, node: ast.Call, name: str) -> Closure:
    function = FUNCTIONS[name]
    _expect(builder, node, name, function.least, function.most)
    texts = [builder.text(each) for each in node.args]
    if name in ("matches", "glob"):
        pattern = _literal_pattern(builder, node.args[1], regex if name == "matches" else glob)
        if pattern is not None:
            return closures.searching(builder.value(node.args[0]), texts[0], pattern)
    if name == "date" and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
        literal = read_date(node.args[0].value, "it")
        if isinstance(literal, Unknown):
            builder.facts.warnings.append(f"{builder.text(node)} is always unknown: {literal.reason}")
    if len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp):
        arguments = [builder.comprehension(node.args[0])]
    else:
        arguments = [builder.value(each) for each in node.args]
    if name == "len":
        return closures.length(arguments[0], texts[0])
    return closures.application(function.call, arguments, texts)


def _literal_pattern(builder: Builder, node: ast.expr, read: Callable[[str], Pattern]) -> Pattern | None:
    """The pattern, when it is written out."""
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return None
    if "\b" in node.value:
        raise builder.error(node, "the pattern has a backspace in it", r"for a word boundary write r'\b…' with an r")
    try:
        return read(node.value)
    except PatternError as error:
        raise builder.error(node, str(error), "") from None


def _quantifier(builder: Builder, node: ast.Call, over: Callable[[loops.Bindings, Closure], Closure]) -> Closure:
    _expect(builder, node, builder.text(node.func), 1, 1)
    argument = node.args[0]
    if isinstance(argument, ast.GeneratorExp | ast.ListComp):
        return builder.looped(argument, lambda elements: over(elements, builder.condition(argument.elt)))
    text = builder.text(argument)
    variable = builder.variable()
    clause = loops.Clause(variable, builder.value(argument), (), text, 2)
    element = access.path(text, (), (f"an element of {text}",), variable)
    return over(loops.bindings([clause]), logic.as_condition(element, f"an element of {text}"))


def _count(builder: Builder, node: ast.Call) -> Closure:
    _expect(builder, node, "count", 2, 2)
    level_node, condition = node.args
    word = str(level_node.id if isinstance(level_node, ast.Name) else getattr(level_node, "value", ""))
    level = _PLURALS.get(word, word)
    if level not in LEVELS[1:]:
        hint = suggestion(word, LEVELS[1:]) or f"levels: {', '.join(LEVELS[1:])}"
        raise builder.error(level_node, "the first argument of `count` is a level", hint)
    builder.facts.levels.add(level)
    above = [name for name in LEVELS[: LEVELS.index(level)] if name not in builder.names]
    variable = builder.variable()
    with builder.scoped(dict.fromkeys([*above, level]), variable):
        return loops.count_below(level, variable, builder.condition(condition), 4 + size(condition))
