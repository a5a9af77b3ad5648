"""`flyball sandbox`: the emulated sites alone."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import orjson
import typer

from flyball.cli.looping import run_loop
from flyball.cli.saying import FINE, USAGE, Exit, fail
from flyball.sandbox import Sandbox, Scenario, ScenarioError, serve


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("sandbox")(sandbox)


def sandbox(
    port: Annotated[int, typer.Option(help="TCP port; 0 takes any free one.")] = 0,
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Scenario (YAML), or a packaged one: lab (default), tutorial.")
    ] = None,
    sessions: Annotated[int | None, typer.Option(help="Add so many sessions of synthetic data.")] = None,
) -> None:
    """The emulated sites alone, for writing rules without a site; the official clients work against it."""
    try:
        chosen = Scenario.find(scenario) if scenario is not None else Scenario.named("lab")
    except (ScenarioError, OSError) as error:
        fail(str(error), USAGE)
    if sessions is not None:
        chosen = replace(chosen, scale={**chosen.scale, "sessions": sessions})
    raise Exit(run_loop(_serve(chosen, port)))


async def _serve(scenario: Scenario, port: int) -> int:
    def ready(box: Sandbox) -> None:
        sys.stdout.write(orjson.dumps(box.ready()).decode() + "\n")
        sys.stdout.flush()

    try:
        await serve(scenario, "127.0.0.1", port, ready)
    except OSError as error:
        fail(f"port {port}: {error.strerror or error}; take another with --port")
    except asyncio.CancelledError:
        pass
    return FINE
