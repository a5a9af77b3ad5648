"""A real `flyball run`, asked over HTTP as people and machines ask it: shapes, pages, who may; how soon and how small."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import psutil
import pytest

from support.lab import NOTES, QUICK_JOBS, write_lab
from support.process import Answer, DaemonProgram, SandboxProgram, until
from support.truth import Lab, expected_incomplete, expected_quality_tags, good_reports, over_http

STATES = {"planned", "held", "waiting", "running", "done", "failed", "cancelled", "undone", "shadow"}
EFFECT = {
    "id",
    "rule",
    "target",
    "kind",
    "state",
    "once_key",
    "summary",
    "params",
    "attempts",
    "created",
    "updated",
    "outcome",
    "error",
}
TOKEN = "open-sesame-for-tests"
MOST_MEMORY = 120 * 2**20  # bytes, of an idle daemon


@dataclass(frozen=True, slots=True)
class Asked:
    """A daemon that has done all there was to do, and its site."""

    box: SandboxProgram
    daemon: DaemonProgram
    lab: Lab


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """No token set; the shipped rules and one with notes."""
    folder = tmp_path_factory.mktemp("asked")
    with SandboxProgram(folder, {"jobs": QUICK_JOBS}) as box:
        config = write_lab(folder, box.key, extra={"notes.yaml": NOTES}, site={"poll": {"every": "500ms"}})
        with DaemonProgram(config) as daemon:
            daemon.idle()
            yield Asked(box, daemon, over_http(box.api))


@pytest.fixture(scope="module")
def guarded(asked: Asked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProgram]:
    """A second daemon, on a ledger of its own, with a token set."""
    folder = tmp_path_factory.mktemp("guarded")
    http = {"port": 0, "token": "env:FLYBALL_TOKEN"}
    config = write_lab(folder, asked.box.key, "version: 1\nrules: []\n", http=http)
    with DaemonProgram(config, {"FLYBALL_TOKEN": TOKEN}) as daemon:
        yield daemon


def _pages(daemon: DaemonProgram, path: str, limit: int) -> list[dict[str, Any]]:
    """All results of a list, page by page."""
    rows: list[dict[str, Any]] = []
    after = ""
    while True:
        mark = "&" if "?" in path else "?"
        page = daemon.ask(f"{path}{mark}limit={limit}{after}").json()
        assert page.keys() == {"results", "next"}
        assert len(page["results"]) <= limit
        rows += page["results"]
        if page["next"] is None:
            return rows
        assert len(page["results"]) == limit
        after = f"&after={page['next']}"


def _is_error(answer: Answer, status: int) -> bool:
    said = answer.json()
    return answer.status == status and said.keys() == {"error"} and said["error"].keys() == {"code", "message"}


# The five addresses


def test_health_and_readiness(asked: Asked) -> None:
    """`/healthz` is 200; `/readyz` says ready, with the checks of spec 6."""
    assert asked.daemon.ask("/healthz").status == 200
    answer = asked.daemon.ask("/readyz")
    said = answer.json()
    assert (answer.status, said["status"]) == (200, "ready")
    assert said["checks"].keys() >= {"store", "sites", "rules"}
    loaded = len(asked.daemon.status()["rules"])
    assert loaded >= 6
    assert said["checks"]["rules"] == {"loaded": loaded, "rejected": 0}
    main = said["checks"]["sites"]["main"]
    assert main.keys() >= {"ok", "last_poll", "lag_s", "error"}
    assert main["ok"] is True
    assert main["error"] is None
    assert 0 <= main["lag_s"] < 90


def test_status(asked: Asked) -> None:
    """`/status` has every key of spec 6 and the numbers of what was done."""
    said = asked.daemon.idle()
    assert said.keys() >= {
        "version",
        "uptime_s",
        "idle",
        "sites",
        "rules",
        "effects",
        "settling",
        "held",
        "alerts",
        "replicas",
    }
    assert said["effects"].keys() == STATES
    assert said["effects"]["done"] > 40
    assert said["effects"]["failed"] == said["effects"]["running"] == 0
    assert said["alerts"] == len(expected_incomplete(asked.lab))
    site = said["sites"]["main"]
    assert site.keys() >= {"polls", "lag_s", "requests", "throttled"}
    assert site["polls"] > 0
    assert site["requests"] > 0
    rule = said["rules"]["bold-qc"]
    assert rule["mode"] == "live"
    assert rule["decisions"].keys() == {"yes", "no", "unknown"}
    assert rule["effects"].keys() == STATES
    assert "last_error" in rule
    assert said["rules"]["recon-all-by-session"]["mode"] == "paused"
    assert said["replicas"] == 1


def test_idle_rounds_are_cheap_and_stay_idle(asked: Asked) -> None:
    """With nothing changed a round costs at most one request a stream, and `idle` stays true."""
    polls = asked.daemon.idle()["sites"]["main"]["polls"]
    before = asked.box.requests()["total"]
    seen: list[bool] = []

    def three_more() -> bool:
        said = asked.daemon.status()
        seen.append(said["idle"])
        return bool(said["sites"]["main"]["polls"] >= polls + 3)

    until(three_more, 90, "three more rounds")
    spent = asked.box.requests()["total"] - before
    rounds = asked.daemon.status()["sites"]["main"]["polls"] - polls + 1  # and the one under way
    assert all(seen)
    assert spent <= 6 * rounds, f"{spent} requests in {rounds} rounds of 6 streams"


def test_metrics(asked: Asked) -> None:
    """Prometheus text with requests, lag, events, decisions, effects, queue depth and two histograms."""
    answer = asked.daemon.ask("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = dict(re.findall(r"^# TYPE (flyball_\w+) (\w+)$", answer.text, re.MULTILINE))
    assert families["flyball_request_seconds"] == families["flyball_effect_seconds"] == "histogram"
    assert families["flyball_queue_depth"] == families["flyball_poll_lag_seconds"] == "gauge"
    queues = {"looks_due", "looks_settling", *(f"effects_{word}" for word in ("due", "running", "waiting", "held"))}
    assert set(re.findall(r'^flyball_queue_depth\{queue="(\w+)"\}', answer.text, re.MULTILINE)) == queues
    assert re.search(r'^flyball_requests_total\{.*site="main",status="200"\} [1-9]', answer.text, re.MULTILINE)
    assert re.search(r'^flyball_effects_total\{kind="tag",outcome="done"\} [1-9]', answer.text, re.MULTILINE)
    assert re.search(r'^flyball_decisions_total\{decision="yes",rule="bold-qc"\} [1-9]', answer.text, re.MULTILINE)
    assert re.search(r'^flyball_events_total\{.*site="main".*\} [1-9]', answer.text, re.MULTILINE)


# The ledger


def test_effects_page_by_page(asked: Asked) -> None:
    """Keyset pages hold every effect once, newest first, in the shape of spec 6; filters narrow them."""
    rows = _pages(asked.daemon, "/api/effects", 7)
    assert rows == asked.daemon.ask("/api/effects?limit=1000").json()["results"]
    assert len({row["id"] for row in rows}) == len(rows) > 40
    assert all(int(one["id"]) > int(two["id"]) for one, two in pairwise(rows))
    for row in rows:
        assert row.keys() == EFFECT
        assert row["state"] in STATES
        assert row["target"].keys() == {"level", "id", "path"}
        assert re.fullmatch(r"fb-[a-z2-7]{26}", row["once_key"])
    assert {row["state"] for row in rows} == {"done"}
    wanted = expected_quality_tags(asked.lab)
    tagged = [row for row in rows if row["kind"] == "tag" and row["rule"] in ("bold-qc", "t1-qc")]
    assert {(row["params"]["container"]["id"], row["params"]["tag"]) for row in tagged} == {
        (ident, tag) for ident, tags in wanted.items() for tag in tags
    }
    launches = asked.daemon.ask("/api/effects?rule=recon-all&limit=1000").json()["results"]
    assert launches
    assert {row["kind"] for row in launches} == {"launch"}
    assert all(row["outcome"]["job"] for row in launches)
    of_one = asked.daemon.ask(f"/api/effects?target={launches[0]['target']['id']}&rule=recon-all").json()["results"]
    assert of_one == launches[:1]
    assert asked.daemon.ask("/api/effects?state=failed,held").json() == {"results": [], "next": None}
    one = asked.daemon.ask(f"/api/effects/{launches[0]['id']}").json()
    assert one.keys() >= EFFECT
    assert one["id"] == launches[0]["id"]


def test_rules_decisions_events_and_alerts(asked: Asked) -> None:
    """Each is a page of results, and holds what happened."""
    rules = _pages(asked.daemon, "/api/rules", 2)
    names = [row["id"] for row in rules]
    assert names == sorted(asked.daemon.status()["rules"])
    assert set(names) >= {"bold-qc", "motion-note", "protocol", "recon-all", "recon-all-by-session", "t1-qc"}
    assert asked.daemon.ask("/api/rules/protocol").json()["id"] == "protocol"
    decisions = _pages(asked.daemon, "/api/decisions?rule=protocol&current=true", 9)
    assert {row["target"]["id"] for row in decisions if row["decision"] == "yes"} >= expected_incomplete(asked.lab)
    assert {row["target"]["id"] for row in decisions} == asked.lab.sessions.keys()
    events = _pages(asked.daemon, "/api/events", 100)
    assert len(events) > 500
    assert {"acquisition", "file", "session", "subject"} <= {row["target"]["level"] for row in events}
    alerts = _pages(asked.daemon, "/api/alerts", 3)
    assert {row["target"]["id"] for row in alerts} == expected_incomplete(asked.lab)
    for row in alerts:
        assert row.keys() == {"id", "rule", "target", "status", "severity", "title", "since", "last_sent", "count"}
        assert row["status"] == "open"


def test_why(asked: Asked) -> None:
    """The decision with each condition and the values that were read; a path names the target as well as an id."""
    ident = next(one for one, tags in expected_quality_tags(asked.lab).items() if "HIGH_FD" in tags)
    report = next(entry for entry in asked.lab.acquisitions[ident]["files"] if "mriqc.qa" in entry["name"])
    said = asked.daemon.ask(f"/api/why?rule=bold-qc&target={report['file_id']}").json()
    assert said.keys() >= {"rule", "target", "decision", "because", "effects", "held_by", "recorded"}
    assert said["decision"] == "yes"
    motion = [line for line in said["because"] if "fd_mean" in line["expr"]]
    assert motion[0].keys() == {"expr", "result", "values", "note"}
    assert motion[0]["values"]["file.info.fd_mean"] == report["info"]["fd_mean"]
    assert said["effects"] == []
    assert said["recorded"]["decision"] == "yes"
    assert said["held_by"] == []
    by_path = asked.daemon.ask("/api/why?rule=protocol&target=scien/tome/TOME_3003/Session%202").json()
    assert by_path["target"]["path"] == "scien/tome/TOME_3003/Session 2"
    assert by_path["decision"] == "yes"
    by_id = asked.daemon.ask(f"/api/why?rule=protocol&target={by_path['target']['id']}").json()
    assert by_id["target"] == by_path["target"]


def test_mistakes_are_told_in_one_shape(asked: Asked) -> None:
    """Unknown things are 404, nonsense is 400, and every error is `{"error": {"code", "message"}}`."""
    for path in ("/api/effects/999999", "/api/rules/none", "/api/why?rule=none&target=x", "/nowhere", "/api/nowhere"):
        assert _is_error(asked.daemon.ask(path), 404), path
    for path in ("/api/effects?limit=0", "/api/effects?limit=x", "/api/effects?after=x", "/api/effects?state=odd"):
        assert _is_error(asked.daemon.ask(path), 400), path
    assert _is_error(asked.daemon.ask("/hooks/none", "POST", body={}), 404)
    assert _is_error(asked.daemon.ask("/status", "DELETE"), 405)


# Who may


def test_without_a_token_only_this_machine_reads_and_nobody_acts(asked: Asked) -> None:
    """A foreign Host, Origin or Sec-Fetch-Site is refused; acting needs a token that is not set."""
    daemon = asked.daemon
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert _is_error(daemon.ask("/status", headers=headers), 403), headers
        assert daemon.ask("/healthz", headers=headers).status == 200
    for path in ("/api/poll", "/api/reload", "/api/rules/protocol/pause", "/api/effects/1/retry"):
        assert _is_error(daemon.ask(path, "POST"), 403), path
    page = daemon.ask("/")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_with_a_token_everything_but_the_public_four_needs_it(guarded: DaemonProgram) -> None:
    """401 without it or with another; with it all reads and acts work."""
    for path in ("/healthz", "/readyz", "/metrics"):
        assert guarded.ask(path).status in (200, 503), path
    assert guarded.ask("/hooks/none", "POST", body={}).status == 404
    for path in ("/status", "/api/rules", "/api/effects", "/api/decisions", "/api/events", "/api/alerts"):
        assert _is_error(guarded.ask(path), 401), path
        assert _is_error(guarded.ask(path, headers={"Authorization": "Bearer wrong"}), 401), path
        assert guarded.ask(path, headers={"Authorization": f"Bearer {TOKEN}"}).status == 200, path
    assert _is_error(guarded.ask("/api/poll", "POST"), 401)
    assert guarded.ask("/api/poll", "POST", headers={"Authorization": f"Bearer {TOKEN}"}).status == 200


def test_signing_in_is_for_reading(guarded: DaemonProgram) -> None:
    """`/` shows a form (401); the cookie it leads to is HttpOnly and SameSite=Strict, reads, and does not act."""
    form = guarded.ask("/")
    assert form.status == 401
    assert "<form" in form.text
    wrong = guarded.ask("/session", "POST", body=b"token=nope", headers=FORM)
    assert wrong.status == 401
    assert "set-cookie" not in wrong.headers
    right = guarded.ask("/session", "POST", body=f"token={TOKEN}".encode(), headers=FORM)
    assert right.status == 303
    cookie = right.headers["set-cookie"]
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    signed_in = {"Cookie": cookie.split(";")[0]}
    assert guarded.ask("/", headers=signed_in).status == 200
    assert guarded.ask("/status", headers=signed_in).status == 200
    assert _is_error(guarded.ask("/api/poll", "POST", headers=signed_in), 401)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


# How soon, how small


def test_an_idle_daemon_is_small(asked: Asked) -> None:
    """Below 120 MB of memory, its site listed and all work done."""
    memory = psutil.Process(asked.daemon.pid).memory_info().rss
    print(f"idle: {memory / 2**20:.0f} MB")
    assert memory < MOST_MEMORY


def test_a_change_is_acted_on_by_itself(asked: Asked) -> None:
    """Twenty reports get worse, one after the other: each tag comes by itself, and how soon is printed."""
    changed: dict[str, float] = {}
    took: dict[str, float] = {}
    waiting = good_reports(asked.lab.acquisitions.values())[:20]
    assert len(waiting) == 20
    next_at = time.monotonic()
    end = next_at + 90
    while len(took) < 20 and time.monotonic() < end:
        if waiting and time.monotonic() >= next_at:
            ident, report = waiting.pop()
            asked.box.api(f"/acquisitions/{ident}/files/{report}/info", "POST", {"set": {"snr": 0.5}})
            changed[ident] = time.monotonic()
            next_at += 0.17
        tagged = asked.box.api("/acquisitions?filter=tags%3DLOW_SNR&limit=1000")
        now = time.monotonic()
        for row in tagged:
            if row["_id"] in changed:
                took.setdefault(row["_id"], now - changed[row["_id"]])
        time.sleep(0.02)
    assert len(took) == 20
    print(f"change to tag, poll 0.5 s: median {sorted(took.values())[10]:.2f} s, longest {max(took.values()):.2f} s")
