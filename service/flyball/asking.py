"""Asking: `why` and `plan`, through the same `judge` and `reconcile` that decide; nothing is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from flyball.events.dispatch import Dispatcher
from flyball.events.documents import load_documents
from flyball.ledger.book import load_book
from flyball.ledger.edits import changes_of, targets_of
from flyball.ledger.history import list_effects, recorded_decision
from flyball.ledger.rulings import NONE as UNSAID
from flyball.ledger.rulings import load_rulings
from flyball.ledger.straying import claimed
from flyball.model.decision import Decision
from flyball.model.effect import EffectState
from flyball.model.node import NodeKey
from flyball.model.ports import Store
from flyball.rules.cells import cell_keys
from flyball.rules.claims import Book, Planned
from flyball.rules.engine import effects_of
from flyball.rules.matrix import cell_name
from flyball.rules.rule import Mode, Rule

Json = dict[str, Any]
PAGE = 500
SHOWN = 20  # effects that `why` looks back at


async def why(store: Store, dispatcher: Dispatcher, rule: Rule, keys: Sequence[NodeKey], now: datetime) -> Json | None:
    """The decision now and the last recorded one, condition by condition; None when no key fits the rule's level."""
    fitting = [key for key in keys if key.level is rule.each and key.site == rule.site]
    if not fitting:
        return None
    key = fitting[0]
    document = (await store.read(lambda connection: load_documents(connection, [(rule, key)])))[0]
    if document is None:
        return None
    said = await store.read(partial(load_rulings, wanted=[(rule.id, key)]))
    decision = dispatcher.judge(rule, document, now, said.get((rule.id, key.site, key.id), UNSAID))

    def look(connection: Any) -> tuple[Book, Any, list[Json]]:
        book = load_book(connection, [(decision, document)])
        made = list_effects(connection, rule=rule.id, target=key, limit=SHOWN).results
        return book, recorded_decision(connection, rule.id, key), made

    book, recorded, made = await store.read(look)
    planned = effects_of(decision, book)
    return {
        "rule": rule.id,
        "target": document.target.as_json(),
        "decision": None if decision.verdict is None else str(decision.verdict),
        "because": [line.as_json() for line in decision.because],
        "effects": [planned_json(one) for one in planned],
        "held_by": [*decision.held_by, *_held_by(rule, made)],
        "would_fire_if": _would_fire_if(decision),
        "made": made,
        "recorded": recorded,
    }


async def find_keys(find: Callable[[str], Awaitable[list[NodeKey]]], rules: Sequence[Rule], text: str) -> list[NodeKey]:
    """What a person names by id or path: what `find` finds on the sites, and cells of these rules."""
    found = await find(text)
    return list(dict.fromkeys([*found, *(key for rule in rules for key in cell_keys(rule, text))]))


async def why_all(
    store: Store, dispatcher: Dispatcher, rules: Sequence[Rule], keys: Sequence[NodeKey], now: datetime
) -> Json | None:
    """The answer of one rule, or of all cells of one: these one by one under `cells`, and together above."""
    answers = [found for rule in rules if (found := await why(store, dispatcher, rule, keys, now)) is not None]
    if len(rules) == 1 or not answers:
        return answers[0] if answers else None
    verdicts = {answer["decision"] for answer in answers}
    recorded = [answer["recorded"] for answer in answers if answer["recorded"] is not None]

    def together(name: str) -> list[Any]:
        return [line for answer in answers for line in answer[name]]

    return {
        "rule": rules[0].written_as,
        "target": answers[0]["target"],
        "decision": next((one for one in ("yes", "unknown", "no") if one in verdicts), None),
        "because": [
            {**line, "expr": f"[{cell_name(answer['rule'])}] {line['expr']}"}
            for answer in answers
            for line in answer["because"]
        ],
        "effects": together("effects"),
        "held_by": list(dict.fromkeys(together("held_by"))),
        "would_fire_if": [],
        "made": together("made"),
        "recorded": max(recorded, key=lambda one: int(one["id"]), default=None),
        "cells": answers,
    }


def _held_by(rule: Rule, made: Sequence[Json]) -> list[str]:
    """What keeps wished effects from being carried out, or from being needed."""
    reasons = [f"mode: the rule is in {rule.mode} mode"] if rule.mode in (Mode.SHADOW, Mode.PAUSED) else []
    for effect in made:
        what = f"effect {effect['id']} ({effect['summary']})"
        outcome = effect["outcome"] or {}
        if effect["state"] == EffectState.HELD:
            reasons.append(f"{what} is held: {effect['error'] or 'it waits for approval'}")
        elif effect["state"] in (EffectState.PLANNED, EffectState.WAITING) and effect["error"]:
            reasons.append(f"{what} waits: {effect['error']}")
        elif effect["state"] == EffectState.FAILED:
            reasons.append(f"{what} failed: {effect['error']}; `flyball retry {effect['id']}` tries again")
        elif outcome.get("difference"):
            changed = ", ".join(map(str, outcome["difference"]))
            reasons.append(f"{what}: people changed {changed} of {outcome.get('analysis')} since; it is left as it is")
        elif outcome.get("equal_run"):
            reasons.append(f"{what} is a duplicate of {outcome.get('analysis') or outcome.get('job')}")
        elif effect["state"] == EffectState.DONE and effect["kind"] == "launch":
            reasons.append(f"{what} was done already; `flyball forget {effect['id']}` allows it again")
    return reasons


