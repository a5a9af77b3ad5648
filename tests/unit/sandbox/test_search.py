"""Structured search over the API: hits, sizes, permissions, the lag of the index, and refusals."""

from datetime import timedelta

import pytest

from unit.sandbox.lab import Lab, MakeLab

SEARCH = "/dataexplorer/search"


def hits(
    lab: Lab, query: str, returns: str = "acquisition", user: str = "admin@example.org", **more: object
) -> list[dict]:  # type: ignore[type-arg] # JSON
    """The hits of a simple search."""
    body = {"structured_query": query, "return_type": returns, **more}
    reply = lab.ask("POST", f"{SEARCH}?simple=true", body, user=user)
    assert reply.status == 200, reply
    found: list[dict] = reply.body  # type: ignore[type-arg] # JSON
    return found


def test_a_query_holds_for_one_document(lab: Lab) -> None:
    """Conditions on session, acquisition and file meet in one file; each acquisition comes once."""
    found = hits(
        lab,
        "session.age >= 630720000 AND file.classification.Measurement = T1 AND "
        "file.classification.Intent = Structural AND NOT acquisition.label CONTAINS .*SBRef.*",
    )
    assert [h["acquisition"]["label"] for h in found] == ["T1w"]
    assert found[0]["return_type"] == "acquisition"
    assert found[0]["subject"]["code"] == "sub-01"
    assert set(found[0]["group"]) == {"_id", "label"}
    assert "file" not in found[0]
    assert hits(lab, "file.classification.Measurement = T1 AND file.type = pdf") == []


def test_files_come_with_their_parent_and_without_an_id(lab: Lab) -> None:
    """What is shown of a file hit."""
    found = hits(lab, "file.type = nifti AND acquisition.label = T1w", "file")
    (hit,) = found
    assert hit["file"]["name"] == "T1w.nii.gz"
    assert "file_id" not in hit["file"]
    assert hit["parent"] == {"_id": lab.acquisition()["_id"], "type": "acquisition"}


def test_other_levels(lab: Lab) -> None:
    """The same query answered by session, subject and project."""
    for level, label in (("session", "ses-01"), ("project", "tome")):
        assert [h[level]["label"] for h in hits(lab, "acquisition.label = T1w", level)] == [label]
    assert [h["subject"]["code"] for h in hits(lab, "acquisition.label = T1w", "subject")] == ["sub-01"]
    assert hits(lab, "analysis.label EXISTS", "analysis") == []


def test_size_and_order(lab: Lab) -> None:
    """The word in the address counts before the body; 10,000 is the most; most matches come first."""
    everything = hits(lab, "session.label EXISTS")
    assert len(everything) == 6
    assert len(hits(lab, "session.label EXISTS", size=2)) == 2
    body = {"structured_query": "session.label EXISTS", "return_type": "acquisition", "size": 2}
    assert len(lab.ask("POST", f"{SEARCH}?simple=true&size=3", body).body) == 3
    assert lab.ask("POST", f"{SEARCH}?size=10001", body).status == 400
    assert lab.ask("POST", f"{SEARCH}?size=many", body).status == 400
    down = hits(lab, "session.label EXISTS", sort={"field": "acquisition.label", "order": "desc"}, size=1)
    assert down[0]["acquisition"]["label"] == "task-rest_run-04"


def test_permissions(make_lab: MakeLab) -> None:
    """Without all_data only what the user has an entry for; with it everything, or a 403 on an old site."""
    lab = make_lab()
    user = "op@example.org"
    assert [h["project"]["label"] for h in hits(lab, "project.label EXISTS", "project", user)] == ["tome"]
    whole = hits(lab, "project.label EXISTS", "project", user, all_data=True)
    assert sorted(h["project"]["label"] for h in whole) == ["secret", "tome"]
    body = {"structured_query": "project.label EXISTS", "return_type": "project", "all_data": True}
    assert make_lab("live19").ask("POST", SEARCH, body, user=user).status == 403


