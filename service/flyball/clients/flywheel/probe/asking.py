"""How the probe asks: requests whose refusal is an answer too, and what was found so far."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from flyball.clients.flywheel import filters
from flyball.clients.flywheel.client import FlywheelClient, Parent, Row
from flyball.clients.flywheel.dialect import Dialect
from flyball.clients.flywheel.filters import Condition
from flyball.clients.flywheel.wire.levels import FIRST_ID
from flyball.model.errors import Gone, Permanent, Refused, SiteError, Transient
from flyball.model.times import parse_time

T = TypeVar("T")


@dataclass
class Asking:
    """One run of the probe.

    Attributes:
        client: speaks the default dialect.
        found: fields of the dialect, as far as they were asked for.
        operators, after_id, tags_listed: the dialect's tables.
        findings: lines for people.
        refusal: the last error that counted as an answer.
    """

    client: FlywheelClient
    found: dict[str, Any] = field(default_factory=dict)
    operators: dict[str, bool | None] = field(default_factory=dict)
    after_id: dict[str, bool | None] = field(default_factory=dict)
    tags_listed: dict[str, bool | None] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    refusal: SiteError | None = None

    def say(self, text: str) -> None:
        """Notes something that a person should know."""
        self.findings.append(text)

    def dialect(self) -> Dialect:
        """What was found."""
        return Dialect(
            **self.found,
            operators=self.operators,
            after_id=self.after_id,
            tags_listed=self.tags_listed,
            findings=tuple(self.findings),
        )

    async def listed(self, level: str, *, info: bool = False, **arguments: Any) -> list[Row] | None:
        """A first page by `after_id`, noting whether that is taken; without it otherwise. None: no such list."""
        rows = await self.rows(level, info=info, after_id=FIRST_ID, **arguments)
        if rows:
            self.after_id[level] = True
            return rows
        if rows is not None and True in self.after_id.values():
            self.after_id.setdefault(level, None)  # taken elsewhere, so this list is really empty
            return rows
        if rows is None and (
            isinstance(self.refusal, (Gone, Refused)) or (self.refusal is not None and self.refusal.status == 404)
        ):
            return None  # no such address for us, however it is asked
        plain = await self.rows(level, info=info, **arguments)
        if plain:
            self.after_id[level] = False
            self.say(f"the list of {level}s cannot be continued by id: its pages are numbered instead")
        return plain

    async def finds(
        self, level: str, row: Row, *conditions: Condition, parent: Parent | None = None, limit: int = 2
    ) -> bool:
        """Whether these conditions bring back this row; where `_id` is among them, this row alone."""
        rows = await self.rows(level, filter=filters.where(*conditions), limit=limit, parent=parent) or []
        ids = {item["id"] for item in rows}
        alone = any(condition.field == "_id" for condition in conditions)
        return ids == {row["id"]} if alone else row["id"] in ids

    async def rows(self, level: str, *, info: bool = False, **arguments: Any) -> list[Row] | None:
        """One page; None where the site answers with an error."""
        return await self.tolerated(self.client.page(level, include_all_info=info, **arguments))

    async def tolerated(self, asked: Awaitable[T]) -> T | None:
        """The answer; None where the site says no, or breaks (500), which K19 did on plain input errors.

        The site itself has answered before, so a 404 page is about the address asked for.
        """
        try:
            return await asked
        except Permanent as error:
            self.refusal = error
        except Refused as error:
            if error.status in (401, 402, 407):
                raise
            self.refusal = error
        except Transient as error:
            if error.status not in (404, 500):
                raise
            self.refusal = error
        return None


def time_of(row: Row, name: str) -> datetime | None:
    """A time of a row, in UTC."""
    return parse_time(row.get(name))


def parent_of(row: Row, level: str) -> str | None:
    """The id of a row's ancestor."""
    parents = row.get("parents")
    found = parents.get(level) if isinstance(parents, dict) else None
    return found if isinstance(found, str) and re.fullmatch(r"[0-9a-f]{24}", found) else None
