"""The end of an analysis: bundle and reports once it has passed; and taking a draft back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyball.effects.port import Hands
from flyball.effects.scout.comparing import prints
from flyball.effects.scout.port import Scout
from flyball.effects.scout.waiting import REPORTING, instant, pause_after, waiting
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Gone, Permanent

_SHOWN = 300


async def finish_up(effect: Effect, hands: Hands, scout: Scout, ident: str, learnt: Mapping[str, Any]) -> Report:
    """What was asked for of an analysis that has passed; then it is done."""
    params = effect.params
    detail: dict[str, Any] = {"analysis": ident, "status": "PASSED", "sent": learnt.get("sent", {})}
    saved = params.get("bundle_saved")  # before its report was waited for
    if params["bundle"] and saved is None:
        if hands.lab is None:
            raise Permanent("there is no folder to save the bundle in")
        content = await scout.client.bundle(ident)
        saved = await hands.lab.save(f"{params['bundle']}/{ident}_bundle.tar.gz", content)
    if saved is not None:
        detail["bundle_saved"] = saved
    if not params["report"]:
        return Report(Outcome.DONE, detail)
    return await _report(effect, hands, scout, ident, {**learnt, **detail})


async def _report(effect: Effect, hands: Hands, scout: Scout, ident: str, detail: dict[str, Any]) -> Report:
    """The design matrix reports: asked for once, and again after an edit has made them stale."""
    asked = effect.params.get("report_asked")
    if not isinstance(asked, str):
        await scout.client.ask_report(ident)
        kept = {**detail, "report_asked": hands.now.isoformat()}
        return waiting(REPORTING, scout.pause, f"the reports of {ident} are being made", kept)
    try:
        made = await scout.client.report(ident)
    except Gone:
        made = await scout.client.ask_report(ident)
    if made.get("status") == "OK":
        result = made.get("result")
        links = result.get("design_matrix") if isinstance(result, Mapping) else None
        plain = {key: value for key, value in detail.items() if key in ("analysis", "status", "sent", "bundle_saved")}
        return Report(Outcome.DONE, {**plain, "report": links or [], "warnings": made.get("warnings") or []})
    if made.get("status") == "FAILED":
        reason = " ".join(str(made.get("traceback") or "no reason given").split())[:_SHOWN]
        return Report(Outcome.PERMANENT, detail, f"analysis {ident} passed, but its report failed: {reason}")
    if (hands.now - instant(asked)).total_seconds() > float(effect.params["wait"]):
        return Report(Outcome.PERMANENT, detail, f"analysis {ident} passed, but its report does not come to an end")
    return waiting(REPORTING, pause_after(scout, effect, hands.now), f"the reports of {ident} are being made", detail)


async def take_back(effect: Effect, scout: Scout) -> Report:
    """Delete a draft that we made, if it is one still and nobody has worked on it."""
    params = effect.params
    ident = str(params["analysis"])
    try:
        present = await scout.client.analysis(ident)
    except Gone:
        return Report(Outcome.ALREADY, {"analysis": ident})
    kept = _reason_to_keep(params, present)
    if kept:
        return Report(Outcome.DONE, {"analysis": ident, "kept": kept})
    try:
        await scout.client.delete_analysis(ident)
    except Gone:
        return Report(Outcome.ALREADY, {"analysis": ident})
    return Report(Outcome.DONE, {"analysis": ident, "deleted": ident})


def _reason_to_keep(params: Mapping[str, Any], present: Mapping[str, Any]) -> str:
    """Why an analysis is not deleted; empty: it can be."""
    if present.get("status") != "DRAFT":
        return f"it is {present.get('status')}; only drafts are deleted"
    if str(params["key"]) not in str(present.get("description") or ""):
        return "it does not carry our key"
    sent = params.get("sent") or {}
    here = prints(present)
    edited = [field for field, value in sent.items() if here.get(field) != value]
    return f"people changed its {', '.join(edited)}" if edited else ""
