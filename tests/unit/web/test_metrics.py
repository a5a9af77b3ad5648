"""The metrics: what Prometheus reads after things happened."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flyball.web.metrics import Metrics


def read(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """(name, labels) → value, of everything."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return read(metrics)[(name, frozenset(labels.items()))]


def test_requests_by_site_and_status() -> None:
    """An answer that did not arrive has the status `none`."""
    metrics = Metrics()
    metrics.request("main", "GET", "/sessions", 200, 0.02)
    metrics.request("main", "GET", "/sessions", 200, 0.03)
    metrics.request("main", "POST", "/jobs/add", None, 60.0)
    labels = {"site": "main", "method": "GET", "path": "/sessions"}
    assert value(metrics, "flyball_requests_total", **labels, status="200") == 2
    lost = {"site": "main", "method": "POST", "path": "/jobs/add", "status": "none"}
    assert value(metrics, "flyball_requests_total", **lost) == 1
    assert value(metrics, "flyball_request_seconds_sum", site="main", method="GET") == pytest.approx(0.05)
    assert value(metrics, "flyball_request_seconds_bucket", site="main", method="GET", le="0.025") == 1


def test_paths_are_bounded() -> None:
    """A mistake in a template cannot fill the memory."""
    metrics = Metrics()
    for number in range(1000):
        metrics.request("main", "GET", f"/sessions/{number}", 200, 0.01)
    shown = [labels for name, labels in read(metrics) if name == "flyball_requests_total"]
    assert len(shown) == 101
    other = {"site": "main", "method": "GET", "path": "other", "status": "200"}
    assert value(metrics, "flyball_requests_total", **other) == 900


def test_effects_by_kind_and_outcome() -> None:
    """Counted, and their time kept by kind."""
    metrics = Metrics()
    metrics.effect("tag", "done", 0.04)
    metrics.effect("tag", "transient", 5.5)
    assert value(metrics, "flyball_effects_total", kind="tag", outcome="done") == 1
    assert value(metrics, "flyball_effect_seconds_count", kind="tag") == 2
    assert value(metrics, "flyball_effect_seconds_bucket", kind="tag", le="5.0") == 1


def test_what_is_counted_and_what_is_measured() -> None:
    """Events, decisions and polls add up; lag, pause, queue, alerts and readiness are the last word."""
    metrics = Metrics("1.2.3")
    metrics.event("main", "changed", "poll", 5)
    metrics.event("main", "changed", "poll")
    metrics.decision("bold-qc", "unknown", 3)
    metrics.poll("main")
    for lag in (9.0, 2.5):
        metrics.set_lag("main", lag)
    metrics.set_paused("main", 30.0)
    metrics.set_queue({"looks_due": 4, "effects_held": 2})
    metrics.set_alerts(3)
    metrics.set_ready(True)
    assert value(metrics, "flyball_events_total", site="main", kind="changed", source="poll") == 6
    assert value(metrics, "flyball_decisions_total", rule="bold-qc", decision="unknown") == 3
    assert value(metrics, "flyball_polls_total", site="main") == 1
    assert value(metrics, "flyball_poll_lag_seconds", site="main") == 2.5
    assert value(metrics, "flyball_site_paused_seconds", site="main") == 30
    assert value(metrics, "flyball_queue_depth", queue="effects_held") == 2
    assert value(metrics, "flyball_alerts_open") == 3
    assert value(metrics, "flyball_ready") == 1
    assert value(metrics, "flyball_info", version="1.2.3") == 1


def test_a_lag_that_is_not_known_is_no_number() -> None:
    """Before the first poll: NaN, which no alert takes for zero."""
    metrics = Metrics()
    metrics.set_lag("main", None)
    lag = value(metrics, "flyball_poll_lag_seconds", site="main")
    assert lag != lag  # noqa: PLR0124 - how NaN is told


def test_two_daemons_do_not_share_numbers() -> None:
    """Each has a registry of its own, with the process' memory in it."""
    first, second = Metrics(), Metrics()
    first.poll("main")
    assert b"flyball_polls_total{" not in second.render()
    assert value(second, "process_resident_memory_bytes") > 0


def test_hostile_labels_stay_in_their_place() -> None:
    """A rule's or site's name cannot write a line of its own."""
    metrics = Metrics()
    metrics.decision('x"} 1\nflyball_alerts_open 99', "yes")
    assert value(metrics, "flyball_alerts_open") == 0
    assert value(metrics, "flyball_decisions_total", rule='x"} 1\nflyball_alerts_open 99', decision="yes") == 1


def test_the_scrape_has_no_created_series() -> None:
    """They would double it."""
    metrics = Metrics()
    metrics.poll("main")
    assert b"_created" not in metrics.render()
