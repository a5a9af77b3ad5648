"""The sealed cookie of the status page."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flyball.web.sessions import LASTS, is_open, same, seal
from unit.web.fakes import NOW


def test_a_session_is_good_until_its_end() -> None:
    """It opens up to the last moment, not after."""
    value = seal("token", NOW)
    assert is_open("token", value, NOW)
    assert is_open("token", value, NOW + LASTS - timedelta(seconds=1))
    assert not is_open("token", value, NOW + LASTS)


def test_another_token_ends_it() -> None:
    """Changing the token signs everybody out."""
    assert not is_open("other", seal("token", NOW), NOW)


@pytest.mark.parametrize("value", ["", ".", "x", "99999999999", "99999999999.", "99999999999.00", "x.y.z", "é.ü"])
def test_made_up_sessions_are_refused(value: str) -> None:
    """Without the seal no text is a session."""
    assert not is_open("token", value, NOW)


def test_the_end_is_sealed() -> None:
    """A session cannot be made to last longer."""
    until, _, mac = seal("token", NOW).partition(".")
    assert not is_open("token", f"{int(until) + 1}.{mac}", NOW)


def test_the_token_is_not_in_it() -> None:
    """The cookie does not carry the token."""
    assert "token" not in seal("token", NOW)


@pytest.mark.parametrize(
    ("given", "equal"), [("secret", True), ("Secret", False), ("secre", False), ("secret ", False), ("", False)]
)
def test_secrets_are_compared_whole(given: str, equal: bool) -> None:
    """Only the very same text is the same, texts that are no UTF-8 included."""
    assert same(given, "secret") is equal
    assert same("\udcff", "\udcff")
