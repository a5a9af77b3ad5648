"""Carrying out a data view: queued, asked for now and then without holding anybody up, saved, put where it is wanted.

Safe against doubles: to run a view changes nothing on the site, so that a lost answer costs a second run at most. The
table is kept on disk before it goes anywhere; a table with the content that is there already is not sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flyball.effects.lending import Folder, Views, lent
from flyball.effects.port import Hands
from flyball.effects.upload import put_file
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Gone, Permanent

AT_ONCE: Final = "at once"
"""In place of an execution: the site runs views only while one waits (2019)."""

FIRST_LOOK, LONGEST_LOOK = 1.0, 60.0  # seconds between questions whether it is done; growing by half
FAILURES: Final = 5
ENDED_WELL: Final = frozenset({"completed", "complete"})
ENDED_BADLY: Final = frozenset({"failed", "cancelled", "error"})
Json = Mapping[str, Any]


class Viewing:
    """The part of `view` that talks to the site."""

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """One step: queue it, ask for it, or save it and put it where it belongs."""
        views, folder = lent(hands.views, "data views of this site"), lent(hands.folder, "a folder to write to")
        if not effect.params.get("ready"):
            report = await _table(effect, views, folder)
            if report is not None:
                return report
        return await _deliver(effect, hands, folder)


async def _table(effect: Effect, views: Views, folder: Folder) -> Report | None:
    """Get the table onto our disk; a report as long as it is not there."""
    params = effect.params
    execution = params.get("execution")
    if execution is None:
        queued = await views.queue(params["view"], params["run_on"])
        told = {"execution": queued or AT_ONCE, "looks": 0}
        return Report(Outcome.WAITING, told, wait=FIRST_LOOK if queued else 0.0)
    if execution != AT_ONCE:
        waiting = await _not_yet(params, str(execution), views)
        if waiting is not None:
            return waiting
    async with folder.part(params["piece"], effect.once_key) as part:
        await part.restart()
        try:
            if execution == AT_ONCE:
                await views.run(params["view"], params["run_on"], params["format"], part)
            else:
                await views.data(str(execution), params["format"], part)
        except Gone:
            await part.restart()
            return Report(Outcome.WAITING, {"execution": None}, wait=FIRST_LOOK)  # it has expired
        await part.commit()
    return None


async def _not_yet(params: Json, execution: str, views: Views) -> Report | None:
    try:
        state = await views.state(execution)
    except Gone:
        return Report(Outcome.WAITING, {"execution": None}, wait=FIRST_LOOK)
    if state in ENDED_WELL:
        return None
    if state in ENDED_BADLY:
        failures = int(params.get("failures", 0)) + 1
        if failures >= FAILURES:
            raise Permanent(f"the site failed {failures} times to run the view; it tells no reason: check its columns")
        return Report(Outcome.WAITING, {"execution": None, "failures": failures}, wait=30.0 * 2**failures)
    looks = int(params.get("looks", 0)) + 1
    return Report(Outcome.WAITING, {"looks": looks}, wait=min(LONGEST_LOOK, FIRST_LOOK * 1.5 ** min(looks, 20)))


async def _deliver(effect: Effect, hands: Hands, folder: Folder) -> Report:
    """Put the table where it is wanted."""
    params = effect.params
    told: dict[str, Any] = {"moved": False, "bytes": await folder.size(params["piece"])}
    if told["bytes"] is None:
        return Report(Outcome.WAITING, {"ready": False, "execution": None}, wait=0.0)  # somebody cleared it away
    if "disk" in params["to"]:
        other = await folder.claim(params["path"], f"view/{effect.rule}/{effect.target.id}/{effect.slot}")
        if other is not None:
            raise Permanent(f"{params['path']} is another table's place: put something of the target into `name`")
        told["moved"] |= await folder.copy(params["piece"], params["path"])
        told["path"] = params["path"]
    if "project" in params["to"]:
        contents = lent(hands.contents, "files of this site")
        async with folder.data(params["piece"]) as local:
            report = await put_file(effect, contents, local, params["name"])
        if report.outcome is Outcome.WAITING:
            return Report(report.outcome, {**report.detail, "ready": True}, report.error, report.wait)
        if report.outcome not in (Outcome.DONE, Outcome.ALREADY):
            return report
        told["moved"] |= report.outcome is Outcome.DONE
        told |= report.detail
    if params["joined"] is not None:
        ending = params["piece"].rsplit(".", 1)[-1]
        base = params["piece"].rsplit("/", 1)[0]
        pieces = [f"{base}/{one}.{ending}" for one in params.get("siblings") or (effect.target.id,)]
        told["moved"] |= await folder.join(pieces, params["joined"])
        told["joined"] = params["joined"]
    return Report(Outcome.DONE if told.pop("moved") else Outcome.ALREADY, told)
