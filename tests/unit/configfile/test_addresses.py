"""Addresses of databases: what is shown, what is secret, what is refused."""

from __future__ import annotations

import pytest

from flyball.configfile.addresses import fault_of, is_address, passwords_in, shown


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://fly:hunter2@db.example.org:5433/lab", "postgresql://fly@db.example.org:5433/lab"),
        ("postgres://fly:hun%2Fter@[::1]/lab?sslmode=require", "postgresql://fly@[::1]/lab"),
        ("postgresql://db/lab?password=hunter2", "postgresql://db/lab"),
        ("postgresql://fly:hunter2@/lab?host=/run/pg", "postgresql://fly@/lab?host=/run/pg"),
    ],
)
def test_shown_without_password(address: str, said: str) -> None:
    """What people are shown names user, host and database, and never the password."""
    assert shown(address) == said


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("postgresql://fly:hun%2Fter@db/lab", ["hun%2Fter", "hun/ter"]),
        ("postgresql://db/lab?user=fly&password=hunter2", ["hunter2"]),
        ("postgresql://fly@db/lab", []),
    ],
)
def test_passwords(address: str, secret: list[str]) -> None:
    """A password is found in both its places, as it stands and as it is meant."""
    assert passwords_in(address) == ([address, *secret] if secret else [])


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("postgresql://db/lab", None),
        ("postgresql://db:port/lab", "the address has no proper form"),
        ("postgresql://fly:hunter2@db", "the address names no database"),
    ],
)
def test_faults(address: str, fault: str | None) -> None:
    """An address without a proper port or a database is refused, and is not repeated in the words."""
    said = fault_of(address)
    assert (said is None) == (fault is None)
    assert fault is None or (said is not None and said.startswith(fault) and "hunter2" not in said)


@pytest.mark.parametrize(("text", "is_one"), [("embedded", False), ("postgres://db/x", True), ("mysql://db/x", False)])
def test_what_is_an_address(text: str, is_one: bool) -> None:
    """Only addresses of PostgreSQL are."""
    assert is_address(text) is is_one
