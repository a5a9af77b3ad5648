"""What the shipped rules demand of a site, worked out from its data by other means than the rules engine.

The data are read in one of three ways, each without the daemon's client: from the emulated site's memory, over plain
HTTP, or through the official SDK. All three give the same `Lab`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flyball.sandbox import Site

Json = Mapping[str, Any]
OURS = {"LOW_SNR", "HIGH_FD", "INCOMPLETE"}
LATE = datetime.max.replace(tzinfo=UTC)
SLOTS = ("anatomical", *(f"t1w_anatomical_{number}" for number in range(2, 6)))
RECON = "freesurfer-recon-all"
Inputs = Mapping[str, tuple[str, str]]
"""Slot → (id of the container, name of the file)."""


@dataclass(frozen=True, slots=True)
class Run:
    """One analysis with its job."""

    id: str
    on: str
    label: str
    gear: str
    state: str
    inputs: Inputs
    tags: tuple[str, ...]
    once_key: str | None

    @property
    def ours(self) -> bool:
        """Whether a daemon launched it: its job carries a once-key."""
        return any(re.fullmatch(r"fb-[a-z2-7]{26}", tag) for tag in self.tags)


@dataclass(slots=True)
class Lab:
    """A site's data: containers as their single GETs show them, by id, and the analyses on them."""

    subjects: dict[str, Json] = field(default_factory=dict)
    sessions: dict[str, Json] = field(default_factory=dict)
    acquisitions: dict[str, Json] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def tags(self) -> dict[str, set[str]]:
        """Id → tags of the rules, of the sessions and acquisitions that have any."""
        found = {ident: set(row["tags"]) & OURS for ident, row in {**self.sessions, **self.acquisitions}.items()}
        return {ident: tags for ident, tags in found.items() if tags}

    def notes(self) -> dict[str, list[str]]:
        """Id → texts of the notes that bear a once-key, of the containers that have any."""
        found = {}
        for ident, row in {**self.subjects, **self.sessions, **self.acquisitions}.items():
            texts = [str(note["text"]) for note in row["notes"] if re.search(r"\[fb-[a-z2-7]{6}\]$", str(note["text"]))]
            if texts:
                found[ident] = texts
        return found

    def launched(self) -> dict[str, list[Run]]:
        """Subject id → what a daemon launched on it."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            if run.ours:
                found.setdefault(run.on, []).append(run)
        return found


# Reading


def of_site(site: Site) -> Lab:
    """The data in the emulated site's memory."""
    lab = Lab()
    for row in site.analyses.rows.values():
        job = site.jobs.rows.get(row["job"]) if row.get("job") else None
        lab.runs.append(_run(row, job))
    for table in ("subjects", "sessions", "acquisitions"):
        into: dict[str, Json] = getattr(lab, table)
        for ident, row in getattr(site, table).rows.items():
            into[str(ident)] = row
    return lab


def over_http(api: Callable[[str], Any]) -> Lab:
    """The data as an admin reads them, every container by itself, for lists may leave things out.

    Args:
        api: path below `/api` → the JSON answered.
    """
    lab = Lab()
    for table in ("subjects", "sessions", "acquisitions"):
        into: dict[str, Json] = getattr(lab, table)
        for listed in api(f"/{table}?limit=1000"):
            row = api(f"/{table}/{listed['_id']}")
            into[_id(row)] = row
            lab.runs += [_run(analysis, analysis.get("job")) for analysis in row.get("analyses") or ()]
    return lab


def through_sdk(client: Any) -> Lab:
    """The data as the official SDK shows them."""
    lab = Lab()
    for table in ("subjects", "sessions", "acquisitions"):
        into: dict[str, Json] = getattr(lab, table)
        for listed in getattr(client, table).iter():
            row = listed.reload().to_dict()
            row["tags"], row["notes"] = row.get("tags") or [], row.get("notes") or []
            into[_id(row)] = row
            lab.runs += [_run(analysis, analysis.get("job")) for analysis in row.get("analyses") or ()]
    return lab


def _id(row: Json) -> str:
    """The identifier, as the wire or as the SDK's models name it."""
    return str(row["_id"] if "_id" in row else row["id"])


