"""Recording a real target as a test's document: the rules see the same, and nobody learns who it is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flyball.configfile.writing import write_yaml
from flyball.configfile.yaml import read_yaml
from flyball.effects.catalog import KINDS
from flyball.model.levels import Level
from flyball.model.node import Document, Node, NodeKey, Target
from flyball.rules.given_nodes import with_lists
from flyball.rules.profiles import Qc
from flyball.rules.reading import RuleSet, Surroundings, read_texts
from flyball.rules.recording import record
from flyball.rules.rule import Rule
from flyball.rules.testing import on_document, verdicts_on

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLANTED = {
    "firstname": "Annegret",
    "lastname": "Sonnenschein",
    "code": "PATCODE77",
    "subject": "SUB-4711",
    "session": "Visit Montag",
    "birth": "1984-05-17",
    "birth, DICOM": "19840517",
    "operator": "Olafson",
    "mail": "olafson@hospital.example",
    "uid": "1.2.840.113619.2.55.3.604688119",
    "note": "claustrophobic, anxious",
    "comment": "was late because of the tram",
    "physician": "Wunderlich",
    "accession": "ACC0099123",
    "phone": "+49 30 123456",
    "institution": "Charitable Hospital",
    "day": "2025-03-04",
    "id": "5db0759469d4f3001f16e9c1",
}
"""What must not be in a recorded document."""


def node(level: Level, ident: str, parents: dict[str, str], **doc: Any) -> Node:
    created = datetime(2025, 3, 4, 9, 15, tzinfo=UTC)
    whole = {"id": ident, "tags": [], "info": {}, "created": created.isoformat(), "parents": parents, **doc}
    return Node(
        NodeKey("main", level, ident), str(doc.get("label") or doc.get("name")), parents, created, created, 1, whole
    )


def hospital() -> tuple[dict[Level, Node], list[Node]]:
    """A person's session with two acquisitions, as a site shows it, full of what tells who it is."""
    parents = {"group": "scien"}
    project = node(Level.PROJECT, "5db0759469d4f3001f16e9a1", parents, label="tome", group="scien")
    parents = {**parents, "project": project.id}
    subject = node(
        Level.SUBJECT,
        "5db0759469d4f3001f16e9b1",
        parents,
        label=PLANTED["subject"],
        code=PLANTED["code"],
        firstname=PLANTED["firstname"],
        lastname=PLANTED["lastname"],
        date_of_birth=f"{PLANTED['birth']}T00:00:00+00:00",
        sex="female",
    )
    parents = {**parents, "subject": subject.id}
    session = node(
        Level.SESSION,
        PLANTED["id"],
        parents,
        label=PLANTED["session"],
        uid=PLANTED["uid"],
        operator=PLANTED["operator"],
        timestamp=f"{PLANTED['day']}T10:00:00+00:00",
        notes=[{"text": PLANTED["note"], "user": PLANTED["mail"]}],
        info={"comment": PLANTED["comment"], "qc_rounds": 2, "contact phone": PLANTED["phone"]},
    )
    parents = {**parents, "session": session.id}
    below: list[Node] = []
    for number, label in enumerate(("T1w", f"rest {PLANTED['lastname'].upper()}")):
        acquisition = node(
            Level.ACQUISITION,
            f"5db0759469d4f3001f16e9d{number}",
            parents,
            label=label,
            timestamp=f"{PLANTED['day']}T10:0{number}:00+00:00",
        )
        name = f"{PLANTED['subject']}_{PLANTED['lastname']}_{PLANTED['birth, DICOM']}_mriqc.qa.nii.gz"
        file = node(
            Level.FILE,
            f"5db0759469d4f3001f16e9e{number}",
            {**parents, "acquisition": acquisition.id},
            name=name,
            type="nifti",
            classification={"Measurement": ["T2*"], "Intent": ["Functional"]},
            parent_ref={"type": "acquisition", "id": acquisition.id},
            origin={"type": "user", "id": PLANTED["mail"]},
            info={
                "snr": 0.8 + number,
                "fd_mean": 0.1,
                "PatientName": f"{PLANTED['lastname']}^{PLANTED['firstname']}",
                "PatientID": PLANTED["code"],
                "PatientBirthDate": PLANTED["birth, DICOM"],
                "OperatorsName": PLANTED["operator"],
                "ReferringPhysicianName": PLANTED["physician"],
                "AccessionNumber": PLANTED["accession"],
                "InstitutionName": PLANTED["institution"],
                "StudyInstanceUID": PLANTED["uid"],
                "ImageComments": PLANTED["comment"],
                "SeriesDescription": f"ep2d for {PLANTED['operator']}",
                "AcquisitionDate": "20250304",
                "Manufacturer": "SIEMENS",
                "EchoTime": 0.03,
                "nested": {"mail": PLANTED["mail"], "free": PLANTED["comment"], "n": 3},
            },
        )
        below += [acquisition, file]
    return {one.level: one for one in (project, subject, session)}, below


