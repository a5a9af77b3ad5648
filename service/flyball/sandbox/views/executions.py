"""Executions of views: queued, processed after some time, kept for a while."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from flyball.sandbox.dice import Dice
from flyball.sandbox.errors import Refusal
from flyball.sandbox.maps import refuse_unknown
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc
from flyball.sandbox.views.rows import Rows

_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class ViewPace:
    """How long executions take, in seconds, and how many of them fail."""

    queued_s: float = 0.05
    processing_s: float = 0.1
    fail_rate: float = 0.0

    @classmethod
    def read(cls, values: dict[str, Any]) -> "ViewPace":
        """Read the scenario's `views` map.

        Raises:
            ValueError: an unknown key.
        """
        refuse_unknown(values, {f.name for f in fields(cls)}, "settings of views")
        return cls(**values)


def queue(site: Site, run: Callable[[], Rows], *, project: str | None, user: str, view: Doc) -> Doc:
    """A new execution; `run` gives the table when its time has come.

    A refusal of `run` is an execution that failed, of which the site gives no reason.
    """
    own = site.ids.oid(site.now)
    pace = site.options.get("views") or ViewPace()
    execution: Doc = {
        "_id": own,
        "state": "queued",
        "user_id": user,
        "project_id": project,
        "data_view_id": view.get("_id"),
        "data_view_label": view.get("label"),
        "task_id": None,
        "storage_file_id": None,
        "timestamp_ran": site.now,
        "created": site.now,
        "modified": site.now,
        "expires_on": site.now + _KEPT,
        "revision": 1,
    }
    site.executions.add(execution)
    fails = Dice.of(site.seed, "view", own).random() < pace.fail_rate

    def start(later: Site) -> None:
        if _move(later, own, "processing"):
            later.plan(later.now + timedelta(seconds=pace.processing_s), end)

    def end(later: Site) -> None:
        if own not in later.executions.rows:
            return
        try:
            table = None if fails else run()
        except Refusal:
            table = None
        if table is not None:
            later.results[own] = table
        _move(later, own, "completed" if table is not None else "failed")

    site.plan(site.now + timedelta(seconds=pace.queued_s), start)
    return execution


def _move(site: Site, own: str, state: str) -> bool:
    """Set the state of an execution, unless it was deleted."""
    doc = site.executions.rows.get(own)
    if doc is None:
        return False
    doc["state"] = state
    site.executions.moved(doc, site.now)
    return True
