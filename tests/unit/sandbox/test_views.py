"""Data views over the API: rows, columns, files inside and out, formats, executions, saved ones, refusals."""

import csv
import gzip
import io
from typing import Any

import orjson
import pytest

from flyball.sandbox.files import put_file
from flyball.sandbox.outputs import archive_of
from flyball.sandbox.tables import Doc
from unit.sandbox.lab import Lab, MakeLab

PLAIN = {"includeIds": False, "includeLabels": False}
LABELS: dict[str, Any] = {
    "columns": [{"src": "subject.label"}, {"src": "session.label"}, {"src": "acquisition.label"}],
    **PLAIN,
}


def rows(lab: Lab, view: Doc, query: str = "", form: str = "json-flat", container: str | None = None) -> Any:
    """The rows of a view that is run at once."""
    own = container or lab.project["_id"]
    reply = lab.ask("POST", f"/views/data?containerId={own}&format={form}{query}", view)
    assert reply.status == 200, reply
    assert reply.raw is not None
    return orjson.loads(reply.raw) if "json" in form and form != "ndjson" else reply.raw.decode()


def files_of(match: str = "all", pattern: str = "*", **more: Any) -> Doc:
    """A file specification for acquisitions."""
    return {"container": "acquisition", "filter": {"value": pattern}, "match": match, "processFiles": False, **more}


def test_containers_are_joined_downwards(lab: Lab) -> None:
    """One row for each acquisition; from any container of the hierarchy."""
    found = rows(lab, LABELS)
    assert len(found) == 6
    assert found[0] == {"subject.label": "sub-01", "session.label": "ses-01", "acquisition.label": "T1w"}
    assert rows(lab, LABELS, container=lab.session["_id"]) == found
    assert rows(lab, LABELS, container=lab.acquisition()["_id"]) == found[:1]


def test_labels_and_ids_are_added_unless_refused(lab: Lab) -> None:
    """Labels of all levels before, ids behind."""
    (row,) = rows(lab, {"columns": [{"src": "session.age_years"}]})
    assert list(row) == [
        *("project.label", "subject.label", "session.label", "session.age_years"),
        *("project.id", "subject.id", "session.id"),
    ]
    assert row["session.age_years"] == pytest.approx(30)
    assert row["session.id"] == lab.session["_id"]


def test_files_and_their_metadata(lab: Lab) -> None:
    """Which file is taken, names in any letter case, rows without a file last, drop-row."""
    columns = [{"src": "acquisition.label"}, {"src": "file.name"}, {"src": "file.info.EchoTime", "dst": "Echo Time"}]
    view = {"columns": columns, "fileSpec": files_of(pattern="TASK*.DICOM.ZIP"), **PLAIN}
    found = rows(lab, view)
    assert [r["file.name"] for r in found[:4]] == [f"task-rest_run-0{n}.dicom.zip" for n in range(1, 5)]
    assert {r["Echo Time"] for r in found[:4]} == {0.03}
    assert [r["file.name"] for r in found[4:]] == [None, None]
    assert len(rows(lab, {**view, "missingDataStrategy": "drop-row"})) == 4
    everything = {**view, "fileSpec": files_of("all", "*.dicom.zip")}
    assert len(rows(lab, everything)) == 6
    for match, count in (("first", 6), ("newest", 6), ("all", 17)):
        found = [r for r in rows(lab, {**view, "fileSpec": files_of(match)}) if r["file.name"]]
        assert len(found) == count, match
    regex = {**view, "fileSpec": {**files_of(), "filter": {"value": r"^T1w\.nii", "regex": True}}}
    assert [r["file.name"] for r in rows(lab, regex) if r["file.name"]] == ["T1w.nii.gz"]


