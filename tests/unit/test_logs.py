"""Logs: one fact a line, and no secret in any of it."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from flyball.logs import MASK, Secrets, configure

SECRET = 'hunter2-Zz9/+ä"quoted"'


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; logging is as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def fail_with_cause() -> None:
    """A group of errors with a cause, all of which tell the secret."""
    cause = ValueError(SECRET)
    raise ExceptionGroup("several", [RuntimeError(f"told {SECRET}"), cause]) from cause


def fail_quietly() -> None:
    """An error with something in a variable that nobody registered."""
    unregistered = "never-registered"
    raise RuntimeError(len(unregistered))


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json(stream: io.StringIO) -> None:
    """One object a line: event, level, time, the values as keys, what was bound."""
    configure(Secrets(), form="json", stream=stream)
    with structlog.contextvars.bound_contextvars(attempt="7"):
        structlog.get_logger().bind(site="main").info("effect.done", rule="bold-qc", seconds=0.5, path=Path("/x"))
    (line,) = lines(stream)
    at = datetime.fromisoformat(line.pop("at"))
    assert at.tzinfo is not None
    assert line == {
        "event": "effect.done",
        "level": "info",
        "site": "main",
        "attempt": "7",
        "rule": "bold-qc",
        "seconds": 0.5,
        "path": "/x",
    }


def test_levels(stream: io.StringIO) -> None:
    """What is below the level is not written."""
    configure(Secrets(), form="json", level="warning", stream=stream)
    structlog.get_logger().info("poll.done")
    structlog.get_logger().warning("poll.failed")
    logging.getLogger("some.library").info("no")
    assert [line["event"] for line in lines(stream)] == ["poll.failed"]


def test_libraries_speak_the_same_way(stream: io.StringIO) -> None:
    """Records of the standard library come out as lines like ours; noisy libraries from warnings on."""
    configure(Secrets(SECRET), form="json", stream=stream)
    logging.getLogger("some.library").info("connected to %s", SECRET)
    logging.getLogger("alembic.runtime").info("noise")
    logging.getLogger("sqlalchemy.engine").warning("slow")
    first, second = lines(stream)
    assert (first["event"], first["logger"], first["level"]) == (f"connected to {MASK}", "some.library", "info")
    assert second["event"] == "slow"


def test_configuring_again_replaces(stream: io.StringIO) -> None:
    """No line is written twice."""
    configure(Secrets(), form="json", stream=stream)
    configure(Secrets(), form="json", stream=stream)
    logging.getLogger("some.library").warning("once")
    structlog.get_logger().info("once")
    assert len(lines(stream)) == 2


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_gets_through(form: Any, stream: io.StringIO) -> None:
    """Texts, keys, nested values, bytes, exceptions with causes and groups, foreign records."""
    configure(Secrets(SECRET), form=form, stream=stream)
    log = structlog.get_logger()
    log.info(SECRET, url=f"https://x/{SECRET}", deep=[{"a": (SECRET, {SECRET: 1})}], raw=SECRET.encode(), one={SECRET})
    log.info("odd", error=ValueError(SECRET), thing=type("Thing", (), {"__repr__": lambda _: SECRET})())
    try:
        fail_with_cause()
    except ExceptionGroup:
        log.exception("effect.failed")
        logging.getLogger("some.library").exception("failed with %r", SECRET)
    text = stream.getvalue()
    assert "effect.failed" in text
    assert "several" in text
    for spelling in ("hunter2", "Zz9"):
        assert spelling not in text


def test_tracebacks_show_no_values(stream: io.StringIO) -> None:
    """A traceback has lines of code, and no values of variables."""
    configure(Secrets(), form="console", stream=stream)
    try:
        fail_quietly()
    except RuntimeError:
        structlog.get_logger().exception("effect.failed")
    assert "RuntimeError" in stream.getvalue()
    assert "never-registered" not in stream.getvalue()


def test_labels_cannot_play_tricks(stream: io.StringIO) -> None:
    """Control characters in a label neither move the cursor nor begin a line of their own."""
    configure(Secrets(), form="console", stream=stream)
    structlog.get_logger().info("target.seen", label="\x1b[2J\nforged line\r", name="<b>../x")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert "<b>../x" in text


def test_auto_is_json_in_a_pipe_and_readable_on_a_terminal(stream: io.StringIO) -> None:
    """`auto` looks at where the log goes."""
    configure(Secrets(), stream=stream)
    structlog.get_logger().info("a.b")
    assert lines(stream)[0]["event"] == "a.b"
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign] # stands for a terminal
    configure(Secrets(), stream=terminal)
    structlog.get_logger().info("a.b")
    assert not terminal.getvalue().startswith("{")


def test_numbers_that_are_no_json(stream: io.StringIO) -> None:
    """NaN and infinity become texts, so that every line can be parsed."""
    configure(Secrets(), form="json", stream=stream)
    structlog.get_logger().info("metric.read", fd_mean=float("nan"), tsnr=float("inf"))
    assert (lines(stream)[0]["fd_mean"], lines(stream)[0]["tsnr"]) == ("nan", "inf")


def test_secrets_added_later_count_at_once(stream: io.StringIO) -> None:
    """A secret that is learned while running is masked from then on."""
    secrets = Secrets()
    configure(secrets, form="json", stream=stream)
    secrets.add("learned-later")
    structlog.get_logger().info("site.said", text="learned-later")
    assert lines(stream)[0]["text"] == MASK


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("key hunter2 used", f"key {MASK} used"),
        ("no secret", "no secret"),
        ("hunter2hunter2", MASK * 2),
        ("long-hunter2-long", f"{MASK}"),  # the longer secret goes first
        ("postgresql://u:p4ss@db/x", f"postgresql://{MASK}@db/x"),
        ("Authorization: Bearer abcdefghij", f"Authorization: Bearer {MASK}"),
        ("scitran-user abcdefghij.kl", f"scitran-user {MASK}"),
        ("a%20b%2Fc in an address", f"{MASK} in an address"),
        ("mail ops@example.org", "mail ops@example.org"),
    ],
)
def test_mask(text: str, masked: str) -> None:
    """Registered secrets in their usual spellings, and what looks like one by its shape."""
    assert Secrets("hunter2", "long-hunter2-long", "a b/c").mask(text) == masked


def test_short_secrets_are_masked_as_words() -> None:
    """A secret of a few letters does not blacken every word that contains them."""
    assert Secrets("ab").mask("ab cab ab-c (ab)") == f"{MASK} cab {MASK}-c ({MASK})"


def test_lines_of_a_long_secret() -> None:
    """A licence of several lines is masked line by line, too."""
    secrets = Secrets("first line of it\nsecond line of it\nx\n")
    assert secrets.mask("error near 'second line of it'") == f"error near '{MASK}'"
    assert secrets.mask("x") == "x"


def test_empty_secrets_do_nothing() -> None:
    """An unset variable does not mask every gap."""
    secrets = Secrets("", "  ", "\n")
    assert secrets.mask("a b") == "a b"
    assert repr(secrets) == "Secrets(<0 spellings>)"


def test_masked_by_name() -> None:
    """Values under keys that are named like secrets go, whatever they are; others stay."""
    secrets = Secrets()
    value = {"password": "x", "api_key": 3, "gear-FREESURFER_LICENSE": "x", "X-Auth-Token": ["x"], "once_key": "fb-1"}
    assert secrets.masked(value) == {
        "password": MASK,
        "api_key": MASK,
        "gear-FREESURFER_LICENSE": MASK,
        "X-Auth-Token": MASK,
        "once_key": "fb-1",
    }
    assert secrets.masked({"token": None}) == {"token": None}


def test_masked_is_json() -> None:
    """Whatever goes in, JSON comes out; what nests without end is cut off."""
    deep: list[Any] = []
    deep.append(deep)
    value = {"at": datetime(2026, 1, 1, tzinfo=UTC), "n": 1, "f": 0.5, "b": True, "none": None, "deep": deep, 3: {1}}
    masked = Secrets().masked(value)
    json.dumps(masked, allow_nan=False)
    assert masked["at"] == "2026-01-01T00:00:00+00:00"
    assert masked["3"] == [1]
