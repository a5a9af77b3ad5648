"""What the tests of rule reading share: two small effect kinds, and short ways to read a rule and to make nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from textwrap import dedent, indent
from typing import Any

from pydantic import BaseModel, ConfigDict

from flyball.model.decision import Because, Wish
from flyball.model.levels import Level
from flyball.model.node import Document, Node, NodeKey, Target
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Context, Expression
from flyball.rules.reading import RuleSet, Surroundings, read_texts
from flyball.rules.rule import Moment, Rule, WhenOver

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FILE = "rules/a.yaml"


@dataclass(frozen=True)
class Spec:
    """A compiled entry that wishes for nothing."""

    kind: str
    reads: frozenset[tuple[str, ...]]
    expressions: tuple[Expression, ...] = ()
    notify: str | None = None

    def because(self, moment: Moment) -> Iterable[Because]:
        return ()

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        return ()


class MarkParams(BaseModel):
    model_config = ConfigDict(extra="forbid")
    on: str
    set: dict[str, str]


class Mark:
    """Like `tag`: conditions by name."""

    name = "tag"
    params = MarkParams
    over = WhenOver.RETRACT

    def compile(self, params: MarkParams, when: Expression | None, index: int, compiler: Compiler) -> Spec:
        if params.on == "group":
            raise Fault(("on",), "a group carries no tags")
        made = tuple(compiler.expression(text, ("set", tag)) for tag, text in params.set.items())
        reads = frozenset(path for one in (*made, when) if one is not None for path in one.reads)
        return Spec(self.name, reads, made)


class SayParams(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: str
    channel: str | None = None


class Say:
    """Like `alert`: a template and a channel."""

    name = "alert"
    params = SayParams
    over = WhenOver.RESOLVE

    def compile(self, params: SayParams, when: Expression | None, index: int, compiler: Compiler) -> Spec:
        title = compiler.template(params.title, ("title",))
        return Spec(self.name, title.reads, (), params.channel or compiler.notify)


CATALOG: dict[str, Any] = {"tag": Mark(), "alert": Say()}
TAG = "[{tag: {on: session, set: {A: 'true'}}}]"


def read(text: str | Mapping[str, str | bytes], **around: Any) -> RuleSet:
    """Read one text, or several by file name."""
    texts = {FILE: dedent(text)} if isinstance(text, str) else text
    surroundings = {"catalog": CATALOG, "site_kinds": {"main": "flywheel"}, "environment": {}, **around}
    return read_texts(texts, Surroundings(**surroundings))


def rule_text(body: str, *, each: str = "session", do: str | None = TAG) -> str:
    """A rule file with one rule `r`, which begins in line 2; `body` begins in line 4."""
    lines = ["rules:", "  - id: r", f"    each: {each}"]
    if body.strip():
        lines.append(indent(dedent(body).strip("\n"), "    "))
    if do:
        lines.append(f"    do: {do}")
    return "\n".join(lines) + "\n"


def one(body: str = "", *, each: str = "session", do: str | None = TAG, **around: Any) -> Rule:
    """The only rule, which must be fine."""
    found = read(rule_text(body, each=each, do=do), **around)
    assert not found.rejected, str(found.rejected[0])
    return found.rules[0]


def refused(body: str, *, each: str = "session", do: str | None = TAG, **around: Any) -> list[str]:
    """What is said of the only rule, which must be refused."""
    found = read(rule_text(body, each=each, do=do), **around)
    assert not found.rules
    return [str(problem).removeprefix(f"{FILE}:") for entry in found.rejected for problem in entry.problems]


def node(level: Level, ident: str, label: str = "", *, created: int | None = 0, **doc: Any) -> Node:
    """A node of the site `main`; `created` in hours from a fixed time; `parents` among the fields."""
    parents = doc.pop("parents", {})
    when = None if created is None else NOW - timedelta(days=1) + timedelta(hours=created)
    return Node(
        NodeKey("main", level, ident), label or ident, parents, when, when, 1, {"id": ident, **doc}, settled_from=when
    )


def document(target: Node, *subtree: Node, **names: Any) -> Document:
    """A document of a target with what lies below it."""
    names.setdefault(str(target.level), target.doc)
    path = Target("main", target.level, target.id, target.label)
    return Document(path, names, target, {}, subtree)


def context(names: Mapping[str, Any], **functions: Any) -> Context:
    """A context at a fixed time."""
    return Context(dict(names), NOW, functions)
