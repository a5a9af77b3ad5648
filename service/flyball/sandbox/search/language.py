"""The language of structured queries: `session.age >= 630720000 AND NOT acquisition.label CONTAINS SBRef`.

Keywords are all upper or all lower case. Operators stand between blanks, since a word takes in
everything up to a blank, a quote, a comma, a bracket or a parenthesis (K19).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_DEEPEST = 100
_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\\n]|\\[n\\"])*")|(?P<open>"(?:[^"\\\n]|\\[n\\"])*(?:\n|\Z))"""
    r"""|(?P<word>[^'"\[\](),\s]+)|(?P<mark>[\[\](),])"""
)
_KEYWORDS = {word: word.upper() for word in ("and", "or", "not", "in", "like", "contains", "exists")}
_KEYWORDS |= {upper: upper for upper in _KEYWORDS.values()}
_COMPARISONS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "=~": "=~", "!~": "!~"}
_COMPARISONS |= {op: op for op in ("<", "<=", ">", ">=")}


@dataclass(frozen=True, slots=True)
class Phrase:
    """A value as it was written; a quoted one is always text."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison of a field; `op` is `= != < <= > >= =~ !~ in like contains exists`."""

    op: str
    field: str
    phrases: tuple[Phrase, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    of: "Node"


@dataclass(frozen=True, slots=True)
class Joined:
    """Parts of which all (`and`) or any (`or`) have to hold."""

    op: str
    parts: tuple["Node", ...]


Node = Term | Not | Joined


class QueryError(Exception):
    """A query that cannot be read; `places` are the errors as the site lists them."""

    def __init__(self, text: str, offset: int, message: str) -> None:
        """Work out line and column (from 1) of an offset (from 0)."""
        line = text.count("\n", 0, offset) + 1
        column = offset - text.rfind("\n", 0, offset)
        super().__init__(f"{line}:{column} - {message}")
        self.places = [{"line": line, "pos": column, "offset": offset, "message": message}]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query: `word`, `quoted`, `open` (a quote without end), `mark`, or a keyword."""

    kind: str
    text: str
    offset: int


def tokens(text: str) -> list[Token]:
    """The pieces of a query; characters that belong to none, such as single quotes, are skipped (K19)."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind, piece = str(match.lastgroup), match.group()
        if kind == "word":
            kind = _KEYWORDS.get(piece, "operator" if piece in _COMPARISONS else "word")
        elif kind in {"quoted", "open"}:
            inner = piece[1:-1] if kind == "quoted" else piece[1:]
            piece = inner.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
        found.append(Token(kind, piece, match.start()))
    return found


def parse(text: str, *, or_first: bool = True) -> Node:
    """Read a query.

    Args:
        text: the query.
        or_first: whether OR binds tighter than AND where there are no parentheses.

    Raises:
        QueryError: it does not fit the language.
    """
    return _Parser(text, or_first=or_first).whole()


class _Parser:
    """A descent through the tokens."""

    def __init__(self, text: str, *, or_first: bool) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._outer, self._inner = ("AND", "OR") if or_first else ("OR", "AND")

    def whole(self) -> Node:
        node = self._joined(0)
        if self._at < len(self._tokens):
            raise self._unexpected()
        return node

    def _peek(self) -> Token:
        if self._at < len(self._tokens):
            return self._tokens[self._at]
        return Token("end", "", len(self._text))

    def _next(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _unexpected(self) -> QueryError:
        token = self._peek()
        if token.kind == "end":
            return QueryError(self._text, token.offset, "Unexpected end of input!")
        if token.kind == "open":
            return QueryError(self._text, token.offset, "Expected '\"'")
        return QueryError(self._text, token.offset, f"Syntax error at '{token.text}'")

    def _joined(self, depth: int) -> Node:
        """A chain of the looser operator over chains of the tighter one."""
        return self._chain(self._outer, lambda: self._chain(self._inner, lambda: self._unary(depth)))

    def _chain(self, keyword: str, part: Callable[[], Node]) -> Node:
        parts = [part()]
        while self._peek().kind == keyword:
            self._next()
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(keyword.lower(), tuple(parts))

    def _unary(self, depth: int) -> Node:
        token = self._peek()
        if depth > _DEEPEST:
            raise QueryError(self._text, token.offset, "The query is nested too deeply")
        if token.kind == "NOT":
            self._next()
            return Not(self._unary(depth + 1))
        if token.kind == "mark" and token.text == "(":
            self._next()
            node = self._joined(depth + 1)
            self._mark(")")
            return node
        return self._term()

    def _mark(self, text: str) -> None:
        token = self._peek()
        if token.kind != "mark" or token.text != text:
            raise self._unexpected()
        self._next()

    def _term(self) -> Term:
        field = self._phrase().text
        token = self._peek()
        if token.kind in {"word", "quoted"}:
            raise QueryError(self._text, token.offset, f"Unknown operator: '{token.text}'")
        if token.kind == "EXISTS":
            self._next()
            return Term("exists", field)
        if token.kind == "IN":
            self._next()
            return Term("in", field, self._list())
        if token.kind in {"LIKE", "CONTAINS"}:
            self._next()
            return Term(token.kind.lower(), field, (self._phrase(),))
        if token.kind == "operator":
            self._next()
            return Term(_COMPARISONS[token.text], field, (self._phrase(),))
        raise self._unexpected()

    def _list(self) -> tuple[Phrase, ...]:
        self._mark("[")
        phrases = [self._phrase()]
        while self._peek().text == "," and self._peek().kind == "mark":
            self._next()
            phrases.append(self._phrase())
        self._mark("]")
        return tuple(phrases)

    def _phrase(self) -> Phrase:
        token = self._peek()
        if token.kind not in {"word", "quoted"}:
            raise self._unexpected()
        self._next()
        return Phrase(token.text, quoted=token.kind == "quoted")