def _would_fire_if(decision: Decision) -> list[str]:
    """The conditions that are not true now, with what was read: what would have to change."""
    wanted = [line for line in decision.because if line.result in ("false", "unknown")]
    inner = [line for line in wanted if not any(other is not line and other.expr in line.expr for other in wanted)]
    found = []
    for line in inner:
        read = ", ".join(f"{name} = {value}" for name, value in line.values.items())
        found.append(f"{line.expr} ({line.note or read})" if line.note or read else line.expr)
    return list(dict.fromkeys(found))


async def plan(
    store: Store,
    dispatcher: Dispatcher,
    rules: Sequence[Rule],
    now: datetime,
    *,
    only: Collection[NodeKey] | None = None,
    whenever: bool = False,
) -> Json:
    """What the rules would do on the present data, and what comes of those that were edited since they ran.

    Args:
        store: a ledger that the site was read into.
        dispatcher: knows the rules' first sights.
        rules: the rules to ask.
        now: the present, UTC.
        only: the targets to look at; None: all.
        whenever: also what rules would do that now only wait for a job, a hook or their time.
    """
    counts = {"yes": 0, "no": 0, "unknown": 0}
    effects: list[Json] = []
    left_out: dict[str, int] = {}
    book = Book()
    families = {rule.written_as for rule in rules}
    retired = [rule for rule in dispatcher.rules.values() if rule.retired and rule.written_as in families]
    for rule in (*rules, *retired):
        keys = await store.read(partial(targets_of, rule=rule, only=only))
        if rule.only_waits and not whenever:
            known = set(await store.read(partial(claimed, rule=rule)))
            if others := sum(key not in known for key in keys):
                left_out["trigger"] = left_out.get("trigger", 0) + others
            keys = [key for key in keys if key in known]
        state = EffectState.SHADOW if rule.mode is Mode.SHADOW else EffectState.PLANNED
        holds = rule.mode is Mode.APPROVE
        for start in range(0, len(keys), PAGE):
            part = [(rule, key) for key in keys[start : start + PAGE]]
            documents = await store.read(partial(load_documents, wanted=part))
            said = await store.read(partial(load_rulings, wanted=[(rule.id, key) for _, key in part]))
            decisions = [
                dispatcher.decision_on(rule, key, document, now, said.get((rule.id, key.site, key.id), UNSAID))
                for (_, key), document in zip(part, documents, strict=True)
                if document is not None or rule.retired
            ]
            await _merge(store, book, decisions)
            for decision in decisions:
                if decision.verdict is None:
                    reason = decision.held_by[0].split(":")[0] if decision.held_by else "held"
                    left_out[reason] = left_out.get(reason, 0) + 1
                    continue
                counts[str(decision.verdict)] += 1
                effects.extend(
                    planned_json(one, EffectState.HELD if holds and not one.retracts else state)
                    for one in effects_of(decision, book, holds=holds)
                )
    edited = [rule for rule in (*rules, *retired) if rule.id in dispatcher.edited]
    changed = [await store.read(partial(changes_of, rule=rule, effects=effects, book=book)) for rule in edited]
    return {"effects": effects, "decisions": counts, "held": left_out, "changed": changed}


async def _merge(store: Store, book: Book, decisions: Sequence[Decision]) -> None:
    """Add what the ledger has on these decisions to the book, without undoing what was planned before."""
    pairs = [(decision, None) for decision in decisions]
    loaded: Book = await store.read(lambda connection: load_book(connection, pairs))
    book.take_over(loaded)


def planned_json(one: Planned, state: EffectState = EffectState.PLANNED) -> Json:
    """A planned effect in the shape of an effect; `state` as it would begin."""
    return {
        "id": None,
        "rule": one.rule,
        "target": one.target.as_json(),
        "kind": one.kind,
        "state": str(state),
        "once_key": one.once_key,
        "summary": one.summary,
        "params": {**one.params, "members": one.members} if one.members else dict(one.params),
        "attempts": 0,
        "created": None,
        "updated": None,
        "outcome": None,
        "error": None,
    }
