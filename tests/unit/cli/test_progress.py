"""Signs of life during long work, and tables, on a terminal and in a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

WORK = "from flyball.cli.progress import working\nwith working('Reading the sites'):\n    import time; time.sleep(0.3)\nprint('done')"
TABLE = "from flyball.cli.saying import say_table\nsay_table(('id', 'what', 'error'), [(7, '[b]label[/b]', None), (12, 'x', None)])"


def on_terminal(script: str) -> str:
    """What a terminal of 80 columns gets of a script's output and errors."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-c", script], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(ours)
    assert process.wait(90) == 0
    return shown.decode()


def in_pipe(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=180)


def test_a_terminal_sees_that_something_is_under_way() -> None:
    """The words are shown, and gone afterwards; the result stays."""
    shown = on_terminal(WORK)
    assert "Reading the sites" in shown
    assert shown.rstrip().endswith("done")


def test_a_pipe_sees_nothing_of_it() -> None:
    """Neither on the output nor among the errors."""
    piped = in_pipe(WORK)
    assert (piped.stdout, piped.stderr) == ("done\n", "")


def test_a_table_leaves_empty_columns_out_on_a_terminal() -> None:
    """Room is short there; labels are no mark-up."""
    shown = on_terminal(TABLE)
    assert "error" not in shown
    assert "[b]label[/b]" in shown


def test_a_table_in_a_pipe_has_all_columns() -> None:
    """So that a program finds the same column in the same place."""
    assert in_pipe(TABLE).stdout == "7\t[b]label[/b]\t\n12\tx\t\n"
