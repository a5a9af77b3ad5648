"""An installed plug-in as the command line sees it: listed, in the schema, at work; a broken one beside it."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from support.lab import write_lab
from support.process import SOURCE, Program, SandboxProgram

EXAMPLE = Path(__file__).parents[2] / "docs" / "plugin-example"
RULE = """
version: 1
rules:
  - id: lower
    since: all
    scope: {project: scien/tome}
    each: acquisition
    if: acquisition.label == 'T1w'
    do: [{relabel: {on: acquisition, label: lower(acquisition.label)}}]
"""
BROKEN = """
  - id: lost
    each: session
    do: [{lost: {a: 1}}]
"""


def install(folder: Path, *, broken: bool = False) -> dict[str, str]:
    """The environment of a program in which the example is installed, as pip leaves it: module and metadata."""
    folder.mkdir()
    (folder / "flyball_relabel").symlink_to(EXAMPLE / "flyball_relabel")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
    points = [f"{name} = {value}" for name, value in project["entry-points"]["flyball.effects"].items()]
    _metadata(folder, "flyball_relabel", project["name"], project["version"], points)
    if broken:
        _metadata(folder, "lost", "lost", "0.3", ["lost = no_such_module:Kind"])
    return {"PYTHONPATH": os.pathsep.join([str(SOURCE), str(folder)])}


def _metadata(folder: Path, stem: str, name: str, version: str, points: list[str]) -> None:
    info = folder / f"{stem}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("\n".join(["[flyball.effects]", *points, ""]))


def run(arguments: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str, str]:
    """One command: its exit code and what it said."""
    with Program(arguments, folder=folder, environment=environment) as program:
        return program.wait(180), program.out, program.err


def test_the_example_is_listed_and_works(tmp_path: Path) -> None:
    """`check` and the schema know it, `run` uses it, `effects` finds it."""
    environment = install(tmp_path / "site")
    with SandboxProgram(tmp_path) as box:
        write_lab(tmp_path, box.key, RULE)
        code, out, err = run(["check"], tmp_path, environment)
        assert (code, err) == (0, "")
        assert "effect kind relabel: flyball-relabel 1.0.0 (flyball_relabel:Relabel)" in out
        code, out, _ = run(["schema", "rules"], tmp_path, environment)
        assert {"on", "label", "when"} == set(json.loads(out)["$defs"]["RelabelParams"]["properties"])
        code, _, err = run(["run", "--until-idle"], tmp_path, environment)
        assert code == 0, err
        code, out, err = run(["effects", "--kind", "relabel", "--json"], tmp_path, environment)
        assert code == 0, err
        effects: list[dict[str, Any]] = json.loads(out)
        assert len(effects) > 0
        assert {effect["state"] for effect in effects} == {"done"}
        assert {box.api(f"/acquisitions/{one['params']['container']['id']}")["label"] for one in effects} == {"t1w"}


def test_a_broken_one_is_refused_alone(tmp_path: Path) -> None:
    """Exit code 2 and the reason; the rule that asks for it is refused, the others are taken."""
    environment = install(tmp_path / "site", broken=True)
    write_lab(tmp_path, "127.0.0.1:9:__force_insecure:key", RULE + BROKEN)
    code, out, err = run(["check", "--json"], tmp_path, environment)
    found = json.loads(out)
    assert code == 2, err
    assert found["rules"]["loaded"] == ["lower"]
    (said,) = found["rules"]["rejected"]
    assert said.startswith("config/rules/rules.yaml:13:17: ")
    assert "lost 0.3 cannot be used: ModuleNotFoundError: No module named 'no_such_module'" in said
    kinds = {kind["kind"]: kind for kind in found["kinds"]}
    assert kinds["relabel"]["error"] is None
    assert kinds["tag"]["where"] is None
    assert kinds["lost"] == {
        "kind": "lost",
        "package": "lost 0.3",
        "where": "no_such_module:Kind",
        "error": "ModuleNotFoundError: No module named 'no_such_module'",
    }
    code, _, err = run(["check"], tmp_path, environment)
    assert code == 2
    assert "effect kind lost: lost 0.3 (no_such_module:Kind) cannot be used" in err