def test_rows_inside_of_files(lab: Lab) -> None:
    """CSV, TSV, JSON, compressed, as a member of an archive; unreadable ones last, with their error."""
    scan = lab.acquisition()
    put_file(lab.site, "acquisition", scan, "a.csv", content=b"region,volume\r\nleft,1\r\nright,2\r\n")
    view: Doc = {"columns": [{"src": "acquisition.label"}, {"src": "file.row_number"}], **PLAIN, "errorColumn": True}

    def read(pattern: str, **more: Any) -> list[Doc]:
        spec = {"container": "acquisition", "filter": {"value": pattern}, **more}
        found = rows(lab, {**view, "fileSpec": spec}, container=scan["_id"])
        return [{k: v for k, v in row.items() if k != "acquisition.label"} for row in found]

    assert read("a.csv") == [
        {"file.row_number": 0, "region": "left", "volume": "1", "errors": None},
        {"file.row_number": 1, "region": "right", "volume": "2", "errors": None},
    ]
    typed = read("a.csv", columns=[{"src": "volume", "dst": "mm3", "type": "float"}])
    assert [r["mm3"] for r in typed] == [1.0, 2.0]
    put_file(lab.site, "acquisition", scan, "b.tsv.gz", content=gzip.compress(b"x\ty\n1\t2\n"))
    assert read("b.tsv.gz")[0]["y"] == "2"
    put_file(lab.site, "acquisition", scan, "c.json", content=b'[{"deep": {"n": 1}}, {"deep": {"n": 2}}]')
    assert [r["n"] for r in read("c.json", columns=[{"src": "deep.n", "dst": "n"}])] == [1, 2]
    put_file(lab.site, "acquisition", scan, "d.zip", content=archive_of({"x/aseg.csv": "v\n7\n", "y.txt": "no"}))
    assert read("d.zip", zipMember={"value": "*/aseg.csv"})[0]["v"] == "7"
    broken = read("d.zip", zipMember={"value": "*.nothing"})
    assert broken[0]["errors"].startswith("Could not find matching zip entry")
    assert "No file matches" in read("absent.csv")[0]["errors"]
    assert read("T1w.nii.gz")[0]["errors"].startswith("Could not read T1w.nii.gz")


def test_files_of_analyses(lab: Lab) -> None:
    """Outputs of a gear, chosen by its name."""
    session = lab.session
    for gear in ("mriqc", "other"):
        analysis = lab.site.add_analysis(
            "session", session["_id"], f"{gear} run", gear_info={"name": gear, "version": "1"}
        )
        put_file(lab.site, "analysis", analysis, "summary.csv", content=f"gear\n{gear}\n".encode())
    spec = {"container": "session", "filter": {"value": "*.csv"}, "analysisFilter": {"gear.name": {"value": "mri*"}}}
    found = rows(lab, {"columns": [{"src": "session.label"}, {"src": "analysis.label"}], "fileSpec": spec, **PLAIN})
    assert found == [{"session.label": "ses-01", "analysis.label": "mriqc run", "gear": "mriqc"}]


def test_types_expressions_and_groups(lab: Lab) -> None:
    """Values that cannot be converted are missing; calculations; sums and means by group."""
    columns = [
        {"src": "session.age", "dst": "months", "expr": "x / 2592000.0", "type": "int"},
        {"src": "session.label", "dst": "n", "type": "int"},
        {"src": "subject", "dst": "s"},
    ]
    (row,) = rows(lab, {"columns": columns, **PLAIN})
    assert (row["months"], row["n"], row["s.label"], row["s.sex"]) == (365, None, "sub-01", "female")
    group: Doc = {"columns": [{"src": "file.size", "dst": "bytes", "accumulator": "sum"}], "fileSpec": files_of()}
    found = rows(lab, {**group, "groupBy": {"columns": ["file.type"]}})
    assert {r["file.type"]: r["bytes"] for r in found if r["bytes"]}["dicom"] == 6 * 4096


def test_filters_pages_and_order(lab: Lab) -> None:
    """By labels also when they look like numbers; a level below the view's is refused."""
    assert [r["acquisition.label"] for r in rows(lab, LABELS, "&filter=acquisition.label=T1w")] == ["T1w"]
    assert rows(lab, LABELS, "&filter=subject.label=1001") == []
    assert len(rows(lab, LABELS, "&skip=1&limit=2")) == 2
    down = rows(lab, LABELS, "&sort=acquisition.label:desc&limit=1")
    assert down[0]["acquisition.label"] == "task-rest_run-04"
    assert len(rows(lab, {**LABELS, "filter": "acquisition.label=~^task"})) == 4
    refused = lab.ask("POST", f"/views/data?containerId={lab.project['_id']}&filter=file.name=x", LABELS)
    assert refused.status == 200
    narrow = {"columns": [{"src": "subject.label"}]}
    refused = lab.ask("POST", f"/views/data?containerId={lab.project['_id']}&filter=session.label=x", narrow)
    assert refused.status == 400


