"""What is made of an analysis: compile, bundle, reports, bibliography, result images."""

import zlib
from email.utils import format_datetime
from typing import Any

import orjson

from flyball.sandbox.api.call import Reply
from flyball.sandbox.scout import shapes
from flyball.sandbox.scout.api.call import Addresses, Call, crash, json_reply
from flyball.sandbox.scout.bundle import bundle_of, validation_hash
from flyball.sandbox.scout.compiling import start_compiling
from flyball.sandbox.scout.errors import Refusal, invalid
from flyball.sandbox.scout.fields import MISSING, Field, boolean, integer, number
from flyball.sandbox.scout.records import Analysis, Doc, Images, Report
from flyball.sandbox.scout.reporting import report_of, start_report


def _compile(call: Call) -> Reply:
    """Queue it, in whatever status it is; `build` is a query parameter, a body is ignored."""
    row = call.own_analysis()
    values = call.query({"build": Field(boolean)})
    if row.name is None:
        raise Refusal(404, "Analysis must be given a name before compilation.")
    start_compiling(call.scout, row, build=values.get("build", False))
    return _status_of(row)


def _status(call: Call) -> Reply:
    return _status_of(call.analysis())


def _status_of(row: Analysis) -> Reply:
    return json_reply({"status": row.status, "traceback": row.traceback})


def _bundle(call: Call) -> Reply:
    row = call.analysis()
    if row.status != "PASSED":
        raise Refusal(404, "Analysis bundle not available. Try compiling.")
    content = bundle_of(call.scout, row)
    passed = row.passed or call.scout.now
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "public, max-age=43200",
        "Content-Disposition": f"attachment; filename={row.hash_id}_bundle.tar.gz",
        "ETag": f'"{passed.timestamp()}-{len(content)}-{zlib.crc32(content)}"',
        "Last-Modified": format_datetime(passed, usegmt=True),
    }
    return Reply(raw=content, content_type="application/x-tar", headers=headers)


# Reports

_REPORT = {"run_id": Field(integer, many=True), "sampling_rate": Field(number), "scale": Field(boolean)}


def _order_report(call: Call) -> Reply:
    """Needs no token."""
    row = call.analysis()
    values = call.query(_REPORT)
    report = Report(call.scout.now, values.get("run_id"), values.get("sampling_rate"), values.get("scale", True))
    if not start_report(call.scout, row, report):
        raise crash()
    return json_reply(shapes.report(report, ""))


def _report(call: Call) -> Reply:
    """The newest that fits and is no older than the analysis."""
    row = call.analysis()
    values = call.query(_REPORT)
    fitting = report_of(row, values.get("run_id"), values.get("sampling_rate"), scale=values.get("scale"))
    if not fitting:
        raise Refusal(404, "Report not found")
    fresh = [r for r in fitting if r.generated >= row.modified]
    if not fresh:
        raise Refusal(404, "No fresh reports available")
    host = call.request.headers.get("host", "localhost")
    return json_reply(shapes.report(fresh[-1], f"http://{host}/neuroscout/reports/{row.hash_id}"))


_CITED: list[Doc] = [
    {
        "id": "pliers",
        "type": "paper-conference",
        "title": "Developing a Comprehensive Framework for Multimodal Feature Extraction",
        "author": [
            {"family": "McNamara", "given": "Quinten"},
            {"family": "De La Vega", "given": "Alejandro"},
            {"family": "Yarkoni", "given": "Tal"},
        ],
        "issued": {"date-parts": [["2017"]]},
        "DOI": "10.1145/3097983.3098075",
    }
]


def _bibliography(call: Call) -> Reply:
    call.analysis()
    line = f"McNamara, Q., De La Vega, A., &amp; Yarkoni, T.. (2017). {_CITED[0]['title']}. <i>KDD</i>."
    return json_reply(
        {"neuroscout": [line], "supporting": [line], "data": [], "extraction": [line], "csl_json": _CITED}
    )


# Result images

_ABOUT = ("cli_version", "fmriprep_version", "estimator")


def _upload(call: Call) -> Reply:
    """Take one result image; the hash of the bundle is the only key that is asked for."""
    row = call.analysis()
    hashes, levels, files = call.form("validation_hash"), call.form("level"), call.parts("image_file")
    if not hashes:
        raise invalid("form", {"validation_hash": [MISSING]})
    if not files:
        raise invalid("files", {"image_file": [MISSING]})
    if hashes[-1] != validation_hash(call.scout, row):
        raise Refusal(422, "Invalid validation hash.")
    level = levels[-1] if levels else "GROUP"
    if level not in {"GROUP", "SUBJECT"}:
        raise invalid("form", {"level": ["Must be one of: GROUP, SUBJECT."]})
    images = _images(call, row)
    entry: Doc = {"basename": files[-1].filename or "image", "level": level, "status": "PENDING", "traceback": None}
    images.files.append(entry)

    def arrived() -> None:
        entry["status"] = "OK"

    if not call.scout.submit(call.scout.habits.upload_s, [arrived]):
        raise crash()
    return json_reply(shapes.images(images))


def _images(call: Call, row: Analysis) -> Images:
    """The collection that is named, or a new one."""
    given = call.form("collection_id")
    if given and given[-1].isdecimal():
        for images in row.images:
            if images.collection_id == int(given[-1]):
                return images
    about: Doc = {name: next(iter(call.form(name)[-1:]), None) for name in _ABOUT}
    about["cli_args"] = _arguments(call.form("cli_args"))
    call.scout.last_images += 1
    images = Images(call.scout.last_images, call.scout.now, about)
    row.images.append(images)
    return images


def _arguments(given: list[str]) -> Any:
    try:
        return orjson.loads(given[-1]) if given else None
    except orjson.JSONDecodeError as error:
        raise crash() from error


def _uploads(call: Call) -> Reply:
    return json_reply([shapes.images(i) for i in call.analysis().images])


def routes(addresses: Addresses) -> None:
    """Register the addresses."""
    addresses.add("POST", "/analyses/{hash}/compile", _compile)
    addresses.add("GET", "/analyses/{hash}/compile", _status)
    addresses.add("GET", "/analyses/{hash}/bundle", _bundle)
    addresses.add("POST", "/analyses/{hash}/report", _order_report)
    addresses.add("GET", "/analyses/{hash}/report", _report)
    addresses.add("GET", "/analyses/{hash}/bibliography", _bibliography)
    addresses.add("POST", "/analyses/{hash}/upload", _upload)
    addresses.add("GET", "/analyses/{hash}/upload", _uploads)
