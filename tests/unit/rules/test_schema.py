"""The JSON Schema of rule files says the same as reading them."""

import json
from typing import Any

import pytest

from flyball.configfile.yaml import read_yaml
from flyball.rules.reading.models import RuleForm
from flyball.rules.schema import rule_file_schema
from unit.checker import complaints
from unit.rules.kit import CATALOG, TAG, read

SCHEMA = rule_file_schema(CATALOG)

GOOD = """
version: 1
defaults:
  scope: {project: ["scien/*", "!scien/scratch"], subject: "1*"}
  notify: lab
profiles:
  bold: {from: [file.info.IQM, file.info], metrics: {fd_mean: {worse: higher, warn: 0.25, fail: 0.5}},
         per_project: {"scien/kids": {fd_mean: {warn: 0.4, fail: null}}}}
rules:
  - id: full
    title: A rule with everything
    each: session
    site: main
    trigger: [changed, startup, {job: [complete], gear: ["bids-*"]}, {schedule: "0 4 * * *", zone: Europe/Paris}, {webhook: lab}]
    settle: 1h30m
    let: {poor: "session.info.snr < 1"}
    select: {qa: {files: "file.type == 'qa'", order: [file.name], max: 5}}
    expect: {acquisitions: [T1w, {match: "^task", count: 4, title: runs}]}
    if: true
    do:
      - tag: {on: session, set: {A: poor}, when: missing}
      - alert: {title: x}
    when_over: leave
    since: 2026-01-31
    mode: shadow
    limits: {running: 20, per_day: 200, canary: 3}
    retry: {attempts: 3, backoff: [30s, 1h]}
    tests: [{given: {session: {label: a}}, expect: {decision: no}}]
  - {id: short, each: file, trigger: startup, settle: 0, select: {}, do: [{alert: {title: x}}]}
"""


def test_what_can_be_read_fits() -> None:
    """A file with every key is fine for the reader and for an editor."""
    found = read(GOOD, hooks=frozenset({"lab"}), channels={"lab": "log"})
    assert not found.rejected, str(found.rejected[0])
    assert complaints(read_yaml(GOOD, "f").root, SCHEMA) == []


@pytest.mark.parametrize(
    "rule",
    [
        f"{{id: a, each: session, do: {TAG}, titel: x}}",
        f"{{id: a, each: sesion, do: {TAG}}}",
        f"{{each: session, do: {TAG}}}",
        "{id: a, each: session}",
        "{id: a, each: session, do: []}",
        "{id: a, each: session, do: [{tga: {}}]}",
        "{id: a, each: session, do: [{tag: {on: session}}]}",
        f"{{id: a, each: session, settle: 30, do: {TAG}}}",
        f"{{id: a, each: session, scope: {{sesion: x}}, do: {TAG}}}",
        f"{{id: a, each: session, trigger: [chnaged], do: {TAG}}}",
        f"{{id: a, each: session, limits: {{running: 0}}, do: {TAG}}}",
        f"{{id: a, each: session, mode: dry, do: {TAG}}}",
        f"{{id: 'a b', each: session, do: {TAG}}}",
    ],
)
def test_what_an_editor_underlines_is_refused(rule: str) -> None:
    """Structure that is wrong for one is wrong for the other."""
    text = f"rules: [{rule}]"
    assert read(text).rejected
    assert complaints(read_yaml(text, "f").root, SCHEMA)


def test_every_key_is_explained() -> None:
    """Each key of a rule has a description, which the reference page and editors show."""
    assert [name for name, field in RuleForm.model_fields.items() if not field.description] == []
    rule = SCHEMA["$defs"]["RuleForm"]
    assert [key for key, entry in rule["properties"].items() if "description" not in entry] == []


def test_kinds_of_this_version() -> None:
    """The schema of the real catalog has each kind, with `when`, and is plain JSON."""
    from flyball.effects.catalog import KINDS  # noqa: PLC0415 - a layer above, needed here alone

    schema: dict[str, Any] = rule_file_schema(KINDS)
    json.dumps(schema, allow_nan=False)
    kinds = {
        next(iter(one["properties"])): one for one in schema["$defs"]["RuleForm"]["properties"]["do"]["items"]["oneOf"]
    }
    assert set(kinds) == set(KINDS)
    for name, entry in kinds.items():
        parameters = schema["$defs"][entry["properties"][name]["$ref"].rsplit("/", 1)[-1]]
        assert "when" in parameters["properties"]


def test_defaults_are_written_as_people_do() -> None:
    """Durations and dates in the schema are in the language of the rule files."""
    properties = SCHEMA["$defs"]["RuleForm"]["properties"]
    assert properties["settle"]["default"] == "0s"
    assert properties["since"]["default"] == "now"
    assert SCHEMA["$defs"]["RetryForm"]["properties"]["backoff"]["default"] == ["30s", "3600s"]
