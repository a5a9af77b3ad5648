"""`flyball schema`: JSON Schema of rule files and settings, for editors."""

from __future__ import annotations

from typing import Annotated

import typer

from flyball.cli.common import say_json
from flyball.effects.catalog import KINDS
from flyball.rules.schema import rule_file_schema
from flyball.settings import settings_schema


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("schema")(schema)


def schema(
    what: Annotated[str, typer.Argument(metavar="[rules|settings]", help="One of them; default both.")] = "both",
) -> None:
    """JSON Schema of rule files and settings."""
    if what not in ("rules", "settings", "both"):
        raise typer.BadParameter("write rules or settings, or nothing for both")
    both = {"rules": rule_file_schema(KINDS), "settings": settings_schema()}
    say_json(both if what == "both" else both[what])
