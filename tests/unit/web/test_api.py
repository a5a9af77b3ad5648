"""The addresses below `/api`: what reaches the daemon, and what is refused before."""

from __future__ import annotations

from typing import Any

import pytest

from unit.web.conftest import Site
from unit.web.fakes import effect, rule

PAGED = {"limit": 100}


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/api/effects", ("effects", PAGED)),
        (
            "/api/effects?rule=a&target=scien/tome%2Fx&state=held&kind=tag&limit=7&after=c",
            (
                "effects",
                {"rule": "a", "target": "scien/tome/x", "state": "held", "kind": "tag", "limit": 7, "after": "c"},
            ),
        ),
        ("/api/effects?rule=&limit=", ("effects", PAGED)),
        ("/api/decisions?current=true&state=no", ("decisions", {"current": True, "state": "no", **PAGED})),
        ("/api/decisions?current=false", ("decisions", {"current": False, **PAGED})),
        ("/api/events?kind=job&source=poll", ("events", {"kind": "job", "source": "poll", **PAGED})),
        ("/api/silences", ("silences", {})),
        ("/api/alerts?state=open&rule=a", ("alerts", {"state": "open", "rule": "a", **PAGED})),
        ("/api/why?rule=a&target=t", ("why", {"rule": "a", "target": "t"})),
        ("/api/rules/a%2Fb", ("rule", {"id": "a/b"})),
        ("/api/effects/12", ("effect", {"id": "12"})),
        ("/api/failures", ("failures", {"rule": None})),
        ("/api/failures?rule=a", ("failures", {"rule": "a"})),
    ],
)
async def test_questions_reach_the_daemon(site: Site, path: str, asked: tuple[str, dict[str, Any]]) -> None:
    """Filters by name, decoded; empty ones left out; the limit a number."""
    await site.get(path)
    assert site.daemon.asked[0] == asked


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("/api/effects?stat=held", "unknown_parameter", "state"),
        ("/api/effects?rule=a&rule=b", "bad_parameter", "twice"),
        ("/api/effects?limit=many", "bad_limit", "1000"),
        ("/api/effects?limit=-1", "bad_limit", "1000"),
        ("/api/effects?limit=12345678901", "bad_limit", "1000"),
        ("/api/effects?state=finished", "unknown_state", "planned"),
        ("/api/effects?target=%00", "bad_request", "no text"),
        ("/api/effects?target=%ED%A0%80&rule=%0a", "bad_request", "no text"),
        ("/api/decisions?current=perhaps", "bad_current", "true or false"),
        ("/api/events?rule=a", "unknown_parameter", "target, kind, source"),
        ("/api/why?rule=a", "missing_target", "/api/why"),
        ("/api/why?target=a", "missing_rule", "/api/why"),
        ("/api/effects/1?x=1", "unknown_parameter", "none is known"),
        ("/status?x=1", "unknown_parameter", "none is known"),
        ("/api/rules?limit=0", "bad_limit", "1000"),
        ("/api/rules?after=x", "bad_cursor", "rules"),
    ],
)
async def test_questions_that_make_no_sense_are_refused(site: Site, path: str, code: str, says: str) -> None:
    """400, with a word about what would make sense."""
    answer = await site.get(path)
    assert (answer.status, answer.error) == (400, code)
    assert says in answer.json["error"]["message"]


@pytest.mark.parametrize(
    "path", ["/api/effects/99", "/api/rules/none", "/api/why?rule=none&target=x", "/api/rules/%00"]
)
async def test_what_is_not_there_is_not_found(site: Site, path: str) -> None:
    """404, not an empty answer."""
    assert (await site.get(path)).error == "not_found"


async def test_single_ones(site: Site) -> None:
    """One rule, one effect."""
    site.daemon.known_rules = {"bold-qc": rule()}
    site.daemon.known_effects = [effect(5)]
    assert (await site.get("/api/rules/bold-qc")).json["id"] == "bold-qc"
    assert (await site.get("/api/effects/5")).json["tries"] == []


async def test_rules_come_in_pages_by_id(site: Site) -> None:
    """Every rule once, in order, whatever order the daemon gives."""
    site.daemon.known_rules = {name: rule() for name in ("e", "b", "d", "a", "c")}
    seen: list[str] = []
    after = ""
    while True:
        page = (await site.get(f"/api/rules?limit=2&after={after}")).json
        seen += [one["id"] for one in page["results"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == ["a", "b", "c", "d", "e"]


async def test_hostile_labels_stay_text(site: Site) -> None:
    """JSON carries them as they are, and a browser is told not to take it for a page."""
    site.daemon.known_effects = [effect(1, summary="<script>alert(1)</script> ../../x")]
    answer = await site.get("/api/effects")
    assert answer.json["results"][0]["summary"] == "<script>alert(1)</script> ../../x"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/api/effects/1/approve", ("approve", {"effect": "1"})),
        ("/api/effects/1/retry", ("retry", {"effect": "1"})),
        ("/api/rules/bold-qc/pause", ("pause", {"rule": "bold-qc"})),
        ("/api/rules/bold-qc/resume", ("resume", {"rule": "bold-qc"})),
        ("/api/poll", ("poll", {})),
    ],
)
async def test_acts_reach_the_daemon(locked: Site, path: str, asked: tuple[str, dict[str, str]]) -> None:
    """Verb and what it is about; the daemon's word is the answer."""
    answer = await locked.post(path)
    assert answer.status == 200
    assert answer.json == {"verb": asked[0], **asked[1]}
    assert locked.daemon.asked == [asked]


async def test_acts_that_cannot_be(locked: Site) -> None:
    """409 when the state does not allow it, 501 when this daemon does not offer it, 405 for a GET."""
    assert (await locked.post("/api/effects/1/reject")).error == "not_now"
    answer = await locked.post("/api/reload")
    assert (answer.status, answer.error) == (501, "not_available")
    assert (await locked.get("/api/poll")).error == "method_not_allowed"
    assert (await locked.post("/api/effects/1/explode")).error == "not_found"
