"""The page on the tutorial of pyNS, and the shipped rules: read as they stand, and the same as one another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flyball.cli.common import load_lab
from flyball.configfile.local import ConfigFiles
from flyball.configfile.yaml import read_yaml
from flyball.effects.catalog import KINDS
from flyball.rules.reading import read_texts
from flyball.rules.reading.surroundings import Surroundings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "from-the-pyns-tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SITES = {"main": "flywheel", "scout": "neuroscout"}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: re.findall(r"id: (\S+)", block)[0])
def test_rules_on_the_page_are_the_shipped_ones(block: str) -> None:
    """Each is read without a complaint, and a rule of that id is shipped that asks for the same effects."""
    found = read_texts(
        {"page.yaml": f"version: 1\n{block}"}, Surroundings(KINDS, SITES, {}, files=ConfigFiles(ROOT / "config"))
    )
    assert [str(one) for one in (*found.rejected, *found.warnings)] == []
    shipped = {
        entry["id"]: entry
        for path in (ROOT / "config" / "rules" / "neuroscout").glob("*.yaml")
        for entry in read_yaml(path.read_text("utf-8"), path.name).root["rules"]
    }
    (rule,) = read_yaml(block, "page.yaml").root["rules"]
    mine = [next(iter(entry)) for entry in shipped[rule["id"]]["do"]]
    assert [next(iter(entry)) for entry in rule["do"]] == mine


def test_every_shipped_rule_is_taken_with_and_without_an_account(tmp_path: Path) -> None:
    """With one all rules are live; without one those on Neuroscout are paused, and none is refused."""
    key = {"FLYWHEEL_API_KEY": "127.0.0.1:1:__force_insecure:key"}
    account = {"NEUROSCOUT_EMAIL": "ada@example.org", "NEUROSCOUT_PASSWORD": "secret"}
    for environment, paused in ((key, True), (key | account, False)):
        rules = load_lab(environment, config=ROOT / "config").rules
        assert rules.rejected == ()
        mine = [rule for rule in rules.rules if "rules/neuroscout" in rule.place.file]
        assert len(mine) >= 5
        assert {str(rule.mode) == "paused" for rule in mine} == {paused}
