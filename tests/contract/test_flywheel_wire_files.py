"""Our requests about collections, files, views and new containers against those of the official SDK 23, recorded.

Every difference is declared beside its purpose with the reason; one that is declared and does not occur fails too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flyball.clients.exchange import Request, Slice
from flyball.clients.flywheel.client import headers_for
from flyball.clients.flywheel.keys import parse_key
from flyball.clients.flywheel.wire import collections, content, making, views
from flyball.effects.view import ViewParams, specification

SAMPLES = Path(__file__).parent.parent / "samples" / "flywheel-sdk-file-requests.jsonl"
PROJECT, SUBJECT, SESSION, ACQUISITION, ANALYSIS, COLLECTION, EXECUTION, OTHER = (
    f"64a0000000000000000000{n}" for n in ("01", "02", "03", "04", "05", "09", "0e", "13")
)
KEY = "k" * 57
TICKET = "64a000000000000000000700"
PLAIN = "bytes as they are: what storage sends packed could not be told from a packed file"
KEPT = "a replaced file shall keep its metadata"
SUBJECTS = "sites of 2019 take a subject's label only from clients that say so"
RANGED = "the recording asks for the first bytes, we for those that are missing"
VIEW = specification(
    ViewParams.model_validate(
        {
            "label": "fMRI_scan_parameters",
            "container": "acquisition",
            "filename": "*fMRI*.dcm.zip",
            "missing_data_strategy": "drop-row",
            "name": "x.csv",
            "columns": [
                *("project.label", "subject.label", "session.label", "acquisition.label"),
                {"src": "file.info.EchoTime", "dst": "Echo Time"},
                {"src": "file.info.FlipAngle", "dst": "Flip Angle"},
                {"src": "file.info.RepetitionTime", "dst": "TR"},
            ],
        }
    )
)


@dataclass
class Purpose:
    """One thing that both can do; `differs` maps a place to the reason for the difference."""

    call: str
    ours: Request
    request: int = 0
    differs: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.call} {self.request}"


IDENTITY = {"headers.accept-encoding": PLAIN}
PURPOSES = [
    Purpose("fw.add_collection({'label': 'C'})", collections.make_collection("C")),
    Purpose(
        "coll.add_acquisitions(acq1, acq2)", collections.change_members(COLLECTION, "add", (ACQUISITION, OTHER)), 1
    ),
    Purpose(
        "fw.modify_collection(ID, {'contents': {'operation': 'remove', 'nodes': [...]}})",
        collections.change_members(COLLECTION, "remove", (ACQUISITION,)),
    ),
    Purpose("fw.read_view_dataframe(view, PROJECT_ID)", views.queue_view(VIEW, PROJECT)),
    Purpose("fw.read_view_dataframe(view, PROJECT_ID)", views.execution(EXECUTION), 1),
    Purpose("fw.read_view_dataframe(view, PROJECT_ID)", views.execution_data(EXECUTION, "json"), 3, IDENTITY),
    Purpose(
        "fw.save_view_data(view, PROJECT_ID, 'out.csv', format='csv')",
        views.execution_data(EXECUTION, "csv"),
        3,
        IDENTITY,
    ),
    Purpose(
        "acq.download_file('T1w.nii.gz', dest)",
        content.file_content("acquisition", ACQUISITION, "T1w.nii.gz"),
        0,
        IDENTITY,
    ),
    Purpose(
        "file.download(dest)",
        content.file_content("acquisition", ACQUISITION, "T1w.nii.gz", version=1),
        0,
        IDENTITY,
    ),
    Purpose("acq.read_file('a b.nii.gz')", content.file_content("acquisition", ACQUISITION, "a b.nii.gz"), 0, IDENTITY),
    Purpose(
        "fw.download_file_from_acquisition(ID, NAME, dest, range='bytes=0-9', view=True)",
        content.file_content("acquisition", ACQUISITION, "T1w.nii.gz", begin=10),
        0,
        IDENTITY | {"headers.range": RANGED},
    ),
    Purpose("ana.get_file_zip_info('out.zip')", content.zip_info("analysis", ANALYSIS, "out.zip")),
    Purpose(
        "ana.download_file_zip_member('out.zip','x/stats/aseg.stats',dest)",
        content.file_content("analysis", ANALYSIS, "out.zip", member="x/stats/aseg.stats"),
        0,
        IDENTITY,
    ),
    Purpose(
        "file.read_zip_member('x/stats/aseg.stats')",
        content.file_content("acquisition", ACQUISITION, "T1w.nii.gz", version=1, member="x/stats/aseg.stats"),
        0,
        IDENTITY,
    ),
    Purpose(
        "project.upload_file('report.csv', metadata={'type': 'tabular data'}, preserve_metadata=True)  # signed",
        content.ask_ticket("project", PROJECT, "report.csv", 8, {"type": "tabular data"}, keep=True),
        1,
    ),
    Purpose(
        "project.upload_file('report.csv', metadata={'type': 'tabular data'}, preserve_metadata=True)  # signed",
        content.use_ticket("project", PROJECT, TICKET, keep=True),
        3,
    ),
    Purpose(
        "ana.upload_output('report.csv')  # signed",
        content.ask_ticket("analysis", ANALYSIS, "report.csv", 8, {}, keep=False),
        1,
    ),
    Purpose(
        "project.upload_file('big.bin')  # signed, two S3 parts",
        content.use_ticket("project", PROJECT, TICKET, keep=True, parts=(("etag-1", "etag-2"), "UP1")),
        4,
        {"query.preserve_metadata": KEPT},
    ),
    Purpose(
        "f0.replace_classification({'Intent': ['Structural'], 'Measurement': ['T1']}, modality='MR')",
        content.replace_classification(
            "acquisition", ACQUISITION, "T1w.nii.gz", {"Intent": ["Structural"], "Measurement": ["T1"]}, "MR"
        ),
    ),
    Purpose(
        "f0.update(type='nifti', modality='MR')",
        content.modify_file("acquisition", ACQUISITION, "T1w.nii.gz", {"type": "nifti", "modality": "MR"}),
    ),
    Purpose(
        "project.add_subject({...})",
        making.make_container(
            "subject",
            {"label": "sub001", "firstname": "Lisa", "lastname": "Simpson", "sex": "female", "project": PROJECT},
        ),
        0,
        {"headers.x-accept-feature": SUBJECTS},
    ),
    Purpose(
        "sub.add_session({'label': 'Session1', 'age': 1072224000.0})",
        making.make_container(
            "session", {"label": "Session1", "age": 1072224000.0, "project": PROJECT, "subject": {"_id": SUBJECT}}
        ),
    ),
    Purpose(
        "ses.add_acquisition({'label': 'Struct_T1', 'timestamp': datetime(2019,10,3,15,32,tzinfo=utc)})",
        making.make_container(
            "acquisition", {"label": "Struct_T1", "timestamp": "2019-10-03T15:32:00+00:00", "session": SESSION}
        ),
    ),
]


def recorded() -> dict[str, list[dict[str, Any]]]:
    """Call → requests."""
    lines = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    return {line["call"]: line["requests"] for line in lines}


def places(request: dict[str, Any]) -> dict[str, Any]:
    """A request as a flat table of places and values."""
    found: dict[str, Any] = {"method": request["method"], "path": request["path"], "body": request["body"]}
    for key, value in request["query"]:
        found.setdefault(f"query.{key}", []).append(value)
    return found | {f"headers.{name}": value for name, value in request["headers"].items()}


def as_recorded(request: Request) -> dict[str, Any]:
    """Our request in the recordings' shape."""
    given = {**headers_for(parse_key(f"site.example.org:{KEY}")), **dict(request.headers)}
    headers = {name.lower(): value.replace(KEY, "<key>") for name, value in given.items()}
    headers.pop("user-agent")
    body = None if request.body is None else json.loads(request.body)
    query = [list(pair) for pair in request.query]
    return {"method": request.method, "path": "/api" + request.path, "query": query, "headers": headers, "body": body}


