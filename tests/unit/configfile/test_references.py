"""`env:` and `file:` references, and hosts."""

from pathlib import Path

import pytest

from flyball.configfile.hosts import is_loopback
from flyball.configfile.references import MAX_FILE, mentioned, resolve


def test_plain_text_stands_for_itself(tmp_path: Path) -> None:
    """Only the two prefixes refer to something."""
    assert resolve("environment", {}, tmp_path) == "environment"


def test_variable(tmp_path: Path) -> None:
    """A variable gives its value, an optional one nothing when it is not set."""
    assert resolve("env:KEY", {"KEY": "value\n"}, tmp_path) == "value"
    assert resolve("env:KEY?", {}, tmp_path) is None


@pytest.mark.parametrize("environment", [{}, {"KEY": ""}])
def test_unset_variable(environment: dict[str, str], tmp_path: Path) -> None:
    """A variable that is not set, or set to nothing, is named with the remedy."""
    with pytest.raises(ValueError, match=r"variable KEY is not set; set it, or write env:KEY\? if it is optional"):
        resolve("env:KEY", environment, tmp_path)


def test_malformed(tmp_path: Path) -> None:
    """`env:` without a name says how it is written."""
    with pytest.raises(ValueError, match="after `env:` stands the name"):
        resolve("env:no-name", {}, tmp_path)


def test_file(tmp_path: Path) -> None:
    """A file gives its content without the line end; a relative path is relative to the config folder."""
    (tmp_path / "key").write_text("s3cret\n")
    assert resolve("file:key", {}, Path("/nowhere") / tmp_path) == "s3cret"
    assert resolve(f"file:{tmp_path}/key", {}, Path("/nowhere")) == "s3cret"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"\n", "is empty"),
        (b"\xff", "is not UTF-8"),
        (b"x" * (MAX_FILE + 1), "is larger than"),
    ],
)
def test_unusable_files(content: bytes | None, message: str, tmp_path: Path) -> None:
    """A file that holds no secret is named, its content is not."""
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        resolve("file:key", {}, tmp_path)


def test_mentioned() -> None:
    """All variables that a text refers to are found, optional ones included."""
    assert mentioned("a: env:ONE\nb: [env:TWO?, 'env:three']\nc: myenv:NOT") == {"ONE", "TWO", "three"}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "LOCALHOST.", "a.localhost"])
def test_loopback(host: str) -> None:
    """This machine, in all spellings."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "example.org", "localhost.example.org", "10.0.0.1", "127.0.0.1.nip.io"],  # noqa: S104 - to be told apart
)
def test_not_loopback(host: str) -> None:
    """Anything else, look-alikes included."""
    assert not is_loopback(host)
