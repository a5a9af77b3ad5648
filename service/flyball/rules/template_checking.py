"""What a template may hold: known parts, known names and filters, bounded depth. Everything else is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

from jinja2 import Undefined, nodes

from flyball.model.errors import ConfigError
from flyball.rules.expression.parse import suggestion
from flyball.rules.template_filters import COMPARISONS, FILTERS

DEPTH: Final = 30
"""Depth of the parsed template."""

LOOPS: Final = 3
"""Loops within loops."""

_ALLOWED: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.List, nodes.Getattr),
    *(nodes.Getitem, nodes.Filter, nodes.Keyword, nodes.Test, nodes.If, nodes.For, nodes.CondExpr),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
)
_REFUSED: Final[dict[type[nodes.Node], str]] = {
    nodes.Call: "nothing can be called in a template: use a filter, or name the value under `let`",
    nodes.Assign: "`set` is not allowed: name the value under `let`",
    nodes.AssignBlock: "`set` is not allowed: name the value under `let`",
    nodes.BinExpr: "arithmetic is not allowed in a template: name the value under `let`",
    nodes.UnaryExpr: "arithmetic is not allowed in a template: name the value under `let`",
    nodes.Concat: "`~` is not allowed: write the values side by side, each in {{ }}",
    nodes.Slice: "a slice is not allowed in a template: name the value under `let`",
    nodes.Dict: "an object in braces is not allowed in a template",
    nodes.Tuple: "write a list in [ ]",
}
TESTS: Final[dict[str, Callable[[Any], bool]]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "undefined": lambda value: isinstance(value, Undefined),
    "none": lambda value: isinstance(value, Undefined),
}
"""The tests that `is` may name."""

LOOP_FIELDS: Final = {"index", "index0", "first", "last", "length", "revindex", "revindex0"}
"""What `loop` has."""


class TemplateError(ConfigError):
    """A template that cannot be accepted.

    Args:
        message: what is wrong and what would be right, in one line.
        line: the line of the template's text, from 1.
    """

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Checker:
    """Goes through a parsed template.

    Args:
        names: the root names that may be read.

    Attributes:
        reads: the paths that were met, each as its root name and the literal keys below it.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self.reads: set[tuple[str, ...]] = set()
        self._loops = 0

    def check(self, node: nodes.Node, bound: frozenset[str] = frozenset(), depth: int = 0) -> None:
        """Raises TemplateError for the first part that is not allowed. `bound`: names of the loops around it."""
        line = getattr(node, "lineno", 1) or 1
        if depth > DEPTH:
            raise TemplateError(f"the template is nested more than {DEPTH} deep", line)
        if not isinstance(node, _ALLOWED) and not _is_negative(node):
            known = next((remedy for refused, remedy in _REFUSED.items() if isinstance(node, refused)), None)
            raise TemplateError(known or f"`{type(node).__name__.lower()}` is not allowed in a template", line)
        path = _path(node)
        if path is None:
            self._check_words(node, line)
        if path is not None:
            self._check_path(path, bound, line)
            return
        if isinstance(node, nodes.For):
            self._check_loop(node, bound, depth, line)
            return
        for child in node.iter_child_nodes():
            self.check(child, bound, depth + 1)

    def _check_loop(self, node: nodes.For, bound: frozenset[str], depth: int, line: int) -> None:
        if node.recursive or not isinstance(node.target, nodes.Name):
            raise TemplateError("a loop binds one name: write {% for f in files %}", line)
        self._loops += 1
        if self._loops > LOOPS:
            raise TemplateError(f"loops are nested more than {LOOPS} deep", line)
        inner = bound | {node.target.name, "loop"}
        self.check(node.iter, bound, depth + 1)
        if node.test is not None:
            self.check(node.test, inner, depth + 1)
        for child in node.body:
            self.check(child, inner, depth + 1)
        self._loops -= 1
        for child in node.else_:
            self.check(child, bound, depth + 1)

    def _check_path(self, path: tuple[str, ...], bound: frozenset[str], line: int) -> None:
        root = path[0]
        if any(key.startswith("__") for key in path):
            raise TemplateError(f"`{'.'.join(path)}`: only fields of the documents can be read", line)
        if root in bound:
            if root == "loop" and (len(path) != 2 or path[1] not in LOOP_FIELDS):
                raise TemplateError(
                    f"`{'.'.join(path)}` is not allowed: loop has {', '.join(sorted(LOOP_FIELDS))}", line
                )
            return
        if root not in self._names:
            known = suggestion(root, self._names | bound) or f"names here: {', '.join(sorted(self._names))}"
            raise TemplateError(f"unknown name `{root}`; {known}", line)
        self.reads.add(path)

    def _check_words(self, node: nodes.Node, line: int) -> None:
        if isinstance(node, nodes.Getattr) and node.attr.startswith("__"):
            raise TemplateError(f"`{node.attr}`: only fields of the documents can be read", line)
        if isinstance(node, nodes.Test) and node.name not in TESTS:
            raise TemplateError(f"unknown test `{node.name}`; there are {', '.join(sorted(TESTS))}", line)
        if isinstance(node, nodes.Operand) and node.op not in COMPARISONS:
            raise TemplateError(f"`{node.op}` is not allowed in a template", line)
        if not isinstance(node, nodes.Filter):
            return
        function = FILTERS.get(node.name)
        if function is None:
            known = suggestion(node.name, FILTERS) or f"filters: {', '.join(sorted(FILTERS))}"
            raise TemplateError(f"unknown filter `{node.name}`; {known}", line)
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise TemplateError(f"`{node.name}` takes its arguments one by one", line)
        try:
            inspect.signature(function).bind(
                None, None, *node.args, **{str(each.key): each.value for each in node.kwargs}
            )
        except TypeError as error:
            raise TemplateError(f"`{node.name}`: {error}", line) from None


def _is_negative(node: nodes.Node) -> bool:
    """Whether `node` is a number with a minus sign."""
    return (
        isinstance(node, nodes.Neg) and isinstance(node.node, nodes.Const) and isinstance(node.node.value, int | float)
    )


def _path(node: nodes.Node) -> tuple[str, ...] | None:
    """The root name and literal keys that `node` reads; None when it is no such path."""
    keys: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getattr):
            keys.append(node.attr)
        elif isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            keys.append(node.arg.value)
        elif _is_negative(node.arg) or (isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, int)):
            keys.clear()
        else:
            return None
        node = node.node
    return (node.name, *reversed(keys)) if isinstance(node, nodes.Name) and node.ctx == "load" else None
