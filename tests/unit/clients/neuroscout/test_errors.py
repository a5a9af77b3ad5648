"""Answers of the real server, as recorded: each bad one becomes an error named by what to do next."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from flyball.clients.exchange import Does, Request, Response
from flyball.clients.neuroscout.errors import SignedOut, error_of, reason_of, unusable
from flyball.clients.neuroscout.wire import answers
from flyball.model.errors import Gone, Permanent, Refused, SiteError, Transient, UnknownOutcome
from unit.clients.neuroscout.samples import recorded

NOW = datetime(2026, 11, 20, tzinfo=UTC)
READ = Request("GET", "/analyses/x", template="/analyses/{id}")
CREATE = Request("POST", "/analyses", does=Does.CREATE)


def answer(status: int, body: Any, kind: str = "application/json") -> Response:
    """An answer; what is no text is written as JSON."""
    content = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return Response(status, {"content-type": kind}, content)


PAGE = "<!DOCTYPE HTML><title>405 Method Not Allowed</title><h1>Method Not Allowed</h1>"


@pytest.mark.parametrize(
    ("status", "body", "kind", "does", "error", "words"),
    [
        (
            401,
            {"description": "Signature has expired", "error": "Invalid token", "status_code": 401},
            "",
            "read",
            SignedOut,
            "Signature has expired",
        ),
        (401, {"message": "Your account has not been confirmed."}, "", "read", Refused, "not been confirmed"),
        (404, {"message": "Resource not found"}, "", "read", Gone, "Resource not found"),
        (404, {"message": {"message": "Resource not found."}}, "", "write", Gone, "belongs to somebody else"),
        (404, {"message": "Analysis must be given a name before compilation."}, "", "write", Permanent, "given a name"),
        (404, PAGE, "text/html", "read", Transient, "ends in /api"),
        (405, PAGE, "text/html", "write", Permanent, "Method Not Allowed"),
        (
            422,
            {"message": {"json": {"predictors": {"0": ["Not a valid integer."]}}}},
            "",
            "write",
            Permanent,
            "predictors.0: Not a valid integer.",
        ),
        (
            422,
            {"message": {"user_name": "User name is already in use"}},
            "",
            "write",
            Permanent,
            "user_name: User name",
        ),
        (429, {"message": "slow down"}, "", "write", Transient, "slow down"),
        (500, PAGE, "text/html", "read", Transient, "500"),
        (502, PAGE, "text/html", "write", UnknownOutcome, "502"),
        (302, "", "text/html", "read", Permanent, "elsewhere"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, int | str) and len(str(value)) < 8 else "",
)
def test_every_shape_has_its_error(
    status: int, body: Any, kind: str, does: str, error: type[SiteError], words: str
) -> None:
    """By status, shape and what the request does."""
    request = CREATE if does == "write" else READ
    found = error_of(request, answer(status, body, kind or "application/json"), site="scout", now=NOW)
    assert type(found) is error
    assert words in str(found)
    assert str(found).startswith("scout: ")


def test_a_web_page_with_200_is_no_answer() -> None:
    """The server sends its page for addresses it does not know: the advice is to check the address."""
    page = answer(200, "<html><title>Neuroscout</title></html>", "text/html; charset=utf-8")
    with pytest.raises(answers.Misshapen, match="ends in /api"):
        answers.rows(page)
    assert isinstance(unusable(READ, page, "a web page", site="scout"), Transient)
    assert isinstance(unusable(CREATE, page, "a web page", site="scout"), UnknownOutcome)


def test_secrets_that_are_echoed_are_taken_out() -> None:
    """An error never shows the password, whatever the server repeats."""
    echoed = answer(422, {"message": {"json": {"password": ["hunter2 is too short"]}}})
    assert "hunter2" not in reason_of(echoed, secrets=("hunter2",))


def test_every_recorded_failure_of_the_real_server_is_named() -> None:
    """All answers outside 2xx that were recorded: none is unclear for a read, and each keeps the server's words."""
    seen: Counter[str] = Counter()
    for one in recorded():
        status = one.get("status")
        if status is None or status < 400:
            continue
        request = Request(one["method"], one["path"])
        found = error_of(request, answer(status, one.get("answer"), one["answer_type"]), site="scout", now=NOW)
        assert not isinstance(found, UnknownOutcome)
        assert len(str(found)) > len(f"scout: {request.name} answered {status}")
        seen[type(found).__name__] += 1
    assert {"Permanent", "Gone", "SignedOut"} <= set(seen), seen
    assert sum(seen.values()) > 50


def test_every_recorded_success_of_the_real_server_is_read() -> None:
    """Lists as lists of objects, analyses with their id, collections with theirs, compile states with a status."""
    read: Counter[str] = Counter()
    for one in recorded():
        body, path, kind = one.get("answer"), one["path"], str(one.get("answer_type"))
        if one.get("status") != 200 or not kind.startswith("application/json") or isinstance(body, str):
            continue
        found = answer(200, body, kind)
        parts = path.strip("/").split("/")
        if isinstance(body, list):
            assert answers.rows(found) == body
            read["list"] += 1
        elif parts[-1] == "compile":
            assert answers.compiled(found)[0] in ("DRAFT", "PENDING", "PASSED", "FAILED")
            read["compile"] += 1
        elif parts[0] == "analyses" and len(parts) <= 2 and one["method"] != "DELETE":
            assert answers.analysis(found)["hash_id"]
            read["analysis"] += 1
        elif parts[:2] == ["predictors", "collection"]:
            assert all(isinstance(ident, int) for ident in answers.predictor_ids(answers.collection(found)).values())
            read["collection"] += 1
        elif parts == ["auth"]:
            assert answers.token_text(found)
            read["token"] += 1
    assert {"list", "compile", "analysis", "collection", "token"} <= set(read), read
