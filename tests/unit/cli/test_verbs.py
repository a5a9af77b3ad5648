"""Verbs are loaded when they are called, and not before: counted in modules, since seconds depend on the machine."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer

from flyball.cli.main import app
from flyball.cli.verbs import VERBS
from support.process import SOURCE

HEAVY = {
    "aiohttp", "aiosmtplib", "alembic", "apscheduler", "asyncio", "jinja2", "matplotlib", "procrastinate",
    "prometheus_client", "psycopg", "pydantic", "re2", "ruamel.yaml", "sqlalchemy", "sqlite3", "structlog", "uvloop",
}  # fmt: skip
LOADED = "import sys; from flyball.cli.main import run; code = run({}); print(code, *sys.modules, file=sys.stderr)"


def loaded_by(*arguments: str) -> set[str]:
    """The modules in memory after a command that ended with 0."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(list(arguments))],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": str(SOURCE)},
        check=True,
    )
    code, *modules = done.stderr.split()
    assert code == "0"
    return set(modules)


def group() -> Any:
    """All verbs."""
    return typer.main.get_command(app)


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_to_say_what_it_is_nothing_is_loaded(option: str) -> None:
    """Neither the libraries nor the rooms of the program."""
    modules = loaded_by(option)
    assert not HEAVY & modules
    rooms = {name for name in modules if name.startswith("flyball.")}
    assert rooms <= {"flyball.cli", *(f"flyball.cli.{name}" for name in ("main", "saying", "verbs"))} | {
        "flyball.model",
        "flyball.model.errors",
    }


def test_a_verb_brings_what_it_needs() -> None:
    """The check of the check: its settings and rules are read by the libraries that are missing above."""
    assert {"pydantic", "ruamel.yaml", "structlog", "flyball.rules"} <= loaded_by("schema", "rules")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: str(verb.name))
def test_the_list_says_what_the_verb_says(verb: Any) -> None:
    """The line in the list is the beginning of the verb's own help."""
    command = group().get_loaded(verb.name)
    assert command.name == verb.name
    assert command.help.split("\n\n")[0].replace("\n", " ") == verb.help


def test_no_verb_is_forgotten() -> None:
    """Whatever a module of the list registers is in the list."""
    registered = set()
    for module in {verb.module for verb in VERBS}:
        alone = typer.Typer()
        __import__(f"flyball.cli.{module}", fromlist=["register"]).register(alone)
        registered |= set(typer.main.get_group(alone).commands)
    assert registered == {verb.name for verb in VERBS} == set(group().commands)
