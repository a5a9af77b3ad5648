"""The one place that decides: `judge` says what a rule wants of a target, `decide` compares it with the claims.

`run`, `plan`, `why` and `test` all go through here. Pure: a document, the claims and the time go in, a decision and
the effects that it needs come out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flyball.model.decision import Because, Decision, Verdict, Wish
from flyball.model.levels import Level
from flyball.model.node import Document, Presence
from flyball.rules.claims import Book, Planned
from flyball.rules.expectation import expect
from flyball.rules.expression import Context, Expression, Flips, is_unknown
from flyball.rules.matrix import MATRIX
from flyball.rules.reconciling import reconcile
from flyball.rules.rule import Mode, Moment, Rule, Selection
from flyball.rules.selection import below_of, select

Functions = Mapping[str, Callable[..., Any]]
SHOWN = 20  # labels that an explanation names


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger knows about the rule itself.

    Attributes:
        first_seen: when the rule was first seen, by the site's clock as far as known; bounds `since: now`.
        generation: raised by `forget`, for this target.
        paused: by a person, at run time.
        functions: extra functions for the expressions (`qc` bound to the rule file's profiles).
        adopted: a person made this target the rule's business, whatever its `since` says (`backfill`).
    """

    first_seen: datetime
    generation: int = 0
    paused: bool = False
    functions: Functions | None = None
    adopted: bool = False


def decide(
    rule: Rule, document: Document, book: Book, standing: Standing, now: datetime
) -> tuple[Decision, list[Planned]]:
    """The decision of one rule on one document, and the effects that it needs beyond what the book holds."""
    decision = judge(rule, document, standing, now)
    return decision, effects_of(decision, book, holds=rule.mode is Mode.APPROVE)


def effects_of(decision: Decision, book: Book, *, holds: bool = False) -> list[Planned]:
    """The effects that a decision needs beyond what the book holds; the book is brought up to date.

    `holds`: they will wait for a person (`mode: approve`).
    """
    if decision.verdict is None:
        return []
    rule, target, wishes = decision.rule, decision.target, decision.wishes
    return reconcile(rule, target, wishes, exhaustive=decision.exhaustive, book=book, holds=holds)


def judge(rule: Rule, document: Document, standing: Standing, now: datetime) -> Decision:
    """What the rule makes of the document: verdict, explanation, wishes. Claims play no part in it.

    `now` is the site's time, so that ages and waits agree with the site's own time stamps.
    """
    before = _before(rule, document, standing, now)
    if before is not None:
        return before
    names: dict[str, Any] = dict(document.names)
    if rule.matrix:
        names |= {MATRIX: dict(rule.matrix), **rule.matrix}
    flips = Flips()
    context = Context(names, now, standing.functions or {}, below_of(document, names), flips)
    because: list[Because] = []
    _bind(rule, document, context, names, because)
    verdict = Verdict.YES
    if rule.condition is not None:
        verdict = verdict_of(rule.condition.test(context))
        because.extend(explain(rule.condition, context))
    moment = Moment(rule.id, document, context, verdict, standing.generation, rule.when_over)
    wishes: list[Wish] = []
    for spec in rule.do:
        wishes.extend(spec.wishes(moment))
        because.extend(spec.because(moment))
    return Decision(
        rule.id,
        rule.version,
        document.target,
        verdict,
        tuple(because),
        tuple(wishes),
        look_again=flips.at,
        exhaustive=True,
    )


def _before(rule: Rule, document: Document, standing: Standing, now: datetime) -> Decision | None:
    """What settles the matter before any condition is read, or None."""

    def ended(
        verdict: Verdict | None,
        note: str,
        *,
        exhaustive: bool = False,
        held: bool = False,
        look_again: datetime | None = None,
    ) -> Decision:
        result = "false" if verdict is Verdict.NO else "unknown"
        return Decision(
            rule.id,
            rule.version,
            document.target,
            verdict,
            (Because(note.split(":", 1)[0], result, {}, note),),
            (),
            held_by=(note,) if held else (),
            look_again=look_again,
            exhaustive=exhaustive,
        )

    if rule.mode is Mode.PAUSED or standing.paused:
        return ended(None, "paused", held=True)
    if rule.retired or document.target.level is not rule.each:
        return ended(Verdict.NO, "target: the rule was edited and is not about it any more", exhaustive=True)
    if document.node.presence is Presence.GONE:
        gone = "from the matrix" if rule.each is Level.MATRIX else "from the site"
        return ended(Verdict.NO, f"target: the {document.target.level} is gone {gone}", exhaustive=True)
    if document.node.presence is Presence.HIDDEN or not document.complete:
        return ended(Verdict.UNKNOWN, f"target: {document.reason or 'it cannot be read with this key'}")
    level = rule.scope.outside(scope_labels(document))
    if level is not None:
        return ended(Verdict.NO, f"scope: the {level} is out of the rule's scope", exhaustive=True)
    if not rule.since.everything and not standing.adopted and rule.each is not Level.MATRIX:
        since = rule.since.date or standing.first_seen
        data_time = _data_time(document)
        if data_time is None or data_time < since:
            return ended(None, f"since: the data is older than {since.isoformat()}", held=True)
    if rule.settle:
        quiet = document.settled_from
        if quiet is not None and quiet + rule.settle > now:
            until = quiet + rule.settle
            return ended(None, f"settle: quiet until {until.isoformat()} is awaited", held=True, look_again=until)
    return None


