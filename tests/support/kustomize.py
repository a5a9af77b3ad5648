"""What `kubectl kustomize` makes of a folder, as far as our folders use it: resources, patches by name, config maps.

For machines without the program. Where it is there, a test compares the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Thing = dict[str, Any]
KEYS = {"apiVersion", "kind", "resources", "patches", "configMapGenerator"}
# By which key the entries of a list are told apart when one is laid over another (strategic merge patches).
BY = {"containers": "name", "volumes": "name", "env": "name", "volumeMounts": "mountPath", "ports": "containerPort"}


def documents(path: Path) -> list[Thing]:
    """All YAML documents of a file."""
    reader = YAML(typ="safe", pure=True)
    return [document for document in reader.load_all(path.read_text("utf-8")) if document]


def build(folder: Path) -> list[Thing]:
    """The objects that a folder stands for, patches applied; names of config maps have no suffix."""
    (made,) = documents(folder / "kustomization.yaml")
    assert set(made) <= KEYS, f"{folder}: not known here: {set(made) - KEYS}"
    things: list[Thing] = []
    for entry in made["resources"]:
        path = (folder / entry).resolve()
        things += build(path) if path.is_dir() else documents(path)
    for patch in made.get("patches", ()):
        for over in documents(folder / patch["path"]):
            (below,) = [thing for thing in things if _identity(thing) == _identity(over)]
            things[things.index(below)] = merged(below, over)
    for generator in made.get("configMapGenerator", ()):
        data = {Path(name).name: (folder / name).read_text("utf-8") for name in generator["files"]}
        things.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data})
    names = [_identity(thing) for thing in things]
    assert len(names) == len(set(names)), f"{folder}: an object is there twice"
    return things


def merged(below: Any, over: Any, key: str = "") -> Any:
    """One value laid over another: maps key by key (null takes away), lists of named entries by name, else replaced."""
    if isinstance(below, dict) and isinstance(over, dict):
        result = dict(below)
        for name, value in over.items():
            if value is None:
                result.pop(name, None)
            else:
                result[name] = merged(result[name], value, name) if name in result else value
        return result
    if isinstance(below, list) and isinstance(over, list) and key in BY:
        by = BY[key]
        named = {entry[by]: entry for entry in below}
        laid = [merged(named.pop(entry[by]), entry) if entry[by] in named else _clean(entry) for entry in over]
        return [*laid, *named.values()]
    return over


def _clean(value: Any) -> Any:
    return {key: one for key, one in value.items() if one is not None} if isinstance(value, dict) else value


def _identity(thing: Thing) -> tuple[str, str, str]:
    return thing["apiVersion"], thing["kind"], thing["metadata"]["name"]
