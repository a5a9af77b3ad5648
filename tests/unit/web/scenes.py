"""Daemons as the page may meet them, and a browser to look at them with."""

from __future__ import annotations

from typing import Any

from unit.web.browser import Tab
from unit.web.conftest import Site
from unit.web.fakes import NOW, STATES, FakeDaemon, effect, rule
from unit.web.fakes import site as a_site

HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>'
TARGET = {"level": "session", "id": "5f0000000000000000000001", "path": HOSTILE}
BECAUSE = [
    {"expr": "file.info.snr < 1.0", "result": "true", "values": {"file.info.snr": 0.47}, "note": ""},
    {"expr": f"x == '{HOSTILE}'", "result": "unknown", "values": {HOSTILE: None}, "note": HOSTILE},
]


def series(number: int = 60) -> dict[str, Any]:
    """A site's last minutes: busy, once put off, once falling behind."""
    return {
        "every_s": 10.0,
        "requests": [(17 * index) % 40 for index in range(number)],
        "throttled": [3 if 20 < index < 24 else 0 for index in range(number)],
        "failed": [1 if index == 30 else 0 for index in range(number)],
        "lag_s": [None if index == 0 else 2.0 * index for index in range(number)],
    }


def busy() -> FakeDaemon:
    """At work, with one site that does not answer, one broken rule, a failure, a held effect, and hostile labels."""
    daemon = FakeDaemon()
    daemon.sites = {"main": a_site(), "pilot": a_site(ok=False, error="401: the key is not accepted", lag_s=312.0)}
    counts = dict.fromkeys(STATES, 0)
    daemon.known_rules = {
        "bold-qc": rule(effects={**counts, "done": 1412}),
        "broken": rule(title="broken", rejected="mine.yaml:3:5: unknown key `wehn`; did you mean `when`?"),
    }
    daemon.known_effects = [
        effect(9, "running"),
        effect(8, summary=HOSTILE, target=TARGET, params={"tag": HOSTILE}),
        effect(7, "failed", error="input t2 is no file of type nifti"),
        effect(6, "held", summary="launch recon-all  scien/tome/ex9", error="canary: 3 launched"),
    ]
    daemon.known_alerts = [
        {
            "id": "1",
            "rule": "protocol",
            "title": HOSTILE,
            "target": TARGET,
            "status": "open",
            "severity": "error",
            "since": NOW.isoformat(),
            "last_sent": NOW.isoformat(),
            "count": 2,
        }
    ]
    daemon.known_failures = [
        {
            "kind": "launch",
            "gear": "freesurfer-recon-all",
            "reason": "input t2 is no file of type nifti",
            "count": 112,
            "first": NOW.isoformat(),
            "last": NOW.isoformat(),
            "effects": ["7"],
            "targets": [HOSTILE],
            "rules": ["bold-qc"],
        }
    ]
    daemon.known_events = [
        {
            "id": "3",
            "site": "main",
            "kind": "changed",
            "source": "poll",
            "target": TARGET,
            "seen": NOW.isoformat(),
            "detail": {"label": HOSTILE},
        }
    ]
    daemon.known_decisions = [
        {
            "id": "2",
            "rule": "bold-qc",
            "version": "1",
            "target": TARGET,
            "decision": "yes",
            "because": BECAUSE,
            "decided": NOW.isoformat(),
            "confirmed": NOW.isoformat(),
            "event": "3",
            "current": True,
        }
    ]
    daemon.known_tries = [
        {"number": 1, "started": NOW.isoformat(), "ended": NOW.isoformat(), "outcome": "transient", "error": HOSTILE}
    ]
    daemon.known_why = {
        "because": BECAUSE,
        "effects": [{"summary": HOSTILE}],
        "held_by": [HOSTILE],
        "would_fire_if": [],
        "made": [],
        "recorded": None,
    }
    daemon.known_weather = {"main": series(), "pilot": series()}
    return daemon


async def text(tab: Tab, selector: str) -> str:
    """What a part of the page shows."""
    found: str = await tab.run(f"document.querySelector({selector!r}).innerText")
    return found


async def show(tab: Tab, site: Site, view: str = "") -> None:
    """Open the page, and wait until the daemon was heard."""
    await tab.goto(f"{site.url}/{view}")
    await tab.until("typeof heard !== 'undefined' && heard")


async def open_view(tab: Tab, view: str, expected: str) -> None:
    """Go to a view of the page that is open, and wait for what is to be there."""
    await tab.run(f"location.hash = {view!r}")
    await tab.until(f"document.querySelector('#view').innerText.includes({expected!r})")