def document(rule: Rule) -> Document:
    """The rule's target in it: the session, the person, or the first file."""
    above, below = hospital()
    if rule.each is Level.FILE:
        above = {**above, Level.ACQUISITION: below[0]}
        target, below = below[1], []
    else:
        target = above.pop(rule.each)
    ancestors = {level: one for level, one in above.items() if str(level) in target.parents}
    if rule.each is Level.SUBJECT:
        below = [above[Level.SESSION], *below]
    names: dict[str, Any] = {str(level): one.doc for level, one in ancestors.items()}
    names |= {"group": {"id": "scien"}, str(rule.each): with_lists(target, below) if rule.below else target.doc}
    path = Target("main", rule.each, target.id, "x")
    return Document(path, names, target, ancestors, tuple(below) if rule.below else ())


RULES = """
profiles:
  bold: {from: [file.info.IQM, file.info], metrics: {snr: {warn: 1.0}, fd_mean: {warn: 2.5}}}
rules:
  - id: qc
    each: file
    scope: {project: scien/*, file: "*mriqc.qa*"}
    if: "'T2*' in file.classification.Measurement and qc('bold').level == 'warn'"
    do: [{tag: {on: acquisition, set: {LOW_SNR: file.info.snr < 1.0}}}]
  - id: everything
    each: file
    let: {whole: file.info}
    if: has(whole) and file.info.SeriesDescription != '' and file.info.PatientName != '' and file.origin.id != ''
    do: [{alert: {title: "{{ file.name }} {{ acquisition.label }} {{ subject.label }} {{ session.label }} {{ subject.code }}"}}]
  - id: protocol
    each: session
    expect: {acquisitions: [T1w, T2w]}
    let: {noisy: "[f for f in session.acquisitions if any(x.info.snr < 1 for x in f.files)]"}
    if: len(noisy) >= 1
    do:
      - tag: {on: session, set: {INCOMPLETE: missing}}
      - alert: {title: "{{ session.operator }} {{ session.notes | length }} {{ session.uid }} {{ session.info.comment }}"}
  - id: adults
    each: session
    if: years(session.timestamp - subject.date_of_birth) >= 18 and days(now - session.timestamp) > 100
    do: [{tag: {on: session, set: {ADULT: true}}}]
  - id: runs
    each: subject
    select: {runs: {files: "file.type == 'nifti' and 'Functional' in file.classification.Intent", order: [acquisition.timestamp]}}
    if: len(runs) == 2 and count(session, session.info.qc_rounds == 2) == 1
    do: [{launch: {gear: glm, on: subject, inputs: {first: "runs[0]", "more_{n}": "runs[1:]"}}}]
"""


@pytest.fixture(scope="module")
def lab() -> RuleSet:
    """Rules that read more than they should."""
    found = read_texts({"a.yaml": RULES}, Surroundings(KINDS, {"main": "flywheel"}, {}))
    assert not found.rejected, str(found.rejected[0])
    return found


def recorded(lab: RuleSet, ident: str) -> tuple[Rule, Document, dict[str, Any]]:
    rule = next(one for one in lab.rules if one.id == ident)
    qc = lab.functions["qc"]
    assert isinstance(qc, Qc)
    found = document(rule)
    return rule, found, record(found, [rule], qc, NOW)


IDS = ["qc", "everything", "protocol", "adults", "runs"]


