"""`flyball schema`: JSON Schema of rule files and settings, for editors; the reference pages are made of the same."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flyball.cli.saying import say_json
from flyball.effects.catalog import KINDS
from flyball.effects.installed import installed
from flyball.rules.reference import rule_reference
from flyball.rules.schema import rule_file_schema
from flyball.settings import settings_schema
from flyball.settings.reference import settings_reference


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("schema")(schema)


def schema(
    what: Annotated[str, typer.Argument(metavar="[rules|settings]", help="One of them; default both.")] = "both",
    *,
    markdown: Annotated[bool, typer.Option("--markdown", hidden=True, help="The reference page instead.")] = False,
) -> None:
    """JSON Schema of rule files and settings; it has the effect kinds of installed packages too."""
    if what not in ("rules", "settings", "both"):
        raise typer.BadParameter("write rules or settings, or nothing for both")
    if markdown:
        pages = {"rules": rule_reference(KINDS), "settings": settings_reference()}
        sys.stdout.write("\n".join(pages.values()) if what == "both" else pages[what])
        return
    both = {"rules": rule_file_schema(installed().kinds), "settings": settings_schema()}
    say_json(both if what == "both" else both[what])
