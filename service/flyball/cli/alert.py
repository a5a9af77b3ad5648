"""`flyball alert test [CHANNEL]`: proves that a message arrives, before one has to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from flyball.adapters.channels.book import LOG, ChannelBook
from flyball.cli.common import load_lab
from flyball.cli.looping import run_loop_value
from flyball.cli.saying import FAILED, FINE, USAGE, Exit, complain, fail, options, out, say_json
from flyball.model.errors import FlyballError, UnknownOutcome
from flyball.settings import Settings
from flyball.talking import book_of

Json = dict[str, Any]
app = typer.Typer(name="alert", help="Alerts: prove that a message arrives.", no_args_is_help=True)


def register(top: typer.Typer) -> None:
    """Add the verb."""
    top.add_typer(app)


@app.callback()
def _alert() -> None:
    """Alerts: prove that a message arrives."""


@app.command("test")
def send_test(
    channel: Annotated[str | None, typer.Argument(help="Name of a channel; without it, all of them.")] = None,
) -> None:
    """Send a marked test message, whatever the channel's severity and digest, and say whether it arrived."""
    lab = load_lab()
    known = lab.settings.all_channels
    if channel is not None and channel not in known:
        fail(f"there is no channel {channel!r} in the settings; there are: {', '.join(known)}", USAGE)
    names = [channel] if channel is not None else [name for name in known if name != LOG] or [LOG]
    tried = run_loop_value(_try(lab.settings, names))
    for entry in tried:
        if entry["error"]:
            entry["error"] = lab.secrets.mask(entry["error"])
    if options.json:
        say_json(tried)
    else:
        for entry in tried:
            _say(entry)
    raise Exit(FINE if all(entry["arrived"] for entry in tried) else FAILED)


def message_at(now: datetime) -> Json:
    """The test message: the shape of an alert, marked as a test wherever a person or a program may look."""
    return {
        "id": f"test-{now:%Y%m%dT%H%M%S%f}",
        "rule": "flyball-alert-test",
        "target": {"level": "test", "id": "test", "path": "test"},
        "status": "open",
        "severity": "info",
        "title": "TEST: a message from Flyball arrives here",
        "body": "Somebody asked for it with `flyball alert test`. Nothing is wrong, and nothing needs to be done.",
        "since": now.isoformat(),
        "test": True,
    }


async def _try(settings: Settings, names: list[str]) -> list[Json]:
    book = book_of(settings)
    try:
        async with asyncio.TaskGroup() as tasks:
            trials = [tasks.create_task(_one(book, settings, name), name=f"test of {name}") for name in names]
        return [trial.result() for trial in trials]
    finally:
        await book.close()


async def _one(book: ChannelBook, settings: Settings, name: str) -> Json:
    message = message_at(datetime.now(UTC))
    found: Json = {"channel": name, "kind": settings.all_channels[name].kind, "arrived": True, "error": None}
    try:
        await book.send(name, message, key=message["id"])
    except UnknownOutcome as error:
        return found | {"arrived": None, "error": str(error)}
    except FlyballError as error:
        return found | {"arrived": False, "error": str(error)}
    return found


def _say(entry: Json) -> None:
    name = f"{entry['channel']} ({entry['kind']})"
    if entry["arrived"] and entry["kind"] == LOG:
        out.print(f"{name}: goes into the daemon's own log, nowhere else", markup=False)
    elif entry["arrived"]:
        out.print(f"{name}: the test message was accepted; see that it is there", markup=False)
    elif entry["arrived"] is None:
        complain(f"{name}: no clear answer, it may have arrived: {entry['error']}")
    else:
        complain(f"{name}: the test message did not arrive: {entry['error']}")
