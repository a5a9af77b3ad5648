"""Seeking the target that a person names: in the mirror, else on the sites.

The mirror leaves out files that no rule asks for. Whoever asks about one is told why nothing was done, so it is read
from its site then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from flyball.ledger.history_targets import find_target
from flyball.model.errors import SiteError
from flyball.model.levels import CONTAINERS, Level
from flyball.model.node import NodeKey
from flyball.model.ports import Store
from flyball.triggers.watch import Watch

_ID = re.compile(r"[0-9a-f]{24}")


async def seek(store: Store, watches: Mapping[str, Watch], text: str) -> list[NodeKey]:
    """The nodes with this id or path (see `find_target`); none when neither the mirror nor a site has one."""
    keys = await store.read(lambda connection: find_target(connection, text))
    if keys:
        return keys
    if _ID.fullmatch(text):
        wanted = [NodeKey(site, Level.FILE, text) for site in watches]
    else:
        wanted = await _among_files(store, watches, text)
    for key in wanted:
        watch = watches[key.site]
        with suppress(SiteError):  # it cannot be had now, and is not found
            await watch.poller.taking.call_roll([key], watch.needs, source="poll")
    return await store.read(lambda connection: find_target(connection, text))


async def _among_files(store: Store, watches: Mapping[str, Watch], path: str) -> list[NodeKey]:
    """Keys of the files that a path names, as the rows of their containers show them."""
    container, _, name = path.strip("/").rpartition("/")
    found: list[NodeKey] = []
    for key in await store.read(lambda connection: find_target(connection, container)) if container else ():
        if key.level not in CONTAINERS or key.site not in watches:
            continue
        with suppress(SiteError):
            row = await watches[key.site].poller.client.get(str(key.level), key.id)
            files = row.get("files")
            idents = [
                str(entry["file_id"])
                for entry in (files if isinstance(files, list) else ())
                if isinstance(entry, Mapping) and entry.get("name") == name and entry.get("file_id")
            ]
            found += [NodeKey(key.site, Level.FILE, ident) for ident in idents]
    return found
