"""PromQL taken apart as far as it is needed to see mistakes: brackets, functions, metrics, labels, ranges."""

from __future__ import annotations

import re
from dataclasses import dataclass

FUNCTIONS = frozenset({"rate", "increase", "histogram_quantile", "absent", "deriv", "changes"})
OF_RANGES = frozenset({"rate", "increase", "deriv", "changes"})
AGGREGATIONS = frozenset({"sum", "max", "min"})
_WORDS = frozenset({"by", "and", "or"})
_TOKEN = re.compile(
    r"""\s*(?:(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<number>\d+(?:\.\d+)?)|(?P<labels>\{[^{}]*\})
    |(?P<range>\[(?:\d+[smhd]|\$__rate_interval)\])|(?P<sign>==|!=|>=|<=|[-+*/<>(),]))""",
    re.VERBOSE,
)
_MATCH = re.compile(r'\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*')


@dataclass(frozen=True)
class Selector:
    """A metric as it stands in an expression: its name, label → value asked for, and whether a range of it is read."""

    metric: str
    labels: dict[str, str]
    ranged: bool
    function: str | None


@dataclass(frozen=True)
class Parsed:
    """The metrics of an expression and the labels that it groups by."""

    selectors: list[Selector]
    grouped_by: set[str]


def parse(text: str) -> Parsed:
    """Take an expression apart.

    Raises:
        ValueError: it is none; the text says where.
    """
    tokens = _tokens(text)
    selectors, grouped, stack = [], set(), []
    for index, (kind, value) in enumerate(tokens):
        before = tokens[index - 1] if index else ("", "")
        after = tokens[index + 1] if index + 1 < len(tokens) else ("", "")
        if value == "(":
            stack.append(before[1] if before[0] == "name" else "")
        elif value == ")":
            if not stack:
                raise ValueError(f"a bracket too many in {text!r}")
            stack.pop()
        elif kind == "name" and value not in _WORDS:
            if stack and stack[-1] == "by":
                grouped.add(value)
            elif value in FUNCTIONS | AGGREGATIONS:
                if after[1] not in ("(", "by"):
                    raise ValueError(f"{value} without brackets in {text!r}")
            elif after[1] == "(":
                raise ValueError(f"no function {value!r} is known, in {text!r}")
            else:
                labels = _labels(after[1]) if after[0] == "labels" else {}
                behind = tokens[index + 2 if labels else index + 1 :][:1]
                selectors.append(Selector(value, labels, bool(behind and behind[0][0] == "range"), _caller(stack)))
    if stack:
        raise ValueError(f"a bracket is left open in {text!r}")
    return Parsed(selectors, grouped)


def _caller(stack: list[str]) -> str | None:
    return stack[-1] if stack and stack[-1] in FUNCTIONS else None


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place = [], 0
    text = text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"what is this: {text[place:]!r}")
        found.append((match.lastgroup or "", match[match.lastgroup or 0]))
        place = match.end()
    return found


def _labels(text: str) -> dict[str, str]:
    found, inner, place = {}, text[1:-1], 0
    while place < len(inner):
        match = _MATCH.match(inner, place)
        if match is None or inner[match.end() : match.end() + 1] not in ("", ","):
            raise ValueError(f"no label: {inner[place:]!r}")
        place = match.end() + 1
        if match[2] in ("=~", "!~"):
            re.compile(match[3].replace("$", ""))
        found[match[1]] = match[3]
    return found
