"""The kinds of reports: which rows of the mirror each one reads, and what is kept of a row. Pure.

What is kept is little, so that the rows of 100,000 sessions fit into one process: see `kept`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from flyball.model.levels import Level
from flyball.model.node import Node
from flyball.model.times import parse_time
from flyball.reports.statistics import finite
from flyball.rules.profiles import SENTINELS, WORSE

KindWord = Literal["demographics", "overview", "qc", "gear-status"]
KINDS: Final[tuple[KindWord, ...]] = ("demographics", "overview", "qc", "gear-status")

_TOP: Final = (Level.SUBJECT, Level.SESSION)
LEVELS: Final[Mapping[str, tuple[Level, ...]]] = {
    "demographics": _TOP,
    "overview": (*_TOP, Level.ACQUISITION),
    "qc": (*_TOP, Level.ACQUISITION, Level.FILE),
    "gear-status": (*_TOP, Level.ANALYSIS, Level.JOB),
}
"""Kind → the levels below the project that it reads, from the top."""

READS: Final[Mapping[str, frozenset[tuple[str, ...]]]] = {
    "demographics": frozenset({("subject", "sex"), ("session", "age"), ("session", "timestamp")}),
    "overview": frozenset({("acquisition", "label")}),
    "qc": frozenset({("file", "info"), ("file", "classification"), ("acquisition", "timestamp")}),
    "gear-status": frozenset({("session", "label")}),
}
"""Kind → the fields that it reads, as paths of the rules' language; they decide what is asked of a site."""

LATER: Final = 75
"""Exit code of the process that makes a report when it is to be tried again (EX_TEMPFAIL of sysexits.h)."""

METRICS: Final = frozenset({*WORSE, "inu_med", "wm2max", "size_t", "spacing_tr", "dummy_trs", "gcor"})
"""The metrics of MRIQC that a report shows (reference: `mriqc-metrics`)."""

_IS_REPORT: Final = re.compile(r"mriqc", re.IGNORECASE)
_MAKER: Final = ("Manufacturer",)
_MODEL: Final = ("ManufacturerModelName", "ManufacturersModelName")
_PLACE: Final = ("DeviceSerialNumber", "StationName", "InstitutionName")
_TELLS: Final = METRICS | {*_MAKER, *_MODEL, *_PLACE}
_PLACES_IN_INFO: Final = ("IQM", "header", "dicom", "bids_meta")

Row = dict[str, Any]


def kept(node: Node, gear: str | None = None) -> Row | None:
    """What a report keeps of a node; None: nothing of it matters.

    Args:
        node: below the project, present.
        gear: of `gear-status`, the gear's name.

    Returns:
        `level`, `id`, `label`, `up` (level → id of its ancestors below the project), `created` (seconds since 1970),
        and the fields that the kind reads, as the site wrote them.
    """
    row: Row = {
        "level": str(node.level),
        "id": node.id,
        "label": node.label,
        "up": {name: ident for name, ident in node.parents.items() if name in ("subject", "session", "acquisition")},
        "created": None if node.created is None else node.created.timestamp(),
    }
    doc = node.doc
    match node.level:
        case Level.SUBJECT:
            return row | {"sex": doc.get("sex")}
        case Level.SESSION:
            return row | {"age": _small(doc.get("age")), "time": seconds(doc.get("timestamp"))}
        case Level.ACQUISITION:
            return row | {"time": seconds(doc.get("timestamp"))}
        case Level.FILE:
            return _file(row, node)
        case Level.JOB | Level.ANALYSIS:
            return _run(row, node, gear)
        case _:
            return None


def thin(node: Node) -> Node:
    """A file with no more info than `kept` reads: what else scanners and gears wrote is most of a site's metadata.

    Its fingerprints stay those of the whole, so that it compares with a later reading as before.
    """
    info = node.doc.get("info")
    if node.level is not Level.FILE or not isinstance(info, Mapping):
        return node
    return replace(node, doc={**node.doc, "info": _told(info)})


def _told(info: Mapping[str, Any], deeper: int = 2) -> Row:
    """The part of some info that `metrics_of` and the scanner's name are taken from: `header.dicom` is the deepest."""
    told = {name: value for name, value in info.items() if name in _TELLS}
    for name in _PLACES_IN_INFO if deeper else ():
        if isinstance(inner := info.get(name), Mapping):
            told[name] = _told(inner, deeper - 1)
    return told


def _file(row: Row, node: Node) -> Row | None:
    """A file with metrics, or one that tells the scanner; None for any other."""
    if "acquisition" not in row["up"]:
        return None
    info = node.doc.get("info")
    if not isinstance(info, Mapping):
        return None
    own = info.get("IQM")
    about = isinstance(own, Mapping) or _IS_REPORT.search(node.label) is not None
    metrics = metrics_of(own if isinstance(own, Mapping) else info) if about else {}
    scanner = _scanner(info)
    if not about and scanner is None:
        return None
    changed = node.settled_from or node.modified or node.created
    classification = node.doc.get("classification")
    measurement = classification.get("Measurement") if isinstance(classification, Mapping) else None
    return row | {
        "report": about,
        "metrics": metrics,
        "scanner": scanner,
        "changed": None if changed is None else changed.timestamp(),
        "measurement": [str(one) for one in measurement] if isinstance(measurement, list) else [],
    }


def metrics_of(info: Mapping[str, Any]) -> dict[str, float]:
    """The usable metrics among some info: finite numbers that are no sentinels."""
    found = {name: finite(info.get(name)) for name in sorted(METRICS) if name in info}
    return {name: value for name, value in found.items() if value is not None and SENTINELS.get(name) != value}


def _scanner(info: Mapping[str, Any]) -> str | None:
    """The scanner as its files name it: maker, model and what tells two of them apart; None when they do not say."""
    header = info.get("header")
    dicom = header.get("dicom") if isinstance(header, Mapping) else None
    meta = info.get("bids_meta")
    places = [place for place in (info, dicom, meta) if isinstance(place, Mapping)]
    model, maker, own = (_first(places, names) for names in (_MODEL, _MAKER, _PLACE))
    if model is None and own is None:
        return None
    name = model or ""
    if maker is not None and maker.casefold() not in name.casefold():
        name = f"{maker} {name}".strip()
    return f"{name} ({own})" if name and own else name or own


def _first(places: list[Mapping[str, Any]], names: tuple[str, ...]) -> str | None:
    for name in names:
        for place in places:
            value = place.get(name)
            if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
                return str(value).strip()[:80]
    return None


def _run(row: Row, node: Node, gear: str | None) -> Row | None:
    """A job or an analysis of the gear; None for another gear's."""
    told = node.doc.get("gear_info")
    about: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    if about.get("name") != gear:
        return None
    row["version"] = about.get("version") if isinstance(about.get("version"), str) else None
    if node.level is Level.ANALYSIS:
        return row | {"job": _small(node.doc.get("job"))}
    return row | {"state": node.doc.get("state"), "failure": _small(node.doc.get("failure_reason"))}


def seconds(value: Any) -> float | None:
    """A site's time stamp in seconds since 1970."""
    time = parse_time(value)
    return None if time is None else time.timestamp()


def _small(value: Any) -> Any:
    """A value as it is, if it is a plain one; its type's name for anything else."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return value[:200] if isinstance(value, str) else type(value).__name__
