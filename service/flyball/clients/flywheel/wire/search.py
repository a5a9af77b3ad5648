"""The site's search index: structured queries, their syntax, and how far the index is.

The index is fed from the database some time later, so that a hit may have changed or be gone: it says where to look, no
more. A search gives 10,000 hits at the most and has no pages (K19).
"""

from __future__ import annotations

from typing import Any

from flyball.clients.exchange import Does, Request, to_json
from flyball.clients.flywheel.wire.answers import Misshapen, listed
from flyball.clients.flywheel.wire.reads import JSON_BODY

MOST_HITS = 10_000


def search(query: str, returns: str, *, size: int = MOST_HITS, all_data: bool = False) -> Request:
    """A search; a POST that changes nothing.

    Args:
        query: in the site's query language.
        returns: `file`, `acquisition`, `session`, `subject`, …
        size: hits at most.
        all_data: whatever the key has a permission entry for; for site administrators, who often have none.
    """
    body: dict[str, Any] = {"structured_query": query, "return_type": returns}
    if all_data:
        body["all_data"] = True
    path = "/dataexplorer/search"
    return Request(
        "POST",
        path,
        (("simple", "true"), ("size", str(size))),
        (JSON_BODY,),
        to_json(body),
        does=Does.READ,
        template=path,
    )


def search_status() -> Request:
    """`{"status": "up-to-date" | "indexing" | "reindex" | "error"}`."""
    path = "/dataexplorer/search/status"
    return Request("GET", path, template=path)


def parse_query(query: str) -> Request:
    """`{"valid": true, "errors": [{"line", "pos", "offset", "message"}]}`."""
    path = "/dataexplorer/search/parse"
    body = to_json({"structured_query": query})
    return Request("POST", path, headers=(JSON_BODY,), body=body, does=Does.READ, template=path)


def hits(body: bytes, returns: str) -> list[dict[str, Any]]:
    """The hits of a search: what each of them is, `{"_id", "label"}`, of a file `{"name"}`, with `parent` beside it.

    Both shapes that sites answer with are taken: a bare list (`simple`), and `results` with `_source`.

    Raises:
        Misshapen: a hit is not what was asked for.
    """
    found = []
    for row in listed(body):
        source = row.get("_source") if isinstance(row.get("_source"), dict) else row
        own = source.get(returns) if isinstance(source, dict) else None
        if not isinstance(source, dict) or not isinstance(own, dict):
            raise Misshapen(f"a hit that is no {returns}")
        found.append({**own, "parent": source.get("parent")})
    return found
