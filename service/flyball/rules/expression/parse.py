"""From text to a checked syntax tree: only the closed subset passes, and only in bounds.

The text is scanned for its brackets before Python's own parser sees it, so that thousands of them cost nothing.
"""

from __future__ import annotations

import ast
import difflib
import keyword
import re
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from flyball.rules.expression.errors import ExpressionError
from flyball.rules.expression.limits import BRACKETS, DEPTH, NUMBER, PARTS, SOURCE_CHARACTERS

_COMPREHENSION: Final = "write any(f.size > 0 for f in acquisition.files) or [f.name for f in acquisition.files]"

_REFUSED: Final[dict[type[ast.AST], tuple[str, str]]] = {
    ast.Lambda: ("a lambda is not part of the language", _COMPREHENSION),
    ast.NamedExpr: ("`:=` is not part of the language", "name the value under `let`"),
    ast.JoinedStr: ("an f-string is not part of the language", "join texts with +"),
    ast.Starred: ("`*` before a value is not part of the language", "join lists with +"),
    ast.Dict: ("an object in braces is not part of the language", ""),
    ast.Set: ("a set in braces is not part of the language", "write a list: ['a', 'b']"),
    ast.SetComp: ("a set comprehension is not part of the language", "write a list: [… for … in …]"),
    ast.DictComp: ("an object comprehension is not part of the language", "write a list: [… for … in …]"),
    ast.Await: ("`await` is not part of the language", ""),
    ast.Yield: ("`yield` is not part of the language", ""),
    ast.YieldFrom: ("`yield` is not part of the language", ""),
    ast.Pow: ("`**` is not part of the language", "write the product out"),
    ast.FloorDiv: ("`//` is not part of the language", "use / and round(…)"),
    ast.MatMult: ("`@` is not part of the language", ""),
    ast.LShift: ("`<<` is not part of the language", ""),
    ast.RShift: ("`>>` is not part of the language", ""),
    ast.BitOr: ("`|` is not part of the language", "write `or`"),
    ast.BitXor: ("`^` is not part of the language", ""),
    ast.BitAnd: ("`&` is not part of the language", "write `and`"),
    ast.Invert: ("`~` is not part of the language", "write `not`"),
    ast.UAdd: ("`+` before a value is not part of the language", "leave it out"),
    ast.Is: ("`is` is not part of the language", "write has(x) for a value that is there, == to compare"),
    ast.IsNot: ("`is not` is not part of the language", "write has(x) for a value that is there, != to compare"),
    ast.keyword: ("a named argument is not part of the language", "give the arguments in order"),
}
_ALLOWED: Final = (
    *(
        ast.BoolOp,
        ast.And,
        ast.Or,
        ast.UnaryOp,
        ast.Not,
        ast.USub,
        ast.BinOp,
        ast.Add,
        ast.Sub,
        ast.Mult,
        ast.Div,
        ast.Mod,
    ),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.IfExp, ast.Call),
    *(ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Constant, ast.List, ast.Tuple, ast.Load, ast.Store),
    *(ast.ListComp, ast.GeneratorExp, ast.comprehension),
)
_HINTS: Final = (
    ("&&", "write `and` for &&"),
    ("||", "write `or` for ||"),
    ("===", "write == for ==="),
    ("!", "write `not` for !"),
    (" AND ", "write `and` in lower case"),
    (" OR ", "write `or` in lower case"),
    (" NOT ", "write `not` in lower case"),
    ("?", "write `a if condition else b` for ? :"),
    ("=", "write == to compare"),
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A checked expression.

    Args:
        text: the expression on one line, without blanks around it.
        tree: its syntax tree; only parts of the language are in it.
        start: how many characters of the source stand before `text`.
    """

    text: str
    tree: ast.expr
    start: int

    def written(self, node: ast.expr) -> str:
        """`node` as it stands in the source."""
        end = node.end_col_offset
        if self.text.isascii():
            return self.text[node.col_offset : end]
        return self.text.encode()[node.col_offset : end].decode()

    def column(self, node: ast.AST) -> int:
        """Where `node` begins, in characters from the start of the source."""
        return self.start + _characters(self.text, getattr(node, "col_offset", 0))


def parse(source: str) -> Parsed:
    """Reads an expression.

    Raises:
        ExpressionError: for what is not part of the language, and for what is too long, too deep or too much.
    """
    if len(source) > SOURCE_CHARACTERS:
        raise ExpressionError(
            f"the expression has more than {SOURCE_CHARACTERS:,} characters", 0, "name parts of it under `let`"
        )
    line = _on_one_line(source)
    text = line.strip()
    start = len(line) - len(line.lstrip())
    if not text:
        raise ExpressionError("the expression is empty", 0, "write a condition, or leave the key out")
    tree = _tree(text, start)
    parsed = Parsed(text, tree, start)
    _check(parsed)
    return parsed


def suggestion(word: str, known: Collection[str]) -> str:
    """`did you mean …?` for the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    if not near:
        folded = [name for name in known if name.casefold() == word.casefold()]
        near = folded[:1]
    return f"did you mean `{near[0]}`?" if near else ""


def _on_one_line(source: str) -> str:
    """The source with line breaks between its parts turned to blanks.

    Raises:
        ExpressionError: for brackets nested too deep, comments, and line breaks within a text.
    """
    out: list[str] = []
    quote = ""
    depth = 0
    escaped = False
    for column, character in enumerate(source):
        if character < " " and character not in "\t\n\r\f":
            raise ExpressionError("a control character cannot stand in an expression", column, "take it out")
        if quote:
            if character in "\r\n":
                raise ExpressionError("a text is not closed on its line", column, f"close it with {quote}")
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
            if depth > BRACKETS:
                raise ExpressionError(
                    f"brackets are nested more than {BRACKETS} deep", column, "name parts of it under `let`"
                )
        elif character in ")]}":
            depth -= 1
        elif character == "#":
            raise ExpressionError(
                "a comment cannot stand inside of an expression", column, "put it on a line of the YAML"
            )
        out.append(" " if character in "\r\n\t\f" and not quote else character)
    return "".join(out)


def _tree(text: str, start: int) -> ast.expr:
    try:
        text.encode()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python remarks on texts such as '\d', which are regular expressions here
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        column = start + min(error.offset - 1 if error.offset else len(text), len(text))
        if "integer string conversion" in str(error.msg):
            raise ExpressionError("a number beyond 1e300", start) from None
        hint = _keyword_hint(text) or next((hint for sign, hint in _HINTS if sign in text), "")
        raise ExpressionError(f"this is no expression: {error.msg.split('. Maybe')[0]}", column, hint) from None
    except (ValueError, MemoryError, RecursionError):
        raise ExpressionError("this cannot be read: it is too deep or has forbidden characters", start) from None


def _keyword_hint(text: str) -> str:
    """The way to write a key that is a word of Python's own, such as `class`."""
    for piece in text.split(".")[1:]:
        word = re.split(r"\W", piece, maxsplit=1)[0]
        if keyword.iskeyword(word):
            return f"write the key `{word}` as ['{word}']"
    return ""


def _check(parsed: Parsed) -> None:
    """Refuses what is not part of the language, and too much of what is."""
    waiting: list[tuple[ast.AST, int]] = [(parsed.tree, 1)]
    parts = 0
    place = 0
    while waiting:
        node, depth = waiting.pop()
        where = node.target if isinstance(node, ast.comprehension) else node
        place = parsed.column(where) if hasattr(where, "col_offset") else place
        if isinstance(node, ast.expr):
            parts += 1
        if depth > DEPTH or parts > PARTS:
            what = f"is nested more than {DEPTH} deep" if depth > DEPTH else f"has more than {PARTS:,} parts"
            raise ExpressionError(f"the expression {what}", place, "name parts of it under `let`")
        refusal = _REFUSED.get(type(node))
        if refusal is not None:
            raise ExpressionError(refusal[0], place, refusal[1])
        if not isinstance(node, _ALLOWED):
            raise ExpressionError(f"{type(node).__name__} is not part of the language", place)
        _check_word(node, place)
        children = list(ast.iter_child_nodes(node))
        waiting.extend((child, depth + 1) for child in reversed(children))


def _check_word(node: ast.AST, place: int) -> None:
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bytes | complex) or value is ...:
            raise ExpressionError(f"{value!r:.40} is not part of the language", place, "write a number or a text")
        if isinstance(value, int | float) and not -NUMBER <= value <= NUMBER:
            raise ExpressionError("a number beyond 1e300", place)
    word = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    if word.startswith("__"):
        raise ExpressionError(f"`{word}` is not part of the language", place, "only fields of the document can be read")
    if isinstance(node, ast.comprehension):
        if node.is_async:
            raise ExpressionError("`async` is not part of the language", place)
        if not isinstance(node.target, ast.Name):
            raise ExpressionError("a comprehension binds one name at a time", place, "write `for f in …`")


def _characters(text: str, offset: int) -> int:
    """Characters in the first `offset` bytes of `text`, Python's own unit of columns."""
    return offset if text.isascii() else len(text.encode()[:offset].decode(errors="ignore"))
