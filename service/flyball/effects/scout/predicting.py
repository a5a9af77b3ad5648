"""Carrying out an upload of predictors: looked for among the own collections, checked, sent once, waited for.

A collection cannot be deleted or renamed, and the server finds mistakes late or never. So the files are checked whole
before anything is sent, and the runs are looked up in the dataset itself. Safe against doubles: the once-key ends the
collection's name, the own collections are listed for it before one is sent, and twice after an unclear end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flyball.clients.neuroscout.catalogue import Place, as_text
from flyball.clients.neuroscout.names import RunChoice
from flyball.clients.neuroscout.wire.answers import predictor_ids
from flyball.clients.neuroscout.wire.writes import EventsFile
from flyball.effects.port import Hands
from flyball.effects.scout.destination import digest, path_fault
from flyball.effects.scout.events import MOST_BYTES, Events, check_events, same_columns
from flyball.effects.scout.port import Scout
from flyball.effects.scout.waiting import (
    RECENT,
    UPLOADED,
    instant,
    is_retry_of,
    pause_after,
    scout_of,
    waiting,
    with_login_advice,
)
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Permanent
from flyball.rules.keys import suffix

MOST_UNCLEAR = 5
Json = Mapping[str, Any]


class Predicting:
    """The part of `neuroscout.predictors` that talks to the server."""

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """One attempt."""
        scout = scout_of(effect, hands)
        with with_login_advice():
            name = f"{effect.params['name']}{suffix(effect.once_key)}"
            listed = await scout.board.collections(_since(effect, hands.now), fresh=bool(effect.unclear))
            mine = [row for row in listed.rows.values() if row.get("collection_name") == name]
            if mine:
                return _followed(effect, hands.now, scout, max(mine, key=lambda row: int(row["id"])))
            if effect.params.get("collection") is not None:  # no list of ours shows it: is it gone?
                row = await scout.client.collection(int(effect.params["collection"]))
                return _followed(effect, hands.now, scout, row)
            if effect.wants_another_look:
                message = "the server does not list it yet; it is asked once more before anything is sent"
                return Report(Outcome.UNKNOWN, error=message, looked=True)
            if not effect.params.get("wanted", True):
                return Report(Outcome.SUPERSEDED, error="no longer wanted; the server has no trace of it")
            if effect.unclear >= MOST_UNCLEAR:
                raise Permanent(f"the server broke off {effect.unclear} times when these files were uploaded")
            return await self._upload(effect, hands, scout, name)

    async def _upload(self, effect: Effect, hands: Hands, scout: Scout, name: str) -> Report:
        """Check everything, then send it."""
        contents = [await _content(file, hands) for file in effect.params["files"]]
        read = [(title, check_events(content)) for title, content in contents]
        faults = [f"{title}: {fault}" for title, events in read for fault in events.faults]
        faults = faults or same_columns(read)
        descriptions = dict(effect.params["descriptions"])
        if not faults:
            columns = read[0][1].columns
            unknown = [column for column in descriptions if column not in columns]
            faults = [f"descriptions: no file has a column {', '.join(unknown)}"] if unknown else []
        places = [] if faults else [await _place(effect, scout, file) for file in effect.params["files"]]
        faults = faults or _overlaps([title for title, _ in contents], places)
        if faults:
            raise Permanent(f"nothing was uploaded: {'; '.join(faults)}")
        files = [
            EventsFile(title.rsplit("/", 1)[-1], content, place.run_ids)
            for (title, content), place in zip(contents, places, strict=True)
        ]
        made = await scout.client.upload_collection(name, places[0].dataset_id, files, descriptions)
        learnt = {"collection": made["id"], "since": scout.now().isoformat(), "notes": _notes(read, places)}
        return waiting(UPLOADED, scout.pause, f"collection {made['id']} is being made", learnt)


def _since(effect: Effect, now: datetime) -> datetime:
    """A list that others have just asked for does, but not one from before the upload."""
    sent = effect.params.get("since")
    recent = now - RECENT
    if effect.unclear:
        return now
    return max(recent, instant(sent)) if isinstance(sent, str) else recent


async def _content(file: Json, hands: Hands) -> tuple[str, bytes]:
    """Name and bytes of one events file."""
    reference = file.get("from")
    if reference is not None:
        if hands.small is None:
            raise Permanent("`from` names a file on Flywheel, and the rule's site is none")
        return str(reference["name"]), await hands.small.content(reference, most=MOST_BYTES)
    path = str(file["file"])
    fault = path_fault(path)
    if fault:
        raise Permanent(f"{path[:80]!r}: {fault}")
    if hands.lab is None:
        raise Permanent("there is no config folder to read files from")
    content = await hands.lab.read(path, most=MOST_BYTES)
    if file.get("digest") and digest(content) != file["digest"]:
        raise Permanent(f"{path} was changed since the rules were read; after a reload the new content is uploaded")
    return path, content


async def _place(effect: Effect, scout: Scout, file: Json) -> Place:
    """The runs of one file, by name. Raises UnknownName."""
    runs = file["runs"]
    choice = RunChoice(tuple(runs["tasks"]), tuple(runs["subjects"]), tuple(runs["numbers"]), tuple(runs["sessions"]))
    return await scout.catalogue.place(effect.params["dataset"], choice)


def _overlaps(titles: Sequence[str], places: Sequence[Place]) -> list[str]:
    """Runs that are given to more than one file: the server takes each run once."""
    owner: dict[int, str] = {}
    faults = []
    for title, place in zip(titles, places, strict=True):
        for run in place.runs:
            other = owner.setdefault(int(run["id"]), title)
            if other != title:
                faults.append(f"run {as_text(run)} is given to {other} and to {title}; say which with `runs`")
                break
    return faults


def _notes(read: Sequence[tuple[str, Events]], places: Sequence[Place]) -> list[str]:
    """What is accepted and worth knowing: values left out, events behind the end of a run."""
    notes = []
    for (title, events), place in zip(read, places, strict=True):
        left_out = ", ".join(f"{column} {number}" for column, number in events.missing.items())
        if left_out:
            notes.append(f"{title}: rows with n/a are left out ({left_out} of {events.rows})")
        lengths = [run["duration"] for run in place.runs if isinstance(run.get("duration"), int | float)]
        if lengths and events.last > max(lengths):
            notes.append(f"{title}: its last event ends at {events.last:g} s, its longest run at {max(lengths):g} s")
    return notes


def _followed(effect: Effect, now: datetime, scout: Scout, row: Json) -> Report:
    """What the state of the collection means for the effect."""
    ident, status, traceback = row["id"], row.get("status"), str(row.get("traceback") or "").strip()
    predictors = predictor_ids(row)
    detail = {"collection": ident, "status": status, "predictors": predictors}
    if notes := effect.params.get("notes"):
        detail["notes"] = notes
    if status == "OK":
        return Report(Outcome.DONE, detail)
    if status == "FAILED" or traceback:
        left = f"; the predictors made so far stay: {', '.join(sorted(predictors))}" if predictors else ""
        reason = " ".join(traceback.split())[:300] or "no reason given"
        message = (
            f"collection {ident} failed: {reason}{left} (collections cannot be deleted); "
            f"`flyball forget {effect.id}` uploads it again"
        )
        return Report(Outcome.PERMANENT, {**detail, "status": "FAILED"}, message)
    value = effect.params.get("since")
    since = value if isinstance(value, str) and not is_retry_of(effect, "since", value) else now.isoformat()
    if (now - instant(since)).total_seconds() > float(effect.params["wait"]):
        message = (
            f"collection {ident} has stayed PENDING without a reason for {float(effect.params['wait']):.0f} s: the "
            f"server may have lost it, and it cannot be deleted; `flyball forget {effect.id}` uploads it again, "
            f"`flyball retry {effect.id}` goes on waiting"
        )
        return Report(Outcome.PERMANENT, {**detail, "since": since, "orphan": ident}, message)
    learnt = {"collection": ident, "since": since}
    return waiting(UPLOADED, pause_after(scout, effect, now), f"collection {ident} is being made", learnt)
