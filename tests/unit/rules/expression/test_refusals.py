"""What the language does not take: each is refused with the place and a remedy."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.model.errors import ConfigError
from flyball.rules.expression import ExpressionError, compile_expression

NAMES = {"file", "acquisition", "session", "missing", "t1"}


def refusal(source: str, **more: Any) -> ExpressionError:
    """The error that `source` is refused with."""
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source, names=NAMES, **more)
    return caught.value


@pytest.mark.parametrize(
    ("source", "message", "column", "remedy"),
    [
        ("", "the expression is empty", 0, "write a condition, or leave the key out"),
        ("  \n ", "the expression is empty", 0, "write a condition, or leave the key out"),
        ("fil.name == 'a'", "unknown name `fil`", 0, "did you mean `file`?"),
        ("1 + File.size", "unknown name `File`", 4, "did you mean `file`?"),
        ("file.type == nifti", "unknown name `nifti`", 13,
         "a text needs quotes: 'nifti'; names here: acquisition, file, missing, session, t1"),
        ("len == 3", "`len` is a function", 0, "write len(list)"),
        ("qc == 3", "unknown name `qc`", 0, "a text needs quotes: 'qc'"),
        ("lenn(t1)", "unknown function `lenn`", 0, "did you mean `len`?"),
        ("open('x')", "unknown function `open`", 0, "functions: abs, all, any, coalesce"),
        ("session('x')", "`session` is no function", 0, "leave the brackets out"),
        ("any(f(1) for f in t1)", "`f` is no function", 4, "leave the brackets out"),
        ("file.name.lower()", "`.lower()` is a method, and methods cannot be called", 0, "write lower(file.name)"),
        ("file.name.startswith('a')", "`.startswith()` is a method, and methods cannot be called", 0,
         "write startswith(file.name, 'a')"),
        ("file.info.get('snr')", "`.get()` is a method, and methods cannot be called", 0, "write x['key']"),
        ("file.name.split('a')", "`.split()` is a method, and methods cannot be called", 0, "only the language's"),
        ("t1[0](3)", "this cannot be called", 0, "only the language's functions can"),
        ("len()", "`len` takes 1 argument(s), not 0", 0, "write len(list)"),
        ("len(t1, t1)", "`len` takes 1 argument(s), not 2", 0, "write len(list)"),
        ("min()", "`min` takes 1 or more argument(s), not 0", 0, "write min(list) or min(a, b)"),
        ("round(1, 2, 3)", "`round` takes 1 to 2 argument(s), not 3", 0, "write round(number, digits)"),
        ("has()", "`has` takes 1 argument(s), not 0", 0, "write has(value)"),
        ("now(1)", "`now` takes 0 argument(s), not 1", 0, "write now"),
        ("sorted(t1, key=1)", "a named argument is not part of the language", 11, "give the arguments in order"),
        ("sorted(*t1)", "`*` before a value is not part of the language", 7, "join lists with +"),
        ("lambda: 1", "a lambda is not part of the language", 0, "write any("),
        ("(x := 1)", "`:=` is not part of the language", 1, "name the value under `let`"),
        ("f'{file}'", "an f-string is not part of the language", 0, "join texts with +"),
        ("2 ** 3", "`**` is not part of the language", 0, "write the product out"),
        ("7 // 2", "`//` is not part of the language", 0, "use / and round(…)"),
        ("missing & t1", "`&` is not part of the language", 0, "write `and`"),
        ("missing | t1", "`|` is not part of the language", 0, "write `or`"),
        ("~file.size", "`~` is not part of the language", 0, "write `not`"),
        ("+file.size", "`+` before a value is not part of the language", 0, "leave it out"),
        ("file.x is None", "`is` is not part of the language", 0, "write has(x)"),
        ("file.x is not None", "`is not` is not part of the language", 0, "write has(x)"),
        ("{'a': 1}", "an object in braces is not part of the language", 0, ""),
        ("file.type in {'a'}", "a set in braces is not part of the language", 13, "write a list: ['a', 'b']"),
        ("{x for x in t1}", "a set comprehension is not part of the language", 0, "write a list"),
        ("{x: 1 for x in t1}", "an object comprehension is not part of the language", 0, "write a list"),
        ("(x for x in t1)", "a comprehension stands in brackets here", 0, "write [x for x in t1]"),
        ("coalesce(x for x in t1)", "a comprehension stands in brackets here", 8, "write [x for x in t1]"),
        ("[a for a, b in t1]", "a comprehension binds one name at a time", 7, "write `for f in …`"),
        ("[x async for x in t1]", "`async` is not part of the language", 13, ""),
        ("[now for now in t1]", "`now` has a meaning of its own", 9, "choose another name"),
        ("await t1", "`await` is not part of the language", 0, ""),
        ("b'x'", "b'x' is not part of the language", 0, "write a number or a text"),
        ("3j", "3j is not part of the language", 0, "write a number or a text"),
        ("...", "Ellipsis is not part of the language", 0, "write a number or a text"),
        ("1e999", "a number beyond 1e300", 0, ""),
        ("9" * 400, "a number beyond 1e300", 0, ""),
        ("9" * 5000, "a number beyond 1e300", 0, ""),
        ("file.__class__", "`__class__` is not part of the language", 0, "only fields of the document can be read"),
        ("().__class__.__bases__", "`__bases__` is not part of the language", 0, "only fields"),
        ("__import__('os')", "`__import__` is not part of the language", 0, "only fields"),
        ("file.size = 3", "this is no expression: invalid syntax", 10, "write == to compare"),
        ("file.size && t1", "this is no expression: invalid syntax", 11, "write `and` for &&"),
        ("file.size || t1", "this is no expression: invalid syntax", 11, "write `or` for ||"),
        ("!file.size", "this is no expression: invalid syntax", 0, "write `not` for !"),
        ("file.size AND t1", "this is no expression: invalid syntax", 10, "write `and` in lower case"),
        ("file.info.class == 'x'", "this is no expression: invalid syntax", 10, "write the key `class` as ['class']"),
        ("file.info.fd-perc > 20", "unknown name `perc`", 13, "a key with a dash is written in brackets"),
        ("file.size >", "this is no expression: invalid syntax", 11, ""),
        ("import os", "this is no expression: invalid syntax", 0, ""),
        ("file.size > 1; t1", "this is no expression: invalid syntax", 13, ""),
        ("(1", "this is no expression: '(' was never closed", 0, ""),
        ("1)", "this is no expression: unmatched ')'", 1, ""),
        ("'a", "this is no expression: unterminated string literal", 0, ""),
        ("'a\nb'", "a text is not closed on its line", 2, "close it with '"),
        ("t1 # really", "a comment cannot stand inside of an expression", 3, "put it on a line of the YAML"),
        ("file.name == '\ud800'", "this cannot be read", 0, ""),
        ("file.\x00name", "a control character cannot stand in an expression", 5, "take it out"),
        ("matches(file.name, '(')", "the regular expression is broken: missing ): (", 19, ""),
        ("matches(file.name, '(?!a)b')", "look-ahead and look-behind are not available", 19, ""),
        (r"matches(file.name, '(a)\\1')", "back-references are not available", 19, ""),
        (r"matches(file.name, '\bx')", "the pattern has a backspace in it", 19, "for a word boundary write"),
        ("glob(file.name, '[z-a]')", "the glob is broken: invalid character class range", 16, ""),
        ("count(scan, true)", "the first argument of `count` is a level", 6, "levels: subject, session"),
        ("count(acquisitoin, true)", "the first argument of `count` is a level", 6, "did you mean `acquisition`?"),
        ("count(file)", "`count` takes 2 argument(s), not 1", 0, "write count(level, condition)"),
        ("any(missing, t1)", "`any` takes 1 argument(s), not 2", 0, "write any(condition for x in list)"),
    ],
)  # fmt: skip
def test_refused(source: str, message: str, column: int, remedy: str) -> None:
    """The message says what is wrong, the column where, the remedy what would be right."""
    error = refusal(source)
    assert error.message.startswith(message)
    assert error.column == column
    assert error.remedy.startswith(remedy)
    assert isinstance(error, ConfigError)
    assert error.message in str(error)
    assert error.remedy in str(error)


def test_columns_count_characters_of_the_source() -> None:
    """Line breaks, leading blanks and letters beyond ASCII do not shift the place."""
    source = "  file.name == 'größe'\n   and fil.size > 1"
    assert source[refusal(source).column :].startswith("fil.size")


def test_line_breaks_are_blanks() -> None:
    """An expression may run over several lines, as YAML blocks have it."""
    assert compile_expression("file.size > 1\n  and file.size < 3\n", names=NAMES).reads == {("file", "size")}


def test_functions_of_the_environment_are_known_by_arity() -> None:
    """Declared functions are checked like the built-in ones."""
    assert refusal("qc()", functions={"qc": (1, 2)}).message == "`qc` takes 1 to 2 argument(s), not 0"
    assert refusal("qcc('a')", functions={"qc": (1, 1)}).remedy == "did you mean `qc`?"
    assert refusal("qc", functions=["qc"]).message == "`qc` is a function"
    assert compile_expression("qc('a', 'b', 'c')", names=NAMES, functions=["qc"]).functions == {"qc"}


def test_warnings_tell_of_what_can_never_be_known() -> None:
    """Parts that are accepted and always unknown are remarked upon."""

    def warnings(source: str) -> str:
        return " / ".join(compile_expression(source, names=NAMES).warnings)

    assert "write has(x)" in warnings("file.x == None")
    assert "write has(x)" in warnings("null != file.x")
    assert "write date('2026-01-01T00:00:00Z')" in warnings("session.timestamp > '2026-01-01T00:00:00Z'")
    assert "without a zone" in warnings("date('2026-01-01') < now")
    assert "'abc' is no condition" in warnings("'abc' and missing")
    assert warnings("file.x == 'a' and date('2026-01-01T00:00:00Z') < now") == ""
