"""What the effect kinds share: the base of a compiled entry of `do`, and containers as parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from flyball.model.decision import Because, Verdict
from flyball.model.effect import Effect
from flyball.model.errors import Transient, UnknownOutcome
from flyball.model.levels import HIERARCHY, Level
from flyball.model.node import Document, Node
from flyball.rules.engine import both, explain, verdict_of
from flyball.rules.expression import Expression
from flyball.rules.rule import Moment

ContainerLevel = Literal["project", "subject", "session", "acquisition", "file"]
MAX_LABEL: Final = 256
"""Characters of a label (live19)."""


class Params(BaseModel):
    """Base of every kind's parameters: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """One compiled entry of `do`; the kinds derive from it.

    Attributes:
        index: position in `do`, from 0.
        when: the entry's own condition.
    """

    kind: str
    index: int
    when: Expression | None
    reads: frozenset[tuple[str, ...]]

    @property
    def expressions(self) -> Iterable[Expression]:
        """Its compiled expressions."""
        return () if self.when is None else (self.when,)

    def want(self, moment: Moment, *more: Expression) -> Verdict:
        """The rule's condition, `when`, and further conditions, together."""
        verdict = moment.verdict
        for expression in (self.when, *more):
            if expression is None:
                continue
            if verdict is Verdict.NO:
                break
            verdict = both(verdict, verdict_of(expression.test(moment.context)))
        return verdict

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when` and the kind's own conditions, explained."""
        for expression in self.expressions:
            yield from explain(expression, moment.context)


def reads_of(*parts: Any) -> frozenset[tuple[str, ...]]:
    """All paths that some expressions and templates read; None is passed over."""
    paths: set[tuple[str, ...]] = set()
    for part in parts:
        if part is not None:
            paths |= part.reads
    return frozenset(paths)


def node_at(document: Document, level: Level) -> Node | None:
    """The target itself or its ancestor at `level`; None when it has none (a file on a session: no acquisition)."""
    return document.node if document.target.level is level else document.ancestors.get(level)


def container_json(document: Document, level: Level) -> dict[str, Any] | None:
    """The container that an effect changes: `{"level", "id", "path", "project"}`; for files also `name`, `parent`."""
    node = node_at(document, level)
    if node is None:
        return None
    entry: dict[str, Any] = {"level": str(level), "id": node.id, "path": path_to(document, level)}
    entry["project"] = node.id if level is Level.PROJECT else node.parents.get("project")
    if level is Level.FILE:
        entry["name"] = node.label
        parent = node.doc.get("parent_ref")
        entry["parent"] = dict(parent) if isinstance(parent, Mapping) else {}
    return entry


def lacking(document: Document, level: Level, purpose: str) -> Because:
    """Why an entry does nothing: the target has no container of the level named (a file on a session, an analysis)."""
    note = f"the {document.target.level} has no {level}: cannot {purpose}"
    return Because(f"on: {level}", "unknown", {}, note)


@contextmanager
def carried_out_perhaps(effect: Effect) -> Iterator[None]:
    """For requests that may be repeated without harm, but whose end matters: after a failure nobody knows whether they
    were carried out, and something else may be wanted before the next attempt.

    The first such failure makes the end unclear, which is kept until it is cleared up; further ones are told as they
    are, so that a site that is away is asked less and less often. 429 means that nothing was done.
    """
    try:
        yield
    except Transient as error:
        if effect.unclear or error.status == 429:
            raise
        raise UnknownOutcome(str(error), status=error.status, site=error.site) from error
    except UnknownOutcome as error:
        if not effect.unclear:
            raise
        raise Transient(str(error), status=error.status, site=error.site) from error


def an(word: str) -> str:
    """The word with its article."""
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"


def path_to(document: Document, level: Level) -> str:
    """Labels from the group down to `level`, joined by slashes."""
    parts: list[str] = []
    top = node_at(document, Level.PROJECT)
    if top is not None and "group" in top.parents:
        parts.append(top.parents["group"])
    for step in HIERARCHY[: HIERARCHY.index(level) + 1]:
        node = node_at(document, step)
        if node is not None:
            parts.append(node.label)
    return "/".join(parts)


def may_reach(each: Level, on: Level) -> bool:
    """Whether an effect of a rule on `each` may change something at level `on`: at or above the target."""
    if each in HIERARCHY:
        return HIERARCHY.index(on) <= HIERARCHY.index(each)
    return on is not Level.FILE