@pytest.mark.parametrize("purpose", PURPOSES, ids=str)
def test_our_request_is_the_official_clients_but_for_declared_differences(purpose: Purpose) -> None:
    """For each purpose the same method, path, query, headers and body."""
    ours, theirs = places(as_recorded(purpose.ours)), places(recorded()[purpose.call][purpose.request])
    differing = {place for place in ours.keys() | theirs.keys() if ours.get(place) != theirs.get(place)}
    assert differing == set(purpose.differs), {place: (ours.get(place), theirs.get(place)) for place in differing}


@pytest.mark.parametrize(
    ("call", "metadata"),
    [
        ("project.upload_file('report.csv')  # site without signed urls", {}),
        (
            "project.upload_file('report.csv', metadata={'type': 'tabular data', 'info': {'a': 1}})  # unsigned",
            {"type": "tabular data", "info": {"a": 1}},
        ),
    ],
    ids=["bare", "with-metadata"],
)
def test_a_form_is_the_official_clients(call: str, metadata: dict[str, Any]) -> None:
    """The same parts in the same order, with the same names, types and contents."""
    request = content.upload_form("project", PROJECT, "report.csv", Slice("report.csv", 0, 8), metadata, "MARK")
    text = b"".join(b"a,b\n1,2\n" if isinstance(one, Slice) else one for one in request.pieces).decode()
    parts = []
    for part in text.removeprefix("--MARK\r\n").removesuffix("\r\n--MARK--\r\n").split("\r\n--MARK\r\n"):
        head, _, body = part.partition("\r\n\r\n")
        found = dict(re.findall(r'; (\w+)="([^"]*)"', head))
        kind = re.search(r"Content-Type: (\S+)", head)
        parts.append({**found, **({"content_type": kind[1]} if kind else {}), "content": body})
    theirs = recorded()[call][1]
    assert (request.method, "/api" + request.path) == (theirs["method"], theirs["path"])
    assert parts == theirs["body"]["multipart"]


