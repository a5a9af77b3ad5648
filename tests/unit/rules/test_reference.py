"""The rule reference: as committed, complete, and with examples that are read as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyball.configfile.reference import takes
from flyball.configfile.yaml import read_yaml
from flyball.effects.catalog import KINDS
from flyball.rules.reading import RuleSet, Surroundings, read_texts
from flyball.rules.reading.models import ChangeForm, CutForm, DefaultsForm, ProfileForm, RuleForm
from flyball.rules.reference import PARTS, effect_example, form_keys, rule_reference
from flyball.rules.reference_examples import DEFAULTS, FILE, NOT_YET, PROFILES, RULE
from support.pages import examples_in
from unit.rules.kit import CATALOG

PAGE = rule_reference(KINDS)
COMMITTED = Path(__file__).parents[3] / "docs" / "reference" / "rules.md"
AROUND = Surroundings(
    KINDS,
    {"main": "flywheel", "scout": "neuroscout"},
    {"FS_LICENSE": "x"},
    {"log": "log", "lab": "webhook"},
    frozenset({"lab"}),
)


def read(text: str) -> RuleSet:
    return read_texts({"example.yaml": text}, AROUND)


def test_the_committed_page_is_the_generated_one() -> None:
    """Whoever changes a key changes the page: flyball schema rules --markdown > docs/reference/rules.md."""
    assert COMMITTED.read_text(encoding="utf-8") == PAGE


@pytest.mark.parametrize("example", examples_in(PAGE))
def test_every_example_is_read(example: str) -> None:
    """Without a refusal and without a warning."""
    found = read(example)
    assert [str(problem) for one in found.rejected for problem in one.problems] == []
    assert [str(one) for one in found.warnings] == []
    assert found.rules


def test_all_examples_are_shown() -> None:
    """None is forgotten on the page."""
    mine = [FILE, DEFAULTS, *RULE.values(), PROFILES, *(effect_example(KINDS, kind)[1] for kind in KINDS)]
    assert sorted(one.strip() for one in mine) == sorted(one.strip() for one in examples_in(PAGE))


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """The mappings in a value, through lists."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield one


def below(key: str, rule: dict[str, Any]) -> list[set[str]]:
    """The keys that an example has of each form below a rule's key."""
    value = rule.get(key)
    if key == "select":
        return [{name for one in (value or {}).values() for name in one}]
    if key == "expect":
        entries = [one for one in (value or {}).get("acquisitions", ()) if isinstance(one, dict)]
        return [set(value or ()), {name for one in entries for name in one}]
    return [{name for one in parts(value) for name in one}]


@pytest.mark.parametrize("key", form_keys(RuleForm))
def test_every_key_of_a_rule_has_its_example(key: str) -> None:
    """With every key of what stands below it; what this version refuses is said to be unavailable."""
    if f"RuleForm.{key}" in NOT_YET:
        assert key not in RULE
        assert f"### {key}\n" in PAGE
        return
    rules = read_yaml(RULE[key], "example.yaml").root["rules"]
    assert any(key in rule for rule in rules)
    shown = [set().union(*found) for found in zip(*(below(key, rule) for rule in rules), strict=True)]
    for form, used in zip(PARTS.get(key, ()), shown, strict=False):
        wanted = {name for name in form_keys(form) if f"{form.__name__}.{name}" not in NOT_YET}
        assert wanted - used == set()


def test_every_key_of_defaults_and_profiles_has_its_example() -> None:
    """One example for each of the two parts of a file."""
    assert set(read_yaml(DEFAULTS, "e").root["defaults"]) == set(form_keys(DefaultsForm))
    profiles = list(read_yaml(PROFILES, "e").root["profiles"].values())
    cuts = [cut for profile in profiles for cut in profile["metrics"].values()]
    changes = [one for profile in profiles for own in profile["per_project"].values() for one in own.values()]
    for form, used in ((ProfileForm, profiles), (CutForm, cuts), (ChangeForm, changes)):
        assert {name for one in used for name in one} == set(form_keys(form))
    assert set(read_yaml(FILE, "e").root) == {"version", "defaults", "profiles", "rules"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_effect_has_its_example(kind: str) -> None:
    """With a line on what it does, and all of its parameters."""
    does, example = effect_example(KINDS, kind)
    assert does
    entries = [entry[kind] for rule in read_yaml(example, "e").root["rules"] for entry in rule["do"] if kind in entry]
    assert {name for one in entries for name in one} == {*form_keys(KINDS[kind].params), "when"}


def test_kinds_of_other_packages_bring_their_own() -> None:
    """A kind says what it does, and gives an example; one that does not is listed all the same."""
    assert "### tag" in rule_reference(CATALOG)

    class Own:
        name = "own"
        params = CATALOG["tag"].params
        over = CATALOG["tag"].over
        does = "Does something of its own."
        example = "rules: []\n"

    page = rule_reference({"own": Own()})  # type: ignore[dict-item] # it is only described, never compiled
    assert "### own\n\nDoes something of its own. `when_over` is `retract` by default." in page
    assert "```yaml\nrules: []\n```" in page


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "text"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, "whole number, at least 1"),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, "text; or a list of them"),
        ({"type": "array", "items": {"type": "string"}}, "list of texts"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "mapping of names to number"),
        ({"type": "object", "additionalProperties": True}, "mapping"),
        ({"$ref": "#/$defs/Known"}, "[mapping](#its-title)"),
        ({"$ref": "#/$defs/Other"}, "mapping"),
        ({"type": "string", "format": "password"}, "secret"),
        ({}, "anything"),
    ],
)
def test_words(schema: dict[str, Any], words: str) -> None:
    """What a schema allows, as people would say it."""
    assert takes(schema, {"Known": "Its title"}) == words
