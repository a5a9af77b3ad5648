"""Carrying out an analysis: looked for on the server, made or brought up to date, compiled, waited for.

Safe against doubles. The once-key stands in the description, and the own analyses are listed before one is made: one
request for all who ask at the time. An analysis is made by one POST with its whole content. After an unclear end
(reset, time-out, kill) the list is read twice, each time no earlier than the site's `unclear_wait`, and only then it is
sent again; a server that breaks off each time is not asked for ever.

What waits (a place in the compile queue, compiling, a report) holds no worker: the effect goes back to the ledger with
what was learnt, and is looked at again with growing pauses; the end of another one calls those that wait for a place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flyball.clients.neuroscout.board import Listed
from flyball.clients.neuroscout.names import UnknownName
from flyball.effects.port import Hands
from flyball.effects.scout.comparing import by_people, differing, prints, told
from flyball.effects.scout.content import Json, NotYet, content_of
from flyball.effects.scout.ending import finish_up, take_back
from flyball.effects.scout.port import Scout
from flyball.effects.scout.waiting import (
    COMPILING,
    QUEUED,
    RECENT,
    compile_failed,
    deleted,
    instant,
    is_retry_of,
    pause_after,
    scout_of,
    stuck,
    waiting,
    with_login_advice,
)
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Gone, Permanent
from flyball.rules.keys import fingerprint

MOST_UNCLEAR = 5  # times in a row that the server broke off; then the request itself is to blame


@dataclass(frozen=True, slots=True)
class _Found:
    """The analysis on the server.

    Attributes:
        ident: its hash id.
        status: as the list says, or an answer that is newer.
        seen: when that was asked for.
        learnt: what the effect keeps: id, fingerprints of what was sent.
        earlier: the earlier effect that made it, when it is to be brought up to date.
    """

    ident: str
    status: str
    seen: datetime
    learnt: Mapping[str, Any] = field(default_factory=dict)
    earlier: Mapping[str, Any] | None = None


class Analysing:
    """The part of `neuroscout.analysis` that talks to the server."""

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """One attempt."""
        scout = scout_of(effect, hands)
        report: Report | None = None
        try:
            with with_login_advice():
                if effect.params.get("operation") == "delete":
                    report = await take_back(effect, scout)
                else:
                    report = await self._go(effect, hands, scout)
        except NotYet as error:
            report = _waiting_for(effect, hands, scout, str(error))
        finally:
            if report is None or report.detail.get("stage") != COMPILING:
                scout.queue.leave(effect.id)
        return report

    async def _go(self, effect: Effect, hands: Hands, scout: Scout) -> Report:
        listed = await scout.board.analyses(_since(effect, hands), fresh=bool(effect.unclear))
        found = await self._find(effect, scout, listed)
        if found is None:
            found = await self._create(effect, hands, scout)
        elif isinstance(found, _Found) and found.earlier is not None:
            found = await self._bring_up_to_date(effect, hands, scout, found)
        if isinstance(found, Report):
            return found
        return await self._advance(effect, hands, scout, found)

    # --- what is there

    async def _find(self, effect: Effect, scout: Scout, listed: Listed[str]) -> _Found | Report | None:
        """Our analysis: by its id once it is known, by the once-key, or that of an earlier effect of the same rule."""
        params, rows = effect.params, listed.rows
        known = params.get("analysis")
        if isinstance(known, str) and not is_retry_of(effect, "deleted", known):
            learnt = {"analysis": known, "sent": params.get("sent", {})}
            if known in rows:
                return _Found(known, str(rows[known].get("status")), listed.begun, learnt)
            try:
                row = await scout.client.analysis(known)  # no list of ours shows it: is it gone?
            except Gone:
                return deleted(known)
            return _Found(known, str(row.get("status")), listed.begun, learnt)
        forgotten = frozenset(params.get("forgotten", ()))
        mine = [row for ident, row in sorted(rows.items()) if ident not in forgotten]
        carrying = [row for row in mine if effect.once_key in str(row.get("description") or "")]
        if carrying:  # a person's clone carries the key too, as a draft
            row = min(carrying, key=lambda row: (row.get("status") == "DRAFT", str(row["hash_id"])))
            ident = str(row["hash_id"])
            return _Found(ident, str(row.get("status")), listed.begun, {"analysis": ident})
        return self._find_earlier(params.get("earlier", ()), {str(row["hash_id"]): row for row in mine}, listed.begun)

    @staticmethod
    def _find_earlier(
        earlier: Sequence[Mapping[str, Any]], rows: Mapping[str, Mapping[str, Any]], seen: datetime
    ) -> _Found | None:
        """The analysis of an earlier effect of the same rule for the same target: by its id, where that is known, else
        by its key; with what was sent to it last.
        """
        chosen = next((str(one["analysis"]) for one in earlier if one.get("analysis") in rows), None)
        if chosen is None:
            known = (one["key"] for one in earlier if not one.get("analysis"))
            pairs = [(key, ident) for key in known for ident, row in rows.items() if key in str(row.get("description"))]
            if not pairs:
                return None
            chosen = pairs[0][1]
        sent: Mapping[str, str] = next(
            (one["sent"] for one in earlier if one.get("analysis") == chosen and one.get("sent")), {}
        )
        return _Found(chosen, str(rows[chosen].get("status")), seen, {"analysis": chosen}, {"sent": sent})

    # --- made, or brought up to date

    async def _create(self, effect: Effect, hands: Hands, scout: Scout) -> _Found | Report:
        """Make it, once nobody can doubt that it is not there."""
        if effect.wants_another_look:
            message = "the server does not list it yet; it is asked once more before anything is sent"
            return Report(Outcome.UNKNOWN, error=message, looked=True)
        if not effect.params.get("wanted", True):
            return Report(Outcome.SUPERSEDED, error="no longer wanted; the server has no trace of it")
        _give_up_on(effect, "to make this analysis, and has not made it")
        content = await content_of(effect, scout, hands.now)
        made = await scout.client.create_analysis(content)
        learnt = {"analysis": made["hash_id"], "sent": prints(content)}
        fields = differing(made, content)
        if fields:
            raise Permanent(f"analysis {made['hash_id']} was made with another content: {told(made, content, fields)}")
        return _Found(made["hash_id"], str(made.get("status")), hands.now, learnt)

    async def _bring_up_to_date(self, effect: Effect, hands: Hands, scout: Scout, found: _Found) -> _Found | Report:
        """An analysis of an earlier version of the rule gets the new content, if it still can be edited."""
        if found.status == "PENDING":
            return _waiting_for(effect, hands, scout, f"analysis {found.ident} is being compiled; its end is awaited")
        if not effect.params.get("wanted", True):
            return Report(Outcome.SUPERSEDED, error="no longer wanted; nothing was changed")
        content = await content_of(effect, scout, hands.now)
        try:
            present = await scout.client.analysis(found.ident)
        except Gone:
            return await self._create(effect, hands, scout)
        sent = (found.earlier or {}).get("sent") or {}
        fields, edited = differing(present, content), by_people(present, content, sent)
        state = fingerprint(prints(present))[:12]
        if edited and not is_retry_of(effect, "conflict", state):
            message = (
                f"analysis {found.ident} was changed on the server since it was made here, and is left as it is: "
                f"{told(present, content, edited)}; `flyball retry {effect.id}` writes the rule's content over it, "
                f"`flyball forget` makes a new one"
            )
            return Report(Outcome.PERMANENT, {"analysis": found.ident, "conflict": state}, message)
        locked = bool(present.get("locked"))
        if locked and not fields:  # it holds what it should; only its description cannot be brought up to date
            status = str(present.get("status"))
            return replace(found, status=status, learnt={**found.learnt, "sent": prints(content)}, earlier=None)
        if locked or (fields and present.get("status") not in ("DRAFT", "FAILED")):
            if effect.params["on_locked"] == "new":
                return await self._create(effect, hands, scout)
            why = "locked by an administrator" if locked else f"{present.get('status')}"
            message = f"analysis {found.ident} is {why} and cannot be edited any more (`on_locked: fail`)"
            return Report(Outcome.PERMANENT, {"analysis": found.ident}, message)
        _give_up_on(effect, f"to change analysis {found.ident}")
        return await self._push(scout, found, present, content, fields)

    @staticmethod
    async def _push(
        scout: Scout, found: _Found, present: Mapping[str, Any], content: Json, fields: list[str]
    ) -> _Found:
        """Send what differs and compare the answer; then the description, whose key says that all of it is there.

        The server writes field by field and may break off between two: the new key comes last, so that an analysis
        that carries it holds the whole content.
        """
        if fields:
            body = {name: content[name] for name in fields} | {"dataset_id": content["dataset_id"]}
            present = await scout.client.update_analysis(found.ident, body)
            left = differing(present, content)
            if left:
                raise Permanent(
                    f"analysis {found.ident}: the server did not take everything: {told(present, content, left)}"
                )
        body = {name: content[name] for name in ("dataset_id", "description", "private")}
        present = await scout.client.update_analysis(found.ident, body)
        if present.get("description") != content["description"]:
            raise Permanent(f"analysis {found.ident}: the server did not take the description")
        learnt = {"analysis": found.ident, "sent": prints(content), "updated": fields}
        return replace(found, status=str(present.get("status")), learnt=learnt, earlier=None)

    # --- compiled, and waited for

    async def _advance(self, effect: Effect, hands: Hands, scout: Scout, found: _Found) -> Report:
        learnt = await self._with_prints(effect, hands, scout, found)
        found = replace(found, learnt=learnt)
        if not effect.params["compile"]:
            return Report(Outcome.DONE, {**learnt, "status": found.status})
        if found.status == "PASSED":
            return await finish_up(effect, hands, scout, found.ident, learnt)
        if found.status == "DRAFT" or (found.status == "FAILED" and not self._is_ours(effect, found)):
            return await self._compile(effect, hands, scout, found)
        if found.status == "FAILED":
            status, traceback = await scout.client.compile_status(found.ident)
            return await self._ended(effect, hands, scout, found, status, traceback)
        return self._still(effect, hands, scout, found)

    @staticmethod
    async def _with_prints(effect: Effect, hands: Hands, scout: Scout, found: _Found) -> dict[str, Any]:
        """What was learnt, with fingerprints of what we sent: after a kill they are worked out again, or a later
        edit of the rule could not tell our content from what people made of it.
        """
        learnt = dict(found.learnt)
        if not learnt.get("sent"):
            learnt["sent"] = {}
            with suppress(UnknownName, NotYet):  # it is there all the same
                learnt["sent"] = prints(await content_of(effect, scout, hands.now))
        return learnt

    @staticmethod
    def _is_ours(effect: Effect, found: _Found) -> bool:
        """Whether a status came of our own request to compile: it was sent, the list is newer, and nobody has said
        `retry` since its end was told.
        """
        sent = effect.params.get("compiled")
        return isinstance(sent, str) and found.seen > instant(sent) and not is_retry_of(effect, "compiled", sent)

    async def _compile(self, effect: Effect, hands: Hands, scout: Scout, found: _Found) -> Report:
        if not effect.params.get("wanted", True):
            return Report(Outcome.SUPERSEDED, dict(found.learnt), "no longer wanted; left as a draft")
        _give_up_on(effect, f"to compile analysis {found.ident}")
        others = effect.params.get("compiling", ()), effect.params.get("perhaps", ())
        if pause := scout.queue.enter(effect.id, *others, now=hands.now):
            message = f"{scout.queue.places} analyses are compiling; it waits for a place"
            return waiting(QUEUED, pause, message, found.learnt)
        since = effect.params.get("since")
        if not isinstance(since, str) or is_retry_of(effect, "since", since):
            since = hands.now.isoformat()
        status, traceback = await scout.client.compile_analysis(found.ident)
        # The time after the answer: a list that others asked for before may not show it yet.
        learnt = {**found.learnt, "compiled": scout.now().isoformat(), "since": since}
        return await self._ended(effect, hands, scout, replace(found, learnt=learnt), status, traceback)

    async def _ended(
        self, effect: Effect, hands: Hands, scout: Scout, found: _Found, status: str, traceback: str
    ) -> Report:
        """What a status with its traceback means for the effect."""
        if status == "PASSED":
            return await finish_up(effect, hands, scout, found.ident, found.learnt)
        if status != "FAILED":
            return self._still(effect, hands, scout, replace(found, status=status))
        if traceback.strip():
            return compile_failed(effect, found.ident, traceback, found.learnt)
        # The server's task queue was away: nothing was compiled.
        if _overdue(effect, _begun(effect, found.learnt, hands.now), hands.now):
            return stuck(effect, found.ident, hands.now, found.learnt)
        refused = int(effect.params.get("refused") or 0) + 1
        learnt = {**found.learnt, "refused": refused, "compiled": None}
        message = f"the server's compile queue did not take analysis {found.ident} (FAILED without a reason)"
        return waiting(QUEUED, min(30.0 * 2 ** min(refused - 1, 5), 600.0), message, learnt)

    @staticmethod
    def _still(effect: Effect, hands: Hands, scout: Scout, found: _Found) -> Report:
        """It is compiling; a kill may have come between asking for it and noting that."""
        begun = _begun(effect, found.learnt, hands.now)
        if _overdue(effect, begun, hands.now):
            return stuck(effect, found.ident, hands.now, found.learnt)
        scout.queue.hold(effect.id, hands.now)
        sent = found.learnt.get("compiled") or effect.params.get("compiled") or hands.now.isoformat()
        learnt = {**found.learnt, "compiled": sent, "since": begun.isoformat()}
        pause = pause_after(scout, effect, hands.now)
        return waiting(COMPILING, pause, f"analysis {found.ident} is compiling", learnt)


def _waiting_for(effect: Effect, hands: Hands, scout: Scout, message: str) -> Report:
    """Something else has to end first; it is not waited for longer than `wait`."""
    begun = _begun(effect, {}, hands.now)
    since = {"since": begun.isoformat()}
    if _overdue(effect, begun, hands.now):
        waited = f"{float(effect.params['wait']):.0f} s"
        error = f"waited {waited} in vain: {message}; `flyball retry {effect.id}` goes on waiting"
        return Report(Outcome.PERMANENT, since, error)
    return waiting(QUEUED, pause_after(scout, effect, hands.now), message, since)


def _give_up_on(effect: Effect, what: str) -> None:
    """A server that breaks off each time cannot take the request: it is not asked for ever."""
    if effect.unclear >= MOST_UNCLEAR:
        raise Permanent(f"the server broke off {effect.unclear} times when asked {what}; it does so for some contents")


def _since(effect: Effect, hands: Hands) -> datetime:
    """How new the list must be: newer than our own request to compile; after an unclear end, read now."""
    if effect.unclear:
        return hands.now
    sent = effect.params.get("compiled")
    recent = hands.now - RECENT
    return max(recent, instant(sent)) if isinstance(sent, str) else recent


def _begun(effect: Effect, learnt: Mapping[str, Any], now: datetime) -> datetime:
    """Since when it is waited for."""
    value = learnt.get("since") or effect.params.get("since")
    if not isinstance(value, str) or is_retry_of(effect, "since", value):
        return now
    return instant(value)


def _overdue(effect: Effect, begun: datetime, now: datetime) -> bool:
    return (now - begun).total_seconds() > float(effect.params["wait"])
