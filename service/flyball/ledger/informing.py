"""Our own changes of info, noted in the mirror, so that they are no news when they come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from flyball.ledger.codec import node_row
from flyball.ledger.mirror import find, upsert
from flyball.ledger.prints import content_of
from flyball.ledger.tables import nodes
from flyball.model.effect import Effect, Report
from flyball.model.levels import Level
from flyball.model.node import NodeKey
from flyball.rules.keys import whole_of

INFO: Final = "info"


def note_info(connection: Connection, effect: Effect, report: Report) -> None:
    """The top-level keys of `info` as they are now (`detail["set"]`), in the mirror."""
    values = report.detail.get("set")
    container = effect.params["container"]
    key = NodeKey(effect.site, Level(container["level"]), container["id"])
    known = find(connection, [key]).get(key)
    if not isinstance(values, Mapping) or known is None or not known.info_known:
        return
    info = known.doc.get("info")
    doc = {**known.doc, "info": {**(info if isinstance(info, Mapping) else {}), **values}}
    after = replace(known, doc=doc, whole=whole_of(doc), content=content_of(known.parents, doc))
    upsert(connection, nodes, [node_row(after)], ("site", "level", "id"))