def _run(analysis: Json, job: Json | None) -> Run:
    shown: Json = job if isinstance(job, Mapping) else {}
    inputs = shown.get("inputs") or {}
    named = inputs.items() if isinstance(inputs, Mapping) else [(entry["input"], entry) for entry in inputs]
    mark = (analysis.get("info") or {}).get("flyball") or {}
    return Run(
        id=_id(analysis),
        on=str(analysis["parent"]["id"]),
        label=str(analysis["label"]),
        gear=str((shown.get("gear_info") or {}).get("name")),
        state=str(shown.get("state")),
        inputs={slot: (str(entry["id"]), str(entry["name"])) for slot, entry in named},
        tags=tuple(shown.get("tags") or ()),
        once_key=mark.get("once_key"),
    )


# What the rules demand


def expected_tags(lab: Lab) -> dict[str, set[str]]:
    """Id → tags that the shipped rules want, on sessions and acquisitions."""
    return {**expected_quality_tags(lab), **{ident: {"INCOMPLETE"} for ident in expected_incomplete(lab)}}


def expected_quality_tags(lab: Lab) -> dict[str, set[str]]:
    """Acquisition id → tags that the quality rules want."""
    wanted: dict[str, set[str]] = {}
    for ident, acquisition in lab.acquisitions.items():
        tags: set[str] = set()
        for info, kinds in _reports(acquisition):
            if "T2*" in kinds:
                snr, motion = _number(info.get("snr")), _number(info.get("fd_mean"))
                tags |= {"LOW_SNR"} if snr is not None and snr < 1.0 else set()
                tags |= {"HIGH_FD"} if motion is not None and motion > 2.5 else set()
            if "T1" in kinds:
                snr = _number(info.get("snr_total"))
                tags |= {"LOW_SNR"} if snr is not None and snr < 6.0 else set()
        if tags:
            wanted[ident] = tags
    return wanted


def expected_incomplete(lab: Lab) -> set[str]:
    """Ids of the sessions that lack something of the protocol."""
    found = set()
    for ident in lab.sessions:
        labels = [str(row["label"]) for row in lab.acquisitions.values() if _above(row, "session") == ident]
        runs = [label for label in labels if re.search(r"^task-rest_run-0[1-4]$", label)]
        if "T1w" not in labels or "inplaneT2" not in labels or len(runs) < 4:
            found.add(ident)
    return found


def expected_inputs(lab: Lab) -> dict[str, Inputs]:
    """Subject id → what recon-all is to be run on, for the subjects that have a T1."""
    found: dict[str, Inputs] = {}
    for subject in lab.subjects:
        anatomical: list[tuple[Any, str, str]] = []
        t2: list[tuple[Any, str, str]] = []
        for ident, scan in lab.acquisitions.items():
            if _above(scan, "subject") != subject:
                continue
            session = lab.sessions[_above(scan, "session")]
            for entry in scan["files"]:
                measurement = (entry.get("classification") or {}).get("Measurement")
                intent = (entry.get("classification") or {}).get("Intent") or []
                made = (_moment(entry["created"]), str(entry.get("file_id") or entry["name"]))
                if entry.get("type") == "nifti" and measurement == ["T1"] and "Structural" in intent:
                    taken = (_moment(session.get("timestamp")), _moment(scan.get("timestamp")), *made)
                    anatomical.append((taken, ident, entry["name"]))
                if entry.get("type") == "nifti" and measurement == ["T2"]:
                    t2.append((made, ident, entry["name"]))
        if anatomical:
            files = [(ident, name) for _, ident, name in sorted(anatomical)]
            inputs = dict(zip(SLOTS, files, strict=False))
            if t2:
                inputs["t2w_anatomical"] = min(t2)[1:]
            found[subject] = inputs
    return found


def expected_launches(lab: Lab) -> dict[str, Inputs]:
    """Subject id → inputs of the run that is to be launched: where nobody else has run, or is running, the same."""
    theirs = [
        run for run in lab.runs if not run.ours and run.gear == RECON and run.state not in ("failed", "cancelled")
    ]
    return {
        subject: inputs
        for subject, inputs in expected_inputs(lab).items()
        if not any(run.on == subject and run.inputs == inputs for run in theirs)
    }


