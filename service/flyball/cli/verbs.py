"""The verbs by name, each loaded when it is called.

A verb brings half of the program with it: to say the version or the list of verbs, none of them is needed.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb.

    Attributes:
        name: what is typed.
        module: file in this folder that has its `register`.
        help: one line for the list of verbs; the same as its own help begins with.
    """

    name: str
    module: str
    help: str


VERBS = (
    Verb("demo", "demo", "The main job on an emulated site: nothing to configure, nothing leaves this machine."),
    Verb("run", "run", "Run the daemon."),
    Verb("check", "check", "Check settings and rules; exit code 2 when something must be mended."),
    Verb("plan", "plan", "What would be done on the present data."),
    Verb("why", "plan", "The decision now and the last recorded one, condition by condition with the values read."),
    Verb("test", "test", "Run the rules' own tests; exit code 1 when one fails."),
    Verb("effects", "effects", "List the ledger's effects, newest first; failed ones with what they have in common."),
    Verb("approve", "steer", "Let held effects go."),
    Verb("reject", "steer", "Give held effects up."),
    Verb(
        "retry",
        "steer",
        "Try failed effects again: single ones, or all that have something in common (`effects --grouped`).",
    ),
    Verb("forget", "steer", "Clear the once-key of effects on purpose: they may be done again."),
    Verb("backfill", "steer", "Queue decisions for existing data; only what is missing is done."),
    Verb("undo", "steer", "Take back the tags and open alerts that a rule made, and pause it; what people set stays."),
    Verb(
        "silence",
        "silence",
        "Keep the alerts of a rule or project back until a time; what is open then is sent. Alone: list the silences.",
    ),
    Verb("status", "status", "How the daemon is; from its ledger when it does not run."),
    Verb("find", "find", "List what the site has."),
    Verb("report", "report", "A report now: to the terminal or to a file."),
    Verb(
        "schema", "schema", "JSON Schema of rule files and settings; it has the effect kinds of installed packages too."
    ),
    Verb(
        "sandbox",
        "sandbox",
        "The emulated sites alone, for writing rules without a site; the official clients work against it.",
    ),
    Verb("alert", "alert", "Alerts: prove that a message arrives."),
    Verb("ledger", "ledger", "Check the ledger, back it up, move it to another database."),
)


class VerbGroup(TyperGroup):
    """Knows all verbs by their line, and loads the one that is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for verb in VERBS:
            self.add_command(TyperCommand(verb.name, help=verb.help))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the words begin with, and the words that are left."""
        name, _line, rest = super().resolve_command(ctx, args)
        command = self.get_loaded(str(name))
        from flyball.logs import Secrets, configure  # noqa: PLC0415 - to say the version, nothing logs

        configure(Secrets(), level="error")  # `run` says more; the other verbs speak for themselves
        return name, command, rest

    def get_loaded(self, name: str) -> Any:
        """The command itself, with its options and its own verbs."""
        verb = next(verb for verb in VERBS if verb.name == name)
        alone = typer.Typer()
        with _no_collector():
            import_module(f"flyball.cli.{verb.module}").register(alone)
        return typer.main.get_group(alone).commands[name]


@contextmanager
def _no_collector() -> Iterator[None]:
    """Loading makes many objects and no rubbish: looking for some takes a seventh of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