def test_formats(lab: Lab) -> None:
    """Wrapped, flat, columns and rows, lines, CSV and TSV with CRLF; maps spread over columns in CSV."""
    view: Doc = {
        "columns": [{"src": "acquisition.label", "dst": "a"}, {"src": "file.classification", "type": "object"}]
    }
    view |= {"fileSpec": files_of("first", "*.nii.gz"), **PLAIN}
    first = {"a": "T1w", "file.classification": {"Intent": ["Structural"], "Measurement": ["T1"]}}
    assert rows(lab, view, form="json")["data"][0] == first
    assert rows(lab, view)[0] == first
    assert rows(lab, view, form="json-row-column")["data"]["columns"] == ["a", "file.classification"]
    assert orjson.loads(rows(lab, view, form="ndjson").splitlines()[0]) == first
    text = rows(lab, view, form="csv")
    assert text.splitlines(keepends=True)[0] == "a,file.classification.Intent,file.classification.Measurement\r\n"
    assert next(csv.reader(io.StringIO(text.split("\r\n")[1]))) == ["T1w", '["Structural"]', '["T1"]']
    assert rows(lab, LABELS, form="tsv").startswith("subject.label\tsession.label")
    assert lab.ask("POST", f"/views/data?containerId={lab.project['_id']}&format=xls", LABELS).status == 400


def test_executions_take_their_time(lab: Lab) -> None:
    """Queued, processed, completed; the data only then; saved to the project; deleted."""
    queued = lab.ask("POST", f"/views/queue?containerId={lab.project['_id']}", {**LABELS, "label": "v"})
    assert queued.body["state"] == "queued"
    own = queued.body["_id"]
    assert lab.ask("GET", f"/data_view_executions/{own}/data").status == 400
    lab.later(0.05)
    assert lab.get(f"/data_view_executions/{own}")["state"] == "processing"
    lab.later(0.1)
    assert lab.get(f"/data_view_executions/{own}")["state"] == "completed"
    data = lab.ask("GET", f"/data_view_executions/{own}/data?file_format=csv")
    assert data.raw is not None
    assert len(data.raw.splitlines()) == 7
    ticket = lab.ask("GET", f"/data_view_executions/{own}/data?ticket=").body["ticket"]
    assert lab.ask("GET", f"/data_view_executions/{own}/data?ticket={ticket}", user=None).status == 200
    assert lab.rows("/data_view_executions?filter=state=completed", "data_view_label") == ["v"]
    assert lab.ask("POST", f"/data_view_executions/{own}/save?file_format=csv").body["name"] == "v.csv"
    assert [f["name"] for f in lab.project["files"]] == ["v.csv"]
    assert lab.ask("GET", f"/data_view_executions/{own}", user="op@example.org").status == 403
    assert lab.ask("POST", f"/data_view_executions/{own}/delete").body == {"deleted": 1}
    assert lab.ask("GET", f"/data_view_executions/{own}").status == 404


def test_executions_may_fail(make_lab: MakeLab) -> None:
    """Without a reason, and without data."""
    lab = make_lab(views={"fail_rate": 1})
    own = lab.ask("POST", f"/views/queue?containerId={lab.project['_id']}", LABELS).body["_id"]
    lab.later(1)
    assert lab.get(f"/data_view_executions/{own}")["state"] == "failed"
    assert lab.ask("GET", f"/data_view_executions/{own}/data").status == 400


