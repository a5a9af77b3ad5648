"""Uploads by ticket and signed address, redirects of downloads, archives of whole containers, uploads by labels."""

import hashlib
import io
import tarfile
import zipfile
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from flyball.sandbox.api.call import Part, Reply, Request
from flyball.sandbox.api.storage import answer_storage
from flyball.sandbox.files import put_file
from unit.sandbox.lab import Lab, MakeLab

MANY = {"x-accept-feature": "Safe-Redirect,multipart_signed_url", "host": "site:80"}


def store(lab: Lab, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
    """A request at a signed address, as a client sends it: without a key."""
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("http", "site:80")
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(parts.query):
        query.setdefault(name, []).append(value)
    sent = {"content-length": str(len(body)), **(headers or {})}
    return answer_storage(lab.site, Request(method, parts.path.split("/")[2:], query, sent, body))


@pytest.mark.parametrize("kind", ["plain", "azure", "gcs", "s3"])
def test_an_upload_in_three_steps(make_lab: MakeLab, kind: str) -> None:
    """A ticket, the bytes in as many parts as there are addresses, and only then the file."""
    lab = make_lab(switches={"signed_urls": kind})
    assert lab.get("/config")["features"]["signed_url"] is True
    path = f"/projects/{lab.project['_id']}/files"
    content = b"a,b\n" * 100_000
    body = {"metadata": {"name": "r.csv", "size": len(content), "info": {"a": 1}}, "filenames": ["r.csv"]}
    given = lab.ask("POST", f"{path}?ticket=", body, headers=MANY).body
    urls = given["urls"]["r.csv"]
    urls = urls if isinstance(urls, list) else [urls]
    assert len(urls) == (2 if kind in {"gcs", "s3"} else 1)
    cut = 262_144 if len(urls) == 2 else len(content)
    final = f"{path}?ticket={given['ticket']}"
    assert lab.ask("POST", final).status == 400
    tags = []
    for place, url in enumerate(urls):
        reply = store(lab, "PUT", url, content[place * cut : (place + 1) * cut], given["headers"])
        assert reply.status in ({200, 308} if kind == "gcs" else {200, 201})
        tags.append(reply.headers["ETag"].strip('"'))
    done = {"multipart": {"e_tags": tags, "upload_id": dict(parse_qsl(urls[0]))["uploadId"]}} if kind == "s3" else None
    if kind == "s3":
        assert lab.ask("POST", final).status == 400
    (file,) = lab.ask("POST", final, done).body
    assert (file["name"], file["size"], file["info"], file["version"]) == ("r.csv", len(content), {"a": 1}, 1)
    assert lab.ask("GET", f"{path}/r.csv").raw == content
    assert lab.ask("POST", final).status == 404


def test_tickets_of_outputs_and_of_others(lab: Lab) -> None:
    """Metadata of analyses is a list; a ticket is good for one container and one user."""
    analysis = lab.site.add_analysis("session", lab.session["_id"], "by hand")
    path = f"/analyses/{analysis['_id']}/files"
    body = {"metadata": [{"name": "o.txt", "size": 1}], "filenames": ["o.txt"]}
    given = lab.ask("POST", f"{path}?ticket=", body, headers=MANY).body
    assert store(lab, "PUT", given["urls"]["o.txt"], b"x").status == 200
    elsewhere = f"/projects/{lab.project['_id']}/files?ticket={given['ticket']}"
    assert lab.ask("POST", elsewhere).status == 400
    assert lab.ask("POST", f"{path}?ticket={given['ticket']}").body[0]["name"] == "o.txt"
    analysis["job"] = "x"
    assert lab.ask("POST", f"{path}?ticket=", body).status == 400
    assert lab.ask("POST", f"/projects/{lab.project['_id']}/files?ticket=", {"filenames": []}).status == 400


def test_what_the_storage_refuses(make_lab: MakeLab) -> None:
    """A wrong signature, another method or object, a key beside it, no length, a missing header, too late."""
    lab = make_lab(switches={"signed_urls": "azure"})
    path = f"/projects/{lab.project['_id']}/files?ticket="
    url = lab.ask("POST", path, {"filenames": ["a"], "metadata": {}}, headers=MANY).body["urls"]["a"]
    good = {"x-ms-blob-type": "BlockBlob"}
    assert store(lab, "PUT", url[:-1] + "!", headers=good).status == 403
    assert store(lab, "GET", url).status == 403
    assert store(lab, "PUT", url.replace("lab.blob", "other.blob"), headers=good).status == 403
    assert store(lab, "PUT", url, headers={"authorization": "scitran-user x", **good}).status == 400
    assert store(lab, "PUT", url).status == 400
    parts = urlsplit(url)
    bare = Request("PUT", parts.path.split("/")[2:], {"sig": [parts.query.removeprefix("sig=")]}, {}, b"")
    assert answer_storage(lab.site, bare).status == 411
    lab.later(3601)
    assert store(lab, "PUT", url, headers=good).status == 403


def test_downloads_are_redirected(make_lab: MakeLab) -> None:
    """Only for clients that take redirects; the address is good for a minute and for parts of the file."""
    lab = make_lab(switches={"signed_urls": "plain"})
    path = f"/acquisitions/{lab.acquisition()['_id']}/files/T1w.nii.gz"
    whole = lab.ask("GET", path).raw
    assert whole is not None
    moved = lab.ask("GET", path, headers=MANY)
    assert moved.status == 302
    url = moved.headers["Location"]
    assert store(lab, "GET", url).raw == whole
    part = store(lab, "GET", url, headers={"range": "bytes=10-"})
    assert (part.status, part.raw) == (206, whole[10:])
    assert store(lab, "GET", url, headers={"range": "bytes=-5"}).raw == whole[-5:]
    assert store(lab, "GET", url, headers={"range": f"bytes={len(whole)}-"}).status == 416
    assert store(lab, "GET", url, headers={"content-type": "application/json"}).status == 403
    lab.later(61)
    assert store(lab, "GET", url).status == 403
    own = lab.acquisition()["files"][1]["file_id"]
    assert lab.ask("GET", f"/files/{own}/signed_url", headers=MANY).body.startswith("http://site:80/storage/")


def test_large_files_come_in_pieces(lab: Lab) -> None:
    """Made-up bytes are the same whole and in parts, and have the hash that the record says."""
    size = 9 * 1024 * 1024 + 5
    file = put_file(lab.site, "session", lab.session, "large.nii", size=size)
    path = f"/sessions/{lab.session['_id']}/files/large.nii"
    reply = lab.ask("GET", path)
    assert reply.raw is None
    assert reply.chunks is not None
    pieces = list(reply.chunks)
    assert max(len(piece) for piece in pieces) <= 1 << 20
    whole = b"".join(pieces)
    assert len(whole) == reply.length == size
    assert file["hash"] == f"v0-sha384-{hashlib.sha384(whole).hexdigest()}"
    part = lab.ask("GET", f"{path}?view=true", headers={"range": "bytes=1234567-1300000"})
    assert (part.status, part.raw) == (206, whole[1_234_567:1_300_001])
    rest = lab.ask("GET", f"{path}?view=true", headers={"range": "bytes=1000-"})
    assert rest.chunks is not None
    assert b"".join(rest.chunks) == whole[1000:]


def test_archives_of_containers(lab: Lab) -> None:
    """A ticket with a summary, then a tar or a zip laid out by labels; filters by type; no key needed."""
    body = {"nodes": [{"level": "session", "_id": lab.session["_id"]}], "filters": [{"types": {"plus": ["nifti"]}}]}
    ticket = lab.ask("POST", "/download", body).body
    assert ticket["file_cnt"] == 6
    assert ticket["size"] == 6 * 2048
    raw = lab.ask("GET", f"/download?ticket={ticket['ticket']}&format=tar", user=None).raw
    assert raw is not None
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        assert archive.getnames()[0] == "scitran/scien/tome/sub-01/ses-01/T1w/T1w.nii.gz"
    body["filters"] = [{"types": {"minus": ["nifti", "dicom"]}}]
    ticket = lab.ask("POST", "/download", body).body
    raw = lab.ask("GET", f"/download?ticket={ticket['ticket']}&format=zip").raw
    assert raw is not None
    with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
        assert {name.rsplit(".", 1)[-1] for name in bundle.namelist()} == {"html"}
    assert lab.ask("GET", "/download?ticket=none", user=None).status == 404
    body["filters"] = [{"types": {"plus": ["pdf"]}}]
    assert lab.ask("POST", "/download", body).status == 404
    assert lab.ask("POST", "/download", {"nodes": []}).status == 400


def test_uploads_by_label(lab: Lab) -> None:
    """Containers are found or made; a file goes to the level whose metadata name it."""
    meta = {
        "group": {"_id": "scien"},
        "project": {"label": "tome"},
        "session": {"label": "ses-09", "subject": {"label": "sub-01"}},
        "acquisition": {"label": "new", "files": [{"name": "a.nii.gz", "modality": "MR"}]},
    }
    parts = [Part("metadata", None, None, orjson.dumps(meta)), Part("files", "a.nii.gz", None, b"x")]
    (file,) = lab.ask("POST", "/upload/label", parts=parts).body
    assert (file["modality"], file["parent_ref"]["type"]) == ("MR", "acquisition")
    assert lab.rows(f"/subjects/{lab.subject['_id']}/sessions") == ["ses-01", "ses-09"]
    assert lab.ask("POST", "/upload/label", parts=parts).body[0]["version"] == 2
    refused = lab.ask("POST", "/upload/label", parts=parts, user=None)
    assert refused.status == 401


def test_deleting_with_an_audit_trail(make_lab: MakeLab) -> None:
    """A reason is asked for, and it has to be one that the site knows."""
    lab = make_lab(switches={"audit_trail": True})
    path = f"/acquisitions/{lab.acquisition()['_id']}"
    for address in (path, f"{path}/files/T1w.nii.gz"):
        assert lab.ask("DELETE", address).status == 400
        assert lab.ask("DELETE", f"{address}?delete_reason=because").status == 400
    assert lab.ask("DELETE", f"{path}?delete_reason=test_data").status == 200
