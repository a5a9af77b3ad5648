"""`flyball run`: the daemon; `--until-idle`: once, for cron."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
from typing import Annotated, Any

import structlog
import typer

from flyball.answers import Answers
from flyball.app import Daemon
from flyball.cli.common import FAILED, FINE, Exit, Lab, complain, load_lab, options, out, say_json, show_rejected
from flyball.logs import Secrets, configure
from flyball.model.effect import EffectState
from flyball.settings import Http
from flyball.web.server import Server

log = structlog.get_logger()
_ARENA_MAX = -8  # malloc.h: M_ARENA_MAX


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("run")(run)


def run(
    *,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Do all that is due now, then exit (for cron and CronJobs).")
    ] = False,
) -> None:
    """Run the daemon."""
    lab = load_lab()
    configure(lab.secrets, form=lab.settings.log.format, level=lab.settings.log.level)
    show_rejected(lab.rules)
    spare_the_collector()
    share_one_heap()
    raise Exit(run_loop(once(lab) if until_idle else forever(lab)))


def spare_the_collector() -> None:
    """Look for unreachable cycles less often, and never in what is loaded by now.

    Pages are many small dicts and hold no cycles: by Python's own thresholds a quarter of a first run goes into
    looking through them (`make bench`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def share_one_heap() -> None:
    """Let all threads take memory from one heap, where the C library is glibc.

    It gives each thread a heap of its own, and what is freed in one is not used by the others: after a first run over
    1,000 sessions the idle daemon held 23 MB more. One lock more is nothing beside Python's own.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def run_loop(work: Any) -> int:
    """Run a coroutine on uvloop, where there is one."""
    try:
        import uvloop  # noqa: PLC0415 - absent on some platforms
    except ImportError:
        return int(asyncio.run(work))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return int(runner.run(work))


async def forever(lab: Lab) -> int:
    """The daemon with its HTTP server, until a signal."""
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, reread=lab.reread) as daemon:
        daemon.supervisor.listen()
        server = server_for(daemon, Answers(daemon), lab.settings.http, lab.secrets)
        log.info("http.listening", address=f"http://{_in_address(lab.settings.http.host)}:{await server.start()}/")
        try:
            await daemon.run()
        finally:
            await server.stop()
    return FINE


async def once(lab: Lab) -> int:
    """One run to the end of what is due; 1 when a site did not answer, a rule was refused, or an effect failed."""
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment) as daemon:
        daemon.supervisor.listen()
        fine = await daemon.run_until_idle()
        answers = Answers(daemon)
        status = await answers.status()
        ended = daemon.crew.tally.ended
        failed = any(state == EffectState.FAILED for _, state in ended)
        unread = [watch.weather.error for watch in daemon.all_watches.values() if watch.weather.error]
    if options.json:
        say_json(status)
    else:
        what = ", ".join(f"{count} {kind} {state}" for (kind, state), count in sorted(ended.items()))
        out.print(f"idle; {what or 'nothing had to be done'}", markup=False)
        for error in unread:
            complain(f"not read: {lab.secrets.mask(error)}")
    return FINE if fine and not failed and not lab.rules.rejected else FAILED


def _in_address(host: str) -> str:
    """A host as addresses write it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def server_for(daemon: Daemon, answers: Answers, http: Http, secrets: Secrets) -> Server:
    """The daemon's HTTP server."""
    token = None if http.token is None else http.token.get_secret_value()
    return Server(
        answers,
        daemon.metrics,
        host=http.host,
        port=http.port,
        token=token,
        secrets=secrets,
        act_without_token=False,
        hooks=daemon.hooks,
        clock=daemon.clock,
    )
