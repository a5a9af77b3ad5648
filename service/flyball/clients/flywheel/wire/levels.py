"""Levels of the API and their addresses."""

from __future__ import annotations

from flyball.clients.exchange import segment
from flyball.model.errors import Permanent

PLURALS = {
    "group": "groups",
    "project": "projects",
    "subject": "subjects",
    "session": "sessions",
    "acquisition": "acquisitions",
    "file": "files",
    "analysis": "analyses",
    "job": "jobs",
    "gear": "gears",
    "collection": "collections",
    "user": "users",
    "container": "containers",
}

CONTAINERS = ("project", "subject", "session", "acquisition")

FIRST_ID = "0" * 24
"""An `after_id` before every object id, so that a first page is asked for as the later ones are."""


def plural(level: str) -> str:
    """The level's word in addresses.

    Raises:
        Permanent: there is no such level.
    """
    try:
        return PLURALS[level]
    except KeyError:
        raise Permanent(f"the site has no level {level!r}") from None


def address(level: str, id_: str, *further: str) -> tuple[str, str]:
    """Path and template of one object, or of something below it.

    `further` are fixed words, or, written `{name}=value`, a placeholder and its value.
    """
    word = plural(level)
    path = f"/{word}/{segment(id_)}"
    template = f"/{word}/{{id}}"
    for part in further:
        if part.startswith("{"):
            placeholder, _, value = part.partition("=")
            path += f"/{segment(value)}"
            template += f"/{placeholder}"
        else:
            path += f"/{part}"
            template += f"/{part}"
    return path, template