def expected_motion_notes(lab: Lab) -> dict[str, int]:
    """Session id → how many notes the rule of `support.lab.NOTES` writes on it: one a report of much motion."""
    found: dict[str, int] = {}
    for acquisition in lab.acquisitions.values():
        for info, kinds in _reports(acquisition):
            motion = _number(info.get("fd_mean"))
            if "T2*" in kinds and motion is not None and motion > 2.5:
                session = _above(acquisition, "session")
                found[session] = found.get(session, 0) + 1
    return found


def good_reports(acquisitions: Iterable[Json]) -> list[tuple[str, str]]:
    """Ids of the acquisitions without tags that have one good BOLD report, and the reports' names."""
    found = []
    for row in acquisitions:
        reports = [entry for entry in row["files"] if "mriqc.qa" in entry["name"]]
        if len(reports) == 1 and not row["tags"] and reports[0]["classification"].get("Measurement") == ["T2*"]:
            snr = _number(reports[0]["info"].get("snr"))
            if snr is not None and snr > 1:
                found.append((_id(row), str(reports[0]["name"])))
    return found


# Comparing


@dataclass(frozen=True, slots=True)
class Differences:
    """What a site lacks (`lost`) and has too much of (`doubled`), a line each."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled)


def compare(lab: Lab, *, notes: bool = False) -> Differences:
    """A site's data against what the rules demand of them.

    Args:
        lab: as read afterwards.
        notes: the rule of `support.lab.NOTES` was among the rules.
    """
    lost, doubled = [], []
    there, wanted = lab.tags(), expected_tags(lab)
    for ident in sorted(there.keys() | wanted.keys()):
        has, should = there.get(ident, set()), wanted.get(ident, set())
        lost += [f"tag {tag} on {ident}" for tag in sorted(should - has)]
        doubled += [f"tag {tag} on {ident}" for tag in sorted(has - should)]
    launches, made = expected_launches(lab), lab.launched()
    for ident in sorted(launches.keys() | made.keys()):
        runs = made.get(ident, [])
        right = [run for run in runs if run.inputs == launches.get(ident)]
        if ident in launches and not right:
            lost.append(f"launch on {ident}: wanted {launches[ident]}, there are {[run.inputs for run in runs]}")
        doubled += [f"launch on {ident}: {run.label}" for run in _again(runs)]
        doubled += [f"launch on {ident}, where others ran the same" for _ in runs if ident not in launches]
    if notes:
        texts, counts = lab.notes(), expected_motion_notes(lab)
        for ident in sorted(texts.keys() | counts.keys()):
            has_notes = texts.get(ident, [])
            lost += [f"note on {ident}"] * max(0, counts.get(ident, 0) - len(set(has_notes)))
            doubled += [f"note on {ident}: {has_notes}"] * (len(has_notes) - len(set(has_notes)))
            doubled += [f"note on {ident}"] * max(0, len(set(has_notes)) - counts.get(ident, 0))
    return Differences(tuple(lost), tuple(doubled))


def _again(runs: Iterable[Run]) -> list[Run]:
    """Those that have the same inputs as an earlier one."""
    seen: list[Inputs] = []
    found = []
    for run in runs:
        if run.inputs in seen:
            found.append(run)
        seen.append(run.inputs)
    return found


def _reports(acquisition: Json) -> Iterable[tuple[Json, list[str]]]:
    """Metrics and measurements of an acquisition's MRIQC reports."""
    for entry in acquisition["files"]:
        if "mriqc.qa" in entry["name"]:
            yield entry.get("info") or {}, (entry.get("classification") or {}).get("Measurement") or []


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return None if value != value else float(value)  # noqa: PLR0124 - NaN differs from itself


def _above(row: Json, level: str) -> str:
    return str(row["parents"][level])


def _moment(value: Any) -> datetime:
    """A time as stored, as JSON, or as the SDK reads it; none comes last."""
    if value is None:
        return LATE
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
