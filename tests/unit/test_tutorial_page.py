"""The page on Flywheel's tutorial, and the shipped rules: read as they stand, and the same as one another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flyball.configfile.local import ConfigFiles
from flyball.configfile.yaml import read_yaml
from flyball.effects.catalog import KINDS
from flyball.rules.reading import read_texts
from flyball.rules.reading.surroundings import Surroundings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "from-the-tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ONLY_SHIPPED = {"freesurfer-stats", "t1-qc", "recon-all-by-session"}  # variants of one that is on the page
Json = dict[str, Any]


def shipped() -> dict[str, Json]:
    """Id → rule, of the shipped files on Flywheel."""
    return {
        rule["id"]: rule
        for path in (ROOT / "config" / "rules").glob("*.yaml")
        for rule in read_yaml(path.read_text("utf-8"), path.name).root.get("rules") or ()
    }


def rules_of(block: str) -> list[Json]:
    """The rules of one block of the page."""
    found: list[Json] = read_yaml(block, "page.yaml").root["rules"]
    return found


def on_page() -> dict[str, Json]:
    """Id → rule, of the page."""
    return {rule["id"]: rule for block in BLOCKS for rule in rules_of(f"version: 1\nrules:\n{indented(block)}")}


def indented(block: str) -> str:
    """As a list below `rules`."""
    return "".join(f"  {line}\n" for line in block.splitlines())


@pytest.mark.parametrize("ident", sorted(on_page()))
def test_a_rule_on_the_page_is_a_shipped_one(ident: str) -> None:
    """What the page shows of a rule is in the shipped one, which may say more."""
    rule, whole = on_page()[ident], shipped()[ident]
    for key in rule.keys() - {"do", "scope", "expect"}:
        assert rule[key] == whole[key], key
    for entry in rule["do"]:
        (kind, wanted), *_ = entry.items()
        fitting = [one[kind] for one in whole["do"] if kind in one]
        assert any(wanted.items() <= one.items() or kind in ("view", "launch") for one in fitting), entry


def test_the_page_shows_every_shipped_rule_and_each_is_read() -> None:
    """None is left out, and none is complained of."""
    assert on_page().keys() | ONLY_SHIPPED == shipped().keys()
    texts = {f"{place}.yaml": f"version: 1\nrules:\n{indented(block)}" for place, block in enumerate(BLOCKS)}
    profiles = {"profiles.yaml": (ROOT / "config" / "rules" / "profiles.yaml").read_text("utf-8")}
    around = Surroundings(KINDS, {"main": "flywheel"}, {}, files=ConfigFiles(ROOT / "config"))
    found = read_texts({**texts, **profiles}, around)
    assert [str(one) for one in (*found.rejected, *found.warnings)] == []
