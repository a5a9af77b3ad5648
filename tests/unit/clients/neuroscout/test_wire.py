"""Neuroscout's requests as values: queries, tokens, bodies."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from flyball.clients.exchange import Does
from flyball.clients.neuroscout.wire import reads, writes
from flyball.clients.neuroscout.wire.query import LONGEST, portions, searchable, with_query
from flyball.clients.neuroscout.wire.token import Token, token_of
from flyball.clients.neuroscout.wire.writes import EventsFile


def token_with(**claims: Any) -> str:
    """A token with these claims; its signature is no signature."""
    part = base64.urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=").decode()
    return f"head.{part}.signature"


def test_lists_are_written_with_bare_commas_and_names_percent_encoded() -> None:
    """`%2C` would spend three bytes of the 4094 that the server reads on each comma."""
    assert with_query("/runs", dataset_id=9, number=[1, 2], subject=["a b", "ü"], session=None) == (
        "/runs?dataset_id=9&number=1,2&subject=a%20b,%C3%BC"
    )


def test_predictors_are_asked_for_in_a_way_that_private_uploads_cannot_hide() -> None:
    """`newest=False` and the runs: else somebody's upload of the same name hides the public predictor."""
    target = reads.predictors([1, 2], ["rmse", "speech"]).target
    assert target == "/predictors?run_id=1,2&name=rmse,speech&active_only=False&newest=False"


@pytest.mark.parametrize(("number", "spent"), [(1, 0), (3000, 60), (700, 1300)])
def test_many_ids_are_asked_for_in_portions_that_fit(number: int, spent: int) -> None:
    """Each portion stays below the bound, and together they are all ids in order."""
    ids = list(range(1000, 1000 + number))
    found = list(portions(ids, spent))
    assert [ident for portion in found for ident in portion] == ids
    assert all(spent + sum(len(str(ident)) + 1 for ident in portion) <= LONGEST for portion in found)


def test_a_name_with_a_comma_cannot_be_asked_for() -> None:
    """The server takes it apart."""
    assert searchable("rmse")
    assert not searchable("left, right")


def test_a_token_tells_when_it_ends() -> None:
    """A minute before its end it is due, a short-lived one a tenth of its life before; unreadable ones never are."""
    week = token_of(token_with(iat=1000, exp=1000 + 604800, identity=3))
    assert (week.is_due(1000 + 604800 - 61), week.is_due(1000 + 604800 - 59)) == (False, True)
    short = token_of(token_with(iat=1000, exp=1010))
    assert (short.is_due(1008.9), short.is_due(1009.1)) == (False, True)
    for text in ("no token", "a.b.c", f"a.{base64.urlsafe_b64encode(b'[1]').decode()}.c", token_with(exp="soon")):
        assert not token_of(text).is_due(10**12)
    assert "secret" not in repr(Token("secret"))


def test_an_analysis_is_sent_without_nulls_and_without_what_cannot_be_set() -> None:
    """The server refuses nulls, and ignores other keys in silence."""
    request = writes.create_analysis(
        {"name": "a", "dataset_id": 9, "description": None, "status": "PASSED", "runs": []}
    )
    assert orjson.loads(request.body or b"") == {"name": "a", "dataset_id": 9, "runs": []}
    assert (request.does, request.alone) == (Does.CREATE, True)
    assert dict(request.headers)["Content-Type"] == "application/json"


def test_compiling_builds_the_model_and_says_so_in_the_query() -> None:
    """The server's own default does not, and it reads no body."""
    assert writes.compile_analysis("52546").target == "/analyses/52546/compile?build=True"


def test_the_password_is_in_no_repr() -> None:
    """Nor would it be in an error that echoes the body."""
    request = writes.login("ada@example.org", "hunter2")
    assert "hunter2" not in repr(request)
    assert request.secrets == ("hunter2",)


def test_an_upload_keeps_files_and_runs_in_step() -> None:
    """The runs of a file stand at its place, in the form that the official client sends."""
    files = [EventsFile("a.tsv", b"onset\tduration\tx\n", [10, 9]), EventsFile('b".tsv', b"onset\n", [8])]
    request = writes.upload_collection("raiders food", 10, files, {"x": "an x"})
    body = (request.body or b"").decode()
    boundary = dict(request.headers)["Content-Type"].partition("boundary=")[2]
    parts = [part.strip("\r\n") for part in body.split(f"--{boundary}")[1:-1]]
    heads = [part.split("\r\n\r\n", 1) for part in parts]
    names = [head.split('name="')[1].split('"')[0] for head, _ in heads]
    assert names == ["collection_name", "dataset_id", "descriptions", "runs", "runs", "event_files", "event_files"]
    assert [value for (head, value), name in zip(heads, names, strict=True) if name == "runs"] == ["10,9", "8"]
    assert 'filename="b_.tsv"' in heads[-1][0]
    assert body.endswith(f"--{boundary}--\r\n")
    assert writes.upload_collection("raiders food", 10, files, {}).body != request.body
