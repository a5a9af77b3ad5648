"""Expressions that mean harm: refused, or stopped within a second and without filling the memory."""

from __future__ import annotations

import time
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest

from flyball.rules.expression import Context, ExpressionError, Unknown, compile_expression

NOW = datetime(2026, 11, 5, tzinfo=UTC)
SECOND = 1.0
MEGABYTES = 100


@pytest.mark.parametrize(
    "source",
    [
        "(" * 3000 + "1" + ")" * 3000,
        "[" * 3000,
        "{" * 200 + "}" * 200,
        "(" * 31 + "1" + ")" * 31,
        "-" * 7999 + "1",
        "not " * 1900 + "true",
        "file" + ".a" * 3900,
        "t" + "[0]" * 2600,
        "1" + "+1" * 3900,
        "1" + "<1" * 3900,
        "a if a else " * 600 + "a",
        "[" + "1," * 3999 + "]",
        "x" * 100_000,
        "9" * 7000,
        "9**9**9**9",
        "10 ** 10 ** 10",
        "().__class__.__bases__[0].__subclasses__()",
        "''.__class__",
        "file.__init__.__globals__",
        "getattr(file, 'x')",
        "eval('1')",
        "__builtins__",
        "[x for x in ().__class__.__mro__]",
        "(lambda: 1)()",
        "lower.__self__",
        "f'{file.__class__}'",
        "'{0.__class__}'.format(file)",
        "open('/etc/passwd')",
        "range(10 ** 9)",
    ],
)
def test_refused_at_once(source: str) -> None:
    """Powers, deep nesting, endless chains and ways to Python's inside never get past compiling."""
    start = time.thread_time()
    with pytest.raises(ExpressionError):
        compile_expression(source, names={"file", "a", "t"})
    assert time.thread_time() - start < SECOND / 4


NUMBERS = list(range(1000))
TEXT = "ab" * 50_000
CASES: dict[str, str] = {
    "nested loops": "any(a + b + c == -1 for a in n for b in n for c in n)",
    "nested lists": "len([[b for b in n] for a in n for c in n]) > 0",
    "cross products": "len([a for a in n for b in n for c in n if a > -1]) == 1",
    "sums in loops": "any(sum(n) == a for a in n for b in n)",
    "sorting in loops": "any(sorted(n) == [a] for a in n for b in n)",
    "growing lists": "len([n + n + n + n for a in n for b in n]) == 0",
    "growing texts": "len([t + 'x' for a in n for b in n]) == 0",
    "doubling texts": "len(" + "+".join(["t"] * 50) + ") > 0",
    "upper case": "len([upper(t) for a in n for b in n]) == 0",
    "slices": "len([t[1:] for a in n for b in n]) == 0",
    "large numbers": "len([b * b * b * b * b for a in n for c in n]) == 0",
    "equality of lists": "any(n == n for a in n for b in n if n != n) or any(n == [b] for b in n for a in n)",
    "membership": "any(-1 in n for a in n for b in n)",
    "text membership": "any('zz' in t for a in n for b in n)",
    "literal pattern": "any(matches(t, '([ab]*a[ab]{200})$') for a in n for b in n)",
    "pattern bomb": "matches(t, '^(a|aa|(a|b)*)*$') or matches(t, '(x+x+)+y') or matches(t, '(.*)*(.*)*(.*)*c')",
    "changing patterns": "any(matches(k, '((a{1,30}){1,' + k + '})x') for k in texts for b in n)",
    "changing globs": "any(glob(t, '*a*b*a*b*a*b*a*b*' + k + '*') for k in texts for b in n)",
    "texts of the same beginning": "any(t + 'a' < t + 'b' for a in n for b in n if t + 'a' > t + 'b')",
    "environment in loops": "any(qc('a').level == 'x' for a in n for b in n)",
    "counting": "count(file, any(a == b for a in n for b in n)) > 10000000",
    "moving quantities": "any(days(now - d) * a > 1e9 for a in n for b in n)",
    "dates": "any(date('2026-01-01T00:00:00Z') == d for a in n for b in n)",
    "deep equality": "any(deep == deep2 for a in n for b in n)",
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("explained", [False, True])
def test_stopped_in_time(name: str, explained: bool) -> None:
    """What compiles ends as unknown or with an answer, within a second and 100 MB."""
    deep: Any = []
    deep2: Any = []
    for _ in range(30):
        deep, deep2 = [deep, deep], [deep2, deep2]
    names: dict[str, Any] = {
        "n": NUMBERS,
        "t": TEXT,
        "b": 10**15,
        "d": NOW,
        "texts": [str(k) for k in range(1, 500)],
        "deep": deep,
        "deep2": deep2,
    }
    context = Context(
        names,
        NOW,
        functions={"qc": lambda _names, _profile: {"level": None}},
        below=lambda _level: ({"file": {"name": str(k)}} for k in range(10**9)),
    )
    expression = compile_expression(CASES[name], names=names, functions=["qc"])
    start = time.thread_time()
    result = expression.explain(context).value if explained else expression.test(context)
    assert time.thread_time() - start < SECOND
    assert result is True or result is False or isinstance(result, Unknown)
    if explained:
        return
    tracemalloc.start()
    expression.test(context)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MEGABYTES * 1e6
