"""`flyball silence RULE|PROJECT --until … --because …`: quiets; without arguments lists; `--lift ID` ends one."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Annotated, Any

import typer

from flyball.cli.common import Lab, load_lab
from flyball.cli.saying import USAGE, fail, options, out, say_json, say_table
from flyball.cli.writing import write
from flyball.clock import SystemClock
from flyball.configfile.durations import parse_duration
from flyball.ledger.silencing import lift as lift_silence
from flyball.ledger.silencing import silence as begin_silence
from flyball.ledger.silencing import silences_at
from flyball.rules.posting import Silence

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("silence")(silence)


def silence(
    what: Annotated[
        str | None, typer.Argument(metavar="[RULE|PROJECT]", help="Id of a rule, or group/label of a project.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="2026-03-01, 2026-03-01T08:00, 08:00, or a duration: 4h, 3d.")
    ] = None,
    because: Annotated[str | None, typer.Option(metavar="REASON", help="Why; it is shown to those who look.")] = None,
    lift: Annotated[str | None, typer.Option(metavar="ID", help="End a silence before its time.")] = None,
) -> None:
    """Keep the alerts of a rule or project back until a time; what is open then is sent. Alone: list the silences."""
    lab = load_lab()
    if lift is not None:
        if what is not None or until is not None or because is not None:
            fail("--lift ID stands alone", USAGE)
        _say(_asked(lab, partial(lift_silence, ident=lift)), "lifted")
        return
    if what is None:
        if until is not None or because is not None:
            fail("name a rule or a project: flyball silence RULE --until … --because …", USAGE)
        _list(_asked(lab, silences_at))
        return
    if until is None or because is None:
        fail("a silence has an end and a reason: --until 2026-03-01T08:00 --because 'the scanner is upgraded'", USAGE)
    end = until_when(until, SystemClock().now())
    if end is None:
        fail(f"{until!r} is no time; write 2026-03-01, 2026-03-01T08:00, 08:00, 4h or 3d", USAGE)
    _say(_asked(lab, partial(begin_silence, what=what, until=end, because=because)), "silent")


def until_when(text: str, now: datetime) -> datetime | None:
    """The time that a person means; None: it is none. One without a zone is by this machine's clock.

    A time of day is the next one, a date its midnight, a duration counts from now.
    """
    here = now.astimezone()
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        at = time(int(clock[1]), int(clock[2]))
        for days in (0, 1):
            found = datetime.combine(here.date() + timedelta(days=days), at).astimezone()
            if found > now:
                return found.astimezone(UTC)
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return datetime.combine(date.fromisoformat(text), time()).astimezone(UTC)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return now + parse_duration(text)
    except (ValueError, OverflowError):
        return None


def _asked(lab: Lab, work: Callable[..., Any]) -> Any:
    try:
        return write(lab, work)
    except (LookupError, ValueError) as error:
        fail(str(error.args[0]))


def _list(silences: list[Silence]) -> None:
    if options.json:
        say_json([one.as_json() for one in silences])
        return
    rows = [(one.id, _about(one), _local(one.until), one.because) for one in silences]
    say_table(("id", "quiet", "until", "because"), rows, empty="nothing is silenced")


def _say(one: Silence, word: str) -> None:
    if options.json:
        say_json(one.as_json())
        return
    if word == "lifted":
        out.print(f"silence {one.id} is lifted: {_about(one)}; what it kept back goes out now", markup=False)
        return
    out.print(
        f"silence {one.id}: {_about(one)} until {_local(one.until)}; what is still open then is sent", markup=False
    )


def _about(one: Silence) -> str:
    return f"rule {one.rule}" if one.rule is not None else f"project {one.project}"


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")
