"""Answers outside 2xx, by what to do next."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from flyball.clients.exchange import Does, Request, Response
from flyball.clients.flywheel.errors import error_of, reason_of, unusable
from flyball.model.errors import Gone, Permanent, Refused, SiteError, Transient, UnknownOutcome

NOW = datetime(2026, 11, 2, 9, 0, 0, tzinfo=UTC)


def problem(
    status: int, does: Does = Does.READ, body: Any = None, *, headers: dict[str, str] | None = None, **request: Any
) -> SiteError:
    """The error for an answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    method = "GET" if does is Does.READ else "POST"
    asked = Request(method, "/sessions/64a000000000000000000003", does=does, template="/sessions/{id}", **request)
    return error_of(asked, Response(status, headers or {}, raw), site="main", now=NOW)


@pytest.mark.parametrize(
    ("status", "reading", "creating"),
    [
        (301, Permanent, Permanent),
        (302, Permanent, Permanent),
        (400, Permanent, Permanent),
        (401, Refused, Refused),
        (402, Refused, Refused),
        (403, Refused, Refused),
        (404, Gone, Gone),
        (405, Permanent, Permanent),
        (408, Transient, UnknownOutcome),
        (409, Permanent, Permanent),
        (410, Gone, Gone),
        (412, Permanent, Permanent),
        (413, Permanent, Permanent),
        (416, Permanent, Permanent),
        (422, Permanent, Permanent),
        (429, Transient, Transient),
        (500, Transient, UnknownOutcome),
        (501, Permanent, Permanent),
        (502, Transient, UnknownOutcome),
        (503, Transient, UnknownOutcome),
        (504, Transient, UnknownOutcome),
        (520, Transient, UnknownOutcome),
    ],
)
def test_each_status_says_what_to_do_next(status: int, reading: type, creating: type) -> None:
    """Reads and sets alike, adds and creates alike; the status is kept."""
    for does, kind in ((Does.READ, reading), (Does.SET, reading), (Does.ADD, creating), (Does.CREATE, creating)):
        error = problem(status, does)
        assert type(error) is kind
        assert error.status == status
        assert error.site == "main"


def test_an_ambiguous_5xx_is_no_time_out_of_ours() -> None:
    """The site answered, so looking may begin soon."""
    error = problem(503, Does.CREATE)
    assert isinstance(error, UnknownOutcome)
    assert not error.timed_out


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_carried_along(status: int) -> None:
    """In seconds; None where there was none."""
    error = problem(status, headers={"retry-after": "Mon, 02 Nov 2026 09:00:30 GMT"})
    assert isinstance(error, Transient)
    assert error.wait == 30.0
    bare = problem(status)
    assert isinstance(bare, Transient)
    assert bare.wait is None


@pytest.mark.parametrize(
    "message",
    [
        "'zzz' is not a valid ObjectId, it must be a 12-byte input or a 24-character hex string",
        "Job 6b000b636cc249547cf993e4 has already been retried as 6b000b656cc249547cf993e5",
        'pagination "after_id" does not support sorting',
        'pagination "skip" without "limit" is not supported for pipelines',
        "'NoneType' object has no attribute 'values'",
    ],
)
@pytest.mark.parametrize("does", [Does.READ, Does.CREATE])
def test_a_500_whose_words_are_a_plain_complaint_is_final(message: str, does: Does) -> None:
    """K19 answered so to input errors; no repetition heals them, and nothing was done."""
    assert type(problem(500, does, {"message": message})) is Permanent


def test_the_sites_words_and_request_id_are_kept() -> None:
    """One line: site, purpose without ids, status, reason."""
    error = problem(404, body={"status_code": 404, "message": "Could not find sessions x", "request_id": "7beb2ddd"})
    assert str(error) == "main: GET /sessions/{id} answered 404: Could not find sessions x"
    assert error.request_id == "7beb2ddd"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"detail": [{"loc": ["query", "limit"], "msg": "must be positive", "type": "x"}]},
            "query.limit: must be positive",
        ),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"msg": "bad"}, {"loc": ["body"], "msg": "worse"}]}, "bad; body: worse"),
        ({"code": "501 Not Implemented", "title": "Not Implemented", "message": "\nThe method\n"}, "The method"),
        (b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", "502 Bad Gateway"),
        (b"<p>Down for <b>maintenance</b></p>", "Down for maintenance"),
        (b"upstream connect error", "upstream connect error"),
        (b"\xff\xfe\x00", "\ufffd\ufffd"),
        (b"", ""),
        ([1, 2], ""),
        ({"detail": {"a": 1}}, ""),
        ({"message": None}, ""),
    ],
)
def test_bodies_of_every_kind_give_a_reason(body: Any, reason: str) -> None:
    """JSON of several shapes, HTML, text, nothing."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert reason_of(Response(400, {}, raw))[0] == reason


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html><title>404</title></html>", Transient),
        (b"\n<!DOCTYPE html><p>nginx", Transient),
        (b"404: Not Found", Gone),
        (b"", Gone),
    ],
)
@pytest.mark.parametrize("does", [Does.READ, Does.CREATE])
def test_a_proxys_404_page_is_no_proof_that_something_is_gone(body: bytes, kind: type, does: Does) -> None:
    """A site behind a restarting proxy must not look like one whose data were deleted."""
    assert type(problem(404, does, body)) is kind


def test_long_reasons_are_cut() -> None:
    """Two hundred characters of the site's words at most."""
    assert len(reason_of(Response(400, {}, json.dumps({"message": "x" * 5000}).encode()))[0]) == 200


def test_a_licence_that_the_site_repeats_is_not_carried_on() -> None:
    """Neither the whole body in a schema complaint nor a single config value."""
    echo = "Object does not match schema on key 'none': {u'job': {'config': {'gear-LICENSE': 'SECRETLICENCE"
    value = "config did not match manifest on key 'lic': 'SECRETLICENCE' is not of type 'integer'."
    for message in (echo, value):
        error = problem(400, Does.CREATE, {"message": message, "error": message}, secrets=("SECRETLICENCE",))
        assert "SECRETLI" not in str(error)
        assert "on key" in str(error)


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "does not accept the API key"), (402, "does not know this user"), (403, "does not permit")],
)
def test_refusals_are_told_apart(status: int, words: str) -> None:
    """Key, user, permission."""
    assert words in str(problem(status, body={"message": "no"}))


def test_a_redirect_asks_to_check_the_address() -> None:
    """Often http where https is spoken."""
    assert "check the address" in str(problem(301))


@pytest.mark.parametrize(
    ("does", "body", "kind"),
    [
        (Does.READ, b"<html>login</html>", Transient),
        (Does.READ, b'[{"_id":', Transient),
        (Does.READ, b'{"a": 1}', Permanent),
        (Does.SET, b"", Transient),
        (Does.CREATE, b'{"_id":', UnknownOutcome),
        (Does.CREATE, b"{}", UnknownOutcome),
        (Does.ADD, b"x", UnknownOutcome),
    ],
)
def test_a_2xx_without_use_is_an_error_too(does: Does, body: bytes, kind: type) -> None:
    """Cut off: again. Another shape: never. After a create: unknown."""
    error = unusable(Request("POST", "/x", does=does), Response(200, {}, body), "no JSON", site="main")
    assert type(error) is kind
    assert "answered 200 with no JSON" in str(error)