def test_words_and_filters(lab: Lab) -> None:
    """Plain words look into all texts; filters have the search engine's own form."""
    assert [h["acquisition"]["label"] for h in hits(lab, "", search_string="inplane")] == ["inplaneT2"]
    both = hits(
        lab, "", "file", filters=[{"terms": {"file.type": ["dicom", "qa"]}}, {"range": {"file.size": {"gt": 100}}}]
    )
    assert {h["file"]["type"] for h in both} == {"dicom"}
    assert hits(lab, "", "file", filters=[{"term": {"file.info.snr": 99}}]) == []
    unset = hits(lab, "", "file", filters=[{"terms": {"file.info.snr": ["null"]}}])
    assert unset
    refused = lab.ask("POST", SEARCH, {"return_type": "file", "filters": [{"fuzzy": {}}]})
    assert refused.status == 400


def test_other_forms(lab: Lab) -> None:
    """The search engine's own rows, and CSV."""
    body = {"structured_query": "acquisition.label = T1w", "return_type": "acquisition"}
    (row,) = lab.ask("POST", SEARCH, body).body["results"]
    assert row["_id"] == lab.acquisition()["_id"]
    assert row["_source"]["acquisition"]["label"] == "T1w"
    table = lab.ask("POST", f"{SEARCH}?csv=true", body)
    assert table.raw is not None
    head, line = table.raw.decode().splitlines()
    assert dict(zip(head.split(","), line.split(","), strict=True))["acquisition.label"] == "T1w"


def test_refusals(lab: Lab) -> None:
    """No return type, a query that cannot be read, a broken pattern."""
    assert lab.ask("POST", SEARCH, {"structured_query": "a = 1"}).status == 400
    broken = lab.ask("POST", SEARCH, {"structured_query": "a >> 1", "return_type": "file"})
    assert (broken.status, broken.body["message"]) == (422, "1:3 - Unknown operator: '>>'")
    body = {"structured_query": 'a =~ "(x"', "return_type": "file"}
    assert lab.ask("POST", SEARCH, body).status == 400


def test_the_parser_and_suggestions(lab: Lab) -> None:
    """Validation with places; completion of fields and values."""
    good = lab.ask("POST", f"{SEARCH}/parse", {"structured_query": "file.type = nifti"})
    assert good.body == {"valid": True, "errors": []}
    bad = lab.ask("POST", f"{SEARCH}/parse", {"structured_query": "a And b"}).body
    assert (bad["valid"], bad["errors"][0]["pos"]) == (False, 3)
    fields = lab.ask("POST", f"{SEARCH}/suggest", {"structured_query": "session.l"}).body
    assert [s["value"] for s in fields["suggestions"]] == ["session.label"]
    values = lab.ask("POST", f"{SEARCH}/suggest", {"structured_query": "file.type = NIF"}).body
    assert (values["from"], [s["value"] for s in values["suggestions"]]) == (12, ["nifti"])


@pytest.mark.parametrize("dialect", ["v23", "live19"])
def test_the_index_is_late(make_lab: MakeLab, dialect: str) -> None:
    """New, changed and deleted documents are seen after the lag, in the state that they had."""
    lab = make_lab(dialect, search={"lag_s": 10})
    scan = lab.acquisition()
    body = {"label": "T1w_new", "session": lab.session["_id"]}
    own = lab.ask("POST", "/acquisitions", body).body["_id"]
    lab.ask("POST", f"/acquisitions/{scan['_id']}/tags", {"value": "FIRST"})
    assert lab.get(f"{SEARCH}/status") == {"status": "indexing"}
    assert hits(lab, "acquisition.label = T1w_new") == []
    assert hits(lab, "acquisition.tags = FIRST") == []
    lab.later(9)
    lab.ask("DELETE", f"/acquisitions/{scan['_id']}/tags/FIRST")
    assert hits(lab, "acquisition.label = T1w_new") == []
    lab.later(1)
    assert [h["acquisition"]["_id"] for h in hits(lab, "acquisition.label = T1w_new")] == [own]
    assert [h["acquisition"]["_id"] for h in hits(lab, "acquisition.tags = FIRST")] == [scan["_id"]]
    lab.later(10)
    assert hits(lab, "acquisition.tags = FIRST") == []
    assert lab.get(f"{SEARCH}/status") == {"status": "up-to-date"}
    lab.ask("DELETE", f"/acquisitions/{own}")
    assert len(hits(lab, "acquisition.label = T1w_new")) == 1
    lab.later(10)
    assert hits(lab, "acquisition.label = T1w_new") == []
    assert lab.site.search.lag == timedelta(seconds=10)
