"""The command line: takes `--config` and `--json` anywhere, hands over to a verb, turns errors into exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from flyball import __version__
from flyball.cli.saying import FAILED, FINE, USAGE, Exit, complain, options, say_json
from flyball.cli.verbs import VerbGroup
from flyball.model.errors import ConfigError, FlyballError, SiteError

app = typer.Typer(
    name="flyball",
    cls=VerbGroup,
    help="Watches Flywheel sites, applies a lab's rules, and can explain every yes and every no.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:  # noqa: FBT001 - typer's call
    if value:
        sys.stdout.write(f"flyball {__version__}\n")
        raise typer.Exit


@app.callback()
def _top(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Say the version.", is_eager=True, callback=_version)
    ] = False,
    config: Annotated[
        Path, typer.Option("--config", metavar="DIR", help="Config folder; may also stand after the command.")
    ] = Path("config"),
    json: Annotated[bool, typer.Option("--json", help="JSON for machines; may also stand after the command.")] = False,
) -> None:
    """Options of every command."""


def split(arguments: Sequence[str]) -> list[str]:
    """Take `--config` and `--json` out, wherever they stand; what is left goes to the verb."""
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            return [*rest, argument, *waiting]
        if argument == "--json":
            options.json = True
        elif argument == "--config":
            if not waiting:
                raise ConfigError("--config wants the name of a folder")
            options.config = Path(waiting.pop(0))
        elif argument.startswith("--config="):
            options.config = Path(argument.removeprefix("--config="))
        else:
            rest.append(argument)
    return rest


def run(arguments: Sequence[str]) -> int:
    """Run one command; the exit code."""
    options.json, options.config = False, Path("config")
    try:
        app(args=split(arguments))
    except Exit as end:
        return end.code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FINE
    except ConfigError as error:
        return _ended(error, USAGE, "configuration")
    except SiteError as error:
        return _ended(error, FAILED, "site")
    except FlyballError as error:
        return _ended(error, FAILED, "failed")
    except BrokenPipeError:
        return FINE
    return FINE


def _ended(error: FlyballError, code: int, name: str) -> int:
    if options.json:
        say_json({"error": {"code": name, "message": str(error)}})
    else:
        complain(str(error))
    return code
