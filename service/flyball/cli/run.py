"""`flyball run`: the daemon; `--until-idle`: once, for cron."""

from __future__ import annotations

from typing import Annotated

import structlog
import typer

from flyball.answers import Answers
from flyball.app import Daemon
from flyball.cli.common import Lab, load_lab, show_rejected
from flyball.cli.looping import run_loop, spare_the_collector
from flyball.cli.saying import FAILED, FINE, Exit, complain, options, out, say_json
from flyball.heap import share_one_heap
from flyball.logs import Secrets, configure
from flyball.model.effect import EffectState
from flyball.settings import Http
from flyball.web.server import Server

log = structlog.get_logger()


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
