"""YAML 1.2 text to values with places. The only door to ruamel.yaml.

ruamel turns the text into events; the values are made here, since a file may come from anybody with a commit: nesting,
size and what aliases expand to are bounded while reading, duplicate keys are refused, and nothing but the core schema
is known (no dates, no Python objects). Keys are always texts. `<<` merges, as editors and people expect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml import events as ruamel_events
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from flyball.configfile.tree import Map, Mark, Seq, Written
from flyball.model.place import Place, Problem

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 40
MAX_VALUES = 200_000  # counted as if every alias were written out
MERGE = "<<"

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_NUMBER = 100
_CORE = "tag:yaml.org,2002:"


class NotReadable(Exception):  # noqa: N818 - it is reported, not raised to the top
    """The text is no YAML that we take. `problem` has place and remedy."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_yaml(text: str | bytes, file: str) -> Written:
    """The values of one YAML document, with places.

    Args:
        text: the file's content; bytes are read as UTF-8.
        file: its name, for places.

    Raises:
        NotReadable: with `file:line:column` and a remedy.
    """
    if len(text) > MAX_BYTES:
        raise NotReadable(Problem(Place(file), f"the file is larger than {MAX_BYTES // 1024} KiB; split it"))
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise NotReadable(Problem(Place(file, line), "the file is not UTF-8 text; save it as UTF-8")) from None
    text = text.removeprefix("\ufeff")
    try:
        return Written(file, _Builder(file).build(YAML(typ="safe", pure=True).parse(text)))
    except MarkedYAMLError as error:
        raise NotReadable(_translated(error, file)) from None
    except ReaderError as error:
        before = text[: error.position]
        place = Place(file, before.count("\n") + 1, error.position - before.rfind("\n"))
        message = f"the character #x{error.character:04x} cannot stand in YAML; remove it"
        raise NotReadable(Problem(place, message)) from None
    except YAMLError as error:  # pragma: no cover - the two above are all that the parser raises
        raise NotReadable(Problem(Place(file), f"this is no YAML: {error}")) from None


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read."""

    value: Map | Seq
    mark: Mark
    anchor: str | None
    size: int = 1
    key: str | None = None
    key_mark: Mark = Mark(1, 1)
    merges: list[tuple[Any, Mark]] = field(default_factory=list)


class _Builder:
    """Turns the parser's events into values."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int] | None] = {}  # None while what it names is still being read
        self.root: Any = None
        self.documents = 0

    def build(self, events: Iterator[Any]) -> Any:
        for event in events:
            match event:
                case ruamel_events.ScalarEvent():
                    self._scalar(event)
                case ruamel_events.MappingStartEvent():
                    self._open(Map(), event)
                case ruamel_events.SequenceStartEvent():
                    self._open(Seq(), event)
                case ruamel_events.MappingEndEvent() | ruamel_events.SequenceEndEvent():
                    self._close()
                case ruamel_events.AliasEvent():
                    self._alias(event)
                case ruamel_events.DocumentStartEvent():
                    self._document(event)
        return self.root

    def _fail(self, mark: Mark, message: str) -> NotReadable:
        return NotReadable(Problem(Place(self.file, mark.line, mark.column), message))

    def _document(self, event: Any) -> None:
        mark = _mark(event)
        self.documents += 1
        if self.documents > 1:
            raise self._fail(mark, "a second YAML document begins here; put it into a file of its own")
        if event.version is not None and tuple(event.version) != (1, 2):
            raise self._fail(mark, "the file asks for another YAML version; only 1.2 is read: remove the %YAML line")

    def _scalar(self, event: Any) -> None:
        text: str = event.value
        plain = event.style is None
        quotes = 0 if plain else 1
        as_written = (
            event.style in (None, '"', "'")
            and event.start_mark.line == event.end_mark.line
            and event.end_mark.index - event.start_mark.index == len(text) + 2 * quotes
        )
        mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1, quotes if as_written else -1)
        if self._awaits_key():
            self._tag(event, mark, "str")
            self._key(text, mark)
            return
        tag = self._tag(event, mark, "str", "int", "float", "bool", "null")
        if tag is None:
            value = self._plain(text, mark) if plain else text
        elif tag == "str":
            value = text
        else:
            value = self._plain(text, mark)
            names = {str: "str", int: "int", float: "float", bool: "bool", type(None): "null"}
            if names[type(value)] != tag and not (tag == "float" and type(value) is int):
                raise self._fail(mark, f"{text[:40]!r} does not fit its tag !!{tag}; remove the tag")
            value = float(value) if tag == "float" and isinstance(value, int) else value
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        self._add(value, mark, 1)

    def _plain(self, text: str, mark: Mark) -> Any:
        """The core schema of YAML 1.2."""
        if text in _NULLS:
            return None
        if text in _BOOLS:
            return _BOOLS[text]
        if text[0] not in "+-.0123456789":
            return text
        if _INT.fullmatch(text) or _FLOAT.fullmatch(text):
            if len(text) > _LONGEST_NUMBER:
                raise self._fail(mark, "the number is too long; write it in quotes if it is a text")
            if text.startswith(("0o", "0x")):
                return int(text, 0)
            return int(text) if _INT.fullmatch(text) else float(text)
        special = _SPECIAL.fullmatch(text)
        if special:
            return float(f"{special[1]}inf") if special[2] else float("nan")
        return text

    def _tag(self, event: Any, mark: Mark, *known: str) -> str | None:
        """The explicit tag of an event, without its prefix; None when there is none."""
        tag = event.tag
        if tag is None or tag == "!":
            return None if tag is None else "str"
        text = str(tag)
        if text.startswith(_CORE) and text[len(_CORE) :] in known:
            return text[len(_CORE) :]
        shown = text.replace(_CORE, "!!")
        raise self._fail(
            mark,
            f"`{shown}` is read as a YAML tag; a text that begins with ! needs quotes; other tags are unknown",
        )

    def _open(self, value: Map | Seq, event: Any) -> None:
        mark = _mark(event)
        self._tag(event, mark, "map" if isinstance(value, Map) else "seq")
        if self._awaits_key():
            raise self._fail(mark, "a key must be a plain text; a template such as {{ x }} needs quotes around it")
        if len(self.stack) >= MAX_DEPTH:
            raise self._fail(mark, f"nested deeper than {MAX_DEPTH} levels; a rule file never needs that")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(value, mark, event.anchor))

    def _close(self) -> None:
        done = self.stack.pop()
        if isinstance(done.value, Map):
            for source, mark in done.merges:
                done.size += self._merge(done.value, source, mark)
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.value, done.size)
        self._add(done.value, done.mark, done.size)

    def _merge(self, into: Map, source: Any, mark: Mark) -> int:
        """Take over the keys that `into` does not have itself; earlier sources win. Returns how many."""
        sources = source if isinstance(source, Seq) else [source]
        taken = 0
        for one in sources:
            if not isinstance(one, Map):
                raise self._fail(mark, "`<<` merges a mapping, or a list of mappings: write `<<: *name`")
            for key, value in one.items():
                if key not in into:
                    into[key] = value
                    into.keys_at[key], into.values_at[key] = one.keys_at[key], one.values_at[key]
                    taken += 1
        return taken

    def _alias(self, event: Any) -> None:
        mark = _mark(event)
        if self._awaits_key():
            raise self._fail(mark, "an alias cannot be a key; write the key out")
        if event.anchor not in self.anchors:
            raise self._fail(
                mark,
                f"`*{event.anchor}` is read as a YAML alias, and there is no `&{event.anchor}` before it; "
                "a text that begins with * needs quotes",
            )
        known = self.anchors[event.anchor]
        if known is None:
            raise self._fail(mark, f"`*{event.anchor}` stands inside of what it names")
        self._add(known[0], mark, known[1])

    def _awaits_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, Map) and self.stack[-1].key is None

    def _key(self, text: str, mark: Mark) -> None:
        top = self.stack[-1]
        if isinstance(top.value, Map) and text in top.value:
            first = top.value.keys_at[text]
            raise self._fail(
                mark, f"the key `{text}` stands here twice, first in line {first.line}; keep one of the two"
            )
        top.key, top.key_mark = text, mark

    def _add(self, value: Any, mark: Mark, size: int) -> None:
        if not self.stack:
            self.root = value
            return
        top = self.stack[-1]
        top.size += size
        if top.size > MAX_VALUES:
            raise self._fail(mark, f"with its aliases this is larger than {MAX_VALUES} values; split the file")
        if isinstance(top.value, Seq):
            top.value.append(value)
            top.value.items_at.append(mark)
        elif top.key == MERGE and top.key_mark.inner == 0:
            top.merges.append((value, mark))
            top.key = None
        elif top.key is not None:
            top.value[top.key] = value
            top.value.keys_at[top.key], top.value.values_at[top.key] = top.key_mark, mark
            top.key = None


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


