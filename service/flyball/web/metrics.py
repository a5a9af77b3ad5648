"""The metrics, for Prometheus: prometheus-client's only door, on a registry of its own.

The rooms do not know of this: the composition root hands them the methods below as callbacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

# Seconds. A site answers in tens of milliseconds; our own limit for one attempt is five minutes.
_REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_EFFECT_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

# Different paths of requests that are told apart; whatever comes beyond is a mistake, and must not fill the memory.
_MOST_TEMPLATES: Final = 100


class Metrics:
    """All metrics of one daemon. Counters count from the start of the process.

    Args:
        version: of the program, shown as a label of `flyball_info`.
    """

    def __init__(self, version: str = "") -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._info = Gauge("flyball_info", "Always 1; the version is a label.", ["version"], registry=registry)
        self._info.labels(version).set(1)
        self._ready = Gauge("flyball_ready", "1 while /readyz answers 200.", registry=registry)
        self._requests = Counter(
            "flyball_requests",
            "Requests to sites, by status; `none` when no answer came.",
            ["site", "method", "path", "status"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "flyball_request_seconds",
            "Time from sending a request to the end of its answer.",
            ["site", "method"],
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self._polls = Counter("flyball_polls", "Poll rounds that came to their end.", ["site"], registry=registry)
        self._lag = Gauge(
            "flyball_poll_lag_seconds", "Time since the last complete poll of a site.", ["site"], registry=registry
        )
        self._paused = Gauge(
            "flyball_site_paused_seconds", "Time until a site may be asked again.", ["site"], registry=registry
        )
        self._events = Counter("flyball_events", "Events stored.", ["site", "kind", "source"], registry=registry)
        self._decisions = Counter("flyball_decisions", "Decisions by result.", ["rule", "decision"], registry=registry)
        self._effects = Counter(
            "flyball_effects", "Attempts at effects, by how they ended.", ["kind", "outcome"], registry=registry
        )
        self._effect_seconds = Histogram(
            "flyball_effect_seconds",
            "Time that an attempt at an effect took.",
            ["kind"],
            buckets=_EFFECT_SECONDS,
            registry=registry,
        )
        self._queue = Gauge("flyball_queue_depth", "What waits, by queue.", ["queue"], registry=registry)
        self._alerts = Gauge("flyball_alerts_open", "Open alerts.", registry=registry)
        self._templates: set[str] = set()

    def request(self, site: str, method: str, template: str, status: int | None, seconds: float) -> None:
        """One attempt at a request to a site; `template` is its path with placeholders, `status` None: no answer."""
        if template not in self._templates:
            if len(self._templates) < _MOST_TEMPLATES:
                self._templates.add(template)
            else:
                template = "other"
        self._requests.labels(site, method, template, "none" if status is None else str(status)).inc()
        self._request_seconds.labels(site, method).observe(seconds)

    def poll(self, site: str, number: int = 1) -> None:
        """Poll rounds came to their end."""
        self._polls.labels(site).inc(number)

    def set_lag(self, site: str, seconds: float | None) -> None:
        """Time since the last complete poll; None before the first."""
        self._lag.labels(site).set(float("nan") if seconds is None else seconds)

    def set_paused(self, site: str, seconds: float) -> None:
        """Time until the site may be asked again; 0 when it may."""
        self._paused.labels(site).set(seconds)

    def event(self, site: str, kind: str, source: str, number: int = 1) -> None:
        """Events were stored."""
        self._events.labels(site, kind, source).inc(number)

    def decision(self, rule: str, verdict: str, number: int = 1) -> None:
        """Decisions were taken."""
        self._decisions.labels(rule, verdict).inc(number)

    def effect(self, kind: str, outcome: str, seconds: float) -> None:
        """An attempt at an effect ended."""
        self._effects.labels(kind, outcome).inc()
        self._effect_seconds.labels(kind).observe(seconds)

    def set_queue(self, depth: Mapping[str, int]) -> None:
        """How much waits: `looks_due`, `looks_settling`, `effects_due`, `effects_running`, … → number."""
        for name, number in depth.items():
            self._queue.labels(name).set(number)

    def set_alerts(self, number: int) -> None:
        """Open alerts."""
        self._alerts.set(number)

    def set_ready(self, ready: bool) -> None:  # noqa: FBT001 - the value itself, not a switch
        """Whether `/readyz` answers 200."""
        self._ready.set(1 if ready else 0)

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(_Shown(self._registry))


class _Shown(Collector):
    """The registry without the library's `_created` series: they double the scrape and nobody reads them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family
