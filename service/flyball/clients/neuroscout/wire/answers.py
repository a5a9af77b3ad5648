"""What answers hold, checked as far as the program relies on it. Further and missing keys are tolerated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyball.clients.exchange import Response, from_json

Json = dict[str, Any]
_GZIP = b"\x1f\x8b"


class Misshapen(ValueError):  # noqa: N818 - what it is, not who erred
    """An answer that is not what was asked for; the text says what it is instead."""


def json_of(response: Response) -> Any:
    """The JSON of an answer.

    Raises:
        Misshapen: it is a web page, or no JSON. The server answers 200 with its page for addresses it does not know.
    """
    if not response.is_json:
        raise Misshapen("a web page where JSON was asked for; is the address of the site right? It ends in /api")
    try:
        return from_json(response.body)
    except ValueError as error:
        raise Misshapen("broken JSON") from error


def rows(response: Response) -> list[Json]:
    """A list of objects."""
    value = json_of(response)
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise Misshapen("something else than a list of objects")
    return value


def one(response: Response) -> Json:
    """One object."""
    value = json_of(response)
    if not isinstance(value, dict):
        raise Misshapen("something else than an object")
    return value


def token_text(response: Response) -> str:
    """The token that a login gives."""
    value = one(response).get("access_token")
    if not isinstance(value, str) or not value:
        raise Misshapen("no access token")
    return value


def analysis(response: Response) -> Json:
    """One analysis, with its id."""
    value = one(response)
    if not isinstance(value.get("hash_id"), str) or not value["hash_id"]:
        raise Misshapen("an analysis without an id")
    return value


def collection(response: Response) -> Json:
    """One predictor collection, with its number."""
    value = one(response)
    if not isinstance(value.get("id"), int):
        raise Misshapen("a collection without an id")
    return value


def compiled(response: Response) -> tuple[str, str]:
    """Status and traceback of compiling."""
    value = one(response)
    if not isinstance(value.get("status"), str):
        raise Misshapen("no status")
    return value["status"], str(value.get("traceback") or "")


def bundle(response: Response) -> bytes:
    """A gzipped tar."""
    if not response.body.startswith(_GZIP):
        raise Misshapen("no bundle")
    return response.body


def predictor_ids(collection_row: Mapping[str, Any]) -> dict[str, int]:
    """Name → id of a collection's predictors, as far as they are made."""
    found = collection_row.get("predictors")
    return {
        str(entry["name"]): entry["id"]
        for entry in (found if isinstance(found, list) else ())
        if isinstance(entry, Mapping) and isinstance(entry.get("id"), int) and "name" in entry
    }
