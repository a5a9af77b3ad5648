"""The example plug-in: what it refuses, what it wishes, and what becomes of it on the emulated site."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from flyball.app import Daemon
from flyball.cli.common import load_lab
from flyball.effects.installed import Installed, load
from flyball.effects.plugin import GROUP
from flyball.ledger.history import History
from flyball.rules.reading import Surroundings, read_texts
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.metadata import modify

RULE = """
version: 1
rules:
  - id: lower
    since: all
    each: acquisition
    if: startswith(acquisition.label, 'T1')
    do: [{relabel: {on: acquisition, label: lower(acquisition.label)}}]
"""
SETTINGS = """
sites:
  main: {{api_key: "{key}", poll: {{every: 1s}}, unclear_wait: 100ms}}
http: {{port: 0}}
"""


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    """The plug-in, as if its package were installed."""
    found = load([EntryPoint("relabel", "flyball_relabel:Relabel", GROUP)])
    for name in ("flyball.app", "flyball.cli.common", "flyball.answers.answers"):
        monkeypatch.setattr(f"{name}.installed", lambda: found)
    yield found
    assert found.broken == ()


def refused(kinds: Installed, do: str, each: str = "acquisition") -> str:
    """What is said of a rule that cannot be."""
    text = f"rules: [{{id: r, each: {each}, do: [{{relabel: {do}}}]}}]"
    found = read_texts({"r.yaml": text}, Surroundings(kinds.catalog, {"main": "flywheel"}, {}))
    assert found.rejected, "it was taken"
    return str(found.rejected[0])


@pytest.mark.parametrize(
    ("do", "each", "message"),
    [
        ("{on: file, label: \"'x'\"}", "acquisition", "cannot rename a file"),
        ("{on: acquisition, label: \"'x'\"}", "session", "cannot rename an acquisition"),
        ("{on: acquisition, label: nope.label}", "acquisition", "nope"),
        ("{on: acquisition}", "acquisition", "label"),
        ("{on: acquisition, label: \"'x'\", lable: y}", "acquisition", "lable"),
    ],
)
def test_what_is_refused(kinds: Installed, do: str, each: str, message: str) -> None:
    """At load, with its place."""
    assert message in refused(kinds, do, each)


async def run(folder: Path, box: Sandbox, rule: str = RULE) -> list[dict[str, Any]]:
    """Run the rule once on the site; its effects."""
    (folder / "config" / "rules").mkdir(parents=True, exist_ok=True)
    (folder / "config" / "flyball.yaml").write_text(SETTINGS.format(key=box.key))
    (folder / "config" / "rules" / "rules.yaml").write_text(rule)
    lab = load_lab({}, config=folder / "config")
    assert [str(one) for one in lab.rules.rejected] == []
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment) as daemon:
        assert await daemon.run_until_idle()
        found: list[dict[str, Any]] = (await History(daemon.store).effects(limit=500))["results"]
        return found


def labels(box: Sandbox) -> list[str]:
    """The acquisitions' labels."""
    return sorted(str(row["label"]) for row in box.site.acquisitions.rows.values())


async def test_labels_follow_the_rule_once(tmp_path: Path) -> None:
    """Every T1 is renamed, nothing else is; a person's renaming back stands; nothing is done twice."""
    async with Sandbox(Scenario.named("lab")) as box:
        wanted = sorted(label.lower() if label.startswith("T1") else label for label in labels(box))
        many = sum(label.startswith("T1") for label in labels(box))
        effects = await run(tmp_path, box)
        assert many > 0
        assert [effect["state"] for effect in effects] == ["done"] * many
        assert labels(box) == wanted
        first = next(row for row in box.site.acquisitions.rows.values() if row["label"] == "t1w")
        modify(box.site, "acquisition", first, {"label": "T1w"})
        assert len(await run(tmp_path, box)) == many
        assert first["label"] == "T1w"


async def test_an_answer_that_does_not_arrive(tmp_path: Path) -> None:
    """The label is read before anything is sent again: no effect fails, and each label is set once."""
    async with Sandbox(Scenario.named("lab")) as box:
        box.faults.add("reset_after", method="PUT", path="^/acquisitions/", count=3)
        effects = await run(tmp_path, box)
        assert {effect["state"] for effect in effects} == {"done"}
        assert box.requests.by_method["PUT"] == len(effects)


async def test_a_label_that_is_unknown_changes_nothing(tmp_path: Path) -> None:
    """No effect follows from it."""
    async with Sandbox(Scenario.named("lab")) as box:
        before = labels(box)
        assert await run(tmp_path, box, RULE.replace("lower(acquisition.label)", "acquisition.info.name")) == []
        assert labels(box) == before