_REMEDIES = (
    (r"found character '\\t'", "YAML indents with spaces, not with tabs"),
    (r"found character '[@`%]", "a text that begins with this character needs quotes"),
    (r"expected alphabetic or numeric character", "a text that begins with * or & needs quotes"),
    (r"mapping values are not allowed", "a text that holds `: ` needs quotes, and keys of one mapping the same indent"),
    (r"could not find expected ':'", "a key needs `:` after it, and a text over several lines its indent"),
    (r"expected <block end>", "check the indent: the entries of one list or mapping begin in the same column"),
    (r"expected ',' or '[\]}]'", "a bracket is not closed, or a text in brackets needs quotes"),
    (r"unexpected end of stream|found unexpected end", "a quote or bracket is not closed"),
    (r"unknown escape character", "in double quotes a backslash is written twice; single quotes leave it alone"),
    (r"expected the node content", "a value is missing, or a bracket stands alone"),
)


def _translated(error: MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Place(file) if mark is None else Place(file, mark.line + 1, mark.column + 1)
    words = " ".join(str(error.problem or error.context or "the text makes no sense").split())
    remedy = next((text for pattern, text in _REMEDIES if re.search(pattern, words)), "check quotes and indent here")
    return Problem(place, f"this is no YAML: {words}; {remedy}")
