"""From a checked syntax tree to closures: names are resolved, calls are checked, reads are noted.

One builder serves deciding and explaining. With a blueprint, the parts of interest are wrapped in recorders; without
one, the closures stand alone and cost nothing extra.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from flyball.rules.expression import access, arithmetic, closures, comparison, logic, loops
from flyball.rules.expression.calls import build_call, usage
from flyball.rules.expression.context import Closure, Run
from flyball.rules.expression.dates import FIELDS
from flyball.rules.expression.errors import ExpressionError
from flyball.rules.expression.forms import (
    BINARY,
    COMPARE,
    LITERALS,
    USAGES,
    is_condition,
    is_logic,
    literal_key,
    literal_number,
    literal_texts,
    size,
    static_path,
)
from flyball.rules.expression.parse import Parsed, suggestion
from flyball.rules.expression.trace import Blueprint, recorded

Loop = ast.GeneratorExp | ast.ListComp


@dataclass(slots=True)
class Facts:
    """What is known of an expression without evaluating it; `Expression` says what each field means."""

    reads: set[tuple[str, ...]] = field(default_factory=set)
    reads_below: set[tuple[str, ...]] = field(default_factory=set)
    levels: set[str] = field(default_factory=set)
    calls: set[tuple[str, tuple[Any, ...]]] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    uses_now: bool = False
    variables: int = 0


class Builder:
    """Builds the closures of one expression.

    Args:
        parsed: the checked tree.
        names: the root names that the expression may read.
        functions: the environment's functions with the least and most number of their arguments.
        blueprint: collects the parts to be watched, when the closures shall explain.
    """

    def __init__(
        self,
        parsed: Parsed,
        names: Collection[str],
        functions: Mapping[str, tuple[int, int]],
        blueprint: Blueprint | None = None,
    ) -> None:
        self.parsed = parsed
        self.names = names
        self.functions = functions
        self.facts = Facts()
        self.scope: dict[str, int | None] = {}
        """Names bound on the way: where a loop variable is kept, None for a level that `count` goes through."""
        self._blueprint = blueprint
        self._loop: int | None = None

    def whole(self, *, as_condition: bool) -> Closure:
        """The closure of the whole expression, as a condition or as a value."""
        tree = self.parsed.tree
        if as_condition:
            return self.condition(tree)
        if is_logic(tree) or isinstance(tree, ast.IfExp):
            return self.value(tree)
        return self._line(tree, lambda: self.value(tree))

    def condition(self, node: ast.expr) -> Closure:
        """The closure of a part that is asked for its truth."""
        if is_logic(node):
            return self.value(node)
        if isinstance(node, ast.IfExp):
            return self._line(node, lambda: self._choice(node, self.condition))
        if isinstance(node, ast.Constant) and not isinstance(node.value, bool):
            self.facts.warnings.append(f"{self.text(node)} is no condition: it is always unknown")

        def build() -> Closure:
            closure = build_call(self, node) if isinstance(node, ast.Call) else self.value(node)
            return closure if is_condition(node) else logic.as_condition(closure, self.text(node))

        return self._line(node, build)

    def value(self, node: ast.expr) -> Closure:
        """The closure of a part that is asked for its value."""
        match node:
            case ast.Constant():
                return closures.constant(node.value)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self._read(node)
            case ast.Call():
                return self._shown(node, build_call(self, node))
            case ast.BoolOp():
                return self._line(node, lambda: self._logic(node))
            case ast.UnaryOp(op=ast.Not()):
                return self._line(node, lambda: comparison.inverse(self.condition(node.operand)))
            case ast.Compare():
                return self._line(node, lambda: self._comparison(node))
            case ast.IfExp():
                return self._line(node, lambda: self._choice(node, self.value))
            case ast.BinOp():
                names = (self.text(node.left), self.text(node.right))
                return arithmetic.arithmetic(
                    BINARY[type(node.op)], self.value(node.left), self.value(node.right), names
                )
            case ast.UnaryOp():
                literal = literal_number(node)
                if literal is not None:
                    return closures.constant(literal)
                return arithmetic.negation(self.value(node.operand), self.text(node.operand))
            case ast.List() | ast.Tuple():
                return closures.listing([self.value(element) for element in node.elts])
            case ast.ListComp():
                return self._shown(node, self.comprehension(node))
            case _:
                text = self.text(node).removeprefix("(").removesuffix(")")
                raise self.error(node, "a comprehension stands in brackets here", f"write [{text}]")

    def comprehension(self, node: Loop) -> Closure:
        """The list that a comprehension makes."""
        body = node.elt

        def build(elements: loops.Bindings) -> Closure:
            # a loop variable alone is not worth showing again: its list is
            return loops.list_of(
                elements, self._read(body, shown=False) if isinstance(body, ast.Name) else self.value(body)
            )

        return self.looped(node, build)

    def looped(self, node: Loop, build: Callable[[loops.Bindings], Closure]) -> Closure:
        """What `build` makes of a comprehension's elements, built with its variables in scope."""
        scope, loop = self.scope, self._loop
        self.scope = dict(scope)
        clauses: list[loops.Clause] = []
        for clause in node.generators:
            source, source_text = self.value(clause.iter), self.text(clause.iter)
            name = clause.target.id if isinstance(clause.target, ast.Name) else ""
            if name in LITERALS or name in USAGES:
                raise self.error(clause.target, f"`{name}` has a meaning of its own", "choose another name")
            self.scope[name] = self._loop = variable = self.variable()
            filters = [self.condition(each) for each in clause.ifs]
            work = 2 + sum(map(size, clause.ifs)) + (size(node.elt) if clause is node.generators[-1] else 0)
            clauses.append(loops.Clause(variable, source, filters, source_text, work))
        closure = build(loops.bindings(clauses))
        self.scope, self._loop = scope, loop
        return closure

    @contextmanager
    def scoped(self, names: Mapping[str, None], variable: int) -> Iterator[None]:
        """While it is open, `names` are bound by `count`, which keeps each node in `variable`."""
        scope, loop = self.scope, self._loop
        self.scope, self._loop = {**scope, **names}, variable
        yield
        self.scope, self._loop = scope, loop

    def variable(self) -> int:
        """A new place for a loop variable."""
        self.facts.variables += 1
        return self.facts.variables - 1

    def now(self) -> Closure:
        self.facts.uses_now = True
        return Run.now

    def text(self, node: ast.expr) -> str:
        """`node` as written."""
        return self.parsed.written(node)

    def error(self, node: ast.expr, message: str, remedy: str) -> ExpressionError:
        return ExpressionError(message, self.parsed.column(node), remedy)

    def _logic(self, node: ast.BoolOp) -> Closure:
        conditions = [self.condition(value) for value in node.values]
        return logic.conjunction(conditions) if isinstance(node.op, ast.And) else logic.disjunction(conditions)

    def _choice(self, node: ast.IfExp, branch: Callable[[ast.expr], Closure]) -> Closure:
        return logic.choice(self.condition(node.test), branch(node.body), branch(node.orelse))

    def _comparison(self, node: ast.Compare) -> Closure:
        nodes = [node.left, *node.comparators]
        symbols = [COMPARE[type(op)] for op in node.ops]
        for left, right in pairwise(nodes):
            self._warn(left, right)
            self._warn(right, left)
        if len(symbols) == 1:
            return self._relation(symbols[0], node.left, node.comparators[0])
        texts = [self.text(each) for each in nodes]
        first, *others = [self.value(each) for each in nodes]
        relations = [comparison.relation(symbol, pair) for symbol, pair in zip(symbols, pairwise(texts), strict=True)]
        return comparison.chain(first, list(zip(others, relations, strict=True)))

    def _relation(self, symbol: str, left: ast.expr, right: ast.expr) -> Closure:
        texts = (self.text(left), self.text(right))
        one = self.value(left)
        if symbol in ("in", "not in"):
            listed = literal_texts(right)
            if listed is not None:
                found = comparison.membership_in_texts(one, listed, texts)
            else:
                found = comparison.membership(one, self.value(right), texts)
            return found if symbol == "in" else comparison.inverse(found)
        literal = right.value if isinstance(right, ast.Constant) else literal_number(right)
        if isinstance(literal, str | int | float) and not isinstance(literal, bool):
            return comparison.comparison_with_literal(symbol, one, literal, texts)
        return comparison.comparison(symbol, one, self.value(right), texts)

    def _warn(self, node: ast.expr, other: ast.expr) -> None:
        """Notes comparisons that can never be known."""
        if (isinstance(node, ast.Constant) and node.value is None) or (
            isinstance(node, ast.Name) and node.id == "null"
        ):
            self.facts.warnings.append("a comparison with null is always unknown: write has(x) or not has(x)")
        if (
            isinstance(node, ast.Attribute)
            and node.attr in FIELDS
            and isinstance(other, ast.Constant)
            and isinstance(other.value, str)
        ):
            said = f"{self.text(node)} is a date and cannot be compared with a text"
            self.facts.warnings.append(f"{said}: write date({self.text(other)})")

    def _read(self, node: ast.Name | ast.Attribute | ast.Subscript, *, shown: bool = True) -> Closure:
        """A path: a root name with the literal keys below it as one closure, then one for each further step."""
        links: list[ast.Attribute | ast.Subscript] = []
        base: ast.expr = node
        while isinstance(base, ast.Attribute | ast.Subscript):
            links.insert(0, base)
            base = base.value
        if isinstance(base, ast.Name):
            keys: list[access.Key] = []
            for link in links:
                key = literal_key(link)
                if key is None:
                    break
                keys.append(key)
            nodes: list[ast.expr] = [base, *links[: len(keys)]]
            closure = self._path(base, keys, [self.text(each) for each in nodes])
            if shown:
                closure = self._shown(nodes[-1], closure)
            links = links[len(keys) :]
        else:
            closure = self.value(base)
        for link in links:
            closure = self._shown(link, self._step(link, closure))
        return closure

    def _path(self, node: ast.Name, keys: Sequence[access.Key], texts: Sequence[str]) -> Closure:
        name = node.id
        if name in self.scope:
            variable = self.scope[name]
            if variable is None:
                self.facts.reads_below.add(static_path(name, keys))
            return access.path(name, keys, texts, variable)
        if name in self.names:
            self.facts.reads.add(static_path(name, keys))
            return access.path(name, keys, texts)
        if name not in LITERALS and name != "now":
            raise self._unknown_name(node)
        closure = closures.constant(LITERALS[name]) if name in LITERALS else self.now()
        for key, text, parent in zip(keys, texts[1:], texts, strict=False):
            closure = access.item(closure, closures.constant(key), text, parent)
        return closure

    def _step(self, link: ast.Attribute | ast.Subscript, closure: Closure) -> Closure:
        text, parent = self.text(link), self.text(link.value)
        key = literal_key(link)
        if key is not None or isinstance(link, ast.Attribute):
            return access.item(closure, closures.constant(key), text, parent)
        if isinstance(link.slice, ast.Slice):
            ends = (link.slice.lower, link.slice.upper, link.slice.step)
            start, stop, step = [None if end is None else self.value(end) for end in ends]
            return access.part(closure, (start, stop, step), text, parent)
        return access.item(closure, self.value(link.slice), text, parent)

    def _unknown_name(self, node: ast.Name) -> ExpressionError:
        name = node.id
        if name in USAGES or name in self.functions:
            return self.error(node, f"`{name}` is a function", f"write {usage(name)}")
        hint = suggestion(name, {*self.names, *self.scope, *LITERALS, "now"})
        before = self.parsed.text.encode()[: node.col_offset].decode()
        if before.endswith("-") and before[-2:-1].isidentifier():
            hint = "a key with a dash is written in brackets: x['one-two']"
        if not hint:
            hint = f"a text needs quotes: '{name}'; names here: {', '.join(sorted(self.names))}"
        return self.error(node, f"unknown name `{name}`", hint)

    def _line(self, node: ast.expr, build: Callable[[], Closure]) -> Closure:
        """What `build` makes of `node`, with a line of its own in an explanation."""
        if self._blueprint is None:
            return build()
        with self._blueprint.line(self.text(node), looped=self._loop is not None) as line:
            closure = build()
        return recorded(closure, line.recorder, self._loop)

    def _shown(self, node: ast.expr, closure: Closure) -> Closure:
        """`closure`, whose value appears in the explanation of the line that reads it."""
        if self._blueprint is None:
            return closure
        return recorded(closure, self._blueprint.value(self.text(node), looped=self._loop is not None))
