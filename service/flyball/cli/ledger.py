"""`flyball ledger check|export|import`: is the ledger sound; out into a file, and into an empty one of either kind."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from flyball.adapters.store.moving import look_over, read_in, write_out
from flyball.adapters.store.place import create_file
from flyball.cli.common import load_lab
from flyball.cli.looping import run_loop_value
from flyball.cli.saying import FAILED, FINE, Exit, complain, fail, options, out, say_json
from flyball.clock import SystemClock

STANDARD = "-"
File = Annotated[str, typer.Argument(metavar="FILE", help="A file; - for the standard input or output.")]
verbs = typer.Typer(help="Check the ledger, back it up, move it to another database.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(verbs, name="ledger")


@verbs.command("check")
def check() -> None:
    """Read all of the ledger and say what is wrong with it; exit code 1 when something is."""
    settings = load_lab().settings
    report = run_loop_value(look_over(settings.ledger, settings.data_dir))
    if options.json:
        shown = {"ok": report.ok, "problems": list(report.problems), "schema": report.revision}
        say_json({**shown, "bytes": report.size, "rows": report.rows})
    else:
        for problem in report.problems:
            complain(problem)
        rows = sum(report.rows.values())
        size = f", {report.size / 1_000_000:.1f} MB" if report.size else ""
        verdict = "sound" if report.ok else "NOT SOUND"
        out.print(f"the ledger is {verdict}: {rows} rows{size}, schema {report.revision}", markup=False)
    raise Exit(FINE if report.ok else FAILED)


@verbs.command("export")
def export(file: File = STANDARD) -> None:
    """Write the ledger as it is now as JSON lines, whole and with a check sum; also while the daemon runs.

    To move a lab, stop the daemon first: what it does afterwards is not in the export.
    """
    settings = load_lab().settings
    store, data = settings.ledger, settings.data_dir
    if file == STANDARD:
        with tempfile.TemporaryDirectory(prefix="flyball-") as folder:
            spool = Path(folder) / "ledger.jsonl"
            run_loop_value(write_out(store, data, spool))
            with spool.open("rb") as source:
                shutil.copyfileobj(source, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return
    target = Path(file)
    making = target.with_name(f"{target.name}.part")
    try:
        making.unlink(missing_ok=True)
        create_file(making)
        written = run_loop_value(write_out(store, data, making))
        making.replace(target)
    except OSError as error:
        fail(f"{target} cannot be written: {error.strerror or error}")
    finally:
        making.unlink(missing_ok=True)
    if options.json:
        say_json({"file": str(target), "bytes": written})
    else:
        out.print(f"{target}: {written / 1_000_000:.1f} MB", markup=False)


@verbs.command("import")
def import_(file: File = STANDARD) -> None:
    """Fill the ledger that the settings name from an export, all or nothing; it must be empty, and no daemon on it."""
    settings = load_lab().settings
    store, data = settings.ledger, settings.data_dir
    with tempfile.TemporaryDirectory(prefix="flyball-") as folder:
        source = Path(file)
        if file == STANDARD:
            source = Path(folder) / "ledger.jsonl"
            with source.open("wb") as spool:
                shutil.copyfileobj(sys.stdin.buffer, spool)
        elif not source.is_file():
            fail(f"there is no file {source}")
        rows = run_loop_value(read_in(store, data, source, SystemClock().now()))
    if options.json:
        say_json({"rows": rows})
    else:
        out.print(f"{sum(rows.values())} rows are in the ledger", markup=False)
