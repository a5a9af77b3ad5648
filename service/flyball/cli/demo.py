"""`flyball demo`: the daemon at work on an emulated site, with the shipped example rules."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from flyball.answers import Answers
from flyball.app import Daemon
from flyball.cli.common import Lab, load_lab, show_rejected, with_rules
from flyball.cli.looping import run_loop
from flyball.cli.run import server_for
from flyball.cli.saying import FAILED, FINE, Exit, fail, options, out, say_json
from flyball.ledger.history import History
from flyball.logs import configure
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import ConfigError
from flyball.sandbox import Sandbox, Scenario
from flyball.settings import Http

SETTLE = timedelta(seconds=5)  # what longer `settle` times are cut to, so that there is something to see
SECONDS = 300.0  # how long `--once` waits at the most
QUIET = {"pending_s": [0, 1], "running_s": [2, 6]}
GROWTH = {"every_s": 8}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="End when all is settled, with a summary.")] = False,
    port: Annotated[int | None, typer.Option(help="Port of the status page; default 8080 or a free one.")] = None,
) -> None:
    """The main job on an emulated site: nothing to configure, nothing leaves this machine."""
    with tempfile.TemporaryDirectory(prefix="flyball-demo-") as folder:
        raise Exit(run_loop(_demo(Path(folder), once=once, port=port)))


def example_folder() -> Path:
    """The shipped example lab: packaged, or in a source tree.

    Raises:
        ConfigError: it is nowhere.
    """
    for folder in (Path(__file__).parents[1] / "example", Path(__file__).parents[3] / "config"):
        if (folder / "flyball.yaml").is_file():
            return folder
    raise ConfigError("the shipped example lab is missing from this installation")


async def _demo(folder: Path, *, once: bool, port: int | None) -> int:
    scenario = Scenario.named("lab", jobs=QUIET, growth={} if once else GROWTH)
    async with Sandbox(scenario) as box:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FLYBALL_")}
        environment |= {
            "FLYWHEEL_API_KEY": box.key,
            "FLYBALL_DATA": str(folder / "var"),
            "FLYBALL_SITES__MAIN__POLL__EVERY": "2s",
            "FLYBALL_SITES__MAIN__LIMITS__PER_SECOND": "0",
            "FLYBALL_SITES__SCOUT__URL": box.neuroscout,
            "NEUROSCOUT_EMAIL": box.scout_users[0]["email"],
            "NEUROSCOUT_PASSWORD": box.scout_users[0]["password"],
            "FLYBALL_SITES__SCOUT__POLL__EVERY": "2s",
            "FLYBALL_SITES__SCOUT__LIMITS__PER_SECOND": "0",
        }
        lab = load_lab(environment, config=example_folder())
        configure(lab.secrets, level="error")
        show_rejected(lab.rules)
        lab = _hurried(lab)
        show = Show(quiet=options.json)
        show.say(f"An emulated Flywheel site is at {box.url} with {len(box.site.sessions.rows)} sessions.")
        show.say(f"An emulated Neuroscout server is at {box.neuroscout} with {len(box.scout.datasets)} datasets.")
        show.say(
            f"{len(lab.rules.rules)} rules from {example_folder()}; waits for quiet are cut to {SETTLE.seconds} s."
        )
        async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment) as daemon:
            daemon.supervisor.listen()
            daemon.observers.append(show.effect)
            http = lab.settings.http.model_copy(update={"port": port or _free_port()})
            server = server_for(daemon, Answers(daemon), http, lab.secrets)
            show.say(f"Status page: http://127.0.0.1:{await server.start()}/\n")
            try:
                async with asyncio.TaskGroup() as tasks:
                    if once:
                        tasks.create_task(_stop_when_idle(daemon), name="demo")
                    await daemon.run()
            finally:
                await server.stop()
            return await _summary(daemon, show)


def _hurried(lab: Lab) -> Lab:
    rules = tuple(replace(rule, settle=min(rule.settle, SETTLE)) for rule in lab.rules.rules)
    return with_rules(lab, replace(lab.rules, rules=rules))


def _free_port() -> int:
    for wanted in (Http().port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return 0


async def _stop_when_idle(daemon: Daemon) -> None:
    """Stop once nothing is due, nothing settles, and the launched jobs have ended."""
    answers = Answers(daemon)
    try:
        async with asyncio.timeout(SECONDS):
            while not daemon.supervisor.stopping.is_set():
                status = await answers.status()
                if status["idle"] and not status["settling"] and not await daemon.jobs_running():
                    break
                await asyncio.sleep(0.2)
    except TimeoutError:
        fail(f"the demo did not come to rest within {SECONDS:.0f} s")
    daemon.supervisor.stop("settled")


class Show:
    """Says what happens, a line an effect."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def say(self, text: str) -> None:
        """A line of the story."""
        if not self._quiet:
            out.print(Text(text))

    def effect(self, effect: Effect, report: Report, _seconds: float) -> None:
        """One attempt ended."""
        note = "" if report.outcome is Outcome.DONE else f"  [{report.outcome}] {report.error or ''}"
        self.say(f"  {effect.rule:<14} {effect.summary}{note.rstrip()}")


async def _summary(daemon: Daemon, show: Show) -> int:
    history = History(daemon.store)
    rows: list[dict[str, Any]] = []
    after = None
    while True:
        page = await history.effects(limit=1000, after=after)
        rows.extend(page["results"])
        after = page["next"]
        if after is None:
            break
    done = Counter(_what(row) for row in rows if row["state"] == "done")
    failed = [row for row in rows if row["state"] == "failed"]
    counts = await history.counts(daemon.clock.now())
    summary: dict[str, Any] = {
        "tags": {key.split(" ", 1)[1]: count for key, count in sorted(done.items()) if key.startswith("tag ")},
        "alerts": done["alert"],
        "launches": done["launch"],
        "notes": done["note"],
        "analyses": done["neuroscout.analysis"],
        "collections": done["neuroscout.predictors"],
        "failed": len(failed),
        "decisions": {name: rule.decisions for name, rule in sorted(counts.rules.items())},
        "jobs": dict(Counter(str((row["outcome"] or {}).get("job_state")) for row in rows if row["kind"] == "launch")),
    }
    if options.json:
        say_json(summary)
    else:
        show.say("")
        show.say("What was done:")
        for tag, count in summary["tags"].items():
            show.say(f"  tag {tag:<20} {count}")
        show.say(f"  alerts                   {summary['alerts']}")
        show.say(f"  launches                 {summary['launches']}  (jobs: {_jobs(summary['jobs'])})")
        show.say(f"  notes                    {summary['notes']}")
        show.say(f"  Neuroscout analyses      {summary['analyses']}  (predictors uploaded: {summary['collections']})")
        for name, decisions in summary["decisions"].items():
            show.say(f"  {name:<24} yes {decisions['yes']}, no {decisions['no']}, unknown {decisions['unknown']}")
        for row in failed:
            show.say(f"  failed: {row['summary']}: {row['error']}")
    sys.stdout.flush()
    return FAILED if failed else FINE


def _what(row: dict[str, Any]) -> str:
    if row["kind"] == "tag":
        sign = "" if row["params"].get("operation") == "add" else "-"
        return f"tag {sign}{row['params'].get('tag')}"
    return str(row["kind"])


def _jobs(states: dict[str, int]) -> str:
    return ", ".join(f"{state} {count}" for state, count in sorted(states.items())) or "none"
