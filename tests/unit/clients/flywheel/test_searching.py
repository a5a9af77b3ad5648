"""The search index, as it is asked and as it answers."""

from __future__ import annotations

import json

import pytest

from flyball.model.errors import Permanent, Refused, Transient
from unit.clients.flywheel.test_client import client_of

SESSION = {"session": {"_id": "s1", "label": "one"}, "return_type": "session"}
FILE = {"file": {"name": "a.nii"}, "parent": {"_id": "a1", "type": "acquisition"}, "return_type": "file"}


async def test_a_search_goes_out_as_the_sdk_sends_it() -> None:
    """`simple`, the size in the query, the question in the body."""
    client, sent = client_of([SESSION])
    assert await client.search("session.label = one", "session") == [{"_id": "s1", "label": "one", "parent": None}]
    assert sent.targets == ["POST /dataexplorer/search?simple=true&size=10000"]
    body = json.loads(sent.requests[0].body or b"")
    assert body == {"structured_query": "session.label = one", "return_type": "session"}
    assert sent.requests[0].idempotent


async def test_both_shapes_of_an_answer() -> None:
    """Bare hits, and those with scores; files tell their container."""
    for answer in ([FILE], {"results": [{"_id": "x", "_source": FILE, "_score": 1.0}]}):
        client, _ = client_of(answer)
        assert await client.search("q", "file") == [{"name": "a.nii", "parent": {"_id": "a1", "type": "acquisition"}}]


async def test_a_hit_of_another_kind_is_no_answer() -> None:
    """What was not asked for is not taken for it."""
    client, _ = client_of([FILE])
    with pytest.raises((Permanent, Transient)):
        await client.search("q", "session")


async def test_administrators_search_everything_where_they_may() -> None:
    """Their keys often have no permission entries; a site that refuses it is asked without."""
    client, sent = client_of((403, {"message": "no"}), [SESSION], admin=True)
    assert len(await client.search("q", "session")) == 1
    asked = [json.loads(request.body or b"") for request in sent.requests]
    assert [body.get("all_data") for body in asked] == [True, None]


async def test_a_key_that_is_refused_is_not_asked_again() -> None:
    """401 is about the key and not about the search."""
    client, sent = client_of((401, {"message": "no"}), admin=True)
    with pytest.raises(Refused):
        await client.search("q", "session")
    assert len(sent.requests) == 1


async def test_a_wrong_query_is_permanent() -> None:
    """Asking it again is of no use."""
    client, _ = client_of((422, {"message": "Invalid query"}))
    with pytest.raises(Permanent):
        await client.search("((", "session")


async def test_what_is_wrong_with_a_query() -> None:
    """As the site says it."""
    error = {"line": 1, "pos": 4, "offset": 4, "message": "mismatched input"}
    client, sent = client_of({"valid": False, "errors": [error]}, {"valid": True, "errors": []}, {"valid": False})
    assert await client.parse_query("a = ") == ["mismatched input (column 4)"]
    assert await client.parse_query("a = b") == []
    assert await client.parse_query("?") == ["the site does not take it"]
    assert sent.targets[0] == "POST /dataexplorer/search/parse"


async def test_how_the_index_is() -> None:
    """One word."""
    client, sent = client_of({"status": "reindex"})
    assert await client.search_status() == "reindex"
    assert sent.targets == ["GET /dataexplorer/search/status"]
