"""Requests and responses as values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flyball.clients.exchange import (
    RETRY_AFTER_CAP,
    Does,
    Request,
    Response,
    from_json,
    retry_after,
    segment,
    to_json,
    trimmed,
)
from flyball.model.errors import Permanent

NOW = datetime(2026, 11, 2, 9, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("2.5", 2.5),
        ("Mon, 02 Nov 2026 09:00:30 GMT", 30.0),
        ("Mon, 02 Nov 2026 08:00:00 GMT", 0.0),
        ("Monday, 02-Nov-26 09:01:00 GMT", 60.0),
        ("999999999", RETRY_AFTER_CAP),
        ("Fri, 31 Dec 9999 23:59:59 GMT", RETRY_AFTER_CAP),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("1e9", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(value: str, seconds: float | None) -> None:
    """Seconds, dates in the past and far in the future, and nonsense."""
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_no_retry_after_is_none() -> None:
    """An absent header asks for nothing."""
    assert retry_after({}, NOW) is None


def test_the_query_is_encoded_as_the_official_sdk_does() -> None:
    """Form style: colon and plus encoded, a blank as plus, keys may repeat."""
    request = Request(
        "GET", "/jobs", (("filter", "modified>=2026-11-02T09:15:42+00:00,label=a b"), ("a", "1"), ("a", "2"))
    )
    assert request.target == "/jobs?filter=modified%3E%3D2026-11-02T09%3A15%3A42%2B00%3A00%2Clabel%3Da+b&a=1&a=2"


@pytest.mark.parametrize(
    ("text", "encoded"), [("a b/c", "a%20b%2Fc"), ("op@x.org", "op%40x.org"), ("…", "%E2%80%A6"), ("a.b", "a.b")]
)
def test_path_segments_leave_nothing_bare(text: str, encoded: str) -> None:
    """A slash in a tag does not open another address."""
    assert segment(text) == encoded


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_segments_that_would_move_the_address_are_refused(text: str) -> None:
    """DELETE /acquisitions/ID/tags/.. would be the acquisition itself after a proxy's tidying."""
    with pytest.raises(Permanent):
        segment(text)


def test_what_a_repetition_would_do_decides_the_rest() -> None:
    """Reads and sets may be repeated; creates go out alone."""
    kinds = {does: Request("POST", "/x", does=does) for does in Does}
    assert [does for does, request in kinds.items() if request.idempotent] == [Does.READ, Does.SET]
    assert [does for does, request in kinds.items() if request.alone] == [Does.CREATE]
    assert kinds[Does.READ].on_fresh_connection().alone


def test_a_request_shows_no_body_and_no_secrets() -> None:
    """The body of a launch holds licences."""
    request = Request("POST", "/jobs/add", body=b"LICENCE", secrets=("LICENCE",))
    assert "LICENCE" not in repr(request)
    assert request.name == "POST /jobs/add"


def test_texts_are_trimmed_to_one_line_without_secrets() -> None:
    """Line breaks go, length is bounded, given secrets are blotted out."""
    assert trimmed("a\n\n b\x00c\u2028d") == "a b c d"
    assert len(trimmed("x" * 1000)) == 200
    assert trimmed("the key s3cret! is wrong", secrets=("s3cret!", "is")) == "the key … is wrong"


def test_json_of_documents_survives_the_way() -> None:
    """Dates become text; broken JSON is a ValueError."""
    assert from_json(to_json({"when": NOW, "n": 1})) == {"when": "2026-11-02T09:00:00+00:00", "n": 1}
    with pytest.raises(ValueError, match="unexpected end"):
        from_json(b'{"_id": "64a0')


def test_only_2xx_is_ok() -> None:
    """A redirect is no success."""
    assert [status for status in (199, 200, 204, 299, 300, 404) if Response(status).ok] == [200, 204, 299]
    assert Response(200, {"content-type": "application/json; charset=utf-8"}).is_json