@pytest.mark.parametrize("ident", IDS)
def test_nothing_planted_is_left(lab: RuleSet, ident: str) -> None:
    """No name, code, birth date, operator, mail address, UID, note or id, whatever the rule reads."""
    _, _, given = recorded(lab, ident)
    text = json.dumps(given).lower()
    words = set(PLANTED.values()) | {"sonnenschein", "annegret", "wunderlich", "tram", "anxious"}
    assert [word for word in sorted(words) if word.lower() in text] == []
    assert "1984" not in text


@pytest.mark.parametrize("ident", IDS)
def test_the_rule_decides_the_same(lab: RuleSet, ident: str) -> None:
    """Verdict and number of effects are those of the real document."""
    rule, found, given = recorded(lab, ident)
    there = on_document(rule, found, lab.functions, NOW)
    here = verdicts_on(rule, given, lab.functions, NOW)
    assert str(there.decision.verdict) == "yes"
    assert here.decision.verdict is there.decision.verdict
    assert [one["kind"] for one in here.effects] == [one["kind"] for one in there.effects]


@pytest.mark.parametrize("ident", IDS)
def test_it_reads_back_as_a_document_file(lab: RuleSet, ident: str) -> None:
    """What is printed is a file that `given` can name."""
    _, _, given = recorded(lab, ident)
    assert read_yaml(write_yaml(given), "recorded.yaml").root == given


def test_only_what_is_read_is_kept(lab: RuleSet) -> None:
    """Of the file's info the two metrics of the profile, of its name what the scope's glob asks for."""
    _, _, given = recorded(lab, "qc")
    assert given["file"] == {
        "name": "file-1_mriqc.qa.nii.gz",
        "classification": {"Measurement": ["T2*"]},
        "info": {"snr": 0.8, "fd_mean": 0.1},
    }
    assert (given["group"], given["project"]["label"], given["acquisition"]) == ("scien", "tome", {"label": "acq-1"})
    assert (given["subject"], given["session"]) == ({"label": "sub-1"}, {"label": "ses-1"})


def test_pseudonyms_are_stable(lab: RuleSet) -> None:
    """The same person has the same name everywhere; what is harmless stays."""
    _, _, given = recorded(lab, "everything")
    info = given["file"]["info"]
    assert info["PatientName"].startswith("name-")
    assert info["SeriesDescription"] == "ep2d for person-1"
    assert given["file"]["name"].startswith("sub-1_")
    assert given["file"]["name"].endswith("_mriqc.qa.nii.gz")
    assert (info["EchoTime"], info["nested"]["n"]) == (0.03, 3)
    assert info["Manufacturer"].startswith("text-")  # read only as a part of the whole: nobody knows what it may hold
    assert "OperatorsName" not in info


def test_distances_in_time_stay(lab: RuleSet) -> None:
    """All times move together; the day of birth is lost, and the age stays right to a month."""
    _, found, given = recorded(lab, "adults")
    real = datetime.fromisoformat(found.node.doc["timestamp"])
    moved = datetime.fromisoformat(given["session"]["timestamp"])
    assert moved == datetime(1999, 12, 31, 23, 59, tzinfo=UTC)  # the newest time, a minute later, is the year's first
    assert datetime.fromisoformat(given["now"]) - moved == NOW - real
    born = datetime.fromisoformat(given["subject"]["date_of_birth"])
    age = (real - datetime.fromisoformat(f"{PLANTED['birth']}T00:00:00+00:00")).days
    assert born.day == 1
    assert 0 <= (moved - born).days - age <= 31


def test_lists_keep_their_order(lab: RuleSet) -> None:
    """What lies below stands in the container, in order of creation, with the files in it."""
    _, _, given = recorded(lab, "protocol")
    labels = [one["label"] for one in given["session"]["acquisitions"]]
    assert labels == ["T1w", "rest name-2"]
    assert all(len(one["files"]) == 1 for one in given["session"]["acquisitions"])
    assert given["session"]["notes"] == [{"text": "text-2"}]


def test_several_rules_at_once(lab: RuleSet) -> None:
    """One document serves all rules that were meant."""
    rules = [one for one in lab.rules if one.each is Level.SESSION]
    whole = replace(rules[0], reads=rules[0].reads | rules[1].reads)
    qc = lab.functions["qc"]
    assert isinstance(qc, Qc)
    given = record(document(whole), rules, qc, NOW)
    for rule in rules:
        assert str(verdicts_on(rule, given, lab.functions, NOW).decision.verdict) == "yes"
