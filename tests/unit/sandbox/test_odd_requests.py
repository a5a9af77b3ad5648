"""Every address with bodies and queries of the wrong kind: answered, and the site goes on."""

from typing import Any

import orjson
import pytest

from flyball.sandbox.api.call import Part
from flyball.sandbox.api.front import ADDRESSES
from flyball.sandbox.dice import Dice
from flyball.sandbox.tables import Doc
from unit.sandbox.lab import Lab


def addresses(node: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, tuple[str, ...]]]:
    """Every method and pattern that the site has; `*` stands for a value."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for part, below in node.items():
        if part == "/":
            found.extend((method, path) for method in below)
        else:
            found.extend(addresses(below, (*path, part)))
    return found


def bodies(lab: Lab) -> list[Any]:
    """Bodies with a field of the wrong type each, most of them fitting some address otherwise."""
    gear, session = str(lab.gear("mriqc")["_id"]), str(lab.session["_id"])
    columns: Doc = {"columns": [{"src": "subject.label"}]}
    target = [{"type": "session", "id": session}]
    return [
        *(None, {}, [], ["x", 5], "x", 5),
        *(
            {name: 5}
            for name in ("label", "value", "text", "set", "delete", "replace", "add", "state", "path", "nodes")
        ),
        *({name: 5} for name in ("contents", "columns", "sessions", "jobs", "projects", "tags", "type", "info")),
        *({"contents": {"operation": "add", "nodes": nodes}} for nodes in (5, [5])),
        *({"nodes": [{"level": "session", "_id": session}], "filters": filters} for filters in (5, [5])),
        *({"return_type": "file", name: 5} for name in ("structured_query", "size", "filters", "sort")),
        *({"return_type": "file", "filters": [{kind: 5}]} for kind in ("terms", "term", "range", "exists")),
        *({**columns, name: 5} for name in ("fileSpec", "groupBy", "filter", "missingDataStrategy")),
        *({"columns": [column]} for column in (5, {"src": 5}, {"src": "subject.label", "dst": 5})),
        *({"gear_id": gear, "targets": targets} for targets in (5, [5], [{"type": "x"}])),
        *({"gear_id": gear, "targets": target, name: 5} for name in ("tags", "config", "analysis")),
        *({"gear_id": gear, "name": "r", name: 5} for name in ("all", "any", "config", "tags")),
        *(
            {"filenames": names, "metadata": meta}
            for names, meta in ((5, {}), ([5], {}), (["a"], 5), (["a"], {"size": "x"}))
        ),
        *({"label": "x", name: 5} for name in ("project", "session", "subject", "inputs", "job", "age", "timestamp")),
        {"label": "x", "job": {"gear_id": gear, "inputs": {"nifti": 5}}},
        {"jobs": [{"gear_id": gear, "inputs": 5}]},
        {"projects": {"fields": ["label"], "subjects": {"filter": "x"}}},
        {"destination_container_type": "subjects", "sources": 5, "destinations": [5]},
        {"_id": "op@example.org", "role_ids": 5},
        {"container_reference": 5},
        {"job_ids": 5, "priority": "high"},
    ]


QUERIES = (
    *(
        "",
        "filter=x",
        "filter=label=~(",
        "limit=0",
        "limit=x",
        "sort=x:y",
        "page=1",
        "skip=-1",
        "after_id=x",
        "version=x",
    ),
    *("format=xls", "ticket=", "ticket=x", "member=x", "info=true", "size=x", "csv=true", "containerId=x", "view=true"),
)
UPLOADS = (
    b"x",
    b"5",
    b"[5]",
    b'{"group": 5}',
    b'{"info": 5}',
    b'{"tags": 5}',
    b'{"classification": {"a": 5}}',
    b'{"name": 5}',
)


@pytest.mark.parametrize("number", range(4))
def test_odd_requests_are_answered(lab: Lab, number: int) -> None:
    """No request of the wrong kind is a crash, and afterwards the site can be read as before."""
    lab.site.add_analysis("session", lab.session["_id"], "a")
    tables = (lab.site.acquisitions, lab.site.files, lab.site.gears, lab.site.projects, lab.site.sessions)
    values = [str(table.ids[0]) for table in tables] + [
        lab.site.analyses.ids[0],
        "f" * 24,
        "x",
        "scien",
        "self",
        "site",
    ]
    dice = Dice.of("odd", number)
    wrong = bodies(lab)
    asked = 0
    for method, pattern in addresses(ADDRESSES._root):
        if method == "DELETE":
            continue
        for _ in range(6):
            path = "/".join(dice.choice(values) if part == "*" else part for part in pattern)
            parts = None
            if "upload" in pattern or "files" in pattern:
                parts = [Part("metadata", None, None, dice.choice(UPLOADS)), Part("file", "f.txt", None, b"x")]
            reply = lab.ask(method, f"/{path}?{dice.choice(QUERIES)}", dice.choice(wrong), parts=parts)
            assert reply.raw is not None or reply.chunks is not None or orjson.dumps(reply.body)
            asked += 1
    assert asked > 1000
    lab.later(3600)
    for plural in ("projects", "subjects", "sessions", "acquisitions", "analyses", "files", "jobs", "collections"):
        assert lab.get(f"/{plural}?include_all_info=true") is not None
