"""What may leave in messages: fields that the settings allow, and what is made of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fakes.bench import SITE, Bench, node
from flyball.effects.catalog import KINDS
from flyball.rules.reading import RuleSet, Surroundings, read_texts
from flyball.settings.outgoing import FIELDS_OUT

LABELS = ("subject.label", "session.label", "acquisition.label")
PEOPLE: dict[str, Any] = {
    "firstname": "Ada",
    "lastname": "Lovelace",
    "date_of_birth": "1815-12-10T00:00:00+00:00",
    "sex": "female",
}
INFO = {"snr": 0.5, "PatientName": "Lovelace^Ada"}
LET = """
    let:
      born: subject.date_of_birth
      again: born
      label: session.label
      whole: subject
      number: len(session.label)
    select: {}
"""


def rules(title: str, fields: tuple[str, ...] | None, more: str = "", each: str = "session") -> RuleSet:
    """A rule on sessions with this title."""
    text = f"""
rules:
  - id: r
    each: {each}
    since: all
{more}
    do: [{{alert: {{title: "{title}", body: "b"}}}}]
"""
    allowed = None if fields is None else frozenset(fields)
    around = Surroundings(KINDS, {SITE: "flywheel"}, {}, fields_out=allowed)
    found = read_texts({"r.yaml": text}, around)
    assert not found.rejected, [str(one) for one in found.rejected]
    return found


def params(found: RuleSet) -> dict[str, Any]:
    """The parameters of the alert on the session of the small lab."""
    with Bench() as bench:
        bench.lab()
        bench.see(node("subject", "s1", **PEOPLE), node("session", "e1", info=INFO))
        bench.load_rules(found.rules)
        (wish,) = bench.judge("r", "e1").wishes
        return dict(wish.params)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("{{ subject.label }} {{ session.label }}", "1001 Session 1"),
        ("{{ subject.firstname }} {{ subject.lastname | upper }}", "? ?"),
        ("{{ subject['date_of_birth'] }}", "?"),
        ("{{ subject }}", "?"),
        ("{{ session.info.snr }} {{ session.info.PatientName }}", "? ?"),
        ("{% if subject.sex == 'female' %}she{% else %}they{% endif %}", "they"),
        ("{% for one in [subject.firstname, 'x'] %}{{ one }}{% endfor %}", "?x"),
        ("{{ subject.label }} {{ subject.firstname }}", "1001 ?"),
    ],
)
def test_fields_that_are_not_listed(title: str, expected: str) -> None:
    """Are written as a missing value, however they are asked for."""
    assert params(rules(title, LABELS))["title"] == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("{{ born }}", "?"),
        ("{{ again }}", "?"),
        ("{{ whole.label }}", "?"),
        ("{{ label }} {{ number }}", "Session 1 9"),
    ],
)
def test_values_of_the_rule(title: str, expected: str) -> None:
    """May leave when everything that they come from may."""
    assert params(rules(title, LABELS, LET.replace("    select: {}\n", "")))["title"] == expected


@pytest.mark.parametrize(
    ("fields", "title", "expected"),
    [
        (("session.info.snr",), "{{ session.info.snr }} {{ session.info.PatientName }}", "0.5 ?"),
        (("session.info",), "{{ session.info.snr }}", "0.5"),
        (("again",), "{{ again }} {{ born }}", "1815-12-10T00:00:00+00:00 ?"),
        ((), "{{ session.label }}", "?"),
    ],
)
def test_what_is_listed(fields: tuple[str, ...], title: str, expected: str) -> None:
    """A field with all that is below it, or a name of the rule's own."""
    assert params(rules(title, fields, LET.replace("    select: {}\n", "")))["title"] == expected


def test_the_path_in_messages() -> None:
    """Labels that may not leave are ids there; group and project stay."""
    assert "path" not in params(rules("x", LABELS))
    assert params(rules("x", ("session.label",)))["path"] == "scien/tome/s1/Session 1"
    assert params(rules("x", ()))["path"] == "scien/tome/s1/e1"


def test_reading_a_rule_says_what_will_be_missing() -> None:
    """With the place; nothing where all is allowed."""
    (warning,) = rules("{{ subject.firstname }} {{ subject.label }}", LABELS).warnings
    assert "`subject.firstname` is not among `fields_out`" in str(warning)
    assert rules("{{ subject.label }}", LABELS).warnings == ()
    assert rules("{{ subject.firstname }}", None).warnings == ()


def test_a_change_of_what_may_leave_makes_a_new_version() -> None:
    """So that open alerts get their texts anew; rules that read nothing else stay as they are."""
    versions = {fields: rules("{{ subject.firstname }}", fields).rules[0].version for fields in (LABELS, ("subject",))}
    assert len(set(versions.values())) == 2
    same = {fields: rules("{{ subject.label }}", fields).rules[0].version for fields in (LABELS, ("subject",), None)}
    assert len(set(same.values())) == 1


def test_nothing_about_a_person_by_default() -> None:
    """Neither whole documents, nor info other than MRIQC's metrics, nor what people are called, nor their dates."""
    assert not [one for one in FIELDS_OUT if "." not in one]
    named = {"file.name", "gear.name", "analysis.name"}
    personal = re.compile(r"(first|last)?name|birth|sex|age$|race|ethnicity|timestamp|created|info$")
    assert {one for one in FIELDS_OUT if personal.search(one.rpartition(".")[2])} <= named | {
        "job.gear_info",
        "analysis.gear_info",
    }
    assert {one for one in FIELDS_OUT if one.startswith(("subject.", "session."))} == {
        f"{level}.{field}" for level in ("subject", "session") for field in ("label", "id", "tags")
    }


def test_metrics_may_leave_by_default() -> None:
    """An alert about a poor scan can say how poor it is."""
    title = "{{ file.info.snr }} {{ file.info.IQM.tsnr }} {{ file.info.PatientName }} {{ subject.date_of_birth }}"
    warnings = [str(one) for one in rules(title, FIELDS_OUT, each="file").warnings]
    assert len(warnings) == 2
    assert "file.info.PatientName" in warnings[0]
    assert "subject.date_of_birth" in warnings[1]