@pytest.mark.parametrize(
    ("call", "urls"),
    [
        ("project.upload_file('big.bin')  # signed, two S3 parts", 2),
        ("project.upload_file('big.bin')  # signed, two GCS chunks", 2),
        ("project.upload_file('report.csv')  # signed, Azure", 1),
    ],
    ids=["s3", "gcs", "azure"],
)
def test_parts_are_the_official_clients(call: str, urls: int) -> None:
    """The same lengths, and the same headers at each storage."""
    puts = [one for one in recorded()[call] if one["method"] == "PUT"]
    size = sum(one["body"]["raw_bytes"] for one in puts)
    given = {"x-ms-blob-type": "BlockBlob"} if "Azure" in call else {}
    spans = list(content.parts_of(size, urls))
    assert [length for _, length in spans] == [one["body"]["raw_bytes"] for one in puts]
    for (begin, length), put in zip(spans, puts, strict=True):
        url = f"https://host{put['path']}?" + "&".join("=".join(pair) for pair in put["query"])
        ours = {name.lower(): text for name, text in content.part_headers(url, given, begin, length, size).items()}
        theirs = {name: text for name, text in put["headers"].items() if name in ("content-type", "content-range")}
        theirs |= {name: text for name, text in put["headers"].items() if name.startswith("x-ms")}
        assert ours == theirs


def test_the_samples_are_those_that_are_used() -> None:
    """No more is kept than is needed."""
    used = {purpose.call for purpose in PURPOSES} | {
        "project.upload_file('report.csv')  # site without signed urls",
        "project.upload_file('report.csv', metadata={'type': 'tabular data', 'info': {'a': 1}})  # unsigned",
        "project.upload_file('big.bin')  # signed, two GCS chunks",
        "project.upload_file('report.csv')  # signed, Azure",
    }
    assert set(recorded()) == used
