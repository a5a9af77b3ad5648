"""The two places that settings come from, file and environment, as pydantic-settings sources that remember places.

pydantic-settings' own environment source ignores misspelt names and makes a second entry where upper and lower case
differ inside of a name, so the prefix is scanned here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from flyball.configfile.problems import annotation_at, keys_at
from flyball.configfile.references import is_reference, resolve
from flyball.configfile.suggest import instead
from flyball.configfile.tree import Map, Seq, Written
from flyball.configfile.tree import Path as Keys
from flyball.configfile.yaml import NotReadable, read_yaml
from flyball.model.place import Place, Problem

PREFIX = "FLYBALL_"
SEPARATOR = "__"
STAND_INS = {
    "api_key": "127.0.0.1:9:__force_insecure:not-set",
    "url": "http://127.0.0.1:9/not-set",
    "smtp": "smtp://127.0.0.1:9",
    "email": "not-set@example.org",
}
"""What stands in for a secret that is not set, where nothing is sent anywhere: it leads to nobody."""
# What Kubernetes puts into every pod for services whose names begin with "flyball".
_KUBERNETES = re.compile(r"FLYBALL_(\w+_)?SERVICE_(HOST|PORT(_\w+)?)|FLYBALL_(\w+_)?PORT_\d+_(TCP|UDP|SCTP)(_\w+)?")
_KUBERNETES_PORT = re.compile(r"FLYBALL_(\w+_)?PORT")


@dataclass(slots=True)
class Source:
    """Values with their places.

    Attributes:
        values: nested, references resolved; keys without a value are left out, so that their defaults hold.
        places: where each value that was given stands, by path.
        literal: paths of texts that stand in the file themselves, not by reference.
        referred: paths of values that stand somewhere else, which no message may repeat.
        broken: places of references that lead nowhere; what else is wrong there follows from that.
        problems: what could not be taken.
        stand_in: a reference that leads nowhere is no problem: something that looks right stands in for its value.
    """

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Keys, Place] = field(default_factory=dict)
    literal: set[Keys] = field(default_factory=set)
    referred: set[Keys] = field(default_factory=set)
    broken: set[Place] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    stand_in: bool = False


class Given(PydanticBaseSettingsSource):
    """A source that was read already, in the form that pydantic-settings merges."""

    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the library's signature
        """The value of one top-level key."""
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


def from_file(written: Written, environment: Mapping[str, str], folder: Path, *, stand_in: bool = False) -> Source:
    """The file's values."""
    source = Source(stand_in=stand_in)

    def walk(value: Any, path: Keys) -> Any:
        if path:
            source.places[path] = written.place(path)
        if isinstance(value, Map):
            entries = {key: walk(one, (*path, key)) for key, one in value.items()}
            return {key: one for key, one in entries.items() if one is not None}  # `hooks:` with nothing below it
        if isinstance(value, Seq):
            return [walk(one, (*path, index)) for index, one in enumerate(value)]
        if isinstance(value, str):
            return _resolved(value, path, source, environment, folder, literal=True)
        return value

    source.values = walk(written.root, ()) or {}
    return source


def from_environment(
    environment: Mapping[str, str],
    model: type[BaseModel],
    folder: Path,
    *,
    names: Mapping[str, Any],
    excepted: Collection[str],
) -> Source:
    """The values of all `FLYBALL_…` variables.

    Args:
        environment: all variables.
        model: the settings, for what can be set.
        folder: for relative `file:` references.
        names: the file's values, for suggestions of sites, hooks and channels.
        excepted: variables that something refers to by `env:NAME`, and others that are no settings.
    """
    source = Source()
    seen: dict[Keys, str] = {}
    for name in sorted(environment, key=lambda one: (one.count(SEPARATOR), one)):
        text = environment[name]
        if not name.upper().startswith(PREFIX) or name in excepted or not text or _of_kubernetes(name, text):
            continue
        path: Keys = tuple(name[len(PREFIX) :].lower().split(SEPARATOR))
        place = Place(f"environment variable {name}")
        types = annotation_at(model, path)
        if not types:
            known = _variables(model, names, path)
            source.problems.append(Problem(place, f"there is no such setting; {instead(name.upper(), known)}"))
        elif path in seen:
            source.problems.append(Problem(place, f"{seen[path]} sets the same; keep one of the two"))
        else:
            seen[path] = name
            source.places[path] = place
            value = _typed(text, types, place, source)
            if isinstance(value, str):
                value = _resolved(value, path, source, environment, folder, literal=False)
            if value is not None:
                _put(source, path, value, place)
    return source


def _resolved(
    text: str, path: Keys, source: Source, environment: Mapping[str, str], folder: Path, *, literal: bool
) -> str | None:
    if not is_reference(text):
        if literal:
            source.literal.add(path)
        return text
    source.referred.add(path)
    try:
        return resolve(text, environment, folder)
    except ValueError as error:
        if source.stand_in:
            return STAND_INS.get(str(path[-1]), "not-set")
        source.problems.append(Problem(source.places[path], f"`{path[-1]}`: {error}"))
        source.broken.add(source.places[path])
        return "unresolved"  # so that the key does not count as missing as well


def _of_kubernetes(name: str, text: str) -> bool:
    return bool(
        _KUBERNETES.fullmatch(name) or (_KUBERNETES_PORT.fullmatch(name) and re.match(r"(tcp|udp|sctp)://", text))
    )


def _typed(text: str, types: list[Any], place: Place, source: Source) -> Any:
    """A variable's text as the setting wants it: lists and mappings as YAML, lists also with commas."""
    nested = [one for one in types if isinstance(one, type) and issubclass(one, BaseModel)]
    origins = {getattr(one, "__origin__", None) for one in types}
    if origins & {tuple, list} and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    if nested or origins & {tuple, list, dict}:
        try:
            return _bare(read_yaml(text, place.file).root)
        except NotReadable as error:
            source.problems.append(Problem(place, f"the value is no YAML; {error.problem.message}"))
            return None
    return text


def _bare(value: Any) -> Any:
    if isinstance(value, Map):
        return {key: _bare(one) for key, one in value.items()}
    return [_bare(one) for one in value] if isinstance(value, Seq) else value


def _put(source: Source, path: Keys, value: Any, place: Place) -> None:
    node = source.values
    for part in path[:-1]:
        inner = node.setdefault(str(part), {})
        if not isinstance(inner, dict):
            source.problems.append(
                Problem(place, f"`{part}` is set as a whole by another variable; keep one of the two")
            )
            return
        node = inner
    node[str(path[-1])] = value


def _variables(model: type[BaseModel], names: Mapping[str, Any], given: Keys) -> list[str]:
    """Names of variables that could have been meant: two levels deep everywhere, all levels below known names."""
    found: list[str] = []

    def collect(path: Keys, depth: int) -> None:
        keys = keys_at(model, path)
        if not keys and path and len(path) == 1:
            known = names.get(str(path[0]))
            keys = [*(known if isinstance(known, dict) else ()), *(str(part) for part in given[1:2])]
        for key in dict.fromkeys(keys):
            below = (*path, key)
            found.append(PREFIX + SEPARATOR.join(str(part) for part in below).upper())
            if depth and annotation_at(model, below):
                collect(below, depth - 1)

    collect((), 4)
    return found
