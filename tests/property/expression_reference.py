"""A slow and obvious evaluator of the expression language, to compare the program with.

It walks the syntax tree and follows the rules of the language word by word; it shares no code with the program.
"""

from __future__ import annotations

import ast
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)


class Gap:
    """An unknown; `absent` when nothing is there, with bounds when it is a count or a filtered list."""

    def __init__(
        self, absent: bool = False, low: int | None = None, high: int | None = None, many: bool = False
    ) -> None:
        self.absent, self.low, self.high, self.many = absent, low, high, many

    def plain(self) -> Gap:
        """The same without bounds: what an operation gives for an unknown operand."""
        return Gap(absent=self.absent)


def sort_of(value: Any) -> str:
    """The kind of a known value."""
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((int | float, "number"), (str, "text"), (list, "list"), (dict, "object"), (datetime, "date")):
        if isinstance(value, kind):
            return name
    raise AssertionError(value)


def seen(value: Any) -> Any:
    """A value as read from a document."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return Gap(absent=True)
    return value


def a_date(text: str) -> Any:
    """What a text says as a date."""
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return Gap()
    return date if date.tzinfo else Gap()


class Reference:
    """Evaluates one expression on one document, step by step."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self.locals: dict[str, Any] = {}

    def truth(self, node: ast.expr) -> Any:
        """True, False or a Gap."""
        value = self.value(node)
        if isinstance(value, Gap):
            return True if value.many and value.low else value.plain()
        if isinstance(value, bool):
            return value
        return len(value) > 0 if isinstance(value, list) else Gap()

    def value(self, node: ast.expr) -> Any:
        """A value or a Gap."""
        return getattr(self, "do_" + type(node).__name__.lower())(node)

    def do_constant(self, node: ast.Constant) -> Any:
        return seen(node.value)

    def do_name(self, node: ast.Name) -> Any:
        if node.id in self.locals:
            return self.locals[node.id]
        literals = {"true": True, "false": False, "null": Gap(absent=True), "now": NOW}
        if node.id in literals:
            return literals[node.id]
        return seen(self.names[node.id]) if node.id in self.names else Gap(absent=True)

    def do_attribute(self, node: ast.Attribute) -> Any:
        return self.below(self.value(node.value), node.attr)

    def do_subscript(self, node: ast.Subscript) -> Any:
        holder = self.value(node.value)
        if isinstance(node.slice, ast.Slice):
            bounds = [None if e is None else self.value(e) for e in (node.slice.lower, node.slice.upper)]
            if isinstance(holder, Gap):
                return holder.plain()
            if not isinstance(holder, list | str):
                return Gap()
            for bound in bounds:
                if isinstance(bound, Gap):
                    return bound.plain()
                if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int)):
                    return Gap()
            return holder[bounds[0] : bounds[1]]
        if isinstance(holder, Gap):
            return holder.plain()
        key = self.value(node.slice)
        if isinstance(key, Gap):
            return key.plain()
        return self.below(holder, key)

    def below(self, holder: Any, key: Any) -> Any:
        if isinstance(holder, Gap):
            return holder.plain()
        if isinstance(key, bool) or not isinstance(key, str | int):
            return Gap()
        if isinstance(holder, dict):
            if isinstance(key, int):
                return Gap()
            value = seen(holder.get(key))
            return a_date(value) if key == "created" and isinstance(value, str) else value
        if isinstance(key, int) and isinstance(holder, list | str):
            return seen(holder[key]) if -len(holder) <= key < len(holder) else Gap(absent=True)
        return Gap() if isinstance(holder, list) else Gap(absent=True)

    def do_list(self, node: ast.List) -> Any:
        return [self.value(e) for e in node.elts]

    def do_boolop(self, node: ast.BoolOp) -> Any:
        decisive = isinstance(node.op, ast.Or)
        parts = [self.truth(e) for e in node.values]
        if any(p is decisive for p in parts):
            return decisive
        gaps = [p for p in parts if isinstance(p, Gap)]
        return gaps[0] if gaps else not decisive

    def do_unaryop(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            truth = self.truth(node.operand)
            return truth if isinstance(truth, Gap) else not truth
        value = self.value(node.operand)
        if isinstance(value, Gap):
            return value.plain()
        return -value if sort_of(value) == "number" else Gap()

    def do_ifexp(self, node: ast.IfExp) -> Any:
        truth = self.truth(node.test)
        return truth if isinstance(truth, Gap) else self.value(node.body if truth else node.orelse)

    def do_binop(self, node: ast.BinOp) -> Any:
        a, b = self.value(node.left), self.value(node.right)
        for side in (a, b):
            if isinstance(side, Gap):
                return side.plain()
        op, kinds = type(node.op), (sort_of(a), sort_of(b))
        if kinds == ("number", "number"):
            if op in (ast.Div, ast.Mod) and b == 0:
                return Gap()
            symbols = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}
            result = eval(f"a {symbols[op]} b", {"a": a, "b": b})  # noqa: S307 - two numbers and a fixed sign
            return result if math.isfinite(result) and abs(result) <= 10**300 else Gap()
        if op is ast.Add and kinds in (("text", "text"), ("list", "list")):
            return a + b
        if op is ast.Sub and kinds == ("date", "date"):
            return (a - b).total_seconds()
        if op in (ast.Add, ast.Sub) and kinds == ("date", "number"):
            return self.shift(a, b if op is ast.Add else -b)
        if op is ast.Add and kinds == ("number", "date"):
            return self.shift(b, a)
        return Gap()

    def shift(self, date: datetime, seconds: float) -> Any:
        try:
            return date + timedelta(seconds=float(seconds))
        except OverflowError:
            return Gap()

    def do_compare(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        gap: Gap | None = None
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            result = self.compare(op, left, right)
            if result is False:
                return False
            if isinstance(result, Gap) and gap is None:
                gap = result
            left = right
        return True if gap is None else gap

    def compare(self, op: ast.cmpop, a: Any, b: Any) -> Any:
        if isinstance(op, ast.In | ast.NotIn):
            found = self.within(a, b)
            return found if isinstance(found, Gap) or isinstance(op, ast.In) else not found
        if isinstance(a, Gap) or isinstance(b, Gap):
            return self.compare_counts(op, a, b)
        if isinstance(op, ast.Eq | ast.NotEq):
            same = self.same(a, b)
            return same if isinstance(same, Gap) or isinstance(op, ast.Eq) else not same
        if sort_of(a) != sort_of(b) or sort_of(a) not in ("number", "text", "date"):
            return Gap()
        return {ast.Lt: a < b, ast.LtE: a <= b, ast.Gt: a > b, ast.GtE: a >= b}[type(op)]

    def compare_counts(self, op: ast.cmpop, a: Any, b: Any) -> Any:
        """Every count within the bounds must give the same answer."""
        for count, other in ((a, b), (b, a)):
            if isinstance(count, Gap) and count.low is not None and not count.many and not isinstance(other, Gap):
                if sort_of(other) != "number":
                    return count.plain()
                assert count.high is not None
                possible = range(count.low, count.high + 1)
                answers = {self.compare(op, *((n, other) if count is a else (other, n))) for n in possible}
                if len(answers) == 1:
                    return answers.pop()
                return count.plain()
        return (a if isinstance(a, Gap) else b).plain()

    def same(self, a: Any, b: Any) -> Any:
        a, b = seen(a), seen(b)
        for side in (a, b):
            if isinstance(side, Gap):
                return side.plain()
        if sort_of(a) != sort_of(b):
            return Gap()
        if isinstance(a, list):
            pairs = list(zip(a, b, strict=False)) if len(a) == len(b) else None
        elif isinstance(a, dict):
            pairs = [(a[k], b[k]) for k in a] if set(a) == set(b) else None
        else:
            return a == b
        if pairs is None:
            return False
        answers = [self.same(x, y) for x, y in pairs]
        if any(x is False for x in answers):
            return False
        gaps = [x for x in answers if isinstance(x, Gap)]
        return gaps[-1] if gaps else True

    def within(self, a: Any, b: Any) -> Any:
        for side in (b, a):
            if isinstance(side, Gap):
                return side.plain()
        if isinstance(b, list):
            answers = [self.same(a, e) for e in b]
            if any(x is True for x in answers):
                return True
            gaps = [x for x in answers if isinstance(x, Gap)]
            return gaps[0] if gaps else False
        if isinstance(b, str | dict) and isinstance(a, str):
            return a in b
        return Gap()

    def combinations(self, generators: list[ast.comprehension]) -> list[tuple[dict[str, Any], Any]]:
        """All bindings that belong (True) or may belong (a Gap); `{}` with a Gap for an unknown source."""
        if not generators:
            return [(dict(self.locals), True)]
        first, *rest = generators
        source = self.value(first.iter)
        if isinstance(source, dict):
            source = list(source)
        if not isinstance(source, list):
            return [({}, source.plain() if isinstance(source, Gap) else Gap())]
        out: list[tuple[dict[str, Any], Any]] = []
        outer = dict(self.locals)
        assert isinstance(first.target, ast.Name)
        for element in source:
            self.locals = {**outer, first.target.id: seen(element)}
            verdicts = [self.truth(c) for c in first.ifs]
            if any(v is False for v in verdicts):
                continue
            gaps = [v for v in verdicts if isinstance(v, Gap)]
            for bound, belongs in self.combinations(rest):
                out.append((bound, belongs if not gaps or bound == {} else gaps[0]))
        self.locals = outer
        return out

    def quantified(self, node: ast.GeneratorExp | ast.ListComp, decisive: bool) -> Any:
        gap: Gap | None = None
        outer = self.locals
        result: Any = None
        for bound, belongs in self.combinations(node.generators):
            if bound == {}:
                truth = belongs
            else:
                self.locals = bound
                truth = self.truth(node.elt)
                if isinstance(belongs, Gap) and truth is not (not decisive):
                    truth = belongs
            if truth is decisive:
                result = decisive
                break
            if isinstance(truth, Gap) and gap is None:
                gap = truth
        self.locals = outer
        return result if result is not None else gap if gap is not None else not decisive

    def do_listcomp(self, node: ast.ListComp | ast.GeneratorExp) -> Any:
        outer = self.locals
        found: list[Any] = []
        gaps: list[Gap] = []
        for bound, belongs in self.combinations(node.generators):
            if bound == {}:
                self.locals = outer
                return belongs
            if isinstance(belongs, Gap):
                gaps.append(belongs)
            else:
                self.locals = bound
                found.append(self.value(node.elt))
        self.locals = outer
        if gaps:
            return Gap(low=len(found), high=len(found) + len(gaps), many=True)
        return found

    do_generatorexp = do_listcomp

    def do_call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        name, args = node.func.id, node.args
        if name in ("any", "all"):
            if isinstance(args[0], ast.GeneratorExp | ast.ListComp):
                return self.quantified(args[0], name == "any")
            loop = ast.parse(f"any(x__ for x__ in ({ast.unparse(args[0])}))", mode="eval").body
            assert isinstance(loop, ast.Call)
            assert isinstance(loop.args[0], ast.GeneratorExp)
            return self.quantified(loop.args[0], name == "any")
        values = [self.value(a) for a in args]
        if name == "has":
            value = values[0]
            return (False if value.absent else value.plain()) if isinstance(value, Gap) else True
        if name == "coalesce":
            known = [v for v in values if not isinstance(v, Gap)]
            return known[0] if known else values[-1]
        if name == "len" and isinstance(values[0], Gap) and values[0].many:
            return Gap(low=values[0].low, high=values[0].high)
        for value in values:
            if isinstance(value, Gap):
                return value.plain()
        return getattr(self, "call_" + name)(*values)

    def call_len(self, x: Any) -> Any:
        return len(x) if isinstance(x, list | str | dict) else Gap()

    def uniform(self, x: Any, kinds: tuple[str, ...]) -> Any:
        """A list whose elements are known and all of one of the kinds."""
        if not isinstance(x, list):
            return Gap()
        x = [seen(e) for e in x]
        for e in x:
            if isinstance(e, Gap):
                return e.plain()
        if len({sort_of(e) for e in x}) > 1 or any(sort_of(e) not in kinds for e in x):
            return Gap()
        return x

    def call_sum(self, x: Any) -> Any:
        x = self.uniform(x, ("number", "boolean"))
        return x if isinstance(x, Gap) else sum(x)

    def call_sorted(self, x: Any) -> Any:
        x = self.uniform(x, ("number", "text", "date"))
        return x if isinstance(x, Gap) else sorted(x)

    def call_min(self, *x: Any) -> Any:
        ordered = self.call_sorted(x[0] if len(x) == 1 else list(x))
        return ordered if isinstance(ordered, Gap) else ordered[0] if ordered else Gap(absent=True)

    def call_max(self, *x: Any) -> Any:
        ordered = self.call_sorted(x[0] if len(x) == 1 else list(x))
        return ordered if isinstance(ordered, Gap) else ordered[-1] if ordered else Gap(absent=True)

    def call_abs(self, x: Any) -> Any:
        return abs(x) if sort_of(x) == "number" else Gap()

    def call_round(self, x: Any) -> Any:
        return round(x) if sort_of(x) == "number" else Gap()

    def call_lower(self, x: Any) -> Any:
        return x.lower() if isinstance(x, str) else Gap()

    def call_upper(self, x: Any) -> Any:
        return x.upper() if isinstance(x, str) else Gap()

    def call_startswith(self, x: Any, y: Any) -> Any:
        return x.startswith(y) if isinstance(x, str) and isinstance(y, str) else Gap()

    def call_endswith(self, x: Any, y: Any) -> Any:
        return x.endswith(y) if isinstance(x, str) and isinstance(y, str) else Gap()

    def call_matches(self, x: Any, y: Any) -> Any:
        return re.search(y, x) is not None if isinstance(x, str) and isinstance(y, str) else Gap()

    def call_glob(self, x: Any, y: Any) -> Any:
        if not (isinstance(x, str) and isinstance(y, str)):
            return Gap()
        return re.fullmatch("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in y), x, re.DOTALL) is not None

    def call_days(self, x: Any) -> Any:
        return x / 86400 if sort_of(x) == "number" else Gap()

    def call_date(self, x: Any) -> Any:
        return x if isinstance(x, datetime) else a_date(x) if isinstance(x, str) else Gap()