def test_saved_views(lab: Lab) -> None:
    """Added to a container, listed, changed, run, kept as a file, deleted."""
    project = lab.project["_id"]
    own = lab.ask("POST", f"/containers/{project}/views", {**LABELS, "label": "mine"}).body["_id"]
    assert lab.rows(f"/containers/{project}/views") == ["mine"]
    assert lab.ask("PUT", f"/views/{own}", {"label": "ours"}).body == {"modified": 1}
    assert lab.get(f"/views/{own}")["label"] == "ours"
    assert lab.ask("GET", f"/views/{own}/data?containerId={project}&format=csv").status == 200
    queued = lab.ask("POST", f"/views/{own}/queue?containerId={project}").body
    assert (queued["data_view_id"], queued["data_view_label"]) == (own, "ours")
    target = {"containerType": "project", "containerId": project, "filename": "v.csv"}
    kept = lab.ask("POST", f"/views/save?containerId={project}&format=csv", {"viewId": own, **target})
    assert kept.body["name"] == "v.csv"
    assert lab.ask("POST", f"/views/save?containerId={project}", target).status == 400
    assert lab.ask("DELETE", f"/views/{own}").body == {"deleted": 1}
    assert lab.ask("GET", f"/views/{own}").status == 404
    assert lab.ask("POST", f"/containers/{project}/views", LABELS).status == 400
    assert any(c["name"] == "subject.label" for c in lab.get("/views/columns"))


REFUSED: dict[str, Doc] = {
    "unknown key": {"colums": []},
    "no columns": {"columns": []},
    "no such container": {"columns": [{"src": "gear.name"}]},
    "no alias": {"columns": [{"src": "label"}]},
    "hidden": {"columns": [{"src": "project.permissions"}]},
    "below the file": {
        "columns": [{"src": "acquisition.label"}],
        "fileSpec": {"container": "session", "filter": {"value": "*"}},
    },
    "file container": {"columns": [], "fileSpec": {"container": "group", "filter": {"value": "*"}}},
    "no file filter": {"columns": [], "fileSpec": {"container": "session"}},
    "match": {"columns": [], "fileSpec": {"container": "session", "filter": {"value": "*"}, "match": "some"}},
    "pattern": {"columns": [], "fileSpec": {"container": "session", "filter": {"value": "(", "regex": True}}},
    "expression": {"columns": [{"src": "session.age", "expr": "__import__('os')"}]},
    "power": {"columns": [{"src": "session.age", "expr": "9 ** 9 ** 9"}]},
    "strategy": {"columns": [{"src": "session.age"}], "missingDataStrategy": "guess"},
    "type": {"columns": [{"src": "session.age", "type": "date"}]},
    "file column without files": {"columns": [{"src": "session.age"}, {"src": "file.name"}]},
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_views(lab: Lab, case: str) -> None:
    """A wrong specification is a 400 at once, also when it is queued."""
    for path in ("/views/data", "/views/queue"):
        assert lab.ask("POST", f"{path}?containerId={lab.project['_id']}", REFUSED[case]).status == 400


def test_refused_containers(lab: Lab) -> None:
    """No container, an absent one, one that the user may not see."""
    assert lab.ask("POST", "/views/data", LABELS).status == 400
    assert lab.ask("POST", f"/views/data?containerId={'f' * 24}", LABELS).status == 404
    secret = next(p for p in lab.site.projects.rows.values() if p["label"] == "secret")
    assert lab.ask("POST", f"/views/queue?containerId={secret['_id']}", LABELS, user="op@example.org").status == 404


def test_an_old_site(make_lab: MakeLab) -> None:
    """Runs at once only, knows no later keys, cannot sort, leaves out levels without values."""
    lab = make_lab("live19")
    project = lab.project["_id"]
    assert lab.ask("POST", f"/views/queue?containerId={project}", LABELS).status == 404
    assert lab.ask("POST", f"/views/data?containerId={project}", {**LABELS, "sort": True}).status == 400
    assert lab.ask("POST", f"/views/data?containerId={project}&sort=x", LABELS).status == 422
    assert lab.ask("POST", f"/views/data?containerId={project}&format=ndjson", LABELS).status == 400
    found = rows(lab, {"columns": [{"src": "subject.label"}, {"src": "session.info.visit"}], **PLAIN}, form="json")
    assert found == {"data": [{"subject.label": "sub-01"}]}
    empty = {**LABELS, "fileSpec": files_of(pattern="nothing"), "missingDataStrategy": "drop-row"}
    empty["columns"] = [*LABELS["columns"], {"src": "file.name"}]
    assert rows(lab, empty, form="csv") == ""
