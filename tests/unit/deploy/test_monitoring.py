"""The shipped dashboard and alert rules ask for what the daemon measures, under the names that it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from flyball.model.effect import Outcome
from flyball.web.metrics import Metrics
from unit.deploy.promql import OF_RANGES, parse

ROOT = Path(__file__).parents[3] / "deploy"
BOARD: dict[str, Any] = json.loads((ROOT / "grafana" / "flyball.json").read_text("utf-8"))
RULES: list[dict[str, Any]] = [
    rule
    for group in YAML(typ="safe").load(ROOT / "prometheus" / "flyball-rules.yaml")["groups"]
    for rule in group["rules"]
]
PANELS: list[dict[str, Any]] = BOARD["panels"]
EXPRESSIONS = [
    *((f"alert {rule['alert']}", rule["expr"]) for rule in RULES),
    *((f"panel {panel['id']}{target['refId']}", target["expr"]) for panel in PANELS for target in panel["targets"]),
    *((f"annotation {one['name']}", one["expr"]) for one in BOARD["annotations"]["list"]),
]
SCRAPED = {"job", "instance"}  # labels that Prometheus adds
QUEUES = {"looks_due", "looks_settling", "effects_due", "effects_running", "effects_waiting", "effects_held"}


def measured() -> dict[str, tuple[str, set[str]]]:
    """Sample's name → type and labels, of everything that the daemon can measure."""
    metrics = Metrics("1")
    metrics.request("main", "GET", "/sessions", 200, 0.1)
    metrics.poll("main")
    metrics.set_lag("main", 1.0)
    metrics.set_paused("main", 0.0)
    metrics.event("main", "changed", "site")
    metrics.decision("rule", "yes")
    metrics.effect("tag", "done", 0.1)
    metrics.set_queue({"looks_due": 1})
    found = {
        sample.name: (family.type, set(sample.labels))
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }
    return {**found, "up": ("gauge", set())}


@pytest.mark.parametrize("expression", [text for _, text in EXPRESSIONS], ids=[name for name, _ in EXPRESSIONS])
def test_expressions_ask_for_what_is_measured(expression: str) -> None:
    """Each metric exists, has the labels that are asked for, and counters, only these, are read as rates."""
    known = measured()
    said = parse(expression)
    assert said.selectors
    labels: set[str] = set()
    for one in said.selectors:
        assert one.metric in known, one.metric
        kind, has = known[one.metric]
        labels |= has
        assert set(one.labels) <= has | SCRAPED, one
        assert one.ranged == (one.function in OF_RANGES), one
        if one.function in ("rate", "increase"):
            assert kind in ("counter", "histogram"), one
        elif one.function is None and one.metric != "up":
            assert kind == "gauge", f"{one.metric} counts for ever: show its rate"
        outcomes = set(one.labels.get("outcome", "done").split("|"))
        assert outcomes <= {str(outcome) for outcome in Outcome}
        assert set(one.labels.get("queue", "looks_due").split("|")) <= QUEUES
    assert said.grouped_by <= labels | SCRAPED


def test_the_names_of_queues_are_the_daemons() -> None:
    """What the composition root sets, so that no alert waits for a queue that is never there."""
    source = (ROOT.parent / "service" / "flyball" / "answers" / "gauges.py").read_text("utf-8")
    assert all(f'"{queue}"' in source for queue in QUEUES)


def test_alerts_say_what_to_do() -> None:
    """Each has a severity, a summary and a description, and a name of its own."""
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["description"].endswith((".", "again.", "`."))


def test_the_dashboard_stands_on_its_own() -> None:
    """Panels have ids, descriptions and places that do not overlap; the source of data is chosen when it is opened."""
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert max(x for x, _ in cells) < 24
        assert not taken & cells
        taken |= cells


@pytest.mark.parametrize("text", ["sum(flyball_ready", "rate(x[5m]))", "nosuch(x)", "x{a=1}", "sum x", 'x{a="1"'])
def test_mistakes_are_seen(text: str) -> None:
    """The check can fail: brackets, functions, labels."""
    with pytest.raises(ValueError, match=r"bracket|function|what is this|label"):
        parse(text)