def _data_time(document: Document) -> datetime | None:
    """Which time `since` goes by. A job is as new as its last change of state: it ends long after it was made."""
    node = document.node
    if node.level is Level.JOB and node.modified is not None:
        return node.modified
    return document.data_time


def _bind(rule: Rule, document: Document, context: Context, names: dict[str, Any], because: list[Because]) -> None:
    """Bind what `expect` gives, then the names of `let` and `select`, each after those that it needs."""
    if rule.expect is not None:
        labels = [node.label for node in document.subtree if node.level is Level.ACQUISITION]
        missing, unexpected = expect(rule.expect, labels)
        names["missing"], names["unexpected"] = missing, unexpected
        values = {"missing": shortened(missing), "unexpected": shortened(unexpected), "acquisitions": len(labels)}
        because.append(Because("expect", "false" if missing else "true", values))
    selections, expressions = {one.name: one for one in rule.select}, dict(rule.let)
    for name in rule.order or (*selections, *expressions):
        if name in selections:
            because.append(_bind_selection(selections[name], document, context, names))
        elif name in expressions:
            names[name] = expressions[name].value(context, moving=True)
            because.extend(explain(expressions[name], context, named=name))


def _bind_selection(selection: Selection, document: Document, context: Context, names: dict[str, Any]) -> Because:
    chosen = select(selection, document, context)
    names[selection.name] = chosen.value
    if is_unknown(chosen.value):
        return Because(f"select {selection.name}", "unknown", {}, chosen.note)
    labels = shortened([item.get("name") or item.get("label") for item in chosen.items])
    return Because(f"select {selection.name}", len(chosen.items), {selection.name: labels}, chosen.note)


def shortened(labels: list[Any]) -> list[Any]:
    """The first ones of a long list, and how many there are in all."""
    return labels if len(labels) <= SHOWN else [*labels[:SHOWN], f"… {len(labels)} in all"]


def explain(expression: Expression, context: Context, *, named: str | None = None) -> list[Because]:
    """Every sub-expression with its result and the values read; of a `let` its value, of anything else its truth."""
    story = expression.explain(context, as_condition=named is None)
    lines = [Because(line.expr, line.result, line.values, line.note) for line in story.lines]
    if named and lines:
        first = lines[0]
        lines[0] = Because(f"let {named} = {first.expr}", first.result, first.values, first.note)
    return lines


def verdict_of(result: Any) -> Verdict:
    """A condition's result as a verdict."""
    if is_unknown(result):
        return Verdict.UNKNOWN
    return Verdict.YES if result is True else Verdict.NO


def both(first: Verdict, second: Verdict) -> Verdict:
    """Kleene's and."""
    if Verdict.NO in (first, second):
        return Verdict.NO
    if Verdict.UNKNOWN in (first, second):
        return Verdict.UNKNOWN
    return Verdict.YES


def scope_labels(document: Document) -> dict[str, str]:
    """Level name → label of the target and its ancestors; projects as `group/label`; `gear` for jobs and analyses."""
    labels = {str(level): node.label for level, node in document.ancestors.items()}
    labels[str(document.target.level)] = document.node.label
    project = document.node if document.target.level is Level.PROJECT else document.ancestors.get(Level.PROJECT)
    if project is not None:
        labels["project"] = f"{project.parents.get('group', '')}/{project.label}"
    gear = document.node.doc.get("gear_info")
    if document.target.level in (Level.JOB, Level.ANALYSIS) and isinstance(gear, Mapping):
        labels["gear"] = str(gear.get("name") or "")
    return labels
