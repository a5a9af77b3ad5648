"""`flyball status`: what `/status` says, as a table."""

from __future__ import annotations

from typing import Any

import orjson
import typer

from flyball.adapters.store.opening import open_ledger
from flyball.cli.common import Lab, load_lab
from flyball.cli.effects import say_groups
from flyball.cli.looping import run_loop_value
from flyball.cli.saying import options, out, say_json, say_table
from flyball.clients.exchange import Request
from flyball.clients.transport import Repetition, Timeouts, Transport
from flyball.clock import SystemClock
from flyball.ledger.history import History
from flyball.ledger.silencing import silences_at
from flyball.model.errors import SiteError


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("status")(status)


def status() -> None:
    """How the daemon is; from its ledger when it does not run."""
    lab = load_lab()
    found = run_loop_value(_ask(lab))
    running = found is not None
    if found is None:
        found = run_loop_value(_read(lab))
    found["running"] = running
    if options.json:
        say_json(found)
        return
    if running:
        idle = "idle" if found["idle"] else "at work"
        out.print(f"flyball {found['version']}, up {found['uptime_s']:.0f} s, {idle}", markup=False)
        say_table(
            ("site", "ok", "polls", "lag s", "requests", "throttled", "error"),
            (
                [
                    name,
                    "yes" if site["ok"] else "NO",
                    site["polls"],
                    site["lag_s"],
                    site["requests"],
                    site["throttled"],
                    site["error"],
                ]
                for name, site in found["sites"].items()
            ),
        )
    else:
        out.print("the daemon does not run; this is what its ledger says", markup=False)
    say_table(
        ("rule", "mode", "yes", "no", "unknown", "done", "to do", "failed", "last error"),
        (_rule_row(name, rule) for name, rule in found["rules"].items()),
        empty="no rules",
    )
    if found.get("failures"):
        say_groups(found["failures"])
    out.print(f"settling {found['settling']}, held {found['held']}, open alerts {found['alerts']}", markup=False)
    for one in found["silences"]:
        about = f"rule {one['rule']}" if one["rule"] else f"project {one['project']}"
        out.print(f"silenced: {about} until {one['until']}: {one['because']}", markup=False)


def _rule_row(name: str, rule: dict[str, Any]) -> list[Any]:
    decisions, effects = rule["decisions"], rule["effects"]
    to_do = sum(effects.get(state, 0) for state in ("planned", "waiting", "running", "held"))
    return [
        name,
        rule.get("mode", ""),
        *(decisions.get(verdict, 0) for verdict in ("yes", "no", "unknown")),
        effects.get("done", 0),
        to_do,
        effects.get("failed", 0),
        rule.get("rejected") or rule["last_error"] or "",
    ]


async def _ask(lab: Lab) -> Any:
    http = lab.settings.http
    host = "127.0.0.1" if http.host in ("0.0.0.0", "::", "localhost") else http.host  # noqa: S104 - compared, not bound
    headers = {} if http.token is None else {"Authorization": f"Bearer {http.token.get_secret_value()}"}
    transport = Transport(
        f"http://{host}:{http.port}",
        headers=headers,
        site="daemon",
        timeouts=Timeouts(connect=2.0, silence=5.0, whole=10.0),
        repetition=Repetition(waits=()),
    )
    try:
        found = await _get(transport, "/status")
        if not isinstance(found, dict) or "rules" not in found or "uptime_s" not in found:
            return None
        failed = await _get(transport, "/api/failures")
    except SiteError:
        return None
    finally:
        await transport.close()
    return {**found, "failures": failed.get("results", []) if isinstance(failed, dict) else []}


async def _get(transport: Transport, path: str) -> Any:
    response = await transport.send(Request("GET", path, template=path))
    if not response.ok:
        return None
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return None


async def _read(lab: Lab) -> dict[str, Any]:
    store = await open_ledger(lab.settings.ledger, lab.settings.data_dir, read_only=True)
    try:
        now = SystemClock().now()
        counts = await History(store).counts(now)
        silences = await store.read(lambda connection: silences_at(connection, now))
        failed = await History(store).failures()
    finally:
        await store.close()
    modes = {rule.id: str(rule.mode) for rule in lab.rules.rules}
    names = dict.fromkeys([*modes, *counts.rules])
    blank: dict[str, Any] = {"decisions": {}, "effects": {}, "last_error": None}
    rules = {}
    for name in names:
        mine = counts.rules.get(name)
        known = (
            blank
            if mine is None
            else {"decisions": mine.decisions, "effects": mine.effects, "last_error": mine.last_error}
        )
        rules[name] = {"mode": modes.get(name, "orphaned"), **known}
    return {
        "rules": rules,
        "effects": counts.effects,
        "settling": counts.settling,
        "held": counts.held,
        "alerts": counts.alerts,
        "silences": [one.as_json() for one in silences],
        "failures": failed,
    }
