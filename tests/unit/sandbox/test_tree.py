"""The tree: chosen fields over the hierarchy in one request, bounded at the top."""

from flyball.sandbox.tables import Doc
from unit.sandbox.lab import Lab, MakeLab


def tree(lab: Lab, spec: Doc, query: str = "", user: str = "admin@example.org") -> list[Doc]:
    """The rows of a tree."""
    reply = lab.ask("POST", f"/tree{query}", spec, user=user)
    assert reply.status == 200, reply
    rows: list[Doc] = reply.body
    return rows


def test_below_above_and_beside(lab: Lab) -> None:
    """Only the fields asked for, with the id; children as lists, parents as one node."""
    spec = {
        "sessions": {
            "fields": ["label", "parents.project"],
            "subject": {"fields": ["code"]},
            "acquisitions": {
                "fields": ["label"],
                "filter": "label=~^T1",
                "files": {"fields": ["name"], "sort": "name:desc"},
            },
            "analyses": {},
            "jobs": {"fields": ["state"]},
        }
    }
    (row,) = tree(lab, spec)
    assert row["label"] == "ses-01"
    assert row["parents"] == {"project": lab.project["_id"]}
    assert row["subject"] == {"_id": lab.subject["_id"], "code": "sub-01"}
    assert [a["label"] for a in row["acquisitions"]] == ["T1w"]
    names = [f["name"] for f in row["acquisitions"][0]["files"]]
    assert names == sorted(names, reverse=True)
    assert set(row["acquisitions"][0]["files"][0]) == {"name", "_id"}
    assert (row["analyses"], row["jobs"]) == ([], [])


def test_the_top_is_bounded(lab: Lab) -> None:
    """50 rows whatever is asked for; its filter and sort are in the query."""
    for number in range(60):
        lab.site.add_subject(lab.project["_id"], f"more-{number:02}")
    spec = {"subjects": {"fields": ["label"]}}
    assert len(tree(lab, spec)) == 50
    assert len(tree(lab, spec, "?limit=500")) == 50
    assert len(tree(lab, spec, "?limit=5")) == 5
    rest = tree(lab, spec, f"?after_id={tree(lab, spec)[-1]['_id']}")
    assert len(rest) == 62 - 50
    assert [r["label"] for r in tree(lab, spec, "?filter=label=sub-01")] == ["sub-01"]
    assert len(tree(lab, {"subjects": {"fields": [], "filter": "label=sub-01"}})) == 50
    down = tree(lab, {"projects": {"fields": [], "subjects": {"fields": ["label"], "sort": "label:desc", "limit": 2}}})
    assert [s["label"] for s in down[0]["subjects"]] == ["sub-01", "more-59"]


def test_permissions_and_refusals(lab: Lab) -> None:
    """Hidden projects are left out; one top level; no info; known connections only."""
    spec = {"projects": {"fields": ["label"]}}
    assert [p["label"] for p in tree(lab, spec, user="op@example.org")] == ["tome"]
    wrongs: tuple[Doc, ...] = (
        {},
        {"projects": {}, "subjects": {}},
        {"gears": {}},
        {"projects": {"fields": ["info"]}},
        {"projects": {"files": {"filter": "name=x", "fields": []}}},
        {"projects": {"children": {}}},
    )
    for wrong in wrongs:
        assert lab.ask("POST", "/tree", wrong).status == 400, wrong


def test_the_graph(make_lab: MakeLab) -> None:
    """The connections of each kind, on both dialects."""
    for dialect in ("v23", "live19"):
        graph = make_lab(dialect).get("/tree/graph")
        assert graph["sessions"]["connections"]["subject"]["order"] == "1"
        assert set(graph["projects"]["connections"]) == {
            *("group", "subjects", "sessions", "acquisitions", "analyses", "jobs"),
        }
