"""Scenarios: YAML files that describe an emulated lab, its growth, its dialect and its misbehaviour.

A scenario may start from a packaged one (`extends: lab`): maps are merged key by key, lists and
single values are replaced. The packaged `lab` explains every key in its comments.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from flyball.sandbox import maps
from flyball.sandbox.dialect import Dialect, dialect
from flyball.sandbox.jobs import Pace
from flyball.sandbox.scout import Scout, build_scout
from flyball.sandbox.views.executions import ViewPace

Map = dict[str, Any]
_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)
"""A moment at which a scenario's data are made for a trial, to see whether it can be used."""


class ScenarioError(ValueError):
    """A scenario that cannot be used; the message says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One emulated lab, as its file describes it."""

    seed: str = "lab"
    dialect: str = "v23"
    switches: Map = field(default_factory=dict)
    users: Map = field(default_factory=dict)
    protocol: list[str] = field(default_factory=list)
    groups: Map = field(default_factory=dict)
    projects: list[Map] = field(default_factory=list)
    gears: list[Map] = field(default_factory=list)
    jobs: Map = field(default_factory=dict)
    launches: list[Map] = field(default_factory=list)
    growth: Map = field(default_factory=dict)
    scale: Map = field(default_factory=dict)
    search: Map = field(default_factory=dict)
    views: Map = field(default_factory=dict)
    faults: list[Map] = field(default_factory=list)
    neuroscout: Map = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """A scenario from its values.

        Raises:
            ScenarioError: an unknown key or a wrong value.
        """
        merged = dict(values)
        if "extends" in merged:
            base = merged.pop("extends")
            merged = maps.merged(_packaged(str(base)), merged)
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(merged) - known)
        if unknown:
            raise ScenarioError(f"unknown keys {unknown}; there are {sorted(known)} and extends")
        scenario = cls(**merged)
        try:
            scenario.speech()
            scenario.pace()
            scenario.search_lag()
            scenario.view_pace()
            scenario.scout(_SOME_TIME)
        except (TypeError, ValueError) as error:
            raise ScenarioError(str(error)) from error
        return scenario

    @classmethod
    def load(cls, path: Path) -> Self:
        """A scenario from a YAML file.

        Raises:
            ScenarioError: an unreadable file, broken YAML, an unknown key or a wrong value.
        """
        try:
            return cls.of(_read(path.read_text(encoding="utf-8")))
        except (OSError, ScenarioError) as error:
            raise ScenarioError(f"{path}: {error}") from error

    @classmethod
    def find(cls, path: Path) -> Self:
        """A scenario from a YAML file, or the packaged one of that name when there is no such file.

        Raises:
            ScenarioError: neither, or a file that cannot be used.
        """
        if not path.exists() and path.parent == Path() and str(path) in packaged():
            return cls.named(str(path))
        return cls.load(path)

    @classmethod
    def named(cls, name: str = "lab", **values: Any) -> Self:
        """A packaged scenario, with some values of its own."""
        return cls.of({"extends": name, **values})

    def speech(self) -> Dialect:
        """How the site speaks."""
        return dialect(self.dialect, **self.switches)

    def search_lag(self) -> timedelta:
        """How far the search index is behind.

        Raises:
            ValueError: an unknown key or a lag below zero.
        """
        unknown = set(self.search) - {"lag_s"}
        lag = float(self.search.get("lag_s", 0))
        if unknown or lag < 0:
            raise ValueError(f"search takes lag_s (seconds, zero or more), not {self.search}")
        return timedelta(seconds=lag)

    def view_pace(self) -> ViewPace:
        """How long executions of views take."""
        return ViewPace.read(self.views)

    def pace(self) -> Pace:
        """How its jobs go on."""
        return Pace.read(self.jobs)

    def scout(self, now: datetime) -> Scout:
        """Its Neuroscout server, as it is at a moment.

        Raises:
            ValueError: an unknown key or a wrong value.
        """
        return build_scout(self.neuroscout, self.seed, now)


def packaged() -> list[str]:
    """The names of the packaged scenarios."""
    folder = files("flyball.sandbox") / "scenarios"
    return sorted(each.name.removesuffix(".yaml") for each in folder.iterdir() if each.name.endswith(".yaml"))


def _packaged(name: str) -> Map:
    resource = files("flyball.sandbox") / "scenarios" / f"{name}.yaml"
    if not name.isidentifier() or not resource.is_file():
        raise ScenarioError(f"there is no packaged scenario {name!r}")
    values = _read(resource.read_text(encoding="utf-8"))
    return maps.merged(_packaged(str(values.pop("extends"))), values) if "extends" in values else values


def _read(text: str) -> Map:
    try:
        values = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ScenarioError(f"broken YAML: {error}") from error
    if not isinstance(values, dict):
        raise ScenarioError("a scenario is a map of keys")
    return values
