"""The addresses below `/api`: the ledger read page by page, and what people may ask the daemon to do."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from aiohttp import web

from flyball.ledger.history_pages import LIMIT, MOST, BadQuery, check_limit, cursor, read_cursor
from flyball.web.answers import Answers
from flyball.web.port import BadRequest, Daemon, Json, NotFound

_PAGING: Final = ("limit", "after")
_SWITCH: Final = {"true": True, "false": False}


class Api:
    """Handlers over one daemon.

    Args:
        daemon: what is asked.
        answers: makes the answers.
    """

    def __init__(self, daemon: Daemon, answers: Answers) -> None:
        self._daemon = daemon
        self._answers = answers

    def routes(self) -> list[web.RouteDef]:
        """The routes that read, then those that act."""
        return [
            web.get("/api/rules", self.rules),
            web.get("/api/rules/{id}", self.rule),
            web.get("/api/events", self.events),
            web.get("/api/decisions", self.decisions),
            web.get("/api/effects", self.effects),
            web.get("/api/effects/{id}", self.effect),
            web.get("/api/failures", self.failures),
            web.get("/api/alerts", self.alerts),
            web.get("/api/silences", self.silences),
            web.get("/api/why", self.why),
            *(web.post(f"/api/effects/{{effect}}/{verb}", self._verb(verb)) for verb in ("approve", "reject", "retry")),
            *(web.post(f"/api/rules/{{rule}}/{verb}", self._verb(verb)) for verb in ("pause", "resume")),
            *(web.post(f"/api/{verb}", self._verb(verb)) for verb in ("poll", "reload")),
        ]

    async def rules(self, request: web.Request) -> web.Response:
        """`GET /api/rules`: by id."""
        given = parameters(request, _PAGING)
        limit = _limit(given)
        check_limit(limit)
        after = read_cursor("rules", given["after"]) if "after" in given else ""
        found = sorted((rule for rule in await self._daemon.rules() if rule["id"] > after), key=_id)
        more = cursor("rules", found[limit - 1]["id"]) if len(found) > limit else None
        return self._answers.json({"results": found[:limit], "next": more})

    async def rule(self, request: web.Request) -> web.Response:
        """`GET /api/rules/{id}`."""
        parameters(request, ())
        return self._answers.json(await self._daemon.rule(_part(request, "id")))

    async def effects(self, request: web.Request) -> web.Response:
        """`GET /api/effects`."""
        given = parameters(request, ("rule", "target", "state", "kind", *_PAGING))
        return self._answers.json(await self._daemon.effects(**_filters(given)))

    async def effect(self, request: web.Request) -> web.Response:
        """`GET /api/effects/{id}`."""
        parameters(request, ())
        return self._answers.json(await self._daemon.effect(_part(request, "id")))

    async def failures(self, request: web.Request) -> web.Response:
        """`GET /api/failures`: the failed effects in groups; all of them, for there are few."""
        given = parameters(request, ("rule",))
        return self._answers.json({"results": await self._daemon.failures(given.get("rule")), "next": None})

    async def decisions(self, request: web.Request) -> web.Response:
        """`GET /api/decisions`."""
        given = _filters(parameters(request, ("rule", "target", "state", "current", *_PAGING)))
        if "current" in given:
            if given["current"] not in _SWITCH:
                raise BadQuery("bad_current", "`current` is true or false")
            given["current"] = _SWITCH[given["current"]]
        return self._answers.json(await self._daemon.decisions(**given))

    async def events(self, request: web.Request) -> web.Response:
        """`GET /api/events`."""
        given = parameters(request, ("target", "kind", "source", *_PAGING))
        return self._answers.json(await self._daemon.events(**_filters(given)))

    async def alerts(self, request: web.Request) -> web.Response:
        """`GET /api/alerts`."""
        given = parameters(request, ("rule", "target", "state", *_PAGING))
        return self._answers.json(await self._daemon.alerts(**_filters(given)))

    async def silences(self, request: web.Request) -> web.Response:
        """`GET /api/silences`: all that are in force, on one page."""
        parameters(request, ())
        return self._answers.json({"results": await self._daemon.silences(), "next": None})

    async def why(self, request: web.Request) -> web.Response:
        """`GET /api/why?rule=&target=`."""
        given = parameters(request, ("rule", "target"))
        for name in ("rule", "target"):
            if name not in given:
                raise BadQuery(f"missing_{name}", f"say which {name}: /api/why?rule=ID&target=ID-OR-PATH")
        return self._answers.json(await self._daemon.why(given["rule"], given["target"]))

    def _verb(self, verb: str) -> Callable[[web.Request], Any]:
        async def act(request: web.Request) -> web.Response:
            parameters(request, ())
            await request.read()  # nothing is expected in it; one that is too large is refused here
            params = {name: _part(request, name) for name in request.match_info}
            return self._answers.json(await self._daemon.act(verb, params))

        return act


def parameters(request: web.Request, known: Collection[str]) -> dict[str, str]:
    """The query parameters by name, empty ones left out.

    Raises:
        BadQuery: an unknown one, or one that is given twice.
    """
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name not in known:
            choices = f"known here: {', '.join(known)}" if known else "none is known here"
            raise BadQuery("unknown_parameter", f"there is no parameter {name!r}; {choices}")
        if name in given:
            raise BadQuery("bad_parameter", f"`{name}` is given twice; write several values with commas between")
        given[name] = _text(name, value)
    return {name: value for name, value in given.items() if value}


def _filters(given: dict[str, str]) -> dict[str, Any]:
    filters: dict[str, Any] = {name: value for name, value in given.items() if name != "limit"}
    return {**filters, "limit": _limit(given)}


def _limit(given: dict[str, str]) -> int:
    text = given.get("limit", str(LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST))):
        raise BadQuery("bad_limit", f"`limit` is a number from 1 to {MOST}, not {text!r}")
    return int(text)


def _part(request: web.Request, name: str) -> str:
    value = request.match_info[name]
    try:
        return _text(name, value)
    except BadRequest:
        raise NotFound("there is nothing of this name") from None


def _text(name: str, value: str) -> str:
    """The text of a parameter; what no database and no log should see is refused."""
    if not value.isprintable() or len(value) > 4096:
        raise BadRequest(f"`{name}` holds what is no text, or far too much of it")
    return value


def _id(rule: Json) -> str:
    return str(rule["id"])
