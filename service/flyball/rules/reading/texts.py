"""Texts of rule files to rules. Pure: the folder was read before.

Files are taken in the order given. A file that is no YAML, or whose `defaults` are broken, loses its rules (they would
run without their scope); a broken profile loses the rules that use it; a broken rule is refused alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from flyball.configfile.durations import shortened
from flyball.configfile.problems import problems_of
from flyball.configfile.suggest import instead
from flyball.configfile.tree import Map, Seq, Written
from flyball.configfile.yaml import NotReadable, read_yaml
from flyball.model.place import Place, Problem
from flyball.rules.profiles import qc_function
from flyball.rules.reading.filling import for_cell, has_names
from flyball.rules.reading.matrix import silently
from flyball.rules.reading.models import DefaultsForm
from flyball.rules.reading.one import RuleReader
from flyball.rules.reading.profile import Profiles, read_profile
from flyball.rules.reading.result import Rejected, RuleSet, RuleTest
from flyball.rules.reading.surroundings import Surroundings
from flyball.rules.rule import Rule

VERSION = 1
_KEYS = ("version", "defaults", "profiles", "rules")


@dataclass(slots=True)
class _Reading:
    """What has been read so far."""

    surroundings: Surroundings
    rejected: list[Rejected] = field(default_factory=list)
    profiles: Profiles = field(default_factory=Profiles)
    rules: list[Rule] = field(default_factory=list)
    tests: list[RuleTest] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    ids: dict[str, Place] = field(default_factory=dict)


def read_texts(texts: Mapping[str, bytes | str], surroundings: Surroundings) -> RuleSet:
    """The rules of some files.

    Args:
        texts: file name → content. Of two rules with one id, the first one counts.
        surroundings: what they are read against.
    """
    reading = _Reading(surroundings)
    files: list[tuple[Written, DefaultsForm | None]] = []
    for name, text in texts.items():
        try:
            written = read_yaml(text, name)
        except NotReadable as error:
            reading.rejected.append(Rejected("file", None, (error.problem,)))
            continue
        if written.root is None:
            continue  # nothing but comments
        problems, defaults = _whole_file(written)
        if problems:
            _refuse_file(reading, written, problems)
            continue
        files.append((written, defaults))
    for written, _ in files:
        _read_profiles(reading, written)
    for written, defaults in files:
        _read_rules(reading, written, defaults)
    return RuleSet(
        tuple(reading.rules),
        tuple(reading.rejected),
        {"qc": qc_function(reading.profiles.good)},
        tuple(reading.tests),
        tuple(reading.warnings),
        tuple(texts),
    )


def _whole_file(written: Written) -> tuple[list[Problem], DefaultsForm | None]:
    """What is wrong with a file as a whole, and its defaults."""
    root = written.root
    if not isinstance(root, Map):
        return [Problem(written.place(), "a rule file is a mapping: write `rules:` and below it a list of rules")], None
    problems = [
        Problem(written.place((key,), key=True), f"unknown key `{key}`; {instead(key, _KEYS)}")
        for key in root
        if key not in _KEYS
    ]
    version = root.get("version", VERSION)
    if version is True or version != VERSION:
        message = f"`version` is {shortened(version)}; this program reads version {VERSION}"
        problems.append(Problem(written.place(("version",)), message))
    for key, kind, what in (("profiles", Map, "a mapping of names to profiles"), ("rules", Seq, "a list of rules")):
        if root.get(key) is not None and not isinstance(root[key], kind):
            problems.append(Problem(written.place((key,)), f"`{key}` must be {what}"))
    defaults: DefaultsForm | None = None
    if root.get("defaults") is not None:
        try:
            defaults = DefaultsForm.model_validate(root["defaults"])
        except ValidationError as error:
            problems += problems_of(error, written, DefaultsForm, ("defaults",))
    return problems, defaults


def _refuse_file(reading: _Reading, written: Written, problems: list[Problem]) -> None:
    """List the file, and each of its rules that can be named, as refused."""
    reading.rejected.append(Rejected("file", None, tuple(problems)))
    rules = written.root.get("rules") if isinstance(written.root, Map) else None
    for index, rule in enumerate(rules if isinstance(rules, Seq) else ()):
        ident = rule.get("id") if isinstance(rule, Map) else None
        if isinstance(ident, str):
            message = f"refused with its whole file, because of {problems[0]}"
            reading.rejected.append(Rejected("rule", ident, (Problem(written.place(("rules", index)), message),)))


def _read_profiles(reading: _Reading, written: Written) -> None:
    for name in written.root.get("profiles") or ():
        found = read_profile(written, name)
        refused = reading.profiles.add(name, found, written.place(("profiles", name), key=True))
        if refused:
            reading.rejected.append(Rejected("profile", name, refused))


def _rules_of(
    reader: RuleReader, written: Written, index: int, defaults: DefaultsForm | None, reading: _Reading
) -> tuple[list[Rule], RuleReader]:
    """The rules of one entry, and the reader that tells what is wrong; names are filled in cell by cell."""
    entry = written.root["rules"][index]
    cells = silently(entry) if has_names(entry) else []
    if not cells:
        return reader.read(), reader
    rules: list[Rule] = []
    first: RuleReader | None = None
    for cell in cells:
        one = RuleReader(for_cell(written, index, cell), index, defaults, reading.surroundings, reading.profiles)
        found = one.read()
        if not found:
            return [], one
        rules += found
        first = first or one
    return rules, first or reader


def _read_rules(reading: _Reading, written: Written, defaults: DefaultsForm | None) -> None:
    surroundings = reading.surroundings
    for index in range(len(written.root.get("rules") or ())):
        reader = RuleReader(written, index, defaults, surroundings, reading.profiles)
        ident, place = reader.ident, reader.place()
        if ident is not None and ident in reading.ids:
            message = f"there is a rule `{ident}` already, at {reading.ids[ident]}; rename one of the two"
            place = written.place(("rules", index, "id"))
            reading.rejected.append(Rejected("rule", ident, (Problem(place, message),)))
            continue
        if ident is not None:
            reading.ids[ident] = place
        rules, reader = _rules_of(reader, written, index, defaults, reading)
        if not rules:
            problems = sorted(reader.problems, key=lambda problem: (problem.place.line, problem.place.column))
            reading.rejected.append(Rejected("rule", ident, tuple(dict.fromkeys(problems))))
            continue
        reading.rules += rules
        reading.tests += reader.tests
        reading.warnings += reader.warnings
